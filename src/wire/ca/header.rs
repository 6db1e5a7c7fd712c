//! Framing: a header of 16 bytes, of 24 where sizes need it, then a payload padded to 8.
//!
//! ```text
//! 0          2              4           6        8             12            16
//! +---------+--------------+-----------+--------+-------------+-------------+
//! | command | payload size | data type | count  | parameter 1 | parameter 2 |
//! +---------+--------------+-----------+--------+-------------+-------------+
//! extended:  ffff                       0000     then u32 payload size, u32 count
//! ```

use super::Fault;

/// A header, extended or not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Header {
    /// What the message is.
    pub command: u16,
    /// Bytes of the payload, its padding included.
    pub payload_bytes: u32,
    /// A DBR type, or what the command has in its place.
    pub data_type: u16,
    /// Elements, or what the command has in their place.
    pub count: u32,
    /// Parameter 1.
    pub p1: u32,
    /// Parameter 2.
    pub p2: u32,
}

/// What the 16-bit size of an extended header says.
const EXTENDED: u16 = 0xffff;

impl Header {
    /// Bytes of a header that is not extended.
    pub const BYTES: usize = 16;
    /// Bytes of one that is.
    pub const EXTENDED_BYTES: usize = 24;

    /// The header at the start of `bytes` and its length; `None` where more bytes are needed.
    #[inline]
    pub fn read(bytes: &[u8]) -> Option<(usize, Self)> {
        let head = bytes.first_chunk::<{ Self::BYTES }>()?;
        let mut header = Self {
            command: u16_at(head, 0),
            payload_bytes: u32::from(u16_at(head, 2)),
            data_type: u16_at(head, 4),
            count: u32::from(u16_at(head, 6)),
            p1: u32_at(head, 8),
            p2: u32_at(head, 12),
        };
        if header.payload_bytes != u32::from(EXTENDED) || header.count != 0 {
            return Some((Self::BYTES, header));
        }
        let head = bytes.first_chunk::<{ Self::EXTENDED_BYTES }>()?;
        header.payload_bytes = u32_at(head, 16);
        header.count = u32_at(head, 20);
        Some((Self::EXTENDED_BYTES, header))
    }

    /// Appends the header, extended where the size or the count needs it.
    #[inline]
    pub fn write(&self, out: &mut Vec<u8>) {
        let small = |field: u32| u16::try_from(field).ok().filter(|&field| field != EXTENDED);
        let (size, count, is_extended) = match (small(self.payload_bytes), small(self.count)) {
            (Some(size), Some(count)) => (size, count, false),
            _ => (EXTENDED, 0, true),
        };
        let mut head = [0; Self::BYTES];
        head[0..2].copy_from_slice(&self.command.to_be_bytes());
        head[2..4].copy_from_slice(&size.to_be_bytes());
        head[4..6].copy_from_slice(&self.data_type.to_be_bytes());
        head[6..8].copy_from_slice(&count.to_be_bytes());
        head[8..12].copy_from_slice(&self.p1.to_be_bytes());
        head[12..16].copy_from_slice(&self.p2.to_be_bytes());
        out.extend_from_slice(&head);
        if is_extended {
            out.extend_from_slice(&self.payload_bytes.to_be_bytes());
            out.extend_from_slice(&self.count.to_be_bytes());
        }
    }
}

/// A message: a header and the bytes that belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// Its header.
    pub header: Header,
    /// Its payload, padding included.
    pub payload: &'a [u8],
}

impl<'a> Message<'a> {
    /// The message at the start of `bytes` and its length; `None` where more bytes are needed.
    ///
    /// # Errors
    /// A [`Fault`] where the payload is no multiple of 8, or more than `most` bytes.
    #[inline]
    pub fn split(bytes: &'a [u8], most: u32) -> Result<Option<(usize, Self)>, Fault> {
        let Some((head, header)) = Header::read(bytes) else { return Ok(None) };
        if !header.payload_bytes.is_multiple_of(8) {
            return Err(Fault::Unaligned(header.payload_bytes));
        }
        if header.payload_bytes > most {
            return Err(Fault::TooLong(header.payload_bytes));
        }
        let length = head + header.payload_bytes as usize;
        let Some(payload) = bytes.get(head..length) else { return Ok(None) };
        Ok(Some((length, Self { header, payload })))
    }

    /// Appends `header` and `payload`, padded with zeros; the header's payload size is set here.
    pub(super) fn write(header: Header, payload: &[u8], out: &mut Vec<u8>) {
        let padded = payload.len().next_multiple_of(8);
        Header { payload_bytes: padded as u32, ..header }.write(out);
        out.extend_from_slice(payload);
        out.resize(out.len() + padded - payload.len(), 0);
    }

    /// Appends `header` and a text with the NUL that ends it.
    pub(super) fn write_text(header: Header, text: &[u8], out: &mut Vec<u8>) {
        let padded = (text.len() + 1).next_multiple_of(8);
        Header { payload_bytes: padded as u32, ..header }.write(out);
        out.extend_from_slice(text);
        out.resize(out.len() + padded - text.len(), 0);
    }

    /// The payload up to its first NUL.
    pub(super) fn text(&self) -> &'a [u8] {
        text_of(self.payload)
    }
}

/// `bytes` up to the first NUL.
pub(super) fn text_of(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|&byte| byte == 0);
    &bytes[..end.unwrap_or(bytes.len())]
}

/// The messages of a datagram, or of the whole ones in a stream; ends at the first that is not
/// whole or is none.
#[derive(Debug, Clone)]
pub struct Messages<'a>(&'a [u8]);

impl<'a> Messages<'a> {
    /// Those in `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    #[inline]
    fn next(&mut self) -> Option<Message<'a>> {
        let (length, message) = Message::split(self.0, u32::MAX).ok()??;
        self.0 = &self.0[length..];
        Some(message)
    }
}

/// The big-endian number at `at`, which lies in `bytes`.
#[inline]
pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// As [`u16_at`].
#[inline]
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// As [`u16_at`].
#[inline]
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) << 32 | u64::from(u32_at(bytes, at + 4))
}
