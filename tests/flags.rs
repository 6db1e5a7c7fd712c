//! The command line from outside: what is promised is there, and what is wrong is told in one
//! line.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Output, Stdio};

fn onrush() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onrush"));
    command.stdin(Stdio::null());
    command
}

fn run(line: &str) -> Output {
    onrush().args(words(line)).output().unwrap()
}

/// Words are split at blanks; `_` in a word stands for a blank, `''` for an empty word.
fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(|word| word.replace("''", "").replace('_', " ")).collect()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Wrong lines: stderr is one line that says all of `said`, and nothing is on stdout.
#[track_caller]
fn check(line: &str, code: i32, said: &[&str]) {
    let Output { status, stdout, stderr } = run(line);
    let stderr = text(&stderr);
    assert_eq!(status.code(), Some(code), "{line}: {stderr}");
    assert_eq!(text(&stdout), "", "{line}");
    assert!(stderr.starts_with("onrush: ") && stderr.ends_with('\n'), "{line}: {stderr:?}");
    assert_eq!(stderr.lines().count(), 1, "{line}: {stderr}");
    assert!(!stderr.contains('\x1b'), "{line}: {stderr:?}");
    for part in said {
        assert!(stderr.contains(part), "{line}: '{part}' is not in: {stderr}");
    }
}

/// A wrong value of `run`: flag, value and an example are told.
#[track_caller]
fn wrong(line: &str, flag: &str, value: &str) {
    check(&format!("run {line}"), 2, &[&format!("{flag} '{value}': "), " like "]);
}

#[test]
fn a_wrong_value_of_the_load_is_told_with_its_rule() {
    for (line, flag, value) in [
        ("-R fast", "--rate", "fast"),
        ("-R 0", "--rate", "0"),
        ("-R -5", "--rate", "-5"),
        ("--rate=1e6", "--rate", "1e6"),
        ("-R 2G", "--rate", "2G"),
        ("-R ''", "--rate", ""),
        ("-c 0", "--concurrence", "0"),
        ("-c many", "--concurrence", "many"),
        ("-c 1G", "--concurrence", "1G"),
        ("-R 1k -P evn", "--pattern", "evn"),
        ("-R 1k -P rush:0", "--pattern", "rush:0"),
        ("-R 1k -P random:normal", "--pattern", "random:normal"),
        ("-P rush", "--pattern", "rush"),
        ("-P foo", "--pattern", "foo"),
        ("-P even -R max", "--pattern", "even"),
        ("-d 0", "--duration", "0"),
        ("-z soon", "--duration", "soon"),
        ("-n 0", "--count", "0"),
        ("-n 1.5", "--count", "1.5"),
        ("-w -1s", "--warmup", "-1s"),
        ("-r 0", "--requests", "0"),
        ("--think x", "--think", "x"),
        ("--close fin", "--close", "fin"),
        ("-f --close hard", "--close", "hard"),
        ("--on-cap wait", "--on-cap", "wait"),
        ("--timeout 0", "--timeout", "0"),
        ("--timeout never", "--timeout", "never"),
        ("--seed -1", "--seed", "-1"),
        ("--seed 18446744073709551616", "--seed", "18446744073709551616"),
        ("-m G_T", "--method", "G T"),
        ("-H nonsense", "--header", "nonsense"),
        ("-b @/no/such/file", "--body", "@/no/such/file"),
        ("-b @/", "--body", "@/"),
        ("--expect-status 2x", "--expect-status", "2x"),
        ("--expect-status 2xx tcp://127.0.0.1:7", "--expect-status", "2xx"),
        ("--send-bytes 0 tcp://127.0.0.1:7", "--send-bytes", "0"),
        ("--expect-bytes 0 tcp://127.0.0.1:7", "--expect-bytes", "0"),
        ("--expect-bytes 9 http://127.0.0.1/", "--expect-bytes", "9"),
        ("-46", "--ipv6", "-4 -6"),
    ] {
        wrong(line, flag, value);
    }
}

