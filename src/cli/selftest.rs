//! `onrush selftest`: what this machine can do at best, from runs against the built-in target.

use std::path::PathBuf;
use std::{env, fs, thread};

use super::args::{RunArgs, SelftestArgs};
use super::error::{CliError, read};
use super::exit::Exit;
use super::floors;
use super::output::FiguresFormat;
use super::run::{Measured, measure};
use super::terminal::Terminal;
use crate::clock::{self, Source};
use crate::evidence::{Floor, Holes, Noise};
use crate::outcome::{Summary, Verdict};
use crate::plan::ClockName;
use crate::report::floor as report;
use crate::sys::process;
use crate::unit::{Nanos, Quantile};

/// A selftest, complete.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SelftestCommand {
    /// Length of each run.
    pub length: Nanos,
    /// How many runs are held against each other.
    pub equal_runs: u64,
    /// Form of the result.
    pub format: FiguresFormat,
}

impl SelftestCommand {
    /// What `args` mean.
    ///
    /// # Errors
    /// The format is none.
    pub(super) fn new(args: &SelftestArgs) -> Result<Self, CliError> {
        let format = read("--format", &args.format, "text")?;
        let (length, equal_runs) =
            if args.quick { (Nanos::from_millis(500), 3) } else { (Nanos::from_secs(2), 8) };
        Ok(Self { length, equal_runs, format })
    }
}

/// Measures the floor of this machine, prints it, and keeps it where nothing disturbed it.
pub(super) fn execute(command: &SelftestCommand, terminal: &Terminal) -> Exit {
    selftest(command, terminal).unwrap_or_else(|error| terminal.fail(&error))
}

fn selftest(command: &SelftestCommand, terminal: &Terminal) -> Result<Exit, CliError> {
    let mut bench = Bench { command, terminal, disturbed: Vec::new() };
    let floor = match bench.floor()? {
        Ok(floor) => floor,
        Err(Interrupted(signal)) => return Ok(Exit::Signal(signal)),
    };
    terminal.print(&match command.format {
        FiguresFormat::Text => report::text(&floor),
        FiguresFormat::Json => report::json(&floor),
    })?;
    if !bench.disturbed.is_empty() {
        terminal.notice(format_args!(
            "not kept: something disturbed {}; try again with nothing else running",
            bench.disturbed.join(", ")
        ));
        return Ok(Exit::Invalid);
    }
    let Some(folder) = floors::folder() else {
        terminal.notice("not kept: neither XDG_STATE_HOME nor HOME says where");
        return Ok(Exit::Done);
    };
    let kept = floors::keep(&folder, &floor).map_err(|error| {
        let folder = folder.display();
        CliError::CannotRun(format!("cannot keep the floor in {folder}: {error}"))
    })?;
    terminal.notice(format_args!("kept in {}: reports stand beside it", kept.display()));
    Ok(Exit::Done)
}

/// A signal ended it; there is nothing to report.
struct Interrupted(i32);

/// Connections where many are to keep a core busy.
const MANY: u32 = 64;

/// Requests per second of a shard that has next to nothing to do.
const IDLE_RATE: u64 = 5_000;

/// Runs on this machine, one after the other.
struct Bench<'a> {
    command: &'a SelftestCommand,
    terminal: &'a Terminal,
    /// The runs that call themselves INVALID.
    disturbed: Vec<String>,
}

impl Bench<'_> {
    fn floor(&mut self) -> Result<Result<Floor, Interrupted>, CliError> {
        let runs = self.command.equal_runs;
        let calm = match self.run("one connection", IDLE_RATE.to_string(), 1)? {
            Ok(calm) => calm,
            Err(signal) => return Ok(Err(signal)),
        };
        let most = match self.run("as fast as it goes", "max".into(), MANY)? {
            Ok(most) => most.rates.requests_per_s.unwrap_or(0.0),
            Err(signal) => return Ok(Err(signal)),
        };
        let rate = (most / 2.0).max(1.0) as u64;
        let mut equal = Vec::new();
        for number in 1..=runs {
            match self.run(&format!("equal run {number} of {runs}"), rate.to_string(), MANY)? {
                Ok(summary) => equal.push(summary),
                Err(signal) => return Ok(Err(signal)),
            }
        }
        let noise_of = |quantile| {
            let value = |summary: &Summary| summary.figures.response.quantile(quantile);
            Noise::of(equal.iter().map(|summary| value(summary).map(|time| time.0 as f64)))
        };
        let noise = Noise { runs, rate_per_s: rate as f64, p50: noise_of(P50), p99: noise_of(P99) };
        Ok(Ok(floor_of(&calm, most, noise)))
    }

    /// One run against the embedded target, with one shard.
    fn run(
        &mut self,
        name: &str,
        rate: String,
        connections: u32,
    ) -> Result<Result<Box<Summary>, Interrupted>, CliError> {
        self.terminal.notice(format_args!("{name}, {}", self.command.length));
        let log = Log(env::temp_dir().join(format!("onrush-selftest-{}.data", process::id())));
        let args = RunArgs {
            rate: Some(rate),
            concurrence: Some(connections.to_string()),
            duration: Some(self.command.length.to_string()),
            shards: Some("1".into()),
            log: Some("none".into()),
            out: Some(log.0.display().to_string()),
            ..RunArgs::default()
        };
        let quiet = self.terminal.quiet_if(true);
        // A run pins its main thread: in a thread of its own, so that the next run finds all CPUs
        // again.
        let measured = thread::scope(|scope| scope.spawn(|| measure(&args, &quiet)).join());
        let died = || CliError::CannotRun("a run of the selftest panicked".into());
        match measured.map_err(|_| died())?? {
            Measured::Whole(summary) => {
                if summary.verdict == Verdict::Invalid {
                    self.disturbed.push(name.to_owned());
                }
                Ok(Ok(summary))
            }
            Measured::Interrupted(signal) => Ok(Err(Interrupted(signal))),
        }
    }
}

const P50: Quantile = Quantile(500_000);
const P99: Quantile = Quantile(990_000);

fn floor_of(calm: &Summary, rate_per_s: f64, noise: Noise) -> Floor {
    let response = &calm.figures.response;
    let shard = calm.shards.first().and_then(|shard| shard.evidence.as_ref());
    let holes = shard.and_then(|shard| shard.holes.clone());
    Floor {
        host: Floor::host_of(&calm.environment).unwrap_or_default(),
        tool_version: calm.environment.tool_version.clone(),
        measured_unix_ns: clock::wall_ns(),
        response_min: response.min(),
        response_p50: response.quantile(P50),
        response_p99: response.quantile(P99),
        rate_per_s,
        noise,
        holes: holes.unwrap_or_else(Holes::prepared),
        watched: calm.measured,
        clock_ns: match Source::open(ClockName::Tsc).0 {
            Source::Tsc(tsc) => clock::cost_ns(&tsc.clock()),
            Source::Kernel(clock) => clock::cost_ns(&clock),
        },
    }
}

/// A log that is of no use once it was read.
struct Log(PathBuf);

impl Drop for Log {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
