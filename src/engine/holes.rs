//! Finds holes: times in which a shard should have run and did not, since it was descheduled or
//! stopped, or the host took its CPU.
//!
//! A pass of the loop that lasts longer than its wait and its work explain has a hole in it.
//! Arrivals that came due in a hole are late by our fault (`lag`), not by the target's (`wait`), as
//! far as the connections that were idle when it began could have served them.

use std::collections::VecDeque;

use super::costs::{Costs, Work, toward};
use crate::evidence::{Busy, HOLE_MIN, Hole, Holes, Phase};
use crate::plan::Plan;
use crate::unit::{Instant, Nanos};

/// Holes whose arrivals may still wait, at most; older ones are forgotten.
const KEPT_MAX: usize = 256;

/// A pass of the loop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pass {
    pub(super) from: Instant,
    pub(super) to: Instant,
    /// How long it was allowed to wait.
    pub(super) waited: Nanos,
    pub(super) work: Work,
    /// Connections that were idle when it began.
    pub(super) idle: u32,
}

/// A hole whose arrivals may still wait.
#[derive(Debug, Clone, Copy)]
struct Kept {
    from: Instant,
    to: Instant,
    idle: u64,
    /// Time that these connections had to spare, all together, up to `until`; at most one session
    /// of each, since no arrival is served before it is due.
    spare_ns: u64,
    until: Instant,
}

/// The holes of a shard, and how much of the rest of its time was work.
#[derive(Debug)]
pub(super) struct HoleTracker {
    costs: Costs,
    holes: Holes,
    busy: Busy,
    /// Length of the busy passes that could not wait.
    worked: Nanos,
    /// Those that began with idle connections, the oldest first.
    kept: VecDeque<Kept>,
    /// The median service of a request in ns; 0 before the first.
    service_ns: u64,
    /// Requests of a session, and how long it thinks in all.
    requests: u64,
    thinks_ns: u64,
}

impl HoleTracker {
    pub(super) fn new(plan: &Plan) -> Self {
        let requests = u64::from(plan.requests);
        Self {
            costs: Costs::new(),
            holes: Holes::prepared(),
            busy: Busy::default(),
            worked: Nanos::ZERO,
            kept: VecDeque::with_capacity(KEPT_MAX),
            service_ns: 0,
            requests,
            thinks_ns: plan.think.0.saturating_mul(requests.saturating_sub(1)),
        }
    }

    /// Looks at the pass that has just ended: how much of it is a hole.
    #[inline]
    pub(super) fn note(&mut self, pass: &Pass) -> Option<Nanos> {
        let took = pass.to.since(pass.from).0;
        if pass.work.pieces() == 0 {
            let lost = Nanos(took.saturating_sub(pass.waited.0));
            return (lost >= HOLE_MIN).then_some(lost);
        }
        let usual = self.costs.usual(pass.work);
        let lost = Nanos(took.saturating_sub(pass.waited.0 + usual));
        // Up to twice the usual is still work: batches of one size do not all take the same time.
        let is_hole = lost.0 >= HOLE_MIN.0 + usual;
        count(&mut self.busy, pass.work);
        if pass.waited == Nanos::ZERO {
            self.costs.learn(pass.work, took > usual);
            self.worked += Nanos(if is_hole { usual } else { took });
        }
        is_hole.then_some(lost)
    }

    /// Keeps a pass of which [`HoleTracker::note`] said that so much was lost.
    #[cold]
    pub(super) fn keep(&mut self, pass: &Pass, lost: Nanos, phase: Phase) -> Hole {
        let hole = Hole { from: pass.from, to: pass.to, lost, phase };
        if phase == Phase::Measure {
            self.holes.count(&hole);
        }
        if pass.idle > 0 {
            if self.kept.len() == KEPT_MAX {
                self.kept.pop_front();
            }
            let from = Instant(pass.to.0 - lost.0);
            let (idle, spare_ns) = (pass.idle.into(), u64::MAX);
            self.kept.push_back(Kept { from, to: pass.to, idle, spare_ns, until: from });
        }
        hole
    }

    /// A request was answered after so long.
    #[inline]
    pub(super) fn served(&mut self, service: Nanos) {
        self.service_ns = match self.service_ns {
            0 => service.0,
            usual => toward(usual, service.0 > usual),
        };
    }

    /// Whether an arrival came due in a hole, and would have been sent at once had there been none.
    /// Arrivals are asked for in the order in which they came due.
    #[inline]
    pub(super) fn covers(&mut self, intended_at: Instant) -> bool {
        while let Some(hole) = self.kept.front()
            && intended_at > hole.to
        {
            self.kept.pop_front();
        }
        !self.kept.is_empty() && self.first_covers(intended_at)
    }

    /// Each idle connection would have served one session after another.
    #[cold]
    fn first_covers(&mut self, intended_at: Instant) -> bool {
        let session_ns = self.service_ns.saturating_mul(self.requests) + self.thinks_ns;
        let session_ns = session_ns.max(1);
        let Some(hole) = self.kept.front_mut() else { return false };
        if intended_at <= hole.from {
            return false;
        }
        let gained_ns = hole.idle.saturating_mul(intended_at.since(hole.until).0);
        let most_ns = hole.idle.saturating_mul(session_ns);
        hole.spare_ns = hole.spare_ns.saturating_add(gained_ns).min(most_ns);
        hole.until = intended_at;
        let hides = hole.spare_ns >= session_ns;
        hole.spare_ns -= if hides { session_ns } else { 0 };
        hides
    }

    /// The measure phase begins.
    pub(super) fn begin(&mut self) {
        (self.busy, self.worked) = (Busy::default(), Nanos::ZERO);
    }