#[test]
fn a_wrong_value_of_the_machine_is_told_with_its_rule() {
    for (line, flag, value) in [
        ("-t 0", "--shards", "0"),
        ("-t 9 -c 8", "--shards", "9"),
        ("--cpus a", "--cpus", "a"),
        ("--cpus 8191", "--cpus", "8191"),
        ("--idle doze", "--idle", "doze"),
        ("--clock sundial", "--clock", "sundial"),
        ("--source localhost", "--source", "localhost"),
        ("--source 192.0.2.1", "--source", "192.0.2.1"),
        ("--source 10.0.0.0/8", "--source", "10.0.0.0/8"),
        ("--ports 0-5", "--ports", "0-5"),
        ("--ports 9-5", "--ports", "9-5"),
        ("--ports 80", "--ports", "80"),
        ("--sqpoll-cpu 0", "--sqpoll-cpu", "0"),
        ("--watch-pid 0", "--watch-pid", "0"),
        ("--watch-pid 2147483647", "--watch-pid", "2147483647"),
        ("--watch-dev no-such-device", "--watch-dev", "no-such-device"),
        ("--watch-dev ../net", "--watch-dev", "../net"),
    ] {
        wrong(line, flag, value);
    }
}

#[test]
fn a_wrong_value_of_the_output_is_told_with_its_rule() {
    for (line, flag, value) in [
        ("-o ''", "--out", ""),
        ("--json ''", "--json", ""),
        ("--log some", "--log", "some"),
        ("--log 1/0", "--log", "1/0"),
        ("--format xml", "--format", "xml"),
        ("--label nic", "--label", "nic"),
    ] {
        wrong(line, flag, value);
    }
}

#[test]
fn a_wrong_value_of_the_channels_is_told_with_its_rule() {
    for (line, flag, value) in [
        ("ca://127.0.0.1/P --op fly", "--op", "fly"),
        ("ca://127.0.0.1/P --monitors 0", "--monitors", "0"),
        ("ca://127.0.0.1/P{0..9999} --monitors 2000", "--monitors", "2000"),
        ("ca://127.0.0.1/P --circuits 0", "--circuits", "0"),
        ("ca://127.0.0.1/P --circuits 2 -t 3", "--shards", "3"),
        ("ca://127.0.0.1/P --profile pvxs", "--profile", "pvxs"),
        ("ca://127.0.0.1/P --search dns", "--search", "dns"),
        ("http://127.0.0.1/ --search udp", "--search", "udp"),
        ("pva://127.0.0.1/P --profile libca", "--profile", "libca"),
        ("ca://127.0.0.1/P --queue 4", "--queue", "4"),
        ("pva://127.0.0.1/P --ack 5", "--ack", "5"),
        ("pva://127.0.0.1/P -R 5", "--rate", "5"),
        ("pva://127.0.0.1/P --target-ci p99:5%", "--target-ci", "p99:5%"),
        ("ca://127.0.0.1/P --slo p99<1ms", "--slo", "p99<1ms"),
        ("ca://127.0.0.1/P --latency", "--latency", "on"),
        ("pva://127.0.0.1/P --op get --monitors 5", "--monitors", "5"),
        ("ca://127.0.0.1/P --op search --search none", "--search", "none"),
        ("ca://127.0.0.1/P --op search --monitors 5", "--monitors", "5"),
        ("ca://127.0.0.1/P --op search --profile libca", "--profile", "libca"),
        ("ca://127.0.0.1/P --op get --i-own-this-network", "--i-own-this-network", "on"),
        ("http://127.0.0.1/ --i-own-this-network", "--i-own-this-network", "on"),
        ("ca://255.255.255.255:9/P --op search", "URL", "255.255.255.255:9"),
        ("pva://224.0.0.128:9/P --op search --i-own-this-network", "URL", "224.0.0.128:9"),
        ("pva://127.0.0.1/P --op get -r 5", "--requests", "5"),
        ("pva://127.0.0.1/P --body x", "--body", "x"),
        ("http://127.0.0.1/P --op get", "--op", "get"),
    ] {
        wrong(line, flag, value);
    }
}

