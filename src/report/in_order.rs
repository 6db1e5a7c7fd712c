//! The requests of logs one by one, in the order of their ends, as exports have them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::io;

use super::load::LogSource as _;
use crate::evidence::{Entry, Request};
use crate::log::{Cursor, LogError, Part, Reader};
use crate::outcome::Cut;
use crate::unit::Instant;

/// Why an export came to no end.
#[derive(Debug)]
pub enum ExportError {
    /// A log cannot be read.
    Log(LogError),
    /// What it goes to does not take it.
    Out(io::Error),
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(error) => error.fmt(f),
            Self::Out(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ExportError {}

impl From<io::Error> for ExportError {
    fn from(error: io::Error) -> Self {
        Self::Out(error)
    }
}

impl From<LogError> for ExportError {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

/// A request among those of all logs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed {
    /// Which of the logs.
    pub(super) log: usize,
    /// The shard that logged it.
    pub(super) shard: u32,
    /// The request, with its own stamps.
    pub(super) request: Request,
    /// Start of its run's measure phase by its own stamps.
    pub(super) measure_at: Instant,
    /// The same moment in ns since 1970; 0 where the log does not say.
    pub(super) began_unix_ns: u64,
}

impl Placed {
    /// Its end in ns since 1970, or since the start where the log does not say.
    pub(super) fn done_unix_ns(&self) -> i128 {
        i128::from(self.began_unix_ns) + i128::from(self.request.done_at.0)
            - i128::from(self.measure_at.0)
    }
}

/// Hands out all requests that the cut beside each log keeps, those of a whole log being all, of
/// whatever phase; in the order of their ends by wall time. A shard logs its own in that order.
pub(super) fn each(
    logs: &[(Reader, Cut)],
    mut take: impl FnMut(&Placed) -> Result<(), ExportError>,
) -> Result<(), ExportError> {
    let parts = logs.iter().map(|(log, _)| log.parts(1)).collect::<Result<Vec<_>, _>>()?;
    let lanes = parts.iter().zip(logs).enumerate().flat_map(|(index, (parts, (log, cut)))| {
        let parts = parts.iter().filter(|part| cut.keeps_shard(part.shard()));
        parts.map(move |part| Lane::new(index, log, cut, part))
    });
    let mut lanes: Vec<Lane<'_>> = lanes.collect();
    let mut next = BinaryHeap::new();
    for (index, lane) in lanes.iter_mut().enumerate() {
        next.extend(lane.advance()?.map(|done| Reverse((done, index))));
    }
    while let Some(Reverse((_, index))) = next.pop() {
        let lane = &mut lanes[index];
        if let Some(placed) = &lane.head {
            take(placed)?;
        }
        next.extend(lane.advance()?.map(|done| Reverse((done, index))));
    }
    Ok(())
}

/// The log of one shard, and its next request.
struct Lane<'a> {
    cursor: Cursor<'a>,
    cut: &'a Cut,
    log: usize,
    shard: u32,
    measure_at: Instant,
    began_unix_ns: u64,
    head: Option<Placed>,
}

impl<'a> Lane<'a> {
    fn new(log: usize, reader: &Reader, cut: &'a Cut, part: &'a Part<'a>) -> Self {
        Self {
            cursor: part.cursor(),
            cut,
            log,
            shard: part.shard(),
            measure_at: reader.measure_at(),
            began_unix_ns: reader.began_unix_ns().unwrap_or(0),
            head: None,
        }
    }

    /// Goes on to the next request that the cut keeps, and gives its end.
    fn advance(&mut self) -> Result<Option<i128>, LogError> {
        self.head = None;
        for entry in self.cursor.by_ref() {
            let Entry::Request(request) = entry? else { continue };
            if self.cut.is_whole() || self.cut.keeps(&request, self.measure_at) {
                let Self { log, shard, measure_at, began_unix_ns, .. } = *self;
                let placed = Placed { log, shard, request, measure_at, began_unix_ns };
                self.head = Some(placed);
                return Ok(Some(placed.done_unix_ns()));
            }
        }
        Ok(None)
    }
}
