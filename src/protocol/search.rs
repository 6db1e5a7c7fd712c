//! Searches: who has these names? Asked in datagrams or on a circuit, in either protocol.

use std::net::{IpAddr, SocketAddr};

use super::Fault;
use crate::plan::{Scheme, Search};
use crate::wire::{ca, pva};

/// Bytes of a datagram that asks, as the clients of EPICS base and of pvxs have it.
const CA_DATAGRAM_BYTES: usize = ca::DATAGRAM_BYTES;
const PVA_DATAGRAM_BYTES: usize = 1400;

/// Bytes that are asked at a time on a circuit.
const CIRCUIT_BYTES: usize = 16 << 10;

/// Where a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Its number in the search.
    pub name: u32,
    /// The server; `None`: who says so.
    pub address: Option<IpAddr>,
    /// The server's TCP port.
    pub port: u16,
}

impl Found {
    /// Where the server is that `from` told of.
    pub fn server(&self, from: SocketAddr) -> SocketAddr {
        SocketAddr::new(self.address.unwrap_or_else(|| from.ip()), self.port)
    }
}

/// Asks for names, and reads what is answered. Sans-IO, as all protocols here.
#[derive(Debug)]
pub struct Seeker {
    scheme: Scheme,
    search: Search,
    /// How a pvAccess server wants to be spoken to; in datagrams as clients speak.
    order: pva::Order,
    frames: pva::Frames,
    cache: pva::TypeCache,
    /// The front of a Channel Access message whose rest is still to come.
    part: Vec<u8>,
    greeted: bool,
}

impl Seeker {
    /// For `ca` or `pva`.
    pub fn new(scheme: Scheme, search: Search) -> Self {
        Self {
            scheme,
            search,
            order: pva::Order::Big,
            frames: pva::Frames::default(),
            cache: pva::TypeCache::default(),
            part: Vec::new(),
            greeted: search == Search::Udp,
        }
    }

    /// What to say on a new circuit.
    pub fn greet(&self, out: &mut Vec<u8>) {
        if self.scheme == Scheme::Ca {
            ca::Request::Version { priority: 0, minor: ca::MINOR_VERSION, sequence: 0 }.write(out);
        }
    }

    /// Whether it is welcome, and may ask: of datagrams always.
    pub fn is_greeted(&self) -> bool {
        self.greeted
    }

    /// Appends a datagram, or so much for a circuit, that asks for as many of the names with the
    /// numbers `wanted` as belong into one; gives how many, at least one. Answers to a datagram
    /// go to `reply_port`.
    pub fn ask(
        &self,
        (sequence, reply_port): (u32, u16),
        names: &[String],
        wanted: &[u32],
        out: &mut Vec<u8>,
    ) -> usize {
        let (most, head, each) = match (self.search, self.scheme) {
            (Search::Tcp, _) => (CIRCUIT_BYTES, 64, 32),
            (Search::Udp, Scheme::Pva) => (PVA_DATAGRAM_BYTES, 64, 8),
            (Search::Udp, _) => (CA_DATAGRAM_BYTES, 16, 24),
        };
        let mut bytes = head;
        let fits = wanted.iter().take_while(|&&name| {
            bytes += each + names[name as usize].len();
            bytes <= most
        });
        let count = fits.count().max(1);
        let asked = wanted[..count].iter().map(|&id| (id, &*names[id as usize]));
        match self.scheme {
            Scheme::Pva => {
                let address = std::net::Ipv4Addr::UNSPECIFIED.into();
                let head = (sequence, pva::Place { address, port: reply_port });
                let (order, client) = (self.order, pva::Sender::Client);
                pva::message(out, order, client, pva::command::SEARCH, |out| {
                    pva::Search::write(out, order, head, asked);
                });
            }
            _ => self.ask_ca(sequence, asked, out),
        }
        count
    }

    fn ask_ca<'n>(
        &self,
        sequence: u32,
        names: impl Iterator<Item = (u32, &'n str)>,
        out: &mut Vec<u8>,
    ) {
        let minor = ca::MINOR_VERSION;
        if self.search == Search::Udp {
            ca::Request::Version { priority: 1, minor, sequence }.write(out);
        }
        for (id, name) in names {
            ca::Request::Search { id, minor, wants_miss: false, name: name.as_bytes() }.write(out);
        }
    }

    /// A datagram came. What is none of an answer is passed over.
    pub fn hear_datagram(&mut self, bytes: &[u8], found: &mut impl FnMut(Found)) {
        if self.scheme == Scheme::Ca {
            return ca::Messages::new(bytes).for_each(|message| found_by(message, found));
        }
        for frame in pva::datagram(bytes) {
            let read = pva::FromServer::read(&frame, &mut self.cache);
            if let Ok(pva::FromServer::SearchReply(reply)) = read {
                found_at(&reply, found);
            }
        }
    }

    /// Bytes came on the circuit. What is to be said is appended to `out`.
    ///
    /// # Errors
    /// They are not of the protocol: the circuit cannot go on.
    pub fn hear(
        &mut self,
        bytes: &[u8],
        out: &mut Vec<u8>,
        found: &mut impl FnMut(Found),
    ) -> Result<(), Fault> {
        match self.scheme {
            Scheme::Ca => self.hear_ca(bytes, found),
            _ => self.hear_pva(bytes, out, found),
        }
    }

    fn hear_ca(&mut self, bytes: &[u8], found: &mut impl FnMut(Found)) -> Result<(), Fault> {
        self.part.extend_from_slice(bytes);
        let mut at = 0;
        let most = CIRCUIT_BYTES as u32;
        while let Some((length, message)) =
            ca::Message::split(&self.part[at..], most).map_err(|_| Fault::BadHead)?
        {
            at += length;
            self.greeted |= matches!(ca::Reply::read(message), ca::Reply::Version { .. });
            found_by(message, found);
        }
        self.part.drain(..at);
        Ok(())
    }

