//! `onrush report`: logs to read again.

use std::path::PathBuf;
use std::str::FromStr;

use super::args::ReportArgs;
use super::error::{CliError, parse, read_if_given};
use super::exit::Exit;
use super::output::{Output, path};
use super::run::show;
use super::terminal::Terminal;
use crate::outcome::{Cut, Gates};
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
        let output = Output::new(&args.format, &args.json, args.latency)?;
        let asked = Asked { force: args.force, cut: cut_of(args)? };
        Ok(Self { logs, output, asked })
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
