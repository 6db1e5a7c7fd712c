//! `onrush doctor`: what would spoil a run.

use std::path::Path;

use super::args::{DoctorArgs, RunArgs};
use super::error::CliError;
use super::exit::Exit;
use super::run::{RunCommand, trial};
use super::terminal::Terminal;
use crate::doctor::{self, Case, State};
use crate::log;
use crate::plan::Plan;
use crate::sys::resource;

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
    let _ = resource::raise_file_limit();
    let need = log::disk_needed(&command.plan).map(|bytes| bytes.0);
    let diagnosis = doctor::examine(&Case {
        plan: Some(&command.plan),
        ring: trial(&command.plan),
        log: Some((Path::new("."), need)),
    });
    match terminal.print(&diagnosis.to_string()) {
        Ok(()) if diagnosis.worst() == State::Bad => Exit::CouldNotRun,
        Ok(()) => Exit::Done,
        Err(error) => terminal.fail(&error),
    }
}
