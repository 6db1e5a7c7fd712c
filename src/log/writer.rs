//! The shard's side of a log: eight stores per record.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;

use super::append::Append;
use super::header::RECORD_BYTES;
use super::record::{Record, encode};
use super::{hole, slip};
use crate::evidence::{Hole, Outcome, Request, Slip};
use crate::plan::LogMode;
use crate::sys::map::Region;
use crate::unit::Instant;

/// Writes the records of one shard.
///
/// It fills chunks that the [`Keeper`](super::Keeper) made ready and handed over. Where none is
/// ready, the record is lost and counted: the shard is never held up.
#[derive(Debug)]
pub struct Writer {
    mode: LogMode,
    epoch: Instant,
    /// Bounded, so that its places were allocated with it; `try_recv` takes no lock.
    ready: Receiver<Arc<Region>>,
    chunk: Option<Arc<Region>>,
    /// The next record of the chunk; `end` where it is full.
    next: usize,
    end: usize,
    progress: Arc<Progress>,
    written: u64,
    /// Records that are no requests.
    others: u64,
    lost: u64,
    left_out: u64,
}

/// Records that a writer has published, told to its keeper now and then; on cache lines of its
/// own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Progress {
    written: AtomicU64,
}

impl Progress {
    /// A lower bound, exact once the writer is dropped. A writer holds no chunk but those from
    /// the one that its last record went to.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }
}

/// A writer tells its progress once in this many records: a page of them.
const TOLD_EVERY: u64 = 64;

impl Writer {
    pub(super) fn new(
        mode: LogMode,
        ready: Receiver<Arc<Region>>,
        progress: Arc<Progress>,
    ) -> Self {
        Self {
            mode,
            epoch: Instant::ZERO,
            ready,
            chunk: None,
            next: 0,
            end: 0,
            progress,
            written: 0,
            others: 0,
            lost: 0,
            left_out: 0,
        }
    }

    /// The run's clock starts at `epoch`, the same that [`Keeper::start`](super::Keeper::start)
    /// is told. To be called before the first record.
    pub fn start(&mut self, epoch: Instant) {
        self.epoch = epoch;
    }

    /// Requests written so far.
    pub fn written(&self) -> u64 {
        self.written - self.others
    }

    /// Records that were to be kept and found no room.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Requests that were not to be kept.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    #[inline]
    fn keeps(&self, request: &Request) -> bool {
        match self.mode {
            LogMode::All => true,
            LogMode::OneIn(n) => request.session.is_multiple_of(n),
            LogMode::Errors => request.outcome != Outcome::Ok,
            LogMode::Slow(time) => request.outcome != Outcome::Ok || request.response() >= time,
            LogMode::Nothing => false,
        }
    }

    /// Publishes a record where there is room for it; says whether there was.
    #[inline]
    fn publish(&mut self, record: &Record) -> bool {
        if self.next == self.end {
            self.take_chunk();
        }
        match &self.chunk {
            Some(chunk) if self.next < self.end => {
                chunk.publish(self.next, record);
                self.next += 1;
                self.written += 1;
                if self.written.is_multiple_of(TOLD_EVERY) {
                    self.progress.written.store(self.written, Ordering::Release);
                }
                true
            }
            _ => {
                self.lost += 1;
                false
            }
        }
    }

    /// Goes on to the next chunk. The keeper holds the full one too, and unmaps it.
    #[cold]
    fn take_chunk(&mut self) {
        if let Ok(chunk) = self.ready.try_recv() {
            self.next = 1;
            self.end = chunk.bytes() / RECORD_BYTES;
            self.chunk = Some(chunk);
        }
    }
}

impl Append for Writer {
    #[inline]
    fn append(&mut self, request: &Request) {
        if self.keeps(request) {
            self.publish(&encode(request, self.epoch));
        } else {
            self.left_out += 1;
        }
    }

    /// All holes are kept, whatever part of the sessions is: there are few, and they concern all
    /// sessions.
    #[cold]
    fn hole(&mut self, hole: &Hole) {
        if self.mode != LogMode::Nothing && self.publish(&hole::encode(hole, self.epoch)) {
            self.others += 1;
        }
    }

    /// As of holes: each is a fault of the target's.
    #[cold]
    fn slip(&mut self, slip: &Slip) {
        if self.mode != LogMode::Nothing && self.publish(&slip::encode(slip, self.epoch)) {
            self.others += 1;
        }
    }

    fn has_room(&mut self) -> bool {
        if self.mode != LogMode::Nothing && self.next == self.end {
            self.take_chunk();
        }
        self.mode == LogMode::Nothing || self.next < self.end
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.progress.written.store(self.written, Ordering::Release);
    }
}
