//! `onrush report`: logs to read again.

use std::path::PathBuf;

use super::args::ReportArgs;
use super::error::CliError;
use super::exit::Exit;
use super::output::{Output, path};
use super::run::show;
use super::terminal::Terminal;
use crate::outcome::Gates;

/// A report, complete.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ReportCommand {
    /// The logs to merge; at least one.
    pub logs: Vec<PathBuf>,
    /// What to print.
    pub output: Output,
    /// Merge logs whose plans differ.
    pub force: bool,
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
        Ok(Self { logs, output, force: args.force })
    }
}

/// Prints the report that `command` asks for; done whatever the verdict is.
pub(super) fn execute(command: &ReportCommand, terminal: &Terminal) -> Exit {
    let ReportCommand { logs, output, force } = command;
    let gates = Gates::default();
    let shown =
        output.open_json(logs).and_then(|json| show(logs, *force, output, json, &gates, terminal));
    match shown {
        Ok(_) => Exit::Done,
        Err(error) => terminal.fail(&error),
    }
}
