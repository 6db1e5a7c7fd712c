//! The lives of sessions, as APerf drew them: each from its intended start to its end.

use std::collections::BTreeMap;

use super::Window;
use super::grid::since_start;
use crate::evidence::{Outcome, Request, Step};
use crate::unit::{Instant, Nanos};

/// Sessions that are drawn, at most.
const SESSIONS_MAX: usize = 2000;

/// Requests of them, at most.
const REQUESTS_MAX: usize = 20_000;

/// What a part of a life is spent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// From intended to ready: the system under test kept it waiting.
    Wait,
    /// From ready to sent: we were late.
    Lag,
    /// From sent to connected, of a fresh session.
    Connect,
    /// From sent or connected to the first byte.
    FirstByte,
    /// From the first byte to the end; all that follows connecting where no byte came.
    Answer,
}

impl Stage {
    /// All of them in the order of a life, with the word for each.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Wait, "wait"),
        (Self::Lag, "lag"),
        (Self::Connect, "connect"),
        (Self::FirstByte, "first byte"),
        (Self::Answer, "answer"),
    ];
}

/// A stretch of a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// What it is spent on.
    pub stage: Stage,
    /// When it begins, from the start of the measure phase.
    pub from: Nanos,
    /// When it ends; later.
    pub to: Nanos,
}

/// A session as far as it lies in the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// The shard that served it.
    pub shard: u32,
    /// Its number within that shard.
    pub session: u64,
    /// Its stretches in order of time.
    pub stretches: Vec<Stretch>,
    /// Its end and what it failed of, where it did.
    pub failed: Option<(Nanos, Outcome)>,
    /// Its intended start, or that of its first request in the window.
    pub from: Nanos,
}

/// Sessions of a window of time, in order of their intended start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifetimes {
    /// The window.
    pub window: Window,
    /// One of so many sessions is here, by its number; a power of two.
    pub one_in: u64,
    /// The sessions.
    pub lives: Vec<Life>,
}

/// Gathers the requests of a window.
#[derive(Debug)]
pub(super) struct Gatherer {
    start: Instant,
    window: Window,
    one_in: u64,
    requests: usize,
    sessions: BTreeMap<(u32, u64), Vec<Request>>,
    /// The session that is here whatever its number.
    worst: Option<(u32, u64)>,
}

impl Gatherer {
    pub(super) fn new(start: Instant, window: Window, worst: Option<(u32, u64)>) -> Self {
        Self { start, window, one_in: 1, requests: 0, sessions: BTreeMap::new(), worst }
    }

    pub(super) fn add(&mut self, shard: u32, request: &Request) {
        let key = (shard, request.session);
        let is_near = request.intended_at <= self.start + self.window.to
            && request.done_at >= self.start + self.window.from
            && request.intended_at >= self.start;
        if !is_near || !self.keeps(key) {
            return;
        }
        if self.requests >= REQUESTS_MAX && self.sessions.len() < 3 {
            return; // Sessions of so many requests: their first ones say enough.
        }
        self.sessions.entry(key).or_default().push(*request);
        self.requests += 1;
        while self.sessions.len() > SESSIONS_MAX
            || self.requests > REQUESTS_MAX && self.sessions.len() > 2
        {
            self.thin();
        }
    }

    /// The same sessions remain in whatever order the requests came.
    fn thin(&mut self) {
        self.one_in *= 2;
        let (one_in, worst) = (self.one_in, self.worst);
        self.sessions.retain(|&key, _| keeps(one_in, worst, key));
        self.requests = self.sessions.values().map(Vec::len).sum();
    }

    fn keeps(&self, key: (u32, u64)) -> bool {
        keeps(self.one_in, self.worst, key)
    }

    pub(super) fn finish(self) -> Lifetimes {
        let Self { start, window, one_in, sessions, .. } = self;
        let lives = sessions.into_iter().filter_map(|(key, requests)| life(start, key, requests));
        let mut lives: Vec<Life> = lives.collect();
        lives.sort_by_key(|life| (life.from, life.session, life.shard));
        Lifetimes { window, one_in, lives }
    }
}

fn keeps(one_in: u64, worst: Option<(u32, u64)>, key: (u32, u64)) -> bool {
    key.1.is_multiple_of(one_in) || worst == Some(key)
}

fn life(start: Instant, (shard, session): (u32, u64), mut requests: Vec<Request>) -> Option<Life> {
    requests.sort_by_key(|request| request.request);
    let from = since_start(requests.first()?.intended_at, start)?;
    let last = requests.last()?;
    let has_failed = last.outcome != Outcome::Ok;
    let failed = since_start(last.done_at, start).filter(|_| has_failed);
    let stretches = requests.iter().flat_map(|request| stretches(start, request)).collect();
    Some(Life { shard, session, stretches, failed: failed.map(|at| (at, last.outcome)), from })
}

