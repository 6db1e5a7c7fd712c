//! What `run` and `report` print.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::iter;
use std::path::{Path, PathBuf};

use super::error::{CliError, read};
use super::plot::pictures_of;
use super::terminal::Terminal;
use crate::log::{LogError, Reader};
use crate::outcome::pictures::Pictures;
use crate::outcome::{Cut, SeriesName, Summary};
use crate::plan::{ChannelPlan, LogMode, Plan};
use crate::report;
use crate::unit::Nanos;
use crate::words;

words! {
    /// The form of a report on stdout.
    pub enum Format:
        "a format is text, json, html, csv, hgrm, hlog, fortio, oha or wrk, like json" {
        /// For people.
        Text = "text",
        /// For programs: one object, as the contract has it.
        Json = "json",
        /// For a browser: one page with its pictures.
        Html = "html",
        /// A line for each request, or for each interval.
        Csv = "csv",
        /// The whole distribution of one series, as HdrHistogram writes it.
        Hgrm = "hgrm",
        /// An interval log of HdrHistogram.
        Hlog = "hlog",
        /// The keys of Fortio's JSON.
        Fortio = "fortio",
        /// The keys of oha's JSON.
        Oha = "oha",
        /// As wrk prints it.
        Wrk = "wrk",
    }
}

words! {
    /// The form of figures that are no report.
    pub enum FiguresFormat: "a format is text or json, like json" {
        /// For people.
        Text = "text",
        /// For programs: one object, as the contract has it.
        Json = "json",
    }
}

/// What to print, and where else to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Output {
    /// On stdout.
    pub format: Format,
    /// The JSON report into this file as well.
    pub json: Option<PathBuf>,
    /// The full spectrum of a series, in the text.
    pub latency: bool,
    /// The one series to show, where one is asked for.
    pub series: Option<SeriesName>,
    /// A row for each interval of time.
    pub timeseries: bool,
    /// Length of an interval of an interval log.
    pub interval: Nanos,
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
        let interval = Nanos::from_secs(1);
        Ok(Self { format, json, latency, series: None, timeseries: false, interval })
    }

    /// Prints `summary`, which is that of `logs`.
    ///
    /// # Errors
    /// A log cannot be read any more, or stdout does not take it.
    pub(super) fn print(
        &self,
        summary: &Summary,
        logs: &[PathBuf],
        terminal: &Terminal,
    ) -> Result<(), CliError> {
        let series = self.series.unwrap_or(SeriesName::Response);
        let log = summary.plan.log;
        let is_whole = matches!(self.format, Format::Text | Format::Json | Format::Html);
        if !is_whole || self.timeseries || self.latency {
            tell_if_watched(&summary.plan, terminal);
        }
        if self.is_of_requests() && log != LogMode::All {
            let what = if self.timeseries { "--timeseries" } else { self.format.as_str() };
            terminal.notice(format_args!(
                "the log keeps {log}, not every request: {what} has those alone"
            ));
        }
        let text = match self.format {
            Format::Csv if !self.timeseries => {
                let logs = open(summary, logs)?;
                return terminal.stream(|out| report::csv::write(&logs, out));
            }
            Format::Hlog => {
                let logs = open(summary, logs)?;
                let all = || report::hlog::series_of(&summary.plan);
                let series = self.series.map_or_else(all, |series| vec![series]);
                let options = report::hlog::Options { interval: self.interval, series };
                return terminal.stream(|out| report::hlog::write(&logs, &options, out));
            }
            Format::Text => {
                let spectrum = self.latency.then_some(series);
                let (colour, timeseries) = (terminal.colour(), self.timeseries);
                let options = report::text::Options { colour, spectrum, timeseries };
                report::text::write(summary, options)
            }
            Format::Json => self.json_of(summary),
            Format::Html => report::html::write(summary, &pictures_of_parts(summary, logs)?),
            Format::Csv => report::timeseries::csv(summary),
            Format::Hgrm => report::hgrm::write(summary, series),
            Format::Fortio => report::fortio::write(summary, series),
            Format::Oha => report::oha::write(summary, series),
            Format::Wrk => report::wrk::write(summary, series),
        };
        terminal.print(&text)
    }

    /// Whether it shows single requests, or the run over time: then it has only those that the log
    /// keeps.
    fn is_of_requests(&self) -> bool {
        self.timeseries || matches!(self.format, Format::Csv | Format::Hlog)
    }

    /// The JSON report.
    pub(super) fn json_of(&self, summary: &Summary) -> String {
        match self.timeseries {
            true => report::json::with_timeseries(summary),
            false => report::json::write(summary),
        }
    }
}

