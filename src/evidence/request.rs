//! One request: its stamps and what became of it.

use crate::unit::{Instant, Nanos};
use crate::words;

words! {
    /// What became of a request: exactly one of these.
    pub enum Outcome:
        "an outcome is one of ok refused reset timeout protocol no_port dropped unserved" {
        /// The answer is whole and as expected.
        Ok = "ok",
        /// Nobody listens: the connection was refused.
        Refused = "refused",
        /// The connection broke, or was closed before the answer was whole.
        Reset = "reset",
        /// No whole answer within `--timeout` of `sent_at`.
        Timeout = "timeout",
        /// The answer is not what the protocol, or `--expect-status`, allows.
        Protocol = "protocol",
        /// No source port was free, or the kernel would not take the one offered.
        NoPort = "no_port",
        /// Refused by the concurrence cap.
        Dropped = "dropped",
        /// Still waiting for a connection when the drain ended.
        Unserved = "unserved",
    }
}

words! {
    /// The part of a run that a request belongs to, by its intended time.
    pub enum Phase: "a phase is connect, warmup, measure or drain" {
        /// Kept connections are being opened; no requests yet.
        Connect = "connect",
        /// Logged, not counted.
        Warmup = "warmup",
        /// The one that counts.
        Measure = "measure",
        /// After the last due arrival.
        Drain = "drain",
    }
}

words! {
    /// The step of a request that failed.
    pub enum Step: "a step is none, socket, bind, connect, send, recv, parse or close" {
        /// None did.
        None = "none",
        /// Making the socket.
        Socket = "socket",
        /// Binding it to its source port.
        Bind = "bind",
        /// Connecting.
        Connect = "connect",
        /// Sending the request.
        Send = "send",
        /// Receiving the answer.
        Recv = "recv",
        /// Understanding the answer; the error number is a fault of the protocol then.
        Parse = "parse",
        /// Closing.
        Close = "close",
    }
}

/// One request, as a shard hands it to the log. A request that was never sent (`no_port`,
/// `dropped`, `unserved`) has `ready_at`, `sent_at` and `done_at` at the moment it was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// When the schedule wanted it; for the 2nd and later of a session previous done + think.
    pub intended_at: Instant,
    /// Due, and a free connection or room under the cap.
    pub ready_at: Instant,
    /// Handed to the ring; for the first of a fresh session its CONNECT.
    pub sent_at: Instant,
    /// A fresh session's connection stood; only on its first request.
    pub connected_at: Option<Instant>,
    /// The first byte of the answer was seen.
    pub first_byte_at: Option<Instant>,
    /// The answer was whole, or the failure was seen.
    pub done_at: Instant,
    /// Number of the session within its shard, from 0; below 2^40.
    pub session: u64,
    /// Number of the request within its session, from 0; below 2^24.
    pub request: u32,
    /// The connection slot of the shard; below 2^24.
    pub slot: u32,
    /// Index into the plan's sources.
    pub source: u16,
    /// Source port; 0 where none was taken.
    pub port: u16,
    /// What became of it.
    pub outcome: Outcome,
    /// The step that failed.
    pub step: Step,
    /// The kernel's error number, 0 for an end of file; for [`Step::Parse`] the protocol's fault
    /// number; below 2^12.
    pub errno: u16,
    /// HTTP status; 0 where there is none.
    pub status: u16,
    /// The phase of its intended time.
    pub phase: Phase,
    /// Last request of its session, as it turned out.
    pub last: bool,
    /// Bytes of the request.
    pub bytes_sent: u64,
    /// Bytes of the answer that came, head included.
    pub bytes_received: u64,
}

impl Request {
    /// done - intended.
    pub fn response(&self) -> Nanos {
        self.done_at.since(self.intended_at)
    }

    /// done - sent.
    pub fn service(&self) -> Nanos {
        self.done_at.since(self.sent_at)
    }

    /// ready - intended: the system under test kept us waiting.
    pub fn wait(&self) -> Nanos {
        self.ready_at.since(self.intended_at)
    }

    /// sent - ready: we were late.
    pub fn lag(&self) -> Nanos {
        self.sent_at.since(self.ready_at)
    }

    /// Whether it was handed to the ring at all.
    pub fn was_sent(&self) -> bool {
        !matches!(self.outcome, Outcome::NoPort | Outcome::Dropped | Outcome::Unserved)
    }

    /// Whether `response` takes it: ok, or a lower bound (timeout, unserved).
    pub fn is_timed(&self) -> bool {
        matches!(self.outcome, Outcome::Ok | Outcome::Timeout | Outcome::Unserved)
    }
}
