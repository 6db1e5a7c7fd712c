//! A shard: one pinned thread that owns a queue, a port pool, a clock and a log writer, and
//! shares nothing while it runs.

use std::sync::atomic::Ordering;

use super::conn::{Conn, State};
use super::connect::{OPENING_MAX, RETRY_AFTER};
use super::control::{Control, Live, Stop};
use super::course::{Course, WAKE_EARLY};
use super::list::{Links, List};
use super::ports::PortPool;
use super::seams::{Edges, Parts, ShardError, ShardYield};
use crate::clock::Clock;
use crate::evidence::{Phase, Request};
use crate::log::Append;
use crate::outcome::Series;
use crate::plan::{Idle, OnCap, Plan};
use crate::protocol::Protocol;
use crate::ring::{Completion, Kind, OPERATIONS_PER_OPEN, Op, Queue, Wait};
use crate::unit::{Instant, Nanos, Rate};

/// Completions handled per look at the clock.
pub(super) const BATCH: usize = 64;

/// Sessions started per look at the clock, so that `sent_at` is not older than a few of them
/// take: a kept one costs the kernel some 3 us, a fresh one some 30.
const STARTS_KEPT: u32 = 8;
const STARTS_FRESH: u32 = 2;

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
    pub(super) course: Course<'a>,
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
    /// Where completions are taken to; [`BATCH`] long.
    batch: Box<[Completion]>,
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
        let template_bytes = protocol.templates().iter().map(|t| t.len() as u64).collect();
        Self {
            queue,
            clock,
            protocol,
            log,
            ports,
            course: Course::new(plan, index, control, live, slots),
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
            batch: vec![Completion::NONE; BATCH].into_boxed_slice(),
        }
    }

    /// Keeps histograms too: the log will not hold every request.
    pub fn keep_series(&mut self) {
        self.course.series = Some(Series::new());
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
                self.course.live.ready.store(1, Ordering::Release);
            }
            // The start first: a shard that misses it for a stop just after has no books to close.
            if let Some(start) = self.course.control.start_at() {
                return Ok(Some(start));
            }
            if self.course.control.stopped() != Stop::Run {
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
        self.course.start(index, start);
        self.course.tally.connections_opened = u64::from(self.idle.len());
        while self.course.phase != Phase::Drain || !self.course.is_drained() {
            self.pass(edges)?;
        }
        Ok(self.finish())
    }

    /// One turn of the loop.
    #[inline]
    fn pass(&mut self, edges: &mut impl Edges) -> Result<(), ShardError> {
        let now = self.clock.now();
        let count = self.queue.reap(&mut self.batch);
        self.course.look_back(&mut self.log, count as u32, now, self.idle.len());
        self.handle(count, now);
        self.expire(now);
        self.course.turn(now, &mut self.queue, edges);
        self.start_due(now);
        self.course.account(now, self.idle.is_empty(), self.idle.len());
        let wait = self.wait(now);
        self.course.leave(wait);
        self.queue.submit(wait)?;
        Ok(())
    }

    /// Handles the first `count` completions of the batch.
    #[inline]
    fn handle(&mut self, count: usize, now: Instant) {
        // Taken out of `self` while its completions are handled; a new one would have to be cleared
        // each pass.
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
            self.course.stale += 1;
            return;
        }
        match completion.token.kind() {
            Some(Kind::Receive) => self.on_receive(slot, completion, now),
            Some(Kind::Connect) => self.on_connect(slot, completion.result, now),
            Some(Kind::Bind) => self.on_bind(slot, completion.result, now),
            Some(Kind::Send) => self.on_send(slot, completion.result, now),
            Some(Kind::Socket | Kind::Option) => self.on_open_failed(slot, completion, now),
            // Quiet ones complete only if they fail, which shows at the slot's next operation.
            Some(Kind::Disconnect | Kind::Cancel | Kind::Close | Kind::Accept) | None => {}
        }
    }

    /// Ends what has waited long enough.
    #[inline]
    fn expire(&mut self, now: Instant) {
        while let Some(slot) = self.ripe(&self.awaiting, self.course.plan.timeout, now) {
            self.on_timeout(slot, now);
        }
        while let Some(slot) = self.ripe(&self.thinking, self.course.plan.think, now) {
            self.think_over(slot, now);
        }
        // Before the start each slot has one try, or an unreachable target would be tried for ever.
        while self.course.phase != Phase::Connect
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

    /// Starts what is due, as far as there is room.
    #[inline]
    fn start_due(&mut self, now: Instant) {
        if self.course.plan.rate == Rate::Max {
            return self.start_closed(now);
        }
        let mut starts = if self.course.plan.fresh { STARTS_FRESH } else { STARTS_KEPT };
        while starts > 0 && self.course.schedule.backlog() > 0 && self.start_next(now) {
            starts -= 1;
        }
    }

    /// How the queue may wait.
    #[inline]
    fn wait(&self, now: Instant) -> Wait {
        let takes = !self.idle.is_empty();
        let turns_away = self.course.plan.on_cap == OnCap::Drop || self.lacks_ports();
        let backlog = self.course.schedule.backlog() > 0;
        if (takes && self.course.is_closed_loop_on(now)) || (backlog && (takes || turns_away)) {
            return Wait::Poll;
        }
        if self.course.plan.rate == Rate::Max || self.course.phase == Phase::Drain {
            return Wait::For(1, self.until_next(now));
        }
        let until_due = self.course.schedule.next_due().since(now + WAKE_EARLY);
        if self.course.plan.idle == Idle::Spin || until_due == Nanos::ZERO {
            return Wait::Poll;
        }
        Wait::For(1, until_due.min(self.until_next(now)))
    }

    /// Time until something other than a completion or an arrival wants the shard.
    fn until_next(&self, now: Instant) -> Nanos {
        let waits = [
            (&self.awaiting, self.course.plan.timeout),
            (&self.thinking, self.course.plan.think),
            (&self.retrying, RETRY_AFTER),
        ];
        let ends = waits.iter().filter_map(|&(list, after)| {
            list.first().map(|slot| self.conns[slot as usize].since + after)
        });
        ends.fold(self.course.edge(now), Instant::min).since(now).min(WAIT_MAX)
    }

    fn tell(&self) {
        self.course.tell(self.idle.len());
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
        self.course.work.pushed += 1;
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
        self.course.record(&mut self.log, request, began);
    }

    fn finish(mut self) -> ShardYield<L> {
        let now = self.clock.now();
        self.give_up_waiting(now);
        self.tell();
        let _ = self.queue.submit(Wait::Poll);
        if self.course.plan.fresh {
            self.course.tally.connections_opened = self.course.tally.connections_started;
        }
        self.course.tally.ports_set_aside = self.ports.set_aside_count();
        self.course.finish(&mut self.queue, self.log)
    }
}

impl<S> Conn<S> {
    /// Whether a session uses it.
    pub(super) fn is_in_session(&self) -> bool {
        matches!(self.state, State::Busy | State::Thinking)
    }
}
