//! A part of a log that one shard wrote, read into memory.

use super::header::{RECORD_BYTES, words_of};
use super::record::{Record, decode, entry, is_saturated};
use crate::evidence::{Entry, Request};
use crate::unit::Instant;

/// Records that one shard wrote one after another.
#[derive(Debug)]
pub struct Chunk {
    shard: u32,
    sequence: u64,
    epoch: Instant,
    bytes: Vec<u8>,
}

impl Chunk {
    pub(super) fn new(shard: u32, sequence: u64, epoch: Instant, bytes: Vec<u8>) -> Self {
        Self { shard, sequence, epoch, bytes }
    }

    /// The shard that wrote it; below [`Reader::shards`](super::Reader::shards).
    pub fn shard(&self) -> u32 {
        self.shard
    }

    /// How many chunks of its shard come before it.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Its requests in the order in which they were written. Stamps are on the run's clock.
    ///
    /// Values are those of the file: `source`, say, need not be one of the plan's.
    pub fn requests(&self) -> impl Iterator<Item = Request> {
        self.records().filter_map(|record| decode(&record, self.epoch))
    }

    /// Its requests and its holes in the order in which they were written.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        self.records().filter_map(|record| entry(&record, self.epoch))
    }

    /// Records of a kind, or with words, that this version does not know; passed over by
    /// [`Chunk::entries`].
    pub fn unknown(&self) -> u64 {
        self.records().filter(|record| entry(record, self.epoch).is_none()).count() as u64
    }

    /// Requests of which a value was too large for its field: it holds the largest possible.
    pub fn saturated(&self) -> u64 {
        let is_request = |record: &Record| decode(record, self.epoch).is_some();
        self.records().filter(|record| is_saturated(record) && is_request(record)).count() as u64
    }

    fn records(&self) -> impl Iterator<Item = Record> {
        let (slots, _) = self.bytes.as_chunks::<RECORD_BYTES>();
        slots.iter().map(|slot| words_of(slot))
    }
}
