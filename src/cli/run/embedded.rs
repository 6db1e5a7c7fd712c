//! The embedded target: `onrush serve http` as a child, on the CPUs that the shards leave.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, Command, Stdio};

use crate::cli::error::CliError;
use crate::plan::CpuList;
use crate::sys::process;

/// A running child; it ends with this value.
#[derive(Debug)]
pub(super) struct Embedded {
    child: Child,
    address: SocketAddr,
}

/// What the child says, once, when it can be reached.
const READY: &str = "listening on ";

impl Embedded {
    /// Starts the built-in target on `cpus`, on a free port of `at`.
    ///
    /// # Errors
    /// It cannot be started, or says why it cannot listen.
    pub(super) fn start(cpus: &CpuList, at: SocketAddr) -> Result<Self, CliError> {
        let cannot = |why: String| CliError::CannotRun(format!("the built-in target: {why}"));
        let mut command = Command::new("/proc/self/exe");
        command
            .args(["serve", "http", "--listen", &at.to_string(), "--cpus", &cpus.to_string()])
            .args(["--shards", "1", "--with-parent"])
            .arg(process::id().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Ctrl-C is for us: the target stays until we have drained.
            .process_group(0);
        let mut child = command.spawn().map_err(|error| cannot(error.to_string()))?;
        let said = child.stderr.take().map(first_line).unwrap_or_default();
        match said.split_once(READY).and_then(|(_, address)| address.trim().parse().ok()) {
            Some(address) => Ok(Self { child, address }),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                Err(cannot(said.trim().trim_start_matches("onrush: ").to_owned()))
            }
        }
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

fn first_line(stderr: ChildStderr) -> String {
    let mut line = String::new();
    let _ = BufReader::new(stderr).read_line(&mut line);
    line
}

impl Drop for Embedded {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
