//! What a run yielded, and the checks that judge it.
