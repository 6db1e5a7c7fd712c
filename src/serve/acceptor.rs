//! Accepting clients on the listening socket of a shard.

use super::error::ServeError;
use crate::evidence::Served;
use crate::ring::{Kind, Token};
use crate::sys::uring::{Completion, Uring};
use crate::unit::{Instant, Nanos};

/// The slot of the listening socket; clients have those above.
pub(super) const LISTENER: u32 = 0;

/// How long no client is accepted after one could not be.
const PAUSE: Nanos = Nanos::from_millis(10);

/// Keeps the ring accepting clients, with a pause after one that could not be accepted.
#[derive(Debug)]
pub(super) struct Acceptor {
    /// When the ring is to accept again; `None` while it does.
    again_at: Option<Instant>,
}

impl Acceptor {
    /// One whose ring does not accept yet.
    pub(super) fn new() -> Self {
        Self { again_at: Some(Instant::ZERO) }
    }

    /// Lets the ring accept again where it has stopped to and there is room for a client.
    pub(super) fn go_on(&mut self, ring: &mut Uring, has_room: bool, now: Instant) {
        if has_room && self.again_at.is_some_and(|at| at <= now) {
            self.again_at = None;
            ring.accept_many(LISTENER, Token::new(LISTENER, 0).of(Kind::Accept).to_bits());
        }
    }

    /// The slot of the client that came; `None` where one could not be accepted. Counts it.
    ///
    /// # Errors
    /// The kernel cannot accept in a ring.
    pub(super) fn accepted(
        &mut self,
        completion: &Completion,
        served: &mut Served,
        now: Instant,
    ) -> Result<Option<u32>, ServeError> {
        let slot = u32::try_from(completion.result).ok();
        if slot.is_none() && ServeError::cannot_accept(-completion.result) {
            return Err(ServeError::Accept(-completion.result));
        }
        served.clients += u64::from(slot.is_some());
        served.turned_away += u64::from(slot.is_none());
        if !completion.more {
            self.again_at = Some(if slot.is_some() { now } else { now + PAUSE });
        }
        Ok(slot)
    }
}
