//! The kernel's clocks, raw. Which one a run uses, and what for, is decided in `clock`.

use nix::time::{ClockId, clock_getres, clock_gettime};

/// A clock that the kernel keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timeline {
    /// CLOCK_MONOTONIC: since boot, its rate steered by NTP.
    Monotonic,
    /// CLOCK_MONOTONIC_RAW: since boot, the hardware's own rate.
    MonotonicRaw,
    /// CLOCK_MONOTONIC_COARSE: as of the last timer tick.
    MonotonicCoarse,
    /// CLOCK_REALTIME: since 1970, may be set.
    Realtime,
}

impl Timeline {
    fn id(self) -> ClockId {
        match self {
            Self::Monotonic => ClockId::CLOCK_MONOTONIC,
            Self::MonotonicRaw => ClockId::CLOCK_MONOTONIC_RAW,
            Self::MonotonicCoarse => ClockId::CLOCK_MONOTONIC_COARSE,
            Self::Realtime => ClockId::CLOCK_REALTIME,
        }
    }

    /// The time now in ns since this clock's zero.
    #[inline]
    pub fn read(self) -> u64 {
        clock_gettime(self.id()).map(as_ns).expect("Linux has these clocks since 2.6.32")
    }

    /// The step in ns by which the kernel says that this clock advances.
    pub fn resolution(self) -> u64 {
        clock_getres(self.id()).map(as_ns).expect("Linux has these clocks since 2.6.32")
    }
}

/// Ticks per second in which /proc counts CPU time and timers.
pub fn proc_ticks_per_second() -> u64 {
    // SAFETY: sysconf reads a constant of the process; it takes no pointer.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    u64::try_from(ticks).ok().filter(|&ticks| ticks > 0).unwrap_or(100)
}

#[inline]
fn as_ns(time: nix::sys::time::TimeSpec) -> u64 {
    time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_clock_is_past_its_zero_and_says_its_step() {
        for timeline in [
            Timeline::Monotonic,
            Timeline::MonotonicRaw,
            Timeline::MonotonicCoarse,
            Timeline::Realtime,
        ] {
            assert!(timeline.read() > 0, "{timeline:?}");
            let step = timeline.resolution();
            assert!((1..=100_000_000).contains(&step), "{timeline:?}: {step} ns");
        }
        assert!(Timeline::Realtime.read() > 1_600_000_000_000_000_000);
    }
}
