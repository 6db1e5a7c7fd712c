//! How long a report of a large log takes, and how much memory: makes a log of so many records,
//! reports it from the page cache, and removes it.
//!
//! ```text
//! cargo bench --bench log_report -- 1M 10M 100M
//! ```
//! One line for each: records, seconds (the best of three), records a second, and the memory
//! that the process held of its own meanwhile. 64 bytes of disk per record, in `TMPDIR`.

#![allow(clippy::disallowed_methods, reason = "a yardstick takes time by itself")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program of its own")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use onrush::evidence::{Evidence, Holes, Phase, Request, ShardEvidence, Tally};
use onrush::log::{self, Append, Reader, Writer};
use onrush::outcome::Trailer;
use onrush::plan::Plan;
use onrush::report;
use onrush::unit::{self, Field, Nanos, Rate};

/// Shards of the run that the log is of.
const SHARDS: u32 = 2;
/// Sessions a second of each.
const RATE_PER_SHARD: u64 = 500_000;
/// Reports, of which the fastest counts.
const TIMES: usize = 3;
/// Records between two looks at the room that is ready.
const BATCH: u64 = 10_000;

fn main() -> ExitCode {
    let typed: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let sizes: Result<Vec<u64>, _> = match typed.first().map(String::as_str) {
        None => Ok(vec![1_000_000]),
        Some("--test") => Ok(vec![20_000]),
        Some(_) => {
            typed.iter().map(|word| word.parse().map(|count: unit::Count| count.0)).collect()
        }
    };
    match sizes {
        Ok(sizes) => sizes.into_iter().for_each(measure),
        Err(error) => {
            eprintln!("log_report: {error}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn measure(records: u64) {
    let path = std::env::temp_dir().join(format!("onrush-bench-{}.data", std::process::id()));
    make(&path, records);
    let (seconds, memory_kib) = (0..TIMES)
        .map(|_| report(&path, records))
        .min_by(|one, other| one.0.total_cmp(&other.0))
        .expect("it was reported");
    println!(
        "{records} records: {seconds:.3} s, {:.1} M/s, {} MiB",
        records as f64 / seconds / 1e6,
        memory_kib / 1024
    );
    fs::remove_file(&path).expect("the log can be removed");
}

/// Seconds of one report, and the most memory of its own that the process had, in KiB.
fn report(path: &PathBuf, records: u64) -> (f64, u64) {
    let (most, is_done) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                most.fetch_max(own_memory_kib(), Ordering::Relaxed);
                thread::sleep(Duration::from_millis(5));
            }
        });
        let began = Instant::now();
        let summary = report::load_files(std::slice::from_ref(path), &report::Asked::default());
        let summary = summary.expect("the log is readable");
        let text = report::text::write(&summary, report::text::Options::default());
        let seconds = began.elapsed().as_secs_f64();
        is_done.store(true, Ordering::Relaxed);
        assert_eq!((summary.records, summary.figures.response.count()), (records, records));
        // The evidence is made up, and what the checks make of it is no matter here.
        assert!(text.contains(&format!("{records} ok, 0 failed")), "{text}");
        (seconds, most.load(Ordering::Relaxed))
    })
}

fn own_memory_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    kib.expect("the kernel says so")
}

/// Writes the log of a run that was well.
fn make(path: &Path, records: u64) {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/log/v1.data");
    let golden = Reader::open(Path::new(golden)).expect("the golden log is readable");
    let chunk = golden.chunk(0).expect("its chunk is sound").expect("it has one");
    let first = chunk.requests().next().expect("it has a record");
    let first = Request { phase: Phase::Measure, request: 0, last: true, ..first };
    let per_shard = records / u64::from(SHARDS);
    let plan = Plan {
        rate: Rate::per_second(RATE_PER_SHARD * u64::from(SHARDS)),
        duration: Nanos(per_shard * 1_000_000_000 / RATE_PER_SHARD),
        count: None,
        warmup: Nanos::ZERO,
        requests: 1,
        fresh: false,
        shards: SHARDS,
        ..golden.plan().clone()
    };
    let (mut keeper, mut writers) =
        log::create(path, &plan, golden.environment()).expect("a log can be made");
    let epoch = unit::Instant(1_000_000_000);
    keeper.start(epoch, 1_700_000_000_000_000_000);
    writers.iter_mut().for_each(|writer| writer.start(epoch));
    let mut lives = [Live::new(epoch, first, 1), Live::new(epoch, first, 2)];
    for _ in 0..per_shard.div_ceil(BATCH) {
        keeper.tend().expect("there is room");
        for (writer, live) in writers.iter_mut().zip(&mut lives) {
            let left = per_shard - live.tally.sessions_planned;
            (0..left.min(BATCH)).for_each(|_| live.request(writer));
        }
    }
    assert!(writers.iter().all(|writer| writer.lost() == 0), "the keeper was too slow");
    drop(writers);
    let shard = |live: &Live| ShardEvidence {
        holes: Some(Holes::default()),
        span: plan.duration,
        tally: live.tally.clone(),
        ..ShardEvidence::default()
    };
    let shards = lives.iter().map(shard).collect();
    let evidence = Evidence { measured: plan.duration, shards, ..Evidence::default() };
    let trailer = Trailer { evidence, series: Vec::new(), ages: Vec::new() };
    keeper.finish(&trailer.to_text()).expect("the log can be ended");
}

/// A shard that writes requests as a server of middling temper answers them.
struct Live {
    epoch: unit::Instant,
    first: Request,
    tally: Tally,
    random: u64,
}

impl Live {
    fn new(epoch: unit::Instant, first: Request, seed: u64) -> Self {
        Self { epoch, first, tally: Tally::prepared(), random: seed }
    }

    fn random(&mut self) -> u64 {
        // xorshift64
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    /// Appends the next: late by up to 2 us, served in 50 us and up, one in 256 in ms.
    fn request(&mut self, writer: &mut Writer) {
        let number = self.tally.sessions_planned;
        let intended_at = self.epoch + Nanos(number * 1_000_000_000 / RATE_PER_SHARD);
        let random = self.random();
        let tail = if random.is_multiple_of(256) { 20 } else { 8 };
        let service = 50_000 + (random >> 8 & 0xffff) + (random >> 40 & ((1 << tail) - 1)) * 10;
        let sent_at = intended_at + Nanos(random >> 24 & 0x7ff);
        let request = Request {
            intended_at,
            ready_at: intended_at,
            sent_at,
            first_byte_at: Some(sent_at + Nanos(service - 1_000)),
            done_at: sent_at + Nanos(service),
            session: number,
            ..self.first
        };
        writer.append(&request);
        self.tally.count(&request);
        self.tally.sessions_planned += 1;
        self.tally.sessions_started += 1;
        self.tally.sessions_ok += 1;
        self.tally.requests_sent += 1;
        self.tally.bytes_sent += request.bytes_sent;
        self.tally.log_records += 1;
    }
}
