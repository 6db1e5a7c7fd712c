//! What the machine was and what the run cost: the part of the evidence that is not requests.
//! A fact that could not be had is `None`, never 0.

use super::{Holes, Tally, UpdatesSeen};
use crate::record;
use crate::unit::Nanos;

record! {
    /// The machine and the process, before the run.
    #[derive(Debug, Clone, Default, PartialEq)]
    pub struct Environment {
        /// Version of this tool.
        pub tool_version: String,
        /// Git revision that it was built from, where known.
        pub tool_git: Option<String>,
        /// Kernel release and version.
        pub kernel: Option<String>,
        /// CPU model.
        pub cpu: Option<String>,
        /// CPUs online.
        pub cpus_online: Option<u64>,
        /// CPUs that the process may use.
        pub cpus_allowed: Option<String>,
        /// A hypervisor is under the kernel.
        pub virtualised: Option<bool>,
        /// The kernel's clock source.
        pub clocksource: Option<String>,
        /// Frequency governor of the first shard's CPU.
        pub governor: Option<String>,
        /// RLIMIT_NOFILE, soft.
        pub nofile: Option<u64>,
        /// Host name.
        pub hostname: Option<String>,
        /// Sysctls that a reader of the numbers wants: name=value.
        pub sysctls: Vec<String>,
    }
}

record! {
    /// A clock against the kernel's monotonic one.
    #[derive(Debug, Clone, Copy, Default, PartialEq)]
    pub struct Calibration {
        /// Ticks of the counter per second, as the run used them.
        pub ticks_per_s: f64,
        /// Bound of the rate's error, from the widths of the bracketed reads, in ppm.
        pub error_bound_ppm: f64,
        /// Difference between the rate used and the rate over the whole run, in ppm.
        pub drift_ppm: Option<f64>,
        /// Error bound of `drift_ppm` itself, in ppm; a smaller drift is not significant.
        pub drift_bound_ppm: Option<f64>,
    }
}

record! {
    /// The passes of a shard's loop in which it had something to do: operations to push, or
    /// completions to take.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub struct Busy {
        /// How many.
        pub passes: u64,
        /// Their length without the holes in them. `None` where the shard may wait in the kernel
        /// (a closed loop, `--idle sleep`): how much of such a pass was work is not known.
        pub time: Option<Nanos>,
        /// Sessions started in them.
        pub started: u64,
        /// The most in one.
        pub started_max: u32,
        /// Completions handled in them.
        pub handled: u64,
        /// The most in one.
        pub handled_max: u32,
    }
}

record! {
    /// What one shard saw of itself over its measure phase.
    #[derive(Debug, Clone, Default, PartialEq)]
    pub struct ShardEvidence {
        /// The CPU it was pinned to.
        pub cpu: u64,
        /// The step of the feature ladder that its ring runs on.
        pub ring: String,
        /// `io_uring_enter` calls.
        pub enters: u64,
        /// Passes of the loop.
        pub passes: u64,
        /// Operations pushed.
        pub operations: u64,
        /// Completions of operations whose connection had gone on.
        pub stale_completions: u64,
        /// Completion queue overflows, over the whole run.
        pub cq_overflows: u64,
        /// Times that the shared receive buffers ran out.
        pub buffers_exhausted: u64,
        /// User CPU time of the thread in ns.
        pub user_ns: Option<u64>,
        /// System CPU time of the thread in ns.
        pub sys_ns: Option<u64>,
        /// Context switches that the thread asked for.
        pub voluntary_switches: Option<u64>,
        /// Context switches forced on it.
        pub involuntary_switches: Option<u64>,
        /// Page faults without IO.
        pub minor_faults: Option<u64>,
        /// Page faults with IO.
        pub major_faults: Option<u64>,
        /// Time in ns in which the thread was ready to run and did not.
        pub run_delay_ns: Option<u64>,
        /// What became of its CPU meanwhile.
        pub on_cpu: CpuSeen,
        /// Times in which it was not there.
        pub holes: Option<Holes>,
        /// Passes in which there was something to do.
        pub busy: Option<Busy>,
        /// Sum over time of the sessions that were open, each from its first send to its last
        /// end, over the whole run: session-ns.
        pub open_ns: Option<u64>,
        /// From the start of the measure phase to the last end of a request of it that was ok.
        pub span: Nanos,
        /// Requests that the log was not to keep.
        pub log_left_out: Option<u64>,
        /// What it counted.
        pub tally: Tally,
        /// What it saw of updates; `None` where it had no subscriptions.
        pub updates: Option<UpdatesSeen>,
    }
}

