//! CPUs: affinity, pinning, thread names.

/// CPU numbers that the calling thread may run on, ascending. Empty where the kernel does not
/// say.
pub fn allowed() -> Vec<usize> {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    cores.into_iter().map(|core| core.id).collect()
}
