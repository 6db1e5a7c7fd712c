//! The facts that the checks judge, gathered in one place so that the checks stay pure.

use crate::clock;
use crate::evidence::Environment;
use crate::observe::{self, Hold};
use crate::plan::Plan;
use crate::sys::resource::{self, FileLimit};
use crate::sys::{cpu, tsc};
use crate::unit::Nanos;

use super::Case;

/// The machine as it is now; what cannot be had is `None`.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    pub(super) allowed: Vec<usize>,
    pub(super) environment: Environment,
    pub(super) file_limit: Option<FileLimit>,
    /// CPUs that shards may get, and their governors where they have one.
    pub(super) governors: Vec<(usize, String)>,
    pub(super) tsc_fault: Option<tsc::Fault>,
    pub(super) disk_free: Option<u64>,
    /// How long a port is held after a connection to the plan's target.
    pub(super) hold: Nanos,
    /// When each of the plan's ports in TIME_WAIT may connect again, from now.
    pub(super) free_in: Vec<Nanos>,
}

impl Facts {
    pub(super) fn gather(case: &Case<'_>) -> Self {
        let allowed = cpu::allowed();
        let cpus = case.plan.map_or(&allowed, |plan| &plan.cpus.0);
        let first_cpu = cpus.first().copied().unwrap_or(0);
        let governors = cpus.iter().filter_map(|&cpu| Some((cpu, observe::governor(cpu)?)));
        let hold = case
            .plan
            .map_or(Nanos::ZERO, |plan| Hold::of_kernel().toward(plan.target.address.ip()));
        Self {
            environment: observe::environment(first_cpu),
            file_limit: resource::file_limit().ok(),
            governors: governors.collect(),
            tsc_fault: clock::tsc_fault(),
            disk_free: case.log.and_then(|(directory, _)| resource::disk_free(directory).ok()),
            hold,
            free_in: case.plan.map_or_else(Vec::new, |plan| held_ports(plan, hold)),
            allowed,
        }
    }
}

/// Of the plan's own source ports, those that earlier connections to its target still hold.
fn held_ports(plan: &Plan, hold: Nanos) -> Vec<Nanos> {
    let ours = |local: std::net::SocketAddr| {
        (plan.ports.low..=plan.ports.high).contains(&local.port())
            && plan.sources.iter().any(|source| source.is_unspecified() || *source == local.ip())
    };
    observe::time_waits(plan.target.address)
        .iter()
        .filter(|wait| ours(wait.local))
        .map(|wait| wait.free_in(hold))
        .filter(|&free_in| free_in > Nanos::ZERO)
        .collect()
}
