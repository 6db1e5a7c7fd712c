//! What became of a shard's CPU: taken by the host, busy with interrupts, asleep, slowed down.

use std::fs;
use std::path::{Path, PathBuf};

use crate::evidence::CpuSeen;
use crate::sys::time::proc_ticks_per_second;
use crate::unit::Nanos;

use super::procfs;

/// An idle state that takes longer to leave counts as deep: a wake-up from it is late.
const DEEP_EXIT: Nanos = Nanos::from_micros(20);

/// What the kernel says of a CPU at a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Cpu {
    number: usize,
    /// Interrupts, soft interrupts, and time that the host took: in clock ticks.
    ticks: Option<[u64; 3]>,
    deep_sleeps: Option<u64>,
    thermal_throttles: Option<u64>,
    frequency_khz: Option<u64>,
}

/// These CPUs as they are now.
pub(super) fn look(numbers: &[usize]) -> Vec<Cpu> {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let look = |&number: &usize| {
        let folder = PathBuf::from(format!("/sys/devices/system/cpu/cpu{number}"));
        Cpu {
            number,
            ticks: ticks(&stat, number),
            deep_sleeps: deep_sleeps(&folder.join("cpuidle")),
            thermal_throttles: procfs::value(folder.join("thermal_throttle/core_throttle_count")),
            // Read at the edges alone: to know it, some drivers interrupt the CPU.
            frequency_khz: procfs::value(folder.join("cpufreq/scaling_cur_freq")),
        }
    };
    numbers.iter().map(look).collect()
}

impl Cpu {
    pub(super) fn since(&self, earlier: &Self) -> CpuSeen {
        let ticks = self.ticks.zip(earlier.ticks);
        let spent = |of: usize| {
            let spent = ticks.and_then(|(now, then)| now[of].checked_sub(then[of]))?;
            Some(spent * 1_000_000_000 / proc_ticks_per_second())
        };
        let delta = |now: Option<u64>, then: Option<u64>| now?.checked_sub(then?);
        let frequencies = [self.frequency_khz, earlier.frequency_khz];
        CpuSeen {
            irq_ns: spent(0),
            softirq_ns: spent(1),
            steal_ns: spent(2),
            deep_sleeps: delta(self.deep_sleeps, earlier.deep_sleeps),
            thermal_throttles: delta(self.thermal_throttles, earlier.thermal_throttles),
            frequency_min_khz: frequencies.into_iter().flatten().min(),
            frequency_max_khz: frequencies.into_iter().flatten().max(),
        }
    }
}

/// irq, softirq and steal of a CPU's line in /proc/stat: the 6th to 8th of its figures.
fn ticks(stat: &str, number: usize) -> Option<[u64; 3]> {
    let name = format!("cpu{number}");
    let mut figures = stat.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some(&*name)).then_some(words.skip(5))
    })?;
    let mut next = || figures.next()?.parse().ok();
    Some([next()?, next()?, next()?])
}

/// How often a CPU went into a deep idle state; `None` where the kernel keeps no account of them.
fn deep_sleeps(cpuidle: &Path) -> Option<u64> {
    let states = fs::read_dir(cpuidle).ok()?.flatten().map(|state| state.path());
    let deep = states.filter_map(|state| {
        let exit_us: u64 = procfs::value(state.join("latency"))?;
        let usage: u64 = procfs::value(state.join("usage"))?;
        Some(if Nanos::from_micros(exit_us) >= DEEP_EXIT { usage } else { 0 })
    });
    let counts: Vec<u64> = deep.collect();
    (!counts.is_empty()).then(|| counts.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "cpu  9 9 9 9 9 9 9 9 9 9\ncpu1 1 2 3 4 5 6 7 8 0 0\n\
                        cpu10 1 2 3 4 5 60 70 80 0 0\ncpu2 1 2 3\nintr 5\n";

    #[test]
    fn a_cpu_is_found_by_its_number() {
        assert_eq!(ticks(STAT, 1), Some([6, 7, 8]));
        assert_eq!(ticks(STAT, 10), Some([60, 70, 80]));
        assert_eq!(ticks(STAT, 2), None, "a kernel of long ago");
        assert_eq!(ticks(STAT, 3), None);
    }

    #[test]
    fn what_only_one_look_has_is_not_known() {
        let khz = |frequency_khz| Cpu { frequency_khz: Some(frequency_khz), ..Cpu::default() };
        let seen = khz(2_000_000).since(&khz(3_000_000));
        assert_eq!(
            (seen.frequency_min_khz, seen.frequency_max_khz),
            (Some(2_000_000), Some(3_000_000))
        );
        assert_eq!((seen.steal_ns, seen.deep_sleeps), (None, None));
        let now = Cpu { ticks: Some([5, 6, 7]), deep_sleeps: Some(4), ..Cpu::default() };
        assert_eq!(now.since(&Cpu::default()), CpuSeen::default());
        let then = Cpu { ticks: Some([5, 6, 6]), deep_sleeps: Some(1), ..Cpu::default() };
        let tick = 1_000_000_000 / proc_ticks_per_second();
        let seen = now.since(&then);
        assert_eq!((seen.irq_ns, seen.steal_ns, seen.deep_sleeps), (Some(0), Some(tick), Some(3)));
    }

    #[test]
    fn the_first_cpu_of_a_linux_has_ticks() {
        let first = look(&[0, 100_000]);
        assert!(first[0].ticks.is_some());
        assert_eq!(first[1], Cpu { number: 100_000, ..Cpu::default() });
    }
}
