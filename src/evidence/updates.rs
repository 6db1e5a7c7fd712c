//! What became of the updates of subscriptions, each checked against the one before it.

use crate::record;

record! {
    /// Updates of the measure phase, of one shard or of several added up. A value is a counter
    /// that grows by one at each post; the first after a subscription, or after its connection
    /// was lost, is where counting begins.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub struct UpdatesSeen {
        /// Subscriptions that were served when the clock started.
        pub subscriptions: u64,
        /// Updates that came.
        pub received: u64,
        /// Values that lay between an update and the one before it.
        pub lost: u64,
        /// Updates with the value of the one before.
        pub duplicate: u64,
        /// Updates with a smaller value than the one before.
        pub backwards: u64,
        /// Subscriptions that reached, after the measure phase, the value that a read of their
        /// channel gave then.
        pub finals_ok: u64,
        /// For how long, in ns, nothing had come for the subscription that was silent longest,
        /// when the measure phase ended: a gap that was not over. `None` where none was served.
        pub silent_ns: Option<u64>,
    }
}

impl UpdatesSeen {
    /// Counts an update that is so many posts beyond the one before it.
    #[inline]
    pub fn count(&mut self, steps: i64) {
        self.received += 1;
        match steps {
            1 => {}
            0 => self.duplicate += 1,
            2.. => self.lost += steps.unsigned_abs() - 1,
            _ => self.backwards += 1,
        }
    }

    /// Adds what another shard, or another run, counted.
    pub fn add(&mut self, other: &Self) {
        self.subscriptions += other.subscriptions;
        self.received += other.received;
        self.lost += other.lost;
        self.duplicate += other.duplicate;
        self.backwards += other.backwards;
        self.finals_ok += other.finals_ok;
        self.silent_ns = self.silent_ns.max(other.silent_ns);
    }
}
