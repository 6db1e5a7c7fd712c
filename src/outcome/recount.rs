//! What the records of one shard say on their own: the counters again, and the sessions.

use std::collections::HashMap;

use super::blame::{Blame, Holes};
use super::{Lost, Series};
use crate::evidence::{Hole, Outcome, Phase, Request, Step, Tally};
use crate::unit::{Instant, Nanos};

/// Counts the records of one shard anew.
#[derive(Debug)]
pub(super) struct Recount {
    pub(super) tally: Tally,
    pub(super) series: Series,
    /// Records, of whatever phase.
    pub(super) records: u64,
    pub(super) blame: Blame,
    /// Holes of the measure phase.
    pub(super) lost: Lost,
    holes: Holes,
    /// Sessions of several requests that have begun and not ended, with their intended start
    /// where it lies in the measure phase; never more than are open at a time.
    open: HashMap<u64, Option<Instant>>,
    /// Last requests of sessions that began before the first record here.
    orphans: Vec<Request>,
    /// First intended time of the measure phase.
    pub(super) first_intended_at: Instant,
    /// Last time a session of the measure phase that did not have to wait was sent.
    pub(super) last_prompt_at: Instant,
    /// Last end of a request of the measure phase.
    pub(super) last_done_at: Instant,
    /// Last end of one that was ok.
    pub(super) last_ok_at: Instant,
}

impl Recount {
    pub(super) fn new() -> Self {
        Self {
            tally: Tally::prepared(),
            series: Series::new(),
            records: 0,
            blame: Blame::default(),
            lost: Lost::default(),
            holes: Holes::default(),
            open: HashMap::new(),
            orphans: Vec::new(),
            first_intended_at: Instant::NEVER,
            last_prompt_at: Instant::ZERO,
            last_done_at: Instant::ZERO,
            last_ok_at: Instant::ZERO,
        }
    }

    pub(super) fn add(&mut self, request: &Request) {
        self.records += 1;
        self.series.record(request);
        self.blame.record(request, self.holes.share_of(request));
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
        if request.request == 0 && request.was_sent() && request.wait() == Nanos::ZERO {
            self.last_prompt_at = self.last_prompt_at.max(request.sent_at);
        }
    }

    /// Takes a hole that the log holds next.
    pub(super) fn add_hole(&mut self, hole: &Hole) {
        self.holes.push(hole);
        self.lost.add(hole);
    }

    /// Takes a hole from before the part of the log that is counted here.
    pub(super) fn remember(&mut self, hole: &Hole) {
        self.holes.push(hole);
    }

    /// Adds what follows in the log, as if it had been counted here.
    pub(super) fn append(&mut self, next: Self) {
        self.tally.add(&next.tally);
        self.series.merge(&next.series);
        self.blame.merge(&next.blame);
        self.lost.merge(&next.lost);
        self.records += next.records;
        self.holes = next.holes;
        for last in &next.orphans {
            self.count_session(last);
        }
        self.open.extend(next.open);
        self.first_intended_at = self.first_intended_at.min(next.first_intended_at);
        self.last_prompt_at = self.last_prompt_at.max(next.last_prompt_at);
        self.last_done_at = self.last_done_at.max(next.last_done_at);
        self.last_ok_at = self.last_ok_at.max(next.last_ok_at);
    }

    /// A session belongs to the phase of its first request, wherever its later ones fall.
    fn count_session(&mut self, request: &Request) {
        if request.request > 0 {
            if request.last {
                match self.open.remove(&request.session) {
                    Some(Some(began)) => self.end_session(began, request),
                    Some(None) => {}
                    None => self.orphans.push(*request),
                }
            }
        } else {
            let is_counted = request.phase == Phase::Measure;
            if is_counted {
                self.count_arrival(request);
            }
            if !request.last {
                self.open.insert(request.session, is_counted.then_some(request.intended_at));
            } else if is_counted {
                self.end_session(request.intended_at, request);
            }
        }
    }

    /// Counts what is still open at the end of the log.
    pub(super) fn close(&mut self) {
        self.tally.sessions_in_flight = self.open.values().flatten().count() as u64;
    }

    fn end_session(&mut self, began: Instant, last: &Request) {
        self.series.record_session(began, last);
        match last.outcome {
            Outcome::Ok => self.tally.sessions_ok += 1,
            _ if is_start(last) || last.request > 0 => self.tally.sessions_failed += 1,
            _ => {}
        }
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

    /// Requests that what the run counted and what the records say do not agree on.
    pub(super) fn difference(&self, counted: &Tally) -> u64 {
        let requests: u64 = Outcome::ALL
            .iter()
            .map(|&outcome| self.tally.outcome(outcome).abs_diff(counted.outcome(outcome)))
            .sum();
        let sessions = self.tally.sessions_ok.abs_diff(counted.sessions_ok)
            + self.tally.sessions_failed.abs_diff(counted.sessions_failed);
        requests.max(sessions)
    }
}

/// Handed to the ring, or failed for want of a port: it counts as sent.
fn is_start(request: &Request) -> bool {
    request.was_sent() || request.outcome == Outcome::NoPort
}
