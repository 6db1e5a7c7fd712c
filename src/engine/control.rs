//! The words that a run's threads share: one for the shards to read, one per shard to write.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use crate::unit::Instant;

/// What the main thread tells the shards. They only read it, so it stays in their caches.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Control {
    start_at: AtomicU64,
    stop: AtomicU8,
}

/// How far a run is to be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Stop {
    /// Not at all.
    Run = 0,
    /// No arrival is due any more; what is under way is drained.
    Drain = 1,
    /// At once.
    Abandon = 2,
}

impl Control {
    /// Lets the clock start at this instant; the same for all shards.
    pub fn start(&self, at: Instant) {
        self.start_at.store(at.0.max(1), Ordering::Release);
    }

    /// When the clock starts; `None` until that is known.
    pub fn start_at(&self) -> Option<Instant> {
        match self.start_at.load(Ordering::Acquire) {
            0 => None,
            at => Some(Instant(at)),
        }
    }

    /// Stops the run; never less than before.
    pub fn stop(&self, stop: Stop) {
        self.stop.fetch_max(stop as u8, Ordering::Release);
    }

    /// How far the run is stopped.
    #[inline]
    pub fn stopped(&self) -> Stop {
        match self.stop.load(Ordering::Relaxed) {
            0 => Stop::Run,
            1 => Stop::Drain,
            _ => Stop::Abandon,
        }
    }
}

/// What a shard tells while it runs: for progress on a terminal, not for reports.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Live {
    /// Kept connections open, or sockets ready for fresh ones.
    pub opened: AtomicU64,
    /// The shard has opened what it can; set once.
    pub ready: AtomicU8,
    /// Sessions ended.
    pub sessions_ended: AtomicU64,
    /// Sessions under way.
    pub sessions_open: AtomicU64,
    /// Requests that ended in any other way than ok; published after `refused`.
    pub failed: AtomicU64,
    /// Requests that were refused.
    pub refused: AtomicU64,
    /// Requests that ended well.
    pub ok: AtomicU64,
}

impl Live {
    /// Publishes `value`; the shard is the only writer. Who sees it sees what it published
    /// before.
    #[inline]
    pub(super) fn publish(word: &AtomicU64, value: u64) {
        word.store(value, Ordering::Release);
    }
}
