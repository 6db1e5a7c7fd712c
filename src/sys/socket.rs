//! Addresses of this host, and which source the kernel would choose.
