use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::IpAddr;

use proptest::prelude::*;

use super::*;

fn data(name: &str) -> Vec<u8> {
    std::fs::read(format!("tests/data/pva/{name}")).unwrap()
}

/// The messages of a stream that arrives in pieces of `piece` bytes, as `see` shows them.
fn each_frame(bytes: &[u8], piece: usize, mut see: impl FnMut(&Frame<'_>)) -> Result<(), Fault> {
    let mut frames = Frames::default();
    for mut piece in bytes.chunks(piece) {
        while let Some(frame) = frames.next(&mut piece)? {
            see(&frame);
        }
    }
    Ok(())
}

/// What a client has to remember to read on.
#[derive(Default)]
struct Ear {
    cache: TypeCache,
    shapes: HashMap<u32, Shape>,
}

/// A line for a message from a server; as much of it as a client wants to know.
fn hear(ear: &mut Ear, frame: &Frame<'_>) -> String {
    if frame.control {
        // The first word of a circuit.
        *ear = Ear::default();
        return format!("control {}", frame.command);
    }
    match FromServer::read(frame, &mut ear.cache).unwrap() {
        FromServer::Init { command, ioid, status, kind } => {
            let Some(kind) = kind else { return format!("refused {ioid:x} {status:?}") };
            let shape = Shape::new(&kind);
            let (nodes, value) = (shape.nodes(), shape.value_type());
            ear.shapes.insert(ioid, shape);
            format!("init {command:x} {ioid:x}: {nodes} nodes, value {value:?}")
        }
        FromServer::Data { command, ioid, sub, status, mut body } => {
            if !status.is_ok() || body.rest().is_empty() {
                let why = String::from_utf8_lossy(status.message).into_owned();
                return format!("done {command:x} {ioid:x} {sub:x} {} '{why}'", status.code);
            }
            let Some(shape) = ear.shapes.get(&ioid) else { return "of the dead".into() };
            let changed = Bits::read(&mut body).unwrap();
            let set: Vec<_> = (0..shape.nodes()).filter(|&node| changed.has(node)).collect();
            let Sample { value, seconds, nanoseconds, user_tag, severity } =
                shape.sample(&changed, &mut body, &mut ear.cache).unwrap();
            if command == command::MONITOR {
                assert!(Bits::read(&mut body).unwrap().is_empty(), "overrun");
            }
            assert_eq!(body.rest(), b"", "all was read");
            format!(
                "data {command:x} {ioid:x} {sub:x} {set:?}: {value:?} at {seconds:?} \
                 {nanoseconds:?} tag {user_tag:?} severity {severity:?}"
            )
        }
        FromServer::SearchReply(reply) => {
            let ids: Vec<u32> = reply.ids.iter().collect();
            format!("found {} at {:?}: {ids:x?}", reply.found, reply.place)
        }
        other => format!("{other:?}"),
    }
}

fn overhear(cache: &mut TypeCache, frame: &Frame<'_>) -> String {
    if frame.command == command::VALIDATION {
        *cache = TypeCache::default();
    }
    match FromClient::read(frame, cache).unwrap() {
        FromClient::Create(names) => format!("create {:x?}", names.iter().collect::<Vec<_>>()),
        FromClient::Search(search) => {
            let names: Vec<_> = search.names.iter().collect();
            let Search { sequence, must_reply, unicast, reply_to, .. } = search;
            format!("search {sequence:x} {must_reply} {unicast} {reply_to:?} {names:x?}")
        }
        FromClient::Operate { command, ioid, sub, body, .. } => {
            format!("operate {command:x} {ioid:x} {sub:x} with {:x?}", body.rest())
        }
        other => format!("{other:?}"),
    }
}

fn transcript(name: &str, piece: usize) -> String {
    let bytes = data(name);
    let mut text = String::new();
    let (mut ear, mut cache) = (Ear::default(), TypeCache::default());
    each_frame(&bytes, piece, |frame| {
        let line = match frame.sender {
            Sender::Server if frame.command == command::BEACON => "a beacon".into(),
            Sender::Server => hear(&mut ear, frame),
            Sender::Client => overhear(&mut cache, frame),
        };
        writeln!(text, "{line}").unwrap();
    })
    .unwrap();
    text
}

const CAPTURED: [&str; 13] = [
    "nameserver_client",
    "nameserver_server",
    "p4p_client",
    "p4p_datagrams",
    "p4p_server",
    "probes_client",
    "probes_server",
    "qsrv1_client",
    "qsrv1_datagrams",
    "qsrv1_server",
    "qsrv2_client",
    "qsrv2_datagrams",
    "qsrv2_server",
];

#[test]
fn what_real_peers_said_reads_as_it_was_meant() {
    let said: String =
        CAPTURED.iter().map(|name| format!("== {name}\n{}", transcript(name, 1 << 20))).collect();
    let golden = "tests/data/pva_transcript.txt";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(golden, &said).unwrap();
    }
    assert_eq!(said, std::fs::read_to_string(golden).unwrap());
}

