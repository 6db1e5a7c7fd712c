//! A real redis-server, loaded through the example of the programming interface.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use support::report::{at, count};
use support::run::Run;
use support::server::Server;

const CONNECTIONS: u64 = 16;

#[test]
fn redis_counts_the_commands_of_a_schedule_as_onrush_does() {
    let redis = Server::redis();
    let json = load(&redis, &["-R", "1500", "-d", "2s"]);
    assert_eq!(count(&json, "totals.planned"), 3000);
    assert_eq!(count(&json, "requests.ok"), 3000);
    check(&redis, &json);
}

#[test]
fn redis_counts_the_commands_of_a_closed_loop_as_onrush_does() {
    let redis = Server::redis();
    let json = load(&redis, &["-R", "max", "-n", "20k"]);
    assert_eq!(at(&json, "regime"), "closed");
    assert_eq!(count(&json, "requests.ok"), 20_000);
    check(&redis, &json);
}

#[test]
fn redis_counts_the_commands_of_fresh_sessions_as_onrush_does() {
    let redis = Server::redis();
    // Three requests are one round of PING, SET and GET.
    let json = load(&redis, &["-f", "-r", "3", "-R", "200", "-d", "1s"]);
    assert_eq!(count(&json, "totals.ok"), 200);
    assert_eq!(calls(&redis), [200; 3]);
    check(&redis, &json);
}

#[test]
fn an_error_that_redis_answers_is_a_failure_of_the_protocol() {
    let redis = Server::redis();
    assert_eq!(ask(&redis, "CONFIG SET requirepass secret"), "+OK\r\n");
    let json = load(&redis, &["-R", "100", "-d", "1s"]);
    assert_eq!(count(&json, "outcomes.protocol"), 100);
    assert_eq!(count(&json, "requests.ok"), 0);
}

fn load(redis: &Server, args: &[&str]) -> Value {
    let (connections, url) = (CONNECTIONS.to_string(), format!("tcp://{}", redis.address()));
    Run::example("redis", &[args, &["-c", &connections, &url]].concat()).ended().done()
}

/// What redis says of its commands and its keys is what the report of a run without a failure
/// says.
#[track_caller]
fn check(redis: &Server, json: &Value) {
    let sent = count(json, "requests.sent");
    assert_eq!(count(json, "requests.ok"), sent, "{json:#}");
    let [ping, set, get] = calls(redis);
    assert_eq!(ping + set + get, sent, "redis counts other requests than onrush");
    // Each connection starts with PING and takes turns.
    assert!(ping >= set && set >= get && ping - get <= CONNECTIONS, "{ping} {set} {get}");
    let received = [(ping, "+PONG\r\n"), (set, "+OK\r\n"), (get, "$5\r\nhello\r\n")];
    let bytes: u64 = received.iter().map(|(calls, reply)| calls * reply.len() as u64).sum();
    assert_eq!(count(json, "requests.bytes_received"), bytes);
    assert_eq!(ask(redis, "GET onrush"), "$5\r\nhello\r\n");
    assert_eq!(ask(redis, "DBSIZE"), ":1\r\n");
}

/// How often redis did PING, SET and GET.
fn calls(redis: &Server) -> [u64; 3] {
    let stats = ask(redis, "INFO commandstats");
    ["ping", "set", "get"].map(|name| {
        let line = stats.split(&format!("cmdstat_{name}:calls=")).nth(1);
        let count = line.and_then(|rest| rest.split(',').next());
        count.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("{name}: {stats}"))
    })
}

/// The reply to one command, over a socket that knows nothing of Onrush.
fn ask(redis: &Server, command: &str) -> String {
    let mut stream = TcpStream::connect(redis.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "{command}\r\nQUIT\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply.strip_suffix("+OK\r\n").unwrap_or_else(|| panic!("{command}: {reply}")).to_owned()
}
