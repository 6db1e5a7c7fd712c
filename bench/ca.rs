//! What an update of Channel Access costs: written, read the short way, and read as any message.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use onrush::wire::ca::{Messages, Reply, Stamp, Update, Value};

fn main() {
    divan::main();
}

/// As many as a server sends at once.
const UPDATES: u32 = 1600;

fn update(subid: u32) -> Update {
    Update { subid, stamp: Stamp { seconds: 1, nanos: 2 }, value: 3.0 }
}

fn bytes() -> Vec<u8> {
    (0..UPDATES).flat_map(|subid| update(subid).to_double_bytes()).collect()
}

#[divan::bench]
fn write(bencher: Bencher<'_, '_>) {
    let mut out = Vec::with_capacity(64 * 1024);
    bencher.counter(ItemsCount::new(UPDATES)).bench_local(|| {
        out.clear();
        for subid in 0..UPDATES {
            out.extend_from_slice(&black_box(update(subid)).to_double_bytes());
        }
        out.len()
    });
}

#[divan::bench]
fn read(bencher: Bencher<'_, '_>) {
    let bytes = bytes();
    bencher.counter(ItemsCount::new(UPDATES)).bench_local(|| {
        let (mut rest, mut sum) = (black_box(&bytes[..]), 0.0);
        while let Some((length, update)) = Update::read(rest) {
            rest = &rest[length..];
            sum += update.value + f64::from(update.subid);
        }
        sum
    });
}

#[divan::bench]
fn read_as_any_message(bencher: Bencher<'_, '_>) {
    let bytes = bytes();
    let value = |message| match Reply::read(message) {
        Reply::Update { data_type, count, subid, data, .. } => {
            Some(Value::read(data_type, count, data)?.number(0)? + f64::from(subid))
        }
        _ => None,
    };
    bencher
        .counter(ItemsCount::new(UPDATES))
        .bench_local(|| Messages::new(black_box(&bytes)).filter_map(value).sum::<f64>());
}
