//! Channel Access, as its server speaks it. Where the protocol leaves a choice it does as rsrv:
//! an unknown channel or type ends the circuit, more elements than there are come as zeros.

use super::dialect::{Breach, Dialect, Searched};
use super::plan::{Names, PvPlan, PvType};
use super::publisher::{Sample, Update};
use super::session::Session;
use crate::wire::ca::{
    self as wire, Base, Class, Dbr, Header, MINOR_VERSION, Message, Messages, NAME_BYTES_MAX,
    Reply, Request, Stamp, Status, Value, write_value,
};

/// The server's side of Channel Access.
#[derive(Debug)]
pub(super) struct ChannelAccess {
    base: Base,
    elements: u32,
    /// Most bytes of a payload, either way.
    payload_bytes_max: u32,
}

/// What is remembered of a circuit.
#[derive(Debug, Default)]
pub(super) struct Circuit {
    /// The client asked for no updates.
    is_off: bool,
}

/// How a subscription wants its updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    subid: u32,
    dbr: Dbr,
    count: u32,
}

/// No client can make us hold or send more than this, or than all elements take.
const PAYLOAD_BYTES_MIN: u64 = 1 << 20;

/// In place of a channel that is not known.
const NO_CHANNEL: u32 = u32::MAX;

impl ChannelAccess {
    pub(super) fn new(plan: &PvPlan) -> Self {
        let base = match plan.pv_type {
            PvType::Double => Base::Double,
            PvType::Long => Base::Long,
        };
        let all = Dbr { class: Class::Ctrl, base: Base::String }.payload_bytes(plan.elements);
        let most = all.max(PAYLOAD_BYTES_MIN).min(u64::from(u32::MAX - 7));
        Self { base, elements: plan.elements, payload_bytes_max: most as u32 }
    }

    /// Elements and payload of an answer to who asked for `count` of type `dbr`; `None` where
    /// that is too much.
    #[inline]
    fn size(&self, dbr: Dbr, count: u32) -> Option<(u32, u32)> {
        let count = if count == 0 { self.elements } else { count };
        let bytes = dbr.payload_bytes(count);
        (bytes <= u64::from(self.payload_bytes_max)).then_some((count, bytes as u32))
    }

    /// Appends a message with a value.
    fn value(&self, header: Header, dbr: Dbr, sample: Sample, out: &mut Vec<u8>) {
        let native = self.elements;
        let element = |i| if i < native { sample.value + f64::from(i) } else { 0.0 };
        header.write(out);
        let stamp = Stamp::from_unix_ns(sample.stamp_ns);
        write_value(dbr, stamp, (0..header.count).map(element), out);
    }

    fn create(&self, cid: u32, name: &[u8], session: &mut Session<'_, Form>) {
        let sid = if name.len() <= NAME_BYTES_MAX { session.open(name, cid) } else { None };
        let Some(sid) = sid else { return Reply::CreateFailed { cid }.write(session.out) };
        let write = session.is_writable;
        Reply::AccessRights { cid, read: true, write }.write(session.out);
        let data_type = Dbr { class: Class::Plain, base: self.base }.code();
        Reply::CreateChannel { cid, sid, data_type, count: self.elements }.write(session.out);
    }

    fn get(
        &self,
        (sid, data_type, count): (u32, u16, u32),
        message: Message<'_>,
        session: &mut Session<'_, Form>,
    ) -> Result<(), Breach> {
        let dbr = Dbr::from_code(data_type).ok_or(Breach)?;
        let Some(sample) = session.sample(sid) else { return refuse(message, session) };
        let Some((count, payload_bytes)) = self.size(dbr, count) else {
            say(message, Status::TOO_LARGE, session);
            return Ok(());
        };
        let header = Header { payload_bytes, count, p1: Status::NORMAL.0, ..message.header };
        self.value(header, dbr, sample, session.out);
        Ok(())
    }

    fn subscribe(
        &self,
        sid: u32,
        form: (u32, u16, u32),
        wants_values: bool,
        session: &mut Session<'_, Form>,
    ) -> Result<Status, Breach> {
        let (subid, data_type, count) = form;
        let dbr = Dbr::from_code(data_type).ok_or(Breach)?;
        let Some((count, _)) = self.size(dbr, count) else { return Ok(Status::TOO_LARGE) };
        let form = Form { subid, dbr, count };
        let known = session.subscribe(sid, form, wants_values);
        Ok(if known.is_some() { Status::NORMAL } else { Status::INTERNAL })
    }

    /// Writes, and gives the status; `None` where there is no such channel or type.
    fn put(
        &self,
        (sid, data_type, count): (u32, u16, u32),
        data: &[u8],
        session: &mut Session<'_, Form>,
    ) -> Option<Status> {
        let pv = session.channel(sid)?.pv;
        Dbr::from_code(data_type)?;
        if !session.is_writable {
            return Some(Status::NO_WRITE_ACCESS);
        }
        let number = Value::read(data_type, count, data).and_then(|value| value.number(0));
        let whole = |number: f64| match self.base {
            Base::Long => f64::from(number as i32),
            _ => number,
        };
        let is_put = number.is_some_and(|number| session.put(pv, whole(number)));
        Some(if is_put { Status::NORMAL } else { Status::PUT_FAILED })
    }