#[test]
fn a_wrong_url_is_told_with_its_rule() {
    for url in [
        "127.0.0.1:8080/x",
        "https://127.0.0.1/",
        "ftp://127.0.0.1/",
        "ca://127.0.0.1",
        "pva://127.0.0.1/P{2..1}",
        "http://u:p@127.0.0.1/",
        "http://::1/",
        "http://127.0.0.1:0/",
        "tcp://127.0.0.1",
    ] {
        wrong(url, "URL", url);
    }
    wrong("-4 http://[::1]/", "URL", "http://[::1]/");
    check("doctor https://127.0.0.1/", 2, &["URL 'https://127.0.0.1/': TLS is not there yet"]);
}

#[test]
fn a_host_that_has_no_address_is_no_usage_error() {
    let said = ["cannot resolve 'no.such.host.invalid': ", "like http://127.0.0.1:8080/"];
    check("run http://no.such.host.invalid/", 1, &said);
}

#[test]
fn a_wrong_line_of_serve_and_report_is_told_with_its_rule() {
    check("serve", 2, &["KIND is missing: http, echo, ca or pva, like onrush serve http"]);
    check("serve ftp", 2, &["KIND 'ftp': a target is http, echo, ca or pva, like http"]);
    check("serve http --listen 8080", 2, &["--listen '8080': ", "like 127.0.0.1:8080"]);
    for (line, flag, value) in [
        ("--delay x", "--delay", "x"),
        ("--delay uniform:2ms-1ms", "--delay", "uniform:2ms-1ms"),
        ("--workers 0", "--workers", "0"),
        ("--workers 2 -t 2", "--workers", "2"),
        ("--stall 1s", "--stall", "1s"),
        ("--stall 2s@1s/1s", "--stall", "2s@1s/1s"),
        ("--fail-rate 2", "--fail-rate", "2"),
        ("--reset-rate often", "--reset-rate", "often"),
        ("--seed x", "--seed", "x"),
        ("--idle doze", "--idle", "doze"),
    ] {
        check(&format!("serve echo {line}"), 2, &[&format!("{flag} '{value}': "), " like "]);
    }
    check("serve http --close-after 0", 2, &["--close-after '0': ", "like "]);
    check("serve http --body-bytes 1GiB", 2, &["--body-bytes '1GiB': ", "like 4KiB"]);
    check("serve echo --body-bytes 1", 2, &["--body-bytes '1': ", "like onrush serve http"]);
    check("serve http --cpus 8191", 2, &["--cpus '8191': "]);
    check("report --format xml", 2, &["--format 'xml': ", "like json"]);
    check("report ''", 2, &["LOG '': ", "like onrush.data"]);
    check("plot --only pie", 2, &["--only 'pie': a picture is percentiles, ", "like lag"]);
    check("plot --only compare a", 2, &["--only 'compare': ", "like onrush plot a.data b.data"]);
    check("plot --only lag a b", 2, &["--only 'lag': ", "like onrush plot --only lag a.data"]);
    check("plot --from 2s --to 1s", 2, &["--to '1s': it is later than --from, like "]);
    check("plot --image gif", 2, &["--image 'gif': ", "like png"]);
}

#[test]
fn a_wrong_line_of_a_server_of_pvs_is_told_with_its_rule() {
    for (line, flag, value) in [
        ("--pvs 0", "--pvs", "0"),
        ("--pvs 100M", "--pvs", "100M"),
        ("--rate max", "--rate", "max"),
        ("--rate 0", "--rate", "0"),
        ("--prefix A_B", "--prefix", "A B"),
        ("--type float", "--type", "float"),
        ("--array 2M", "--array", "2M"),
        ("--pattern odd", "--pattern", "odd"),
        ("--post-for x", "--post-for", "x"),
        ("--clients-max 0", "--clients-max", "0"),
        ("--drop-every 0", "--drop-every", "0"),
        ("--repeat-every x", "--repeat-every", "x"),
        ("--backwards-every -1", "--backwards-every", "-1"),
        ("--stall 1s", "--stall", "1s"),
        ("--delay 1ms", "--delay", "1ms"),
        ("--body-bytes 5", "--body-bytes", "5"),
        ("--listen 5064", "--listen", "5064"),
        ("--search-port 0", "--search-port", "0"),
        ("--search-port 70000", "--search-port", "70000"),
    ] {
        for kind in ["ca", "pva"] {
            check(&format!("serve {kind} {line}"), 2, &[&format!("{flag} '{value}': "), " like "]);
        }
    }
    for line in ["--search-port 5076", "--pvs 5", "--no-coalesce", "--drop-every 5", "--type long"]
    {
        let flag = line.split(' ').next().unwrap();
        check(&format!("serve http {line}"), 2, &[flag, "it is for PVs", "like onrush serve ca"]);
    }
}

