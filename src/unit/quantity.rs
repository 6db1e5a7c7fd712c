//! Rates, counts, sizes and quantiles.

use std::fmt;
use std::str::FromStr;

use super::text::ParseError;
use super::time::Nanos;

/// Reads a plain decimal (`12`, `1.5`, `.5`; no sign, no exponent) times `factor`, exactly.
/// `None` where it is not one, has digits finer than a unit, or leaves 64 bits.
pub(super) fn scaled_decimal(typed: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = typed.split_once('.').unwrap_or((typed, ""));
    let digits_only = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits_only(whole) || !digits_only(fraction) {
        return None;
    }
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut value = whole.checked_mul(u128::from(factor))?;
    let fraction = fraction.trim_end_matches('0');
    if !fraction.is_empty() {
        let scale = 10u128.checked_pow(fraction.len() as u32)?;
        let part = fraction.parse::<u128>().ok()?.checked_mul(u128::from(factor))?;
        if !part.is_multiple_of(scale) {
            return None;
        }
        value = value.checked_add(part / scale)?;
    }
    u64::try_from(value).ok()
}

fn with_suffix(typed: &str, suffixes: &[(&str, u64)], unit: u64) -> Option<u64> {
    let (number, factor) = suffixes
        .iter()
        .find_map(|&(name, factor)| typed.strip_suffix(name).map(|number| (number, factor)))
        .unwrap_or((typed, 1));
    scaled_decimal(number, factor.checked_mul(unit)?)
}

const DECIMAL: [(&str, u64); 4] =
    [("k", 1_000), ("K", 1_000), ("M", 1_000_000), ("G", 1_000_000_000)];

/// How many sessions start in a second, over all shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// Closed loop: a session starts when one ends.
    Max,
    /// Thousandths of a session per second, at least 1.
    MilliPerSecond(u64),
}

impl Rate {
    /// `per_second` sessions a second.
    pub const fn per_second(per_second: u64) -> Self {
        Self::MilliPerSecond(per_second * 1_000)
    }

    /// Arrivals due in `length` at this rate: each k with `k / rate` below it, the one at its start
    /// included; `None` for `max`.
    pub fn arrivals_in(self, length: Nanos) -> Option<u64> {
        let Self::MilliPerSecond(milli) = self else { return None };
        let exact = (u128::from(milli) * u128::from(length.0)).div_ceil(MILLI_NANOS);
        Some(u64::try_from(exact).unwrap_or(u64::MAX))
    }

    /// When arrival `k` of an even schedule is due, from its start: `k / rate`, rounded down;
    /// zero for `max`.
    #[inline]
    pub fn due_after(self, k: u64) -> Nanos {
        let Self::MilliPerSecond(milli) = self else { return Nanos::ZERO };
        let exact = u128::from(k) * MILLI_NANOS / u128::from(milli);
        Nanos(u64::try_from(exact).unwrap_or(u64::MAX))
    }

    /// Sessions per second, for display; `None` for `max`.
    pub fn as_per_second_f64(self) -> Option<f64> {
        match self {
            Self::Max => None,
            Self::MilliPerSecond(milli) => Some(milli as f64 / 1e3),
        }
    }
}

/// A thousandth of a session per second, times this, is a session per ns.
const MILLI_NANOS: u128 = 1_000 * Nanos::PER_SECOND as u128;

impl FromStr for Rate {
    type Err = ParseError;

    fn from_str(typed: &str) -> Result<Self, ParseError> {
        if typed == "max" {
            return Ok(Self::Max);
        }
        match with_suffix(typed, &DECIMAL, 1_000) {
            Some(milli) if milli > 0 => Ok(Self::MilliPerSecond(milli)),
            _ => Err(ParseError::new(
                typed,
                "a rate is sessions per second above 0 with k, M or G allowed, or max, like 50k",
            )),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Max => f.write_str("max"),
            Self::MilliPerSecond(milli) => {
                write!(f, "{}", milli / 1_000)?;
                let rest = format!("{:03}", milli % 1_000);
                let rest = rest.trim_end_matches('0');
                if rest.is_empty() { Ok(()) } else { write!(f, ".{rest}") }
            }
        }
    }
}

