//! Intervals of confidence for percentiles of samples that are not independent.

use super::distribution::SAMPLES_BEYOND_MIN;
use super::{Coarse, Distribution};
use crate::unit::{Nanos, Quantile};

/// Blocks that a run is cut into where it is long enough.
const BLOCKS_MAX: usize = 32;

/// With fewer, the variance between them is too uncertain.
const BLOCKS_MIN: usize = 6;

/// The standard normal deviate of a two-sided interval of 95 %.
const NORMAL_95: f64 = 1.959_964;

/// The samples of a run in blocks of time, one after another.
///
/// Response times of one run are not independent: a slow moment slows all that fall into it. An
/// interval from order statistics that takes them for independent is too narrow. Here it is
/// widened by what the blocks show: were the samples independent, the shares of the blocks that
/// lie above a percentile would spread as a binomial. The ratio of the variances is the design
/// effect, and `count / design effect` the number of independent samples that ours are worth.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blocks {
    blocks: Vec<Coarse>,
}

/// Where a percentile of the process behind the samples lies, with a confidence of 95 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Not below this.
    pub low: Nanos,
    /// Not above this.
    pub high: Nanos,
    /// How many samples here are worth one independent sample; at least 1.
    pub design_effect: f64,
}

impl Bounds {
    /// Half of the interval as a share of `value`: 0.05 is +-5 %.
    pub fn relative(&self, value: Nanos) -> f64 {
        (self.high.0 - self.low.0) as f64 / 2.0 / value.0.max(1) as f64
    }
}

/// Why a percentile has no bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unbounded {
    /// It takes so many samples as these.
    Needs(u64),
    /// Too few blocks have samples to tell how these depend on each other.
    TooShort,
}

impl Blocks {
    /// Groups what lies side by side in time into at most 32 blocks; empty ones are left out.
    pub fn of<'a>(pieces: impl Iterator<Item = &'a Coarse>) -> Self {
        let pieces: Vec<&Coarse> = pieces.filter(|piece| piece.count() > 0).collect();
        let count = pieces.len().min(BLOCKS_MAX);
        let border = |block: usize| block * pieces.len() / count;
        let block = |index: usize| {
            let mut block = Coarse::default();
            pieces[border(index)..border(index + 1)].iter().for_each(|piece| block.merge(piece));
            block
        };
        Self { blocks: (0..count).map(block).collect() }
    }

    /// Where `quantile` of the process lies of which `whole` are the samples, and these blocks
    /// the same or a part of them.
    ///
    /// # Errors
    /// Fewer than ten independent samples' worth lie beyond it; or there are too few blocks.
    pub fn bounds(&self, whole: &Distribution, quantile: Quantile) -> Result<Bounds, Unbounded> {
        let few = Unbounded::Needs(quantile.samples_for(SAMPLES_BEYOND_MIN));
        let value = whole.quantile(quantile).ok_or(few)?;
        if self.blocks.len() < BLOCKS_MIN {
            return Err(Unbounded::TooShort);
        }
        let q = quantile.as_f64();
        let count = self.blocks.iter().map(Coarse::count).sum::<u64>() as f64;
        let design_effect = self.design_effect(value, q);
        let worth = count / design_effect;
        if worth * (1.0 - q).min(q) < SAMPLES_BEYOND_MIN as f64 {
            let independent = quantile.samples_for(SAMPLES_BEYOND_MIN) as f64;
            return Err(Unbounded::Needs((independent * design_effect).ceil() as u64));
        }
        let aside = student_95(self.blocks.len() - 1) * (q * (1.0 - q) / worth).sqrt();
        let low = whole.at_share((q - aside).max(0.0)).unwrap_or(value).min(value);
        let high = whole.at_share((q + aside).min(1.0)).unwrap_or(value).max(value);
        Ok(Bounds { low, high, design_effect })
    }

    /// The variance of the share above `value` between blocks, over that of independent samples; at
    /// least 1, so that the interval is never narrower than for independent samples.
    fn design_effect(&self, value: Nanos, q: f64) -> f64 {
        let blocks: Vec<(f64, f64, f64)> = self
            .blocks
            .iter()
            .map(|block| {
                let (above, within) = block.beyond(value);
                (block.count() as f64, above as f64, within as f64)
            })
            .collect();
        let sum = |of: fn(&(f64, f64, f64)) -> f64| blocks.iter().map(of).sum::<f64>();
        let (count, above, within) = (sum(|b| b.0), sum(|b| b.1), sum(|b| b.2));
        // The percentile lies within a bucket. Each block's samples there are divided as those of
        // the whole are, so that the shares above it come to 1 - q.
        let split = (((1.0 - q) * count - above) / within.max(1.0)).clamp(0.0, 1.0);
        let spread: f64 = blocks
            .iter()
            .map(|(count, above, within)| (above + split * within - (1.0 - q) * count).powi(2))
            .sum();
        let groups = blocks.len() as f64;
        let variance = groups / (groups - 1.0) * spread / (count * count);
        (variance * count / (q * (1.0 - q))).max(1.0)
    }
}

