//! The only unsafe: what the kernel and the CPU give, behind a safe API.
#![allow(unsafe_code, reason = "this is the fence; each block is proved where it stands")]

pub mod cpu;
pub mod errno;
pub mod map;
pub mod process;
pub mod resource;
pub mod signal;
pub mod socket;
pub mod terminal;
pub mod time;
pub mod tsc;
pub mod uring;
