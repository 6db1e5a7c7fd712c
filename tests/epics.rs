//! The built-in servers of PVs: every update is looked at, by a client of our own and by the
//! packages that others use.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::collections::BTreeMap;
use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

use onrush::wire::ca::{Reply, Request};
use serde_json::Value;
use support::epics::{Circuit, Update, python, search};
use support::report::{at, count};
use support::run::run;
use support::server::Server;

fn serve(options: &[&str]) -> Server {
    serve_as("ca", options)
}

fn serve_as(kind: &str, options: &[&str]) -> Server {
    Server::onrush(kind, &[&["--format", "json"], options].concat())
}

/// Ends the server: its figures.
fn figures(server: Server) -> Value {
    let output = server.output();
    output[output.find('{').unwrap()..].parse().unwrap()
}

/// Opens and subscribes to `P0` to `P(count-1)`, the number of the PV being the subscription's.
fn subscribed(server: &Server, count: u32) -> Circuit {
    let mut circuit = Circuit::open(server.address());
    for pv in 0..count {
        let (sid, _) = circuit.channel(&format!("P{pv}"));
        circuit.subscribe(sid, pv);
    }
    circuit
}

/// The steps from one value to the next of the same subscription.
fn steps(updates: &[Update]) -> Vec<f64> {
    let mut last = BTreeMap::new();
    let step = |update: &Update| Some(update.value - last.insert(update.subid, update.value)?);
    updates.iter().filter_map(step).collect()
}

#[test]
fn every_update_arrives_in_sequence_with_its_stamp() {
    for pattern in ["rush", "even", "random"] {
        let server = serve(&["--pvs", "20", "--rate", "100", "--pattern", pattern]);
        let updates = subscribed(&server, 20).updates(1000);
        let steps = steps(&updates);
        assert_eq!(steps.len(), 1000 - 20);
        assert!(steps.iter().all(|&step| step == 1.0), "{pattern}: {steps:?}");
        // Both ends read one clock.
        assert!(updates.iter().all(|update| update.stamp.to_unix_ns() <= update.read_ns));
        let figures = figures(server);
        assert_eq!(count(&figures, "subscriptions"), 20);
        assert_eq!(count(&figures, "updates.merged"), 0);
        assert!(count(&figures, "updates.sent") >= 1000, "{figures}");
        assert!(count(&figures, "updates.posted") >= 1000 - 20, "{figures}");
    }
}

#[test]
fn a_flaw_is_there_as_often_as_it_was_asked_for() {
    #[track_caller]
    fn check(flag: &str, figure: &str, expect: impl Fn(u64) -> Vec<u64>) {
        let server = serve(&["--pvs", "1", "--rate", "1000", flag, "5"]);
        let updates = subscribed(&server, 1).updates(200);
        let first = updates[0].value;
        let seen: Vec<u64> = updates.iter().map(|update| (update.value - first) as u64).collect();
        let expect: Vec<u64> = [0].into_iter().chain((1..).flat_map(expect)).take(200).collect();
        assert_eq!(seen, expect, "{flag}");
        assert!(count(&figures(server), figure) >= 30, "{flag}");
    }
    let each_fifth = |number: u64, fifth: &[u64]| {
        if number.is_multiple_of(5) { fifth.to_vec() } else { vec![number] }
    };
    check("--drop-every", "flaws.dropped", |number| each_fifth(number, &[]));
    check("--repeat-every", "flaws.repeated", |number| each_fifth(number, &[number, number]));
    check("--backwards-every", "flaws.backwards", |number| {
        each_fifth(number, &[number, number - 1])
    });
}

/// Much to be sent: what does not read is soon behind.
const MUCH: [&str; 6] = ["--pvs", "100", "--rate", "1000", "--array", "1000"];

#[test]
fn a_client_that_did_not_read_gets_the_newest_and_never_an_older_one() {
    let server = serve(&MUCH);
    let mut circuit = subscribed(&server, 100);
    std::thread::sleep(Duration::from_millis(500));
    let mut last = BTreeMap::new();
    let mut largest = 0.0;
    while largest <= 1.0 {
        let update = circuit.update().unwrap();
        if let Some(before) = last.insert(update.subid, update.value) {
            assert!(update.value > before, "{update:?} after {before}");
            largest = update.value - before;
        }
    }
    drop(circuit);
    let figures = figures(server);
    assert!(count(&figures, "updates.merged") > 0, "{figures}");
    assert_eq!(count(&figures, "cut_off"), 0);
}

