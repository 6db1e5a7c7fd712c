//! The header of a log: its words, and the values that each may have.
//!
//! `docs/format-log.md` is the drawing; its tables are compared with these constants by a test.

use super::error::Refusal;

/// Bytes of the header.
pub(super) const HEADER_BYTES: usize = 4096;
/// Chunks begin at a multiple of this.
pub(super) const PAGE_BYTES: u64 = 4096;
/// The version of the format that is written, and the only one that is read.
pub(super) const VERSION: u64 = 1;
/// A log begins with this.
pub(super) const MAGIC: [u8; 8] = *b"\x89ONRUSH\n";
/// Reads as another value in the other byte order.
pub(super) const BYTE_ORDER: u64 = 0x0102_0304_0506_0708;
/// Bytes of a record, and of the header of a chunk.
pub(super) const RECORD_BYTES: usize = crate::sys::map::RECORD_BYTES;
/// A chunk begins with this; no text does.
pub(super) const CHUNK_MAGIC: [u8; 8] = *b"\x89ONRUSHc";
/// Bytes that a chunk may have, a power of two.
pub(super) const CHUNK_BYTES: std::ops::RangeInclusive<u64> = 4096..=16 << 20;
/// The most bytes of a text.
pub(super) const TEXT_BYTES_MAX: u64 = 16 << 20;
/// The most shards.
pub(super) const SHARDS_MAX: u64 = 1 << 16;

/// The words of the header, 64 bits each, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Magic,
    Version,
    ByteOrder,
    HeaderBytes,
    RecordBytes,
    ChunkBytes,
    ChunksAt,
    Shards,
    Epoch,
    Wall,
    PlanAt,
    PlanBytes,
    EnvironmentAt,
    EnvironmentBytes,
    TrailerAt,
    TrailerBytes,
    State,
}

/// How many words the header has; the rest of it is zero.
pub(super) const WORDS: usize = Word::State as usize + 1;

/// The words of a chunk's header, in their order; the rest of it is zero. The magic is stored
/// last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChunkWord {
    Magic,
    Shard,
    Sequence,
}

/// How far a log has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its run has not begun.
    Making,
    /// Its run is at work, or was killed.
    Running,
    /// It is whole.
    Ended,
    /// It was whole once: its end is missing.
    CutShort,
}

/// Where a text lies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) at: u64,
    pub(super) bytes: u64,
}

impl Span {
    /// The offset behind it.
    pub(super) fn end(self) -> u64 {
        self.at.saturating_add(self.bytes)
    }
}

/// What the words of the header say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) chunk_bytes: u64,
    pub(super) chunks_at: u64,
    pub(super) shards: u32,
    /// The run's start on its own clock, in ns.
    pub(super) epoch: u64,
    /// The same moment in ns since 1970.
    pub(super) wall_ns: u64,
    pub(super) plan: Span,
    pub(super) environment: Span,
    pub(super) trailer: Span,
    pub(super) state: u64,
}

/// Values of the state word.
pub(super) const MAKING: u64 = 0;
pub(super) const RUNNING: u64 = 1;
pub(super) const ENDED: u64 = 2;

impl Header {
    /// The words of this header.
    pub(super) fn to_words(&self) -> [u64; WORDS] {
        [
            u64::from_ne_bytes(MAGIC),
            VERSION,
            BYTE_ORDER,
            HEADER_BYTES as u64,
            RECORD_BYTES as u64,
            self.chunk_bytes,
            self.chunks_at,
            u64::from(self.shards),
            self.epoch,
            self.wall_ns,
            self.plan.at,
            self.plan.bytes,
            self.environment.at,
            self.environment.bytes,
            self.trailer.at,
            self.trailer.bytes,
            self.state,
        ]
    }

