//! The shards and the run that spawns them.
//!
//! *When* (arrival), *how long* (phase) and *what* (protocol) meet in [`Shard`] and nowhere else.

mod circuits;
mod conn;
mod connect;
mod control;
mod costs;
mod course;
mod finder;
mod holes;
mod list;
mod ports;
mod run;
mod schedule;
mod seams;
mod session;
mod shard;

pub use circuits::CircuitShard;
pub use control::{Control, Live, Stop};
pub use finder::{FindError, Quest, find};
pub use ports::{Endpoint, PortPool};
pub use run::{Ended, Run, RunError, Standing};
pub use seams::{Edges, Parts, ShardError, ShardYield};
pub use shard::Shard;
