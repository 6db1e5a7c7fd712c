//! The floor of this machine, whatever it is: measured, kept, and stood beside.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::fs;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use support::Folder;
use support::report::{at, count};

fn onrush(folder: &Folder, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_onrush"))
        .args(args)
        .env("XDG_STATE_HOME", folder.path())
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn a_selftest_is_kept_where_nothing_disturbed_it_and_reports_stand_beside_it() {
    let folder = Folder::new();
    let output = onrush(&folder, &["selftest", "--quick", "--format", "json"]);
    let said = String::from_utf8_lossy(&output.stderr);
    let floor: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
    assert!(count(&floor, "response_ns.min") <= count(&floor, "response_ns.p50"));
    assert!(at(&floor, "rate_per_s").as_f64().unwrap() > 0.0, "{floor:#}");
    assert!(at(&floor, "clock_ns").as_f64().unwrap() > 0.0, "{floor:#}");
    assert_eq!(count(&floor, "noise.runs"), 3);
    assert_eq!(count(&floor, "holes.watched_ns"), 500_000_000);
    let kept = fs::read_dir(folder.join("onrush")).map_or(0, Iterator::count);
    match output.status.code() {
        Some(0) => assert_eq!(kept, 1, "{said}"),
        Some(4) => assert_eq!(kept, 0, "{said}"),
        code => panic!("{code:?}: {said}"),
    }
    let run = ["run", "-R", "1000", "-d", "200ms", "-o", "run.data", "--format", "json"];
    let report: Value = serde_json::from_slice(&onrush(&folder, &run).stdout).unwrap();
    if kept == 1 {
        assert_eq!(at(&report, "floor.host"), at(&floor, "host"));
        assert!(at(&report, "floor.p50_ratio").as_f64().unwrap() > 0.0, "{report:#}");
    } else {
        assert!(at(&report, "floor").is_null(), "{report:#}");
    }
}
