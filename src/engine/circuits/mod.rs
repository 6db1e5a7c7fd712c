//! Shards of circuits: many channels on few connections, subscribed to, read or written.
//!
//! What the loop of [`Shard`](super::Shard) is to requests, that of [`CircuitShard`] is to
//! channels. Both run the same course: schedule, phases and books.

mod book;
mod channels;
mod lanes;
mod line;
mod shard;
mod spread;

pub use shard::CircuitShard;

pub(in crate::engine) use line::SCRATCH_BYTES;
pub(in crate::engine) use spread::all_uses;
