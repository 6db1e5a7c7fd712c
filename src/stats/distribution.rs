//! A frozen distribution: its percentiles, and which of them have too few samples.

use crate::unit::{Nanos, Quantile};

/// A percentile is supported by at least this many samples beyond it.
pub const SAMPLES_BEYOND_MIN: u64 = 10;

/// Steps of the [`Distribution::spectrum`] between one halving of the rest and the next.
const TICKS_PER_HALVING: u64 = 5;

/// Samples of one recorder or of several merged, for reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// Those with samples, in rising order.
    pub(super) buckets: Vec<Bucket>,
    pub(super) min: u64,
    pub(super) max: u64,
    pub(super) sum: u128,
    /// Sum of squares.
    pub(super) squares: u128,
    pub(super) saturated: u64,
}

/// Samples of nearly the same value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bucket {
    /// The highest value that it holds, in ns.
    pub(super) highest: u64,
    /// Samples in it and in those below.
    pub(super) up_to: u64,
}

/// A step of the spectrum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tick {
    /// The value at the quantile.
    pub value: Nanos,
    /// The quantile, 0 to 1.
    pub quantile: f64,
    /// Samples at or below the value.
    pub up_to: u64,
}

impl Distribution {
    /// Samples.
    pub fn count(&self) -> u64 {
        self.buckets.last().map_or(0, |bucket| bucket.up_to)
    }

    /// Samples of more than an hour.
    pub fn saturated(&self) -> u64 {
        self.saturated
    }

    /// The least sample, exactly; `None` without samples.
    pub fn min(&self) -> Option<Nanos> {
        (self.count() > 0).then_some(Nanos(self.min))
    }

    /// The largest sample, exactly; `None` without samples.
    pub fn max(&self) -> Option<Nanos> {
        (self.count() > 0).then_some(Nanos(self.max))
    }

    /// The mean in ns; `None` without samples.
    pub fn mean(&self) -> Option<f64> {
        (self.count() > 0).then(|| self.sum as f64 / self.count() as f64)
    }

    /// The standard deviation of the samples (not of a population behind them) in ns; `None`
    /// without samples.
    pub fn stddev(&self) -> Option<f64> {
        let count = u128::from(self.count());
        if count == 0 {
            return None;
        }
        // Around the whole part of the mean, so that all large numbers cancel as integers.
        let (whole, rest) = (self.sum / count, (self.sum % count) as f64 / count as f64);
        let spread = self
            .squares
            .saturating_add(count.saturating_mul(whole).saturating_mul(whole))
            .saturating_sub(whole.saturating_mul(self.sum).saturating_mul(2));
        Some((spread as f64 / count as f64 - rest * rest).max(0.0).sqrt())
    }

    /// Samples beyond `quantile`: its support.
    pub fn samples_beyond(&self, quantile: Quantile) -> u64 {
        quantile.samples_beyond(self.count())
    }

    /// Samples in the bucket of `value` and in those above.
    pub fn count_from(&self, value: Nanos) -> u64 {
        let below = self.buckets.partition_point(|bucket| bucket.highest < value.0);
        let below = below.checked_sub(1).map_or(0, |last| self.buckets[last].up_to);
        self.count() - below
    }

    /// The value at `quantile` by nearest rank, to three digits, rounded up; `None` where fewer
    /// than [`SAMPLES_BEYOND_MIN`] samples lie beyond it.
    pub fn quantile(&self, quantile: Quantile) -> Option<Nanos> {
        let supported = self.samples_beyond(quantile) >= SAMPLES_BEYOND_MIN;
        self.nearest_rank(quantile).filter(|_| supported)
    }

    /// The value at `quantile`, however few samples lie beyond it; `None` without samples.
    pub fn nearest_rank(&self, quantile: Quantile) -> Option<Nanos> {
        let rank = self.count() - self.samples_beyond(quantile);
        self.at_rank(rank.max(1)).map(|bucket| self.shown(bucket))
    }

    /// The value that `share` of the samples, 0 to 1, do not exceed; `None` without samples.
    pub(super) fn at_share(&self, share: f64) -> Option<Nanos> {
        let rank = (share * self.count() as f64).ceil().max(1.0) as u64;
        self.at_rank(rank.min(self.count())).map(|bucket| self.shown(bucket))
    }

    /// The whole distribution at rising quantiles, five steps to each halving of what lies
    /// beyond, the largest sample last; empty without samples.
    pub fn spectrum(&self) -> Vec<Tick> {
        let mut ticks = Vec::new();
        let count = self.count();
        let mut beyond = 1.0f64;
        while beyond * count as f64 > 1.0 {
            for step in 0..TICKS_PER_HALVING {
                let part = step as f64 / (2 * TICKS_PER_HALVING) as f64;
                let quantile = 1.0 - beyond * (1.0 - part);
                let rank = (quantile * count as f64).ceil().max(1.0) as u64;
                ticks.extend(self.at_rank(rank).map(|bucket| Tick {
                    value: self.shown(bucket),
                    quantile,
                    up_to: bucket.up_to,
                }));
            }
            beyond /= 2.0;
        }
        ticks.extend(self.max().map(|value| Tick { value, quantile: 1.0, up_to: count }));
        ticks
    }

