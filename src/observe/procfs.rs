//! Files of one value, as /proc and /sys have them.

use std::fs;
use std::path::Path;
use std::str::FromStr;

/// The file's text without the newline at its end; `None` where there is none to read.
pub(super) fn text(path: impl AsRef<Path>) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The file's value.
pub(super) fn value<T: FromStr>(path: impl AsRef<Path>) -> Option<T> {
    text(path)?.parse().ok()
}

/// A sysctl by its dotted name, tabs between its values made blanks.
pub(super) fn sysctl(name: &str) -> Option<String> {
    let text = text(Path::new("/proc/sys").join(name.replace('.', "/")))?;
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The clock source that the kernel uses now.
pub(super) fn clocksource() -> Option<String> {
    text("/sys/devices/system/clocksource/clocksource0/current_clocksource")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_none() {
        assert_eq!(text("/proc/no-such-file"), None);
        assert_eq!(value::<u64>("/proc/sys/kernel/ostype"), None);
        assert_eq!(sysctl("kernel.no_such_thing"), None);
    }

    #[test]
    fn a_sysctl_reads_by_its_name() {
        assert_eq!(sysctl("kernel.ostype").as_deref(), Some("Linux"));
        let range = sysctl("net.ipv4.ip_local_port_range").unwrap();
        assert_eq!(range.split(' ').count(), 2, "{range}");
    }
}
