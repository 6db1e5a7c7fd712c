//! CPUs: affinity, pinning, thread names.
