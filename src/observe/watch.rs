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
    process: Option<(u32, u64)>,
    device: Option<(String, DeviceCounters)>,
}

impl Watch {
    /// Begins to watch what was asked for.
    ///
    /// # Errors
    /// The process or the device is not there.
    pub fn start(pid: Option<u32>, device: Option<&str>) -> Result<Self, WatchError> {
        let process = |pid| {
            let ticks = process_ticks(pid).ok_or(WatchError::NoProcess(pid))?;
            Ok((pid, ticks))
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
        if let Some((pid, before)) = self.process {
            let ticks = process_ticks(pid).map(|now| now.saturating_sub(before));
            watched.pid_cpu_percent = ticks.map(|ticks| cpu_percent(ticks, elapsed));
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

fn process_ticks(pid: u32) -> Option<u64> {
    stat_ticks(&procfs::text(format!("/proc/{pid}/stat"))?)
}

/// utime + stime of a line of /proc/PID/stat, all threads, in clock ticks. The name of the
/// process stands in brackets and may itself have blanks and brackets.
fn stat_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn cpu_percent(ticks: u64, elapsed: Nanos) -> f64 {
    let seconds = ticks as f64 / proc_ticks_per_second() as f64;
    100.0 * seconds / elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(stat: &str, ticks: Option<u64>) {
        assert_eq!(stat_ticks(stat), ticks, "{stat}");
    }

    #[test]
    fn the_cpu_time_of_a_process_is_read_whatever_it_is_called() {
        let rest = "S 1 2 3 0 -1 4194304 99 0 0 0 250 31 7 8 20 0 1 0 210746 3133440";
        check(&format!("273 (cat) {rest}"), Some(281));
        check(&format!("273 (a) b (c) {rest}"), Some(281));
        check("273 (cat) S 1 2 3", None);
        check("", None);
    }

    #[test]
    fn loopback_and_this_process_can_be_watched() {
        let watch = Watch::start(Some(std::process::id()), Some("lo")).unwrap();
        let watched = watch.watched(Nanos::from_secs(1));
        assert!(watched.pid_cpu_percent.unwrap() >= 0.0);
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
