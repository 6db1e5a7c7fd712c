//! A shard of a target: one ring, one listener, and the connections that it accepted.
//!
//! ```text
//!          accept                receive                answer ripe            sent
//!   Free ─────────▶ Open ──────────────────▶ owes ──────────────────▶ sends ─────────▶ Open
//!                    │  end of stream, owes nothing; reset                │ the last
//!                    ▼                                                    ▼
//!                  Free ◀────────────── end of stream, or LINGER over ── Lingering, or Free
//! ```
//!
//! A connection has at most one receive and one send in flight. It is read from again only when
//! what came was taken and it is owed less than [`Target::OWED_MAX`] answers: a client that does
//! not read is not read from either, and memory is bounded.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use super::acceptor::Acceptor;
use super::agenda::Agenda;
use super::behaviour::Behaviour;
use super::error::ServeError;
use super::station::Station;
use super::target::{Answer, Bytes, Target, Then};
use crate::arrival::Chance;
use crate::clock::Clock;
use crate::evidence::Served;
use crate::plan::Idle;
use crate::ring::{Kind, QueueError, Token};
use crate::sys::errno;
use crate::sys::uring::{Completion, Uring};
use crate::unit::{Instant, Nanos};

/// Bytes of a receive buffer.
pub(super) const RECEIVE_BYTES: usize = 16 * 1024;

/// Completions taken from the ring at once.
const BATCH: usize = 256;

/// The longest that a shard sleeps before it looks at the stop flag again.
const WAIT_MAX: Nanos = Nanos::from_millis(20);

/// Sleep ends this long before an answer is due, and the rest is spun: to wake up takes time.
const SPIN: Nanos = Nanos::from_micros(100);

/// How long a client may take to read its last answer and close, where it was still sending.
const LINGER: Nanos = Nanos::from_secs(2);

/// One shard.
#[derive(Debug)]
pub(super) struct Shard<T: Target, C> {
    target: T,
    ring: Uring,
    clock: C,
    /// By slot; that of the listener is never open.
    conns: Vec<Conn<T>>,
    open: usize,
    acceptor: Acceptor,
    /// Bytes of each template.
    lengths: Vec<u32>,
    manner: Manner,
    /// Where requests wait for their answers.
    station: Station,
    /// An entry for each answer that is not ripe.
    delayed: Agenda,
    lingering: Agenda,
    served: Served,
}

/// How a shard goes about its work.
#[derive(Debug)]
pub(super) struct Manner {
    /// Which shard it is.
    pub(super) index: u32,
    /// What it does when nothing is due.
    pub(super) idle: Idle,
    pub(super) behaviour: Behaviour,
}

/// A connection, or a slot for one.
#[derive(Debug)]
struct Conn<T: Target> {
    state: State,
    /// Grows each time that the slot gives a connection up.
    generation: u32,
    is_receiving: bool,
    is_sending: bool,
    /// How many of the answers may be sent now.
    ripe: usize,
    /// When the last of the others may be sent: answers do not overtake each other.
    ripe_at: Instant,
    chance: Chance,
    /// What the client is owed, the one being sent included.
    answers: VecDeque<Answer>,
    target: T::Conn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Free,
    Open,
    /// The client will send no more; what it is owed is sent.
    Ending,
    /// All is sent; what still comes is thrown away.
    Lingering,
}

impl<T: Target, C: Clock> Shard<T, C> {
    /// A shard on `ring`, which listens on slot 0 and has `slots`.
    pub(super) fn new(
        target: T,
        ring: Uring,
        clock: C,
        slots: u32,
        (manner, station): (Manner, Station),
    ) -> Self {
        let conn = || Conn {
            state: State::Free,
            generation: 0,
            is_receiving: false,
            is_sending: false,
            ripe: 0,
            ripe_at: Instant::ZERO,
            chance: Chance::default(),
            answers: VecDeque::new(),
            target: T::Conn::default(),
        };
        let lengths = target.templates().iter().map(|template| template.len() as u32).collect();
        Self {
            target,
            ring,
            clock,
            conns: std::iter::repeat_with(conn).take(slots as usize).collect(),
            open: 0,
            acceptor: Acceptor::new(),
            lengths,
            manner,
            station,
            delayed: Agenda::default(),
            lingering: Agenda::default(),
            served: Served::default(),
        }
    }

    /// Serves until `stop` is set.
    ///
    /// # Errors
    /// The kernel takes no more submissions, or cannot accept in a ring.
    pub(super) fn run(mut self, stop: &AtomicBool) -> Result<Served, ServeError> {
        let mut batch = [Completion::default(); BATCH];
        while !stop.load(Ordering::Relaxed) {
            let now = self.clock.now();
            self.release_delayed(now);
            self.end_lingering(now);
            self.accept(now);
            self.submit(now).map_err(QueueError)?;
            let now = self.clock.now();
            while let count @ 1.. = self.ring.reap(&mut batch) {
                for completion in &batch[..count] {
                    self.complete(completion, now)?;
                }
            }
        }
        Ok(self.served)
    }

