//! Reads a log: of a run at work, of one that was killed, of one that ended.
//!
//! It reads rather than maps, so that a file which shrinks meanwhile is a shorter file and not
//! a SIGBUS; and it trusts no length that it did not compare with the file.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::chunk::Chunk;
use super::error::{LogError, Refusal};
use super::header::{
    CHUNK_MAGIC, ChunkWord, ENDED, HEADER_BYTES, Header, MAKING, RECORD_BYTES, Span, State, WORDS,
    Word, words_of,
};
use super::place::is_claimed;
use super::record::{Record, is_published};
use crate::evidence::Environment;
use crate::plan::Plan;
use crate::sys::map::claim;
use crate::unit::{Field, Instant, TextError, made_visible};

/// What the header of a chunk says.
pub(super) struct ChunkHead {
    pub(super) shard: u32,
    pub(super) sequence: u64,
}

/// An open log.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    source: Source,
    header: Header,
    state: State,
    plan: Plan,
    environment: Environment,
    trailer: Option<String>,
}

/// Where the bytes of a log come from.
#[derive(Debug)]
enum Source {
    File(File),
    Bytes(Vec<u8>),
}

impl Source {
    fn bytes(&self) -> io::Result<u64> {
        match self {
            Self::File(file) => Ok(file.metadata()?.len()),
            Self::Bytes(bytes) => Ok(bytes.len() as u64),
        }
    }

    /// Reads what there is from `at`, at most a buffer full; gives how much that was.
    fn read(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        match self {
            Self::File(file) => read_whole(file, buffer, at),
            Self::Bytes(bytes) => {
                let at = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                let count = buffer.len().min(bytes.len() - at);
                buffer[..count].copy_from_slice(&bytes[at..at + count]);
                Ok(count)
            }
        }
    }
}

