//! The programming interface: what to say on a connection, and what was heard.
//!
//! A protocol is sans-IO: bytes in, [`Progress`] out. It opens no socket, reads no clock and
//! allocates nothing once a run has begun. The engine sends what [`Protocol::request`] gives,
//! hands what arrives to [`Protocol::receive`], and does everything else: schedule, timeouts,
//! connections, log. `docs/examples/redis.rs` is a whole one.

mod ca;
mod circuit;
mod http1;
mod pva;
mod search;
mod searches;
mod tcp;

use std::fmt;

use crate::unit::Instant;

pub use ca::{Ca, CaConn};
pub use circuit::{Circuit, Event, Hear, Posted, Size, Verb};
pub use http1::{Http1, Http1Conn};
pub use pva::{Pva, PvaConn};
pub use search::{Found, Seeker, Told};
pub use searches::{Searches, SearchesConn};
pub use tcp::{Tcp, TcpConn};

/// A protocol as one shard speaks it on all its connections.
pub trait Protocol {
    /// What is remembered for a connection between calls.
    type Conn;

    /// Requests that never change, each named by its index in [`Outgoing::Template`]. Asked for
    /// once, before the run: the kernel reads them in place, nothing is copied per request.
    fn templates(&self) -> Vec<Vec<u8>>;

    /// Most bytes that a request written by [`Protocol::request`] itself takes; 0 where all are
    /// templates.
    fn scratch_bytes(&self) -> usize {
        0
    }

    /// A connection on `slot` is new: what to remember of it. Slots count from 0 up to the
    /// shard's share of the concurrence.
    fn open(&mut self, slot: u32) -> Self::Conn;

    /// The next request of this connection: a template, or bytes written to the front of
    /// `scratch`, which is [`Protocol::scratch_bytes`] long and the connection's own.
    fn request(&mut self, conn: &mut Self::Conn, scratch: &mut [u8]) -> Outgoing;

    /// Bytes that came, in order, any number at a time and never none. Called only while a
    /// request waits for its answer.
    fn receive(&mut self, conn: &mut Self::Conn, bytes: &[u8], now: Instant) -> Progress;

    /// The peer will send no more. Only an answer that lasts until the end is done by this.
    fn end(&mut self, conn: &mut Self::Conn, now: Instant) -> Progress {
        let _ = (conn, now);
        Progress::Pending
    }
}

/// What to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outgoing {
    /// The template of this index.
    Template(u16),
    /// This many bytes, now at the front of the scratch.
    Written(usize),
}

/// How far an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Not whole yet.
    Pending,
    /// Whole.
    Done(Answer),
    /// Not an answer; the connection is spoilt.
    Broken(Fault),
}

/// A whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Status of the answer, 1 to 999; 0 where the protocol has none.
    pub status: u16,
    /// The user takes it for a success.
    pub expected: bool,
    /// Another request may follow on this connection.
    pub reusable: bool,
    /// Bytes of the last `receive` that belong to it; what is beyond spoils the connection.
    pub consumed: usize,
}

/// Why bytes are not an answer. The number goes into the log; below 2^12.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
pub enum Fault {
    /// The head is not of the protocol.
    BadHead = 1,
    /// The head has no end within what we hold.
    HeadTooLong = 2,
    /// The length of the body is said twice, or is no number.
    BadLength = 3,
    /// A chunk of the body is malformed.
    BadChunk = 4,
    /// The status is not among those expected.
    Unexpected = 5,
    /// Bytes came that answer no request.
    Surplus = 6,
    /// An error that the protocol itself reports.
    Refusal = 7,
    /// The server has no such name.
    UnknownName = 8,
    /// An answer that was given before.
    Repeated = 9,
    /// An answer to what was given up.
    Late = 10,
}

impl Fault {
    /// Every fault, in the order of its numbers.
    pub const ALL: [Self; 10] = [
        Self::BadHead,
        Self::HeadTooLong,
        Self::BadLength,
        Self::BadChunk,
        Self::Unexpected,
        Self::Surplus,
        Self::Refusal,
        Self::UnknownName,
        Self::Repeated,
        Self::Late,
    ];

    /// The fault with this number.
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|&fault| fault as u16 == number)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadHead => "malformed head",
            Self::HeadTooLong => "head too long",
            Self::BadLength => "bad length",
            Self::BadChunk => "bad chunk",
            Self::Unexpected => "unexpected status",
            Self::Surplus => "bytes that answer no request",
            Self::Refusal => "error answer",
            Self::UnknownName => "the server has no such name",
            Self::Repeated => "answered more than once",
            Self::Late => "answered after the timeout",
        })
    }
}
