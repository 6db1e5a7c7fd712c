//! EPICS servers that post a known sequence on each channel, faults of servers among it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use onrush::wire::{ca, pva};

/// Posts that each channel is to make.
pub(crate) const POSTS: i64 = 1000;

/// How many posts lie between two faults; the first is after half as many.
const EVERY: i64 = 100;

/// Faults of a channel that has them.
pub(crate) const FAULTS: u64 = (POSTS / EVERY) as u64;

/// After the last subscription: a run has begun by then.
const PAUSE: Duration = Duration::from_secs(1);

/// What a channel does wrong, by its number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Sound,
    Drops,
    Repeats,
    GoesBack,
    Stalls,
}

pub(crate) const MANNERS: [Manner; 5] =
    [Manner::Sound, Manner::Drops, Manner::Repeats, Manner::GoesBack, Manner::Stalls];

/// How a circuit ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Clean,
    HalfAMessage,
    /// Bytes of no protocol; it is for the client to end it.
    Garbage,
}

/// A server, for as long as its client stays.
pub(crate) struct Publisher {
    pub(crate) address: SocketAddr,
}

/// What a server knows of a circuit.
struct Circuit {
    /// By channel: the value it has.
    values: [i64; MANNERS.len()],
    /// By channel: the number that the client gave its subscription.
    subscribed: [Option<u32>; MANNERS.len()],
    stream: TcpStream,
}

/// How a server speaks.
trait Tongue: Default + Send + 'static {
    fn greeting(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Answers what is whole in `bytes`, and gives its length.
    fn answer(&mut self, bytes: &[u8], circuit: &mut Circuit, out: &mut Vec<u8>) -> usize;

    fn update(subscription: u32, value: i64) -> Vec<u8>;
}

impl Publisher {
    pub(crate) fn ca() -> Self {
        Self::start::<Ca>(None)
    }

    /// A Channel Access server whose first circuit has this end.
    pub(crate) fn ca_that_ends(end: End) -> Self {
        Self::start::<Ca>(Some(end))
    }

    pub(crate) fn pva() -> Self {
        Self::start::<Pva>(None)
    }

    /// A pvAccess server whose first circuit has this end.
    pub(crate) fn pva_that_ends(end: End) -> Self {
        Self::start::<Pva>(Some(end))
    }

    /// A pvAccess server that speaks with the highest byte first.
    pub(crate) fn pva_big() -> Self {
        Self::start::<PvaBig>(None)
    }

    fn start<T: Tongue>(end: Option<End>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for end in [end, None] {
                serve::<T>(&listener.accept().unwrap().0, end);
            }
        });
        Self { address }
    }
}

fn serve<T: Tongue>(stream: &TcpStream, end: Option<End>) {
    stream.set_nodelay(true).unwrap();
    let mut tongue = T::default();
    let (mut reader, mut writer) = (stream.try_clone().unwrap(), stream.try_clone().unwrap());
    writer.write_all(&tongue.greeting()).unwrap();
    let circuit = Circuit { values: [0; 5], subscribed: [None; 5], stream: writer };
    let circuit = Arc::new(Mutex::new(circuit));
    let (mut bytes, mut piece, mut posting) = (Vec::new(), [0; 4096], false);
    while let Ok(count @ 1..) = reader.read(&mut piece) {
        bytes.extend_from_slice(&piece[..count]);
        let mut locked = circuit.lock().unwrap();
        let mut out = Vec::new();
        let read = tongue.answer(&bytes, &mut locked, &mut out);
        bytes.drain(..read);
        if locked.stream.write_all(&out).is_err() {
            return;
        }
        if !posting && locked.subscribed.iter().all(Option::is_some) {
            posting = true;
            let circuit = Arc::clone(&circuit);
            thread::spawn(move || post::<T>(&circuit, end));
        }
    }
}

