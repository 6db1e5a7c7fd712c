//! What real servers and clients said, and what holds of any message.

use proptest::prelude::{Strategy, any, prop, prop_oneof, proptest};

use super::*;

const CAPTURES: [&str; 4] = [
    include_str!("../../../tests/data/captures/ca_session.hex"),
    include_str!("../../../tests/data/captures/ca_events_off.hex"),
    include_str!("../../../tests/data/captures/ca_probes.hex"),
    include_str!("../../../tests/data/captures/ca_nameserver.hex"),
];

/// The bytes of a fixture; `+N` at its end stands for N that were left out, here zeros.
fn bytes_of(hex: &str) -> Vec<u8> {
    let (hex, left_out) = hex.split_once('+').unwrap_or((hex, "0"));
    assert!(hex.is_ascii() && hex.len().is_multiple_of(2), "{hex}");
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    let left_out = std::iter::repeat_n(0, left_out.parse().unwrap());
    (0..hex.len()).step_by(2).map(byte).chain(left_out).collect()
}

/// All captured messages: whether the client said it, and its bytes.
fn captured() -> Vec<(bool, Vec<u8>)> {
    let lines = CAPTURES.iter().flat_map(|capture| capture.lines());
    let message = |line: &str| {
        let (who, hex) = line.rsplit_once(' ').unwrap();
        // What the server sends unasked goes to the port of another.
        (who.ends_with("C>S") && !hex.starts_with("000d"), bytes_of(hex))
    };
    lines.map(message).collect()
}

fn whole(bytes: &[u8]) -> Message<'_> {
    let (length, message) = Message::split(bytes, u32::MAX).unwrap().unwrap();
    assert_eq!(length, bytes.len());
    message
}

fn request(hex: &str) -> Vec<u8> {
    bytes_of(&hex.replace(' ', ""))
}

#[test]
fn every_captured_message_is_known_and_written_as_it_was() {
    let captured = captured();
    assert_eq!(captured.len(), 326);
    for (by_client, bytes) in captured {
        let message = whole(&bytes);
        let mut written = Vec::new();
        if by_client {
            let request = Request::read(message);
            assert!(!matches!(request, Request::Unknown(_)), "{request:?}");
            request.write(&mut written);
        } else {
            let reply = Reply::read(message);
            assert!(!matches!(reply, Reply::Unknown(_)), "{reply:?}");
            reply.write(&mut written);
        }
        assert_eq!(written, bytes, "{message:?}");
    }
}

#[test]
fn every_captured_value_can_be_read() {
    let mut read = 0;
    for (_, bytes) in captured().iter().filter(|(by_client, _)| !by_client) {
        match Reply::read(whole(bytes)) {
            Reply::Update { data_type, count, status, data, .. }
            | Reply::ReadNotify { data_type, count, status, data, .. } => {
                assert_eq!(status, Status::NORMAL);
                let value = Value::read(data_type, count, data).unwrap();
                assert_eq!(value.dbr().payload_bytes(count), data.len() as u64);
                assert!((0..count).all(|i| value.number(i).is_some() || value.text(i).is_some()));
                assert_eq!(value.number(count), None);
                read += 1;
            }
            _ => {}
        }
    }
    assert_eq!(read, 95);
}

#[test]
fn a_captured_get_has_its_value_and_its_stamp() {
    let bytes = request(
        "000f0018 00140001 00000001 00000002 00000000 45640f54 278810e4 00000003 4000000000000000",
    );
    let Reply::ReadNotify { data_type, count, ioid, data, .. } = Reply::read(whole(&bytes)) else {
        panic!("no get");
    };
    let value = Value::read(data_type, count, data).unwrap();
    assert_eq!((ioid, value.dbr(), value.number(0)), (2, Dbr::TIME_DOUBLE, Some(2.0)));
    let stamp = value.stamp().unwrap();
    assert_eq!(stamp, Stamp { seconds: 1_164_185_428, nanos: 663_228_644 });
    assert_eq!(stamp.to_unix_ns(), 1_795_337_428_663_228_644);
    assert_eq!(Stamp::from_unix_ns(stamp.to_unix_ns()), stamp);
}

#[test]
fn a_captured_refusal_names_the_request_that_it_refuses() {
    let hex = CAPTURES[2].lines().find(|line| line.contains(" 000b0018")).unwrap();
    let bytes = bytes_of(hex.rsplit(' ').next().unwrap());
    let Reply::Error { cid, status, request, text } = Reply::read(whole(&bytes)) else {
        panic!("no error");
    };
    assert_eq!((cid, status, text), (1, Status::NO_WRITE_ACCESS, &b"LAB:DBL"[..]));
    assert_eq!((request.command, request.p2), (command::WRITE, 0x33));
}

