//! Messages out of a stream: headers, control messages, segments, edges of buffers.

use super::{Fault, MESSAGE_BYTES_MAX};

pub(super) const MAGIC: u8 = 0xca;
pub(super) const VERSION: u8 = 2;
/// Bytes of a header.
pub const HEADER_BYTES: usize = 8;

const CONTROL: u8 = 0x01;
const SEGMENTED: u8 = 0x30;
const FIRST: u8 = 0x10;
const LAST: u8 = 0x20;
const FROM_SERVER: u8 = 0x40;
const BIG: u8 = 0x80;

/// Control messages.
pub mod control {
    /// Its flags say in which order a client is to send.
    pub const SET_BYTE_ORDER: u8 = 2;
}

/// The byte order of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Lowest byte first.
    Little,
    /// Highest byte first.
    Big,
}

impl Order {
    pub(super) const fn flag(self) -> u8 {
        if matches!(self, Self::Big) { BIG } else { 0 }
    }

    #[inline]
    fn of(flags: u8) -> Self {
        if flags & BIG == 0 { Self::Little } else { Self::Big }
    }
}

/// Who sends a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// The side that connected.
    Client,
    /// The side that listens.
    Server,
}

impl Sender {
    pub(super) const fn flag(self) -> u8 {
        if matches!(self, Self::Server) { FROM_SERVER } else { 0 }
    }
}

/// A message: a control message has no payload, its size is its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// A control message; its commands are those of [`control`].
    pub control: bool,
    /// What it is about: one of [`command`](super::command), or any other.
    pub command: u8,
    /// The order of its numbers.
    pub order: Order,
    /// Who says that it sent it.
    pub sender: Sender,
    /// What follows the header.
    pub payload: &'a [u8],
}

#[derive(Debug, Clone, Copy)]
struct Header {
    flags: u8,
    command: u8,
    size: usize,
}

impl Header {
    #[inline]
    fn parse(bytes: &[u8; HEADER_BYTES]) -> Result<Self, Fault> {
        let &[magic, _version, flags, command, ref size @ ..] = bytes;
        if magic != MAGIC {
            return Err(Fault::Magic);
        }
        let &[a, b, c, d] = size;
        let size = match Order::of(flags) {
            Order::Little => u32::from_le_bytes([a, b, c, d]),
            Order::Big => u32::from_be_bytes([a, b, c, d]),
        };
        // What a control message has there is its value.
        let size = if flags & CONTROL == 0 { size as usize } else { 0 };
        if size > MESSAGE_BYTES_MAX {
            return Err(Fault::TooLong);
        }
        Ok(Self { flags, command, size })
    }

    #[inline]
    fn frame<'a>(&self, payload: &'a [u8]) -> Frame<'a> {
        Frame {
            control: self.flags & CONTROL != 0,
            command: self.command,
            order: Order::of(self.flags),
            sender: if self.flags & FROM_SERVER == 0 { Sender::Client } else { Sender::Server },
            payload,
        }
    }

    /// Its part in a segmented message; `None` where it is whole.
    #[inline]
    fn segment(&self) -> Option<u8> {
        let part = self.flags & SEGMENTED;
        (self.flags & CONTROL == 0 && part != 0).then_some(part)
    }
}

/// Takes a stream apart. Messages that lie whole in the bytes handed over are read in place;
/// what straddles them, and segments, are put together here.
#[derive(Debug, Default)]
pub struct Frames {
    /// The front of a message whose rest is still to come.
    part: Vec<u8>,
    /// The segments of a message so far, and its header.
    segments: Vec<u8>,
    open: Option<Header>,
    /// `part` holds a whole message that was handed out.
    spent: bool,
    /// `segments` hold one.
    shown: bool,
}

