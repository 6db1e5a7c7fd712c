//! `onrush run`: the plan carried out, then the report from its log.

use std::ops::ControlFlow;
use std::path::Path;
use std::thread;

use super::embedded::Embedded;
use super::precise::Watch;
use super::{RunCommand, Url};
use crate::cli::args::RunArgs;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::floors;
use crate::cli::output::{JsonFile, Output};
use crate::cli::terminal::{Standing, Terminal};
use crate::doctor::{self, Case, State};
use crate::engine::{self, Ended, Run, RunError};
use crate::log;
use crate::observe;
use crate::outcome::{Gates, Summary, Verdict};
use crate::plan::{ChannelPlan, Operation, Plan, Scheme, Search};
use crate::protocol::{Ca, Circuit, Http1, Protocol, Pva, Searches, Tcp};
use crate::report::{self, Asked};
use crate::ring;
use crate::sys::{cpu, resource, signal};

/// Does what `command` says with the protocol of its target.
pub(in crate::cli) fn execute(command: &mut RunCommand, terminal: &Terminal) -> Exit {
    let outcome = Host::prepare(command, terminal).and_then(|_host| {
        let (plan, body) = (&command.plan, &command.body[..]);
        match plan.target.scheme {
            Scheme::Tcp => carry_out(command, terminal, |_| Tcp::new(&plan.request)),
            Scheme::Ca | Scheme::Pva => on_channels(command, terminal),
            Scheme::Http => {
                let new = |slots| Http1::new(&plan.target, &plan.request, body, slots);
                // Tried once for no slot, so that what makes no legal request is said.
                new(0).map_err(|error| CliError::CannotRun(error.to_string()))?;
                carry_out(command, terminal, |slots| new(slots).expect("it was tried before"))
            }
        }
    });
    outcome.unwrap_or_else(|error| terminal.fail(&error))
}

/// Does what the command line says with a protocol of the caller's own: `make` is called once in
/// each shard, with the number of its connections. The target is a `tcp://` URL.
pub fn speak<P: Protocol>(
    typed: impl Iterator<Item = std::ffi::OsString>,
    make: impl Fn(u32) -> P + Sync,
) -> Exit {
    crate::cli::with_run(typed, |args: &RunArgs, terminal: &Terminal| {
        let url: Option<Url> = args.url.as_deref().map(str::parse).transpose()?;
        if url.is_none_or(|url| url.scheme() != Scheme::Tcp) {
            let rule = "a protocol of your own needs one, like tcp://127.0.0.1:6379";
            return Err(CliError::rule("URL", args.url.as_deref().unwrap_or(""), rule));
        }
        let mut command = RunCommand::new(args)?;
        let _host = Host::prepare(&mut command, terminal)?;
        carry_out(&command, terminal, &make)
    })
}

/// What a run has on this host while it lasts.
struct Host {
    _target: Option<Embedded>,
}

impl Host {
    /// Says what the user may not expect, starts the embedded target, and examines the machine.
    fn prepare(command: &mut RunCommand, terminal: &Terminal) -> Result<Self, CliError> {
        let cannot = |error: std::io::Error| CliError::CannotRun(format!("signals: {error}"));
        signal::catch().map_err(cannot)?;
        for notice in &command.notices {
            terminal.notice(notice);
        }
        // Where this is forbidden the examination says what it means for the plan.
        let _ = resource::raise_file_limit();
        let mut target = None;
        if command.plan.target.embedded {
            let started = Embedded::start(&command.spare_cpus, command.plan.target.address)?;
            command.aim(started.address());
            terminal.notice(format_args!(
                "no URL: loading a built-in HTTP target at {} on CPU {}",
                command.plan.target.url, command.spare_cpus
            ));
            target = Some(started);
        }
        examine(command, terminal)?;
        Ok(Self { _target: target })
    }
}

