//! What becomes of the logs in a folder: good ones outlive what goes wrong after them.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use support::hostile::{Hostile, Manner};
use support::report::count;
use support::server::free_address;
use support::{Folder, wait_for};

/// `onrush ARGS` in `folder`.
fn onrush(folder: &Folder, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onrush"));
    command.args(args).current_dir(folder.path()).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn output(folder: &Folder, args: &[&str]) -> Output {
    onrush(folder, args).output().unwrap()
}

#[track_caller]
fn check_fails(output: &Output, expect: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "stderr: {stderr}");
    assert!(stderr.contains(expect), "stderr: {stderr}");
}

/// The files of a folder, by name, with what is in them.
fn contents(folder: &Folder) -> Vec<(PathBuf, Vec<u8>)> {
    let files = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let mut contents: Vec<_> = files.map(|file| (file.clone(), fs::read(file).unwrap())).collect();
    contents.sort();
    contents
}

fn load(folder: &Folder, server: &Hostile) {
    let args = ["run", "-o", "k.data", "-n", "50", "-c", "2", &server.url()];
    let output = output(folder, &args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 4)), "stderr: {stderr}");
}

#[test]
fn good_logs_outlive_runs_that_never_begin() {
    let folder = Folder::new();
    let server = Hostile::start(Manner::Answers);
    load(&folder, &server);
    load(&folder, &server);
    let before = contents(&folder);
    assert_eq!(before.len(), 2);
    let nobody = format!("http://{}/", free_address());
    for kind in ["-R50", "-fR50", "-R50", "-fR50"] {
        let failed = output(&folder, &["run", "-o", "k.data", "-c2", kind, &nobody]);
        check_fails(&failed, "no connection");
        assert!(contents(&folder) == before, "{kind}: a log changed");
    }
}

#[test]
fn a_json_file_is_found_wanting_before_the_run_and_kept_until_its_end() {
    let folder = Folder::new();
    let server = Hostile::start(Manner::Answers);
    load(&folder, &server);
    folder.write("old.json", "a report that is longer than nothing");
    let before = contents(&folder);
    let nobody = format!("http://{}/", free_address());
    for (json, url, expect) in [
        ("no/k.json", &server.url(), "--json no/k.json: No such file"),
        ("old.json", &nobody, "no connection"),
        ("new.json", &nobody, "no connection"),
    ] {
        let args = ["run", "-o", "k.data", "-n50", "-c2", "--json", json, url];
        check_fails(&output(&folder, &args), expect);
        assert!(contents(&folder) == before, "{json}: a file changed");
    }
    folder.write("old.json", "x".repeat(1 << 20));
    let done = output(&folder, &["report", "--format=json", "--json=old.json", "k.data"]);
    assert!(done.status.success());
    assert_eq!(fs::read(folder.join("old.json")).unwrap(), done.stdout);
}

#[test]
fn outputs_that_meet_are_refused_before_anything_is_written() {
    let folder = Folder::new();
    let server = Hostile::start(Manner::Answers);
    load(&folder, &server);
    let before = contents(&folder);
    let url = server.url();
    for json in ["k.data", "./k.data", "k.data.new", "k.data.old"] {
        for line in [
            &["run", "-o", "k.data", "-n50", "-c2", "--json", json, &url][..],
            &["report", "--json", "./k.data", "k.data"],
        ] {
            let failed = output(&folder, line);
            let said = String::from_utf8_lossy(&failed.stderr);
            assert_eq!((failed.status.code(), said.lines().count()), (Some(2), 1), "{said}");
            assert!(said.contains("--json") && said.contains("it is the log itself"), "{said}");
            assert!(contents(&folder) == before, "{json}: a file changed");
        }
    }
}

