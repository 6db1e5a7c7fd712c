//! A validated run as plain data: what to do, never how. The same text form stands in the log
//! and in the report, so that a log says on its own what was asked.

mod source;
mod words;

use std::net::SocketAddr;

use crate::record;
use crate::unit::{ByteSize, Nanos, Rate};

pub use source::{CpuList, PortRange};
pub use words::{
    ClockName, Close, Family, Gap, Idle, LogMode, OnCap, Operation, Pattern, Precision, Profile,
    Scheme, Search,
};

record! {
    /// A run as it was understood. Every default is filled in, every total is over all shards.
    #[derive(Debug, Clone, PartialEq)]
    pub struct Plan {
        /// What is loaded.
        pub target: Target,
        /// Sessions per second over all shards.
        pub rate: Rate,
        /// The most sessions open at a time, over all shards; at least 1.
        pub concurrence: u32,
        /// How arrivals lie in time.
        pub pattern: Pattern,
        /// Length of the measure phase, at most.
        pub duration: Nanos,
        /// End before, once the response is known so well.
        pub target_ci: Option<Precision>,
        /// Stop after this many sessions instead.
        pub count: Option<u64>,
        /// Length of the warm-up before the measure phase, logged but not counted.
        pub warmup: Nanos,
        /// Requests in series per session; at least 1.
        pub requests: u32,
        /// Time between a request's end and the next request of its session.
        pub think: Nanos,
        /// A connection of its own for each session.
        pub fresh: bool,
        /// How a fresh session ends its connection.
        pub close: Close,
        /// What becomes of an arrival that meets the concurrence cap.
        pub on_cap: OnCap,
        /// From `sent_at`, per request; connect included for a fresh session.
        pub timeout: Nanos,
        /// Seed of the arrivals.
        pub seed: u64,
        /// Run with the connections that did open, where fewer than `concurrence` do.
        pub allow_partial: bool,
        /// What a request is made of.
        pub request: RequestPlan,
        /// What is done with EPICS channels; `None` for any other target.
        pub channels: Option<ChannelPlan>,
        /// Pinned threads; at least 1.
        pub shards: u32,
        /// The CPUs of the shards, shard i on entry i modulo the length; never empty.
        pub cpus: CpuList,
        /// What a shard does when nothing is due.
        pub idle: Idle,
        /// The clock that stamps.
        pub clock: ClockName,
        /// Source addresses, the port 0; one unspecified address where the kernel chooses.
        pub sources: Vec<std::net::IpAddr>,
        /// Source ports that the shards manage themselves.
        pub ports: PortRange,
        /// A kernel thread submits, so that the shard makes no syscall.
        pub sqpoll: bool,
        /// The CPU of that kernel thread.
        pub sqpoll_cpu: Option<u32>,
        /// A process to watch.
        pub watch_pid: Option<u32>,
        /// A network device to watch.
        pub watch_dev: Option<String>,
        /// Which requests the log keeps.
        pub log: LogMode,
        /// `K=V` as the user gave them.
        pub labels: Vec<String>,
    }
}

record! {
    /// What is loaded.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Target {
        /// As the user wrote it, or the address of the embedded target.
        pub url: String,
        /// The protocol.
        pub scheme: Scheme,
        /// Host as written, without the port.
        pub host: String,
        /// Path and query; empty for `tcp://`.
        pub path: String,
        /// Resolved once, before the run.
        pub address: SocketAddr,
        /// It is the built-in target, started for this run.
        pub embedded: bool,
    }
}

record! {
    /// What a request is made of.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct RequestPlan {
        /// HTTP method.
        pub method: String,
        /// HTTP headers as `Name: value`, in the user's order.
        pub headers: Vec<String>,
        /// Length of the HTTP body; the bytes themselves are handed to the engine apart.
        pub body_bytes: Option<ByteSize>,
        /// Statuses that count as ok; empty: all do.
        pub expect_status: Vec<u16>,
        /// Bytes of a `tcp://` request.
        pub send_bytes: u64,
        /// Bytes of a `tcp://` answer.
        pub expect_bytes: u64,
    }
}

