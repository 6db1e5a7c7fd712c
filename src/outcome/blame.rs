//! How much of the response was our own doing, request by request.

use std::collections::VecDeque;

use crate::evidence::{Hole, Phase, Request};
use crate::stats::{Distribution, Recorder};
use crate::unit::{Instant, Nanos, Quantile};

/// Holes of a shard that are remembered; a request that began before the oldest is blamed for no
/// more than these.
const REMEMBERED_MAX: usize = 1 << 16;

/// A request is *blamed* on us where more than nine tenths of its response were our own doing: it
/// tells of the generator, and not of the target.
const BLAMED_TENTHS: u64 = 9;

/// The latest holes of a shard, apart and in order.
#[derive(Debug, Clone)]
pub(super) struct Recent {
    is_lag_ours: bool,
    latest: VecDeque<Span>,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    from: Instant,
    to: Instant,
    lost: Nanos,
    /// Lost in this one and in all before it.
    lost_up_to: u64,
}

impl Span {
    fn within(self, from: Instant, to: Instant) -> u64 {
        self.to.min(to).since(self.from.max(from)).0.min(self.lost.0)
    }
}

impl Recent {
    /// No hole yet. `is_lag_ours`: the plan itself makes no request lag, so that all lag is our own
    /// doing.
    pub(super) fn new(is_lag_ours: bool) -> Self {
        Self { is_lag_ours, latest: VecDeque::new() }
    }

    /// Takes the hole that follows those taken so far.
    pub(super) fn push(&mut self, hole: &Hole) {
        let last = self.latest.back();
        let (end, lost) = last.map_or((Instant::ZERO, 0), |last| (last.to, last.lost_up_to));
        let from = hole.from.max(end);
        let to = hole.to.max(from);
        let hole_lost = hole.lost.min(to.since(from));
        if self.latest.len() == REMEMBERED_MAX {
            self.latest.pop_front();
        }
        let lost_up_to = lost.saturating_add(hole_lost.0);
        self.latest.push_back(Span { from, to, lost: hole_lost, lost_up_to });
    }

    /// How much of the request's life was ours: its lag, and beside it what was lost in holes, of
    /// each at most what lies within that life. An upper bound: an answer may have come just as
    /// the hole ended.
    #[inline]
    pub(super) fn share_of(&self, request: &Request) -> Nanos {
        let (ready_at, sent_at) = match self.is_lag_ours && request.was_sent() {
            true => (request.ready_at, request.sent_at),
            false => (request.done_at, request.done_at),
        };
        let lag = sent_at.since(ready_at).0;
        if self.latest.back().is_none_or(|last| last.to <= request.intended_at) {
            return Nanos(lag);
        }
        let before = self.lost_within(request.intended_at, ready_at);
        let after = self.lost_within(sent_at, request.done_at);
        Nanos(lag.saturating_add(before).saturating_add(after))
    }

    /// Time lost in holes from `from` to `to`.
    fn lost_within(&self, from: Instant, to: Instant) -> u64 {
        let first = self.latest.partition_point(|hole| hole.to <= from);
        let behind = self.latest.partition_point(|hole| hole.from < to);
        if first >= behind {
            return 0;
        }
        let (head, tail) = (self.latest[first], self.latest[behind - 1]);
        if behind - first == 1 {
            return head.within(from, to);
        }
        let between = tail.lost_up_to - tail.lost.0 - head.lost_up_to;
        head.within(from, to) + between + tail.within(from, to)
    }
}

/// What the holes of a measure phase come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lost {
    /// How many there were.
    pub count: u64,
    /// Lost in all of them.
    pub total: Nanos,
    /// The one that lost most; of equal ones the first.
    pub worst: Option<Hole>,
}

impl Lost {
    /// Takes a hole; passes over those outside of the measure phase.
    pub(super) fn add(&mut self, hole: &Hole) {
        if hole.phase == Phase::Measure {
            self.merge(&Self { count: 1, total: hole.lost, worst: Some(*hole) });
        }
    }