/// Student's deviate of a two-sided interval of 95 %, by its expansion around the normal one: to
/// two parts in a thousand from 5 degrees of freedom on.
fn student_95(degrees: usize) -> f64 {
    let (z, n) = (NORMAL_95, degrees as f64);
    let (z3, z5, z7) = (z.powi(3), z.powi(5), z.powi(7));
    z + (z3 + z) / (4.0 * n)
        + (5.0 * z5 + 16.0 * z3 + 3.0 * z) / (96.0 * n * n)
        + (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * z) / (384.0 * n.powi(3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Recorder;

    const P50: Quantile = Quantile(500_000);
    const P99: Quantile = Quantile(990_000);
    const P99_9: Quantile = Quantile(999_000);

    /// Numbers that look random, from a seed.
    struct Noise(u64);

    impl Noise {
        /// Evenly between 0 and 1, neither of them.
        fn even(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (((z ^ (z >> 31)) >> 11) as f64 + 0.5) / (1u64 << 53) as f64
        }

        /// Two independent normal ones.
        fn normal(&mut self) -> (f64, f64) {
            let (radius, angle) = ((-2.0 * self.even().ln()).sqrt(), self.even());
            let (sin, cos) = (std::f64::consts::TAU * angle).sin_cos();
            (radius * sin, radius * cos)
        }
    }

    /// The response for a standard normal `z`.
    fn response(z: f64) -> Nanos {
        Nanos((100_000.0 * (0.5 * z).exp()) as u64)
    }

    /// A run in 640 pieces of time whose responses follow each other: each is worth `memory` of
    /// the one before it, and new noise.
    fn run(noise: &mut Noise, samples: usize, memory: f64) -> (Recorder, Vec<Coarse>) {
        let (mut whole, mut pieces) = (Recorder::new(), vec![Coarse::default(); 640]);
        let fresh = (1.0 - memory * memory).sqrt();
        let mut state = noise.normal().0;
        for pair in 0..samples / 2 {
            let (one, other) = noise.normal();
            for new in [one, other] {
                state = memory * state + fresh * new;
                whole.record(response(state));
                pieces[pair * 2 * 640 / samples].record(response(state));
            }
        }
        (whole, pieces)
    }

    #[test]
    fn of_a_thousand_runs_with_correlated_latencies_95_in_100_intervals_hold_the_truth() {
        const RUNS: usize = 1000;
        let truth = [(P50, 0.0), (P99, 2.326_348), (P99_9, 3.090_232)];
        let mut noise = Noise(1);
        let mut held = [0; 3];
        let mut widened = 0.0;
        for _ in 0..RUNS {
            let (whole, pieces) = run(&mut noise, 40_000, 0.7);
            let (whole, blocks) = (whole.freeze(), Blocks::of(pieces.iter()));
            for (held, &(quantile, z)) in held.iter_mut().zip(&truth) {
                let bounds = blocks.bounds(&whole, quantile).unwrap();
                *held += usize::from((bounds.low..=bounds.high).contains(&response(z)));
                if quantile == P50 {
                    widened += bounds.design_effect / RUNS as f64;
                }
            }
        }
        assert!(held.iter().all(|held| (930..=970).contains(held)), "{held:?} of {RUNS}");
        assert!((3.0..6.0).contains(&widened), "correlation shows: {widened}");
    }

    #[test]
    fn a_percentile_without_independent_samples_beyond_it_says_how_many_it_takes() {
        let mut noise = Noise(2);
        let (whole, pieces) = run(&mut noise, 20_000, 0.99);
        let (whole, blocks) = (whole.freeze(), Blocks::of(pieces.iter()));
        assert!(blocks.bounds(&whole, P50).is_ok());
        assert!(whole.quantile(P99_9).is_some(), "20 samples lie beyond it");
        match blocks.bounds(&whole, P99_9) {
            Err(Unbounded::Needs(samples)) => assert!(samples > 20_000, "{samples}"),
            other => panic!("{other:?}"),
        }
        let few = run(&mut noise, 900, 0.0).0.freeze();
        assert_eq!(blocks.bounds(&few, P99), Err(Unbounded::Needs(1000)));
    }

    #[test]
    fn samples_that_are_all_alike_leave_no_doubt() {
        let (mut whole, mut piece) = (Recorder::new(), Coarse::default());
        for _ in 0..100 {
            whole.record(Nanos(12_345));
            piece.record(Nanos(12_345));
        }
        let whole = (0..9).fold(whole.clone(), |mut sum, _| {
            sum.merge(&whole);
            sum
        });
        let blocks = Blocks::of([&piece; 10].into_iter());
        let bounds = blocks.bounds(&whole.freeze(), P50).unwrap();
        assert_eq!((bounds.low, bounds.high), (Nanos(12_345), Nanos(12_345)));
        assert_eq!(bounds.relative(Nanos(12_345)), 0.0);
        let short = Blocks::of([&piece; 5].into_iter());
        assert_eq!(short.bounds(&whole.freeze(), P50), Err(Unbounded::TooShort));
    }

    #[test]
    fn students_deviate_is_that_of_the_tables() {
        for (degrees, table) in [(5, 2.571), (10, 2.228), (31, 2.040), (1000, 1.962)] {
            let found = student_95(degrees);
            assert!((found - table).abs() < 0.002 * table, "{degrees}: {found}");
        }
    }
}
