//! What a process or thread used, what it may use, and room on a disk.

use std::io;
use std::path::Path;

use nix::sys::resource::{Resource, Usage as RawUsage, UsageWho, getrlimit, getrusage, setrlimit};
use nix::sys::time::TimeValLike;

/// What the kernel charged, since the start of the process or thread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time in user mode, in ns.
    pub user_ns: u64,
    /// CPU time in the kernel, in ns.
    pub sys_ns: u64,
    /// Largest resident set of the process in KiB; a level, not a count.
    pub max_rss_kib: u64,
    /// Page faults with IO.
    pub major_faults: u64,
    /// Page faults without.
    pub minor_faults: u64,
    /// Blocks of 512 bytes read by the file system.
    pub blocks_in: u64,
    /// Blocks of 512 bytes written.
    pub blocks_out: u64,
    /// Context switches asked for.
    pub voluntary_switches: u64,
    /// Context switches forced.
    pub involuntary_switches: u64,
}

impl Usage {
    /// Of the whole process.
    pub fn of_process() -> Self {
        getrusage(UsageWho::RUSAGE_SELF).expect("its one error is a bad argument").into()
    }

    /// Of the calling thread.
    pub fn of_thread() -> Self {
        getrusage(UsageWho::RUSAGE_THREAD).expect("its one error is a bad argument").into()
    }

    /// What was charged since `earlier`; the level `max_rss_kib` stays as it is.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let delta = |now: u64, then: u64| now.saturating_sub(then);
        Self {
            user_ns: delta(self.user_ns, earlier.user_ns),
            sys_ns: delta(self.sys_ns, earlier.sys_ns),
            max_rss_kib: self.max_rss_kib,
            major_faults: delta(self.major_faults, earlier.major_faults),
            minor_faults: delta(self.minor_faults, earlier.minor_faults),
            blocks_in: delta(self.blocks_in, earlier.blocks_in),
            blocks_out: delta(self.blocks_out, earlier.blocks_out),
            voluntary_switches: delta(self.voluntary_switches, earlier.voluntary_switches),
            involuntary_switches: delta(self.involuntary_switches, earlier.involuntary_switches),
        }
    }
}

impl From<RawUsage> for Usage {
    fn from(raw: RawUsage) -> Self {
        Self {
            user_ns: raw.user_time().num_microseconds() as u64 * 1_000,
            sys_ns: raw.system_time().num_microseconds() as u64 * 1_000,
            max_rss_kib: raw.max_rss() as u64,
            major_faults: raw.major_page_faults() as u64,
            minor_faults: raw.minor_page_faults() as u64,
            blocks_in: raw.block_reads() as u64,
            blocks_out: raw.block_writes() as u64,
            voluntary_switches: raw.voluntary_context_switches() as u64,
            involuntary_switches: raw.involuntary_context_switches() as u64,
        }
    }
}

/// RLIMIT_NOFILE: the most descriptors of the process, and the most entries of a ring's table of
/// direct descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileLimit {
    /// The one in force.
    pub soft: u64,
    /// Up to here the process may raise it by itself.
    pub hard: u64,
}

/// The limit now.
///
/// # Errors
/// The kernel forbids to ask (a seccomp filter).
pub fn file_limit() -> io::Result<FileLimit> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(FileLimit { soft, hard })
}

/// Raises the soft limit to the hard one and says what is in force now.
///
/// # Errors
/// The kernel forbids it (a seccomp filter).
pub fn raise_file_limit() -> io::Result<FileLimit> {
    let limit = file_limit()?;
    if limit.soft < limit.hard {
        setrlimit(Resource::RLIMIT_NOFILE, limit.hard, limit.hard)?;
    }
    file_limit()
}

/// Bytes that this user may still write to the file system of `path`, a directory or file that
/// exists.
///
/// # Errors
/// `path` is not there or may not be read.
pub fn disk_free(path: &Path) -> io::Result<u64> {
    let stat = nix::sys::statvfs::statvfs(path)?;
    Ok(stat.blocks_available().saturating_mul(stat.fragment_size()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_charged_to_the_thread_that_does_it() {
        let before = Usage::of_thread();
        let pages = std::hint::black_box(vec![1_u8; 64 << 20]);
        let used = Usage::of_thread().since(&before);
        drop(pages);
        assert!(used.minor_faults >= 1, "{used:?}");
        let process = Usage::of_process();
        assert!(process.max_rss_kib >= 8 << 10, "{process:?}");
        assert_eq!(
            process.since(&process),
            Usage { max_rss_kib: process.max_rss_kib, ..Usage::default() }
        );
    }

    #[test]
    fn the_soft_file_limit_rises_to_the_hard_one() {
        let limit = raise_file_limit().unwrap();
        assert_eq!(limit.soft, limit.hard);
    }

    #[test]
    fn a_disk_has_room_and_a_missing_path_is_an_error() {
        assert!(disk_free(Path::new("/proc/self")).is_ok());
        assert!(disk_free(Path::new("/nowhere/at/all")).is_err());
    }
}
