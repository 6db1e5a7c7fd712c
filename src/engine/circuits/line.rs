//! A circuit's connection: how it is opened, kept, written to and given up.

use super::shard::CircuitShard;
use crate::clock::Clock;
use crate::evidence::{Phase, Step};
use crate::log::Append;
use crate::protocol::{Circuit, Size};
use crate::ring::{Kind, Op, Queue, Token};
use crate::sys::errno::{EADDRINUSE, EADDRNOTAVAIL, ETIMEDOUT};
use crate::unit::{Instant, Nanos};

use super::super::ports::Endpoint;

/// Bytes that go out at a time.
pub(in crate::engine) const SCRATCH_BYTES: usize = 32 << 10;

/// A connection that could not be opened, or was lost, is tried again after this.
const RETRY_AFTER: Nanos = Nanos::from_millis(100);

/// A server hears of us at least this often: pvAccess servers close after 40 s of silence.
const ECHO_AFTER: Nanos = Nanos::from_secs(12);

/// Connections being opened at a time: no more than a listener's backlog is sure to hold.
const OPENING_MAX: u32 = 128;

/// What a circuit awaits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// To be opened.
    Vacant,
    /// Its socket being made and bound.
    Opening,
    /// Its connection.
    Connecting,
    /// The server's welcome.
    Greeting,
    /// Nothing: it is in use.
    Up,
}

/// A circuit.
#[derive(Debug)]
pub(super) struct Line<S> {
    pub(super) state: State,
    pub(super) generation: u32,
    endpoint: Option<Endpoint>,
    pub(super) speech: S,
    pub(super) size: Size,
    pub(super) receiving: bool,
    sending: bool,
    connected: bool,
    /// It failed, before the start or since.
    pub(super) failed: bool,
    pub(super) served: bool,
    /// When it entered its state.
    since: Instant,
    said_at: Instant,
    /// What is to go out, from `sent` on.
    pub(super) out: Vec<u8>,
    sent: usize,
}

impl<S> Line<S> {
    pub(super) fn new(speech: S, size: Size) -> Self {
        Self {
            state: State::Vacant,
            generation: 0,
            endpoint: None,
            speech,
            size,
            receiving: false,
            sending: false,
            connected: false,
            failed: false,
            served: false,
            since: Instant::ZERO,
            said_at: Instant::ZERO,
            out: Vec::with_capacity(2 * SCRATCH_BYTES),
            sent: 0,
        }
    }

    pub(super) fn token(&self, line: u32) -> Token {
        Token::new(line, self.generation)
    }

    /// Source and port of the connection, for the log.
    pub(super) fn source(&self) -> (u16, u16) {
        self.endpoint.map_or((0, 0), |endpoint| (endpoint.source, endpoint.port))
    }
}

