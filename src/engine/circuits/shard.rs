//! The loop of a shard of circuits.

use std::sync::atomic::Ordering;

use super::book::Book;
use super::channels::Finals;
use super::lanes::{Lane, LaneState};
use super::line::{Line, State};
use super::spread::Spread;
use crate::clock::{self, Clock};
use crate::evidence::{Phase, Step};
use crate::log::Append;
use crate::outcome::Series;
use crate::plan::{Idle, OnCap, Operation, Plan};
use crate::protocol::{Circuit, Event, Size, Verb};
use crate::ring::{Completion, Kind, OPERATIONS_PER_OPEN, Op, Queue, Wait};
use crate::unit::{Instant, Nanos, Rate};

use super::super::control::{Control, Live, Stop};
use super::super::course::{Course, WAKE_EARLY};
use super::super::list::{Links, List};
use super::super::ports::PortPool;
use super::super::seams::{Edges, Parts, ShardError, ShardYield};

/// Completions handled per look at the clock: each may hold a thousand updates.
const BATCH: usize = 16;

/// How often the circuits are looked after.
const TEND_EVERY: Nanos = Nanos::from_millis(20);

/// The longest that a shard waits before it looks at the stop flag again.
const WAIT_MAX: Nanos = Nanos::from_millis(10);

/// A shard of circuits.
#[derive(Debug)]
pub struct CircuitShard<'a, Q, C, P: Circuit, L> {
    pub(super) queue: Q,
    clock: C,
    pub(super) protocol: P,
    pub(super) log: L,
    pub(super) ports: PortPool,
    pub(super) course: Course<'a>,
    pub(super) names: &'a [String],
    /// Updates are watched; otherwise operations are done.
    pub(super) is_watching: bool,
    /// Its connections are sockets of datagrams: nobody's in particular.
    pub(super) is_of_datagrams: bool,
    pub(super) verb: Verb,
    pub(super) spread: Spread,
    pub(super) channel_of_use: Vec<u32>,
    pub(super) lines: Vec<Line<P::Conn>>,
    /// Circuits with something to say that do not say anything yet.
    pub(super) loud: Vec<u32>,
    /// Circuits whose connection is being made.
    pub(super) opening: u32,
    /// What was heard and is yet to be acted on.
    pub(super) events: Vec<Event>,
    pub(super) book: Book,
    pub(super) finals: Finals,
    pub(super) lanes: Vec<Lane>,
    pub(super) links: Links,
    /// Lanes that can take an operation, the longest idle first.
    pub(super) idle: List,
    /// Lanes that await an answer, the oldest first.
    pub(super) awaiting: List,
    /// The most operations under way at a time.
    pub(super) cap: u64,
    /// When there last came room below it.
    pub(super) room_since: Instant,
    tended_at: Instant,
    batch: Box<[Completion]>,
}

impl<'a, Q: Queue, C: Clock, P: Circuit, L: Append> CircuitShard<'a, Q, C, P, L> {
    /// Shard `index` of the plan, which has channels to `names`, with all memory that it will
    /// need.
    ///
    /// # Panics
    /// The plan has no channels, or another number of names.
    pub fn new(
        parts: Parts<Q, C, P, L>,
        plan: &'a Plan,
        names: &'a [String],
        index: u32,
        control: &'a Control,
        live: &'a Live,
    ) -> Self {
        let Parts { queue, clock, mut protocol, log, ports } = parts;
        let channels = plan.channels.as_ref().expect("a plan with channels");
        assert_eq!(names.len(), channels.pvs as usize, "as many names as planned");
        let spread = Spread::new(plan, channels, index);
        let is_watching = channels.op == Operation::Monitor;
        let size = |(channels, uses): &(std::ops::Range<u32>, std::ops::Range<u32>)| {
            let (channels, uses) = (channels.len() as u32, uses.len() as u32);
            match is_watching {
                true => Size { channels, subscriptions: uses, operations: channels },
                false => Size { channels, subscriptions: 0, operations: uses },
            }
        };
        let sizes = spread.lines.iter().map(size);
        let lines: Vec<_> = sizes.map(|size| Line::new(protocol.open(size), size)).collect();
        let mut channel_of_use = vec![0; spread.uses() as usize];
        for (channel, it) in (0..).zip(&spread.channels) {
            channel_of_use[it.uses.start as usize..it.uses.end as usize].fill(channel);
        }
        let (watches, lanes) = if is_watching { (spread.uses(), 0) } else { (0, spread.uses()) };
        Self {
            queue,
            clock,
            protocol,
            log,
            ports,
            course: Course::new(plan, index, control, live, lines.len() as u32),
            names,
            is_watching,
            is_of_datagrams: channels.is_of_datagrams(),
            verb: Self::verb_of(channels.op),
            channel_of_use,
            loud: Vec::with_capacity(4 * lines.len()),
            lines,
            opening: 0,
            events: Vec::with_capacity(4096),
            book: Book::new(watches),
            finals: Finals::new(spread.channels.len()),
            spread,
            lanes: vec![Lane::BLOCKED; lanes as usize],
            links: Links::new(lanes),
            idle: List::new(),
            awaiting: List::new(),
            cap: plan.share(u64::from(plan.concurrence), index),
            room_since: Instant::ZERO,
            tended_at: Instant::ZERO,
            batch: vec![Completion::NONE; BATCH].into_boxed_slice(),
        }
    }

