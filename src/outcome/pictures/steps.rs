//! The timeline in as many steps as paper shows.

use super::Window;
use crate::evidence::Outcome;
use crate::outcome::{Interval, Timeline};
use crate::plan::{Pattern, Plan};
use crate::stats::Coarse;
use crate::unit::{Nanos, Quantile};

/// Steps to a picture, at most.
const STEPS_MAX: usize = 256;

/// Sessions to a step, on average at least: fewer have no percentiles.
const SESSIONS_MIN: u64 = 20;

/// A stretch of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its start, from the start of the measure phase.
    pub from: Nanos,
    /// Its end.
    pub to: Nanos,
    /// Arrivals due per second.
    pub planned_per_s: f64,
    /// Requests sent per second.
    pub sent_per_s: f64,
    /// Requests that ended ok, per second.
    pub ok_per_s: f64,
    /// Requests that ended in any other way, per second.
    pub failed_per_s: f64,
    /// Requests between intended and done, on average.
    pub in_system: f64,
    /// Requests between sent and done, on average.
    pub in_flight: f64,
    /// Median response of those intended here; `None` without samples.
    pub p50: Option<Nanos>,
    /// The same at 99 %; `None` without ten samples.
    pub p99: Option<Nanos>,
}

/// The steps of `timeline` within `window`, of whole intervals. Rush arrivals are taken by whole
/// periods where that is possible: a rate in between would show the steps and not the load.
pub fn steps(timeline: &Timeline, plan: &Plan, window: Window) -> Vec<Step> {
    let width = timeline.width().0;
    let first = (window.from.0 / width) as usize;
    let last = window.to.0.div_ceil(width) as usize;
    let intervals = timeline.intervals();
    let last = last.min(intervals.len());
    let first = first.min(last);
    let planned: u64 = intervals[first..last].iter().map(|interval| interval.planned).sum();
    let steps_max = (planned / SESSIONS_MIN).clamp(1, STEPS_MAX as u64) as usize;
    let least = (last - first).div_ceil(steps_max).max(1);
    let size = match plan.pattern {
        Pattern::Rush(period) => {
            let is_whole = |size: &usize| (*size as u64 * width).is_multiple_of(period.0);
            (least..=least * 32).find(is_whole).unwrap_or(least)
        }
        _ => least,
    };
    let levels: Vec<_> = timeline.levels().take(last).skip(first).collect();
    let groups = intervals[first..last].chunks(size).zip(levels.chunks(size)).enumerate();
    groups
        .map(|(number, (group, levels))| {
            let from = Nanos((first + number * size) as u64 * width);
            // The last requests may have ended before the window does.
            let end = (from + Nanos(size as u64 * width)).min(window.to);
            let to = end.max(from + Nanos(group.len() as u64 * width));
            let mean = |sum: f64| sum / levels.len() as f64;
            Step {
                in_system: mean(levels.iter().map(|level| level.in_system).sum()),
                in_flight: mean(levels.iter().map(|level| level.in_flight).sum()),
                ..step(from, to, group)
            }
        })
        .collect()
}

/// All of a step but its levels.
fn step(from: Nanos, to: Nanos, group: &[Interval]) -> Step {
    let seconds = Nanos(to.0 - from.0).as_secs_f64();
    let per_s = |count: u64| count as f64 / seconds;
    let ended: u64 = group.iter().flat_map(|interval| interval.outcomes).sum();
    let ok: u64 = group.iter().map(|interval| interval.outcome(Outcome::Ok)).sum();
    let mut response = Coarse::default();
    group.iter().for_each(|interval| response.merge(&interval.response));
    let has_tail = response.count() >= 10;
    Step {
        from,
        to,
        planned_per_s: per_s(group.iter().map(|interval| interval.planned).sum()),
        sent_per_s: per_s(group.iter().map(Interval::sent).sum()),
        ok_per_s: per_s(ok),
        failed_per_s: per_s(ended - ok),
        in_system: 0.0,
        in_flight: 0.0,
        p50: response.nearest_rank(Quantile(500_000)),
        p99: response.nearest_rank(Quantile(990_000)).filter(|_| has_tail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::sample::Run;

    fn of(run: &Run, plan: &Plan, window: Window) -> Vec<Step> {
        steps(&run.summary().timeline, plan, window)
    }

    const ALL: Window = Window { from: Nanos::ZERO, to: Nanos::from_secs(1) };

    #[test]
    fn a_steady_run_has_steady_steps() {
        let run = Run::steady();
        let steps = of(&run, &run.plan, ALL);
        assert!((40..=50).contains(&steps.len()), "{}", steps.len());
        assert!(steps.windows(2).all(|pair| pair[0].to == pair[1].from));
        let planned: f64 =
            steps.iter().map(|s| s.planned_per_s * Nanos(s.to.0 - s.from.0).as_secs_f64()).sum();
        assert!((planned - 1000.0).abs() < 1e-6, "{planned}");
        assert!(steps.iter().all(|s| s.in_flight <= 1.0 && s.failed_per_s == 0.0));
    }

    #[test]
    fn a_rush_is_taken_by_whole_periods() {
        let run = Run::steady();
        let plan = Plan { pattern: Pattern::Rush(Nanos::from_millis(100)), ..run.plan.clone() };
        let steps = of(&run, &plan, ALL);
        assert_eq!(steps[0].to.0 % 100_000_000, 0);
    }

    #[test]
    fn a_window_shows_what_touches_it() {
        let run = Run::steady();
        let (from, to) = (Nanos::from_millis(500), Nanos::from_millis(600));
        let steps = of(&run, &run.plan, Window { from, to });
        let width = Nanos(steps[0].to.0 - steps[0].from.0);
        assert!(steps[0].from <= from && from < steps[0].from + width);
        assert!(steps.last().is_some_and(|last| last.to >= to && last.from < to));
        let beyond = Window { from: Nanos::from_secs(7), to: Nanos::from_secs(8) };
        assert_eq!(of(&run, &run.plan, beyond), []);
    }
}
