//! A circuit without a network: what is asked, and every answer.

use proptest::prelude::{any, prop, proptest};

use super::super::client::Client;
use super::super::plan;
use super::super::publisher::Publisher;
use super::*;
use crate::evidence::PvsServed;
use crate::wire::pva::TypeCache;

/// A server and one client.
struct Room {
    dialect: PvAccess,
    names: Names,
    publisher: Publisher<Form>,
    client: Client<PvAccess>,
    is_writable: bool,
    served: PvsServed,
    order: Order,
}

const NOW_NS: u64 = 1_700_000_000_000_000_007;

/// What a server said, as a client understands it.
#[derive(Debug, Clone, PartialEq)]
enum Said {
    Validated(bool),
    Created(u32, bool),
    Destroyed(u32, u32),
    /// Command, request and whether it is prepared.
    Ready(u8, u32, bool),
    /// Command, request, the value, user tag and whether something was overrun.
    Data(u8, u32, Option<f64>, Option<i32>, bool),
    Refused(u32),
    Found(u32, Vec<u32>),
    Echo(Vec<u8>),
}

impl Room {
    fn new(plan: &PvPlan) -> Self {
        Self {
            dialect: PvAccess::new(plan, 7),
            names: Names::new(plan),
            publisher: Publisher::new(plan, 4, NOW_NS),
            client: Client::new(),
            is_writable: true,
            served: PvsServed::default(),
            order: Order::Little,
        }
    }

    /// The client says `bytes`: what the server says, updates included.
    fn hear(&mut self, bytes: &[u8]) -> Result<Vec<u8>, (Breach, Vec<u8>)> {
        let mut out = Vec::new();
        let mut channels = std::mem::take(&mut self.client.channels);
        let session = Session {
            names: &self.names,
            publisher: &mut self.publisher,
            channels: &mut channels,
            client: 2,
            port: 5075,
            now_ns: NOW_NS,
            is_writable: self.is_writable,
            out: &mut out,
            served: &mut self.served,
        };
        let heard = self.client.hear(&self.dialect, bytes, session);
        self.client.channels = channels;
        while let Some(update) = self.publisher.take(2) {
            self.dialect.update(&update, &mut out);
        }
        heard.map(|()| out.clone()).map_err(|breach| (breach, out))
    }

    fn say(&mut self, message: FromClient<'_>) -> Vec<Said> {
        let mut bytes = Vec::new();
        message.write(&mut bytes, self.order);
        let out = self.hear(&bytes).unwrap();
        self.understood(&out)
    }

    /// What comes by itself.
    fn comes(&mut self) -> Vec<Said> {
        let out = self.hear(&[]).unwrap();
        self.understood(&out)
    }

    fn breaks(&mut self, message: FromClient<'_>) -> Vec<Said> {
        let mut bytes = Vec::new();
        message.write(&mut bytes, self.order);
        let (_, out) = self.hear(&bytes).unwrap_err();
        self.understood(&out)
    }

    fn understood(&self, bytes: &[u8]) -> Vec<Said> {
        let frames = datagram(bytes).inspect(|frame| assert_eq!(frame.order, self.order));
        frames.map(|frame| self.said(&frame)).collect()
    }

    fn said(&self, frame: &Frame<'_>) -> Said {
        let mut cache = TypeCache::default();
        match FromServer::read(frame, &mut cache).unwrap() {
            FromServer::Validated(status) => Said::Validated(status.is_ok()),
            FromServer::Created { cid, status, .. } => Said::Created(cid, status.is_ok()),
            FromServer::Destroyed { sid, cid } => Said::Destroyed(sid, cid),
            FromServer::Init { command, ioid, kind, .. } => {
                Said::Ready(command, ioid, kind.is_some())
            }
            FromServer::Echo(bytes) => Said::Echo(bytes.into()),
            FromServer::SearchReply(reply) => {
                Said::Found(reply.sequence, reply.ids.iter().collect())
            }
            FromServer::Data { ioid, status, .. } if !status.is_ok() => Said::Refused(ioid),
            FromServer::Data { command, ioid, mut body, .. } => {
                if body.rest().is_empty() {
                    return Said::Data(command, ioid, None, None, false);
                }
                let changed = Bits::read(&mut body).unwrap();
                let shape = &self.dialect.shape;
                let sample = shape.sample(&changed, &mut body, &mut cache).unwrap();
                let is_monitor = command == command::MONITOR;
                let overrun = is_monitor && !Bits::read(&mut body).unwrap().is_empty();
                assert!(body.rest().is_empty(), "{:?} are left", body.rest());
                let value = sample.value.map(|number| match number {
                    Number::Whole(whole) => whole as f64,
                    Number::Real(real) => real,
                });
                Said::Data(command, ioid, value, sample.user_tag, overrun)
            }
            other => panic!("{other:?}"),
        }
    }

