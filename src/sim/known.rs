//! Targets whose answer is known by theory: what a run measures has to be what theory says.

use super::peer::Serves;
use super::truth::{SLACK, assert_identities, quantile, values};
use super::{SimRun, simulate};
use crate::evidence::Request;
use crate::plan::{Gap, Idle, Pattern, Plan, sample};
use crate::serve::{Behaviour, Delay, Stall};
use crate::unit::{Nanos, Rate};

const MS: u64 = 1_000_000;

/// `rate` sessions a second, evenly, for `seconds`, on so many connections that none waits for
/// one where `concurrence` does not say otherwise.
fn even(rate: u64, seconds: u64, concurrence: u32) -> Plan {
    Plan {
        rate: Rate::per_second(rate),
        duration: Nanos::from_secs(seconds),
        concurrence,
        ..sample::plan()
    }
}

fn served(plan: &Plan, behaviour: Behaviour) -> SimRun {
    let run = simulate(plan, Serves::new(behaviour));
    assert_identities(&run);
    run
}

/// A stall of `length_ms` in a run of 5 s: the q-quantile of the response is S - (1 - q) T.
#[track_caller]
fn check_stall(length_ms: u64, q: f64, expect_ms: u64) {
    let stall = Stall { length: Nanos(length_ms * MS), at: Nanos::from_secs(2), every: None };
    let behaviour = Behaviour { stall: Some(stall), ..Behaviour::default() };
    // One session in flight or all of them: what the clients suffer is the same.
    for concurrence in [1, 2_000] {
        let run = served(&even(2_000, 5, concurrence), behaviour.clone());
        let response = quantile(values(&run, Request::response), q);
        // An arrival more or less among 0.5 ms, and the backlog that one connection works off.
        let slack = if concurrence == 1 { 10 * MS } else { MS };
        assert!(response.abs_diff(expect_ms * MS) <= slack, "{concurrence}: {response}");
        let lag = values(&run, Request::lag);
        assert!(quantile(lag, 1.0) < 2_000 * SLACK, "the wait is the target's, not ours");
    }
}

#[test]
fn a_stall_shows_in_response_as_long_as_it_was() {
    check_stall(400, 0.99, 350);
    check_stall(400, 0.95, 150);
    check_stall(400, 0.999, 395);
    check_stall(1_000, 0.9, 500);
    check_stall(1_000, 0.99, 950);
    check_stall(100, 0.99, 50);
}

#[test]
fn a_stall_does_not_show_in_service_where_one_request_met_it() {
    let behaviour = Behaviour {
        delay: Delay::Fixed(Nanos::from_micros(10)),
        workers: Some(1),
        stall: "400ms@2s".parse().ok(),
        ..Behaviour::default()
    };
    let run = served(&even(2_000, 5, 1), behaviour);
    let service = values(&run, Request::service);
    assert!(quantile(service.clone(), 0.99) < 20_000, "p99 of service");
    assert!(quantile(service, 1.0).abs_diff(400 * MS) < MS, "the one that met it");
    assert!(run.yielded.tally.sessions_deferred > 700);
}

/// `random` arrivals at `load` of what `workers` can do, who take 1 ms on average.
fn queue(load: f64, delay: Delay, workers: u32) -> SimRun {
    let plan = Plan {
        rate: Rate::MilliPerSecond((load * f64::from(workers) * 1e6) as u64),
        pattern: Pattern::Random(Gap::Exp),
        // 400 000 sessions at a load of 0.8.
        duration: Nanos::from_secs(500 / u64::from(workers)),
        concurrence: 400,
        idle: Idle::Sleep,
        ..sample::plan()
    };
    let behaviour = Behaviour { delay, workers: Some(workers), ..Behaviour::default() };
    let run = served(&plan, behaviour);
    assert_eq!(run.yielded.tally.sessions_deferred, 0);
    run
}

/// p50, p90 and p99 of the response in units of the work, beside theory.
#[track_caller]
fn check_queue(load: f64, delay: Delay, theory: impl Fn(f64) -> f64) {
    let run = queue(load, delay, 1);
    for q in [0.5, 0.9, 0.99] {
        let measured = quantile(values(&run, Request::response), q) as f64 / MS as f64;
        let expect = theory(q);
        let apart = (measured / expect - 1.0).abs();
        // Neighbours wait alike, the more the higher the load: that is what bounds the sample.
        let bound = if load > 0.7 { 0.08 } else { 0.03 };
        assert!(apart < bound, "load {load}, quantile {q}: {measured}, in theory {expect}");
    }
}

const FIXED: Delay = Delay::Fixed(Nanos::from_millis(1));
const EXP: Delay = Delay::Exp(Nanos::from_millis(1));

#[test]
fn one_worker_of_exponential_work_is_the_mm1_queue() {
    for load in [0.5, 0.8] {
        // The response is exponential with mean 1 / (mu - lambda).
        check_queue(load, EXP, |q| -(1.0 - q).ln() / (1.0 - load));
    }
}

#[test]
fn one_worker_of_fixed_work_is_the_md1_queue() {
    for load in [0.5, 0.8] {
        check_queue(load, FIXED, |q| 1.0 + wait_of_md1(load, q));
    }
}

/// The q-quantile of the wait in an M/D/1 queue in units of the work (Erlang 1909):
/// `P(W <= t) = (1 - rho) sum over k <= t of (rho (k - t))^k / k! exp(-rho (k - t))`.
fn wait_of_md1(load: f64, q: f64) -> f64 {
    let share_below = |t: f64| {
        let mut factorial = 1.0;
        let terms = (0..=t as i32).map(|k| {
            factorial *= f64::from(k.max(1));
            let x = load * (f64::from(k) - t);
            x.powi(k) / factorial * (-x).exp()
        });
        (1.0 - load) * terms.sum::<f64>()
    };
    let (mut low, mut high) = (0.0, 30.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if share_below(middle) < q { low = middle } else { high = middle }
    }
    high
}

#[test]
fn the_theory_itself_is_right() {
    // The mean wait is rho / (2 (1 - rho)) (Pollaczek 1930): the area above the distribution.
    for load in [0.3, 0.5, 0.8] {
        let steps = 2_000;
        let quantiles = (0..steps).map(|i| wait_of_md1(load, (f64::from(i) + 0.5) / 2_000.0));
        let mean = quantiles.sum::<f64>() / f64::from(steps);
        let expect = load / (2.0 * (1.0 - load));
        assert!((mean / expect - 1.0).abs() < 0.01, "load {load}: {mean}, {expect}");
    }
}

#[test]
fn several_workers_share_one_line_as_erlang_says() {
    // M/M/4 at load 0.8: a wait has the chance C(4, 3.2) = 0.5964, and then the mean 1 / 0.8.
    let run = queue(0.8, EXP, 4);
    let response = values(&run, Request::response);
    let mean = response.iter().sum::<u64>() as f64 / response.len() as f64 / MS as f64;
    let expect = 1.0 + 0.5964 / (4.0 - 3.2);
    assert!((mean / expect - 1.0).abs() < 0.03, "mean response {mean}, in theory {expect}");
}
