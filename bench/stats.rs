//! What it costs to count a time, and to make paper of what was counted.

use divan::{Bencher, black_box};
use onrush::stats::Recorder;
use onrush::unit::Nanos;

fn main() {
    divan::main();
}

/// Times from 20 us to some ms, as a server's are: by a fixed generator, so that branches and
/// buckets are not always the same ones.
fn times() -> Vec<Nanos> {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state >> 33
    };
    (0..4096).map(|_| Nanos(20_000 + (next() % 100_000) * (1 + next() % 40))).collect()
}

#[divan::bench]
fn record(bencher: Bencher<'_, '_>) {
    let times = times();
    let mut recorder = Recorder::new();
    let mut at = 0;
    bencher.bench_local(|| {
        recorder.record(black_box(times[at % 4096]));
        at += 1;
    });
    assert_eq!(recorder.count(), at as u64);
}

fn filled() -> Recorder {
    let mut recorder = Recorder::new();
    times().into_iter().for_each(|time| recorder.record(time));
    recorder
}

#[divan::bench]
fn merge(bencher: Bencher<'_, '_>) {
    let (mut sum, part) = (Recorder::new(), filled());
    bencher.bench_local(|| sum.merge(black_box(&part)));
}

#[divan::bench]
fn freeze(bencher: Bencher<'_, '_>) {
    let recorder = filled();
    bencher.bench_local(|| black_box(&recorder).freeze());
}