#[test]
fn who_is_to_get_all_gets_all_until_it_is_cut_off() {
    let server = serve(&[&MUCH[..], &["--no-coalesce"]].concat());
    let mut circuit = subscribed(&server, 100);
    std::thread::sleep(Duration::from_millis(1500));
    let updates: Vec<Update> = std::iter::from_fn(|| circuit.update()).collect();
    let steps = steps(&updates);
    assert!(!steps.is_empty() && steps.iter().all(|&step| step == 1.0));
    let figures = figures(server);
    assert_eq!(count(&figures, "cut_off"), 1);
    assert_eq!(count(&figures, "updates.merged"), 0);
}

#[test]
fn events_off_are_honoured() {
    let server = serve(&["--pvs", "1", "--rate", "1000"]);
    let mut circuit = subscribed(&server, 1);
    circuit.updates(3);
    circuit.say(Request::EventsOff);
    circuit.say(Request::Echo);
    let echoed = |circuit: &mut Circuit| {
        let mut last = None;
        circuit.find(|reply| match reply {
            Reply::Echo => Some(()),
            Reply::Update { .. } => {
                last = Some(());
                None
            }
            _ => None,
        });
        last
    };
    echoed(&mut circuit);
    std::thread::sleep(Duration::from_millis(100));
    circuit.say(Request::Echo);
    assert_eq!(echoed(&mut circuit), None, "an update came while they were off");
    circuit.say(Request::EventsOn);
    let newest = circuit.updates(2);
    assert_eq!(newest[1].value, newest[0].value + 1.0);
    assert!(count(&figures(server), "updates.merged") > 0);
}

#[test]
fn a_stall_holds_updates_and_loses_none_where_all_are_wanted() {
    let stall = ["--stall", "400ms@100ms", "--no-coalesce"];
    let server = serve(&[&["--pvs", "2", "--rate", "500"], &stall[..]].concat());
    let updates = subscribed(&server, 2).updates(800);
    assert!(steps(&updates).iter().all(|&step| step == 1.0));
    let age = |update: &Update| update.read_ns.saturating_sub(update.stamp.to_unix_ns());
    let oldest = updates.iter().map(age).max().unwrap();
    assert!(oldest >= 350_000_000, "nothing was held: {oldest} ns");
}

#[test]
fn a_value_that_was_written_is_read_by_others_and_counted_on() {
    let server = serve(&["--pvs", "2", "--rate", "1"]);
    let (mut one, mut other) = (Circuit::open(server.address()), Circuit::open(server.address()));
    let (sid, is_writable) = one.channel("P1");
    assert!(is_writable);
    let (watched, _) = other.channel("P1");
    other.subscribe(watched, 7);
    other.updates(1);
    let data = &5000_f64.to_be_bytes();
    one.say(Request::WriteNotify { data_type: 6, count: 1, sid, ioid: 3, data });
    let status = one.find(|reply| match reply {
        Reply::WriteNotify { status, .. } => Some(status),
        _ => None,
    });
    assert!(status.unwrap().is_success());
    let seen = std::iter::from_fn(|| other.update()).find(|update| update.value >= 5000.0);
    let (first, next) = (seen.unwrap().value, other.updates(1)[0].value);
    assert_eq!((first, next), (5000.0, 5001.0));
}

#[test]
fn shards_share_the_clients_and_their_pvs_are_read_only() {
    let server = serve(&["--pvs", "3", "--rate", "100", "--shards", "2"]);
    let mut circuits: Vec<Circuit> = (0..8).map(|_| Circuit::open(server.address())).collect();
    for circuit in &mut circuits {
        let (sid, is_writable) = circuit.channel("P2");
        assert!(!is_writable);
        circuit.subscribe(sid, 1);
    }
    for circuit in &mut circuits {
        assert!(steps(&circuit.updates(30)).iter().all(|&step| step == 1.0));
    }
    assert_eq!(count(&figures(server), "subscriptions"), 8);
}

#[test]
fn a_server_that_falls_silent_leaves_its_last_values() {
    let server = serve(&["--pvs", "3", "--rate", "100", "--post-for", "505ms"]);
    let mut circuit = subscribed(&server, 3);
    let last = std::iter::from_fn(|| circuit.update()).filter(|update| update.value == 50.0);
    assert_eq!(last.take(3).count(), 3);
    circuit.say(Request::Echo);
    circuit.find(|reply| match reply {
        Reply::Update { .. } => panic!("an update after the last"),
        Reply::Echo => Some(()),
        _ => None,
    });
    assert_eq!(count(&figures(server), "updates.posted"), 150);
}

#[test]
fn a_server_starts_again_on_its_port_at_once() {
    let address = support::server::free_address().to_string();
    for round in 0..5 {
        let options = ["serve", "ca", "--listen", &address, "-d", "50ms"];
        let ended = support::run::Run::bare(&options).ended();
        assert!(ended.status.success(), "round {round}: {}", ended.stderr);
    }
}

