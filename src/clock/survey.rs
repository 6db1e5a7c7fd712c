//! What each clock costs and how far it can be trusted on this machine, measured.

use std::fmt;
use std::hint::black_box;

use crate::plan::ClockName;
use crate::sys::time::Timeline;
use crate::unit::Nanos;

use super::anchor::{Anchor, two_anchors};
use super::{Clock, Notice, Source};

/// What was measured of one clock.
#[derive(Debug, Clone, PartialEq)]
pub struct ClockFacts {
    /// Its name, as `--clock` takes it.
    pub name: ClockName,
    /// Time of one read in ns.
    pub cost_ns: f64,
    /// The step by which it advances, as the kernel says; for the TSC a tick.
    pub resolution_ns: f64,
    /// The smallest step between two reads that differed, in ns; `None` if it stood still.
    pub step_ns: Option<u64>,
    /// Its rate against CLOCK_MONOTONIC, in ppm; above 0 it is fast.
    pub agreement_ppm: f64,
    /// Bound of the error of `agreement_ppm`.
    pub bound_ppm: f64,
}

/// All clocks of this machine; its `Display` is the table of `onrush clocks`.
#[derive(Debug, Clone, PartialEq)]
pub struct Survey {
    /// A clock each, or its name and why it cannot be had.
    pub clocks: Vec<Result<ClockFacts, (ClockName, Notice)>>,
}

/// Length over which a clock is held against CLOCK_MONOTONIC.
const AGREEMENT: Nanos = Nanos::from_millis(200);

/// Measures every clock in turn; takes 1.2 s, asleep for most of it.
pub fn survey() -> Survey {
    let one = |&name: &ClockName| match Source::open(name) {
        (_, Some(notice)) => Err((name, notice)),
        (Source::Tsc(tsc), None) => {
            let clock = tsc.clock();
            Ok(facts(name, &clock, 1e9 / clock.ticks_per_s()))
        }
        (Source::Kernel(clock), None) => Ok(facts(name, &clock, clock.resolution_ns() as f64)),
    };
    Survey { clocks: ClockName::ALL.iter().map(one).collect() }
}

fn facts(name: ClockName, clock: &impl Clock, resolution_ns: f64) -> ClockFacts {
    let take = || Anchor::take(|| Timeline::Monotonic.read(), || clock.now().0);
    let (first, second) = two_anchors(AGREEMENT, take);
    let kernel_ns = (second.outer - first.outer) as f64;
    let clock_ns = (second.inner - first.inner) as f64;
    ClockFacts {
        name,
        cost_ns: cost_ns(clock),
        resolution_ns,
        step_ns: smallest_step(clock),
        agreement_ppm: (clock_ns / kernel_ns - 1.0) * 1e6,
        // A clock may lie up to a step behind at either end, and nobody knows how far.
        bound_ppm: Anchor::error_bound_ppm(&first, &second) + 2.0 * resolution_ns / kernel_ns * 1e6,
    }
}

/// Time of one read of `clock` in ns: the median of batches, so that an interrupt does not
/// count. Takes some milliseconds.
pub fn cost_ns(clock: &impl Clock) -> f64 {
    const BATCHES: usize = 101;
    const READS: u32 = 500;
    let mut batches = [0; BATCHES];
    for batch in &mut batches {
        let start = Timeline::Monotonic.read();
        for _ in 0..READS {
            black_box(clock.now());
        }
        *batch = Timeline::Monotonic.read().saturating_sub(start);
    }
    batches.sort_unstable();
    batches[BATCHES / 2] as f64 / f64::from(READS)
}

/// The smallest step between two reads in a row, of those within 50 ms.
fn smallest_step(clock: &impl Clock) -> Option<u64> {
    let deadline = Timeline::Monotonic.read() + 50_000_000;
    let mut smallest = u64::MAX;
    let mut last = clock.now();
    while Timeline::Monotonic.read() < deadline {
        for _ in 0..100 {
            let now = clock.now();
            match (now - last).0 {
                0 => {}
                step => smallest = smallest.min(step),
            }
            last = now;
        }
    }
    (smallest < u64::MAX).then_some(smallest)
}

impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<17}{:>10} {:>13} {:>13} {:>25}",
            "clock", "cost", "resolution", "least step", "rate against monotonic"
        )?;
        for clock in &self.clocks {
            match clock {
                Ok(facts) => writeln!(f, "{facts}")?,
                Err((name, notice)) => writeln!(f, "{:<17}{notice}", name)?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for ClockFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<17}{:>7.1} ns {:>10.1} ns ", self.name, self.cost_ns, self.resolution_ns)?;
        match self.step_ns {
            Some(step) => write!(f, "{step:>10} ns ")?,
            None => write!(f, "{:>13} ", "none seen")?,
        }
        write!(f, "{:>+10.2} ppm +-{:>8.2}", self.agreement_ppm, self.bound_ppm)
    }
}

#[cfg(test)]
mod tests {
    use super::super::KernelClock;
    use super::*;
    use crate::sys::tsc::Fault;

    #[test]
    fn a_survey_is_a_line_for_each_clock() {
        let facts = ClockFacts {
            name: ClockName::Tsc,
            cost_ns: 7.25,
            resolution_ns: 0.385,
            step_ns: Some(8),
            agreement_ppm: -0.3,
            bound_ppm: 0.9,
        };
        let still = ClockFacts { name: ClockName::MonotonicCoarse, step_ns: None, ..facts.clone() };
        let missing = (ClockName::Tsc, Notice::NoTsc(Fault::NotInvariant));
        let text = Survey { clocks: vec![Ok(facts), Ok(still), Err(missing)] }.to_string();
        let lines: Vec<&str> = text.lines().collect();
        let ends = "-0.30 ppm +-    0.90";
        assert!(lines[0].starts_with("clock"), "{text}");
        assert!(lines[1].starts_with("tsc ") && lines[1].ends_with(ends), "{text}");
        assert!(lines[1].contains("7.2 ns") && lines[1].contains(" 8 ns"), "{text}");
        assert!(lines[2].starts_with("monotonic-coarse ") && lines[2].contains("none seen"));
        assert!(lines[3].contains("is not invariant"), "{text}");
        assert_eq!(lines[0].len(), lines[1].len(), "{text}");
        assert_eq!(lines[1].len(), lines[2].len(), "{text}");
    }

    #[test]
    fn monotonic_agrees_with_itself_within_its_bound() {
        let facts = facts(ClockName::Monotonic, &KernelClock::new(ClockName::Monotonic), 1.0);
        assert!(facts.agreement_ppm.abs() <= facts.bound_ppm, "{facts:?}");
        assert!(facts.cost_ns > 0.0 && facts.step_ns.is_some(), "{facts:?}");
    }
}
