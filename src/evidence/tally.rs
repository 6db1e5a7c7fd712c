//! What a shard counted over the measure phase: complete, however little the log keeps.

use super::{Outcome, Phase, Request, Step};
use crate::record;

record! {
    /// Counters of one shard, or of several added up. Sessions and requests are those of the
    /// measure phase, by intended time; connections are of the whole run.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct Tally {
        /// Arrivals that came due.
        pub sessions_planned: u64,
        /// Sessions whose first request was handed to the ring, or failed for want of a port.
        pub sessions_started: u64,
        /// Sessions all of whose requests were ok.
        pub sessions_ok: u64,
        /// Sessions of which a request failed.
        pub sessions_failed: u64,
        /// Arrivals refused by the cap.
        pub sessions_dropped: u64,
        /// Arrivals still waiting when the drain ended.
        pub sessions_unserved: u64,
        /// Arrivals that met the cap and waited.
        pub sessions_deferred: u64,
        /// Sessions that had started and not ended when the run did.
        pub sessions_in_flight: u64,
        /// Requests handed to the ring or failed for want of a port.
        pub requests_sent: u64,
        /// Requests whose answer was whole and as expected.
        pub requests_ok: u64,
        /// Requests that ended in any other way.
        pub requests_failed: u64,
        /// Requests without an outcome when the run ended.
        pub requests_in_flight: u64,
        /// Bytes of the requests.
        pub bytes_sent: u64,
        /// Bytes of the answers.
        pub bytes_received: u64,
        /// Requests by outcome, in the order of [`Outcome::ALL`].
        pub outcomes: Vec<u64>,
        /// Requests by HTTP status.
        pub statuses: Vec<StatusCount>,
        /// Failures by phase, step and error number.
        pub errors: Vec<ErrorCount>,
        /// Connections that the plan wants at a time.
        pub connections_asked: u64,
        /// Kept connections open when the clock started; for fresh ones those that stood.
        pub connections_opened: u64,
        /// Connections that served at least one request.
        pub connections_served: u64,
        /// Connections that were opened, over the whole run.
        pub connections_started: u64,
        /// Connections that were closed by the end of the measure phase.
        pub connections_ended: u64,
        /// Kept connections that were spoilt and opened again.
        pub connections_reopened: u64,
        /// The most sessions open at a time.
        pub concurrence_max: u64,
        /// Longest backlog of deferred arrivals.
        pub backlog_max: u64,
        /// Deferred arrivals that still waited when the measure phase ended.
        pub backlog_end: u64,
        /// Time with every connection busy and an arrival waiting.
        pub at_cap_ns: u64,
        /// Records in the log.
        pub log_records: u64,
        /// Records that found no room in the log.
        pub log_lost: u64,
        /// Source ports set aside since something else held them.
        pub ports_set_aside: u64,
    }
}

record! {
    /// Requests that got this status.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct StatusCount {
        /// HTTP status, 0 to 999.
        pub status: u16,
        /// Requests.
        pub count: u64,
    }
}

record! {
    /// Failures of one kind.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct ErrorCount {
        /// When it happened.
        pub phase: Phase,
        /// What failed.
        pub step: Step,
        /// As [`Request::errno`].
        pub errno: u16,
        /// Failures.
        pub count: u64,
    }
}

/// Kinds of error that a tally keeps apart; what exceeds them is counted under the last.
const ERROR_KINDS_MAX: usize = 64;

impl Tally {
    /// An empty tally with all its memory in place: counting allocates nothing.
    pub fn prepared() -> Self {
        Self {
            outcomes: vec![0; Outcome::ALL.len()],
            statuses: Vec::with_capacity(1000),
            errors: Vec::with_capacity(ERROR_KINDS_MAX),
            ..Self::default()
        }
    }

    /// Counts a request of the measure phase that has its outcome.
    #[inline]
    pub fn count(&mut self, request: &Request) {
        self.outcomes[request.outcome as usize] += 1;
        self.bytes_received += request.bytes_received;
        if request.status != 0 {
            self.count_status(request.status);
        }
        match request.outcome {
            Outcome::Ok => self.requests_ok += 1,
            Outcome::Dropped | Outcome::Unserved => {}
            _ => self.requests_failed += 1,
        }
        if request.step != Step::None {
            self.count_error(request.phase, request.step, request.errno);
        }
    }

    #[inline]
    fn count_status(&mut self, status: u16) {
        match self.statuses.iter_mut().find(|s| s.status == status) {
            Some(found) => found.count += 1,
            None => self.statuses.push(StatusCount { status: status.min(999), count: 1 }),
        }
    }

    /// Counts a failure that need not be a request's own.
    #[cold]
    pub fn count_error(&mut self, phase: Phase, step: Step, errno: u16) {
        self.add_errors(ErrorCount { phase, step, errno, count: 1 });
    }

    fn add_errors(&mut self, more: ErrorCount) {
        let kind = (more.phase, more.step, more.errno);
        match self.errors.iter().position(|e| (e.phase, e.step, e.errno) == kind) {
            Some(found) => self.errors[found].count += more.count,
            None if self.errors.len() < ERROR_KINDS_MAX => self.errors.push(more),
            None => self.errors[ERROR_KINDS_MAX - 1].count += more.count,
        }
    }
}

impl Tally {
    /// Adds what another shard counted. Maxima of shards that do not see each other add up too:
    /// an upper bound, exact for one shard. The time at the cap keeps the longer.
    pub fn add(&mut self, other: &Self) {
        macro_rules! add {
            ($($field:ident),* $(,)?) => { $(self.$field += other.$field;)* };
        }
        add!(
            sessions_planned,
            sessions_started,
            sessions_ok,
            sessions_failed,
            sessions_dropped,
            sessions_unserved,
            sessions_deferred,
            sessions_in_flight,
            requests_sent,
            requests_ok,
            requests_failed,
            requests_in_flight,
            bytes_sent,
            bytes_received,
            connections_asked,
            connections_opened,
            connections_served,
            connections_started,
            connections_ended,
            connections_reopened,
            concurrence_max,
            backlog_max,
            backlog_end,
            log_records,
            log_lost,
            ports_set_aside,
        );
        self.at_cap_ns = self.at_cap_ns.max(other.at_cap_ns);
        self.outcomes.resize(Outcome::ALL.len().max(other.outcomes.len()), 0);
        for (mine, theirs) in self.outcomes.iter_mut().zip(&other.outcomes) {
            *mine += theirs;
        }
        for theirs in &other.statuses {
            match self.statuses.iter_mut().find(|s| s.status == theirs.status) {
                Some(found) => found.count += theirs.count,
                None => self.statuses.push(*theirs),
            }
        }
        for theirs in &other.errors {
            self.add_errors(*theirs);
        }
    }

    /// Requests with this outcome.
    pub fn outcome(&self, outcome: Outcome) -> u64 {
        self.outcomes.get(outcome as usize).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::Field;

    #[test]
    fn tallies_add_up_and_read_back() {
        let mut a = Tally::prepared();
        a.requests_sent = 3;
        a.count_error(Phase::Measure, Step::Recv, 104);
        let mut b = a.clone();
        b.count_status(200);
        b.count_error(Phase::Measure, Step::Recv, 104);
        a.add(&b);
        assert_eq!(a.requests_sent, 6);
        assert_eq!(
            a.errors,
            [ErrorCount { phase: Phase::Measure, step: Step::Recv, errno: 104, count: 3 }]
        );
        assert_eq!(Tally::from_text(&a.to_text()).unwrap(), a);
    }
}