    /// Adds those that come after these.
    pub fn merge(&mut self, next: &Self) {
        self.count += next.count;
        self.total += next.total;
        let lost = |hole: Option<Hole>| hole.map(|hole| hole.lost);
        if lost(next.worst) > lost(self.worst) {
            self.worst = next.worst;
        }
    }
}

/// Three views of the response of the same requests, those of the records.
#[derive(Debug, Clone, Default)]
pub struct Blame {
    /// The response as it was.
    pub response: Recorder,
    /// Less our own share of each.
    pub net: Recorder,
    /// The response of those that were mostly ours.
    pub blamed: Recorder,
}

impl Blame {
    /// Takes a request of which `ours` was our own doing; all but its response as it was, which
    /// the series of its shard hold.
    #[inline]
    pub(super) fn record(&mut self, request: &Request, ours: Nanos) {
        if request.phase != Phase::Measure || !request.is_timed() {
            return;
        }
        let response = request.response();
        self.net.record(Nanos(response.0.saturating_sub(ours.0)));
        if ours.0 > response.0 / 10 * BLAMED_TENTHS {
            self.blamed.record(response);
        }
    }

    /// Adds the samples of `other`, as if they had been recorded here.
    pub fn merge(&mut self, other: &Self) {
        self.response.merge(&other.response);
        self.net.merge(&other.net);
        self.blamed.merge(&other.blamed);
    }

    /// For paper.
    pub fn freeze(&self) -> Ours {
        Ours {
            response: self.response.freeze(),
            net: self.net.freeze(),
            blamed: self.blamed.freeze(),
        }
    }
}

/// [`Blame`], frozen: our own share of the percentiles.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of `Blame`")]
pub struct Ours {
    pub response: Distribution,
    pub net: Distribution,
    pub blamed: Distribution,
}

impl Ours {
    /// The most of the response at `quantile` that is our own doing; `None` without support.
    ///
    /// What is taken off each request is at least what we added to it, so its response without us
    /// lies between `net` and `response`. Then so does, at each quantile, the distribution of
    /// these: quantiles keep the order of the samples. What a request that we held up made others
    /// wait for at the cap is not in it.
    pub fn at(&self, quantile: Quantile) -> Option<Nanos> {
        let response = self.response.quantile(quantile)?;
        let ours = response.0.saturating_sub(self.net.quantile(quantile)?.0);
        // Less than the width of a bucket is not significant.
        Some(Nanos(if ours > response.0 / 1000 { ours } else { 0 }))
    }

    /// The same as a share of the response there, 0 to 1.
    pub(super) fn share_at(&self, quantile: Quantile) -> Option<f64> {
        let response = self.response.quantile(quantile)?;
        self.at(quantile).map(|ours| ours.0 as f64 / response.0.max(1) as f64)
    }

