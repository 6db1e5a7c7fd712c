//! The only place that prints: results to stdout, everything else to stderr.

use std::fmt;
use std::io::{self, BufWriter, IsTerminal as _, StdoutLock, Write as _};

use super::error::CliError;
use super::exit::Exit;
use crate::plan::Plan;
use crate::report::ExportError;
use crate::report::live::Screen;
use crate::sys::terminal;
use crate::unit::{Nanos, visible};

/// The two streams of a command, and what they can show.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terminal {
    colour: bool,
    progress: bool,
    quiet: bool,
}

impl Terminal {
    /// What the streams of this process can show: colour and progress only on a terminal, colour
    /// only without `NO_COLOR`.
    pub(super) fn detect() -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty());
        Self {
            colour: io::stdout().is_terminal() && !plain,
            progress: io::stderr().is_terminal(),
            quiet: false,
        }
    }

    /// The same without progress and notices, where `quiet` is set.
    pub(super) fn quiet_if(self, quiet: bool) -> Self {
        Self { quiet, ..self }
    }

    /// Whether a report on stdout may be coloured.
    pub(super) fn colour(&self) -> bool {
        self.colour
    }

    /// A result. A reader who has gone away has seen enough: a broken pipe is a success.
    ///
    /// # Errors
    /// stdout does not take it.
    pub(super) fn print(&self, text: &str) -> Result<(), CliError> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).or_else(lost)
    }

    /// A result that is too long to be held, as `write` makes it. As [`Terminal::print`].
    ///
    /// # Errors
    /// It cannot be made, or stdout does not take it.
    pub(super) fn stream(
        &self,
        write: impl FnOnce(&mut BufWriter<StdoutLock<'static>>) -> Result<(), ExportError>,
    ) -> Result<(), CliError> {
        let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        let written = write(&mut out);
        let flushed = written.and_then(|()| out.flush().map_err(ExportError::Out));
        // What could not be written is not to be tried again when `out` is dropped.
        let _ = out.into_parts();
        match flushed {
            Err(ExportError::Log(error)) => Err(CliError::CannotRun(error.to_string())),
            Err(ExportError::Out(error)) => lost(error),
            Ok(()) => Ok(()),
        }
    }

    /// A line on stderr that programs wait for: as it is, and even where quiet is asked for.
    pub(super) fn announce(&self, line: impl fmt::Display) {
        let _ = writeln!(io::stderr(), "{line}");
    }

    /// A notice, unless quiet is asked for.
    pub(super) fn notice(&self, notice: impl fmt::Display) {
        if !self.quiet {
            self.complain(notice);
        }
    }

    /// The error that ends the command, and its exit.
    pub(super) fn fail(&self, error: &CliError) -> Exit {
        self.complain(error);
        error.exit()
    }

    /// The progress line of a run.
    pub(super) fn progress(&self, plan: &Plan) -> Progress {
        Progress { on: self.progress && !self.quiet, goal: Goal::of(plan), drawn: false }
    }

    fn complain(&self, what: impl fmt::Display) {
        // What the user typed may hold anything; a message is one line all the same. Where stderr
        // is gone there is nobody left to tell.
        let _ = writeln!(io::stderr(), "onrush: {}", visible(&what.to_string()));
    }
}

/// What it means that stdout did not take something.
fn lost(error: io::Error) -> Result<(), CliError> {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(CliError::CannotRun(format!("stdout: {error}: send it somewhere with room"))),
    }
}

/// What a run is about to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    Time(Nanos),
    Sessions(u64),
}

impl Goal {
    fn of(plan: &Plan) -> Self {
        plan.count.map_or(Self::Time(plan.warmup + plan.duration), Self::Sessions)
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// Since the start of the warm-up.
    pub elapsed: Nanos,
    /// Sessions that ended.
    pub sessions_done: u64,
    /// Sessions that are open.
    pub in_flight: u64,
    /// Requests that failed.
    pub errors: u64,
}

/// One line on stderr that draws over itself; nothing where stderr is no terminal. It is gone
/// when the value is.
#[derive(Debug)]
pub(super) struct Progress {
    on: bool,
    goal: Goal,
    drawn: bool,
}

impl Progress {
    /// Shows how far the run is; worth a call some times a second.
    pub(super) fn draw(&mut self, standing: &Standing) {
        if self.on {
            let _ = write!(io::stderr(), "\r{}\x1b[K", line(self.goal, standing));
            self.drawn = true;
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// Below 80 columns for any figures below 10^9, so that it never wraps.
fn line(goal: Goal, standing: &Standing) -> String {
    const BAR: usize = 16;
    let (done, total) = match goal {
        Goal::Time(total) => (standing.elapsed.0, total.0),
        Goal::Sessions(total) => (standing.sessions_done, total),
    };
    let share = (done as f64 / total.max(1) as f64).min(1.0);
    let full = (share * BAR as f64) as usize;
    format!(
        "[{}{}] {:3.0}%  {:.1}s  {} done, {} open, {} errors",
        "=".repeat(full),
        " ".repeat(BAR - full),
        share * 100.0,
        standing.elapsed.as_secs_f64(),
        standing.sessions_done,
        standing.in_flight,
        standing.errors,
    )
}

/// The terminal of stdout as a screen that is drawn over and over. Dropped, it restores what was
/// there before and prints the last picture below it.
#[derive(Debug)]
pub(super) struct FullScreen {
    last: String,
}

impl FullScreen {
    /// `None` where stdout is no terminal.
    pub(super) fn open() -> Option<Self> {
        io::stdout().is_terminal().then(|| {
            // The other screen, without a cursor.
            let _ = write!(io::stdout(), "\x1b[?1049h\x1b[?25l");
            Self { last: String::new() }
        })
    }

    /// How large it is by now.
    pub(super) fn size(&self) -> Screen {
        let (columns, lines) = terminal::size(&io::stdout()).unwrap_or((80, 24));
        Screen { columns, lines, colour: Terminal::detect().colour }
    }

    /// Shows `text` in place of what is there.
    pub(super) fn draw(&mut self, text: &str) {
        let lines = text.replace('\n', "\x1b[K\r\n");
        let mut out = io::stdout().lock();
        let _ = write!(out, "\x1b[H{lines}\x1b[J").and_then(|()| out.flush());
        text.clone_into(&mut self.last);
    }
}

impl Drop for FullScreen {
    fn drop(&mut self) {
        let mut out = io::stdout().lock();
        let _ = write!(out, "\x1b[?25h\x1b[?1049l{}", self.last).and_then(|()| out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_progress_line_fits_a_terminal() {
        let standing = Standing {
            elapsed: Nanos::from_secs(86_400),
            sessions_done: 999_999_999,
            in_flight: 99_999,
            errors: 999_999,
        };
        for goal in [Goal::Time(Nanos::from_secs(1)), Goal::Sessions(u64::MAX)] {
            let line = line(goal, &standing);
            assert!(line.len() < 80, "{line}");
        }
    }

    #[test]
    fn progress_goes_by_time_or_by_sessions() {
        let standing =
            Standing { elapsed: Nanos::from_secs(5), sessions_done: 30, in_flight: 2, errors: 1 };
        assert_eq!(
            line(Goal::Time(Nanos::from_secs(10)), &standing),
            "[========        ]  50%  5.0s  30 done, 2 open, 1 errors"
        );
        assert!(line(Goal::Sessions(40), &standing).starts_with("[============    ]  75%"));
        assert!(line(Goal::Time(Nanos::ZERO), &standing).starts_with("[================] 100%"));
    }
}
