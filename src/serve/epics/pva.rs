//! pvAccess, as its server speaks it. Each answer has the byte order of what it answers, so that
//! a client is heard and served in the order that it likes; updates have that of their request.
//!
//! Where the protocol leaves a choice it does as pvxs: the type is told whole and the values that
//! were not asked for are left out; a request on an unknown channel ends the circuit.

mod requests;

use super::dialect::{Breach, Dialect, Searched};
use super::plan::{Names, PvPlan, PvType};
use super::publisher::{Sample, Update};
use super::session::Session;
use crate::wire::pva::{
    Bits, DoubleUpdate, Fields, Frame, Frames, FromClient, FromServer, NtScalar, Number, Order,
    Place, PvRequest, Reader, Scalar, Search, SearchReply, Sender, Shape, Stamp, Status, Type,
    command, control, datagram, message, sub, write_control, write_update,
};
use requests::{Monitor, Request, Requests};

/// The server's side of pvAccess.
#[derive(Debug)]
pub(super) struct PvAccess {
    nt: NtScalar,
    /// The type, as it is told.
    told: Vec<u8>,
    shape: Shape,
    scalar: Scalar,
    elements: u32,
    /// Which server this is.
    guid: [u8; 12],
    /// Most bytes of a message that is not whole.
    held_bytes_max: usize,
}

/// What is remembered of a circuit.
#[derive(Debug, Default)]
pub(super) struct Circuit {
    frames: Frames,
    requests: Requests,
}

/// How a subscription wants its updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    ioid: u32,
    order: Order,
    fields: Fields,
}

/// Bytes that we say we receive at a time.
const BUFFER_BYTES: u32 = 0x1_0000;

/// How a client may say who it is, the best last.
const METHODS: [&str; 2] = ["anonymous", "ca"];

/// No client can make us hold more than this, or than all elements take.
const HELD_BYTES_MIN: usize = 1 << 20;

/// In place of a channel that is not there.
const NO_CHANNEL: u32 = u32::MAX;

const NO_SUCH_PV: Status<'_> = error(b"no such PV");
const NO_SUCH_FIELD: Status<'_> = error(b"no such field: there are value, alarm and timeStamp");
const NO_SUCH_METHOD: Status<'_> = error(b"say anonymous or ca");
const NOT_WRITABLE: Status<'_> = error(b"read only: shards share nothing");
const NO_COUNT: Status<'_> = error(b"a value is a number to count on from, below 2^53");

const fn error(message: &[u8]) -> Status<'_> {
    Status { code: 2, message }
}

impl PvAccess {
    /// A server of the PVs of `plan`, with a number that no other has.
    pub(super) fn new(plan: &PvPlan, guid: u128) -> Self {
        let scalar = match plan.pv_type {
            PvType::Double => Scalar::Double,
            PvType::Long => Scalar::Int,
        };
        let nt = NtScalar::new(scalar, plan.elements > 1);
        let mut told = Vec::new();
        // Of a type of so few and short names each size is a byte: it is told alike in both orders.
        nt.kind().write(&mut told, Order::Little);
        let [_, _, _, _, guid @ ..] = guid.to_be_bytes();
        let array_bytes = plan.elements as usize * scalar.bytes();
        Self {
            told,
            shape: Shape::new(nt.kind()),
            nt,
            scalar,
            elements: plan.elements,
            guid,
            held_bytes_max: HELD_BYTES_MIN.max(2 * array_bytes),
        }
    }

    /// Appends `fields` of a sample.
    fn write(&self, fields: Fields, sample: Sample, order: Order, out: &mut Vec<u8>) {
        let element = |i| {
            let value = sample.value + f64::from(i);
            if self.scalar == Scalar::Double {
                Number::Real(value)
            } else {
                Number::Whole(value as i64)
            }
        };
        let values = (0..self.elements).map(element);
        self.nt.write(out, order, fields, (values, stamp_of(sample)));
    }

    /// Appends the answer to a search, if there is one.
    fn found(&self, search: &Search<'_>, order: Order, place: (&Names, u16), out: &mut Vec<u8>) {
        let (names, port) = place;
        let is_here = |name: &str| names.find(name.as_bytes()).is_some();
        let here = search.names.iter().filter(|(_, name)| is_here(name));
        let ids: Vec<u32> = here.map(|(id, _)| id).collect();
        if !ids.is_empty() || search.must_reply {
            let place = Place { address: std::net::Ipv4Addr::UNSPECIFIED.into(), port };
            let head = (self.guid, search.sequence, place);
            message(out, order, Sender::Server, command::SEARCH_REPLY, |out| {
                SearchReply::write(out, order, head, &ids);
            });
        }
    }

    /// What a put says the value is to be, if it says so.
    fn value(&self, mut body: Reader<'_>, requests: &mut Requests) -> Result<Option<f64>, Breach> {
        let changed = Bits::read(&mut body).or(Err(Breach))?;
        let sample = self.shape.sample(&changed, &mut body, &mut requests.types);
        Ok(sample.or(Err(Breach))?.value.map(|number| match number {
            Number::Whole(whole) => whole as f64,
            Number::Real(real) => real,
        }))
    }

