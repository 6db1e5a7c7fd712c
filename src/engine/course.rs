//! The course of a run in one shard: its phases, its schedule and its books. What shards have in
//! common, whatever they do on their connections.

use super::control::{Control, Live, Stop};
use super::costs::Work;
use super::holes::{HoleTracker, Pass};
use super::schedule::{Due, Schedule};
use super::seams::{Edges, ShardYield};
use crate::evidence::{Busy, Outcome, Phase, Request, Step, Tally};
use crate::log::Append;
use crate::outcome::Series;
use crate::plan::{Idle, Plan};
use crate::ring::{Queue, QueueCounters, Wait};
use crate::sys::errno::EADDRNOTAVAIL;
use crate::unit::{Instant, Nanos, Rate};

/// A sleeping shard wakes this long before an arrival is due and spins the rest.
pub(super) const WAKE_EARLY: Nanos = Nanos::from_micros(80);

/// How often a shard tells how far it is: the main thread looks less often.
const TELL_EVERY: Nanos = Nanos::from_millis(5);

/// More completions than ever come at once: a wait for these ends by its timeout.
const NOTHING: u32 = 1 << 14;

/// Most waits for room in the log, of a millisecond each: a log that can still grow has grown by
/// then.
const LOG_WAITS_MAX: u32 = 10_000;

/// How far a shard is, and what it has counted.
#[derive(Debug)]
pub(super) struct Course<'a> {
    pub(super) plan: &'a Plan,
    pub(super) control: &'a Control,
    pub(super) live: &'a Live,
    pub(super) schedule: Schedule,
    /// Sessions that a closed loop may still start.
    pub(super) closed_left: u64,
    sessions_begun: u64,
    pub(super) sessions_open: u64,
    /// Sum over time of the sessions that were open, in session-ns.
    open_ns: u64,
    pub(super) connections_open: u64,
    pub(super) phase: Phase,
    pub(super) tally: Tally,
    /// Histograms, where the log does not keep every request.
    pub(super) series: Option<Series>,
    pub(super) ended: u64,
    /// Requests by outcome, of all phases.
    seen: [u64; Outcome::ALL.len()],
    pub(super) start_at: Instant,
    pub(super) measure_at: Instant,
    pub(super) end_at: Instant,
    pub(super) ended_at: Instant,
    pub(super) last_done_at: Instant,
    last_pass: Instant,
    /// How long the last submit was allowed to wait.
    waited: Nanos,
    /// What this pass did so far.
    pub(super) work: Work,
    /// Times in which we were not there.
    pub(super) holes: HoleTracker,
    told_at: Instant,
    passes: u64,
    pub(super) stale: u64,
    pub(super) buffers_exhausted: u64,
    before: QueueCounters,
    measured: Option<Measured>,
}

#[derive(Debug, Clone, Copy)]
struct Measured {
    counters: QueueCounters,
    passes: u64,
    busy: Busy,
}

impl<'a> Course<'a> {
    /// The course of shard `index`, which has so many connections.
    pub(super) fn new(
        plan: &'a Plan,
        index: u32,
        control: &'a Control,
        live: &'a Live,
        connections: u32,
    ) -> Self {
        let closed_left = match (plan.rate, plan.count) {
            (Rate::Max, Some(count)) => plan.share(count, index),
            (Rate::Max, None) => u64::MAX,
            _ => 0,
        };
        let tally = Tally { connections_asked: u64::from(connections), ..Tally::prepared() };
        Self {
            plan,
            control,
            live,
            schedule: Schedule::new(plan, index, Instant::ZERO),
            closed_left,
            sessions_begun: 0,
            sessions_open: 0,
            open_ns: 0,
            connections_open: 0,
            phase: Phase::Connect,
            tally,
            series: None,
            ended: 0,
            seen: [0; Outcome::ALL.len()],
            start_at: Instant::NEVER,
            measure_at: Instant::NEVER,
            end_at: Instant::NEVER,
            ended_at: Instant::NEVER,
            last_done_at: Instant::ZERO,
            last_pass: Instant::ZERO,
            waited: Nanos::ZERO,
            work: Work::default(),
            holes: HoleTracker::new(plan),
            told_at: Instant::ZERO,
            passes: 0,
            stale: 0,
            buffers_exhausted: 0,
            before: QueueCounters::default(),
            measured: None,
        }
    }

