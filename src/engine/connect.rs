//! How slots get connections and give them up.
//!
//! ```text
//! kept:   Vacant -> Opening -> Connecting -> Idle <-> Busy       (spoilt: Opening again)
//! fresh:  Vacant -> Opening -> Idle -> Busy -> Opening ...       (socket bound ahead of need)
//! ```
//! A fresh session's socket is made and bound while its slot is idle, so that at the due instant
//! only connect, send and receive are left, and no connect ever goes out unbound.

use super::conn::State;
use super::shard::Shard;
use crate::clock::Clock;
use crate::evidence::{Phase, Step};
use crate::log::Append;
use crate::plan::Close;
use crate::protocol::{Fault, Protocol};
use crate::ring::{Completion, Kind, Op, Queue};
use crate::sys::errno::{EADDRINUSE, EADDRNOTAVAIL, ECONNREFUSED};
use crate::unit::{Instant, Nanos};

/// A connection that could not be opened is tried again after this.
pub(super) const RETRY_AFTER: Nanos = Nanos::from_millis(10);

/// Connections being opened at a time before the clock starts: no more than a listener's backlog
/// is sure to hold.
pub(super) const OPENING_MAX: u32 = 128;

impl<Q: Queue, C: Clock, P: Protocol, L: Append> Shard<'_, Q, C, P, L> {
    /// Opens slots before the start, at most [`OPENING_MAX`] at a time.
    pub(super) fn open_more(&mut self, now: Instant) {
        let slots = self.conns.len() as u32;
        while self.tried < slots
            && self.opening + self.awaiting.len() < OPENING_MAX
            && self.has_room()
        {
            self.open(self.tried, now);
            self.tried += 1;
        }
    }

    /// Makes a socket for `slot`, bound to the source port unused longest.
    pub(super) fn open(&mut self, slot: u32, now: Instant) {
        let speech = self.protocol.open(slot);
        let conn = &mut self.conns[slot as usize];
        conn.speech = speech;
        conn.receiving = false;
        conn.connected = false;
        conn.answered = false;
        conn.since = now;
        let Some(endpoint) = self.ports.take(now) else {
            conn.state = State::Starved;
            self.starved.push_back(&mut self.links, slot);
            return self.settle(slot);
        };
        conn.endpoint = Some(endpoint);
        conn.state = State::Opening;
        self.opening += 1;
        let op = Op::Open { source: endpoint.source, port: endpoint.port };
        self.push(op, slot);
    }

    /// Opens slots that wait for a port, as far as ports came free.
    pub(super) fn feed(&mut self, now: Instant) {
        while self.has_room()
            && let Some(slot) = self.starved.first()
        {
            self.starved.remove(&mut self.links, slot);
            self.open(slot, now);
            if self.conns[slot as usize].state == State::Starved {
                return;
            }
        }
    }

    pub(super) fn on_bind(&mut self, slot: u32, result: i32, now: Instant) {
        let conn = &self.conns[slot as usize];
        if conn.state != State::Opening {
            return;
        }
        if result < 0 {
            return self.open_failed(slot, Step::Bind, -result, now);
        }
        self.opening -= 1;
        if self.course.plan.fresh {
            self.make_idle(slot, now);
        } else {
            let conn = &mut self.conns[slot as usize];
            conn.state = State::Connecting;
            conn.since = now;
            self.awaiting.push_back(&mut self.links, slot);
            self.push(Op::Connect, slot);
        }
    }

    pub(super) fn on_open_failed(&mut self, slot: u32, completion: &Completion, now: Instant) {
        if self.conns[slot as usize].state == State::Opening && completion.result < 0 {
            let step = match completion.token.kind() {
                Some(Kind::Socket) => Step::Socket,
                _ => Step::Bind,
            };
            self.open_failed(slot, step, -completion.result, now);
        }
    }

    #[cold]
    fn open_failed(&mut self, slot: u32, step: Step, errno: i32, now: Instant) {
        self.opening -= 1;
        let conn = &mut self.conns[slot as usize];
        if step == Step::Bind && is_taken(errno) && conn.endpoint.is_some() {
            return self.open_elsewhere(slot, now);
        }
        self.course.tally.count_error(self.course.phase, step, errno as u16);
        self.retire(slot, now);
        self.retry(slot, now);
    }

    /// Something else holds the slot's port: opens it from the next one.
    #[cold]
    fn open_elsewhere(&mut self, slot: u32, now: Instant) {
        if let Some(endpoint) = self.conns[slot as usize].endpoint.take() {
            self.ports.set_aside(endpoint);
        }
        self.retire(slot, now);
        self.open(slot, now);
    }

    fn retry(&mut self, slot: u32, now: Instant) {
        self.settle(slot);
        let conn = &mut self.conns[slot as usize];
        conn.state = State::Retrying;
        conn.since = now;
        self.retrying.push_back(&mut self.links, slot);
    }

    pub(super) fn on_connect(&mut self, slot: u32, result: i32, now: Instant) {
        let conn = &mut self.conns[slot as usize];
        if result < 0 {
            return self.on_failure(slot, Step::Connect, -result, now);
        }
        if conn.connected {
            return;
        }
        conn.connected = true;
        self.course.tally.connections_started += 1;
        self.course.connections_open += 1;
        match conn.state {
            State::Connecting => {
                self.awaiting.remove(&mut self.links, slot);
                self.arm(slot);
                self.make_idle(slot, now);
            }
            _ => conn.session.connected_at = now,
        }
    }

    /// Arms the receive that suits: from now on for kept connections, once for fresh ones, which
    /// would otherwise have to be cancelled before they close.
    #[inline]
    pub(super) fn arm(&mut self, slot: u32) {
        let conn = &mut self.conns[slot as usize];
        conn.receiving = true;
        let op = if self.course.plan.fresh { Op::Receive } else { Op::ReceiveMany };
        self.push(op, slot);
    }

    /// The slot's one try before the start has come to an end, well or not.
    #[inline]
    fn settle(&mut self, slot: u32) {
        let conn = &mut self.conns[slot as usize];
        self.settled += u32::from(!conn.settled);
        conn.settled = true;
    }

    #[inline]
    pub(super) fn make_idle(&mut self, slot: u32, now: Instant) {
        self.settle(slot);
        let conn = &mut self.conns[slot as usize];
        conn.state = State::Idle;
        conn.since = now;
        self.idle.push_back(&mut self.links, slot);
    }

    /// A failure that is not of a request: of a connection being made, or idle.
    #[cold]
    pub(super) fn lose(&mut self, slot: u32, step: Step, errno: i32, now: Instant) {
        match self.conns[slot as usize].state {
            State::Connecting => {
                self.awaiting.remove(&mut self.links, slot);
                if step == Step::Connect && is_taken(errno) {
                    // With SO_REUSEADDR it is the connect that meets another process's pair.
                    return self.open_elsewhere(slot, now);
                }
                self.course.tally.count_error(self.course.phase, step, errno as u16);
                let endpoint = &mut self.conns[slot as usize].endpoint;
                if errno == ECONNREFUSED
                    && let Some(endpoint) = endpoint.take()
                {
                    self.ports.put_back(endpoint);
                }
                self.retire(slot, now);
                self.retry(slot, now);
            }
            State::Idle => {
                self.idle.remove(&mut self.links, slot);
                self.reopen(slot, now);
            }
            _ => {}
        }
    }

    /// Bytes came that nobody asked for.
    #[cold]
    pub(super) fn spoil_idle(&mut self, slot: u32, now: Instant) {
        self.course.tally.count_error(self.course.phase, Step::Parse, Fault::Surplus as u16);
        self.lose(slot, Step::Parse, 0, now);
    }

    /// Closes the connection of a slot that is on no list, and opens it again at once; after a
    /// while only where it never served, or a server that accepts and closes would make us do
    /// nothing else.
    pub(super) fn reopen(&mut self, slot: u32, now: Instant) {
        if !self.course.plan.fresh {
            self.course.tally.connections_reopened += 1;
        }
        let answered = self.conns[slot as usize].answered;
        self.retire(slot, now);
        if answered { self.open(slot, now) } else { self.retry(slot, now) }
    }

    /// Ends a fresh session's connection as the plan says, and makes the slot ready for the next.
    #[inline]
    pub(super) fn renew(&mut self, slot: u32, now: Instant) {
        let conn = &mut self.conns[slot as usize];
        conn.served = false;
        if self.course.plan.close == Close::Recycle && conn.connected && !conn.receiving {
            self.push(Op::Disconnect, slot);
            let conn = &mut self.conns[slot as usize];
            conn.generation += 1;
            self.course.connections_open -= u64::from(conn.connected);
            conn.connected = false;
            conn.speech = self.protocol.open(slot);
            self.make_idle(slot, now);
        } else {
            self.retire(slot, now);
            self.open(slot, now);
        }
    }

    /// Gives the slot's connection and port up. What it still had in flight is cancelled and,
    /// being of an older generation, no longer heard.
    pub(super) fn retire(&mut self, slot: u32, now: Instant) {
        self.cancel(slot);
        self.push(Op::Close, slot);
        let conn = &mut self.conns[slot as usize];
        conn.sending = false;
        conn.generation += 1;
        conn.state = State::Vacant;
        conn.receiving = false;
        self.course.connections_open -= u64::from(conn.connected);
        conn.connected = false;
        if let Some(endpoint) = conn.endpoint.take() {
            self.ports.give_back(endpoint, now);
        }
    }

    /// Cancels what may be in flight on a slot: an answer that is awaited, a request that it is
    /// not the answer to, a connection that does not stand.
    fn cancel(&mut self, slot: u32) {
        let conn = &self.conns[slot as usize];
        let asks = conn.state == State::Busy;
        let connects = !conn.connected && (asks || conn.state == State::Connecting);
        let in_flight = [
            (conn.receiving, Kind::Receive),
            (conn.sending || (conn.receiving && asks), Kind::Send),
            (connects, Kind::Connect),
        ];
        for (_, kind) in in_flight.into_iter().filter(|(is_in_flight, _)| *is_in_flight) {
            self.push(Op::Cancel(kind), slot);
        }
    }

    /// Whether an arrival finds no slot because there is no port.
    pub(super) fn lacks_ports(&self) -> bool {
        !self.starved.is_empty() && self.course.phase != Phase::Connect
    }
}

/// Whether an error says that a source port is not to be had.
fn is_taken(errno: i32) -> bool {
    matches!(errno, EADDRINUSE | EADDRNOTAVAIL)
}
