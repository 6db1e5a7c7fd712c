//! The floor of a machine: on a page of its own, and beside the figures of a run.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::figures::{UNKNOWN, counted, digits3, maybe_time, time};
use super::text::line;
use crate::evidence::{Floor, Holes};
use crate::outcome::Beside;

/// The page of `onrush selftest`.
pub fn text(floor: &Floor) -> String {
    let mut out = format!("Floor of {}\n", floor.host);
    let times = [
        (floor.response_min, "at least"),
        (floor.response_p50, "p50"),
        (floor.response_p99, "p99"),
    ];
    let times = times.map(|(value, what)| format!("{} {what}", maybe_time(value))).join(", ");
    line(&mut out, "Response", format_args!("{times}; one connection to the built-in target"));
    line(&mut out, "Rate", format_args!("{:.0}/s at most, with one core", floor.rate_per_s));
    let noise = &floor.noise;
    let apart = format!(
        "p50 {}, p99 {} apart; {} at {:.0}/s",
        maybe_percent(noise.p50),
        maybe_percent(noise.p99),
        counted(noise.runs, "equal run"),
        noise.rate_per_s
    );
    line(&mut out, "Noise", apart);
    line(&mut out, "Holes", holes(floor));
    line(&mut out, "Clock", format_args!("{} ns a read", digits3(floor.clock_ns)));
    out
}

/// The same for programs: one object, a line break at its end.
pub fn json(floor: &Floor) -> String {
    format!("{:#}\n", object(floor))
}

/// What a run's text says of its floor; empty where there is none.
pub(super) fn beside(beside: Option<&Beside>) -> String {
    let Some(beside) = beside else { return String::new() };
    let floor = &beside.floor;
    let mut out = String::new();
    let times = |ratio: f64| format!(", here {} times that", digits3(ratio));
    let share = |share: f64| format!(", here {} of that a shard", percent(share));
    line(
        &mut out,
        "Floor",
        format_args!(
            "p50 {}{}; {:.0}/s a core{}",
            maybe_time(floor.response_p50),
            beside.p50_ratio.map(times).unwrap_or_default(),
            floor.rate_per_s,
            beside.rate_share.map(share).unwrap_or_default(),
        ),
    );
    for note in beside.notes() {
        line(&mut out, "", note);
    }
    out
}

/// What a run's JSON says of its floor.
pub(super) fn beside_json(beside: Option<&Beside>) -> Value {
    let Some(beside) = beside else { return Value::Null };
    let mut object = object(&beside.floor);
    object["p50_ratio"] = json!(beside.p50_ratio);
    object["is_different"] = json!(beside.is_different);
    object["rate_share"] = json!(beside.rate_share);
    object["notes"] = json!(beside.notes());
    object
}

fn object(floor: &Floor) -> Value {
    json!({
        "host": floor.host,
        "tool_version": floor.tool_version,
        "measured_unix_ns": floor.measured_unix_ns,
        "response_ns": {
            "min": floor.response_min.map(|time| time.0),
            "p50": floor.response_p50.map(|time| time.0),
            "p99": floor.response_p99.map(|time| time.0),
        },
        "rate_per_s": floor.rate_per_s,
        "noise": {
            "runs": floor.noise.runs,
            "rate_per_s": floor.noise.rate_per_s,
            "p50_share": floor.noise.p50,
            "p99_share": floor.noise.p99,
        },
        "holes": {
            "count": floor.holes.count,
            "total_ns": floor.holes.total.0,
            "longest_ns": floor.holes.longest.0,
            "watched_ns": floor.watched.0,
            "spectrum": bins(&floor.holes)
                .map(|(from, count)| json!({"from_ns": from, "count": count}))
                .collect::<Value>(),
        },
        "clock_ns": floor.clock_ns,
    })
}

/// `412 in 2s, 1.2 % of it, the longest 390us; 300 from 20us, 112 from 40us`.
fn holes(floor: &Floor) -> String {
    let holes = &floor.holes;
    if holes.count == 0 {
        return format!("none in {}", floor.watched);
    }
    let share = holes.total.0 as f64 / floor.watched.0.max(1) as f64;
    let mut out = format!(
        "{} in {}, {} of it, the longest {}; ",
        holes.count,
        floor.watched,
        percent(share),
        time(holes.longest.0 as f64)
    );
    for (i, (from, count)) in bins(holes).enumerate() {
        let separator = if i > 0 { ", " } else { "" };
        let _ = write!(out, "{separator}{count} from {}", time(from as f64));
    }
    out
}

/// Bins with holes in them: the shortest length, in ns, and how many.
fn bins(holes: &Holes) -> impl Iterator<Item = (u64, u64)> {
    let counts = holes.spectrum.iter().enumerate().filter(|&(_, &count)| count > 0);
    counts.map(|(bin, &count)| (Holes::bin_start(bin).0, count))
}

fn percent(share: f64) -> String {
    format!("{} %", digits3(share * 100.0))
}

fn maybe_percent(share: Option<f64>) -> String {
    share.map_or_else(|| UNKNOWN.to_owned(), percent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Hole, Noise, Phase};
    use crate::unit::{Instant, Nanos};

    fn floor() -> Floor {
        let mut holes = Holes::prepared();
        for lost in [21_000, 25_000, 90_000].map(Nanos) {
            let from = Instant::ZERO;
            holes.count(&Hole { from, to: from + lost, lost, phase: Phase::Measure });
        }
        Floor {
            host: "lab1, 2 x EPYC, Linux 6.12".into(),
            tool_version: "0.1.0".into(),
            measured_unix_ns: 5,
            response_min: Some(Nanos(18_900)),
            response_p50: Some(Nanos(22_100)),
            response_p99: None,
            rate_per_s: 131_072.4,
            noise: Noise { runs: 8, rate_per_s: 65_536.0, p50: Some(0.031), p99: None },
            holes,
            watched: Nanos::from_secs(2),
            clock_ns: 7.25,
        }
    }

    #[test]
    fn the_page_has_every_figure() {
        let expect = "\
            Floor of lab1, 2 x EPYC, Linux 6.12\n\
            Response    18.9us at least, 22.1us p50, n/a p99; one connection to the built-in \
            target\n\
            Rate        131072/s at most, with one core\n\
            Noise       p50 3.10 %, p99 n/a apart; 8 equal runs at 65536/s\n\
            Holes       3 in 2s, 0.0068 % of it, the longest 90.0us; 2 from 20.0us, 1 from \
            80.0us\n\
            Clock       7.25 ns a read\n";
        assert_eq!(text(&floor()), expect);
    }

    #[test]
    fn a_run_stands_beside_it() {
        let stands = Beside {
            floor: floor(),
            p50_ratio: Some(2.104),
            is_different: Some(true),
            rate_share: Some(0.08),
        };
        let expect = "\
            Floor       p50 22.1us, here 2.10 times that; 131072/s a core, here 8.00 % of that a \
            shard\n            near the floor: for the most part it is this machine's own time\n";
        assert_eq!(beside(Some(&stands)), expect);
        let json = beside_json(Some(&stands));
        assert_eq!(
            (&json["p50_ratio"], &json["response_ns"]["p50"]),
            (&2.104.into(), &22_100.into())
        );
        assert_eq!(json["holes"]["spectrum"][1], json!({"from_ns": 80_000, "count": 1}));
        assert_eq!((beside(None), beside_json(None)), (String::new(), Value::Null));
    }
}
