//! A run that is interrupted or killed, or whose results have nowhere to go.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::time::Duration;

use nix::sys::signal::Signal;
use support::hostile::{Hostile, Manner};
use support::report::{assert_identities, count};
use support::run::{Ended, Run, report};
use support::wait_for;

/// Starts a run of half a minute, and sends `signal` once `least` requests were answered.
#[track_caller]
fn interrupt(server: &Hostile, signal: Signal, least: u64) -> Ended {
    let run = Run::start(&["-R", "500", "-c", "8", "-d", "30s", &server.url()]);
    let answered = || (server.answered() >= least).then_some(());
    let loaded = wait_for(Duration::from_secs(20), answered);
    run.signal(signal);
    let ended = run.ended();
    assert!(loaded.is_some(), "no load came; stderr: {}", ended.stderr);
    ended
}

#[track_caller]
fn check_drains(signal: Signal, code: i32) {
    let server = Hostile::start(Manner::Answers);
    let ended = interrupt(&server, signal, 200);
    assert_eq!(ended.code(), Some(code), "stderr: {}", ended.stderr);
    let json = ended.json();
    assert_identities(&json);
    // Answered last, and perhaps not yet seen when the signal came: one per connection.
    assert!(count(&json, "totals.ok") >= 200 - 8);
    assert!(count(&json, "totals.planned") < 500 * 30, "the run was not cut short");
    assert_eq!(report(&ended.log()).json(), json, "the log gives the same report");
}

#[test]
fn ctrl_c_drains_and_prints_the_whole_report() {
    check_drains(Signal::SIGINT, 130);
}

#[test]
fn a_terminated_run_drains_and_prints_the_whole_report() {
    check_drains(Signal::SIGTERM, 143);
}

#[test]
fn a_full_disk_under_the_json_file_does_not_cost_the_report() {
    let server = Hostile::start(Manner::Answers);
    let args = ["-n", "50", "-c", "2", "--json", "/dev/full", &server.url()];
    let ended = Run::start(&args).ended();
    assert_eq!(ended.code(), Some(1), "stdout: {}", ended.stdout);
    assert!(ended.stderr.contains("--json /dev/full"), "stderr: {}", ended.stderr);
    assert_eq!(count(&ended.json(), "totals.ok"), 50);
}

#[test]
fn a_killed_run_leaves_a_log_of_all_published_records() {
    let server = Hostile::start(Manner::Answers);
    let ended = interrupt(&server, Signal::SIGKILL, 200);
    assert_eq!(ended.code(), None);
    assert_eq!(ended.stdout, "");
    let again = report(&ended.log());
    assert_eq!(again.code(), Some(0), "stderr: {}", again.stderr);
    let json = again.json();
    let ok = count(&json, "outcomes.ok");
    assert!((200 - 8..=server.answered()).contains(&ok), "{ok} of {}", server.answered());
    assert_eq!(count(&json, "response_ns.count"), ok);
    assert_eq!(count(&json, "resources.log_records"), ok);
    assert_ne!(json["verdict"], "VALID", "a log without an end is not the whole run");
}
