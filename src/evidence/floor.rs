//! What a machine can do at best: what `onrush selftest` measures, and reports stand beside.

use super::{Environment, Holes};
use crate::record;
use crate::unit::Nanos;

record! {
    /// The floor of a machine: nothing measured on it is better than this.
    #[derive(Debug, Clone, Default, PartialEq)]
    pub struct Floor {
        /// The machine, as [`Floor::host_of`] names it.
        pub host: String,
        /// Version of the tool that measured it.
        pub tool_version: String,
        /// When, in ns since 1970.
        pub measured_unix_ns: u64,
        /// The least response of one connection, to the embedded target.
        pub response_min: Option<Nanos>,
        /// Its median.
        pub response_p50: Option<Nanos>,
        /// Its 99th percentile.
        pub response_p99: Option<Nanos>,
        /// Most requests per second of one core.
        pub rate_per_s: f64,
        /// How far equal runs lie apart.
        pub noise: Noise,
        /// Holes in a shard that spins and has next to nothing to do.
        pub holes: Holes,
        /// Time in which they were looked for.
        pub watched: Nanos,
        /// A read of the run's clock, in ns.
        pub clock_ns: f64,
    }
}

record! {
    /// How far the figures of equal runs lie apart: largest less least, as a share of the median.
    #[derive(Debug, Clone, Default, PartialEq)]
    pub struct Noise {
        /// How many runs.
        pub runs: u64,
        /// Requests per second of each.
        pub rate_per_s: f64,
        /// Of the response's median; `None` where a run had too few samples.
        pub p50: Option<f64>,
        /// Of its 99th percentile.
        pub p99: Option<f64>,
    }
}

impl Floor {
    /// What tells a machine from another one as far as a floor goes. `None` where the machine
    /// does not say who it is.
    pub fn host_of(environment: &Environment) -> Option<String> {
        let Environment { hostname, cpu, cpus_online, kernel, .. } = environment;
        let release = kernel.as_deref()?.split_whitespace().next()?;
        let (hostname, cpu) = (hostname.as_deref()?, cpu.as_deref().unwrap_or("unknown CPU"));
        Some(format!("{hostname}, {} x {cpu}, Linux {release}", (*cpus_online)?))
    }
}

impl Noise {
    /// Largest less least of `values`, as a share of their median; `None` where one is missing,
    /// or the median is 0.
    pub fn of(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
        let mut values = values.collect::<Option<Vec<f64>>>()?;
        values.sort_unstable_by(f64::total_cmp);
        let median = *values.get(values.len() / 2).filter(|&&median| median > 0.0)?;
        Some((values[values.len() - 1] - values[0]) / median)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::Field;

    #[test]
    fn noise_is_the_range_over_the_median() {
        let of = |values: &[f64]| Noise::of(values.iter().copied().map(Some));
        assert_eq!(of(&[10.0, 12.0, 9.0]), Some(0.3));
        assert_eq!(of(&[5.0]), Some(0.0));
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[0.0, 0.0]), None);
        assert_eq!(Noise::of([Some(1.0), None].into_iter()), None);
    }

    #[test]
    fn a_machine_is_known_by_name_cpus_and_kernel_release() {
        let environment = Environment {
            hostname: Some("lab1".into()),
            cpu: Some("AMD EPYC".into()),
            cpus_online: Some(2),
            kernel: Some("6.12.1 #1 SMP Monday".into()),
            ..Environment::default()
        };
        let host = "lab1, 2 x AMD EPYC, Linux 6.12.1";
        assert_eq!(Floor::host_of(&environment).as_deref(), Some(host));
        assert_eq!(Floor::host_of(&Environment { hostname: None, ..environment }), None);
    }

    #[test]
    fn a_floor_reads_back_what_it_wrote() {
        let floor = Floor {
            host: "a, 2 x b, Linux c".into(),
            response_p50: Some(Nanos(22_100)),
            rate_per_s: 131_072.5,
            noise: Noise { runs: 8, p50: Some(0.03), ..Noise::default() },
            holes: Holes::prepared(),
            ..Floor::default()
        };
        assert_eq!(Floor::from_text(&floor.to_text()).unwrap(), floor);
    }
}
