//! Onrush: an io_uring load generator and latency meter for Linux that proves its schedule.
#![doc = include_str!("../docs/floors.md")]

pub mod unit;

pub mod evidence;
pub mod plan;
pub mod stats;
pub mod sys;
pub mod wire;

pub mod arrival;
pub mod clock;
pub mod log;
pub mod observe;
pub mod outcome;
pub mod protocol;
pub mod ring;

pub mod doctor;
pub mod engine;
pub mod plot;
pub mod report;
pub mod serve;

pub mod cli;

#[cfg(test)]
mod sim;
