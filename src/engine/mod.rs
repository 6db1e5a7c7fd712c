//! The shards and the run that spawns them.
