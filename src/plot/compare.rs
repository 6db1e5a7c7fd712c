//! The response of several logs over the percentile.

use std::fmt::Write as _;

use super::Subject;
use super::percentiles::{block, lengths};
use super::script::{Data, Script};
use super::timeline::response_axis;
use crate::outcome::pictures::{Axis, Curve, Step, load, spread, steps};
use crate::unit::Nanos;

/// Okabe and Ito, in an order that keeps neighbours apart.
const COLOURS: [&str; 7] = ["blue", "orange", "green", "purple", "sky", "red", "ink"];

/// Logs that have room for verdict and count below their names.
const LABELLED_MAX: usize = 3;

/// Plans that have room below the title.
const PLANS_MAX: usize = 2;

pub(super) fn draw(logs: &[Subject<'_>]) -> (String, String) {
    let responses = logs.iter().map(|log| &log.summary.figures.response);
    let axis = lengths(responses.clone());
    let most = responses.clone().map(|response| response.count()).max().unwrap_or(0);
    let curves: Vec<Curve> = responses.map(Curve::of).collect();
    let is_crowded = logs.len() > LABELLED_MAX;
    let mut ends: Vec<f64> = curves.iter().map(|curve| axis.at(curve.end().0 as f64)).collect();
    spread(&mut ends, if is_crowded { 0.9 / logs.len() as f64 } else { 0.3 });
    let in_steps: Vec<Vec<Step>> = logs.iter().map(of_log).collect();
    let to = logs.iter().map(|log| log.pictures.window.to).max().unwrap_or(Nanos::ZERO);
    let from = logs.iter().map(|log| log.pictures.window.from).min().unwrap_or(Nanos::ZERO);
    let time = Axis::time(from, to);

    let mut script = Script::new("compare");
    script.text("heading", "Response time by percentile, compared");
    script.text("caption", &plans(logs));
    script.axis("percentile_axis", 'x', &Axis::percentiles(most as f64));
    script.axis("length_axis", 'y', &axis);
    script.text("time_unit", time.unit);
    script.axis("time_axis", 'x', &time);
    script.axis("step_axis", 'y', &response_axis(in_steps.iter().flatten()));
    script.number("logs", logs.len());
    let mut data = Data::new();
    let numbered = (1..).zip(logs).zip(curves.into_iter().zip(ends)).zip(in_steps);
    for (((number, log), (curve, end)), steps) in numbered {
        let colour = COLOURS[(number - 1) % COLOURS.len()];
        let summary = log.summary;
        let count = summary.figures.response.count();
        if is_crowded {
            let label = format!("{}: {}, {count}", log.name, summary.verdict);
            script.label(&label, colour, end);
        } else {
            script.label(log.name, colour, end);
            script.label(summary.verdict.as_str(), "grey", end - 0.1);
            script.label(&format!("n = {count}"), "grey", end - 0.2);
        }
        block(&mut data, &format!("log {number}"), "response_ns", curve);
        let steps = steps.iter().filter_map(|step| Some((step.from, step.to, step.p99?)));
        let closing = steps.clone().next_back().map(|(_, to, p99)| (to, to, p99));
        let name = format!("log {number}, steps");
        data.block(&name, "from_ns to_ns p99_ns", steps.chain(closing), |out, (from, to, p99)| {
            write!(out, "{} {} {}", from.0, to.0, p99.0)
        });
    }
    (script.finish(include_str!("gnuplot/compare.gp")), data.finish())
}

fn of_log(log: &Subject<'_>) -> Vec<Step> {
    steps(&log.summary.timeline, &log.summary.plan, log.pictures.window)
}

/// The plan of all, or as many of them as have room.
fn plans(logs: &[Subject<'_>]) -> String {
    let mut plans: Vec<String> = Vec::new();
    for plan in logs.iter().map(|log| load(&log.summary.plan)) {
        if !plans.contains(&plan) {
            plans.push(plan);
        }
    }
    if plans.len() > PLANS_MAX {
        let rest = format!("and {} more loads", plans.len() - 1);
        plans.splice(1.., [rest]);
    }
    plans.join("  /  ")
}

#[cfg(test)]
mod tests {
    use crate::outcome::pictures::Pictures;
    use crate::outcome::sample::Run;
    use crate::unit::{Instant, Rate};

    use super::*;

    #[test]
    fn a_plan_is_named_once_and_many_are_counted() {
        let runs = [1000, 2000, 1000, 3000].map(|rate| {
            let mut run = Run::steady();
            run.plan.rate = Rate::per_second(rate);
            run.summary()
        });
        let nothing = Pictures::gather(&runs[0], Instant(0), |_| Ok::<(), ()>(())).unwrap();
        let logs =
            runs.each_ref().map(|summary| Subject { name: "a", summary, pictures: &nothing });
        assert_eq!(plans(&logs[..3]).matches("  /  ").count(), 1);
        assert!(plans(&logs).ends_with("  /  and 2 more loads"), "{}", plans(&logs));
    }
}