    /// What was done since [`HoleTracker::begin`]; with its time where the shard never waits.
    pub(super) fn busy(&self, never_waits: bool) -> Busy {
        Busy { time: never_waits.then_some(self.worked), ..self.busy }
    }

    /// The holes that ended in the measure phase.
    pub(super) fn into_holes(self) -> Holes {
        self.holes
    }
}

#[inline]
fn count(busy: &mut Busy, work: Work) {
    busy.passes += 1;
    busy.started += u64::from(work.started);
    busy.started_max = busy.started_max.max(work.started);
    busy.handled += u64::from(work.handled);
    busy.handled_max = busy.handled_max.max(work.handled);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sample;

    fn tracker() -> HoleTracker {
        HoleTracker::new(&sample::plan())
    }

    fn pass(from_us: u64, to_us: u64, waited_us: u64, pushed: u32) -> Pass {
        let at = |us| Instant(us * 1_000);
        Pass {
            from: at(from_us),
            to: at(to_us),
            waited: Nanos::from_micros(waited_us),
            work: Work { started: pushed, pushed, ..Work::default() },
            idle: 1,
        }
    }

    fn note(tracker: &mut HoleTracker, pass: &Pass) -> Option<Nanos> {
        let lost = tracker.note(pass)?;
        tracker.keep(pass, lost, Phase::Measure);
        Some(lost)
    }

    #[test]
    fn a_pass_has_a_hole_only_beyond_its_wait_and_its_work() {
        let mut tracker = tracker();
        let us = Nanos::from_micros;
        assert_eq!(note(&mut tracker, &pass(0, 19, 0, 0)), None);
        assert_eq!(note(&mut tracker, &pass(0, 20, 0, 0)), Some(us(20)));
        assert_eq!(note(&mut tracker, &pass(0, 10_019, 10_000, 0)), None);
        assert_eq!(note(&mut tracker, &pass(0, 6_000, 0, 64)), None);
        assert_eq!(note(&mut tracker, &pass(300, 400, 50, 0)), Some(us(50)));
        assert_eq!(note(&mut tracker, &pass(0, 200_000, 0, 0)), Some(us(200_000)));
        let holes = tracker.into_holes();
        assert_eq!((holes.count, holes.total, holes.longest), (3, us(200_070), us(200_000)));
        assert_eq!(holes.spectrum[..3], [1, 1, 0]);
    }

    #[test]
    fn work_that_was_learned_hides_no_short_hole() {
        let mut tracker = tracker();
        (0..200).for_each(|_| assert_eq!(note(&mut tracker, &pass(0, 8, 0, 2)), None));
        assert_eq!(note(&mut tracker, &pass(0, 16, 0, 2)), None, "twice as slow is still work");
        let lost = note(&mut tracker, &pass(0, 60, 0, 2)).unwrap();
        assert!((50_000..54_000).contains(&lost.0), "{lost:?}");
    }

    #[test]
    fn a_shard_is_busy_where_there_was_something_to_do() {
        let mut tracker = tracker();
        (0..200).for_each(|_| assert_eq!(note(&mut tracker, &pass(0, 10, 0, 2)), None));
        tracker.begin();
        for pass in [pass(0, 8, 0, 1), pass(8, 9, 0, 0), pass(9, 19, 0, 3), pass(0, 99, 90, 2)] {
            assert_eq!(note(&mut tracker, &pass), None);
        }
        let busy = tracker.busy(true);
        assert_eq!((busy.time, busy.passes), (Some(Nanos::from_micros(18)), 3));
        assert_eq!(tracker.busy(false).time, None);
        assert_eq!((busy.started, busy.started_max), (6, 3));
        let lost = note(&mut tracker, &pass(0, 900, 0, 2)).unwrap();
        let worked = tracker.busy(true).time.unwrap();
        assert_eq!(worked + lost, Nanos::from_micros(918), "a hole is not work");
    }

    #[test]
    fn what_came_due_in_a_hole_that_began_idle_is_ours() {
        let mut tracker = tracker();
        note(&mut tracker, &pass(100, 200, 0, 0));
        note(&mut tracker, &Pass { idle: 0, ..pass(300, 400, 0, 0) });
        note(&mut tracker, &pass(500, 600, 0, 0));
        let hidden = |tracker: &mut HoleTracker, us: u64| tracker.covers(Instant(us * 1_000));
        let asked = [50, 100, 101, 200, 201, 350, 501, 601];
        let found: Vec<bool> = asked.iter().map(|&us| hidden(&mut tracker, us)).collect();
        assert_eq!(found, [false, false, true, true, false, false, true, false]);
    }

    #[test]
    fn no_more_is_ours_than_idle_connections_would_have_served() {
        #[track_caller]
        fn check(idle: u32, due_us: impl Iterator<Item = u64>, expect: usize) {
            let mut tracker = tracker();
            tracker.served(Nanos::from_micros(100));
            note(&mut tracker, &Pass { idle, ..pass(0, 10_000, 0, 0) });
            assert_eq!(due_us.filter(|&us| tracker.covers(Instant(us * 1_000))).count(), expect);
        }
        check(1, std::iter::repeat_n(1, 200), 1);
        check(64, std::iter::repeat_n(1, 200), 64);
        check(1, std::iter::repeat_n(1_000, 200), 1);
        let rushes = [1_000, 1_050, 1_100, 5_000].map(|us| std::iter::repeat_n(us, 200));
        check(2, rushes.into_iter().flatten(), 6);
        check(4, (1..10_000).step_by(100), 100);
        check(1, (1..10_000).step_by(50), 100);
    }
}
