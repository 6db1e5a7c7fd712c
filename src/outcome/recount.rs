//! What the records of one shard say on their own: the counters again, and the sessions.

use std::collections::HashMap;

use super::blame::{Blame, Lost, Recent};
use super::{Series, Timeline};
use crate::evidence::{Hole, Outcome, Phase, Request, Slip, Step, Tally, UpdatesSeen};
use crate::plan::{Pattern, Plan};
use crate::unit::{Instant, Nanos, Rate};

/// Counts the records of one shard anew, or those of a part of its log: parts that are counted
/// apart and merged in the order of the log give, bit by bit, what one pass gives (up to the 64
/// kinds of error that a [`Tally`] keeps apart).
#[derive(Debug, Clone)]
pub struct Recount {
    pub(super) tally: Tally,
    pub(super) series: Series,
    pub(super) timeline: Timeline,
    /// Its `response` stays empty until [`Recount::blame`]: it has the samples of the series.
    blame: Blame,
    /// Every session is one request: so is their time, and is not recorded twice.
    is_session_request: bool,
    /// Holes of the measure phase.
    pub(super) lost: Lost,
    /// Updates of the measure phase that were not the next.
    pub(super) slips: UpdatesSeen,
    /// Records, of whatever phase.
    pub(super) records: u64,
    /// Start of the measure phase.
    measure_at: Instant,
    /// The latest holes so far.
    recent: Recent,
    /// The log keeps requests that are like those it leaves out.
    is_fair: bool,
    /// How long sessions were open, from their first send to their last end, all together and of
    /// whatever phase, in ns.
    pub(super) open_ns: u128,
    /// Sessions of several requests that have begun and not ended; never more than are open at a
    /// time.
    open: HashMap<u64, Begun>,
    /// Last requests of sessions that began before this part; `None` where nothing was before.
    strays: Option<Vec<Request>>,
    /// First intended time of the measure phase.
    pub(super) first_intended_at: Instant,
    /// Last time a session of the measure phase that did not have to wait was sent.
    pub(super) last_prompt_at: Instant,
    /// Last time a session of the measure phase was sent.
    pub(super) last_sent_at: Instant,
    /// Last end of a request of the measure phase.
    pub(super) last_done_at: Instant,
    /// Last end of one that was ok.
    pub(super) last_ok_at: Instant,
}

/// The first request of a session.
#[derive(Debug, Clone, Copy)]
struct Begun {
    /// Where it is of the measure phase.
    intended_at: Option<Instant>,
    sent_at: Instant,
}

impl Recount {
    /// Nothing yet, at the beginning of a shard's log; the measure phase began at `measure_at`.
    pub fn new(plan: &Plan, measure_at: Instant) -> Self {
        // In a rush, a request lags as long as one core takes to send those before it; in a closed
        // loop nothing is due at any time. Only holes are our own doing there.
        let is_lag_ours = plan.rate != Rate::Max && !matches!(plan.pattern, Pattern::Rush(_));
        Self {
            tally: Tally::prepared(),
            series: Series::new(),
            timeline: Timeline::default(),
            blame: Blame::default(),
            is_session_request: plan.requests == 1,
            lost: Lost::default(),
            slips: UpdatesSeen::default(),
            records: 0,
            measure_at,
            recent: Recent::new(is_lag_ours),
            is_fair: plan.log.is_fair(),
            open_ns: 0,
            open: HashMap::new(),
            strays: None,
            first_intended_at: Instant::NEVER,
            last_prompt_at: Instant::ZERO,
            last_sent_at: Instant::ZERO,
            last_done_at: Instant::ZERO,
            last_ok_at: Instant::ZERO,
        }
    }

    /// Nothing yet, further on in a shard's log, in which `before` are the holes so far: what is
    /// counted here is to be merged behind the parts before it.
    /// A request looks back at the holes that it lived through, wherever they stand.
    pub fn further_on(plan: &Plan, measure_at: Instant, before: &[Hole]) -> Self {
        let mut recount = Self { strays: Some(Vec::new()), ..Self::new(plan, measure_at) };
        before.iter().for_each(|hole| recount.recent.push(hole));
        recount
    }

    /// Takes the next record.
    #[inline]
    pub fn add(&mut self, request: &Request) {
        self.records += 1;
        self.series.record(request);
        self.timeline.record(self.measure_at, request);
        if self.is_fair {
            self.blame.record(request, self.recent.share_of(request));
        }
        self.count_session(request);
        if request.phase == Phase::Measure {
            self.count_request(request);
        } else if request.step != Step::None {
            self.tally.count_error(request.phase, request.step, request.errno);
        }
    }

