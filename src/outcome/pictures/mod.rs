//! The numbers of the pictures, for whoever draws them: gathered from a log in bins, so that
//! memory does not grow with the log.

mod axis;
mod caption;
mod curve;
mod grid;
mod lifetimes;
mod steps;

pub use axis::{Axis, Tick};
pub use caption::{caption, load};
pub use curve::{Curve, Share, band, shares, spread, support};
pub use grid::{Cell, Grid};
pub use lifetimes::{Life, Lifetimes, Stage, Stretch};
pub use steps::{Step, steps};

use super::{Cut, Summary};
use crate::evidence::{Entry, Hole, Phase, Request};
use crate::unit::{Instant, Nanos};
use grid::since_start;
use lifetimes::Gatherer;

/// Holes that are drawn, at most: the longest.
const HOLES_MAX: usize = 1000;

/// Sessions that a picture of lifetimes shows at least, where there are as many.
const SESSIONS_MIN: u64 = 100;

/// A stretch of the measure phase, from its start on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its start.
    pub from: Nanos,
    /// Its end.
    pub to: Nanos,
}

impl Window {
    /// What time axes show: the measure phase, or what the cut has of it.
    pub fn of(summary: &Summary) -> Self {
        let from = summary.cut.as_ref().and_then(|cut| cut.from).unwrap_or_default();
        Self { from, to: from + summary.measured.max(Nanos(1)) }
    }
}

/// A hole in a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// Its start, from the start of the measure phase.
    pub from: Nanos,
    /// Its end.
    pub to: Nanos,
    /// What is not explained of it.
    pub lost: Nanos,
    /// The shard that was not there.
    pub shard: u32,
}

/// What the records of one log show.
#[derive(Debug, Clone)]
pub struct Pictures {
    /// The part of the measure phase that is shown where time is an axis.
    pub window: Window,
    /// Response, by intended time: of the requests of the response series.
    pub response: Grid,
    /// Lag, by intended time: of the requests that were sent.
    pub lag: Grid,
    /// Holes in order of time: the longest thousand of the window.
    pub holes: Vec<Mark>,
    /// Holes of the window that are not among them.
    pub holes_left_out: u64,
    /// Sessions around the worst moment, or in the window that was asked for.
    pub lifetimes: Lifetimes,
}

impl Pictures {
    /// Gathers what `each` hands out, twice: every entry of the log that `summary` is of, with
    /// its shard; as the summary's cut has them. `start` is that of the measure phase on the log's
    /// clock.
    ///
    /// # Errors
    /// Those of `each`.
    pub fn gather<E>(
        summary: &Summary,
        start: Instant,
        mut each: impl FnMut(&mut dyn FnMut(u32, &Entry)) -> Result<(), E>,
    ) -> Result<Self, E> {
        let cut = &summary.cut.clone().unwrap_or_default();
        let mut sketch = Sketch::new(start, Window::of(summary), cut);
        each(&mut |shard, entry| sketch.add(shard, entry))?;
        let near = sketch.near_worst(summary);
        let mut gatherer = Gatherer::new(start, near, sketch.worst.map(|worst| worst.session));
        each(&mut |shard, entry| {
            if let Entry::Request(request) = entry
                && cut.keeps_shard(shard)
            {
                gatherer.add(shard, request);
            }
        })?;
        Ok(sketch.finish(gatherer.finish()))
    }
}

/// The request with the longest response.
#[derive(Debug, Clone, Copy)]
struct Worst {
    from: Nanos,
    response: Nanos,
    session: (u32, u64),
}

/// All but the lifetimes, which need to know the worst moment.
struct Sketch<'a> {
    cut: &'a Cut,
    start: Instant,
    window: Window,
    response: Grid,
    lag: Grid,
    holes: Vec<Mark>,
    holes_left_out: u64,
    worst: Option<Worst>,
}

impl<'a> Sketch<'a> {
    fn new(start: Instant, window: Window, cut: &'a Cut) -> Self {
        let grid = Grid::new(window.from, window.to);
        Self {
            cut,
            start,
            window,
            response: grid.clone(),
            lag: grid,
            holes: Vec::new(),
            holes_left_out: 0,
            worst: None,
        }
    }

    fn add(&mut self, shard: u32, entry: &Entry) {
        if !self.cut.keeps_shard(shard) {
            return;
        }
        match entry {
            Entry::Request(request) => {
                let request = self.cut.of_request(request, self.start);
                if request.phase == Phase::Measure {
                    self.request(shard, &request);
                }
            }
            Entry::Hole(hole) => self.hole(shard, hole),
            Entry::Slip(_) => {}
        }
    }

    fn request(&mut self, shard: u32, request: &Request) {
        let Some(at) = since_start(request.intended_at, self.start) else { return };
        if !request.is_timed() {
            return;
        }
        let response = request.response();
        self.response.record(at, response);
        if request.was_sent() {
            self.lag.record(at, request.lag());
        }
        // The earliest of equals, whatever the order of the shards.
        let worse = |worst: Worst| (worst.response, at) < (response, worst.from);
        if self.worst.is_none_or(worse) {
            let session = (shard, request.session);
            self.worst = Some(Worst { from: at, response, session });
        }
    }

    fn hole(&mut self, shard: u32, hole: &Hole) {
        let Some(to) = since_start(hole.to, self.start) else { return };
        let from = hole.from.since(self.start);
        if to <= self.window.from || from >= self.window.to {
            return;
        }
        self.holes.push(Mark { from, to, lost: hole.lost, shard });
        if self.holes.len() >= 2 * HOLES_MAX {
            self.keep_longest();
        }
    }

