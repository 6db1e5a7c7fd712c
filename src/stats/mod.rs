//! Distributions of time: a [`Recorder`] while a run is hot, a [`Distribution`] for paper.
//!
//! Both count into buckets of three significant digits from 1 ns to an hour; count, least, most,
//! mean and deviation are exact, since integers beside the buckets add up in any order.

mod blocks;
mod coarse;
mod course;
mod distribution;
mod recorder;

pub use blocks::{Blocks, Bounds, Unbounded};
pub use coarse::Coarse;
pub use course::{Settled, settled, trend};
pub use distribution::{Distribution, SAMPLES_BEYOND_MIN, Tick};
pub use recorder::Recorder;