#[test]
fn an_empty_update_is_the_end_of_a_subscription() {
    let bytes = request("00010000 00140000 00000000 0000000a");
    let over = Reply::Cancelled { data_type: 20, sid: 0, subid: 10 };
    assert_eq!(Reply::read(whole(&bytes)), over);
}

#[test]
fn sizes_are_those_of_the_reference() {
    #[track_caller]
    fn check(code: u16, count: u32, bytes: u64) {
        assert_eq!(Dbr::from_code(code).unwrap().payload_bytes(count), bytes, "type {code}");
    }
    for (code, bytes) in [(0, 40), (5, 8), (6, 8), (13, 16), (19, 16), (20, 24), (17, 16)] {
        check(code, 1, bytes);
    }
    for (code, bytes) in [(34, 88), (31, 424), (24, 424), (33, 48), (28, 48), (30, 56)] {
        check(code, 1, bytes);
    }
    check(6, 12_000, 96_000);
    check(6, u32::MAX, 8 * u64::from(u32::MAX));
    assert_eq!(Dbr::from_code(35), None);
    for code in 0..35 {
        assert_eq!(Dbr::from_code(code).unwrap().code(), code);
    }
}

#[test]
fn a_message_is_none_before_it_is_whole() {
    for (_, bytes) in captured() {
        for end in 0..bytes.len().min(500) {
            assert_eq!(Message::split(&bytes[..end], u32::MAX), Ok(None), "{end} of {bytes:x?}");
        }
    }
}

#[test]
fn what_is_not_padded_or_too_long_is_refused_at_its_header() {
    let mut bytes = Vec::new();
    Header { payload_bytes: 12, ..Header::default() }.write(&mut bytes);
    assert_eq!(Message::split(&bytes, 1 << 20), Err(Fault::Unaligned(12)));
    bytes.clear();
    Header { payload_bytes: 1 << 24, ..Header::default() }.write(&mut bytes);
    assert_eq!(bytes.len(), Header::EXTENDED_BYTES);
    assert_eq!(Message::split(&bytes, 1 << 20), Err(Fault::TooLong(1 << 24)));
}

#[test]
fn a_datagram_gives_its_messages_up_to_the_first_broken_one() {
    let mut bytes = Vec::new();
    Request::Version { priority: 1, minor: 13, sequence: 7 }.write(&mut bytes);
    for id in 0..3 {
        Request::Search { id, minor: 13, wants_miss: false, name: b"A:B" }.write(&mut bytes);
    }
    assert_eq!(Messages::new(&bytes).count(), 4);
    bytes.extend_from_slice(b"\0\x06\0\x09");
    assert_eq!(Messages::new(&bytes).count(), 4);
}

#[test]
fn a_number_is_the_same_in_every_type_that_holds_it() {
    for code in 0..35 {
        let dbr = Dbr::from_code(code).unwrap();
        let mut data = Vec::new();
        let stamp = Stamp { seconds: 5, nanos: 7 };
        write_value(dbr, stamp, [100.0, 101.0].into_iter(), &mut data);
        assert_eq!(data.len() as u64, dbr.payload_bytes(2), "type {code}");
        let value = Value::read(code, 2, &data).unwrap();
        assert_eq!((value.number(0), value.number(1)), (Some(100.0), Some(101.0)), "type {code}");
        assert_eq!(value.stamp(), (dbr.class == Class::Time).then_some(stamp));
        assert_eq!(Value::read(code, 100, &data), None, "type {code}");
    }
}

#[test]
fn a_counter_beyond_its_type_wraps_round() {
    let mut data = Vec::new();
    let long = Dbr { class: Class::Plain, base: Base::Long };
    write_value(long, Stamp::default(), [2f64.powi(31)].into_iter(), &mut data);
    assert_eq!(data, [0x80, 0, 0, 0, 0, 0, 0, 0]);
}

/// Texts and data as they stand on the wire: without NUL, or padded.
fn text() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(1..=255_u8, 0..40)
}

fn data() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u64>(), 1..9)
        .prop_map(|words| words.iter().flat_map(|word| word.to_be_bytes()).collect())
}

/// What a reader may meet: messages, and pieces of what is none.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        (0..30_u16, 0..9_u16).prop_map(|(command, words)| {
            let mut bytes = Vec::new();
            let payload_bytes = u32::from(words) * 8;
            Header { command, payload_bytes, ..Header::default() }.write(&mut bytes);
            bytes.resize(bytes.len() + usize::from(words) * 8, 0xab);
            bytes
        }),
        prop::collection::vec(any::<u8>(), 0..40),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

