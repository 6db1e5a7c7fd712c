//! The response of several logs over the percentile.

use super::Subject;
use super::percentiles::{block, lengths};
use super::script::{Data, Script};
use crate::outcome::pictures::{Axis, Curve, load, spread};

/// Okabe and Ito, in an order that keeps neighbours apart.
const COLOURS: [&str; 7] = ["blue", "orange", "green", "purple", "sky", "red", "ink"];

pub(super) fn draw(logs: &[Subject<'_>]) -> (String, String) {
    let responses = logs.iter().map(|log| &log.summary.figures.response);
    let axis = lengths(responses.clone());
    let most = responses.clone().map(|response| response.count()).max().unwrap_or(0);
    let curves: Vec<Curve> = responses.map(Curve::of).collect();
    let mut ends: Vec<f64> = curves.iter().map(|curve| axis.at(curve.end().0 as f64)).collect();
    spread(&mut ends, 0.13);

    let mut script = Script::new("compare");
    script.text("heading", "Response time by percentile, compared");
    script.text("caption", &plans(logs));
    script.axis("percentile_axis", 'x', &Axis::percentiles(most as f64));
    script.axis("length_axis", 'y', &axis);
    script.number("logs", logs.len());
    let mut data = Data::new();
    let numbered = (1..).zip(logs).zip(curves.into_iter().zip(ends));
    for ((number, log), (curve, end)) in numbered {
        let colour = COLOURS[(number - 1) % COLOURS.len()];
        let summary = log.summary;
        let count = summary.figures.response.count();
        script.label(log.name, colour, end);
        script.label(summary.verdict.as_str(), "grey", end - 0.04);
        script.label(&format!("n = {count}"), "grey", end - 0.08);
        block(&mut data, &format!("log {number}"), "response_ns", curve);
    }
    (script.finish(include_str!("gnuplot/compare.gp")), data.finish())
}

/// The plan of all, or each of them.
fn plans(logs: &[Subject<'_>]) -> String {
    let mut plans: Vec<String> = logs.iter().map(|log| load(&log.summary.plan)).collect();
    plans.dedup();
    plans.join("  /  ")
}