    /// Of the samples from `quantile` upwards, the share that tells of us and not of the target,
    /// 0 to 1; `None` without support.
    pub fn blamed_from(&self, quantile: Quantile) -> Option<f64> {
        let from = self.response.quantile(quantile)?;
        let all = self.response.count_from(from);
        Some(self.blamed.count_from(from) as f64 / all.max(1) as f64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::evidence::{Outcome, Step};
    use crate::outcome::sample::{failed, request};

    fn hole(from: u64, to: u64, lost: u64) -> Hole {
        let phase = Phase::Measure;
        Hole { from: Instant(from), to: Instant(to), lost: Nanos(lost), phase }
    }

    fn recent(spans: &[(u64, u64, u64)]) -> Recent {
        let mut recent = Recent::new(true);
        spans.iter().for_each(|&(from, to, lost)| recent.push(&hole(from, to, lost)));
        recent
    }

    fn life(intended: u64, ready: u64, sent: u64, done: u64) -> Request {
        Request {
            intended_at: Instant(intended),
            ready_at: Instant(ready),
            sent_at: Instant(sent),
            done_at: Instant(done),
            ..request(0)
        }
    }

    #[track_caller]
    fn check(spans: &[(u64, u64, u64)], request: &Request, ours: u64) {
        assert_eq!(recent(spans).share_of(request), Nanos(ours), "{spans:?} {request:?}");
    }

    #[test]
    fn a_hole_counts_where_it_meets_the_life_of_a_request_and_no_more_than_was_lost() {
        let one = [(100, 200, 60)];
        check(&one, &life(0, 0, 0, 100), 0);
        check(&one, &life(200, 200, 200, 300), 0);
        check(&one, &life(0, 0, 0, 130), 30);
        check(&one, &life(0, 0, 0, 300), 60);
        check(&one, &life(150, 150, 150, 300), 50);
        check(&[(10, 20, 10), (30, 40, 5), (50, 60, 10)], &life(15, 15, 15, 55), 5 + 5 + 5);
    }

    #[test]
    fn lateness_that_a_hole_explains_counts_once() {
        // Due in the hole, sent when it was over.
        check(&[(100, 200, 100)], &life(150, 150, 205, 300), 55);
        // It waited for a connection through the hole, and was late by itself as well.
        check(&[(100, 200, 100)], &life(50, 210, 220, 300), 100 + 10);
    }

    #[test]
    fn what_was_never_sent_was_never_late() {
        let unserved = failed(0, Outcome::Unserved, Step::None, 0);
        let life = Request { intended_at: Instant(0), done_at: Instant(1000), ..unserved };
        check(&[(100, 200, 100)], &life, 100);
    }

    #[test]
    fn in_a_rush_only_holes_are_ours() {
        let mut recent = Recent::new(false);
        recent.push(&hole(100, 200, 100));
        assert_eq!(recent.share_of(&life(50, 60, 180, 300)), Nanos(100));
        assert_eq!(recent.share_of(&life(300, 300, 900, 950)), Nanos::ZERO);
    }

    #[test]
    fn a_percentile_says_how_much_of_it_may_be_ours() {
        let mut blame = Blame::default();
        for k in 0..1000 {
            let ours = Nanos(if k < 30 { 9_000_000 } else { 0 });
            let request = request(k);
            let done_at = request.done_at + ours;
            let request = Request { done_at, ..request };
            blame.record(&request, ours);
            blame.response.record(request.response());
        }
        let ours = blame.freeze();
        let p = |typed: &str| typed.parse::<Quantile>().unwrap();
        assert_eq!(ours.at(p("p50")), Some(Nanos::ZERO));
        assert!(ours.at(p("p99")).unwrap().0.abs_diff(9_000_000) < 10_000);
        assert_eq!(ours.blamed_from(p("p99")), Some(1.0));
        assert!((ours.blamed_from(p("p50")).unwrap() - 0.03).abs() < 1e-9);
        assert_eq!(ours.at(p("p99.9")), None);
    }

    proptest! {
        #[test]
        fn the_share_is_that_of_looking_at_every_hole(
            lengths in prop::collection::vec((0..20u64, 1..20u64, 0..25u64), 0..40),
            stamps in (0..900u64, 0..300u64, 0..300u64, 0..300u64),
        ) {
            let mut at = 0;
            let mut spans = Vec::new();
            for (pause, length, lost) in lengths {
                spans.push((at + pause, at + pause + length, lost.min(length)));
                at += pause + length;
            }
            let (intended, wait, lag, service) = stamps;
            let (ready, sent) = (intended + wait, intended + wait + lag);
            let request = life(intended, ready, sent, sent + service);
            let within = |from: u64, to: u64| -> u64 {
                let met = |&(f, t, lost): &(u64, u64, u64)| {
                    t.min(to).saturating_sub(f.max(from)).min(lost)
                };
                spans.iter().map(met).sum()
            };
            let expect = lag + within(intended, ready) + within(sent, sent + service);
            let seen = recent(&spans).share_of(&request);
            prop_assert_eq!(seen, Nanos(expect));
            prop_assert!(seen <= request.response());
        }
    }
}
