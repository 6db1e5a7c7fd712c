//! The schedule, proved by the log: what was due, when, and from which port it went out.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use onrush::evidence::{Outcome, Request};
use onrush::log::Reader;
use support::hostile::{Hostile, Manner};
use support::report::count;
use support::run::run;
use support::server::Server;

const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;

/// Runs the load to its end and gives the requests of its log in the order of their schedule.
#[track_caller]
fn logged(load: &[&str], url: &str) -> Vec<Request> {
    let ended = run(&[load, &[url]].concat());
    let json = ended.done();
    let mut requests = Vec::new();
    for chunk in Reader::open(&ended.log()).unwrap().chunks() {
        requests.extend(chunk.unwrap().requests());
    }
    assert_eq!(requests.len() as u64, count(&json, "resources.log_records"));
    requests.sort_by_key(|request| request.intended_at);
    requests
}

/// When each request was due, in ns after the first.
fn due(requests: &[Request]) -> Vec<u64> {
    let first = requests[0].intended_at;
    requests.iter().map(|request| request.intended_at.since(first).0).collect()
}

fn gaps(due: &[u64]) -> Vec<u64> {
    due.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// The largest distance between the share of `gaps` up to a length and what `cdf` expects.
fn distance(mut gaps: Vec<u64>, cdf: impl Fn(f64) -> f64) -> f64 {
    gaps.sort_unstable();
    let total = gaps.len() as f64;
    let at = |(i, &gap): (usize, &u64)| {
        let expected = cdf(gap as f64 / SECOND as f64);
        (expected - i as f64 / total).abs().max((expected - (i + 1) as f64 / total).abs())
    };
    gaps.iter().enumerate().map(at).fold(0.0, f64::max)
}

#[test]
fn even_arrivals_lie_a_period_apart_without_drift_over_all_shards() {
    let server = Server::nginx(1_000_000);
    let requests = logged(&["-t", "2", "-R", "1000", "-c", "32", "-d", "2s"], &server.url("/"));
    let expected: Vec<u64> = (0..2000).map(|k| k * MILLISECOND).collect();
    assert_eq!(due(&requests), expected);
}

#[test]
fn a_rush_starts_all_sessions_of_a_second_at_once() {
    let server = Server::nginx(1_000_000);
    let load = ["-R", "300", "-P", "rush", "-f", "-c", "1000", "-d", "3s"];
    let requests = logged(&load, &server.url("/"));
    let mut rushes: BTreeMap<u64, usize> = BTreeMap::new();
    for due in due(&requests) {
        *rushes.entry(due).or_default() += 1;
    }
    assert_eq!(rushes, BTreeMap::from([(0, 300), (SECOND, 300), (2 * SECOND, 300)]));
    assert!(requests.iter().all(|r| r.outcome == Outcome::Ok && r.connected_at.is_some()));
}

#[test]
fn random_arrivals_are_exponential_and_the_seed_gives_them_again() {
    let server = Server::nginx(1_000_000);
    let of_seed = |seed| {
        let load = ["-P", "random", "--seed", seed, "-t", "2", "-R", "2000", "-c", "32"];
        due(&logged(&[&load[..], &["-d", "2s"]].concat(), &server.url("/")))
    };
    let arrivals = of_seed("7");
    assert_eq!(arrivals, of_seed("7"), "the same seed");
    assert_ne!(arrivals, of_seed("8"), "another seed");
    // The seed is fixed, so these bounds are met always or never: five standard deviations of
    // the count, and the distance that a sample of this size exceeds once in a thousand times.
    assert!(arrivals.len().abs_diff(4000) < 316, "{} arrivals", arrivals.len());
    let distance = distance(gaps(&arrivals), |gap| 1.0 - (-2000.0 * gap).exp());
    assert!(distance < 0.031, "the gaps are {distance} from exponential");
}

#[test]
fn uniform_gaps_lie_within_twice_their_mean() {
    let server = Server::nginx(1_000_000);
    let load = ["-P", "random:uniform", "-t", "1", "-R", "1000", "-c", "32", "-d", "2s"];
    let gaps = gaps(&due(&logged(&load, &server.url("/"))));
    assert!(gaps.iter().all(|&gap| gap <= 2 * MILLISECOND));
    let distance = distance(gaps, |gap| (gap * 500.0).min(1.0));
    assert!(distance < 0.044, "the gaps are {distance} from uniform");
}

#[test]
fn arrivals_do_not_depend_on_the_server() {
    let due_at = |manner| {
        let server = Hostile::start(manner);
        let load = ["-P", "random", "-t", "1", "-R", "200", "-c", "4", "-d", "1s"];
        let load = [&load[..], &["--timeout", "300ms"]].concat();
        logged(&load, &server.url())
    };
    let served: BTreeSet<u64> = due(&due_at(Manner::Answers)).into_iter().collect();
    let silent = due_at(Manner::Silent);
    assert!(silent.iter().all(|request| request.outcome != Outcome::Ok));
    let waited: BTreeSet<u64> = due(&silent).into_iter().collect();
    assert!(waited.is_subset(&served), "a silent server changed what was due");
    // What was in flight when the drain ended has no record: at most one per connection.
    assert!(waited.len() + 4 >= served.len(), "{} of {}", waited.len(), served.len());
}

#[test]
fn source_ports_are_reused_oldest_first_and_the_sources_evenly() {
    let server = Server::nginx(1_000_000);
    let load = ["-t", "1", "-f", "--close", "rst", "-R", "200", "-c", "16", "-d", "2s"];
    let ports = ["--source", "127.0.0.2,127.0.0.3", "--ports", "20000-20079"];
    let mut requests = logged(&[&load[..], &ports].concat(), &server.url("/"));
    assert!(requests.iter().all(|request| request.outcome == Outcome::Ok));
    assert!(requests.iter().all(|request| (20_000..=20_079).contains(&request.port)));
    requests.sort_by_key(|request| request.sent_at);
    for source in [0, 1] {
        let count = requests.iter().filter(|request| request.source == source).count();
        assert_eq!(count, 200, "source {source}");
    }
    // 160 pairs: a pair comes again when all others were used, or were in use at the time.
    let mut last: BTreeMap<(u16, u16), usize> = BTreeMap::new();
    for (i, request) in requests.iter().enumerate() {
        if let Some(before) = last.insert((request.source, request.port), i) {
            assert!(i - before >= 160 - 16, "{request:?} came again after {}", i - before);
        }
    }
}
