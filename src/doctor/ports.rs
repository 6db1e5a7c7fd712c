//! Whether the source ports last: pairs of address and port against what the plan takes, the time
//! that the kernel holds each after its close, and what earlier runs left. Pure arithmetic.
//!
//! A session takes a pair from its start until `hold` after its close. So the sessions that
//! started within the last `hold` are the least that is taken at a time, and those plus the
//! concurrence the most.

use crate::plan::{Close, Pattern, Plan};
use crate::unit::{Nanos, Rate};

/// What a plan asks of the ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// Pairs of source address and port that the plan has.
    pub pairs: u64,
    /// The most sessions open at a time.
    pub concurrence: u64,
    /// A connection for each session.
    pub fresh: bool,
    /// Sessions per second.
    pub rate: Rate,
    /// At each multiple of this the sessions of one period start at once; zero: evenly.
    pub period: Nanos,
    /// Sessions of the whole run, warm-up included, where the plan says it.
    pub sessions: Option<u64>,
    /// Length of the run, warm-up included.
    pub length: Nanos,
    /// How long the kernel holds a pair after its close; zero where the close leaves none.
    pub hold: Nanos,
}

/// Whether the pairs last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They do.
    Lasts,
    /// They do if the target answers fast enough, or no faster than `per_second` where the plan
    /// has no rate.
    MayRunDry,
    /// They do not: the first session without a port comes this long after the start.
    RunsDry(Nanos),
}

/// The budget of a plan's ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortBudget {
    /// Pairs of source address and port.
    pub pairs: u64,
    /// Of these, held by earlier connections at the start.
    pub in_time_wait: u64,
    /// How long the kernel holds a pair after its close.
    pub hold: Nanos,
    /// Fresh sessions per second that the pairs bear for ever; `None`: as many as you like.
    pub per_second: Option<u64>,
    /// The least number of pairs that the plan takes at its peak; `None` where the rate is not
    /// known beforehand.
    pub needed: Option<u64>,
    /// The most that it may take, with every session open that may be.
    pub needed_at_most: Option<u64>,
    /// Whether they last.
    pub verdict: Verdict,
}

/// Fresh sessions per second that a shard hardly exceeds, for plans without a rate.
const SHARD_PER_SECOND: u64 = 25_000;

impl Demand {
    /// What `plan` asks, where the kernel holds a pair for `hold` after we closed first.
    pub fn of(plan: &Plan, hold: Nanos) -> Self {
        let target = plan.target.address;
        let own = plan.sources.contains(&target.ip())
            && (plan.ports.low..=plan.ports.high).contains(&target.port());
        let length = plan.warmup + plan.duration;
        let warmup = plan.rate.arrivals_in(plan.warmup);
        Self {
            pairs: u64::from(plan.ports.count()) * plan.sources.len() as u64 - u64::from(own),
            concurrence: u64::from(plan.connections()),
            fresh: plan.fresh,
            rate: plan.rate,
            period: if let Pattern::Rush(period) = plan.pattern { period } else { Nanos::ZERO },
            sessions: match plan.count {
                Some(count) => Some(count + warmup.unwrap_or(0)),
                None => plan.rate.arrivals_in(length),
            },
            length: if plan.count.is_some() { Nanos(u64::MAX) } else { length },
            hold: if plan.fresh && plan.close == Close::Fin { hold } else { Nanos::ZERO },
        }
    }

    /// The least number of pairs taken at `time` after the start; `None` for a plan without a
    /// rate that has more sessions than pairs.
    fn least_at(&self, time: Nanos) -> Option<u64> {
        let most = self.sessions.unwrap_or(u64::MAX);
        if !self.fresh {
            return Some(self.concurrence);
        }
        if self.hold == Nanos::ZERO {
            return Some(0);
        }
        let window = time.min(self.hold).min(self.length);
        let window = match window.0.checked_div(self.period.0) {
            Some(periods) => Nanos((periods + 1).saturating_mul(self.period.0)),
            None => window,
        };
        match self.rate.arrivals_in(window) {
            Some(started) => Some(started.min(most)),
            None => (most <= self.pairs).then_some(most),
        }
    }

