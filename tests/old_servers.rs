//! Runs against real servers that answer in older or longer ways: HTTP/1.0 and chunks.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use support::report::count;
use support::run::run;
use support::server::Server;

#[test]
fn http_1_0_ends_each_answer_with_its_connection() {
    let python = Server::python();
    assert!(python.answer("/").starts_with("HTTP/1.0 200 "), "{}", python.answer("/"));
    let json = run(&["-R", "100", "-c", "8", "-d", "1s", &python.url("/")]).done();
    assert_eq!(count(&json, "totals.ok"), 100);
    assert_eq!(count(&json, "status.200"), 100);
    // Each answer closes its connection; the last of each need not be opened again.
    let reopened = count(&json, "connections.reopened");
    assert!((92..=100).contains(&reopened), "{reopened} reopened");
}

#[test]
fn http_1_0_serves_fresh_sessions() {
    let python = Server::python();
    let json = run(&["-f", "-R", "100", "-c", "16", "-d", "1s", &python.url("/")]).done();
    assert_eq!(count(&json, "totals.ok"), 100);
    assert_eq!(count(&json, "connections.reopened"), 0);
}

#[test]
fn an_answer_in_chunks_is_whole_after_the_last_chunk() {
    let lighttpd = Server::lighttpd();
    let url = lighttpd.url("/chunks.py");
    let answer = lighttpd.answer("/chunks.py");
    assert!(answer.contains("Transfer-Encoding: chunked"), "{answer:.300}");
    let json = run(&["-R", "20", "-c", "4", "-d", "1s", &url]).done();
    assert_eq!(count(&json, "totals.ok"), 20);
    assert_eq!(count(&json, "status.200"), 20);
    // The bodies alone are 9000 bytes each; the frames of the chunks come on top.
    assert!(count(&json, "requests.bytes_received") > 20 * 9000);
    assert_eq!(count(&json, "connections.reopened"), 0, "a chunked answer keeps its connection");
}
