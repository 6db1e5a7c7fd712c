//! How a session lives: it is started, each of its requests is sent and ends, and it ends.

use super::conn::{Conn, Session, State};
use super::schedule::Due;
use super::shard::{BATCH, Shard};
use crate::clock::Clock;
use crate::evidence::{Outcome, Phase, Request, Step};
use crate::log::Append;
use crate::plan::OnCap;
use crate::protocol::{Answer, Fault, Outgoing, Progress, Protocol};
use crate::ring::{Completion, Op, Queue};
use crate::sys::errno::{
    EADDRINUSE, EADDRNOTAVAIL, ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ENOBUFS, ETIMEDOUT,
};
use crate::unit::Instant;

/// A request above this size may have to wait until the peer reads: its send is to complete in any
/// case.
const LARGE: u64 = 64 << 10;

/// How a request ended.
#[derive(Debug, Clone, Copy)]
struct End {
    outcome: Outcome,
    step: Step,
    errno: u16,
    status: u16,
    /// Another request may follow on the connection.
    reusable: bool,
}

impl End {
    fn failed(outcome: Outcome, step: Step, errno: u16) -> Self {
        Self { outcome, step, errno, status: 0, reusable: false }
    }

    fn answered(answer: Answer) -> Self {
        let (outcome, step, errno) = if answer.expected {
            (Outcome::Ok, Step::None, 0)
        } else {
            (Outcome::Protocol, Step::Parse, Fault::Unexpected as u16)
        };
        Self { outcome, step, errno, status: answer.status, reusable: answer.reusable }
    }

    fn of_errno(step: Step, errno: i32) -> Self {
        let outcome = match errno {
            ECONNREFUSED | EHOSTUNREACH | ENETUNREACH => Outcome::Refused,
            ETIMEDOUT => Outcome::Timeout,
            EADDRINUSE | EADDRNOTAVAIL if step == Step::Connect => Outcome::NoPort,
            _ => Outcome::Reset,
        };
        Self::failed(outcome, step, errno as u16)
    }
}

