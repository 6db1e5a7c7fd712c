//! What a built-in target counted.

use std::ops::AddAssign;

use crate::unit::Nanos;

/// What a target counted from its start to its end, over all shards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Served {
    /// Connections accepted.
    pub clients: u64,
    /// Connections that could not be accepted, most often for want of descriptors.
    pub turned_away: u64,
    /// HTTP requests that came whole; for an echo the pieces in which bytes came.
    pub requests: u64,
    /// Bytes that are no HTTP request, each the last of its connection.
    pub bad_requests: u64,
    /// Connections that the client broke off.
    pub resets: u64,
    /// Requests that were told to fail, as `--fail-rate` asked for.
    pub failed: u64,
    /// Connections that were reset, as `--reset-rate` asked for.
    pub broken_off: u64,
    /// How late the answers were that had to wait until they were due.
    pub lateness: Lateness,
    /// Bytes of connections that came in.
    pub bytes_received: u64,
    /// Bytes of connections that went out.
    pub bytes_sent: u64,
}

/// How late a target was: what it made its clients wait beyond what it was told to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lateness {
    /// Answers that had to wait until they were due.
    pub answers: u64,
    /// Of these, how many left more than [`Lateness::MUCH`] after that.
    pub much: u64,
    /// All lateness together, in ns.
    pub sum_ns: u64,
    /// The most, in ns.
    pub max_ns: u64,
}

impl Lateness {
    /// More than a thread that spins is ever late, unless it is kept from running.
    pub const MUCH: Nanos = Nanos::from_micros(50);

    /// Counts one answer.
    #[inline]
    pub fn add(&mut self, late: Nanos) {
        self.answers += 1;
        self.much += u64::from(late > Self::MUCH);
        self.sum_ns = self.sum_ns.saturating_add(late.0);
        self.max_ns = self.max_ns.max(late.0);
    }

    /// The mean in ns; `None` without answers.
    pub fn mean_ns(&self) -> Option<f64> {
        (self.answers > 0).then(|| self.sum_ns as f64 / self.answers as f64)
    }
}

impl AddAssign for Lateness {
    fn add_assign(&mut self, more: Self) {
        self.answers += more.answers;
        self.much += more.much;
        self.sum_ns = self.sum_ns.saturating_add(more.sum_ns);
        self.max_ns = self.max_ns.max(more.max_ns);
    }
}

impl AddAssign for Served {
    fn add_assign(&mut self, more: Self) {
        self.clients += more.clients;
        self.turned_away += more.turned_away;
        self.requests += more.requests;
        self.bad_requests += more.bad_requests;
        self.resets += more.resets;
        self.failed += more.failed;
        self.broken_off += more.broken_off;
        self.lateness += more.lateness;
        self.bytes_received += more.bytes_received;
        self.bytes_sent += more.bytes_sent;
    }
}
