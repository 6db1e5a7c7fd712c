//! Why a run could not be done.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use crate::engine::ShardError;
use crate::evidence::{ErrorCount, Phase, Step};
use crate::log::LogError;
use crate::protocol::Fault;
use crate::ring::SetupError;
use crate::sys::errno::{EADDRNOTAVAIL, ECONNREFUSED, ETIMEDOUT};

/// Why a run could not be done.
#[derive(Debug)]
pub enum RunError {
    /// The log.
    Log(LogError),
    /// Signals cannot be held back from the shards.
    Signals(io::Error),
    /// A shard cannot be tied to its CPU.
    Pin(usize, io::Error),
    /// No ring.
    Ring(SetupError),
    /// A shard broke off.
    Shard(ShardError),
    /// A shard has fewer ports than it needs: its part of the range is empty.
    NoPorts,
    /// A shard panicked.
    Panicked,
    /// The run was stopped before the clock started, by this signal where it was one.
    Stopped(Option<i32>),
    /// No connection, or no channel, could be opened.
    Unreachable {
        /// The target.
        target: SocketAddr,
        /// Connections, or channels.
        what: &'static str,
        /// The error seen most.
        why: Option<ErrorCount>,
    },
    /// Fewer connections, or channels, could be opened than asked for.
    Partial {
        /// The target.
        target: SocketAddr,
        /// Connections, or channels.
        what: &'static str,
        /// How many were asked for.
        asked: u64,
        /// How many are open.
        opened: u64,
        /// The error seen most.
        why: Option<ErrorCount>,
    },
}

impl RunError {
    /// The same with its cause.
    pub(super) fn with_cause(self, cause: Option<ErrorCount>) -> Self {
        match self {
            Self::Unreachable { target, what, .. } => {
                Self::Unreachable { target, what, why: cause }
            }
            Self::Partial { target, what, asked, opened, .. } => {
                Self::Partial { target, what, asked, opened, why: cause }
            }
            other => other,
        }
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(error) => error.fmt(f),
            Self::Signals(error) => write!(f, "signals cannot be masked: {error}"),
            Self::Pin(cpu, error) => {
                write!(f, "cannot pin a shard to CPU {cpu}: {error}: choose others with --cpus")
            }
            Self::Ring(error) => error.fmt(f),
            Self::Shard(error) => error.fmt(f),
            Self::NoPorts => f.write_str(
                "a shard is left without a source port: widen --ports or lower --shards",
            ),
            Self::Panicked => f.write_str("a shard panicked: this is a fault of onrush"),
            Self::Stopped(_) => f.write_str("stopped before the clock started"),
            Self::Unreachable { target, what, why } => {
                let what = what.trim_end_matches('s');
                write!(f, "no {what} to {target} could be opened: {}", Why(*why))
            }
            Self::Partial { target, what, asked, opened, why } => write!(
                f,
                "only {opened} of {asked} {what} to {target} could be opened: {}; \
                 --allow-partial runs with those",
                Why(*why)
            ),
        }
    }
}

impl std::error::Error for RunError {}

struct Why(Option<ErrorCount>);

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(ErrorCount { phase, step, errno, .. }) = self.0 else {
            return f.write_str("nothing was heard of them within --timeout");
        };
        if let (Step::Parse, Some(fault)) = (step, Fault::from_number(errno)) {
            write!(f, "{step}: {fault}")?;
            return match fault {
                Fault::Refusal => f.write_str(": do they hold numbers, and is access granted?"),
                _ => Ok(()),
            };
        }
        let error = io::Error::from_raw_os_error(i32::from(errno));
        write!(f, "{step}: {error}")?;
        match (i32::from(errno), phase) {
            (ECONNREFUSED, _) => f.write_str(": does the target listen there?"),
            (ETIMEDOUT, Phase::Connect) => {
                f.write_str(": is the address right, and no firewall between?")
            }
            (EADDRNOTAVAIL, _) => f.write_str(": choose other --ports or --source"),
            _ => Ok(()),
        }
    }
}
