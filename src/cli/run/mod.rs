//! `onrush run`: the command line made into a plan.

mod channels;
mod embedded;
mod execute;
mod finding;
mod input;
mod load;
mod machine;
mod precise;
mod request;
mod sources;
mod target;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::args::RunArgs;
use super::error::{CliError, read, read_if_given};
use super::output::{Output, path};
use crate::engine::Quest;
use crate::log::is_log_file;
use crate::outcome::Gates;
use crate::plan::{ChannelPlan, CpuList, Family, Operation, Plan, Scheme, Search, Target};
use crate::sys::{cpu, socket};
use crate::unit::{Nanos, is_hidden};

pub use execute::speak;
pub(super) use execute::{Measured, execute, measure, show, trial};
use machine::Placement;
pub(super) use machine::cpus_of;
use sources::SourceList;
use target::Url;

/// A run, complete: nothing of the command line is left to interpret but the gates.
#[derive(Debug)]
pub(super) struct RunCommand {
    /// What to do. An embedded target has port 0 until [`RunCommand::aim`].
    pub plan: Plan,
    /// The least length of the measure phase; the plan has the most.
    pub least: Nanos,
    /// The HTTP body, empty where there is none.
    pub body: Vec<u8>,
    /// The names of EPICS channels, none for other targets.
    pub names: Vec<String>,
    /// The log.
    pub out: PathBuf,
    /// What to print.
    pub output: Output,
    /// What the figures have to keep to.
    pub gates: Gates,
    /// The CPUs that the shards leave to the main thread and the built-in target: all allowed
    /// ones where they leave none. Never empty.
    pub spare_cpus: CpuList,
    /// What the user may not expect.
    pub notices: Vec<Notice>,
}

/// Something that the user may not expect, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Notice {
    /// Both `-n` and `-d` were given.
    CountDecides { count: u64, duration: String },
    /// `--think` was given to sessions of one request.
    NobodyThinks { think: Nanos },
    /// There are more shards than CPUs.
    ShardsShareCpus { shards: usize, cpus: usize },
    /// A search found the server.
    Found { search: Search, at: SocketAddr, server: SocketAddr },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CountDecides { count, duration } => {
                write!(f, "--count {count} decides the end: --duration {duration} is not used")
            }
            Self::NobodyThinks { think } => write!(
                f,
                "--think {think} lies between the requests of a session: with one request it is \
                 not used, better --requests 2 or more"
            ),
            Self::Found { search, at, server } => {
                write!(f, "the names were found by {search} at {at}: their server is {server}")
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

    /// What `args` mean where the process may use the CPUs `allowed`. What words alone decide
    /// comes first: a mistyped flag does not wait for a name server, nor for a search.
    fn on_cpus(args: &RunArgs, allowed: &[usize]) -> Result<Self, CliError> {
        let mut notices = Vec::new();
        let url: Option<Url> = args.url.as_deref().map(str::parse).transpose()?;
        let load = load::load_of(args, &mut notices)?;
        let (request, body) =
            request::request_of(args, url.as_ref().map_or(Scheme::Http, Url::scheme))?;
        let (channels, names) = channels::channels_of(args, url.as_ref())?.unzip();
        let (out, output) = output_of(args)?;
        let labels = args.label.iter().map(|label| check_label(label)).collect::<Result<_, _>>()?;
        let (idle, clock) =
            (read("--idle", &args.idle, "spin")?, read("--clock", &args.clock, "tsc")?);
        let log = read("--log", &args.log, "all")?;
        let sqpoll_cpu = machine::sqpoll_cpu_of(args)?;
        let (watch_pid, watch_dev) = machine::watched_of(args)?;
        let gates = read_if_given("--slo", &args.slo)?.unwrap_or_default();
        let sought = (channels.as_ref().zip(names.as_deref()), load.timeout);
        let ends = Ends::of(args, url, sought, &mut notices)?;
        let room = machine::Room {
            allowed,
            shared_with_target: socket::is_local(ends.target.address.ip()),
            connections: channels.as_ref().map_or(load.concurrence, |channels| channels.circuits),
            flag: if channels.is_some() { "--circuits" } else { "--concurrence" },
        };
        let Placement { shards, cpus } = machine::placement_of(args, room, &mut notices)?;
        let ports = machine::ports_of(args, shards, &ends.target, &ends.sources)?;
        let spare_cpus = machine::spare_cpus(&cpus, allowed);
        let plan = Plan {
            target: ends.target,
            rate: load.rate,
            concurrence: load.concurrence,
            pattern: load.pattern,
            duration: load.duration,
            target_ci: load.target_ci,
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
            channels,
            shards,
            cpus,
            idle,
            clock,
            sources: ends.sources,
            ports,
            sqpoll: args.sqpoll,
            sqpoll_cpu,
            watch_pid,
            watch_dev,
            log,
            labels,
        };
        Ok(Self {
            plan,
            least: load.least,
            body,
            names: names.unwrap_or_default(),
            out,
            output,
            gates,
            spare_cpus,
            notices,
        })
    }

    /// The same run against the embedded target, now that it listens at `address`.
    pub(super) fn aim(&mut self, address: SocketAddr) {
        self.plan.target = target::embedded(address);
    }
}

