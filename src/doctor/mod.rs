//! What would spoil a run, with the cure.
