//! A small histogram of times to two digits; each interval of a run has one. It takes memory for
//! the range of its samples only.

use crate::unit::{Nanos, Quantile};

/// Buckets to an octave: a bucket's width is at most 1/128 of its value.
const PER_OCTAVE: u64 = 128;

/// Where octaves begin; below it every value has a bucket of its own.
const EXACT_BELOW: u64 = 2 * PER_OCTAVE;

/// Counts lengths of time in buckets of two significant digits. Holds no more than the buckets
/// from the least sample to the largest. Adding is exact in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coarse {
    /// Bucket of `counts[0]`.
    first: usize,
    counts: Vec<u32>,
}

impl Coarse {
    /// Counts one sample.
    #[inline]
    pub fn record(&mut self, sample: Nanos) {
        let bucket = bucket_of(sample.0);
        match self.counts.get_mut(bucket.wrapping_sub(self.first)) {
            Some(count) => *count = count.saturating_add(1),
            None => self.add_to(bucket, 1),
        }
    }

    /// Adds the samples of `other`, as if they had been recorded here.
    pub fn merge(&mut self, other: &Self) {
        // Both ends have samples, so that all that lies between them has its bucket.
        let used = || (other.first..).zip(&other.counts).filter(|&(_, &count)| count > 0);
        used().for_each(|(bucket, &count)| self.add_to(bucket, count));
    }

    fn add_to(&mut self, bucket: usize, more: u32) {
        if self.counts.is_empty() {
            self.first = bucket;
        }
        if bucket < self.first {
            let room = self.first - bucket;
            self.counts.splice(0..0, std::iter::repeat_n(0, room));
            self.first = bucket;
        }
        let index = bucket - self.first;
        if index >= self.counts.len() {
            self.counts.resize(index + 1, 0);
        }
        self.counts[index] = self.counts[index].saturating_add(more);
    }

    /// Samples.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|&count| u64::from(count)).sum()
    }

    /// Samples of buckets above that of `value`, and of that bucket itself.
    pub fn beyond(&self, value: Nanos) -> (u64, u64) {
        let at = bucket_of(value.0);
        let sum = |counts: &[u32]| counts.iter().map(|&count| u64::from(count)).sum();
        let Some(index) = at.checked_sub(self.first) else { return (self.count(), 0) };
        let within = self.counts.get(index).map_or(0, |&count| u64::from(count));
        (self.counts.get(index + 1..).map_or(0, sum), within)
    }

    /// The value at `quantile` by nearest rank, to two digits, rounded up; `None` without samples.
    pub fn nearest_rank(&self, quantile: Quantile) -> Option<Nanos> {
        let count = self.count();
        let rank = (count - quantile.samples_beyond(count)).max(1);
        let mut up_to = 0;
        self.buckets().find_map(|(highest, count)| {
            up_to += count;
            (up_to >= rank).then_some(highest)
        })
    }

    /// Each bucket that has samples: the highest value that it holds, and how many, rising.
    pub fn buckets(&self) -> impl Iterator<Item = (Nanos, u64)> {
        let used = (self.first..).zip(&self.counts).filter(|&(_, &count)| count > 0);
        used.map(|(bucket, &count)| (Nanos(highest_in(bucket)), u64::from(count)))
    }
}

fn bucket_of(value: u64) -> usize {
    let shift = (value | (EXACT_BELOW - 1)).ilog2() - PER_OCTAVE.ilog2();
    (u64::from(shift) * PER_OCTAVE + (value >> shift)) as usize
}

/// The highest value of a bucket; its lowest is behind that of the one before.
fn highest_in(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < EXACT_BELOW {
        return bucket;
    }
    let shift = bucket / PER_OCTAVE - 1;
    let mantissa = bucket % PER_OCTAVE + PER_OCTAVE;
    // To add 1 first would overflow in the last bucket.
    (((u128::from(mantissa) + 1) << shift) - 1) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(samples: &[u64]) -> Coarse {
        let mut coarse = Coarse::default();
        samples.iter().for_each(|&nanos| coarse.record(Nanos(nanos)));
        coarse
    }

    #[test]
    fn buckets_follow_each_other_and_are_narrow() {
        assert_eq!((bucket_of(0), bucket_of(255), bucket_of(256)), (0, 255, 256));
        for bucket in 0..bucket_of(u64::MAX) {
            let highest = highest_in(bucket);
            assert_eq!((bucket_of(highest), bucket_of(highest + 1)), (bucket, bucket + 1));
        }
        assert_eq!(highest_in(bucket_of(u64::MAX)), u64::MAX);
    }

    fn sample() -> impl Strategy<Value = u64> {
        prop_oneof![0..300u64, 0..10_000_000_000u64, Just(u64::MAX)]
    }

    proptest! {
        #[test]
        fn merging_in_any_split_and_order_gives_the_same(
            samples in prop::collection::vec((sample(), 0..3usize), 0..100),
            order in Just([0, 1, 2]).prop_shuffle(),
        ) {
            let all: Vec<u64> = samples.iter().map(|s| s.0).collect();
            let mut merged = Coarse::default();
            for part in order {
                let part = samples.iter().filter(|s| s.1 == part).map(|s| s.0);
                merged.merge(&of(&part.collect::<Vec<_>>()));
            }
            prop_assert_eq!(merged, of(&all));
        }

        #[test]
        fn a_quantile_is_the_sample_of_that_rank_to_two_digits(
            mut samples in prop::collection::vec(0..10_000_000_000u64, 1..200),
            millionths in 0..1_000_000u32,
        ) {
            let coarse = of(&samples);
            let seen = coarse.nearest_rank(Quantile(millionths)).unwrap();
            samples.sort_unstable();
            let rank = (u64::from(millionths) * samples.len() as u64).div_ceil(1_000_000).max(1);
            let exact = samples[rank as usize - 1];
            prop_assert!((exact..=exact + exact / 128).contains(&seen.0), "{exact} {seen:?}");
            let (above, within) = coarse.beyond(seen);
            let larger = samples.iter().filter(|&&sample| sample > seen.0).count() as u64;
            prop_assert_eq!(above, larger);
            prop_assert!(within > 0 && above < samples.len() as u64 - rank + 1);
        }
    }
}