    /// Opens a channel to `name`, which is number 0, under number 9.
    fn open(&mut self, name: &str) -> Vec<Said> {
        let mut bytes = Vec::new();
        FromClient::write_create(&mut bytes, self.order, 9, name);
        let out = self.hear(&bytes).unwrap();
        self.understood(&out)
    }

    /// Prepares a request on channel 0.
    fn init(&mut self, command: u8, ioid: u32, request: PvRequest, window: Option<u32>) {
        let said = self.say(FromClient::Init { command, sid: 0, ioid, request, window });
        assert_eq!(said, [Said::Ready(command, ioid, true)]);
    }

    fn operate(&mut self, command: u8, ioid: u32, sub: u8, body: &[u8]) -> Vec<Said> {
        let body = Reader::new(body, self.order);
        self.say(FromClient::Operate { command, sid: 0, ioid, sub, body })
    }

    fn start(&mut self, ioid: u32) -> Vec<Said> {
        self.operate(command::MONITOR, ioid, sub::START | sub::GO, &[])
    }
}

fn room() -> Room {
    Room::new(&plan::sample())
}

fn wanting(fields: &[&str]) -> PvRequest {
    let fields = fields.iter().map(|&field| field.into()).collect();
    PvRequest { fields, ..PvRequest::default() }
}

fn pipelined() -> PvRequest {
    PvRequest { pipeline: true, ..PvRequest::default() }
}

/// An update of request `ioid` with this count.
fn update(ioid: u32, value: i32) -> Said {
    Said::Data(command::MONITOR, ioid, Some(value.into()), Some(value), false)
}

#[test]
fn a_client_is_greeted_with_the_ways_to_say_who_it_is() {
    let mut out = Vec::new();
    room().dialect.greet(&mut out);
    let mut expect = b"\xca\x02\x41\x02\0\0\0\0\xca\x02\x40\x01\x14\0\0\0".to_vec();
    expect.extend(b"\0\0\x01\0\xff\x7f\x02\x09anonymous\x02ca");
    assert_eq!(out, expect);
    let who = |method| FromClient::Validation { buffer: 1, method, user: "a", host: "b" };
    for method in METHODS {
        assert_eq!(room().say(who(method)), [Said::Validated(true)], "{method}");
    }
    assert_eq!(room().breaks(who("x509")), [Said::Validated(false)]);
}

#[test]
fn a_channel_opens_and_a_strange_name_does_not() {
    for order in [Order::Little, Order::Big] {
        let mut room = Room { order, ..room() };
        assert_eq!(room.open("P2"), [Said::Created(9, true)]);
        assert_eq!(room.open("P3"), [Said::Created(9, false)]);
        let closed = room.say(FromClient::Destroy { sid: 0, cid: 9 });
        assert_eq!(closed, [Said::Destroyed(0, 9)]);
        assert_eq!(room.say(FromClient::Destroy { sid: 0, cid: 9 }), []);
        assert_eq!(room.say(FromClient::Echo(b"so")), [Said::Echo(b"so".into())]);
    }
}

