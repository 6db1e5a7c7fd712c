//! The time stamp counter.