/// Stops a run that this machine would spoil, before its first packet.
fn examine(command: &RunCommand, terminal: &Terminal) -> Result<(), CliError> {
    let plan = &command.plan;
    let need = log::disk_needed(plan);
    let out = command.out.display();
    match need {
        Some(bytes) if bytes.0 < 1 << 20 => terminal.notice(format_args!("log {out}: below 1 MiB")),
        Some(bytes) => {
            terminal.notice(format_args!("log {out}: {} MiB", bytes.0.div_ceil(1 << 20)))
        }
        None if plan.channels.as_ref().is_some_and(ChannelPlan::is_watching) => terminal
            .notice(format_args!("log {out}: 64 bytes for each update that is not the next")),
        None => terminal.notice(format_args!("log {out}: 64 bytes for each request")),
    }
    let directory = match command.out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let diagnosis = doctor::examine(&Case {
        plan: Some(plan),
        ring: trial(plan),
        log: Some((directory, need.map(|bytes| bytes.0))),
    });
    let bad = diagnosis.findings.iter().filter(|finding| finding.state == State::Bad);
    let bad: Vec<String> = bad.map(ToString::to_string).collect();
    if bad.is_empty() { Ok(()) } else { Err(CliError::CannotRun(bad.join("; "))) }
}

/// What a ring of the plan's largest shard meets.
pub(in crate::cli) fn trial(plan: &Plan) -> Result<String, String> {
    let slots = plan.share(u64::from(plan.connections()), 0) as u32;
    ring::trial(slots).map(|level| level.to_string()).map_err(|error| error.to_string())
}

fn carry_out<P: Protocol>(
    command: &RunCommand,
    terminal: &Terminal,
    make: impl Fn(u32) -> P + Sync,
) -> Result<Exit, CliError> {
    conclude(command, terminal, || perform(command, terminal, make))
}

/// The same with EPICS channels, or with their names alone.
fn on_channels(command: &RunCommand, terminal: &Terminal) -> Result<Exit, CliError> {
    let scheme = command.plan.target.scheme;
    let searches = |channels: &ChannelPlan| {
        Searches::new(scheme, channels.search.unwrap_or(Search::Udp), &command.names)
    };
    match (command.plan.channels.as_ref().map(|channels| channels.op), scheme) {
        (Some(Operation::Search), _) => on_circuits(command, terminal, searches),
        (_, Scheme::Pva) => on_circuits(command, terminal, Pva::new),
        _ => on_circuits(command, terminal, Ca::new),
    }
}

fn on_circuits<P: Circuit>(
    command: &RunCommand,
    terminal: &Terminal,
    make: impl Fn(&ChannelPlan) -> P + Sync,
) -> Result<Exit, CliError> {
    let channels = command.plan.channels.as_ref().expect("its URL names channels");
    let speak = || make(channels);
    conclude(command, terminal, || {
        watch(command, terminal, |run, on_standing| {
            run.perform_on(&command.names, speak, on_standing)
        })
    })
}

/// Performs the run, and prints the report from its log.
fn conclude(
    command: &RunCommand,
    terminal: &Terminal,
    perform: impl FnOnce() -> Result<Ended, RunError>,
) -> Result<Exit, CliError> {
    let logs = [command.out.clone()];
    let json = command.output.open_json(&logs)?;
    let Ended { signal } = match perform() {
        Ok(ended) => ended,
        Err(RunError::Stopped(Some(signal))) => return Ok(Exit::Signal(signal)),
        Err(error) => return Err(CliError::CannotRun(error.to_string())),
    };
    show(&logs, &Asked::default(), &command.output, json, &command.gates, terminal)
        .map(|shown| Exit::of_run(signal, shown.invalid, shown.breached))
}

/// Does the run, and shows how far it is.
fn perform<P: Protocol>(
    command: &RunCommand,
    terminal: &Terminal,
    make: impl Fn(u32) -> P + Sync,
) -> Result<Ended, RunError> {
    watch(command, terminal, |run, on_standing| run.perform(make, on_standing))
}

