//! What a run must give where the right answer is known exactly.

use proptest::prelude::*;

use super::peer::{Fixed, Wild};
use super::{START, SimRun, simulate, simulate_with};
use crate::engine::PortPool;
use crate::evidence::{Outcome, Request, Step};
use crate::plan::{Close, Gap, Idle, OnCap, Pattern, Plan, sample};
use crate::unit::{Instant, Nanos, Rate};

/// The virtual cost of a pass, twice: how exact a stamp is.
pub(super) const SLACK: u64 = 2_000;

#[track_caller]
pub(super) fn assert_identities(run: &SimRun) {
    let t = &run.yielded.tally;
    assert_eq!(
        t.sessions_planned,
        t.sessions_started + t.sessions_dropped + t.sessions_unserved,
        "planned = started + dropped + unserved: {t:?}"
    );
    assert_eq!(
        t.sessions_started,
        t.sessions_ok + t.sessions_failed + t.sessions_in_flight,
        "started = ok + failed + in flight: {t:?}"
    );
    assert_eq!(
        t.requests_sent,
        t.requests_ok + t.requests_failed + t.requests_in_flight,
        "sent = ok + failed + in flight: {t:?}"
    );
    let measured = run.requests().iter().filter(|r| r.phase == crate::evidence::Phase::Measure);
    let ends: u64 = t.outcomes.iter().sum();
    assert_eq!(ends, measured.count() as u64, "every outcome has a record");
    for r in run.requests() {
        assert!(
            r.intended_at <= r.ready_at && r.ready_at <= r.sent_at && r.sent_at <= r.done_at,
            "{r:?}"
        );
    }
}

pub(super) fn quantile(mut values: Vec<u64>, q: f64) -> u64 {
    values.sort_unstable();
    values[((values.len() as f64 * q).ceil() as usize).clamp(1, values.len()) - 1]
}

pub(super) fn values(run: &SimRun, of: fn(&Request) -> Nanos) -> Vec<u64> {
    run.requests().iter().map(|r| of(r).0).collect()
}

#[test]
fn a_steady_target_shows_its_own_time_and_no_wait() {
    let plan = sample::plan();
    let run = simulate(&plan, Fixed(Nanos::from_micros(100)));
    assert_identities(&run);
    assert_eq!(run.yielded.tally.sessions_ok, 1000);
    for r in run.requests() {
        assert!(r.service().0.abs_diff(100_000) < SLACK, "{r:?}");
        assert_eq!(r.wait(), Nanos::ZERO);
        assert!(r.lag().0 < SLACK, "{r:?}");
    }
}

#[test]
fn when_we_are_stopped_the_lateness_is_ours() {
    let plan = Plan {
        rate: Rate::per_second(2000),
        duration: Nanos::from_secs(4),
        concurrence: 64,
        ..sample::plan()
    };
    let ports = PortPool::new(1, plan.ports, &[], Nanos::from_secs(1));
    let stop_at = START + Nanos::from_secs(1);
    let mut stopped = false;
    let run = simulate_with(&plan, Fixed(Nanos::from_micros(100)), ports, move |now, _, clock| {
        if now >= stop_at && !stopped {
            stopped = true;
            clock.0.set(now.0 + 1_000_000_000);
        }
    });
    assert_identities(&run);
    let holes = &run.yielded.holes;
    assert_eq!(holes.count, 1, "{holes:?}");
    assert!(holes.longest.0.abs_diff(1_000_000_000) < SLACK, "{holes:?}");
    let lag = quantile(values(&run, Request::lag), 0.99);
    assert!(lag.abs_diff(960_000_000) < 12_000_000, "lag injected is lag reported: {lag}");
    let wait = quantile(values(&run, Request::wait), 1.0);
    assert!(wait < 10_000_000, "what waits behind our own backlog: {wait}");
}

#[test]
fn a_rush_starts_all_its_sessions_at_once() {
    let plan = Plan {
        rate: Rate::per_second(300),
        pattern: Pattern::Rush(Nanos::from_secs(1)),
        concurrence: 1000,
        fresh: true,
        duration: Nanos::from_secs(3),
        ..sample::plan()
    };
    let run = simulate(&plan, Fixed(Nanos::from_millis(30)));
    assert_identities(&run);
    assert_eq!(run.yielded.tally.concurrence_max, 300);
    for second in 0..3 {
        let due = START + Nanos::from_secs(second);
        let burst = run.requests().iter().filter(|r| r.intended_at == due);
        assert_eq!(burst.count(), 300, "second {second}");
    }
    assert!(values(&run, Request::lag).iter().all(|&lag| lag < 200 * SLACK));
}

