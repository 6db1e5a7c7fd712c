//! The ring: it owns every byte that the kernel may hold.
