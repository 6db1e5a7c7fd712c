//! DBR types: how values lie in a payload.
//!
//! ```text
//! plain  elements
//! STS    status i16, severity i16, elements
//! TIME   status, severity, seconds u32 and nanoseconds u32 since 1990, elements
//! GR     status, severity, precision i16 + 2 (floats), units char[8], 6 limits, elements
//! CTRL   as GR, with 8 limits
//! ```
//! of STRING without limits, of ENUM with its names instead; elements begin where
//! [`Dbr::value_offset`] says.

use super::header::{u16_at, u32_at, u64_at};

/// What is told beside the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum Class {
    /// Nothing.
    Plain = 0,
    /// The alarm.
    Sts = 1,
    /// The alarm and the time.
    Time = 2,
    /// The alarm, units and display limits.
    Gr = 3,
    /// The alarm, units, display and control limits.
    Ctrl = 4,
}

/// What an element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum Base {
    /// 40 bytes, ended by NUL.
    String = 0,
    /// i16.
    Short = 1,
    /// f32.
    Float = 2,
    /// u16, an index into names.
    Enum = 3,
    /// u8.
    Char = 4,
    /// i32.
    Long = 5,
    /// f64.
    Double = 6,
}

impl Class {
    const ALL: [Self; 5] = [Self::Plain, Self::Sts, Self::Time, Self::Gr, Self::Ctrl];
}

impl Base {
    const ALL: [Self; 7] =
        [Self::String, Self::Short, Self::Float, Self::Enum, Self::Char, Self::Long, Self::Double];

    /// Bytes of an element.
    pub const fn bytes(self) -> usize {
        match self {
            Self::String => 40,
            Self::Short | Self::Enum => 2,
            Self::Float | Self::Long => 4,
            Self::Char => 1,
            Self::Double => 8,
        }
    }
}

/// A DBR type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dbr {
    /// What is told beside the value.
    pub class: Class,
    /// What an element is.
    pub base: Base,
}

impl Dbr {
    /// A stamped f64.
    pub const TIME_DOUBLE: Self = Self { class: Class::Time, base: Base::Double };
    /// A stamped i32.
    pub const TIME_LONG: Self = Self { class: Class::Time, base: Base::Long };

    /// The type of a code on the wire; `None` where we do not know it.
    #[inline]
    pub fn from_code(code: u16) -> Option<Self> {
        let bases = Base::ALL.len() as u16;
        let class = *Class::ALL.get(usize::from(code / bases))?;
        Some(Self { class, base: Base::ALL[usize::from(code % bases)] })
    }

    /// The code on the wire.
    #[inline]
    pub const fn code(self) -> u16 {
        self.class as u16 * Base::ALL.len() as u16 + self.base as u16
    }

    /// Where the elements begin.
    pub const fn value_offset(self) -> usize {
        match self.class {
            Class::Plain => 0,
            Class::Sts => match self.base {
                Base::Char => 5,
                Base::Double => 8,
                _ => 4,
            },
            Class::Time => match self.base {
                Base::Short | Base::Enum => 14,
                Base::Char => 15,
                Base::Double => 16,
                _ => 12,
            },
            Class::Gr => match self.base {
                Base::String => 4,
                Base::Char => 19,
                Base::Short => 24,
                Base::Long => 36,
                Base::Float => 40,
                Base::Double => 64,
                Base::Enum => 422,
            },
            Class::Ctrl => match self.base {
                Base::String => 4,
                Base::Char => 21,
                Base::Short => 28,
                Base::Long => 44,
                Base::Float => 48,
                Base::Double => 80,
                Base::Enum => 422,
            },
        }
    }

    /// Bytes of a payload with `count` elements, its padding included.
    #[inline]
    pub const fn payload_bytes(self, count: u32) -> u64 {
        let bytes = self.value_offset() as u64 + count as u64 * self.base.bytes() as u64;
        bytes.next_multiple_of(8)
    }
}

/// When a value was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// Seconds since 1990-01-01, UTC.
    pub seconds: u32,
    /// Nanoseconds of the second.
    pub nanos: u32,
}

impl Stamp {
    /// From 1970 to 1990.
    const EPOCH_SECONDS: u64 = 631_152_000;

    /// The stamp of a time in ns since 1970; what lies before 1990 is 1990.
    #[inline]
    pub const fn from_unix_ns(ns: u64) -> Self {
        let seconds = (ns / 1_000_000_000).saturating_sub(Self::EPOCH_SECONDS);
        Self { seconds: seconds as u32, nanos: (ns % 1_000_000_000) as u32 }
    }

