//! Whether a run came to a steady state, and when: said, never cut off unasked.

use super::{Interval, Timeline};
use crate::plan::LogMode;
use crate::stats::{Coarse, Settled, settled, trend};
use crate::unit::{Nanos, Quantile};

/// Pieces of a run between which a trend is sought.
const PIECES: usize = 64;

const MEDIAN: Quantile = Quantile(500_000);

/// The course of a run over its measure phase.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Steady {
    /// Where the steady part begins, from the start of the measure phase, by MSER-5 on the mean
    /// response; `None` where that is not within the first half, or the run too short to tell.
    pub from: Option<Nanos>,
    /// By how much what is before `from` shifts the mean response, as a share of what the mean is
    /// without it.
    pub warm_up: f64,
    /// The run is long enough to tell, and did not settle within its first half.
    pub is_unsettled: bool,
    /// By how much the median response changed from start to end, as a share of what it was on
    /// the whole: 0.1 is 10 % more; `None` where no trend goes through the run.
    pub trend: Option<f64>,
    /// Requests that came into the system per second beyond those that left it, where that goes
    /// through the whole run. What we were late with is not in it.
    pub growth_per_s: Option<f64>,
}

/// A start that shifts the mean response by less is as good as the rest.
const WARM_UP_MIN: f64 = 0.01;

impl Steady {
    /// Where what should be left out as warm-up ends, from the start of the measure phase: `from`,
    /// where what is before shifts the mean response by at least 1 %.
    pub fn warm_up_end(&self) -> Option<Nanos> {
        self.from.filter(|_| self.warm_up >= WARM_UP_MIN)
    }

    /// Looks at the part of the measure phase that begins at `from` and is `measured` long;
    /// nothing is known where the log does not keep a fair part of the requests.
    pub(super) fn of(log: LogMode, timeline: &Timeline, from: Nanos, measured: Nanos) -> Self {
        let Some(stands_for) = log.stands_for() else { return Self::default() };
        let width = timeline.width();
        let index = |at: u64| (at.div_ceil(width.0) as usize).min(timeline.intervals().len());
        let (first, behind) = (index(from.0), index(from.0.saturating_add(measured.0)));
        let count = behind - first;
        let intervals = &timeline.intervals()[first..behind];
        let (from, is_unsettled) = match settled_of(intervals) {
            Settled::From(index) => (Some(Nanos((first + index) as u64 * width.0)), false),
            Settled::Never => (None, true),
            Settled::TooShort => (None, false),
        };
        let levels: Vec<f64> = timeline
            .levels()
            .skip(first)
            .take(count)
            .map(|level| level.in_system - level.late)
            .collect();
        let level = |piece: &[f64]| piece.iter().sum::<f64>() / piece.len() as f64;
        let growth = trend(&pieces(&levels).map(level).collect::<Vec<_>>());
        let per_piece = measured.as_secs_f64() / PIECES.min(count.max(1)) as f64;
        Self {
            from,
            warm_up: from.map_or(0.0, |from| shift(intervals, (from.0 / width.0) as usize - first)),
            is_unsettled,
            trend: trend_of(intervals),
            growth_per_s: growth.map(|growth| stands_for as f64 * growth / per_piece),
        }
    }
}

/// By how much the first `count` intervals shift the mean response of all.
fn shift(intervals: &[Interval], count: usize) -> f64 {
    let mean = |intervals: &[Interval]| {
        let samples: u64 = intervals.iter().map(|interval| interval.response.count()).sum();
        let sum: u128 = intervals.iter().map(|interval| interval.response_sum).sum();
        sum as f64 / samples.max(1) as f64
    };
    let rest = mean(&intervals[count..]);
    (mean(intervals) - rest).abs() / rest.max(1.0)
}

