//! `onrush doctor`: what would spoil a run.

use super::args::{DoctorArgs, RunArgs};
use super::error::CliError;
use super::exit::Exit;
use super::run::RunCommand;
use super::terminal::Terminal;
use crate::plan::Plan;

/// An examination, complete.
#[derive(Debug)]
pub(super) struct DoctorCommand {
    /// The run in question: every default, and the URL where one was given.
    pub plan: Plan,
}

impl DoctorCommand {
    /// What `args` mean on this machine.
    ///
    /// # Errors
    /// The URL breaks its rule, or cannot be resolved.
    pub(super) fn new(args: &DoctorArgs) -> Result<Self, CliError> {
        let run = RunArgs { url: args.url.clone(), ..RunArgs::default() };
        Ok(Self { plan: RunCommand::new(&run)?.plan })
    }
}

/// Examines the machine and prints what it finds.
pub(super) fn execute(command: &DoctorCommand, terminal: &Terminal) -> Exit {
    let _ = command;
    terminal.fail(&CliError::CannotRun("doctor: this build examines nothing yet".into()))
}
