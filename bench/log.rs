//! What a record costs the shard that writes it, and a reader later.

use std::path::{Path, PathBuf};

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use onrush::evidence::Request;
use onrush::log::{self, Append, Reader};
use onrush::plan::Plan;
use onrush::unit::Rate;

fn main() {
    divan::main();
}

/// Records per iteration: what a fast shard writes in a millisecond.
const RECORDS: usize = 1000;

fn golden() -> Reader {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/log/v1.data");
    Reader::open(Path::new(path)).expect("the golden log is readable")
}

fn first_request(reader: &Reader) -> Request {
    let chunk = reader.chunk(0).expect("its chunk is sound").expect("it has one");
    chunk.requests().next().expect("it has a record")
}

fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("onrush-bench-{}-{name}", std::process::id()))
}

fn remove(path: &Path) {
    std::fs::remove_file(path).expect("the log can be removed");
}

#[divan::bench(sample_size = 1, sample_count = 500)]
fn append(bencher: Bencher<'_, '_>) {
    let golden = golden();
    let request = first_request(&golden);
    let plan = Plan { rate: Rate::Max, shards: 1, ..golden.plan().clone() };
    let path = scratch("append");
    let (mut keeper, mut writers) =
        log::create(&path, &plan, golden.environment()).expect("a log can be made");
    let mut writer = writers.remove(0);
    bencher
        .counter(ItemsCount::new(RECORDS))
        .with_inputs(|| keeper.tend().expect("there is room"))
        .bench_local_values(|()| {
            for _ in 0..RECORDS {
                writer.append(black_box(&request));
            }
        });
    assert_eq!(writer.lost(), 0);
}

#[divan::bench(sample_count = 20)]
fn read(bencher: Bencher<'_, '_>) {
    let golden = golden();
    let request = first_request(&golden);
    let plan = Plan { rate: Rate::Max, shards: 1, ..golden.plan().clone() };
    let path = scratch("read");
    let (keeper, mut writers) =
        log::create(&path, &plan, golden.environment()).expect("a log can be made");
    let records = 200_000u32;
    (0..records).for_each(|_| writers[0].append(&request));
    drop(writers);
    keeper.finish("").expect("the log can be ended");
    let reader = Reader::open(&path).expect("it is readable");
    bencher.counter(ItemsCount::new(records)).bench_local(|| {
        let mut service_ns = 0;
        for chunk in reader.chunks() {
            let chunk = chunk.expect("it is sound");
            service_ns += chunk.requests().map(|request| request.service().0).sum::<u64>();
        }
        service_ns
    });
    remove(&path);
}
