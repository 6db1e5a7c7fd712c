//! Recorders (hot, mergeable) and distributions (frozen, for paper).
