//! `onrush run --op search`: names asked for on a schedule, of servers that have them, that do
//! not, and that answer in every way they should not.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::Duration;

use onrush::protocol::Fault;
use onrush::wire::{ca, pva};
use serde_json::Value;
use support::report::{at, count};
use support::run::run;
use support::server::Server;

/// Runs 200 searches, for names of which every other one is there.
fn search(scheme: &str, server: &Server, how: &str, more: &[&str]) -> Value {
    let url = format!("{scheme}://{}/P{{90..109}}", server.address());
    let common = ["--op", "search", "--search", how, "-R", "200", "-d", "1s", "--timeout", "300ms"];
    let args = [&common, &["-c", "100", "--idle", "sleep", &*url][..], more].concat();
    run(&args).done()
}

/// Failures of the step parse that are `fault`, of all phases.
fn faults(json: &Value, fault: Fault) -> u64 {
    let errors = at(json, "errors").as_array().unwrap();
    let of_fault = |error: &&Value| {
        at(error, "step") == "parse" && count(error, "errno") == u64::from(fault as u16)
    };
    errors.iter().filter(of_fault).map(|error| count(error, "count")).sum()
}

#[test]
fn names_are_found_and_those_that_nobody_has_are_told_apart() {
    for scheme in ["ca", "pva"] {
        for (how, more) in
            [("udp", &[][..]), ("udp", &["-t", "2", "--circuits", "3"]), ("tcp", &[])]
        {
            let server = Server::onrush(scheme, &["--format", "json", "--pvs", "100"]);
            let json = search(scheme, &server, how, more);
            let outcome = |name: &str| count(&json, &format!("outcomes.{name}"));
            assert_eq!(count(&json, "totals.planned"), 200);
            assert_eq!(outcome("ok"), 100, "{scheme} by {how}: {:#}", at(&json, "errors"));
            assert_eq!(
                (at(&json, "channels.op"), at(&json, "channels.search")),
                (&"search".into(), &how.into())
            );
            // In datagrams who does not have a name is silent.
            let (silent, said) = if how == "udp" { (100, 0) } else { (0, 100) };
            assert_eq!((outcome("timeout"), outcome("protocol")), (silent, said));
            assert_eq!(faults(&json, Fault::UnknownName), said);
            assert_eq!(faults(&json, Fault::Repeated) + faults(&json, Fault::Late), 0);
            let output = server.output();
            let figures: Value = output[output.find('{').unwrap()..].parse().unwrap();
            assert_eq!(count(&figures, "searches"), 200, "each name was asked for once");
        }
    }
}

/// Names that are asked for together go out together.
#[test]
fn a_rush_of_names_goes_out_in_few_datagrams() {
    for (scheme, most) in [("ca", 40), ("pva", 80)] {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let url = format!("{scheme}://{}/P{{0..199}}", socket.local_addr().unwrap());
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let heard = thread::spawn(move || {
            let mut heard = Vec::new();
            let mut bytes = [0; 2048];
            while let Ok((length, _)) = socket.recv_from(&mut bytes) {
                heard.push(asked(scheme, &bytes[..length]));
                if heard.iter().map(Vec::len).sum::<usize>() == 1000 {
                    break;
                }
            }
            heard
        });
        let args = ["--op", "search", "-R", "1000", "-P", "rush:1s", "-d", "1s", "-c", "1000"];
        let json = run(&[&args, &["--timeout", "100ms", "-t", "1", &*url][..]].concat()).done();
        assert_eq!(count(&json, "outcomes.timeout"), 1000);
        let heard = heard.join().unwrap();
        let names: Vec<String> = heard.iter().flatten().map(|(_, name)| name.clone()).collect();
        let turns: Vec<String> = (0..1000).map(|number| format!("P{}", number % 200)).collect();
        assert!(names == turns, "not all names in turn: {names:?}");
        assert!(heard.iter().all(|names| names.len() <= most));
        // The kernel sends one while the next is filled.
        assert!(heard.len() <= 2 * 1000 / 25, "{} datagrams", heard.len());
    }
}

