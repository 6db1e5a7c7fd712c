//! What the machine did meanwhile: its clock, its CPUs, its network.
//!
//! All but the clock are causes, not damage: what a lost CPU did to the figures is judged by the
//! checks of the figures. They make a run SUSPECT at most, and name the cure.

use super::{Check, KILLED, Limits, NONE_OR_INVALID, NONE_OR_SUSPECT, Subject, is_watching};
use crate::evidence::{CpuSeen, Evidence, Machine, ShardEvidence};
use crate::outcome::Summary;
use crate::plan::ClockName;

const SHORT: &str = "the run was too short to look at the machine twice";
const UNTOLD: &str = "the kernel does not tell it here";

pub(super) fn checks(summary: &Summary) -> Vec<Check> {
    let mut checks = vec![clock_error(summary), clock_lost(summary)];
    checks.extend(shares(summary));
    checks.extend(counts(summary));
    checks.push(frequency_spread(summary));
    checks.push(retransmits(summary));
    checks
}

fn clock_error(summary: &Summary) -> Check {
    let subject = Subject { name: "clock_error", says: "error of the clock", unit: "ppm" };
    if summary.plan.clock != ClockName::Tsc {
        let why = format!("{} is the kernel's own and is not calibrated", summary.plan.clock);
        return subject.unavailable(why);
    }
    let Some(evidence) = &summary.evidence else { return subject.unavailable(KILLED) };
    let Some(calibration) = evidence.calibration else {
        return subject.unavailable("the run kept no calibration");
    };
    // A drift within the error of its own measurement is not significant.
    let (drift, bound) = (calibration.drift_ppm, calibration.drift_bound_ppm.unwrap_or(0.0));
    let drift = drift.map_or(0.0, |drift| drift.abs() - bound);
    let error = calibration.error_bound_ppm.max(drift);
    let limits = Limits { suspect: 10.0, invalid: 100.0 };
    let remedy = "the time stamp counter is off: try --clock monotonic, or a longer run";
    subject.judged(error, limits, remedy)
}

/// The kernel gave up the counter that our stamps come from.
fn clock_lost(summary: &Summary) -> Check {
    let subject = Subject::count("clock_lost", "clock sources given up by the kernel");
    let before = summary.environment.clocksource.as_deref();
    let Some(evidence) = &summary.evidence else { return subject.unavailable(KILLED) };
    let Some(machine) = &evidence.machine else { return subject.unavailable(SHORT) };
    let Some((before, after)) = before.zip(machine.clocksource.as_deref()) else {
        return subject.unavailable(UNTOLD);
    };
    let is_lost = summary.plan.clock == ClockName::Tsc && before == "tsc" && after != "tsc";
    let remedy = "the kernel found the time stamp counter unstable: measure by --clock monotonic";
    subject.counted(u64::from(is_lost), NONE_OR_INVALID, remedy)
}

/// A time and the time that it is a part of, both in ns; or why they are not known.
type Part = Result<(u64, u64), &'static str>;

/// Shares of the measure phase, or of the time between the looks that lie around it; of shards
/// and their CPUs the worst.
fn shares(summary: &Summary) -> [Check; 5] {
    let measured = summary.measured.0;
    let between = |machine: &Machine| machine.between_ns.unwrap_or(measured);
    let of_shard = |of: fn(&ShardEvidence) -> Option<u64>| {
        move |evidence: &Evidence| {
            let worst = evidence.shards.iter().filter_map(of).max().ok_or(UNTOLD)?;
            Ok((worst, measured))
        }
    };
    let of_cpu = |of: fn(&CpuSeen) -> Option<u64>| {
        move |evidence: &Evidence| {
            let machine = evidence.machine.as_ref().ok_or(SHORT)?;
            let seen = evidence.shards.iter().filter_map(|shard| of(&shard.on_cpu));
            Ok((seen.max().ok_or(UNTOLD)?, between(machine)))
        }
    };
    let of_machine = |of: fn(&Machine) -> Option<u64>| {
        move |evidence: &Evidence| {
            let machine = evidence.machine.as_ref().ok_or(SHORT)?;
            Ok((of(machine).ok_or(UNTOLD)?, between(machine)))
        }
    };
    // Pressure on this machine matters where the target runs on it, too.
    let crowd = if summary.plan.target.address.ip().is_loopback() { 50.0 } else { f64::INFINITY };
    [
        share(
            summary,
            Subject::share("run_delay_share", "time in which a shard was ready and did not run"),
            5.0,
            &of_shard(|shard| shard.run_delay_ns),
            "others ran on the CPU of a shard: move them, or the shard (--cpus, isolcpus)",
        ),
        share(
            summary,
            Subject::share("steal_share", "time that the host took from the CPU of a shard"),
            2.0,
            &of_cpu(|cpu| cpu.steal_ns),
            "the host is shared: measure at a quiet time, or on a machine of your own",
        ),
        share(
            summary,
            Subject::share("softirq_share", "time of the CPU of a shard in soft interrupts"),
            50.0,
            &of_cpu(|cpu| cpu.softirq_ns),
            "the network's interrupts crowd a shard out: steer them to other CPUs",
        ),
        share(
            summary,
            Subject::share("cpu_pressure", "time in which a task of the machine lacked a CPU"),
            crowd,
            &of_machine(|machine| machine.cpu_pressure_ns),
            "the machine is crowded, and the target runs on it: end the rest, or use two machines",
        ),
        share(
            summary,
            Subject::share("throttled_share", "time in which a control group stopped us"),
            0.0,
            &of_machine(|machine| machine.throttled_ns),
            "the CPU limit of a control group was met: raise it (cpu.max), or use fewer shards",
        ),
    ]
}

