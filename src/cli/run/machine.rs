//! Where load comes from: shards and their CPUs, source addresses and ports.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use super::super::args::RunArgs;
use super::super::error::{CliError, read, read_count, read_if_given};
use super::Notice;
use super::sources::SourceList;
use crate::plan::{CpuList, PortRange, Target};
use crate::sys::socket;

/// The shards that a plan will have, and their CPUs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Placement {
    pub(super) shards: u32,
    pub(super) cpus: CpuList,
}

/// What decides a [`Placement`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Room<'a> {
    /// The CPUs that the process may use, ascending; not empty.
    pub(super) allowed: &'a [usize],
    /// The target runs on these CPUs too.
    pub(super) shared_with_target: bool,
    /// Connections, at least 1.
    pub(super) connections: u32,
    /// The flag that says how many.
    pub(super) flag: &'static str,
}

/// Most shards: more threads than any machine has CPUs help nobody.
const SHARDS_MAX: u64 = 8192;

/// One shard per CPU. Without `--cpus` the highest-numbered ones are taken: the lowest is left
/// for the target where it runs here, and for the main thread where there is one to spare.
///
/// # Errors
/// A CPU that the process may not use, no shard at all, or more than there are connections.
pub(super) fn placement_of(
    args: &RunArgs,
    room: Room<'_>,
    notices: &mut Vec<Notice>,
) -> Result<Placement, CliError> {
    let asked = match &args.shards {
        Some(typed) => Some(check_shards(typed, &room)?),
        None => None,
    };
    let listed = cpus_of(&args.cpus, room.allowed)?;
    let spare = usize::from(room.shared_with_target);
    let default = match &listed {
        Some(listed) => listed.len(),
        None => room.allowed.len().saturating_sub(spare),
    };
    let most = room.connections as usize;
    let shards = asked.unwrap_or_else(|| default.clamp(1, most));
    let cpus = match listed {
        Some(mut listed) => {
            listed.truncate(shards);
            listed
        }
        None => room.allowed[room.allowed.len().saturating_sub(shards)..].to_vec(),
    };
    if shards > cpus.len() {
        notices.push(Notice::ShardsShareCpus { shards, cpus: cpus.len() });
    }
    Ok(Placement { shards: shards as u32, cpus: CpuList(cpus) })
}

/// The CPUs of `allowed` that `taken` leaves; all of them where it leaves none.
pub(super) fn spare_cpus(taken: &CpuList, allowed: &[usize]) -> CpuList {
    let spare: Vec<_> = allowed.iter().copied().filter(|cpu| !taken.0.contains(cpu)).collect();
    CpuList(if spare.is_empty() { allowed.to_vec() } else { spare })
}

/// The CPUs that `--cpus` names, checked against the affinity mask.
///
/// # Errors
/// The list does not parse, or has a CPU that the process may not use.
pub(in crate::cli) fn cpus_of(
    typed: &Option<String>,
    allowed: &[usize],
) -> Result<Option<Vec<usize>>, CliError> {
    let Some(CpuList(listed)) = read_if_given("--cpus", typed)? else { return Ok(None) };
    if let Some(&cpu) = listed.iter().find(|cpu| !allowed.contains(cpu)) {
        let allowed = CpuList(allowed.to_vec());
        let rule = format!("CPU {cpu} is not allowed here (taskset, cgroup), like {allowed}");
        return Err(CliError::rule("--cpus", CpuList(listed), rule));
    }
    Ok(Some(listed))
}

fn check_shards(typed: &str, room: &Room<'_>) -> Result<usize, CliError> {
    let &Room { connections, flag, .. } = room;
    let shards = read_count("--shards", typed, (1, SHARDS_MAX))?;
    if shards > u64::from(connections) {
        let rule = format!(
            "a shard needs a connection of its own and {flag} is {connections}, \
             like -t {connections} {flag} {connections}"
        );
        return Err(CliError::rule("--shards", typed, rule));
    }
    Ok(shards as usize)
}

/// The source addresses that the user asks for; `None` leaves them to the kernel.
///
/// # Errors
/// The list does not parse.
pub(super) fn asked_sources(args: &RunArgs) -> Result<Option<SourceList>, CliError> {
    read_if_given("--source", &args.source)
}

