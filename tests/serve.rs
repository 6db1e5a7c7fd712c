//! The built-in targets: alone, and loaded by a run that has no URL.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use serde_json::Value;
use support::report::{at, count};
use support::run::run;
use support::server::Server;

const LOAD: [&str; 6] = ["-R", "500", "-c", "8", "-d", "1s"];

/// Loads a built-in target; all 500 sessions have to be ok.
#[track_caller]
fn load(server: &Server, scheme: &str, more: &[&str]) -> Value {
    let url = format!("{scheme}://{}", server.address());
    let json = run(&[&LOAD[..], more, &[&url]].concat()).done();
    assert_eq!(count(&json, "totals.ok"), 500);
    json
}

#[test]
fn a_run_without_a_url_loads_the_embedded_target() {
    let ended = run(&LOAD);
    let json = ended.done();
    assert_eq!(at(&json, "target.embedded"), true);
    assert_eq!(count(&json, "totals.ok"), 500);
    assert!(!ended.stderr.is_empty(), "it has to say so");
}

#[test]
fn connections_are_kept_and_closed_as_http_says() {
    let server = Server::onrush("http", &["--body-bytes", "1000"]);
    // Asks for the end of the connection, and returns once it came.
    let answer = server.answer("/any/path");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    assert_eq!(body.len(), 1000);
    let json = load(&server, "http", &[]);
    assert_eq!(count(&json, "connections.reopened"), 0);
    assert!(count(&json, "requests.bytes_received") > 500 * 1000);
    let output = server.output();
    assert!(output.contains("listening on 127.0.0.1:"), "{output}");
}

#[test]
fn a_target_closes_after_as_many_answers_as_told() {
    let server = Server::onrush("http", &["--close-after", "10"]);
    let json = load(&server, "http", &[]);
    // 500 answers on connections of 10 each; the last of each need not be opened again.
    let reopened = count(&json, "connections.reopened");
    assert!((500 / 10 - 8..=500 / 10).contains(&reopened), "{reopened} reopened");
}

#[test]
fn a_delay_is_in_every_response() {
    let server = Server::onrush("http", &["--delay", "5ms"]);
    let json = load(&server, "http", &[]);
    // Three digits of a histogram: a sample may be shown a thousandth too low.
    assert!(count(&json, "service_ns.min") >= 4_995_000);
}

#[test]
fn an_echo_gives_back_what_it_got() {
    let server = Server::onrush("echo", &[]);
    let json = load(&server, "tcp", &["--send-bytes", "100", "--expect-bytes", "100"]);
    assert_eq!(count(&json, "requests.bytes_sent"), 500 * 100);
    assert_eq!(count(&json, "requests.bytes_received"), 500 * 100);
    assert_eq!(at(&json, "status").as_object().unwrap().len(), 0, "raw bytes have no status");
}

#[test]
fn fresh_sessions_are_served_by_an_echo() {
    let server = Server::onrush("echo", &[]);
    let json = load(&server, "tcp", &["-f", "-c", "32"]);
    assert_eq!(count(&json, "connections.started"), 500);
}