fn share(
    summary: &Summary,
    subject: Subject,
    suspect: f64,
    part_of: &dyn Fn(&Evidence) -> Part,
    remedy: &str,
) -> Check {
    let Some(evidence) = &summary.evidence else { return subject.unavailable(KILLED) };
    if summary.measured.0 == 0 {
        return subject.unavailable("nothing was measured");
    }
    let limits = Limits { suspect, invalid: f64::INFINITY };
    match part_of(evidence) {
        Err(why) => subject.unavailable(why),
        Ok((part_ns, whole_ns)) => {
            subject.judged(100.0 * part_ns as f64 / whole_ns as f64, limits, remedy)
        }
    }
}

fn counts(summary: &Summary) -> [Check; 2] {
    let judged = |subject: Subject, of: &dyn Fn(&Evidence) -> Option<u64>, remedy| match summary
        .evidence
        .as_ref()
        .map(of)
    {
        None => subject.unavailable(KILLED),
        Some(None) => subject.unavailable(UNTOLD),
        Some(Some(count)) => subject.counted(count, NONE_OR_SUSPECT, remedy),
    };
    [
        judged(
            Subject::count("thermal_throttles", "times that heat slowed a CPU down"),
            &|evidence| {
                evidence.shards.iter().filter_map(|shard| shard.on_cpu.thermal_throttles).max()
            },
            "a CPU got too hot: better cooling, or a lower frequency for all of the run",
        ),
        judged(
            Subject::count("time_wait_overflows", "connections ended without TIME_WAIT"),
            &|evidence| network(evidence, "TCPTimeWaitOverflow"),
            "TIME_WAIT is full: raise net.ipv4.tcp_max_tw_buckets, or use --close rst",
        ),
    ]
}

fn network(evidence: &Evidence, name: &str) -> Option<u64> {
    let counts = &evidence.machine.as_ref()?.network;
    counts.iter().find(|count| count.name == name).map(|count| count.count)
}

fn frequency_spread(summary: &Summary) -> Check {
    let subject = Subject::share("frequency_spread", "change of a CPU's frequency");
    let Some(evidence) = &summary.evidence else { return subject.unavailable(KILLED) };
    let spread = |seen: &CpuSeen| {
        let (min, max) = seen.frequency_min_khz.zip(seen.frequency_max_khz)?;
        Some(100.0 * max.saturating_sub(min) as f64 / max.max(1) as f64)
    };
    let spreads = evidence.shards.iter().filter_map(|shard| spread(&shard.on_cpu));
    match spreads.max_by(f64::total_cmp) {
        None => subject.unavailable(UNTOLD),
        Some(spread) => subject.judged(
            spread,
            Limits { suspect: 10.0, invalid: f64::INFINITY },
            "set the governor to performance, and warm the CPU up (-w)",
        ),
    }
}

/// Segments that the whole machine sent again, for other processes, too. What waits for one takes
/// some 200 ms more, or a whole second where it was a SYN.
fn retransmits(summary: &Summary) -> Check {
    let says = match is_watching(summary) {
        true => "updates beside which a segment was sent again",
        false => "requests beside which a segment was sent again",
    };
    let subject = Subject::share("retransmits", says);
    let Some(evidence) = &summary.evidence else { return subject.unavailable(KILLED) };
    let Some(again) = network(evidence, "RetransSegs") else {
        return subject.unavailable(if evidence.machine.is_none() { SHORT } else { UNTOLD });
    };
    let updates = summary.watching.as_ref().map_or(0, |watching| watching.updates.received);
    let messages = summary.tally.requests_sent + updates;
    subject.judged(
        100.0 * again as f64 / messages.max(1) as f64,
        Limits { suspect: 1.0, invalid: f64::INFINITY },
        "segments were lost: look at the network, and at the target's listen backlog",
    )
}
