//! Where a shard puts its requests.

use crate::evidence::Request;

/// Takes requests as they end. The log's writer is one; a `Vec` is one in tests.
pub trait Append {
    /// Takes one request. Neither blocks nor allocates in a run.
    fn append(&mut self, request: &Request);

    /// Whether the next request would be kept, and not lost for want of room.
    fn has_room(&mut self) -> bool {
        true
    }
}

impl Append for Vec<Request> {
    fn append(&mut self, request: &Request) {
        self.push(*request);
    }
}
