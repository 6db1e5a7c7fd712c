//! Any bytes as a log: refused, or read to the end, in memory bounded by their number.
#![no_main]

use libfuzzer_sys::fuzz_target;
use onrush::log::Reader;

fuzz_target!(|data: &[u8]| {
    let Ok(reader) = Reader::from_bytes(data.to_vec()) else { return };
    for chunk in reader.chunks() {
        let Ok(chunk) = chunk else { return };
        assert!(chunk.shard() < reader.shards());
        let read = chunk.requests().count() as u64 + chunk.unknown();
        assert!(read <= data.len() as u64 / 64);
    }
});