    /// Hands over what was pushed, and sleeps where nothing is soon due.
    fn submit(&mut self, now: Instant) -> Result<(), i32> {
        let due = self.delayed.next_due().unwrap_or(Instant::NEVER);
        match (self.manner.idle, due.since(now + SPIN)) {
            (Idle::Spin, _) | (Idle::Sleep, Nanos::ZERO) => self.ring.submit(),
            (Idle::Sleep, wait) => self.ring.submit_and_wait(1, wait.min(WAIT_MAX)),
        }
    }

    /// Goes on accepting where that ended and there is room.
    fn accept(&mut self, now: Instant) {
        self.acceptor.go_on(&mut self.ring, self.open + 1 < self.conns.len(), now);
    }

    #[inline]
    fn complete(&mut self, completion: &Completion, now: Instant) -> Result<(), ServeError> {
        let token = Token::from_bits(completion.user_data);
        match token.kind() {
            Some(Kind::Accept) => self.on_accepted(completion, now)?,
            Some(Kind::Receive) => {
                if self.is_current(token) {
                    self.on_received(token.slot(), completion, now);
                }
                if let Some(buffer) = completion.buffer {
                    self.ring.release(buffer);
                }
            }
            Some(Kind::Send) if self.is_current(token) => {
                self.on_sent(token.slot(), completion.result, now);
            }
            // Cancelling what is just over and closing what the client closed may fail.
            _ => {}
        }
        Ok(())
    }

    fn on_accepted(&mut self, completion: &Completion, now: Instant) -> Result<(), ServeError> {
        if let Some(slot) = self.acceptor.accepted(completion, &mut self.served, now)? {
            self.open += 1;
            let conn = &mut self.conns[slot as usize];
            conn.state = State::Open;
            let number = u64::from(self.manner.index) << 40 | self.served.clients;
            conn.chance = Chance::stream(self.manner.behaviour.seed, number);
            self.receive(slot);
        }
        Ok(())
    }

    #[inline]
    fn on_received(&mut self, slot: u32, completion: &Completion, now: Instant) {
        let conn = &mut self.conns[slot as usize];
        conn.is_receiving = false;
        match (completion.result, completion.buffer) {
            (1.., Some(buffer)) => self.hear(slot, buffer, now),
            (0, _) => {
                conn.state = State::Ending;
                if conn.answers.is_empty() {
                    self.close(slot);
                }
            }
            // All buffers are in this batch: they are back before the next receive.
            (result, _) if result == -errno::ENOBUFS => self.receive(slot),
            _ => {
                self.served.resets += 1;
                self.close(slot);
            }
        }
    }

    #[inline]
    fn hear(&mut self, slot: u32, buffer: u16, now: Instant) {
        let conn = &mut self.conns[slot as usize];
        if T::SCRATCH_BYTES > 0 && conn.state == State::Open {
            self.ring.copy_to_scratch(buffer, slot);
        }
        let bytes = self.ring.bytes(buffer);
        self.served.bytes_received += bytes.len() as u64;
        if conn.state == State::Open {
            let owed = conn.answers.len();
            self.target.hear(&mut conn.target, bytes, &mut conn.answers, &mut self.served);
            if self.manner.behaviour.is_plain() {
                conn.ripe += conn.answers.len() - owed;
            } else {
                self.decide(slot, owed, now);
            }
        }
        self.go_on(slot);
    }

    /// Decides what becomes of the answers from number `from` on, and when they are sent.
    fn decide(&mut self, slot: u32, from: usize, now: Instant) {
        for index in from..self.conns[slot as usize].answers.len() {
            let done_at = self.work_on(slot, index, now);
            let conn = &mut self.conns[slot as usize];
            conn.ripe_at = done_at.max(conn.ripe_at);
            if conn.ripe_at <= now {
                conn.ripe += 1;
                continue;
            }
            let (due, token) = (conn.ripe_at, Token::new(slot, conn.generation));
            self.delayed.enter(due, token, |token| is_current(&self.conns, token));
        }
    }

    /// Settles the answer of number `index`, and says when it is done.
    fn work_on(&mut self, slot: u32, index: usize, now: Instant) -> Instant {
        let Conn { answers, chance, .. } = &mut self.conns[slot as usize];
        let Some(failure) = self.target.failure(answers[index]) else {
            return self.station.pass(now);
        };
        let fate = self.manner.behaviour.fate(chance);
        if fate.is_reset {
            answers[index] = Answer { bytes: Bytes::Nothing, then: Then::Reset };
        } else if fate.is_failure {
            self.served.failed += 1;
            answers[index] = failure;
        }
        self.station.finish(now, fate.work)
    }

