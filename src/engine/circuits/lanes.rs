//! Lanes: each takes one operation at a time on its channel. Arrivals go round them, the longest
//! idle first, so that all channels are worked evenly.

use super::shard::CircuitShard;
use crate::clock::Clock;
use crate::evidence::{Outcome, Phase, Request, Step};
use crate::log::Append;
use crate::plan::OnCap;
use crate::protocol::{Circuit, Fault, Verb};
use crate::ring::Queue;
use crate::sys::errno::ETIMEDOUT;
use crate::unit::Instant;

use super::super::schedule::Due;

/// What a lane awaits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LaneState {
    /// Its channel.
    Blocked,
    /// An operation.
    Idle,
    /// The answer to one.
    Busy,
    /// An answer that came too late to count: until then its number cannot be used again.
    Late,
}

/// A lane, and the operation on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lane {
    pub(super) state: LaneState,
    /// It has been idle once.
    pub(super) settled: bool,
    phase: Phase,
    session: u64,
    bytes_sent: u32,
    /// When it became idle; of an operation, when it was sent.
    since: Instant,
    intended_at: Instant,
    ready_at: Instant,
}

impl Lane {
    pub(super) const BLOCKED: Self = Self {
        state: LaneState::Blocked,
        settled: false,
        phase: Phase::Connect,
        session: 0,
        bytes_sent: 0,
        since: Instant::ZERO,
        intended_at: Instant::ZERO,
        ready_at: Instant::ZERO,
    };

    /// When its operation was sent.
    pub(super) fn since(&self) -> Instant {
        self.since
    }
}

