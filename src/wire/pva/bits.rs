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
pub fn write_bits<B>(out: &mut Vec<u8>, order: Order, bits: B)
where
    B: IntoIterator<Item = usize, IntoIter: Clone>,
{
    let bits = bits.into_iter();
    let used = bits.clone().max().map_or(0, |last| last / 8 + 1);
    // Sets are small: to look through one for each word is cheaper than to hold the words.
    let word = |index| {
        let here = bits.clone().filter(|bit| bit / 64 == index);
        here.fold(0_u64, |word, bit| word | 1 << (bit % 64))
    };
    write_size(out, order, used);
    let whole = used / 8;
    (0..whole).for_each(|index| put(out, order, word(index)));
    out.extend_from_slice(&word(whole).to_le_bytes()[..used % 8]);
}
