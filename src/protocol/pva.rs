//! `pva://`: pvAccess, the client's side of a circuit.
//!
//! Requests are numbered in one row: subscriptions first, then operations.

use super::{Circuit, Event, Fault, Hear, Posted, Size, Verb};
use crate::plan::{ChannelPlan, Profile};
use crate::wire::pva::{
    Bits, Frame, Frames, FromClient, FromServer, Layout, Number, Order, PvRequest, Reader, Sample,
    Scalar, Shape, TypeCache, command, control, sub,
};

/// Bytes that we say we receive at a time.
const BUFFER_BYTES: u32 = 0x1_0000;

/// Updates that a pvxs client lets the server hold for it.
const PVXS_QUEUE: u32 = 4;

/// pvAccess as a client.
#[derive(Debug, Clone)]
pub struct Pva {
    monitor: PvRequest,
    /// Updates that are acknowledged together, where the monitor is pipelined.
    ack: u32,
}

/// A circuit.
#[derive(Debug)]
pub struct PvaConn {
    frames: Frames,
    cache: TypeCache,
    /// How the server wants to be spoken to.
    order: Order,
    /// By channel: the server's number.
    sids: Vec<u32>,
    subscriptions: u32,
    /// By request number.
    requests: Vec<Asked>,
    /// The few shapes that channels have, with their description where it is the same each time.
    shapes: Vec<(Shape, Box<[u8]>)>,
    /// The few layouts that updates have.
    layouts: Vec<Layout>,
}

/// A request, prepared or not.
#[derive(Debug, Clone, Copy)]
struct Asked {
    channel: u32,
    /// Index into the shapes, [`NONE`] until the server has told.
    shape: u16,
    /// Index into the layouts of the last update.
    layout: u16,
    /// Updates not yet acknowledged.
    unacknowledged: u32,
}

const NONE: u16 = u16::MAX;

/// Layouts, and shapes, that a circuit remembers: a server that shows more is read all the same,
/// but slower.
const REMEMBERED_MAX: usize = 1024;

impl Pva {
    /// A client that asks as the plan says.
    pub fn new(plan: &ChannelPlan) -> Self {
        let fields = match plan.profile {
            Profile::Pvxs => vec![],
            Profile::Libca | Profile::Greedy => vec!["value".into(), "timeStamp".into()],
        };
        let queue = plan.queue.or_else(|| (plan.profile == Profile::Pvxs).then_some(PVXS_QUEUE));
        let monitor = PvRequest { fields, queue, pipeline: plan.ack.is_some() };
        Self { monitor, ack: plan.ack.unwrap_or(0) }
    }

    /// Updates that the server may send before it is told to go on.
    fn window(&self) -> Option<u32> {
        self.monitor.pipeline.then(|| self.monitor.queue.unwrap_or(PVXS_QUEUE))
    }
}

impl Circuit for Pva {
    type Conn = PvaConn;

    fn open(&mut self, size: Size) -> PvaConn {
        let asked = Asked { channel: 0, shape: NONE, layout: NONE, unacknowledged: 0 };
        PvaConn {
            frames: Frames::default(),
            cache: TypeCache::default(),
            order: Order::Little,
            sids: vec![0; size.channels as usize],
            subscriptions: size.subscriptions,
            requests: vec![asked; (size.subscriptions + size.operations) as usize],
            shapes: Vec::new(),
            layouts: Vec::with_capacity(16),
        }
    }

    /// It is the server who speaks first.
    fn greet(&mut self, _conn: &mut PvaConn, _port: u16, _out: &mut Vec<u8>) -> bool {
        false
    }

    fn create(&mut self, conn: &mut PvaConn, channel: u32, name: &str, out: &mut Vec<u8>) -> bool {
        FromClient::write_create(out, conn.order, channel, name);
        false
    }

