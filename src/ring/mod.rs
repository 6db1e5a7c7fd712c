//! The queue that a shard drives: operations in, completions out.
//!
//! [`Queue`] is what the loop sees; [`UringQueue`] is the kernel's ring behind it, and the
//! simulator is another.

mod token;
mod uring_queue;

use std::fmt;

use crate::unit::Nanos;
pub use token::{Kind, Token};
pub use uring_queue::{UringQueue, trial};

pub use crate::sys::uring::{Level, Setup, SetupError};

/// What is to be done on a connection's slot. Those marked *quiet* complete only if they fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Make a socket and bind it to a source address and port: [`Kind::Bind`] always completes,
    /// [`Kind::Socket`] and [`Kind::Option`] are quiet.
    Open {
        /// Index into the plan's sources.
        source: u16,
        /// Source port.
        port: u16,
    },
    /// Connect to the target.
    Connect,
    /// Disconnect with a reset, keep socket and port. Quiet.
    Disconnect,
    /// Send the template of this index. Quiet.
    SendTemplate(u16),
    /// Send the template of this index, and complete in any case: for one so large that it may
    /// have to wait for the peer.
    SendLarge(u16),
    /// Send this many bytes of the slot's scratch. Quiet.
    SendScratch(usize),
    /// Receive once.
    Receive,
    /// Receive from now on.
    ReceiveMany,
    /// Cancel what is in flight of this kind on the slot, in the same generation. Quiet.
    Cancel(Kind),
    /// Close the slot. Quiet.
    Close,
}

/// Most completions that one operation's push may need in the queue.
pub const OPERATIONS_PER_OPEN: usize = 4;

/// How a submit waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Not at all.
    Poll,
    /// Until this many completions are there, or the time is over.
    For(u32, Nanos),
}

/// What became of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Completion {
    /// Which one.
    pub token: Token,
    /// Bytes, or a negative error number.
    pub result: i32,
    /// It will complete again.
    pub more: bool,
    /// The receive buffer that holds the bytes; the queue wants it back.
    pub buffer: Option<u16>,
}

impl Completion {
    /// Fills arrays of completions that are yet to come.
    pub const NONE: Self = Self { token: Token::NONE, result: 0, more: false, buffer: None };
}

/// Operations in, completions out.
pub trait Queue {
    /// Operations that can be pushed before the next submit; opening takes up to
    /// [`OPERATIONS_PER_OPEN`].
    fn room(&mut self) -> usize;

    /// Pushes an operation on `token.slot()`; `token`'s kind is replaced by the operation's own.
    fn push(&mut self, op: Op, token: Token);

    /// Hands what was pushed over, and waits as told.
    ///
    /// # Errors
    /// The queue is broken; nothing can go on.
    fn submit(&mut self, wait: Wait) -> Result<(), QueueError>;

    /// Moves completions into `out`, and gives their number.
    fn reap(&mut self, out: &mut [Completion]) -> usize;

    /// The bytes of a receive; empty where it has none.
    fn bytes(&self, completion: &Completion) -> &[u8];

    /// Gives the completion's buffer back, if it has one.
    fn release(&mut self, completion: &Completion);

    /// The slot's own bytes to write a request into.
    fn scratch(&mut self, slot: u32) -> &mut [u8];

    /// What the queue has counted.
    fn counters(&mut self) -> QueueCounters;
}

/// What a queue has counted since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueCounters {
    /// Syscalls that submit or reap.
    pub enters: u64,
    /// Operations pushed.
    pub operations: u64,
    /// Completions that found the completion queue full.
    pub overflows: u64,
}

/// The queue is broken: the kernel's error number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueError(pub i32);

impl fmt::Display for QueueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = std::io::Error::from_raw_os_error(self.0);
        write!(f, "the kernel no longer takes submissions: {why}")
    }
}

impl std::error::Error for QueueError {}
