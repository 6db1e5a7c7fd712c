//! Bad weather: each server here breaks the rules in one way. The run ends in time, keeps its
//! accounts, its schedule and its memory, and says what happened.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, setsockopt, socket, sockopt,
};
use serde_json::Value;
use support::Folder;
use support::hostile::{Hostile, Manner};
use support::report::{at, count};
use support::run::{Run, run};
use support::server::free_address;

/// A tenth of a gigabyte and more for the binary, its stacks, rings and log; far below what any
/// of these servers could make a careless reader hold.
const RSS_KIB_MAX: u64 = 300 << 10;

/// Arrivals that a run of [`LOAD`] plans.
const PLANNED: u64 = 50;

const LOAD: [&str; 8] = ["-R", "50", "-c", "4", "-d", "1s", "--timeout", "3s"];

/// For those that keep us waiting; the others have time even on a machine that is busy.
const IMPATIENT: [&str; 2] = ["--timeout", "300ms"];

/// Loads a server of this manner and asserts what holds for all of them.
#[track_caller]
fn load(manner: Manner, more: &[&str]) -> Value {
    let server = Hostile::start(manner);
    let json = run(&[&LOAD[..], more, &[&server.url()]].concat()).done();
    assert_eq!(count(&json, "totals.planned"), PLANNED, "the schedule is not theirs");
    assert!(count(&json, "resources.max_rss_kib") < RSS_KIB_MAX);
    json
}

/// All requests end as one of `outcomes`, and each of these occurs. Only where requests time out
/// may some be younger than the timeout when the drain ends.
#[track_caller]
fn check(manner: Manner, more: &[&str], outcomes: &[&str]) -> Value {
    let waits = outcomes.contains(&"timeout");
    let patience = if waits { &IMPATIENT[..] } else { &[] };
    let json = load(manner, &[more, patience].concat());
    for outcome in outcomes {
        assert!(count(&json, &format!("outcomes.{outcome}")) > 0, "no {outcome} in {json:#}");
    }
    let of = |outcome: &&str| count(&json, &format!("outcomes.{outcome}"));
    let in_flight = count(&json, "requests.in_flight_at_end");
    assert!(in_flight == 0 || waits, "{json:#}");
    assert_eq!(outcomes.iter().map(of).sum::<u64>() + in_flight, PLANNED, "{json:#}");
    json
}

/// The error table names this step.
#[track_caller]
fn assert_step(json: &Value, step: &str) {
    let errors = at(json, "errors").as_array().unwrap();
    assert!(errors.iter().any(|error| error["step"] == step), "no {step} in {json:#}");
}

/// What a plain client makes of one answer: the bytes that came, and how it ended.
fn plain_answer(manner: Manner) -> (usize, Option<ErrorKind>) {
    let server = Hostile::start(manner);
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let error = stream.read_to_end(&mut answer).err().map(|error| error.kind());
    (answer.len(), error)
}

#[test]
fn the_hostile_server_does_what_it_is_said_to_do() {
    let (part, silence) = (51, Some(ErrorKind::WouldBlock));
    assert_eq!(plain_answer(Manner::Answers), (40, silence));
    assert_eq!(plain_answer(Manner::AnswersTwice), (80, silence));
    assert_eq!(plain_answer(Manner::Silent), (0, silence));
    assert_eq!(plain_answer(Manner::HalfCloses), (0, None));
    assert_eq!(plain_answer(Manner::ClosesInBody), (part, None));
    let (came, error) = plain_answer(Manner::ResetsInBody);
    assert!(came <= part);
    assert_eq!(error, Some(ErrorKind::ConnectionReset));
}

#[test]
fn a_target_that_refuses_ends_the_run_before_it_starts() {
    let nobody = free_address();
    for more in [&[][..], &["-f"]] {
        let url = format!("http://{nobody}/");
        let ended = Run::start(&[&LOAD[..], more, &[&url]].concat()).ended();
        assert_eq!(ended.code(), Some(1), "stderr: {}", ended.stderr);
        assert_eq!(ended.stdout, "");
        assert!(ended.stderr.contains(&nobody.to_string()), "stderr: {}", ended.stderr);
        assert!(ended.stderr.contains("refused"), "stderr: {}", ended.stderr);
    }
}

#[test]
fn a_target_that_stops_listening_in_mid_run_is_counted_as_refused() {
    let json = load(Manner::StopsListeningAfter(5), &["-f"]);
    assert_eq!(count(&json, "outcomes.ok"), 5);
    assert!(count(&json, "outcomes.refused") > 0, "{json:#}");
    // What the listener's queue held when it went is reset by the kernel.
    assert_eq!(count(&json, "outcomes.refused") + count(&json, "outcomes.reset"), PLANNED - 5);
    assert_step(&json, "connect");
}

#[test]
fn a_close_after_accept_is_a_reset_of_each_session() {
    check(Manner::ClosesAfterAccept, &["-f"], &["reset"]);
}

