//! What a run yielded, and the checks that judge it.
//!
//! A [`Builder`] takes the records of a log and the [`Trailer`] that the run left, and gives a
//! [`Summary`]: the one thing that every report is written from. The run itself reports by the
//! same way, so that both show the same figures.

mod builder;
mod checks;
mod gate;
mod merge;
mod recount;
mod regime;
mod series;
mod summary;
mod trailer;

pub use builder::Builder;
pub use checks::{Check, State, Verdict};
pub use gate::{Gate, Gates, Judged, Metric, Relation};
pub use merge::{MergeError, merge};
pub use regime::{Kind, Regime};
pub use series::{Ages, Series};
pub use summary::{Figures, Part, Rates, ShardSummary, Summary, Watching};
pub use trailer::Trailer;

#[cfg(test)]
pub(crate) mod sample;