/// Where load goes to and comes from.
struct Ends {
    target: Target,
    sources: Vec<IpAddr>,
}

impl Ends {
    /// Of `sought` channels the server may have to be searched for first, with a patience.
    fn of(
        args: &RunArgs,
        url: Option<Url>,
        (sought, timeout): (Option<(&ChannelPlan, &[String])>, Nanos),
        notices: &mut Vec<Notice>,
    ) -> Result<Self, CliError> {
        let asked = machine::asked_sources(args)?;
        let family = family_of(args, asked.as_ref())?;
        let search = sought.and_then(|(channels, _)| channels.search);
        let mut target = match url {
            Some(url) => url.for_search(search).resolve(family)?,
            None => target::embedded(target::any_loopback(family)),
        };
        let is_storm = sought.is_some_and(|(channels, _)| channels.op == Operation::Search);
        if is_storm {
            finding::check_storm(args, target.address)?;
        } else if let (Some(search), Some((_, names))) = (search, sought) {
            let (scheme, at) = (target.scheme, target.address);
            let quest = Quest { scheme, search, at, names, timeout };
            target.address = finding::server_of(&quest, args.allow_partial)?;
            notices.push(Notice::Found { search, at, server: target.address });
        }
        let sources = machine::sources_of(asked, target.address)?;
        Ok(Self { target, sources })
    }
}

/// The CPUs that the process may use, ascending; CPU 0 where the kernel does not say.
pub(super) fn allowed_cpus() -> Vec<usize> {
    let allowed = cpu::allowed();
    if allowed.is_empty() { vec![0] } else { allowed }
}

fn output_of(args: &RunArgs) -> Result<(PathBuf, Output), CliError> {
    let output = Output::new(&args.format, &args.json, args.latency)?;
    let out = path("--out", args.out.as_deref().unwrap_or("onrush.data"))?;
    if let Some(json) = output.json.as_ref().filter(|json| is_log_file(&out, json)) {
        let rule = "it is the log itself, or where one is made or set aside, like onrush.json";
        return Err(CliError::rule("--json", json.display(), rule));
    }
    Ok((out, output))
}

/// The one family that flags and sources allow; `None` leaves it to the resolver.
fn family_of(args: &RunArgs, sources: Option<&SourceList>) -> Result<Option<Family>, CliError> {
    let asked = match (args.ipv4, args.ipv6) {
        (true, true) => {
            return Err(CliError::rule("--ipv6", "-4 -6", "one of the two, like -4"));
        }
        (true, false) => Some(Family::V4),
        (false, true) => Some(Family::V6),
        (false, false) => None,
    };
    let of_sources = sources.and_then(SourceList::family);
    if let (Some(asked), Some(found)) = (asked, of_sources)
        && asked != found
    {
        let example = if asked == Family::V4 { "127.0.0.2" } else { "::1" };
        let rule = format!("-{asked} asks for IPv{asked}, like {example}");
        return Err(CliError::rule("--source", args.source.as_deref().unwrap_or_default(), rule));
    }
    Ok(asked.or(of_sources))
}

fn check_label(typed: &str) -> Result<String, CliError> {
    match typed.split_once('=') {
        Some((key, _)) if !key.is_empty() && !typed.contains(is_hidden) => Ok(typed.into()),
        _ => {
            let rule = "it is a name and a value without control characters, like nic=ixgbe";
            Err(CliError::rule("--label", typed, rule))
        }
    }
}

#[cfg(test)]
mod tests;