#[test]
fn the_standard_ports_of_epics_are_for_loopback_or_for_who_owns_the_network() {
    for listen in ["0.0.0.0:5064", "192.0.2.1:5065", "[::]:5075", "192.0.2.1:5076"] {
        let said = ["--listen", listen, "add --i-own-this-network"];
        check(&format!("serve ca --listen {listen}"), 2, &said);
        check(&format!("serve pva --listen {listen}"), 2, &said);
    }
    let line = "serve pva --listen 192.0.2.1:15075 --search-port 5076";
    check(line, 2, &["--search-port '5076': ", "add --i-own-this-network"]);
    for (scheme, how) in [("ca", "udp"), ("ca", "tcp"), ("pva", "udp"), ("pva", "tcp")] {
        let line = format!("run {scheme}://192.0.2.1/P --op search --search {how}");
        check(&line, 2, &["URL '192.0.2.1:50", "add --i-own-this-network"]);
    }
    // Nobody has this address: as far as that it may come.
    let line = "serve ca --listen 192.0.2.1:5064 --i-own-this-network";
    check(line, 1, &["cannot listen on 192.0.2.1:5064: "]);
}

#[test]
fn a_wrong_cut_or_export_is_told_with_its_rule() {
    check("report --from fast", 2, &["--from 'fast': ", "like"]);
    check("report --from 2s --to 1s", 2, &["--to '1s': it lies behind --from 2s, like 3s"]);
    check("report --phase middle", 2, &["--phase 'middle': ", "warmup"]);
    check("report --shard x", 2, &["--shard 'x': ", "like 0-3,8"]);
    check("report --outcome ok,fine", 2, &["--outcome 'fine': ", "timeout"]);
    check("report --status 2x", 2, &["--status '2x': ", "2xx"]);
    check("report --series age", 2, &["--series 'age': ", "like response"]);
    check("report --latency --format csv", 2, &["--format 'csv': ", "like hgrm"]);
    check("report --series wait", 2, &["--series 'wait': ", "--latency"]);
    check("report --format hlog --series session", 2, &["--series 'session': ", "like response"]);
    check("report --format hlog --interval 0", 2, &["--interval '0': ", "like 100ms"]);
    check("report --interval 1s", 2, &["--interval '1s': ", "--format hlog"]);
    check("report --format wrk --timeseries", 2, &["--format 'wrk': ", "like csv"]);
    check("serve http --format csv", 2, &["--format 'csv': ", "like json"]);
}

#[test]
fn a_mistyped_flag_or_command_gets_the_nearest_one() {
    check("rnu", 2, &["no command 'rnu': did you mean 'run'"]);
    check("reprot", 2, &["did you mean 'report'"]);
    check("xyzzy", 2, &["no command 'xyzzy': the commands are run, report, plot, serve"]);
    check("http://127.0.0.1/", 2, &["like onrush run http://127.0.0.1/"]);
    check("-c100", 2, &["no command '-c100': ", "like onrush run -c100"]);
    check("", 2, &["no command: ", "onrush --help"]);
    check("run --concurrency 5", 2, &["'--concurrency': did you mean '--concurrence'"]);
    check("run --threads 5", 2, &["did you mean '--shards'"]);
    check("run -x", 2, &["run has no flag '-x': see onrush run --help"]);
    check("report --ratee", 2, &["report has no flag '--ratee': see onrush report --help"]);
    check("run -R", 2, &["--rate needs a value: ", "500, 50k, 1.5M or max"]);
    check("run --fresh=1", 2, &["--fresh '1': it takes no value"]);
    check("run http://a/ http://b/", 2, &["'http://b/' is one word too many"]);
    check("clocks now", 2, &["'now' is one word too many"]);
    check("selftest --quik", 2, &["did you mean '--quick'"]);
    check("selftest --format xml", 2, &["--format 'xml': ", "like json"]);
}