    fn create(&self, cid: u32, name: &str, order: Order, session: &mut Session<'_, Form>) {
        let sid = session.open(name.as_bytes(), cid);
        let status = if sid.is_some() { Status::OK } else { NO_SUCH_PV };
        let sid = sid.unwrap_or(NO_CHANNEL);
        FromServer::Created { cid, sid, status }.write(session.out, order);
    }

    /// Prepares a request.
    fn init(
        &self,
        requests: &mut Requests,
        (command, sid, ioid): (u8, u32, u32),
        (asked, window): (PvRequest, Option<u32>),
        (order, session): (Order, &mut Session<'_, Form>),
    ) -> Result<(), Breach> {
        if session.channel(sid).is_none() || requests.has(sid, ioid) {
            return Err(Breach);
        }
        let Some(fields) = fields_of(&asked) else {
            let refused = FromServer::Init { command, ioid, status: NO_SUCH_FIELD, kind: None };
            refused.write(session.out, order);
            return Ok(());
        };
        let request = match command {
            command::GET => Request::Get(fields),
            command::PUT => Request::Put(fields),
            _ => {
                let form = Form { ioid, order, fields };
                // Without a window none is sent before it is acknowledged.
                let window = asked.pipeline.then_some(window.unwrap_or(0));
                Request::Monitor(Monitor { form, window, subscription: None })
            }
        };
        requests.add(sid, ioid, request);
        FromServer::write_init(session.out, order, (command, ioid), &self.told);
        Ok(())
    }

    /// Does what was prepared; what was not is passed over.
    fn operate(
        &self,
        requests: &mut Requests,
        (command, sid, ioid, sub): (u8, u32, u32, u8),
        body: Reader<'_>,
        session: &mut Session<'_, Form>,
    ) -> Result<(), Breach> {
        let (order, head) = (body.order(), (command, ioid, sub));
        match (command, requests.get(sid, ioid)) {
            (command::GET, Some(&mut Request::Get(fields))) => {
                self.read(sid, fields, head, order, session);
            }
            (command::PUT, Some(&mut Request::Put(fields))) if sub & sub::START != 0 => {
                self.read(sid, fields, head, order, session);
            }
            (command::PUT, Some(Request::Put(_))) => {
                let value = self.value(body, requests)?;
                let status = self.put(sid, value, session);
                FromServer::write_done(session.out, order, head, status, |_| {});
            }
            (command::MONITOR, Some(Request::Monitor(monitor))) if sub & sub::GO != 0 => {
                monitor.run(sid, sub & sub::START != 0, session);
            }
            _ => {}
        }
        if sub & sub::DESTROY != 0 {
            requests.forget(sid, ioid, session);
        }
        Ok(())
    }

    /// Answers with what the PV of a channel is now.
    fn read(
        &self,
        sid: u32,
        fields: Fields,
        head: (u8, u32, u8),
        order: Order,
        session: &mut Session<'_, Form>,
    ) {
        let Some(sample) = session.sample(sid) else { return };
        FromServer::write_done(session.out, order, head, Status::OK, |out| {
            self.write(fields, sample, order, out);
        });
    }

    fn put(
        &self,
        sid: u32,
        value: Option<f64>,
        session: &mut Session<'_, Form>,
    ) -> Status<'static> {
        let Some(pv) = session.channel(sid).map(|channel| channel.pv) else { return NO_SUCH_PV };
        match value {
            _ if !session.is_writable => NOT_WRITABLE,
            Some(value) if !session.put(pv, value) => NO_COUNT,
            // What is not a value may be told, and changes nothing.
            _ => Status::OK,
        }
    }

    /// Tells the type of a part of a channel, or of the whole.
    fn tell(&self, ioid: u32, field: &str, order: Order, session: &mut Session<'_, Form>) {
        let command = command::GET_FIELD;
        let part = match self.nt.kind() {
            Type::Structure(whole) => whole.fields.iter().find(|part| part.name == field),
            _ => None,
        };
        match part {
            _ if field.is_empty() => {
                FromServer::write_init(session.out, order, (command, ioid), &self.told);
            }
            Some(part) => {
                let kind = Some(part.kind.clone());
                let told = FromServer::Init { command, ioid, status: Status::OK, kind };
                told.write(session.out, order);
            }
            None => {
                let status = NO_SUCH_FIELD;
                let refused = FromServer::Init { command, ioid, status, kind: None };
                refused.write(session.out, order);
            }
        }
    }