    /// Sets the clock: the warm-up begins at `start`.
    pub(super) fn start(&mut self, index: u32, start: Instant) {
        self.schedule = Schedule::new(self.plan, index, start);
        self.start_at = start;
        self.measure_at = start + self.plan.warmup;
        self.end_at = match self.plan.count {
            Some(_) => Instant::NEVER,
            None => self.measure_at + self.plan.duration,
        };
        self.phase = Phase::Warmup;
        self.last_pass = start;
    }

    /// Judges the pass that ends now and came with `came` completions, before any of them is
    /// handled: a hole goes into the log ahead of every request that was open in it. `idle` is how
    /// many connections were free.
    #[inline]
    pub(super) fn look_back(&mut self, log: &mut impl Append, came: u32, now: Instant, idle: u32) {
        self.open_ns += self.sessions_open * now.since(self.last_pass).0;
        let pass = Pass {
            from: self.last_pass,
            to: now,
            waited: self.waited,
            work: Work { came, ..self.work },
            idle,
        };
        self.work = Work { handled: came, ..Work::default() };
        if let Some(lost) = self.holes.note(&pass) {
            self.keep_hole(log, &pass, lost);
        }
    }

    #[cold]
    fn keep_hole(&mut self, log: &mut impl Append, pass: &Pass, lost: Nanos) {
        let begins = self.phase < Phase::Measure && pass.to > self.measure_at;
        let phase = if begins { Phase::Measure } else { self.phase };
        let hole = self.holes.keep(pass, lost, phase);
        log.hole(&hole);
    }

    /// Ends a pass, whose submit is to wait like this.
    #[inline]
    pub(super) fn leave(&mut self, wait: Wait) {
        self.waited = match wait {
            Wait::Poll => Nanos::ZERO,
            // A timer that is late by less than we are early for makes nothing late.
            Wait::For(_, timeout) => timeout + WAKE_EARLY,
        };
    }

    /// Goes from warm-up to measure to drain.
    #[inline]
    pub(super) fn turn(&mut self, now: Instant, queue: &mut impl Queue, edges: &mut impl Edges) {
        match self.phase {
            Phase::Connect | Phase::Warmup => {
                if now >= self.measure_at {
                    self.begin_measure(queue, edges);
                }
            }
            Phase::Measure => {
                self.schedule.advance(now.min(self.end_at));
                if self.is_over(now) {
                    self.end_measure(now, queue, edges);
                }
            }
            Phase::Drain => {}
        }
        if self.phase < Phase::Measure {
            self.schedule.advance(now.min(self.end_at));
            if self.control.stopped() != Stop::Run {
                // Stopped before the measure phase began: it is empty, but it has two edges.
                self.begin_measure(queue, edges);
                self.end_measure(now, queue, edges);
            }
        }
    }

    #[cold]
    fn begin_measure(&mut self, queue: &mut impl Queue, edges: &mut impl Edges) {
        self.phase = Phase::Measure;
        self.before = queue.counters();
        self.passes = 0;
        self.holes.begin();
        edges.begin();
    }

    #[inline]
    fn is_over(&self, now: Instant) -> bool {
        let exhausted = match (self.plan.rate, self.plan.count) {
            (_, None) => false,
            (Rate::Max, Some(_)) => self.closed_left == 0 && self.sessions_open == 0,
            (_, Some(_)) => {
                self.schedule.next_due() == Instant::NEVER
                    && self.schedule.backlog() == 0
                    && self.sessions_open == 0
            }
        };
        now >= self.end_at || exhausted || self.control.stopped() != Stop::Run
    }

