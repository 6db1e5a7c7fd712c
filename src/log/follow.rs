//! Follows a log while its run writes it, as `tail -f` does.

use std::path::Path;

use super::error::LogError;
use super::header::{RECORD_BYTES, Span, State, words_of};
use super::reader::Reader;
use super::record::entry;
use crate::evidence::Entry;

/// Bytes that are read at a time.
const WINDOW_BYTES: u64 = 256 << 10;

/// A log, and how far it was read. The run does not notice that it is read.
#[derive(Debug)]
pub struct Follower {
    reader: Reader,
    /// Chunks that are not read to their end yet: few, since each shard fills one at a time.
    open: Vec<Opened>,
    /// The first chunk that was not there yet.
    next: u64,
}

#[derive(Debug)]
struct Opened {
    shard: u32,
    /// What of it is not read.
    left: Span,
}

/// What becomes of the run that writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Following {
    /// It goes on.
    Running,
    /// It ended: all was read, and the trailer is there.
    Ended,
    /// It was killed: all was read that it left.
    Killed,
}

impl Follower {
    /// Begins with the first record of the log at `path`.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn open(path: &Path) -> Result<Self, LogError> {
        Ok(Self { reader: Reader::open(path)?, open: Vec::new(), next: 0 })
    }

    /// The log as it was when it was last read.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Hands out what was published since the last call, with its shard; what one shard wrote in
    /// the order in which it did.
    ///
    /// # Errors
    /// The file cannot be read any more, or is damaged.
    pub fn read_on(&mut self, mut take: impl FnMut(u32, &Entry)) -> Result<Following, LogError> {
        // Asked before the records are read: what is published in between is read by the next call.
        let is_written = self.reader.is_written();
        self.reader = self.reader.again()?;
        while let Some((head, left)) = self.reader.chunk_head(self.next)? {
            self.open.push(Opened { shard: head.shard, left });
            self.next += 1;
        }
        let mut still_open = Vec::with_capacity(self.open.len());
        for mut chunk in std::mem::take(&mut self.open) {
            self.read_chunk(&mut chunk, &mut take)?;
            if chunk.left.bytes >= RECORD_BYTES as u64 {
                still_open.push(chunk);
            }
        }
        self.open = still_open;
        Ok(match self.reader.state() {
            State::Ended => Following::Ended,
            State::CutShort => Following::Killed,
            _ if is_written => Following::Running,
            _ => Following::Killed,
        })
    }

    fn read_chunk(
        &self,
        Opened { shard, left }: &mut Opened,
        take: &mut impl FnMut(u32, &Entry),
    ) -> Result<(), LogError> {
        let mut window = vec![0; left.bytes.min(WINDOW_BYTES) as usize];
        while left.bytes >= RECORD_BYTES as u64 {
            let bytes = left.bytes.min(WINDOW_BYTES) as usize;
            let records = self.reader.read_published(&mut window[..bytes], left.at)?;
            let entries = records.iter().filter_map(|r| entry(&words_of(r), self.reader.epoch()));
            entries.for_each(|entry| take(*shard, &entry));
            let read = (records.len() * RECORD_BYTES) as u64;
            (left.at, left.bytes) = (left.at + read, left.bytes - read);
            if read < bytes as u64 {
                break;
            }
        }
        Ok(())
    }
}
