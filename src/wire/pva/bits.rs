//! Bit sets: which fields of a structure a message holds.

use super::write::put;
use super::{Fault, Order, Reader, write_size};

/// A bit set as it stands in a message: whole words of eight bytes in the message's order, the
/// bytes after them lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bits<'a> {
    bytes: &'a [u8],
    order: Order,
}

impl<'a> Bits<'a> {
    /// Reads a bit set.
    ///
    /// # Errors
    /// The message ends before.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, Fault> {
        let size = reader.size()?;
        Ok(Self { bytes: reader.take(size)?, order: reader.order() })
    }

    /// Whether bit `index` is set.
    #[inline]
    pub fn has(&self, index: usize) -> bool {
        let byte = index / 8;
        let words = self.bytes.len() / 8 * 8;
        let place = match self.order {
            Order::Big if byte < words => byte / 8 * 8 + 7 - byte % 8,
            _ => byte,
        };
        self.bytes.get(place).is_some_and(|&byte| byte >> (index % 8) & 1 == 1)
    }

    /// Whether no bit is set.
    pub fn is_empty(&self) -> bool {
        self.bytes.iter().all(|&byte| byte == 0)
    }

    /// Its bytes, without their size.
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// Appends the set of these bits.
pub fn write_bits(out: &mut Vec<u8>, order: Order, bits: impl IntoIterator<Item = usize>) {
    let mut words: Vec<u64> = Vec::new();
    for bit in bits {
        words.resize(words.len().max(bit / 64 + 1), 0);
        words[bit / 64] |= 1 << (bit % 64);
    }
    let used = words
        .iter()
        .rposition(|&word| word != 0)
        .map_or(0, |last| last * 8 + (64 - words[last].leading_zeros() as usize).div_ceil(8));
    write_size(out, order, used);
    let whole = used / 8;
    words.iter().take(whole).for_each(|&word| put(out, order, word));
    if let Some(last) = words.get(whole) {
        out.extend_from_slice(&last.to_le_bytes()[..used % 8]);
    }
}
