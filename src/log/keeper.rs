//! The run's side of a log: makes the file, keeps memory ready ahead of the writers, ends it.
//!
//! A store to a mapped page that is not yet, or no longer, writable faults into the file system:
//! up to tens of ms on ext4. So the keeper, on another CPU, gives chunks their blocks on the
//! disk, maps them and makes their pages writable before a writer gets them, about a second
//! ahead; and since write-back cleans pages again (the next store would fault), it repeats that
//! for the pages just ahead of each writer, all the more often the faster the writer is. A new
//! page takes the file system some us: a chunk is made ready a few pages at a time, so that a
//! shard that has to share its CPU with the keeper never waits for a whole one.

use std::collections::VecDeque;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, sync_channel};

use super::error::LogError;
use super::header::{
    CHUNK_MAGIC, ChunkWord, ENDED, HEADER_BYTES, Header, MAKING, PAGE_BYTES, RECORD_BYTES, RUNNING,
    Span, TEXT_BYTES_MAX, Word,
};
use super::place::Place;
use super::writer::{Progress, Writer};
use crate::evidence::Environment;
use crate::plan::{LogMode, Pattern, Plan};
use crate::sys::map::{Region, allocate};
use crate::unit::{ByteSize, Field, Instant, Nanos};

/// Makes the log of a run for `path`, with a writer for each shard of the plan. It lies at
/// `path.new`, and nothing else is touched, until [`Keeper::take_place`].
///
/// # Errors
/// The file cannot be made, what is there is not a regular file or another run still writes it,
/// or the disk is full.
pub fn create(
    path: &Path,
    plan: &Plan,
    environment: &Environment,
) -> Result<(Keeper, Vec<Writer>), LogError> {
    create_shaped(path, plan, environment, Shape::of(plan))
}

/// Bytes that the records of `plan` will take; for random arrivals their mean. `None` where the
/// number of sessions, or of requests that are kept, is open.
pub fn disk_needed(plan: &Plan) -> Option<ByteSize> {
    let sessions = match plan.count {
        Some(count) => count,
        None => plan.rate.arrivals_in(Nanos(plan.duration.0.saturating_add(plan.warmup.0)))?,
    };
    // How many will fail or be slow is not known beforehand.
    let is_known = !matches!(plan.log, LogMode::Errors | LogMode::Slow(_));
    is_known.then(|| ByteSize(record_bytes(plan, sessions)))
}

/// Bytes of the records that `sessions` leave, at most.
fn record_bytes(plan: &Plan, sessions: u64) -> u64 {
    let kept = match plan.log {
        LogMode::All | LogMode::Errors | LogMode::Slow(_) => sessions,
        LogMode::OneIn(n) => sessions.div_ceil(n.max(1)),
        LogMode::Nothing => 0,
    };
    kept.saturating_mul(u64::from(plan.requests)).saturating_mul(RECORD_BYTES as u64)
}

/// How a log is divided into chunks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Bytes of a chunk.
    pub(super) chunk_bytes: u64,
    /// Bytes ready ahead of each writer, at least.
    pub(super) lead_bytes: u64,
}

/// The least memory that is kept ready ahead of each writer.
const LEAD_BYTES_MIN: u64 = 1 << 20;
/// The same for a writer whose pace is not known beforehand.
const LEAD_BYTES_OPEN: u64 = 16 << 20;
/// The most that is kept ready ahead of each writer: pages that are ready take memory.
const LEAD_BYTES_MAX: u64 = 256 << 20;
/// The lead lasts for this many [`Keeper::tend`]s at the pace that was seen.
const LEAD_TENDS: u64 = 50;
/// The bytes ahead of each writer whose pages each [`Keeper::tend`] makes writable again.
const WINDOW_BYTES: u64 = 128 << 10;
/// The same for each [`Keeper::step`].
const NEAR_BYTES: u64 = 32 << 10;
/// A writer goes on by about so many bytes from one [`Keeper::step`] to the next: pages that
/// write-back cleans in between may fault.
const STEP_BYTES: u64 = 16 << 10;
/// The most steps of a tend.
const STEPS_MAX: u64 = 10;
/// What is made ready of a new chunk at a time. Written first, since a store to a page without
/// blocks of its own costs ext4 thrice as much; and not more, since it is dear again where a write
/// made one big folio.
const PIECE_BYTES: u64 = 16 << 10;
static ZEROS: [u8; PIECE_BYTES as usize] = [0; PIECE_BYTES as usize];

