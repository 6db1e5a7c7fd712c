//! A shard: one pinned thread that owns a queue, a port pool, a clock and a log writer, and
//! shares nothing while it runs.

use std::sync::atomic::Ordering;

use super::conn::{Conn, State};
use super::connect::{OPENING_MAX, RETRY_AFTER};
use super::control::{Control, Live, Stop};
use super::costs::Work;
use super::gaps::{Gaps, Pass};
use super::list::{Links, List};
use super::ports::PortPool;
use super::schedule::Schedule;
use super::seams::{Edges, Parts, ShardError, ShardYield};
use crate::clock::Clock;
use crate::evidence::{Busy, Outcome, Phase, Request, Tally};
use crate::log::Append;
use crate::outcome::Series;
use crate::plan::{Idle, OnCap, Plan};
use crate::protocol::Protocol;
use crate::ring::{Completion, Kind, OPERATIONS_PER_OPEN, Op, Queue, QueueCounters, Wait};
use crate::unit::{Instant, Nanos, Rate};

/// Completions handled per look at the clock.
pub(super) const BATCH: usize = 64;

/// Sessions started per look at the clock, so that `sent_at` is not older than a few of them
/// take: a kept one costs the kernel some 3 us, a fresh one some 30.
const STARTS_KEPT: u32 = 8;
const STARTS_FRESH: u32 = 2;

/// A sleeping shard wakes this long before an arrival is due and spins the rest.
const WAKE_EARLY: Nanos = Nanos::from_micros(80);

/// How often a shard tells how far it is: the main thread looks less often.
const TELL_EVERY: Nanos = Nanos::from_millis(5);

/// The longest that a shard waits before it looks at the stop flag again.
const WAIT_MAX: Nanos = Nanos::from_millis(10);

/// One shard.
#[derive(Debug)]
pub struct Shard<'a, Q, C, P: Protocol, L> {
    pub(super) queue: Q,
    pub(super) clock: C,
    pub(super) protocol: P,
    pub(super) log: L,
    pub(super) ports: PortPool,
    pub(super) plan: &'a Plan,
    pub(super) control: &'a Control,
    live: &'a Live,
    pub(super) conns: Vec<Conn<P::Conn>>,
    pub(super) template_bytes: Vec<u64>,
    pub(super) links: Links,
    /// Ready for a session, the longest idle first.
    pub(super) idle: List,
    /// Awaiting an answer or a connection, the oldest first.
    pub(super) awaiting: List,
    pub(super) thinking: List,
    pub(super) retrying: List,
    pub(super) starved: List,
    /// Slots that were opened, or tried, before the start.
    pub(super) tried: u32,
    /// Slots whose one try before the start has come to an end.
    pub(super) settled: u32,
    /// Slots whose socket is being made.
    pub(super) opening: u32,
    pub(super) schedule: Schedule,
    /// Sessions that a closed loop may still start.
    pub(super) closed_left: u64,
    pub(super) sessions_begun: u64,
    pub(super) sessions_open: u64,
    /// Sum over time of the sessions that were open, in session-ns.
    open_ns: u64,
    pub(super) connections_open: u64,
    pub(super) phase: Phase,
    pub(super) tally: Tally,
    /// Histograms, where the log does not keep every request.
    series: Option<Series>,
    pub(super) ended: u64,
    /// Requests by outcome, of all phases.
    seen: [u64; Outcome::ALL.len()],
    pub(super) start_at: Instant,
    measure_at: Instant,
    end_at: Instant,
    ended_at: Instant,
    pub(super) last_done_at: Instant,
    last_pass: Instant,
    /// How long the last submit was allowed to wait.
    waited: Nanos,
    /// What this pass did so far.
    pub(super) work: Work,
    /// Times in which we were not there.
    pub(super) gaps: Gaps,
    told_at: Instant,
    passes: u64,
    /// Where completions are taken to; [`BATCH`] long.
    batch: Box<[Completion]>,
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

