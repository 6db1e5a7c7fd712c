//! `onrush clocks`: the clock sources of this machine.

use super::error::CliError;
use super::exit::Exit;
use super::terminal::Terminal;

/// Measures and prints every clock source.
pub(super) fn execute(terminal: &Terminal) -> Exit {
    terminal.fail(&CliError::CannotRun("clocks: this build measures no clocks yet".into()))
}
