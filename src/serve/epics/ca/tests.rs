//! A circuit without a network: what is asked, and every answer.

use std::collections::BTreeMap;

use proptest::prelude::{Strategy, any, prop, prop_oneof, proptest};

use super::super::client::Client;
use super::super::plan;
use super::super::publisher::Publisher;
use super::*;
use crate::evidence::PvsServed;
use crate::wire::ca::Mask;

/// A server and one client.
struct Room {
    dialect: ChannelAccess,
    names: Names,
    publisher: Publisher<Form>,
    client: Client<ChannelAccess>,
    is_writable: bool,
    served: PvsServed,
}

const NOW_NS: u64 = 1_700_000_000_000_000_007;

impl Room {
    fn new(plan: &PvPlan) -> Self {
        Self {
            dialect: ChannelAccess::new(plan),
            names: Names::new(plan),
            publisher: Publisher::new(plan, 4, NOW_NS),
            client: Client::new(),
            is_writable: true,
            served: PvsServed::default(),
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
            port: 5064,
            now_ns: NOW_NS,
            is_writable: self.is_writable,
            out: &mut out,
            served: &mut self.served,
        };
        let heard = self.client.hear(&self.dialect, bytes, session);
        self.client.channels = channels;
        while self.dialect.wants_updates(&self.client.circuit)
            && let Some(update) = self.publisher.take(2)
        {
            self.dialect.update(&update, &mut out);
        }
        heard.map(|()| out.clone()).map_err(|breach| (breach, out))
    }

    fn say(&mut self, request: Request<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        request.write(&mut bytes);
        self.hear(&bytes).unwrap()
    }

    /// Opens a channel to `name` as number 0.
    fn open(&mut self, name: &[u8]) {
        let answer = self.say(Request::CreateChannel { cid: 9, minor: 13, name });
        assert!(replies(&answer).any(|reply| matches!(reply, Reply::CreateChannel { .. })));
    }

    /// Breaks the protocol: what the server says to that.
    #[track_caller]
    fn breaks(&mut self, request: Request<'_>) -> Status {
        let mut bytes = Vec::new();
        request.write(&mut bytes);
        let (_, out) = self.hear(&bytes).unwrap_err();
        match replies(&out).next() {
            Some(Reply::Error { status, .. }) => status,
            None => Status::NORMAL,
            other => panic!("{other:?}"),
        }
    }
}

fn room() -> Room {
    Room::new(&plan::sample())
}

fn replies(bytes: &[u8]) -> impl Iterator<Item = Reply<'_>> {
    Messages::new(bytes).map(Reply::read)
}

/// The updates in `bytes`: subscription and value.
fn updates(bytes: &[u8]) -> Vec<(u32, f64)> {
    let update = |reply| match reply {
        Reply::Update { data_type, count, subid, data, .. } => {
            Some((subid, Value::read(data_type, count, data)?.number(0)?))
        }
        _ => None,
    };
    replies(bytes).filter_map(update).collect()
}

fn monitor(subid: u32, mask: Mask) -> Request<'static> {
    Request::EventAdd { data_type: Dbr::TIME_DOUBLE.code(), count: 0, sid: 0, subid, mask }
}

#[test]
fn a_channel_opens_with_its_rights_and_a_strange_name_does_not() {
    let mut room = room();
    let answer = room.say(Request::CreateChannel { cid: 9, minor: 13, name: b"P2" });
    let rights = Reply::AccessRights { cid: 9, read: true, write: true };
    let channel = Reply::CreateChannel { cid: 9, sid: 0, data_type: 6, count: 1 };
    assert!(replies(&answer).eq([rights, channel]));
    for name in [&b"P3"[..], b"X", &[b'P'; 501]] {
        let answer = room.say(Request::CreateChannel { cid: 4, minor: 13, name });
        assert!(replies(&answer).eq([Reply::CreateFailed { cid: 4 }]), "{name:?}");
    }
    room.is_writable = false;
    let answer = room.say(Request::CreateChannel { cid: 1, minor: 13, name: b"P0" });
    let rights = Reply::AccessRights { cid: 1, read: true, write: false };
    assert_eq!(replies(&answer).next(), Some(rights));
}

