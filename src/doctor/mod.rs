//! What on this machine would spoil a run, each with its cure. `onrush doctor` shows it, and
//! `onrush run` stops before the first packet where anything is bad.

mod checks;
mod facts;
mod port_check;
mod ports;
#[cfg(test)]
mod sample;

use std::fmt;
use std::path::Path;

use crate::plan::Plan;

use facts::Facts;
pub use ports::{Demand, PortBudget, Verdict};

/// How a finding bears on a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// As it should be.
    Good,
    /// The run works; its numbers may suffer.
    Warn,
    /// The run cannot work.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, one word.
    pub name: &'static str,
    /// How it bears on a run.
    pub state: State,
    /// What was found, with its figures.
    pub said: String,
    /// What helps; where `None`, `said` ends in it or nothing has to be done.
    pub cure: Option<String>,
}

impl Finding {
    fn good(name: &'static str, said: impl Into<String>) -> Self {
        Self { name, state: State::Good, said: said.into(), cure: None }
    }

    fn warn(name: &'static str, said: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { name, state: State::Warn, said: said.into(), cure: Some(cure.into()) }
    }

    fn bad(name: &'static str, said: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { state: State::Bad, ..Self::warn(name, said, cure) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Good => "ok",
            State::Warn => "warn",
            State::Bad => "BAD",
        };
        write!(f, "{state:<4} {}: {}", self.name, self.said)?;
        match &self.cure {
            Some(cure) => write!(f, " -> {cure}"),
            None => Ok(()),
        }
    }
}

/// All findings, a line each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// In the order in which they were looked at.
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    /// The worst of the findings.
    pub fn worst(&self) -> State {
        self.findings.iter().map(|finding| finding.state).max().unwrap_or(State::Good)
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.findings.iter().try_for_each(|finding| writeln!(f, "{finding}"))
    }
}

/// What is to be examined.
#[derive(Debug, Clone)]
pub struct Case<'a> {
    /// The run; without one only the machine is looked at.
    pub plan: Option<&'a Plan>,
    /// What a trial of the ring gave: the step of its ladder, or its message with the cure.
    pub ring: Result<String, String>,
    /// The directory that the log goes to, and the bytes that it will take; `None` where a closed
    /// loop decides that.
    pub log: Option<(&'a Path, Option<u64>)>,
}

/// Looks at this machine. Takes some ms, more where very many TCP sockets are open.
pub fn examine(case: &Case<'_>) -> Diagnosis {
    let facts = Facts::gather(case);
    let mut findings = vec![
        checks::ring(&case.ring),
        checks::files(&facts, case.plan),
        checks::cpus(&facts, case.plan),
        checks::clock(&facts, case.plan),
        checks::governor(&facts),
        checks::hypervisor(&facts),
    ];
    findings.extend(case.log.map(|(directory, need)| checks::disk(&facts, directory, need)));
    findings.extend(case.plan.map(|plan| port_check::ports(&facts, plan)));
    Diagnosis { findings }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sample::plan;

    #[test]
    fn a_finding_is_a_line_with_the_cure_after_an_arrow() {
        assert_eq!(Finding::good("clock", "tsc").to_string(), "ok   clock: tsc");
        let warn = Finding::warn("cpus", "2 shards on 1 CPU", "-t 1");
        assert_eq!(warn.to_string(), "warn cpus: 2 shards on 1 CPU -> -t 1");
        let bad = Finding::bad("ports", "none left", "wait 3s");
        assert_eq!(bad.to_string(), "BAD  ports: none left -> wait 3s");
        let diagnosis = Diagnosis { findings: vec![warn, bad] };
        assert_eq!(diagnosis.worst(), State::Bad);
        assert_eq!(diagnosis.to_string().lines().count(), 2);
        assert_eq!(Diagnosis::default().worst(), State::Good);
    }

    #[test]
    fn a_case_without_a_ring_is_bad_and_everything_else_is_still_said() {
        let plan = plan();
        let log = Some((Path::new("/proc/self"), Some(0)));
        let case = Case { plan: Some(&plan), ring: Err("switched off: switch it on".into()), log };
        let diagnosis = examine(&case);
        assert_eq!(diagnosis.worst(), State::Bad);
        let names: Vec<_> = diagnosis.findings.iter().map(|finding| finding.name).collect();
        let expect =
            ["io_uring", "files", "cpus", "clock", "governor", "hypervisor", "disk", "ports"];
        assert_eq!(names, expect);
    }
}
