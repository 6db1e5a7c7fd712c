//! What an update costs a client: `cargo bench --bench circuits`.
#![allow(clippy::unwrap_used, reason = "a bench that cannot be set up has failed")]

use divan::Bencher;
use divan::counter::ItemsCount;
use onrush::plan::{ChannelPlan, Operation, Profile};
use onrush::protocol::{Ca, Circuit, Event, Hear, Posted, Pva, Size};
use onrush::wire::{ca, pva};

fn main() {
    divan::main();
}

/// Updates of a piece, each of another subscription.
const UPDATES: u32 = 800;

const SIZE: Size = Size { channels: UPDATES, subscriptions: UPDATES, operations: 0 };

/// Checks updates as a run does, without its times.
struct Checks {
    last: Vec<i64>,
    missing: i64,
}

impl Hear for Checks {
    fn update(&mut self, subscription: u32, posted: Posted) {
        let last = &mut self.last[subscription as usize];
        self.missing += posted.steps_from(*last);
        *last = posted.value;
    }

    fn event(&mut self, _event: Event) {}
}

fn plan() -> ChannelPlan {
    let (op, profile) = (Operation::Monitor, Profile::Greedy);
    let (pvs, monitors, circuits) = (UPDATES, 1, 1);
    ChannelPlan { op, pvs, monitors, circuits, profile, queue: None, ack: None, search: None }
}

fn bench<P: Circuit>(bencher: Bencher<'_, '_>, mut protocol: P, setup: &[u8], updates: &[u8]) {
    let mut conn = protocol.open(SIZE);
    let mut checks = Checks { last: vec![0; UPDATES as usize], missing: 0 };
    let mut out = Vec::new();
    protocol.receive(&mut conn, setup, &mut out, &mut checks).unwrap();
    bencher.counter(ItemsCount::new(UPDATES)).bench_local(|| {
        out.clear();
        protocol.receive(&mut conn, divan::black_box(updates), &mut out, &mut checks).unwrap();
        checks.missing
    });
}

#[divan::bench]
fn ca_updates(bencher: Bencher<'_, '_>) {
    let stamp = ca::Stamp::from_unix_ns(1_700_000_000_000_000_000);
    let update = |subid| ca::Update { subid, stamp, value: 7.0 }.to_double_bytes();
    let updates: Vec<u8> = (0..UPDATES).flat_map(update).collect();
    bench(bencher, Ca::new(&plan()), &[], &updates);
}

/// Those of `epics:nt/NTScalar:1.0` with value and time stamp, as pvxs sends them.
#[divan::bench]
fn pva_updates(bencher: Bencher<'_, '_>) {
    let order = pva::Order::Little;
    let scalar = pva::Type::Scalar;
    let stamp = vec![
        ("secondsPastEpoch", scalar(pva::Scalar::Long)),
        ("nanoseconds", scalar(pva::Scalar::Int)),
        ("userTag", scalar(pva::Scalar::Int)),
    ];
    let stamp = pva::Type::structure("time_t", stamp).unwrap();
    let fields = vec![("value", scalar(pva::Scalar::Double)), ("timeStamp", stamp)];
    let kind = pva::Type::structure("epics:nt/NTScalar:1.0", fields).unwrap();
    let mut body = Vec::new();
    pva::write_bits(&mut body, order, [1, 2]);
    body.extend_from_slice(&[0; 24]);
    pva::write_bits(&mut body, order, []);
    let (mut setup, mut updates) = (Vec::new(), Vec::new());
    let (command, status) = (pva::command::MONITOR, pva::Status::OK);
    for ioid in 0..UPDATES {
        let kind = Some(kind.clone());
        pva::FromServer::Init { command, ioid, status, kind }.write(&mut setup, order);
        let body = pva::Reader::new(&body, order);
        pva::FromServer::Data { command, ioid, sub: 0, status, body }.write(&mut updates, order);
    }
    bench(bencher, Pva::new(&plan()), &setup, &updates);
}