#[test]
fn a_get_gives_what_was_asked_for_in_either_order() {
    #[track_caller]
    fn check(fields: &[&str], value: Option<f64>, tag: Option<i32>) {
        for order in [Order::Little, Order::Big] {
            let mut room = Room { order, ..room() };
            room.open("P0");
            room.publisher.put(0, 41.0, NOW_NS);
            room.init(command::GET, 77, wanting(fields), None);
            let answer = Said::Data(command::GET, 77, value, tag, false);
            for sub in [0, sub::START, sub::DESTROY] {
                assert_eq!(room.operate(command::GET, 77, sub, &[]), std::slice::from_ref(&answer));
            }
            assert_eq!(room.operate(command::GET, 77, 0, &[]), [], "it is forgotten");
            assert_eq!(room.served.gets, 3);
        }
    }
    check(&[], Some(41.0), Some(41));
    check(&["value"], Some(41.0), None);
    check(&["alarm", "timeStamp"], None, Some(41));
}

#[test]
fn a_field_that_is_not_there_is_refused() {
    let mut room = room();
    room.open("P0");
    for command in [command::GET, command::PUT, command::MONITOR] {
        let request = wanting(&["display"]);
        let init = FromClient::Init { command, sid: 0, ioid: 5, request, window: None };
        assert_eq!(room.say(init), [Said::Ready(command, 5, false)]);
    }
    let mut told = |field| room.say(FromClient::GetField { sid: 0, ioid: 6, field });
    assert_eq!(told(""), [Said::Ready(command::GET_FIELD, 6, true)]);
    assert_eq!(told("alarm"), [Said::Ready(command::GET_FIELD, 6, true)]);
    assert_eq!(told("display"), [Said::Ready(command::GET_FIELD, 6, false)]);
}

#[test]
fn a_put_is_the_value_from_which_it_counts_on() {
    let plans = [1, 3].map(|elements| PvPlan { elements, ..plan::sample() });
    for (plan, order) in plans.iter().zip([Order::Big, Order::Little]) {
        let mut room = Room { order, ..Room::new(plan) };
        room.open("P1");
        room.init(command::PUT, 3, wanting(&["value"]), None);
        let mut put = |value: f64| {
            let mut body = vec![1, 0x02];
            body.extend((plan.elements > 1).then_some(1));
            body.extend(if order == Order::Big {
                value.to_be_bytes()
            } else {
                value.to_le_bytes()
            });
            room.operate(command::PUT, 3, 0, &body)
        };
        assert_eq!(put(2.5), [Said::Data(command::PUT, 3, None, None, false)]);
        assert_eq!(put(f64::NAN), [Said::Refused(3)]);
        assert_eq!(put(1e300), [Said::Refused(3)]);
        assert_eq!(put(70.0), [Said::Data(command::PUT, 3, None, None, false)]);
        room.publisher.post(1, NOW_NS);
        let back = room.operate(command::PUT, 3, sub::START, &[]);
        assert_eq!(back, [Said::Data(command::PUT, 3, Some(71.0), None, false)]);
        room.is_writable = false;
        assert_eq!(room.operate(command::PUT, 3, 0, &[0]), [Said::Refused(3)]);
        assert_eq!(room.served.puts, 2);
    }
}

#[test]
fn a_long_wraps_round_and_an_array_counts_along() {
    let plan = PvPlan { pv_type: PvType::Long, elements: 2, ..plan::sample() };
    let mut room = Room::new(&plan);
    room.open("P0");
    room.publisher.put(0, f64::from(i32::MAX), NOW_NS);
    room.init(command::GET, 1, wanting(&["value"]), None);
    let mut bytes = Vec::new();
    let head = (command::GET, 0, 1, 0);
    FromClient::write_operate(&mut bytes, Order::Little, head, |_, _| {});
    let answer = room.hear(&bytes).unwrap();
    let values = [i32::MAX.to_le_bytes(), i32::MIN.to_le_bytes()].concat();
    assert_eq!(answer[answer.len() - 9..], [&[2][..], &values].concat());
}