#[test]
fn names_are_found_by_datagram() {
    let server = serve(&["--pvs", "10", "--prefix", "LAB:"]);
    let port = server.address().port();
    let found = search(server.address(), &["LAB:0", "LAB:10", "P0", "LAB:9"]);
    assert_eq!(found, [(0, port), (3, port)]);
    let figures = figures(server);
    assert_eq!(count(&figures, "searches"), 4);
}

#[test]
fn a_run_searches_for_its_names_by_datagram_or_on_a_circuit() {
    let server = serve(&["--pvs", "300", "--rate", "20"]);
    let url = format!("ca://{}/P{{0..299}}", server.address());
    for how in ["udp", "tcp"] {
        let json = run(&["--search", how, "-d", "300ms", "--idle", "sleep", &url]).done();
        assert_eq!(at(&json, "channels.search"), how);
        assert_eq!(count(&json, "updates.subscriptions"), 300);
        assert_eq!(count(&json, "updates.finals_ok"), 300);
    }
    assert_eq!(count(&figures(server), "searches"), 600);
}

#[test]
fn a_name_that_nobody_has_is_told_before_the_run_begins() {
    let server = serve(&["--pvs", "4"]);
    let url = format!("ca://{}/P{{2..5}}", server.address());
    for how in ["udp", "tcp"] {
        let args = ["--search", how, "--timeout", "300ms", "-d", "300ms", "--op", "get", "-c", "4"];
        let ended = run(&[&args[..], &[&url]].concat());
        assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
        let says = format!(
            "only 2 of 4 names were found by {how} at {}, 'P4' was not: --allow-partial runs \
             with those\n",
            server.address()
        );
        assert!(ended.stderr.ends_with(&says), "{}", ended.stderr);
        let partial = run(&[&args[..], &["--allow-partial", &url]].concat()).done();
        assert!(count(&partial, "outcomes.ok") > 0);
    }
    let nobody = format!("ca://{}/P0", support::server::free_address());
    let ended = run(&["--search", "udp", "--timeout", "100ms", &nobody]);
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("none of 1 names was found by udp"), "{}", ended.stderr);
}

#[test]
fn clients_beyond_the_most_are_turned_away() {
    let server = serve(&["--clients-max", "2"]);
    let mut circuits: Vec<Circuit> = (0..2).map(|_| subscribed(&server, 1)).collect();
    let mut refused = TcpStream::connect(server.address()).unwrap();
    refused.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(refused.read(&mut [0]).unwrap(), 0, "it was greeted");
    circuits.iter_mut().for_each(|circuit| drop(circuit.updates(5)));
}

#[test]
fn aioca_reads_writes_and_gets_every_update() {
    let server = serve(&["--pvs", "50", "--rate", "50"]);
    let said: Value = python("aioca_client.py", server.address(), &["50", "40"]).parse().unwrap();
    assert_eq!(count(&said, "subscriptions"), 50);
    assert!(count(&said, "updates") >= 50 * 40, "{said}");
    for fault in ["lost", "duplicate", "backwards", "stamps_wrong"] {
        assert_eq!(count(&said, fault), 0, "{fault}: {said}");
    }
    assert_eq!(count(&said, "written"), 123_456);
    assert_eq!(said["missing"], true, "{said}");
    let figures = figures(server);
    assert_eq!(count(&figures, "updates.merged"), 0);
    assert_eq!(count(&figures, "bad_requests"), 0);
}

#[test]
fn aioca_reads_longs_and_arrays_in_every_form() {
    let server = serve(&["--type", "long", "--array", "5", "--rate", "1"]);
    let said: Value = python("aioca_forms.py", server.address(), &[]).parse().unwrap();
    assert_eq!(said["wrong"].as_array().unwrap().len(), 0, "{said}");
    assert_eq!(count(&said, "forms"), 12);
}

#[test]
fn p4p_reads_writes_and_gets_every_update_with_and_without_a_pipeline() {
    for request in ["record[queueSize=100]", "record[queueSize=100,pipeline=true]"] {
        let server = serve_as("pva", &["--pvs", "50", "--rate", "50"]);
        let said: Value =
            python("p4p_client.py", server.address(), &["50", "40", request]).parse().unwrap();
        assert_eq!(count(&said, "subscriptions"), 50);
        assert!(count(&said, "updates") >= 50 * 40, "{said}");
        for fault in ["lost", "duplicate", "backwards", "stamps_wrong", "tags_wrong"] {
            assert_eq!(count(&said, fault), 0, "{fault}, {request}: {said}");
        }
        assert_eq!(count(&said, "written"), 123_456);
        assert_eq!(said["missing"], true, "{said}");
        let figures = figures(server);
        assert_eq!(count(&figures, "subscriptions"), 50);
        assert_eq!(count(&figures, "bad_requests"), 0);
        assert!(count(&figures, "searches") > 50, "{figures}");
    }
}