#[test]
fn a_stream_cut_anywhere_reads_the_same() {
    for name in CAPTURED {
        let whole = transcript(name, 1 << 20);
        for piece in [1, 7, 8, 9, 41, 1000] {
            assert_eq!(transcript(name, piece), whole, "{name} in pieces of {piece}");
        }
    }
}

#[test]
fn what_pvxs_sent_is_written_as_it_was() {
    for name in ["qsrv2_server", "p4p_server", "qsrv2_client", "p4p_client"] {
        let mut cache = TypeCache::default();
        each_frame(&data(name), 1 << 20, |frame| {
            if frame.control || frame.command == command::MESSAGE {
                return;
            }
            let mut written = Vec::new();
            match frame.sender {
                Sender::Server => {
                    FromServer::read(frame, &mut cache).unwrap().write(&mut written, frame.order);
                }
                Sender::Client => match FromClient::read(frame, &mut cache).unwrap() {
                    // Its options are more than we know.
                    FromClient::Init { command: command::PUT, .. } => return,
                    said => said.write(&mut written, frame.order),
                },
            }
            let head = HEADER_BYTES.min(written.len());
            assert_eq!(&written[head..], frame.payload, "{name}, command {:x}", frame.command);
        })
        .unwrap();
    }
}

#[test]
fn an_update_of_a_known_layout_reads_as_any_other() {
    let mut seen = 0;
    for name in ["qsrv1_server", "qsrv2_server", "p4p_server"] {
        let mut ear = Ear::default();
        let mut layouts: Vec<Layout> = Vec::new();
        each_frame(&data(name), 1 << 20, |frame| {
            hear(&mut ear, frame);
            let bytes = frame.payload;
            if frame.control || frame.command != command::MONITOR || bytes[4] != 0 {
                return;
            }
            let ioid = u32::from_le_bytes(*bytes.first_chunk().unwrap());
            let mut body = Reader::new(&bytes[5..], frame.order);
            let changed = Bits::read(&mut body).unwrap();
            let shape = &ear.shapes[&ioid];
            let general = shape.sample(&changed, &mut body, &mut TypeCache::default()).unwrap();
            let Some(layout) = Layout::new(shape, &changed, frame.order) else { return };
            let fast = layout.sample(&bytes[5..], frame.order).unwrap();
            assert_eq!(
                (fast.value, fast.seconds, fast.nanoseconds),
                (general.value, general.seconds, general.nanoseconds)
            );
            let overrun = [&bytes[5..bytes.len() - 1], &[1]].concat();
            assert_eq!(layout.sample(&overrun, frame.order), None);
            assert_eq!(layout.sample(&bytes[5..], Order::Big), None);
            assert_eq!(layout.sample(&bytes[6..], frame.order), None);
            layouts.push(layout);
            seen += 1;
        })
        .unwrap();
    }
    assert!(seen > 20, "{seen}");
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![Just(Order::Little), Just(Order::Big)]
}

fn kind() -> impl Strategy<Value = Type> {
    let scalar = || (0..Scalar::ALL.len()).prop_map(|index| Scalar::ALL[index]);
    let leaf = prop_oneof![
        scalar().prop_map(Type::Scalar),
        scalar().prop_map(Type::Array),
        Just(Type::Text),
        any::<u32>().prop_map(Type::BoundedText),
        Just(Type::TextArray),
        Just(Type::Any),
        Just(Type::AnyArray),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let fields = proptest::collection::vec(("[a-z]{0,3}", inner), 0..6);
        ("[a-z:]{0,4}", fields, 0..4u8).prop_map(|(id, fields, which)| {
            let fields =
                fields.into_iter().map(|(name, kind)| Field { name, kind }).collect::<Vec<_>>();
            let inner = std::sync::Arc::new(Structure::new(&id, fields).unwrap());
            match which {
                0 => Type::Structure(inner),
                1 => Type::Union(inner),
                2 => Type::StructureArray(inner),
                _ => Type::UnionArray(inner),
            }
        })
    })
}

