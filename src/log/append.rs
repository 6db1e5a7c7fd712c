//! Where a shard puts its requests and its holes.

use crate::evidence::{Entry, Hole, Request};

/// Takes requests as they end, and holes as they are seen. The log's writer is one; a `Vec` is one
/// in tests.
pub trait Append {
    /// Takes one request. Neither blocks nor allocates in a run.
    fn append(&mut self, request: &Request);

    /// Takes a hole, before any request that ends in the pass after it. Neither blocks nor
    /// allocates in a run.
    fn hole(&mut self, _hole: &Hole) {}

    /// Whether the next request would be kept, and not lost for want of room.
    fn has_room(&mut self) -> bool {
        true
    }
}

impl Append for Vec<Entry> {
    fn append(&mut self, request: &Request) {
        self.push(Entry::Request(*request));
    }

    fn hole(&mut self, hole: &Hole) {
        self.push(Entry::Hole(*hole));
    }
}