impl<Q: Queue, C: Clock, P: Protocol, L: Append> Shard<'_, Q, C, P, L> {
    /// Starts the arrival that waits longest; false where it has to wait on.
    #[inline]
    pub(super) fn start_next(&mut self, now: Instant) -> bool {
        if let Some(slot) = self.idle.first() {
            if !self.has_room() {
                return false;
            }
            let Some(due) = self.course.schedule.take() else { return false };
            let ready_at = if self.course.holes.covers(due.intended_at) {
                due.intended_at
            } else {
                due.intended_at.max(self.conns[slot as usize].since)
            };
            if ready_at > due.intended_at {
                if self.course.plan.on_cap == OnCap::Drop {
                    // It met the cap when it came due, although there is room by now.
                    self.course.turn_away(&mut self.log, due, Outcome::Dropped, now);
                    return true;
                }
                self.course.tally.sessions_deferred += u64::from(due.phase == Phase::Measure);
            }
            self.start(slot, due, ready_at, now);
            return true;
        }
        let outcome = if self.lacks_ports() {
            Outcome::NoPort
        } else if self.course.plan.on_cap == OnCap::Drop {
            Outcome::Dropped
        } else {
            return false;
        };
        let Some(due) = self.course.schedule.take() else { return false };
        self.course.turn_away(&mut self.log, due, outcome, now);
        true
    }

    /// Closed loop: a session for every idle connection, as many as share a stamp.
    #[inline]
    pub(super) fn start_closed(&mut self, now: Instant) {
        for _ in 0..BATCH {
            if !self.course.is_closed_loop_on(now) || !self.has_room() {
                break;
            }
            let Some(slot) = self.idle.first() else { break };
            if self.course.phase == Phase::Measure {
                self.course.closed_left -= 1;
                self.course.tally.sessions_planned += 1;
            }
            self.start(slot, Due { intended_at: now, phase: self.course.phase }, now, now);
        }
        if self.lacks_ports()
            && self.course.sessions_open == 0
            && self.course.is_closed_loop_on(now)
        {
            self.starve_closed(now);
        }
    }

    /// No connection can be made for want of a port: a session that fails, once a pass, and a
    /// closed loop that nothing keeps busy waits between its passes.
    #[cold]
    fn starve_closed(&mut self, now: Instant) {
        if self.course.phase == Phase::Measure {
            self.course.closed_left -= 1;
            self.course.tally.sessions_planned += 1;
            let due = Due { intended_at: now, phase: self.course.phase };
            self.course.turn_away(&mut self.log, due, Outcome::NoPort, now);
        }
    }

    #[inline]
    fn start(&mut self, slot: u32, due: Due, ready_at: Instant, now: Instant) {
        self.idle.remove(&mut self.links, slot);
        let number = self.course.start_session(due.phase);
        let conn = &mut self.conns[slot as usize];
        conn.phase = due.phase;
        conn.session = Session::new(number, due.intended_at, ready_at);
        self.send(slot, now);
    }

    /// Sends the session's next request; for the first of a fresh one connects before.
    #[inline]
    fn send(&mut self, slot: u32, now: Instant) {
        if !self.conns[slot as usize].connected {
            self.push(Op::Connect, slot);
        }
        let conn = &mut self.conns[slot as usize];
        let scratch = self.queue.scratch(slot);
        let outgoing = self.protocol.request(&mut conn.speech, scratch);
        let (op, bytes) = match outgoing {
            Outgoing::Template(index) => {
                let bytes = self.template_bytes.get(usize::from(index)).copied().unwrap_or(0);
                let op = if bytes > LARGE { Op::SendLarge(index) } else { Op::SendTemplate(index) };
                (op, bytes)
            }
            Outgoing::Written(bytes) => (Op::SendScratch(bytes), bytes as u64),
        };
        conn.sending = matches!(op, Op::SendLarge(_));
        self.push(op, slot);
        let conn = &mut self.conns[slot as usize];
        let measured = conn.phase == Phase::Measure;
        if measured {
            self.course.tally.requests_sent += 1;
            self.course.tally.bytes_sent += bytes;
        }
        conn.session.first_byte_at = Instant::NEVER;
        conn.session.bytes_sent = bytes as u32;
        conn.session.bytes_received = 0;
        conn.state = State::Busy;
        conn.since = now;
        let armed = conn.receiving;
        self.awaiting.push_back(&mut self.links, slot);
        if !armed {
            self.arm(slot);
        }
    }

    #[inline]
    pub(super) fn on_receive(&mut self, slot: u32, completion: &Completion, now: Instant) {
        let conn = &mut self.conns[slot as usize];
        conn.receiving = completion.more;
        if completion.result <= 0 {
            return self.on_receive_end(slot, completion.result, now);
        }
        if conn.state != State::Busy {
            return self.on_unasked(slot, now);
        }
        let bytes = self.queue.bytes(completion);
        if conn.session.first_byte_at == Instant::NEVER {
            conn.session.first_byte_at = now;
        }
        conn.session.bytes_received += bytes.len() as u64;
        let progress = self.protocol.receive(&mut conn.speech, bytes, now);
        let generation = conn.generation;
        match progress {
            Progress::Pending => {}
            Progress::Done(answer) => {
                let surplus = answer.consumed < bytes.len();
                self.on_answer(slot, answer, surplus, now);
            }
            Progress::Broken(fault) => {
                let end = End::failed(Outcome::Protocol, Step::Parse, fault as u16);
                self.end_request(slot, end, now);
            }
        }
        let conn = &self.conns[slot as usize];
        if conn.generation == generation
            && !conn.receiving
            && conn.wants_bytes(self.course.plan.fresh)
        {
            self.arm(slot);
        }
    }

    #[inline]
    fn on_answer(&mut self, slot: u32, answer: Answer, surplus: bool, now: Instant) {
        let mut end = End::answered(answer);
        // What is left of a request that is still being sent would mix with the next.
        end.reusable &= !self.conns[slot as usize].sending;
        if surplus {
            end.reusable = false;
            self.course.tally.count_error(self.course.phase, Step::Parse, Fault::Surplus as u16);
        }
        self.end_request(slot, end, now);
    }

    /// End of file, or an error of the receive.
    #[cold]
    fn on_receive_end(&mut self, slot: u32, result: i32, now: Instant) {
        if result == -ENOBUFS {
            // All shared buffers are full of what this pass has yet to read.
            self.course.buffers_exhausted += 1;
            return self.arm(slot);
        }
        let conn = &mut self.conns[slot as usize];
        if result < 0 {
            return self.on_failure(slot, Step::Recv, -result, now);
        }
        if conn.state != State::Busy {
            return self.on_failure(slot, Step::Recv, 0, now);
        }
        match self.protocol.end(&mut conn.speech, now) {
            Progress::Done(answer) => {
                self.on_answer(slot, Answer { reusable: false, ..answer }, false, now);
            }
            Progress::Broken(fault) => {
                let end = End::failed(Outcome::Protocol, Step::Parse, fault as u16);
                self.end_request(slot, end, now);
            }
            Progress::Pending => self.on_failure(slot, Step::Recv, 0, now),
        }
    }

    #[cold]
    fn on_unasked(&mut self, slot: u32, now: Instant) {
        match self.conns[slot as usize].state {
            State::Idle => self.spoil_idle(slot, now),
            State::Thinking => {
                self.course.tally.count_error(
                    self.course.phase,
                    Step::Parse,
                    Fault::Surplus as u16,
                );
            }
            _ => {}
        }
    }

    pub(super) fn on_send(&mut self, slot: u32, result: i32, now: Instant) {
        self.conns[slot as usize].sending = false;
        if result < 0 {
            self.on_failure(slot, Step::Send, -result, now);
        }
    }

    /// An operation on the slot's connection failed; errno 0 is an end of file. The first
    /// failure of a connection names the cause, later ones only follow from it.
    #[cold]
    pub(super) fn on_failure(&mut self, slot: u32, step: Step, errno: i32, now: Instant) {
        let conn = &self.conns[slot as usize];
        if conn.state != State::Busy {
            return self.lose(slot, step, errno, now);
        }
        let step = if conn.connected { step } else { Step::Connect };
        self.end_request(slot, End::of_errno(step, errno), now);
    }

    #[cold]
    pub(super) fn on_timeout(&mut self, slot: u32, now: Instant) {
        let conn = &self.conns[slot as usize];
        if conn.state == State::Busy {
            let step = match (conn.connected, conn.sending) {
                (false, _) => Step::Connect,
                (true, true) => Step::Send,
                (true, false) => Step::Recv,
            };
            self.end_request(slot, End::failed(Outcome::Timeout, step, ETIMEDOUT as u16), now);
        } else {
            self.lose(slot, Step::Connect, ETIMEDOUT, now);
        }
    }

    /// A request has its outcome: log it, then go on with the session or end it.
    #[inline]
    fn end_request(&mut self, slot: u32, end: End, now: Instant) {
        self.awaiting.remove(&mut self.links, slot);
        let conn = &mut self.conns[slot as usize];
        let last =
            end.outcome != Outcome::Ok || conn.session.request + 1 >= self.course.plan.requests;
        let request = request_of(slot, conn, end, last, now);
        conn.answered |= end.status != 0 || end.outcome == Outcome::Ok;
        if end.outcome == Outcome::Ok {
            self.course.holes.served(request.service());
            self.course.tally.connections_served += u64::from(!conn.served);
            conn.served = true;
        }
        let began = conn.session.began;
        self.record(&request, began);
        if last {
            self.end_session(slot, end, now);
        } else {
            self.go_on(slot, end.reusable, now);
        }
    }

    /// The session's next request, now or after the think time.
    fn go_on(&mut self, slot: u32, reusable: bool, now: Instant) {
        let conn = &mut self.conns[slot as usize];
        conn.session.request += 1;
        conn.session.intended_at = now + self.course.plan.think;
        conn.session.ready_at = conn.session.intended_at;
        if !reusable {
            // The server ended the connection that the session was to go on with.
            conn.session.intended_at = now;
            conn.session.ready_at = now;
            conn.since = now;
            conn.session.bytes_sent = 0;
            conn.session.bytes_received = 0;
            conn.session.connected_at = Instant::NEVER;
            conn.session.first_byte_at = Instant::NEVER;
            if conn.phase == Phase::Measure {
                self.course.tally.requests_sent += 1;
            }
            self.awaiting.push_back(&mut self.links, slot);
            return self.end_request(slot, End::failed(Outcome::Reset, Step::Send, 0), now);
        }
        conn.session.connected_at = Instant::NEVER;
        if self.course.plan.think.0 == 0 {
            return self.send(slot, now);
        }
        conn.state = State::Thinking;
        conn.since = now;
        self.thinking.push_back(&mut self.links, slot);
    }

    pub(super) fn think_over(&mut self, slot: u32, now: Instant) {
        self.thinking.remove(&mut self.links, slot);
        self.send(slot, now);
    }

    #[inline]
    fn end_session(&mut self, slot: u32, end: End, now: Instant) {
        self.course.end_session(self.conns[slot as usize].phase, end.outcome);
        let sound = end.reusable && matches!(end.outcome, Outcome::Ok | Outcome::Protocol);
        match (self.course.plan.fresh, sound) {
            (false, true) => self.make_idle(slot, now),
            (false, false) => self.reopen(slot, now),
            (true, _) => self.renew(slot, now),
        }
    }

    /// The drain is over: what still waits is unserved, what is under way stays without outcome.
    pub(super) fn give_up_waiting(&mut self, now: Instant) {
        self.course.give_up_waiting(&mut self.log, &mut self.queue, now);
        let in_session = self.conns.iter().filter(|conn| conn.is_in_session());
        for conn in in_session.filter(|conn| conn.phase == Phase::Measure) {
            self.course.tally.sessions_in_flight += 1;
            self.course.tally.requests_in_flight += u64::from(conn.state == State::Busy);
        }
    }
}