    /// Does what `frame` asks for.
    fn obey(
        &self,
        requests: &mut Requests,
        frame: &Frame<'_>,
        session: &mut Session<'_, Form>,
    ) -> Result<(), Breach> {
        let order = frame.order;
        if frame.control {
            return Ok(());
        }
        match FromClient::read(frame, &mut requests.types).or(Err(Breach))? {
            FromClient::Validation { method, .. } => {
                let is_known = METHODS.contains(&method);
                let status = if is_known { Status::OK } else { NO_SUCH_METHOD };
                FromServer::Validated(status).write(session.out, order);
                return if is_known { Ok(()) } else { Err(Breach) };
            }
            FromClient::Echo(bytes) => FromServer::Echo(bytes).write(session.out, order),
            FromClient::Search(search) => {
                session.served.searches += search.names.iter().count() as u64;
                self.found(&search, order, (session.names, session.port), session.out);
            }
            FromClient::Create(names) => {
                names.iter().for_each(|(cid, name)| self.create(cid, name, order, session));
            }
            FromClient::Destroy { sid, cid } => {
                requests.forget_all(sid);
                if session.close(sid) {
                    FromServer::Destroyed { sid, cid }.write(session.out, order);
                }
            }
            FromClient::Init { command, sid, ioid, request, window } => {
                let at = (command, sid, ioid);
                self.init(requests, at, (request, window), (order, session))?;
            }
            FromClient::Operate { command, sid, ioid, sub, body } => {
                self.operate(requests, (command, sid, ioid, sub), body, session)?;
            }
            FromClient::Ack { sid, ioid, count } => requests.grant(sid, ioid, count, session),
            FromClient::Forget { sid, ioid } => requests.forget(sid, ioid, session),
            FromClient::GetField { ioid, field, .. } => self.tell(ioid, field, order, session),
            FromClient::Other(_) => {}
        }
        Ok(())
    }
}

impl Dialect for PvAccess {
    type Circuit = Circuit;
    type Form = Form;

    /// Clients of pvxs and of pvAccessCPP hear beacons there, and fail where they cannot.
    const CLIENTS_BIND_SEARCHES: bool = true;

    fn greet(&self, out: &mut Vec<u8>) {
        let order = Order::Little;
        write_control(out, order, Sender::Server, control::SET_BYTE_ORDER);
        let methods = METHODS.to_vec();
        FromServer::Validation { buffer: BUFFER_BYTES, methods }.write(out, order);
    }

    #[inline]
    fn hear(
        &self,
        circuit: &mut Circuit,
        bytes: &[u8],
        session: &mut Session<'_, Form>,
    ) -> Result<Option<usize>, Breach> {
        let Circuit { frames, requests } = circuit;
        let mut rest = bytes;
        if let Some(frame) = frames.next(&mut rest).or(Err(Breach))? {
            self.obey(requests, &frame, session)?;
        } else if frames.held() > self.held_bytes_max {
            return Err(Breach);
        }
        // What is not whole is kept in the frames.
        Ok((!bytes.is_empty()).then_some(bytes.len() - rest.len()))
    }

    fn wants_updates(&self, _circuit: &Circuit) -> bool {
        true
    }

    #[inline]
    fn update(&self, update: &Update<Form>, out: &mut Vec<u8>) {
        let &Update { form: Form { ioid, order, fields }, sample, .. } = update;
        let fields = if update.is_first { fields } else { fields.and(Fields::POSTED) };
        let is_overrun = update.is_merged && !update.is_first;
        let is_double = self.scalar == Scalar::Double && self.elements == 1;
        if is_double && fields == Fields::POSTED && !is_overrun {
            let update = DoubleUpdate { ioid, value: sample.value, stamp: stamp_of(sample) };
            return out.extend_from_slice(&update.to_bytes(order));
        }
        let overrun = if is_overrun { fields } else { Fields::NONE };
        write_update(out, order, (ioid, overrun), |out| self.write(fields, sample, order, out));
    }

    fn answer(&self, search: &[u8], names: &Names, port: u16, out: &mut Vec<u8>) -> Searched {
        let mut searched = Searched::default();
        for frame in datagram(search) {
            if frame.control || frame.command != command::SEARCH {
                continue;
            }
            if let Ok(search) = Search::read(Reader::new(frame.payload, frame.order)) {
                searched.names += search.names.iter().count() as u64;
                // The answer goes to the sender whatever address it names: nobody can have us
                // send to another.
                searched.reply_port = Some(search.reply_to.port).filter(|&port| port != 0);
                self.found(&search, frame.order, (names, port), out);
            }
        }
        searched
    }
}

/// The stamp of a sample, with the count as the server's mark.
#[inline]
fn stamp_of(sample: Sample) -> Stamp {
    Stamp { unix_ns: sample.stamp_ns, user_tag: (sample.value as i64 & 0x7fff_ffff) as i32 }
}

/// The fields that are asked for, all where none is named; `None` where there are none of those.
fn fields_of(asked: &PvRequest) -> Option<Fields> {
    if asked.fields.is_empty() {
        return Some(Fields::ALL);
    }
    let named = asked.fields.iter().map(|name| Fields::named(name));
    Some(named.fold(Fields::NONE, Fields::or)).filter(|&fields| fields != Fields::NONE)
}

#[cfg(test)]
mod tests;