    /// The time in ns since 1970.
    #[inline]
    pub const fn to_unix_ns(self) -> u64 {
        (self.seconds as u64 + Self::EPOCH_SECONDS) * 1_000_000_000 + self.nanos as u64
    }
}

/// A view on the data of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value<'a> {
    dbr: Dbr,
    count: u32,
    data: &'a [u8],
}

impl<'a> Value<'a> {
    /// The view; `None` where `data` are too short for `count` elements, or the type is unknown.
    #[inline]
    pub fn read(data_type: u16, count: u32, data: &'a [u8]) -> Option<Self> {
        let dbr = Dbr::from_code(data_type)?;
        let bytes = dbr.value_offset() as u64 + u64::from(count) * dbr.base.bytes() as u64;
        (bytes <= data.len() as u64).then_some(Self { dbr, count, data })
    }

    /// The type.
    pub const fn dbr(&self) -> Dbr {
        self.dbr
    }

    /// Elements.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Alarm status and severity; zeros where the type has none.
    pub fn alarm(&self) -> (u16, u16) {
        match self.dbr.class {
            Class::Plain => (0, 0),
            _ => (u16_at(self.data, 0), u16_at(self.data, 2)),
        }
    }

    /// When it was made; `None` where the type does not say.
    pub fn stamp(&self) -> Option<Stamp> {
        (self.dbr.class == Class::Time)
            .then(|| Stamp { seconds: u32_at(self.data, 4), nanos: u32_at(self.data, 8) })
    }

    /// Element `index` as a number: of a string the one that it spells. `None` where there is no
    /// such element, or the string spells none.
    #[inline]
    pub fn number(&self, index: u32) -> Option<f64> {
        if index >= self.count {
            return None;
        }
        let at = self.dbr.value_offset() + index as usize * self.dbr.base.bytes();
        Some(match self.dbr.base {
            Base::String => return self.text(index)?.trim().parse().ok(),
            Base::Short => f64::from(u16_at(self.data, at).cast_signed()),
            Base::Float => f64::from(f32::from_bits(u32_at(self.data, at))),
            Base::Enum => f64::from(u16_at(self.data, at)),
            Base::Char => f64::from(self.data[at]),
            Base::Long => f64::from(u32_at(self.data, at).cast_signed()),
            Base::Double => f64::from_bits(u64_at(self.data, at)),
        })
    }

    /// Element `index` of a string; `None` where it is not, or is not UTF-8.
    pub fn text(&self, index: u32) -> Option<&'a str> {
        if index >= self.count || self.dbr.base != Base::String {
            return None;
        }
        let at = self.dbr.value_offset() + index as usize * Base::String.bytes();
        let field = &self.data[at..at + Base::String.bytes()];
        std::str::from_utf8(super::header::text_of(field)).ok()
    }
}

/// Appends the payload of `dbr` with these elements: no alarm, no units, no limits, and padded.
/// Numbers are converted as C does it, but what does not fit an integer wraps round, as a counter
/// does.
pub fn write_value(dbr: Dbr, stamp: Stamp, elements: impl Iterator<Item = f64>, out: &mut Vec<u8>) {
    let begin = out.len();
    out.resize(begin + dbr.value_offset(), 0);
    if dbr.class == Class::Time {
        out[begin + 4..begin + 8].copy_from_slice(&stamp.seconds.to_be_bytes());
        out[begin + 8..begin + 12].copy_from_slice(&stamp.nanos.to_be_bytes());
    }
    for element in elements {
        let whole = element as i64;
        match dbr.base {
            Base::String => {
                let mut field = [0; Base::String.bytes()];
                let text = element.to_string();
                let length = text.len().min(field.len() - 1);
                field[..length].copy_from_slice(&text.as_bytes()[..length]);
                out.extend_from_slice(&field);
            }
            Base::Short | Base::Enum => out.extend_from_slice(&(whole as u16).to_be_bytes()),
            Base::Float => out.extend_from_slice(&(element as f32).to_be_bytes()),
            Base::Char => out.push(whole as u8),
            Base::Long => out.extend_from_slice(&(whole as u32).to_be_bytes()),
            Base::Double => out.extend_from_slice(&element.to_be_bytes()),
        }
    }
    let length = (out.len() - begin).next_multiple_of(8);
    out.resize(begin + length, 0);
}
