//! The figures of a built-in target at its end.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::aperf;
use crate::evidence::{FlawsDone, Lateness, PvsServed, Resources, Served};
use crate::unit::Nanos;

/// For people: what was counted, then what time(1) says of the process.
pub fn text(served: &Served, resources: &Resources) -> String {
    if let Some(pvs) = &served.pvs {
        return pvs_text(served, pvs) + &aperf::resources(resources);
    }
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
    text + &late(&served.lateness, "delayed answers") + &aperf::resources(resources)
}

/// A line on how late `what` were; nothing where there was none of it.
fn late(lateness: &Lateness, what: &str) -> String {
    lateness.mean_ns().map_or_else(String::new, |mean_ns| {
        format!(
            "Late: {:.1} us on average, {:.1} at most; {} of {} {what} over {}\n",
            mean_ns / 1e3,
            lateness.max_ns as f64 / 1e3,
            lateness.much,
            lateness.answers,
            Lateness::MUCH,
        )
    })
}

/// For programs: one object, a line break at its end.
pub fn json(served: &Served, resources: &Resources) -> String {
    let object = match &served.pvs {
        Some(pvs) => pvs_object(served, pvs, resources),
        None => object(served, resources),
    };
    format!("{object:#}\n")
}

fn object(served: &Served, resources: &Resources) -> Value {
    json!({
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
    })
}

fn pvs_text(served: &Served, pvs: &PvsServed) -> String {
    let mut text = format!(
        "Clients: {} ({} turned away, {} reset, {} broke the protocol, {} cut off)\n\
         Searches: {}\n\
         Channels: {}, subscriptions {}, gets {}, puts {}\n\
         Updates: {} posted, {} sent, {} merged\n\
         Bytes: {} received, {} sent\n",
        served.clients,
        served.turned_away,
        served.resets,
        served.bad_requests,
        pvs.cut_off,
        pvs.searches,
        pvs.channels,
        pvs.subscriptions,
        pvs.gets,
        pvs.puts,
        pvs.updates.posted,
        pvs.updates.sent,
        pvs.updates.merged,
        served.bytes_received,
        served.bytes_sent,
    );
    text.push_str(&late(&served.lateness, "posts"));
    let FlawsDone { dropped, repeated, backwards } = pvs.flaws;
    if dropped + repeated + backwards > 0 {
        let _ = writeln!(
            text,
            "As asked: {dropped} updates dropped, {repeated} repeated, {backwards} backwards"
        );
    }
    text
}

fn pvs_object(served: &Served, pvs: &PvsServed, resources: &Resources) -> Value {
    json!({
        "clients": served.clients,
        "turned_away": served.turned_away,
        "cut_off": pvs.cut_off,
        "searches": pvs.searches,
        "channels": pvs.channels,
        "subscriptions": pvs.subscriptions,
        "gets": pvs.gets,
        "puts": pvs.puts,
        "updates": {
            "posted": pvs.updates.posted,
            "sent": pvs.updates.sent,
            "merged": pvs.updates.merged,
        },
        "flaws": {
            "dropped": pvs.flaws.dropped,
            "repeated": pvs.flaws.repeated,
            "backwards": pvs.flaws.backwards,
        },
        "late": {
            "posts": served.lateness.answers,
            "over_50us": served.lateness.much,
            "mean_ns": served.lateness.mean_ns(),
            "max_ns": (served.lateness.answers > 0).then_some(served.lateness.max_ns),
        },
        "bytes_received": served.bytes_received,
        "bytes_sent": served.bytes_sent,
        "bad_requests": served.bad_requests,
        "resets": served.resets,
        "user_s": seconds(resources.user_ns),
        "sys_s": seconds(resources.sys_ns),
        "elapsed_s": seconds(resources.elapsed_ns),
    })
}

fn seconds(nanos: u64) -> f64 {
    Nanos(nanos).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Updates;

    const SERVED: Served = Served {
        clients: 3,
        turned_away: 1,
        requests: 500,
        bad_requests: 2,
        resets: 4,
        failed: 5,
        pvs: None,
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
        let json: Value = json(&Served::default(), &resources()).parse().unwrap();
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
        assert_eq!(text.parse::<Value>().unwrap(), expect);
    }

    fn of_pvs() -> Served {
        Served {
            clients: 2,
            bytes_sent: 1600,
            bytes_received: 300,
            pvs: Some(PvsServed {
                searches: 11,
                channels: 10,
                subscriptions: 20,
                gets: 3,
                puts: 1,
                updates: Updates { posted: 1000, sent: 40, merged: 7 },
                cut_off: 1,
                flaws: FlawsDone { dropped: 4, repeated: 5, backwards: 6 },
            }),
            ..Served::default()
        }
    }

    #[test]
    fn a_server_of_pvs_tells_what_became_of_its_updates() {
        let text = text(&of_pvs(), &resources());
        let expect = "Clients: 2 (0 turned away, 0 reset, 0 broke the protocol, 1 cut off)\n\
             Searches: 11\nChannels: 10, subscriptions 20, gets 3, puts 1\n\
             Updates: 1000 posted, 40 sent, 7 merged\nBytes: 300 received, 1600 sent\n\
             As asked: 4 updates dropped, 5 repeated, 6 backwards\n0.25user";
        assert!(text.starts_with(expect), "{text}");
        let json: Value = json(&of_pvs(), &resources()).parse().unwrap();
        let expect = json!({
            "clients": 2, "turned_away": 0, "cut_off": 1, "searches": 11, "channels": 10,
            "subscriptions": 20, "gets": 3, "puts": 1,
            "updates": {"posted": 1000, "sent": 40, "merged": 7},
            "flaws": {"dropped": 4, "repeated": 5, "backwards": 6},
            "late": {"posts": 0, "over_50us": 0, "mean_ns": null, "max_ns": null},
            "bytes_received": 300, "bytes_sent": 1600, "bad_requests": 0, "resets": 0,
            "user_s": 0.25, "sys_s": 0.75, "elapsed_s": 2.0,
        });
        assert_eq!(json, expect);
    }
}
