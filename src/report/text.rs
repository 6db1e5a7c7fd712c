//! The report for people: the verdict, the plan as it was run, APerf's lines, the times, what
//! became of the requests, and wrk's closing lines.

use std::fmt::Write as _;

use super::figures::{
    PERCENTILES, UNKNOWN, binary, counted, maybe_count, maybe_time, number, per_second, time,
    time_table,
};
use super::{aperf, errors, floor, spectrum, updates};
use crate::evidence::{Outcome, ShardEvidence, Tally};
use crate::outcome::{Check, Cut, Kind, Metric, State, Summary, Verdict};
use crate::plan::{Idle, LogMode, OnCap, Plan};
use crate::stats::SAMPLES_BEYOND_MIN;
use crate::unit::{Nanos, Rate};

/// What a reader may choose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Colour the verdict.
    pub colour: bool,
    /// Add the whole spectrum of the response.
    pub spectrum: bool,
}

/// Writes the report.
pub fn write(summary: &Summary, options: Options) -> String {
    let mut parts = vec![
        verdict(summary, options.colour),
        plan(summary),
        aperf::lines(summary),
        times(summary),
        floor::beside(summary.floor.as_ref()),
        counts(summary),
        failures(summary),
        findings(summary),
        shards(summary),
        files(summary),
    ];
    if options.spectrum {
        let whole = spectrum::write(&summary.figures.response);
        parts.push(format!("Response (ms)\n{whole}"));
    }
    parts.push(closing(summary));
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

/// A line with its name in front, aligned.
pub(super) fn line(out: &mut String, name: &str, text: impl std::fmt::Display) {
    let _ = writeln!(out, "{name:<11} {text}");
}

fn verdict(summary: &Summary, colour: bool) -> String {
    let (word, paint) = match summary.verdict {
        Verdict::Valid => (Verdict::Valid.as_str(), "\x1b[1;32m"),
        Verdict::Suspect => (Verdict::Suspect.as_str(), "\x1b[1;33m"),
        Verdict::Invalid => (Verdict::Invalid.as_str(), "\x1b[1;31m"),
    };
    let in_state = |state| summary.checks.iter().filter(move |check| check.state == state);
    let found: Vec<String> =
        in_state(State::Invalid).chain(in_state(State::Suspect)).map(seen).collect();
    let why = if found.is_empty() {
        let ok = counted(in_state(State::Ok).count() as u64, "check");
        match in_state(State::Unavailable).count() {
            0 => format!("{ok} ok"),
            n => format!("{ok} ok, {n} unavailable"),
        }
    } else {
        found.join(", ")
    };
    if colour { format!("{paint}{word}\x1b[0m: {why}\n") } else { format!("{word}: {why}\n") }
}

/// `lag_share 36.7 % (limit 10 %)`.
fn seen(check: &Check) -> String {
    let unit = if check.unit.is_empty() { String::new() } else { format!(" {}", check.unit) };
    let figure = |value: Option<f64>| value.map_or_else(|| UNKNOWN.to_owned(), number);
    let (value, limit) = (figure(check.value), figure(check.limit));
    format!("{} {value}{unit} (limit {limit}{unit})", check.name)
}

fn plan(summary: &Summary) -> String {
    let plan = &summary.plan;
    let mut out = String::new();
    let target = &plan.target;
    let embedded = if target.embedded { ", built in" } else { "" };
    line(&mut out, "Target", format_args!("{} ({}{embedded})", target.url, target.address));
    line(&mut out, "Load", load(plan));
    line(&mut out, "Machine", machine(summary));
    if !plan.labels.is_empty() {
        line(&mut out, "Labels", plan.labels.join(", "));
    }
    if let Some(cut) = &summary.cut {
        line(&mut out, "Cut", cut_of(cut, summary));
    }
    line(&mut out, "Regime", regime(summary));
    if let Some(evidence) = &summary.evidence {
        let after = time(summary.measured.0 as f64);
        match (&evidence.cut_short, evidence.signal) {
            (Some(why), _) => line(&mut out, "Cut short", format_args!("after {after}: {why}")),
            (None, Some(n)) => {
                line(&mut out, "Cut short", format_args!("after {after}: signal {n}"))
            }
            (None, None) => {}
        }
    }
    out
}

/// `from 2s to 3s, shard 0: 500 of 2000 records`
fn cut_of(cut: &Cut, summary: &Summary) -> String {
    let counted: u64 = summary.tally.outcomes.iter().sum();
    let kept = match summary.plan.log {
        LogMode::All => String::new(),
        log => format!(" of a log that keeps {log}"),
    };
    format!("{cut}: {counted} of {} records{kept}; all that follows is of these", summary.records)
}

fn load(plan: &Plan) -> String {
    let mut out = plan.channels.as_ref().map(updates::load).unwrap_or_default();
    if updates::are_watched(plan) {
        let _ = write!(out, " for {}", plan.duration);
        return out;
    }
    if !out.is_empty() {
        out.push_str(", ");
    }
    match plan.rate {
        Rate::Max => out.push_str("as fast as answers come"),
        rate => drop(write!(out, "{rate}/s {}", plan.pattern)),
    }
    let _ = match plan.count {
        Some(count) => write!(out, ", {}", counted(count, "session")),
        None => write!(out, " for {}", plan.duration),
    };
    if plan.warmup > Nanos::ZERO {
        let _ = write!(out, " after {} of warm-up", plan.warmup);
    }
    let _ = write!(out, ", concurrence {} ", plan.concurrence);
    let _ =
        if plan.fresh { write!(out, "fresh (close {})", plan.close) } else { write!(out, "kept") };
    let _ = write!(out, ", {} per session", counted(plan.requests.into(), "request"));
    if plan.think > Nanos::ZERO {
        let _ = write!(out, " {} apart", plan.think);
    }
    if plan.on_cap == OnCap::Drop {
        out.push_str(", dropped at the cap");
    }
    let _ = write!(out, ", timeout {}, seed {}", plan.timeout, plan.seed);
    out
}

fn machine(summary: &Summary) -> String {
    let (plan, environment) = (&summary.plan, &summary.environment);
    let idle = if plan.idle == Idle::Spin { "spinning" } else { "sleeping when idle" };
    let kernel = environment.kernel.as_deref().unwrap_or("of unknown release");
    format!(
        "{} on CPU {}, {idle}, clock {}, {} with ports {}, Linux {kernel}, onrush {}",
        counted(plan.shards.into(), "shard"),
        plan.cpus,
        plan.clock,
        counted(plan.sources.len() as u64, "source"),
        plan.ports,
        environment.tool_version,
    )
}

fn regime(summary: &Summary) -> String {
    let regime = &summary.regime;
    let overloaded = if regime.is_overloaded { "; overloaded, no steady state" } else { "" };
    match regime.kind {
        Kind::Open if updates::are_watched(&summary.plan) => {
            "OPEN: the servers set the pace".to_owned()
        }
        Kind::Open => "OPEN: nothing was deferred".to_owned(),
        Kind::Closed => "CLOSED: a session starts when one ends, so waiting is not seen".to_owned(),
        Kind::PartlyOpen => format!(
            "PARTLY OPEN: {} deferred, longest backlog {}, {} at the cap{overloaded}",
            regime.deferred,
            maybe_count(regime.backlog_max),
            maybe_time(regime.at_cap),
        ),
    }
}

fn times(summary: &Summary) -> String {
    if let Some(watching) = &summary.watching {
        return updates::times(watching);
    }
    let figures = &summary.figures;
    let mut rows = vec![
        ("response", &figures.response),
        ("service", &figures.service),
        ("wait", &figures.wait),
        ("lag", &figures.lag),
    ];
    if summary.plan.fresh {
        rows.push(("connect", &figures.connect));
        rows.push(("first byte", &figures.first_byte));
    }
    let mut out = time_table(&rows);
    let _ = write!(out, "{:<11}", "beyond");
    for quantile in PERCENTILES {
        let _ = write!(out, "{:>8}", figures.response.samples_beyond(quantile));
    }
    out.push_str("         samples of response\n");
    out
}

fn counts(summary: &Summary) -> String {
    let mut out = String::new();
    if updates::are_watched(&summary.plan) {
        for (name, text) in updates::counts(summary) {
            line(&mut out, name, text);
        }
    } else {
        sessions(summary, &mut out);
    }
    connections(summary, &mut out);
    if !updates::are_watched(&summary.plan) {
        outcomes(&summary.tally, &mut out);
    }
    rings(summary, &mut out);
    watched(summary, &mut out);
    out
}

fn sessions(summary: &Summary, out: &mut String) {
    let (t, rates) = (&summary.tally, &summary.rates);
    let sessions = format!(
        "{} planned, {} started, {} ok, {} failed, {} dropped, {} unserved, {} in flight at end",
        t.sessions_planned,
        t.sessions_started,
        t.sessions_ok,
        t.sessions_failed,
        t.sessions_dropped,
        t.sessions_unserved,
        t.sessions_in_flight,
    );
    line(out, "Sessions", sessions);
    let requests = format!(
        "{} sent, {} ok, {} failed, {} in flight at end, {}B out, {}B in",
        t.requests_sent,
        t.requests_ok,
        t.requests_failed,
        maybe_count(summary.evidence.as_ref().map(|_| t.requests_in_flight)),
        binary(t.bytes_sent as f64),
        binary(t.bytes_received as f64),
    );
    line(out, "Requests", requests);
    let rate = format!(
        "{} offered, {} sent, {} achieved",
        per_second(rates.offered_per_s),
        per_second(rates.sent_per_s),
        per_second(rates.achieved_per_s),
    );
    line(out, "Rate", rate);
}

fn connections(summary: &Summary, out: &mut String) {
    let t = &summary.tally;
    if summary.evidence.is_some() {
        let connections = format!(
            "{} asked, {} opened, {} served, {} reopened",
            t.connections_asked, t.connections_opened, t.connections_served, t.connections_reopened
        );
        let aside = match t.ports_set_aside {
            0 => String::new(),
            ports => format!(", {ports} ports in use by others set aside"),
        };
        line(out, "Opened", connections + &aside);
    }
}

fn outcomes(t: &Tally, out: &mut String) {
    let seen = Outcome::ALL.iter().filter(|&&outcome| t.outcome(outcome) > 0);
    let outcomes: Vec<_> = seen.map(|&o| format!("{o} {}", t.outcome(o))).collect();
    line(out, "Outcomes", if outcomes.is_empty() { "none".into() } else { outcomes.join(", ") });
    let mut statuses = t.statuses.clone();
    statuses.sort_by_key(|status| status.status);
    let statuses: Vec<_> = statuses.iter().map(|s| format!("{} {}", s.status, s.count)).collect();
    if !statuses.is_empty() {
        line(out, "Statuses", statuses.join(", "));
    }
}

/// How the rings worked, and how often their threads lost the CPU. The rest of the process may
/// sleep as it likes.
fn rings(summary: &Summary, out: &mut String) {
    let Some(evidence) = &summary.evidence else { return };
    let mut kinds: Vec<&str> = evidence.shards.iter().map(|shard| &*shard.ring).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let enters = summary.enters_per_op().map_or_else(|| UNKNOWN.to_owned(), number);
    let switches = |of: fn(&ShardEvidence) -> Option<u64>| {
        maybe_count(evidence.shards.iter().map(of).sum::<Option<u64>>())
    };
    let text = format!(
        "{}, enters_per_op {enters}, {} voluntary and {} involuntary switches of the shards",
        kinds.join(" and "),
        switches(|shard| shard.voluntary_switches),
        switches(|shard| shard.involuntary_switches),
    );
    line(out, "Ring", text);
}

fn watched(summary: &Summary, out: &mut String) {
    let Some(watch) = summary.evidence.as_ref().map(|evidence| &evidence.watch) else { return };
    if let Some(pid) = summary.plan.watch_pid {
        let percent = watch.pid_cpu_percent.map_or_else(|| UNKNOWN.to_owned(), number);
        line(out, "Watched", format_args!("process {pid}: {percent} % CPU"));
    }
    if let Some(dev) = &summary.plan.watch_dev {
        let text = format!(
            "{dev}: {} bytes and {} packets in, {} bytes and {} packets out",
            maybe_count(watch.rx_bytes),
            maybe_count(watch.rx_packets),
            maybe_count(watch.tx_bytes),
            maybe_count(watch.tx_packets),
        );
        line(out, "Watched", text);
    }
}

fn failures(summary: &Summary) -> String {
    let mut out = String::new();
    for failure in errors::of(&summary.tally) {
        if out.is_empty() {
            out = format!("{:<9} {:<8} {:<20} {:>9}  hint\n", "phase", "step", "error", "count");
        }
        let errors::Failure { count, name, hint } = &failure;
        let row =
            format!("{:<9} {:<8} {name:<20} {:>9}  {hint}", count.phase, count.step, count.count);
        let _ = writeln!(out, "{}", row.trim_end());
    }
    out
}

/// Checks that found something or could not look, gates, and the notices of the run.
fn findings(summary: &Summary) -> String {
    let mut out = String::new();
    for check in summary.checks.iter().filter(|check| check.state != State::Ok) {
        let what = match check.state {
            State::Unavailable => check.name.to_owned(),
            _ => seen(check),
        };
        line(&mut out, check.state.as_str(), format_args!("{what}: {}", check.remedy));
    }
    for judged in &summary.gates {
        let value = match (judged.value, judged.gate.metric) {
            (None, Metric::Response(quantile)) => {
                let samples = counted(quantile.samples_for(SAMPLES_BEYOND_MIN), "sample");
                format!("{UNKNOWN}, needs {samples}")
            }
            (None, _) => UNKNOWN.to_owned(),
            (Some(percent), Metric::Errors) => format!("{}%", number(percent)),
            (Some(rate), Metric::Rate) => number(rate),
            (Some(nanos), _) => time(nanos),
        };
        let state = if judged.is_met { "gate kept" } else { "gate BROKEN" };
        line(&mut out, state, format_args!("{}: {value}", judged.gate));
    }
    for notice in summary.evidence.iter().flat_map(|evidence| &evidence.notices) {
        line(&mut out, "notice", notice);
    }
    out
}

fn shards(summary: &Summary) -> String {
    let mut out = String::new();
    if summary.shards.len() < 2 {
        return out;
    }
    for (index, shard) in summary.shards.iter().enumerate() {
        let seen = shard.evidence.as_ref();
        let cpu = seen.map_or_else(|| UNKNOWN.to_owned(), |seen| seen.cpu.to_string());
        let ring = seen.map_or(UNKNOWN, |seen| &seen.ring);
        let text = format!(
            "CPU {cpu}, {} started, {} ok, response p50 {} p99 {} max {}, lag max {}, {ring}",
            shard.tally.sessions_started,
            shard.tally.sessions_ok,
            maybe_time(shard.response.quantile(PERCENTILES[0])),
            maybe_time(shard.response.quantile(PERCENTILES[4])),
            maybe_time(shard.response.max()),
            maybe_time(shard.lag.max()),
        );
        line(&mut out, &format!("shard {index}"), text);
    }
    out
}

fn files(summary: &Summary) -> String {
    let mut out = String::new();
    for part in &summary.parts {
        let (own, response) = (&part.summary, &part.summary.figures.response);
        let text = format!(
            "{}: {}, {} started, {} ok, {} achieved, response p50 {} p99 {} max {}",
            part.name,
            own.verdict,
            own.tally.sessions_started,
            own.tally.sessions_ok,
            per_second(own.rates.achieved_per_s),
            maybe_time(response.quantile(PERCENTILES[0])),
            maybe_time(response.quantile(PERCENTILES[4])),
            maybe_time(response.max()),
        );
        line(&mut out, "file", text);
    }
    out
}

/// The lines that scrapers of wrk look for.
fn closing(summary: &Summary) -> String {
    let rates = &summary.rates;
    let requests = rates.requests_per_s.unwrap_or(0.0);
    let bytes = binary(rates.bytes_received_per_s.unwrap_or(0.0));
    let others = summary.tally.statuses.iter().filter(|seen| !(200..400).contains(&seen.status));
    let others = match others.map(|seen| seen.count).sum::<u64>() {
        0 => String::new(),
        count => format!("  Non-2xx or 3xx responses: {count}\n"),
    };
    let served = match updates::are_watched(&summary.plan) {
        true => updates::closing(summary),
        false => format!("Requests/sec: {requests:>9.2}\n"),
    };
    format!("{others}{served}Transfer/sec: {bytes:>10}B\n")
}