#[test]
fn a_file_that_is_no_log_is_not_taken_for_an_older_one() {
    let folder = Folder::new();
    let server = Hostile::start(Manner::Answers);
    folder.write("notes.txt", "what nobody else has");
    for _ in 0..2 {
        let args = ["run", "-q", "-o", "notes.txt", "-n5", "-c2", &server.url()];
        check_fails(&output(&folder, &args), "notes.txt' is no log of onrush");
        assert_eq!(fs::read_to_string(folder.join("notes.txt")).unwrap(), "what nobody else has");
        assert!(!folder.join("notes.txt.old").exists());
    }
}

/// A run of at most half a minute; killed with this.
struct Long(Child);

impl Long {
    /// Starts it, and waits until its log is in its place.
    fn start(folder: &Folder, server: &Hostile) -> Self {
        let args = ["run", "-o", "k.data", "-R50", "-c2", "-d30s", &server.url()];
        let long = Self(onrush(folder, &args).spawn().unwrap());
        let placed = || folder.join("k.data").exists().then_some(());
        assert!(wait_for(Duration::from_secs(20), placed).is_some(), "it does not begin");
        long
    }
}

impl Drop for Long {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_second_run_into_the_same_log_is_refused_and_harms_nothing() {
    let folder = Folder::new();
    let server = Hostile::start(Manner::Answers);
    let first = Long::start(&folder, &server);
    let refused = output(&folder, &["run", "-o", "k.data", "-n9", "-c1", &server.url()]);
    check_fails(&refused, "another run still writes");
    let names: Vec<_> = contents(&folder).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, [folder.join("k.data")]);
    drop(first);
    load(&folder, &server);
    assert_eq!(contents(&folder).len(), 2, "a killed run gives its log free");
}

#[test]
fn of_two_runs_that_start_at_the_same_instant_one_is_refused() {
    let folder = Folder::new();
    let server = Hostile::start(Manner::Answers);
    let args = ["run", "-o", "k.data", "-R50", "-c2", "-d2s", "--format=json", &server.url()];
    let runs = [(); 2].map(|()| onrush(&folder, &args).spawn().unwrap());
    let ended = runs.map(|run| run.wait_with_output().unwrap());
    let refused = ended.iter().find(|ended| ended.status.code() == Some(1)).unwrap();
    check_fails(refused, "another run still writes");
    let done = ended.iter().find(|ended| ended.status.code() != Some(1)).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(count(&json, "totals.planned"), 100);
    let again = output(&folder, &["report", "--format=json", "k.data"]);
    assert_eq!(again.stdout, done.stdout, "the log is that of the run that was done");
}

#[track_caller]
fn check_report(folder: &Folder, logs: &[&str], expect: &str) {
    let failed = output(folder, &[&["report"], logs].concat());
    let stderr = String::from_utf8_lossy(&failed.stderr);
    assert_eq!((failed.status.code(), &*stderr), (Some(1), &*format!("onrush: {expect}\n")));
}