#[test]
fn a_get_gives_any_type_and_count() {
    let mut room = Room::new(&PvPlan { elements: 3, ..plan::sample() });
    room.open(b"P0");
    room.publisher.put(0, 41.0, NOW_NS);
    for data_type in 0..35 {
        for (asked, expect) in [(0, 3), (2, 2), (5, 5)] {
            let request = Request::ReadNotify { data_type, count: asked, sid: 0, ioid: 77 };
            let answer = room.say(request);
            let Some(Reply::ReadNotify { count, status, ioid, data, .. }) = replies(&answer).next()
            else {
                panic!("type {data_type}");
            };
            assert_eq!((count, status, ioid), (expect, Status::NORMAL, 77));
            let value = Value::read(data_type, count, data).unwrap();
            let elements: Vec<f64> = (0..count).filter_map(|i| value.number(i)).collect();
            assert_eq!(elements, [41.0, 42.0, 43.0, 0.0, 0.0][..expect as usize]);
            let stamp = value.stamp().map_or(NOW_NS, Stamp::to_unix_ns);
            assert_eq!(stamp, NOW_NS);
        }
    }
    assert_eq!(room.served.gets, 35 * 3);
}

#[test]
fn more_than_fits_is_refused_and_the_circuit_goes_on() {
    let mut room = room();
    room.open(b"P0");
    for count in [200_000, u32::MAX] {
        let request = Request::ReadNotify { data_type: 6, count, sid: 0, ioid: 1 };
        let answer = room.say(request);
        let Some(Reply::Error { cid, status, request, .. }) = replies(&answer).next() else {
            panic!("{count} elements");
        };
        assert_eq!((cid, status, request.count), (9, Status::TOO_LARGE, count));
    }
    assert!(replies(&room.say(Request::Echo)).eq([Reply::Echo]));
}

#[test]
fn a_put_is_the_value_from_which_it_counts_on() {
    let mut room = room();
    room.open(b"P1");
    assert_eq!(updates(&room.say(monitor(5, Mask::VALUE))), [(5, 0.0)]);
    let mut put = |data_type, data: &[u8]| {
        let request = Request::WriteNotify { data_type, count: 1, sid: 0, ioid: 3, data };
        let answer = room.say(request);
        let Some(Reply::WriteNotify { status, ioid: 3, .. }) = replies(&answer).next() else {
            panic!("no answer");
        };
        (status, updates(&answer))
    };
    assert_eq!(put(6, &2.5_f64.to_be_bytes()), (Status::NORMAL, vec![(5, 2.5)]));
    assert_eq!(
        put(0, b"\x37\x30".as_slice()),
        (Status::PUT_FAILED, vec![]),
        "40 bytes are a string"
    );
    let mut text = [0; 40];
    text[..2].copy_from_slice(b"70");
    assert_eq!(put(0, &text), (Status::NORMAL, vec![(5, 70.0)]));
    for strange in [f64::NAN, f64::INFINITY, 1e300] {
        assert_eq!(put(6, &strange.to_be_bytes()), (Status::PUT_FAILED, vec![]), "{strange}");
    }
    room.publisher.post(1, NOW_NS);
    assert_eq!(updates(&room.hear(&[]).unwrap()), [(5, 71.0)]);
    room.is_writable = false;
    let data = &1_f64.to_be_bytes();
    let answer = room.say(Request::Write { data_type: 6, count: 1, sid: 0, ioid: 3, data });
    let Some(Reply::Error { status, .. }) = replies(&answer).next() else { panic!("no error") };
    assert_eq!(status, Status::NO_WRITE_ACCESS);
    assert_eq!(room.served.puts, 2);
}

#[test]
fn the_mask_decides_who_is_told_of_values() {
    let mut room = room();
    room.open(b"P0");
    for (subid, mask) in [(1, Mask::VALUE), (2, Mask::LOG), (3, Mask::ALARM), (4, Mask::PROPERTY)] {
        assert_eq!(updates(&room.say(monitor(subid, mask))), [(subid, 0.0)]);
    }
    room.publisher.post(0, NOW_NS);
    assert_eq!(updates(&room.hear(&[]).unwrap()), [(1, 1.0), (2, 1.0)]);
    let cancel = Request::EventCancel { data_type: 20, count: 0, sid: 0, subid: 1 };
    let over = Reply::Cancelled { data_type: 20, sid: 0, subid: 1 };
    assert!(replies(&room.say(cancel)).eq([over]));
    room.publisher.post(0, NOW_NS);
    assert_eq!(updates(&room.hear(&[]).unwrap()), [(2, 2.0)]);
    assert!(
        replies(&room.say(Request::ClearChannel { sid: 0, cid: 9 }))
            .eq([Reply::ClearChannel { sid: 0, cid: 9 }])
    );
    room.publisher.post(0, NOW_NS);
    assert!(room.hear(&[]).unwrap().is_empty());
}

