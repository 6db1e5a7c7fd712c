//! What has to hold of any bytes as a log: refused, or read to the end, in memory bounded by
//! their number. Used by the fuzz target and, on its seeds, by `tests/fuzz_seeds.rs`.

use onrush::log::Reader;

/// Reads `data` as a log; gives how many records it found, legible or not.
///
/// # Panics
/// Where a chunk is of no shard, or the records take more bytes than there are.
pub(crate) fn check_log(data: &[u8]) -> u64 {
    let Ok(reader) = Reader::from_bytes(data.to_vec()) else { return 0 };
    let mut records = 0;
    for chunk in reader.chunks() {
        let Ok(chunk) = chunk else { break };
        assert!(chunk.shard() < reader.shards());
        let read = chunk.entries().count() as u64 + chunk.unknown();
        assert!(read <= data.len() as u64 / 64);
        records += read;
    }
    records
}
