//! Runs against a real nginx: what the report says is what nginx logged.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use serde_json::Value;
use support::Folder;
use support::report::{at, count};
use support::run::{report, run};
use support::server::{Access, BIG_BYTES, PAGE, Server};

/// More requests than any test makes on one connection.
const NEVER_CLOSES: u32 = 1_000_000;

/// The report's counters are those of nginx, request by request and byte by byte.
#[track_caller]
fn assert_agree(json: &Value, accesses: &[Access]) {
    let sum = |of: fn(&Access) -> u64| accesses.iter().map(of).sum::<u64>();
    assert_eq!(count(json, "requests.sent"), accesses.len() as u64);
    assert_eq!(count(json, "requests.bytes_received"), sum(|a| a.bytes_sent));
    assert_eq!(count(json, "requests.bytes_sent"), sum(|a| a.request_bytes));
    for (status, seen) in at(json, "status").as_object().unwrap() {
        let logged = accesses.iter().filter(|a| a.status.to_string() == *status).count();
        assert_eq!(seen.as_u64(), Some(logged as u64), "status {status}");
    }
}

#[test]
fn a_planned_run_is_served_whole_and_agrees_with_nginx() {
    let nginx = Server::nginx(NEVER_CLOSES);
    let json = run(&["-R", "1000", "-c", "64", "-d", "2s", &nginx.url("/")]).done();
    assert_eq!(count(&json, "totals.planned"), 2000);
    assert_eq!(count(&json, "totals.ok"), 2000);
    assert_eq!(at(&json, "regime"), "open");
    assert_eq!(count(&json, "connections.asked"), 64);
    assert_eq!(count(&json, "connections.opened"), 64);
    assert_eq!(count(&json, "connections.served"), 64, "the longest idle is taken first");
    assert_eq!(count(&json, "connections.reopened"), 0);
    assert_agree(&json, &nginx.access_log());
}

#[test]
fn a_connection_that_nginx_closes_is_reopened_and_nothing_fails() {
    let nginx = Server::nginx(100);
    let json = run(&["-R", "1000", "-c", "8", "-d", "2s", &nginx.url("/")]).done();
    assert_eq!(count(&json, "totals.ok"), 2000);
    let accesses = nginx.access_log();
    assert_agree(&json, &accesses);
    let closed = accesses.iter().filter(|a| a.request_of_connection == 100).count();
    assert!(closed >= 8, "nginx closed {closed} connections only");
    assert_eq!(count(&json, "connections.reopened"), closed as u64);
}

#[test]
fn a_missing_page_is_an_answer_unless_told_otherwise() {
    let nginx = Server::nginx(NEVER_CLOSES);
    let url = nginx.url("/missing");
    let load = ["-R", "500", "-c", "4", "-d", "1s", &url];
    let json = run(&load).done();
    assert_eq!(count(&json, "status.404"), 500);
    assert_eq!(count(&json, "outcomes.ok"), 500);
    let json = run(&[&load[..], &["--expect-status", "2xx,304"]].concat()).done();
    assert_eq!(count(&json, "status.404"), 500);
    assert_eq!(count(&json, "outcomes.protocol"), 500);
    assert_eq!(nginx.access_log().len(), 1000);
}

#[test]
fn answers_without_a_body_are_whole_after_their_head() {
    let nginx = Server::nginx(NEVER_CLOSES);
    let head = run(&["-m", "HEAD", "-R", "500", "-c", "4", "-d", "1s", &nginx.url("/big")]).done();
    assert_eq!(count(&head, "outcomes.ok"), 500);
    let empty = run(&["-R", "500", "-c", "4", "-d", "1s", &nginx.url("/empty")]).done();
    assert_eq!(count(&empty, "status.204"), 500);
    assert_eq!(count(&empty, "outcomes.ok"), 500);
    let received = |json| count(json, "requests.bytes_received");
    let accesses = nginx.access_log();
    assert!(accesses[..500].iter().all(|a| a.method == "HEAD"));
    assert_eq!(
        received(&head) + received(&empty),
        accesses.iter().map(|a| a.bytes_sent).sum::<u64>()
    );
}