impl<'a, Q: Queue, C: Clock, P: Protocol, L: Append> Shard<'a, Q, C, P, L> {
    /// Shard `index` of the plan, with all memory that it will need.
    pub fn new(
        parts: Parts<Q, C, P, L>,
        plan: &'a Plan,
        index: u32,
        control: &'a Control,
        live: &'a Live,
    ) -> Self {
        let Parts { queue, clock, mut protocol, log, ports } = parts;
        let slots = plan.share(u64::from(plan.concurrence), index) as u32;
        let conns = (0..slots).map(|slot| Conn::new(protocol.open(slot))).collect();
        let closed_left = match (plan.rate, plan.count) {
            (Rate::Max, Some(count)) => plan.share(count, index),
            (Rate::Max, None) => u64::MAX,
            _ => 0,
        };
        let template_bytes = protocol.templates().iter().map(|t| t.len() as u64).collect();
        let tally = Tally { connections_asked: u64::from(slots), ..Tally::prepared() };
        Self {
            queue,
            clock,
            protocol,
            log,
            ports,
            plan,
            control,
            live,
            conns,
            template_bytes,
            links: Links::new(slots),
            idle: List::new(),
            awaiting: List::new(),
            thinking: List::new(),
            retrying: List::new(),
            starved: List::new(),
            tried: 0,
            settled: 0,
            opening: 0,
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
            gaps: Gaps::new(plan),
            told_at: Instant::ZERO,
            passes: 0,
            batch: vec![Completion::NONE; BATCH].into_boxed_slice(),
            stale: 0,
            buffers_exhausted: 0,
            before: QueueCounters::default(),
            measured: None,
        }
    }

    /// Keeps histograms too: the log will not hold every request.
    pub fn keep_series(&mut self) {
        self.series = Some(Series::new());
    }

    /// Where requests go when they end.
    pub fn log_mut(&mut self) -> &mut L {
        &mut self.log
    }

    /// Ends a shard that never started.
    pub fn give_up(self) -> ShardYield<L> {
        self.finish()
    }

    /// Opens the kept connections, or makes the sockets of the fresh ones, then waits for the
    /// start. Gives the start, or `None` where the run was stopped before.
    ///
    /// # Errors
    /// The queue broke.
    pub fn connect(&mut self) -> Result<Option<Instant>, ShardError> {
        loop {
            let now = self.clock.now();
            let count = self.queue.reap(&mut self.batch);
            self.handle(count, now);
            self.expire(now);
            self.open_more(now);
            let tried = self.has_tried_all();
            self.tell();
            if tried {
                self.live.ready.store(1, Ordering::Release);
            }
            // The start first: a shard that misses it for a stop just after has no books to close.
            if let Some(start) = self.control.start_at() {
                return Ok(Some(start));
            }
            if self.control.stopped() != Stop::Run {
                return Ok(None);
            }
            // The clock has not started: waiting in the kernel disturbs nothing.
            let wait = Nanos::from_millis(if tried { 1 } else { 5 });
            self.queue.submit(Wait::For(1, wait))?;
        }
    }

    /// Generates the load from `start` on, drains, and gives what was seen.
    ///
    /// # Errors
    /// The queue broke.
    pub fn run(
        mut self,
        index: u32,
        start: Instant,
        edges: &mut impl Edges,
    ) -> Result<ShardYield<L>, ShardError> {
        self.schedule = Schedule::new(self.plan, index, start);
        self.start_at = start;
        self.measure_at = start + self.plan.warmup;
        self.end_at = match self.plan.count {
            Some(_) => Instant::NEVER,
            None => self.measure_at + self.plan.duration,
        };
        self.tally.connections_opened = u64::from(self.idle.len());
        self.phase = Phase::Warmup;
        self.last_pass = start;
        while self.phase != Phase::Drain || !self.is_drained() {
            self.pass(edges)?;
        }
        Ok(self.finish())
    }

