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

/// Units of a duration, the smallest first.
const TIME_UNITS: [(&str, u64); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", Nanos::PER_SECOND),
    ("m", 60 * Nanos::PER_SECOND),
    ("h", 3600 * Nanos::PER_SECOND),
    ("d", 86_400 * Nanos::PER_SECOND),
];
/// Those that are displayed: readers of earlier logs know no days.
const SHOWN_UNITS: usize = 6;

impl FromStr for Nanos {
    type Err = ParseError;

    /// `500us`, `10ms`, `1.5s`, `1h30m`, `1d`, the larger units first; a bare number is seconds.
    fn from_str(typed: &str) -> Result<Self, ParseError> {
        let rule = "a time is a number with ns, us, ms, s, m, h or d (bare: seconds), like 10s, \
                    1.5ms or 1h30m";
        super::quantity::scaled_decimal(typed, Self::PER_SECOND)
            .or_else(|| sum_of_units(typed))
            .map(Self)
            .ok_or_else(|| ParseError::new(typed, rule))
    }
}

/// `1h30m` in ns: numbers, each with its unit, from the largest unit to the smallest.
fn sum_of_units(typed: &str) -> Option<u64> {
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let (mut rest, mut sum, mut unit_before) = (typed, 0u64, u64::MAX);
    loop {
        let (number, after) = rest.split_at(rest.find(|c| !is_number(c))?);
        let (name, next) = after.split_at(after.find(is_number).unwrap_or(after.len()));
        let &(_, unit) = TIME_UNITS.iter().find(|(known, _)| *known == name)?;
        if unit >= unit_before {
            return None;
        }
        sum = sum.checked_add(super::quantity::scaled_decimal(number, unit)?)?;
        if next.is_empty() {
            return Some(sum);
        }
        (rest, unit_before) = (next, unit);
    }
}

impl fmt::Display for Nanos {
    /// The largest unit that divides the length exactly: what [`Nanos::from_str`] reads back
    /// without loss.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let shown = &TIME_UNITS[..SHOWN_UNITS];
        let largest = shown.iter().rev().find(|(_, factor)| self.0.is_multiple_of(*factor));
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
        reads("1d", 86_400_000_000_000);
    }

    #[test]
    fn a_duration_is_a_sum_of_falling_units() {
        reads("1h30m", 5_400_000_000_000);
        reads("1d1h1m1s1ms1us1ns", 90_061_001_001_001);
        reads("2m0.5s", 120_500_000_000);
    }

    #[test]
    fn a_wrong_duration_names_itself_and_the_rule() {
        for typed in [
            "",
            "s",
            "-1s",
            "1x",
            "1 s",
            "1e3",
            "nan",
            "1.s5",
            "99999999999999h",
            "30m1h",
            "1m1m",
            "1h30",
            "1h30mx",
            "1hm",
            "200000d400000h",
        ] {
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
