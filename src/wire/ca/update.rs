//! A short way for the most common update, one stamped number: it is read and written as a whole.

use super::dbr::{Dbr, Stamp};
use super::header::{u32_at, u64_at};
use super::{Status, command};

/// An update of a TIME_DOUBLE or TIME_LONG of one element, without an alarm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Update {
    /// The subscription.
    pub subid: u32,
    /// When the value was made.
    pub stamp: Stamp,
    /// The value; of a LONG its number.
    pub value: f64,
}

/// Command, payload size, type and count of the two shapes, as the first 8 bytes say them.
const DOUBLE: u64 = shape(24, Dbr::TIME_DOUBLE);
const LONG: u64 = shape(16, Dbr::TIME_LONG);

const fn shape(payload_bytes: u64, dbr: Dbr) -> u64 {
    (command::EVENT_ADD as u64) << 48 | payload_bytes << 32 | (dbr.code() as u64) << 16 | 1
}

impl Update {
    /// Bytes of the message with a DOUBLE.
    pub const DOUBLE_BYTES: usize = 40;
    /// Bytes of the message with a LONG.
    pub const LONG_BYTES: usize = 32;

    /// The update at the start of `bytes` and its length; `None` where what stands there is not
    /// whole or anything else, an update of another shape or without success among it: then
    /// [`Message::split`](super::Message::split) knows.
    #[inline]
    pub fn read(bytes: &[u8]) -> Option<(usize, Self)> {
        let head = bytes.first_chunk::<{ Self::LONG_BYTES }>()?;
        if u32_at(head, 8) != Status::NORMAL.0 {
            return None;
        }
        let stamp = Stamp { seconds: u32_at(head, 20), nanos: u32_at(head, 24) };
        let (length, value) = match u64_at(head, 0) {
            DOUBLE => {
                let whole = bytes.first_chunk::<{ Self::DOUBLE_BYTES }>()?;
                (whole.len(), f64::from_bits(u64_at(whole, 32)))
            }
            LONG => (head.len(), f64::from(u32_at(head, 28).cast_signed())),
            _ => return None,
        };
        Some((length, Self { subid: u32_at(head, 12), stamp, value }))
    }

    /// The message with a DOUBLE.
    #[inline]
    pub fn to_double_bytes(self) -> [u8; Self::DOUBLE_BYTES] {
        let mut bytes = [0; Self::DOUBLE_BYTES];
        bytes[..Self::LONG_BYTES].copy_from_slice(&self.head(DOUBLE));
        bytes[32..40].copy_from_slice(&self.value.to_be_bytes());
        bytes
    }

    /// The message with a LONG; a number beyond 32 bits wraps round.
    #[inline]
    pub fn to_long_bytes(self) -> [u8; Self::LONG_BYTES] {
        let mut bytes = self.head(LONG);
        bytes[28..32].copy_from_slice(&(self.value as i64 as u32).to_be_bytes());
        bytes
    }

    #[inline]
    fn head(self, shape: u64) -> [u8; Self::LONG_BYTES] {
        let mut bytes = [0; Self::LONG_BYTES];
        bytes[0..8].copy_from_slice(&shape.to_be_bytes());
        bytes[8..12].copy_from_slice(&Status::NORMAL.0.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.subid.to_be_bytes());
        bytes[20..24].copy_from_slice(&self.stamp.seconds.to_be_bytes());
        bytes[24..28].copy_from_slice(&self.stamp.nanos.to_be_bytes());
        bytes
    }
}