impl Shape {
    /// The shape for a run of `plan`: a second of its records or one rush of them are ready,
    /// in chunks of a quarter of that.
    fn of(plan: &Plan) -> Self {
        let period = match plan.pattern {
            Pattern::Rush(period) => period.max(Nanos::from_secs(1)),
            Pattern::Even | Pattern::Random(_) => Nanos::from_secs(1),
        };
        let lead_bytes = match plan.rate.arrivals_in(period) {
            Some(sessions) => record_bytes(plan, sessions) / u64::from(plan.shards.max(1)),
            None => LEAD_BYTES_OPEN,
        };
        let lead_bytes = lead_bytes.clamp(LEAD_BYTES_MIN, LEAD_BYTES_MAX);
        let chunk_bytes = (lead_bytes / 4).next_power_of_two().min(4 << 20);
        Self { chunk_bytes, lead_bytes }
    }

    fn records_per_chunk(self) -> u64 {
        self.chunk_bytes / RECORD_BYTES as u64 - 1
    }
}

/// Owns the file of a log while its run lasts.
#[derive(Debug)]
pub struct Keeper {
    place: Place,
    header: Region,
    chunks_at: u64,
    shape: Shape,
    lanes: Vec<Lane>,
    /// The chunk that is being made ready.
    making: Option<Making>,
    /// Chunks that the file has.
    chunks: u64,
}

/// A chunk on its way to a writer, the one of `shard`.
#[derive(Debug)]
struct Making {
    shard: usize,
    region: Region,
    /// Bytes of it that are ready.
    ready: u64,
}

/// The chunks of one writer: handed over, in use, and how far it is.
#[derive(Debug)]
struct Lane {
    progress: Arc<Progress>,
    ready: SyncSender<Arc<Region>>,
    /// Chunks from the one that the writer's last record went to; those before are unmapped.
    live: VecDeque<Handed>,
    /// Chunks that were handed over and are behind the writer.
    passed: u64,
    /// Records that the writer had published when it was last looked at.
    written: u64,
    /// About the most bytes that the writer wrote between two looks.
    pace: u64,
}

/// A chunk, and its number in the file.
#[derive(Debug)]
struct Handed {
    number: u64,
    region: Arc<Region>,
}

impl Making {
    /// Makes the next piece of the chunk, which lies at `at` of the file, writable.
    fn add_piece(&mut self, place: &Place, at: u64) -> io::Result<()> {
        let bytes = PIECE_BYTES.min(self.region.bytes() as u64 - self.ready);
        place.write_all_at(&ZEROS[..bytes as usize], at + self.ready)?;
        self.region.populate(self.ready as usize..(self.ready + bytes) as usize)?;
        self.ready += bytes;
        Ok(())
    }
}

pub(super) fn create_shaped(
    path: &Path,
    plan: &Plan,
    environment: &Environment,
    shape: Shape,
) -> Result<(Keeper, Vec<Writer>), LogError> {
    let place = Place::beside(path)?;
    let (plan_text, environment_text) = (plan.to_text(), environment.to_text());
    let plan_at = Span { at: HEADER_BYTES as u64, bytes: plan_text.len() as u64 };
    let environment_at = Span { at: plan_at.end(), bytes: environment_text.len() as u64 };
    let chunks_at = environment_at.end().next_multiple_of(PAGE_BYTES);
    grow(&place, 0, chunks_at)?;
    write_text(&place, plan_at.at, &plan_text)?;
    write_text(&place, environment_at.at, &environment_text)?;
    let words = Header {
        chunk_bytes: shape.chunk_bytes,
        chunks_at,
        shards: plan.shards,
        epoch: 0,
        wall_ns: 0,
        plan: plan_at,
        environment: environment_at,
        trailer: Span::default(),
        state: MAKING,
    }
    .to_words();
    let header = Region::shared(&place, 0, HEADER_BYTES)
        .map_err(LogError::unwritable("map", place.path()))?;
    for (index, &word) in words.iter().enumerate().rev() {
        header.store(index, word, Ordering::Release);
    }

    let places = (LEAD_BYTES_MAX / shape.chunk_bytes) as usize + 2;
    let (lanes, writers) = (0..plan.shards).map(|_| Lane::new(plan.log, places)).unzip();
    let mut keeper = Keeper { place, header, chunks_at, shape, lanes, making: None, chunks: 0 };
    if plan.log != LogMode::Nothing {
        keeper.refill(u64::MAX)?;
    }
    Ok((keeper, writers))
}

fn grow(place: &Place, at: u64, bytes: u64) -> Result<(), LogError> {
    allocate(place, at, bytes).map_err(|error| match error.kind() {
        io::ErrorKind::StorageFull => LogError::NoRoom(place.path().to_owned(), ByteSize(bytes)),
        _ => LogError::unwritable("grow", place.path())(error),
    })
}