#[test]
fn a_monitor_tells_all_first_and_then_what_changed() {
    for order in [Order::Little, Order::Big] {
        let mut room = Room { order, ..room() };
        room.open("P0");
        room.init(command::MONITOR, 1, PvRequest::default(), None);
        room.publisher.post(0, NOW_NS);
        assert_eq!(room.comes(), [], "it was not started");
        assert_eq!(room.start(1), [update(1, 1)]);
        room.publisher.post(0, NOW_NS);
        let bytes = room.hear(&[]).unwrap();
        assert_eq!(bytes.len(), DoubleUpdate::BYTES);
        assert_eq!(room.understood(&bytes), [update(1, 2)]);
        assert_eq!(room.publisher.merged, 0);
        assert_eq!(room.operate(command::MONITOR, 1, sub::GO, &[]), []);
        (0..3).for_each(|_| room.publisher.post(0, NOW_NS));
        assert_eq!(room.comes(), []);
        let newest = Said::Data(command::MONITOR, 1, Some(5.0), Some(5), true);
        assert_eq!(room.start(1), [newest], "the overtaken are said to be overrun");
        assert_eq!(room.publisher.merged, 2);
        assert_eq!(room.say(FromClient::Forget { sid: 0, ioid: 1 }), []);
        room.publisher.post(0, NOW_NS);
        assert_eq!(room.comes(), []);
    }
}

#[test]
fn who_asked_for_the_alarm_alone_is_told_once() {
    let mut room = room();
    room.open("P0");
    room.init(command::MONITOR, 1, wanting(&["alarm"]), None);
    assert_eq!(room.start(1), [Said::Data(command::MONITOR, 1, None, None, false)]);
    room.publisher.post(0, NOW_NS);
    assert_eq!(room.comes(), []);
}

#[test]
fn a_pipelined_monitor_gets_no_more_than_it_acknowledged() {
    let mut room = room();
    room.open("P0");
    room.init(command::MONITOR, 1, pipelined(), Some(2));
    room.init(command::MONITOR, 2, PvRequest::default(), None);
    assert_eq!((room.start(1), room.start(2)), (vec![update(1, 0)], vec![update(2, 0)]));
    let mut posted = || {
        room.publisher.post(0, NOW_NS);
        room.comes()
    };
    assert_eq!(posted(), [update(1, 1), update(2, 1)]);
    assert_eq!(posted(), [update(2, 2)]);
    assert_eq!(posted(), [update(2, 3)]);
    let newest = Said::Data(command::MONITOR, 1, Some(3.0), Some(3), true);
    assert_eq!(room.say(FromClient::Ack { sid: 0, ioid: 1, count: 2 }), [newest]);
    room.publisher.post(0, NOW_NS);
    assert_eq!(room.comes(), [update(1, 4), update(2, 4)]);
}

#[test]
fn a_pipelined_monitor_without_a_window_waits_for_its_first_acknowledgement() {
    let mut room = room();
    room.open("P0");
    room.init(command::MONITOR, 1, pipelined(), None);
    assert_eq!(room.start(1), []);
    assert_eq!(room.say(FromClient::Ack { sid: 0, ioid: 1, count: 1 }), [update(1, 0)]);
}

#[test]
fn a_channel_takes_its_requests_with_it() {
    let mut room = room();
    room.open("P0");
    room.init(command::MONITOR, 1, PvRequest::default(), None);
    room.init(command::GET, 2, PvRequest::default(), None);
    assert_eq!(room.start(1), [update(1, 0)]);
    room.say(FromClient::Destroy { sid: 0, cid: 9 });
    assert_eq!(room.open("P1"), [Said::Created(9, true)]);
    room.publisher.post(0, NOW_NS);
    room.publisher.post(1, NOW_NS);
    assert_eq!(room.operate(command::GET, 2, 0, &[]), []);
    assert_eq!(room.start(1), []);
    room.init(command::MONITOR, 1, PvRequest::default(), None);
    assert_eq!(room.start(1), [update(1, 1)]);
}

#[test]
fn what_breaks_the_protocol_ends_the_circuit() {
    let init = |sid| {
        let request = PvRequest::default();
        FromClient::Init { command: command::GET, sid, ioid: 1, request, window: None }
    };
    assert_eq!(room().breaks(init(0)), [], "no channel");
    let mut room = room();
    room.open("P0");
    assert_eq!(room.say(init(0)), [Said::Ready(command::GET, 1, true)]);
    assert_eq!(room.breaks(init(0)), [], "a number twice");
    assert!(room.hear(b"GET / HTTP/1.1\r\n\r\n").is_err());
}

