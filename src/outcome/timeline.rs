//! A run in intervals of time: what was due, sent and done in each, how much was on its way, and
//! how long it took.

use std::cmp::Ordering;

use crate::evidence::{Outcome, Phase, Request};
use crate::stats::Coarse;
use crate::unit::{Instant, Nanos};

/// Width of the first intervals in ns: doubled seven times it is 10 ms, which suits a run of 10 s.
const WIDTH_MIN: u64 = 78_125;

/// The most intervals; with one more event they would be twice as wide, and half as many.
const INTERVALS_MAX: usize = 1024;

/// The requests of the measure phase in intervals of equal width from its start to the last end
/// of one of them; 513 to 1024 intervals unless the run is shorter than 80 ms.
///
/// The width follows from the last event alone, and everything in an interval is a sum of
/// integers: timelines of shards, of parts of a log in any split, or of several runs add up to
/// the very timeline of all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Timeline {
    /// The width is [`WIDTH_MIN`] doubled so often.
    doublings: u32,
    intervals: Vec<Interval>,
}

/// What fell into one interval.
///
/// Sessions and requests are counted where they happened. `response` and `service` stand in the
/// interval in which the request was **intended**: what a stall cost is seen where it was caused,
/// the samples of an interval are those that the schedule put there, and none lies outside of the
/// measure phase.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interval {
    /// Arrivals that were due.
    pub planned: u64,
    /// Requests by outcome, in the order of [`Outcome::ALL`], at their end.
    pub outcomes: [u64; Outcome::ALL.len()],
    /// Sum of `response`, in ns.
    pub response_sum: u128,
    /// Response of the requests intended here that are timed.
    pub response: Coarse,
    /// Their service, where they were sent.
    pub service: Coarse,
    intended: Moments,
    ready: Moments,
    sent: Moments,
    done: Moments,
}

/// Moments within an interval.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Moments {
    count: u64,
    /// Sum of what was left of the interval at each, in ns.
    left: u128,
}

impl Moments {
    fn note(&mut self, left: u64) {
        self.count += 1;
        self.left += u128::from(left);
    }

    /// Adds those of an interval that ends `earlier` before this one.
    fn add(&mut self, other: Self, earlier: u64) {
        self.count += other.count;
        self.left += other.left + u128::from(other.count) * u128::from(earlier);
    }
}

impl Interval {
    /// Requests handed to the ring, or failed for want of a port.
    pub fn sent(&self) -> u64 {
        // What was given up unsent has its send at its end.
        self.sent.count - self.outcome(Outcome::Dropped) - self.outcome(Outcome::Unserved)
    }

    /// Requests with this outcome.
    pub fn outcome(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome as usize]
    }

    fn add(&mut self, other: &Self, earlier: u64) {
        self.planned += other.planned;
        for (mine, theirs) in self.outcomes.iter_mut().zip(other.outcomes) {
            *mine += theirs;
        }
        self.response_sum += other.response_sum;
        self.response.merge(&other.response);
        self.service.merge(&other.service);
        self.intended.add(other.intended, earlier);
        self.ready.add(other.ready, earlier);
        self.sent.add(other.sent, earlier);
        self.done.add(other.done, earlier);
    }
}

/// How much was on its way in an interval, on average.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// Requests between their intended time and their end.
    pub in_system: f64,
    /// Those of them that could have been sent and were not yet: between `ready` and `sent`.
    pub late: f64,
    /// Requests between their send and their end.
    pub in_flight: f64,
}

impl Timeline {
    /// Takes a request that has ended; passes over those outside of the measure phase, which
    /// began at `origin`.
    #[inline]
    pub fn record(&mut self, origin: Instant, request: &Request) {
        if request.phase != Phase::Measure {
            return;
        }
        let since = |at: Instant| at.since(origin).0;
        let (intended, done) = (since(request.intended_at), since(request.done_at));
        let (ready, sent) = match request.was_sent() {
            true => (since(request.ready_at), since(request.sent_at)),
            false => (done, done),
        };
        self.reach(intended.max(ready).max(sent).max(done));
        let (interval, left) = self.at(intended);
        interval.intended.note(left);
        interval.planned += u64::from(request.request == 0);
        if request.is_timed() {
            let response = request.response();
            interval.response.record(response);
            interval.response_sum += u128::from(response.0);
            if request.outcome != Outcome::Unserved {
                interval.service.record(request.service());
            }
        }
        let (interval, left) = self.at(ready);
        interval.ready.note(left);
        let (interval, left) = self.at(sent);
        interval.sent.note(left);
        let (interval, left) = self.at(done);
        interval.done.note(left);
        interval.outcomes[request.outcome as usize] += 1;
    }