#[test]
fn a_large_answer_is_counted_and_not_kept() {
    let nginx = Server::nginx(NEVER_CLOSES);
    let json = run(&["-R", "100", "-c", "4", "-d", "1s", &nginx.url("/big")]).done();
    assert_eq!(count(&json, "outcomes.ok"), 100);
    assert!(count(&json, "requests.bytes_received") > 100 * BIG_BYTES as u64);
    assert_agree(&json, &nginx.access_log());
}

#[test]
fn a_body_makes_it_a_post() {
    let nginx = Server::nginx(NEVER_CLOSES);
    let url = nginx.url("/post");
    let folder = Folder::new();
    let body = format!("@{}", folder.write("body", "x".repeat(10_000)).display());
    let load = ["-b", &body, "-H", "X-Extra: 1", "-R", "200", "-c", "4", "-d", "1s", &url];
    let json = run(&load).done();
    assert_eq!(count(&json, "outcomes.ok"), 200);
    let accesses = nginx.access_log();
    assert!(accesses.iter().all(|a| a.method == "POST" && a.body_bytes == 10_000));
    assert_agree(&json, &accesses);
}

#[track_caller]
fn check_fresh(close: &str) {
    let nginx = Server::nginx(NEVER_CLOSES);
    let load = ["-f", "--close", close, "-R", "500", "-c", "64", "-d", "2s"];
    let json = run(&[&load[..], &[&nginx.url("/")]].concat()).done();
    assert_eq!(count(&json, "totals.ok"), 1000);
    assert_eq!(count(&json, "connections.started"), 1000);
    assert_eq!(count(&json, "connections.reopened"), 0);
    assert_eq!(count(&json, "connect_ns.count"), 1000);
    let accesses = nginx.access_log();
    assert_agree(&json, &accesses);
    let mut connections: Vec<u64> = accesses.iter().map(|a| a.connection).collect();
    connections.sort_unstable();
    connections.dedup();
    assert_eq!(connections.len(), 1000, "a fresh session has a connection of its own");
}

#[test]
fn fresh_sessions_that_close_with_fin_are_all_served() {
    check_fresh("fin");
}

#[test]
fn fresh_sessions_that_close_with_rst_are_all_served() {
    check_fresh("rst");
}

#[test]
fn fresh_sessions_that_recycle_their_socket_are_all_served() {
    check_fresh("recycle");
}

#[test]
fn a_session_sends_its_requests_in_series_on_one_connection() {
    let nginx = Server::nginx(NEVER_CLOSES);
    let load = ["-f", "-r", "5", "--think", "2ms", "-R", "100", "-c", "32", "-d", "1s"];
    let json = run(&[&load[..], &[&nginx.url("/")]].concat()).done();
    assert_eq!(count(&json, "totals.ok"), 100);
    assert_eq!(count(&json, "requests.ok"), 500);
    let accesses = nginx.access_log();
    assert_agree(&json, &accesses);
    let longest = accesses.iter().map(|a| a.request_of_connection).max();
    assert_eq!(longest, Some(5));
}

#[test]
fn a_closed_loop_has_no_waiting_and_says_so() {
    let nginx = Server::nginx(NEVER_CLOSES);
    let json = run(&["-R", "max", "-c", "16", "-n", "5000", &nginx.url("/")]).done();
    assert_eq!(at(&json, "regime"), "closed");
    assert_eq!(count(&json, "totals.planned"), 5000);
    assert_eq!(count(&json, "totals.ok"), 5000);
    // Every sample of the one is a sample of the other; the response alone has error bars.
    for (name, service) in at(&json, "service_ns").as_object().unwrap() {
        assert_eq!(at(&json, &format!("response_ns.{name}")), service, "{name}");
    }
    assert_agree(&json, &nginx.access_log());
}

