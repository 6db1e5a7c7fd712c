//! The kernel's clocks.

use std::cell::Cell;

use crate::plan::ClockName;
use crate::sys::time::Timeline;
use crate::unit::Instant;

use super::Clock;

/// A clock of the kernel, made such that it never runs back: when CLOCK_REALTIME is set back,
/// this one goes on from where it was.
#[derive(Debug, Clone)]
pub struct KernelClock {
    timeline: Timeline,
    last_ns: Cell<u64>,
    /// How far the kernel's clock was set back so far.
    ahead_ns: Cell<u64>,
}

impl KernelClock {
    /// The kernel's clock called `name`; for `tsc` CLOCK_MONOTONIC, whose timeline the TSC
    /// keeps.
    pub fn new(name: ClockName) -> Self {
        let timeline = match name {
            ClockName::Tsc | ClockName::Monotonic => Timeline::Monotonic,
            ClockName::MonotonicRaw => Timeline::MonotonicRaw,
            ClockName::MonotonicCoarse => Timeline::MonotonicCoarse,
            ClockName::Realtime => Timeline::Realtime,
        };
        Self { timeline, last_ns: Cell::new(0), ahead_ns: Cell::new(0) }
    }

    /// The step in ns by which the kernel says that it advances.
    pub fn resolution_ns(&self) -> u64 {
        self.timeline.resolution()
    }

    #[inline]
    fn forward(&self, kernel_ns: u64) -> u64 {
        let now_ns = kernel_ns + self.ahead_ns.get();
        let last_ns = self.last_ns.get();
        if now_ns < last_ns {
            self.ahead_ns.set(self.ahead_ns.get() + (last_ns - now_ns));
            return last_ns;
        }
        self.last_ns.set(now_ns);
        now_ns
    }
}

impl Clock for KernelClock {
    #[inline]
    fn now(&self) -> Instant {
        Instant(self.forward(self.timeline.read()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_back_goes_on_from_where_it_was() {
        let clock = KernelClock::new(ClockName::Realtime);
        let seen = [100, 150, 90, 95, 80, 300].map(|kernel_ns| clock.forward(kernel_ns));
        assert_eq!(seen, [100, 150, 150, 155, 155, 375]);
    }
}
