//! HTTP/1.1 and 1.0 as RFC 9112 has them, for both ends of a connection.
//!
//! ```text
//!   bytes ──parse_response_head──▶ ResponseHead { status, keep, body } ┐
//!   bytes ──parse_request_head───▶ RequestHead { method, path, .. }    ├─▶ Body::take(bytes)
//!                                                                      ┘   until is_done()
//!   Request { method, path, .. } ──to_bytes──▶ bytes
//!   response_head(status, ..)    ────────────▶ bytes
//! ```
//!
//! A head is read in one piece, and reading the same head again when more of it has come is the
//! caller's to do; a body is taken in any slices and never held. Nothing here panics on any
//! input. Bare LF ends a line as CR LF does; every other liberty is a [`Fault`].

mod body;
mod head;
mod write;

use std::fmt;

pub use body::Body;
pub use head::{RequestHead, ResponseHead, parse_request_head, parse_response_head};
pub use write::{Request, RequestError, response_head};

/// Most bytes of a head, its empty line included, and of the trailers of a chunked body.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Most header fields of a head.
pub const HEADERS_MAX: usize = 512;
/// Most bytes of the line that gives the size of a chunk, its extensions included.
pub const CHUNK_LINE_BYTES_MAX: usize = 4 * 1024;

/// Why bytes are not HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The head breaks the grammar, or is one that answers nothing we ask.
    Head,
    /// The head is longer than [`HEAD_BYTES_MAX`] or has more than [`HEADERS_MAX`] fields.
    HeadTooLong,
    /// The length of the body is contradicted, is no number, or cannot be known.
    Length,
    /// A chunk has no proper size, is 2^63 bytes or more, does not end where it should, or its
    /// size line or the trailers have no end.
    Chunk,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => f.write_str("the head is not HTTP/1"),
            Self::HeadTooLong => {
                write!(f, "the head exceeds {HEAD_BYTES_MAX} bytes or {HEADERS_MAX} fields")
            }
            Self::Length => f.write_str("the length of the body cannot be known"),
            Self::Chunk => f.write_str("a chunk of the body is malformed"),
        }
    }
}

impl std::error::Error for Fault {}
