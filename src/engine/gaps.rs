//! Times in which a shard was not there: descheduled, stopped, or its CPU taken by the host.
//!
//! A pass of the loop that lasts longer than its wait and its work explain is a *stall*. What came
//! due meanwhile would have been sent had we been there: where connections were idle when the
//! stall began, its lateness is ours (`lag`), not the target's (`wait`).

use std::collections::VecDeque;

use crate::unit::{Instant, Nanos};

/// What a session started or a completion handled may cost, with a wide margin: a fresh
/// connection takes the kernel some 40 us.
const WORK_COST: Nanos = Nanos::from_micros(100);

/// A pass that is late by less is not worth a word here.
const STALL_MIN: Nanos = Nanos::from_millis(1);

/// Stalls whose arrivals may still wait, at most; older ones are forgotten.
const KEPT_MAX: usize = 64;

/// A pass of the loop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pass {
    pub(super) from: Instant,
    pub(super) to: Instant,
    /// How long it was allowed to wait.
    pub(super) waited: Nanos,
    /// Sessions started and completions handled in it.
    pub(super) work: u32,
}

impl Pass {
    /// Its length beyond what its wait and its work explain.
    fn stalled(&self) -> Nanos {
        let explained = self.waited.0 + WORK_COST.0 * u64::from(self.work);
        Nanos(self.to.since(self.from).0.saturating_sub(explained))
    }
}

/// What stalls came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stalls {
    /// How many.
    pub count: u64,
    /// All of them together.
    pub total: Nanos,
    /// The longest.
    pub longest: Nanos,
}

/// The stalls of a shard.
#[derive(Debug)]
pub(super) struct Gaps {
    stalls: Stalls,
    /// Those that began with idle connections, the oldest first.
    kept: VecDeque<(Instant, Instant)>,
}

impl Gaps {
    pub(super) fn new() -> Self {
        Self { stalls: Stalls::default(), kept: VecDeque::with_capacity(KEPT_MAX) }
    }

    /// Looks at the pass that has just ended.
    #[inline]
    pub(super) fn note(&mut self, pass: Pass, counts: bool, began_idle: bool) {
        let stalled = pass.stalled();
        if stalled >= STALL_MIN {
            self.keep(pass, stalled, counts, began_idle);
        }
    }

    #[cold]
    fn keep(&mut self, pass: Pass, stalled: Nanos, counts: bool, began_idle: bool) {
        if counts {
            self.stalls.count += 1;
            self.stalls.total += stalled;
            self.stalls.longest = self.stalls.longest.max(stalled);
        }
        if began_idle {
            if self.kept.len() == KEPT_MAX {
                self.kept.pop_front();
            }
            self.kept.push_back((pass.from, pass.to));
        }
    }

    /// Whether an arrival came due while we were not there, though a connection was idle.
    /// Arrivals are asked for in the order in which they came due.
    #[inline]
    pub(super) fn hide(&mut self, intended_at: Instant) -> bool {
        while let Some(&(from, to)) = self.kept.front() {
            if intended_at <= to {
                return intended_at > from;
            }
            self.kept.pop_front();
        }
        false
    }

    pub(super) fn stalls(&self) -> Stalls {
        self.stalls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(from_ms: u64, to_ms: u64, waited_ms: u64, work: u32) -> Pass {
        let at = |ms| Instant(ms * 1_000_000);
        Pass { from: at(from_ms), to: at(to_ms), waited: Nanos::from_millis(waited_ms), work }
    }

    #[test]
    fn a_pass_is_a_stall_only_beyond_its_wait_and_its_work() {
        let mut gaps = Gaps::new();
        gaps.note(pass(0, 10, 10, 0), true, true);
        gaps.note(pass(10, 16, 0, 64), true, true);
        assert_eq!(gaps.stalls(), Stalls::default());
        gaps.note(pass(16, 216, 0, 0), true, true);
        gaps.note(pass(300, 400, 50, 0), true, false);
        let expect =
            Stalls { count: 2, total: Nanos::from_millis(250), longest: Nanos::from_millis(200) };
        assert_eq!(gaps.stalls(), expect);
    }

    #[test]
    fn what_came_due_in_a_stall_that_began_idle_is_ours() {
        let mut gaps = Gaps::new();
        gaps.note(pass(100, 200, 0, 0), true, true);
        gaps.note(pass(300, 400, 0, 0), true, false);
        gaps.note(pass(500, 600, 0, 0), false, true);
        let hidden = |gaps: &mut Gaps, ms: u64| gaps.hide(Instant(ms * 1_000_000));
        let asked = [50, 100, 101, 200, 201, 350, 501, 601];
        let found: Vec<bool> = asked.iter().map(|&ms| hidden(&mut gaps, ms)).collect();
        assert_eq!(found, [false, false, true, true, false, false, true, false]);
    }
}