    /// One turn of the loop.
    #[inline]
    fn pass(&mut self, edges: &mut impl Edges) -> Result<(), ShardError> {
        let now = self.clock.now();
        self.open_ns += self.sessions_open * now.since(self.last_pass).0;
        let count = self.queue.reap(&mut self.batch);
        self.look_back(count as u32, now);
        self.handle(count, now);
        self.expire(now);
        self.turn_phase(now, edges);
        self.start_due(now);
        self.account(now);
        let wait = self.wait(now);
        self.waited = match wait {
            Wait::Poll => Nanos::ZERO,
            // A timer that is late by less than we are early for makes nothing late.
            Wait::For(_, timeout) => timeout + WAKE_EARLY,
        };
        self.queue.submit(wait)?;
        Ok(())
    }

    /// Judges the pass that ends now and came with `came` completions, before any of them is
    /// handled: a hole goes into the log ahead of every request that was open in it.
    #[inline]
    fn look_back(&mut self, came: u32, now: Instant) {
        let pass = Pass {
            from: self.last_pass,
            to: now,
            waited: self.waited,
            work: Work { came, ..self.work },
            idle: self.idle.len(),
        };
        self.work = Work { handled: came, ..Work::default() };
        if let Some(lost) = self.gaps.note(&pass) {
            self.keep_hole(&pass, lost);
        }
    }

    #[cold]
    fn keep_hole(&mut self, pass: &Pass, lost: Nanos) {
        let begins = self.phase < Phase::Measure && pass.to > self.measure_at;
        let phase = if begins { Phase::Measure } else { self.phase };
        let hole = self.gaps.keep(pass, lost, phase);
        self.log.hole(&hole);
    }

    /// Handles the first `count` completions of the batch.
    #[inline]
    fn handle(&mut self, count: usize, now: Instant) {
        // Lent out while its completions are handled; to make one anew would clear it each pass.
        let batch = std::mem::take(&mut self.batch);
        for completion in &batch[..count] {
            self.on_completion(completion, now);
            self.queue.release(completion);
        }
        self.batch = batch;
    }

    #[inline]
    fn on_completion(&mut self, completion: &Completion, now: Instant) {
        let slot = completion.token.slot();
        let current = self.conns.get(slot as usize).map(|conn| conn.generation);
        if !current.is_some_and(|generation| completion.token.is_of(generation)) {
            self.stale += 1;
            return;
        }
        match completion.token.kind() {
            Some(Kind::Receive) => self.on_receive(slot, completion, now),
            Some(Kind::Connect) => self.on_connect(slot, completion.result, now),
            Some(Kind::Bind) => self.on_bind(slot, completion.result, now),
            Some(Kind::Send) => self.on_send(slot, completion.result, now),
            Some(Kind::Socket | Kind::Option) => self.on_open_failed(slot, completion, now),
            // Quiet ones: what they leave undone shows at the next operation.
            Some(Kind::Disconnect | Kind::Cancel | Kind::Close | Kind::Accept) | None => {}
        }
    }

    /// Ends what has waited long enough.
    #[inline]
    fn expire(&mut self, now: Instant) {
        while let Some(slot) = self.ripe(&self.awaiting, self.plan.timeout, now) {
            self.on_timeout(slot, now);
        }
        while let Some(slot) = self.ripe(&self.thinking, self.plan.think, now) {
            self.think_over(slot, now);
        }
        // Before the start each slot has one try, or a target out of reach would never be known.
        while self.phase != Phase::Connect
            && self.has_room()
            && let Some(slot) = self.ripe(&self.retrying, RETRY_AFTER, now)
        {
            self.retrying.remove(&mut self.links, slot);
            self.open(slot, now);
        }
        if !self.starved.is_empty() {
            self.feed(now);
        }
    }