/// Reads until the buffer is full or the file ends.
fn read_whole(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read_at(&mut buffer[done..], at + done as u64) {
            Ok(0) => break,
            Ok(more) => done += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

impl Reader {
    /// Opens the log at `path`, whatever became of its run.
    ///
    /// # Errors
    /// The file cannot be read, or is not a log of this version.
    pub fn open(path: &Path) -> Result<Self, LogError> {
        // To open a pipe would block.
        if !fs::metadata(path).map_err(LogError::unreadable(path))?.is_file() {
            return Err(LogError::Refused(path.to_owned(), Refusal::NotAFile));
        }
        let file = File::open(path).map_err(LogError::unreadable(path))?;
        Self::new(path.to_owned(), Source::File(file))
    }

    /// A log that is in memory.
    ///
    /// # Errors
    /// It is not a log of this version.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, LogError> {
        Self::new(PathBuf::from("(memory)"), Source::Bytes(bytes))
    }

    fn new(path: PathBuf, source: Source) -> Result<Self, LogError> {
        let header = read_header(&source, &path)?;
        let text = |name, span| read_text(&source, &path, name, span);
        let refused =
            |name, why: TextError| LogError::Refused(path.clone(), Refusal::Text(name, why));
        let plan = Plan::from_text(&text("plan", header.plan)?).map_err(|e| refused("plan", e))?;
        if plan.shards != header.shards {
            let rule = "but its plan says otherwise";
            let refusal = Refusal::Header("shards", u64::from(header.shards), rule);
            return Err(LogError::Refused(path, refusal));
        }
        let environment = Environment::from_text(&text("environment", header.environment)?)
            .map_err(|e| refused("environment", e))?;
        let file_bytes = source.bytes().map_err(LogError::unreadable(&path))?;
        let (state, trailer) = match header.state {
            MAKING => (State::Making, None),
            ENDED if header.trailer.end() > file_bytes => (State::CutShort, None),
            ENDED => (State::Ended, Some(text("trailer", header.trailer)?)),
            _ => (State::Running, None),
        };
        Ok(Self { path, source, header, state, plan, environment, trailer })
    }

    /// The same file, as it is by now.
    pub(super) fn again(&self) -> Result<Self, LogError> {
        let source = match &self.source {
            Source::File(file) => {
                Source::File(file.try_clone().map_err(LogError::unreadable(&self.path))?)
            }
            Source::Bytes(bytes) => Source::Bytes(bytes.clone()),
        };
        Self::new(self.path.clone(), source)
    }

    /// Whether a run has it and writes to it.
    pub(super) fn is_written(&self) -> bool {
        match &self.source {
            // If we get the lock ourselves, we hold it only for the length of this call.
            Source::File(file) => {
                file.try_clone().and_then(claim).is_err_and(|error| is_claimed(&error))
            }
            Source::Bytes(_) => false,
        }
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which file it is, whatever it is called: device and inode. `None` for one in memory.
    pub fn file_id(&self) -> Option<(u64, u64)> {
        match &self.source {
            Source::File(file) => file.metadata().ok().map(|file| (file.dev(), file.ino())),
            Source::Bytes(_) => None,
        }
    }

    /// How far it had come when it was opened.
    pub fn state(&self) -> State {
        self.state
    }

    /// The plan of its run.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The machine that it ran on.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// What its run put at the end; only where it is [`State::Ended`].
    pub fn trailer(&self) -> Option<&str> {
        self.trailer.as_deref()
    }

    /// Start of the run on its own clock. Zero while [`State::Making`].
    pub fn epoch(&self) -> Instant {
        Instant(self.header.epoch)
    }

    /// The same moment in ns since 1970.
    pub fn wall_ns(&self) -> u64 {
        self.header.wall_ns
    }

    /// Shards that write to it, from 1 to 65536.
    pub fn shards(&self) -> u32 {
        self.header.shards
    }

    /// All chunks that are there, in the order of the file: that of each shard's sequence.
    ///
    /// While the run is at work each is read at a moment of its own: a chunk may hold records
    /// that were written after the one before it was read.
    ///
    /// Several threads may read chunks of one reader at a time, by [`Reader::chunk`].
    pub fn chunks(&self) -> impl Iterator<Item = Result<Chunk, LogError>> {
        (0..).map_while(|number| self.chunk(number).transpose())
    }

    /// The chunk of this number with what is published in it by now; `None` behind the last.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged there.
    pub fn chunk(&self, number: u64) -> Result<Option<Chunk>, LogError> {
        let Some((head, Span { at, bytes })) = self.chunk_head(number)? else { return Ok(None) };
        let mut buffer = vec![0; bytes as usize];
        let count = self.read_published(&mut buffer, at)?.len() * RECORD_BYTES;
        buffer.truncate(count);
        Ok(Some(Chunk::new(head.shard, head.sequence, self.epoch(), buffer)))
    }

    /// Reads records that are published by now, from `at` on, at most a buffer full. Fewer end
    /// a chunk.
    pub(super) fn read_published<'b>(
        &self,
        buffer: &'b mut [u8],
        at: u64,
    ) -> Result<&'b [[u8; RECORD_BYTES]], LogError> {
        let mut count = self.read(buffer, at)?;
        if self.state != State::Ended {
            // A copy is not ordered: it may hold the end of a record and not yet its beginning. So
            // it is made twice: what the first copy shows as published is whole in the second.
            let seen = published(&buffer[..count]) * RECORD_BYTES;
            count = self.read(&mut buffer[..seen], at)?;
        }
        let count = published(&buffer[..count]);
        Ok(&buffer.as_chunks().0[..count])
    }

    /// Where a chunk lies, as far as the file holds it and its header is in it.
    fn chunk_span(&self, number: u64) -> Result<Option<Span>, LogError> {
        let mut end = self.source.bytes().map_err(LogError::unreadable(&self.path))?;
        if matches!(self.state, State::Ended | State::CutShort) {
            end = end.min(self.header.trailer.at);
        }
        let chunk_bytes = self.header.chunk_bytes;
        let offset = number.checked_mul(chunk_bytes);
        let at = offset.and_then(|offset| offset.checked_add(self.header.chunks_at));
        let span = at.and_then(|at| {
            let bytes = chunk_bytes.min(end.checked_sub(at)?);
            (bytes >= RECORD_BYTES as u64).then_some(Span { at, bytes })
        });
        Ok(span)
    }

    fn read(&self, buffer: &mut [u8], at: u64) -> Result<usize, LogError> {
        self.source.read(buffer, at).map_err(LogError::unreadable(&self.path))
    }

    /// What the header of chunk `number` says, and where its records may lie; `None` behind the
    /// last.
    pub(super) fn chunk_head(&self, number: u64) -> Result<Option<(ChunkHead, Span)>, LogError> {
        let damaged = || LogError::Refused(self.path.clone(), Refusal::Chunk(number));
        let Some(Span { at, bytes }) = self.chunk_span(number)? else { return Ok(None) };
        let mut head = [0; RECORD_BYTES];
        if self.read(&mut head, at)? < RECORD_BYTES {
            return Ok(None);
        }
        let words: Record = words_of(&head);
        let magic = words[ChunkWord::Magic as usize];
        if magic == 0 && self.state != State::Ended {
            // It has room in the file, but its header is not written yet; nothing follows.
            return Ok(None);
        }
        let shard = u32::try_from(words[ChunkWord::Shard as usize]).unwrap_or(u32::MAX);
        if magic != u64::from_ne_bytes(CHUNK_MAGIC) || shard >= self.shards() {
            return if self.is_behind_last(number)? { Ok(None) } else { Err(damaged()) };
        }
        let head = ChunkHead { shard, sequence: words[ChunkWord::Sequence as usize] };
        let own = RECORD_BYTES as u64;
        Ok(Some((head, Span { at: at + own, bytes: bytes - own })))
    }

    /// Whether the run ended since the log was opened, or was killed as it ended, and the place
    /// of chunk `number` is behind its last one.
    fn is_behind_last(&self, number: u64) -> Result<bool, LogError> {
        let mut word = [0; 8];
        self.read(&mut word, 8 * Word::TrailerAt as u64)?;
        let (trailer_at, header) = (u64::from_ne_bytes(word), &self.header);
        let at = header.chunks_at.saturating_add(number.saturating_mul(header.chunk_bytes));
        Ok(self.state != State::Ended && (1..=at).contains(&trailer_at))
    }
}

