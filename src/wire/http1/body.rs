//! Where a body ends, found in any slices of it, without holding a byte.
//!
//! ```text
//!   Length      left bytes, then done
//!   UntilClose  never done: the end of the connection is its end
//!   Chunked     Size ─┬─▶ Padding ─┬─▶ SizeEnd ─▶ Data ─▶ DataEnd ─▶ DataLf ─▶ Size
//!                     └─▶ Extension┘      └ of 0 ─▶ LineStart ◀─▶ Trailer
//!                                                       └─▶ LastLf ─▶ Done
//! ```

use super::{CHUNK_LINE_BYTES_MAX, Fault, HEAD_BYTES_MAX};

/// How a body is delimited, and how far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// This many bytes are still to come; 0 to 2^64 - 1.
    Length(u64),
    /// In chunks.
    Chunked(Chunks),
    /// Until the peer closes.
    UntilClose,
}

/// How far a chunked body has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunks {
    state: State,
    /// Bytes of this size line, or of the trailers.
    line_bytes: u16,
    /// The size as read so far, then the bytes of the chunk that are still to come; below 2^63.
    left: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Hex digits, at least one.
    Size,
    /// Blanks after the size.
    Padding,
    /// `;name=value`: read over.
    Extension,
    /// The LF of the size line.
    SizeEnd,
    /// The chunk itself.
    Data,
    /// The CR LF after a chunk.
    DataEnd,
    /// The LF after a chunk.
    DataLf,
    /// A trailer line or the empty line after the last chunk.
    LineStart,
    /// Within a trailer line: read over.
    Trailer,
    /// The LF of the empty line.
    LastLf,
    /// Whole.
    Done,
}

/// A chunk size below this may take one more hex digit and stay below 2^63.
const SIZE_SHIFTABLE: u64 = 1 << 59;

impl Body {
    /// No body at all.
    pub const EMPTY: Self = Self::Length(0);
    /// A chunked body of which nothing has come.
    pub const CHUNKED: Self = Self::Chunked(Chunks { state: State::Size, line_bytes: 0, left: 0 });

    /// Takes what belongs to the body from the front of `bytes` and gives its length; what is
    /// beyond belongs to the next message. O(1) for all but the framing of chunks.
    ///
    /// # Errors
    /// [`Fault::Chunk`]; the body is of no use after it.
    #[inline]
    pub fn take(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        match self {
            Self::Length(left) => Ok(skip(left, bytes.len())),
            Self::Chunked(chunks) => chunks.take(bytes),
            Self::UntilClose => Ok(bytes.len()),
        }
    }

    /// Whether the body is whole. One that lasts until the connection's end never is.
    #[inline]
    pub fn is_done(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunks) => chunks.state == State::Done,
            Self::UntilClose => false,
        }
    }
}

/// Takes up to `available` from `left` and gives how many that were.
fn skip(left: &mut u64, available: usize) -> usize {
    // What exceeds usize exceeds any slice.
    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(available);
    *left -= taken as u64;
    taken
}

impl Chunks {
    fn take(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let mut taken = 0;
        while taken < bytes.len() && self.state != State::Done {
            if self.state == State::Data {
                taken += skip(&mut self.left, bytes.len() - taken);
                if self.left == 0 {
                    self.state = State::DataEnd;
                }
            } else {
                self.step(bytes[taken])?;
                taken += 1;
            }
        }
        Ok(taken)
    }