    /// The most taken, where `least` is the least: the sessions that are open come on top.
    fn most_beside(&self, least: u64) -> u64 {
        if !self.fresh {
            return least;
        }
        (least + self.concurrence).min(self.sessions.unwrap_or(u64::MAX))
    }

    /// When the session after `sessions` others is due.
    fn due_after(&self, sessions: u64) -> Nanos {
        if !self.fresh {
            return Nanos::ZERO;
        }
        let due = self.rate.due_after(sessions);
        due.0.checked_div(self.period.0).map_or(due, |periods| Nanos(periods * self.period.0))
    }
}

impl PortBudget {
    /// Works it out for `shards`, where earlier connections hold pairs that are free again in
    /// `free_in`, in any order.
    pub fn new(demand: &Demand, shards: u32, free_in: &[Nanos]) -> Self {
        let per_nano = |pairs: u64| u128::from(pairs) * u128::from(Nanos::PER_SECOND);
        let per_second = per_nano(demand.pairs)
            .checked_div(u128::from(demand.hold.0))
            .map(|rate| u64::try_from(rate).unwrap_or(u64::MAX));
        let mut free_in = free_in.to_vec();
        free_in.sort_unstable();
        let needed = demand.least_at(demand.length);
        let needed_at_most = needed.map(|least| demand.most_beside(least));
        let verdict = match (runs_dry(demand, &free_in), needed_at_most) {
            (Some(at), _) => Verdict::RunsDry(at),
            (None, Some(most)) => {
                // At the peak what earlier runs left is gone, but in a run shorter than it.
                let gone = free_in.last() < Some(&demand.length);
                let held = if gone { 0 } else { free_in.len() as u64 };
                let short = most > demand.pairs.saturating_sub(held);
                if short { Verdict::MayRunDry } else { Verdict::Lasts }
            }
            (None, None) => {
                let fast = SHARD_PER_SECOND * u64::from(shards);
                let slow = per_second.is_some_and(|per_second| per_second < fast);
                if slow { Verdict::MayRunDry } else { Verdict::Lasts }
            }
        };
        Self {
            pairs: demand.pairs,
            in_time_wait: free_in.len() as u64,
            hold: demand.hold,
            per_second,
            needed,
            needed_at_most,
            verdict,
        }
    }
}

