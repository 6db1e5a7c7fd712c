//! Bytes <-> values; no IO, no clock.
