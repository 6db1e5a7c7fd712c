//! What may be wrong with a command line: one line each, with the flag, the value, the rule and
//! an example.

use std::fmt;
use std::str::FromStr;

use super::exit::Exit;
use crate::unit::{Count, ParseError};

/// A command that does not begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CliError {
    /// Nothing was typed.
    NoCommand,
    /// The first word is no command; the nearest one.
    UnknownCommand { typed: String, nearest: Option<&'static str> },
    /// A command has no such flag; the nearest one.
    UnknownFlag { command: &'static str, typed: String, nearest: Option<&'static str> },
    /// A flag that needs a value stands last; what it wants.
    MissingValue { flag: &'static str, wants: &'static str },
    /// A switch was given a value.
    NeedlessValue { flag: &'static str, value: String },
    /// An operand that has to be there is not; what it is, and a whole line.
    MissingOperand { name: &'static str, wants: &'static str, example: &'static str },
    /// One operand too many.
    Surplus { typed: String, command: &'static str },
    /// A value is not of its flag's type.
    Parse { flag: &'static str, error: ParseError },
    /// A value breaks a rule, which ends in an example.
    Rule { flag: &'static str, value: String, rule: String },
    /// An argument is not UTF-8.
    NotText { typed: String },
    /// The command line is right, but the machine or the target does not allow the run.
    CannotRun(String),
}

impl CliError {
    /// `value` of `flag` breaks `rule`.
    pub(super) fn rule(
        flag: &'static str,
        value: impl fmt::Display,
        rule: impl Into<String>,
    ) -> Self {
        Self::Rule { flag, value: value.to_string(), rule: rule.into() }
    }

    /// The exit code that it makes.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::CannotRun(_) => Exit::CouldNotRun,
            _ => Exit::Usage,
        }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCommand => write!(
                f,
                "no command: run, report, plot, serve, top, clocks, doctor or selftest, like \
                 onrush run -R 1k http://127.0.0.1:8080/, or onrush --help"
            ),
            Self::UnknownCommand { typed, nearest: Some(nearest) } => {
                write!(f, "no command '{typed}': did you mean '{nearest}', like onrush {nearest}")
            }
            Self::UnknownCommand { typed, nearest: None } => write!(
                f,
                "no command '{typed}': the commands are run, report, plot, serve, top, clocks, \
                 doctor and selftest, like onrush run {}",
                if typed.contains("://") || typed.starts_with('-') {
                    typed
                } else {
                    "http://127.0.0.1:8080/"
                }
            ),
            Self::UnknownFlag { command, typed, nearest: Some(nearest) } => {
                write!(f, "{command} has no flag '{typed}': did you mean '{nearest}'")
            }
            Self::UnknownFlag { command, typed, nearest: None } => {
                write!(f, "{command} has no flag '{typed}': see onrush {command} --help")
            }
            Self::MissingValue { flag, wants } => {
                write!(f, "{flag} needs a value: {wants}")
            }
            Self::NeedlessValue { flag, value } => {
                write!(f, "{flag} '{value}': it takes no value, like {flag} alone")
            }
            Self::MissingOperand { name, wants, example } => {
                write!(f, "{name} is missing: {wants}, like {example}")
            }
            Self::Surplus { typed, command } => {
                write!(f, "'{typed}' is one word too many: ")?;
                match typed.contains("://") {
                    true => f.write_str("one URL is one word, and braces in it need quotes"),
                    false => write!(f, "see onrush {command} --help"),
                }
            }
            Self::Parse { flag, error } => write!(f, "{flag} {error}"),
            Self::Rule { flag, value, rule } => write!(f, "{flag} '{value}': {rule}"),
            Self::NotText { typed } => write!(f, "'{typed}' is not UTF-8: arguments are text"),
            Self::CannotRun(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for CliError {}

/// The value of `flag`.
///
/// # Errors
/// The text is not of the type.
pub(super) fn parse<T: FromStr<Err = ParseError>>(
    flag: &'static str,
    typed: &str,
) -> Result<T, CliError> {
    typed.parse().map_err(|error| CliError::Parse { flag, error })
}

/// The value of `flag`: as typed, or else its default, which is a text that parses.
///
/// # Errors
/// The text is not of the type.
pub(super) fn read<T: FromStr<Err = ParseError>>(
    flag: &'static str,
    typed: &Option<String>,
    default: &str,
) -> Result<T, CliError> {
    parse(flag, typed.as_deref().unwrap_or(default))
}

/// The value of `flag` where there is one.
///
/// # Errors
/// The text is not of the type.
pub(super) fn read_if_given<T: FromStr<Err = ParseError>>(
    flag: &'static str,
    typed: &Option<String>,
) -> Result<Option<T>, CliError> {
    typed.as_deref().map(|typed| parse(flag, typed)).transpose()
}

/// The count that `flag` gives, within `low` and `high`, both included.
///
/// # Errors
/// The text is no count, or outside.
pub(super) fn read_count(
    flag: &'static str,
    typed: &str,
    (low, high): (u64, u64),
) -> Result<u64, CliError> {
    let Count(count) = parse(flag, typed)?;
    if (low..=high).contains(&count) {
        return Ok(count);
    }
    let example = low.max(high.min(10));
    let rule = match high {
        u64::MAX => format!("it is at least {low}, like {example}"),
        _ => format!("it is from {low} to {high}, like {example}"),
    };
    Err(CliError::rule(flag, typed, rule))
}

/// The seed that `--seed` gives, 1 without it: a count of which each has a meaning, so its own
/// message tells the range.
///
/// # Errors
/// The text is no count.
pub(super) fn read_seed(typed: &Option<String>) -> Result<u64, CliError> {
    let typed = typed.as_deref().unwrap_or("1");
    let rule = || format!("a seed is a whole number from 0 to {}, like 7", u64::MAX);
    let seed = typed.parse::<Count>().map_err(|_| CliError::rule("--seed", typed, rule()))?;
    Ok(seed.0)
}
