//! What has to hold of any bytes as a log: refused, or read to the end, in memory bounded by
//! their number. Used by the fuzz target and, on its seeds, by `tests/fuzz_seeds.rs`.

use onrush::evidence::{Entry, Outcome};
use onrush::log::{Part, Reader};
use onrush::outcome::Builder;

/// Reads `data` as a log; gives how many records it found, legible or not.
///
/// # Panics
/// Where a chunk is of no shard, or the records take more bytes than there are.
pub(crate) fn check_log(data: &[u8]) -> u64 {
    let Ok(reader) = Reader::from_bytes(data.to_vec()) else { return 0 };
    let mut records = 0;
    check_parts(&reader, data.len() as u64 / 64);
    for chunk in reader.chunks() {
        let Ok(chunk) = chunk else { break };
        assert!(chunk.shard() < reader.shards());
        let read = chunk.entries().count() as u64 + chunk.unknown();
        assert!(read <= data.len() as u64 / 64);
        records += read;
    }
    records
}

/// A log read in parts holds what it holds read whole, however many there are.
fn check_parts(reader: &Reader, most: u64) {
    let Ok(whole) = reader.parts(1) else { return };
    let Ok(cut) = reader.parts(3) else { panic!("its chunks were read a moment ago") };
    let entries = |parts: &[Part<'_>]| {
        let (mut entries, mut unknown) = (Vec::new(), 0);
        for part in parts {
            assert!(part.shard() < reader.shards());
            unknown += part.each(|entry| entries.push(*entry)).expect("it is in memory");
            let slowly = part.cursor().map(|entry| entry.expect("it is in memory"));
            let first = entries.len() - slowly.count();
            let holes = entries[first..].iter().filter(|entry| matches!(entry, Entry::Hole(_)));
            assert_eq!(part.holes().expect("it is in memory").len(), holes.count());
        }
        (entries, unknown)
    };
    let whole = entries(&whole);
    assert!(whole.0.len() as u64 + whole.1 <= most);
    assert_eq!(entries(&cut), whole);
    check_report(&whole.0, reader);
}

/// Whatever the stamps are, the figures add up and nothing overflows.
fn check_report(entries: &[Entry], reader: &Reader) {
    let mut builder = Builder::new(reader.plan().clone(), reader.environment().clone());
    builder.measure_at(reader.epoch() + reader.plan().warmup);
    for entry in entries {
        match entry {
            Entry::Request(request) => builder.request(0, request),
            Entry::Hole(hole) => builder.hole(0, hole),
            Entry::Slip(slip) => builder.slip(0, slip),
        }
    }
    let summary = builder.finish();
    let tally = &summary.tally;
    let outcomes: u64 = tally.outcomes.iter().sum();
    assert_eq!(
        outcomes,
        tally.requests_ok
            + tally.requests_failed
            + tally.outcome(Outcome::Dropped)
            + tally.outcome(Outcome::Unserved)
    );
}
