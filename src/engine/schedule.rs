//! What is due, and what waits: arrivals of warm-up and measure phase in one line.
//!
//! The arrivals that wait are not stored. Two steppers walk the same schedule, one as time goes
//! by and one as sessions start; the backlog is the distance between them.

use crate::arrival::{Arrivals, Span};
use crate::evidence::Phase;
use crate::plan::Plan;
use crate::unit::{Instant, Nanos};

/// The arrivals of one shard.
#[derive(Debug)]
pub(super) struct Schedule {
    parts: [Part; 2],
}

#[derive(Debug)]
struct Part {
    phase: Phase,
    due: Option<Arrivals>,
    next: Option<Arrivals>,
    came: u64,
    backlog: u64,
}

/// An arrival that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) intended_at: Instant,
    pub(super) phase: Phase,
}

impl Schedule {
    /// Arrivals of shard `index`, the warm-up from `start` on and the measure phase after it.
    /// Empty for a closed loop.
    pub(super) fn new(plan: &Plan, index: u32, start: Instant) -> Self {
        let measure = match plan.count {
            Some(count) => Span::Counted(count),
            None => Span::Measure(plan.duration),
        };
        let part = |phase, from, span: Span| {
            let arrivals = Arrivals::new(plan, index, from, span);
            let arrivals = arrivals.filter(|_| span.length() > Nanos::ZERO);
            Part { phase, due: arrivals.clone(), next: arrivals, came: 0, backlog: 0 }
        };
        Self {
            parts: [
                part(Phase::Warmup, start, Span::Warmup(plan.warmup)),
                part(Phase::Measure, start + plan.warmup, measure),
            ],
        }
    }

    /// Lets arrivals come due up to `now`.
    #[inline]
    pub(super) fn advance(&mut self, now: Instant) {
        for part in &mut self.parts {
            let Some(due) = &mut part.due else { continue };
            while due.peek() <= now {
                due.advance();
                part.came += 1;
                part.backlog += 1;
            }
        }
    }

    /// Takes the arrival that waits longest.
    #[inline]
    pub(super) fn take(&mut self) -> Option<Due> {
        let part = self.parts.iter_mut().find(|part| part.backlog > 0)?;
        let next = part.next.as_mut()?;
        let due = Due { intended_at: next.peek(), phase: part.phase };
        next.advance();
        part.backlog -= 1;
        Some(due)
    }

    /// Arrivals that are due and have not been taken.
    #[inline]
    pub(super) fn backlog(&self) -> u64 {
        self.parts[0].backlog + self.parts[1].backlog
    }

    /// When the next arrival comes due; [`Instant::NEVER`] after the last.
    #[inline]
    pub(super) fn next_due(&self) -> Instant {
        let peek = |part: &Part| part.due.as_ref().map_or(Instant::NEVER, Arrivals::peek);
        peek(&self.parts[0]).min(peek(&self.parts[1]))
    }

    /// Arrivals of the measure phase that came due.
    pub(super) fn planned(&self) -> u64 {
        self.parts[1].came
    }

    /// No arrival comes due any more.
    pub(super) fn cut(&mut self) {
        for part in &mut self.parts {
            part.due = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sample;

    #[test]
    fn arrivals_wait_in_order_and_keep_their_intended_time() {
        let plan = Plan { warmup: Nanos::from_millis(2), ..sample::plan() };
        let mut schedule = Schedule::new(&plan, 0, Instant(0));
        schedule.advance(Instant(3_500_000));
        assert_eq!(schedule.backlog(), 4);
        assert_eq!(schedule.planned(), 2, "two of the measure phase");
        let taken: Vec<_> = std::iter::from_fn(|| schedule.take()).collect();
        assert_eq!(
            taken.iter().map(|d| d.intended_at.0).collect::<Vec<_>>(),
            [0, 1_000_000, 2_000_000, 3_000_000]
        );
        assert_eq!(taken[1].phase, Phase::Warmup);
        assert_eq!(taken[2].phase, Phase::Measure);
        assert_eq!(schedule.next_due(), Instant(4_000_000));
        schedule.cut();
        schedule.advance(Instant::NEVER);
        assert_eq!((schedule.backlog(), schedule.next_due()), (0, Instant::NEVER));
    }
}
