//! What it costs to know when the next session is due.

use divan::{Bencher, black_box};
use onrush::arrival::{Arrivals, Span};
use onrush::log::Reader;
use onrush::plan::Plan;
use onrush::unit::Instant;

fn main() {
    divan::main();
}

/// One shard of `shards`: the others' arrivals are stepped over, which random gaps feel.
#[divan::bench(args = ["even", "rush:100ms", "random", "random:uniform"], consts = [1, 8])]
fn advance<const SHARDS: u32>(bencher: Bencher<'_, '_>, pattern: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/log/v1.data");
    let golden = Reader::open(path.as_ref()).expect("the golden log is readable");
    let plan = Plan {
        pattern: pattern.parse().expect("it is a pattern"),
        rate: "50k".parse().expect("it is a rate"),
        shards: SHARDS,
        ..golden.plan().clone()
    };
    // Endless, so that however long a sample is there is a next arrival.
    let endless = Span::Counted(u64::MAX);
    let mut arrivals =
        Arrivals::new(&plan, 0, Instant::ZERO, endless).expect("a rate has a schedule");
    bencher.bench_local(|| {
        arrivals.advance();
        black_box(arrivals.peek())
    });
}
