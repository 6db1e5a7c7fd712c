//! What a request costs beside the kernel: its name in the queue, its count, its times.

use divan::{Bencher, black_box};
use onrush::evidence::{Phase, Request, Tally};
use onrush::log::Reader;
use onrush::outcome::Series;
use onrush::ring::{Kind, Token};
use onrush::unit::Nanos;

fn main() {
    divan::main();
}

fn requests() -> Vec<Request> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/log/v1.data");
    let golden = Reader::open(path.as_ref()).expect("the golden log is readable");
    let chunk = golden.chunk(0).expect("its chunk is sound").expect("it has one");
    let first = chunk.requests().next().expect("it has a record");
    let later = |i: u64| Request {
        phase: Phase::Measure,
        done_at: first.sent_at + Nanos::from_micros(20 + 7 * (i % 64)),
        ..first
    };
    (0..1024).map(later).collect()
}

#[divan::bench]
fn token_packed(bencher: Bencher<'_, '_>) {
    let mut generation = 0;
    bencher.bench_local(|| {
        generation += 1;
        Token::new(black_box(77), generation).of(Kind::Receive).to_bits()
    });
}

#[divan::bench]
fn token_read(bencher: Bencher<'_, '_>) {
    let bits = Token::new(77, 1000).of(Kind::Receive).to_bits();
    bencher.bench_local(|| {
        let token = Token::from_bits(black_box(bits));
        (token.kind(), token.slot(), token.is_of(1000))
    });
}

#[divan::bench]
fn tally(bencher: Bencher<'_, '_>) {
    let (requests, mut tally, mut at) = (requests(), Tally::prepared(), 0);
    bencher.bench_local(|| {
        tally.count(black_box(&requests[at % 1024]));
        at += 1;
    });
    assert_eq!(tally.outcomes.iter().sum::<u64>(), at as u64);
}

/// What a shard pays in addition where the log does not keep every request.
#[divan::bench]
fn series(bencher: Bencher<'_, '_>) {
    let (requests, mut series, mut at) = (requests(), Series::new(), 0);
    bencher.bench_local(|| {
        series.record(black_box(&requests[at % 1024]));
        at += 1;
    });
    assert_eq!(series.service.count(), at as u64);
}
