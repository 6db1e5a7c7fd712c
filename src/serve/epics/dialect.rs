//! How a server of PVs speaks: bytes of a circuit in, bytes out; no IO, no clock.

use std::fmt::Debug;

use super::plan::Names;
use super::publisher::Update;
use super::session::Session;

/// A protocol, as its server speaks it.
pub(super) trait Dialect: Debug {
    /// What it remembers of a circuit.
    type Circuit: Default + Debug;

    /// How a subscription wants its updates.
    type Form: Copy + Debug;

    /// Whether clients bind the port where servers are searched for as well: then it is shared.
    const CLIENTS_BIND_SEARCHES: bool;

    /// Appends what the server says first on a circuit.
    fn greet(&self, out: &mut Vec<u8>);

    /// Hears the message at the start of `bytes`, and gives its length; `None` where more bytes
    /// are needed.
    ///
    /// # Errors
    /// The client breaks the protocol: what is still to be said is sent, and the circuit closed.
    fn hear(
        &self,
        circuit: &mut Self::Circuit,
        bytes: &[u8],
        session: &mut Session<'_, Self::Form>,
    ) -> Result<Option<usize>, Breach>;

    /// Whether the client wants to be told of updates now.
    fn wants_updates(&self, circuit: &Self::Circuit) -> bool;

    /// Appends an update.
    fn update(&self, update: &Update<Self::Form>, out: &mut Vec<u8>);

    /// Appends the answer to a search by datagram, if there is one: circuits are opened at `port`.
    fn answer(&self, search: &[u8], names: &Names, port: u16, out: &mut Vec<u8>) -> Searched;
}

/// What a datagram searched for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Searched {
    /// How many names.
    pub(super) names: u64,
    /// The port of the sender that waits for the answer; `None`: the one it was sent from.
    pub(super) reply_port: Option<u16>,
}

/// A client broke the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Breach;
