//! From logs to a summary.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;

use crate::evidence::{Entry, Environment};
use crate::log::{LogError, Reader, Refusal};
use crate::outcome::{Builder, MergeError, Part, Summary, Trailer, merge};
use crate::plan::Plan;
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

    /// Hands out every entry with its shard; those of one shard in the order they were logged.
    ///
    /// # Errors
    /// A part of the log cannot be read.
    fn each(&self, take: &mut dyn FnMut(u32, &Entry)) -> Result<(), Self::Error>;
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
/// A log cannot be read; or the plans differ in load, unless `force`.
pub fn load<L: LogSource>(
    logs: impl IntoIterator<Item = (String, L)>,
    force: bool,
) -> Result<Summary, LoadError<L::Error>> {
    let mut parts = Vec::new();
    for (name, log) in logs {
        match summary_of(&log) {
            Ok(summary) => parts.push(Part { name, summary }),
            Err(why) => return Err(LoadError::Log(why.into())),
        }
    }
    merge(parts, force).map_err(LoadError::Merge)
}

/// Reads and merges the logs in these files.
///
/// # Errors
/// As [`load`]; or two of them are one file.
pub fn load_files(paths: &[PathBuf], force: bool) -> Result<Summary, LoadError<LogError>> {
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
    load(logs, force)
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

    fn each(&self, take: &mut dyn FnMut(u32, &Entry)) -> Result<(), LogError> {
        for chunk in self.chunks() {
            let chunk = chunk?;
            chunk.entries().for_each(|entry| take(chunk.shard(), &entry));
        }
        Ok(())
    }
}

fn summary_of<L: LogSource>(log: &L) -> Result<Summary, L::Error> {
    let mut builder = Builder::new(log.plan().clone(), log.environment().clone());
    if let Some(unix_ns) = log.began_unix_ns() {
        builder.began(unix_ns);
    }
    builder.origin(log.measure_at());
    if let Some(trailer) = log.trailer()? {
        builder.trailer(trailer);
    }
    log.each(&mut |shard, entry| match entry {
        Entry::Request(request) => builder.request(shard, request),
        Entry::Hole(hole) => builder.hole(shard, hole),
    })?;
    Ok(builder.finish())
}
