//! Which operation a completion is of: kind, generation and slot in 64 bits.
//!
//! ```text
//! 63      56 55            32 31             0
//! +---------+----------------+----------------+
//! |  kind   |   generation   |      slot      |
//! +---------+----------------+----------------+
//! ```
//! The generation grows each time that a slot gives a connection up, so that completions of the
//! old one are told from those of the new.

/// Names an operation in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token(u64);

const _: () = assert!(size_of::<Token>() == 8);

/// What kind of operation it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Making a socket.
    Socket = 1,
    /// Setting an option of it.
    Option = 2,
    /// Binding it.
    Bind = 3,
    /// Connecting it.
    Connect = 4,
    /// Sending.
    Send = 5,
    /// Receiving.
    Receive = 6,
    /// Disconnecting.
    Disconnect = 7,
    /// Cancelling.
    Cancel = 8,
    /// Closing.
    Close = 9,
    /// Accepting.
    Accept = 10,
}

impl Kind {
    const ALL: [Self; 10] = [
        Self::Socket,
        Self::Option,
        Self::Bind,
        Self::Connect,
        Self::Send,
        Self::Receive,
        Self::Disconnect,
        Self::Cancel,
        Self::Close,
        Self::Accept,
    ];
}

/// Generations before they start again; a completion cannot be that late.
const GENERATIONS: u32 = 1 << 24;

impl Token {
    /// No operation.
    pub const NONE: Self = Self(0);

    /// An operation on `slot` in its `generation`, of a kind yet to be said.
    #[inline]
    pub const fn new(slot: u32, generation: u32) -> Self {
        Self(((generation % GENERATIONS) as u64) << 32 | slot as u64)
    }

    /// The same, of this kind.
    #[inline]
    #[must_use]
    pub const fn of(self, kind: Kind) -> Self {
        Self(self.0 & !(0xff << 56) | (kind as u64) << 56)
    }

    /// The bits as the kernel carries them.
    #[inline]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// What [`Token::to_bits`] gave.
    #[inline]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The kind; `None` where none was said.
    #[inline]
    pub fn kind(self) -> Option<Kind> {
        Kind::ALL.get(((self.0 >> 56) as usize).wrapping_sub(1)).copied()
    }

    /// The slot.
    #[inline]
    pub const fn slot(self) -> u32 {
        self.0 as u32
    }

    /// Whether it is of this generation of its slot.
    #[inline]
    pub const fn is_of(self, generation: u32) -> bool {
        (self.0 >> 32) as u32 % GENERATIONS == generation % GENERATIONS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_keeps_kind_generation_and_slot_apart() {
        for kind in Kind::ALL {
            let token = Token::new(u32::MAX, GENERATIONS - 1).of(kind);
            assert_eq!(token.kind(), Some(kind));
            assert_eq!(token.slot(), u32::MAX);
            assert!(token.is_of(GENERATIONS - 1));
            assert!(!token.is_of(0));
            assert_eq!(Token::from_bits(token.to_bits()), token);
        }
        assert_eq!(Token::NONE.kind(), None);
        assert!(Token::new(3, GENERATIONS).is_of(0));
    }
}
