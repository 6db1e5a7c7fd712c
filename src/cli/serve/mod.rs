//! `onrush serve`: a built-in target.

mod pvs;

use std::net::SocketAddr;

use crate::cli::args::ServeArgs;
use crate::cli::error::{CliError, parse, read, read_count, read_if_given, read_seed};
use crate::cli::exit::Exit;
use crate::cli::output::FiguresFormat;
use crate::cli::run::{allowed_cpus, cpus_of};
use crate::cli::terminal::Terminal;
use crate::clock::{self, Clock as _, KernelClock};
use crate::observe::resources;
use crate::plan::{ClockName, CpuList};
use crate::report::served as report;
use crate::serve::{Behaviour, Kind, ServePlan, Serving};
use crate::sys::process;
use crate::sys::resource::Usage;
use crate::sys::signal::{self, Asked};
use crate::unit::{ByteSize, Instant, Nanos};

pub(super) use pvs::STANDARD_PORTS;

/// A target, complete.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ServeCommand {
    /// What to serve, and where.
    pub plan: ServePlan,
    /// Time after which it ends.
    pub duration: Option<Nanos>,
    /// The process that started it for itself, and whose end is its end.
    pub parent: Option<u32>,
    /// Form of the figures at the end.
    pub format: FiguresFormat,
}

/// Most bytes of an answer: it is held in memory whole.
const BODY_BYTES_MAX: u64 = 256 << 20;
/// The kernel's limit.
const PID_MAX: u64 = 1 << 22;
/// Most workers of a line.
const WORKERS_MAX: u64 = 1 << 16;
/// Most threads.
const SHARDS_MAX: u64 = 8192;

impl ServeCommand {
    /// What `args` mean on this machine.
    ///
    /// # Errors
    /// A value breaks its rule.
    pub(super) fn new(args: &ServeArgs) -> Result<Self, CliError> {
        let kind: Kind = parse("KIND", &args.kind)?;
        let body_bytes: ByteSize = read("--body-bytes", &args.body_bytes, "64")?;
        if body_bytes.0 > BODY_BYTES_MAX {
            let rule = "at most 256MiB, like 4KiB";
            return Err(CliError::rule("--body-bytes", body_bytes, rule));
        }
        if let (Kind::Echo, Some(typed)) = (kind, &args.body_bytes) {
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
        let plan = ServePlan {
            kind,
            listen: listen_of(args, kind)?,
            shards: shards as u32,
            cpus: CpuList(cpus),
            idle: read("--idle", &args.idle, "sleep")?,
            behaviour: behaviour_of(args, shards)?,
            body_bytes,
            close_after: (args.close_after.as_deref())
                .map(|typed| read_count("--close-after", typed, (1, u64::MAX)))
                .transpose()?,
            pvs: pvs::pvs_of(args, kind)?,
        };
        Ok(Self {
            plan,
            duration: read_if_given("--duration", &args.duration)?,
            parent: (args.with_parent.as_deref())
                .map(|typed| read_count("--with-parent", typed, (1, PID_MAX)))
                .transpose()?
                .map(|pid| pid as u32),
            format: read("--format", &args.format, "text")?,
        })
    }
}

fn behaviour_of(args: &ServeArgs, shards: usize) -> Result<Behaviour, CliError> {
    let workers = (args.workers.as_deref())
        .map(|typed| read_count("--workers", typed, (1, WORKERS_MAX)))
        .transpose()?;
    if let (Some(workers), 2..) = (workers, shards) {
        let rule = format!(
            "one shard keeps their line, not {shards}, like --workers {workers} --shards 1"
        );
        return Err(CliError::rule("--workers", workers, rule));
    }
    Ok(Behaviour {
        delay: read("--delay", &args.delay, "0")?,
        workers: workers.map(|workers| workers as u32),
        stall: read_if_given("--stall", &args.stall)?,
        fail_rate: read("--fail-rate", &args.fail_rate, "0")?,
        reset_rate: read("--reset-rate", &args.reset_rate, "0")?,
        seed: read_seed(&args.seed)?,
    })
}

/// Serves as `command` says, until a signal comes or the time is over, and prints the figures.
pub(super) fn execute(command: &ServeCommand, terminal: &Terminal) -> Exit {
    serve(command, terminal).unwrap_or_else(|error| terminal.fail(&error))
}

/// How often the main thread looks whether it is to end.
const LOOK: Nanos = Nanos::from_millis(10);

fn serve(command: &ServeCommand, terminal: &Terminal) -> Result<Exit, CliError> {
    if let Some(parent) = command.parent {
        let cannot = |error| CliError::CannotRun(format!("--with-parent '{parent}': {error}"));
        process::end_with_parent(parent).map_err(cannot)?;
    }
    let clock = KernelClock::new(ClockName::Monotonic);
    let (began, before) = (clock.now(), Usage::of_process());
    signal::catch().map_err(|error| CliError::CannotRun(format!("signals: {error}")))?;
    let serving = Serving::start(&command.plan).map_err(|e| CliError::CannotRun(e.to_string()))?;
    terminal.announce(format_args!("listening on {}", serving.address()));
    let end = command.duration.map_or(Instant::NEVER, |duration| clock.now() + duration);
    let exit = loop {
        match signal::asked() {
            Asked::Drain(signal) | Asked::Quit(signal) => break Exit::Signal(signal),
            Asked::Nothing => {}
        }
        let left = end.since(clock.now());
        if left == Nanos::ZERO || serving.has_failed() {
            break Exit::Done;
        }
        clock::sleep(left.min(LOOK));
    };
    let served = serving.stop().map_err(|e| CliError::CannotRun(e.to_string()))?;
    let resources = resources(&before, clock.now().since(began));
    terminal.print(&match command.format {
        FiguresFormat::Json => report::json(&served, &resources),
        FiguresFormat::Text => report::text(&served, &resources),
    })?;
    Ok(exit)
}

fn listen_of(args: &ServeArgs, kind: Kind) -> Result<SocketAddr, CliError> {
    let usual = match kind {
        Kind::Ca => "127.0.0.1:5064",
        Kind::Pva => "127.0.0.1:5075",
        Kind::Http | Kind::Echo => "127.0.0.1:8080",
    };
    let typed = args.listen.as_deref().unwrap_or(usual);
    let listen = typed.parse().map_err(|_| {
        let rule = format!("it is an address and a port, like {usual}");
        CliError::rule("--listen", typed, rule)
    })?;
    if matches!(kind, Kind::Ca | Kind::Pva) {
        pvs::check_network(args, listen)?;
    }
    Ok(listen)
}
