//! A connection slot: what is known of the connection on it and of the session that uses it.

use super::ports::Endpoint;
use crate::evidence::Phase;
use crate::ring::Token;
use crate::unit::Instant;

/// What a slot awaits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing: it has no socket yet, or could not get one.
    Vacant,
    /// Its socket being made and bound.
    Opening,
    /// Its connection being made, with no session on it (kept connections).
    Connecting,
    /// A session: kept ones are connected, fresh ones bound.
    Idle,
    /// The answer to a request.
    Busy,
    /// The end of a session's think time.
    Thinking,
    /// The time to try again.
    Retrying,
    /// A source port.
    Starved,
}

/// A slot.
#[derive(Debug)]
pub(super) struct Conn<S> {
    pub(super) state: State,
    /// Which connection on this slot; tells its completions from those of earlier ones.
    pub(super) generation: u32,
    pub(super) endpoint: Option<Endpoint>,
    /// The protocol's own.
    pub(super) speech: S,
    /// A receive is armed.
    pub(super) receiving: bool,
    /// A large request is not known to have gone out whole.
    pub(super) sending: bool,
    /// The connection stood.
    pub(super) connected: bool,
    /// A request was answered on this slot.
    pub(super) served: bool,
    /// A request was answered on this connection.
    pub(super) answered: bool,
    /// Its one try before the start has come to an end.
    pub(super) settled: bool,
    /// Phase of the session.
    pub(super) phase: Phase,
    /// When it entered the list that it is on; while it is busy, when the request was sent.
    pub(super) since: Instant,
    pub(super) session: Session,
}

/// The session that uses a connection, and its request under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Session {
    pub(super) number: u64,
    pub(super) request: u32,
    /// When the schedule wanted the session.
    pub(super) began: Instant,
    pub(super) intended_at: Instant,
    pub(super) ready_at: Instant,
    /// [`Instant::NEVER`] until it is known; so is the next.
    pub(super) connected_at: Instant,
    pub(super) first_byte_at: Instant,
    /// The longest request is far below 4 GiB.
    pub(super) bytes_sent: u32,
    pub(super) bytes_received: u64,
}

impl Session {
    /// Session `number`, due at `intended_at`, for which there was room at `ready_at`.
    pub(super) const fn new(number: u64, intended_at: Instant, ready_at: Instant) -> Self {
        Self {
            number,
            request: 0,
            began: intended_at,
            intended_at,
            ready_at,
            connected_at: Instant::NEVER,
            first_byte_at: Instant::NEVER,
            bytes_sent: 0,
            bytes_received: 0,
        }
    }
}

impl<S> Conn<S> {
    pub(super) const fn new(speech: S) -> Self {
        Self {
            state: State::Vacant,
            generation: 0,
            endpoint: None,
            speech,
            receiving: false,
            sending: false,
            connected: false,
            served: false,
            answered: false,
            settled: false,
            phase: Phase::Connect,
            since: Instant::ZERO,
            session: Session::new(0, Instant::ZERO, Instant::ZERO),
        }
    }

    /// Names operations of the connection that is on `slot` now.
    #[inline]
    pub(super) fn token(&self, slot: u32) -> Token {
        Token::new(slot, self.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Http1, Protocol};

    #[test]
    fn a_connection_takes_little_memory() {
        type Slot = Conn<<Http1 as Protocol>::Conn>;
        assert!(size_of::<Slot>() <= 128, "{}", size_of::<Slot>());
    }
}