    fn subscribe(
        &mut self,
        conn: &mut PvaConn,
        channel: u32,
        subscription: u32,
        out: &mut Vec<u8>,
    ) {
        let request = self.monitor.clone();
        conn.init(command::MONITOR, channel, subscription, request, self.window(), out);
    }

    fn prepare(
        &mut self,
        conn: &mut PvaConn,
        channel: u32,
        operation: u32,
        verb: Verb,
        out: &mut Vec<u8>,
    ) -> bool {
        let (command, request) = match verb {
            Verb::Get => (command::GET, self.monitor.fields.clone()),
            Verb::Put => (command::PUT, vec!["value".into()]),
            // That is asked by `Searches`.
            Verb::Search => return true,
        };
        let request = PvRequest { fields: request, ..PvRequest::default() };
        let ioid = conn.subscriptions + operation;
        conn.init(command, channel, ioid, request, None, out);
        false
    }

    #[inline]
    fn operate(
        &mut self,
        conn: &mut PvaConn,
        operation: u32,
        verb: Verb,
        value: i64,
        out: &mut Vec<u8>,
    ) {
        let ioid = conn.subscriptions + operation;
        let asked = conn.requests[ioid as usize];
        let sid = conn.sids[asked.channel as usize];
        let shape = conn.shapes.get(usize::from(asked.shape)).map(|(shape, _)| shape);
        let command = match verb {
            Verb::Get => command::GET,
            Verb::Put => command::PUT,
            Verb::Search => return,
        };
        FromClient::write_operate(out, conn.order, (command, sid, ioid, 0), |out, order| {
            if let (Verb::Put, Some(shape)) = (verb, shape) {
                shape.write_put(out, order, Number::Whole(value));
            }
        });
    }

    fn echo(&mut self, conn: &mut PvaConn, out: &mut Vec<u8>) {
        FromClient::Echo(b"").write(out, conn.order);
    }

    #[inline]
    fn receive(
        &mut self,
        conn: &mut PvaConn,
        mut bytes: &[u8],
        out: &mut Vec<u8>,
        hear: &mut impl Hear,
    ) -> Result<(), Fault> {
        // Lent out, so that what it lends can be read beside the rest.
        let mut frames = std::mem::take(&mut conn.frames);
        let heard = loop {
            match frames.next(&mut bytes) {
                Ok(Some(frame)) => {
                    if let Some(ioid) = conn.hear_common(&frame, hear) {
                        if self.ack > 0 {
                            conn.acknowledge(ioid, self.ack, out);
                        }
                        continue;
                    }
                    if conn.hear(&frame, self.ack, out, hear).is_err() {
                        break Err(Fault::BadHead);
                    }
                }
                Ok(None) => break Ok(()),
                Err(_) => break Err(Fault::BadHead),
            }
        };
        conn.frames = frames;
        heard
    }
}

impl PvaConn {
    fn init(
        &mut self,
        command: u8,
        channel: u32,
        ioid: u32,
        request: PvRequest,
        window: Option<u32>,
        out: &mut Vec<u8>,
    ) {
        let asked = &mut self.requests[ioid as usize];
        *asked = Asked { channel, shape: NONE, layout: NONE, unacknowledged: 0 };
        let sid = self.sids[channel as usize];
        FromClient::Init { command, sid, ioid, request, window }.write(out, self.order);
    }

    /// Hears an update of the layout that the subscription's last one had; its number if it was
    /// one.
    #[inline]
    fn hear_common(&mut self, frame: &Frame<'_>, hear: &mut impl Hear) -> Option<u32> {
        if frame.command != command::MONITOR || frame.control {
            return None;
        }
        let mut reader = Reader::new(frame.payload, frame.order);
        let (ioid, sub) = (reader.u32().ok()?, reader.u8().ok()?);
        let asked = self.requests[..self.subscriptions as usize].get(ioid as usize)?;
        let layout = self.layouts.get(usize::from(asked.layout)).filter(|_| sub == 0)?;
        let sample = layout.sample(reader.rest(), frame.order)?;
        hear.update(ioid, posted(&sample, layout.value_type())?);
        Some(ioid)
    }