record! {
    /// Resources of the whole process, from start of the run to its end.
    #[derive(Debug, Clone, Default, PartialEq)]
    pub struct Resources {
        /// User CPU time.
        pub user_ns: u64,
        /// System CPU time.
        pub sys_ns: u64,
        /// Wall time.
        pub elapsed_ns: u64,
        /// Largest resident set.
        pub max_rss_kib: u64,
        /// Faults with IO.
        pub major_faults: u64,
        /// Faults without.
        pub minor_faults: u64,
        /// Blocks read by the file system.
        pub blocks_in: u64,
        /// Blocks written.
        pub blocks_out: u64,
        /// Swaps; Linux does not keep it and says 0.
        pub swaps: u64,
        /// Context switches asked for.
        pub voluntary_switches: u64,
        /// Context switches forced.
        pub involuntary_switches: u64,
        /// Threads of the kernel's io-wq pool seen at the end.
        pub iowq_threads: Option<u64>,
    }
}

record! {
    /// What became of a CPU over the measure phase, give or take 20 ms; times in the kernel's
    /// ticks of some ms.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub struct CpuSeen {
        /// Time in interrupts, in ns; 0 on kernels that charge it to whom they interrupt.
        pub irq_ns: Option<u64>,
        /// Time in soft interrupts, those of the network among them, in ns.
        pub softirq_ns: Option<u64>,
        /// Time that the hypervisor gave to others, in ns.
        pub steal_ns: Option<u64>,
        /// Times that it went into an idle state that takes 20 us or more to leave.
        pub deep_sleeps: Option<u64>,
        /// Times that heat slowed it down.
        pub thermal_throttles: Option<u64>,
        /// The lower of its frequencies at the two edges, in kHz.
        pub frequency_min_khz: Option<u64>,
        /// The higher one.
        pub frequency_max_khz: Option<u64>,
    }
}

record! {
    /// What the machine counted over the measure phase, give or take 20 ms: for all its
    /// processes, in our network namespace.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct Machine {
        /// Time in ns between the two looks at it, which lie around the measure phase.
        pub between_ns: Option<u64>,
        /// Time in ns in which some task of it waited for a CPU (PSI).
        pub cpu_pressure_ns: Option<u64>,
        /// Periods in which the CPU limit of our control groups stopped us.
        pub throttled_periods: Option<u64>,
        /// How long it did so, in ns.
        pub throttled_ns: Option<u64>,
        /// The kernel's clock source at the end.
        pub clocksource: Option<String>,
        /// Counters of TCP, by the kernel's names; those that it lacks are not there.
        pub network: Vec<NetCount>,
    }
}

record! {
    /// A counter of the network.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct NetCount {
        /// As the kernel calls it.
        pub name: String,
        /// By how much it grew.
        pub count: u64,
    }
}

record! {
    /// Figures of what the user asked to watch, over the measure phase.
    #[derive(Debug, Clone, Default, PartialEq)]
    pub struct Watched {
        /// CPU % of the watched process; 100 is one CPU.
        pub pid_cpu_percent: Option<f64>,
        /// The part of it in user mode.
        pub pid_user_percent: Option<f64>,
        /// The part of it in the kernel.
        pub pid_system_percent: Option<f64>,
        /// Threads that it had at the end.
        pub pid_threads: Option<u64>,
        /// Bytes received by the watched device.
        pub rx_bytes: Option<u64>,
        /// Bytes sent by it.
        pub tx_bytes: Option<u64>,
        /// Packets received by it.
        pub rx_packets: Option<u64>,
        /// Packets sent by it.
        pub tx_packets: Option<u64>,
    }
}

record! {
    /// What a run leaves behind at its end, beside the records.
    #[derive(Debug, Clone, Default, PartialEq)]
    pub struct Evidence {
        /// Real length of the measure phase: the plan's unless a signal or a count cut it.
        pub measured: Nanos,
        /// The signal that ended the run.
        pub signal: Option<i32>,
        /// What ended the run before its time, in words.
        pub cut_short: Option<String>,
        /// The process.
        pub resources: Resources,
        /// The clock, where it had to be calibrated.
        pub calibration: Option<Calibration>,
        /// What was watched.
        pub watch: Watched,
        /// The machine; `None` where the run was too short to look at it twice.
        pub machine: Option<Machine>,
        /// The shards, in their order.
        pub shards: Vec<ShardEvidence>,
        /// Notices of the run, each with its remedy.
        pub notices: Vec<String>,
    }
}
