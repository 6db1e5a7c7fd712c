//! `onrush run ca://` and `pva://` against real EPICS servers, at rates that they keep.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use support::epics::interpreter;
use support::report::{at, count};
use support::run::run;
use support::server::free_address;

/// Subscriptions of a run.
const SUBSCRIPTIONS: u64 = 20;

/// A server of the real packages, ended with its test.
struct Ioc {
    child: Child,
    ca: SocketAddr,
    pva: SocketAddr,
    /// Where it listens for searches of pvAccess.
    searches: u16,
}

impl Ioc {
    fn start(script: &str, arguments: &[&str]) -> Self {
        let (ca, pva) = (free_address(), free_address());
        let mut command = Command::new(interpreter());
        command.arg(format!("tests/epics/{script}")).args(arguments);
        let both = |command: &mut Command, names: [&str; 2], value: String| {
            for name in names {
                command.env(name, &value);
            }
        };
        // Loopback only, and nobody's standard port.
        for (server, client, port) in [("CAS", "CA", ca.port()), ("PVAS", "PVA", pva.port())] {
            let name = |key: &str, of: &str| format!("EPICS_{of}_{key}");
            let here = "127.0.0.1".to_owned();
            both(
                &mut command,
                [&name("SERVER_PORT", server), &name("SERVER_PORT", client)],
                port.to_string(),
            );
            both(
                &mut command,
                [&name("INTF_ADDR_LIST", server), &name("BEACON_ADDR_LIST", server)],
                here,
            );
            command.env(name("AUTO_BEACON_ADDR_LIST", server), "NO");
            command.env(name("AUTO_ADDR_LIST", client), "NO");
        }
        let beacons = free_address().port().to_string();
        both(&mut command, ["EPICS_CAS_BEACON_PORT", "EPICS_CA_REPEATER_PORT"], beacons);
        let searches = free_address().port();
        let names = ["EPICS_PVAS_BROADCAST_PORT", "EPICS_PVA_BROADCAST_PORT"];
        both(&mut command, names, searches.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        let ready = said.lines().map_while(Result::ok).any(|line| line.ends_with("ready"));
        assert!(ready, "{script} does not get ready");
        Self { child, ca, pva, searches }
    }
}

impl Drop for Ioc {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Watches the counting channels. What such a server loses is its own affair; that the accounts
/// balance, and that each subscription ends right, is ours.
#[track_caller]
fn check_monitors(url: &str, more: &[&str]) -> Value {
    let args = [&["-d", "1s", "--idle", "sleep", "--monitors", "2", url], more].concat();
    let json = run(&args).done();
    let updates = |key: &str| count(&json, &format!("updates.{key}"));
    assert_eq!(updates("subscriptions"), SUBSCRIPTIONS, "{url}");
    assert_eq!(updates("finals_ok"), SUBSCRIPTIONS, "{url}");
    assert_eq!(updates("backwards"), 0, "{url}");
    // Twenty posts a second of each channel.
    assert!(updates("received") >= SUBSCRIPTIONS, "{:#}", at(&json, "updates"));
    assert_eq!(count(&json, "gap_ns.count"), updates("received"));
    assert!(count(&json, "age_ns.count") > 0, "{url}");
    json
}

#[track_caller]
fn check_sessions(url: &str, op: &str) {
    let json = run(&["--op", op, "-R", "200", "-d", "1s", "-c", "8", url]).done();
    assert_eq!(count(&json, "totals.planned"), 200);
    assert_eq!(count(&json, "outcomes.ok"), 200, "{op} {url}: {:#}", at(&json, "errors"));
}

#[test]
fn softioc_is_watched_read_and_written() {
    let ioc = Ioc::start("softioc_server.py", &[]);
    let counts = "LAB:S{0..9}";
    check_monitors(&format!("ca://{}/{counts}", ioc.ca), &[]);
    check_monitors(&format!("ca://{}/{counts}", ioc.ca), &["--profile", "libca"]);
    check_monitors(&format!("pva://{}/{counts}", ioc.pva), &["--circuits", "2"]);
    check_monitors(&format!("pva://{}/{counts}", ioc.pva), &["--profile", "pvxs"]);
    check_monitors(&format!("pva://{}/{counts}", ioc.pva), &["--queue", "8", "--ack", "4"]);
    for (scheme, address) in [("ca", ioc.ca), ("pva", ioc.pva)] {
        check_sessions(&format!("{scheme}://{address}/{counts}"), "get");
        check_sessions(&format!("{scheme}://{address}/LAB:W"), "put");
    }
}

#[track_caller]
fn check_search(how: &str, scheme: &str, port: u16) {
    check_monitors(&format!("{scheme}://127.0.0.1:{port}/LAB:S{{0..9}}"), &["--search", how]);
}

#[test]
fn real_servers_are_found_by_their_names() {
    let ioc = Ioc::start("softioc_server.py", &[]);
    check_search("udp", "ca", ioc.ca.port());
    check_search("tcp", "ca", ioc.ca.port());
    check_search("udp", "pva", ioc.searches);
    check_search("tcp", "pva", ioc.pva.port());
    drop(ioc);
    // pvAccessCPP answers datagrams only, from a port of its own.
    check_search("udp", "pva", Ioc::start("softioc_server.py", &["qsrv1"]).searches);
    let server = Ioc::start("p4p_server.py", &[]);
    check_search("udp", "pva", server.searches);
    check_search("tcp", "pva", server.pva.port());
}

/// Names that are there and one that is not, asked for in turn.
#[track_caller]
fn check_storm(how: &str, scheme: &str, port: u16) {
    let url = format!("{scheme}://127.0.0.1:{port}/LAB:S{{0..10}}");
    let args = ["--op", "search", "--search", how, "-R", "220", "-d", "1s", "--timeout", "500ms"];
    let json = run(&[&args, &["--idle", "sleep", "-c", "32", &*url][..]].concat()).done();
    assert_eq!(count(&json, "outcomes.ok"), 200, "{how} {url}: {:#}", at(&json, "errors"));
    let missed = if how == "udp" { "timeout" } else { "protocol" };
    assert_eq!(count(&json, &format!("outcomes.{missed}")), 20, "{:#}", at(&json, "errors"));
}

#[test]
fn real_servers_say_what_they_have_as_often_as_they_are_asked() {
    let ioc = Ioc::start("softioc_server.py", &[]);
    check_storm("udp", "ca", ioc.ca.port());
    check_storm("tcp", "ca", ioc.ca.port());
    check_storm("udp", "pva", ioc.searches);
    check_storm("tcp", "pva", ioc.pva.port());
    drop(ioc);
    check_storm("udp", "pva", Ioc::start("softioc_server.py", &["qsrv1"]).searches);
}

#[test]
fn an_ioc_with_qsrv1_is_watched_and_read() {
    let ioc = Ioc::start("softioc_server.py", &["qsrv1"]);
    let url = format!("pva://{}/LAB:S{{0..9}}", ioc.pva);
    check_monitors(&url, &[]);
    // It holds two updates whatever it is asked: to acknowledge by four would wait for ever.
    check_monitors(&url, &["--queue", "4", "--ack", "1"]);
    check_sessions(&url, "get");
}

#[test]
fn a_server_of_p4p_is_watched_read_and_written() {
    let server = Ioc::start("p4p_server.py", &[]);
    check_monitors(&format!("pva://{}/LAB:S{{0..9}}", server.pva), &[]);
    check_sessions(&format!("pva://{}/LAB:S{{0..9}}", server.pva), "get");
    check_sessions(&format!("pva://{}/LAB:W", server.pva), "put");
}

#[test]
fn an_array_counts_by_its_first_element_and_an_enumeration_by_its_index() {
    let server = Ioc::start("p4p_server.py", &[]);
    for profile in ["greedy", "pvxs"] {
        let watch = |name: &str| {
            let url = format!("pva://{}/{name}", server.pva);
            let json = run(&["-d", "1s", "--idle", "sleep", "--profile", profile, &*url]).done();
            let updates = |key: &str| count(&json, &format!("updates.{key}"));
            assert!(updates("received") > 0, "{name}: {:#}", at(&json, "updates"));
            assert_eq!(updates("finals_ok"), 1, "{name}");
            updates("backwards")
        };
        assert_eq!(watch("LAB:ARRAY"), 0);
        assert!(watch("LAB:ENUM") > 0, "it goes back at every other post");
    }
}

#[test]
fn what_is_no_number_and_what_never_speaks_are_told_before_the_run() {
    let server = Ioc::start("p4p_server.py", &[]);
    let told = |names: &str, more: &[&str]| {
        let url = format!("pva://{}/{names}", server.pva);
        let ended = run(&[&["-d", "1s", "--timeout", "1s", &*url], more].concat());
        assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
        ended.stderr.lines().last().unwrap_or_default().to_owned()
    };
    for name in ["LAB:TEXT", "LAB:TABLE"] {
        for more in [&[][..], &["--profile", "pvxs"], &["--op", "get", "-c", "1"]] {
            let says = told(name, more);
            assert!(says.contains("error answer: do they hold numbers"), "{name} {more:?}: {says}");
        }
    }
    let says = told("LAB:MUTE", &[]);
    assert!(says.ends_with("nothing was heard of them within --timeout"), "{says}");
}
