//! From what a run yielded to bytes, one file per format. Nothing here prints.

mod aperf;
mod errors;
mod figures;
pub mod floor;
pub mod json;
mod load;
pub mod served;
mod spectrum;
pub mod text;
mod updates;

pub use load::{Asked, LoadError, LogSource, load, load_files};

#[cfg(test)]
mod golden;