impl<S> Conn<S> {
    /// Whether a receive has to be armed: always for kept connections, which are to be seen
    /// closing, and while an answer is awaited for fresh ones.
    fn wants_bytes(&self, fresh: bool) -> bool {
        match self.state {
            State::Busy => true,
            State::Idle | State::Thinking => !fresh,
            _ => false,
        }
    }
}

fn known(at: Instant) -> Option<Instant> {
    (at != Instant::NEVER).then_some(at)
}

#[inline]
fn request_of<S>(slot: u32, conn: &Conn<S>, end: End, last: bool, now: Instant) -> Request {
    let session = &conn.session;
    Request {
        intended_at: session.intended_at,
        ready_at: session.ready_at,
        sent_at: conn.since,
        connected_at: known(session.connected_at),
        first_byte_at: known(session.first_byte_at),
        done_at: now,
        session: session.number,
        request: session.request,
        slot,
        source: conn.endpoint.map_or(0, |endpoint| endpoint.source),
        port: conn.endpoint.map_or(0, |endpoint| endpoint.port),
        outcome: end.outcome,
        step: end.step,
        errno: end.errno,
        status: end.status,
        phase: conn.phase,
        last,
        bytes_sent: u64::from(session.bytes_sent),
        bytes_received: session.bytes_received,
    }
}