    /// Keeps histograms too: the log will not hold every request.
    pub fn keep_series(&mut self) {
        self.course.series = Some(Series::new());
    }

    /// Where operations go when they end.
    pub fn log_mut(&mut self) -> &mut L {
        &mut self.log
    }

    /// Ends a shard that never started.
    pub fn give_up(self) -> ShardYield<L> {
        self.finish()
    }

    /// Opens the circuits and their channels, then waits for the start. Gives the start, or
    /// `None` where the run was stopped before.
    ///
    /// # Errors
    /// The queue broke.
    pub fn connect(&mut self) -> Result<Option<Instant>, ShardError> {
        let (mut before, mut changed_at) = (0, self.clock.now());
        loop {
            let now = self.clock.now();
            self.book.now = now;
            let count = self.queue.reap(&mut self.batch);
            self.handle(count, now);
            if self.tend(now) {
                let (settled, served) = self.settled();
                if settled != before {
                    (before, changed_at) = (settled, now);
                }
                self.course.tell(served);
                let in_vain = now.since(changed_at) >= self.course.plan.timeout;
                if settled == self.spread.uses() || in_vain {
                    self.course.live.ready.store(1, Ordering::Release);
                }
            }
            self.flush(now);
            if let Some(start) = self.course.control.start_at() {
                return Ok(Some(start));
            }
            if self.course.control.stopped() != Stop::Run {
                return Ok(None);
            }
            self.queue.submit(Wait::For(1, Nanos::from_millis(1)))?;
        }
    }

    /// Uses whose fate is known, and those of them that are served.
    fn settled(&self) -> (u32, u32) {
        let (mut settled, mut served) = (0, 0);
        for channel in &self.spread.channels {
            let line = &self.lines[channel.line as usize];
            let lost = channel.refused || line.failed;
            for used in channel.uses.clone() {
                let is_served = match self.is_watching {
                    true => self.book.is_served(used),
                    false => self.lanes[used as usize].state == LaneState::Idle,
                };
                settled += u32::from(lost || is_served);
                served += u32::from(is_served);
            }
        }
        (settled, served)
    }

