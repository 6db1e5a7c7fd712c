//! Shared file mappings, bounds-checked, with the ordering said.