    #[inline]
    fn ripe(&self, list: &List, after: Nanos, now: Instant) -> Option<u32> {
        list.first().filter(|&slot| self.conns[slot as usize].since + after <= now)
    }

    /// Goes from warm-up to measure to drain.
    #[inline]
    fn turn_phase(&mut self, now: Instant, edges: &mut impl Edges) {
        match self.phase {
            Phase::Connect | Phase::Warmup => {
                if now >= self.measure_at {
                    self.phase = Phase::Measure;
                    self.before = self.queue.counters();
                    self.passes = 0;
                    self.gaps.begin();
                    edges.begin();
                }
            }
            Phase::Measure => {
                self.schedule.advance(now.min(self.end_at));
                if self.is_over(now) {
                    self.end_measure(now, edges);
                }
            }
            Phase::Drain => {}
        }
        if self.phase < Phase::Measure {
            self.schedule.advance(now.min(self.end_at));
            if self.control.stopped() != Stop::Run {
                self.end_measure(now, edges);
            }
        }
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
    fn end_measure(&mut self, now: Instant, edges: &mut impl Edges) {
        if self.phase != Phase::Measure {
            // Stopped before it began: it is empty, but it has two edges.
            self.before = self.queue.counters();
            self.passes = 0;
            self.gaps.begin();
            edges.begin();
        }
        self.phase = Phase::Drain;
        self.ended_at = now.min(self.end_at);
        self.tally.backlog_end = self.schedule.backlog();
        self.schedule.cut();
        self.closed_left = 0;
        self.tally.sessions_planned += self.schedule.planned();
        self.tally.connections_ended = self.tally.connections_started - self.connections_open;
        edges.end();
        let counters = self.queue.counters();
        let never_waits = self.plan.rate != Rate::Max && self.plan.idle == Idle::Spin;
        let busy = self.gaps.busy(never_waits);
        self.measured = Some(Measured { counters, passes: self.passes, busy });
    }

    /// Starts what is due, as far as there is room.
    #[inline]
    fn start_due(&mut self, now: Instant) {
        if self.plan.rate == Rate::Max {
            return self.start_closed(now);
        }
        let mut starts = if self.plan.fresh { STARTS_FRESH } else { STARTS_KEPT };
        while starts > 0 && self.schedule.backlog() > 0 && self.start_next(now) {
            starts -= 1;
        }
    }

    /// How the queue may wait.
    #[inline]
    fn wait(&self, now: Instant) -> Wait {
        let takes = !self.idle.is_empty();
        let turns_away = self.plan.on_cap == OnCap::Drop || self.lacks_ports();
        let backlog = self.schedule.backlog() > 0;
        if (takes && self.is_closed_loop_on(now)) || (backlog && (takes || turns_away)) {
            return Wait::Poll;
        }
        if self.plan.rate == Rate::Max || self.phase == Phase::Drain {
            return Wait::For(1, self.until_next(now));
        }
        let until_due = self.schedule.next_due().since(now + WAKE_EARLY);
        if self.plan.idle == Idle::Spin || until_due == Nanos::ZERO {
            return Wait::Poll;
        }
        Wait::For(1, until_due.min(self.until_next(now)))
    }

    /// Whether a closed loop may start sessions.
    #[inline]
    pub(super) fn is_closed_loop_on(&self, now: Instant) -> bool {
        self.closed_left > 0 && now >= self.start_at && self.phase < Phase::Drain
    }

    /// Time until something other than a completion or an arrival wants the shard.
    fn until_next(&self, now: Instant) -> Nanos {
        let waits = [
            (&self.awaiting, self.plan.timeout),
            (&self.thinking, self.plan.think),
            (&self.retrying, RETRY_AFTER),
        ];
        let ends = waits.iter().filter_map(|&(list, after)| {
            list.first().map(|slot| self.conns[slot as usize].since + after)
        });
        let edge = match self.phase {
            Phase::Connect | Phase::Warmup if now < self.start_at => self.start_at,
            Phase::Connect | Phase::Warmup => self.measure_at,
            Phase::Measure => self.end_at,
            Phase::Drain => self.ended_at + self.plan.timeout,
        };
        ends.fold(edge, Instant::min).since(now).min(WAIT_MAX)
    }

    /// Keeps the figures that are not of one request.
    #[inline]
    fn account(&mut self, now: Instant) {
        self.passes += 1;
        let backlog = self.schedule.backlog();
        if backlog > 0 && self.idle.is_empty() && self.phase == Phase::Measure {
            self.tally.at_cap_ns += now.since(self.last_pass).0;
            self.tally.backlog_max = self.tally.backlog_max.max(backlog);
        }
        self.last_pass = now;
        if now >= self.told_at + TELL_EVERY {
            self.told_at = now;
            self.tell();
        }
    }

    fn tell(&self) {
        Live::publish(&self.live.opened, u64::from(self.idle.len()));
        Live::publish(&self.live.sessions_ended, self.ended);
        Live::publish(&self.live.sessions_open, self.sessions_open);
        Live::publish(&self.live.ok, self.seen[Outcome::Ok as usize]);
        let answered = self.seen[Outcome::Ok as usize];
        let failed = self.seen.iter().sum::<u64>() - answered;
        Live::publish(&self.live.refused, self.seen[Outcome::Refused as usize]);
        Live::publish(&self.live.failed, failed);
    }

    fn is_drained(&self) -> bool {
        let done = self.sessions_open == 0 && self.schedule.backlog() == 0;
        let given_up = self.last_pass >= self.ended_at + self.plan.timeout;
        done || given_up || self.control.stopped() == Stop::Abandon
    }

    /// Whether every slot was tried, or so many in vain that the rest would be too.
    fn has_tried_all(&self) -> bool {
        let slots = self.conns.len() as u32;
        let in_vain = self.idle.is_empty() && self.retrying.len() >= OPENING_MAX.min(slots);
        in_vain || self.settled == slots
    }

    /// Pushes an operation on a connection.
    #[inline]
    pub(super) fn push(&mut self, op: Op, slot: u32) {
        self.work.pushed += 1;
        self.queue.push(op, self.conns[slot as usize].token(slot));
    }

    /// Whether a session's worth of operations can be pushed.
    #[inline]
    pub(super) fn has_room(&mut self) -> bool {
        self.queue.room() > 2 * OPERATIONS_PER_OPEN
    }

    /// Hands a request that has ended to the log, and counts it; its session was due at `began`.
    #[inline]
    pub(super) fn record(&mut self, request: &Request, began: Instant) {
        self.log.append(request);
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

    fn finish(mut self) -> ShardYield<L> {
        let now = self.clock.now();
        self.give_up_waiting(now);
        self.tell();
        let _ = self.queue.submit(Wait::Poll);
        let overflows = self.queue.counters().overflows;
        let none = Measured { counters: self.before, passes: 0, busy: Busy::default() };
        let measured = self.measured.unwrap_or(none);
        if self.plan.fresh {
            self.tally.connections_opened = self.tally.connections_started;
        }
        self.tally.ports_set_aside = self.ports.set_aside_count();
        ShardYield {
            counters: QueueCounters {
                enters: measured.counters.enters - self.before.enters,
                operations: measured.counters.operations - self.before.operations,
                overflows,
            },
            passes: measured.passes,
            tally: self.tally,
            series: self.series,
            log: self.log,
            stale_completions: self.stale,
            buffers_exhausted: self.buffers_exhausted,
            busy: measured.busy,
            holes: self.gaps.into_holes(),
            open_ns: self.open_ns,
            ended_at: self.ended_at,
            last_done_at: self.last_done_at,
        }
    }
}

impl<S> Conn<S> {
    /// Whether a session uses it.
    pub(super) fn is_in_session(&self) -> bool {
        matches!(self.state, State::Busy | State::Thinking)
    }
}
