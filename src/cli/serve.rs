//! `onrush serve`: a built-in target.

use std::net::SocketAddr;

use super::args::ServeArgs;
use super::error::{CliError, parse, read, read_count, read_if_given};
use super::exit::Exit;
use super::output::Format;
use super::run::{allowed_cpus, cpus_of};
use super::terminal::Terminal;
use crate::plan::CpuList;
use crate::unit::{ByteSize, Nanos};
use crate::words;

words! {
    /// What a built-in target speaks.
    pub enum ServeKind: "a target is http or echo, like http" {
        /// HTTP/1.1 and 1.0.
        Http = "http",
        /// What comes in goes out.
        Echo = "echo",
    }
}

/// A target, complete.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ServeCommand {
    /// What it speaks.
    pub kind: ServeKind,
    /// Where it listens; port 0 is any free one.
    pub listen: SocketAddr,
    /// Pinned threads; at least 1.
    pub shards: u32,
    /// Their CPUs, shard i on entry i modulo the length; never empty.
    pub cpus: CpuList,
    /// Time before each answer.
    pub delay: Nanos,
    /// Size of an HTTP answer's body.
    pub body_bytes: ByteSize,
    /// Answers after which a connection is closed; at least 1.
    pub close_after: Option<u64>,
    /// Time after which it ends.
    pub duration: Option<Nanos>,
    /// Form of the figures at the end.
    pub format: Format,
}

/// Most bytes of an answer: it is held in memory whole.
const BODY_BYTES_MAX: u64 = 256 << 20;
/// Most threads.
const SHARDS_MAX: u64 = 8192;

impl ServeCommand {
    /// What `args` mean on this machine.
    ///
    /// # Errors
    /// A value breaks its rule.
    pub(super) fn new(args: &ServeArgs) -> Result<Self, CliError> {
        let kind = parse("KIND", &args.kind)?;
        let body_bytes: ByteSize = read("--body-bytes", &args.body_bytes, "64")?;
        if body_bytes.0 > BODY_BYTES_MAX {
            let rule = "at most 256MiB, like 4KiB";
            return Err(CliError::rule("--body-bytes", body_bytes, rule));
        }
        if let (ServeKind::Echo, Some(typed)) = (kind, &args.body_bytes) {
            let rule = "echo answers what it is sent, use it like onrush serve http";
            return Err(CliError::rule("--body-bytes", typed, rule));
        }
        let allowed = allowed_cpus();
        let listed = cpus_of(&args.cpus, &allowed)?;
        let shards = match (&args.shards, &listed) {
            (Some(typed), _) => read_count("--shards", typed, (1, SHARDS_MAX))? as usize,
            (None, Some(listed)) => listed.len(),
            (None, None) => 1,
        };
        let mut cpus = listed.unwrap_or(allowed);
        cpus.truncate(shards);
        Ok(Self {
            kind,
            listen: listen_of(args.listen.as_deref().unwrap_or("127.0.0.1:8080"))?,
            shards: shards as u32,
            cpus: CpuList(cpus),
            delay: read("--delay", &args.delay, "0")?,
            body_bytes,
            close_after: (args.close_after.as_deref())
                .map(|typed| read_count("--close-after", typed, (1, u64::MAX)))
                .transpose()?,
            duration: read_if_given("--duration", &args.duration)?,
            format: read("--format", &args.format, "text")?,
        })
    }
}

/// Serves as `command` says.
pub(super) fn execute(command: &ServeCommand, terminal: &Terminal) -> Exit {
    let _ = command;
    terminal.fail(&CliError::CannotRun("serve: this build has no targets yet".into()))
}

fn listen_of(typed: &str) -> Result<SocketAddr, CliError> {
    typed.parse().map_err(|_| {
        CliError::rule("--listen", typed, "it is an address and a port, like 127.0.0.1:8080")
    })
}
