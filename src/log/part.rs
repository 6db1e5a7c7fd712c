//! A log in parts, which several threads read side by side.

use std::collections::BTreeMap;

use super::error::LogError;
use super::header::{RECORD_BYTES, Span, words_of};
use super::reader::Reader;
use super::record::{Record, entry};
use crate::evidence::{Entry, Hole};

/// Bytes that are read at a time: few enough to stay in a core's own cache until they are decoded.
const WINDOW_BYTES: usize = 256 << 10;
/// Bytes that are read at a time where many parts are open at once.
const FEW_BYTES: usize = 16 << 10;

/// Consecutive chunks of one shard.
#[derive(Debug)]
pub struct Part<'a> {
    reader: &'a Reader,
    shard: u32,
    chunks: Vec<u64>,
    is_first: bool,
}

impl Reader {
    /// All chunks that are there by now, in parts: about `count` of the same size, and at least
    /// one for each shard that wrote any; those of a shard in the order of its log.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged.
    pub fn parts(&self, count: usize) -> Result<Vec<Part<'_>>, LogError> {
        let mut of_shards: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
        let mut chunks = 0;
        while let Some((head, _)) = self.chunk_head(chunks)? {
            of_shards.entry(head.shard).or_default().push(chunks);
            chunks += 1;
        }
        let most = (chunks as usize).div_ceil(count.max(1)).max(1);
        let parts = of_shards.into_iter().flat_map(|(shard, chunks)| {
            // Equal ones, where a shard has more than one.
            let of_part = chunks.len().div_ceil(chunks.len().div_ceil(most));
            let parts: Vec<Vec<u64>> = chunks.chunks(of_part).map(<[u64]>::to_vec).collect();
            parts.into_iter().enumerate().map(move |(i, chunks)| Part {
                reader: self,
                shard,
                chunks,
                is_first: i == 0,
            })
        });
        Ok(parts.collect())
    }
}

impl Part<'_> {
    /// The shard that wrote it; below [`Reader::shards`].
    pub fn shard(&self) -> u32 {
        self.shard
    }

    /// Whether the log of its shard begins with it.
    pub fn is_first(&self) -> bool {
        self.is_first
    }

    /// Hands out its requests, holes and slips in the order in which they were written; gives the
    /// number of records that this version does not know.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn each(&self, mut take: impl FnMut(&Entry)) -> Result<u64, LogError> {
        let epoch = self.reader.epoch();
        let mut unknown = 0;
        self.scan(|record| match entry(record, epoch) {
            Some(entry) => take(&entry),
            None => unknown += 1,
        })?;
        Ok(unknown)
    }

    /// Its holes alone; at a fraction of the price.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn holes(&self) -> Result<Vec<Hole>, LogError> {
        let epoch = self.reader.epoch();
        let mut holes = Vec::new();
        self.scan(|record| holes.extend(super::hole::decode(record, epoch)))?;
        Ok(holes)
    }

    /// Its entries in their order, one by one: for reading several logs side by side.
    pub fn cursor(&self) -> Cursor<'_> {
        let window = Window::new(self, FEW_BYTES);
        Cursor { window, entries: Vec::new().into_iter() }
    }

    #[inline]
    fn scan(&self, mut take: impl FnMut(&Record)) -> Result<(), LogError> {
        let mut window = Window::new(self, WINDOW_BYTES);
        while let Some(records) = window.next()? {
            records.iter().for_each(|record| take(&words_of(record)));
        }
        Ok(())
    }
}

/// Entries of a part, one after the other.
#[derive(Debug)]
pub struct Cursor<'a> {
    window: Window<'a>,
    entries: std::vec::IntoIter<Entry>,
}

impl Cursor<'_> {
    fn refill(&mut self) -> Result<bool, LogError> {
        let epoch = self.window.part.reader.epoch();
        let Some(records) = self.window.next()? else { return Ok(false) };
        let entries = records.iter().filter_map(|record| entry(&words_of(record), epoch));
        self.entries = entries.collect::<Vec<_>>().into_iter();
        Ok(true)
    }
}

impl Iterator for Cursor<'_> {
    type Item = Result<Entry, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.entries.next() {
                return Some(Ok(entry));
            }
            match self.refill() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// Reads a part through a buffer. A mapping would fault if the file shrank meanwhile.
#[derive(Debug)]
struct Window<'a> {
    part: &'a Part<'a>,
    /// Chunks that were begun.
    begun: usize,
    /// What is left of the last one.
    left: Span,
    buffer: Vec<u8>,
}

impl<'a> Window<'a> {
    fn new(part: &'a Part<'a>, bytes: usize) -> Self {
        Self { part, begun: 0, left: Span::default(), buffer: vec![0; bytes] }
    }

    /// The records that come next; `None` behind the last.
    fn next(&mut self) -> Result<Option<&[[u8; RECORD_BYTES]]>, LogError> {
        while self.left.bytes < RECORD_BYTES as u64 {
            let Some(&number) = self.part.chunks.get(self.begun) else { return Ok(None) };
            self.begun += 1;
            self.left =
                self.part.reader.chunk_head(number)?.map(|(_, span)| span).unwrap_or_default();
        }
        let Span { at, bytes } = self.left;
        let bytes = bytes.min(self.buffer.len() as u64);
        let records = self.part.reader.read_published(&mut self.buffer[..bytes as usize], at)?;
        let is_full = records.len() == bytes as usize / RECORD_BYTES;
        // What is not published ends its chunk.
        let left = if is_full { self.left.bytes - bytes } else { 0 };
        self.left = Span { at: at + bytes, bytes: left };
        Ok(Some(records))
    }
}
