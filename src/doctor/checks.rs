//! The checks of the machine: facts and plan in, finding out.

use std::path::Path;

use crate::plan::{ClockName, CpuList, Idle, Plan};

use super::Finding;
use super::facts::Facts;

/// The trial's message has the cure in it.
pub(super) fn ring(trial: &Result<String, String>) -> Finding {
    match trial {
        Ok(step) => Finding::good("io_uring", step),
        Err(message) => Finding { cure: None, ..Finding::bad("io_uring", message, "") },
    }
}

/// A ring's table of direct descriptors may have RLIMIT_NOFILE entries. `run` raises the soft
/// limit to the hard one, so it is the hard one that counts.
pub(super) fn files(facts: &Facts, plan: Option<&Plan>) -> Finding {
    const NAME: &str = "files";
    let Some(limit) = facts.file_limit else {
        return Finding::warn(NAME, "RLIMIT_NOFILE is unknown", "allow prlimit64 to this process");
    };
    let Some(plan) = plan else {
        return Finding::good(NAME, format!("RLIMIT_NOFILE {}: -c per shard at most", limit.hard));
    };
    let per_shard = plan.share(u64::from(plan.connections()), 0);
    let mut said = format!("{per_shard} connections per shard, RLIMIT_NOFILE {}", limit.hard);
    if per_shard > limit.hard {
        // The limit is of each ring's file table.
        said.push_str(", so on several rings");
    }
    Finding::good(NAME, said)
}

pub(super) fn cpus(facts: &Facts, plan: Option<&Plan>) -> Finding {
    const NAME: &str = "cpus";
    let allowed = CpuList(facts.allowed.clone());
    let online = facts.environment.cpus_online.unwrap_or(facts.allowed.len() as u64);
    let Some(plan) = plan else {
        return Finding::good(NAME, format!("{allowed} of {online} online"));
    };
    let outside = plan.cpus.0.iter().filter(|cpu| !facts.allowed.contains(cpu)).copied();
    let outside = CpuList(outside.collect());
    if !outside.0.is_empty() {
        return Finding::bad(
            NAME,
            format!("CPU {outside} is not among {allowed}, which this process may use"),
            format!("--cpus {allowed}, or widen its affinity (taskset, cpuset)"),
        );
    }
    let (shards, cpus) = (plan.shards as usize, plan.cpus.0.len());
    let said = format!("{shards} {} on CPU {}", plural(shards, "shard"), plan.cpus);
    if shards > cpus {
        let late = "shards that share a CPU make each other late";
        return Finding::warn(
            NAME,
            format!("{said}: {late}"),
            format!("-t {cpus}, or more --cpus"),
        );
    }
    let local = plan.target.embedded || plan.target.address.ip().to_canonical().is_loopback();
    let spins = plan.idle == Idle::Spin;
    if local && spins && cpus as u64 >= online {
        let said = format!("{said}: none is left for the target, which is on this host");
        return Finding::warn(NAME, said, "leave one out of --cpus, or --idle sleep");
    }
    Finding::good(NAME, said)
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 { noun.to_owned() } else { format!("{noun}s") }
}

pub(super) fn clock(facts: &Facts, plan: Option<&Plan>) -> Finding {
    const NAME: &str = "clock";
    let asked = plan.map_or(ClockName::Tsc, |plan| plan.clock);
    let source = facts.environment.clocksource.as_deref().unwrap_or("unknown");
    match (asked, facts.tsc_fault) {
        (ClockName::Tsc, None) => {
            Finding::good(NAME, format!("tsc, invariant; the kernel keeps time by {source}"))
        }
        (ClockName::Tsc, Some(fault)) => Finding::warn(
            NAME,
            format!("{fault}; the kernel keeps time by {source}, and CLOCK_MONOTONIC stands in"),
            "--clock monotonic, or boot on a CPU or hypervisor that offers an invariant TSC",
        ),
        (ClockName::MonotonicCoarse, _) => Finding::warn(
            NAME,
            "monotonic-coarse stands still between timer ticks: times below some ms mean nothing",
            "--clock tsc or monotonic",
        ),
        (ClockName::Realtime, _) => Finding::warn(
            NAME,
            "realtime jumps when the wall clock is set",
            "--clock tsc or monotonic",
        ),
        (name, _) => Finding::good(NAME, format!("{name}; the kernel keeps time by {source}")),
    }
}

pub(super) fn governor(facts: &Facts) -> Finding {
    const NAME: &str = "governor";
    let slow: Vec<_> = facts.governors.iter().filter(|(_, name)| name != "performance").collect();
    let Some((_, first)) = slow.first() else {
        return Finding::good(
            NAME,
            if facts.governors.is_empty() {
                "the kernel does not steer the frequency here"
            } else {
                "performance"
            },
        );
    };
    let cpus = CpuList(slow.iter().map(|(cpu, _)| *cpu).collect());
    Finding::warn(
        NAME,
        format!("{first} on CPU {cpus}: the frequency follows the load, and so do the times"),
        "cpupower frequency-set -g performance",
    )
}

