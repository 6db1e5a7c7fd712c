//! `onrush run ca://` and `pva://` against servers whose every post is known.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use onrush::evidence::Entry;
use onrush::log::Reader;
use support::publisher::{End, FAULTS, MANNERS, POSTS, Publisher};
use support::report::{at, count};
use support::run::{Run, report, run};
use support::wait_for;

/// A run that watches all channels of the publisher.
#[track_caller]
fn check_faults(scheme: &str, publisher: &Publisher, more: &[&str]) {
    let url = format!("{scheme}://{}/P{{0..{}}}", publisher.address, MANNERS.len() - 1);
    let args = [&["-d", "3s", "--idle", "sleep", "--timeout", "1s", &*url], more].concat();
    let json = run(&args).done();
    let updates = |key: &str| count(&json, &format!("updates.{key}"));
    let all = POSTS as u64 * MANNERS.len() as u64;
    assert_eq!(updates("subscriptions"), MANNERS.len() as u64);
    assert_eq!(updates("received"), all - POSTS as u64 / 2, "dropped and repeated are as many");
    assert_eq!(updates("lost"), FAULTS);
    assert_eq!(updates("duplicate"), FAULTS);
    assert_eq!(updates("backwards"), FAULTS);
    assert_eq!(updates("finals_ok"), MANNERS.len() as u64 - 1, "all but the one that stalls");
    assert!(count(&json, "age_ns.count") <= updates("received"));
    assert_eq!(count(&json, "gap_ns.count"), updates("received"));
    assert_eq!(at(&json, "regime"), "open");
}

#[test]
fn every_fault_of_a_channel_access_server_is_found_and_counted() {
    check_faults("ca", &Publisher::ca(), &[]);
}

#[test]
fn every_fault_of_a_pvaccess_server_is_found_and_counted() {
    check_faults("pva", &Publisher::pva(), &["--queue", "4", "--ack", "2"]);
}

#[test]
fn every_fault_of_a_server_with_the_highest_byte_first_is_found_and_counted() {
    check_faults("pva", &Publisher::pva_big(), &["--profile", "pvxs"]);
}

/// Updates that a log shows as not the next.
fn slips(log: &Path) -> u64 {
    let mut slips = 0;
    let Ok(reader) = Reader::open(log) else { return 0 };
    for part in reader.parts(1).unwrap() {
        part.each(|entry| slips += u64::from(matches!(entry, Entry::Slip(_)))).unwrap();
    }
    slips
}

#[test]
fn a_run_that_is_killed_leaves_every_fault_in_its_log() {
    let publisher = Publisher::ca();
    let url = format!("ca://{}/P{{0..{}}}", publisher.address, MANNERS.len() - 1);
    let run = Run::start(&["-d", "60s", "--idle", "sleep", &*url]);
    let all = || (slips(&run.log()) == 3 * FAULTS).then_some(());
    let seen = wait_for(Duration::from_secs(20), all);
    run.signal(Signal::SIGKILL);
    let killed = run.ended();
    assert!(seen.is_some(), "{} faults in the log", slips(&killed.log()));
    let json = report(&killed.log()).json();
    for fault in ["lost", "duplicate", "backwards"] {
        assert_eq!(count(&json, &format!("updates.{fault}")), FAULTS, "{fault}");
    }
    assert!(at(&json, "updates.received").is_null(), "nobody counted to the end");
}

/// The first circuit of the publisher ends after half of the posts.
#[track_caller]
fn check_end(scheme: &str, publisher: &Publisher) {
    let url = format!("{scheme}://{}/P{{0..4}}", publisher.address);
    let json = run(&["-d", "5s", "--idle", "sleep", "--timeout", "2s", &*url]).done();
    let updates = |key: &str| count(&json, &format!("updates.{key}"));
    assert_eq!(count(&json, "connections.reopened"), 1);
    let channels = MANNERS.len() as u64;
    let before = (POSTS as u64 / 2 - 1) * channels;
    let after = POSTS as u64 * channels - POSTS as u64 / 2;
    assert_eq!(updates("received"), before + channels + after, "with the first of the second");
    for fault in ["lost", "duplicate", "backwards"] {
        assert_eq!(updates(fault), FAULTS / 2 + FAULTS, "{fault}");
    }
    assert_eq!(updates("finals_ok"), channels - 1);
    assert!(updates("silent_ns") > 0, "the one that stalls");
}

#[test]
fn a_circuit_that_breaks_is_opened_again_with_its_channels() {
    check_end("ca", &Publisher::ca_that_ends(End::Clean));
}

#[test]
fn a_circuit_that_ends_in_half_a_message_is_opened_again() {
    check_end("ca", &Publisher::ca_that_ends(End::HalfAMessage));
    check_end("pva", &Publisher::pva_that_ends(End::HalfAMessage));
}

#[test]
fn a_circuit_that_turns_to_garbage_is_ended_and_opened_again() {
    check_end("ca", &Publisher::ca_that_ends(End::Garbage));
    check_end("pva", &Publisher::pva_that_ends(End::Garbage));
}

#[test]
fn reads_are_sessions_like_any_other() {
    for (scheme, publisher) in [("ca", Publisher::ca()), ("pva", Publisher::pva())] {
        let url = format!("{scheme}://{}/P{{0..4}}", publisher.address);
        let json = run(&["--op", "get", "-R", "500", "-d", "1s", "-c", "7", &url]).done();
        assert_eq!(count(&json, "totals.planned"), 500);
        assert_eq!(count(&json, "outcomes.ok"), 500);
        assert_eq!(count(&json, "connections.opened"), 1);
        assert_eq!(count(&json, "response_ns.count"), 500);
    }
}

#[test]
fn a_name_that_is_not_there_ends_the_run_before_it_begins() {
    for (scheme, publisher) in [("ca", Publisher::ca()), ("pva", Publisher::pva())] {
        let url = format!("{scheme}://{}/P{{3..6}}", publisher.address);
        let ended = run(&["--op", "get", "-c", "4", &url]);
        assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
        let says = format!(
            "only 2 of 4 channels to {} could be opened: parse: the server has no such name; \
             --allow-partial runs with those\n",
            publisher.address
        );
        assert!(ended.stderr.ends_with(&says), "{}", ended.stderr);
    }
}

#[test]
fn a_server_of_another_protocol_is_told() {
    let publisher = Publisher::ca();
    let ended = run(&[&*format!("pva://{}/P0", publisher.address)]);
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("no channel to"), "{}", ended.stderr);
}
