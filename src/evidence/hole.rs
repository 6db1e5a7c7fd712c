//! A time in which a shard was not there.

use super::{Phase, Request};
use crate::unit::{Instant, Nanos};

/// A pass of a shard's loop of which neither its wait nor its work explains the whole: the shard
/// was descheduled, stopped, or its CPU taken by the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hole {
    /// When the pass began.
    pub from: Instant,
    /// When it ended.
    pub to: Instant,
    /// The part of it that is not explained; at most its length.
    pub lost: Nanos,
    /// The phase that it was seen in.
    pub phase: Phase,
}

/// What a shard logs, in the order in which it saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// A request that has ended.
    Request(Request),
    /// A time without the shard; comes before every request that ended in the pass after it.
    Hole(Hole),
}