/// Says of a run that watched updates why what is made of requests is empty.
pub(super) fn tell_if_watched(plan: &Plan, terminal: &Terminal) {
    if plan.channels.as_ref().is_some_and(ChannelPlan::is_watching) {
        terminal.notice(format_args!(
            "a monitor times no request: its figures are in text, json and html alone"
        ));
    }
}

/// Each log with its own summary and cut: where the warm-up ends differs from run to run.
fn each_own<'a>(
    summary: &'a Summary,
    logs: &'a [PathBuf],
) -> impl Iterator<Item = (&'a PathBuf, &'a Summary)> {
    let parts = summary.parts.iter().map(|part| &part.summary);
    logs.iter().zip(parts.chain(iter::repeat(summary)))
}

/// What each log shows, under its name.
fn pictures_of_parts(
    summary: &Summary,
    logs: &[PathBuf],
) -> Result<Vec<(String, Pictures)>, CliError> {
    let named = each_own(summary, logs)
        .map(|(log, own)| Ok((log.display().to_string(), pictures_of(log, own)?)));
    named.collect()
}

/// Each log with what it is cut to.
fn open(summary: &Summary, logs: &[PathBuf]) -> Result<Vec<(Reader, Cut)>, CliError> {
    let cannot = |error: LogError| CliError::CannotRun(error.to_string());
    let opened = each_own(summary, logs).map(|(log, own)| {
        Ok((Reader::open(log).map_err(cannot)?, own.cut.clone().unwrap_or_default()))
    });
    opened.collect()
}

impl Output {
    /// Opens the file for the JSON report, where one is wanted, so that it is known before a run
    /// that there is one.
    ///
    /// # Errors
    /// It cannot be written, or is one of `logs`.
    pub(super) fn open_json(&self, logs: &[PathBuf]) -> Result<Option<JsonFile>, CliError> {
        self.json.as_deref().map(|path| JsonFile::open(path, logs)).transpose()
    }
}

/// The file of a JSON report that is yet to come. What is in it stays until then; a file that was
/// not there before goes when there is no report.
#[derive(Debug)]
pub(super) struct JsonFile {
    path: PathBuf,
    file: File,
    is_vain: bool,
}

impl JsonFile {
    fn open(path: &Path, logs: &[PathBuf]) -> Result<Self, CliError> {
        let whole = path.canonicalize().ok();
        let is_it =
            |log: &PathBuf| log == path || whole.is_some() && log.canonicalize().ok() == whole;
        if logs.iter().any(is_it) {
            let rule = "it is the log itself, like onrush.json";
            return Err(CliError::rule("--json", path.display(), rule));
        }
        let is_vain = whole.is_none();
        let file = File::options().write(true).create(true).truncate(false).open(path);
        let file = file.map_err(|error| cannot_write(path, &error))?;
        Ok(Self { path: path.to_owned(), file, is_vain })
    }

    /// Puts `report` in the place of what is there.
    ///
    /// # Errors
    /// The disk does not take it.
    pub(super) fn write(mut self, report: &str) -> Result<(), CliError> {
        self.is_vain = false;
        self.replace(report).map_err(|error| cannot_write(&self.path, &error))
    }

    fn replace(&mut self, report: &str) -> io::Result<()> {
        // A pipe or a device has no length.
        if self.file.metadata()?.is_file() {
            self.file.set_len(0)?;
        }
        self.file.write_all(report.as_bytes())
    }
}

impl Drop for JsonFile {
    fn drop(&mut self) {
        if self.is_vain {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> CliError {
    CliError::CannotRun(format!("--json {}: {error}; choose another file", path.display()))
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