    /// Adds what `other` holds, `later` after this one: runs that began at different times are
    /// laid side by side, to the nearest interval.
    pub fn merge(&mut self, other: &Self, later: Nanos) {
        let mut other = other.clone();
        let shift = loop {
            match self.doublings.cmp(&other.doublings) {
                Ordering::Less => self.coarsen(),
                Ordering::Greater => other.coarsen(),
                Ordering::Equal => {
                    let width = self.width().0;
                    let shift = (later.0.saturating_add(width / 2) / width) as usize;
                    let end = shift.saturating_add(other.intervals.len());
                    if other.intervals.is_empty() || end <= INTERVALS_MAX {
                        break shift;
                    }
                    self.coarsen();
                }
            }
        };
        if !other.intervals.is_empty() {
            let count = self.intervals.len().max(shift + other.intervals.len());
            self.intervals.resize_with(count, Interval::default);
        }
        for (mine, theirs) in self.intervals.iter_mut().skip(shift).zip(&other.intervals) {
            mine.add(theirs, 0);
        }
    }

    /// Width of each interval.
    pub fn width(&self) -> Nanos {
        Nanos(WIDTH_MIN << self.doublings)
    }

    /// The intervals from the start of the measure phase on; the last is that of the last end.
    pub fn intervals(&self) -> &[Interval] {
        &self.intervals
    }

    /// How much was on its way, interval by interval: exact integrals over their width. In an
    /// interval in which sessions were under way that began in the warm-up these are not counted.
    pub fn levels(&self) -> impl Iterator<Item = Level> {
        let width = self.width().0 as f64;
        let (mut waiting, mut late, mut in_flight) = (0.0, 0.0, 0.0);
        self.intervals.iter().map(move |interval| {
            // A request that came earlier is there for the whole interval, one that came here for
            // the rest of it.
            let next = |there: &mut f64, came: Moments, went: Moments| {
                let mean = *there + (came.left as f64 - went.left as f64) / width;
                *there += came.count as f64 - went.count as f64;
                mean.max(0.0)
            };
            let waiting = next(&mut waiting, interval.intended, interval.ready);
            let late = next(&mut late, interval.ready, interval.sent);
            let in_flight = next(&mut in_flight, interval.sent, interval.done);
            Level { in_system: waiting + late + in_flight, late, in_flight }
        })
    }

    /// The interval of `since`, which is within reach, and what is left of it then.
    #[inline]
    fn at(&mut self, since: u64) -> (&mut Interval, u64) {
        let index = (since / WIDTH_MIN) >> self.doublings;
        // The end of the last interval of all may be beyond what the word holds; what is left
        // of it is not.
        let end = (index + 1).wrapping_mul(WIDTH_MIN) << self.doublings;
        let left = end.wrapping_sub(since);
        (&mut self.intervals[index as usize], left)
    }

    /// Makes room for an event at `since`.
    #[inline]
    fn reach(&mut self, since: u64) {
        if (since / WIDTH_MIN) >> self.doublings >= self.intervals.len() as u64 {
            self.grow(since);
        }
    }

    #[cold]
    fn grow(&mut self, since: u64) {
        while (since / WIDTH_MIN) >> self.doublings >= INTERVALS_MAX as u64 {
            self.coarsen();
        }
        let index = (since / WIDTH_MIN) >> self.doublings;
        let count = self.intervals.len().max(index as usize + 1);
        self.intervals.resize_with(count, Interval::default);
    }

    /// Makes one interval of each two.
    fn coarsen(&mut self) {
        let width = self.width().0;
        let wide = self.intervals.chunks(2).map(|pair| {
            let mut whole = Interval::default();
            whole.add(&pair[0], width);
            pair.get(1).into_iter().for_each(|second| whole.add(second, 0));
            whole
        });
        self.intervals = wide.collect();
        self.doublings += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::evidence::Step;
    use crate::outcome::sample::{failed, request};

    const ORIGIN: Instant = Instant(5_000_000_000);

    fn of<'a>(requests: impl IntoIterator<Item = &'a Request>) -> Timeline {
        let mut timeline = Timeline::default();
        requests.into_iter().for_each(|request| timeline.record(ORIGIN, request));
        timeline
    }

