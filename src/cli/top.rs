//! `onrush top`: a run while it runs, from another process.

use std::path::PathBuf;

use super::args::TopArgs;
use super::error::{CliError, read, read_count};
use super::exit::Exit;
use super::output::path;
use super::terminal::{FullScreen, Terminal};
use crate::clock::{self, Clock as _, KernelClock};
use crate::log::{Follower, Following};
use crate::plan::ClockName;
use crate::report::live::Live;
use crate::sys::signal::{self, Asked};
use crate::unit::{Instant, Nanos};

/// A look at a run, complete.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TopCommand {
    /// The log that the run writes.
    pub log: PathBuf,
    /// How often to look.
    pub interval: Nanos,
    /// Looks after which to leave; `None`: when the run ends.
    pub count: Option<u64>,
}

/// A signal is seen within this time.
const NAP: Nanos = Nanos::from_millis(50);

impl TopCommand {
    /// What `args` mean.
    ///
    /// # Errors
    /// A value breaks its rule.
    pub(super) fn new(args: &TopArgs) -> Result<Self, CliError> {
        let interval: Nanos = read("--interval", &args.interval, "1s")?;
        if interval < NAP {
            return Err(CliError::rule("--interval", interval, "at least 50ms, like 1s"));
        }
        Ok(Self {
            log: path("LOG", args.log.as_deref().unwrap_or("onrush.data"))?,
            interval,
            count: (args.count.as_deref())
                .map(|typed| read_count("--count", typed, (1, u64::MAX)))
                .transpose()?,
        })
    }
}

/// Shows the run until it ends, a signal comes or enough was seen.
pub(super) fn execute(command: &TopCommand, terminal: &Terminal) -> Exit {
    match watch(command, terminal) {
        Ok(exit) => exit,
        Err(error) => terminal.fail(&error),
    }
}

fn watch(command: &TopCommand, terminal: &Terminal) -> Result<Exit, CliError> {
    let unreadable = |error| CliError::CannotRun(format!("{error}"));
    let mut log = Follower::open(&command.log).map_err(unreadable)?;
    signal::catch().map_err(|error| CliError::CannotRun(format!("signals: {error}")))?;
    let clock = KernelClock::new(ClockName::Monotonic);
    let reader = log.reader();
    let mut live = Live::new(reader.plan().clone(), reader.environment().clone(), reader.epoch());
    // What happened before is not shown as an interval; it counts in the totals.
    let mut following = log.read_on(|shard, entry| live.take(shard, entry)).map_err(unreadable)?;
    live.pass_over();
    let name = command.log.display().to_string();
    let mut view = View::open(terminal, &name, &live)?;
    let mut looks = 0;
    let mut last = clock.now();
    let exit = loop {
        if following != Following::Running || command.count == Some(looks) {
            break Exit::Done;
        }
        if let Some(signal) = sleep_until(&clock, last + command.interval) {
            break Exit::Signal(signal);
        }
        following = log.read_on(|shard, entry| live.take(shard, entry)).map_err(unreadable)?;
        let now = clock.now();
        live.end_interval(now.since(last));
        last = now;
        looks += 1;
        view.show(&live, following)?;
    };
    drop(view);
    match following {
        Following::Running => {}
        Following::Ended => {
            terminal.notice(format_args!("the run has ended: 'onrush report {name}' has all of it"))
        }
        Following::Killed => terminal.notice(format_args!(
            "the run was killed, no one writes '{name}' any more: 'onrush report {name}' has \
             what it left"
        )),
    }
    Ok(exit)
}

/// The signal that broke it off, if one did.
fn sleep_until(clock: &KernelClock, until: Instant) -> Option<i32> {
    loop {
        if let Asked::Drain(signal) | Asked::Quit(signal) = signal::asked() {
            return Some(signal);
        }
        let left = until.since(clock.now());
        if left == Nanos::ZERO {
            return None;
        }
        clock::sleep(left.min(NAP));
    }
}

/// A screen that is drawn over, or, where stdout is no terminal, a line at a time.
enum View<'a> {
    Screen(FullScreen, &'a str),
    Lines(&'a Terminal),
}

impl<'a> View<'a> {
    fn open(terminal: &'a Terminal, name: &'a str, live: &Live) -> Result<Self, CliError> {
        match FullScreen::open() {
            Some(screen) => Ok(Self::Screen(screen, name)),
            None => {
                terminal.print(&live.names())?;
                Ok(Self::Lines(terminal))
            }
        }
    }

    fn show(&mut self, live: &Live, following: Following) -> Result<(), CliError> {
        match self {
            Self::Screen(screen, name) => {
                let state = match following {
                    Following::Running => "running",
                    Following::Ended => "ended",
                    Following::Killed => "killed",
                };
                screen.draw(&live.screen(name, state, screen.size()));
                Ok(())
            }
            Self::Lines(terminal) => terminal.print(&live.line()),
        }
    }
}
