//! Shared file mappings, bounds-checked, with explicit memory ordering.
//!
//! A [`Region`] is a window on a file that other threads and other processes see at once. It is
//! read and written as 64-bit words, each of them atomic, so that what the other side sees is
//! decided by the ordering that a caller names.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::{Advice, MmapOptions, MmapRaw};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, posix_fallocate};

/// Words of a record: a cache line.
pub const RECORD_WORDS: usize = 8;
/// Bytes of a record.
pub const RECORD_BYTES: usize = RECORD_WORDS * size_of::<u64>();

/// Part of a file, mapped shared and writable.
///
/// Its pages must stay in the file: who shortens a mapped file is killed by SIGBUS at the next
/// access, as is a writer to a hole on a full disk. [`allocate`] rules out the second.
#[derive(Debug)]
pub struct Region {
    map: MmapRaw,
}

impl Region {
    /// Maps `bytes` of `file` from `offset`, both multiples of [`RECORD_BYTES`].
    ///
    /// # Errors
    /// The range is not one of records, is empty, or the kernel does not map it.
    pub fn shared(file: &File, offset: u64, bytes: usize) -> io::Result<Self> {
        if bytes == 0
            || !bytes.is_multiple_of(RECORD_BYTES)
            || !offset.is_multiple_of(RECORD_BYTES as u64)
        {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        let map = MmapOptions::new().offset(offset).len(bytes).map_raw(file)?;
        Ok(Self { map })
    }

    /// Size in bytes.
    pub fn bytes(&self) -> usize {
        self.map.len()
    }

    #[inline]
    fn words(&self) -> &[AtomicU64] {
        let words = self.map.len() / size_of::<u64>();
        // SAFETY: the mapping lives as long as `self` and has room for `words`; it starts at
        // a multiple of 64 within a page, so that words are aligned; zeros from the file are
        // valid words; nothing in this process reaches it but through these atomics.
        unsafe { slice::from_raw_parts(self.map.as_ptr().cast::<AtomicU64>(), words) }
    }

    /// The word of this number.
    ///
    /// # Panics
    /// There is no such word.
    #[inline]
    pub fn load(&self, word: usize, ordering: Ordering) -> u64 {
        self.words()[word].load(ordering)
    }

    /// Sets the word of this number.
    ///
    /// # Panics
    /// There is no such word.
    #[inline]
    pub fn store(&self, word: usize, value: u64, ordering: Ordering) {
        self.words()[word].store(value, ordering);
    }

    /// Sets the words of record `index`, the last with Release: who sees it with Acquire sees
    /// the others.
    ///
    /// # Panics
    /// There is no such record.
    #[inline]
    pub fn publish(&self, index: usize, record: &[u64; RECORD_WORDS]) {
        let (records, _) = self.words().as_chunks::<RECORD_WORDS>();
        let [body @ .., last] = &records[index];
        for (word, &value) in body.iter().zip(record) {
            word.store(value, Ordering::Relaxed);
        }
        last.store(record[RECORD_WORDS - 1], Ordering::Release);
    }

    /// Makes the pages of `range` (bytes, cut to the region) writable now, so that no store to
    /// them faults until the kernel has cleaned them again. Changes no byte.
    ///
    /// # Errors
    /// The kernel is older than 5.14, or out of memory.
    pub fn populate(&self, range: Range<usize>) -> io::Result<()> {
        let end = range.end.min(self.bytes());
        if range.start >= end {
            return Ok(());
        }
        self.map.advise_range(Advice::PopulateWrite, range.start, end - range.start)
    }
}

/// A file that no other process can claim until it is dropped; it can still be read.
pub type Claimed = Flock<File>;

/// Claims `file`.
///
/// # Errors
/// Another process has it (`WouldBlock`), or its file system knows no claims.
pub fn claim(file: File) -> io::Result<Claimed> {
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| error.into())
}

/// Gives `bytes` of `file` from `offset` blocks on the disk, and lengthens it to hold them.
///
/// # Errors
/// The disk is full, a quota or RLIMIT_FSIZE is met, or the range is beyond what files can be.
pub fn allocate(file: &File, offset: u64, bytes: u64) -> io::Result<()> {
    let signed = |n: u64| i64::try_from(n).map_err(|_| io::Error::from(Errno::EFBIG));
    let (offset, bytes) = (signed(offset)?, signed(bytes)?);
    loop {
        match posix_fallocate(file, offset, bytes) {
            Err(Errno::EINTR) => {}
            other => return other.map_err(io::Error::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    fn scratch(name: &str) -> File {
        let path = std::env::temp_dir().join(format!("onrush-map-{}-{name}", std::process::id()));
        let file =
            File::options().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        file
    }

    #[test]
    fn what_is_stored_stands_in_the_file() {
        let file = scratch("store");
        allocate(&file, 0, 8192).unwrap();
        let region = Region::shared(&file, 4096 + 64, 128).unwrap();
        region.populate(0..usize::MAX).unwrap();
        region.store(0, 7, Ordering::Relaxed);
        region.publish(1, &[1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(region.load(15, Ordering::Acquire), 8);
        let mut bytes = [0; 128];
        file.read_exact_at(&mut bytes, 4096 + 64).unwrap();
        let words: Vec<u64> =
            bytes.as_chunks().0.iter().map(|&word| u64::from_ne_bytes(word)).collect();
        assert_eq!(words, [7, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn a_region_is_made_of_whole_records() {
        let file = scratch("whole");
        allocate(&file, 0, 4096).unwrap();
        for (offset, bytes) in [(0, 0), (0, 63), (8, 64)] {
            assert!(Region::shared(&file, offset, bytes).is_err(), "{offset} {bytes}");
        }
    }

    #[test]
    #[should_panic(expected = "out of bounds")]
    fn no_record_lies_beyond_the_end() {
        let file = scratch("bounds");
        allocate(&file, 0, 4096).unwrap();
        Region::shared(&file, 0, 4096).unwrap().publish(64, &[0; 8]);
    }
}
