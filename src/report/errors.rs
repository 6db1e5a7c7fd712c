//! Failures by name, each with what it usually means.

use crate::evidence::{ErrorCount, Step, Tally};
use crate::plan::Plan;
use crate::protocol::Fault;
use crate::sys::errno::errno_name;

/// A kind of failure, for reports.
pub(super) struct Failure {
    pub(super) count: ErrorCount,
    /// The kernel's name for it, or what is wrong with the answer.
    pub(super) name: String,
    /// What it usually means, and the cure; empty where nothing general can be said.
    pub(super) hint: &'static str,
}

/// All failures, the most frequent first.
pub(super) fn of(tally: &Tally, plan: &Plan) -> Vec<Failure> {
    let mut counts = tally.errors.clone();
    counts.sort_by_key(|e| (std::cmp::Reverse(e.count), e.phase, e.step, e.errno));
    let of_channels = plan.channels.is_some();
    counts.into_iter().map(|count| named(count, of_channels)).collect()
}

fn named(count: ErrorCount, of_channels: bool) -> Failure {
    let fault = Fault::from_number(count.errno).filter(|_| count.step == Step::Parse);
    let (name, hint) = match fault {
        Some(fault) => (fault.to_string(), fault_hint(fault)),
        None if count.errno == 0 => ("end of file".to_owned(), CLOSED),
        None => {
            let name = errno_name(count.errno);
            let hint = hint(count.step, &name);
            (name, hint)
        }
    };
    let hint = match (hint, fault) {
        (CLOSED, _) if of_channels => CIRCUIT_CLOSED,
        (_, Some(Fault::BadHead)) if of_channels => CIRCUIT_GARBLED,
        (_, Some(Fault::Refusal)) if of_channels => CHANNEL_REFUSED,
        _ => hint,
    };
    Failure { count, name, hint }
}

const CLOSED: &str =
    "the server closed it: a limit per connection (nginx: keepalive_requests), or a crash";
const CIRCUIT_CLOSED: &str = "the server closed the circuit: a limit of clients, or a crash";
const CIRCUIT_GARBLED: &str =
    "what came is not of this protocol, or broken: the circuit was closed";
const CHANNEL_REFUSED: &str = "the server will not: no number, no right of access, or no memory";

fn hint(step: Step, name: &str) -> &'static str {
    match (step, name) {
        (Step::Connect, "ECONNREFUSED") => {
            "nobody listens there, or its listen backlog is full (net.core.somaxconn)"
        }
        (Step::Connect, "ECONNRESET") => "the server accepts and drops: a connection limit there",
        (_, "ECONNRESET" | "EPIPE") => CLOSED,
        (_, "EADDRNOTAVAIL" | "EADDRINUSE") => {
            "source ports are out or held by others: more --source or --ports, or --close rst"
        }
        (Step::Connect, "ETIMEDOUT" | "ECANCELED") => {
            "no answer to the SYN within --timeout: a full listen backlog or a packet filter"
        }
        (_, "ETIMEDOUT" | "ECANCELED" | "ETIME") => {
            "no whole answer within --timeout: the server is overloaded or stuck"
        }
        (_, "EMFILE" | "ENFILE") => "too many open files: raise ulimit -n, or fs.file-max",
        (_, "ENOBUFS" | "ENOMEM") => "the kernel is out of buffers: a lower -c, or more memory",
        (_, "EHOSTUNREACH" | "ENETUNREACH") => "no route to the target from this source address",
        (_, "EACCES" | "EPERM") => "forbidden here: a packet filter or a security module",
        (Step::Bind, "EINVAL") => "the source address does not fit the target's",
        _ => "",
    }
}

fn fault_hint(fault: Fault) -> &'static str {
    match fault {
        Fault::BadHead => "the target does not speak this protocol: TLS, perhaps?",
        Fault::HeadTooLong => "the head of the answer exceeds 16 KiB or 512 fields",
        Fault::BadLength | Fault::BadChunk => "the server frames its bodies wrongly",
        Fault::Unexpected => "a status outside of --expect-status",
        Fault::Surplus => "the server answers more than it was asked",
        Fault::Refusal => "the server itself reports an error",
        Fault::UnknownName => "names are case-sensitive, and prefixes are part of them",
        Fault::Repeated => "the same name at several servers, or one that hears us twice",
        Fault::Late => "a longer --timeout would have taken it",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Phase;

    #[track_caller]
    fn check(step: Step, errno: u16, name: &str, says: &str) {
        let failure = named(ErrorCount { phase: Phase::Measure, step, errno, count: 1 }, false);
        assert_eq!(failure.name, name);
        assert!(failure.hint.contains(says), "{}", failure.hint);
    }

    #[test]
    fn failures_have_names_and_hints() {
        check(Step::Connect, 111, "ECONNREFUSED", "nobody listens");
        check(Step::Recv, 104, "ECONNRESET", "keepalive_requests");
        check(Step::Recv, 0, "end of file", "keepalive_requests");
        check(Step::Bind, 99, "EADDRNOTAVAIL", "--source");
        check(Step::Parse, Fault::BadHead as u16, "malformed head", "TLS");
        check(Step::Recv, 4000, "4000", "");
    }

    #[test]
    fn failures_of_circuits_have_hints_of_their_own() {
        for (step, errno) in
            [(Step::Recv, 0), (Step::Recv, 104), (Step::Parse, 1), (Step::Parse, 7)]
        {
            let count = ErrorCount { phase: Phase::Measure, step, errno, count: 1 };
            let hint = named(count, true).hint;
            assert!(!hint.contains("nginx") && !hint.contains("TLS"), "{hint}");
            assert_ne!(hint, named(count, false).hint);
        }
    }
}
