//! From records and trailer to a summary.

use super::recount::{self, Recount};
use super::summary::{Clues, Confidence, Figures, Rates, ShardSummary, Summary, Watching};
use super::{Blame, Cut, Regime, Series, Steady, Timeline, Trailer, Verdict};
use crate::evidence::{Environment, Evidence, Hole, Request, Slip, Tally, UpdatesSeen};
use crate::plan::{LogMode, Plan};
use crate::stats::Recorder;
use crate::unit::{Instant, Nanos, Rate};

/// Builds a [`Summary`] from what a log holds, in any order of the shards' records; those of one
/// shard come in the order of its log.
#[derive(Debug, Clone)]
pub struct Builder {
    plan: Plan,
    environment: Environment,
    began_unix_ns: Option<u64>,
    trailer: Option<Trailer>,
    cut: Option<Cut>,
    measure_at: Instant,
    shards: Vec<Recount>,
}

impl Builder {
    /// A builder that has nothing yet but the plan and the machine.
    pub fn new(plan: Plan, environment: Environment) -> Self {
        Self {
            plan,
            environment,
            began_unix_ns: None,
            trailer: None,
            cut: None,
            measure_at: Instant::ZERO,
            shards: Vec::new(),
        }
    }

    /// Wall time at the start of the measure phase, in ns since 1970.
    pub fn began(&mut self, unix_ns: u64) {
        self.began_unix_ns = Some(unix_ns);
    }

    /// Start of the measure phase on the run's clock; to be told before anything of a shard.
    pub fn measure_at(&mut self, measure_at: Instant) {
        self.measure_at = measure_at;
    }

    /// Takes a record of `shard`. One of a shard that the plan does not have is passed over: the
    /// counters will differ from the records then, and a check says so.
    pub fn request(&mut self, shard: u32, request: &Request) {
        if let Some(recount) = self.shard(shard) {
            recount.add(request);
        }
    }

    /// Takes the next part of the log of `shard`, counted elsewhere. As [`Builder::request`]
    /// otherwise.
    pub fn part(&mut self, shard: u32, part: Recount) {
        if let Some(recount) = self.shard(shard) {
            recount.merge(part);
        }
    }

    fn shard(&mut self, shard: u32) -> Option<&mut Recount> {
        if shard >= self.plan.shards {
            return None;
        }
        let index = shard as usize;
        if index >= self.shards.len() {
            self.shards.resize_with(index + 1, || Recount::new(&self.plan, self.measure_at));
        }
        self.shards.get_mut(index)
    }

    /// Takes a hole of `shard`. It comes before every request of that shard that ended after it.
    pub fn hole(&mut self, shard: u32, hole: &Hole) {
        if let Some(recount) = self.shard(shard) {
            recount.hole(hole);
        }
    }

    /// Takes an update of `shard` that was not the next of its subscription.
    pub fn slip(&mut self, shard: u32, slip: &Slip) {
        if let Some(recount) = self.shard(shard) {
            recount.slip(slip);
        }
    }

    /// Takes what the run left at its end. Without it the run was killed: the counters are those
    /// of the records then, and what only the run knew is unavailable.
    pub fn trailer(&mut self, trailer: Trailer) {
        self.trailer = Some(trailer);
    }

    /// The requests that were or will be given are as this cut has them. What the run counted as
    /// a whole is unavailable then.
    pub fn cut(&mut self, cut: Cut) {
        self.cut = Some(cut);
    }

