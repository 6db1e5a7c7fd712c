//! What the text form of a plan costs: it is written once a run and read once a report.

use divan::{Bencher, black_box};
use onrush::log::Reader;
use onrush::plan::Plan;
use onrush::unit::Field;

fn main() {
    divan::main();
}

fn plan() -> Plan {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/log/v1.data");
    Reader::open(path.as_ref()).expect("the golden log is readable").plan().clone()
}

#[divan::bench]
fn write(bencher: Bencher<'_, '_>) {
    let plan = plan();
    bencher.bench_local(|| black_box(&plan).to_text());
}

#[divan::bench]
fn read(bencher: Bencher<'_, '_>) {
    let text = plan().to_text();
    bencher.bench_local(|| Plan::from_text(black_box(&text)).expect("it was just written"));
}
