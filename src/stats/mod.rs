//! Distributions of time: a [`Recorder`] while a run is hot, a [`Distribution`] for paper.
//!
//! Both count into buckets of three significant digits from 1 ns to an hour; count, least, most,
//! mean and deviation are exact, since integers beside the buckets add up in any order.

mod coarse;
mod distribution;
mod recorder;

pub use coarse::Coarse;
pub use distribution::{Distribution, SAMPLES_BEYOND_MIN, Tick};
pub use recorder::Recorder;
