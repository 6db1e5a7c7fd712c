//! Units as types: integers inside, floats only for display.
//!
//! | type | unit | range |
//! |---|---|---|
//! | [`Instant`] | ns on the run's clock | 0 to 584 years |
//! | [`Nanos`] | ns | 0 to 584 years |
//! | [`Rate`] | sessions per second, to a thousandth | 0.001 to 10^15, or `max` |
//! | [`ByteSize`] | bytes | 0 to 2^64 - 1 |
//! | [`Quantile`] | millionths | 0 to 1 |
//! | [`Share`] | millionths | 0 to 1 |
//!
//! Each parses what a user types and displays what a user reads.

mod quantity;
mod text;
mod time;
mod visible;

pub use quantity::{ByteSize, Count, Quantile, Rate, Share};
pub use text::{Field, ParseError, Text, TextError, made_visible};
#[doc(hidden)]
pub use text::{joined, read_line, write_line};
pub use time::{Instant, Nanos};
pub use visible::{is_hidden, visible};
