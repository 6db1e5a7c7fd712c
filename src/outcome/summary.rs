//! Everything that a report needs, and nothing that it has to work out.

use super::checks::{self, Check, Verdict};
use super::gate::{Gates, Judged};
use super::{Ages, Beside, Blame, Cut, Lost, Ours, Regime, Series, SeriesName, Steady, Timeline};
use crate::evidence::{Environment, Evidence, ShardEvidence, Tally, UpdatesSeen};
use crate::plan::{LogMode, Plan};
use crate::stats::{Blocks, Distribution};
use crate::unit::{Instant, Nanos, Quantile, Rate};

/// What a run yielded, or several merged ones.
#[derive(Debug, Clone)]
pub struct Summary {
    /// What was asked.
    pub plan: Plan,
    /// The machine.
    pub environment: Environment,
    /// What the run gathered about itself; `None` where it was killed, or the report is cut.
    pub evidence: Option<Evidence>,
    /// What was counted, where it is not the whole measure phase.
    pub cut: Option<Cut>,
    /// Wall time at the start of the measure phase, in ns since 1970, where the log says.
    pub began_unix_ns: Option<u64>,
    /// Length of the measure phase; from the records alone where the run was killed.
    pub measured: Nanos,
    /// From the start of the measure phase to the last end of a request of it that was ok, and
    /// at least `measured`.
    pub span: Nanos,
    /// All shards' counters; from the records alone where the run was killed.
    pub tally: Tally,
    /// Records in the log, of all phases.
    pub records: u64,
    /// All shards' times, still mergeable.
    pub series: Series,
    /// All shards' times, frozen.
    pub figures: Figures,
    /// All shards' requests in intervals of time; those that the log kept.
    pub timeline: Timeline,
    /// The blocks from which percentiles get their bounds.
    pub confidence: Confidence,
    /// Whether the run came to a steady state.
    pub steady: Steady,
    /// What was our own doing in the response of the requests that the log kept, still mergeable.
    pub blame: Blame,
    /// The same, frozen.
    pub ours: Ours,
    /// What became of the updates of subscriptions; `None` where there were none, or the run was
    /// killed.
    pub watching: Option<Watching>,
    /// Updates that were not the next, by the records alone; `received` says how many.
    pub slips: UpdatesSeen,
    /// The shards, in their order.
    pub shards: Vec<ShardSummary>,
    /// How the load met the target.
    pub regime: Regime,
    /// Counts per second.
    pub rates: Rates,
    /// What was looked at.
    pub checks: Vec<Check>,
    /// The worst of the checks.
    pub verdict: Verdict,
    /// Gates that were asked for by [`Summary::judge`].
    pub gates: Vec<Judged>,
    /// The run beside the floor of its machine, where [`Summary::stand_beside`] was told that.
    pub floor: Option<Beside>,
    /// The files of a merged summary; empty where there is one.
    pub parts: Vec<Part>,
    /// What only the checks look at.
    pub(super) clues: Clues,
}

/// Facts from the records that only the checks look at.
#[derive(Debug, Clone, Default)]
pub(super) struct Clues {
    /// Requests on which counters and records differ, where the log should hold every one.
    pub(super) difference: Option<u64>,
    /// From the start of the measure phase to the last send of a session that did not have to
    /// wait, where the log holds one.
    pub(super) prompt: Option<Nanos>,
    /// The same of any session.
    pub(super) sent: Option<Nanos>,
    /// How long sessions were open by the records, all together, in ns.
    pub(super) open_ns: u128,
    /// Start of the measure phase on the run's clock.
    pub(super) measure_at: Instant,
    /// The log has its trailer.
    pub(super) has_ended: bool,
}

/// One file of a merged summary.
#[derive(Debug, Clone)]
pub struct Part {
    /// The file.
    pub name: String,
    /// Its own figures.
    pub summary: Summary,
}

