//! `ca://`: Channel Access, the client's side of a circuit.

use super::{Circuit, Event, Fault, Hear, Posted, Size, Verb};
use crate::plan::{ChannelPlan, Profile};
use crate::wire::ca::{
    Base, Dbr, MINOR_VERSION, Mask, Message, Reply, Request, Stamp, Update, Value,
};

/// Most bytes of a message that we take.
const MESSAGE_BYTES_MAX: u32 = 64 << 20;

/// Who we say we are.
const NAME: &[u8] = b"onrush";

/// Channel Access as a client.
#[derive(Debug, Clone)]
pub struct Ca {
    mask: Mask,
    /// Elements asked for; 0: as many as there are.
    count: u32,
}

/// A circuit.
#[derive(Debug)]
pub struct CaConn {
    /// The front of a message whose rest is still to come.
    part: Vec<u8>,
    greeted: bool,
    /// By channel.
    channels: Vec<Channel>,
    /// By operation: its channel.
    operations: Vec<u32>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Channel {
    sid: u32,
    is_word: bool,
}

impl Channel {
    fn dbr(self) -> Dbr {
        if self.is_word { Dbr::TIME_LONG } else { Dbr::TIME_DOUBLE }
    }
}

impl Ca {
    /// A client that asks as the plan's profile does.
    pub fn new(plan: &ChannelPlan) -> Self {
        match plan.profile {
            Profile::Libca => Self { mask: Mask::VALUE.and(Mask::ALARM), count: 0 },
            Profile::Pvxs | Profile::Greedy => Self { mask: Mask::VALUE, count: 1 },
        }
    }
}

impl Circuit for Ca {
    type Conn = CaConn;

    fn open(&mut self, size: Size) -> CaConn {
        CaConn {
            part: Vec::new(),
            greeted: false,
            channels: vec![Channel::default(); size.channels as usize],
            operations: vec![0; size.operations as usize],
        }
    }

    fn greet(&mut self, _conn: &mut CaConn, _port: u16, out: &mut Vec<u8>) -> bool {
        Request::Version { priority: 0, minor: MINOR_VERSION, sequence: 0 }.write(out);
        Request::ClientName(NAME).write(out);
        Request::HostName(NAME).write(out);
        false
    }

    fn create(&mut self, _conn: &mut CaConn, channel: u32, name: &str, out: &mut Vec<u8>) -> bool {
        let name = name.as_bytes();
        Request::CreateChannel { cid: channel, minor: MINOR_VERSION, name }.write(out);
        false
    }

    fn subscribe(&mut self, conn: &mut CaConn, channel: u32, subscription: u32, out: &mut Vec<u8>) {
        let channel = conn.channels[channel as usize];
        Request::EventAdd {
            data_type: channel.dbr().code(),
            count: self.count,
            sid: channel.sid,
            subid: subscription,
            mask: self.mask,
        }
        .write(out);
    }

    fn prepare(
        &mut self,
        conn: &mut CaConn,
        channel: u32,
        operation: u32,
        _verb: Verb,
        _out: &mut Vec<u8>,
    ) -> bool {
        conn.operations[operation as usize] = channel;
        true
    }

    #[inline]
    fn operate(
        &mut self,
        conn: &mut CaConn,
        operation: u32,
        verb: Verb,
        value: i64,
        out: &mut Vec<u8>,
    ) {
        let channel = conn.channels[conn.operations[operation as usize] as usize];
        let (sid, ioid) = (channel.sid, operation);
        match verb {
            Verb::Get => {
                let (data_type, count) = (channel.dbr().code(), self.count);
                Request::ReadNotify { data_type, count, sid, ioid }.write(out);
            }
            Verb::Put => {
                let (data_type, mut double) = (DOUBLE.code(), [0; 8]);
                double.copy_from_slice(&(value as f64).to_be_bytes());
                Request::WriteNotify { data_type, count: 1, sid, ioid, data: &double }.write(out);
            }
            // That is asked by `Searches`.
            Verb::Search => {}
        }
    }

    fn echo(&mut self, _conn: &mut CaConn, out: &mut Vec<u8>) {
        Request::Echo.write(out);
    }

