//! The machine at the two edges of a measure phase, and what it counted between them.

use crate::evidence::{CpuSeen, Machine, NetCount};

use super::cgroup::{self, Throttled};
use super::cpus::{self, Cpu};
use super::{net, procfs};

/// The counters of the machine at a moment.
#[derive(Debug, Clone)]
pub struct Look {
    cpus: Vec<Cpu>,
    pressure_us: Option<u64>,
    throttled: Option<Throttled>,
    network: Vec<NetCount>,
}

impl Look {
    /// Reads them, for these CPUs. Takes the kernel some hundred microseconds: not for a shard.
    pub fn take(cpus: &[usize]) -> Self {
        Self {
            cpus: cpus::look(cpus),
            pressure_us: procfs::text("/proc/pressure/cpu").and_then(|text| some_total(&text)),
            throttled: cgroup::throttled(),
            network: net::counts(),
        }
    }

    /// What the machine counted since `earlier`, a look at the same CPUs; how long that is, is
    /// for the caller to say, who has a clock.
    pub fn since(&self, earlier: &Self) -> Machine {
        let throttled = self.throttled.zip(earlier.throttled);
        let throttled = |of: fn(&Throttled) -> u64| {
            throttled.and_then(|(now, then)| of(&now).checked_sub(of(&then)))
        };
        let pressure = self.pressure_us.zip(earlier.pressure_us);
        let waited_us = pressure.and_then(|(now, then)| now.checked_sub(then));
        Machine {
            between_ns: None,
            cpu_pressure_ns: waited_us.map(|us| us.saturating_mul(1_000)),
            throttled_periods: throttled(|throttled| throttled.periods),
            throttled_ns: throttled(|throttled| throttled.time_ns),
            clocksource: procfs::clocksource(),
            network: net::since(&self.network, &earlier.network),
        }
    }

    /// What became of its CPUs since `earlier`, in the order in which they were given.
    pub fn cpus_since(&self, earlier: &Self) -> Vec<CpuSeen> {
        self.cpus.iter().zip(&earlier.cpus).map(|(now, then)| now.since(then)).collect()
    }
}

/// Time in us in which at least one task waited for a CPU.
fn some_total(pressure: &str) -> Option<u64> {
    let some = pressure.lines().find(|line| line.starts_with("some "))?;
    some.rsplit_once("total=")?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_is_the_time_in_which_someone_waited() {
        let text = "some avg10=31.03 avg60=16.93 avg300=16.69 total=3216280370\n\
                    full avg10=0.00 avg60=0.00 avg300=0.00 total=7";
        assert_eq!(some_total(text), Some(3_216_280_370));
        assert_eq!(some_total("full avg10=0.00 total=7"), None);
    }

    #[test]
    fn between_two_looks_a_machine_counts_forwards() {
        let first = Look::take(&[0]);
        let seen = Look::take(&[0]).since(&first);
        assert!(seen.clocksource.is_some());
        assert!(!seen.network.is_empty());
        assert_eq!(first.cpus_since(&first).len(), 1);
        let nothing = Look { throttled: None, pressure_us: None, ..first.clone() };
        let unknown = first.since(&nothing);
        assert_eq!((unknown.cpu_pressure_ns, unknown.throttled_periods), (None, None));
    }
}
