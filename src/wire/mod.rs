//! Bytes <-> values; no IO, no clock.

pub mod http1;
pub mod pva;
