//! What a report says of subscriptions: what came, what did not, and how old it was.

use std::fmt::Write as _;

use super::figures::{counted, per_second, time_table};
use crate::outcome::{Summary, Watching};
use crate::plan::{ChannelPlan, Plan};

/// Updates per second of the measure phase; `None` where no time passed.
pub(super) fn per_s(summary: &Summary, watching: &Watching) -> Option<f64> {
    let seconds = summary.measured.as_secs_f64();
    (seconds > 0.0).then(|| watching.updates.received as f64 / seconds)
}

/// What is done with channels, before the rest of the load.
pub(super) fn load(channels: &ChannelPlan) -> String {
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
    let Some(watching) = &summary.watching else { return Vec::new() };
    let updates = &watching.updates;
    let came = format!(
        "{} received by {}, {} lost, {} duplicate, {} backwards",
        updates.received,
        counted(updates.subscriptions, "subscription"),
        updates.lost,
        updates.duplicate,
        updates.backwards,
    );
    let finals = format!(
        "{} of {} reached what a read gave after the measure phase",
        updates.finals_ok,
        counted(updates.subscriptions, "subscription"),
    );
    vec![("Updates", came), ("Finals", finals)]
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
