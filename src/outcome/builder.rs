//! From records and trailer to a summary.

use super::recount::Recount;
use super::summary::{Clues, Figures, Rates, ShardSummary, Summary, Watching};
use super::{Regime, Series, Trailer, Verdict};
use crate::evidence::{Environment, Evidence, Request, Tally};
use crate::plan::{LogMode, Plan};
use crate::stats::Recorder;
use crate::unit::{Instant, Nanos, Rate};

/// Builds a [`Summary`] from what a log holds, in any order of the shards' records; those of one
/// shard come in the order of its log.
#[derive(Debug)]
pub struct Builder {
    plan: Plan,
    environment: Environment,
    began_unix_ns: Option<u64>,
    trailer: Option<Trailer>,
    shards: Vec<Recount>,
}

impl Builder {
    /// Nothing but what was asked and where.
    pub fn new(plan: Plan, environment: Environment) -> Self {
        Self { plan, environment, began_unix_ns: None, trailer: None, shards: Vec::new() }
    }

    /// Wall time at the start of the measure phase, in ns since 1970.
    pub fn began(&mut self, unix_ns: u64) {
        self.began_unix_ns = Some(unix_ns);
    }

    /// Takes a record of `shard`. One of a shard that the plan does not have is passed over: the
    /// counters will differ from the records then, and a check says so.
    pub fn request(&mut self, shard: u32, request: &Request) {
        if shard >= self.plan.shards {
            return;
        }
        let index = shard as usize;
        if index >= self.shards.len() {
            self.shards.resize_with(index + 1, Recount::new);
        }
        self.shards[index].add(request);
    }

    /// Takes what the run left at its end. Without it the run was killed: the counters are those
    /// of the records then, and what only the run knew is unavailable.
    pub fn trailer(&mut self, trailer: Trailer) {
        self.trailer = Some(trailer);
    }

    /// Adds up, judges, and gives the summary.
    pub fn finish(self) -> Summary {
        let (evidence, kept, ages) = match self.trailer {
            Some(Trailer { evidence, series, ages }) => (Some(evidence), series, ages),
            None => (None, Vec::new(), Vec::new()),
        };
        let keeps_all = self.plan.log == LogMode::All;
        let times = Times::of(&self.shards);
        let measured = evidence.as_ref().map_or_else(|| times.measured(&self.plan), |e| e.measured);
        let clues = Clues {
            difference: evidence
                .as_ref()
                .filter(|_| keeps_all)
                .map(|evidence| difference(&self.shards, evidence)),
            prompt: times.prompt,
        };
        let span = evidence
            .iter()
            .flat_map(|evidence| &evidence.shards)
            .map(|shard| shard.span)
            .chain(times.span)
            .fold(measured, Ord::max);
        let records = self.shards.iter().map(|shard| shard.records).sum();
        let shards = by_shard(self.shards, kept, evidence.as_ref());
        let mut tally = Tally::prepared();
        let mut series = Series::new();
        for (shard, of_shard) in &shards {
            tally.add(&shard.tally);
            series.merge(of_shard);
        }
        if self.plan.rate == Rate::Max {
            // A closed loop cannot see waiting, nor be late: no sample of it was measured.
            (series.wait, series.lag) = (Recorder::new(), Recorder::new());
        }
        let watching = Watching::of(evidence.as_ref(), &ages);
        Summary {
            regime: Regime::of(&self.plan, &tally, measured, evidence.is_none()),
            rates: Rates::of(&self.plan, &tally, measured, span),
            plan: self.plan,
            environment: self.environment,
            evidence,
            began_unix_ns: self.began_unix_ns,
            measured,
            span,
            tally,
            records,
            watching,
            figures: Figures::of(&series),
            series,
            shards: shards.into_iter().map(|(shard, _)| shard).collect(),
            checks: Vec::new(),
            verdict: Verdict::Valid,
            gates: Vec::new(),
            parts: Vec::new(),
            clues,
        }
        .checked()
    }
}

