//! A log in parts, for readers that work side by side.

use std::collections::BTreeMap;

use super::error::LogError;
use super::header::{RECORD_BYTES, words_of};
use super::reader::Reader;
use super::record::{Record, entry};
use crate::evidence::{Entry, Hole};

/// Bytes that are read at a time: they stay in a core's own cache until they are understood.
const WINDOW_BYTES: usize = 256 << 10;

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

    /// Hands out its requests and holes in the order in which they were written; gives the
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

    /// Records in their order, through a window that is read again and again: what is mapped
    /// would fault where the file shrinks meanwhile.
    #[inline]
    fn scan(&self, mut take: impl FnMut(&Record)) -> Result<(), LogError> {
        let mut window = vec![0; WINDOW_BYTES];
        for &number in &self.chunks {
            let Some((_, mut left)) = self.reader.chunk_head(number)? else { break };
            while left.bytes >= RECORD_BYTES as u64 {
                let bytes = left.bytes.min(WINDOW_BYTES as u64);
                let records = self.reader.read_published(&mut window[..bytes as usize], left.at)?;
                records.iter().for_each(|record| take(&words_of(record)));
                if records.len() < bytes as usize / RECORD_BYTES {
                    break;
                }
                (left.at, left.bytes) = (left.at + bytes, left.bytes - bytes);
            }
        }
        Ok(())
    }
}