    fn lasting(k: u64, response: Nanos) -> Request {
        let request = request(k);
        Request { done_at: request.intended_at + response, ..request }
    }

    #[test]
    fn a_run_of_ten_seconds_has_a_thousand_intervals_of_ten_milliseconds() {
        let timeline = of(&(0..10_000).map(request).collect::<Vec<_>>());
        assert_eq!((timeline.width(), timeline.intervals().len()), (Nanos::from_millis(10), 1000));
        for interval in timeline.intervals() {
            assert_eq!((interval.planned, interval.sent()), (10, 10));
            assert_eq!(interval.outcome(Outcome::Ok), 10);
            assert_eq!(interval.response.count(), 10);
        }
    }

    #[test]
    fn samples_stand_where_they_were_intended_and_ends_where_they_happened() {
        let late = lasting(0, Nanos::from_millis(50));
        let timeline = of(&[late, lasting(40, Nanos::from_millis(1))]);
        let (first, last) = (&timeline.intervals()[0], timeline.intervals().last().unwrap());
        assert_eq!((first.response.count(), first.outcome(Outcome::Ok)), (1, 0));
        assert_eq!((last.response.count(), last.outcome(Outcome::Ok)), (0, 1));
        assert_eq!(first.response_sum, 50_000_000);
    }

    #[test]
    fn the_level_is_the_integral_of_what_was_on_its_way() {
        // Two for half a second, then one for the rest; the third never left.
        let half = |k, waits| {
            let request = lasting(k, Nanos::from_millis(500));
            let sent_at = request.intended_at + Nanos::from_millis(waits);
            Request { ready_at: request.intended_at, sent_at, ..request }
        };
        let unserved = failed(0, Outcome::Unserved, Step::None, 0);
        let unserved = Request { done_at: unserved.intended_at + Nanos::from_secs(1), ..unserved };
        let timeline = of(&[half(0, 0), half(500, 250), unserved]);
        let width = timeline.width().as_secs_f64();
        let total = |of: fn(Level) -> f64| timeline.levels().map(of).sum::<f64>() * width;
        assert!((total(|level| level.in_system) - 2.0).abs() < 1e-9);
        assert!((total(|level| level.late) - 0.25).abs() < 1e-9);
        assert!((total(|level| level.in_flight) - 0.75).abs() < 1e-9);
        let second = timeline.levels().nth(1).unwrap();
        assert_eq!(second, Level { in_system: 2.0, late: 0.0, in_flight: 1.0 });
    }

    #[test]
    fn an_absurd_stamp_costs_no_memory() {
        let absurd = Request { done_at: Instant(u64::MAX), ..request(0) };
        assert!(of(&[absurd]).intervals().len() <= INTERVALS_MAX);
    }

    #[test]
    fn a_run_that_began_later_is_laid_beside() {
        let one = of(&[request(0), request(99)]);
        let both = |later| {
            let mut both = one.clone();
            both.merge(&one, later);
            both.intervals().iter().map(|interval| interval.planned).sum::<u64>()
        };
        assert_eq!(both(Nanos::ZERO), 4);
        assert_eq!(both(Nanos::from_secs(3600)), 4);
        let mut late = Timeline::default();
        late.merge(&one, Nanos::from_secs(1));
        let first = late.intervals().iter().position(|interval| interval.planned > 0).unwrap();
        assert!((late.width().0 * first as u64).abs_diff(1_000_000_000) <= late.width().0);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_timeline(
            requests in prop::collection::vec(
                (0..5000u64, 0..2_000_000_000u64, 0..3usize), 1..200),
            order in Just([0, 1, 2]).prop_shuffle(),
        ) {
            let all: Vec<(Request, usize)> = requests
                .iter()
                .map(|&(k, nanos, part)| (lasting(k, Nanos(nanos)), part))
                .collect();
            let mut merged = Timeline::default();
            for part in order {
                let part = of(all.iter().filter(|r| r.1 == part).map(|r| &r.0));
                merged.merge(&part, Nanos::ZERO);
            }
            prop_assert_eq!(merged, of(all.iter().map(|r| &r.0)));
        }
    }
}