#[test]
fn what_is_no_log_is_told_in_one_line() {
    let folder = Folder::new();
    folder.write("empty.data", "");
    nix::unistd::mkfifo(&folder.join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let not = "it is not a regular file";
    check_report(&folder, &["fifo"], &format!("cannot read log 'fifo': {not}"));
    check_report(&folder, &["."], &format!("cannot read log '.': {not}"));
    let short = "cannot read log 'empty.data': 0 bytes are too few for a log";
    check_report(&folder, &["empty.data"], short);
    check_report(
        &folder,
        &["none.data"],
        "cannot read log 'none.data': No such file or directory (os error 2); name a file that \
         onrush run wrote",
    );
}

#[test]
fn a_log_is_not_counted_twice() {
    let folder = Folder::new();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/log/v1.data");
    fs::copy(golden, folder.join("a.data")).unwrap();
    fs::hard_link(folder.join("a.data"), folder.join("hard.data")).unwrap();
    std::os::unix::fs::symlink("a.data", folder.join("soft.data")).unwrap();
    for twin in ["a.data", "./a.data", "hard.data", "soft.data"] {
        let expect = format!("'a.data' and '{twin}' are the same log; name it once");
        check_report(&folder, &["a.data", twin], &expect);
    }
}

/// Runs a script where `disk` is a disk of 16 MiB of its own; `None` where that is forbidden.
#[allow(clippy::print_stdout, reason = "a test that did not test says so")]
fn on_a_small_disk(folder: &Folder, script: &str) -> Option<Output> {
    fs::create_dir(folder.join("disk")).unwrap();
    let mount = "mount -t tmpfs -o size=16m none disk || exit 99\n";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
    command.arg(format!("{mount}{script}")).current_dir(folder.path());
    let output = command.env("ONRUSH", env!("CARGO_BIN_EXE_onrush")).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let is_forbidden = output.status.code() == Some(99) || stderr.contains("unshare");
    if is_forbidden {
        println!("NOT TESTED, no small disk can be made here: {stderr}");
    }
    (!is_forbidden).then_some(output)
}

#[test]
fn a_disk_that_fills_up_ends_the_run_in_good_order() {
    let (folder, server) = (Folder::new(), Hostile::start(Manner::Answers));
    let url = server.url();
    let script = format!(
        "$ONRUSH run -q -o disk/k.data -R2000 -c4 -t1 -d30s --json run.json {url} >text & run=$!
         # A run whose log holds a request is under way, however busy the machine is.
         until $ONRUSH report --format csv disk/k.data 2>/dev/null | sed -n 2p | grep -q .
         do sleep 0.05; done
         cat /dev/zero >disk/filler 2>/dev/null
         wait $run; echo exit $?
         $ONRUSH report --format json disk/k.data >report.json"
    );
    let Some(output) = on_a_small_disk(&folder, &script) else { return };
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("exit 0") || stdout.contains("exit 4"), "{output:?}");
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("report.json")).unwrap()).unwrap();
    assert_eq!(
        fs::read(folder.join("run.json")).unwrap(),
        fs::read(folder.join("report.json")).unwrap()
    );
    let why = json["cut_short"].as_str().unwrap();
    assert!(why.contains("no space left on its disk"), "{why}");
    let ok = count(&json, "totals.ok");
    assert!((100..60_000).contains(&ok), "{ok}");
    assert_eq!(count(&json, "resources.log_records"), count(&json, "requests.sent"));
    assert_eq!(count(&json, "resources.log_lost"), 0);
}

#[test]
fn a_log_that_its_disk_will_not_hold_is_refused_before_the_run() {
    let (folder, server) = (Folder::new(), Hostile::start(Manner::Answers));
    let url = server.url();
    let script = format!("$ONRUSH run -q -o disk/k.data -R2000 -c4 -t1 -d10m {url}");
    let Some(output) = on_a_small_disk(&folder, &script) else { return };
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), stderr.lines().count()), (Some(1), 1), "{stderr}");
    assert!(stderr.contains("disk"), "{stderr}");
}

#[test]
fn a_log_of_slow_requests_says_how_many_it_left_out() {
    let (folder, server) = (Folder::new(), Hostile::start(Manner::Answers));
    for (log, kept) in [("slow:1h", 0), ("errors", 0), ("slow:0s", 50), ("1/5", 10)] {
        let args = ["run", "-q", "--log", log, "-n50", "-c2", "-t1", "--format=json"];
        let run = output(&folder, &[&args[..], &[&server.url()]].concat());
        let json: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
        assert_eq!(count(&json, "totals.ok"), 50, "{log}");
        assert_eq!(count(&json, "response_ns.count"), 50, "{log}");
        assert_eq!(count(&json, "resources.log_records"), kept, "{log}");
        assert_eq!(count(&json, "resources.log_left_out"), 50 - kept, "{log}");
    }
    let text = output(&folder, &["report", "onrush.data"]).stdout;
    let says = "Log         1/5: 10 requests kept, 40 left out; the figures are those of all";
    assert!(String::from_utf8_lossy(&text).contains(says));
}
