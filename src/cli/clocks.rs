//! `onrush clocks`: the clock sources of this machine.

use super::exit::Exit;
use super::terminal::Terminal;
use crate::clock;

/// Measures and prints every clock source.
pub(super) fn execute(terminal: &Terminal) -> Exit {
    match terminal.print(&clock::survey().to_string()) {
        Ok(()) => Exit::Done,
        Err(error) => terminal.fail(&error),
    }
}