    #[cold]
    fn end_measure(&mut self, now: Instant, queue: &mut impl Queue, edges: &mut impl Edges) {
        self.phase = Phase::Drain;
        self.ended_at = now.min(self.end_at);
        self.tally.backlog_end = self.schedule.backlog();
        self.schedule.cut();
        self.closed_left = 0;
        self.tally.sessions_planned += self.schedule.planned();
        self.tally.connections_ended = self.tally.connections_started - self.connections_open;
        edges.end();
        let never_waits = self.plan.rate != Rate::Max && self.plan.idle == Idle::Spin;
        let busy = self.holes.busy(never_waits);
        self.measured = Some(Measured { counters: queue.counters(), passes: self.passes, busy });
    }

    /// Keeps the figures that are not of one request; `full` says that no arrival finds room.
    #[inline]
    pub(super) fn account(&mut self, now: Instant, full: bool, opened: u32) {
        self.passes += 1;
        let backlog = self.schedule.backlog();
        if backlog > 0 && full && self.phase == Phase::Measure {
            self.tally.at_cap_ns += now.since(self.last_pass).0;
            self.tally.backlog_max = self.tally.backlog_max.max(backlog);
        }
        self.last_pass = now;
        if now >= self.told_at + TELL_EVERY {
            self.told_at = now;
            self.tell(opened);
        }
    }

    /// Tells the main thread how far the shard is; so many connections wait for a session.
    pub(super) fn tell(&self, opened: u32) {
        Live::publish(&self.live.opened, u64::from(opened));
        Live::publish(&self.live.sessions_ended, self.ended);
        Live::publish(&self.live.sessions_open, self.sessions_open);
        Live::publish(&self.live.ok, self.seen[Outcome::Ok as usize]);
        let answered = self.seen[Outcome::Ok as usize];
        let failed = self.seen.iter().sum::<u64>() - answered;
        Live::publish(&self.live.refused, self.seen[Outcome::Refused as usize]);
        Live::publish(&self.live.failed, failed);
    }

    /// Whether a closed loop may start sessions.
    #[inline]
    pub(super) fn is_closed_loop_on(&self, now: Instant) -> bool {
        self.closed_left > 0 && now >= self.start_at && self.phase < Phase::Drain
    }

    /// When the phase turns, if nothing but time turns it.
    pub(super) fn edge(&self, now: Instant) -> Instant {
        match self.phase {
            Phase::Connect | Phase::Warmup if now < self.start_at => self.start_at,
            Phase::Connect | Phase::Warmup => self.measure_at,
            Phase::Measure => self.end_at,
            Phase::Drain => self.ended_at + self.plan.timeout,
        }
    }

    /// Whether no session is under way or waits, or they have had their time.
    pub(super) fn is_drained(&self) -> bool {
        let done = self.sessions_open == 0 && self.schedule.backlog() == 0;
        done || self.is_out_of_time()
    }

    /// Whether the drain has lasted as long as it may.
    pub(super) fn is_out_of_time(&self) -> bool {
        let given_up = self.last_pass >= self.ended_at + self.plan.timeout;
        given_up || self.control.stopped() == Stop::Abandon
    }

    /// A session starts, due in this phase; its number.
    #[inline]
    pub(super) fn start_session(&mut self, phase: Phase) -> u64 {
        self.work.started += 1;
        self.sessions_open += 1;
        self.tally.concurrence_max = self.tally.concurrence_max.max(self.sessions_open);
        if phase == Phase::Measure {
            self.tally.sessions_started += 1;
        }
        self.next_session()
    }

    fn next_session(&mut self) -> u64 {
        let number = self.sessions_begun;
        self.sessions_begun += 1;
        number
    }

    /// A session that was due in this phase ends.
    #[inline]
    pub(super) fn end_session(&mut self, phase: Phase, outcome: Outcome) {
        self.sessions_open -= 1;
        self.ended += 1;
        if phase == Phase::Measure {
            match outcome {
                Outcome::Ok => self.tally.sessions_ok += 1,
                _ => self.tally.sessions_failed += 1,
            }
        }
    }

