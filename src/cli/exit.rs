//! Exit codes, as the contract numbers them.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done: 0.
    Done,
    /// It could not run: 1.
    CouldNotRun,
    /// The command line is wrong: 2.
    Usage,
    /// A gate was breached: 3.
    GateBreached,
    /// The measurement is INVALID: 4.
    Invalid,
    /// This signal came: 128 and its number.
    Signal(i32),
}

impl Exit {
    /// The exit of a run that came to its report: a signal goes before an invalid measurement,
    /// that before a breached gate.
    pub(super) fn of_run(signal: Option<i32>, invalid: bool, breached: bool) -> Self {
        match signal {
            Some(signal) => Self::Signal(signal),
            None if invalid => Self::Invalid,
            None if breached => Self::GateBreached,
            None => Self::Done,
        }
    }

    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::CouldNotRun => 1,
            Self::Usage => 2,
            Self::GateBreached => 3,
            Self::Invalid => 4,
            Self::Signal(signal) => u8::try_from(128 + (signal & 127)).unwrap_or(u8::MAX),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_signal_invalid_and_breached_decides() {
        assert_eq!(Exit::of_run(Some(2), true, true).code(), 130);
        assert_eq!(Exit::of_run(Some(15), false, false).code(), 143);
        assert_eq!(Exit::of_run(None, true, true).code(), 4);
        assert_eq!(Exit::of_run(None, false, true).code(), 3);
        assert_eq!(Exit::of_run(None, false, false).code(), 0);
    }
}