    fn keep_longest(&mut self) {
        self.holes.sort_by_key(|mark| (std::cmp::Reverse(mark.lost), *mark));
        self.holes_left_out += self.holes.len().saturating_sub(HOLES_MAX) as u64;
        self.holes.truncate(HOLES_MAX);
    }

    /// Where lifetimes are worth a look: around the longest, with as many beside it as make a
    /// picture.
    fn near_worst(&self, summary: &Summary) -> Window {
        if self.cut.from.is_some() || self.cut.to.is_some() {
            return self.window;
        }
        let Some(worst) = self.worst else { return self.window };
        let sessions = summary.tally.sessions_planned.max(1);
        let crowd = u128::from(summary.measured.0) * u128::from(SESSIONS_MIN);
        let crowd = u64::try_from(crowd / u128::from(sessions)).unwrap_or(u64::MAX);
        let beside = (worst.response.0 / 2).max(crowd.saturating_sub(worst.response.0) / 2);
        let whole = summary.span.max(summary.measured);
        let to = (worst.from + worst.response + Nanos(beside)).min(whole);
        Window {
            from: Nanos(worst.from.0.saturating_sub(beside)),
            to: to.max(worst.from + Nanos(1)),
        }
    }

    fn finish(mut self, lifetimes: Lifetimes) -> Pictures {
        self.keep_longest();
        self.holes.sort_unstable();
        let Self { window, response, lag, holes, holes_left_out, .. } = self;
        Pictures { window, response, lag, holes, holes_left_out, lifetimes }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::outcome::sample::{Run, request};

    const START: Instant = Instant(5_000_000_000);

    fn pictures(run: &Run, holes: &[Hole], cut: &Cut) -> Pictures {
        let whole = run.summary();
        let measured = cut.length(whole.measured).unwrap();
        let summary = Summary { cut: Some(cut.clone()), measured, ..whole };
        let gathered = Pictures::gather(&summary, START, |take| {
            holes.iter().for_each(|hole| take(0, &Entry::Hole(*hole)));
            for (index, shard) in run.shards.iter().enumerate() {
                let entries = shard.requests.iter().map(|request| Entry::Request(*request));
                entries.for_each(|entry| take(index as u32, &entry));
            }
            Ok::<(), Infallible>(())
        });
        gathered.unwrap_or_else(|never| match never {})
    }

    fn samples(grid: &Grid) -> u64 {
        grid.cells(10).iter().map(|cell| cell.count).sum()
    }

    #[test]
    fn every_timed_request_is_in_the_grids() {
        let gathered = pictures(&Run::steady(), &[], &Cut::default());
        assert_eq!((samples(&gathered.response), samples(&gathered.lag)), (1000, 1000));
        assert_eq!(gathered.window, Window { from: Nanos::ZERO, to: Nanos::from_secs(1) });
    }

    #[test]
    fn lifetimes_show_the_worst_moment_and_a_crowd_around_it() {
        let slow = Run::of_responses(1000, |k| match k {
            600..650 => (Nanos::from_millis(650 - k), Nanos::ZERO),
            _ => (Nanos::ZERO, Nanos::ZERO),
        });
        let Lifetimes { window, lives, one_in } = pictures(&slow, &[], &Cut::default()).lifetimes;
        let worst = Nanos::from_millis(600);
        assert!(window.from < worst && worst + Nanos::from_millis(50) < window.to, "{window:?}");
        assert!((100..110).contains(&lives.len()), "{}", lives.len());
        assert_eq!(one_in, 1);
    }

    #[test]
    fn a_cut_is_what_the_time_axes_show() {
        let (from, to) = (Nanos::from_millis(100), Nanos::from_millis(200));
        let cut = Cut { from: Some(from), to: Some(to), ..Cut::default() };
        let gathered = pictures(&Run::steady(), &[], &cut);
        let window = Window { from, to };
        assert_eq!((gathered.window, gathered.lifetimes.window), (window, window));
        assert_eq!(samples(&gathered.response), 100);
        assert_eq!(gathered.lifetimes.lives.len(), 101);
        let tail = Cut { from: Some(Nanos::from_millis(700)), ..Cut::default() };
        let gathered = pictures(&Run::steady(), &[], &tail);
        assert_eq!((gathered.window.to, samples(&gathered.response)), (Nanos::from_secs(1), 300));
    }

    #[test]
    fn only_the_longest_holes_are_kept_and_the_others_counted() {
        let hole = |k: u64| {
            let from = START + Nanos(k * 1000);
            let lost = Nanos(20 + k);
            Hole { from, to: from + lost, lost, phase: Phase::Measure }
        };
        let holes: Vec<Hole> = (0..5000).map(hole).collect();
        let gathered = pictures(&Run::steady(), &holes, &Cut::default());
        assert_eq!((gathered.holes.len(), gathered.holes_left_out), (1000, 4000));
        assert_eq!(gathered.holes[0].lost, Nanos(4020));
    }

    #[test]
    fn a_run_without_requests_has_empty_pictures() {
        let gathered = pictures(&Run::of(vec![vec![]]), &[], &Cut::default());
        assert!(gathered.lifetimes.lives.is_empty() && gathered.response.cells(9).is_empty());
        let one = pictures(&Run::of(vec![vec![request(3)]]), &[], &Cut::default());
        assert_eq!(one.lifetimes.lives.len(), 1);
    }
}
