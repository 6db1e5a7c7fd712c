//! The one place that reads time. Everybody else is handed a `now`.
//!
//! A run stamps with one [`Source`]. All shards copy it, so that their stamps lie on one
//! timeline: the source's own kernel clock, for the TSC that of CLOCK_MONOTONIC.

mod anchor;
mod kernel;
#[cfg(test)]
mod manual;
mod survey;
mod tsc;

use std::fmt;
use std::thread;
use std::time::Duration;

use crate::plan::ClockName;
use crate::sys::time::Timeline;
use crate::sys::tsc::Fault;
use crate::unit::{Instant, Nanos};

pub use kernel::KernelClock;
#[cfg(test)]
pub(crate) use manual::ManualClock;
pub use survey::{ClockFacts, Survey, cost_ns, survey};
pub use tsc::{CalibratedTsc, TscClock};

pub use crate::sys::tsc::fault as tsc_fault;

/// A source of [`Instant`]s.
pub trait Clock {
    /// The time now, in ns since this clock's own zero; never runs back.
    fn now(&self) -> Instant;
}

/// The clock of a run. The main thread reads it as it is; a shard takes the clock inside, so
/// that its loop is compiled for that one.
#[derive(Debug, Clone)]
pub enum Source {
    /// The CPU's counter.
    Tsc(CalibratedTsc),
    /// One of the kernel's.
    Kernel(KernelClock),
}

impl Source {
    /// The source that is called `name`, or CLOCK_MONOTONIC with a notice where the TSC was asked
    /// for and cannot be had. Takes 100 ms for the TSC, which has to be calibrated.
    pub fn open(name: ClockName) -> (Self, Option<Notice>) {
        match (name, tsc_fault()) {
            (ClockName::Tsc, None) => (Self::Tsc(CalibratedTsc::new(CALIBRATION)), None),
            (_, fault) => {
                let notice = fault.filter(|_| name == ClockName::Tsc).map(Notice::NoTsc);
                (Self::Kernel(KernelClock::new(name)), notice)
            }
        }
    }
}

/// Length of the calibration at the start of a run.
const CALIBRATION: Nanos = Nanos::from_millis(100);

impl Clock for Source {
    fn now(&self) -> Instant {
        match self {
            Self::Tsc(tsc) => tsc.clock().now(),
            Self::Kernel(kernel) => kernel.now(),
        }
    }
}

/// A clock is not the one that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// CLOCK_MONOTONIC stands in for the TSC.
    NoTsc(Fault),
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::NoTsc(fault) = self;
        write!(
            f,
            "{fault}: stamping with CLOCK_MONOTONIC, which costs more per read; \
             --clock monotonic asks for it without this notice"
        )
    }
}

/// The wall clock: ns since 1970, UTC. For the date of a log, never for a difference.
pub fn wall_ns() -> u64 {
    Timeline::Realtime.read()
}

/// Sleeps for `length`, or a little longer.
pub fn sleep(length: Nanos) {
    thread::sleep(Duration::from_nanos(length.0));
}

/// Sleeps until `clock` shows `until`; returns at once where it already does.
pub fn sleep_until(clock: &impl Clock, until: Instant) {
    loop {
        let left = until.since(clock.now());
        if left == Nanos::ZERO {
            return;
        }
        sleep(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn never_runs_back(clock: &impl Clock) {
        let mut last = clock.now();
        for _ in 0..1_000_000 {
            let now = clock.now();
            assert!(now >= last, "{now:?} after {last:?}");
            last = now;
        }
    }

    #[test]
    fn no_source_runs_back_in_a_million_reads() {
        for &name in ClockName::ALL {
            match Source::open(name).0 {
                Source::Tsc(tsc) => never_runs_back(&tsc.clock()),
                Source::Kernel(kernel) => never_runs_back(&kernel),
            }
        }
    }

    #[test]
    fn a_notice_says_what_stands_in_and_how_to_ask_for_it() {
        let text = Notice::NoTsc(Fault::NotInvariant).to_string();
        assert!(text.starts_with("the time stamp counter is not invariant"), "{text}");
        assert!(text.contains("--clock monotonic"), "{text}");
    }

    #[test]
    fn a_sleep_ends_no_earlier_than_it_should() {
        let clock = KernelClock::new(ClockName::Monotonic);
        let until = clock.now() + Nanos::from_millis(3);
        sleep_until(&clock, until);
        assert!(clock.now() >= until);
    }

    #[test]
    fn a_time_that_is_past_is_not_waited_for() {
        // This clock stands still: a sleep would never end.
        sleep_until(&ManualClock::default(), Instant::ZERO);
    }
}