/// The source addresses of a run against `target`: those asked for, or the one that the kernel
/// would choose.
///
/// # Errors
/// An address that this host does not have, or no route to the target.
pub(super) fn sources_of(
    asked: Option<SourceList>,
    target: SocketAddr,
) -> Result<Vec<IpAddr>, CliError> {
    let Some(SourceList(sources)) = asked else {
        // The port only has to be one that is no 0: nothing is sent.
        let mut probe = target;
        probe.set_port(target.port().max(1));
        let source = socket::source_for(probe).map_err(|error| {
            CliError::CannotRun(format!(
                "no way to {}: {error}: check the route, like ip route get {}",
                target.ip(),
                target.ip()
            ))
        })?;
        return Ok(vec![source]);
    };
    for &source in &sources {
        socket::try_bind(socket::source_toward(target, source, 0)).map_err(|error| {
            let prefix = if source.is_ipv4() { 32 } else { 128 };
            let why = match error.kind() {
                ErrorKind::AddrNotAvailable => "this host does not have it".into(),
                _ => error.to_string(),
            };
            let rule = format!("{why}, give it one, like ip address add {source}/{prefix} dev lo");
            CliError::rule("--source", source, rule)
        })?;
    }
    Ok(sources)
}

/// The source ports, checked against the shards that split them.
///
/// # Errors
/// The range does not parse, has fewer ports than there are shards, or only the target's own.
pub(super) fn ports_of(
    args: &RunArgs,
    shards: u32,
    target: &Target,
    sources: &[IpAddr],
) -> Result<PortRange, CliError> {
    let ports: PortRange = read("--ports", &args.ports, "10000-65000")?;
    if ports.count() < shards {
        let rule = format!("{shards} shards need a port each, like 10000-65000");
        return Err(CliError::rule("--ports", ports, rule));
    }
    let own = ports.count() == 1 && ports.low == target.address.port();
    if own && sources.iter().all(|&source| source == target.address.ip()) {
        let rule = "it is the target's own address and port, like 10000-65000";
        return Err(CliError::rule("--ports", ports, rule));
    }
    Ok(ports)
}

/// The CPU of the kernel thread that submits.
///
/// # Errors
/// There is no such thread without `--sqpoll`, or the text is no CPU number.
pub(super) fn sqpoll_cpu_of(args: &RunArgs) -> Result<Option<u32>, CliError> {
    let Some(typed) = &args.sqpoll_cpu else { return Ok(None) };
    if !args.sqpoll {
        let rule = "only with --sqpoll is there such a thread, like --sqpoll --sqpoll-cpu 3";
        return Err(CliError::rule("--sqpoll-cpu", typed, rule));
    }
    read_count("--sqpoll-cpu", typed, (0, SHARDS_MAX - 1)).map(|cpu| Some(cpu as u32))
}

/// The process and the network device to watch.
///
/// # Errors
/// There is no process of this number, or no device of this name.
pub(super) fn watched_of(args: &RunArgs) -> Result<(Option<u32>, Option<String>), CliError> {
    Ok((watch_pid_of(args)?, watch_dev_of(args)?))
}

fn watch_pid_of(args: &RunArgs) -> Result<Option<u32>, CliError> {
    let Some(typed) = &args.watch_pid else { return Ok(None) };
    let pid = read_count("--watch-pid", typed, (1, i32::MAX as u64))?;
    if !Path::new("/proc").join(pid.to_string()).exists() {
        let rule = "no process has this number, look it up, like $(pidof -s nginx)";
        return Err(CliError::rule("--watch-pid", typed, rule));
    }
    Ok(Some(pid as u32))
}

fn watch_dev_of(args: &RunArgs) -> Result<Option<String>, CliError> {
    let Some(typed) = &args.watch_dev else { return Ok(None) };
    let is_name = !typed.is_empty() && !typed.contains('/') && !typed.starts_with('.');
    if !is_name || !Path::new("/sys/class/net").join(typed).exists() {
        let rule = "no network device has this name, see ip link, like lo";
        return Err(CliError::rule("--watch-dev", typed, rule));
    }
    Ok(Some(typed.clone()))
}