/// Numbers and names that a datagram asks for.
fn asked(scheme: &str, bytes: &[u8]) -> Vec<(u32, String)> {
    let of_ca = |message| match ca::Request::read(message) {
        ca::Request::Search { id, name, .. } => {
            Some((id, String::from_utf8(name.to_vec()).unwrap()))
        }
        _ => None,
    };
    if scheme == "ca" {
        return ca::Messages::new(bytes).filter_map(of_ca).collect();
    }
    let frame = pva::datagram(bytes).next().unwrap();
    let search = pva::Search::read(pva::Reader::new(frame.payload, frame.order)).unwrap();
    search.names.iter().map(|(id, name)| (id, name.to_owned())).collect()
}

/// What says where the name of this number is.
fn answer(scheme: &str, id: u32, order: pva::Order) -> Vec<u8> {
    let mut out = Vec::new();
    if scheme == "ca" {
        let minor = ca::MINOR_VERSION;
        ca::Reply::Version { priority: 1, minor, sequence: 0 }.write(&mut out);
        ca::Reply::Found { id, port: 5064, address: None, minor: Some(minor) }.write(&mut out);
    } else {
        let place = pva::Place { address: Ipv4Addr::UNSPECIFIED.into(), port: 5075 };
        let reply = pva::command::SEARCH_REPLY;
        pva::message(&mut out, order, pva::Sender::Server, reply, |out| {
            pva::SearchReply::write(out, order, ([1; 12], 0, place), &[id]);
        });
    }
    out
}

/// Searches of each name.
const EACH: u64 = 20;

/// Answers to these that come too late; the rest of that name never come.
const LATE: u64 = 5;

/// Answers as no server should, each name in a way of its own.
fn answer_badly(scheme: &'static str) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let elsewhere = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (mut bytes, mut late) = ([0; 2048], 0);
        while let Ok((length, from)) = socket.recv_from(&mut bytes) {
            for (id, name) in asked(scheme, &bytes[..length]) {
                let yes = answer(scheme, id, pva::Order::Little);
                let say_from = |socket: &UdpSocket, bytes: &[u8]| {
                    socket.send_to(bytes, from).unwrap();
                };
                let say = |bytes: &[u8]| say_from(&socket, bytes);
                match &*name {
                    "P0" => say_from(&elsewhere, &yes),
                    "P1" => {
                        say(&yes);
                        say(&yes);
                    }
                    "P2" => {}
                    "P3" if late < LATE => {
                        late += 1;
                        let socket = socket.try_clone().unwrap();
                        thread::spawn(move || {
                            thread::sleep(Duration::from_millis(450));
                            socket.send_to(&yes, from).unwrap();
                        });
                    }
                    "P3" => {}
                    "P4" => {
                        say(&answer(scheme, id ^ 1 << 31, pva::Order::Big));
                        say(&yes);
                    }
                    "P5" => {
                        say(b"");
                        say(b"nonsense");
                        say(&yes[..yes.len() - 1]);
                        say(&answer(scheme, id, pva::Order::Big));
                    }
                    _ => say(&[&*yes, &[0xff; 7]].concat()),
                }
            }
        }
    });
    address
}

#[test]
fn answers_from_elsewhere_twice_late_foreign_and_broken_are_told_apart() {
    for scheme in ["ca", "pva"] {
        let url = format!("{scheme}://{}/P{{0..6}}", answer_badly(scheme));
        let args = ["--op", "search", "-R", "140", "-d", "1s", "-c", "100", "--timeout", "300ms"];
        let json = run(&[&args, &["-t", "1", "--idle", "sleep", &*url][..]].concat()).done();
        let errors = at(&json, "errors");
        assert_eq!(count(&json, "outcomes.ok"), 5 * EACH, "{scheme}: {errors:#}");
        assert_eq!(count(&json, "outcomes.timeout"), 2 * EACH, "{scheme}: {errors:#}");
        assert_eq!(faults(&json, Fault::Repeated), EACH, "{scheme}: {errors:#}");
        assert_eq!(faults(&json, Fault::Late), LATE, "{scheme}: {errors:#}");
        assert_eq!(faults(&json, Fault::Surplus), EACH, "{scheme}: {errors:#}");
        assert_eq!(count(&json, "connections.reopened"), 0, "an empty datagram is no end");
    }
}
