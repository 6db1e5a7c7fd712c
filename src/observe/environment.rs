//! The environment record: what a reader of the numbers wants to know of the machine.

use std::fs;

use crate::evidence::Environment;
use crate::plan::CpuList;
use crate::sys::{cpu, resource};

use super::procfs;

/// Sysctls that change what a load generator measures; those that a kernel lacks are left out.
const SYSCTLS: [&str; 13] = [
    "kernel.io_uring_disabled",
    "net.core.optmem_max",
    "net.core.rmem_max",
    "net.core.somaxconn",
    "net.core.wmem_max",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_congestion_control",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.tcp_max_tw_buckets",
    "net.ipv4.tcp_timestamps",
    "net.ipv4.tcp_tw_reuse",
    "net.ipv4.tcp_tw_reuse_delay",
];

/// The machine and the process as they are now; `first_cpu` is that of the first shard, whose
/// governor is told.
pub fn environment(first_cpu: usize) -> Environment {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let allowed = cpu::allowed();
    Environment {
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        tool_git: option_env!("ONRUSH_GIT").map(str::to_owned),
        kernel: kernel(),
        cpu: cpu_model(&cpuinfo),
        cpus_online: Some(cpu::online()),
        cpus_allowed: (!allowed.is_empty()).then(|| CpuList(allowed).to_string()),
        virtualised: virtualised(&cpuinfo),
        clocksource: procfs::clocksource(),
        governor: governor(first_cpu),
        nofile: resource::file_limit().ok().map(|limit| limit.soft),
        hostname: procfs::sysctl("kernel.hostname"),
        sysctls: SYSCTLS
            .iter()
            .filter_map(|name| procfs::sysctl(name).map(|value| format!("{name}={value}")))
            .collect(),
    }
}

/// The frequency governor of a CPU; `None` where the kernel does not steer its frequency.
pub fn governor(cpu: usize) -> Option<String> {
    procfs::text(format!("/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor"))
}

fn kernel() -> Option<String> {
    let release = procfs::sysctl("kernel.osrelease")?;
    Some(match procfs::sysctl("kernel.version") {
        Some(version) => format!("{release} {version}"),
        None => release,
    })
}

/// The value of the first line of /proc/cpuinfo that is called `name`.
fn cpuinfo_value<'a>(cpuinfo: &'a str, name: &str) -> Option<&'a str> {
    let (_, value) = cpuinfo
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(found, _)| found.trim_end() == name)?;
    let value = value.trim();
    (!value.is_empty()).then_some(value)
}

fn cpu_model(cpuinfo: &str) -> Option<String> {
    cpuinfo_value(cpuinfo, "model name").map(str::to_owned)
}

/// The CPU tells its guests by a flag; only x86 has it.
fn virtualised(cpuinfo: &str) -> Option<bool> {
    cpuinfo_value(cpuinfo, "flags")
        .map(|flags| flags.split_whitespace().any(|flag| flag == "hypervisor"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpuinfo_gives_the_model_and_the_hypervisor() {
        let guest = "processor\t: 0\nmodel\t\t: 2\nmodel name\t: AMD EPYC\n\
                     flags\t\t: fpu hypervisor\n\nprocessor\t: 1\nmodel name\t: other\n";
        assert_eq!(cpu_model(guest).as_deref(), Some("AMD EPYC"));
        assert_eq!(virtualised(guest), Some(true));
        assert_eq!(virtualised("flags\t\t: fpu vme\n"), Some(false));
        assert_eq!(virtualised("CPU implementer\t: 0x41\n"), None);
        assert_eq!(cpu_model("model name\t:\n"), None);
    }

    #[test]
    fn the_environment_of_a_linux_is_known() {
        let environment = environment(0);
        assert_eq!(environment.tool_version, env!("CARGO_PKG_VERSION"));
        assert!(environment.kernel.unwrap().contains("SMP"));
        assert!(environment.cpus_online.unwrap() >= 1);
        assert!(environment.cpus_allowed.unwrap().parse::<CpuList>().is_ok());
        assert!(environment.sysctls.iter().any(|line| line.starts_with("net.core.somaxconn=")));
        assert!(environment.sysctls.iter().all(|line| !line.ends_with('=')));
    }
}