    /// Adds up, judges, and gives the summary.
    pub fn finish(self) -> Summary {
        let has_ended = self.trailer.is_some();
        let keeps_all = self.plan.log == LogMode::All;
        let times = Times::of(&self.shards);
        let measured = self.measured(&times);
        let left = self.trailer.filter(|_| self.cut.is_none());
        let (evidence, kept) = left.map(|left| (left.evidence, (left.series, left.ages))).unzip();
        let (kept, ages) = kept.unwrap_or_default();
        let clues = clues(&self.shards, &times, evidence.as_ref().filter(|_| keeps_all));
        let clues = Clues { measure_at: self.measure_at, has_ended, ..clues };
        let span = span(evidence.as_ref(), &times, measured);
        let records = self.shards.iter().map(|shard| shard.records).sum();
        let (timeline, blame) = together(&self.shards);
        let mut slips = UpdatesSeen::default();
        self.shards.iter().for_each(|shard| slips.add(&shard.slips));
        let cut_from = self.cut.as_ref().and_then(|cut| cut.from).unwrap_or_default();
        let confidence = Confidence::of(self.plan.log, &timeline);
        let steady = Steady::of(self.plan.log, &timeline, cut_from, measured);
        let shards = by_shard(self.shards, kept, evidence.as_ref());
        let cuts_off = |number| self.cut.as_ref().is_some_and(|cut| !cut.keeps_shard(number));
        let mut tally = Tally::prepared();
        let mut series = Series::new();
        for (shard, of_shard) in &shards {
            tally.add(&shard.tally);
            series.merge(of_shard);
        }
        let shards = shards.into_iter().map(|(shard, _)| shard);
        let shards = shards.filter(|shard| !cuts_off(shard.number)).collect();
        if self.plan.rate == Rate::Max {
            // A closed loop cannot see waiting, nor be late: no sample of it was measured.
            (series.wait, series.lag) = (Recorder::new(), Recorder::new());
        }
        Summary {
            regime: Regime::of(&self.plan, &tally, measured, &steady, evidence.is_none()),
            // Counts of a sample are no rates.
            rates: match (evidence.is_some() || keeps_all, &self.cut) {
                (true, None) => Rates::of(&self.plan, &tally, measured, span).of_whole(&self.plan),
                (true, Some(_)) => Rates::of(&self.plan, &tally, measured, span),
                (false, _) => Rates::UNKNOWN,
            },
            watching: Watching::of(evidence.as_ref(), &ages),
            slips,
            plan: self.plan,
            cut: self.cut,
            environment: self.environment,
            evidence,
            began_unix_ns: self.began_unix_ns,
            measured,
            span,
            tally,
            records,
            confidence,
            steady,
            timeline,
            ours: blame.freeze(),
            blame,
            figures: Figures::of(&series),
            series,
            shards,
            checks: Vec::new(),
            verdict: Verdict::Valid,
            gates: Vec::new(),
            floor: None,
            parts: Vec::new(),
            clues,
        }
        .checked()
    }
}

impl Builder {
    /// Length of the measure phase, or of what the cut has of it.
    fn measured(&self, times: &Times) -> Nanos {
        let whole = match (&self.trailer, &self.cut) {
            (Some(trailer), _) => trailer.evidence.measured,
            (None, Some(_)) if self.plan.count.is_none() => self.plan.duration,
            (None, _) => times.measured(&self.plan),
        };
        match &self.cut {
            None => whole,
            Some(cut) => cut.length(whole).or(times.seen).unwrap_or_default(),
        }
    }
}

/// The longest span of a shard, and no less than what was measured.
fn span(evidence: Option<&Evidence>, times: &Times, measured: Nanos) -> Nanos {
    let shards = evidence.into_iter().flat_map(|evidence| &evidence.shards);
    shards.map(|shard| shard.span).chain(times.span).fold(measured, Ord::max)
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
            let (tally, series, lost) =
                recounts.next().map(Recount::into_counts).unwrap_or_default();
            let series = kept.next().unwrap_or(series);
            let seen = counted.get(index).cloned();
            let shard = ShardSummary {
                number: index as u32,
                file: None,
                tally: seen.as_ref().map_or(tally, |seen| seen.tally.clone()),
                evidence: seen,
                response: series.response.freeze(),
                lag: series.lag.freeze(),
                lost,
            };
            (shard, series)
        })
        .collect()
}