#[test]
fn the_cap_defers_or_drops_as_told() {
    let overloaded = Plan { concurrence: 1, ..sample::plan() };
    let run = simulate(&overloaded, Fixed(Nanos::from_millis(2)));
    assert_identities(&run);
    assert_eq!(run.yielded.tally.sessions_planned, 1000);
    assert_eq!(run.yielded.tally.sessions_ok, 1000, "all are served in the drain");
    assert!(run.requests().last().unwrap().wait() > Nanos::from_millis(900));
    let dropping = Plan { on_cap: OnCap::Drop, ..overloaded };
    let run = simulate(&dropping, Fixed(Nanos::from_millis(2)));
    assert_identities(&run);
    let tally = &run.yielded.tally;
    assert!(tally.sessions_dropped.abs_diff(500) <= 2, "{}", tally.sessions_dropped);
    let served = run.requests().iter().filter(|r| r.outcome == Outcome::Ok);
    assert!(served.map(Request::wait).max().unwrap().0 < SLACK);
}

#[test]
fn an_arrival_that_meets_the_cap_is_dropped_however_the_shard_waits() {
    for (idle, service) in [
        (Idle::Spin, Nanos::from_millis(20)),
        (Idle::Sleep, Nanos::from_millis(20)),
        (Idle::Spin, Nanos(200)),
    ] {
        let plan = Plan {
            rate: Rate::per_second(300),
            pattern: Pattern::Rush(Nanos::from_secs(1)),
            concurrence: 10,
            on_cap: OnCap::Drop,
            idle,
            ..sample::plan()
        };
        let run = simulate(&plan, Fixed(service));
        assert_identities(&run);
        let tally = &run.yielded.tally;
        assert_eq!(
            (tally.sessions_ok, tally.sessions_dropped, tally.sessions_deferred),
            (10, 290, 0),
            "{idle}, {service}"
        );
    }
}

#[test]
fn a_target_that_goes_away_does_not_cost_the_ports() {
    struct Gone;
    impl super::Peer for Gone {
        fn connect(&mut self, now: Instant) -> (Instant, i32) {
            (now + Nanos::from_micros(10), if now < START { 0 } else { 111 })
        }
        fn request(&mut self, now: Instant) -> Vec<super::peer::Deed> {
            vec![super::peer::Deed::Reset(now)]
        }
    }
    let plan = Plan { concurrence: 4, timeout: Nanos::from_millis(50), ..sample::plan() };
    let ports = PortPool::new(1, "10-29".parse().unwrap(), &[], Nanos::from_secs(60));
    let run = simulate_with(&plan, Gone, ports, |_, _, _| {});
    assert_identities(&run);
    let tally = &run.yielded.tally;
    assert_eq!(tally.outcome(Outcome::NoPort), 0, "{:?}", tally.outcomes);
    assert_eq!(tally.outcome(Outcome::Unserved), 996);
}

#[test]
fn a_target_that_never_answers_a_connect_is_given_up_after_one_timeout() {
    struct Hole;
    impl super::Peer for Hole {
        fn connect(&mut self, _: Instant) -> (Instant, i32) {
            (Instant::NEVER, 0)
        }
        fn request(&mut self, _: Instant) -> Vec<super::peer::Deed> {
            vec![]
        }
    }
    let plan = Plan { concurrence: 300, timeout: Nanos::from_millis(100), ..sample::plan() };
    let (ready_at, errors) = super::connect_only(&plan, Hole, Nanos::from_secs(5));
    // The first 128 tried in vain speak for the rest.
    assert!(ready_at.is_some_and(|at| at < Instant(200_000_000)), "{ready_at:?}");
    assert_eq!(errors, 128);
}

#[test]
fn what_waits_when_the_drain_ends_is_unserved_with_its_age() {
    let plan = Plan { concurrence: 1, timeout: Nanos::from_millis(100), ..sample::plan() };
    let run = simulate(&plan, Fixed(Nanos::from_millis(20)));
    assert_identities(&run);
    let unserved: Vec<_> =
        run.requests().iter().filter(|r| r.outcome == Outcome::Unserved).collect();
    assert!(unserved.len() > 900, "{}", unserved.len());
    assert!(unserved.iter().all(|r| r.response() >= Nanos::from_millis(100)));
}

#[test]
fn a_silent_target_times_out_and_stays_in_the_tail() {
    struct Silent;
    impl super::Peer for Silent {
        fn request(&mut self, _: Instant) -> Vec<super::peer::Deed> {
            vec![]
        }
    }
    let plan =
        Plan { rate: Rate::per_second(10), timeout: Nanos::from_millis(50), ..sample::plan() };
    let run = simulate(&plan, Silent);
    assert_identities(&run);
    assert_eq!(run.yielded.tally.outcome(Outcome::Timeout), 10);
    assert!(run.requests().iter().all(|r| r.service().0.abs_diff(50_000_000) < 20 * SLACK));
    assert_eq!(run.yielded.tally.connections_reopened, 10);
}

