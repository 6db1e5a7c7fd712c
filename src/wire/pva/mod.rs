//! pvAccess, for both ends of a circuit and for its searches, in both byte orders.
//!
//! ```text
//!   bytes ──Frames::next──▶ Frame { command, order, payload }
//!                             ├─ FromServer::read ─▶ what a client hears ─┐ MonitorData { .. }
//!                             └─ FromClient::read ─▶ what a server hears  │
//!   Type (with its TypeCache) ─▶ Shape ──sample / Layout::sample──────────┴▶ Sample
//!   FromClient { .. }, FromServer { .. } ──write──▶ bytes
//! ```
//!
//! Lengths, counts and depths that a peer sends are held against limits before anything is made
//! of them; nothing here panics on any input. What is decoded borrows the bytes it came from.

mod bits;
mod client;
mod field;
mod frame;
mod nt;
mod read;
mod request;
mod search;
mod server;
mod shape;
mod write;

use std::fmt;

pub use bits::{Bits, write_bits};
pub use client::FromClient;
pub use field::{Field, Scalar, Structure, Type, TypeCache};
pub use frame::{
    Frame, Frames, HEADER_BYTES, Order, Sender, control, datagram, message_bytes, write_control,
};
pub use nt::{DoubleUpdate, Fields, NtScalar, Stamp, write_update};
pub use read::Reader;
pub use request::PvRequest;
pub use search::{Ids, Names, Place, Search, SearchReply};
pub use server::{FromServer, Status};
pub use shape::{Layout, Number, Sample, Shape, write_number};
pub use write::{message, write_size, write_text};

/// Where servers listen unless told otherwise, TCP.
pub const SERVER_PORT: u16 = 5075;
/// Where searches and beacons go unless told otherwise, UDP.
pub const SEARCH_PORT: u16 = 5076;
/// Most bytes of a message's payload, its segments put together.
pub const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// Most nodes (structures and fields) of a type, its cached parts counted as often as they occur.
pub const NODES_MAX: usize = 4096;
/// Deepest nesting of a type, and of a value of variant type.
pub const DEPTH_MAX: usize = 16;

/// Commands of application messages.
pub mod command {
    /// A server is there (UDP).
    pub const BEACON: u8 = 0x00;
    /// What each side can do, and who the client is.
    pub const VALIDATION: u8 = 0x01;
    /// Comes back as it went.
    pub const ECHO: u8 = 0x02;
    /// Who has these names?
    pub const SEARCH: u8 = 0x03;
    /// I have these.
    pub const SEARCH_REPLY: u8 = 0x04;
    /// Opens a channel to a name.
    pub const CREATE_CHANNEL: u8 = 0x07;
    /// Closes a channel.
    pub const DESTROY_CHANNEL: u8 = 0x08;
    /// The client is welcome.
    pub const VALIDATED: u8 = 0x09;
    /// Reads.
    pub const GET: u8 = 0x0a;
    /// Writes.
    pub const PUT: u8 = 0x0b;
    /// Subscribes.
    pub const MONITOR: u8 = 0x0d;
    /// Forgets a request.
    pub const DESTROY_REQUEST: u8 = 0x0f;
    /// Asks for a type.
    pub const GET_FIELD: u8 = 0x11;
    /// A word for the log.
    pub const MESSAGE: u8 = 0x12;
    /// Calls a procedure.
    pub const RPC: u8 = 0x14;
    /// Stops a request's operation.
    pub const CANCEL_REQUEST: u8 = 0x15;
}

/// Bits of the subcommand of get, put and monitor.
pub mod sub {
    /// Prepares the request.
    pub const INIT: u8 = 0x08;
    /// Forgets the request after this.
    pub const DESTROY: u8 = 0x10;
    /// Monitor: start, with [`GO`]; put: read back.
    pub const START: u8 = 0x40;
    /// Monitor: start or stop.
    pub const GO: u8 = 0x04;
    /// Monitor: an acknowledgement; at the init, a window follows.
    pub const PIPELINE: u8 = 0x80;
}

/// Why bytes are not pvAccess.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A header does not begin with `ca`.
    Magic,
    /// A message ends before what it announces.
    Short,
    /// A message is longer than [`MESSAGE_BYTES_MAX`].
    TooLong,
    /// Segments of different messages are mixed.
    Segments,
    /// A type is deeper than [`DEPTH_MAX`], wider than [`NODES_MAX`], or of a code that is none.
    Type,
    /// A type is said to be known, and is not.
    UnknownType,
    /// A name is not UTF-8.
    Text,
    /// A value does not belong to its type.
    Value,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => f.write_str("a message does not begin with the byte ca"),
            Self::Short => f.write_str("a message ends before what it announces"),
            Self::TooLong => write!(f, "a message exceeds {MESSAGE_BYTES_MAX} bytes"),
            Self::Segments => f.write_str("segments of different messages are mixed"),
            Self::Type => write!(
                f,
                "a type has an unknown code, more than {NODES_MAX} nodes, or is nested deeper \
                 than {DEPTH_MAX}"
            ),
            Self::UnknownType => f.write_str("a type is said to be known, and was never told"),
            Self::Text => f.write_str("a name is not UTF-8"),
            Self::Value => f.write_str("a value does not belong to its type"),
        }
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests;
