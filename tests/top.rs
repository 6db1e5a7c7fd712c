//! `onrush top` looks at runs of other processes.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use nix::sys::signal::Signal;
use support::hostile::{Hostile, Manner};
use support::run::Run;
use support::wait_for;

fn top(args: &[&str], log: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_onrush")).arg("top").args(args).arg(log).output().unwrap()
}

/// A run of half a minute that has answers.
fn a_run(server: &Hostile) -> Run {
    let run = Run::start(&["-R", "500", "-c", "8", "-d", "30s", &server.url()]);
    let answered = || (server.answered() >= 100).then_some(());
    assert!(wait_for(Duration::from_secs(20), answered).is_some(), "no load came");
    run
}

#[test]
fn a_run_is_seen_line_by_line_while_it_runs() {
    let server = Hostile::start(Manner::Answers);
    let run = a_run(&server);
    let seen = top(&["--interval", "300ms", "-n", "3"], &run.log());
    run.signal(Signal::SIGINT);
    run.ended();
    let text = String::from_utf8(seen.stdout).unwrap();
    assert!(seen.status.success(), "{}", String::from_utf8_lossy(&seen.stderr));
    let lines: Vec<Vec<&str>> =
        text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert_eq!(lines[0][..3], ["time", "done/s", "failed"]);
    let done: f64 = lines[1..].iter().map(|line| line[1].parse::<f64>().unwrap()).sum();
    assert!(done > 0.0, "{text}");
}

#[test]
fn a_killed_run_is_told_from_one_that_goes_on() {
    let server = Hostile::start(Manner::Answers);
    let run = a_run(&server);
    run.signal(Signal::SIGKILL);
    let ended = run.ended();
    let seen = top(&["--interval", "100ms"], &ended.log());
    assert!(seen.status.success());
    let said = String::from_utf8(seen.stderr).unwrap();
    assert!(said.contains("the run was killed"), "{said}");
}

#[test]
fn a_log_that_is_not_there_is_one_line_and_exit_1() {
    let seen = top(&[], Path::new("/nonexistent/onrush.data"));
    assert_eq!(seen.status.code(), Some(1));
    let said = String::from_utf8(seen.stderr).unwrap();
    assert!(said.starts_with("onrush: ") && said.lines().count() == 1, "{said}");
}