    fn count_request(&mut self, request: &Request) {
        self.tally.count(request);
        self.tally.requests_sent += u64::from(is_start(request));
        self.tally.bytes_sent += request.bytes_sent;
        self.first_intended_at = self.first_intended_at.min(request.intended_at);
        self.last_done_at = self.last_done_at.max(request.done_at);
        if request.outcome == Outcome::Ok {
            self.last_ok_at = self.last_ok_at.max(request.done_at);
        }
        if request.request == 0 && request.was_sent() {
            self.last_sent_at = self.last_sent_at.max(request.sent_at);
            if request.wait() == Nanos::ZERO {
                self.last_prompt_at = self.last_prompt_at.max(request.sent_at);
            }
        }
    }

    /// Takes the next hole. It comes before every request that ended after it.
    pub fn hole(&mut self, hole: &Hole) {
        self.recent.push(hole);
        self.lost.add(hole);
    }

    /// Takes an update that was not the next.
    pub fn slip(&mut self, slip: &Slip) {
        if slip.phase == Phase::Measure {
            self.slips.count(slip.steps());
        }
    }

    /// Adds the part of the log that comes next.
    pub fn merge(&mut self, next: Self) {
        self.tally.add(&next.tally);
        self.series.merge(&next.series);
        self.timeline.merge(&next.timeline, Nanos::ZERO);
        self.blame.merge(&next.blame);
        self.lost.merge(&next.lost);
        self.slips.add(&next.slips);
        self.records += next.records;
        self.open_ns += next.open_ns;
        self.recent = next.recent;
        self.first_intended_at = self.first_intended_at.min(next.first_intended_at);
        self.last_prompt_at = self.last_prompt_at.max(next.last_prompt_at);
        self.last_sent_at = self.last_sent_at.max(next.last_sent_at);
        self.last_done_at = self.last_done_at.max(next.last_done_at);
        self.last_ok_at = self.last_ok_at.max(next.last_ok_at);
        next.strays.iter().flatten().for_each(|last| self.end_session(last));
        self.open.extend(next.open);
    }

    /// A session belongs to the phase of its first request, wherever its later ones fall.
    fn count_session(&mut self, request: &Request) {
        if request.request > 0 {
            if request.last {
                self.end_session(request);
            }
            return;
        }
        let intended_at = (request.phase == Phase::Measure).then_some(request.intended_at);
        if intended_at.is_some() {
            self.count_arrival(request);
        }
        let sent_at = if request.was_sent() { request.sent_at } else { request.done_at };
        let begun = Begun { intended_at, sent_at };
        match request.last {
            true => self.count_ended(begun, request),
            false => drop(self.open.insert(request.session, begun)),
        }
    }

    /// Ends a session of several requests with its last one.
    fn end_session(&mut self, last: &Request) {
        match (self.open.remove(&last.session), &mut self.strays) {
            (Some(begun), _) => self.count_ended(begun, last),
            (None, Some(strays)) => strays.push(*last),
            (None, None) => {}
        }
    }

    fn count_ended(&mut self, begun: Begun, last: &Request) {
        self.open_ns += u128::from(last.done_at.since(begun.sent_at).0);
        let Some(intended_at) = begun.intended_at else { return };
        if !self.is_session_request {
            self.series.record_session(intended_at, last);
        }
        match last.outcome {
            Outcome::Ok => self.tally.sessions_ok += 1,
            _ if is_start(last) || last.request > 0 => self.tally.sessions_failed += 1,
            _ => {}
        }
    }

    /// What of the response was ours; nothing is said where the log keeps a choice of requests.
    pub(super) fn blame(&self) -> Blame {
        if !self.is_fair {
            return Blame::default();
        }
        Blame { response: self.series.response.clone(), ..self.blame.clone() }
    }

    /// What was counted, with the sessions that are still open.
    pub(super) fn into_counts(mut self) -> (Tally, Series, Lost) {
        let is_counted = |begun: &&Begun| begun.intended_at.is_some();
        self.tally.sessions_in_flight = self.open.values().filter(is_counted).count() as u64;
        if self.is_session_request {
            self.series.session = self.series.response.clone();
        }
        (self.tally, self.series, self.lost)
    }

    fn count_arrival(&mut self, first: &Request) {
        self.tally.sessions_planned += 1;
        match first.outcome {
            Outcome::Dropped => self.tally.sessions_dropped += 1,
            Outcome::Unserved => self.tally.sessions_unserved += 1,
            _ => self.tally.sessions_started += 1,
        }
        self.tally.sessions_deferred += u64::from(first.wait() > Nanos::ZERO);
    }
}

/// Requests that what the run counted and what the records say do not agree on.
pub(super) fn difference(recorded: &Tally, counted: &Tally) -> u64 {
    let requests: u64 = Outcome::ALL
        .iter()
        .map(|&outcome| recorded.outcome(outcome).abs_diff(counted.outcome(outcome)))
        .sum();
    let sessions = recorded.sessions_ok.abs_diff(counted.sessions_ok)
        + recorded.sessions_failed.abs_diff(counted.sessions_failed);
    requests.max(sessions)
}

/// Handed to the ring, or failed for want of a port: it counts as sent.
fn is_start(request: &Request) -> bool {
    request.was_sent() || request.outcome == Outcome::NoPort
}