    /// Each value that was seen, in rising order, to three digits, rounded up, with the count of
    /// samples at or below it.
    pub fn cumulative(&self) -> impl Iterator<Item = (Nanos, u64)> {
        self.buckets.iter().map(|&bucket| (self.shown(bucket), bucket.up_to))
    }

    fn at_rank(&self, rank: u64) -> Option<Bucket> {
        let index = self.buckets.partition_point(|bucket| bucket.up_to < rank);
        self.buckets.get(index).copied()
    }

    /// The value that is reported for a bucket: never outside of the samples' range.
    fn shown(&self, bucket: Bucket) -> Nanos {
        let is_last = Some(&bucket) == self.buckets.last();
        if is_last { Nanos(self.max) } else { Nanos(bucket.highest.clamp(self.min, self.max)) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::Recorder;

    fn of(samples: impl IntoIterator<Item = u64>) -> Distribution {
        let mut recorder = Recorder::new();
        samples.into_iter().for_each(|nanos| recorder.record(Nanos(nanos)));
        recorder.freeze()
    }

    fn p(typed: &str) -> Quantile {
        typed.parse().unwrap()
    }

    #[test]
    fn percentiles_go_by_nearest_rank() {
        let hundred = of(1..=100);
        assert_eq!(hundred.nearest_rank(p("p0")), Some(Nanos(1)));
        assert_eq!(hundred.quantile(p("p50")), Some(Nanos(50)));
        assert_eq!(hundred.quantile(p("p90")), Some(Nanos(90)));
        assert_eq!(of([7]).nearest_rank(p("p99.99")), Some(Nanos(7)));
    }

    #[test]
    fn a_percentile_with_fewer_than_ten_samples_beyond_it_is_not_available() {
        assert_eq!(of(1..=1000).quantile(p("p99")), Some(Nanos(990)));
        assert_eq!(of(1..=999).quantile(p("p99")), None);
        assert_eq!(of(1..=999).nearest_rank(p("p99")), Some(Nanos(990)));
        assert_eq!(of(1..=19).quantile(p("p50")), None);
        assert_eq!(of(1..=20).quantile(p("p50")), Some(Nanos(10)));
    }

    #[test]
    fn samples_are_counted_from_a_value_on() {
        let hundred = of(1..=100);
        let from = |nanos| hundred.count_from(Nanos(nanos));
        assert_eq!([from(0), from(1), from(91), from(100), from(101)], [100, 100, 10, 1, 0]);
        assert_eq!(of([]).count_from(Nanos(0)), 0);
    }

    #[test]
    fn nothing_recorded_says_nothing() {
        let none = of([]);
        assert_eq!((none.count(), none.min(), none.max()), (0, None, None));
        assert_eq!((none.mean(), none.stddev(), none.nearest_rank(p("p50"))), (None, None, None));
        assert!(none.spectrum().is_empty());
    }

    #[test]
    fn mean_and_deviation_are_exact() {
        let four = of([2, 4, 4, 6]);
        assert_eq!((four.mean(), four.stddev()), (Some(4.0), Some(2f64.sqrt())));
        let far = 3_000_000_000_000;
        assert_eq!(of([far, far + 2]).stddev(), Some(1.0));
    }

    #[test]
    fn the_spectrum_rises_and_ends_at_the_largest_sample() {
        let spectrum = of(1..=1000).spectrum();
        assert!(spectrum.windows(2).all(|t| t[0].quantile < t[1].quantile));
        assert!(spectrum.windows(2).all(|t| t[0].value <= t[1].value));
        let last = spectrum.last().unwrap();
        assert_eq!((last.value, last.quantile, last.up_to), (Nanos(1000), 1.0, 1000));
    }

    proptest! {
        #[test]
        fn a_quantile_is_the_sample_of_that_rank_to_three_digits(
            mut samples in prop::collection::vec(0..10_000_000_000u64, 1..300),
            millionths in 0..1_000_000u32,
        ) {
            let seen = of(samples.iter().copied()).nearest_rank(Quantile(millionths)).unwrap();
            samples.sort_unstable();
            let rank = (u64::from(millionths) * samples.len() as u64).div_ceil(1_000_000).max(1);
            let exact = samples[rank as usize - 1];
            prop_assert!((exact..=exact + exact / 1000).contains(&seen.0), "{exact} {seen:?}");
        }
    }
}