proptest! {
    #[test]
    fn a_type_reads_back(kind in kind(), order in order()) {
        let mut bytes = Vec::new();
        kind.write(&mut bytes, order);
        let mut reader = Reader::new(&bytes, order);
        let read = Type::read(&mut reader, &mut TypeCache::default()).unwrap();
        prop_assert_eq!(read, Some(kind));
        prop_assert!(reader.rest().is_empty());
    }

    #[test]
    fn a_bit_set_reads_back(
        bits in proptest::collection::btree_set(0usize..300, 0..40),
        order in order(),
    ) {
        let mut bytes = Vec::new();
        write_bits(&mut bytes, order, bits.iter().copied());
        let mut reader = Reader::new(&bytes, order);
        let set = Bits::read(&mut reader).unwrap();
        prop_assert!(reader.rest().is_empty());
        prop_assert!((0..400).all(|bit| set.has(bit) == bits.contains(&bit)));
        prop_assert_eq!(set.is_empty(), bits.is_empty());
        prop_assert!(bits.is_empty() || order == Order::Big || bytes.last() != Some(&0));
    }

    #[test]
    fn a_request_reads_back(
        fields in proptest::collection::vec("[a-z]{1,9}", 0..4),
        queue in proptest::option::of(any::<u32>()),
        pipeline in any::<bool>(),
        order in order(),
    ) {
        let request = PvRequest { fields, queue, pipeline };
        let mut bytes = Vec::new();
        request.write(&mut bytes, order);
        let mut reader = Reader::new(&bytes, order);
        let read = PvRequest::read(&mut reader, &mut TypeCache::default()).unwrap();
        prop_assert_eq!(read, request);
        prop_assert!(reader.rest().is_empty());
    }

    #[test]
    fn a_search_and_its_reply_read_back(
        names in proptest::collection::vec((any::<u32>(), "[A-Z:]{0,300}"), 0..6),
        sequence in any::<u32>(),
        address in any::<u32>(),
        port in any::<u16>(),
        order in order(),
    ) {
        let place = Place { address: IpAddr::V4(address.into()), port };
        let mut bytes = Vec::new();
        let asked = names.iter().map(|(id, name)| (*id, name.as_str()));
        let must_reply = port % 2 == 0;
        Search::write(&mut bytes, order, (sequence, place), must_reply, asked.clone());
        let search = Search::read(Reader::new(&bytes, order)).unwrap();
        prop_assert_eq!(search.must_reply, must_reply);
        prop_assert_eq!((search.sequence, search.reply_to), (sequence, place));
        prop_assert!(search.names.iter().eq(asked));
        let ids: Vec<u32> = names.iter().map(|&(id, _)| id).collect();
        bytes.clear();
        SearchReply::write(&mut bytes, order, ([7; 12], sequence, place), &ids);
        let reply = SearchReply::read(Reader::new(&bytes, order)).unwrap();
        prop_assert_eq!((reply.place, reply.found), (place, !ids.is_empty()));
        prop_assert!(reply.ids.iter().eq(ids));
    }

    #[test]
    fn names_added_to_a_search_are_as_if_they_were_there_at_once(
        names in proptest::collection::vec((any::<u32>(), "[A-Z:]{0,300}"), 1..6),
        before in proptest::collection::vec(any::<u8>(), 0..9),
        order in order(),
    ) {
        let head = (7, Place { address: IpAddr::V4(1.into()), port: 99 });
        let asked: Vec<_> = names.iter().map(|(id, name)| (*id, name.as_str())).collect();
        let write = |names: &[(u32, &str)]| {
            let mut out = before.clone();
            message(&mut out, order, Sender::Client, command::SEARCH, |out| {
                Search::write(out, order, head, true, names.iter().copied());
            });
            out
        };
        let mut grown = write(&asked[..1]);
        for (number, &name) in asked[1..].iter().enumerate() {
            Search::add(&mut grown, before.len(), order, name);
            prop_assert_eq!(&grown, &write(&asked[..number + 2]));
        }
        let length = message_bytes(&grown[before.len()..]);
        prop_assert_eq!(length, grown.len() - before.len());
        prop_assert_eq!(message_bytes(&[&grown[before.len()..], &[1; 9]].concat()), length);
    }

    #[test]
    fn no_bytes_panic_or_are_taken_for_more_than_they_are(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..200),
        command in 0..0x18u8,
    ) {
        let _ = each_frame(&bytes, 16, |_| {});
        bytes.splice(0..0, [0xca, 2, 0x40, command, bytes.len() as u8, 0, 0, 0]);
        let _ = each_frame(&bytes, 16, |frame| {
            let cache = &mut TypeCache::default();
            let _ = FromServer::read(frame, cache);
            let _ = FromClient::read(frame, cache);
        });
    }
}

