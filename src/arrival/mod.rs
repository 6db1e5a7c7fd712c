//! When the next session is due. Integers and a seed decide; completions never do.
//!
//! Arrival k of the whole run falls to shard `k mod shards`. Every shard knows the whole
//! schedule and takes its own part, so that the arrivals are the same however many shards share
//! them, and their superposition *is* the named process.

mod chance;
mod random;
mod staircase;

use crate::plan::{Pattern, Plan};
use crate::unit::{Instant, Nanos, Rate};
pub use chance::Chance;
use random::Gaps;
use staircase::Staircase;

/// The arrivals of one shard, in order.
#[derive(Debug, Clone)]
pub struct Arrivals {
    start: Instant,
    process: Process,
    /// Number, over all shards, of the arrival that is next for this one.
    index: u64,
    shards: u64,
    /// Arrivals from this number on are not due any more.
    limit: u64,
    next: Instant,
}

#[derive(Debug, Clone)]
enum Process {
    /// `floor(k * unit / den)` ns after the start.
    Even(Staircase),
    /// Burst `floor(k / (rate * period))`, each a period after the one before.
    Rush(Staircase, Nanos),
    /// Sums of seeded gaps, until this long after the start.
    Random(Gaps, Nanos),
}

impl Arrivals {
    /// The arrivals of shard `index` for `length` from `start` on, or the plan's count where it
    /// has one and `counted`. `None` for a closed loop, which has no schedule. `stream` tells
    /// the warm-up's random numbers from those that count.
    pub fn new(plan: &Plan, index: u32, start: Instant, span: Span) -> Option<Self> {
        let Rate::MilliPerSecond(milli) = plan.rate else { return None };
        let shards = u64::from(plan.shards);
        let (milli, skip) = (u128::from(milli), u64::from(index));
        let unit = 1_000 * u128::from(Nanos::PER_SECOND);
        let process = match plan.pattern {
            Pattern::Even => Process::Even(Staircase::new(unit, milli, skip, shards)),
            Pattern::Rush(period) => {
                let per_burst = milli * u128::from(period.0);
                Process::Rush(Staircase::new(unit, per_burst, skip, shards), period)
            }
            Pattern::Random(gap) => {
                let seed = plan.seed ^ span.stream();
                let mut gaps = Gaps::new(seed, gap, unit as f64 / milli as f64);
                gaps.skip(skip);
                Process::Random(gaps, span.length())
            }
        };
        let limit = match (span.count(), &process) {
            (Some(count), _) => count,
            (None, Process::Random(..)) => u64::MAX,
            (None, _) => plan.rate.arrivals_in(span.length()).unwrap_or(u64::MAX),
        };
        let mut arrivals = Self { start, process, index: skip, shards, limit, next: start };
        arrivals.settle();
        Some(arrivals)
    }

    /// When the next arrival is due; [`Instant::NEVER`] once there is none.
    #[inline]
    pub fn peek(&self) -> Instant {
        self.next
    }

    /// Steps over the next arrival.
    #[inline]
    pub fn advance(&mut self) {
        self.index += self.shards;
        match &mut self.process {
            Process::Even(steps) | Process::Rush(steps, _) => steps.advance(),
            Process::Random(gaps, _) => gaps.skip(self.shards),
        }
        self.settle();
    }

    #[inline]
    fn settle(&mut self) {
        let after = match &self.process {
            Process::Even(steps) => Nanos(steps.value()),
            Process::Rush(steps, period) => Nanos(steps.value().saturating_mul(period.0)),
            Process::Random(gaps, length) => match gaps.sum() {
                sum if sum < *length => sum,
                _ => return self.next = Instant::NEVER,
            },
        };
        self.next = if self.index < self.limit { self.start + after } else { Instant::NEVER };
    }
}

/// What part of a run a schedule covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// The warm-up, of this length.
    Warmup(Nanos),
    /// The measure phase, of this length.
    Measure(Nanos),
    /// The measure phase, of this many sessions.
    Counted(u64),
}

impl Span {
    /// The longest that a schedule without a length lasts: a year.
    const FOREVER: Nanos = Nanos::from_secs(365 * 24 * 3600);

    /// The length; very long for a counted span.
    pub fn length(self) -> Nanos {
        match self {
            Self::Warmup(length) | Self::Measure(length) => length,
            Self::Counted(_) => Self::FOREVER,
        }
    }

    fn count(self) -> Option<u64> {
        match self {
            Self::Counted(count) => Some(count),
            _ => None,
        }
    }

