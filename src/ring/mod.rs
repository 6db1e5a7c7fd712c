//! The queue that a shard drives: operations in, completions out.