record! {
    /// What is done with EPICS channels. Their names are handed to the engine apart.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct ChannelPlan {
        /// Subscribe, read, write or search.
        pub op: Operation,
        /// Names; at least 1.
        pub pvs: u32,
        /// Subscriptions of each name; 1 where there are none.
        pub monitors: u32,
        /// Connections that the channels are spread over; at least 1.
        pub circuits: u32,
        /// Whom the client is like.
        pub profile: Profile,
        /// Updates that a pvAccess server may hold for a subscription.
        pub queue: Option<u32>,
        /// Updates that are acknowledged together; `None`: the server need not wait for it.
        pub ack: Option<u32>,
        /// How the servers of the names were searched for, or are where that is what is done;
        /// `None`: the address was known.
        pub search: Option<Search>,
    }
}

impl ChannelPlan {
    /// Whether updates are watched, and nothing is scheduled.
    pub fn is_watching(&self) -> bool {
        self.op == Operation::Monitor
    }

    /// Whether its connections are sockets of datagrams.
    pub fn is_of_datagrams(&self) -> bool {
        self.op == Operation::Search && self.search == Some(Search::Udp)
    }
}

impl Plan {
    /// Connections that are open at a time, over all shards.
    pub fn connections(&self) -> u32 {
        self.channels.as_ref().map_or(self.concurrence, |channels| channels.circuits)
    }

    /// Arrivals that the measure phase plans, known beforehand for even and rush; `None` for
    /// random (the seed gives it) and for `max`.
    pub fn planned_sessions(&self) -> Option<u64> {
        match (self.count, self.pattern) {
            (Some(count), _) => Some(count),
            (None, Pattern::Random(_)) => None,
            (None, _) => self.rate.arrivals_in(self.duration),
        }
    }

    /// The share of `total` that falls to shard `index`: the remainder goes one each to the
    /// first shards, so that the shares add up.
    pub fn share(&self, total: u64, index: u32) -> u64 {
        let shards = u64::from(self.shards);
        total / shards + u64::from(u64::from(index) < total % shards)
    }
}

#[cfg(test)]
pub(crate) mod sample {
    //! A plan for tests.

    use super::*;

    /// 1000 sessions a second for a second on 4 kept connections and one shard.
    pub(crate) fn plan() -> Plan {
        Plan {
            target: Target {
                url: "http://127.0.0.1:80/".into(),
                scheme: Scheme::Http,
                host: "127.0.0.1".into(),
                path: "/".into(),
                address: "127.0.0.1:80".parse().unwrap(),
                embedded: false,
            },
            rate: Rate::per_second(1000),
            concurrence: 4,
            pattern: Pattern::Even,
            duration: Nanos::from_secs(1),
            target_ci: None,
            count: None,
            warmup: Nanos::ZERO,
            requests: 1,
            think: Nanos::ZERO,
            fresh: false,
            close: Close::Fin,
            on_cap: OnCap::Defer,
            timeout: Nanos::from_secs(5),
            seed: 1,
            allow_partial: false,
            request: RequestPlan {
                method: "GET".into(),
                headers: vec![],
                body_bytes: None,
                expect_status: vec![],
                send_bytes: 64,
                expect_bytes: 64,
            },
            channels: None,
            shards: 1,
            cpus: "0".parse().unwrap(),
            idle: Idle::Spin,
            clock: ClockName::Tsc,
            sources: vec!["127.0.0.1".parse().unwrap()],
            ports: "10000-65000".parse().unwrap(),
            sqpoll: false,
            sqpoll_cpu: None,
            watch_pid: None,
            watch_dev: None,
            log: LogMode::All,
            labels: vec![],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::sample::plan;
    use super::*;
    use crate::unit::Field;

    #[test]
    fn a_plan_reads_back_from_its_text() {
        let mut plan = plan();
        plan.pattern = Pattern::Rush(Nanos::from_millis(250));
        plan.log = LogMode::OneIn(10);
        plan.labels = vec!["nic=ixgbe".into()];
        plan.request.headers = vec!["X-A: b".into()];
        assert_eq!(Plan::from_text(&plan.to_text()).unwrap(), plan);
    }

    #[test]
    fn shares_add_up_and_differ_by_at_most_one() {
        let mut plan = plan();
        plan.shards = 12;
        let shares: Vec<u64> = (0..12).map(|i| plan.share(100, i)).collect();
        assert_eq!(shares.iter().sum::<u64>(), 100);
        assert!(shares.iter().all(|s| (8..=9).contains(s)));
    }
}