#[test]
fn events_off_holds_updates_and_on_gives_the_newest() {
    let mut room = room();
    room.open(b"P0");
    room.say(monitor(1, Mask::VALUE));
    assert!(room.say(Request::EventsOff).is_empty());
    (0..5).for_each(|_| room.publisher.post(0, NOW_NS));
    assert!(replies(&room.say(Request::Echo)).eq([Reply::Echo]), "the rest goes on");
    assert_eq!(updates(&room.say(Request::EventsOn)), [(1, 5.0)]);
    assert_eq!(room.publisher.merged, 4);
}

#[test]
fn what_breaks_the_protocol_ends_the_circuit() {
    let read = |data_type, sid| Request::ReadNotify { data_type, count: 0, sid, ioid: 0 };
    assert_eq!(room().breaks(read(6, 0)), Status::INTERNAL);
    assert_eq!(room().breaks(Request::ClearChannel { sid: 4, cid: 0 }), Status::INTERNAL);
    assert_eq!(room().breaks(monitor(1, Mask::VALUE)), Status::INTERNAL);
    let header = Header { command: 3, ..Header::default() };
    assert_eq!(room().breaks(Request::Unknown(Message { header, payload: &[] })), Status::INTERNAL);
    let mut room = room();
    room.open(b"P0");
    assert_eq!(room.breaks(read(99, 0)), Status::NORMAL, "a strange type has no answer");
    assert!(room.hear(&[0, 15, 0, 7, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
}

#[test]
fn a_search_is_answered_for_the_names_that_are_here() {
    let room = room();
    let mut search = Vec::new();
    Request::Version { priority: 1, minor: 13, sequence: 42 }.write(&mut search);
    for (id, name) in [(1, &b"P0"[..]), (2, b"Q0"), (3, b"P2")] {
        Request::Search { id, minor: 13, wants_miss: true, name }.write(&mut search);
    }
    let mut out = Vec::new();
    let searched = Searched { names: 3, reply_port: None };
    assert_eq!(room.dialect.answer(&search, &room.names, 15_064, &mut out), searched);
    let found = |id| Reply::Found { id, port: 15_064, address: None, minor: Some(13) };
    let version = Reply::Version { priority: 1, minor: 13, sequence: 42 };
    assert!(replies(&out).eq([version, found(1), found(3)]));
    assert!(out.len() <= search.len(), "no one can be flooded with answers");
    out.clear();
    assert_eq!(room.dialect.answer(b"nonsense", &room.names, 15_064, &mut out).names, 0);
    assert!(out.is_empty());
}

#[test]
fn a_search_on_a_circuit_says_what_is_missing_to_who_asks() {
    let mut room = room();
    let mut search = |name, wants_miss| {
        let answer = room.say(Request::Search { id: 7, minor: 13, wants_miss, name });
        replies(&answer).map(|reply| format!("{reply:?}")).collect::<String>()
    };
    let found = Reply::Found { id: 7, port: 5064, address: None, minor: None };
    assert_eq!(search(b"P1", false), format!("{found:?}"));
    assert_eq!(search(b"Q", false), "");
    assert_eq!(search(b"Q", true), format!("{:?}", Reply::NotFound { id: 7, minor: 13 }));
}

#[test]
fn requests_cut_anywhere_get_the_same_answers() {
    let mut bytes = Vec::new();
    Request::Version { priority: 0, minor: 13, sequence: 0 }.write(&mut bytes);
    Request::ClientName(b"somebody").write(&mut bytes);
    Request::CreateChannel { cid: 9, minor: 13, name: b"P0" }.write(&mut bytes);
    monitor(1, Mask::VALUE).write(&mut bytes);
    Request::ReadNotify { data_type: 20, count: 0, sid: 0, ioid: 2 }.write(&mut bytes);
    let whole = room().hear(&bytes).unwrap();
    assert_eq!(replies(&whole).count(), 4);
    for step in 1..bytes.len() {
        let mut room = room();
        let pieces = bytes.chunks(step).map(|piece| room.hear(piece).unwrap());
        let all = pieces.collect::<Vec<_>>().concat();
        // The first update may come before the get that follows it.
        assert_eq!((all.len(), updates(&all)), (whole.len(), updates(&whole)), "by {step}");
    }
}

/// What may happen to a server, by small numbers that often meet.
#[derive(Debug, Clone, Copy)]
enum Step {
    Create(u32),
    Clear(u32),
    Subscribe(u32, u32, bool),
    Cancel(u32, u32),
    Post(u32),
    /// The client goes away, and another has its slot.
    Leave,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..3_u32).prop_map(Step::Create),
        (0..4_u32).prop_map(Step::Clear),
        (0..4_u32, 0..4_u32, any::<bool>())
            .prop_map(|(sid, id, all)| Step::Subscribe(sid, id, all)),
        (0..4_u32, 0..4_u32).prop_map(|(sid, id)| Step::Cancel(sid, id)),
        (0..3_u32).prop_map(Step::Post),
        (0..3_u32).prop_map(Step::Post),
        (0..20_u32).prop_map(|number| if number == 0 { Step::Leave } else { Step::Post(0) }),
    ];
    prop::collection::vec(step, 0..60)
}

/// What the server has to know: of each channel its PV and its subscriptions, with whether they
/// want values.
type Model = BTreeMap<u32, (u32, BTreeMap<u32, bool>)>;

/// Takes a step that the protocol allows in the room and in the model; gives the updates that
/// came and those that should have.
fn take(step: Step, room: &mut Room, model: &mut Model) -> (Vec<u32>, Vec<u32>) {
    let mut expect = Vec::new();
    let answer = match step {
        Step::Create(pv) => {
            let name = format!("P{pv}");
            let request = Request::CreateChannel { cid: pv, minor: 13, name: name.as_bytes() };
            let answer = room.say(request);
            let Some(Reply::CreateChannel { sid, .. }) = replies(&answer).nth(1) else {
                panic!("no channel");
            };
            assert!(model.insert(sid, (pv, BTreeMap::new())).is_none(), "{sid} is another's");
            answer
        }
        Step::Clear(sid) if model.remove(&sid).is_some() => {
            room.say(Request::ClearChannel { sid, cid: 0 })
        }
        Step::Subscribe(sid, subid, wants)
            if model.get(&sid).is_some_and(|channel| !channel.1.contains_key(&subid)) =>
        {
            if let Some((_, subscriptions)) = model.get_mut(&sid) {
                subscriptions.insert(subid, wants);
            }
            expect.push(subid);
            let mask = if wants { Mask::VALUE } else { Mask::ALARM };
            room.say(Request::EventAdd { data_type: 20, count: 0, sid, subid, mask })
        }
        Step::Cancel(sid, subid)
            if model.get_mut(&sid).is_some_and(|channel| channel.1.remove(&subid).is_some()) =>
        {
            room.say(Request::EventCancel { data_type: 20, count: 0, sid, subid })
        }
        Step::Post(pv) => {
            room.publisher.post(pv, NOW_NS);
            let of_pv = model.values().filter(|channel| channel.0 == pv);
            let wanting = of_pv.flat_map(|channel| channel.1.iter().filter(|(_, wants)| **wants));
            expect.extend(wanting.map(|(subid, _)| *subid));
            room.hear(&[]).unwrap()
        }
        Step::Leave => {
            model.clear();
            for channel in room.client.channels.drain() {
                channel.end(&mut room.publisher);
            }
            room.publisher.forget(2);
            room.client.clear();
            room.hear(&[]).unwrap()
        }
        _ => Vec::new(),
    };
    let mut came: Vec<u32> = updates(&answer).iter().map(|update| update.0).collect();
    came.sort_unstable();
    expect.sort_unstable();
    (came, expect)
}

proptest! {
    #[test]
    fn who_is_subscribed_gets_each_update_and_nobody_else_does(steps in steps()) {
        let (mut room, mut model) = (room(), Model::new());
        for step in steps {
            let (came, expect) = take(step, &mut room, &mut model);
            assert_eq!(came, expect, "{step:?}");
        }
        assert_eq!(room.publisher.merged, 0);
    }

    #[test]
    fn no_bytes_break_the_server(
        messages in prop::collection::vec((0..30_u16, 0..4_u16, any::<[u8; 12]>()), 0..30),
        noise in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut room = room();
        room.open(b"P0");
        let mut bytes = Vec::new();
        for (command, words, rest) in messages {
            bytes.extend_from_slice(&command.to_be_bytes());
            bytes.extend_from_slice(&(words * 8).to_be_bytes());
            // Types, counts and numbers mostly of the sort that there is.
            bytes.extend(rest.iter().map(|byte| if byte % 3 == 0 { byte % 32 } else { 0 }));
            bytes.extend(std::iter::repeat_n(rest[0], usize::from(words) * 8));
        }
        bytes.extend_from_slice(&noise);
        for piece in bytes.chunks(7) {
            if room.hear(piece).is_err() {
                break;
            }
        }
        let mut out = Vec::new();
        room.dialect.answer(&bytes, &room.names, 5064, &mut out);
        assert!(out.len() <= bytes.len() + 16);
    }
}
