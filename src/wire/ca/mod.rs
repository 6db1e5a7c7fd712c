//! Channel Access 4.13 as EPICS has it, for both ends of a circuit and for datagrams.
//!
//! ```text
//!   bytes ──Message::split──▶ Message { header, payload } ──Request::read──▶ Request   (server)
//!                                                         └─Reply::read────▶ Reply     (client)
//!   Request::write ─▶ bytes          Reply::write ─▶ bytes
//!   Value::read(data of a Reply or a Request) ◀─▶ write_value       what a DBR type holds
//!   Update::read ◀─▶ Update::to_bytes                               the shape of most updates
//! ```
//!
//! Everything is big-endian. Views borrow the bytes and copy nothing; nothing here panics on any
//! input. What stands in the padding is nobody's: it is written as zeros and never looked at.
//! Source: `ca_protocol.rst` of epics-docs, and what rsrv and libca 7.0.10 really send where the
//! two differ: the status in the replies to reads and writes, the sizes of the DBR types, and the
//! sizes from which a header is extended.

mod dbr;
mod header;
mod reply;
mod request;
mod status;
mod update;

#[cfg(test)]
mod tests;

use std::fmt;

pub use dbr::{Base, Class, Dbr, Stamp, Value, write_value};
pub use header::{Header, Message, Messages};
pub use reply::Reply;
pub use request::{Mask, Request};
pub use status::Status;
pub use update::Update;

/// The minor version that we speak: 4.13.
pub const MINOR_VERSION: u16 = 13;
/// Where servers listen unless told otherwise, UDP and TCP.
pub const SERVER_PORT: u16 = 5064;
/// Where beacons go unless told otherwise.
pub const BEACON_PORT: u16 = 5065;
/// Most bytes of a name.
pub const NAME_BYTES_MAX: usize = 500;
/// Most bytes of a datagram as libca sends it.
pub const DATAGRAM_BYTES: usize = 1024;

/// Why bytes are not Channel Access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A payload of this many bytes, which is no multiple of 8.
    Unaligned(u32),
    /// A payload of this many bytes, more than the reader takes.
    TooLong(u32),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unaligned(bytes) => write!(f, "a payload of {bytes} bytes is not padded to 8"),
            Self::TooLong(bytes) => write!(f, "a payload of {bytes} bytes is too long"),
        }
    }
}

impl std::error::Error for Fault {}

/// The codes of messages.
mod command {
    pub(super) const VERSION: u16 = 0;
    pub(super) const EVENT_ADD: u16 = 1;
    pub(super) const EVENT_CANCEL: u16 = 2;
    pub(super) const WRITE: u16 = 4;
    pub(super) const SEARCH: u16 = 6;
    pub(super) const EVENTS_OFF: u16 = 8;
    pub(super) const EVENTS_ON: u16 = 9;
    pub(super) const ERROR: u16 = 11;
    pub(super) const CLEAR_CHANNEL: u16 = 12;
    pub(super) const BEACON: u16 = 13;
    pub(super) const NOT_FOUND: u16 = 14;
    pub(super) const READ_NOTIFY: u16 = 15;
    pub(super) const CREATE_CHANNEL: u16 = 18;
    pub(super) const WRITE_NOTIFY: u16 = 19;
    pub(super) const CLIENT_NAME: u16 = 20;
    pub(super) const HOST_NAME: u16 = 21;
    pub(super) const ACCESS_RIGHTS: u16 = 22;
    pub(super) const ECHO: u16 = 23;
    pub(super) const CREATE_FAILED: u16 = 26;
    pub(super) const SERVER_DISCONNECT: u16 = 27;
}