/// Pairs what was counted with what was timed, shard by shard: the run's own figures where it
/// left them, those of the records otherwise.
fn by_shard(
    recounts: Vec<Recount>,
    kept: Vec<Series>,
    evidence: Option<&Evidence>,
) -> Vec<(ShardSummary, Series)> {
    let counted = evidence.map_or(&[][..], |evidence| &evidence.shards);
    let shards = counted.len().max(recounts.len()).max(kept.len());
    let mut recounts = recounts.into_iter();
    let mut kept = kept.into_iter();
    (0..shards)
        .map(|index| {
            let recount = recounts.next().unwrap_or_else(Recount::new);
            let series = kept.next().unwrap_or(recount.series);
            let seen = counted.get(index).cloned();
            let shard = ShardSummary {
                tally: seen.as_ref().map_or(recount.tally, |seen| seen.tally.clone()),
                evidence: seen,
                response: series.response.freeze(),
                lag: series.lag.freeze(),
            };
            (shard, series)
        })
        .collect()
}

fn difference(recounts: &[Recount], evidence: &Evidence) -> u64 {
    let none = Recount::new();
    let shards = evidence.shards.iter().enumerate();
    shards.map(|(i, s)| recounts.get(i).unwrap_or(&none).difference(&s.tally)).sum()
}

/// Lengths that the records of all shards show, from their first intended time on.
struct Times {
    seen: Option<Nanos>,
    span: Option<Nanos>,
    prompt: Option<Nanos>,
}

impl Times {
    fn of(shards: &[Recount]) -> Self {
        let began = shards.iter().map(|shard| shard.first_intended_at).min();
        let began = began.filter(|&began| began != Instant::NEVER);
        let until = |last: fn(&Recount) -> Instant| {
            let last = shards.iter().map(last).max().filter(|&last| last != Instant::ZERO)?;
            Some(last.since(began?))
        };
        Self {
            seen: until(|s| s.last_done_at),
            span: until(|s| s.last_ok_at),
            prompt: until(|s| s.last_prompt_at),
        }
    }

