//! Runs for tests, made by hand.

use super::{Ages, Builder, Summary, Trailer};
use crate::evidence::{
    Busy, Calibration, CpuSeen, Environment, Evidence, Hole, Holes, Machine, NetCount, Outcome,
    Phase, Request, Resources, ShardEvidence, Step, Tally, UpdatesSeen,
};
use crate::plan::sample::plan;
use crate::plan::{ChannelPlan, Operation, Plan, Profile};
use crate::unit::{Instant, Nanos, Rate};

/// What a log would hold.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) plan: Plan,
    pub(crate) environment: Environment,
    pub(crate) began_unix_ns: u64,
    pub(crate) evidence: Evidence,
    pub(crate) shards: Vec<Shard>,
    /// Of the updates that came.
    pub(crate) ages: Vec<Ages>,
    /// The trailer is missing.
    pub(crate) is_killed: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Shard {
    pub(crate) evidence: ShardEvidence,
    pub(crate) requests: Vec<Request>,
    /// Logged before all of the requests.
    pub(crate) holes: Vec<Hole>,
}

/// Start of the measure phase.
pub(crate) const ORIGIN: Instant = Instant(5_000_000_000);

/// A request of a session of its own that is sent `k` ms into the run and ok after 100 us.
pub(crate) fn request(k: u64) -> Request {
    let intended_at = ORIGIN + Nanos(k * 1_000_000);
    let done_at = intended_at + Nanos::from_micros(100);
    Request {
        intended_at,
        ready_at: intended_at,
        sent_at: intended_at,
        connected_at: None,
        first_byte_at: Some(intended_at + Nanos::from_micros(80)),
        done_at,
        session: k,
        request: 0,
        slot: 0,
        source: 0,
        port: 10_000,
        outcome: Outcome::Ok,
        step: Step::None,
        errno: 0,
        status: 200,
        phase: Phase::Measure,
        last: true,
        bytes_sent: 40,
        bytes_received: 850,
    }
}

/// The same request, failed at `step`.
pub(crate) fn failed(k: u64, outcome: Outcome, step: Step, errno: u16) -> Request {
    Request { outcome, step, errno, status: 0, first_byte_at: None, ..request(k) }
}

/// Counts as the engine would, for sessions of one request.
pub(crate) fn tally_of(requests: &[Request]) -> Tally {
    let mut tally = Tally::prepared();
    for request in requests {
        tally.count(request);
        tally.bytes_sent += request.bytes_sent;
        tally.sessions_deferred += u64::from(request.wait() > Nanos::ZERO);
    }
    tally.sessions_planned = requests.len() as u64;
    tally.sessions_dropped = tally.outcome(Outcome::Dropped);
    tally.sessions_unserved = tally.outcome(Outcome::Unserved);
    tally.sessions_ok = tally.requests_ok;
    tally.sessions_failed = tally.requests_failed;
    tally.sessions_started = tally.requests_ok + tally.requests_failed;
    tally.requests_sent = tally.sessions_started;
    tally.log_records = requests.len() as u64;
    tally
}

impl Run {
    /// A thousand sessions in a second, all well, in 100 to 199 us.
    pub(crate) fn steady() -> Self {
        let requests = (0..1000).map(|k| {
            let request = request(k);
            Request { done_at: request.done_at + Nanos::from_micros(k % 100), ..request }
        });
        Self::of(vec![requests.collect()])
    }

    /// `count` sessions that wait and lag as `delays` says.
    pub(crate) fn of_responses(count: u64, delays: impl Fn(u64) -> (Nanos, Nanos)) -> Self {
        let requests = (0..count).map(|k| {
            let (wait, lag) = delays(k);
            let request = request(k);
            let ready_at = request.intended_at + wait;
            let sent_at = ready_at + lag;
            Request {
                ready_at,
                sent_at,
                first_byte_at: None,
                done_at: sent_at + Nanos::from_micros(100),
                ..request
            }
        });
        Self::of(vec![requests.collect()])
    }

    /// These requests, shard by shard.
    pub(crate) fn of(shards: Vec<Vec<Request>>) -> Self {
        let mut plan = plan();
        plan.shards = shards.len() as u32;
        Self {
            environment: environment(),
            began_unix_ns: 1_700_000_000_000_000_000,
            evidence: evidence(plan.duration),
            shards: shards.into_iter().enumerate().map(shard).collect(),
            ages: Vec::new(),
            is_killed: false,
            plan,
        }
    }