    /// Reads the words of a header and holds each against its rule; `file_bytes` is the length
    /// of the file that they stand in.
    ///
    /// # Errors
    /// The first rule that is broken. A trailer beyond the end of the file breaks none.
    pub(super) fn from_words(words: &[u64; WORDS], file_bytes: u64) -> Result<Self, Refusal> {
        let word = |word: Word| words[word as usize];
        if word(Word::Magic) != u64::from_ne_bytes(MAGIC) {
            return Err(Refusal::NotALog);
        }
        if word(Word::ByteOrder) == BYTE_ORDER.swap_bytes() {
            return Err(Refusal::ByteOrder);
        }
        if word(Word::Version) != VERSION {
            return Err(Refusal::Version(word(Word::Version)));
        }
        let header = Self {
            chunk_bytes: word(Word::ChunkBytes),
            chunks_at: word(Word::ChunksAt),
            shards: u32::try_from(word(Word::Shards)).unwrap_or(u32::MAX),
            epoch: word(Word::Epoch),
            wall_ns: word(Word::Wall),
            plan: Span { at: word(Word::PlanAt), bytes: word(Word::PlanBytes) },
            environment: Span {
                at: word(Word::EnvironmentAt),
                bytes: word(Word::EnvironmentBytes),
            },
            trailer: Span { at: word(Word::TrailerAt), bytes: word(Word::TrailerBytes) },
            state: word(Word::State),
        };
        let rule = |kept: bool, name, value, rule| {
            if kept { Ok(()) } else { Err(Refusal::Header(name, value, rule)) }
        };
        let same = "which this version never writes";
        let (order, header_bytes) = (word(Word::ByteOrder), word(Word::HeaderBytes));
        let (record_bytes, chunk) = (word(Word::RecordBytes), header.chunk_bytes);
        rule(order == BYTE_ORDER, "byte order", order, same)?;
        rule(header_bytes == HEADER_BYTES as u64, "header bytes", header_bytes, same)?;
        rule(record_bytes == RECORD_BYTES as u64, "record bytes", record_bytes, same)?;
        let chunk_ok = chunk.is_power_of_two() && CHUNK_BYTES.contains(&chunk);
        rule(chunk_ok, "chunk bytes", chunk, "not a power of two from 4KiB to 16MiB")?;
        let shards = word(Word::Shards);
        rule((1..=SHARDS_MAX).contains(&shards), "shards", shards, "not from 1 to 65536")?;
        rule(header.state <= ENDED, "state", header.state, same)?;
        header.check_places(file_bytes)?;
        Ok(header)
    }

    fn check_places(&self, file_bytes: u64) -> Result<(), Refusal> {
        let chunks_at = self.chunks_at;
        for (name, text) in [("plan", self.plan), ("environment", self.environment)] {
            if text.bytes > TEXT_BYTES_MAX || text.end() > file_bytes {
                return Err(Refusal::TextLength(name, text.bytes));
            }
            if text.at < HEADER_BYTES as u64 || text.end() > chunks_at {
                let rule = "not between the header and the chunks";
                return Err(Refusal::Header(name, text.at, rule));
            }
        }
        let room = HEADER_BYTES as u64 + 2 * TEXT_BYTES_MAX + PAGE_BYTES;
        if !chunks_at.is_multiple_of(PAGE_BYTES) || chunks_at > room {
            return Err(Refusal::Header("chunks' offset", chunks_at, "not on a page, or too far"));
        }
        if self.state == ENDED {
            let Span { at, bytes } = self.trailer;
            if at < chunks_at || !(at - chunks_at).is_multiple_of(self.chunk_bytes) {
                return Err(Refusal::Header("trailer's offset", at, "not at the end of a chunk"));
            }
            if bytes > TEXT_BYTES_MAX {
                return Err(Refusal::TextLength("trailer", bytes));
            }
        }
        Ok(())
    }
}

