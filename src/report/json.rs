//! The report for programs: one object with stable keys, units in the keys, `null` for what is
//! unknown. `docs/report.schema.json` describes it.

mod evidence;

use serde_json::{Map, Value, json};

use super::figures::PERCENTILES;
use super::{errors, findings, floor, times, timeseries, updates};
use crate::evidence::{Outcome, ShardEvidence, Tally};
use crate::outcome::{Check, Cut, Judged, NumberList, Part, ShardSummary, State, Summary};
use crate::plan::{ChannelPlan, Plan, Search};
use crate::stats::{Bounds, Distribution};
use crate::unit::{Nanos, Quantile, Rate};

/// Version of the keys; a key is never taken back within one.
const SCHEMA_VERSION: u32 = 1;

/// Writes the report, a line break at its end.
pub fn write(summary: &Summary) -> String {
    format!("{:#}\n", object(summary))
}

/// The same, with a row for each interval of time.
pub fn with_timeseries(summary: &Summary) -> String {
    let mut object = object(summary);
    object["timeseries"] = timeseries::json(summary);
    format!("{object:#}\n")
}

fn object(summary: &Summary) -> Value {
    let mut object = common(summary);
    let keys = object.as_object_mut().expect("it is one");
    if let Some(channels) = &summary.plan.channels {
        keys.insert("channels".into(), channels_of(channels));
    }
    if let Some(counts) = updates::json(summary) {
        keys.insert("updates".into(), counts);
    }
    if let Some(watching) = &summary.watching {
        keys.insert("age_ns".into(), times_of(&watching.age));
        keys.insert("gap_ns".into(), times_of(&watching.gap));
    }
    object
}

fn channels_of(channels: &ChannelPlan) -> Value {
    json!({
        "op": channels.op.as_str(),
        "pvs": channels.pvs,
        "monitors": channels.monitors,
        "circuits": channels.circuits,
        "profile": channels.profile.as_str(),
        "queue": channels.queue,
        "ack": channels.ack,
        "search": channels.search.map(Search::as_str),
    })
}

fn common(summary: &Summary) -> Value {
    let figures = &summary.figures;
    let tally = &summary.tally;
    let evidence = summary.evidence.as_ref();
    json!({
        "schema_version": SCHEMA_VERSION,
        "tool": {
            "name": "onrush",
            "version": summary.environment.tool_version,
            "git": summary.environment.tool_git,
        },
        "plan": plan(&summary.plan),
        "target": {
            "url": summary.plan.target.url,
            "address": summary.plan.target.address.to_string(),
            "embedded": summary.plan.target.embedded,
        },
        "environment": environment(summary),
        "verdict": summary.verdict.as_str(),
        "checks": checks(summary),
        "gates": gates(summary),
        "floor": floor::beside_json(summary.floor.as_ref()),
        "regime": summary.regime.kind.as_str(),
        "overloaded": summary.regime.is_overloaded,
        "backlog_max": summary.regime.backlog_max,
        "at_cap_s": summary.regime.at_cap.map(Nanos::as_secs_f64),
        "cut": summary.cut.as_ref().map(cut),
        "began_unix_ns": summary.began_unix_ns,
        "measured_s": summary.measured.as_secs_f64(),
        "span_s": summary.span.as_secs_f64(),
        "cut_short": evidence.and_then(|evidence| evidence.cut_short.clone()),
        "signal": evidence.and_then(|evidence| evidence.signal),
        "totals": totals(tally),
        "requests": requests(tally, evidence.is_some()),
        "connections": evidence.map(|_| connections(tally)),
        "rate": {
            "offered_per_s": summary.rates.offered_per_s,
            "sent_per_s": summary.rates.sent_per_s,
            "achieved_per_s": summary.rates.achieved_per_s,
            "requests_per_s": summary.rates.requests_per_s,
            "bytes_received_per_s": summary.rates.bytes_received_per_s,
        },
        "steady": steady(summary),
        "response_ns": response(summary),
        "service_ns": service(summary),
        "wait_ns": times_of(&figures.wait),
        "lag_ns": times_of(&figures.lag),
        "connect_ns": times_of(&figures.connect),
        "first_byte_ns": times_of(&figures.first_byte),
        "session_ns": times_of(&figures.session),
        "outcomes": outcomes(tally),
        "status": statuses(tally),
        "errors": failures(tally, &summary.plan),
        "resources": resources(summary),
        "machine": evidence::machine(evidence),
        "watch": watch(summary),
        "notices": findings::notices(summary),
        "shards": summary.shards.iter().map(shard).collect::<Value>(),
        "files": summary.parts.iter().map(file).collect::<Value>(),
    })
}

