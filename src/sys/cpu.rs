//! CPUs and threads: affinity, pinning, names, timer slack.

use std::ffi::CString;
use std::io;

use nix::sys::prctl;

/// CPU numbers that the calling thread may run on, ascending. Empty where the kernel does not
/// say.
pub fn allowed() -> Vec<usize> {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    cores.into_iter().map(|core| core.id).collect()
}

/// CPUs online in this machine, at least 1.
pub fn online() -> u64 {
    // SAFETY: sysconf reads a figure of the kernel; it takes no pointer.
    let count = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    u64::try_from(count).unwrap_or(1).max(1)
}

/// The CPU that the calling thread runs on at this moment.
pub fn current() -> Option<usize> {
    nix::sched::sched_getcpu().ok()
}

/// Ties the calling thread to one CPU, with core_affinity: one call, no set to build.
///
/// # Errors
/// The CPU does not exist, is offline, or lies outside the cpuset of the process.
pub fn pin_to(cpu: usize) -> io::Result<()> {
    // The set that the call passes to the kernel has 1024 bits.
    let fits = cpu < libc::CPU_SETSIZE as usize;
    if fits && core_affinity::set_for_current(core_affinity::CoreId { id: cpu }) {
        return Ok(());
    }
    // core_affinity keeps the kernel's reason to itself; there is only this one for a pinning.
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("CPU {cpu} is offline or outside the cpuset of this process"),
    ))
}

/// Names the calling thread as `ps` and `top` show it; the kernel keeps 15 bytes.
pub fn name_thread(name: &str) {
    // Of a name with a NUL in it nothing is set: the thread keeps the name it had.
    if let Ok(name) = CString::new(name) {
        let _ = prctl::set_name(&name);
    }
}

/// Sets by how much the kernel may delay a timed sleep of the calling thread, in ns; at least 1.
///
/// # Errors
/// The kernel forbids it (a seccomp filter).
pub fn set_timer_slack(ns: u64) -> io::Result<()> {
    // 0 would mean "back to the default", which is 50 us.
    prctl::set_timerslack(ns.max(1)).map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_thread_runs_where_it_was_put() {
        let cpus = allowed();
        assert!(!cpus.is_empty());
        for cpu in cpus {
            pin_to(cpu).unwrap();
            assert_eq!(current(), Some(cpu));
            assert_eq!(allowed(), [cpu]);
        }
    }

    #[test]
    fn a_cpu_that_is_not_there_is_named() {
        for cpu in [1023, 1024, 1 << 20] {
            let error = pin_to(cpu).unwrap_err().to_string();
            assert!(error.contains(&format!("CPU {cpu}")), "{error}");
        }
    }

    #[test]
    fn a_thread_takes_its_name_and_slack() {
        std::thread::spawn(|| {
            name_thread("shard 7");
            set_timer_slack(1).unwrap();
            let comm = std::fs::read_to_string("/proc/thread-self/comm").unwrap();
            assert_eq!(comm.trim(), "shard 7");
            assert_eq!(prctl::get_timerslack().unwrap(), 1);
        })
        .join()
        .unwrap();
    }
}