/// What a request's time went into, stages without time left out.
fn stretches(start: Instant, request: &Request) -> impl Iterator<Item = Stretch> {
    let mut at = request.intended_at;
    let mut until = move |stage, end: Instant| {
        let (from, to) = (since_start(at, start)?, since_start(end, start)?);
        at = at.max(end);
        (from < to).then_some(Stretch { stage, from, to })
    };
    let r = request;
    [
        until(Stage::Wait, r.ready_at),
        until(Stage::Lag, r.sent_at),
        r.connected_at.and_then(|at| until(Stage::Connect, at)),
        r.first_byte_at.and_then(|at| until(Stage::FirstByte, at)),
        until(last_stage(r), r.done_at),
    ]
    .into_iter()
    .flatten()
}

/// What a request was at when it ended: one that failed may never have come to its answer.
fn last_stage(request: &Request) -> Stage {
    match request.step {
        _ if !request.was_sent() => Stage::Wait,
        _ if request.outcome == Outcome::Ok || request.first_byte_at.is_some() => Stage::Answer,
        Step::Connect => Stage::Connect,
        _ => Stage::FirstByte,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::outcome::sample::{failed, request};

    const START: Instant = Instant(5_000_000_000);

    fn of(requests: &[(u32, Request)], window: Window) -> Lifetimes {
        let mut gatherer = Gatherer::new(START, window, Some((0, 777)));
        requests.iter().for_each(|(shard, request)| gatherer.add(*shard, request));
        gatherer.finish()
    }

    const ALL: Window = Window { from: Nanos::ZERO, to: Nanos::from_secs(100) };

    #[test]
    fn a_life_is_made_of_its_stages_without_gap() {
        let at = |us| START + Nanos::from_micros(us);
        let fresh = Request {
            ready_at: at(10),
            sent_at: at(11),
            connected_at: Some(at(15)),
            first_byte_at: Some(at(40)),
            done_at: at(41),
            ..request(0)
        };
        let lives = of(&[(0, fresh)], ALL).lives;
        let stages: Vec<_> = lives[0].stretches.iter().map(|s| (s.stage, s.to.0 / 1000)).collect();
        let expect = [
            (Stage::Wait, 10),
            (Stage::Lag, 11),
            (Stage::Connect, 15),
            (Stage::FirstByte, 40),
            (Stage::Answer, 41),
        ];
        assert_eq!(stages, expect);
        assert!(lives[0].stretches.windows(2).all(|pair| pair[0].to == pair[1].from));
        assert_eq!((lives[0].failed, lives[0].from), (None, Nanos::ZERO));
    }

    #[test]
    fn a_failure_is_marked_at_its_end() {
        let lives = of(&[(1, failed(3, Outcome::Reset, Step::Recv, 104))], ALL).lives;
        assert_eq!(lives[0].failed, Some((Nanos::from_micros(3100), Outcome::Reset)));
        let last = |outcome, step| {
            let request = Request { first_byte_at: None, ..failed(3, outcome, step, 104) };
            last_stage(&request)
        };
        assert_eq!(last(Outcome::Reset, Step::Recv), Stage::FirstByte);
        assert_eq!(last(Outcome::Refused, Step::Connect), Stage::Connect);
        assert_eq!(last(Outcome::Unserved, Step::None), Stage::Wait);
        assert_eq!((lives[0].shard, lives[0].session), (1, 3));
    }

    #[test]
    fn only_lives_that_touch_the_window_are_in_it() {
        let requests: Vec<_> = (0..100).map(|k| (0, request(k))).collect();
        let window = Window { from: Nanos::from_micros(10_050), to: Nanos::from_millis(12) };
        let sessions: Vec<_> = of(&requests, window).lives.iter().map(|l| l.session).collect();
        assert_eq!(sessions, [10, 11, 12]);
    }

    proptest! {
        #[test]
        fn many_sessions_are_thinned_evenly_and_in_any_order(
            count in 2001..9000u64,
            seed in any::<u64>(),
        ) {
            let mut requests: Vec<_> = (0..count).map(|k| (0, request(k))).collect();
            let thinned = of(&requests, ALL);
            prop_assert!(thinned.lives.len() <= SESSIONS_MAX);
            prop_assert!(thinned.lives.len() > SESSIONS_MAX / 2);
            prop_assert!(thinned.lives.iter().any(|life| life.session == 777));
            requests.rotate_left((seed % count) as usize);
            prop_assert_eq!(of(&requests, ALL), thinned);
        }
    }

    #[test]
    fn one_session_of_many_requests_is_bounded_as_well() {
        let requests: Vec<_> = (0..30_000)
            .map(|k| (0, Request { session: 0, request: k as u32, ..request(k) }))
            .collect();
        let lifetimes = of(&requests, ALL);
        assert_eq!(lifetimes.lives.len(), 1);
        assert!(lifetimes.lives[0].stretches.len() <= 2 * REQUESTS_MAX);
    }
}
