//! The log of a run: format, writers, reader.

mod append;

pub use append::Append;
