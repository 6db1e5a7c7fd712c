//! Whether the figures tell of the target, or of us.

use super::{Check, KILLED, Limits, Subject, WATCHING, is_watching};
use crate::evidence::{Busy, ShardEvidence};
use crate::outcome::Summary;
use crate::unit::{Nanos, Quantile, Rate};

const P50: Quantile = Quantile(500_000);
const P99: Quantile = Quantile(990_000);
const P99_9: Quantile = Quantile(999_000);

pub(super) fn checks(summary: &Summary) -> Vec<Check> {
    vec![
        sent_shortfall(summary),
        own_share(summary, P50, Subject::share("own_share_p50", "p50 that may be our own doing")),
        own_share(summary, P99, Subject::share("own_share_p99", "p99 that may be our own doing")),
        own_share(
            summary,
            P99_9,
            Subject::share("own_share_p99_9", "p99.9 that may be our own doing"),
        ),
        tail_blame(
            summary,
            P99,
            Limits { suspect: 10.0, invalid: 50.0 },
            Subject::share("tail_blame_p99", "samples from p99 on that tell of us alone"),
        ),
        tail_blame(
            summary,
            P99_9,
            Limits { suspect: 10.0, invalid: f64::INFINITY },
            Subject::share("tail_blame_p99_9", "samples from p99.9 on that tell of us alone"),
        ),
        holes_share(summary),
        busy_share(summary),
    ]
}

/// The part of the plan that we did not send in time. A target that is slow defers sessions, or
/// leaves those unserved that had been deferred: neither is counted here. What is: sessions
/// that were left without ever meeting the cap, and the time by which the sending of those that
/// did not have to wait outran the measure phase.
///
/// Where a shard had no time to spare, nobody can say that it was the target for which sessions
/// waited: all that was not sent in time is ours then.
fn sent_shortfall(summary: &Summary) -> Check {
    let subject = Subject::share("sent_shortfall", "plan not sent in time");
    let tally = &summary.tally;
    if is_watching(summary) {
        return subject.moot(WATCHING);
    }
    if summary.plan.rate == Rate::Max {
        return subject.moot("a closed loop plans no rate");
    }
    if tally.sessions_planned == 0 || summary.measured.0 == 0 {
        return subject.unavailable("nothing was planned");
    }
    let (never_reached, sent) = match is_saturated(summary) {
        true => (tally.sessions_unserved, summary.clues.sent),
        false => {
            (tally.sessions_unserved.saturating_sub(tally.sessions_deferred), summary.clues.prompt)
        }
    };
    let reached = 1.0 - never_reached as f64 / tally.sessions_planned as f64;
    let sending = sent.unwrap_or_default().max(summary.measured);
    let pace = summary.measured.as_secs_f64() / sending.as_secs_f64();
    subject.judged(
        100.0 * (1.0 - reached * pace),
        Limits { suspect: f64::INFINITY, invalid: 1.0 },
        "the generator cannot keep this rate here: more shards (-t), free CPUs, or a lower rate",
    )
}

/// The share of busy and lost time from which on a shard had no time to spare.
const SATURATED: f64 = 0.95;

fn is_saturated(summary: &Summary) -> bool {
    let used = |shard: &ShardEvidence| {
        let busy = shard.busy.as_ref()?.time?;
        let away = shard.holes.as_ref().map_or(Nanos::ZERO, |holes| holes.total);
        Some(busy + away)
    };
    let shards = summary.evidence.iter().flat_map(|evidence| &evidence.shards);
    let most = shards.filter_map(used).max().unwrap_or_default();
    most.as_secs_f64() > SATURATED * summary.measured.as_secs_f64()
}

/// How much of a percentile may be our lateness and our holes: the bound of
/// [`Ours::at`](crate::outcome::Ours::at). More than half of the median leaves nothing of the
/// target in the figures. In the tail a bound is said and not more: on a shared machine a gap of
/// 100 us is two thirds of a response of 150 us, and the rest of the figures stand.
fn own_share(summary: &Summary, at: Quantile, subject: Subject) -> Check {
    let Some(share) = summary.ours.share_at(at) else {
        return untold(summary, at, subject);
    };
    let invalid = if at == P50 { 50.0 } else { f64::INFINITY };
    subject.judged(
        100.0 * share,
        Limits { suspect: 10.0, invalid },
        "give each shard a CPU of its own (--cpus, isolcpus), or lower the rate",
    )
}

