//! From what a run yielded to bytes, one file per format. Nothing here prints.

mod aperf;
pub mod csv;
mod errors;
mod figures;
mod findings;
pub mod floor;
pub mod fortio;
pub mod hgrm;
pub mod hlog;
pub mod html;
mod in_order;
pub mod json;
pub mod live;
mod load;
pub mod oha;
pub mod served;
pub mod text;
mod times;
pub mod timeseries;
mod updates;
pub mod wrk;

pub use in_order::ExportError;
pub use load::{Asked, LoadError, LogSource, load, load_files};

#[cfg(test)]
mod golden;
