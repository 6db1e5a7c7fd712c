//! Primitives and whole messages, appended to a buffer.

use super::{Order, Sender};

/// Numbers that are written in either order.
pub(super) trait Number {
    fn write(self, out: &mut Vec<u8>, order: Order);
}

macro_rules! numbers {
    ($($number:ty),*) => { $(
        impl Number for $number {
            #[inline]
            fn write(self, out: &mut Vec<u8>, order: Order) {
                match order {
                    Order::Little => out.extend_from_slice(&self.to_le_bytes()),
                    Order::Big => out.extend_from_slice(&self.to_be_bytes()),
                }
            }
        }
    )* };
}

numbers!(u8, u16, u32, u64, i32, i64, f32, f64);

/// Appends a number.
#[inline]
pub(super) fn put(out: &mut Vec<u8>, order: Order, number: impl Number) {
    number.write(out, order);
}

/// Appends a size.
pub fn write_size(out: &mut Vec<u8>, order: Order, size: usize) {
    match u8::try_from(size) {
        Ok(small) if small < 0xfe => out.push(small),
        _ => {
            out.push(0xfe);
            put(out, order, u32::try_from(size).unwrap_or(u32::MAX));
        }
    }
}

/// Appends a string.
pub fn write_text(out: &mut Vec<u8>, order: Order, text: &str) {
    write_size(out, order, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// Appends a message of this command; `body` appends its payload.
#[inline]
pub fn message(
    out: &mut Vec<u8>,
    order: Order,
    sender: Sender,
    command: u8,
    body: impl FnOnce(&mut Vec<u8>),
) {
    let start = out.len();
    out.extend_from_slice(&[super::frame::MAGIC, super::frame::VERSION]);
    out.extend_from_slice(&[order.flag() | sender.flag(), command, 0, 0, 0, 0]);
    body(out);
    say_size(out, start, order);
}

/// Says how long the message is that begins at `start`, the last one in `out`.
#[inline]
pub(super) fn say_size(out: &mut [u8], start: usize, order: Order) {
    let size = (out.len() - start - super::HEADER_BYTES) as u32;
    let size = match order {
        Order::Little => size.to_le_bytes(),
        Order::Big => size.to_be_bytes(),
    };
    out[start + 4..start + 8].copy_from_slice(&size);
}
