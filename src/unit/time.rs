//! Points and lengths of time, in integer nanoseconds.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::str::FromStr;

use super::text::ParseError;

/// A point in time on the run's clock, in ns since that clock's own zero. Only differences mean
/// anything; `Instant - Instant` is [`Nanos`] and `Instant + Instant` does not compile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub u64);

/// A length of time in ns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanos(pub u64);

impl Instant {
    /// The clock's zero.
    pub const ZERO: Self = Self(0);
    /// Later than every other instant: "never".
    pub const NEVER: Self = Self(u64::MAX);

    /// Time since `earlier`, zero where `earlier` is in fact later.
    #[inline]
    pub fn since(self, earlier: Self) -> Nanos {
        Nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Nanos {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// Nanoseconds in a second.
    pub const PER_SECOND: u64 = 1_000_000_000;

    /// `seconds` whole seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds * Self::PER_SECOND)
    }

    /// `millis` whole milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000_000)
    }

    /// `micros` whole microseconds.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros * 1_000)
    }

    /// In seconds, for display.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / Self::PER_SECOND as f64
    }

    /// In milliseconds, for display.
    pub fn as_millis_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl Add<Nanos> for Instant {
    type Output = Self;
    #[inline]
    fn add(self, length: Nanos) -> Self {
        Self(self.0.saturating_add(length.0))
    }
}

impl Sub for Instant {
    type Output = Nanos;
    #[inline]
    fn sub(self, earlier: Self) -> Nanos {
        debug_assert!(self >= earlier, "{self:?} is before {earlier:?}");
        Nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add for Nanos {
    type Output = Self;
    fn add(self, more: Self) -> Self {
        Self(self.0.saturating_add(more.0))
    }
}

impl AddAssign for Nanos {
    fn add_assign(&mut self, more: Self) {
        *self = *self + more;
    }
}

/// Units that a duration may be typed in, longest name first so that `ms` is not read as `m`.
const TIME_UNITS: [(&str, u64); 6] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", Nanos::PER_SECOND),
    ("m", 60 * Nanos::PER_SECOND),
    ("h", 3600 * Nanos::PER_SECOND),
];

impl FromStr for Nanos {
    type Err = ParseError;

    /// `500us`, `10ms`, `1.5s`, `2m`, `1h`; a bare number is seconds.
    fn from_str(typed: &str) -> Result<Self, ParseError> {
        let rule =
            "a time is a number with ns, us, ms, s, m or h (bare: seconds), like 10s or 1.5ms";
        let (number, factor) = TIME_UNITS
            .iter()
            .find_map(|&(name, factor)| typed.strip_suffix(name).map(|number| (number, factor)))
            .unwrap_or((typed, Self::PER_SECOND));
        super::quantity::scaled_decimal(number, factor)
            .map(Nanos)
            .ok_or_else(|| ParseError::new(typed, rule))
    }
}

impl fmt::Display for Nanos {
    /// The largest unit that divides the length exactly: what [`Nanos::from_str`] reads back
    /// without loss.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let largest = TIME_UNITS.iter().rev().find(|(_, factor)| self.0.is_multiple_of(*factor));
        let &(name, factor) = largest.unwrap_or(&TIME_UNITS[0]);
        write!(f, "{}{name}", self.0 / factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(typed: &str, nanos: u64) {
        assert_eq!(typed.parse::<Nanos>(), Ok(Nanos(nanos)), "{typed}");
    }

    #[test]
    fn a_duration_reads_in_every_unit() {
        reads("10", 10_000_000_000);
        reads("0", 0);
        reads("500us", 500_000);
        reads("1.5ms", 1_500_000);
        reads("7ns", 7);
        reads("2m", 120_000_000_000);
        reads("1h", 3_600_000_000_000);
        reads("0.25s", 250_000_000);
    }

    #[test]
    fn a_wrong_duration_names_itself_and_the_rule() {
        for typed in ["", "s", "-1s", "1x", "1 s", "1e3", "nan", "1.s5", "99999999999999h"] {
            let error = typed.parse::<Nanos>().unwrap_err().to_string();
            assert!(error.contains("like 10s"), "{typed}: {error}");
        }
    }

    #[test]
    fn what_is_displayed_reads_back_the_same() {
        for nanos in [0, 1, 999, 1_000, 1_500_000, 60_000_000_000, 90_000_000_000, u64::MAX] {
            let shown = Nanos(nanos).to_string();
            assert_eq!(shown.parse::<Nanos>().unwrap(), Nanos(nanos), "{shown}");
        }
    }
}