#[test]
fn bytes_that_are_no_text_are_told_and_stay_one_line() {
    let bytes = std::ffi::OsStr::from_bytes(b"--rate=\xff");
    let output = onrush().arg("run").arg(bytes).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("is not UTF-8"));
    let output = onrush().args(["run", "-R", "5\n\x1b[31m6"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains(r"--rate '5\n\u{1b}[31m6': "));
    assert_eq!(text(&output.stderr).lines().count(), 1);
}

#[test]
fn help_and_version_work_everywhere() {
    let commands =
        ["", "run ", "report ", "plot ", "serve ", "top ", "clocks ", "doctor ", "selftest "];
    for command in commands {
        for (flag, begins) in [("-h", "Usage: onrush"), ("--help", "Usage: onrush")] {
            let output = run(&format!("{command}{flag}"));
            assert_eq!(output.status.code(), Some(0), "{command}{flag}");
            assert!(text(&output.stdout).contains(begins), "{command}{flag}");
            assert_eq!(text(&output.stderr), "");
        }
        for flag in ["-V", "--version"] {
            let output = run(&format!("{command}{flag}"));
            assert_eq!(output.status.code(), Some(0), "{command}{flag}");
            assert_eq!(text(&output.stdout), concat!("onrush ", env!("CARGO_PKG_VERSION"), "\n"));
        }
    }
    assert_eq!(run("help").stdout, run("--help").stdout);
    assert_eq!(run("run -R 5 http://a/ -h").stdout, run("run -h").stdout);
}

#[test]
fn every_flag_of_the_contract_is_in_help() {
    let contract = include_str!("../docs/contract.md");
    let (_, tables) = contract.split_once("### run: load").unwrap();
    let (tables, rest) = tables.split_once("### run and report: output").unwrap();
    let (output, _) = rest.split_once("### Exit codes").unwrap();
    let rows = tables.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let promised: BTreeSet<&str> = rows.flat_map(flags_in).chain(flags_in(output)).collect();
    assert!(promised.len() >= 50, "the contract's tables were not found: {promised:?}");

    // The paragraph on the output has the flags of `top` as well.
    let helps = [run("run --help").stdout, run("top --help").stdout];
    let shown: BTreeSet<&str> = helps.iter().flat_map(|help| flags_in(text(help))).collect();
    let missing: Vec<_> = promised.difference(&shown).collect();
    assert!(missing.is_empty(), "in the contract, but not in help: {missing:?}");
}

#[test]
fn every_flag_in_help_parses() {
    for command in ["run", "report", "serve"] {
        let help = run(&format!("{command} -h")).stdout;
        let mut count = 0;
        for flag in text(&help).lines().filter(|line| line.starts_with("  ")).flat_map(flags_in) {
            // A switch leaves the word as an operand, any other flag takes it as its value.
            let output = run(&format!("{command} {flag} word -h"));
            assert_eq!(output.status.code(), Some(0), "{command} {flag}: {output:?}");
            count += 1;
        }
        assert!(count > 10, "{command} shows {count} flags");
    }
}

/// `-R` and `--rate` in `-R, --rate RATE`.
fn flags_in(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').filter(|word| {
        let name = word.trim_start_matches('-');
        let dashes = word.len() - name.len();
        (dashes == 1 && name.len() == 1) || (dashes == 2 && name.len() > 1)
    })
}

#[test]
fn a_reader_who_goes_away_has_seen_enough() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = onrush().args(["run", "--help"]).stdout(writer).status().unwrap();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_full_disk_under_stdout_is_told() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = onrush().arg("--help").stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("onrush: stdout: "), "{}", text(&output.stderr));
}
