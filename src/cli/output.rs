//! What `run` and `report` print.

use std::path::PathBuf;

use super::error::{CliError, read};
use crate::outcome::Summary;
use crate::report;
use crate::words;

words! {
    /// The form of a report on stdout.
    pub enum Format: "a format is text or json, like json" {
        /// For people.
        Text = "text",
        /// For programs: one object, as the contract has it.
        Json = "json",
    }
}

impl Format {
    /// The report in this form.
    pub(super) fn write(self, summary: &Summary, options: report::text::Options) -> String {
        match self {
            Self::Text => report::text::write(summary, options),
            Self::Json => report::json::write(summary),
        }
    }
}

/// What to print, and where else to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Output {
    /// On stdout.
    pub format: Format,
    /// The JSON report into this file as well.
    pub json: Option<PathBuf>,
    /// The full spectrum of response times, in the text.
    pub latency: bool,
}

impl Output {
    /// What the output flags mean.
    ///
    /// # Errors
    /// The format is none, or the file has no name.
    pub(super) fn new(
        format: &Option<String>,
        json: &Option<String>,
        latency: bool,
    ) -> Result<Self, CliError> {
        let format = read("--format", format, "text")?;
        let json = json.as_deref().map(|json| path("--json", json)).transpose()?;
        Ok(Self { format, json, latency })
    }
}

/// The file that `flag` names.
///
/// # Errors
/// The name is empty.
pub(super) fn path(flag: &'static str, typed: &str) -> Result<PathBuf, CliError> {
    match typed {
        "" => Err(CliError::rule(flag, typed, "it is the name of a file, like onrush.data")),
        _ => Ok(typed.into()),
    }
}
