//! What the machine says of itself, outside the hot path.
