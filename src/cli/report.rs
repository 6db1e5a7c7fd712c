//! `onrush report`: logs to read again.

use std::path::PathBuf;
use std::str::FromStr;

use super::args::ReportArgs;
use super::error::{CliError, parse, read, read_if_given};
use super::exit::Exit;
use super::output::{Format, Output, path};
use super::run::show;
use super::terminal::Terminal;
use crate::outcome::{Cut, Gates, SeriesName};
use crate::report::Asked;
use crate::unit::{Nanos, ParseError};

/// A report, complete.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ReportCommand {
    /// The logs to merge; at least one.
    pub logs: Vec<PathBuf>,
    /// What to print.
    pub output: Output,
    /// What of the logs to count, and whether to merge any.
    pub asked: Asked,
}

impl ReportCommand {
    /// What `args` mean.
    ///
    /// # Errors
    /// A value breaks its rule.
    pub(super) fn new(args: &ReportArgs) -> Result<Self, CliError> {
        let mut logs =
            args.logs.iter().map(|log| path("LOG", log)).collect::<Result<Vec<_>, _>>()?;
        if logs.is_empty() {
            logs.push("onrush.data".into());
        }
        let output = output_of(args)?;
        let mut asked = Asked { force: args.force, cut: cut_of(args)?, settled: false };
        if let Some(typed) = &args.warmup {
            match warm_up_of(typed, args)? {
                WarmUp::Auto => asked.settled = true,
                WarmUp::Length(length) => {
                    asked.cut.from = (length > Nanos::ZERO).then_some(length);
                }
            }
        }
        Ok(Self { logs, output, asked })
    }
}

fn output_of(args: &ReportArgs) -> Result<Output, CliError> {
    let output = Output::new(&args.format, &args.json, args.latency)?;
    let series = read_if_given("--series", &args.series)?;
    let interval = read("--interval", &args.interval, "1s")?;
    if interval == Nanos::ZERO {
        return Err(CliError::rule("--interval", "0", "it is a length of time, like 100ms"));
    }
    let format = output.format;
    // A flag that would silently do nothing is a mistake of the user's.
    if output.latency && matches!(format, Format::Json | Format::Csv | Format::Hlog) {
        let rule = "--latency is for text; programs read the spectrum as hgrm, like hgrm";
        return Err(CliError::rule("--format", format, rule));
    }
    let shows_one = output.latency || !matches!(format, Format::Text | Format::Json | Format::Csv);
    if let Some(series) = series.filter(|_| !shows_one) {
        let rule = format!("{format} has all series: choose one for --latency, or for hgrm");
        return Err(CliError::rule("--series", series, rule));
    }
    if format == Format::Hlog && series == Some(SeriesName::Session) {
        let rule = "an interval log is of requests, like response";
        return Err(CliError::rule("--series", SeriesName::Session, rule));
    }
    if args.timeseries && !matches!(format, Format::Text | Format::Json | Format::Csv) {
        let rule = "--timeseries is for text, json and csv, like csv";
        return Err(CliError::rule("--format", format, rule));
    }
    if args.interval.is_some() && format != Format::Hlog {
        let rule = "it is for an interval log, like --format hlog --interval 100ms";
        return Err(CliError::rule("--interval", interval, rule));
    }
    Ok(Output { series, timeseries: args.timeseries, interval, ..output })
}

/// What a report leaves out at the start.
enum WarmUp {
    /// What is not settled yet.
    Auto,
    /// So much.
    Length(Nanos),
}

fn warm_up_of(typed: &str, args: &ReportArgs) -> Result<WarmUp, CliError> {
    let wrong = |rule: &str| CliError::rule("--warmup", typed, rule);
    if args.from.is_some() {
        return Err(wrong("--from says already where to begin, like --from 2s alone"));
    }
    match typed {
        "auto" => Ok(WarmUp::Auto),
        _ => match typed.parse() {
            Ok(length) => Ok(WarmUp::Length(length)),
            Err(_) => Err(wrong("it is a time, or auto: where the run settles, like 2s")),
        },
    }
}

fn cut_of(args: &ReportArgs) -> Result<Cut, CliError> {
    let (from, to) = (read_if_given("--from", &args.from)?, read_if_given("--to", &args.to)?);
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        let rule = format!("it lies behind --from {from}, like {}", from + Nanos::from_secs(1));
        return Err(CliError::rule("--to", to, rule));
    }
    Ok(Cut {
        from,
        to,
        phases: read_list("--phase", &args.phase)?,
        shards: read_if_given("--shard", &args.shard)?.unwrap_or_default(),
        outcomes: read_list("--outcome", &args.outcome)?,
        statuses: read_if_given("--status", &args.status)?.unwrap_or_default(),
    })
}

/// The words of a list, with commas between them.
fn read_list<T: FromStr<Err = ParseError>>(
    flag: &'static str,
    typed: &Option<String>,
) -> Result<Vec<T>, CliError> {
    let words = typed.iter().flat_map(|list| list.split(','));
    words.map(|word| parse(flag, word)).collect()
}

/// Prints the report that `command` asks for; done whatever the verdict is.
pub(super) fn execute(command: &ReportCommand, terminal: &Terminal) -> Exit {
    let ReportCommand { logs, output, asked } = command;
    let gates = Gates::default();
    let shown =
        output.open_json(logs).and_then(|json| show(logs, asked, output, json, &gates, terminal));
    match shown {
        Ok(_) => Exit::Done,
        Err(error) => terminal.fail(&error),
    }
}
