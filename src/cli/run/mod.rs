//! `onrush run`: the command line made into a plan.

mod load;
mod machine;
mod request;
mod sources;
mod target;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::args::RunArgs;
use super::error::{CliError, read};
use super::exit::Exit;
use super::output::{Output, path};
use super::terminal::Terminal;
use crate::plan::{Family, Plan, Scheme};
use crate::sys::{cpu, socket};

pub(super) use machine::cpus_of;
use target::Url;

/// A run, complete: nothing of the command line is left to interpret but the gates.
#[derive(Debug)]
pub(super) struct RunCommand {
    /// What to do. An embedded target has port 0 until [`RunCommand::aim`].
    pub plan: Plan,
    /// The HTTP body, empty where there is none.
    pub body: Vec<u8>,
    /// The log.
    pub out: PathBuf,
    /// What to print.
    pub output: Output,
    /// Gates as typed: `p99<1ms,err<0.1%`.
    pub slo: Option<String>,
    /// What the user may not expect.
    pub notices: Vec<Notice>,
}

/// Something that the user may not expect, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Notice {
    /// Both `-n` and `-d` were given.
    CountDecides { count: u64, duration: String },
    /// There are more shards than CPUs.
    ShardsShareCpus { shards: usize, cpus: usize },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CountDecides { count, duration } => {
                write!(f, "--count {count} decides the end: --duration {duration} is not used")
            }
            Self::ShardsShareCpus { shards, cpus } => write!(
                f,
                "{shards} shards share {cpus} CPUs: they delay each other, better --shards {cpus}"
            ),
        }
    }
}

impl RunCommand {
    /// What `args` mean on this machine.
    ///
    /// # Errors
    /// A value breaks its rule, or the target cannot be resolved or reached.
    pub(super) fn new(args: &RunArgs) -> Result<Self, CliError> {
        Self::on_cpus(args, &allowed_cpus())
    }

    /// What `args` mean where the process may use the CPUs `allowed`.
    fn on_cpus(args: &RunArgs, allowed: &[usize]) -> Result<Self, CliError> {
        let mut notices = Vec::new();
        // What needs nothing but the words comes first: a usage error never waits for a name
        // server.
        let load = load::load_of(args, &mut notices)?;
        let url: Option<Url> = args.url.as_deref().map(str::parse).transpose()?;
        let scheme = url.as_ref().map_or(Scheme::Http, Url::scheme);
        let (request, body) = request::request_of(args, scheme)?;
        let output = Output::new(&args.format, &args.json, args.latency)?;
        let out = path("--out", args.out.as_deref().unwrap_or("onrush.data"))?;
        let slo = args.slo.clone();
        let sources = machine::asked_sources(args)?;
        let family = family(args, sources.as_ref())?;

        let target = match url {
            Some(url) => url.resolve(family)?,
            None => target::embedded(target::any_loopback(family)),
        };
        let room = machine::Room {
            allowed,
            shared_with_target: socket::is_local(target.address.ip()),
            concurrence: load.concurrence,
        };
        let placement = machine::placement_of(args, room, &mut notices)?;
        let sources = machine::sources_of(sources, target.address)?;
        let ports = machine::ports_of(args, placement.shards, &target, &sources)?;
        let plan = Plan {
            target,
            rate: load.rate,
            concurrence: load.concurrence,
            pattern: load.pattern,
            duration: load.duration,
            count: load.count,
            warmup: load.warmup,
            requests: load.requests,
            think: load.think,
            fresh: args.fresh,
            close: load.close,
            on_cap: load.on_cap,
            timeout: load.timeout,
            seed: load.seed,
            allow_partial: args.allow_partial,
            request,
            shards: placement.shards,
            cpus: placement.cpus,
            idle: read("--idle", &args.idle, "spin")?,
            clock: read("--clock", &args.clock, "tsc")?,
            sources,
            ports,
            sqpoll: args.sqpoll,
            sqpoll_cpu: machine::sqpoll_cpu_of(args)?,
            watch_pid: machine::watch_pid_of(args)?,
            watch_dev: machine::watch_dev_of(args)?,
            log: read("--log", &args.log, "all")?,
            labels: args.label.iter().map(|label| check_label(label)).collect::<Result<_, _>>()?,
        };
        Ok(Self { plan, body, out, output, slo, notices })
    }

    /// The same run against the embedded target, now that it listens at `address`.
    pub(super) fn aim(&mut self, address: SocketAddr) {
        self.plan.target = target::embedded(address);
    }
}

/// The CPUs that the process may use, ascending; CPU 0 where the kernel does not say.
pub(super) fn allowed_cpus() -> Vec<usize> {
    let allowed = cpu::allowed();
    if allowed.is_empty() { vec![0] } else { allowed }
}

/// Runs `command`.
pub(super) fn execute(command: &RunCommand, terminal: &Terminal) -> Exit {
    for notice in &command.notices {
        terminal.notice(notice);
    }
    terminal.fail(&CliError::CannotRun("run: this build has no engine yet".into()))
}

/// The one family that flags and sources allow; `None` leaves it to the resolver.
fn family(
    args: &RunArgs,
    sources: Option<&sources::SourceList>,
) -> Result<Option<Family>, CliError> {
    let asked = match (args.ipv4, args.ipv6) {
        (true, true) => {
            return Err(CliError::rule("--ipv6", "-4 -6", "one of the two, like -4"));
        }
        (true, false) => Some(Family::V4),
        (false, true) => Some(Family::V6),
        (false, false) => None,
    };
    let of_sources = sources.and_then(machine::family_of_sources);
    if let (Some(asked), Some(found)) = (asked, of_sources)
        && asked != found
    {
        let rule = format!(
            "-{asked} asks for IPv{asked}, like {}",
            match asked {
                Family::V4 => "127.0.0.2",
                Family::V6 => "::1",
            }
        );
        return Err(CliError::rule("--source", args.source.as_deref().unwrap_or_default(), rule));
    }
    Ok(asked.or(of_sources))
}

fn check_label(typed: &str) -> Result<String, CliError> {
    match typed.split_once('=') {
        Some((key, _)) if !key.is_empty() => Ok(typed.into()),
        _ => Err(CliError::rule("--label", typed, "it is a name and a value, like nic=ixgbe")),
    }
}

#[cfg(test)]
mod tests;
