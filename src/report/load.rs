//! From logs to a summary.

use std::collections::HashMap;
use std::fmt;
use std::iter;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::evidence::{Entry, Environment};
use crate::log::{LogError, Part, Reader, Refusal};
use crate::outcome::{self, Builder, Cut, MergeError, Recount, Summary, Trailer, merge};
use crate::plan::Plan;
use crate::sys::cpu;
use crate::unit::{Field, Instant};

/// What a log offers to a report; the log's reader is one.
pub trait LogSource {
    /// Why a log cannot be read to its end; names the log.
    type Error: fmt::Display;

    /// What was asked.
    fn plan(&self) -> &Plan;

    /// The machine.
    fn environment(&self) -> &Environment;

    /// Wall time at the start of the measure phase, in ns since 1970, where the log says.
    fn began_unix_ns(&self) -> Option<u64>;

    /// Start of the measure phase on the run's clock.
    fn measure_at(&self) -> Instant;

    /// What the run left at its end; `None` where it was killed.
    ///
    /// # Errors
    /// There is one, and it cannot be read.
    fn trailer(&self) -> Result<Option<Trailer>, Self::Error>;

    /// Counts every record as `cut` has it, shard by shard.
    ///
    /// # Errors
    /// A part of the log cannot be read.
    fn count(&self, cut: &Cut, builder: &mut Builder) -> Result<(), Self::Error>;
}

/// What is asked of a report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Merge logs whose plans differ in load.
    pub force: bool,
    /// Count this part of the logs.
    pub cut: Cut,
    /// Leave out of each log what MSER-5 finds to be its warm-up, too.
    pub settled: bool,
}

/// Why there is nothing to report.
#[derive(Debug)]
pub enum LoadError<E> {
    /// A log cannot be read.
    Log(Box<E>),
    /// These two are one file.
    Twice(String, String),
    /// The logs do not merge.
    Merge(MergeError),
}

impl<E: fmt::Display> fmt::Display for LoadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(why) => why.fmt(f),
            Self::Twice(one, other) => {
                write!(f, "'{one}' and '{other}' are the same log; name it once")
            }
            Self::Merge(why) => why.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for LoadError<E> {}

/// Reads logs, each under its name, and merges them where there are several.
///
/// # Errors
/// A log cannot be read; or the plans differ in load, unless they are forced.
pub fn load<L: LogSource>(
    logs: impl IntoIterator<Item = (String, L)>,
    asked: &Asked,
) -> Result<Summary, LoadError<L::Error>> {
    let mut parts = Vec::new();
    for (name, log) in logs {
        match asked_summary_of(&log, asked) {
            Ok(summary) => parts.push(outcome::Part { name, summary }),
            Err(why) => return Err(LoadError::Log(why.into())),
        }
    }
    merge(parts, asked.force).map_err(LoadError::Merge)
}

/// Reads and merges the logs in these files.
///
/// # Errors
/// As [`load`]; or two of them are one file.
pub fn load_files(paths: &[PathBuf], asked: &Asked) -> Result<Summary, LoadError<LogError>> {
    let mut logs = Vec::with_capacity(paths.len());
    let mut seen = HashMap::new();
    for path in paths {
        let name = path.display().to_string();
        let log = Reader::open(path).map_err(|error| LoadError::Log(error.into()))?;
        if let Some(twin) = log.file_id().and_then(|id| seen.insert(id, name.clone())) {
            return Err(LoadError::Twice(twin, name));
        }
        logs.push((name, log));
    }
    load(logs, asked)
}

impl LogSource for Reader {
    type Error = LogError;

    fn plan(&self) -> &Plan {
        Self::plan(self)
    }

    fn environment(&self) -> &Environment {
        Self::environment(self)
    }

    fn began_unix_ns(&self) -> Option<u64> {
        let wall_ns = self.wall_ns();
        (wall_ns > 0).then(|| wall_ns + Self::plan(self).warmup.0)
    }

    fn measure_at(&self) -> Instant {
        self.epoch() + Self::plan(self).warmup
    }

    fn trailer(&self) -> Result<Option<Trailer>, LogError> {
        let refused =
            |why| LogError::Refused(self.path().to_owned(), Refusal::Text("trailer", why));
        Self::trailer(self).map(Trailer::from_text).transpose().map_err(refused)
    }

