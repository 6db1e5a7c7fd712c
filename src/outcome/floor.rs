//! A run beside the floor of its machine.

use super::Summary;
use crate::evidence::Floor;
use crate::plan::Scheme;
use crate::unit::Quantile;

/// A run beside what its machine can do at best.
#[derive(Debug, Clone, PartialEq)]
pub struct Beside {
    /// What the machine can do.
    pub floor: Floor,
    /// The response's median over that of the floor; `None` where either has no support.
    pub p50_ratio: Option<f64>,
    /// Whether that is more than the noise between equal runs.
    pub is_different: Option<bool>,
    /// Requests per second of a shard over the most that a core can do; `None` for fresh
    /// connections and raw bytes, for which the most is not known.
    pub rate_share: Option<f64>,
}

/// A response below this many times the floor is for the most part the machine's own.
pub const NEAR_FLOOR: f64 = 3.0;

/// Above this share of the most, queueing in the generator itself may show in the response.
pub const NEAR_CEILING: f64 = 0.5;

impl Summary {
    /// Compares the run with `floor`, which is that of its machine.
    pub fn stand_beside(&mut self, floor: Floor) {
        let p50 = self.figures.response.quantile(Quantile(500_000));
        let p50_ratio = p50
            .zip(floor.response_p50.filter(|p50| p50.0 > 0))
            .map(|(p50, least)| p50.0 as f64 / least.0 as f64);
        let is_like_the_floor = !self.plan.fresh && self.plan.target.scheme == Scheme::Http;
        let per_shard = self.rates.requests_per_s.map(|rate| rate / f64::from(self.plan.shards));
        self.floor = Some(Beside {
            p50_ratio,
            is_different: p50_ratio.zip(floor.noise.p50).map(|(p50, by)| (p50 - 1.0).abs() > by),
            rate_share: per_shard
                .filter(|_| is_like_the_floor && floor.rate_per_s > 0.0)
                .map(|rate| rate / floor.rate_per_s),
            floor,
        });
    }
}

impl Beside {
    /// What a reader of the run's figures has to keep in mind.
    pub fn notes(&self) -> Vec<&'static str> {
        let mut notes = Vec::new();
        if self.is_different == Some(false) {
            notes.push("not different from the floor beyond the noise of equal runs");
        } else if self.p50_ratio.is_some_and(|ratio| ratio < NEAR_FLOOR) {
            notes.push("near the floor: for the most part it is this machine's own time");
        }
        if self.rate_share.is_some_and(|share| share > NEAR_CEILING) {
            notes.push("near the ceiling: spread it over more shards, or lower the rate");
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Noise;
    use crate::outcome::sample::Run;
    use crate::unit::Nanos;

    /// The steady run has a median of some 150 us, at 1000 a second.
    fn beside(p50_us: u64, noise: f64, rate_per_s: f64) -> Beside {
        let mut summary = Run::steady().summary();
        summary.stand_beside(Floor {
            response_p50: Some(Nanos::from_micros(p50_us)),
            noise: Noise { p50: Some(noise), ..Noise::default() },
            rate_per_s,
            ..Floor::default()
        });
        summary.floor.unwrap()
    }

    #[test]
    fn a_difference_below_the_noise_is_no_difference() {
        let same = beside(145, 0.1, 1e6);
        assert_eq!(same.is_different, Some(false));
        assert!(same.notes()[0].starts_with("not different"), "{same:?}");
        assert_eq!(beside(145, 0.01, 1e6).is_different, Some(true));
    }

    #[test]
    fn what_is_near_the_floor_or_the_ceiling_is_said() {
        let far = beside(20, 0.1, 1e6);
        assert!((far.p50_ratio.unwrap() - 7.5).abs() < 0.1 && far.notes().is_empty(), "{far:?}");
        assert!(beside(75, 0.1, 1e6).notes()[0].starts_with("near the floor"));
        let high = beside(20, 0.1, 1_500.0);
        assert!((high.rate_share.unwrap() - 0.667).abs() < 0.01);
        assert!(high.notes()[0].starts_with("near the ceiling"));
    }

    #[test]
    fn what_the_floor_does_not_have_is_not_compared() {
        let mut summary = Run::steady().summary();
        summary.plan.fresh = true;
        summary.stand_beside(Floor { rate_per_s: 5.0, ..Floor::default() });
        let beside = summary.floor.unwrap();
        assert_eq!((beside.p50_ratio, beside.is_different, beside.rate_share), (None, None, None));
        assert!(beside.notes().is_empty());
    }
}