/// The requests of all shards in intervals of time, and what of them was ours.
fn together(shards: &[Recount]) -> (Timeline, Blame) {
    let (mut timeline, mut blame) = (Timeline::default(), Blame::default());
    for shard in shards {
        timeline.merge(&shard.timeline, Nanos::ZERO);
        blame.merge(&shard.blame());
    }
    (timeline, blame)
}

/// What the records tell the checks; `whole` is what the run counted, where the log should hold
/// every request of it.
fn clues(shards: &[Recount], times: &Times, whole: Option<&Evidence>) -> Clues {
    Clues {
        difference: whole.map(|evidence| difference(shards, evidence)),
        prompt: times.prompt,
        sent: times.sent,
        open_ns: shards.iter().map(|shard| shard.open_ns).sum(),
        ..Clues::default()
    }
}

fn difference(recounts: &[Recount], evidence: &Evidence) -> u64 {
    let none = Tally::default();
    let recorded = recounts.iter().map(|recount| &recount.tally).chain(std::iter::repeat(&none));
    evidence
        .shards
        .iter()
        .zip(recorded)
        .map(|(seen, own)| recount::difference(own, &seen.tally))
        .sum()
}

/// Lengths that the records of all shards show, from their first intended time on.
struct Times {
    seen: Option<Nanos>,
    span: Option<Nanos>,
    prompt: Option<Nanos>,
    sent: Option<Nanos>,
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
            sent: until(|s| s.last_sent_at),
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
    use crate::evidence::{Entry, Outcome, Phase, Step};
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

    fn hole_at((k, nanos): (u64, u64)) -> Entry {
        let (from, lost) = (request(k).intended_at, Nanos(nanos / 2));
        Entry::Hole(Hole { from, to: from + Nanos(nanos), lost, phase: Phase::Measure })
    }

    /// The entries as so many parts as there are cuts, and one more.
    fn read_in_parts(entries: &[Entry], cuts: &[usize]) -> String {
        let measure_at = request(0).intended_at;
        let run = Run { is_killed: true, ..Run::of(vec![]) };
        let plan = Plan { shards: 1, ..run.plan };
        let mut builder = Builder::new(plan.clone(), run.environment);
        let mut before = Vec::new();
        let mut from = 0;
        for &to in cuts.iter().chain([&entries.len()]) {
            let mut recount = match from {
                0 => Recount::new(&plan, measure_at),
                _ => Recount::further_on(&plan, measure_at, &before),
            };
            for entry in &entries[from..to] {
                match entry {
                    Entry::Request(request) => recount.add(request),
                    Entry::Hole(hole) => {
                        before.push(*hole);
                        recount.hole(hole);
                    }
                    Entry::Slip(slip) => recount.slip(slip),
                }
            }
            builder.part(0, recount);
            from = to;
        }
        format!("{:?}", builder.finish())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn parts_of_a_log_add_up_to_one_pass(
            steps in prop::collection::vec((0..5usize, any::<bool>(), any_request()), 0..80),
            holes in prop::collection::vec((0..80usize, (0..5000u64, 1..3_000_000u64)), 0..10),
            mut cuts in prop::collection::vec(1..90usize, 0..4),
        ) {
            // Five slots, each with one session after the other; those of one are warming up.
            let mut next = [(0u64, 0u32); 5];
            let records = steps.into_iter().map(|(slot, last, fate)| {
                let (round, request) = next[slot];
                let session = 5 * round + slot as u64;
                next[slot] = if last { (round + 1, 0) } else { (round, request + 1) };
                let phase = if slot == 4 { Phase::Warmup } else { Phase::Measure };
                Entry::Request(Request { session, request, last, phase, ..fate })
            });
            let mut entries: Vec<Entry> = records.collect();
            for (at, hole) in holes {
                entries.insert(at.min(entries.len()), hole_at(hole));
            }
            cuts.iter_mut().for_each(|cut| *cut = (*cut).min(entries.len()));
            cuts.sort_unstable();
            prop_assert_eq!(read_in_parts(&entries, &cuts), read_in_parts(&entries, &[]));
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
        (run.is_killed, run.plan.requests) = (true, 3);
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