    #[inline]
    fn receive(
        &mut self,
        conn: &mut CaConn,
        mut bytes: &[u8],
        _out: &mut Vec<u8>,
        hear: &mut impl Hear,
    ) -> Result<(), Fault> {
        if !conn.part.is_empty() {
            bytes = conn.complete(bytes, hear)?;
        }
        let read = conn.read(bytes, hear)?;
        conn.part.extend_from_slice(&bytes[read..]);
        Ok(())
    }
}

const DOUBLE: Dbr = Dbr { class: crate::wire::ca::Class::Plain, base: Base::Double };

/// Bytes of the longest header.
const HEADER_BYTES: usize = 24;

impl CaConn {
    /// Hears every whole message at the front of `bytes`; gives their length.
    #[inline]
    fn read(&mut self, bytes: &[u8], hear: &mut impl Hear) -> Result<usize, Fault> {
        let mut at = 0;
        loop {
            if let Some((length, update)) = Update::read(&bytes[at..]) {
                at += length;
                let posted = Posted {
                    value: update.value as i64,
                    is_word: length == Update::LONG_BYTES,
                    stamp_ns: update.stamp.to_unix_ns(),
                };
                hear.update(update.subid, posted);
                continue;
            }
            let split = Message::split(&bytes[at..], MESSAGE_BYTES_MAX);
            let Some((length, message)) = split.map_err(|_| Fault::BadHead)? else { break };
            at += length;
            self.hear(Reply::read(message), length as u32, hear);
        }
        Ok(at)
    }

    /// Completes the message that began in earlier bytes; what follows it is left.
    #[cold]
    fn complete<'a>(
        &mut self,
        mut bytes: &'a [u8],
        hear: &mut impl Hear,
    ) -> Result<&'a [u8], Fault> {
        let mut part = std::mem::take(&mut self.part);
        while !bytes.is_empty() {
            // A header first, then what it says; to take more would copy what can be read in
            // place.
            let length = match crate::wire::ca::Header::read(&part) {
                Some((head, header)) => head + header.payload_bytes.min(MESSAGE_BYTES_MAX) as usize,
                None => HEADER_BYTES.min(part.len() + 8 - part.len() % 8),
            };
            let missing = length.saturating_sub(part.len()).min(bytes.len());
            part.extend_from_slice(&bytes[..missing]);
            bytes = &bytes[missing..];
            let read = self.read(&part, hear)?;
            if read > 0 {
                part.drain(..read);
                part.shrink_to(1 << 16);
                if part.is_empty() {
                    break;
                }
            }
        }
        self.part = part;
        Ok(bytes)
    }

    fn hear(&mut self, reply: Reply<'_>, bytes: u32, hear: &mut impl Hear) {
        match reply {
            Reply::Update { data_type, count, status, subid, data } => {
                match posted(data_type, count, data) {
                    Some(posted) if status.is_success() => hear.update(subid, posted),
                    _ if status.is_success() => {}
                    _ => hear.event(Event::Unsubscribed(subid)),
                }
            }
            Reply::ReadNotify { data_type, count, status, ioid, data } => {
                let value = posted(data_type, count, data).filter(|_| status.is_success());
                let ok = value.is_some();
                hear.event(Event::Done { operation: ioid, ok, value, bytes });
            }
            Reply::WriteNotify { status, ioid, .. } => {
                let ok = status.is_success();
                hear.event(Event::Done { operation: ioid, ok, value: None, bytes });
            }
            Reply::CreateChannel { cid, sid, data_type, .. } => {
                if let Some(channel) = self.channels.get_mut(cid as usize) {
                    *channel = Channel { sid, is_word: data_type == Base::Long as u16 };
                    hear.event(Event::Opened(cid));
                }
            }
            Reply::CreateFailed { cid } | Reply::ServerDisconnect { cid } => {
                hear.event(Event::Closed(cid));
            }
            Reply::Version { .. } if !self.greeted => {
                self.greeted = true;
                hear.event(Event::Greeted);
            }
            _ => {}
        }
    }
}

/// The first element of data, with its stamp.
fn posted(data_type: u16, count: u32, data: &[u8]) -> Option<Posted> {
    let value = Value::read(data_type, count, data)?;
    Some(Posted {
        value: value.number(0)? as i64,
        is_word: value.dbr().base == Base::Long,
        stamp_ns: value.stamp().map_or(0, Stamp::to_unix_ns),
    })
}
