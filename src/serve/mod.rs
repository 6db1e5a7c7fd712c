//! Built-in targets.
