//! Facts of a machine on which all is well, for tests.

use super::facts::Facts;
use super::{Finding, State};
use crate::sys::resource::FileLimit;
use crate::unit::Nanos;

/// Four CPUs, and a kernel that holds ports for a minute.
pub(super) fn facts() -> Facts {
    let mut facts = Facts {
        allowed: vec![0, 1, 2, 3],
        file_limit: Some(FileLimit { soft: 1_024, hard: 4_096 }),
        governors: vec![(0, "performance".into())],
        disk_free: Some(10 << 20),
        hold: Nanos::from_secs(60),
        ..Facts::default()
    };
    facts.environment.cpus_online = Some(4);
    facts.environment.clocksource = Some("tsc".into());
    facts
}

#[track_caller]
pub(super) fn check(finding: &Finding, state: State, part: &str) {
    let line = finding.to_string();
    assert_eq!(finding.state, state, "{line}");
    assert!(line.contains(part), "'{part}' is not in '{line}'");
    assert_eq!(line.lines().count(), 1, "{line}");
}
