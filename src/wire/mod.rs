//! Bytes <-> values; no IO, no clock.

pub mod ca;
pub mod http1;
pub mod pva;