fn write_text(place: &Place, at: u64, text: &str) -> Result<(), LogError> {
    let written = if text.len() as u64 > TEXT_BYTES_MAX {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "its text is longer than 16MiB"))
    } else {
        place.write_all_at(text.as_bytes(), at)
    };
    written.map_err(LogError::unwritable("write", place.path()))
}

impl Keeper {
    /// The run's clock starts: `epoch` on that clock is `wall_ns` in ns since 1970. To be
    /// called before any writer writes.
    pub fn start(&mut self, epoch: Instant, wall_ns: u64) {
        self.set(Word::Epoch, epoch.0);
        self.set(Word::Wall, wall_ns);
    }

    /// Moves the log to its path, and what is there already to `path.old`: the run has begun, and
    /// may take the place of an older one. If the keeper is dropped before this call, the log is
    /// deleted. To be called after [`Keeper::start`]; a second call does nothing.
    ///
    /// # Errors
    /// The folder does not allow it any more.
    pub fn take_place(&mut self) -> Result<(), LogError> {
        self.place.take()?;
        self.set(Word::State, RUNNING);
        Ok(())
    }

    /// Keeps memory ready ahead of the writers. To be called about every 20 ms, off the shards'
    /// CPUs.
    ///
    /// # Errors
    /// The disk is full, or the kernel does not map or populate. The log stays as it is, and
    /// writers go on with what they have; the next call tries again.
    pub fn tend(&mut self) -> Result<(), LogError> {
        for lane in &mut self.lanes {
            lane.look(self.shape);
        }
        self.go_on(WINDOW_BYTES)
    }

    /// In how many steps the time between two [`Keeper::tend`]s is to be divided: 1 to 10, the
    /// last of them the tend itself.
    pub fn steps(&self) -> u64 {
        let fastest = self.lanes.iter().map(|lane| lane.pace).max().unwrap_or(0);
        (fastest / STEP_BYTES).clamp(1, STEPS_MAX)
    }

    /// A step between two [`Keeper::tend`]s.
    ///
    /// # Errors
    /// As those of [`Keeper::tend`].
    pub fn step(&mut self) -> Result<(), LogError> {
        self.go_on(NEAR_BYTES)
    }

    /// Makes writable what is ahead of each writer by up to `window` bytes and what it writes
    /// meanwhile, and a piece of the next chunk ready.
    fn go_on(&mut self, window: u64) -> Result<(), LogError> {
        let steps = self.steps();
        for lane in &self.lanes {
            lane.populate_ahead(window + 2 * lane.pace / steps, self.shape)
                .map_err(LogError::unwritable("populate", self.place.path()))?;
        }
        let pace: u64 = self.lanes.iter().map(|lane| lane.pace).sum();
        self.refill((2 * pace / steps).max(PIECE_BYTES))
    }

    /// Ends the log: gives back what no writer used, and puts `trailer` behind the records. It
    /// takes its place if it has not yet. All writers must have been dropped.
    ///
    /// # Errors
    /// A writer is still there, or the file cannot be written; it then reads like the log of
    /// a run that was killed.
    pub fn finish(mut self, trailer: &str) -> Result<(), LogError> {
        let mut used = 0;
        for (shard, lane) in (0..).zip(&mut self.lanes) {
            if Arc::get_mut(&mut lane.progress).is_none() {
                return Err(LogError::StillWritten(shard));
            }
            lane.look(self.shape);
            if let Some(last) = lane.live.front().filter(|_| lane.written > 0) {
                used = used.max(last.number + 1);
            }
        }
        self.take_place()?;
        // Unmapped before the file is cut: mapped pages must stay in it.
        self.lanes.clear();
        self.making = None;
        let at = self.chunk_at(used);
        self.place.set_len(at).map_err(LogError::unwritable("shorten", self.place.path()))?;
        // The offset is stored before the text is written, so that no reader takes the text for a
        // chunk.
        self.set(Word::TrailerAt, at);
        self.set(Word::TrailerBytes, trailer.len() as u64);
        write_text(&self.place, at, trailer)?;
        self.set(Word::State, ENDED);
        Ok(())
    }

    fn set(&self, word: Word, value: u64) {
        self.header.store(word as usize, value, Ordering::Release);
    }

    fn chunk_at(&self, number: u64) -> u64 {
        self.chunks_at + number * self.shape.chunk_bytes
    }

