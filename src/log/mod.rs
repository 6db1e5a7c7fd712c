//! The log of a run: one file that its shards write while they run, and that any process reads
//! then or later. `docs/format-log.md` has the drawing.
//!
//! A run holds a [`Keeper`] and a [`Writer`] per shard. The keeper, off the shards' CPUs, makes
//! memory ready; a writer only stores to it: no fault, no lock, no syscall. A [`Reader`] reads the
//! log of any run: one at work, one that was killed, one that ended.

mod append;
mod chunk;
mod error;
mod follow;
mod header;
mod hole;
mod keeper;
mod part;
mod place;
mod reader;
mod record;
mod slip;
#[cfg(test)]
mod tests;
mod writer;

pub use append::Append;
pub use chunk::Chunk;
pub use error::{LogError, Refusal};
pub use follow::{Follower, Following};
pub use header::State;
pub use keeper::{Keeper, create, disk_needed};
pub use part::{Cursor, Part};
pub use place::is_log_file;
pub use reader::Reader;
pub use writer::Writer;
