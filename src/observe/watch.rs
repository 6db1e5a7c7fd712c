//! A process and a network device that the user asked to watch, over the measure phase.

use std::fmt;
use std::path::Path;

use crate::evidence::Watched;
use crate::sys::time::proc_ticks_per_second;
use crate::unit::Nanos;

use super::procfs;

/// What cannot be watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchError {
    /// No process has this number.
    NoProcess(u32),
    /// No network device has this name.
    NoDevice(String),
}

impl fmt::Display for WatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProcess(pid) => {
                write!(f, "--watch-pid {pid}: no such process; 'pgrep -a NAME' lists them")
            }
            Self::NoDevice(name) => {
                write!(f, "--watch-dev {name}: no such device; 'ip -br link' lists them")
            }
        }
    }
}

impl std::error::Error for WatchError {}

/// Counters as they stood when the watch began.
#[derive(Debug, Clone)]
pub struct Watch {
    process: Option<(u32, ProcessCounters)>,
    device: Option<(String, DeviceCounters)>,
}

impl Watch {
    /// Begins to watch what was asked for.
    ///
    /// # Errors
    /// The process or the device is not there.
    pub fn start(pid: Option<u32>, device: Option<&str>) -> Result<Self, WatchError> {
        let process = |pid| {
            let counters = ProcessCounters::read(pid).ok_or(WatchError::NoProcess(pid))?;
            Ok((pid, counters))
        };
        let device_at_start = |name: &str| {
            let missing = || WatchError::NoDevice(name.to_owned());
            let counters = DeviceCounters::read(name).ok_or_else(missing)?;
            Ok((name.to_owned(), counters))
        };
        Ok(Self {
            process: pid.map(process).transpose()?,
            device: device.map(device_at_start).transpose()?,
        })
    }

    /// What was counted since, `elapsed` after the start. A process or device that has gone in
    /// the meantime yields `None`.
    pub fn watched(&self, elapsed: Nanos) -> Watched {
        let mut watched = Watched::default();
        if let Some((pid, before)) = self.process
            && let Some(now) = ProcessCounters::read(pid)
        {
            let percent = |now: u64, before: u64| cpu_percent(now.saturating_sub(before), elapsed);
            let user = percent(now.user_ticks, before.user_ticks);
            let system = percent(now.system_ticks, before.system_ticks);
            watched.pid_cpu_percent = Some(user + system);
            watched.pid_user_percent = Some(user);
            watched.pid_system_percent = Some(system);
            watched.pid_threads = Some(now.threads);
        }
        if let Some((name, before)) = &self.device
            && let Some(now) = DeviceCounters::read(name)
        {
            watched.rx_bytes = now.rx_bytes.checked_sub(before.rx_bytes);
            watched.tx_bytes = now.tx_bytes.checked_sub(before.tx_bytes);
            watched.rx_packets = now.rx_packets.checked_sub(before.rx_packets);
            watched.tx_packets = now.tx_packets.checked_sub(before.tx_packets);
        }
        watched
    }
}

#[derive(Debug, Clone)]
struct DeviceCounters {
    rx_bytes: u64,
    tx_bytes: u64,
    rx_packets: u64,
    tx_packets: u64,
}

impl DeviceCounters {
    fn read(device: &str) -> Option<Self> {
        // A name is one component of a path, never a way to another file.
        if device.contains('/') || device.starts_with('.') {
            return None;
        }
        let folder = Path::new("/sys/class/net").join(device).join("statistics");
        let counter = |name| procfs::value(folder.join(name));
        Some(Self {
            rx_bytes: counter("rx_bytes")?,
            tx_bytes: counter("tx_bytes")?,
            rx_packets: counter("rx_packets")?,
            tx_packets: counter("tx_packets")?,
        })
    }
}

/// CPU time of a process, all its threads, and how many those are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ProcessCounters {
    user_ticks: u64,
    system_ticks: u64,
    threads: u64,
}

impl ProcessCounters {
    fn read(pid: u32) -> Option<Self> {
        Self::parse(&procfs::text(format!("/proc/{pid}/stat"))?)
    }

    /// A line of /proc/PID/stat. The name of the process stands in brackets and may itself have
    /// blanks and brackets.
    fn parse(stat: &str) -> Option<Self> {
        let (_, after_name) = stat.rsplit_once(')')?;
        let mut fields = after_name.split_whitespace().skip(11);
        let mut next = || fields.next()?.parse().ok();
        let (user_ticks, system_ticks) = (next()?, next()?);
        let [_children_user, _children_system, _priority, _nice] =
            [fields.next()?, fields.next()?, fields.next()?, fields.next()?];
        let threads = fields.next()?.parse().ok()?;
        Some(Self { user_ticks, system_ticks, threads })
    }
}

fn cpu_percent(ticks: u64, elapsed: Nanos) -> f64 {
    let seconds = ticks as f64 / proc_ticks_per_second() as f64;
    100.0 * seconds / elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(stat: &str, counters: Option<(u64, u64, u64)>) {
        let read = ProcessCounters::parse(stat);
        assert_eq!(read.map(|c| (c.user_ticks, c.system_ticks, c.threads)), counters, "{stat}");
    }

    #[test]
    fn the_cpu_time_of_a_process_is_read_whatever_it_is_called() {
        let rest = "S 1 2 3 0 -1 4194304 99 0 0 0 250 31 7 8 20 0 4 0 210746 3133440";
        check(&format!("273 (cat) {rest}"), Some((250, 31, 4)));
        check(&format!("273 (a) b (c) {rest}"), Some((250, 31, 4)));
        check("273 (cat) S 1 2 3", None);
        check("", None);
    }

    #[test]
    fn loopback_and_this_process_can_be_watched() {
        let watch = Watch::start(Some(std::process::id()), Some("lo")).unwrap();
        let watched = watch.watched(Nanos::from_secs(1));
        assert!(watched.pid_cpu_percent.unwrap() >= 0.0);
        assert!(watched.pid_threads.unwrap() >= 1);
        assert!(watched.rx_bytes.is_some() && watched.tx_packets.is_some());
        let nothing = Watch::start(None, None).unwrap().watched(Nanos::from_secs(1));
        assert_eq!(nothing, Watched::default());
    }

    #[test]
    fn a_second_of_cpu_in_two_is_half_a_cpu() {
        let percent = cpu_percent(proc_ticks_per_second(), Nanos::from_secs(2));
        assert!((percent - 50.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_not_there_cannot_be_watched() {
        assert_eq!(
            Watch::start(Some(u32::MAX), None).unwrap_err(),
            WatchError::NoProcess(u32::MAX)
        );
        for name in ["nosuchdev0", "../../kernel", "", "."] {
            let error = Watch::start(None, Some(name)).unwrap_err();
            assert!(error.to_string().contains(&format!("--watch-dev {name}")), "{error}");
        }
    }
}