    fn count(&self, cut: &Cut, builder: &mut Builder) -> Result<(), LogError> {
        let mut parts = self.parts(cpu::allowed().len())?;
        parts.retain(|part| cut.keeps_shard(part.shard()));
        let (plan, measure_at) = (Self::plan(self), LogSource::measure_at(self));
        let holes = side_by_side(parts.len(), |i| match parts.get(i + 1) {
            Some(next) if !next.is_first() => parts[i].holes(),
            _ => Ok(Vec::new()),
        })?;
        let counts = side_by_side(parts.len(), |i| {
            let first = (0..=i).rev().find(|&j| parts[j].is_first()).unwrap_or(i);
            let recount = match parts[i].is_first() {
                true => Recount::new(plan, measure_at),
                false => Recount::further_on(plan, measure_at, &holes[first..i].concat()),
            };
            count(&parts[i], recount, (!cut.is_whole()).then_some((cut, measure_at)))
        })?;
        for (part, count) in parts.iter().zip(counts) {
            builder.part(part.shard(), count);
        }
        Ok(())
    }
}

/// Counts a part of a log; as the cut has it, which knows when the measure phase began.
fn count(
    part: &Part<'_>,
    mut recount: Recount,
    sieve: Option<(&Cut, Instant)>,
) -> Result<Recount, LogError> {
    match sieve {
        None => part.each(|entry| match entry {
            Entry::Request(request) => recount.add(request),
            Entry::Hole(hole) => recount.hole(hole),
            Entry::Slip(slip) => recount.slip(slip),
        })?,
        Some((cut, measure_at)) => part.each(|entry| match entry {
            Entry::Request(request) => recount.add(&cut.of_request(request, measure_at)),
            Entry::Hole(hole) => recount.hole(&cut.of_hole(hole, measure_at)),
            Entry::Slip(slip) => recount.slip(&cut.of_slip(slip, measure_at)),
        })?,
    };
    Ok(recount)
}

/// Does `work` for every number below `count` on all CPUs that we may use; the results in their
/// order, or the first error in it.
fn side_by_side<T: Send, E: Send>(
    count: usize,
    work: impl Fn(usize) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let next = AtomicUsize::new(0);
    let take = || {
        let number = next.fetch_add(1, Ordering::Relaxed);
        (number < count).then(|| (number, work(number)))
    };
    let mut done: Vec<_> = thread::scope(|scope| {
        let workers = (0..cpu::allowed().len().clamp(1, count.max(1)))
            .map(|_| scope.spawn(|| iter::from_fn(take).collect::<Vec<_>>()))
            .collect::<Vec<_>>();
        let joined = workers.into_iter().map(|worker| worker.join());
        joined.flat_map(|done| done.unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, done)| done).collect()
}

/// The summary of what is asked for. The whole is read first: it tells where the warm-up ends,
/// and what is wrong with all parts of the run.
fn asked_summary_of<L: LogSource>(log: &L, asked: &Asked) -> Result<Summary, L::Error> {
    let whole = summary_of(log, &Cut::default())?;
    let mut cut = asked.cut.clone();
    if asked.settled {
        let settled_from = match cut.is_whole() {
            true => whole.steady.warm_up_end(),
            false => summary_of(log, &cut)?.steady.warm_up_end(),
        };
        cut.from = cut.from.max(settled_from);
    }
    if cut.is_whole() {
        return Ok(whole);
    }
    let mut part = summary_of(log, &cut)?;
    part.is_part_of(&whole);
    Ok(part)
}

fn summary_of<L: LogSource>(log: &L, cut: &Cut) -> Result<Summary, L::Error> {
    let mut builder = Builder::new(log.plan().clone(), log.environment().clone());
    if let Some(unix_ns) = log.began_unix_ns() {
        builder.began(unix_ns);
    }
    builder.measure_at(log.measure_at());
    if let Some(trailer) = log.trailer()? {
        builder.trailer(trailer);
    }
    if !cut.is_whole() {
        builder.cut(cut.clone());
    }
    log.count(cut, &mut builder)?;
    Ok(builder.finish())
}
