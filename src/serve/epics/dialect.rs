//! How a server of PVs speaks: bytes of a circuit in, bytes out; no IO, no clock.

use std::fmt::Debug;
use std::net::SocketAddr;

use super::plan::Names;
use super::publisher::Sample;
use super::session::Session;

/// A protocol, as its server speaks it.
pub(super) trait Dialect: Debug {
    /// What it remembers of a circuit.
    type Circuit: Default + Debug;

    /// How a subscription wants its updates.
    type Form: Copy + Debug;

    /// Where names are searched for by datagram, given where circuits are opened.
    fn search_address(circuits: SocketAddr) -> SocketAddr;

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
    fn update(&self, form: &Self::Form, sample: Sample, out: &mut Vec<u8>);

    /// Appends the answer to a search by datagram, if there is one: circuits are opened at `port`.
    /// Gives how many names were searched for.
    fn answer(&self, search: &[u8], names: &Names, port: u16, out: &mut Vec<u8>) -> u64;
}

/// A client broke the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Breach;