/// MSER-5 on the mean response of each interval; those without samples have none.
fn settled_of(intervals: &[Interval]) -> Settled {
    let mean = |interval: &Interval| {
        let count = interval.response.count();
        (count > 0).then(|| interval.response_sum as f64 / count as f64)
    };
    let sampled: Vec<(usize, f64)> = (0..)
        .zip(intervals)
        .filter_map(|(index, interval)| Some((index, mean(interval)?)))
        .collect();
    let means: Vec<f64> = sampled.iter().map(|&(_, mean)| mean).collect();
    match settled(&means) {
        Settled::From(0) => Settled::From(0),
        Settled::From(index) => Settled::From(sampled[index].0),
        other => other,
    }
}

fn trend_of(intervals: &[Interval]) -> Option<f64> {
    let medians: Vec<f64> = pieces(intervals)
        .filter_map(|piece| {
            let mut response = Coarse::default();
            piece.iter().for_each(|interval| response.merge(&interval.response));
            response.nearest_rank(MEDIAN).map(|median| median.0 as f64)
        })
        .collect();
    let change = trend(&medians)? * (medians.len() - 1) as f64;
    let mean = medians.iter().sum::<f64>() / medians.len() as f64;
    Some(change / mean.max(1.0))
}

/// Cuts into at most 64 pieces of the same size, but for one interval.
fn pieces<T>(all: &[T]) -> impl Iterator<Item = &[T]> {
    let count = all.len().min(PIECES);
    let border = move |piece: usize| piece * all.len() / count;
    (0..count).map(move |piece| &all[border(piece)..border(piece + 1)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Request;
    use crate::outcome::sample::{ORIGIN, request};

    /// A session each ms for ten seconds, answered after what `response_us` says.
    fn of(response_us: impl Fn(u64) -> u64) -> Steady {
        let mut timeline = Timeline::default();
        for k in 0..10_000 {
            let request = request(k);
            let done_at = request.intended_at + Nanos::from_micros(response_us(k));
            timeline.record(ORIGIN, &Request { done_at, ..request });
        }
        Steady::of(LogMode::All, &timeline, Nanos::ZERO, Nanos::from_secs(10))
    }

    #[test]
    fn a_steady_run_is_steady_from_the_start() {
        let steady = of(|k| 500 + k * 7919 % 100);
        assert!(steady.from.unwrap() < Nanos::from_secs(1), "{steady:?}");
        assert_eq!((steady.trend, steady.growth_per_s), (None, None));
    }

    #[test]
    fn a_slow_start_is_seen_for_as_long_as_it_lasts() {
        let steady = of(|k| 500 + k * 7919 % 100 + 2000u64.saturating_sub(k));
        let from = steady.from.unwrap();
        assert!((Nanos::from_millis(1800)..Nanos::from_millis(2200)).contains(&from), "{from}");
    }

    #[test]
    fn a_backlog_that_grows_is_a_growth_and_never_settles() {
        // Each waits half a millisecond longer than the one before: two thirds are served in time.
        let steady = of(|k| 100 + 500 * k);
        assert!(steady.is_unsettled, "{steady:?}");
        let growth = steady.growth_per_s.unwrap();
        assert!((growth - 1000.0 / 3.0).abs() < 20.0, "{growth}");
        assert!(steady.trend.unwrap() > 1.0, "{steady:?}");
    }

    #[test]
    fn what_we_did_not_send_is_no_growth() {
        let mut timeline = Timeline::default();
        for k in 0..10_000 {
            let request = request(k);
            let sent_at = request.sent_at + Nanos::from_micros(500 * k);
            let done_at = sent_at + Nanos::from_micros(100);
            timeline.record(ORIGIN, &Request { sent_at, done_at, ..request });
        }
        assert_eq!(
            Steady::of(LogMode::All, &timeline, Nanos::ZERO, Nanos::from_secs(10)).growth_per_s,
            None
        );
    }

    #[test]
    fn a_stall_is_neither_a_trend_nor_a_growth() {
        let steady = of(|k| 500 + if (4000..4400).contains(&k) { (4400 - k) * 1000 } else { 0 });
        assert_eq!((steady.trend, steady.growth_per_s), (None, None));
    }
}
