//! Searches and their replies, over UDP and on circuits alike.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::write::put;
use super::{Fault, Order, Reader, write_size, write_text};

/// Where a server, or whoever searches, is: unspecified stands for the sender of the datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
}

impl Place {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        let bytes = reader.take(16)?.first_chunk::<16>().ok_or(Fault::Short)?;
        let wide = Ipv6Addr::from(*bytes);
        // Peers send sixteen zeros for nowhere, too.
        let address = match wide.to_ipv4_mapped() {
            Some(narrow) => IpAddr::V4(narrow),
            None if wide.is_unspecified() => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            None => IpAddr::V6(wide),
        };
        Ok(Self { address, port: reader.u16()? })
    }

    fn write(&self, out: &mut Vec<u8>, order: Order) {
        let wide = match self.address {
            IpAddr::V4(narrow) => narrow.to_ipv6_mapped(),
            IpAddr::V6(wide) => wide,
        };
        out.extend_from_slice(&wide.octets());
        put(out, order, self.port);
    }
}

/// Who has these names?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Search<'a> {
    /// Comes back in the reply.
    pub sequence: u32,
    /// A reply is wanted even if nothing is found.
    pub must_reply: bool,
    /// It came to this server alone.
    pub unicast: bool,
    /// Where the reply goes.
    pub reply_to: Place,
    /// The names.
    pub names: Names<'a>,
}

/// Names with the numbers they are asked under.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    count: u16,
    reader: Reader<'a>,
}

impl PartialEq for Names<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Names<'_> {}

impl<'a> Names<'a> {
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, Fault> {
        let count = reader.u16()?;
        let names = Self { count, reader: *reader };
        for _ in 0..count {
            reader.u32()?;
            reader.text()?;
        }
        Ok(names)
    }

    /// Number and name, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &'a str)> + use<'a> {
        let mut reader = self.reader;
        (0..self.count).map_while(move |_| Some((reader.u32().ok()?, reader.text().ok()?)))
    }
}

const MUST_REPLY: u8 = 0x01;
const UNICAST: u8 = 0x80;

impl<'a> Search<'a> {
    /// Reads a payload.
    ///
    /// # Errors
    /// The message ends before, or a name is not UTF-8.
    pub fn read(mut reader: Reader<'a>) -> Result<Self, Fault> {
        let reader = &mut reader;
        let sequence = reader.u32()?;
        let flags = reader.u8()?;
        reader.take(3)?;
        let reply_to = Place::read(reader)?;
        for _ in 0..reader.size()? {
            reader.text_bytes()?;
        }
        Ok(Self {
            sequence,
            must_reply: flags & MUST_REPLY != 0,
            unicast: flags & UNICAST != 0,
            reply_to,
            names: Names::read(reader)?,
        })
    }

    /// Appends a payload that asks for `names`, at most 65535; with `must_reply` a server that has
    /// none of them is to say so.
    pub fn write<'n>(
        out: &mut Vec<u8>,
        order: Order,
        (sequence, reply_to): (u32, Place),
        must_reply: bool,
        names: impl Iterator<Item = (u32, &'n str)>,
    ) {
        put(out, order, sequence);
        let flags = if must_reply { UNICAST | MUST_REPLY } else { UNICAST };
        out.extend_from_slice(&[flags, 0, 0, 0]);
        reply_to.write(out, order);
        write_size(out, order, 1);
        write_text(out, order, "tcp");
        let at = out.len();
        put(out, order, 0u16);
        let mut count = 0u16;
        for (id, name) in names.take(usize::from(u16::MAX)) {
            put(out, order, id);
            write_text(out, order, name);
            count += 1;
        }
        out[at..at + 2].copy_from_slice(&of_u16(order, count));
    }

    /// Adds a name to the search that is the last message in `out` and begins at `at`: it was
    /// written here, in the same `order`, and has fewer than 65535 names.
    ///
    /// # Panics
    /// No whole search is there.
    pub fn add(out: &mut Vec<u8>, at: usize, order: Order, (id, name): (u32, &str)) {
        let held = &out[at + COUNT_AT..at + COUNT_AT + 2];
        let mut reader = Reader::new(held, order);
        let count = reader.u16().unwrap_or(0).saturating_add(1);
        put(out, order, id);
        write_text(out, order, name);
        out[at + COUNT_AT..at + COUNT_AT + 2].copy_from_slice(&of_u16(order, count));
        super::write::say_size(out, at, order);
    }
}

/// Where a whole message that was written here has the count of its names: behind the header,
/// the sequence, the flags, the place and `tcp`.
const COUNT_AT: usize = super::HEADER_BYTES + 4 + 4 + 18 + 5;

fn of_u16(order: Order, number: u16) -> [u8; 2] {
    match order {
        Order::Little => number.to_le_bytes(),
        Order::Big => number.to_be_bytes(),
    }
}

/// I have these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchReply<'a> {
    /// Which server this is.
    pub guid: [u8; 12],
    /// That of the search.
    pub sequence: u32,
    /// Where its circuits are accepted.
    pub place: Place,
    /// Whether it has the names of these numbers; the server itself is found where there are none.
    pub found: bool,
    /// The numbers.
    pub ids: Ids<'a>,
}

/// Numbers of names.
#[derive(Debug, Clone, Copy)]
pub struct Ids<'a>(Reader<'a>);

impl PartialEq for Ids<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Ids<'_> {}

impl<'a> Ids<'a> {
    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = u32> + use<'a> {
        let mut reader = self.0;
        std::iter::from_fn(move || reader.u32().ok())
    }
}

impl<'a> SearchReply<'a> {
    /// Reads a payload.
    ///
    /// # Errors
    /// The message ends before.
    pub fn read(mut reader: Reader<'a>) -> Result<Self, Fault> {
        let reader = &mut reader;
        let guid = *reader.take(12)?.first_chunk().ok_or(Fault::Short)?;
        let sequence = reader.u32()?;
        let place = Place::read(reader)?;
        reader.text_bytes()?;
        let found = reader.u8()? != 0;
        let count = usize::from(reader.u16()?);
        let ids = Ids(Reader::new(reader.take(4 * count)?, reader.order()));
        Ok(Self { guid, sequence, place, found, ids })
    }

    /// Appends a payload that says that the server `guid` at `place` has `ids`, at most 65535.
    pub fn write(
        out: &mut Vec<u8>,
        order: Order,
        (guid, sequence, place): ([u8; 12], u32, Place),
        ids: &[u32],
    ) {
        out.extend_from_slice(&guid);
        put(out, order, sequence);
        place.write(out, order);
        write_text(out, order, "tcp");
        let ids = &ids[..ids.len().min(usize::from(u16::MAX))];
        out.push(u8::from(!ids.is_empty()));
        put(out, order, ids.len() as u16);
        ids.iter().for_each(|&id| put(out, order, id));
    }
}