/// How many of something: `100`, `10k`, `1.5M`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count(pub u64);

impl FromStr for Count {
    type Err = ParseError;

    fn from_str(typed: &str) -> Result<Self, ParseError> {
        with_suffix(typed, &DECIMAL, 1).map(Self).ok_or_else(|| {
            ParseError::new(typed, "a count is a whole number with k, M or G allowed, like 10k")
        })
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A number of bytes: `64`, `4KiB`, `1MiB`, `10k`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

const BINARY: [(&str, u64); 7] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("k", 1_000),
    ("K", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
];

impl FromStr for ByteSize {
    type Err = ParseError;

    fn from_str(typed: &str) -> Result<Self, ParseError> {
        with_suffix(typed, &BINARY, 1).map(Self).ok_or_else(|| {
            ParseError::new(
                typed,
                "a size is bytes with KiB, MiB, GiB, k, M or G allowed, like 4KiB",
            )
        })
    }
}

impl fmt::Display for ByteSize {
    /// The largest binary unit that divides it exactly.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let largest = BINARY[..3].iter().rev().find(|(_, factor)| self.0.is_multiple_of(*factor));
        match largest {
            Some(&(name, factor)) if self.0 > 0 => write!(f, "{}{name}", self.0 / factor),
            _ => write!(f, "{}", self.0),
        }
    }
}

/// A share of a distribution, in millionths: `p99.9` is 999 000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantile(pub u32);

impl Quantile {
    /// As a fraction of one.
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 1e6
    }

    /// Samples expected beyond this quantile among `count`.
    pub fn samples_beyond(self, count: u64) -> u64 {
        let beyond = u128::from(count) * u128::from(1_000_000 - self.0.min(1_000_000));
        u64::try_from(beyond / 1_000_000).unwrap_or(u64::MAX)
    }

    /// The least count of samples of which `beyond` are expected beyond this quantile; `u64::MAX`
    /// where no count is enough.
    pub fn samples_for(self, beyond: u64) -> u64 {
        match 1_000_000 - u128::from(self.0.min(1_000_000)) {
            0 => u64::MAX,
            rest => {
                u64::try_from((u128::from(beyond) * 1_000_000).div_ceil(rest)).unwrap_or(u64::MAX)
            }
        }
    }
}

/// How often something happens, in millionths: `0.01` and `1%` are 10 000.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(pub u32);

impl Share {
    /// As a fraction of one.
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 1e6
    }
}

impl FromStr for Share {
    type Err = ParseError;

    fn from_str(typed: &str) -> Result<Self, ParseError> {
        let millionths = match typed.strip_suffix('%') {
            Some(percent) => scaled_decimal(percent, 10_000),
            None => scaled_decimal(typed, 1_000_000),
        };
        millionths
            .and_then(|millionths| u32::try_from(millionths).ok())
            .filter(|&millionths| millionths <= 1_000_000)
            .map(Self)
            .ok_or_else(|| {
                ParseError::new(typed, "a share is from 0 to 1, or to 100%, like 0.01 or 1%")
            })
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_f64())
    }
}

impl FromStr for Quantile {
    type Err = ParseError;

    /// `p50`, `p99.9`: the percentile as it is spoken.
    fn from_str(typed: &str) -> Result<Self, ParseError> {
        typed
            .strip_prefix('p')
            .and_then(|number| scaled_decimal(number, 10_000))
            .and_then(|millionths| u32::try_from(millionths).ok())
            .filter(|&millionths| millionths < 1_000_000)
            .map(Self)
            .ok_or_else(|| {
                ParseError::new(typed, "a percentile is p and a number below 100, like p99.9")
            })
    }
}

