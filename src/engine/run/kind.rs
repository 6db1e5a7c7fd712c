//! The two kinds of shards that a run may have, seen from its threads.

use super::super::circuits::{CircuitShard, SCRATCH_BYTES};
use super::super::seams::{Edges, Parts, ShardError, ShardYield};
use super::super::shard::Shard;
use super::{Control, Live};
use crate::clock::Clock;
use crate::log::Append;
use crate::plan::Plan;
use crate::protocol::{Circuit, Protocol};
use crate::ring::Queue;
use crate::unit::Instant;

/// A shard, from its connections to what it leaves behind.
pub(super) trait Drive<L> {
    fn keep_series(&mut self);
    fn log_mut(&mut self) -> &mut L;
    fn connect(&mut self) -> Result<Option<Instant>, ShardError>;
    fn give_up(self) -> ShardYield<L>;
    fn run(
        self,
        index: u32,
        start: Instant,
        edges: &mut impl Edges,
    ) -> Result<ShardYield<L>, ShardError>;
}

macro_rules! drive {
    ($shard:ident, $protocol:ident) => {
        impl<Q: Queue, C: Clock, P: $protocol, L: Append> Drive<L> for $shard<'_, Q, C, P, L> {
            fn keep_series(&mut self) {
                Self::keep_series(self);
            }

            fn log_mut(&mut self) -> &mut L {
                Self::log_mut(self)
            }

            fn connect(&mut self) -> Result<Option<Instant>, ShardError> {
                Self::connect(self)
            }

            fn give_up(self) -> ShardYield<L> {
                Self::give_up(self)
            }

            fn run(
                self,
                index: u32,
                start: Instant,
                edges: &mut impl Edges,
            ) -> Result<ShardYield<L>, ShardError> {
                Self::run(self, index, start, edges)
            }
        }
    };
}

drive!(Shard, Protocol);
drive!(CircuitShard, Circuit);

/// Where a shard stands in its run.
#[derive(Clone, Copy)]
pub(super) struct Post<'a> {
    pub(super) plan: &'a Plan,
    pub(super) index: u32,
    pub(super) control: &'a Control,
    pub(super) live: &'a Live,
}

/// Makes the shards of a run.
pub(super) trait Kind: Sync {
    /// What a shard speaks.
    type Speech;

    /// For a shard with so many connections.
    fn speech(&self, connections: u32) -> Self::Speech;

    /// Requests that never change, and bytes that others take at most.
    fn needs(&self, speech: &Self::Speech) -> (Vec<Vec<u8>>, usize);

    /// The shard.
    fn shard<'a, Q: Queue, C: Clock, L: Append>(
        &'a self,
        parts: Parts<Q, C, Self::Speech, L>,
        post: Post<'a>,
    ) -> impl Drive<L>;
}

/// Shards of requests: what makes their protocol.
pub(super) struct Requests<F>(pub(super) F);

impl<P: Protocol, F: Fn(u32) -> P + Sync> Kind for Requests<F> {
    type Speech = P;

    fn speech(&self, connections: u32) -> P {
        (self.0)(connections)
    }

    fn needs(&self, speech: &P) -> (Vec<Vec<u8>>, usize) {
        (speech.templates(), speech.scratch_bytes())
    }

    fn shard<'a, Q: Queue, C: Clock, L: Append>(
        &'a self,
        parts: Parts<Q, C, P, L>,
        post: Post<'a>,
    ) -> impl Drive<L> {
        Shard::new(parts, post.plan, post.index, post.control, post.live)
    }
}

/// Shards of circuits: what makes their protocol, and the names of the channels.
pub(super) struct Circuits<'n, F>(pub(super) F, pub(super) &'n [String]);

impl<P: Circuit, F: Fn() -> P + Sync> Kind for Circuits<'_, F> {
    type Speech = P;

    fn speech(&self, _connections: u32) -> P {
        (self.0)()
    }

    fn needs(&self, _speech: &P) -> (Vec<Vec<u8>>, usize) {
        (vec![], SCRATCH_BYTES)
    }

    fn shard<'a, Q: Queue, C: Clock, L: Append>(
        &'a self,
        parts: Parts<Q, C, P, L>,
        post: Post<'a>,
    ) -> impl Drive<L> {
        CircuitShard::new(parts, post.plan, self.1, post.index, post.control, post.live)
    }
}