    #[inline]
    fn on_sent(&mut self, slot: u32, result: i32, now: Instant) {
        let conn = &mut self.conns[slot as usize];
        conn.is_sending = false;
        let Some(Answer { bytes, then }) = conn.answers.pop_front() else { return };
        let length = match bytes {
            Bytes::Template(index) => self.lengths[usize::from(index)],
            Bytes::Echo(length) => length,
            Bytes::Nothing => 0,
        };
        self.served.bytes_sent += u64::try_from(result).unwrap_or(0);
        if u32::try_from(result) != Ok(length) {
            self.served.resets += 1;
            return self.close(slot);
        }
        match (conn.state, then) {
            (State::Ending, _) if conn.answers.is_empty() => self.close(slot),
            (State::Ending, Then::Close | Then::Linger) | (_, Then::Close) => self.close(slot),
            (_, Then::Linger) => self.linger(slot, now),
            (_, Then::Reset) => self.reset(slot),
            (_, Then::Keep) => self.go_on(slot),
        }
    }

    /// Pushes what the connection may do now: send what is ripe, receive where there is room.
    #[inline]
    fn go_on(&mut self, slot: u32) {
        let conn = &mut self.conns[slot as usize];
        if !conn.is_sending
            && conn.ripe > 0
            && let Some(answer) = conn.answers.front()
        {
            conn.is_sending = true;
            conn.ripe -= 1;
            let token = Token::new(slot, conn.generation).of(Kind::Send).to_bits();
            match answer.bytes {
                Bytes::Nothing if answer.then == Then::Reset => return self.reset(slot),
                Bytes::Nothing => return self.close(slot),
                Bytes::Template(index) => self.ring.send_template_told(slot, index, token),
                Bytes::Echo(length) => self.ring.send_scratch_told(slot, length as usize, token),
            }
        }
        let has_room = match conn.state {
            State::Open => {
                let goes_on = conn.answers.back().is_none_or(|last| last.then == Then::Keep);
                goes_on && conn.answers.len() < T::OWED_MAX
            }
            State::Lingering => true,
            State::Free | State::Ending => false,
        };
        if has_room && !conn.is_receiving {
            self.receive(slot);
        }
    }

    #[inline]
    fn receive(&mut self, slot: u32) {
        let conn = &mut self.conns[slot as usize];
        conn.is_receiving = true;
        let token = Token::new(slot, conn.generation).of(Kind::Receive);
        self.ring.receive(slot, token.to_bits());
    }

    /// Answers whose delay is over become ripe.
    fn release_delayed(&mut self, now: Instant) {
        while let Some((due, token)) = self.delayed.leave(now) {
            if self.is_current(token) {
                self.served.lateness.add(now.since(due));
                self.conns[token.slot() as usize].ripe += 1;
                self.go_on(token.slot());
            }
        }
    }

    /// Tells the client that all is sent, and waits for it to close.
    fn linger(&mut self, slot: u32, now: Instant) {
        let conn = &mut self.conns[slot as usize];
        conn.state = State::Lingering;
        let token = Token::new(slot, conn.generation);
        self.ring.finish_sending(slot, token.of(Kind::Disconnect).to_bits());
        self.lingering.enter(now + LINGER, token, |token| is_current(&self.conns, token));
        self.go_on(slot);
    }

    fn end_lingering(&mut self, now: Instant) {
        while let Some((_, token)) = self.lingering.leave(now) {
            if self.is_current(token) {
                self.close(token.slot());
            }
        }
    }

    /// Resets the connection on purpose.
    fn reset(&mut self, slot: u32) {
        self.served.broken_off += 1;
        let token = Token::new(slot, self.conns[slot as usize].generation);
        self.ring.disconnect(slot, token.of(Kind::Disconnect).to_bits());
        self.close(slot);
    }

    /// Gives the connection up; what is in flight on it ends unheard.
    fn close(&mut self, slot: u32) {
        let conn = &mut self.conns[slot as usize];
        let token = Token::new(slot, conn.generation);
        let in_flight = [(conn.is_receiving, Kind::Receive), (conn.is_sending, Kind::Send)];
        for (_, kind) in in_flight.into_iter().filter(|(is_in_flight, _)| *is_in_flight) {
            self.ring.cancel(token.of(kind).to_bits(), token.of(Kind::Cancel).to_bits());
        }
        self.ring.close(slot, token.of(Kind::Close).to_bits());
        conn.state = State::Free;
        conn.generation = conn.generation.wrapping_add(1);
        conn.is_receiving = false;
        conn.is_sending = false;
        conn.ripe = 0;
        conn.ripe_at = Instant::ZERO;
        conn.answers.clear();
        conn.target = T::Conn::default();
        self.open -= 1;
    }

    #[inline]
    fn is_current(&self, token: Token) -> bool {
        is_current(&self.conns, token)
    }
}

#[inline]
fn is_current<T: Target>(conns: &[Conn<T>], token: Token) -> bool {
    let conn = &conns[token.slot() as usize];
    conn.state != State::Free && token.is_of(conn.generation)
}
