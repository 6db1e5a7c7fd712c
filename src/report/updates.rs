//! What a report says of subscriptions: what came, what did not, and how old it was.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::figures::{counted, per_second, time, time_table};
use crate::outcome::{Summary, Watching};
use crate::plan::{ChannelPlan, LogMode, Operation, Plan};
use crate::unit::Nanos;

/// Updates per second of the measure phase; `None` where no time passed.
pub(super) fn per_s(summary: &Summary, watching: &Watching) -> Option<f64> {
    let seconds = summary.measured.as_secs_f64();
    (seconds > 0.0).then(|| watching.updates.received as f64 / seconds)
}

/// What is done with channels, before the rest of the load.
pub(super) fn load(channels: &ChannelPlan) -> String {
    if let (Operation::Search, Some(search)) = (channels.op, channels.search) {
        let names = counted(channels.pvs.into(), "name");
        let what = if channels.is_of_datagrams() { "socket" } else { "circuit" };
        return format!(
            "search for {names} by {search} on {}",
            counted(channels.circuits.into(), what)
        );
    }
    let mut out = format!("{} of {}", channels.op, counted(channels.pvs.into(), "channel"));
    if channels.is_watching() {
        let _ = write!(out, ", {} each", counted(channels.monitors.into(), "subscription"));
    }
    let circuits = counted(channels.circuits.into(), "circuit");
    let _ = write!(out, " on {circuits}, like {}", channels.profile);
    if let Some(queue) = channels.queue {
        let _ = write!(out, ", queue {queue}");
    }
    if let Some(ack) = channels.ack {
        let _ = write!(out, ", acknowledged by {ack}");
    }
    out
}

/// Whether a plan schedules nothing.
pub(super) fn are_watched(plan: &Plan) -> bool {
    plan.channels.as_ref().is_some_and(ChannelPlan::is_watching)
}

/// The counts, a name and a text for each line.
pub(super) fn counts(summary: &Summary) -> Vec<(&'static str, String)> {
    let Some(watching) = &summary.watching else { return of_records(summary) };
    let updates = &watching.updates;
    let came = format!(
        "{} received by {}, {} lost, {} duplicate, {} backwards",
        updates.received,
        counted(updates.subscriptions, "subscription"),
        updates.lost,
        updates.duplicate,
        updates.backwards,
    );
    let mut finals = format!(
        "{} of {} reached what a read gave after the measure phase",
        updates.finals_ok,
        counted(updates.subscriptions, "subscription"),
    );
    if updates.finals_ok < updates.subscriptions {
        finals.push_str("; the rest stalled, lost their newest, or could not be read");
    }
    let mut lines = vec![("Updates", came), ("Finals", finals)];
    lines.extend(silent(watching).map(|text| ("Silent", text)));
    lines
}

/// What the gaps hide: one that was not over, and longer than any that was.
fn silent(watching: &Watching) -> Option<String> {
    let silent = Nanos(watching.updates.silent_ns?);
    (silent > watching.gap.max().unwrap_or_default()).then(|| {
        let longest = time(silent.0 as f64);
        format!(
            "a subscription for {longest} when the measure phase ended: no gap in the table yet"
        )
    })
}

/// What the records alone say, where the run left no counts or they are not those of the cut.
pub(super) fn of_records(summary: &Summary) -> Vec<(&'static str, String)> {
    let text = match summary.plan.log {
        LogMode::Nothing => format!("unavailable (the log keeps {})", LogMode::Nothing),
        _ => format!(
            "{} lost, {} duplicate, {} backwards, by the records",
            summary.slips.lost, summary.slips.duplicate, summary.slips.backwards
        ),
    };
    vec![("Updates", text)]
}

/// The counts as JSON; `None` where nothing was subscribed to. What only the run counted is null
/// where it left no counts, or they are not those of the cut.
pub(super) fn json(summary: &Summary) -> Option<Value> {
    if !are_watched(&summary.plan) {
        return None;
    }
    let watching = summary.watching.as_ref();
    let counted = watching.map(|watching| &watching.updates);
    let logs = summary.plan.log != LogMode::Nothing;
    let slips = counted.or_else(|| logs.then_some(&summary.slips));
    Some(json!({
        "subscriptions": counted.map(|updates| updates.subscriptions),
        "received": counted.map(|updates| updates.received),
        "lost": slips.map(|updates| updates.lost),
        "duplicate": slips.map(|updates| updates.duplicate),
        "backwards": slips.map(|updates| updates.backwards),
        "finals_ok": counted.map(|updates| updates.finals_ok),
        "silent_ns": counted.and_then(|updates| updates.silent_ns),
        "per_s": watching.and_then(|watching| per_s(summary, watching)),
    }))
}

/// The table of times.
pub(super) fn times(watching: &Watching) -> String {
    time_table(&[("age", &watching.age), ("gap", &watching.gap)])
}

/// The line that stands where that of requests is.
pub(super) fn closing(summary: &Summary) -> String {
    let rate = summary.watching.as_ref().and_then(|watching| per_s(summary, watching));
    format!("Updates/sec:  {}\n", per_second(rate).trim_end_matches("/s"))
}