    /// Sets the random numbers of the warm-up apart from those that count.
    fn stream(self) -> u64 {
        match self {
            Self::Warmup(_) => 0x5741_524d_5550,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Gap, sample};

    fn all(plan: &Plan, index: u32, span: Span) -> Vec<u64> {
        let mut arrivals = Arrivals::new(plan, index, Instant(1_000), span).unwrap();
        let mut due = Vec::new();
        while arrivals.peek() != Instant::NEVER {
            due.push(arrivals.peek().0);
            arrivals.advance();
        }
        due
    }

    fn plan(rate: &str, pattern: Pattern) -> Plan {
        Plan { rate: rate.parse().unwrap(), pattern, ..sample::plan() }
    }

    const SECOND: Span = Span::Measure(Nanos::from_secs(1));

    #[test]
    fn even_arrivals_are_k_over_rate_to_the_nanosecond() {
        let plan = plan("7", Pattern::Even);
        let due = all(&plan, 0, Span::Measure(Nanos::from_secs(1_000)));
        assert_eq!(due.len(), 7_000);
        for (k, &at) in due.iter().enumerate() {
            assert_eq!(at, 1_000 + plan.rate.due_after(k as u64).0);
        }
    }

    #[test]
    fn an_arrival_is_due_for_every_k_that_comes_before_the_end() {
        let four = Span::Measure(Nanos::from_secs(4));
        for (rate, count, last_ms) in [("2.7", 11, 3_703), ("0.333", 2, 3_003), ("2.5", 10, 3_600)]
        {
            let due = all(&plan(rate, Pattern::Even), 0, four);
            assert_eq!(
                (due.len(), (due[count - 1] - 1_000) / 1_000_000),
                (count, last_ms),
                "{rate}"
            );
            let rush = all(&plan(rate, Pattern::Rush(Nanos::from_secs(4))), 0, four);
            assert_eq!(rush.len(), count, "{rate}");
        }
    }

    #[test]
    fn a_rush_is_due_at_once_at_each_boundary() {
        let due = all(
            &plan("300", Pattern::Rush(Nanos::from_secs(1))),
            0,
            Span::Measure(Nanos::from_millis(2_500)),
        );
        assert_eq!(due.len(), 750, "the average rate holds in a cut period");
        for (second, burst) in due.chunks(300).enumerate() {
            assert!(burst.iter().all(|&at| at == 1_000 + second as u64 * 1_000_000_000));
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_arrivals_and_another_gives_others() {
        let seven = Plan { seed: 7, ..plan("1000", Pattern::Random(Gap::Exp)) };
        assert_eq!(all(&seven, 0, SECOND), all(&seven, 0, SECOND));
        assert_ne!(all(&seven, 0, SECOND), all(&Plan { seed: 8, ..seven.clone() }, 0, SECOND));
        assert_ne!(all(&seven, 0, SECOND), all(&seven, 0, Span::Warmup(Nanos::from_secs(1))));
    }

    #[test]
    fn shards_share_one_process_whatever_their_number() {
        for pattern in [
            Pattern::Even,
            Pattern::Rush(Nanos::from_millis(100)),
            Pattern::Random(Gap::Exp),
            Pattern::Random(Gap::Uniform),
        ] {
            let whole = all(&plan("997", pattern), 0, SECOND);
            for shards in [2, 3, 7] {
                let split = Plan { shards, ..plan("997", pattern) };
                let mut merged: Vec<u64> =
                    (0..shards).flat_map(|index| all(&split, index, SECOND)).collect();
                merged.sort_unstable();
                assert_eq!(merged, whole, "{pattern} over {shards}");
            }
        }
    }

    #[test]
    fn a_count_ends_the_schedule() {
        let plan = plan("1000", Pattern::Random(Gap::Exp));
        assert_eq!(all(&plan, 0, Span::Counted(17)).len(), 17);
    }

    /// Kolmogorov-Smirnov distance of the gaps to a distribution with mean `1 / rate`.
    fn distance(gap: Gap, cdf: fn(f64) -> f64) -> f64 {
        let plan = plan("100000", Pattern::Random(gap));
        let due = all(&plan, 0, SECOND);
        let mut gaps: Vec<f64> = due.windows(2).map(|w| (w[1] - w[0]) as f64 / 10_000.0).collect();
        gaps.sort_by(f64::total_cmp);
        let n = gaps.len() as f64;
        gaps.iter().enumerate().map(|(i, &x)| (cdf(x) - i as f64 / n).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn random_gaps_have_the_named_distribution() {
        let exp = distance(Gap::Exp, |x| 1.0 - (-x).exp());
        assert!(exp < 0.01, "exponential: {exp}");
        let uniform = distance(Gap::Uniform, |x| (x / 2.0).min(1.0));
        assert!(uniform < 0.01, "uniform: {uniform}");
        assert!(distance(Gap::Uniform, |x| 1.0 - (-x).exp()) > 0.1, "the distance can fail");
    }
}
