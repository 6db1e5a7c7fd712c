//! The figures of a built-in target at its end.

use serde_json::json;

use super::aperf;
use crate::evidence::{Resources, Served};
use crate::unit::Nanos;

/// For people: what was counted, then what time(1) says of the process.
pub fn text(served: &Served, resources: &Resources) -> String {
    format!(
        "Clients: {} ({} turned away, {} reset)\n\
         Requests: {} ({} bad)\n\
         Bytes: {} received, {} sent\n{}",
        served.clients,
        served.turned_away,
        served.resets,
        served.requests,
        served.bad_requests,
        served.bytes_received,
        served.bytes_sent,
        aperf::resources(resources),
    )
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
                      0.25user 0.75system 0:02.00elapsed 50%CPU ";
        assert!(text.starts_with(expect), "{text}");
        assert!(text.ends_with("swaps\n"), "{text}");
    }

    #[test]
    fn the_object_has_every_count_and_the_cost() {
        let expect = json!({
            "clients": 3, "turned_away": 1, "requests": 500, "bytes_received": 40_000,
            "bytes_sent": 90_000, "bad_requests": 2, "resets": 4,
            "user_s": 0.25, "sys_s": 0.75, "elapsed_s": 2.0,
        });
        let text = json(&SERVED, &resources());
        assert_eq!(text.parse::<serde_json::Value>().unwrap(), expect);
    }
}
