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

/// Most bytes of a message that we take on a circuit of Channel Access.
const MESSAGE_BYTES_MAX: u32 = 16 << 10;

/// What comes at a time, and what was left of before: so that nothing grows in a run.
const PART_BYTES: usize = 64 << 10;

/// What was told of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// The number it was asked for under.
    pub id: u32,
    /// Where it is; `None`: not at who says so.
    pub found: Option<Found>,
    /// Bytes that it took to tell.
    pub bytes: u32,
}

/// Where a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
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
///
/// In datagrams names are asked for as the clients of EPICS do it: many in each, and who does not
/// have one says nothing. On a circuit each is asked for on its own, and who does not have it is
/// to say so.
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
    /// Where answers to datagrams go.
    reply_port: u16,
    /// Of the last datagram.
    sequence: u32,
    /// Where in what is to be sent the last datagram begins.
    begun: usize,
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
            part: match (scheme, search) {
                (Scheme::Ca, Search::Tcp) => Vec::with_capacity(PART_BYTES),
                _ => Vec::new(),
            },
            greeted: search == Search::Udp,
            reply_port: 0,
            sequence: 0,
            begun: 0,
        }
    }

    /// What to say on a new connection from `port` of ours.
    pub fn greet(&mut self, port: u16, out: &mut Vec<u8>) {
        self.reply_port = port;
        if self.scheme == Scheme::Ca && self.search == Search::Tcp {
            ca::Request::Version { priority: 0, minor: ca::MINOR_VERSION, sequence: 0 }.write(out);
        }
    }

    /// Whether it is welcome, and may ask: in datagrams always.
    pub fn is_greeted(&self) -> bool {
        self.greeted
    }

    /// Whether a further name belongs to what `out` ends with: into the same datagram, or so much
    /// as is asked at a time on a circuit. One always does where there is nothing.
    #[inline]
    pub fn fits(&self, name: &str, out: &[u8]) -> bool {
        let (begun, most, more) = match (self.search, self.scheme) {
            (Search::Tcp, _) => (0, CIRCUIT_BYTES, name.len()),
            (Search::Udp, Scheme::Pva) => (self.begun, PVA_DATAGRAM_BYTES, 9 + name.len()),
            (Search::Udp, _) => {
                let padded = (name.len() + 1).next_multiple_of(8);
                (self.begun, CA_DATAGRAM_BYTES, ca::Header::BYTES + padded)
            }
        };
        out.is_empty() || out.len().saturating_sub(begun) + more <= most
    }

    /// Appends the question for a name under the number `id`. Of datagrams `out` holds nothing
    /// else: one after the other, each as full as may be. [`Seeker::cut`] tells them apart.
    #[inline]
    pub fn ask(&mut self, id: u32, name: &str, out: &mut Vec<u8>) {
        let is_datagram = self.search == Search::Udp;
        let begins = !is_datagram || out.is_empty() || !self.fits(name, out);
        if begins {
            self.begun = out.len();
            self.sequence = self.sequence.wrapping_add(1);
        }
        match self.scheme {
            Scheme::Pva if begins => self.ask_pva((id, name), out),
            Scheme::Pva => pva::Search::add(out, self.begun, self.order, (id, name)),
            _ => {
                let (minor, sequence) = (ca::MINOR_VERSION, self.sequence);
                if begins && is_datagram {
                    ca::Request::Version { priority: 1, minor, sequence }.write(out);
                }
                let (name, wants_miss) = (name.as_bytes(), !is_datagram);
                ca::Request::Search { id, minor, wants_miss, name }.write(out);
            }
        }
    }

    fn ask_pva(&self, asked: (u32, &str), out: &mut Vec<u8>) {
        let must_reply = self.search == Search::Tcp;
        // Who has nothing does not say what it has not: the sequence tells the name then.
        let sequence = if must_reply { asked.0 } else { self.sequence };
        let address = std::net::Ipv4Addr::UNSPECIFIED.into();
        let head = (sequence, pva::Place { address, port: self.reply_port });
        let (order, client) = (self.order, pva::Sender::Client);
        pva::message(out, order, client, pva::command::SEARCH, |out| {
            pva::Search::write(out, order, head, must_reply, std::iter::once(asked));
        });
    }

    /// How much of what waits to be sent is the next datagram; all of it on a circuit.
    #[inline]
    pub fn cut(&self, waiting: &[u8]) -> usize {
        if self.search == Search::Tcp {
            return waiting.len();
        }
        match self.scheme {
            Scheme::Pva => pva::message_bytes(waiting),
            // Each begins with a version.
            _ => {
                let mut messages = ca::Messages::new(waiting);
                messages.next();
                let is_asked = |message: &ca::Message<'_>| {
                    matches!(ca::Request::read(*message), ca::Request::Search { .. })
                };
                let asked = messages.take_while(is_asked);
                let bytes = asked.map(|message| ca::Header::BYTES + message.payload.len());
                (ca::Header::BYTES + bytes.sum::<usize>()).min(waiting.len())
            }
        }
    }

    /// A datagram came. What is none of an answer is passed over.
    pub fn hear_datagram(&mut self, bytes: &[u8], told: &mut impl FnMut(Told)) {
        if self.scheme == Scheme::Ca {
            let mut spent = 0;
            for message in ca::Messages::new(bytes) {
                spent += ca::Header::BYTES + message.payload.len();
                told_by(message, &mut spent, told);
            }
            return;
        }
        for frame in pva::datagram(bytes) {
            let read = pva::FromServer::read(&frame, &mut self.cache);
            if let Ok(pva::FromServer::SearchReply(reply)) = read {
                told_at(&reply, frame.payload.len(), told);
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
        told: &mut impl FnMut(Told),
    ) -> Result<(), Fault> {
        match self.scheme {
            Scheme::Ca => self.hear_ca(bytes, told),
            _ => self.hear_pva(bytes, out, told),
        }
    }

    fn hear_ca(&mut self, bytes: &[u8], told: &mut impl FnMut(Told)) -> Result<(), Fault> {
        self.part.extend_from_slice(bytes);
        let mut at = 0;
        while let Some((length, message)) =
            ca::Message::split(&self.part[at..], MESSAGE_BYTES_MAX).map_err(|_| Fault::BadHead)?
        {
            at += length;
            self.greeted |= matches!(ca::Reply::read(message), ca::Reply::Version { .. });
            told_by(message, &mut { length }, told);
        }
        self.part.drain(..at);
        Ok(())
    }

    fn hear_pva(
        &mut self,
        mut bytes: &[u8],
        out: &mut Vec<u8>,
        told: &mut impl FnMut(Told),
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
                pva::FromServer::SearchReply(reply) => told_at(&reply, frame.payload.len(), told),
                _ => {}
            }
        }
        Ok(())
    }
}