    fn hear_pva(
        &mut self,
        mut bytes: &[u8],
        out: &mut Vec<u8>,
        found: &mut impl FnMut(Found),
    ) -> Result<(), Fault> {
        while let Some(frame) = self.frames.next(&mut bytes).map_err(|_| Fault::BadHead)? {
            if frame.control {
                if frame.command == pva::control::SET_BYTE_ORDER {
                    self.order = frame.order;
                }
                continue;
            }
            match pva::FromServer::read(&frame, &mut self.cache).map_err(|_| Fault::BadHead)? {
                pva::FromServer::Validation { .. } => {
                    let (buffer, method) = (CIRCUIT_BYTES as u32, "anonymous");
                    pva::FromClient::Validation { buffer, method, user: "", host: "" }
                        .write(out, self.order);
                }
                pva::FromServer::Validated(status) => self.greeted = status.is_ok(),
                pva::FromServer::SearchReply(reply) => found_at(&reply, found),
                _ => {}
            }
        }
        Ok(())
    }
}

fn found_by(message: ca::Message<'_>, found: &mut impl FnMut(Found)) {
    if let ca::Reply::Found { id, port, address, .. } = ca::Reply::read(message) {
        found(Found { name: id, address: address.map(Into::into), port });
    }
}

fn found_at(reply: &pva::SearchReply<'_>, found: &mut impl FnMut(Found)) {
    let pva::Place { address, port } = reply.place;
    let address = (!address.is_unspecified()).then_some(address);
    if reply.found {
        reply.ids.iter().for_each(|name| found(Found { name, address, port }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: u32) -> (Vec<String>, Vec<u32>) {
        ((0..count).map(|i| format!("LAB:{i}")).collect(), (0..count).collect())
    }

    /// Asks for all names in datagrams; those that each asks for.
    fn asked(scheme: Scheme, count: u32) -> Vec<Vec<(u32, String)>> {
        let (names, wanted) = names(count);
        let seeker = Seeker::new(scheme, Search::Udp);
        let (mut rest, mut datagrams) = (&wanted[..], Vec::new());
        while !rest.is_empty() {
            let mut out = Vec::new();
            rest = &rest[seeker.ask((7, 99), &names, rest, &mut out)..];
            assert!(out.len() <= PVA_DATAGRAM_BYTES, "{} bytes", out.len());
            datagrams.push(match scheme {
                Scheme::Ca => {
                    assert!(out.len() <= CA_DATAGRAM_BYTES, "{} bytes", out.len());
                    let asked = |message| match ca::Request::read(message) {
                        ca::Request::Search { id, name, .. } => {
                            Some((id, String::from_utf8_lossy(name).into_owned()))
                        }
                        _ => None,
                    };
                    ca::Messages::new(&out).filter_map(asked).collect()
                }
                _ => {
                    let frame = pva::datagram(&out).next().unwrap();
                    let search = pva::Search::read(pva::Reader::new(frame.payload, frame.order));
                    let search = search.unwrap();
                    assert_eq!((search.sequence, search.reply_to.port), (7, 99));
                    search.names.iter().map(|(id, name)| (id, name.to_owned())).collect()
                }
            });
        }
        datagrams
    }

    #[test]
    fn every_name_is_asked_for_once_in_datagrams_that_are_well_filled() {
        for scheme in [Scheme::Ca, Scheme::Pva] {
            let datagrams = asked(scheme, 200);
            assert!(datagrams.len() < 200 / 25, "{} datagrams", datagrams.len());
            let all: Vec<_> = datagrams.into_iter().flatten().collect();
            let expect: Vec<_> = (0..200).zip(names(200).0).collect();
            assert_eq!(all, expect);
        }
    }

    #[track_caller]
    fn check(scheme: Scheme, datagram: &[u8], expect: &[(u32, &str)]) {
        let mut found = Vec::new();
        let from = "127.0.0.9:1".parse().unwrap();
        Seeker::new(scheme, Search::Udp).hear_datagram(datagram, &mut |it: Found| {
            found.push((it.name, it.server(from).to_string()));
        });
        let found: Vec<_> = found.iter().map(|(name, server)| (*name, server.as_str())).collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn an_answer_says_where_the_server_is_or_that_it_is_the_sender() {
        let mut out = Vec::new();
        for (id, address) in [(3, None), (4, Some([10, 0, 0, 1].into()))] {
            ca::Reply::Found { id, port: 77, address, minor: Some(13) }.write(&mut out);
        }
        check(Scheme::Ca, &out, &[(3, "127.0.0.9:77"), (4, "10.0.0.1:77")]);
        for order in [pva::Order::Little, pva::Order::Big] {
            let mut out = Vec::new();
            for (ids, address) in [(&[5, 6][..], "0.0.0.0"), (&[7], "10.0.0.2")] {
                let place = pva::Place { address: address.parse().unwrap(), port: 88 };
                let reply = pva::command::SEARCH_REPLY;
                pva::message(&mut out, order, pva::Sender::Server, reply, |out| {
                    pva::SearchReply::write(out, order, ([1; 12], 7, place), ids);
                });
            }
            let here = "127.0.0.9:88";
            check(Scheme::Pva, &out, &[(5, here), (6, here), (7, "10.0.0.2:88")]);
        }
        check(Scheme::Ca, b"nonsense", &[]);
        check(Scheme::Pva, b"nonsense", &[]);
    }
}