impl<Q: Queue, C: Clock, P: Circuit, L: Append> CircuitShard<'_, Q, C, P, L> {
    /// Whether an operation may begin: a lane is idle, and fewer than the concurrence are busy.
    #[inline]
    pub(super) fn takes(&self) -> bool {
        self.room() > 0
    }

    /// How many operations could start at once.
    pub(super) fn room(&self) -> u32 {
        let below_cap = self.cap.saturating_sub(self.course.sessions_open);
        u64::from(self.idle.len()).min(below_cap) as u32
    }

    /// The lane's channel is ready for an operation.
    pub(super) fn free_lane(&mut self, lane: u32, now: Instant) {
        let it = &mut self.lanes[lane as usize];
        if !matches!(it.state, LaneState::Idle | LaneState::Busy) {
            it.state = LaneState::Idle;
            it.settled = true;
            it.since = now;
            self.idle.push_back(&mut self.links, lane);
        }
    }

    /// The lane's channel is gone, and its operation with it.
    pub(super) fn block_lane(
        &mut self,
        lane: u32,
        outcome: Outcome,
        step: Step,
        errno: u16,
        now: Instant,
    ) {
        match self.lanes[lane as usize].state {
            LaneState::Busy => self.end(lane, outcome, (step, errno), 0, now),
            LaneState::Idle => self.idle.remove(&mut self.links, lane),
            LaneState::Blocked | LaneState::Late => {}
        }
        self.lanes[lane as usize].state = LaneState::Blocked;
    }

    /// Starts what is due, as far as there is room.
    #[inline]
    pub(super) fn start_due(&mut self, now: Instant) {
        for _ in 0..STARTS {
            if !self.takes() && self.course.plan.on_cap == OnCap::Defer {
                return;
            }
            let due = if self.course.is_closed_loop_on(now) && self.takes() {
                if self.course.phase == Phase::Measure {
                    self.course.closed_left -= 1;
                    self.course.tally.sessions_planned += 1;
                }
                Due { intended_at: now, phase: self.course.phase }
            } else {
                match self.course.schedule.take() {
                    Some(due) => due,
                    None => return,
                }
            };
            self.start(due, now);
        }
    }

    #[inline]
    fn start(&mut self, due: Due, now: Instant) {
        let Some(lane) = self.idle.first().filter(|_| self.takes()) else {
            return self.course.turn_away(&mut self.log, due, Outcome::Dropped, now);
        };
        let since = self.lanes[lane as usize].since.max(self.room_since);
        let ready_at = match self.course.holes.covers(due.intended_at) {
            true => due.intended_at,
            false => due.intended_at.max(since),
        };
        if ready_at > due.intended_at {
            if self.course.plan.on_cap == OnCap::Drop {
                return self.course.turn_away(&mut self.log, due, Outcome::Dropped, now);
            }
            self.course.tally.sessions_deferred += u64::from(due.phase == Phase::Measure);
        }
        self.idle.remove(&mut self.links, lane);
        let session = self.course.start_session(due.phase);
        let bytes_sent = self.send(lane, session);
        if due.phase == Phase::Measure {
            self.course.tally.requests_sent += 1;
            self.course.tally.bytes_sent += u64::from(bytes_sent);
        }
        self.lanes[lane as usize] = Lane {
            state: LaneState::Busy,
            settled: true,
            phase: due.phase,
            session,
            bytes_sent,
            since: now,
            intended_at: due.intended_at,
            ready_at,
        };
        self.awaiting.push_back(&mut self.links, lane);
    }

    /// Says what the lane is to do; the bytes that takes. What is written is the number of the
    /// session.
    fn send(&mut self, lane: u32, session: u64) -> u32 {
        let (line, local) = self.place_of(lane);
        let it = &mut self.lines[line as usize];
        let before = it.out.len();
        self.protocol.operate(&mut it.speech, local, self.verb, session as i64, &mut it.out);
        let bytes = it.out.len() - before;
        if before == 0 {
            self.touch(line);
        }
        bytes as u32
    }

    /// The lane's circuit, and its number there.
    #[inline]
    fn place_of(&self, lane: u32) -> (u32, u32) {
        let line = self.spread.channels[self.channel_of_use[lane as usize] as usize].line;
        (line, lane - self.spread.lines[line as usize].1.start)
    }

    /// An answer came.
    #[inline]
    pub(super) fn on_done(
        &mut self,
        lane: u32,
        ok: bool,
        has_value: bool,
        bytes: u32,
        now: Instant,
    ) {
        match self.lanes[lane as usize].state {
            LaneState::Busy => {
                let (outcome, why) = match ok && (has_value || self.verb != Verb::Get) {
                    true => (Outcome::Ok, (Step::None, 0)),
                    false => (Outcome::Protocol, (Step::Parse, self.refusal() as u16)),
                };
                self.end(lane, outcome, why, bytes, now);
                self.free_lane(lane, now);
            }
            LaneState::Late => self.free_lane(lane, now),
            // The server will not have it prepared.
            LaneState::Blocked => self.refuse(lane),
            LaneState::Idle => {}
        }
    }

    /// What an answer says that is none to be pleased with.
    fn refusal(&self) -> Fault {
        match self.verb {
            Verb::Get | Verb::Put => Fault::Refusal,
            Verb::Search => Fault::UnknownName,
        }
    }

    /// Ends what has waited long enough.
    #[inline]
    pub(super) fn expire(&mut self, now: Instant) {
        let timeout = self.course.plan.timeout;
        while let Some(lane) = self.awaiting.first()
            && self.lanes[lane as usize].since + timeout <= now
        {
            self.end(lane, Outcome::Timeout, (Step::Recv, ETIMEDOUT as u16), 0, now);
            let (line, local) = self.place_of(lane);
            if self.protocol.give_up(&mut self.lines[line as usize].speech, local) {
                self.free_lane(lane, now);
            }
        }
    }

    /// An operation has its outcome. Its lane is on no list then, and its state is yet to be said.
    #[inline]
    fn end(
        &mut self,
        lane: u32,
        outcome: Outcome,
        (step, errno): (Step, u16),
        bytes: u32,
        now: Instant,
    ) {
        self.awaiting.remove(&mut self.links, lane);
        let line = self.spread.channels[self.channel_of_use[lane as usize] as usize].line;
        let on = &mut self.lines[line as usize];
        if outcome == Outcome::Ok && !std::mem::replace(&mut on.served, true) {
            self.course.tally.connections_served += 1;
        }
        let (source, port) = on.source();
        let it = &mut self.lanes[lane as usize];
        it.state = LaneState::Late;
        let request = Request {
            intended_at: it.intended_at,
            ready_at: it.ready_at,
            sent_at: it.since,
            connected_at: None,
            first_byte_at: (bytes > 0).then_some(now),
            done_at: now,
            session: it.session,
            request: 0,
            slot: line,
            source,
            port,
            outcome,
            step,
            errno,
            status: 0,
            phase: it.phase,
            last: true,
            bytes_sent: u64::from(it.bytes_sent),
            bytes_received: u64::from(bytes),
        };
        if self.course.sessions_open == self.cap {
            self.room_since = now;
        }
        self.course.end_session(request.phase, outcome);
        self.course.record(&mut self.log, &request, request.intended_at);
    }

    /// The drain is over: what still waits is unserved, what is under way stays without outcome.
    pub(super) fn give_up_waiting(&mut self, now: Instant) {
        self.course.give_up_waiting(&mut self.log, &mut self.queue, now);
        let busy = self.lanes.iter().filter(|lane| lane.state == LaneState::Busy);
        let measured = busy.filter(|lane| lane.phase == Phase::Measure).count() as u64;
        self.course.tally.sessions_in_flight += measured;
        self.course.tally.requests_in_flight += measured;
    }
}

/// Operations started per look at the clock: one costs some 100 ns.
const STARTS: u32 = 32;