/// What a message of Channel Access tells, which took all bytes that were `spent` so far.
#[inline]
fn told_by(message: ca::Message<'_>, spent: &mut usize, told: &mut impl FnMut(Told)) {
    let (id, found) = match ca::Reply::read(message) {
        ca::Reply::Found { id, port, address, .. } => {
            (id, Some(Found { address: address.map(Into::into), port }))
        }
        ca::Reply::NotFound { id, .. } => (id, None),
        _ => return,
    };
    told(Told { id, found, bytes: std::mem::take(spent) as u32 });
}

/// What a reply of pvAccess tells; its head is told with the first name.
#[inline]
fn told_at(reply: &pva::SearchReply<'_>, payload_bytes: usize, told: &mut impl FnMut(Told)) {
    let pva::Place { address, port } = reply.place;
    let address = (!address.is_unspecified()).then_some(address);
    let found = reply.found.then_some(Found { address, port });
    let each = 4;
    let mut bytes = (pva::HEADER_BYTES + payload_bytes) as u32;
    let count = reply.ids.iter().count() as u32;
    if count == 0 && !reply.found {
        told(Told { id: reply.sequence, found, bytes });
    }
    bytes = bytes.saturating_sub(each * count.saturating_sub(1));
    for id in reply.ids.iter() {
        told(Told { id, found, bytes: std::mem::replace(&mut bytes, each) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: u32) -> Vec<String> {
        (0..count).map(|i| format!("LAB:{i}")).collect()
    }

    /// Asks for all names in datagrams; those that each asks for.
    fn asked(scheme: Scheme, count: u32) -> Vec<Vec<(u32, String)>> {
        let names = names(count);
        let mut seeker = Seeker::new(scheme, Search::Udp);
        let mut all = Vec::new();
        seeker.greet(99, &mut all);
        for (id, name) in (0..).zip(&names) {
            seeker.ask(id, name, &mut all);
        }
        let (mut rest, mut datagrams) = (&all[..], Vec::new());
        while !rest.is_empty() {
            let (out, others) = rest.split_at(seeker.cut(rest));
            rest = others;
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
                    ca::Messages::new(out).filter_map(asked).collect()
                }
                _ => {
                    let frame = pva::datagram(out).next().unwrap();
                    let search = pva::Search::read(pva::Reader::new(frame.payload, frame.order));
                    let search = search.unwrap();
                    let sequence = datagrams.len() as u32 + 1;
                    assert_eq!((search.sequence, search.reply_to.port), (sequence, 99));
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
            let expect: Vec<_> = (0..200).zip(names(200)).collect();
            assert_eq!(all, expect);
        }
    }

    #[track_caller]
    fn check(scheme: Scheme, datagram: &[u8], expect: &[(u32, &str)]) {
        let mut found = Vec::new();
        let from = "127.0.0.9:1".parse().unwrap();
        Seeker::new(scheme, Search::Udp).hear_datagram(datagram, &mut |told: Told| {
            assert_eq!(told.found.is_none(), told.id > 90);
            found.push((
                told.id,
                told.found.map_or_else(|| "nowhere".into(), |at| at.server(from).to_string()),
            ));
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