/// Makes the posts of all channels, but half of them on a circuit that ends.
fn post<T: Tongue>(circuit: &Mutex<Circuit>, end: Option<End>) {
    thread::sleep(PAUSE);
    let posts = if end.is_some() { POSTS / 2 - 1 } else { POSTS };
    for number in 1..=posts {
        let mut circuit = circuit.lock().unwrap();
        for (channel, manner) in MANNERS.into_iter().enumerate() {
            let is_fault = number % EVERY == EVERY / 2;
            let step = if is_fault && manner == Manner::GoesBack { -10 } else { 1 };
            circuit.values[channel] += step;
            let times = match manner {
                Manner::Drops if is_fault => 0,
                Manner::Repeats if is_fault => 2,
                Manner::Stalls if number > POSTS / 2 => 0,
                _ => 1,
            };
            let update = T::update(circuit.subscribed[channel].unwrap(), circuit.values[channel]);
            for _ in 0..times {
                if circuit.stream.write_all(&update).is_err() {
                    return;
                }
            }
        }
        drop(circuit);
        thread::sleep(Duration::from_micros(200));
    }
    let Some(end) = end else { return };
    let stream = &mut circuit.lock().unwrap().stream;
    let last = match end {
        End::Clean => vec![],
        End::HalfAMessage => T::update(0, 0)[..7].to_vec(),
        End::Garbage => vec![0xee; 4096],
    };
    let _ = stream.write_all(&last);
    if end != End::Garbage {
        // What was said still arrives.
        let _ = stream.shutdown(Shutdown::Write);
    }
}

#[derive(Default)]
struct Ca;

impl Tongue for Ca {
    fn greeting(&self) -> Vec<u8> {
        let mut out = Vec::new();
        ca::Reply::Version { priority: 0, minor: 13, sequence: 0 }.write(&mut out);
        out
    }

    fn answer(&mut self, bytes: &[u8], circuit: &mut Circuit, out: &mut Vec<u8>) -> usize {
        let mut read = 0;
        while let Some((length, message)) = ca::Message::split(&bytes[read..], 1 << 20).unwrap() {
            read += length;
            match ca::Request::read(message) {
                ca::Request::CreateChannel { cid, name, .. } => {
                    let Some(sid) = channel_of(std::str::from_utf8(name).unwrap()) else {
                        ca::Reply::CreateFailed { cid }.write(out);
                        continue;
                    };
                    ca::Reply::AccessRights { cid, read: true, write: true }.write(out);
                    let (data_type, count) = (ca::Base::Double as u16, 1);
                    ca::Reply::CreateChannel { cid, sid, data_type, count }.write(out);
                }
                ca::Request::EventAdd { sid, subid, .. } => {
                    circuit.subscribed[sid as usize] = Some(subid);
                    out.extend_from_slice(&Self::update(subid, 0));
                }
                ca::Request::ReadNotify { data_type, sid, ioid, .. } => {
                    let mut data = Vec::new();
                    let value = circuit.values[sid as usize] as f64;
                    let stamp = ca::Stamp::from_unix_ns(unix_ns());
                    ca::write_value(ca::Dbr::TIME_DOUBLE, stamp, [value].into_iter(), &mut data);
                    let status = ca::Status::NORMAL;
                    ca::Reply::ReadNotify { data_type, count: 1, status, ioid, data: &data }
                        .write(out);
                }
                _ => {}
            }
        }
        read
    }

    fn update(subid: u32, value: i64) -> Vec<u8> {
        let stamp = ca::Stamp::from_unix_ns(unix_ns());
        ca::Update { subid, stamp, value: value as f64 }.to_double_bytes().to_vec()
    }
}

#[derive(Default)]
struct Pva {
    cache: pva::TypeCache,
}

#[derive(Default)]
struct PvaBig(Pva);

impl Tongue for Pva {
    fn greeting(&self) -> Vec<u8> {
        greeting(pva::Order::Little)
    }

    fn answer(&mut self, bytes: &[u8], circuit: &mut Circuit, out: &mut Vec<u8>) -> usize {
        answer(&mut self.cache, pva::Order::Little, bytes, circuit, out)
    }

    fn update(ioid: u32, value: i64) -> Vec<u8> {
        update(pva::Order::Little, ioid, value)
    }
}

impl Tongue for PvaBig {
    fn greeting(&self) -> Vec<u8> {
        greeting(pva::Order::Big)
    }

    fn answer(&mut self, bytes: &[u8], circuit: &mut Circuit, out: &mut Vec<u8>) -> usize {
        answer(&mut self.0.cache, pva::Order::Big, bytes, circuit, out)
    }

    fn update(ioid: u32, value: i64) -> Vec<u8> {
        update(pva::Order::Big, ioid, value)
    }
}