/// Lets `perform` do the run, and shows how far it is.
fn watch(
    command: &RunCommand,
    terminal: &Terminal,
    perform: impl FnOnce(
        &Run<'_>,
        &mut dyn FnMut(&engine::Standing) -> ControlFlow<()>,
    ) -> Result<Ended, RunError>,
) -> Result<Ended, RunError> {
    let plan = &command.plan;
    let environment = observe::environment(plan.cpus.0.first().copied().unwrap_or(0));
    // The main thread stays off the shards' CPUs; where it cannot, it is at least mostly asleep.
    let _ = command.spare_cpus.0.first().map(|&spare| cpu::pin_to(spare));
    let run = Run { plan, environment: &environment, log: &command.out };
    let mut progress = terminal.progress(plan);
    let precision = plan
        .target_ci
        .map(|precision| Watch::new(precision, command.out.clone(), plan.warmup + command.least));
    thread::scope(|scope| {
        let _over = precision.as_ref().map(|watch| {
            scope.spawn(|| watch.read());
            watch.until_dropped()
        });
        perform(&run, &mut |standing| {
            progress.draw(&Standing {
                elapsed: standing.elapsed,
                sessions_done: standing.sessions_ended,
                in_flight: standing.sessions_open,
                errors: standing.failed,
            });
            let goes_on = ControlFlow::Continue(());
            precision.as_ref().map_or(goes_on, |watch| watch.at(standing.elapsed))
        })
    })
}

/// What a run came to that is not to be printed.
pub(in crate::cli) enum Measured {
    /// It ran to its end.
    Whole(Box<Summary>),
    /// This signal ended it.
    Interrupted(i32),
}

/// Does what `args` say of an HTTP target, and prints nothing but what is wrong.
pub(in crate::cli) fn measure(args: &RunArgs, terminal: &Terminal) -> Result<Measured, CliError> {
    let cannot = |error: &dyn std::fmt::Display| CliError::CannotRun(error.to_string());
    let mut command = RunCommand::new(args)?;
    let _host = Host::prepare(&mut command, terminal)?;
    let (plan, body) = (&command.plan, &command.body[..]);
    let new = |slots| Http1::new(&plan.target, &plan.request, body, slots);
    new(0).map_err(|error| cannot(&error))?;
    let make = |slots| new(slots).expect("it was tried before");
    match perform(&command, terminal, make) {
        Ok(Ended { signal: Some(signal) }) | Err(RunError::Stopped(Some(signal))) => {
            Ok(Measured::Interrupted(signal))
        }
        Ok(Ended { signal: None }) => {
            let summary = report::load_files(std::slice::from_ref(&command.out), &Asked::default());
            Ok(Measured::Whole(Box::new(summary.map_err(|error| cannot(&error))?)))
        }
        Err(error) => Err(cannot(&error)),
    }
}

/// What a report came to.
pub(in crate::cli) struct Shown {
    pub(in crate::cli) invalid: bool,
    pub(in crate::cli) breached: bool,
}

/// Reads `logs`, judges and prints; into `json`, too.
pub(in crate::cli) fn show(
    logs: &[std::path::PathBuf],
    asked: &Asked,
    output: &Output,
    json: Option<JsonFile>,
    gates: &Gates,
    terminal: &Terminal,
) -> Result<Shown, CliError> {
    let cannot = |error: &dyn std::fmt::Display| CliError::CannotRun(error.to_string());
    let mut summary = report::load_files(logs, asked).map_err(|error| cannot(&error))?;
    summary.judge(gates);
    if let Some(folder) = floors::folder() {
        match floors::find(&folder, &summary.environment) {
            Ok(floor) => floor.into_iter().for_each(|floor| summary.stand_beside(floor)),
            Err(broken) => terminal.notice(broken),
        }
    }
    // Both, whichever of them fails.
    let printed = output.print(&summary, logs, terminal);
    if let Some(json) = json {
        json.write(&output.json_of(&summary))?;
    }
    printed?;
    let invalid = summary.verdict == Verdict::Invalid;
    Ok(Shown { invalid, breached: summary.is_breached() })
}
