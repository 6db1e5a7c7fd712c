//! The CPU's counter as a clock on the timeline of CLOCK_MONOTONIC.

use crate::evidence::Calibration;
use crate::sys::time::Timeline;
use crate::sys::tsc;
use crate::unit::{Instant, Nanos};

use super::Clock;
use super::anchor::{Anchor, two_anchors};

/// Turns ticks into ns: a multiplication and a shift. Shards copy it and agree.
#[derive(Debug, Clone, Copy)]
pub struct TscClock {
    base_tick: u64,
    base_ns: u64,
    /// ns per tick, times 2^SHIFT.
    mult: u64,
}

/// Leaves the rate exact to 10^-14 and has room for counters down to 16 kHz.
const SHIFT: u32 = 48;

impl TscClock {
    /// The line through two readings; the later one is its base.
    fn through(first: &Anchor, second: &Anchor) -> Self {
        let ticks = u128::from(second.outer.saturating_sub(first.outer).max(1));
        let ns = u128::from(second.inner.saturating_sub(first.inner));
        let mult = u64::try_from((ns << SHIFT) / ticks).unwrap_or(u64::MAX);
        Self { base_tick: second.outer, base_ns: second.inner, mult }
    }

    #[inline]
    fn at(self, tick: u64) -> u64 {
        let ticks = tick.saturating_sub(self.base_tick);
        // 64 bits times 64 bits fit in 128: the product never overflows.
        self.base_ns + ((u128::from(ticks) * u128::from(self.mult)) >> SHIFT) as u64
    }

    /// Ticks per second at which it takes the counter to run.
    pub fn ticks_per_s(self) -> f64 {
        (1_u64 << SHIFT) as f64 / self.mult as f64 * 1e9
    }
}

impl Clock for TscClock {
    #[inline]
    fn now(&self) -> Instant {
        Instant(self.at(tsc::read()))
    }
}

/// A [`TscClock`] with the readings that it was calibrated from.
#[derive(Debug, Clone, Copy)]
pub struct CalibratedTsc {
    clock: TscClock,
    first: Anchor,
    error_bound_ppm: f64,
}

impl CalibratedTsc {
    /// Calibrates the counter against CLOCK_MONOTONIC over `length`, asleep in between. To be
    /// called only where [`super::tsc_fault`] is `None`.
    pub fn new(length: Nanos) -> Self {
        let (first, second) = two_anchors(length, anchor);
        Self {
            clock: TscClock::through(&first, &second),
            first,
            error_bound_ppm: Anchor::error_bound_ppm(&first, &second),
        }
    }

    /// The clock, to be copied to where it is read.
    pub fn clock(&self) -> TscClock {
        self.clock
    }

    /// The calibration, its rate checked against the one from its first reading up to now. Call
    /// it at the end of a run; before that the difference says little.
    pub fn check(&self) -> Calibration {
        let last = anchor();
        let whole = TscClock::through(&self.first, &last);
        let drift = whole.mult as f64 / self.clock.mult as f64 - 1.0;
        Calibration {
            ticks_per_s: self.clock.ticks_per_s(),
            error_bound_ppm: self.error_bound_ppm,
            drift_ppm: Some(drift * 1e6),
            drift_bound_ppm: Some(Anchor::error_bound_ppm(&self.first, &last)),
        }
    }
}

fn anchor() -> Anchor {
    Anchor::take(tsc::read_fenced, || Timeline::Monotonic.read())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn made(base_tick: u64, base_ns: u64, ticks: u64, ns: u64) -> TscClock {
        let first = Anchor { outer: base_tick - ticks, inner: base_ns - ns, width: 0 };
        TscClock::through(&first, &Anchor { outer: base_tick, inner: base_ns, width: 0 })
    }

    #[test]
    fn ticks_become_ns_exactly() {
        let clock = made(10_000_000, 5_000_000, 2_500_000, 1_000_000);
        assert_eq!(clock.at(10_000_000), 5_000_000);
        assert!((clock.ticks_per_s() - 2.5e9).abs() < 1e-3);
        // A day of ticks later.
        let day = 86_400 * 2_500_000_000_u64;
        let expect = 5_000_000 + 86_400 * 1_000_000_000_u64;
        assert!(clock.at(10_000_000 + day).abs_diff(expect) <= 1);
    }

    #[test]
    fn a_tick_before_the_base_is_the_base() {
        assert_eq!(made(1_000_000, 700, 1_000, 500).at(3), 700);
    }

    proptest! {
        #[test]
        fn later_ticks_are_never_earlier(
            a in any::<u64>(),
            b in any::<u64>(),
            ticks in 1_000..u64::from(u32::MAX),
            ns in 1_000..u64::from(u32::MAX),
        ) {
            // A counter of 1 MHz or faster: slower ones do not get that far in 584 years.
            let ns = ns.min(ticks.saturating_mul(1_000));
            let clock = made(1 << 33, 1 << 33, ticks, ns);
            // 100 years of a 5 GHz counter.
            let (a, b) = (a % (1 << 63) / 1_024, b % (1 << 63) / 1_024);
            prop_assert!(clock.at(a.min(b)) <= clock.at(a.max(b)));
        }
    }

    #[test]
    fn a_calibration_is_near_the_kernels_clock() {
        if tsc::fault().is_some() {
            return;
        }
        let calibrated = CalibratedTsc::new(Nanos::from_millis(20));
        let before = Timeline::Monotonic.read();
        let now = calibrated.clock().now().0;
        let after = Timeline::Monotonic.read();
        // Both within a millisecond: wide, for the test machine may be busy.
        assert!((before.saturating_sub(1_000_000)..after + 1_000_000).contains(&now));
        let calibration = calibrated.check();
        assert!((1e8..1e10).contains(&calibration.ticks_per_s), "{calibration:?}");
        assert!(calibration.error_bound_ppm > 0.0, "{calibration:?}");
        assert!(calibration.drift_ppm.unwrap().abs() < 10_000.0, "{calibration:?}");
    }
}
