//! A client's circuit, or a slot for one: what came and is not whole, what is to go.

use slab::Slab;

use super::dialect::{Breach, Dialect};
use super::session::{Channel, Session};

/// Bytes that are sent at once. No update is added to more than this, and no message heard: a
/// client that does not read makes the server hold no more than this and one answer.
pub(super) const SEND_BYTES: usize = 64 * 1024;

/// A circuit.
#[derive(Debug)]
pub(super) struct Client<D: Dialect> {
    pub(super) state: State,
    /// Grows each time that the slot gives a circuit up.
    pub(super) generation: u32,
    pub(super) is_receiving: bool,
    /// Bytes of the send that is in flight; 0 where none is.
    pub(super) sending: u32,
    pub(super) circuit: D::Circuit,
    pub(super) channels: Slab<Channel>,
    /// What came and was not heard yet.
    heard: Vec<u8>,
    /// What is to be sent, from `sent` on.
    pub(super) out: Vec<u8>,
    sent: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Free,
    Open,
    /// Nothing more is heard; it ends when what is to be sent has gone.
    Ending,
}

impl<D: Dialect> Client<D> {
    pub(super) fn new() -> Self {
        Self {
            state: State::Free,
            generation: 0,
            is_receiving: false,
            sending: 0,
            circuit: D::Circuit::default(),
            channels: Slab::new(),
            heard: Vec::new(),
            out: Vec::new(),
            sent: 0,
        }
    }

    /// Makes a free slot of it.
    pub(super) fn clear(&mut self) {
        let generation = self.generation.wrapping_add(1);
        *self = Self { generation, ..Self::new() };
    }

    /// Whether there is room for more to be said.
    #[inline]
    pub(super) fn has_room(&self) -> bool {
        self.out.len() - self.sent < SEND_BYTES
    }

    /// Hears what came before and `bytes`, as far as there is room to answer.
    ///
    /// # Errors
    /// The client broke the protocol.
    pub(super) fn hear(
        &mut self,
        dialect: &D,
        bytes: &[u8],
        mut session: Session<'_, D::Form>,
    ) -> Result<(), Breach> {
        // What came whole is heard where it is; the rest is kept, and heard with what follows.
        let mut kept = std::mem::take(&mut self.heard);
        if kept.is_empty() {
            let length = self.hear_whole(dialect, bytes, &mut session)?;
            kept.extend_from_slice(&bytes[length..]);
        } else {
            kept.extend_from_slice(bytes);
            let length = self.hear_whole(dialect, &kept, &mut session)?;
            kept.drain(..length);
        }
        self.heard = kept;
        Ok(())
    }

    /// Hears what of `bytes` is whole, as far as there is room, and gives its length.
    fn hear_whole(
        &mut self,
        dialect: &D,
        bytes: &[u8],
        session: &mut Session<'_, D::Form>,
    ) -> Result<usize, Breach> {
        let mut heard = 0;
        while session.out.len() - self.sent < SEND_BYTES {
            match dialect.hear(&mut self.circuit, &bytes[heard..], session)? {
                Some(length) => heard += length,
                None => break,
            }
        }
        Ok(heard)
    }

    /// Whether something that came was not heard yet.
    #[inline]
    pub(super) fn is_behind(&self) -> bool {
        !self.heard.is_empty()
    }

    /// Moves the next bytes that are to be sent into `room` and gives their number.
    #[inline]
    pub(super) fn load(&mut self, room: &mut [u8]) -> usize {
        let rest = &self.out[self.sent..];
        let length = rest.len().min(room.len());
        room[..length].copy_from_slice(&rest[..length]);
        self.sent += length;
        if self.sent == self.out.len() {
            self.out.clear();
            self.sent = 0;
        }
        length
    }
}
