//! The times of requests and sessions, each kind in a recorder of its own.

use crate::evidence::{Outcome, Phase, Request};
use crate::stats::Recorder;
use crate::unit::Instant;
use crate::{record, words};

words! {
    /// The name of a series.
    pub enum SeriesName:
        "a series is response, service, wait, lag, connect, first_byte or session, like response" {
        /// done - intended.
        Response = "response",
        /// done - sent.
        Service = "service",
        /// ready - intended.
        Wait = "wait",
        /// sent - ready.
        Lag = "lag",
        /// connected - sent.
        Connect = "connect",
        /// first byte - sent.
        FirstByte = "first_byte",
        /// The last request's done - the first one's intended.
        Session = "session",
    }
}

record! {
    /// The series of a shard, or of several merged.
    ///
    /// | series | of which requests of the measure phase |
    /// |---|---|
    /// | `response` | ok; timeout and unserved with their age, as lower bounds |
    /// | `service`, `wait`, `lag` | ok and timeout: those of `response` that were sent |
    /// | `connect`, `first_byte` | ok and timeout, where it came to that |
    ///
    /// In each of the second row `response = wait + lag + service` holds. Other failures are
    /// counted, not timed. `session` takes whole sessions by the outcome of their last request,
    /// as `response` does.
    #[derive(Debug, Clone, Default)]
    pub struct Series {
        /// done - intended.
        pub response: Recorder,
        /// done - sent.
        pub service: Recorder,
        /// ready - intended.
        pub wait: Recorder,
        /// sent - ready.
        pub lag: Recorder,
        /// connected - sent.
        pub connect: Recorder,
        /// first byte - sent.
        pub first_byte: Recorder,
        /// The last request's done - the first one's intended.
        pub session: Recorder,
    }
}

record! {
    /// The times of updates, of one shard or of several merged.
    #[derive(Debug, Clone, Default)]
    pub struct Ages {
        /// Arrival - the server's stamp, by two clocks: of one machine, or kept together. Those
        /// that are stamped in the future, or not at all, are left out.
        pub age: Recorder,
        /// Arrival - arrival of the subscription's update before.
        pub gap: Recorder,
    }
}

impl Ages {
    /// Adds the samples of `other`, as if they had been recorded here.
    pub fn merge(&mut self, other: &Self) {
        self.age.merge(&other.age);
        self.gap.merge(&other.gap);
    }
}

impl Series {
    /// Empty recorders, all their memory in place.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the times of a request that has its outcome; passes over those outside of the
    /// measure phase.
    #[inline]
    pub fn record(&mut self, request: &Request) {
        if request.phase != Phase::Measure || !request.is_timed() {
            return;
        }
        self.response.record(request.response());
        if request.outcome == Outcome::Unserved {
            return;
        }
        self.service.record(request.service());
        self.wait.record(request.wait());
        self.lag.record(request.lag());
        if let Some(connected_at) = request.connected_at {
            self.connect.record(connected_at.since(request.sent_at));
        }
        if let Some(first_byte_at) = request.first_byte_at {
            self.first_byte.record(first_byte_at.since(request.sent_at));
        }
    }

    /// Takes a session that ended with `last`, from its first request's intended time on; the
    /// caller knows that it began in the measure phase.
    #[inline]
    pub fn record_session(&mut self, began: Instant, last: &Request) {
        if last.is_timed() {
            self.session.record(last.done_at.since(began));
        }
    }

    /// The series of this name.
    pub fn of(&self, name: SeriesName) -> &Recorder {
        match name {
            SeriesName::Response => &self.response,
            SeriesName::Service => &self.service,
            SeriesName::Wait => &self.wait,
            SeriesName::Lag => &self.lag,
            SeriesName::Connect => &self.connect,
            SeriesName::FirstByte => &self.first_byte,
            SeriesName::Session => &self.session,
        }
    }

    /// Adds the samples of `other`, as if they had been recorded here.
    pub fn merge(&mut self, other: &Self) {
        self.response.merge(&other.response);
        self.service.merge(&other.service);
        self.wait.merge(&other.wait);
        self.lag.merge(&other.lag);
        self.connect.merge(&other.connect);
        self.first_byte.merge(&other.first_byte);
        self.session.merge(&other.session);
    }
}
