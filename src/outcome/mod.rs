//! What a run yielded, and the checks that judge it.
//!
//! A [`Builder`] takes the records of a log and the [`Trailer`] that the run left, and gives a
//! [`Summary`]: the one thing that every report is written from. The run itself reports by the
//! same way, so that both show the same figures.

mod blame;
mod builder;
mod checks;
mod cut;
mod floor;
mod gate;
mod merge;
pub mod pictures;
mod recount;
mod regime;
mod series;
mod steady;
mod summary;
mod timeline;
mod trailer;

pub use blame::{Blame, Lost, Ours};
pub use builder::Builder;
pub use checks::{Check, State, Verdict};
pub use cut::{Cut, NumberList};
pub use floor::{Beside, NEAR_CEILING, NEAR_FLOOR};
pub use gate::{Gate, Gates, Judged, Metric, Relation};
pub use merge::{MergeError, merge};
pub use recount::Recount;
pub use regime::{Kind, Regime};
pub use series::{Ages, Series, SeriesName};
pub use steady::Steady;
pub use summary::{Confidence, Figures, Part, Rates, ShardSummary, Summary, Watching};
pub use timeline::{Interval, Level, Timeline};
pub use trailer::Trailer;

#[cfg(test)]
pub(crate) mod sample;
