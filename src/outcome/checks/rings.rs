//! What the rings, the log and the source ports lacked.

use super::{Check, KILLED, Limits, NONE_OR_INVALID, NONE_OR_SUSPECT, Subject};
use crate::evidence::{Evidence, Outcome};
use crate::outcome::Summary;

pub(super) fn checks(summary: &Summary) -> Vec<Check> {
    let mut checks = vec![no_port(summary), connections_missing(summary)];
    checks.extend(kernel_counts(summary));
    checks
}

fn no_port(summary: &Summary) -> Check {
    let invalid = summary.tally.sessions_started as f64 / 100.0;
    Subject::count("no_port", "sessions without a source port").counted(
        summary.tally.outcome(Outcome::NoPort),
        Limits { suspect: 0.0, invalid },
        "source ports ran out: more addresses (--source), more ports (--ports), or --close rst",
    )
}

fn connections_missing(summary: &Summary) -> Check {
    let subject = Subject::count("connections_missing", "connections asked and not opened");
    let tally = &summary.tally;
    match &summary.evidence {
        _ if summary.plan.fresh => subject.unavailable("fresh sessions open theirs as they go"),
        None => subject.unavailable(KILLED),
        Some(_) => subject.counted(
            tally.connections_asked.saturating_sub(tally.connections_opened),
            NONE_OR_SUSPECT,
            "fewer connections opened than asked: raise the target's limit, or ask for fewer (-c)",
        ),
    }
}

/// What the kernel and the rings counted against us.
fn kernel_counts(summary: &Summary) -> [Check; 4] {
    let evidence = summary.evidence.as_ref();
    let count = |subject: Subject, limits, remedy, of: &dyn Fn(&Evidence) -> Option<u64>| {
        let Some(evidence) = evidence else { return subject.unavailable(KILLED) };
        match of(evidence) {
            None => subject.unavailable("the kernel did not tell"),
            Some(count) => subject.counted(count, limits, remedy),
        }
    };
    [
        count(
            Subject::count("log_lost", "records lost"),
            NONE_OR_INVALID,
            "records found no room: a faster disk for -o, or --log 1/N",
            &|_| Some(summary.tally.log_lost),
        ),
        count(
            Subject::count("cq_overflows", "overflows of the completion queue"),
            NONE_OR_SUSPECT,
            "the completion queue overflowed: more shards (-t), or a lower -c",
            &|evidence| Some(evidence.shards.iter().map(|s| s.cq_overflows).sum()),
        ),
        count(
            Subject::count("buffers_exhausted", "times without a receive buffer"),
            NONE_OR_SUSPECT,
            "receive buffers ran out and answers waited: more shards (-t), or a lower -c",
            &|evidence| Some(evidence.shards.iter().map(|s| s.buffers_exhausted).sum()),
        ),
        count(
            Subject::count("iowq_threads", "kernel threads that did our operations"),
            NONE_OR_SUSPECT,
            "the kernel ran operations in threads of its own: a kernel of 6.11 or newer avoids it",
            &|evidence| evidence.resources.iowq_threads,
        ),
    ]
}
