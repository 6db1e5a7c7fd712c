//! What a run used.

use std::fs;

use crate::evidence::Resources;
use crate::sys::resource::Usage;
use crate::unit::Nanos;

use super::procfs;

/// What the process used since `before`, over `elapsed` of wall time. Swaps are always 0: Linux
/// does not count them.
pub fn resources(before: &Usage, elapsed: Nanos) -> Resources {
    let used = Usage::of_process().since(before);
    Resources {
        user_ns: used.user_ns,
        sys_ns: used.sys_ns,
        elapsed_ns: elapsed.0,
        max_rss_kib: used.max_rss_kib,
        major_faults: used.major_faults,
        minor_faults: used.minor_faults,
        blocks_in: used.blocks_in,
        blocks_out: used.blocks_out,
        swaps: 0,
        voluntary_switches: used.voluntary_switches,
        involuntary_switches: used.involuntary_switches,
        iowq_threads: iowq_threads(),
    }
}

/// Threads of the kernel's io-wq pool that work for this process now: operations that a ring
/// could not do without blocking. `None` where /proc is not to be read.
pub fn iowq_threads() -> Option<u64> {
    let tasks = fs::read_dir("/proc/self/task").ok()?;
    let names = tasks.flatten().filter_map(|task| procfs::text(task.path().join("comm")));
    Some(names.filter(|name| is_iowq(name)).count() as u64)
}

/// The kernel calls them `iou-wrk-` and the thread id of the ring's owner.
fn is_iowq(thread_name: &str) -> bool {
    thread_name.starts_with("iou-wrk")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_kernels_workers_count() {
        assert!(is_iowq("iou-wrk-1234"));
        assert!(!is_iowq("iou-sqp-1234"));
        assert!(!is_iowq("onrush"));
        assert!(iowq_threads().is_some());
    }

    #[test]
    fn a_process_is_charged_for_what_it_used() {
        let run = resources(&Usage::default(), Nanos(5));
        assert!(run.elapsed_ns == 5 && run.max_rss_kib >= 4 << 10, "{run:?}");
    }
}