#[track_caller]
fn check_request(request: Request<'_>) {
    let mut bytes = Vec::new();
    request.write(&mut bytes);
    assert_eq!(Request::read(whole(&bytes)), request);
}

#[track_caller]
fn check_reply(reply: Reply<'_>) {
    let mut bytes = Vec::new();
    reply.write(&mut bytes);
    assert_eq!(Reply::read(whole(&bytes)), reply);
}

proptest! {
    #[test]
    fn a_request_reads_as_it_was_written(
        name in text(), data in data(), [data_type, minor] in any::<[u16; 2]>(),
        [id, sid, count] in any::<[u32; 3]>(), flag in any::<bool>(),
    ) {
        let mask = Mask(minor);
        check_request(Request::Version { priority: data_type, minor, sequence: id });
        check_request(Request::ClientName(&name));
        check_request(Request::HostName(&name));
        check_request(Request::Search { id, minor, wants_miss: flag, name: &name });
        check_request(Request::CreateChannel { cid: id, minor, name: &name });
        check_request(Request::EventAdd { data_type, count, sid, subid: id, mask });
        check_request(Request::EventCancel { data_type, count, sid, subid: id });
        check_request(Request::ReadNotify { data_type, count, sid, ioid: id });
        check_request(Request::Write { data_type, count, sid, ioid: id, data: &data });
        check_request(Request::WriteNotify { data_type, count, sid, ioid: id, data: &data });
        check_request(Request::ClearChannel { sid, cid: id });
        check_request(Request::EventsOff);
        check_request(Request::EventsOn);
        check_request(Request::Echo);
    }

    #[test]
    fn a_reply_reads_as_it_was_written(
        text in text(), data in data(), [data_type, minor, port] in any::<[u16; 3]>(),
        [id, sid, count, host] in any::<[u32; 4]>(), [read, write] in any::<[bool; 2]>(),
    ) {
        let status = Status(host);
        let address = (!matches!(host, 0 | u32::MAX)).then(|| host.into());
        let request = Header { command: 15, payload_bytes: 8, data_type, count, p1: sid, p2: id };
        check_reply(Reply::Version { priority: data_type, minor, sequence: id });
        check_reply(Reply::Found { id, port, address, minor: read.then_some(minor) });
        check_reply(Reply::NotFound { id, minor });
        check_reply(Reply::AccessRights { cid: id, read, write });
        check_reply(Reply::CreateChannel { cid: id, sid, data_type, count });
        check_reply(Reply::CreateFailed { cid: id });
        check_reply(Reply::ServerDisconnect { cid: id });
        check_reply(Reply::Update { data_type, count, status, subid: id, data: &data });
        check_reply(Reply::Cancelled { data_type, sid, subid: id });
        check_reply(Reply::ReadNotify { data_type, count, status, ioid: id, data: &data });
        check_reply(Reply::WriteNotify { data_type, count, status, ioid: id });
        check_reply(Reply::ClearChannel { sid, cid: id });
        check_reply(Reply::Error { cid: id, status, request, text: &text });
        check_reply(Reply::Echo);
        check_reply(Reply::Beacon { minor, port, number: id, address });
    }

    #[test]
    fn an_update_is_what_the_general_reader_reads(
        subid in any::<u32>(), seconds in any::<u32>(), nanos in any::<u32>(), count in any::<u32>()
    ) {
        let update = Update { subid, stamp: Stamp { seconds, nanos }, value: f64::from(count) };
        let long = Update { value: f64::from(count.cast_signed()), ..update };
        for (bytes, expect) in [
            (update.to_double_bytes().to_vec(), update),
            (long.to_long_bytes().to_vec(), long),
        ] {
            assert_eq!(Update::read(&bytes), Some((bytes.len(), expect)));
            assert_eq!(Update::read(&bytes[..bytes.len() - 1]), None);
            let reply = Reply::read(whole(&bytes));
            let Reply::Update { data_type, count, status, subid: whose, data } = reply else {
                panic!("{reply:?}");
            };
            let value = Value::read(data_type, count, data).unwrap();
            assert_eq!((status, whose), (Status::NORMAL, subid));
            assert_eq!((value.stamp(), value.number(0)), (Some(expect.stamp), Some(expect.value)));
        }
    }

    #[test]
    fn no_bytes_break_the_readers(bytes in noise()) {
        for message in Messages::new(&bytes) {
            let mut written = Vec::new();
            Request::read(message).write(&mut written);
            Reply::read(message).write(&mut written);
            for code in 0..40 {
                if let Some(value) = Value::read(code, message.header.count, message.payload) {
                    let _ = (value.stamp(), value.alarm(), value.number(0), value.text(0));
                }
            }
        }
        let _ = Update::read(&bytes);
    }
}
