//! The same shard in virtual time, for tests.