/// The first `WORDS` words of `bytes`, in this machine's order.
///
/// # Panics
/// `bytes` has fewer.
pub(super) fn words_of<const WORDS: usize>(bytes: &[u8]) -> [u64; WORDS] {
    let (words, _) = bytes.as_chunks::<8>();
    std::array::from_fn(|i| u64::from_ne_bytes(words[i]))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The words of the header, for the drawing of the format.
    pub(in crate::log) fn table() -> String {
        let magic = format!("`{}`", MAGIC.escape_ascii());
        let order = format!("{BYTE_ORDER:#018x} in the byte order of all words");
        let version = format!("{VERSION}");
        let header = format!("{HEADER_BYTES}");
        let record = format!("{RECORD_BYTES}");
        let rows = [
            (Word::Magic, "magic", &*magic),
            (Word::Version, "version", &version),
            (Word::ByteOrder, "byte order", &order),
            (Word::HeaderBytes, "header bytes", &header),
            (Word::RecordBytes, "record bytes", &record),
            (Word::ChunkBytes, "chunk bytes", "a power of two from 4096 to 16777216"),
            (Word::ChunksAt, "chunks' offset", "a multiple of 4096"),
            (Word::Shards, "shards", "1 to 65536, as in the plan"),
            (Word::Epoch, "epoch", "start of the run on its own clock, ns; 0 until state 1"),
            (Word::Wall, "wall", "the same moment in ns since 1970; 0 until state 1"),
            (Word::PlanAt, "plan's offset", "text, UTF-8, as are the next two"),
            (Word::PlanBytes, "plan's bytes", "at most 16777216, as the next two"),
            (Word::EnvironmentAt, "environment's offset", ""),
            (Word::EnvironmentBytes, "environment's bytes", ""),
            (Word::TrailerAt, "trailer's offset", "the end of the last chunk; 0 until the end"),
            (Word::TrailerBytes, "trailer's bytes", "0 until the end"),
            (Word::State, "state", "0 its run has not begun, 1 running or killed, 2 ended"),
        ];
        assert_eq!(rows.len(), WORDS);
        let rows = rows.iter().enumerate().map(|(i, &(word, name, meaning))| {
            assert_eq!(word as usize, i);
            format!("| {} | {name} | {meaning} |\n", 8 * i)
        });
        format!("| offset | word | value |\n|---|---|---|\n{}", rows.collect::<String>())
    }

    /// The words of a chunk's header, for the drawing of the format.
    pub(in crate::log) fn chunk_table() -> String {
        let row = |word: ChunkWord, name: &str, meaning: &str| {
            format!("| {} | {name} | {meaning} |\n", 8 * word as usize)
        };
        let magic = format!("`{}`, stored last", CHUNK_MAGIC.escape_ascii());
        [
            "| offset | word | value |\n|---|---|---|\n".to_owned(),
            row(ChunkWord::Magic, "magic", &magic),
            row(ChunkWord::Shard, "shard", "who writes it, from 0"),
            row(ChunkWord::Sequence, "sequence", "chunks of that shard before it"),
        ]
        .concat()
    }

    fn header() -> Header {
        Header {
            chunk_bytes: 65536,
            chunks_at: 8192,
            shards: 3,
            epoch: 5,
            wall_ns: 6,
            plan: Span { at: 4096, bytes: 100 },
            environment: Span { at: 4196, bytes: 0 },
            trailer: Span { at: 8192 + 65536, bytes: 9 },
            state: ENDED,
        }
    }

    #[test]
    fn a_header_reads_back() {
        assert_eq!(Header::from_words(&header().to_words(), 8192), Ok(header()));
    }

    #[track_caller]
    fn check(word: Word, value: u64, expect: &str) {
        let mut words = header().to_words();
        words[word as usize] = value;
        let refusal = Header::from_words(&words, 8192).unwrap_err().to_string();
        assert!(refusal.contains(expect), "{refusal}");
    }

    #[test]
    fn every_word_is_held_against_its_rule() {
        check(Word::Magic, 1, "not a log");
        check(Word::Version, 2, "version 2");
        check(Word::ByteOrder, BYTE_ORDER.swap_bytes(), "byte order");
        check(Word::ByteOrder, 1, "byte order is 1");
        check(Word::HeaderBytes, 8192, "header bytes is 8192");
        check(Word::RecordBytes, 32, "record bytes is 32");
        for bytes in [0, 2048, 65535, 32 << 20, u64::MAX] {
            check(Word::ChunkBytes, bytes, "power of two");
        }
        for shards in [0, SHARDS_MAX + 1, u64::MAX] {
            check(Word::Shards, shards, "shards");
        }
        check(Word::State, 3, "state is 3");
        check(Word::PlanBytes, 8192, "plan of 8192 bytes");
        check(Word::PlanBytes, u64::MAX, "cut short");
        check(Word::PlanAt, 0, "plan is 0");
        check(Word::EnvironmentAt, u64::MAX, "environment");
        check(Word::ChunksAt, 8191, "on a page");
        check(Word::ChunksAt, 1 << 40, "too far");
        check(Word::TrailerAt, 0, "trailer's offset");
        check(Word::TrailerAt, 8193, "trailer's offset");
        check(Word::TrailerBytes, u64::MAX, "trailer of");
    }
}