impl<Q: Queue, C: Clock, P: Circuit, L: Append> CircuitShard<'_, Q, C, P, L> {
    /// Looks after the circuits: opens what is to be opened, gives up what takes too long, shows
    /// the servers that we are there.
    pub(super) fn tend_lines(&mut self, now: Instant) {
        for line in 0..self.lines.len() as u32 {
            let timeout = self.course.plan.timeout;
            let it = &self.lines[line as usize];
            let waited = now.since(it.since);
            match it.state {
                State::Vacant if !it.failed || waited >= RETRY_AFTER => self.open(line, now),
                State::Vacant | State::Opening => {}
                State::Connecting | State::Greeting if waited >= timeout => {
                    self.lose(line, Step::Connect, ETIMEDOUT as u16, now);
                }
                State::Connecting | State::Greeting => {}
                State::Up if now.since(it.said_at) >= ECHO_AFTER => {
                    let it = &mut self.lines[line as usize];
                    self.protocol.echo(&mut it.speech, &mut it.out);
                    self.touch(line);
                }
                State::Up => {}
            }
        }
    }

    fn open(&mut self, line: u32, now: Instant) {
        if self.opening >= OPENING_MAX || !self.has_room() {
            return;
        }
        let Some(endpoint) = self.ports.take(now) else { return };
        let it = &mut self.lines[line as usize];
        it.endpoint = Some(endpoint);
        it.state = State::Opening;
        it.since = now;
        self.opening += 1;
        let op = Op::Open { source: endpoint.source, port: endpoint.port };
        self.push(op, line);
    }

    pub(super) fn on_bind(&mut self, line: u32, step: Step, result: i32, now: Instant) {
        let it = &mut self.lines[line as usize];
        if it.state != State::Opening {
            return;
        }
        if result < 0 {
            return self.lose(line, step, -result as u16, now);
        }
        it.state = State::Connecting;
        it.since = now;
        if self.is_of_datagrams {
            return self.on_connect(line, 0, now);
        }
        self.push(Op::Connect, line);
    }

    pub(super) fn on_connect(&mut self, line: u32, result: i32, now: Instant) {
        let it = &mut self.lines[line as usize];
        if it.state != State::Connecting {
            return;
        }
        if result < 0 {
            return self.lose(line, Step::Connect, -result as u16, now);
        }
        self.opening -= 1;
        it.connected = true;
        it.state = State::Greeting;
        it.since = now;
        self.course.tally.connections_started += 1;
        self.course.connections_open += 1;
        let (_, port) = it.source();
        let is_welcome = self.protocol.greet(&mut it.speech, port, &mut it.out);
        self.arm(line);
        if is_welcome {
            self.on_greeted(line);
        }
        self.touch(line);
    }

    pub(super) fn arm(&mut self, line: u32) {
        let it = &mut self.lines[line as usize];
        it.receiving = true;
        self.push(Op::ReceiveMany, line);
    }

    /// What the circuit has to say goes out with the next flush.
    #[inline]
    pub(super) fn touch(&mut self, line: u32) {
        let it = &self.lines[line as usize];
        if !it.sending && it.connected && it.sent < it.out.len() {
            self.loud.push(line);
        }
    }

    /// Hands what the circuits have to say to the queue, of each as much as goes at a time.
    #[inline]
    pub(super) fn flush(&mut self, now: Instant) {
        while let Some(&line) = self.loud.last() {
            if self.queue.room() == 0 {
                return;
            }
            self.loud.pop();
            let it = &mut self.lines[line as usize];
            let waiting = it.out.get(it.sent..).unwrap_or_default();
            if it.sending || !it.connected || waiting.is_empty() {
                continue;
            }
            let length = self.protocol.cut(&it.speech, waiting).min(SCRATCH_BYTES);
            self.queue.scratch(line)[..length].copy_from_slice(&waiting[..length]);
            it.sending = true;
            it.said_at = now;
            it.sent += length;
            if it.sent == it.out.len() {
                it.out.clear();
                it.sent = 0;
            }
            self.push(Op::SendScratchTold(length), line);
        }
    }

    pub(super) fn on_send(&mut self, line: u32, result: i32, now: Instant) {
        self.lines[line as usize].sending = false;
        if result < 0 {
            return self.lose(line, Step::Send, -result as u16, now);
        }
        self.touch(line);
    }

    /// The circuit broke, or is given up: its channels are closed with it. Errno 0 is an end of
    /// file.
    #[cold]
    pub(super) fn lose(&mut self, line: u32, step: Step, errno: u16, now: Instant) {
        let it = &mut self.lines[line as usize];
        if it.state == State::Vacant {
            return;
        }
        self.course.tally.count_error(self.course.phase, step, errno);
        let in_flight = [
            (it.receiving, Kind::Receive),
            (it.sending, Kind::Send),
            (it.state == State::Connecting, Kind::Connect),
        ];
        for (_, kind) in in_flight.into_iter().filter(|(is_in_flight, _)| *is_in_flight) {
            self.push(Op::Cancel(kind), line);
        }
        self.push(Op::Close, line);
        let it = &mut self.lines[line as usize];
        self.opening -= u32::from(matches!(it.state, State::Opening | State::Connecting));
        self.course.connections_open -= u64::from(it.connected);
        let was_up = it.state == State::Up;
        it.generation += 1;
        it.state = State::Vacant;
        it.since = now;
        it.receiving = false;
        it.sending = false;
        it.connected = false;
        it.failed = true;
        it.out.clear();
        it.sent = 0;
        it.speech = self.protocol.open(it.size);
        if let Some(endpoint) = it.endpoint.take() {
            if is_taken(step, errno) {
                self.ports.set_aside(endpoint);
            } else {
                self.ports.give_back(endpoint, now);
            }
        }
        if was_up {
            self.course.tally.connections_reopened += u64::from(self.course.phase > Phase::Connect);
            self.close_channels(line, step, errno, now);
        }
    }
}

/// Whether an error says that something else holds the source port.
fn is_taken(step: Step, errno: u16) -> bool {
    let taken = [EADDRINUSE, EADDRNOTAVAIL].contains(&i32::from(errno));
    taken && matches!(step, Step::Bind | Step::Connect)
}