    /// How long a run that was killed measured, as far as its records tell.
    fn measured(&self, plan: &Plan) -> Nanos {
        let seen = self.seen.unwrap_or(Nanos::ZERO);
        if plan.count.is_some() { seen } else { seen.min(plan.duration) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::evidence::{Outcome, Phase, Step};
    use crate::outcome::State;
    use crate::outcome::sample::{Run, failed, request};

    fn any_request() -> impl Strategy<Value = Request> {
        (0..5000u64, 0..Outcome::ALL.len(), 0..1_000_000u64).prop_map(|(k, outcome, late)| {
            let outcome = Outcome::ALL[outcome];
            let step = if outcome == Outcome::Ok { Step::None } else { Step::Recv };
            let request = Request { step, ..failed(k, outcome, step, 104) };
            Request { done_at: request.done_at + Nanos(late), ..request }
        })
    }

    proptest! {
        #[test]
        fn the_identities_hold_whatever_became_of_the_requests(
            requests in prop::collection::vec(any_request(), 1..200),
            is_killed: bool,
        ) {
            let run = Run { is_killed, ..Run::of(vec![requests]) };
            let summary = run.summary();
            for check in &summary.checks {
                let is_identity = check.name.ends_with("_apart");
                prop_assert!(!is_identity || check.state != State::Invalid, "{check:?}");
            }
        }

        #[test]
        fn sessions_cut_off_anywhere_are_ok_failed_or_in_flight(
            sessions in prop::collection::vec((1..4u32, prop::option::of(0..4u32)), 0..30),
            kept in 0..100usize,
        ) {
            let mut records: Vec<Request> = Vec::new();
            for (session, (requests, fails_at)) in (0..).zip(sessions) {
                for number in 0..requests {
                    let fails = fails_at == Some(number);
                    let outcome = if fails { Outcome::Reset } else { Outcome::Ok };
                    let last = fails || number + 1 == requests;
                    records.push(Request { session, ..of_session(number, last, outcome) });
                    if last {
                        break;
                    }
                }
            }
            records.truncate(kept);
            let run = Run { is_killed: true, ..Run::of(vec![records.clone()]) };
            let tally = run.summary().tally;
            let ended = records.iter().filter(|record| record.last).count() as u64;
            prop_assert_eq!(tally.sessions_ok + tally.sessions_failed, ended);
            prop_assert_eq!(tally.sessions_started, ended + tally.sessions_in_flight);
            prop_assert!(tally.sessions_in_flight <= 1);
        }

        #[test]
        fn any_split_over_shards_gives_the_same_figures(
            requests in prop::collection::vec((any_request(), 0..3usize), 1..200),
        ) {
            let all: Vec<Request> = requests.iter().map(|r| r.0).collect();
            let shard = |i| requests.iter().filter(|r| r.1 == i).map(|r| r.0).collect::<Vec<_>>();
            let one = Run::of(vec![all]).summary();
            let three = Run::of((0..3).map(shard).collect()).summary();
            prop_assert_eq!(&one.figures, &three.figures);
            prop_assert_eq!(&one.tally.outcomes, &three.tally.outcomes);
            prop_assert_eq!((one.span, one.rates), (three.span, three.rates));
        }
    }

    fn of_session(request: u32, last: bool, outcome: Outcome) -> Request {
        let step = if outcome == Outcome::Ok { Step::None } else { Step::Recv };
        let first = failed(u64::from(request), outcome, step, 104);
        Request { session: 7, request, last, ..first }
    }

    #[test]
    fn a_session_lasts_from_its_first_intended_time_to_its_last_end() {
        let mut run = Run::of(vec![vec![
            of_session(0, false, Outcome::Ok),
            of_session(1, false, Outcome::Ok),
            Request { phase: Phase::Drain, ..of_session(2, true, Outcome::Ok) },
        ]]);
        run.is_killed = true;
        let summary = run.summary();
        assert_eq!((summary.tally.sessions_started, summary.tally.sessions_ok), (1, 1));
        assert_eq!(summary.tally.requests_ok, 2, "the third fell into the drain");
        let response = Nanos::from_micros(2100);
        assert_eq!(summary.figures.session.max(), Some(response));
    }

    #[test]
    fn a_session_that_a_kill_cut_off_is_in_flight() {
        let mut run = Run::of(vec![vec![of_session(0, false, Outcome::Ok), request(8)]]);
        run.is_killed = true;
        let tally = run.summary().tally;
        assert_eq!(
            (tally.sessions_started, tally.sessions_ok, tally.sessions_in_flight),
            (2, 1, 1)
        );
    }

    #[test]
    fn histograms_of_the_trailer_stand_for_records_that_were_not_kept() {
        let run = Run::steady();
        let mut series = Series::new();
        run.shards[0].requests.iter().for_each(|request| series.record(request));
        let mut plan = run.plan.clone();
        plan.log = LogMode::Nothing;
        let mut builder = Builder::new(plan, run.environment.clone());
        let shards = vec![run.shards[0].evidence.clone()];
        let evidence = Evidence { shards, ..run.evidence.clone() };
        builder.trailer(Trailer { evidence, series: vec![series], ..Trailer::default() });
        let summary = builder.finish();
        assert_eq!(summary.figures.response, run.summary().figures.response);
        assert_eq!(summary.tally, run.summary().tally);
    }

    #[test]
    fn a_timeout_after_the_end_lowers_no_rate() {
        let mut requests: Vec<Request> = (0..1000).map(request).collect();
        let silent = failed(999, Outcome::Timeout, Step::Recv, 125);
        requests[999] = Request { done_at: silent.sent_at + Nanos::from_secs(5), ..silent };
        assert_eq!(Run::of(vec![requests]).summary().rates.achieved_per_s, Some(999.0));
    }

    #[test]
    fn a_backlog_served_in_the_drain_raises_no_rate() {
        let late = Nanos::from_secs(3);
        let run = Run::of_responses(1000, |_| (late, Nanos::ZERO));
        let summary = run.summary();
        assert_eq!(summary.rates.offered_per_s, Some(1000.0));
        assert!(summary.rates.achieved_per_s.unwrap() < 260.0, "{:?}", summary.rates);
    }
}
