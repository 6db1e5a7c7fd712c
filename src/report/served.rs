//! The figures of a built-in target at its end.

use std::fmt::Write as _;

use serde_json::json;

use super::aperf;
use crate::evidence::{Lateness, Resources, Served};
use crate::unit::Nanos;

/// For people: what was counted, then what time(1) says of the process.
pub fn text(served: &Served, resources: &Resources) -> String {
    let mut text = format!(
        "Clients: {} ({} turned away, {} reset)\n\
         Requests: {} ({} bad)\n\
         Bytes: {} received, {} sent\n",
        served.clients,
        served.turned_away,
        served.resets,
        served.requests,
        served.bad_requests,
        served.bytes_received,
        served.bytes_sent,
    );
    if served.failed + served.broken_off > 0 {
        let (failed, reset) = (served.failed, served.broken_off);
        let _ = writeln!(text, "As asked: {failed} requests failed, {reset} connections reset");
    }
    let lateness = &served.lateness;
    if let Some(mean_ns) = lateness.mean_ns() {
        let _ = writeln!(
            text,
            "Late: {:.1} us on average, {:.1} at most; {} of {} delayed answers over {}",
            mean_ns / 1e3,
            lateness.max_ns as f64 / 1e3,
            lateness.much,
            lateness.answers,
            Lateness::MUCH,
        );
    }
    text + &aperf::resources(resources)
}

/// For programs: one object, a line break at its end.
pub fn json(served: &Served, resources: &Resources) -> String {
    let seconds = |nanos: u64| Nanos(nanos).as_secs_f64();
    let object = json!({
        "clients": served.clients,
        "turned_away": served.turned_away,
        "requests": served.requests,
        "bytes_received": served.bytes_received,
        "bytes_sent": served.bytes_sent,
        "bad_requests": served.bad_requests,
        "resets": served.resets,
        "failed": served.failed,
        "broken_off": served.broken_off,
        "late": {
            "answers": served.lateness.answers,
            "over_50us": served.lateness.much,
            "mean_ns": served.lateness.mean_ns(),
            "max_ns": (served.lateness.answers > 0).then_some(served.lateness.max_ns),
        },
        "user_s": seconds(resources.user_ns),
        "sys_s": seconds(resources.sys_ns),
        "elapsed_s": seconds(resources.elapsed_ns),
    });
    format!("{object:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVED: Served = Served {
        clients: 3,
        turned_away: 1,
        requests: 500,
        bad_requests: 2,
        resets: 4,
        failed: 5,
        broken_off: 6,
        lateness: Lateness { answers: 400, much: 1, sum_ns: 1_200_000, max_ns: 61_700 },
        bytes_received: 40_000,
        bytes_sent: 90_000,
    };

    fn resources() -> Resources {
        Resources {
            user_ns: 250_000_000,
            sys_ns: 750_000_000,
            elapsed_ns: 2_000_000_000,
            ..Resources::default()
        }
    }

    #[test]
    fn the_text_has_every_count_and_the_cost() {
        let text = text(&SERVED, &resources());
        let expect = "Clients: 3 (1 turned away, 4 reset)\nRequests: 500 (2 bad)\n\
                      Bytes: 40000 received, 90000 sent\n\
                      As asked: 5 requests failed, 6 connections reset\n\
                      Late: 3.0 us on average, 61.7 at most; 1 of 400 delayed answers over 50us\n\
                      0.25user 0.75system 0:02.00elapsed 50%CPU ";
        assert!(text.starts_with(expect), "{text}");
        assert!(text.ends_with("swaps\n"), "{text}");
    }

    #[test]
    fn what_did_not_happen_is_not_told() {
        let text = text(&Served::default(), &resources());
        assert!(!text.contains("As asked") && !text.contains("Late"), "{text}");
        let json: serde_json::Value = json(&Served::default(), &resources()).parse().unwrap();
        assert!(json["late"]["mean_ns"].is_null() && json["late"]["max_ns"].is_null(), "{json}");
    }

    #[test]
    fn the_object_has_every_count_and_the_cost() {
        let expect = json!({
            "clients": 3, "turned_away": 1, "requests": 500, "bytes_received": 40_000,
            "bytes_sent": 90_000, "bad_requests": 2, "resets": 4, "failed": 5, "broken_off": 6,
            "late": {"answers": 400, "over_50us": 1, "mean_ns": 3_000.0, "max_ns": 61_700},
            "user_s": 0.25, "sys_s": 0.75, "elapsed_s": 2.0,
        });
        let text = json(&SERVED, &resources());
        assert_eq!(text.parse::<serde_json::Value>().unwrap(), expect);
    }
}