#[test]
fn a_dry_pool_says_no_port_and_never_connects_unbound() {
    let plan = Plan { fresh: true, concurrence: 8, ..sample::plan() };
    let ports = PortPool::new(1, "10-13".parse().unwrap(), &[], Nanos::from_secs(100));
    let run = simulate_with(&plan, Fixed(Nanos::from_micros(100)), ports, |_, _, _| {});
    assert_identities(&run);
    assert_eq!(run.yielded.tally.outcome(Outcome::Ok), 4);
    assert_eq!(run.yielded.tally.outcome(Outcome::NoPort), 996);
    assert!(
        run.requests()
            .iter()
            .filter(|r| r.outcome == Outcome::NoPort)
            .all(|r| r.step == Step::Bind)
    );
}

#[test]
fn ports_are_used_oldest_first() {
    let plan = Plan { fresh: true, ..sample::plan() };
    let run = simulate(&plan, Fixed(Nanos::from_micros(100)));
    let ports: Vec<u16> = run.requests().iter().map(|r| r.port).collect();
    let mut sorted = ports.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), 1000, "no port comes again while older ones are free");
}

#[test]
fn requests_of_a_session_follow_each_other_after_the_think_time() {
    let plan = Plan {
        rate: Rate::per_second(10),
        requests: 3,
        think: Nanos::from_millis(5),
        ..sample::plan()
    };
    let run = simulate(&plan, Fixed(Nanos::from_millis(1)));
    assert_identities(&run);
    assert_eq!(run.requests().len(), 30);
    for session in run.requests().chunks(3) {
        for pair in session.windows(2) {
            assert_eq!(pair[1].intended_at, pair[0].done_at + plan.think);
            assert!(pair[1].lag().0 < SLACK);
        }
        assert!(session[2].last && !session[1].last);
    }
}

#[test]
fn a_run_that_is_stopped_drains_and_keeps_its_books() {
    let plan = Plan { duration: Nanos::from_secs(100), ..sample::plan() };
    let ports = PortPool::new(1, plan.ports, &[], Nanos::from_secs(1));
    let run = simulate_with(&plan, Fixed(Nanos::from_millis(3)), ports, |now, control, _| {
        if now >= START + Nanos::from_millis(500) {
            control.stop(crate::engine::Stop::Drain);
        }
    });
    assert_identities(&run);
    assert!(run.yielded.tally.sessions_planned.abs_diff(501) <= 1);
    assert_eq!(run.yielded.tally.sessions_ok, run.yielded.tally.sessions_planned);
    assert!(run.yielded.ended_at.since(START).0.abs_diff(500_000_000) < 1_000_000);
}

#[test]
fn a_closed_loop_stops_at_its_count() {
    let plan = Plan { rate: Rate::Max, count: Some(777), ..sample::plan() };
    let run = simulate(&plan, Fixed(Nanos::from_micros(50)));
    assert_identities(&run);
    assert_eq!(run.yielded.tally.sessions_ok, 777);
    assert!(run.requests().iter().all(|r| r.response() == r.service()));
}

#[test]
fn the_same_seed_runs_the_same() {
    let plan = Plan { pattern: Pattern::Random(Gap::Exp), seed: 7, ..sample::plan() };
    let first = simulate(&plan, Wild(3));
    let second = simulate(&plan, Wild(3));
    assert_eq!(first.requests(), second.requests());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn the_identities_hold_whatever_the_target_does(
        seed in 0u64..1_000_000,
        rate in prop_oneof![Just(Rate::Max), (100u64..5000).prop_map(Rate::per_second)],
        pattern in prop_oneof![
            Just(Pattern::Even),
            Just(Pattern::Rush(Nanos::from_millis(50))),
            Just(Pattern::Random(Gap::Exp)),
        ],
        concurrence in 1u32..40,
        requests in 1u32..4,
        think in 0u64..3,
        fresh in any::<bool>(),
        close in prop_oneof![Just(Close::Fin), Just(Close::Rst), Just(Close::Recycle)],
        drop in any::<bool>(),
        sleep in any::<bool>(),
        count in prop::option::of(1u64..300),
        warmup in 0u64..50,
    ) {
        let plan = Plan {
            rate,
            pattern,
            concurrence,
            requests,
            think: Nanos::from_millis(think),
            fresh,
            close,
            on_cap: if drop { OnCap::Drop } else { OnCap::Defer },
            idle: if sleep { Idle::Sleep } else { Idle::Spin },
            count,
            warmup: Nanos::from_millis(warmup),
            duration: Nanos::from_millis(200),
            timeout: Nanos::from_millis(25),
            ..sample::plan()
        };
        let run = simulate(&plan, Wild(seed));
        assert_identities(&run);
        if let (Some(count), true) = (count, rate != Rate::Max) {
            prop_assert_eq!(run.yielded.tally.sessions_planned, count);
        }
    }
}