/// A shard's own figures.
#[derive(Debug, Clone)]
pub struct ShardSummary {
    /// Its number in its run.
    pub number: u32,
    /// The file of its run, where several are merged.
    pub file: Option<String>,
    /// Its counters.
    pub tally: Tally,
    /// What it saw of itself; `None` where the run was killed.
    pub evidence: Option<ShardEvidence>,
    /// Its response.
    pub response: Distribution,
    /// Its lag.
    pub lag: Distribution,
    /// The holes of its measure phase that the log holds.
    pub lost: Lost,
}

/// What became of the updates of subscriptions.
#[derive(Debug, Clone)]
pub struct Watching {
    /// Counts.
    pub updates: UpdatesSeen,
    /// Times, still mergeable.
    pub ages: Ages,
    /// Arrival - the server's stamp.
    pub age: Distribution,
    /// Arrival - arrival of the subscription's update before.
    pub gap: Distribution,
}

impl Watching {
    /// Counts and times of all shards.
    pub(super) fn of(evidence: Option<&Evidence>, ages: &[Ages]) -> Option<Self> {
        let mut counted = evidence?.shards.iter().filter_map(|shard| shard.updates).peekable();
        counted.peek()?;
        let mut updates = UpdatesSeen::default();
        counted.for_each(|more| updates.add(&more));
        let mut all = Ages::default();
        ages.iter().for_each(|more| all.merge(more));
        Some(Self { updates, age: all.age.freeze(), gap: all.gap.freeze(), ages: all })
    }
}

/// [`Series`], frozen.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of `Series`")]
pub struct Figures {
    pub response: Distribution,
    pub service: Distribution,
    pub wait: Distribution,
    pub lag: Distribution,
    pub connect: Distribution,
    pub first_byte: Distribution,
    pub session: Distribution,
}

impl Figures {
    /// The series of this name.
    pub fn of_series(&self, name: SeriesName) -> &Distribution {
        match name {
            SeriesName::Response => &self.response,
            SeriesName::Service => &self.service,
            SeriesName::Wait => &self.wait,
            SeriesName::Lag => &self.lag,
            SeriesName::Connect => &self.connect,
            SeriesName::FirstByte => &self.first_byte,
            SeriesName::Session => &self.session,
        }
    }

    /// The series so far, frozen.
    pub fn of(series: &Series) -> Self {
        Self {
            response: series.response.freeze(),
            service: series.service.freeze(),
            wait: series.wait.freeze(),
            lag: series.lag.freeze(),
            connect: series.connect.freeze(),
            first_byte: series.first_byte.freeze(),
            session: series.session.freeze(),
        }
    }
}

/// The samples of the log in blocks of time, series by series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confidence {
    /// Of the response.
    pub response: Blocks,
    /// Of the service.
    pub service: Blocks,
}

impl Confidence {
    /// From the requests of a log that keeps a fair part of them; from others there is none.
    pub(super) fn of(log: LogMode, timeline: &Timeline) -> Self {
        let intervals = if log.is_fair() { timeline.intervals() } else { &[] };
        Self {
            response: Blocks::of(intervals.iter().map(|interval| &interval.response)),
            service: Blocks::of(intervals.iter().map(|interval| &interval.service)),
        }
    }
}

/// Counts per second; `None` where no time passed.
///
/// Where nothing had to wait the time is the measure phase: its arrivals were served at their own
/// pace. In a closed loop, or where arrivals were deferred, it is the span: what is served in the
/// drain raises no rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// The rate of the plan; of several runs, or of a part of one, the sessions planned over the
    /// measure phase. `None` for a closed loop, which offers nothing.
    pub offered_per_s: Option<f64>,
    /// Sessions started.
    pub sent_per_s: Option<f64>,
    /// Sessions that were ok.
    pub achieved_per_s: Option<f64>,
    /// Requests that were ok.
    pub requests_per_s: Option<f64>,
    /// Bytes of answers.
    pub bytes_received_per_s: Option<f64>,
}