    /// One byte of the framing.
    fn step(&mut self, byte: u8) -> Result<(), Fault> {
        self.state = match (self.state, byte) {
            (State::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => self.digit(byte)?,
            // Every other byte of the size line asks for a digit before it.
            (State::Size, _) if self.line_bytes == 0 => return Err(Fault::Chunk),
            (State::Size | State::Padding, b' ' | b'\t') => State::Padding,
            (State::Size | State::Padding, b';') => State::Extension,
            (State::Size | State::Padding | State::Extension, b'\r') => State::SizeEnd,
            (State::Size | State::Padding | State::Extension | State::SizeEnd, b'\n') => {
                return self.begin(if self.left == 0 { State::LineStart } else { State::Data });
            }
            (State::Extension, _) => State::Extension,
            (State::DataEnd, b'\r') => State::DataLf,
            (State::DataEnd | State::DataLf, b'\n') => return self.begin(State::Size),
            (State::LineStart, b'\r') => State::LastLf,
            (State::LineStart | State::LastLf, b'\n') => State::Done,
            (State::Trailer, b'\n') => State::LineStart,
            (State::LineStart | State::Trailer, _) => State::Trailer,
            _ => return Err(Fault::Chunk),
        };
        self.count()
    }

    /// A part that counts its own bytes.
    fn begin(&mut self, state: State) -> Result<(), Fault> {
        self.state = state;
        self.line_bytes = 0;
        Ok(())
    }

    fn count(&mut self) -> Result<(), Fault> {
        let limit = match self.state {
            State::LineStart | State::Trailer | State::LastLf => HEAD_BYTES_MAX,
            _ => CHUNK_LINE_BYTES_MAX,
        };
        self.line_bytes += 1;
        if usize::from(self.line_bytes) > limit { Err(Fault::Chunk) } else { Ok(()) }
    }

    fn digit(&mut self, byte: u8) -> Result<State, Fault> {
        if self.left >= SIZE_SHIFTABLE {
            return Err(Fault::Chunk);
        }
        let digit = (byte as char).to_digit(16).ok_or(Fault::Chunk)?;
        self.left = self.left << 4 | u64::from(digit);
        Ok(State::Size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a chunked body makes of `bytes` in one piece and byte by byte: how many belong to
    /// it and whether it is whole.
    #[track_caller]
    fn check(bytes: &[u8], expect: Result<(usize, bool), Fault>) {
        let mut whole = Body::CHUNKED;
        assert_eq!(whole.take(bytes).map(|n| (n, whole.is_done())), expect, "in one piece");
        let mut split = Body::CHUNKED;
        let taken: Result<Vec<usize>, Fault> = bytes.chunks(1).map(|b| split.take(b)).collect();
        let split = taken.map(|t| (t.iter().sum(), split.is_done()));
        assert_eq!(split, expect, "byte by byte");
    }

    #[track_caller]
    fn check_whole(bytes: &[u8]) {
        check(bytes, Ok((bytes.len(), true)));
    }

    #[test]
    fn chunks_end_with_the_empty_line_after_the_last() {
        check(b"0\r\n\r\n", Ok((5, true)));
        check(b"5\r\nhello\r\n0\r\n\r\nHTTP", Ok((15, true)));
        check(b"a\r\n0123456789\r\n0A\r\n0123456789\r\n000\r\n\r\n", Ok((38, true)));
        check(b"5\nhello\n0\n\n", Ok((11, true)));
        check(b"5\r\nhello\r\n0\r\n", Ok((13, false)));
        check(b"", Ok((0, false)));
    }

    #[test]
    fn extensions_padding_and_trailers_are_read_over() {
        check_whole(b"1;a=\"b c\";d\r\nx\r\n0 ;e\r\n\r\n");
        check_whole(b"1 \t\r\nx\r\n0  \n\r\n");
        check_whole(b"0\r\nA: b\r\nC: d\r\n\r\n");
        check_whole(b"0\r\nA: b\nC: d\n\n");
    }

    #[test]
    fn malformed_chunks_are_faults() {
        for bytes in [
            &b"\r\n"[..],
            b";a\r\n",
            b" 5\r\n",
            b"g\r\n",
            b"-1\r\n",
            b"+1\r\n",
            b"0x5\r\n",
            b"5 5\r\n",
            b"5\rx",
            b"5;a\rb\n",
            b"1\r\nxx",
            b"1\r\nx\rx",
            b"0\r\n\rx",
        ] {
            check(bytes, Err(Fault::Chunk));
        }
    }

    #[test]
    fn a_chunk_of_2_to_the_63_is_a_fault_and_one_less_is_not() {
        check(b"7fffffffffffffff\r\nx", Ok((19, false)));
        check(b"00007fffffffffffffff\r\n", Ok((22, false)));
        check(b"8000000000000000\r\n", Err(Fault::Chunk));
        check(b"10000000000000000\r\n", Err(Fault::Chunk));
    }

    #[test]
    fn a_size_line_and_trailers_without_end_are_faults() {
        let endless = |start: &str, length: usize, with: &str| {
            let mut bytes = start.as_bytes().to_vec();
            bytes.extend(with.bytes().cycle().take(length));
            bytes
        };
        check(&endless("1;", CHUNK_LINE_BYTES_MAX - 2, "a"), Ok((CHUNK_LINE_BYTES_MAX, false)));
        check(&endless("1;", CHUNK_LINE_BYTES_MAX - 1, "a"), Err(Fault::Chunk));
        check(&endless("", CHUNK_LINE_BYTES_MAX + 1, "0"), Err(Fault::Chunk));
        check(&endless("0\n", HEAD_BYTES_MAX, "a\n"), Ok((HEAD_BYTES_MAX + 2, false)));
        check(&endless("0\n", HEAD_BYTES_MAX + 1, "a\n"), Err(Fault::Chunk));
    }

    #[test]
    fn a_length_counts_down_to_nothing_from_any_height() {
        let mut body = Body::Length(u64::MAX);
        assert_eq!(body.take(&[0; 1000]), Ok(1000));
        assert_eq!(body, Body::Length(u64::MAX - 1000));
        let mut body = Body::Length(3);
        assert_eq!(body.take(b"ab"), Ok(2));
        assert!(!body.is_done());
        assert_eq!(body.take(b"cd"), Ok(1));
        assert!(body.is_done());
        assert_eq!(body.take(b"e"), Ok(0));
    }

    #[test]
    fn a_body_until_close_takes_all_and_is_never_whole() {
        let mut body = Body::UntilClose;
        assert_eq!(body.take(b"abc"), Ok(3));
        assert!(!body.is_done());
        assert!(Body::EMPTY.is_done());
    }
}
