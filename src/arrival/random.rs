//! Seeded gaps. Only basic floating-point operations, which every machine rounds alike, so that
//! a seed means the same arrivals everywhere.

use crate::plan::Gap;
use crate::unit::Nanos;

/// Running sum of random gaps.
#[derive(Debug, Clone)]
pub(super) struct Gaps {
    state: u64,
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
        let mut gaps = Self { state: seed, gap, mean, sum: 0 };
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
        // 53 bits, shifted to the middle of their interval: never 0 and never 1.
        let uniform = ((self.next_random() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        let gap = match self.gap {
            Gap::Exp => -natural_log(uniform),
            Gap::Uniform => 2.0 * uniform,
        };
        self.sum += (gap * self.mean) as u128;
    }

    /// SplitMix64 (Steele, Lea, Flood 2014): a counter and a mixer.
    #[inline]
    fn next_random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// ln x for normal positive x. The libm's own may differ in the last bit between machines:
/// x = m * 2^e with m in [0.75, 1.5), and ln m = 2 artanh((m - 1) / (m + 1)) by its series, whose
/// terms beyond the 10th are below 1e-16.
#[inline]
fn natural_log(x: f64) -> f64 {
    const MANTISSA: u64 = (1 << 52) - 1;
    let bits = x.to_bits();
    let mut exponent = (bits >> 52) as i32 - 1023;
    let mut m = f64::from_bits(bits & MANTISSA | 1023 << 52);
    if m >= 1.5 {
        m *= 0.5;
        exponent += 1;
    }
    let s = (m - 1.0) / (m + 1.0);
    let square = s * s;
    let mut series = 0.0;
    for odd in (1..=21).rev().step_by(2) {
        series = series * square + 1.0 / f64::from(odd);
    }
    f64::from(exponent) * std::f64::consts::LN_2 + 2.0 * s * series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_is_right_to_fifteen_digits() {
        for x in [1e-16, 0.001, 0.4999, 0.5, 0.74, 0.75, 0.9999999, 1.0, 1.4999, 1.5, 2.0, 1e10] {
            let (ours, libm) = (natural_log(x), x.ln());
            assert!((ours - libm).abs() <= 1e-15 * libm.abs().max(1.0), "{x}: {ours} {libm}");
        }
    }

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
