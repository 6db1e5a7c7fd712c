//! What is taken from us is reported as ours, in its whole length, and what is the target's is
//! not.

use super::peer::{Peer, Serves};
use super::truth::{assert_identities, quantile, values};
use super::{START, SimRun, simulate_with};
use crate::engine::PortPool;
use crate::evidence::{Entry, Environment, Request};
use crate::outcome::{Builder, Summary};
use crate::plan::{Plan, sample};
use crate::serve::{Behaviour, Delay};
use crate::unit::{Instant, Nanos, Quantile, Rate};

const MS: u64 = 1_000_000;

/// 2000 sessions a second for 5 s, on so many connections that none waits for one.
fn plan() -> Plan {
    Plan {
        rate: Rate::per_second(2_000),
        duration: Nanos::from_secs(5),
        concurrence: 2_000,
        ..sample::plan()
    }
}

/// A target that takes 100 us, and stalls as told.
fn target(stall: Option<&str>) -> Serves {
    Serves::new(Behaviour {
        delay: Delay::Fixed(Nanos::from_micros(100)),
        stall: stall.map(|stall| stall.parse().unwrap()),
        ..Behaviour::default()
    })
}

/// A run from which the CPU is taken away for `length`, a second after its start.
fn robbed(peer: impl Peer + 'static, length: Nanos) -> SimRun {
    let plan = plan();
    let ports = PortPool::new(1, plan.ports, &[], Nanos::from_secs(1));
    let mut left = length.0;
    let run = simulate_with(&plan, peer, ports, move |now, _, clock| {
        if now >= START + Nanos::from_secs(1) {
            clock.0.set(now.0 + std::mem::take(&mut left));
        }
    });
    assert_identities(&run);
    run
}

/// What the report of its log is made of.
fn summary(run: &SimRun) -> Summary {
    let mut builder = Builder::new(plan(), Environment::default());
    builder.measure_at(START);
    for entry in &run.yielded.log {
        match entry {
            Entry::Request(request) => builder.request(0, request),
            Entry::Hole(hole) => builder.hole(0, hole),
            Entry::Slip(slip) => builder.slip(0, slip),
        }
    }
    builder.finish()
}

#[track_caller]
fn check_lag(taken_ms: u64, q: f64, expect_ms: u64) {
    let run = robbed(target(None), Nanos::from_millis(taken_ms));
    for of in [Request::lag, Request::response] {
        let measured = quantile(values(&run, of), q);
        assert!(measured.abs_diff(expect_ms * MS) < MS, "{taken_ms} ms, {q}: {measured}");
    }
}

#[test]
fn lag_injected_is_lag_reported() {
    // As with a stall: H - (1 - q) T.
    check_lag(400, 0.99, 350);
    check_lag(400, 0.95, 150);
    check_lag(1_000, 0.9, 500);
    check_lag(60, 0.999, 55);
}

#[test]
fn a_hole_is_blamed_for_what_came_due_in_it_and_for_nothing_else() {
    let run = robbed(target(None), Nanos::from_millis(400));
    let [hole] = run.holes() else { panic!("{:?}", run.holes()) };
    assert!(hole.lost.0.abs_diff(400 * MS) < MS / 10, "{hole:?}");
    let met = |request: &&Request| request.intended_at < hole.to && request.done_at > hole.from;
    let met = run.requests().iter().filter(met).count() as u64;
    let ours = summary(&run).ours;
    // Of those that came due in its last moments less than nine tenths are ours.
    assert!((met - 5..=met).contains(&ours.blamed.count()), "{} of {met}", ours.blamed.count());
    let p99 = Quantile(990_000);
    assert!(ours.response.quantile(p99).unwrap() > Nanos::from_millis(340));
    assert!(ours.net.quantile(p99).unwrap() < Nanos::from_millis(1));
}

#[test]
fn a_stall_of_the_target_is_not_ours() {
    let run = robbed(target(Some("400ms@2s")), Nanos::ZERO);
    let ours = summary(&run).ours;
    assert_eq!((run.holes(), ours.blamed.count()), (&[][..], 0));
    let p99 = Quantile(990_000);
    assert!(ours.net.quantile(p99).unwrap() > Nanos::from_millis(340));
}

#[test]
fn of_a_hole_and_a_stall_the_hole_alone_is_ours() {
    let run = robbed(target(Some("300ms@3s")), Nanos::from_millis(200));
    let stalled = START + Nanos::from_secs(3);
    let ended = stalled + Nanos::from_millis(300);
    let summary = summary(&run);
    let worst = |from: Instant, to: Instant| {
        let here = run.requests().iter().filter(|r| from <= r.intended_at && r.intended_at < to);
        here.map(Request::response).max().unwrap()
    };
    assert!(worst(stalled, ended).0.abs_diff(300 * MS) < MS);
    assert!(worst(START, stalled).0.abs_diff(200 * MS) < MS);
    let blamed = summary.ours.blamed;
    assert!(blamed.count().abs_diff(400) <= 5, "{}", blamed.count());
    assert!(blamed.max().unwrap().0.abs_diff(200 * MS) < MS, "{:?}", blamed.max());
}
