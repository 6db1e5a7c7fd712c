//! When the next session is due. Knows nothing of completions.