#[track_caller]
fn check_refused(bytes: &[u8], fault: Fault) {
    let mut reader = Reader::new(bytes, Order::Little);
    assert_eq!(Type::read(&mut reader, &mut TypeCache::default()), Err(fault));
}

#[test]
fn types_that_would_swell_are_refused() {
    check_refused(&[0xfe, 1, 0], Fault::UnknownType);
    check_refused(&[0x80, 0, 0xfe, 0xff, 0xff, 0xff, 0x7f], Fault::Type);
    check_refused(&[0x50, 4], Fault::Type);
    check_refused(&[0x80, 0, 1, 0, 0xff], Fault::Type);
    check_refused(&[0x80, 0, 1, 0], Fault::Short);
    check_refused(&[0x80, 1, 0xff, 0], Fault::Text);
    check_refused(&[0x80, 0, 1, 0].repeat(1000), Fault::Type);
    check_refused(&[0xfd, 0, 0].repeat(1000), Fault::Type);
    // Sixteen of the last, over and over: short on the wire, 16^n nodes.
    let mut reader_bytes = vec![0xfd, 0, 0, 0x80, 0, 0];
    for level in 1..8u8 {
        reader_bytes.extend([0xfd, level, 0, 0x80, 0, 16]);
        (0..16).for_each(|_| reader_bytes.extend([0, 0xfe, level - 1, 0]));
    }
    let mut reader = Reader::new(&reader_bytes, Order::Little);
    let mut cache = TypeCache::default();
    let last =
        std::iter::from_fn(|| Some(Type::read(&mut reader, &mut cache))).find(|read| read.is_err());
    assert_eq!(last, Some(Err(Fault::Type)));
}

#[test]
fn counts_beyond_the_message_are_refused_before_memory_is_taken() {
    let check = |kind: Type, bytes: &[u8]| {
        let mut reader = Reader::new(bytes, Order::Little);
        assert_eq!(kind.skip(&mut reader, &mut TypeCache::default()), Err(Fault::Short));
    };
    check(Type::Array(Scalar::Double), &[0xfe, 0xff, 0xff, 0xff, 0xff, 0]);
    check(Type::TextArray, &[0xfe, 0xff, 0xff, 0xff, 0xff, 0]);
    check(Type::AnyArray, &[0xfe, 0xff, 0xff, 0xff, 0xff, 1]);
    let mut frames = Frames::default();
    let mut bytes = &[0xca, 2, 0, 2, 0xff, 0xff, 0xff, 0x7f][..];
    assert_eq!(frames.next(&mut bytes), Err(Fault::TooLong));
    let mut bytes = b"HTTP/1.1 200 OK".as_slice();
    assert_eq!(frames.next(&mut bytes), Err(Fault::Magic));
}

#[test]
fn segments_that_do_not_belong_together_are_refused() {
    let segment = |flags: u8, command: u8| vec![0xca, 2, flags, command, 0, 0, 0, 0];
    let check = |parts: &[Vec<u8>], fault| {
        let refused = each_frame(&parts.concat(), 64, |_| {});
        assert_eq!(refused, fault);
    };
    check(&[segment(0x10, 2), segment(0x30, 2), segment(0x20, 2)], Ok(()));
    check(&[segment(0x10, 2), segment(0x20, 3)], Err(Fault::Segments));
    check(&[segment(0x10, 2), segment(0x10, 2)], Err(Fault::Segments));
    check(&[segment(0x30, 2)], Err(Fault::Segments));
    check(&[segment(0x10, 2), segment(0xa0, 2)], Err(Fault::Segments));
}
