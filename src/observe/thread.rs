//! What the kernel charges a shard's thread over its measure phase.

use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::evidence::ShardEvidence;
use crate::sys::resource::Usage;

/// Reads what the kernel charges the thread that made it, at two moments.
#[derive(Debug)]
pub struct ThreadMeter {
    /// Held open: to find the file takes longer than to read it, and a shard is at work.
    schedstat: Option<File>,
    before: Charged,
}

#[derive(Debug, Clone, Copy, Default)]
struct Charged {
    usage: Usage,
    run_delay_ns: Option<u64>,
}

impl ThreadMeter {
    /// A meter of the calling thread.
    pub fn new() -> Self {
        let schedstat = File::open("/proc/thread-self/schedstat").ok();
        Self { schedstat, before: Charged::default() }
    }

    fn charged(&self) -> Charged {
        let run_delay_ns = self.schedstat.as_ref().and_then(|file| {
            let mut line = [0; 64];
            let count = file.read_at(&mut line, 0).ok()?;
            run_delay(std::str::from_utf8(&line[..count]).ok()?)
        });
        Charged { usage: Usage::of_thread(), run_delay_ns }
    }

    /// From now on.
    pub fn begin(&mut self) {
        self.before = self.charged();
    }

    /// Notes what was charged since [`ThreadMeter::begin`] as that of the thread's shard.
    pub fn charge(&self, shard: &mut ShardEvidence) {
        let now = self.charged();
        let used = now.usage.since(&self.before.usage);
        shard.user_ns = Some(used.user_ns);
        shard.sys_ns = Some(used.sys_ns);
        shard.voluntary_switches = Some(used.voluntary_switches);
        shard.involuntary_switches = Some(used.involuntary_switches);
        shard.minor_faults = Some(used.minor_faults);
        shard.major_faults = Some(used.major_faults);
        let delay = now.run_delay_ns.zip(self.before.run_delay_ns);
        shard.run_delay_ns = delay.and_then(|(now, then)| now.checked_sub(then));
    }
}

impl Default for ThreadMeter {
    fn default() -> Self {
        Self::new()
    }
}

/// Time in ns that a thread was ready to run and did not: the second figure of its schedstat. A
/// kernel that keeps no account of it says that it never ran.
fn run_delay(schedstat: &str) -> Option<u64> {
    let mut figures = schedstat.split_whitespace().map(str::parse);
    let ran: u64 = figures.next()?.ok()?;
    figures.next()?.ok().filter(|_| ran > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_run_delay_is_the_second_figure_unless_nothing_is_kept() {
        assert_eq!(run_delay("124686 3081577 2\n"), Some(3_081_577));
        assert_eq!(run_delay("124686 0 2\n"), Some(0));
        assert_eq!(run_delay("0 0 0\n"), None);
        assert_eq!(run_delay(""), None);
    }

    #[test]
    fn a_thread_is_charged_for_its_own_work() {
        let mut meter = ThreadMeter::new();
        meter.begin();
        let pages = std::hint::black_box(vec![1_u8; 64 << 20]);
        let mut shard = ShardEvidence::default();
        meter.charge(&mut shard);
        drop(pages);
        assert!(shard.minor_faults.unwrap() >= 1);
        assert!(shard.voluntary_switches.is_some());
    }
}
