//! The report for people: the verdict, the plan as it was run, APerf's lines, the times, what
//! became of the requests, and wrk's closing lines.

use std::fmt::Write as _;

use super::figures::{
    PERCENTILES, UNKNOWN, binary, counted, maybe_count, maybe_time, number, per_second, time,
};
use super::{aperf, errors, findings, floor, hgrm, times, timeseries, updates};
use crate::evidence::{Outcome, ShardEvidence, Tally};
use crate::outcome::{Cut, Kind, SeriesName, Summary};
use crate::plan::{Idle, LogMode, OnCap, Plan, Precision};
use crate::unit::{Nanos, Rate};

/// A change of the response over a run by a smaller share is not worth a word.
const WORTH_A_WORD: f64 = 0.1;

/// What a reader may choose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Colour the verdict.
    pub colour: bool,
    /// Add the whole spectrum of this series.
    pub spectrum: Option<SeriesName>,
    /// Add a row for each interval of time.
    pub timeseries: bool,
}

/// Writes the report.
pub fn write(summary: &Summary, options: Options) -> String {
    let mut parts = vec![
        findings::verdict(summary, options.colour),
        plan(summary),
        aperf::lines(summary),
        times::tables(summary),
        floor::beside(summary.floor.as_ref()),
        counts(summary),
        failures(summary),
        findings::list(summary),
        shards(summary),
        files(summary),
    ];
    if options.timeseries && has_requests(summary) {
        parts.push(timeseries::text(summary));
    }
    if let Some(series) = options.spectrum.filter(|_| has_requests(summary)) {
        let whole = hgrm::write(summary, series);
        parts.push(format!("Spectrum of {series} (ms)\n{whole}"));
    }
    parts.push(closing(summary));
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

/// Whether there is anything to say of requests: where updates are watched there are none, but
/// in logs of other loads that were merged by force.
pub(super) fn has_requests(summary: &Summary) -> bool {
    let outcomes: u64 = summary.tally.outcomes.iter().sum();
    !updates::are_watched(&summary.plan) || outcomes > 0
}

/// A line with its name in front, aligned.
pub(super) fn line(out: &mut String, name: &str, text: impl std::fmt::Display) {
    let _ = writeln!(out, "{name:<11} {text}");
}

pub(super) fn plan(summary: &Summary) -> String {
    let plan = &summary.plan;
    let mut out = String::new();
    let target = &plan.target;
    let embedded = if target.embedded { ", built in" } else { "" };
    line(&mut out, "Target", format_args!("{} ({}{embedded})", target.url, target.address));
    line(&mut out, "Load", load(plan));
    for differing in summary.forced() {
        line(&mut out, "Forced", differing);
    }
    line(&mut out, "Machine", machine(summary));
    if !plan.labels.is_empty() {
        line(&mut out, "Labels", plan.labels.join(", "));
    }
    if let Some(cut) = &summary.cut {
        line(&mut out, "Cut", cut_of(cut, summary));
    }
    if summary.plan.log != LogMode::All {
        line(&mut out, "Log", kept(summary));
    }
    line(&mut out, "Regime", regime(summary));
    let course = course(summary);
    if !course.is_empty() {
        line(&mut out, "Course", course);
    }
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
    if !has_requests(summary) {
        return format!("{cut}: of its updates the log has those that were not the next");
    }
    let counted: u64 = summary.tally.outcomes.iter().sum();
    let kept = match summary.plan.log {
        LogMode::All => String::new(),
        log => format!(" of a log that keeps {log}"),
    };
    format!("{cut}: {counted} of {} records{kept}; all that follows is of these", summary.records)
}

/// `slow:5ms: 12 requests kept, 1988 left out; figures are those of all`
fn kept(summary: &Summary) -> String {
    let shards = summary.evidence.as_ref().map(|evidence| &evidence.shards);
    let left_out = shards.and_then(|shards| shards.iter().map(|s| s.log_left_out).sum());
    let whose = match &summary.evidence {
        Some(_) => "the figures are those of all",
        None => "the figures are those of the kept",
    };
    format!(
        "{}: {} kept, {} left out; {whose}",
        summary.plan.log,
        counted(summary.records, "request"),
        maybe_count(left_out),
    )
}

fn load(plan: &Plan) -> String {
    let mut out = plan.channels.as_ref().map(updates::load).unwrap_or_default();
    if updates::are_watched(plan) {
        let _ = write!(out, " for {}", plan.duration);
        if plan.warmup > Nanos::ZERO {
            let _ = write!(out, " after {} of warm-up", plan.warmup);
        }
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
        None => match plan.target_ci {
            Some(precision) => {
                let Precision { quantile, .. } = precision;
                let share = f64::from(precision.share_ppm) / 1e4;
                write!(out, " until {quantile} is known to +-{share}%, at most {}", plan.duration)
            }
            None => write!(out, " for {}", plan.duration),
        },
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
        Kind::Open => format!("OPEN: nothing was deferred{overloaded}"),
        Kind::Closed => "CLOSED: a session starts when one ends, so waiting is not seen".to_owned(),
        Kind::PartlyOpen => format!(
            "PARTLY OPEN: {} deferred, longest backlog {}, {} at the cap{overloaded}",
            regime.deferred,
            maybe_count(regime.backlog_max),
            maybe_time(regime.at_cap),
        ),
    }
}

/// What did not stay as it was from start to end.
fn course(summary: &Summary) -> String {
    let steady = &summary.steady;
    let mut out = Vec::new();
    if let Some(growth) = steady.growth_per_s.filter(|_| summary.regime.is_overloaded) {
        // Where nothing settles there is no warm-up, and the times follow from the length.
        return format!("requests in the system grew by {}/s throughout", number(growth.round()));
    }
    if let Some(trend) = steady.trend.filter(|trend| trend.abs() > WORTH_A_WORD) {
        let way = if trend > 0.0 { "rose" } else { "fell" };
        let percent = number((100.0 * trend.abs()).round());
        // A fall is the steeper the more of its mean lies at the start: it may be above 100 %.
        let whole = "of its mean from start to end";
        out.push(format!("the median response {way} by {percent} % {whole}"));
    }
    if let Some(from) = steady.from.filter(|_| steady.warm_up > WORTH_A_WORD) {
        let from = time(from.0 as f64);
        let percent = number((100.0 * steady.warm_up).round());
        out.push(format!(
            "the first {from} shift the mean by {percent} % (MSER-5): report --warmup auto"
        ));
    }
    out.join("; ")
}

pub(super) fn counts(summary: &Summary) -> String {
    let mut out = String::new();
    if updates::are_watched(&summary.plan) || summary.watching.is_some() {
        for (name, text) in updates::counts(summary) {
            line(&mut out, name, text);
        }
    }
    if has_requests(summary) {
        sessions(summary, &mut out);
    }
    connections(summary, &mut out);
    if has_requests(summary) {
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
    if summary.evidence.is_some() && updates::are_watched(&summary.plan) {
        let circuits = format!(
            "{} asked, {} opened, {} still up at the end, {} reopened",
            t.connections_asked, t.connections_opened, t.connections_served, t.connections_reopened
        );
        line(out, "Circuits", circuits);
    } else if summary.evidence.is_some() {
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
        let of = |percent: Option<f64>| percent.map_or_else(|| UNKNOWN.to_owned(), number);
        let text = format!(
            "process {pid}: {} % CPU ({} user, {} system), {} threads",
            of(watch.pid_cpu_percent),
            of(watch.pid_user_percent),
            of(watch.pid_system_percent),
            maybe_count(watch.pid_threads),
        );
        line(out, "Watched", text);
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
    for failure in errors::of(&summary.tally, &summary.plan) {
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

fn shards(summary: &Summary) -> String {
    let mut out = String::new();
    if summary.shards.len() < 2 {
        return out;
    }
    for shard in &summary.shards {
        let seen = shard.evidence.as_ref();
        let cpu = seen.map_or_else(|| UNKNOWN.to_owned(), |seen| seen.cpu.to_string());
        let ring = seen.map_or(UNKNOWN, |seen| &seen.ring);
        let file = shard.file.as_ref().map_or(String::new(), |file| format!("{file}: "));
        if !has_requests(summary) {
            line(&mut out, &format!("shard {}", shard.number), format!("{file}CPU {cpu}, {ring}"));
            continue;
        }
        let text = format!(
            "{file}CPU {cpu}, {} started, {} ok, response p50 {} p99 {} max {}, lag max {}, {ring}",
            shard.tally.sessions_started,
            shard.tally.sessions_ok,
            maybe_time(shard.response.quantile(PERCENTILES[0])),
            maybe_time(shard.response.quantile(PERCENTILES[4])),
            maybe_time(shard.response.max()),
            maybe_time(shard.lag.max()),
        );
        line(&mut out, &format!("shard {}", shard.number), text);
    }
    out
}

fn files(summary: &Summary) -> String {
    let mut out = String::new();
    for part in &summary.parts {
        let (own, response) = (&part.summary, &part.summary.figures.response);
        if !has_requests(own) {
            for (name, seen) in updates::counts(own) {
                line(&mut out, "file", format!("{}: {}, {name}: {seen}", part.name, own.verdict));
            }
            continue;
        }
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
pub(super) fn closing(summary: &Summary) -> String {
    let rates = &summary.rates;
    let requests = rates.requests_per_s.unwrap_or(0.0);
    // Of updates the records say no bytes.
    let is_known = has_requests(summary) || summary.watching.is_some();
    let bytes = rates.bytes_received_per_s.filter(|_| is_known);
    let bytes = match is_known {
        true => binary(bytes.unwrap_or(0.0)) + "B",
        false => UNKNOWN.to_owned(),
    };
    let others = summary.tally.statuses.iter().filter(|seen| !(200..400).contains(&seen.status));
    let others = match others.map(|seen| seen.count).sum::<u64>() {
        0 => String::new(),
        count => format!("  Non-2xx or 3xx responses: {count}\n"),
    };
    let served = match updates::are_watched(&summary.plan) {
        true => updates::closing(summary),
        false => format!("Requests/sec: {requests:>9.2}\n"),
    };
    format!("{others}{served}Transfer/sec: {bytes:>11}\n")
}