impl Rates {
    /// Nothing is known.
    pub(super) const UNKNOWN: Self = Self {
        offered_per_s: None,
        sent_per_s: None,
        achieved_per_s: None,
        requests_per_s: None,
        bytes_received_per_s: None,
    };

    pub(super) fn of(plan: &Plan, tally: &Tally, measured: Nanos, span: Nanos) -> Self {
        let per_s = |count: u64, time: Nanos| {
            (time > Nanos::ZERO).then(|| count as f64 / time.as_secs_f64())
        };
        let is_open = plan.rate != Rate::Max && tally.sessions_deferred == 0;
        let serving = if is_open { measured } else { span };
        Self {
            offered_per_s: per_s(tally.sessions_planned, measured)
                .filter(|_| plan.rate != Rate::Max),
            sent_per_s: per_s(tally.sessions_started, serving),
            achieved_per_s: per_s(tally.sessions_ok, serving),
            requests_per_s: per_s(tally.requests_ok, serving),
            bytes_received_per_s: per_s(tally.bytes_received, serving),
        }
    }

    /// Those of a whole run, which offered the rate of its plan. The sessions due until it ended
    /// come to up to one more, and a run of a count ends before the next would be due.
    pub(super) fn of_whole(self, plan: &Plan) -> Self {
        let offered_per_s = self.offered_per_s.and(plan.rate.as_per_second_f64());
        Self { offered_per_s, ..self }
    }
}

impl Summary {
    /// Looks at everything and comes to the verdict.
    pub(super) fn checked(mut self) -> Self {
        self.checks = checks::of(&self);
        self.verdict = Verdict::of(&self.checks);
        self
    }

    /// Says that this is a part of `whole`: where that is INVALID no part of it is VALID.
    pub fn is_part_of(&mut self, whole: &Self) {
        self.checks.push(checks::of_whole(whole));
        self.verdict = Verdict::of(&self.checks);
    }

    /// Whether there is something that an error bar could hold: an INVALID run shows something
    /// else, and what has no steady state depends on the length of the run.
    pub fn has_truth(&self) -> bool {
        self.verdict != Verdict::Invalid && !self.regime.is_overloaded
    }

    /// How well a percentile of the response is known: half of its interval, as a share of it.
    /// `None` where it has no error bar.
    pub fn error_bar(&self, at: Quantile) -> Option<f64> {
        let response = &self.figures.response;
        let bounds = self.confidence.response.bounds(response, at).ok()?;
        response.quantile(at).filter(|_| self.has_truth()).map(|value| bounds.relative(value))
    }

    /// Holds `gates` against the figures; they stand in every report from then on.
    pub fn judge(&mut self, gates: &Gates) {
        self.gates = gates.0.iter().map(|gate| gate.judge(self)).collect();
    }

    /// Whether a gate was breached.
    pub fn is_breached(&self) -> bool {
        self.gates.iter().any(|judged| !judged.is_met)
    }

    /// The share of planned sessions that failed, were dropped or were left unserved, 0 to 1;
    /// `None` where none was planned.
    pub(super) fn error_share(&self) -> Option<f64> {
        let tally = &self.tally;
        let lost = tally.sessions_failed + tally.sessions_dropped + tally.sessions_unserved;
        (tally.sessions_planned > 0).then(|| lost as f64 / tally.sessions_planned as f64)
    }

    /// `io_uring_enter` calls per operation; `None` where nothing was pushed, or it is unknown.
    pub fn enters_per_op(&self) -> Option<f64> {
        let shards = &self.evidence.as_ref()?.shards;
        let operations: u64 = shards.iter().map(|shard| shard.operations).sum();
        let enters: u64 = shards.iter().map(|shard| shard.enters).sum();
        (operations > 0).then(|| enters as f64 / operations as f64)
    }
}
