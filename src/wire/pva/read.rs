//! Primitives, read off the front of a slice.

use super::{Fault, Order};

/// What is left of a message, in its byte order.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    order: Order,
}

macro_rules! numbers {
    ($($(#[$meta:meta])* $name:ident: $number:ty, $bytes:literal;)*) => { $(
        $(#[$meta])*
        ///
        /// # Errors
        /// The message ends before.
        #[inline]
        pub fn $name(&mut self) -> Result<$number, Fault> {
            let (head, rest) = self.bytes.split_first_chunk::<$bytes>().ok_or(Fault::Short)?;
            self.bytes = rest;
            Ok(match self.order {
                Order::Little => <$number>::from_le_bytes(*head),
                Order::Big => <$number>::from_be_bytes(*head),
            })
        }
    )* };
}

impl<'a> Reader<'a> {
    /// Reads `bytes` in this order.
    #[inline]
    pub fn new(bytes: &'a [u8], order: Order) -> Self {
        Self { bytes, order }
    }

    /// The byte order.
    #[inline]
    pub fn order(&self) -> Order {
        self.order
    }

    /// What has not been read yet.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    numbers! {
        /// An unsigned byte.
        u8: u8, 1;
        /// Two bytes.
        u16: u16, 2;
        /// Four bytes.
        u32: u32, 4;
        /// Eight bytes.
        u64: u64, 8;
        /// A single.
        f32: f32, 4;
        /// A double.
        f64: f64, 8;
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// The message ends before.
    #[inline]
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (head, rest) = self.bytes.split_at_checked(count).ok_or(Fault::Short)?;
        self.bytes = rest;
        Ok(head)
    }

    /// A size; that of nothing (`ff`) is 0.
    ///
    /// # Errors
    /// The message ends before.
    #[inline]
    pub fn size(&mut self) -> Result<usize, Fault> {
        Ok(match self.u8()? {
            0xff => 0,
            0xfe => self.u32()? as usize,
            small => usize::from(small),
        })
    }

    /// A string as it came: not every peer keeps to UTF-8.
    ///
    /// # Errors
    /// The message ends before.
    #[inline]
    pub fn text_bytes(&mut self) -> Result<&'a [u8], Fault> {
        let size = self.size()?;
        self.take(size)
    }

    /// A name.
    ///
    /// # Errors
    /// The message ends before, or it is not UTF-8.
    pub fn text(&mut self) -> Result<&'a str, Fault> {
        std::str::from_utf8(self.text_bytes()?).map_err(|_| Fault::Text)
    }
}