    /// Does what the plan says from `start` on, drains, and gives what was seen.
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
        let up = self.lines.iter().filter(|line| line.state == State::Up).count() as u64;
        self.course.tally.connections_opened = up;
        if self.is_watching {
            self.book.updates.subscriptions = u64::from(self.settled().1);
            // Nothing is scheduled: the servers set the pace.
            self.course.closed_left = 0;
        }
        while self.course.phase != Phase::Drain || !self.is_drained() {
            self.pass(edges)?;
        }
        Ok(self.finish())
    }

    fn is_drained(&mut self) -> bool {
        let finals = !self.is_watching || self.check_finals();
        self.course.is_out_of_time() || (finals && self.course.is_drained())
    }

    /// One turn of the loop.
    #[inline]
    fn pass(&mut self, edges: &mut impl Edges) -> Result<(), ShardError> {
        let now = self.clock.now();
        let count = self.queue.reap(&mut self.batch);
        let idle = self.room();
        self.course.look_back(&mut self.log, count as u32, now, idle);
        self.book.now = now;
        self.handle(count, now);
        self.expire(now);
        self.tend(now);
        self.course.turn(now, &mut self.queue, edges);
        self.book.turn(self.course.phase == Phase::Measure);
        self.start_due(now);
        self.flush(now);
        self.course.account(now, !self.takes(), self.idle.len());
        let wait = self.wait(now);
        self.course.leave(wait);
        self.queue.submit(wait)?;
        Ok(())
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
        let line = completion.token.slot();
        let current = self.lines.get(line as usize).map(|line| line.generation);
        if !current.is_some_and(|generation| completion.token.is_of(generation)) {
            self.course.stale += 1;
            return;
        }
        let result = completion.result;
        match completion.token.kind() {
            Some(Kind::Receive) => self.on_receive(line, completion, now),
            Some(Kind::Send) => self.on_send(line, result, now),
            Some(Kind::Connect) => self.on_connect(line, result, now),
            Some(Kind::Bind) => self.on_bind(line, Step::Bind, result, now),
            Some(Kind::Socket) if result < 0 => self.on_bind(line, Step::Socket, result, now),
            Some(Kind::Option) if result < 0 => self.on_bind(line, Step::Bind, result, now),
            // Quiet ones: what they leave undone shows at the next operation.
            _ => {}
        }
    }

    /// Looks after the circuits now and then; whether it did.
    #[inline]
    fn tend(&mut self, now: Instant) -> bool {
        if now.since(self.tended_at) < TEND_EVERY {
            return false;
        }
        self.tended_at = now;
        // The two clocks drift apart: they are laid over each other anew each time.
        self.book.wall_at_zero = clock::wall_ns().saturating_sub(self.clock.now().0);
        self.tend_lines(now);
        true
    }

    /// How the queue may wait.
    #[inline]
    fn wait(&self, now: Instant) -> Wait {
        let plan = self.course.plan;
        let backlog = self.course.schedule.backlog() > 0;
        let turns_away = plan.on_cap == OnCap::Drop;
        let begins = self.takes() && self.course.is_closed_loop_on(now);
        if begins || !self.loud.is_empty() || (backlog && (self.takes() || turns_away)) {
            return Wait::Poll;
        }
        let schedules = !self.is_watching && plan.rate != Rate::Max;
        let measures = self.course.phase != Phase::Drain;
        if plan.idle == Idle::Spin && measures && (schedules || self.is_watching) {
            return Wait::Poll;
        }
        if !schedules || !measures {
            return Wait::For(1, self.until_next(now));
        }
        match self.course.schedule.next_due().since(now + WAKE_EARLY) {
            Nanos::ZERO => Wait::Poll,
            until_due => Wait::For(1, until_due.min(self.until_next(now))),
        }
    }

    /// Time until something other than a completion or an arrival wants the shard.
    fn until_next(&self, now: Instant) -> Nanos {
        let oldest = self.awaiting.first().map(|lane| self.lanes[lane as usize].since());
        let timeout = oldest.map_or(Instant::NEVER, |since| since + self.course.plan.timeout);
        self.course.edge(now).min(timeout).since(now).min(WAIT_MAX)
    }

    /// Pushes an operation on a circuit.
    #[inline]
    pub(super) fn push(&mut self, op: Op, line: u32) {
        self.course.work.pushed += 1;
        self.queue.push(op, self.lines[line as usize].token(line));
    }

    pub(super) fn has_room(&mut self) -> bool {
        self.queue.room() > 2 * OPERATIONS_PER_OPEN
    }

    fn finish(mut self) -> ShardYield<L> {
        let now = self.clock.now();
        self.give_up_waiting(now);
        let _ = self.queue.submit(Wait::Poll);
        self.course.tally.ports_set_aside = self.ports.set_aside_count();
        let updates = self.is_watching.then(|| {
            self.book.updates.finals_ok = self.finals_ok();
            (self.book.updates, std::mem::take(&mut self.book.ages))
        });
        let served = self.lines.iter().filter(|line| line.state == State::Up).count() as u64;
        if self.is_watching {
            self.course.tally.connections_served = served;
        }
        ShardYield { updates, ..self.course.finish(&mut self.queue, self.log) }
    }
}
