//! Seeded chance. Only basic floating-point operations, which every machine rounds alike, so that
//! a seed means the same everywhere.

/// SplitMix64 (Steele, Lea, Flood 2014): a counter and a mixer. Not for secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chance {
    state: u64,
}

impl Chance {
    /// The numbers of `seed`.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Numbers of the same seed that have nothing to do with those of another `stream`.
    pub const fn stream(seed: u64, stream: u64) -> Self {
        Self { state: mix(mix(seed) ^ stream) }
    }

    /// Evenly between 0 and 1, never either: 53 bits, shifted to the middle of their interval.
    #[inline]
    pub fn even(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        ((mix(self.state) >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// Exponential with a mean of 1; at most 37.5.
    #[inline]
    pub fn exponential(&mut self) -> f64 {
        -natural_log(self.even())
    }
}

#[inline]
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
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

    /// The largest distance between the shares below a value and what they have to be.
    #[track_caller]
    fn check(mut draw: impl FnMut(u64) -> f64, share_below: impl Fn(f64) -> f64) {
        let mut drawn: Vec<f64> = (0..100_000).map(&mut draw).collect();
        drawn.sort_unstable_by(f64::total_cmp);
        let count = drawn.len() as f64;
        let apart =
            drawn.iter().enumerate().map(|(i, &x)| (i as f64 / count - share_below(x)).abs());
        let most = apart.fold(0.0, f64::max);
        // 1.95 / sqrt(n) is exceeded by one seed in a thousand; these seeds are fixed.
        assert!(most < 1.95 / count.sqrt(), "{most}");
    }

    #[test]
    fn the_numbers_are_spread_as_they_are_named() {
        let mut chance = Chance::new(1);
        check(|_| chance.even(), |x| x);
        check(|_| chance.exponential(), |x| 1.0 - (-x).exp());
        // The first of each stream, too: streams have nothing to do with each other.
        check(|stream| Chance::stream(1, stream).even(), |x| x);
        check(|stream| Chance::stream(stream, 1).exponential(), |x| 1.0 - (-x).exp());
    }
}
