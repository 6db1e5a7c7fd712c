//! Runs of the binary: one at a time on the machine, each with its log in a folder of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::{Folder, wait_for};

const ONRUSH: &str = env!("CARGO_BIN_EXE_onrush");

/// Longer than any run of the tests may take. Only ends what hangs.
const HANG: Duration = Duration::from_secs(60);

/// A run that goes on.
pub(crate) struct Run {
    child: Child,
    folder: Folder,
    command: String,
    _alone: Flock<File>,
}

/// A run that has ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    command: String,
    folder: Folder,
}

impl Run {
    /// Starts `onrush run ARGS --format json`, with the log in a private folder. Waits for other
    /// runs to end first: two at a time would spoil each other.
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::logged(Path::new(ONRUSH), &["run"], args)
    }

    /// Starts the example `name`, whose words are those of `run`, in the same way.
    pub(crate) fn example(name: &str, args: &[&str]) -> Self {
        Self::logged(&path_of_example(name), &[], args)
    }

    /// Starts `onrush ARGS`, nothing added.
    pub(crate) fn bare(args: &[&str]) -> Self {
        Self::spawn(Path::new(ONRUSH), args, Folder::new())
    }

    fn logged(program: &Path, first: &[&str], args: &[&str]) -> Self {
        let folder = Folder::new();
        let log = folder.join("run.data");
        let output = ["--format", "json", "-o", log.to_str().unwrap()];
        Self::spawn(program, &[first, &output[..], args].concat(), folder)
    }

    fn spawn(program: &Path, args: &[&str], folder: Folder) -> Self {
        let alone = alone();
        let mut command = Command::new(program);
        command.args(args).current_dir(folder.path()).stdin(Stdio::null());
        command.stdout(File::create(folder.join("stdout")).unwrap());
        command.stderr(File::create(folder.join("stderr")).unwrap());
        let child = command.spawn().unwrap();
        let name = program.file_name().unwrap().display();
        Self { child, folder, command: format!("{name} {}", args.join(" ")), _alone: alone }
    }

    /// Where its log lies once it has begun.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("run.data")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// Waits for the end.
    pub(crate) fn ended(mut self) -> Ended {
        let status = wait_for(HANG, || self.child.try_wait().unwrap());
        if status.is_none() {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
        let read = |name| {
            let bytes = fs::read(self.folder.join(name)).unwrap();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let (stdout, stderr) = (read("stdout"), read("stderr"));
        let Some(status) = status else {
            panic!("{} does not end; stderr: {stderr}", self.command);
        };
        Ended { status, stdout, stderr, command: self.command, folder: self.folder }
    }
}

/// `onrush run ARGS`, to its end.
pub(crate) fn run(args: &[&str]) -> Ended {
    Run::start(args).ended()
}

impl Ended {
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("run.data")
    }

    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The report, whatever the exit code.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| {
            panic!("{}\nno JSON ({e}): {}\nstderr: {}", self.command, self.stdout, self.stderr)
        })
    }

    /// The report of a run that was done. A busy test machine may make it INVALID, exit 4, which
    /// is the run's judgement of the machine; the accounts have to balance all the same.
    #[track_caller]
    pub(crate) fn done(&self) -> Value {
        let json = self.json();
        assert!(matches!(self.code(), Some(0 | 4)), "{}: {}", self.command, self.status);
        let invalid = json["verdict"] == "INVALID";
        assert_eq!(invalid, self.code() == Some(4), "{}: exit and verdict differ", self.command);
        super::report::assert_identities(&json);
        json
    }
}

/// `onrush report --format json` of a log.
pub(crate) fn report(log: &Path) -> Ended {
    Run::bare(&["report", "--format", "json", log.to_str().unwrap()]).ended()
}

/// Cargo puts examples beside the folder that this test is in, and builds them with `cargo test`,
/// though not with `cargo test --test NAME`.
fn path_of_example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().and_then(Path::parent).unwrap().join("examples").join(name);
    let built = path.is_file();
    assert!(built, "{} is missing: cargo build --example {name} makes it", path.display());
    path
}

fn alone() -> Flock<File> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("one-run-at-a-time.lock");
    let file = File::create(path).unwrap();
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno).unwrap()
}
