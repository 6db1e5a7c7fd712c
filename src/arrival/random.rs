//! Seeded gaps between arrivals.

use super::chance::Chance;
use crate::plan::Gap;
use crate::unit::Nanos;

/// Running sum of random gaps.
#[derive(Debug, Clone)]
pub(super) struct Gaps {
    chance: Chance,
    gap: Gap,
    /// Mean gap in units of 2^-[`FRACTION_BITS`] ns.
    mean: f64,
    /// Sum of the gaps in the same units: sums of integers do not lose small gaps.
    sum: u128,
}

const FRACTION_BITS: u32 = 16;

impl Gaps {
    /// Gaps with a mean of `mean_ns`; the first arrival lies one gap after the start.
    pub(super) fn new(seed: u64, gap: Gap, mean_ns: f64) -> Self {
        let mean = mean_ns * f64::from(1u32 << FRACTION_BITS);
        let mut gaps = Self { chance: Chance::new(seed), gap, mean, sum: 0 };
        gaps.step();
        gaps
    }

    /// Steps over `count` gaps.
    #[inline]
    pub(super) fn skip(&mut self, count: u64) {
        for _ in 0..count {
            self.step();
        }
    }

    /// Time of the current arrival after the start.
    #[inline]
    pub(super) fn sum(&self) -> Nanos {
        Nanos(u64::try_from(self.sum >> FRACTION_BITS).unwrap_or(u64::MAX))
    }

    #[inline]
    fn step(&mut self) {
        let gap = match self.gap {
            Gap::Exp => self.chance.exponential(),
            Gap::Uniform => 2.0 * self.chance.even(),
        };
        self.sum += (gap * self.mean) as u128;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_means_the_same_arrivals_on_every_machine() {
        let mut gaps = Gaps::new(7, Gap::Exp, 1e6);
        let mut first = Vec::new();
        for _ in 0..4 {
            first.push(gaps.sum().0);
            gaps.skip(1);
        }
        // From another implementation of generator and logarithm.
        assert_eq!(first, [942_045, 5_029_118, 5_133_634, 5_673_321]);
    }
}
