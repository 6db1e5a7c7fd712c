//! What a built-in target counted.

use std::ops::{Add, AddAssign};

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
    /// How late the delayed answers were; for PVs, the posts.
    pub lateness: Lateness,
    /// What a server of PVs counted beside; `None` of any other target.
    pub pvs: Option<PvsServed>,
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
    /// Of these, how many left more than [`Lateness::MUCH`] late.
    pub much: u64,
    /// All lateness together, in ns.
    pub sum_ns: u64,
    /// The most, in ns.
    pub max_ns: u64,
}

impl Lateness {
    /// A thread that spins is later than this only when it is kept from running.
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
        self.pvs = match (self.pvs, more.pvs) {
            (Some(pvs), Some(more)) => Some(pvs + more),
            (one, other) => one.or(other),
        };
        self.bytes_received += more.bytes_received;
        self.bytes_sent += more.bytes_sent;
    }
}

/// What a server of PVs counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PvsServed {
    /// Names that were searched for, known or not.
    pub searches: u64,
    /// Channels opened.
    pub channels: u64,
    /// Subscriptions made.
    pub subscriptions: u64,
    /// Values read.
    pub gets: u64,
    /// Values written.
    pub puts: u64,
    /// What became of the values' changes.
    pub updates: Updates,
    /// Clients that were closed because they were too far behind.
    pub cut_off: u64,
    /// Faults that the server made because it was asked to.
    pub flaws: FlawsDone,
}

/// What became of the values' changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Updates {
    /// Posts of all PVs, subscribed to or not. All shards post the same ones.
    pub posted: u64,
    /// Messages about them to clients, the first of each subscription included.
    pub sent: u64,
    /// Updates replaced by a newer one of the same subscription before they were sent.
    pub merged: u64,
}

/// Faults that the server made because it was asked to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FlawsDone {
    /// Updates that were not sent.
    pub dropped: u64,
    /// Updates that were sent twice.
    pub repeated: u64,
    /// Updates after which the value before was sent.
    pub backwards: u64,
}

impl Add for PvsServed {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self {
            searches: self.searches + more.searches,
            channels: self.channels + more.channels,
            subscriptions: self.subscriptions + more.subscriptions,
            gets: self.gets + more.gets,
            puts: self.puts + more.puts,
            updates: Updates {
                posted: self.updates.posted.max(more.updates.posted),
                sent: self.updates.sent + more.updates.sent,
                merged: self.updates.merged + more.updates.merged,
            },
            cut_off: self.cut_off + more.cut_off,
            flaws: FlawsDone {
                dropped: self.flaws.dropped + more.flaws.dropped,
                repeated: self.flaws.repeated + more.flaws.repeated,
                backwards: self.flaws.backwards + more.flaws.backwards,
            },
        }
    }
}
