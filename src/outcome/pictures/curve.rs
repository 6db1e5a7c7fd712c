//! Distributions as lines in a picture.

use crate::stats::{Blocks, Distribution, SAMPLES_BEYOND_MIN};
use crate::unit::{Nanos, Quantile};

/// Time over percentile, as far as samples support it and beyond.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Of each point `1 / (1 - p)` and the time at the quantile `p`.
    pub supported: Vec<(f64, Nanos)>,
    /// The same where fewer than ten samples lie beyond; begins where `supported` ends.
    pub unsupported: Vec<(f64, Nanos)>,
}

/// Where the support of `count` samples ends: `1 / (1 - p)` of the last percentile that has it.
pub fn support(count: u64) -> f64 {
    (count as f64 / SAMPLES_BEYOND_MIN as f64).max(1.0)
}

impl Curve {
    /// The curve of `distribution`, its largest sample at the count of samples.
    pub fn of(distribution: &Distribution) -> Self {
        let count = distribution.count();
        // A value is drawn at the rank of its last sample; the largest, beyond which there is none,
        // as if there were one.
        let beyond = |up_to: u64| count as f64 / (count - up_to).max(1) as f64;
        let points: Vec<_> =
            shares(distribution).iter().map(|share| (beyond(share.up_to), share.time)).collect();
        let edge = support(distribution.count());
        let split = points.partition_point(|point| point.0 <= edge);
        Self {
            supported: points[..split].to_vec(),
            unsupported: points[split.saturating_sub(1)..].to_vec(),
        }
    }

    /// The largest sample; zero without samples.
    pub fn end(&self) -> Nanos {
        let last = self.unsupported.last().or_else(|| self.supported.last());
        last.map_or(Nanos::ZERO, |point| point.1)
    }
}

/// Points of a band to each tenth of what is beyond.
const BAND_POINTS: f64 = 16.0;

/// Where the curve of `distribution` lies with 95 % confidence: of each point `1 / (1 - p)`, the
/// least and the most time at the quantile `p`. Empty where the run is too short to tell.
pub fn band(blocks: &Blocks, distribution: &Distribution) -> Vec<(f64, Nanos, Nanos)> {
    let last = support(distribution.count()).log10() * BAND_POINTS;
    let points = (0..=last as u64).filter_map(|step| {
        let beyond = 10f64.powf(step as f64 / BAND_POINTS);
        let quantile = Quantile((1e6 - 1e6 / beyond).round() as u32);
        let bounds = blocks.bounds(distribution, quantile).ok()?;
        Some((beyond, bounds.low, bounds.high))
    });
    points.collect()
}

/// A point of a distribution function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// The time.
    pub time: Nanos,
    /// Samples at or below it.
    pub up_to: u64,
}

/// The distribution function of `distribution`, as finely as paper shows it.
pub fn shares(distribution: &Distribution) -> Vec<Share> {
    let count = distribution.count();
    let mut kept: Vec<Share> = Vec::new();
    for (time, up_to) in distribution.cumulative() {
        let is_new = kept.last().is_none_or(|last| {
            time.0 as f64 >= last.time.0 as f64 * 1.01
                || (up_to - last.up_to) as f64 >= count as f64 * 0.005
                || (count - up_to) as f64 <= (count - last.up_to) as f64 * 0.95
        });
        if is_new || up_to == count {
            kept.push(Share { time, up_to });
        }
    }
    kept
}

/// Moves `places` apart, so that none is nearer to another than `gap`; their order stays, and
/// they stay within 0 to 1 as far as there is room.
pub fn spread(places: &mut [f64], gap: f64) {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by(|&a, &b| places[a].total_cmp(&places[b]));
    for pair in 1..order.len() {
        let least = places[order[pair - 1]] + gap;
        places[order[pair]] = places[order[pair]].max(least);
    }
    let mut most = 1.0;
    for &index in order.iter().rev() {
        places[index] = places[index].min(most);
        most = places[index] - gap;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Recorder;

    fn of(samples: impl IntoIterator<Item = u64>) -> Distribution {
        let mut recorder = Recorder::new();
        samples.into_iter().for_each(|nanos| recorder.record(Nanos(nanos)));
        recorder.freeze()
    }

    #[test]
    fn a_curve_is_supported_up_to_ten_samples_beyond() {
        let curve = Curve::of(&of(1..=1000));
        assert!(curve.supported.iter().all(|point| point.0 <= 100.0));
        assert_eq!(curve.supported.last(), curve.unsupported.first());
        assert_eq!((curve.end(), curve.unsupported.last().unwrap().0), (Nanos(1000), 1000.0));
        let few = Curve::of(&of(1..=5));
        assert_eq!((few.supported.len(), few.end()), (0, Nanos(5)));
    }

    #[test]
    fn a_distribution_function_ends_with_every_sample() {
        let shares = shares(&of((1..=100_000).map(|k| k * 17)));
        assert!(shares.len() < 2000, "{}", shares.len());
        assert!(shares.windows(2).all(|p| p[0].time < p[1].time && p[0].up_to < p[1].up_to));
        assert_eq!(shares.last().map(|last| last.up_to), Some(100_000));
    }

    #[test]
    fn nothing_has_no_points() {
        assert_eq!((Curve::of(&of([])).end(), shares(&of([])).len()), (Nanos::ZERO, 0));
    }

    #[test]
    fn labels_are_moved_apart_and_stay_on_paper() {
        let mut places = [0.99, 0.98, 0.1];
        spread(&mut places, 0.05);
        assert_eq!(places, [1.0, 0.95, 0.1]);
    }
}
