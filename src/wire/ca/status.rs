//! What became of a request: the ECA codes.

use std::fmt;

/// An ECA code: a number shifted by 3, and a severity below it (1 success, 0 warning, 2 error,
/// 3 information, 4 severe).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status(pub u32);

impl Status {
    /// It worked.
    pub const NORMAL: Self = Self(0x01);
    /// More bytes than the server gives or takes.
    pub const TOO_LARGE: Self = Self(0x48);
    /// No such DBR type.
    pub const BAD_TYPE: Self = Self(0x72);
    /// An identifier of nothing, and other faults of the protocol.
    pub const INTERNAL: Self = Self(0x8e);
    /// The value cannot be read.
    pub const GET_FAILED: Self = Self(0x98);
    /// The value cannot be written.
    pub const PUT_FAILED: Self = Self(0xa0);
    /// A count that makes no sense.
    pub const BAD_COUNT: Self = Self(0xb0);
    /// No such subscription.
    pub const BAD_MONITOR: Self = Self(0xf2);
    /// May not be read.
    pub const NO_READ_ACCESS: Self = Self(0x170);
    /// May not be written.
    pub const NO_WRITE_ACCESS: Self = Self(0x178);
    /// No such channel.
    pub const BAD_CHANNEL: Self = Self(0x19a);

    /// Whether it worked.
    pub const fn is_success(self) -> bool {
        self.0 & 1 == 1
    }
}

impl fmt::Display for Status {
    /// EPICS' own name, or the number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::NORMAL => "ECA_NORMAL",
            Self::TOO_LARGE => "ECA_TOLARGE",
            Self::BAD_TYPE => "ECA_BADTYPE",
            Self::INTERNAL => "ECA_INTERNAL",
            Self::GET_FAILED => "ECA_GETFAIL",
            Self::PUT_FAILED => "ECA_PUTFAIL",
            Self::BAD_COUNT => "ECA_BADCOUNT",
            Self::BAD_MONITOR => "ECA_BADMONID",
            Self::NO_READ_ACCESS => "ECA_NORDACCESS",
            Self::NO_WRITE_ACCESS => "ECA_NOWTACCESS",
            Self::BAD_CHANNEL => "ECA_BADCHID",
            Self(code) => return write!(f, "ECA {code:#x}"),
        })
    }
}
