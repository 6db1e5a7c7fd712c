//! What a report says of the run itself, end to end: wide bounds, since time is real here.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::process::{Command, Stdio};

use serde_json::Value;
use support::Folder;

/// `onrush ARGS` in `folder`; its exit code, and the JSON report that it printed.
fn report(folder: &Folder, args: &str) -> (Option<i32>, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onrush"));
    command.args(args.split_whitespace()).args(["--format", "json"]);
    let output = command.current_dir(folder.path()).stdin(Stdio::null()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_slice(&output.stdout);
    (output.status.code(), report.unwrap_or_else(|error| panic!("{error}: {stderr}")))
}

fn check_of<'a>(report: &'a Value, name: &str) -> &'a Value {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap()
}

#[test]
fn the_books_of_a_run_balance_and_the_law_of_little_holds() {
    for load in ["-R 2k -d 500ms", "-R max -c 8 -d 300ms", "-R 300 -P rush -f -c 300 -d 500ms"] {
        let folder = Folder::new();
        let (_, report) = report(&folder, &format!("run -t 1 {load}"));
        for name in ["littles_law_apart", "counters_records_apart", "sessions_planned_apart"] {
            let check = check_of(&report, name);
            assert_eq!(check["state"], "ok", "{load}: {check}");
        }
    }
}

#[test]
fn a_plan_that_no_core_can_send_is_invalid_and_says_by_how_much() {
    let folder = Folder::new();
    let (code, report) = report(&folder, "run -t 1 -R 2M -c 64 -d 100ms --timeout 30s");
    assert_eq!((code, &report["verdict"]), (Some(4), &"INVALID".into()));
    let check = check_of(&report, "sent_shortfall");
    assert!(check["value"].as_f64().unwrap() > 50.0, "{check}");
    assert_eq!(report["response_ns"]["ci95"]["p99"], Value::Null, "no confident percentile");
}

#[test]
fn a_run_goes_on_until_a_percentile_is_known_and_no_longer() {
    let folder = Folder::new();
    let args = "run -t 1 -R 2k -d 200ms --max-duration 20s --target-ci p50:100%";
    let measured_s = |report: &Value| report["measured_s"].as_f64().unwrap();
    let (_, known) = report(&folder, args);
    // A disturbed run knows nothing, and goes on to its end.
    let is_known = known["verdict"] != "INVALID";
    assert!((0.2..15.0).contains(&measured_s(&known)) || !is_known, "{}", measured_s(&known));
    assert_eq!(known["cut_short"], Value::Null);
    assert_eq!(known["totals"]["planned"], known["totals"]["started"]);
    // That takes 100,000 samples at least.
    let (_, bounded) = report(&folder, "run -t 1 -R 2k -d 100ms --target-ci p99.99:1%");
    assert!(measured_s(&bounded) >= 0.99, "ten times -d: {}", measured_s(&bounded));
}

#[test]
fn a_report_leaves_out_the_start_and_the_log_stays_whole() {
    let folder = Folder::new();
    let (_, whole) = report(&folder, "run -t 1 -R 1k -d 400ms -o k.data");
    let (_, cut) = report(&folder, "report --warmup 100ms k.data");
    let count = |report: &Value| report["response_ns"]["count"].as_u64().unwrap();
    assert_eq!((count(&whole), count(&cut)), (400, 300));
    assert_eq!(check_of(&cut, "counters_records_apart")["state"], "unavailable");
    let (_, again) = report(&folder, "report --warmup 0 k.data");
    assert_eq!(again, whole);
}