impl Frames {
    /// The next message of the stream that goes on with `bytes`, which are shortened by what was
    /// read; `None` when they are used up.
    ///
    /// # Errors
    /// The stream is not pvAccess, or a message is too long; it cannot be read on.
    #[inline]
    pub fn next<'f, 'b: 'f>(
        &'f mut self,
        bytes: &mut &'b [u8],
    ) -> Result<Option<Frame<'f>>, Fault> {
        if self.spent || self.shown {
            self.forget();
        }
        loop {
            if !self.part.is_empty() {
                let Some(header) = self.fill(bytes)? else { return Ok(None) };
                self.spent = true;
                if header.segment().is_none() {
                    return Ok(Some(header.frame(&self.part[HEADER_BYTES..])));
                }
                let whole = join(&mut self.open, &mut self.segments, &header, &self.part[8..])?;
                self.part.clear();
                self.spent = false;
                match whole {
                    true => return Ok(self.joined()),
                    false => continue,
                }
            }
            let Some(head) = bytes.first_chunk::<HEADER_BYTES>() else { break };
            let header = Header::parse(head)?;
            let Some(payload) = bytes[HEADER_BYTES..].get(..header.size) else { break };
            *bytes = &bytes[HEADER_BYTES + header.size..];
            if header.segment().is_none() {
                return Ok(Some(header.frame(payload)));
            }
            if join(&mut self.open, &mut self.segments, &header, payload)? {
                return Ok(self.joined());
            }
        }
        self.part.extend_from_slice(bytes);
        *bytes = &[];
        Ok(None)
    }

    /// Bytes held of messages that are not whole.
    pub fn held(&self) -> usize {
        let part = if self.spent { 0 } else { self.part.len() };
        let segments = if self.shown { 0 } else { self.segments.len() };
        part + segments
    }

    #[cold]
    fn forget(&mut self) {
        if std::mem::take(&mut self.spent) {
            self.part.clear();
        }
        if std::mem::take(&mut self.shown) {
            self.segments.clear();
            self.segments.shrink_to(HELD_MAX);
        }
        self.part.shrink_to(HELD_MAX);
    }

    /// Completes `part` from `bytes` as far as they reach; its header when it is whole.
    #[cold]
    fn fill(&mut self, bytes: &mut &[u8]) -> Result<Option<Header>, Fault> {
        if !self.draw(bytes, HEADER_BYTES) {
            return Ok(None);
        }
        let Some(head) = self.part.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        let header = Header::parse(head)?;
        Ok(self.draw(bytes, HEADER_BYTES + header.size).then_some(header))
    }

    /// Lets `part` grow to `length`; whether it got there.
    fn draw(&mut self, bytes: &mut &[u8], length: usize) -> bool {
        let missing = length.saturating_sub(self.part.len()).min(bytes.len());
        let (head, rest) = bytes.split_at(missing);
        self.part.extend_from_slice(head);
        *bytes = rest;
        self.part.len() >= length
    }

    fn joined(&mut self) -> Option<Frame<'_>> {
        self.shown = true;
        self.open.take().map(|header| header.frame(&self.segments))
    }
}

/// Memory that a circuit keeps after a long message.
const HELD_MAX: usize = 64 << 10;

/// Adds a segment; whether it was the last.
#[cold]
fn join(
    open: &mut Option<Header>,
    segments: &mut Vec<u8>,
    header: &Header,
    payload: &[u8],
) -> Result<bool, Fault> {
    let part = header.segment().unwrap_or(LAST);
    match open {
        None if part == FIRST => *open = Some(*header),
        Some(first)
            if part != FIRST
                && first.command == header.command
                && Order::of(first.flags) == Order::of(header.flags) => {}
        _ => return Err(Fault::Segments),
    }
    if segments.len() + payload.len() > MESSAGE_BYTES_MAX {
        return Err(Fault::TooLong);
    }
    segments.extend_from_slice(payload);
    Ok(part == LAST)
}

/// Appends a control message: `order` is what it is about, or of its value.
pub fn write_control(out: &mut Vec<u8>, order: Order, sender: Sender, command: u8) {
    let flags = CONTROL | order.flag() | sender.flag();
    out.extend_from_slice(&[MAGIC, VERSION, flags, command, 0, 0, 0, 0]);
}

/// Bytes of the message at the start of `bytes`, as far as they are there.
pub fn message_bytes(bytes: &[u8]) -> usize {
    let header = bytes.first_chunk().and_then(|head| Header::parse(head).ok());
    header.map_or(bytes.len(), |header| bytes.len().min(HEADER_BYTES + header.size))
}

/// The messages of a datagram, which holds whole ones.
pub fn datagram(mut bytes: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    std::iter::from_fn(move || {
        let header = Header::parse(bytes.first_chunk()?).ok()?;
        let payload = bytes[HEADER_BYTES..].get(..header.size)?;
        bytes = &bytes[HEADER_BYTES + header.size..];
        Some(header.frame(payload))
    })
}