    /// Ten channels that tell a hundred updates each in a second, and one of them 20 less.
    pub(crate) fn watching() -> Self {
        let mut run = Self::of(vec![vec![]]);
        run.plan.target.url = "ca://127.0.0.1:5064/P{0..9}".into();
        run.plan.rate = Rate::Max;
        run.plan.channels = Some(ChannelPlan {
            op: Operation::Monitor,
            pvs: 10,
            monitors: 1,
            circuits: 2,
            profile: Profile::Greedy,
            queue: None,
            ack: None,
            search: None,
        });
        run.shards[0].evidence.updates = Some(UpdatesSeen {
            subscriptions: 10,
            received: 980,
            finals_ok: 9,
            silent_ns: Some(200_000_000),
            ..UpdatesSeen::default()
        });
        run.shards[0].evidence.tally = Tally {
            connections_asked: 2,
            connections_opened: 2,
            connections_served: 1,
            connections_started: 2,
            connections_ended: 1,
            bytes_received: 39_200,
            ..Tally::prepared()
        };
        let mut ages = Ages::default();
        for k in 0..980 {
            ages.age.record(Nanos::from_micros(90 + k % 10));
            ages.gap.record(Nanos::from_millis(10));
        }
        run.ages = vec![ages];
        run
    }

    /// What the reader of its log would build.
    pub(crate) fn summary(&self) -> Summary {
        let mut builder = Builder::new(self.plan.clone(), self.environment.clone());
        builder.began(self.began_unix_ns);
        builder.measure_at(ORIGIN);
        for (index, shard) in self.shards.iter().enumerate() {
            shard.holes.iter().for_each(|hole| builder.hole(index as u32, hole));
            shard.requests.iter().for_each(|request| builder.request(index as u32, request));
        }
        if !self.is_killed {
            let shards = self.shards.iter().map(|shard| shard.evidence.clone()).collect();
            let evidence = Evidence { shards, ..self.evidence.clone() };
            let ages = self.ages.clone();
            builder.trailer(Trailer { evidence, ages, ..Trailer::default() });
        }
        builder.finish()
    }
}

fn shard((index, requests): (usize, Vec<Request>)) -> Shard {
    let mut tally = tally_of(&requests);
    tally.connections_asked = 4;
    tally.connections_opened = 4;
    tally.connections_served = 4;
    tally.connections_started = 4;
    tally.concurrence_max = 1;
    let evidence = ShardEvidence {
        run_delay_ns: Some(0),
        holes: Some(Holes::prepared()),
        busy: Some(Busy {
            passes: 800,
            time: Some(Nanos::from_millis(4)),
            started: 1000,
            started_max: 2,
            handled: 1000,
            handled_max: 3,
        }),
        on_cpu: CpuSeen {
            softirq_ns: Some(10_000_000),
            steal_ns: Some(0),
            thermal_throttles: Some(0),
            frequency_min_khz: Some(3_000_000),
            frequency_max_khz: Some(3_100_000),
            ..CpuSeen::default()
        },
        open_ns: Some(open_ns(&requests)),
        cpu: index as u64,
        ring: "defer-taskrun".into(),
        enters: 500,
        passes: 9000,
        operations: 2000,
        voluntary_switches: Some(0),
        involuntary_switches: Some(7),
        tally,
        ..ShardEvidence::default()
    };
    Shard { evidence, requests, holes: Vec::new() }
}

/// As the engine would sum it up, for sessions of one request.
fn open_ns(requests: &[Request]) -> u64 {
    requests.iter().filter(|request| request.was_sent()).map(|request| request.service().0).sum()
}

fn environment() -> Environment {
    Environment {
        tool_version: "0.1.0".into(),
        kernel: Some("6.12.0".into()),
        cpu: Some("Example CPU @ 3.00GHz".into()),
        cpus_online: Some(2),
        cpus_allowed: Some("0-1".into()),
        clocksource: Some("tsc".into()),
        hostname: Some("bench".into()),
        sysctls: vec!["net.ipv4.tcp_tw_reuse=2".into()],
        ..Environment::default()
    }
}

fn evidence(measured: Nanos) -> Evidence {
    Evidence {
        measured,
        resources: Resources {
            user_ns: 480_000_000,
            sys_ns: 520_000_000,
            elapsed_ns: 1_010_000_000,
            max_rss_kib: 5120,
            minor_faults: 400,
            iowq_threads: Some(0),
            ..Resources::default()
        },
        calibration: Some(Calibration {
            ticks_per_s: 3e9,
            error_bound_ppm: 0.5,
            drift_ppm: Some(-0.2),
            drift_bound_ppm: Some(0.1),
        }),
        machine: Some(Machine {
            between_ns: Some(1_000_000_000),
            cpu_pressure_ns: Some(2_000_000),
            clocksource: Some("tsc".into()),
            throttled_ns: Some(0),
            network: vec![
                NetCount { name: "RetransSegs".into(), count: 3 },
                NetCount { name: "TCPTimeWaitOverflow".into(), count: 0 },
            ],
            ..Machine::default()
        }),
        ..Evidence::default()
    }
}