    /// Does what `message` asks for.
    fn obey(
        &self,
        circuit: &mut Circuit,
        message: Message<'_>,
        session: &mut Session<'_, Form>,
    ) -> Result<(), Breach> {
        match Request::read(message) {
            Request::Version { .. } | Request::ClientName(_) | Request::HostName(_) => {}
            Request::Echo => Reply::Echo.write(session.out),
            Request::EventsOff => circuit.is_off = true,
            Request::EventsOn => circuit.is_off = false,
            Request::Search { id, wants_miss, name, .. } => {
                session.served.searches += 1;
                if session.names.find(name).is_some() {
                    let found = Reply::Found { id, port: session.port, address: None, minor: None };
                    found.write(session.out);
                } else if wants_miss {
                    Reply::NotFound { id, minor: MINOR_VERSION }.write(session.out);
                }
            }
            Request::CreateChannel { cid, name, .. } => self.create(cid, name, session),
            Request::ClearChannel { sid, cid } => {
                if !session.close(sid) {
                    return refuse(message, session);
                }
                Reply::ClearChannel { sid, cid }.write(session.out);
            }
            Request::ReadNotify { data_type, count, sid, .. } => {
                self.get((sid, data_type, count), message, session)?;
            }
            Request::EventAdd { data_type, count, sid, subid, mask } => {
                let form = (subid, data_type, count);
                match self.subscribe(sid, form, mask.wants_values(), session)? {
                    Status::NORMAL => {}
                    Status::TOO_LARGE => say(message, Status::TOO_LARGE, session),
                    _ => return refuse(message, session),
                }
            }
            Request::EventCancel { data_type, sid, subid, .. } => {
                if !session.unsubscribe(sid, |form| form.subid == subid) {
                    return refuse(message, session);
                }
                Reply::Cancelled { data_type, sid, subid }.write(session.out);
            }
            Request::Write { data_type, count, sid, data, .. } => {
                match self.put((sid, data_type, count), data, session) {
                    Some(Status::NORMAL) => {}
                    Some(status) => say(message, status, session),
                    None => return refuse(message, session),
                }
            }
            Request::WriteNotify { data_type, count, sid, ioid, data } => {
                match self.put((sid, data_type, count), data, session) {
                    Some(status) => {
                        Reply::WriteNotify { data_type, count, status, ioid }.write(session.out);
                    }
                    None => return refuse(message, session),
                }
            }
            Request::Unknown(_) => return refuse(message, session),
        }
        Ok(())
    }
}

impl Dialect for ChannelAccess {
    type Circuit = Circuit;
    type Form = Form;

    const CLIENTS_BIND_SEARCHES: bool = false;

    fn greet(&self, out: &mut Vec<u8>) {
        Reply::Version { priority: 0, minor: MINOR_VERSION, sequence: 0 }.write(out);
    }

    #[inline]
    fn hear(
        &self,
        circuit: &mut Circuit,
        bytes: &[u8],
        session: &mut Session<'_, Form>,
    ) -> Result<Option<usize>, Breach> {
        match Message::split(bytes, self.payload_bytes_max) {
            Ok(None) => Ok(None),
            Ok(Some((length, message))) => {
                self.obey(circuit, message, session)?;
                Ok(Some(length))
            }
            Err(_) => Err(Breach),
        }
    }

    fn wants_updates(&self, circuit: &Circuit) -> bool {
        !circuit.is_off
    }

    #[inline]
    fn update(&self, update: &Update<Form>, out: &mut Vec<u8>) {
        let &Update { form: Form { subid, dbr, count }, sample, .. } = update;
        let stamp = Stamp::from_unix_ns(sample.stamp_ns);
        let update = wire::Update { subid, stamp, value: sample.value };
        match (dbr, count) {
            (Dbr::TIME_DOUBLE, 1) => out.extend_from_slice(&update.to_double_bytes()),
            (Dbr::TIME_LONG, 1) => out.extend_from_slice(&update.to_long_bytes()),
            _ => {
                let status = Status::NORMAL;
                let like = Reply::Update { data_type: dbr.code(), count, status, subid, data: &[] };
                let payload_bytes = dbr.payload_bytes(count) as u32;
                self.value(Header { payload_bytes, ..like.header() }, dbr, sample, out);
            }
        }
    }

    fn answer(&self, search: &[u8], names: &Names, port: u16, out: &mut Vec<u8>) -> Searched {
        let mut searches = 0;
        let mut sequence = None;
        for message in Messages::new(search) {
            match Request::read(message) {
                Request::Version { priority: 1, sequence: number, .. } => sequence = Some(number),
                Request::Search { id, name, .. } => {
                    searches += 1;
                    if names.find(name).is_none() {
                        continue;
                    }
                    if out.is_empty() {
                        Reply::Version {
                            priority: u16::from(sequence.is_some()),
                            minor: MINOR_VERSION,
                            sequence: sequence.unwrap_or(0),
                        }
                        .write(out);
                    }
                    let minor = Some(MINOR_VERSION);
                    Reply::Found { id, port, address: None, minor }.write(out);
                }
                _ => {}
            }
        }
        Searched { names: searches, reply_port: None }
    }
}

/// Says that `message` was refused, and why.
fn say(message: Message<'_>, status: Status, session: &mut Session<'_, Form>) {
    let cid = session.channel(message.header.p1).map_or(NO_CHANNEL, |channel| channel.cid);
    let request = message.header;
    Reply::Error { cid, status, request, text: b"refused" }.write(session.out);
}

/// Says that `message` was refused for breaking the protocol, which ends the circuit.
fn refuse(message: Message<'_>, session: &mut Session<'_, Form>) -> Result<(), Breach> {
    say(message, Status::INTERNAL, session);
    Err(Breach)
}

#[cfg(test)]
mod tests;
