//! What a shard is made of, and what it leaves behind.

use std::fmt;

use super::ports::PortPool;
use crate::evidence::{Busy, Holes, Tally, UpdatesSeen};
use crate::outcome::{Ages, Series};
use crate::ring::{QueueCounters, QueueError};
use crate::unit::Instant;

/// What a shard is made of.
#[derive(Debug)]
pub struct Parts<Q, C, P, L> {
    /// Where operations go.
    pub queue: Q,
    /// What time it is.
    pub clock: C,
    /// What to say.
    pub protocol: P,
    /// Where requests go when they end.
    pub log: L,
    /// Where to send from.
    pub ports: PortPool,
}

/// What a shard leaves behind.
#[derive(Debug)]
pub struct ShardYield<L> {
    /// What it counted.
    pub tally: Tally,
    /// Its times, where [`Shard::keep_series`](super::Shard::keep_series) asked for them.
    pub series: Option<Series>,
    /// What became of its subscriptions' updates, and their times, where it had any.
    pub updates: Option<(UpdatesSeen, Ages)>,
    /// Its log writer.
    pub log: L,
    /// Syscalls and operations of the measure phase; overflows of the whole run.
    pub counters: QueueCounters,
    /// Passes of the loop in the measure phase.
    pub passes: u64,
    /// Completions of connections that had gone on.
    pub stale_completions: u64,
    /// Times that the receive buffers ran out.
    pub buffers_exhausted: u64,
    /// Times in the measure phase in which the shard was not there.
    pub holes: Holes,
    /// Passes of the measure phase in which there was something to do.
    pub busy: Busy,
    /// Sum over time of the sessions that were open, from the start to the end of the drain.
    pub open_ns: u64,
    /// When the measure phase ended for this shard.
    pub ended_at: Instant,
    /// When its last request ended.
    pub last_done_at: Instant,
}

/// Why a shard cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShardError {
    /// The queue broke.
    Queue(QueueError),
}

impl fmt::Display for ShardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ShardError {}

impl From<QueueError> for ShardError {
    fn from(error: QueueError) -> Self {
        Self::Queue(error)
    }
}

/// Called at the edges of the measure phase: what else is to be read there.
pub trait Edges {
    /// The measure phase begins.
    fn begin(&mut self) {}
    /// The measure phase ends.
    fn end(&mut self) {}
}

impl Edges for () {}