impl fmt::Display for Quantile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0 / 10_000;
        let rest = format!("{:04}", self.0 % 10_000);
        let rest = rest.trim_end_matches('0');
        if rest.is_empty() { write!(f, "p{whole}") } else { write!(f, "p{whole}.{rest}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_reads_and_shows_itself() {
        for (typed, milli, shown) in [
            ("500", 500_000, "500"),
            ("50k", 50_000_000, "50000"),
            ("1.5M", 1_500_000_000, "1500000"),
            ("0.5", 500, "0.5"),
        ] {
            let rate: Rate = typed.parse().unwrap();
            assert_eq!(rate, Rate::MilliPerSecond(milli));
            assert_eq!(rate.to_string(), shown);
            assert_eq!(shown.parse::<Rate>().unwrap(), rate);
        }
        assert_eq!("max".parse::<Rate>().unwrap(), Rate::Max);
        for typed in ["0", "-5", "many", "1e6", "0.0001", ""] {
            assert!(typed.parse::<Rate>().is_err(), "{typed}");
        }
    }

    #[test]
    fn an_even_schedule_does_not_drift() {
        let rate: Rate = "3".parse().unwrap();
        assert_eq!(rate.due_after(3_000_000_000), Nanos::from_secs(1_000_000_000));
        assert_eq!(rate.due_after(1), Nanos(333_333_333));
        assert_eq!(rate.arrivals_in(Nanos::from_secs(2)), Some(6), "the next is due at its end");
        assert_eq!(rate.arrivals_in(Nanos::from_millis(2_500)), Some(8));
        assert_eq!(rate.arrivals_in(Nanos::ZERO), Some(0));
        assert_eq!(Rate::Max.arrivals_in(Nanos::from_secs(1)), None);
    }

    #[test]
    fn sizes_and_counts_read_their_suffixes() {
        assert_eq!("4KiB".parse::<ByteSize>().unwrap(), ByteSize(4096));
        assert_eq!("1.5k".parse::<Count>().unwrap(), Count(1500));
        assert_eq!(ByteSize(1 << 20).to_string(), "1MiB");
        assert_eq!(ByteSize(1000).to_string(), "1000");
        assert!("1.5".parse::<Count>().is_err());
    }

    #[test]
    fn a_share_is_a_fraction_or_a_percentage() {
        for (typed, millionths, shown) in [
            ("0.01", 10_000, "0.01"),
            ("1%", 10_000, "0.01"),
            ("1", 1_000_000, "1"),
            ("0%", 0, "0"),
        ] {
            let share: Share = typed.parse().unwrap();
            assert_eq!(share, Share(millionths));
            assert_eq!(share.to_string(), shown);
            assert_eq!(shown.parse::<Share>().unwrap(), share);
        }
        for typed in ["", "%", "1.1", "101%", "-1", "often", "5000%"] {
            assert!(typed.parse::<Share>().is_err(), "{typed}");
        }
    }

    #[test]
    fn a_quantile_is_spoken_as_a_percentile() {
        let quantile: Quantile = "p99.9".parse().unwrap();
        assert_eq!(quantile, Quantile(999_000));
        assert_eq!(quantile.to_string(), "p99.9");
        assert_eq!(quantile.samples_beyond(10_000), 10);
        assert_eq!(quantile.samples_for(10), 10_000);
        assert!("p100".parse::<Quantile>().is_err());
    }

    #[test]
    fn a_quantile_tells_the_least_count_that_supports_it() {
        for millionths in [0, 1, 333_333, 500_000, 990_000, 999_999] {
            let quantile = Quantile(millionths);
            let count = quantile.samples_for(10);
            assert!(quantile.samples_beyond(count) >= 10, "{quantile}");
            assert!(quantile.samples_beyond(count - 1) < 10, "{quantile}");
        }
        assert_eq!(Quantile(1_000_000).samples_for(10), u64::MAX);
    }
}