/// When the least that is taken exceeds what is free. Both only grow, the second in the steps of
/// `free_in`, which ascends: it suffices to look just before each step, and at the end.
fn runs_dry(demand: &Demand, free_in: &[Nanos]) -> Option<Nanos> {
    let ends = free_in.iter().copied().filter(|&at| at < demand.length).chain([demand.length]);
    let mut begin = Nanos::ZERO;
    for (freed, end) in ends.enumerate() {
        let held = (free_in.len() - freed) as u64;
        let free = demand.pairs.saturating_sub(held);
        if demand.least_at(end)? > free {
            return Some(demand.due_after(free).max(begin));
        }
        begin = end;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sample;
    use Verdict::{Lasts, MayRunDry, RunsDry};

    const MINUTE: Nanos = Nanos::from_secs(60);
    const SECOND: Nanos = Nanos::from_secs(1);

    fn fresh(rate: &str, seconds: u64, hold: Nanos) -> Demand {
        Demand {
            pairs: 55_000,
            concurrence: 64,
            fresh: true,
            rate: rate.parse().unwrap(),
            period: Nanos::ZERO,
            sessions: rate.parse::<Rate>().unwrap().arrivals_in(Nanos::from_secs(seconds)),
            length: Nanos::from_secs(seconds),
            hold,
        }
    }

    #[track_caller]
    fn check(demand: Demand, free_in: &[Nanos], verdict: Verdict) {
        assert_eq!(PortBudget::new(&demand, 1, free_in).verdict, verdict, "{demand:?}");
    }

    #[test]
    fn a_rate_beyond_what_the_hold_bears_runs_dry_unless_the_run_ends_before() {
        let budget = PortBudget::new(&fresh("5000", 60, MINUTE), 1, &[]);
        assert_eq!(budget.per_second, Some(916));
        assert_eq!(budget.needed, Some(300_000));
        assert_eq!(budget.verdict, RunsDry(Nanos::from_secs(11)));
        check(fresh("5000", 10, MINUTE), &[], Lasts);
        check(fresh("5000", 60, SECOND), &[], Lasts);
        check(fresh("900", 3600, MINUTE), &[], Lasts);
        check(fresh("917", 3600, MINUTE), &[], RunsDry(Nanos(59_978_189_749)));
    }

    #[test]
    fn a_rate_that_leaves_no_room_for_those_in_flight_may_run_dry() {
        check(fresh("916", 3600, MINUTE), &[], MayRunDry);
        check(Demand { concurrence: 10, ..fresh("916", 3600, MINUTE) }, &[], Lasts);
    }

    #[test]
    fn a_close_that_leaves_nothing_takes_only_what_is_open() {
        check(fresh("50k", 3600, Nanos::ZERO), &[], Lasts);
        check(Demand { concurrence: 55_001, ..fresh("50k", 60, Nanos::ZERO) }, &[], MayRunDry);
    }

    #[test]
    fn a_rush_takes_a_whole_period_at_once() {
        let rush = |rate| Demand { period: SECOND, ..fresh(rate, 10, SECOND + SECOND) };
        check(rush("18k"), &[], Lasts);
        // Three boundaries lie within two seconds; the third rush does not find 2 000 ports.
        check(rush("19k"), &[], RunsDry(SECOND + SECOND));
    }

    #[test]
    fn kept_connections_take_one_pair_each_and_at_once() {
        let kept = |concurrence| Demand { fresh: false, concurrence, ..fresh("5000", 60, MINUTE) };
        check(kept(55_000), &[], Lasts);
        check(kept(55_001), &[], RunsDry(Nanos::ZERO));
        check(kept(55_000), &[SECOND], RunsDry(Nanos::ZERO));
    }

    #[test]
    fn what_earlier_runs_left_counts_until_it_is_free() {
        let rest = |left: u64| vec![Nanos::from_secs(left); 50_000];
        // 5000 free pairs last 5 s at 1000/s.
        check(fresh("1000", 10, MINUTE), &rest(4), Lasts);
        check(fresh("1000", 10, MINUTE), &rest(6), RunsDry(Nanos::from_secs(5)));
        check(fresh("1000", 4, MINUTE), &rest(50), Lasts);
        // A run like the one before, which left its pairs at the same rate.
        let trail: Vec<Nanos> = (0..54_000).map(|i| Nanos(i * 60_000_000_000 / 54_000)).collect();
        check(fresh("900", 60, MINUTE), &trail, Lasts);
    }

    #[test]
    fn a_plan_without_a_rate_is_measured_by_what_a_shard_can_do() {
        check(fresh("max", 10, MINUTE), &[], MayRunDry);
        check(fresh("max", 10, SECOND), &[], Lasts);
        check(Demand { sessions: Some(50_000), ..fresh("max", 10, MINUTE) }, &[], Lasts);
        assert_eq!(PortBudget::new(&fresh("max", 10, MINUTE), 1, &[]).needed, None);
    }

    #[test]
    fn a_demand_is_read_off_the_plan() {
        let mut plan = sample::plan();
        plan.fresh = true;
        plan.warmup = SECOND;
        plan.target.address = "127.0.0.1:10000".parse().unwrap();
        plan.sources.push("127.0.0.2".parse().unwrap());
        let demand = Demand::of(&plan, MINUTE);
        // The target's own address and port is never a source.
        assert_eq!(demand.pairs, 2 * 55_001 - 1);
        assert_eq!(demand.sessions, Some(2_000));
        assert_eq!(demand.hold, MINUTE);
        plan.close = Close::Rst;
        plan.count = Some(7);
        let demand = Demand::of(&plan, MINUTE);
        assert_eq!((demand.hold, demand.sessions), (Nanos::ZERO, Some(1_007)));
    }
}