/// The share of the samples in the tail of which nine tenths are ours. Where that is half of
/// those from p99 on, p99 is a figure of this machine.
fn tail_blame(summary: &Summary, from: Quantile, limits: Limits, subject: Subject) -> Check {
    let Some(share) = summary.ours.blamed_from(from) else {
        return untold(summary, from, subject);
    };
    subject.judged(
        100.0 * share,
        limits,
        "the shard was not there, or late: keep its CPU free (--cpus, isolcpus), watch for steal",
    )
}

/// Why it is not known what of a percentile is ours.
fn untold(summary: &Summary, at: Quantile, subject: Subject) -> Check {
    let samples = at.samples_for(crate::stats::SAMPLES_BEYOND_MIN);
    subject.unavailable(match summary.plan.log {
        _ if is_watching(summary) => return subject.moot(WATCHING),
        log if log.is_fair() => format!("it takes {samples} timed requests in the log"),
        log => format!("the log keeps {log}: it takes all or 1/N (--log)"),
    })
}

/// The part of the measure phase in which a shard was not there, though it was to be: stopped,
/// descheduled, or without its CPU. Some per cent in short gaps are usual on a shared machine,
/// and what they do to the figures is checked there; with a tenth gone nothing was measured as
/// planned. It holds in a closed loop too. A run that was killed, and a report that is cut, have
/// the holes that the log holds.
fn holes_share(summary: &Summary) -> Check {
    let subject = Subject::share("holes_share", "time in which a shard was not there");
    let counted = |shard: &ShardEvidence| Some(shard.holes.as_ref()?.total);
    let share = match &summary.evidence {
        Some(evidence) => worst(summary, evidence.shards.iter().filter_map(counted)),
        None if !summary.plan.log.is_fair() => return subject.unavailable(KILLED),
        None => worst(summary, summary.shards.iter().map(|shard| shard.lost.total)),
    };
    match share {
        None => subject.unavailable("the run kept no account of it"),
        Some(share) => subject.judged(
            share,
            Limits { suspect: 5.0, invalid: 10.0 },
            longest(summary) + "keep its CPU free (--cpus, isolcpus), or watch for steal",
        ),
    }
}

/// `the longest 1.2s, 3.4s into the run; `, where the log holds it.
fn longest(summary: &Summary) -> String {
    let worst = summary.shards.iter().filter_map(|shard| shard.lost.worst);
    let Some(hole) = worst.max_by_key(|hole| hole.lost) else { return String::new() };
    let millis = |time: Nanos| format!("{:.1} ms", time.as_millis_f64());
    let at = hole.from.since(summary.clues.measure_at);
    format!("the longest {} at {}; ", millis(hole.lost), millis(at))
}

/// The part of the measure phase in which a shard had work. It is a queue with one server: near
/// its capacity it is late now and then, and what it adds is in the lag.
fn busy_share(summary: &Summary) -> Check {
    let subject = Subject::share("busy_share", "time in which a shard was busy");
    if is_watching(summary) {
        return subject.moot(WATCHING);
    }
    let Some(evidence) = &summary.evidence else { return subject.unavailable(KILLED) };
    let time = |busy: &Busy| busy.time;
    let busy = evidence.shards.iter().filter_map(|shard| shard.busy.as_ref().and_then(time));
    match worst(summary, busy) {
        None => subject.unavailable("a shard that may wait in the kernel does not know"),
        Some(share) => subject.judged(
            share,
            Limits { suspect: 80.0, invalid: f64::INFINITY },
            "little is left for bursts: more shards (-t), or a lower rate",
        ),
    }
}

/// The largest of these as a share of the measure phase, in per cent: at most all of it, where
/// the phase ended within a hole.
fn worst(summary: &Summary, times: impl Iterator<Item = Nanos>) -> Option<f64> {
    let worst = times.max().filter(|_| summary.measured.0 > 0)?;
    Some((100.0 * worst.0 as f64 / summary.measured.0 as f64).min(100.0))
}