fn greeting(order: pva::Order) -> Vec<u8> {
    let big = order == pva::Order::Big;
    let mut out = vec![0xca, 2, if big { 0xc1 } else { 0x41 }, 2, 0, 0, 0, 0];
    let methods = vec!["anonymous", "ca"];
    pva::FromServer::Validation { buffer: 65536, methods }.write(&mut out, order);
    out
}

/// `epics:nt/NTScalar:1.0` of a long, as far as clients look at it.
fn kind() -> pva::Type {
    let (long, int) = (pva::Type::Scalar(pva::Scalar::Long), pva::Type::Scalar(pva::Scalar::Int));
    let stamp = vec![("secondsPastEpoch", long.clone()), ("nanoseconds", int)];
    let stamp = pva::Type::structure("time_t", stamp).unwrap();
    let fields = vec![("value", long), ("timeStamp", stamp)];
    pva::Type::structure("epics:nt/NTScalar:1.0", fields).unwrap()
}

/// Bit set and fields of a value that was posted now.
fn fields(order: pva::Order, value: i64) -> Vec<u8> {
    let mut out = Vec::new();
    pva::write_bits(&mut out, order, [1, 2]);
    let now = unix_ns();
    let parts = [
        (pva::Scalar::Long, value),
        (pva::Scalar::Long, (now / 1_000_000_000) as i64),
        (pva::Scalar::Int, (now % 1_000_000_000) as i64),
    ];
    for (scalar, number) in parts {
        pva::write_number(&mut out, order, scalar, pva::Number::Whole(number));
    }
    out
}

fn update(order: pva::Order, ioid: u32, value: i64) -> Vec<u8> {
    let mut out = Vec::new();
    let mut body = fields(order, value);
    pva::write_bits(&mut body, order, []);
    data(&mut out, order, pva::command::MONITOR, ioid, &body);
    out
}

fn data(out: &mut Vec<u8>, order: pva::Order, command: u8, ioid: u32, body: &[u8]) {
    let body = pva::Reader::new(body, order);
    pva::FromServer::Data { command, ioid, sub: 0, status: pva::Status::OK, body }
        .write(out, order);
}

fn answer(
    cache: &mut pva::TypeCache,
    order: pva::Order,
    bytes: &[u8],
    circuit: &mut Circuit,
    out: &mut Vec<u8>,
) -> usize {
    let mut frames = pva::Frames::default();
    let (mut rest, mut read) = (bytes, 0);
    while let Some(frame) = frames.next(&mut rest).unwrap() {
        read += pva::HEADER_BYTES + frame.payload.len();
        assert!(frame.order == order, "the client speaks as it was told");
        let ok = pva::Status::OK;
        match pva::FromClient::read(&frame, cache).unwrap() {
            pva::FromClient::Validation { .. } => {
                pva::FromServer::Validated(ok).write(out, order);
            }
            pva::FromClient::Create(names) => {
                let (cid, name) = names.iter().next().unwrap();
                let sid = channel_of(name);
                let refused = pva::Status { code: 2, message: b"no such channel" };
                let status = if sid.is_some() { ok } else { refused };
                pva::FromServer::Created { cid, sid: sid.unwrap_or(0), status }.write(out, order);
            }
            pva::FromClient::Init { command, ioid, .. } => {
                let kind = Some(kind());
                pva::FromServer::Init { command, ioid, status: ok, kind }.write(out, order);
            }
            pva::FromClient::Operate { command: pva::command::MONITOR, sid, ioid, .. } => {
                circuit.subscribed[sid as usize] = Some(ioid);
                out.extend_from_slice(&update(order, ioid, 0));
            }
            pva::FromClient::Operate { command: pva::command::GET, sid, ioid, .. } => {
                let body = fields(order, circuit.values[sid as usize]);
                data(out, order, pva::command::GET, ioid, &body);
            }
            _ => {}
        }
    }
    read
}

/// The channel of a name: `P0` to `P4`.
fn channel_of(name: &str) -> Option<u32> {
    let number: u32 = name.strip_prefix('P')?.parse().ok()?;
    ((number as usize) < MANNERS.len()).then_some(number)
}

fn unix_ns() -> u64 {
    #[allow(clippy::disallowed_methods, reason = "tests have no clock but the system's")]
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64
}