fn plan(plan: &Plan) -> Value {
    let rate = match plan.rate {
        Rate::Max => json!("max"),
        rate => json!(rate.as_per_second_f64()),
    };
    let sources: Vec<String> = plan.sources.iter().map(ToString::to_string).collect();
    let request = &plan.request;
    json!({
        "url": plan.target.url,
        "scheme": plan.target.scheme.as_str(),
        "host": plan.target.host,
        "path": plan.target.path,
        "rate_per_s": rate,
        "concurrence": plan.concurrence,
        "pattern": plan.pattern.to_string(),
        "duration_ns": plan.duration.0,
        "target_ci": plan.target_ci.map(|precision| precision.to_string()),
        "count": plan.count,
        "warmup_ns": plan.warmup.0,
        "requests": plan.requests,
        "think_ns": plan.think.0,
        "fresh": plan.fresh,
        "close": plan.close.as_str(),
        "on_cap": plan.on_cap.as_str(),
        "timeout_ns": plan.timeout.0,
        "seed": plan.seed,
        "allow_partial": plan.allow_partial,
        "method": request.method,
        "headers": request.headers,
        "body_bytes": request.body_bytes.map(|bytes| bytes.0),
        "expect_status": request.expect_status,
        "send_bytes": request.send_bytes,
        "expect_bytes": request.expect_bytes,
        "shards": plan.shards,
        "cpus": plan.cpus.to_string(),
        "idle": plan.idle.as_str(),
        "clock": plan.clock.as_str(),
        "sources": sources,
        "ports": plan.ports.to_string(),
        "sqpoll": plan.sqpoll,
        "sqpoll_cpu": plan.sqpoll_cpu,
        "watch_pid": plan.watch_pid,
        "watch_dev": plan.watch_dev,
        "log": plan.log.to_string(),
        "labels": plan.labels,
    })
}

fn environment(summary: &Summary) -> Value {
    let environment = &summary.environment;
    let calibration = summary.evidence.as_ref().and_then(|evidence| evidence.calibration);
    json!({
        "kernel": environment.kernel,
        "cpu": environment.cpu,
        "clock": {
            "name": summary.plan.clock.as_str(),
            "ticks_per_s": calibration.map(|c| c.ticks_per_s),
            "error_bound_ppm": calibration.map(|c| c.error_bound_ppm),
            "drift_ppm": calibration.and_then(|c| c.drift_ppm),
            "drift_bound_ppm": calibration.and_then(|c| c.drift_bound_ppm),
        },
        "cpus_online": environment.cpus_online,
        "cpus_allowed": environment.cpus_allowed,
        "virtualised": environment.virtualised,
        "clocksource": environment.clocksource,
        "governor": environment.governor,
        "nofile": environment.nofile,
        "hostname": environment.hostname,
        "sysctls": environment.sysctls,
    })
}

fn checks(summary: &Summary) -> Value {
    let check = |check: &Check| {
        json!({
            "name": check.name,
            "says": check.says,
            "state": check.state.as_str(),
            "value": check.value,
            "unit": check.unit,
            "limit": check.limit,
            "remedy": (check.state != State::Ok).then_some(&check.remedy),
        })
    };
    summary.checks.iter().map(check).collect()
}

fn gates(summary: &Summary) -> Value {
    let gate = |judged: &Judged| {
        let gate = judged.gate.to_string();
        json!({"gate": gate, "value": judged.value, "met": judged.is_met})
    };
    summary.gates.iter().map(gate).collect()
}

fn cut(cut: &Cut) -> Value {
    let list = |list: &NumberList| (!list.is_empty()).then(|| list.to_string());
    json!({
        "from_ns": cut.from.map(|from| from.0),
        "to_ns": cut.to.map(|to| to.0),
        "phases": cut.phases.iter().map(|phase| phase.as_str()).collect::<Vec<_>>(),
        "shards": list(&cut.shards),
        "outcomes": cut.outcomes.iter().map(|outcome| outcome.as_str()).collect::<Vec<_>>(),
        "statuses": list(&cut.statuses),
    })
}