#[test]
fn kept_connections_that_are_closed_at_once_do_not_hang_the_run() {
    let server = Hostile::start(Manner::ClosesAfterAccept);
    let ended = Run::start(&[&LOAD[..], &[&server.url()]].concat()).ended();
    // They stood before they were closed, so it may start; it may also see that none lasts.
    if ended.code() == Some(1) {
        assert!(!ended.stderr.is_empty());
    } else {
        let json = ended.done();
        assert_eq!(count(&json, "outcomes.ok"), 0);
        assert_eq!(count(&json, "totals.planned"), PLANNED);
    }
}

#[test]
fn a_reset_in_mid_body_is_a_reset() {
    let json = check(Manner::ResetsInBody, &[], &["reset"]);
    assert_step(&json, "recv");
    assert!(count(&json, "connections.reopened") > 0);
}

#[test]
fn an_end_in_mid_body_is_a_reset() {
    check(Manner::ClosesInBody, &[], &["reset"]);
}

#[test]
fn a_half_close_instead_of_an_answer_is_a_reset() {
    check(Manner::HalfCloses, &[], &["reset"]);
}

#[test]
fn garbage_is_a_fault_of_the_protocol() {
    let json = check(Manner::Garbage, &[], &["protocol"]);
    assert_step(&json, "parse");
}

#[test]
fn an_endless_head_is_cut_off_as_a_fault_of_the_protocol() {
    check(Manner::EndlessHead, &[], &["protocol"]);
}

#[test]
fn two_different_lengths_are_a_fault_of_the_protocol() {
    check(Manner::TwoLengths, &[], &["protocol"]);
}

#[test]
fn an_impossible_length_is_a_fault_of_the_protocol() {
    check(Manner::ImpossibleLength, &[], &["protocol"]);
}

#[test]
fn a_malformed_chunk_is_a_fault_of_the_protocol() {
    check(Manner::BadChunk, &[], &["protocol"]);
}

#[test]
fn silence_is_a_timeout_and_what_waits_behind_it_is_unserved() {
    let json = check(Manner::Silent, &[], &["timeout", "unserved"]);
    let slowest = at(&json, "response_ns.max").as_u64().unwrap();
    assert!(slowest >= 300_000_000, "the age of what timed out belongs into the tail");
    assert_eq!(at(&json, "regime"), "partly-open");
}

#[test]
fn a_huge_body_that_never_comes_is_a_timeout() {
    check(Manner::HugeLengthThenSilence, &[], &["timeout", "unserved"]);
}

#[test]
fn an_endless_body_is_read_in_bounded_memory_until_the_timeout() {
    let json = check(Manner::EndlessBody, &[], &["timeout", "unserved"]);
    assert!(count(&json, "requests.bytes_received") > 1 << 20);
}

#[test]
fn a_server_that_never_reads_is_a_timeout_of_the_send() {
    let folder = Folder::new();
    // More than the socket buffers of both ends take.
    let body = folder.write("body", vec![b'x'; 32 << 20]);
    let body = format!("@{}", body.display());
    let json = check(Manner::NeverReads, &["-b", &body], &["timeout", "unserved"]);
    assert_step(&json, "send");
}

#[test]
fn an_answer_that_comes_a_byte_at_a_time_is_an_answer() {
    check(Manner::AnswersByteByByte, &[], &["ok"]);
}

#[test]
fn what_informs_before_the_answer_is_passed_over() {
    let json = check(Manner::InformsFirst, &[], &["ok"]);
    assert_eq!(count(&json, "status.200"), PLANNED);
    assert_eq!(count(&json, "connections.reopened"), 0);
}

#[test]
fn a_second_answer_spoils_the_connection_and_answers_nobody() {
    let json = load(Manner::AnswersTwice, &[]);
    assert!(count(&json, "connections.reopened") > 0, "{json:#}");
    let (ok, broken) = (count(&json, "outcomes.ok"), count(&json, "outcomes.protocol"));
    assert_eq!(ok + broken, PLANNED, "{json:#}");
    assert!(ok > 0, "{json:#}");
}

#[test]
fn a_pair_that_another_process_connected_costs_no_session() {
    let server = Hostile::start(Manner::Answers);
    let SocketAddr::V4(target) = server.address() else { panic!("it listens on IPv4") };
    let other = socket(AddressFamily::Inet, SockType::Stream, SockFlag::empty(), None).unwrap();
    setsockopt(&other, sockopt::ReuseAddr, &true).unwrap();
    bind(other.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 19_400)).unwrap();
    connect(other.as_raw_fd(), &SockaddrIn::from(target)).unwrap();
    let json = run(&["-n", "100", "-c", "4", "--ports", "19400-19410", &server.url()]).done();
    assert_eq!(count(&json, "totals.ok"), 100);
    assert_eq!(count(&json, "connections.opened"), 4);
}
