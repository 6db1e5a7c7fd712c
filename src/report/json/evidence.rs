//! What a run saw of its machine and a shard of itself; a fact that could not be had is null.

use serde_json::{Map, Value, json};

use crate::evidence::{Evidence, ShardEvidence};
use crate::unit::Nanos;

fn seconds(ns: Option<u64>) -> Option<f64> {
    ns.map(|ns| Nanos(ns).as_secs_f64())
}

/// What the machine counted over the measure phase.
pub(super) fn machine(evidence: Option<&Evidence>) -> Value {
    let Some(machine) = evidence.and_then(|evidence| evidence.machine.as_ref()) else {
        return Value::Null;
    };
    let network = machine.network.iter().map(|net| (net.name.clone(), json!(net.count)));
    json!({
        "between_s": seconds(machine.between_ns),
        "cpu_pressure_s": seconds(machine.cpu_pressure_ns),
        "throttled_periods": machine.throttled_periods,
        "throttled_s": seconds(machine.throttled_ns),
        "clocksource_at_end": machine.clocksource,
        "network": Value::Object(network.collect::<Map<_, _>>()),
    })
}

/// What a shard used, and what the kernel counted against it.
pub(super) fn of_shard(seen: Option<&ShardEvidence>) -> Value {
    let per_op = |seen: &ShardEvidence| {
        (seen.operations > 0).then(|| seen.enters as f64 / seen.operations as f64)
    };
    json!({
        "user_s": seconds(seen.and_then(|seen| seen.user_ns)),
        "sys_s": seconds(seen.and_then(|seen| seen.sys_ns)),
        "run_delay_s": seconds(seen.and_then(|seen| seen.run_delay_ns)),
        "voluntary_switches": seen.and_then(|seen| seen.voluntary_switches),
        "involuntary_switches": seen.and_then(|seen| seen.involuntary_switches),
        "major_faults": seen.and_then(|seen| seen.major_faults),
        "minor_faults": seen.and_then(|seen| seen.minor_faults),
        "enters_per_op": seen.and_then(per_op),
        "passes": seen.map(|seen| seen.passes),
        "cq_overflows": seen.map(|seen| seen.cq_overflows),
        "buffers_exhausted": seen.map(|seen| seen.buffers_exhausted),
        "log_lost": seen.map(|seen| seen.tally.log_lost),
    })
}

/// What became of its CPU meanwhile.
pub(super) fn on_cpu(seen: Option<&ShardEvidence>) -> Value {
    let Some(cpu) = seen.map(|seen| seen.on_cpu) else { return Value::Null };
    json!({
        "irq_s": seconds(cpu.irq_ns),
        "softirq_s": seconds(cpu.softirq_ns),
        "steal_s": seconds(cpu.steal_ns),
        "deep_sleeps": cpu.deep_sleeps,
        "thermal_throttles": cpu.thermal_throttles,
        "frequency_min_khz": cpu.frequency_min_khz,
        "frequency_max_khz": cpu.frequency_max_khz,
    })
}

/// Times in which it was not there.
pub(super) fn holes(seen: Option<&ShardEvidence>) -> Value {
    let Some(holes) = seen.and_then(|seen| seen.holes.as_ref()) else { return Value::Null };
    json!({
        "count": holes.count,
        "total_s": holes.total.as_secs_f64(),
        "longest_s": holes.longest.as_secs_f64(),
        "spectrum": holes.spectrum,
    })
}

/// The passes of its loop in which there was something to do.
pub(super) fn busy(seen: Option<&ShardEvidence>) -> Value {
    let Some(busy) = seen.and_then(|seen| seen.busy) else { return Value::Null };
    let mean = |sum: u64| (busy.passes > 0).then(|| sum as f64 / busy.passes as f64);
    json!({
        "passes": busy.passes,
        "time_s": busy.time.map(Nanos::as_secs_f64),
        "started_mean": mean(busy.started),
        "started_max": busy.started_max,
        "handled_mean": mean(busy.handled),
        "handled_max": busy.handled_max,
    })
}