#[test]
fn a_message_that_would_swell_ends_the_circuit() {
    let mut room = room();
    let mut bytes = b"\xca\x02\0\x02\0\0\0\x02".to_vec();
    bytes.resize(16 * 1024, 0);
    let pieces = (0..).take_while(|_| room.hear(&bytes).is_ok()).count();
    assert_eq!(pieces, HELD_BYTES_MIN / bytes.len());
}

#[test]
fn a_search_is_answered_for_the_names_that_are_here() {
    for order in [Order::Little, Order::Big] {
        let mut room = Room { order, ..room() };
        let mut search = Vec::new();
        let reply_to = Place { address: std::net::Ipv4Addr::new(192, 0, 2, 1).into(), port: 4242 };
        let names = [(1, "P0"), (2, "Q0"), (3, "P2")];
        message(&mut search, order, Sender::Client, command::SEARCH, |out| {
            Search::write(out, order, (42, reply_to), false, names.into_iter());
        });
        let mut out = Vec::new();
        let searched = room.dialect.answer(&search, &room.names, 15_075, &mut out);
        assert_eq!(searched, Searched { names: 3, reply_port: Some(4242) });
        assert_eq!(room.understood(&out), [Said::Found(42, vec![1, 3])]);
        assert!(out.len() <= search.len(), "no one can be flooded with answers");
        let heard = room.hear(&search).unwrap();
        assert_eq!(room.understood(&heard), [Said::Found(42, vec![1, 3])], "on a circuit, too");
        out.clear();
        assert_eq!(room.dialect.answer(b"nonsense", &room.names, 1, &mut out).names, 0);
        assert!(out.is_empty());
    }
}

#[test]
fn requests_cut_anywhere_get_the_same_answers() {
    let mut bytes = Vec::new();
    let order = Order::Big;
    FromClient::write_create(&mut bytes, order, 9, "P0");
    for (command, ioid) in [(command::MONITOR, 1), (command::GET, 2)] {
        let request = PvRequest::default();
        FromClient::Init { command, sid: 0, ioid, request, window: None }.write(&mut bytes, order);
    }
    let start = (command::MONITOR, 0, 1, sub::START | sub::GO);
    FromClient::write_operate(&mut bytes, order, start, |_, _| {});
    FromClient::write_operate(&mut bytes, order, (command::GET, 0, 2, 0), |_, _| {});
    let sorted = |bytes: &[u8]| {
        let said = Room { order, ..room() }.understood(bytes);
        let mut said: Vec<String> = said.iter().map(|said| format!("{said:?}")).collect();
        // The first update may come before the get that follows it.
        said.sort();
        said
    };
    let whole = sorted(&room().hear(&bytes).unwrap());
    assert_eq!(whole.len(), 5);
    for step in 1..bytes.len() {
        let mut room = room();
        let pieces = bytes.chunks(step).map(|piece| room.hear(piece).unwrap());
        assert_eq!(sorted(&pieces.collect::<Vec<_>>().concat()), whole, "by {step}");
    }
}

proptest! {
    #[test]
    fn no_bytes_break_the_server(
        messages in prop::collection::vec((0..0x16_u8, any::<bool>(), any::<[u8; 24]>()), 0..30),
        noise in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut room = room();
        room.open("P0");
        room.init(command::MONITOR, 1, pipelined(), Some(1));
        let mut bytes = Vec::new();
        for (command, is_big, body) in messages {
            let order = if is_big { Order::Big } else { Order::Little };
            message(&mut bytes, order, Sender::Client, command, |out| {
                // Numbers mostly of the sort that there is.
                out.extend(body.iter().map(|byte| if byte % 3 == 0 { byte % 64 } else { 0 }));
            });
        }
        bytes.extend_from_slice(&noise);
        for piece in bytes.chunks(7) {
            room.publisher.post(0, NOW_NS);
            if room.hear(piece).is_err() {
                break;
            }
        }
        let mut out = Vec::new();
        room.dialect.answer(&bytes, &room.names, 5075, &mut out);
    }
}
