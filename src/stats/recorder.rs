//! A histogram to write to: counting a length of time allocates nothing.

use std::fmt;
use std::str::FromStr;

use hdrhistogram::Histogram;

use super::Distribution;
use super::distribution::Bucket;
use crate::line_fields;
use crate::unit::{Nanos, ParseError};

/// The longest time that has a bucket of its own; what is longer counts into the last one.
const LONGEST: Nanos = Nanos::from_secs(3600);

/// Significant digits of a bucket: its width is at most a thousandth of its value.
const DIGITS: u8 = 3;

/// Octaves of a recorder from the first, in which every value has a bucket.
pub const BUCKETS: u32 = 32;
/// Buckets of its first octave; the others have half as many.
pub const SUB_BUCKETS: u32 = 1 << 11;

/// Counts lengths of time, 0 to 1 hour in buckets of three significant digits.
///
/// Its memory (some 280 kB) is in place from the start. Recorders merge without loss, in any
/// order.
#[derive(Clone)]
pub struct Recorder {
    pub(super) buckets: Histogram<u64>,
    min: u64,
    max: u64,
    sum: u128,
    /// Sum of squares.
    squares: u128,
    saturated: u64,
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl Recorder {
    /// An empty recorder.
    pub fn new() -> Self {
        Self {
            buckets: Histogram::new_with_bounds(1, LONGEST.0, DIGITS)
                .expect("1 ns to an hour in 3 digits is within what the histogram takes"),
            min: u64::MAX,
            max: 0,
            sum: 0,
            squares: 0,
            saturated: 0,
        }
    }

    /// Counts one sample. More than an hour goes into the last bucket and is counted as
    /// saturated; least, most, mean and deviation take it as it is.
    #[inline]
    pub fn record(&mut self, sample: Nanos) {
        let nanos = sample.0;
        self.buckets.saturating_record(nanos.min(LONGEST.0));
        self.min = self.min.min(nanos);
        self.max = self.max.max(nanos);
        self.sum = self.sum.saturating_add(u128::from(nanos));
        self.squares = self.squares.saturating_add(u128::from(nanos) * u128::from(nanos));
        self.saturated += u64::from(nanos > LONGEST.0);
    }

    /// Adds the samples of `other`, as if they had been recorded here.
    pub fn merge(&mut self, other: &Self) {
        self.buckets.add(&other.buckets).expect("all recorders have the same bounds");
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum = self.sum.saturating_add(other.sum);
        self.squares = self.squares.saturating_add(other.squares);
        self.saturated = self.saturated.saturating_add(other.saturated);
    }

    /// Samples recorded.
    pub fn count(&self) -> u64 {
        self.buckets.len()
    }

    /// The samples so far, frozen for reports.
    pub fn freeze(&self) -> Distribution {
        let mut up_to = 0u64;
        let buckets = self.buckets.iter_recorded().map(|step| {
            up_to = up_to.saturating_add(step.count_at_value());
            Bucket { highest: self.buckets.highest_equivalent(step.value_iterated_to()), up_to }
        });
        Distribution {
            buckets: buckets.collect(),
            min: self.min,
            max: self.max,
            sum: self.sum,
            squares: self.squares,
            saturated: self.saturated,
        }
    }

    fn is_consistent(&self) -> bool {
        let count = u128::from(self.count());
        if count == 0 {
            return (self.min, self.max, self.sum, self.squares) == (u64::MAX, 0, 0, 0);
        }
        let product = |value: u64| count.saturating_mul(u128::from(value));
        self.min <= self.max && (product(self.min)..=product(self.max)).contains(&self.sum)
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recorder").field(&self.to_string()).finish()
    }
}

impl fmt::Display for Recorder {
    /// `min max sum squares saturated` and then `value:count` of each bucket that has samples.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { min, max, sum, squares, saturated, .. } = self;
        write!(f, "{min} {max} {sum} {squares} {saturated}")?;
        for step in self.buckets.iter_recorded() {
            let value = self.buckets.lowest_equivalent(step.value_iterated_to());
            write!(f, " {value}:{}", step.count_at_value())?;
        }
        Ok(())
    }
}

impl FromStr for Recorder {
    type Err = ParseError;