    /// Makes `most` bytes ready and hands over what is complete, in turn until no lane wants
    /// more, so that equal lanes use the file evenly and what nobody used lies at its end. A lane
    /// that runs short gets its chunk at once.
    fn refill(&mut self, most: u64) -> Result<(), LogError> {
        let mut left = most;
        while let Some(mut making) = self.take_making()? {
            while making.ready < self.shape.chunk_bytes
                && (left > 0 || self.lanes[making.shard].is_short())
            {
                if let Err(error) = making.add_piece(&self.place, self.chunk_at(self.chunks)) {
                    self.making = Some(making);
                    return Err(LogError::unwritable("populate", self.place.path())(error));
                }
                left = left.saturating_sub(PIECE_BYTES);
            }
            if making.ready < self.shape.chunk_bytes {
                self.making = Some(making);
                break;
            }
            self.hand_over(making);
        }
        Ok(())
    }

    /// The chunk that is being made ready, or a new one for the lane that has the fewest, if one
    /// wants more.
    fn take_making(&mut self) -> Result<Option<Making>, LogError> {
        if self.making.is_some() {
            return Ok(self.making.take());
        }
        let lanes = self.lanes.iter().enumerate();
        let wanting = lanes.filter(|(_, lane)| lane.wants(self.shape));
        let Some((shard, _)) = wanting.min_by_key(|(_, lane)| lane.live.len()) else {
            return Ok(None);
        };
        let (at, bytes) = (self.chunk_at(self.chunks), self.shape.chunk_bytes);
        grow(&self.place, at, bytes)?;
        let region = Region::shared(&self.place, at, bytes as usize)
            .map_err(LogError::unwritable("map", self.place.path()))?;
        Ok(Some(Making { shard, region, ready: 0 }))
    }

    fn hand_over(&mut self, making: Making) {
        let Making { shard, region, .. } = making;
        let lane = &mut self.lanes[shard];
        let sequence = lane.passed + lane.live.len() as u64;
        region.store(ChunkWord::Shard as usize, shard as u64, Ordering::Relaxed);
        region.store(ChunkWord::Sequence as usize, sequence, Ordering::Relaxed);
        let magic = u64::from_ne_bytes(CHUNK_MAGIC);
        region.store(ChunkWord::Magic as usize, magic, Ordering::Release);
        let region = Arc::new(region);
        lane.live.push_back(Handed { number: self.chunks, region: Arc::clone(&region) });
        self.chunks += 1;
        // There is a place for it, or the writer went away since `wants` and needs no more.
        let _ = lane.ready.try_send(region);
    }
}

impl Lane {
    fn new(mode: LogMode, places: usize) -> (Self, Writer) {
        let (ready, taken) = sync_channel(places);
        let progress = Arc::new(Progress::default());
        let writer = Writer::new(mode, taken, Arc::clone(&progress));
        let live = VecDeque::with_capacity(places);
        (Self { progress, ready, live, passed: 0, written: 0, pace: 0 }, writer)
    }

    /// Looks how far the writer is, and unmaps what is behind it.
    fn look(&mut self, shape: Shape) {
        let written = self.progress.written();
        let moved = (written - self.written) * RECORD_BYTES as u64;
        self.pace = moved.max(self.pace - self.pace / 64);
        self.written = written;
        // The writer has let go of a chunk once a record stands in the next one.
        while self.live.len() > 1 && written > (self.passed + 1) * shape.records_per_chunk() {
            self.live.pop_front();
            self.passed += 1;
        }
    }

    fn wants(&self, shape: Shape) -> bool {
        let lead = (self.pace * LEAD_TENDS).clamp(shape.lead_bytes, LEAD_BYTES_MAX);
        let chunks = lead.div_ceil(shape.chunk_bytes).max(2);
        let has_writer = Arc::strong_count(&self.progress) > 1;
        has_writer && (self.live.len() as u64) < 1 + chunks
    }

    /// Whether less than two chunks are ready ahead of the writer: half a second or less.
    fn is_short(&self) -> bool {
        self.live.len() < 3
    }

    /// Makes the pages of the `left` bytes that the writer comes to next writable again.
    fn populate_ahead(&self, mut left: u64, shape: Shape) -> io::Result<()> {
        let next = 1 + self.progress.written() - self.passed * shape.records_per_chunk();
        let mut start = next * RECORD_BYTES as u64;
        for chunk in &self.live {
            let bytes = shape.chunk_bytes;
            let here = left.min(bytes.saturating_sub(start));
            chunk.region.populate(start as usize..(start + here) as usize)?;
            start = start.saturating_sub(bytes);
            left -= here;
        }
        Ok(())
    }
}
