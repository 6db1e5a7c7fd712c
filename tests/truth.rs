//! Runs against targets whose true answer is known, end to end, in real time. The bounds are
//! wide, and hold only where neither the run nor the target says itself that the machine spoilt
//! it. `sim::known` asks for the same, exactly, in virtual time.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use serde_json::Value;
use support::report::{at, count};
use support::run::run;
use support::server::Server;

/// What a run reports and what its target counted.
struct Told {
    report: Value,
    target: Value,
}

/// A run of `load` against `onrush serve http`, as `target` says.
fn told(target: &str, load: &str) -> Told {
    let options: Vec<&str> = target.split_whitespace().chain(["--format", "json"]).collect();
    let server = Server::onrush("http", &options);
    let url = server.url("/");
    let words: Vec<&str> = load.split_whitespace().chain([&*url]).collect();
    let report = run(&words).done();
    let output = server.output();
    let figures = &output[output.find('{').unwrap()..];
    Told { report, target: serde_json::from_str(figures).unwrap() }
}

/// The report, where run and target were both undisturbed.
fn undisturbed(target: &str, load: &str) -> Option<Value> {
    let Told { report, target: served } = told(target, load);
    let late = count(&served, "late.over_50us") as f64 / count(&served, "requests") as f64;
    let is_good = report["verdict"] != "INVALID" && late < 0.05;
    if !is_good {
        eprintln!("disturbed ({}, {late:.3} of the answers late): {target}", report["verdict"]);
    }
    is_good.then_some(report)
}

#[track_caller]
fn check(report: &Value, path: &str, expect_ns: f64, share: f64) {
    let measured = at(report, path).as_f64().unwrap();
    let apart = (measured / expect_ns - 1.0).abs();
    assert!(apart <= share, "{path}: {measured}, expected {expect_ns}: {report:#}");
}

#[test]
fn a_stall_is_in_the_response_and_not_in_the_service() {
    // S - (1 - q) T is 270 ms at p99 and 150 ms at p95. Sixty-four requests met the stall.
    if let Some(report) = undisturbed("--stall 300ms@1s", "-R 2000 -d 3s") {
        check(&report, "response_ns.p99", 270e6, 0.05);
        check(&report, "response_ns.p95", 150e6, 0.1);
        assert!(count(&report, "service_ns.p90") < 10_000_000, "{report:#}");
        assert_eq!(at(&report, "regime"), "partly-open");
    }
}

#[test]
fn one_worker_of_exponential_work_is_the_mm1_queue() {
    let target = "--delay exp:1ms --workers 1 --idle spin";
    if let Some(report) = undisturbed(target, "-R 500 -P random -d 6s -c 256") {
        // The response is exponential with mean 1 / (mu - lambda) = 2 ms.
        check(&report, "response_ns.p50", 2e6 * 2f64.ln(), 0.25);
        check(&report, "response_ns.p90", 2e6 * 10f64.ln(), 0.25);
        check(&report, "response_ns.p99", 2e6 * 100f64.ln(), 0.5);
        assert_eq!(count(&report, "totals.deferred"), 0);
    }
}

#[test]
fn one_worker_of_fixed_work_is_the_md1_queue() {
    let target = "--delay 1ms --workers 1 --idle spin";
    if let Some(report) = undisturbed(target, "-R 500 -P random -d 6s -c 256") {
        // The mean wait is rho / (2 (1 - rho)) of the work.
        let mean = at(&report, "response_ns.mean").as_f64().unwrap();
        assert!((mean / 1.5e6 - 1.0).abs() < 0.2, "{report:#}");
        check(&report, "response_ns.p90", 2.516e6, 0.25);
    }
}

#[test]
fn a_target_that_cannot_keep_up_is_overloaded() {
    // It serves 200 a second.
    if let Some(report) = undisturbed("--delay 5ms --workers 1", "-R 400 -d 2s -c 32") {
        assert_eq!(at(&report, "regime"), "partly-open");
        assert_eq!(at(&report, "overloaded"), true, "{report:#}");
        check(&report, "rate.achieved_per_s", 200.0, 0.1);
    }
}

#[test]
fn what_the_target_did_on_purpose_is_what_the_run_counts() {
    let Told { report, target } =
        told("--fail-rate 10% --reset-rate 0.05 --delay uniform:0-2ms", "-R 1000 -d 1s -c 16");
    let (failed, reset) = (count(&target, "failed"), count(&target, "broken_off"));
    assert!((50..=160).contains(&failed) && (20..=90).contains(&reset), "{target:#}");
    assert_eq!(count(&report, "status.500"), failed);
    assert_eq!(count(&report, "outcomes.reset"), reset);
    // What is reset at the very end need not be opened again.
    assert!(count(&report, "connections.reopened") <= reset);
    assert_eq!(count(&report, "totals.planned"), 1000);
    assert_eq!(count(&target, "late.answers"), 1000, "{target:#}");
}