    /// Acknowledges the subscription's updates, `every` so many.
    fn acknowledge(&mut self, ioid: u32, every: u32, out: &mut Vec<u8>) {
        let asked = &mut self.requests[ioid as usize];
        asked.unacknowledged += 1;
        if asked.unacknowledged >= every {
            let count = std::mem::take(&mut asked.unacknowledged);
            let sid = self.sids[asked.channel as usize];
            FromClient::Ack { sid, ioid, count }.write(out, self.order);
        }
    }

    #[cold]
    fn hear(
        &mut self,
        frame: &Frame<'_>,
        ack: u32,
        out: &mut Vec<u8>,
        hear: &mut impl Hear,
    ) -> Result<(), crate::wire::pva::Fault> {
        if frame.control {
            if frame.command == control::SET_BYTE_ORDER {
                self.order = frame.order;
            }
            return Ok(());
        }
        if let Some((ioid, shape)) = self.known_shape(frame) {
            self.prepared(ioid, shape, out, hear);
            return Ok(());
        }
        let bytes = (crate::wire::pva::HEADER_BYTES + frame.payload.len()) as u32;
        match FromServer::read(frame, &mut self.cache)? {
            FromServer::Validation { .. } => {
                let buffer = BUFFER_BYTES;
                FromClient::Validation { buffer, method: "anonymous", user: "", host: "" }
                    .write(out, self.order);
            }
            FromServer::Validated(status) if status.is_ok() => hear.event(Event::Greeted),
            FromServer::Created { cid, sid, status } => {
                if let Some(known) = self.sids.get_mut(cid as usize) {
                    *known = sid;
                    let ok = status.is_ok();
                    hear.event(if ok { Event::Opened(cid) } else { Event::Closed(cid) });
                }
            }
            FromServer::Destroyed { cid, .. } => hear.event(Event::Closed(cid)),
            FromServer::Init { ioid, kind: Some(kind), .. } => {
                let shape = self.remember(Shape::new(&kind), frame.payload);
                self.prepared(ioid, shape, out, hear);
            }
            FromServer::Init { ioid, kind: None, .. } => self.unable(ioid, bytes, hear),
            FromServer::Data { command, ioid, sub, status, body } => {
                let sample = self.sample(ioid, command == command::MONITOR, body)?;
                let last = command == command::MONITOR && sub & sub::DESTROY != 0;
                self.heard(ioid, status.is_ok(), sample, bytes, hear);
                if last {
                    hear.event(Event::Unsubscribed(ioid));
                } else if ack > 0 && ioid < self.subscriptions {
                    self.acknowledge(ioid, ack, out);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The shape that the server tells for a request, where its words for it are known.
    fn known_shape(&self, frame: &Frame<'_>) -> Option<(u32, u16)> {
        let payload = Told::of(frame.payload)?;
        let ioid = Reader::new(frame.payload, frame.order).u32().ok()?;
        let known = |(_, told): &(Shape, Box<[u8]>)| told[..] == *payload.0;
        let shape = self.shapes.iter().position(known)?;
        Some((ioid, shape as u16))
    }

    /// The index of `shape`, told by this payload.
    fn remember(&mut self, shape: Shape, payload: &[u8]) -> u16 {
        let told = Told::of(payload).map_or(&[][..], |told| told.0);
        if let Some(known) = self.shapes.iter().position(|(known, _)| *known == shape) {
            return known as u16;
        }
        if self.shapes.len() >= REMEMBERED_MAX {
            return NONE;
        }
        self.shapes.push((shape, told.into()));
        (self.shapes.len() - 1) as u16
    }

    /// The server is ready for a request: a subscription starts, an operation may.
    fn prepared(&mut self, ioid: u32, shape: u16, out: &mut Vec<u8>, hear: &mut impl Hear) {
        let Some(asked) = self.requests.get_mut(ioid as usize) else { return };
        asked.shape = shape;
        let told = self.shapes.get(usize::from(shape));
        if told.is_some_and(|(shape, _)| shape.value_type().is_none()) {
            // Neither updates nor answers would have a number to be held against another.
            return self.unable(ioid, 0, hear);
        }
        if ioid >= self.subscriptions {
            return hear.event(Event::Ready(ioid - self.subscriptions));
        }
        let sid = self.sids[asked.channel as usize];
        let start = (command::MONITOR, sid, ioid, sub::START | sub::GO);
        FromClient::write_operate(out, self.order, start, |_, _| {});
    }

    fn unable(&mut self, ioid: u32, bytes: u32, hear: &mut impl Hear) {
        match ioid.checked_sub(self.subscriptions) {
            None => hear.event(Event::Unsubscribed(ioid)),
            Some(operation) => {
                hear.event(Event::Done { operation, ok: false, value: None, bytes });
            }
        }
    }

    /// What an update, or the answer to a get, says; the layout of an update is remembered.
    fn sample(
        &mut self,
        ioid: u32,
        is_update: bool,
        mut body: Reader<'_>,
    ) -> Result<Option<Posted>, crate::wire::pva::Fault> {
        let Some(asked) = self.requests.get_mut(ioid as usize) else { return Ok(None) };
        let Some((shape, _)) = self.shapes.get(usize::from(asked.shape)) else { return Ok(None) };
        if body.rest().is_empty() {
            return Ok(None);
        }
        let changed = Bits::read(&mut body)?;
        let sample = shape.sample(&changed, &mut body, &mut self.cache)?;
        if is_update && let Some(layout) = Layout::new(shape, &changed, body.order()) {
            let known = self.layouts.iter().position(|known| *known == layout);
            asked.layout = match known {
                Some(known) => known as u16,
                None if self.layouts.len() < REMEMBERED_MAX => {
                    self.layouts.push(layout);
                    (self.layouts.len() - 1) as u16
                }
                None => NONE,
            };
        }
        Ok(shape.value_type().and_then(|scalar| posted(&sample, scalar)))
    }

    fn heard(&self, ioid: u32, ok: bool, value: Option<Posted>, bytes: u32, hear: &mut impl Hear) {
        match (ioid.checked_sub(self.subscriptions), value) {
            // An update without a value says that something else has changed.
            (None, Some(posted)) if ok => hear.update(ioid, posted),
            (None, _) => {}
            (Some(operation), _) => hear.event(Event::Done { operation, ok, value, bytes }),
        }
    }
}

/// The words that tell the type of a request that went well, where they mean the same whenever
/// they are said: without a number of the type cache in them.
struct Told<'a>(&'a [u8]);

/// Number, subcommand and status of an answer that went well.
const TOLD_AT: usize = 6;

impl<'a> Told<'a> {
    fn of(payload: &'a [u8]) -> Option<Self> {
        let (head, told) = payload.split_at_checked(TOLD_AT)?;
        // In UTF-8 neither byte occurs, and a size that began with one would be a long name.
        let plain = head[4] & sub::INIT != 0
            && head[5] == 0xff
            && !told.iter().any(|&byte| byte == 0xfd || byte == 0xfe);
        plain.then_some(Self(told))
    }
}

#[inline]
fn posted(sample: &Sample, scalar: Scalar) -> Option<Posted> {
    let value = match sample.value? {
        Number::Whole(whole) => whole,
        Number::Real(real) => real as i64,
    };
    let stamp_ns = match (sample.seconds, sample.nanoseconds) {
        (Some(seconds), Some(nanoseconds)) => {
            let seconds = u64::try_from(seconds).unwrap_or(0);
            seconds
                .saturating_mul(1_000_000_000)
                .saturating_add(u64::from(nanoseconds.max(0) as u32))
        }
        _ => 0,
    };
    Some(Posted { value, is_word: scalar == Scalar::Int, stamp_ns })
}
