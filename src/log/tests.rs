//! The log as a whole: written, killed, cut, damaged, read.

mod placing;

use std::fs;
use std::path::PathBuf;
use std::thread;

use proptest::prelude::*;

use super::header::{self, HEADER_BYTES, RECORD_BYTES, Word};
use super::keeper::{Shape, create_shaped};
use super::*;
use crate::evidence::{Entry, Environment, Hole, Outcome, Phase, Request, Step};
use crate::plan::{LogMode, Pattern, Plan, sample};
use crate::unit::{ByteSize, Field, Instant, Nanos, Rate};

/// A directory that goes away with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("onrush-log-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("onrush.data")
    }

    /// Where the log lies until its run begins.
    fn beside(&self) -> PathBuf {
        self.0.join("onrush.data.new")
    }

    fn files(&self) -> usize {
        fs::read_dir(&self.0).unwrap().count()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const EPOCH: Instant = Instant(1_000_000);
const WALL_NS: u64 = 1_700_000_000_000_000_000;

/// Chunks of 63 records, two of them ahead.
const SMALL: Shape = Shape { chunk_bytes: 4096, lead_bytes: 8192 };

fn plan(shards: u32) -> Plan {
    Plan { shards, ..sample::plan() }
}

fn environment() -> Environment {
    Environment { tool_version: "0.1.0".into(), ..Environment::default() }
}

/// Request number `i` of a shard: every field says which it is.
fn request(i: u64) -> Request {
    let intended_at = EPOCH + Nanos(i * 1000);
    Request {
        intended_at,
        ready_at: intended_at + Nanos(i),
        sent_at: intended_at + Nanos(2 * i),
        connected_at: i.is_multiple_of(2).then_some(intended_at + Nanos(3 * i + 1)),
        first_byte_at: Some(intended_at + Nanos(4 * i + 1)),
        done_at: intended_at + Nanos(5 * i + 1),
        session: i,
        request: i as u32,
        slot: i as u32 + 1,
        source: i as u16,
        port: i as u16 + 1,
        outcome: Outcome::ALL[i as usize % Outcome::ALL.len()],
        step: Step::ALL[i as usize % Step::ALL.len()],
        errno: i as u16 % 200,
        status: 200,
        phase: Phase::Measure,
        last: true,
        bytes_sent: i + 2,
        bytes_received: i + 3,
    }
}

/// A log of two shards with 100 and 10 records.
fn written(scratch: &Scratch, shape: Shape) -> (Keeper, Vec<Writer>) {
    let (mut keeper, mut writers) =
        create_shaped(&scratch.file(), &plan(2), &environment(), shape).unwrap();
    keeper.start(EPOCH, WALL_NS);
    keeper.take_place().unwrap();
    for (writer, count) in writers.iter_mut().zip([100, 10]) {
        writer.start(EPOCH);
        (0..count).for_each(|i| writer.append(&request(i)));
        assert_eq!((writer.written(), writer.lost()), (count, 0));
    }
    (keeper, writers)
}

fn ended(name: &str) -> Vec<u8> {
    let scratch = Scratch::new(name);
    let (keeper, writers) = written(&scratch, SMALL);
    drop(writers);
    keeper.finish("notice=all is well\n").unwrap();
    fs::read(scratch.file()).unwrap()
}

/// All requests of one shard in order.
fn requests_of(reader: &Reader, shard: u32) -> Vec<Request> {
    let mut chunks: Vec<Chunk> = reader.chunks().map(Result::unwrap).collect();
    chunks.retain(|chunk| chunk.shard() == shard);
    chunks.sort_by_key(Chunk::sequence);
    chunks.iter().flat_map(Chunk::requests).collect()
}

#[track_caller]
fn check_both_shards(reader: &Reader) {
    assert_eq!(requests_of(reader, 0), (0..100).map(request).collect::<Vec<_>>());
    assert_eq!(requests_of(reader, 1), (0..10).map(request).collect::<Vec<_>>());
}

#[test]
fn what_a_terminal_would_obey_is_written_out_when_a_log_is_read() {
    let mut bytes = ended("hidden");
    let at = bytes.windows(11).position(|found| found == b"all is well").unwrap();
    bytes[at..at + 11].copy_from_slice(b"all\x1b[2Jwell");
    let reader = Reader::from_bytes(bytes).unwrap();
    assert_eq!(reader.trailer(), Some("notice=all\\\\u{1b}[2Jwell\n"));
}

#[test]
fn a_run_that_ended_reads_back_whole() {
    let bytes = ended("ended");
    let reader = Reader::from_bytes(bytes).unwrap();
    assert_eq!(reader.state(), State::Ended);
    assert_eq!((reader.epoch(), reader.wall_ns(), reader.shards()), (EPOCH, WALL_NS, 2));
    assert_eq!((reader.plan(), reader.environment()), (&plan(2), &environment()));
    assert_eq!(reader.trailer(), Some("notice=all is well\n"));
    check_both_shards(&reader);
    assert_eq!(reader.chunks().count(), 3, "what was not used is given back");
}

#[test]
fn parts_hold_every_entry_in_its_order() {
    let reader = Reader::from_bytes(ended("parts")).unwrap();
    for (count, expect) in [(0, 2), (1, 2), (2, 2), (3, 3), (9, 3)] {
        let parts = reader.parts(count).unwrap();
        assert_eq!(parts.len(), expect, "asked for {count}");
        for shard in 0..2 {
            let mut entries = Vec::new();
            for (i, part) in parts.iter().filter(|part| part.shard() == shard).enumerate() {
                assert_eq!(part.is_first(), i == 0);
                assert_eq!(part.each(|entry| entries.push(*entry)).unwrap(), 0);
                assert_eq!(part.holes().unwrap(), []);
                let slowly = part.cursor().collect::<Result<Vec<_>, _>>().unwrap();
                assert!(entries.ends_with(&slowly));
            }
            let requests = requests_of(&reader, shard).into_iter().map(Entry::Request);
            assert_eq!(entries, requests.collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_run_that_was_killed_reads_to_its_last_record() {
    let scratch = Scratch::new("killed");
    let (keeper, writers) = written(&scratch, SMALL);
    std::mem::forget((keeper, writers));
    let reader = Reader::open(&scratch.file()).unwrap();
    assert_eq!((reader.state(), reader.trailer()), (State::Running, None));
    check_both_shards(&reader);
}

#[test]
fn a_log_whose_run_has_not_begun_holds_its_plan() {
    let scratch = Scratch::new("making");
    let _held = create(&scratch.file(), &plan(1), &environment()).unwrap();
    let reader = Reader::open(&scratch.beside()).unwrap();
    assert_eq!((reader.state(), reader.plan()), (State::Making, &plan(1)));
    assert!(requests_of(&reader, 0).is_empty());
}

#[test]
fn a_log_may_end_while_it_is_read() {
    let scratch = Scratch::new("ends");
    let (keeper, writers) = written(&scratch, SMALL);
    let reader = Reader::open(&scratch.file()).unwrap();
    drop(writers);
    keeper.finish(&"a trailer that is longer than a record\n".repeat(9)).unwrap();
    check_both_shards(&reader);
}

#[test]
fn a_log_cut_at_any_byte_reads_what_is_whole_in_it() {
    let bytes = ended("cut");
    let texts = HEADER_BYTES + plan(2).to_text().len() + environment().to_text().len();
    let mut before = 0;
    for cut in 0..bytes.len() {
        let reader = match Reader::from_bytes(bytes[..cut].to_vec()) {
            Ok(reader) => reader,
            Err(error) => {
                assert!(cut < texts, "{cut}: {error}");
                continue;
            }
        };
        assert!(cut >= texts);
        assert_eq!((reader.state(), reader.trailer()), (State::CutShort, None));
        let count = requests_of(&reader, 0).len() + requests_of(&reader, 1).len();
        assert!((before..=before + 1).contains(&count), "{cut}: {before}, then {count}");
        before = count;
    }
    assert_eq!(before, 110);
}

/// Reads all there is; what matters is that it comes back.
fn read_all(bytes: Vec<u8>) -> Result<usize, LogError> {
    let reader = Reader::from_bytes(bytes)?;
    let mut count = 0;
    for chunk in reader.chunks() {
        let chunk = chunk?;
        assert!(chunk.shard() < reader.shards());
        count += chunk.entries().count() + chunk.unknown() as usize;
    }
    Ok(count)
}

proptest! {
    #[test]
    fn flipped_bytes_neither_crash_nor_add_records(
        flips in prop::collection::vec((prop_oneof![0..160usize, 0..30_000usize], 1..=255u8), 1..8)
    ) {
        static LOG: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
        let mut bytes = LOG.get_or_init(|| ended("flipped")).clone();
        for (at, flip) in flips {
            let at = at % bytes.len();
            bytes[at] ^= flip;
        }
        let slots = bytes.len() / RECORD_BYTES;
        if let Ok(count) = read_all(bytes) {
            prop_assert!(count < slots);
        }
    }
}

#[test]
fn a_hole_of_terabytes_is_not_read() {
    let scratch = Scratch::new("hole");
    let (keeper, writers) = written(&scratch, SMALL);
    std::mem::forget((keeper, writers));
    let file = fs::File::options().write(true).open(scratch.file()).unwrap();
    file.set_len(8 << 40).unwrap();
    check_both_shards(&Reader::open(&scratch.file()).unwrap());
}

#[test]
fn other_kinds_are_passed_over_and_counted() {
    let mut bytes = ended("kinds");
    let chunks_at = chunks_at(&bytes);
    let kind_of = |slot: usize| chunks_at + slot * RECORD_BYTES + RECORD_BYTES - 1;
    assert_eq!(bytes[kind_of(1)], 1);
    bytes[kind_of(1)] = 77;
    // An outcome that this version does not know.
    bytes[kind_of(2) - 8] |= 0x0f;
    let reader = Reader::from_bytes(bytes).unwrap();
    let chunk = reader.chunk(0).unwrap().unwrap();
    assert_eq!((chunk.unknown(), chunk.saturated()), (2, 0));
    assert!(chunk.requests().eq((2..63).map(request)));
}

#[test]
fn a_damaged_chunk_is_named() {
    for at in [0, 8, 14] {
        let mut bytes = ended("damaged");
        let second = chunks_at(&bytes) + 4096;
        bytes[second + at] ^= 0x40;
        let message = read_all(bytes).unwrap_err().to_string();
        assert!(message.contains("chunk 1 is damaged"), "{message}");
    }
}

fn chunks_at(bytes: &[u8]) -> usize {
    header::words_of::<{ header::WORDS }>(bytes)[Word::ChunksAt as usize] as usize
}

#[test]
fn a_file_of_another_kind_is_refused() {
    for (bytes, expect) in [
        (vec![], "0 bytes are too few"),
        (vec![0; 9], "not a log"),
        (b"GET / HTTP/1.1".repeat(1000), "not a log"),
    ] {
        let message = Reader::from_bytes(bytes).unwrap_err().to_string();
        assert!(message.contains(expect), "{message}");
    }
}

#[test]
fn a_plan_for_other_shards_than_the_header_is_refused() {
    let mut bytes = ended("shards");
    bytes[8 * Word::Shards as usize] = 3;
    let message = Reader::from_bytes(bytes).unwrap_err().to_string();
    assert!(message.contains("shards is 3"), "{message}");
}

#[test]
fn a_log_is_read_while_it_is_written() {
    const COUNT: u64 = 50_000;
    let scratch = Scratch::new("live");
    let shape = Shape { chunk_bytes: 64 << 10, lead_bytes: 256 << 10 };
    let (mut keeper, mut writers) =
        create_shaped(&scratch.file(), &plan(1), &environment(), shape).unwrap();
    keeper.start(EPOCH, WALL_NS);
    keeper.take_place().unwrap();
    let mut writer = writers.pop().unwrap();
    writer.start(EPOCH);
    let writing = thread::spawn(move || {
        while writer.written() < COUNT {
            writer.append(&request(writer.written()));
        }
    });
    let reader = Reader::open(&scratch.file()).unwrap();
    let mut seen = 0;
    while seen < COUNT {
        keeper.tend().unwrap();
        let mut now = 0;
        for chunk in reader.chunks().map(Result::unwrap) {
            let first = chunk.sequence() * 1023;
            let count = chunk.requests().count() as u64;
            assert!(chunk.requests().eq((first..first + count).map(request)));
            now += count;
        }
        assert!(now >= seen, "{seen}, then {now}");
        seen = now;
    }
    writing.join().unwrap();
    keeper.finish("").unwrap();
    assert_eq!(requests_of(&Reader::open(&scratch.file()).unwrap(), 0).len() as u64, COUNT);
}

#[test]
fn a_record_without_room_is_lost_and_counted() {
    let scratch = Scratch::new("lost");
    let (mut keeper, mut writers) =
        create_shaped(&scratch.file(), &plan(1), &environment(), SMALL).unwrap();
    let writer = &mut writers[0];
    writer.start(EPOCH);
    (0..200).for_each(|i| writer.append(&request(i)));
    assert_eq!((writer.written(), writer.lost()), (3 * 63, 200 - 3 * 63));
    keeper.tend().unwrap();
    writer.append(&request(200));
    assert_eq!((writer.written(), writer.lost()), (3 * 63 + 1, 200 - 3 * 63));
}

#[test]
fn the_faster_a_writer_the_more_often_it_is_looked_at() {
    let scratch = Scratch::new("steps");
    let shape = Shape { chunk_bytes: 64 << 10, lead_bytes: 1 << 20 };
    let (mut keeper, mut writers) =
        create_shaped(&scratch.file(), &plan(1), &environment(), shape).unwrap();
    writers[0].start(EPOCH);
    let mut steps_after = |records: u64| {
        (0..records).for_each(|i| writers[0].append(&request(i)));
        keeper.tend().unwrap();
        keeper.steps()
    };
    assert_eq!(steps_after(64), 1);
    assert_eq!(steps_after(1024), 4);
    assert_eq!(steps_after(10_240), 10, "and no more than that");
}

#[test]
fn chunks_made_in_pieces_are_there_in_time() {
    let scratch = Scratch::new("pieces");
    let shape = Shape { chunk_bytes: 256 << 10, lead_bytes: 1 << 20 };
    let (mut keeper, mut writers) =
        create_shaped(&scratch.file(), &plan(2), &environment(), shape).unwrap();
    writers.iter_mut().for_each(|writer| writer.start(EPOCH));
    const COUNT: u64 = 60_000;
    for i in 0..COUNT {
        writers.iter_mut().for_each(|writer| writer.append(&request(i)));
        match i % 1000 {
            0 => keeper.tend().unwrap(),
            on if on.is_multiple_of(250) => keeper.step().unwrap(),
            _ => {}
        }
    }
    assert!(writers.iter().all(|writer| writer.lost() == 0));
    drop(writers);
    keeper.finish("").unwrap();
    let reader = Reader::open(&scratch.file()).unwrap();
    for shard in 0..2 {
        assert_eq!(requests_of(&reader, shard).len() as u64, COUNT);
    }
}

#[test]
fn what_is_behind_a_writer_is_unmapped() {
    let scratch = Scratch::new("unmapped");
    let (mut keeper, mut writers) =
        create_shaped(&scratch.file(), &plan(1), &environment(), SMALL).unwrap();
    let inode = format!(" {} ", {
        use std::os::unix::fs::MetadataExt as _;
        fs::metadata(scratch.beside()).unwrap().ino()
    });
    for i in 0..10_000 {
        writers[0].append(&request(i));
        if i.is_multiple_of(50) {
            keeper.tend().unwrap();
        }
    }
    assert_eq!(writers[0].lost(), 0);
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mapped: usize = maps
        .lines()
        .filter(|line| line.contains(&inode))
        .map(|line| {
            let (from, to) = line.split(' ').next().unwrap().split_once('-').unwrap();
            let address = |hex| usize::from_str_radix(hex, 16).unwrap();
            address(to) - address(from)
        })
        .sum();
    let written = 10_000 * RECORD_BYTES;
    assert!(mapped > 0 && mapped < written / 2, "{mapped} of {written} bytes");
}

#[test]
fn one_session_in_n_is_kept_whole() {
    let scratch = Scratch::new("one-in");
    let plan = Plan { log: LogMode::OneIn(3), ..plan(1) };
    let (keeper, mut writers) = create(&scratch.file(), &plan, &environment()).unwrap();
    writers[0].start(EPOCH);
    for i in 0..20 {
        writers[0].append(&Request { session: i / 2, ..request(i) });
    }
    assert_eq!((writers[0].written(), writers[0].lost()), (8, 0));
    drop(writers);
    keeper.finish("").unwrap();
    let reader = Reader::open(&scratch.file()).unwrap();
    let sessions: Vec<u64> = requests_of(&reader, 0).iter().map(|r| r.session).collect();
    assert_eq!(sessions, [0, 0, 3, 3, 6, 6, 9, 9]);
}

#[test]
fn a_log_of_some_sessions_holds_every_hole_in_its_place() {
    let scratch = Scratch::new("holes");
    let plan = Plan { log: LogMode::OneIn(2), ..plan(1) };
    let (mut keeper, mut writers) = create(&scratch.file(), &plan, &environment()).unwrap();
    keeper.start(EPOCH, WALL_NS);
    let hole = |i: u64| {
        let from = EPOCH + Nanos(i * 1_000_000);
        Hole { from, to: from + Nanos(90_000), lost: Nanos(80_000 + i), phase: Phase::Measure }
    };
    let (writer, mut expect) = (&mut writers[0], Vec::new());
    writer.start(EPOCH);
    for i in 0..40 {
        writer.append(&request(i));
        writer.hole(&hole(i));
        expect.extend(i.is_multiple_of(2).then(|| Entry::Request(request(i))));
        expect.push(Entry::Hole(hole(i)));
    }
    assert_eq!((writer.written(), writer.lost()), (20, 0), "holes are no requests");
    drop(writers);
    keeper.finish("").unwrap();
    let chunk = Reader::open(&scratch.file()).unwrap().chunk(0).unwrap().unwrap();
    assert_eq!(chunk.entries().collect::<Vec<_>>(), expect);
    assert_eq!((chunk.unknown(), chunk.requests().count()), (0, 20));
}

#[test]
fn a_log_of_nothing_has_a_plan_and_a_trailer() {
    let scratch = Scratch::new("nothing");
    let plan = Plan { log: LogMode::Nothing, ..plan(1) };
    let (mut keeper, mut writers) = create(&scratch.file(), &plan, &environment()).unwrap();
    keeper.start(EPOCH, WALL_NS);
    keeper.take_place().unwrap();
    keeper.tend().unwrap();
    writers[0].append(&request(0));
    assert_eq!((writers[0].written(), writers[0].lost()), (0, 0));
    drop(writers);
    keeper.finish("the=end\n").unwrap();
    let reader = Reader::open(&scratch.file()).unwrap();
    assert_eq!((reader.chunks().count(), reader.trailer()), (0, Some("the=end\n")));
    assert!(fs::metadata(scratch.file()).unwrap().len() < 16384);
}

#[test]
fn a_log_does_not_end_under_a_writer() {
    let scratch = Scratch::new("under");
    let (keeper, mut writers) = written(&scratch, SMALL);
    let message = keeper.finish("").unwrap_err().to_string();
    assert!(message.contains("shard 0 still writes"), "{message}");
    writers[0].append(&request(100));
    let reader = Reader::open(&scratch.file()).unwrap();
    assert_eq!((reader.state(), requests_of(&reader, 0).len()), (State::Running, 101));
}

#[test]
fn a_log_that_cannot_be_made_says_what_and_where() {
    let message = create("/nowhere/log".as_ref(), &plan(1), &environment()).unwrap_err();
    let message = message.to_string();
    assert!(message.starts_with("cannot create log '/nowhere/log': No such file"), "{message}");
}

#[test]
fn the_disk_that_a_log_needs_is_known_beforehand() {
    #[track_caller]
    fn check(plan: Plan, expect: Option<u64>) {
        assert_eq!(disk_needed(&plan), expect.map(ByteSize));
    }
    check(plan(1), Some(64_000));
    check(Plan { requests: 3, warmup: Nanos::from_secs(1), ..plan(1) }, Some(6 * 64_000));
    check(Plan { log: LogMode::OneIn(10), ..plan(1) }, Some(6_400));
    check(Plan { log: LogMode::Nothing, ..plan(1) }, Some(0));
    check(Plan { rate: Rate::Max, ..plan(1) }, None);
    check(Plan { rate: Rate::Max, count: Some(5), ..plan(1) }, Some(320));
    let rate = Rate::MilliPerSecond(u64::MAX);
    check(Plan { rate, duration: Nanos(u64::MAX), ..plan(1) }, Some(u64::MAX));
}

#[test]
fn a_rush_finds_room_at_once() {
    let scratch = Scratch::new("rush");
    let rush = Plan {
        rate: Rate::per_second(20_000),
        pattern: Pattern::Rush(Nanos::from_secs(2)),
        ..plan(1)
    };
    let (_keeper, mut writers) = create(&scratch.file(), &rush, &environment()).unwrap();
    (0..40_000).for_each(|i| writers[0].append(&request(i)));
    assert_eq!(writers[0].lost(), 0);
}

/// `UPDATE_GOLDEN=1 cargo test` writes it anew: only before version 1 is out.
#[test]
fn a_log_of_version_1_stays_readable() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/log/v1.data");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(golden, ended("golden")).unwrap();
    }
    let reader = Reader::open(golden.as_ref()).unwrap();
    assert_eq!(reader.trailer(), Some("notice=all is well\n"));
    assert_eq!(reader.plan().target.url, "http://127.0.0.1:80/");
    check_both_shards(&reader);
}

#[test]
fn the_drawing_of_the_format_is_true() {
    let drawing = include_str!("../../docs/format-log.md");
    let words = |set: &[&str]| {
        let numbered = set.iter().enumerate().map(|(i, word)| format!("{i} {word}"));
        numbered.collect::<Vec<_>>().join(", ")
    };
    let outcomes: Vec<&str> = Outcome::ALL.iter().map(|o| o.as_str()).collect();
    let steps: Vec<&str> = Step::ALL.iter().map(|s| s.as_str()).collect();
    let phases: Vec<&str> = Phase::ALL.iter().map(|p| p.as_str()).collect();
    for expect in [
        header::tests::table(),
        header::tests::chunk_table(),
        record::tests::table(),
        hole::tests::table(),
        slip::tests::table(),
        format!("Outcomes: {}.\n", words(&outcomes)),
        format!("Steps: {}.\n", words(&steps)),
        format!("Phases: {}.\n", words(&phases)),
    ] {
        assert!(drawing.contains(&expect), "docs/format-log.md should say:\n{expect}");
    }
}