#[test]
fn p4p_reads_longs_in_arrays_whole_and_in_part() {
    let server = serve_as("pva", &["--type", "long", "--array", "5", "--rate", "1"]);
    let said: Value = python("p4p_forms.py", server.address(), &[]).parse().unwrap();
    assert_eq!(said["wrong"].as_array().unwrap().len(), 0, "{said}");
    assert_eq!(count(&figures(server), "bad_requests"), 0);
}

/// A run of our own client that watches `names` of a server of our own: what it counted.
fn watched(kind: &str, server: &Server, names: &str, more: &[&str]) -> Value {
    let url = format!("{kind}://{}/{names}", server.address());
    run(&[&["-d", "1s", "--idle", "sleep", &*url], more].concat()).done()["updates"].take()
}

#[test]
fn our_own_client_misses_nothing_of_our_own_server() {
    let ways: [(&str, &[&str]); 5] = [
        ("ca", &["--profile", "libca"]),
        ("pva", &["--profile", "pvxs"]),
        ("pva", &["--monitors", "3", "--circuits", "2"]),
        ("pva", &["--queue", "4", "--ack", "2"]),
        ("pva", &["--queue", "1", "--ack", "1"]),
    ];
    for (kind, more) in ways {
        // All are kept, however late this machine lets the client be.
        let server = serve_as(kind, &["--pvs", "10", "--rate", "100", "--no-coalesce"]);
        let updates = watched(kind, &server, "P{0..9}", more);
        for fault in ["lost", "duplicate", "backwards"] {
            assert_eq!(count(&updates, fault), 0, "{fault}, {kind} {more:?}: {updates}");
        }
        let subscriptions = count(&updates, "subscriptions");
        assert_eq!(count(&updates, "finals_ok"), subscriptions, "{kind} {more:?}");
        assert!(count(&updates, "received") >= 20 * subscriptions, "{updates}");
        let figures = figures(server);
        assert_eq!(count(&figures, "subscriptions"), subscriptions);
        assert_eq!(count(&figures, "bad_requests"), 0);
    }
}

#[test]
fn our_own_client_counts_every_flaw_of_our_own_server() {
    #[track_caller]
    fn check(kind: &str, (flag, fault): (&str, &str), more: &[&str]) {
        let flaw = ["--pvs", "1", "--rate", "1000", "--no-coalesce", flag, "7"];
        let server = serve_as(kind, &flaw);
        let updates = watched(kind, &server, "P0", more);
        let counted = |key| count(&updates, key);
        // Whoever goes back is there twice, and passes its last value by on its way on.
        let posted =
            counted("received") + counted("lost") - counted("duplicate") - 2 * counted("backwards");
        // The measure phase begins and ends anywhere between two flaws.
        let is_right = |key| counted(key).abs_diff(posted / 7) <= 1;
        assert!(posted > 200 && is_right(fault), "{kind} {flag}: {updates}");
        for other in ["lost", "duplicate", "backwards"] {
            let follows = fault == "backwards" && other == "lost" && is_right(other);
            assert!(other == fault || follows || counted(other) == 0, "{kind} {flag}: {updates}");
        }
    }
    for kind in ["ca", "pva"] {
        check(kind, ("--drop-every", "lost"), &[]);
        check(kind, ("--repeat-every", "duplicate"), &[]);
        check(kind, ("--backwards-every", "backwards"), &[]);
    }
    check("pva", ("--drop-every", "lost"), &["--queue", "2", "--ack", "1"]);
    check("pva", ("--repeat-every", "duplicate"), &["--queue", "2", "--ack", "1"]);
}

#[test]
fn our_own_client_reads_and_writes_our_own_server() {
    for kind in ["ca", "pva"] {
        let server = serve_as(kind, &["--pvs", "10"]);
        let url = format!("{kind}://{}/P{{0..9}}", server.address());
        for op in ["get", "put"] {
            let json = run(&["--op", op, "-R", "500", "-d", "1s", "-c", "7", &url]).done();
            assert_eq!(count(&json, "outcomes.ok"), 500, "{kind} {op}");
        }
        let figures = figures(server);
        assert_eq!((count(&figures, "gets"), count(&figures, "puts")), (500, 500), "{kind}");
    }
}

#[test]
fn servers_share_a_port_where_they_are_searched_for() {
    let port = support::server::free_address().port().to_string();
    let servers = ["ca", "pva"].map(|kind| serve_as(kind, &["--search-port", &port]));
    let port: u16 = port.parse().unwrap();
    assert!(servers.iter().all(|server| server.address().port() != port));
    drop(servers);
    let server = serve(&["--search-port", &port.to_string()]);
    let at = std::net::SocketAddr::new(server.address().ip(), port);
    assert_eq!(search(at, &["P1", "Q"]), [(0, server.address().port())]);
}
