//! The time stamp counter. x86-64 only; elsewhere [`fault`] says so and nobody reads it.

use std::fmt;
use std::fs;

/// Why the counter does not serve as a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The CPU is not an x86-64.
    NoCounter,
    /// Its rate changes with the CPU's frequency, or it stops in deep sleep.
    NotInvariant,
    /// The kernel found that it drifts, or that the CPUs' counters disagree, and dropped it.
    Distrusted,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCounter => "this CPU has no time stamp counter",
            Self::NotInvariant => "the time stamp counter is not invariant",
            Self::Distrusted => "the kernel marked the time stamp counter unstable",
        })
    }
}

/// What keeps the counter from being a clock that all CPUs share; `None` where nothing does.
pub fn fault() -> Option<Fault> {
    if !cfg!(target_arch = "x86_64") {
        return Some(Fault::NoCounter);
    }
    if !counter::says_invariant() && !kernel_says_invariant() {
        return Some(Fault::NotInvariant);
    }
    // The kernel takes a counter that fails its watchdog or its cross-CPU test off this list.
    let path = "/sys/devices/system/clocksource/clocksource0/available_clocksource";
    match fs::read_to_string(path) {
        Ok(list) if !list.split_whitespace().any(|name| name == "tsc") => Some(Fault::Distrusted),
        _ => None,
    }
}

/// The counter now, at the least cost: its neighbours may overlap the read, yet the reads of
/// one thread never run back. 0 where [`fault`] is [`Fault::NoCounter`].
#[inline]
pub fn read() -> u64 {
    counter::read()
}

/// The counter now, fenced on both sides, so that neither earlier nor later instructions overlap
/// the read: for the brackets of a calibration.
#[inline]
pub fn read_fenced() -> u64 {
    counter::read_fenced()
}

/// The kernel derives these flags from the CPU's model where CPUID does not say it.
fn kernel_says_invariant() -> bool {
    fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| flags_say_invariant(&text))
}

fn flags_say_invariant(cpuinfo: &str) -> bool {
    let flags = cpuinfo.lines().find_map(|line| line.strip_prefix("flags"));
    let has = |name| flags.is_some_and(|flags| flags.split_whitespace().any(|flag| flag == name));
    has("constant_tsc") && has("nonstop_tsc")
}

#[cfg(target_arch = "x86_64")]
mod counter {
    use std::arch::x86_64::{__cpuid, _mm_lfence, _rdtsc, CpuidResult};

    #[inline]
    pub(super) fn read() -> u64 {
        // SAFETY: RDTSC is part of the x86-64 baseline and touches no memory.
        unsafe { _rdtsc() }
    }

    #[inline]
    pub(super) fn read_fenced() -> u64 {
        fence();
        let ticks = read();
        fence();
        ticks
    }

    #[inline]
    fn fence() {
        // SAFETY: LFENCE is SSE2, part of the x86-64 baseline, and touches no memory.
        unsafe { _mm_lfence() }
    }

    /// CPUID 8000_0007h, EDX bit 8: the counter runs at one rate in all power states.
    pub(super) fn says_invariant() -> bool {
        cpuid(0x8000_0000).eax >= 0x8000_0007 && cpuid(0x8000_0007).edx & (1 << 8) != 0
    }

    #[allow(unused_unsafe, reason = "a safe function since Rust 1.94")]
    fn cpuid(leaf: u32) -> CpuidResult {
        // SAFETY: CPUID is on every x86-64; a leaf that is not there yields numbers, no fault.
        unsafe { __cpuid(leaf) }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod counter {
    pub(super) fn read() -> u64 {
        0
    }

    pub(super) fn read_fenced() -> u64 {
        0
    }

    pub(super) fn says_invariant() -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_counter_that_is_constant_and_never_stops_is_invariant() {
        assert!(flags_say_invariant("processor : 0\nflags\t\t: fpu constant_tsc nonstop_tsc hv\n"));
        assert!(!flags_say_invariant("flags\t\t: fpu tsc constant_tsc\n"));
        assert!(!flags_say_invariant("flags\t\t: fpu nonstop_tsc_s3 constant_tsc\n"));
        assert!(!flags_say_invariant(""));
    }

    #[test]
    fn reads_of_either_kind_never_run_back() {
        let mut last = 0;
        for _ in 0..100_000 {
            for ticks in [read(), read_fenced(), read()] {
                assert!(ticks >= last, "{ticks} after {last}");
                last = ticks;
            }
        }
    }
}