pub(super) fn hypervisor(facts: &Facts) -> Finding {
    const NAME: &str = "hypervisor";
    match facts.environment.virtualised {
        Some(true) => Finding::warn(
            NAME,
            "this is a guest: its host may take the CPU away unseen",
            "watch steal in /proc/stat, or measure on bare metal",
        ),
        Some(false) => Finding::good(NAME, "none"),
        None => Finding::good(NAME, "this CPU does not say"),
    }
}

pub(super) fn disk(facts: &Facts, directory: &Path, need: Option<u64>) -> Finding {
    const NAME: &str = "disk";
    let place = directory.display();
    let mib = |bytes: u64| format!("{} MiB", bytes.div_ceil(1 << 20));
    let elsewhere = "-o to another disk, --log 1/N or --log none";
    match (facts.disk_free, need) {
        (None, _) => Finding::bad(NAME, format!("{place} is not to be written to"), elsewhere),
        (Some(free), None) => {
            Finding::good(NAME, format!("{} for 64 bytes a request in {place}", mib(free)))
        }
        (Some(free), Some(need)) if free < need => Finding::bad(
            NAME,
            format!("the log may take {}, {place} has {}", mib(need), mib(free)),
            elsewhere,
        ),
        (Some(free), Some(need)) => Finding::good(
            NAME,
            format!("the log takes {} at most, {place} has {}", mib(need), mib(free)),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::super::sample::{check, facts};
    use super::*;
    use crate::plan::sample::plan;
    use crate::sys::tsc::Fault;

    #[test]
    fn a_ring_is_told_by_its_step_or_its_message() {
        check(&ring(&Ok("defer-taskrun".into())), State::Good, "defer-taskrun");
        let line = ring(&Err("switched off: switch it on".into()));
        check(&line, State::Bad, "BAD  io_uring: switched off: switch it on");
        assert!(line.cure.is_none());
    }

    #[test]
    fn connections_beyond_the_hard_limit_go_on_several_rings() {
        let mut plan = plan();
        plan.concurrence = 4_096;
        check(&files(&facts(), Some(&plan)), State::Good, "4096 connections per shard");
        plan.concurrence = 10_000;
        check(&files(&facts(), Some(&plan)), State::Good, "so on several rings");
        plan.shards = 3;
        check(&files(&facts(), Some(&plan)), State::Good, "3334 connections per shard");
        check(&files(&facts(), None), State::Good, "4096");
        check(&files(&Facts::default(), None), State::Warn, "unknown");
    }

    #[test]
    fn shards_need_cpus_that_they_may_use_each_its_own() {
        let mut plan = plan();
        check(&cpus(&facts(), Some(&plan)), State::Good, "1 shard on CPU 0");
        plan.cpus = "0,7-8".parse().unwrap();
        let said = "CPU 7-8 is not among 0-3";
        check(&cpus(&facts(), Some(&plan)), State::Bad, said);
        plan.cpus = "0-1".parse().unwrap();
        plan.shards = 3;
        check(&cpus(&facts(), Some(&plan)), State::Warn, "3 shards on CPU 0-1");
        plan.cpus = "0-3".parse().unwrap();
        check(&cpus(&facts(), Some(&plan)), State::Warn, "none is left for the target");
        plan.idle = Idle::Sleep;
        check(&cpus(&facts(), Some(&plan)), State::Good, "3 shards");
        check(&cpus(&facts(), None), State::Good, "0-3 of 4 online");
    }

    #[test]
    fn a_clock_that_cannot_be_trusted_is_told_with_a_better_one() {
        let mut plan = plan();
        check(&clock(&facts(), None), State::Good, "tsc, invariant");
        let faulty = Facts { tsc_fault: Some(Fault::Distrusted), ..facts() };
        check(&clock(&faulty, Some(&plan)), State::Warn, "unstable");
        for (name, state) in [
            (ClockName::Monotonic, State::Good),
            (ClockName::MonotonicRaw, State::Good),
            (ClockName::MonotonicCoarse, State::Warn),
            (ClockName::Realtime, State::Warn),
        ] {
            plan.clock = name;
            check(&clock(&faulty, Some(&plan)), state, name.as_str());
        }
    }

    #[test]
    fn a_governor_that_saves_power_and_a_hypervisor_are_told() {
        check(&governor(&facts()), State::Good, "performance");
        check(&governor(&Facts::default()), State::Good, "does not steer");
        let governors = [0, 1].map(|cpu| (cpu, "powersave".to_owned())).to_vec();
        check(&governor(&Facts { governors, ..facts() }), State::Warn, "powersave on CPU 0-1");
        let mut facts = facts();
        check(&hypervisor(&facts), State::Good, "does not say");
        facts.environment.virtualised = Some(true);
        check(&hypervisor(&facts), State::Warn, "guest");
        facts.environment.virtualised = Some(false);
        check(&hypervisor(&facts), State::Good, "none");
    }

    #[test]
    fn a_log_needs_room() {
        let place = Path::new("/data");
        let check =
            |facts: &Facts, need, state, said| check(&disk(facts, place, need), state, said);
        check(&facts(), Some(10 << 20), State::Good, "10 MiB at most, /data has 10 MiB");
        check(&facts(), Some((10 << 20) + 1), State::Bad, "may take 11 MiB");
        check(&facts(), None, State::Good, "10 MiB for 64 bytes a request in /data");
        check(&Facts::default(), Some(1), State::Bad, "/data is not to be written");
    }
}