/// Records from the first on that are published.
fn published(bytes: &[u8]) -> usize {
    let (slots, _) = bytes.as_chunks::<RECORD_BYTES>();
    slots.iter().take_while(|slot| is_published(slot)).count()
}

fn read_header(source: &Source, path: &Path) -> Result<Header, LogError> {
    let refused = |why| LogError::Refused(path.to_owned(), why);
    let mut bytes = [0; HEADER_BYTES];
    let mut state = 0;
    // Twice, as a chunk: what led to the state that is seen first stands in the second copy.
    for copy in 0..2 {
        let count = source.read(&mut bytes, 0).map_err(LogError::unreadable(path))?;
        if !bytes[..count].starts_with(&super::header::MAGIC) && count >= 8 {
            return Err(refused(Refusal::NotALog));
        }
        if count < HEADER_BYTES {
            return Err(refused(Refusal::Short(count as u64)));
        }
        if copy == 0 {
            state = words_of::<WORDS>(&bytes)[Word::State as usize];
        }
    }
    let mut words: [u64; WORDS] = words_of(&bytes);
    words[Word::State as usize] = state;
    let file_bytes = source.bytes().map_err(LogError::unreadable(path))?;
    Header::from_words(&words, file_bytes).map_err(refused)
}

/// Reads a text whose length was compared with the file's.
fn read_text(
    source: &Source,
    path: &Path,
    name: &'static str,
    Span { at, bytes }: Span,
) -> Result<String, LogError> {
    let mut text = vec![0; bytes as usize];
    let count = source.read(&mut text, at).map_err(LogError::unreadable(path))?;
    let refused = |why| LogError::Refused(path.to_owned(), why);
    if count < text.len() {
        return Err(refused(Refusal::TextLength(name, bytes)));
    }
    let text = String::from_utf8(text).map_err(|_| refused(Refusal::NotText(name)))?;
    Ok(made_visible(&text))
}
