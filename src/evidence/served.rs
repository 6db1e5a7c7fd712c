//! What a built-in target counted.

use std::ops::AddAssign;

/// What a target counted from its start to its end, over all shards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Served {
    /// Connections accepted.
    pub clients: u64,
    /// Connections that could not be accepted, most often for want of descriptors.
    pub turned_away: u64,
    /// HTTP requests that came whole; for an echo the pieces in which bytes came.
    pub requests: u64,
    /// Bytes that are no HTTP request, each the last of its connection.
    pub bad_requests: u64,
    /// Connections that the client broke off.
    pub resets: u64,
    /// Bytes of connections that came in.
    pub bytes_received: u64,
    /// Bytes of connections that went out.
    pub bytes_sent: u64,
}

impl AddAssign for Served {
    fn add_assign(&mut self, more: Self) {
        self.clients += more.clients;
        self.turned_away += more.turned_away;
        self.requests += more.requests;
        self.bad_requests += more.bad_requests;
        self.resets += more.resets;
        self.bytes_received += more.bytes_received;
        self.bytes_sent += more.bytes_sent;
    }
}
