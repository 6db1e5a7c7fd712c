//! Where a shard puts its requests, its holes and its slips.

use crate::evidence::{Entry, Hole, Request, Slip};

/// Takes requests as they end and holes as they are found. The log's writer implements it; in tests
/// a `Vec` does.
pub trait Append {
    /// Takes one request. Neither blocks nor allocates in a run.
    fn append(&mut self, request: &Request);

    /// Takes a hole, before any request that ends in the pass after it. Neither blocks nor
    /// allocates in a run.
    fn hole(&mut self, _hole: &Hole) {}

    /// Takes an update that was not the next. Neither blocks nor allocates in a run.
    fn slip(&mut self, _slip: &Slip) {}

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

    fn slip(&mut self, slip: &Slip) {
        self.push(Entry::Slip(*slip));
    }
}