#[test]
fn a_count_ends_a_run_with_a_rate() {
    let nginx = Server::nginx(NEVER_CLOSES);
    let json = run(&["-R", "2000", "-c", "16", "-n", "1000", &nginx.url("/")]).done();
    assert_eq!(count(&json, "totals.planned"), 1000);
    assert_eq!(nginx.access_log().len(), 1000);
}

#[test]
fn a_warm_up_is_served_and_not_counted() {
    let nginx = Server::nginx(NEVER_CLOSES);
    let json = run(&["-w", "1s", "-R", "500", "-c", "16", "-d", "1s", &nginx.url("/")]).done();
    assert_eq!(count(&json, "totals.ok"), 500);
    assert_eq!(nginx.access_log().len(), 1000);
}

#[test]
fn an_overload_defers_arrivals_or_drops_them_as_told() {
    let nginx = Server::nginx(NEVER_CLOSES);
    let url = nginx.url("/big");
    // One connection and a rush of 200: all but the first meet the cap.
    let load = ["-P", "rush", "-R", "200", "-c", "1", "-t", "1", "-d", "1s", &url];
    let deferred = run(&load).done();
    assert_eq!(at(&deferred, "regime"), "partly-open");
    assert_eq!(count(&deferred, "totals.deferred"), 199);
    assert_eq!(count(&deferred, "totals.ok"), 200);
    let dropped = run(&[&load[..], &["--on-cap", "drop"]].concat()).done();
    assert!(count(&dropped, "totals.dropped") > 0);
    assert_eq!(count(&dropped, "totals.deferred"), 0);
    let served = count(&dropped, "totals.ok");
    assert_eq!(nginx.access_log().len() as u64, 200 + served);
}

#[test]
fn the_counters_do_not_depend_on_what_the_log_keeps() {
    let nginx = Server::nginx(NEVER_CLOSES);
    let url = nginx.url("/");
    let of = |log| run(&["--log", log, "-R", "1000", "-c", "16", "-d", "1s", &url]);
    let [all, tenth, none] = ["all", "1/10", "none"].map(|log| {
        let ended = of(log);
        let json = ended.done();
        assert_eq!(report(&ended.log()).json(), json, "the log gives the same report");
        assert_eq!(count(&json, "totals.ok"), 1000);
        assert_eq!(count(&json, "response_ns.count"), 1000);
        json
    });
    let received = |json| count(json, "requests.bytes_received");
    assert_eq!([received(&tenth), received(&none)], [received(&all); 2]);
    let records = |json| count(json, "resources.log_records");
    assert_eq!([records(&all), records(&none)], [1000, 0]);
    assert!((50..=200).contains(&records(&tenth)), "1/10 of 1000 is not {}", records(&tenth));
}

#[test]
fn the_log_of_fresh_and_closed_runs_gives_the_same_report() {
    let nginx = Server::nginx(NEVER_CLOSES);
    let url = nginx.url("/");
    for load in [&["-f", "-R", "500", "-d", "1s"][..], &["-R", "max", "-n", "3000"]] {
        let ended = run(&[load, &["-c", "16", &url]].concat());
        assert_eq!(report(&ended.log()).json(), ended.done());
    }
}

#[test]
fn every_connection_asked_for_is_opened_and_spread_over_the_shards() {
    let nginx = Server::nginx(NEVER_CLOSES);
    let load = ["-t", "3", "-c", "100", "-R", "1000", "-d", "1s"];
    let json = run(&[&load[..], &[&nginx.url("/")]].concat()).done();
    assert_eq!(count(&json, "connections.opened"), 100);
    assert_eq!(count(&json, "totals.planned"), 1000);
    assert_eq!(at(&json, "shards").as_array().unwrap().len(), 3);
}

#[test]
fn the_page_that_nginx_serves_is_what_is_counted() {
    let nginx = Server::nginx(NEVER_CLOSES);
    let json = run(&["-n", "1", "-c", "1", "-R", "10", &nginx.url("/")]).done();
    let accesses = nginx.access_log();
    assert!(accesses[0].bytes_sent > PAGE.len() as u64);
    assert_agree(&json, &accesses);
}