    /// Reads what `Display` wrote.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let wrong = |part: &str| {
            ParseError::new(
                part,
                "a histogram is min max sum squares saturated and value:count, like 5 5 5 25 0 5:1",
            )
        };
        let mut parts = text.split(' ');
        let mut figure = || {
            let part = parts.next().unwrap_or_default();
            part.parse::<u128>().map_err(|_| wrong(part))
        };
        let narrow = |wide: u128| u64::try_from(wide).map_err(|_| wrong(&wide.to_string()));
        let mut recorder = Self {
            min: narrow(figure()?)?,
            max: narrow(figure()?)?,
            sum: figure()?,
            squares: figure()?,
            saturated: narrow(figure()?)?,
            ..Self::new()
        };
        for part in parts {
            let (value, count) = part.split_once(':').ok_or_else(|| wrong(part))?;
            let value = value.parse::<u64>().map_err(|_| wrong(part))?;
            let count = count.parse::<u64>().map_err(|_| wrong(part))?;
            recorder.buckets.record_n(value, count).map_err(|_| wrong(part))?;
        }
        if recorder.is_consistent() { Ok(recorder) } else { Err(wrong("sums that do not agree")) }
    }
}

line_fields!(Recorder);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn recorded(samples: &[u64]) -> Recorder {
        let mut recorder = Recorder::new();
        samples.iter().for_each(|&nanos| recorder.record(Nanos(nanos)));
        recorder
    }

    #[test]
    fn more_than_an_hour_saturates_and_is_counted() {
        let frozen = recorded(&[5, LONGEST.0, LONGEST.0 + 1, u64::MAX]).freeze();
        assert_eq!((frozen.count(), frozen.saturated()), (4, 2));
        assert_eq!(frozen.max(), Some(Nanos(u64::MAX)));
    }

    #[test]
    fn the_buckets_are_as_many_as_said() {
        let buckets = Recorder::new().buckets;
        assert_eq!(u32::from(buckets.buckets()), BUCKETS);
        let halves = buckets.distinct_values() as u32;
        assert_eq!(halves, (BUCKETS + 1) * SUB_BUCKETS / 2);
    }

    #[test]
    fn an_empty_recorder_reads_back() {
        assert_eq!("18446744073709551615 0 0 0 0".parse::<Recorder>().unwrap().count(), 0);
    }

    #[test]
    fn a_wrong_text_is_refused() {
        for text in ["", "1 2", "5 5 5 25 0 5", "5 5 5 25 0 5:x", "9 1 5 25 0 5:1", "1 2 9 9 0 1:2"]
        {
            assert!(text.parse::<Recorder>().is_err(), "{text}");
        }
        assert!(format!("1 {0} {0} 1 0 {0}:1", u64::MAX).parse::<Recorder>().is_err());
    }

    fn sample() -> impl Strategy<Value = u64> {
        prop_oneof![0..100u64, 0..10_000_000_000u64, Just(u64::MAX)]
    }

    proptest! {
        #[test]
        fn merging_in_any_split_and_order_gives_the_same(
            samples in prop::collection::vec((sample(), 0..3usize), 0..200),
            order in Just([0, 1, 2]).prop_shuffle(),
        ) {
            let all: Vec<u64> = samples.iter().map(|s| s.0).collect();
            let mut merged = Recorder::new();
            for part in order {
                let part = samples.iter().filter(|s| s.1 == part).map(|s| s.0);
                merged.merge(&recorded(&part.collect::<Vec<_>>()));
            }
            prop_assert_eq!(merged.to_string(), recorded(&all).to_string());
        }

        #[test]
        fn what_is_written_reads_back_without_loss(
            samples in prop::collection::vec(sample(), 0..200),
        ) {
            let written = recorded(&samples).to_string();
            let read: Recorder = written.parse().unwrap();
            prop_assert_eq!(read.to_string(), written);
            prop_assert_eq!(read.freeze(), recorded(&samples).freeze());
        }

        #[test]
        fn no_text_panics(text in "[0-9: ]{0,60}") {
            if let Ok(recorder) = text.parse::<Recorder>() {
                let _ = recorder.freeze().stddev();
            }
        }
    }
}