    /// Hands a request that has ended to the log, and counts it; its session was due at `began`.
    #[inline]
    pub(super) fn record(&mut self, log: &mut impl Append, request: &Request, began: Instant) {
        log.append(request);
        self.seen[request.outcome as usize] += 1;
        if request.phase == Phase::Measure {
            self.tally.count(request);
            if let Some(series) = &mut self.series {
                series.record(request);
                if request.last {
                    series.record_session(began, request);
                }
            }
        }
        self.last_done_at = self.last_done_at.max(request.done_at);
    }

    /// An arrival that is not served: it has its record, but no connection.
    #[cold]
    pub(super) fn turn_away(
        &mut self,
        log: &mut impl Append,
        due: Due,
        outcome: Outcome,
        now: Instant,
    ) {
        let number = self.next_session();
        let (step, errno) = match outcome {
            Outcome::NoPort => (Step::Bind, EADDRNOTAVAIL as u16),
            _ => (Step::None, 0),
        };
        if due.phase == Phase::Measure {
            match outcome {
                Outcome::Dropped => self.tally.sessions_dropped += 1,
                Outcome::Unserved => self.tally.sessions_unserved += 1,
                _ => {
                    self.tally.sessions_started += 1;
                    self.tally.sessions_failed += 1;
                    self.tally.requests_sent += 1;
                }
            }
        }
        self.ended += 1;
        let request = Request {
            intended_at: due.intended_at,
            ready_at: now,
            sent_at: now,
            connected_at: None,
            first_byte_at: None,
            done_at: now,
            session: number,
            request: 0,
            slot: 0,
            source: 0,
            port: 0,
            outcome,
            step,
            errno,
            status: 0,
            phase: due.phase,
            last: true,
            bytes_sent: 0,
            bytes_received: 0,
        };
        self.record(log, &request, due.intended_at);
    }

    /// The drain is over: what still waits is unserved.
    pub(super) fn give_up_waiting(
        &mut self,
        log: &mut impl Append,
        queue: &mut impl Queue,
        now: Instant,
    ) {
        let mut patience = LOG_WAITS_MAX;
        while let Some(due) = self.schedule.take() {
            self.await_log(log, queue, &mut patience);
            if due.phase == Phase::Measure {
                self.tally.sessions_deferred += 1;
            }
            self.turn_away(log, due, Outcome::Unserved, now);
        }
    }

    /// Waits for room in the log, since a backlog may be larger than what is ready, and nothing is
    /// urgent any more. A run that is abandoned, or whose disk is full, goes on without.
    fn await_log(&self, log: &mut impl Append, queue: &mut impl Queue, patience: &mut u32) {
        while *patience > 0 && !log.has_room() && self.control.stopped() != Stop::Abandon {
            *patience -= 1;
            let _ = queue.submit(Wait::For(NOTHING, Nanos::from_millis(1)));
        }
    }

    /// What the shard leaves behind.
    pub(super) fn finish<L>(self, queue: &mut impl Queue, log: L) -> ShardYield<L> {
        let overflows = queue.counters().overflows;
        let measured = self.measured.unwrap_or_else(|| Measured {
            counters: self.before,
            passes: 0,
            busy: Busy::default(),
        });
        ShardYield {
            counters: QueueCounters {
                enters: measured.counters.enters - self.before.enters,
                operations: measured.counters.operations - self.before.operations,
                overflows,
            },
            passes: measured.passes,
            tally: self.tally,
            series: self.series,
            updates: None,
            log,
            stale_completions: self.stale,
            buffers_exhausted: self.buffers_exhausted,
            busy: measured.busy,
            holes: self.holes.into_holes(),
            open_ns: self.open_ns,
            ended_at: self.ended_at,
            last_done_at: self.last_done_at,
        }
    }
}
