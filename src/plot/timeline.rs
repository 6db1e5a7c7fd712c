//! The run step by step: what was planned, what came of it, and how long it took.

use std::fmt::Write as _;

use super::Subject;
use super::script::{Data, Script};
use crate::outcome::pictures::{Axis, Step, caption, spread, steps};
use crate::unit::Nanos;

pub(super) fn draw(log: &Subject<'_>) -> (String, String) {
    let summary = log.summary;
    let window = log.pictures.window;
    let steps = steps(&summary.timeline, &summary.plan, window);
    let most = |of: fn(&Step) -> f64| steps.iter().map(of).fold(0.0, f64::max);
    let rates = Axis::counts(most(|s| s.planned_per_s.max(s.sent_per_s).max(s.ok_per_s)));
    let levels = Axis::counts(most(|s| s.in_system.max(s.in_flight)));
    let times = response_axis(&steps);

    let mut script = Script::new("timeline");
    script.text("heading", "Rates, requests under way and response over time");
    script.text("caption", &caption(summary));
    let time = Axis::time(window.from, window.to);
    script.text("time_unit", time.unit);
    script.axis("time_axis", 'x', &time);
    script.axis("time_axis_without_labels", 'x', &time.without_labels());
    script.axis("rate_axis", 'y', &rates);
    script.axis("level_axis", 'y', &levels);
    script.axis("length_axis", 'y', &times);
    script.number("any_failed", u8::from(most(|s| s.failed_per_s) > 0.0));

    let last = steps.last();
    let end = |axis: &Axis, of: fn(&Step) -> f64| last.map_or(0.0, |last| axis.at(of(last)));
    let level_ends = [end(&levels, |s| s.in_system), end(&levels, |s| s.in_flight)];
    let p = |time: Option<Nanos>| time.map_or(0.0, |time| time.0 as f64);
    let time_ends =
        [|s: &Step| s.p50, |s: &Step| s.p99].map(|of| times.at(p(steps.iter().rev().find_map(of))));
    place(&mut script, "level", level_ends);
    place(&mut script, "length", time_ends);

    // A step of no length closes the lines.
    let mut data = Data::new();
    let columns = "from_ns to_ns planned_per_s sent_per_s ok_per_s failed_per_s in_system \
                   in_flight p50_ns p99_ns";
    let closing = steps.last().map(|last| Step { from: last.to, ..last.clone() });
    data.block("steps", columns, steps.into_iter().chain(closing), |out, s| {
        let missing =
            |time: Option<Nanos>| time.map_or_else(|| "nan".into(), |time| time.0.to_string());
        write!(
            out,
            "{} {} {:.3} {:.3} {:.3} {:.3} {:.3} {:.3} {} {}",
            s.from.0,
            s.to.0,
            s.planned_per_s,
            s.sent_per_s,
            s.ok_per_s,
            s.failed_per_s,
            s.in_system,
            s.in_flight,
            missing(s.p50),
            missing(s.p99)
        )
    });
    (script.finish(include_str!("gnuplot/timeline.gp")), data.finish())
}

/// An axis for the percentiles of all steps.
pub(super) fn response_axis<'a>(steps: impl IntoIterator<Item = &'a Step>) -> Axis {
    let times = steps.into_iter().flat_map(|step| [step.p50, step.p99]).flatten();
    let (low, high) = times.fold((None, Nanos::ZERO), |(low, high): (Option<Nanos>, _), time| {
        (Some(low.map_or(time, |low| low.min(time))), high.max(time))
    });
    Axis::lengths(low.unwrap_or(Nanos::ZERO), high)
}

/// Where the names of two lines stand: `NAME_1` and `NAME_2`.
fn place(script: &mut Script, name: &str, mut ends: [f64; 2]) {
    spread(&mut ends, 0.16);
    script.number(&format!("{name}_1"), format_args!("{:.3}", ends[0]));
    script.number(&format!("{name}_2"), format_args!("{:.3}", ends[1]));
}
