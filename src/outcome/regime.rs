//! How the load met the target: did sessions wait for each other?

use super::Steady;
use crate::evidence::Tally;
use crate::plan::{ChannelPlan, Plan};
use crate::unit::{Nanos, Rate};
use crate::words;

words! {
    /// Whether arrivals depend on completions.
    pub enum Kind: "a regime is open, partly-open or closed" {
        /// Nothing was deferred.
        Open = "open",
        /// Some arrivals met the cap and waited.
        PartlyOpen = "partly-open",
        /// A session starts when one ends: response equals service, waiting is not seen.
        Closed = "closed",
    }
}

/// What is in the system at the end may be so much more than at the start, as a share of all that
/// was planned.
const GROWTH_MIN: f64 = 0.02;

/// How the load met the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Regime {
    /// The regime.
    pub kind: Kind,
    /// Arrivals that met the cap and waited.
    pub deferred: u64,
    /// Longest backlog of them; `None` where the run was killed.
    pub backlog_max: Option<u64>,
    /// Time with every connection busy and an arrival waiting; `None` where the run was killed.
    pub at_cap: Option<Nanos>,
    /// The target could not keep up: there is no steady state, and the figures depend on the
    /// length of the run. True where arrivals were left unserved after the drain; where the run
    /// was at its cap for at least half of the time and ended with a backlog of at least half its
    /// largest, since a target that keeps up empties its queue again and again; or where the
    /// requests in the system grew through the whole run by at least 2 % of what was offered.
    pub is_overloaded: bool,
}

impl Regime {
    /// `is_killed`: the tally is that of the records, which tell of no backlog.
    pub(super) fn of(
        plan: &Plan,
        tally: &Tally,
        measured: Nanos,
        steady: &Steady,
        is_killed: bool,
    ) -> Self {
        let at_cap = Nanos(tally.at_cap_ns);
        let is_watching = plan.channels.as_ref().is_some_and(ChannelPlan::is_watching);
        let kind = match plan.rate {
            // The server posts when it wants to.
            Rate::Max if is_watching => Kind::Open,
            Rate::Max => Kind::Closed,
            _ if tally.sessions_deferred == 0 => Kind::Open,
            _ => Kind::PartlyOpen,
        };
        let never_empties =
            tally.backlog_end > 0 && tally.backlog_end >= tally.backlog_max.div_ceil(2);
        let mostly_at_cap = at_cap.0 >= measured.0 / 2;
        // A log that is all there is counts only the sessions that it keeps.
        let stands_for = plan.log.stands_for().filter(|_| is_killed).unwrap_or(1);
        let planned = (stands_for * tally.sessions_planned) as f64;
        let grew = steady.growth_per_s.unwrap_or(0.0) * measured.as_secs_f64();
        Self {
            kind,
            deferred: tally.sessions_deferred,
            backlog_max: (!is_killed).then_some(tally.backlog_max),
            at_cap: (!is_killed).then_some(at_cap),
            is_overloaded: kind != Kind::Closed
                && (tally.sessions_unserved > 0
                    || (never_empties && mostly_at_cap)
                    || grew > GROWTH_MIN * planned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sample::plan;

    const SECOND: Nanos = Nanos::from_secs(1);

    #[track_caller]
    fn check(
        deferred: u64,
        unserved: u64,
        backlog: (u64, u64),
        at_cap_ms: u64,
        kind: Kind,
        o: bool,
    ) {
        let tally = Tally {
            sessions_deferred: deferred,
            sessions_unserved: unserved,
            backlog_max: backlog.0,
            backlog_end: backlog.1,
            at_cap_ns: at_cap_ms * 1_000_000,
            ..Tally::default()
        };
        let regime = Regime::of(&plan(), &tally, SECOND, &Steady::default(), false);
        assert_eq!((regime.kind, regime.is_overloaded), (kind, o));
    }

    #[test]
    fn a_backlog_that_stays_is_an_overload_and_one_that_empties_is_not() {
        check(0, 0, (0, 0), 0, Kind::Open, false);
        check(5, 0, (5, 0), 900, Kind::PartlyOpen, false);
        check(500, 0, (400, 390), 900, Kind::PartlyOpen, true);
        check(500, 0, (400, 390), 100, Kind::PartlyOpen, false);
        check(500, 0, (400, 100), 900, Kind::PartlyOpen, false);
        check(5, 1, (5, 0), 0, Kind::PartlyOpen, true);
    }

    #[test]
    fn what_grows_below_the_cap_is_an_overload_too() {
        let tally = Tally { sessions_planned: 1000, ..Tally::default() };
        let regime = |growth_per_s| {
            let steady = Steady { growth_per_s, ..Steady::default() };
            Regime::of(&plan(), &tally, SECOND, &steady, false)
        };
        assert_eq!((regime(None).kind, regime(None).is_overloaded), (Kind::Open, false));
        assert!(!regime(Some(19.0)).is_overloaded);
        assert!(regime(Some(21.0)).is_overloaded);
    }

    #[test]
    fn a_closed_loop_is_closed_whatever_it_counted() {
        let plan = Plan { rate: Rate::Max, ..plan() };
        assert_eq!(
            Regime::of(&plan, &Tally::default(), SECOND, &Steady::default(), false).kind,
            Kind::Closed
        );
    }
}
