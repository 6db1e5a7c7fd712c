//! How often the bandwidth limit of our control groups stopped us.

use std::fs;
use std::path::{Path, PathBuf};

/// What a limit of CPU time took from the process: periods in which it was stopped, and for how
/// long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Throttled {
    pub(super) periods: u64,
    pub(super) time_ns: u64,
}

/// What was taken so far, in our control group and those around it; `None` where none of them
/// has such an account.
pub(super) fn throttled() -> Option<Throttled> {
    let read = |path: PathBuf| fs::read_to_string(path).ok();
    let own = Path::new("/proc/self");
    let groups = folders(&read(own.join("cgroup"))?, &read(own.join("mountinfo"))?);
    let stats = groups.iter().filter_map(|group| read_stat(&read(group.join("cpu.stat"))?));
    stats.reduce(|sum, one| Throttled {
        periods: sum.periods + one.periods,
        time_ns: sum.time_ns + one.time_ns,
    })
}

/// The folders of the groups that limit our CPU time, the innermost first: of the hierarchy that
/// the controller `cpu` has to itself, or else of the unified one.
fn folders(cgroup: &str, mountinfo: &str) -> Vec<PathBuf> {
    let own = |controller: &str| {
        cgroup.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let mut controllers = fields.next()?.split(',');
            controllers.any(|found| found == controller).then(|| fields.next())?
        })
    };
    let (of_cpu, unified) = (own("cpu"), own(""));
    let found = mountinfo.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let (kind, options) = (after.split(' ').next()?, after.split(' ').nth(2)?);
        let path = match (kind, of_cpu) {
            ("cgroup", Some(path)) if options.split(',').any(|option| option == "cpu") => path,
            ("cgroup2", None) => unified?,
            _ => return None,
        };
        let mut fields = before.split(' ').skip(3);
        Some((Path::new(fields.next()?), Path::new(fields.next()?), path))
    });
    let Some((root, mount, path)) = found else { return Vec::new() };
    let below = Path::new(path).strip_prefix(root).unwrap_or_else(|_| Path::new(""));
    below.ancestors().map(|group| mount.join(group)).collect()
}

/// Of a `cpu.stat`: version 2 counts in us, version 1 in ns.
fn read_stat(stat: &str) -> Option<Throttled> {
    let value = |name: &str| {
        let mut lines = stat.lines().filter_map(|line| line.split_once(' '));
        lines.find(|(found, _)| *found == name)?.1.parse::<u64>().ok()
    };
    let in_us = || value("throttled_usec").map(|us| us.saturating_mul(1_000));
    let time_ns = in_us().or_else(|| value("throttled_time"))?;
    Some(Throttled { periods: value("nr_throttled")?, time_ns })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
        32 31 0:29 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n\
        33 31 0:30 /docker/7 /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup none rw,cpu,cpuacct\n\
        38 31 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

    #[track_caller]
    fn check(cgroup: &str, expect: &[&str]) {
        let expect: Vec<PathBuf> = expect.iter().map(PathBuf::from).collect();
        assert_eq!(folders(cgroup, MOUNTS), expect);
    }

    #[test]
    fn our_groups_are_found_in_either_version() {
        let cpu = "/sys/fs/cgroup/cpu,cpuacct";
        check("4:cpuset:/\n3:cpu,cpuacct:/docker/7\n0::/\n", &[cpu]);
        check("3:cpu,cpuacct:/docker/7/job\n", &[&format!("{cpu}/job"), cpu]);
        let unified = "/sys/fs/cgroup/unified";
        check("0::/a/b\n", &[&format!("{unified}/a/b"), &format!("{unified}/a"), unified]);
        check("9:memory:/\n", &[]);
        check("garbage", &[]);
    }

    #[test]
    fn a_throttled_time_has_the_unit_of_its_version() {
        let throttled = Some(Throttled { periods: 7, time_ns: 9_000 });
        let new = "usage_usec 12\nnr_periods 50\nnr_throttled 7\nthrottled_usec 9\n";
        assert_eq!(read_stat(new), throttled);
        assert_eq!(read_stat("nr_periods 50\nnr_throttled 7\nthrottled_time 9000\n"), throttled);
        assert_eq!(read_stat("usage_usec 12\n"), None);
    }
}