fn totals(tally: &Tally) -> Value {
    json!({
        "planned": tally.sessions_planned,
        "started": tally.sessions_started,
        "ok": tally.sessions_ok,
        "failed": tally.sessions_failed,
        "dropped": tally.sessions_dropped,
        "unserved": tally.sessions_unserved,
        "deferred": tally.sessions_deferred,
        "in_flight_at_end": tally.sessions_in_flight,
    })
}

/// A request in flight has no record: only a run that came to its end tells of it.
fn requests(tally: &Tally, has_ended: bool) -> Value {
    json!({
        "sent": tally.requests_sent,
        "ok": tally.requests_ok,
        "failed": tally.requests_failed,
        "in_flight_at_end": has_ended.then_some(tally.requests_in_flight),
        "bytes_sent": tally.bytes_sent,
        "bytes_received": tally.bytes_received,
    })
}

fn connections(tally: &Tally) -> Value {
    json!({
        "asked": tally.connections_asked,
        "opened": tally.connections_opened,
        "served": tally.connections_served,
        "started": tally.connections_started,
        "ended": tally.connections_ended,
        "reopened": tally.connections_reopened,
        "max_concurrence": tally.concurrence_max,
        "ports_set_aside": tally.ports_set_aside,
    })
}

fn times_of(distribution: &Distribution) -> Value {
    let nanos = |time: Option<Nanos>| json!(time.map(|time| time.0));
    let mut out = Map::new();
    out.insert("count".into(), json!(distribution.count()));
    out.insert("min".into(), nanos(distribution.min()));
    out.insert("max".into(), nanos(distribution.max()));
    out.insert("mean".into(), json!(distribution.mean().map(tenths)));
    out.insert("stddev".into(), json!(distribution.stddev().map(tenths)));
    for quantile in PERCENTILES {
        out.insert(key(quantile), nanos(distribution.quantile(quantile)));
    }
    Value::Object(out)
}

/// The response, with what can be said of its percentiles.
fn response(summary: &Summary) -> Value {
    let mut out = times_of(&summary.figures.response);
    out["ci95"] = by_percentile(|at| bounds(times::response_bounds(summary, at)));
    out["ci95_needs"] = by_percentile(|at| json!(times::samples_needed(summary, at)));
    out["own_at_most"] = by_percentile(|at| json!(summary.ours.at(at).map(|ours| ours.0)));
    out["blamed_share"] = by_percentile(|at| json!(summary.ours.blamed_from(at)));
    out
}

fn service(summary: &Summary) -> Value {
    let mut out = times_of(&summary.figures.service);
    out["ci95"] = by_percentile(|at| bounds(times::service_bounds(summary, at)));
    out
}

fn bounds(bounds: Option<Bounds>) -> Value {
    json!(bounds.map(|bounds| [bounds.low.0, bounds.high.0]))
}

fn by_percentile(of: impl Fn(Quantile) -> Value) -> Value {
    Value::Object(PERCENTILES.iter().map(|&at| (key(at), of(at))).collect())
}

/// `p99_9`.
fn key(percentile: Quantile) -> String {
    percentile.to_string().replace('.', "_")
}

fn steady(summary: &Summary) -> Value {
    let steady = &summary.steady;
    json!({
        "settled_from_s": steady.from.map(Nanos::as_secs_f64),
        "warm_up_shift": steady.from.map(|_| steady.warm_up),
        "unsettled": steady.is_unsettled,
        "trend": steady.trend,
        "growth_per_s": steady.growth_per_s,
    })
}

/// A tenth of a nanosecond is more than any clock here tells.
fn tenths(nanos: f64) -> f64 {
    (nanos * 10.0).round() / 10.0
}

fn outcomes(tally: &Tally) -> Value {
    let counts = Outcome::ALL.iter().map(|&o| (o.as_str().to_owned(), json!(tally.outcome(o))));
    Value::Object(counts.collect())
}

fn statuses(tally: &Tally) -> Value {
    let mut statuses = tally.statuses.clone();
    statuses.sort_by_key(|status| status.status);
    Value::Object(statuses.iter().map(|s| (s.status.to_string(), json!(s.count))).collect())
}

fn failures(tally: &Tally, plan: &Plan) -> Value {
    let failure = |failure: errors::Failure| {
        json!({
            "phase": failure.count.phase.as_str(),
            "step": failure.count.step.as_str(),
            "errno": failure.count.errno,
            "name": failure.name,
            "count": failure.count.count,
            "hint": failure.hint,
        })
    };
    errors::of(tally, plan).into_iter().map(failure).collect()
}

