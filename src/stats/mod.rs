//! Distributions of time: a [`Recorder`] is written to while a run lasts, a [`Distribution`] is
//! read afterwards.
//!
//! Both count into buckets of three significant digits from 1 ns to an hour; count, least, most,
//! mean and deviation are exact, since integers beside the buckets add up in any order.

mod blocks;
mod coarse;
mod distribution;
mod interval_log;
mod recorder;
mod trend;

pub use blocks::{Blocks, Bounds, Unbounded};
pub use coarse::Coarse;
pub use distribution::{Distribution, SAMPLES_BEYOND_MIN, Tick};
pub use interval_log::{IntervalLog, Intervals};
pub use recorder::{BUCKETS, Recorder, SUB_BUCKETS};
pub use trend::{Settled, settled, trend};
