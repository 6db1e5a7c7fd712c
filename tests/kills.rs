//! A run that is killed leaves every record that it had published: the server says how many those
//! have to be. `tools/kill-test` does it more often.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use onrush::evidence::Outcome;
use onrush::log::{Reader, State};
use support::server::Server;
use support::{Folder, wait_for};

/// Kills, unless `KILLS` says otherwise.
const KILLS: u64 = 20;
/// Connections, and so the most requests that nginx may have answered and we not have seen.
const CONCURRENCE: usize = 8;

#[test]
#[allow(clippy::print_stdout, reason = "who asks for more kills is to see what they hit")]
fn a_run_killed_at_any_moment_leaves_all_that_it_had_published() {
    let kills = std::env::var("KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let mut records = 0;
    for kill in 0..kills {
        records += killed_after(Duration::from_micros(moment(kill)));
    }
    println!("{kills} kills, {records} records, none missing");
    assert!(records > kills, "{records} records in {kills} logs");
}

/// Up to 300 ms, somewhere else each time.
fn moment(kill: u64) -> u64 {
    let mixed = (kill + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) % 300_000
}

/// Kills a run so long after its log is in place, and gives the records that it left.
fn killed_after(moment: Duration) -> u64 {
    let (folder, nginx) = (Folder::new(), Server::nginx(1_000_000));
    let log = folder.join("k.data");
    let mut run = start(&folder, &nginx.url("/"));
    let placed = wait_for(Duration::from_secs(20), || log.exists().then_some(()));
    std::thread::sleep(moment);
    run.kill().unwrap();
    run.wait().unwrap();
    assert!(placed.is_some(), "the run does not begin");
    let records = read(&log);
    let answered = nginx.access_log().len();
    // What nginx answered and we had not yet seen was on its way.
    let range = answered.saturating_sub(CONCURRENCE)..=answered;
    assert!(range.contains(&records), "{records} records of {answered} answers ({moment:?})");
    records as u64
}

fn start(folder: &Folder, url: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onrush"));
    let load = ["-R", "4000", "-d", "30s", "-t", "1", "-o", "k.data", "-q"];
    command.arg("run").args(load).args(["-c", &CONCURRENCE.to_string(), url]);
    command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::null()).spawn().unwrap()
}

/// The requests of a log that has no end; each session once, all of them answered.
fn read(log: &Path) -> usize {
    let reader = Reader::open(log).unwrap();
    assert_eq!((reader.state(), reader.trailer()), (State::Running, None));
    let mut sessions = Vec::new();
    for chunk in reader.chunks() {
        let chunk = chunk.unwrap();
        assert_eq!((chunk.unknown(), chunk.saturated()), (0, 0));
        let whole = |request: &onrush::evidence::Request| request.outcome == Outcome::Ok;
        assert!(chunk.requests().all(|request| whole(&request)));
        sessions.extend(chunk.requests().map(|request| request.session));
    }
    let count = sessions.len();
    sessions.sort_unstable();
    sessions.dedup();
    assert_eq!(sessions.len(), count, "a session is there twice");
    count
}