fn resources(summary: &Summary) -> Value {
    let evidence = summary.evidence.as_ref();
    let used = evidence.map(|evidence| &evidence.resources);
    let seconds = |nanos: u64| Nanos(nanos).as_secs_f64();
    let shards = evidence.map(|evidence| &evidence.shards);
    let left_out: Option<u64> =
        shards.and_then(|shards| shards.iter().map(|shard| shard.log_left_out).sum());
    let sum = |of: fn(&ShardEvidence) -> u64| {
        evidence.map(|evidence| evidence.shards.iter().map(of).sum::<u64>())
    };
    let cpu_percent = used
        .filter(|r| r.elapsed_ns > 0)
        .map(|r| tenths((r.user_ns + r.sys_ns) as f64 * 100.0 / r.elapsed_ns as f64));
    json!({
        "user_s": used.map(|r| seconds(r.user_ns)),
        "sys_s": used.map(|r| seconds(r.sys_ns)),
        "elapsed_s": used.map(|r| seconds(r.elapsed_ns)),
        "cpu_percent": cpu_percent,
        "max_rss_kib": used.map(|r| r.max_rss_kib),
        "major_faults": used.map(|r| r.major_faults),
        "minor_faults": used.map(|r| r.minor_faults),
        "voluntary_switches": used.map(|r| r.voluntary_switches),
        "involuntary_switches": used.map(|r| r.involuntary_switches),
        "enters_per_op": summary.enters_per_op(),
        "iowq_threads": used.and_then(|r| r.iowq_threads),
        "cq_overflows": sum(|shard| shard.cq_overflows),
        "buffers_exhausted": sum(|shard| shard.buffers_exhausted),
        "log_records": summary.records,
        "log_lost": evidence.map(|_| summary.tally.log_lost),
        "log_left_out": left_out,
    })
}

/// Only what was asked for; kB/s over the measure phase.
fn watch(summary: &Summary) -> Value {
    let watched = summary.evidence.as_ref().map(|evidence| &evidence.watch);
    let seconds = summary.measured.as_secs_f64();
    let kb_per_s = |bytes: Option<u64>| bytes.map(|bytes| bytes as f64 / 1000.0 / seconds);
    let mut out = Map::new();
    if summary.plan.watch_pid.is_some() {
        let pid = json!({
            "cpu_percent": watched.and_then(|w| w.pid_cpu_percent),
            "user_percent": watched.and_then(|w| w.pid_user_percent),
            "system_percent": watched.and_then(|w| w.pid_system_percent),
            "threads": watched.and_then(|w| w.pid_threads),
        });
        out.insert("pid".into(), pid);
    }
    if summary.plan.watch_dev.is_some() {
        let dev = json!({
            "rx_kb_per_s": watched.and_then(|w| kb_per_s(w.rx_bytes)),
            "tx_kb_per_s": watched.and_then(|w| kb_per_s(w.tx_bytes)),
            "rx_packets": watched.and_then(|w| w.rx_packets),
            "tx_packets": watched.and_then(|w| w.tx_packets),
        });
        out.insert("dev".into(), dev);
    }
    Value::Object(out)
}

fn shard(shard: &ShardSummary) -> Value {
    let seen = shard.evidence.as_ref();
    json!({
        "shard": shard.number,
        "file": shard.file,
        "cpu": seen.map(|seen| seen.cpu),
        "ring": seen.map(|seen| seen.ring.clone()),
        "totals": totals(&shard.tally),
        "requests": requests(&shard.tally, seen.is_some()),
        "connections": seen.map(|_| connections(&shard.tally)),
        "response_ns": times_of(&shard.response),
        "lag_ns": times_of(&shard.lag),
        "outcomes": outcomes(&shard.tally),
        "resources": evidence::of_shard(seen),
        "on_cpu": evidence::on_cpu(seen),
        "holes": evidence::holes(seen),
        "busy": evidence::busy(seen),
    })
}

fn file(part: &Part) -> Value {
    let own = &part.summary;
    json!({
        "name": part.name,
        "verdict": own.verdict.as_str(),
        "began_unix_ns": own.began_unix_ns,
        "measured_s": own.measured.as_secs_f64(),
        "totals": totals(&own.tally),
        "requests": requests(&own.tally, own.evidence.is_some()),
        "achieved_per_s": own.rates.achieved_per_s,
        "response_ns": times_of(&own.figures.response),
    })
}
