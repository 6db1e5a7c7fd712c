//! Outcome -> bytes, one file per format.
