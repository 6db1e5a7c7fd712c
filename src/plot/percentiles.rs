//! Response and service over the percentile: where they part, requests waited.

use std::fmt::Write as _;

use super::Subject;
use super::script::{Data, Script};
use crate::outcome::pictures::{Axis, Curve, band, caption, spread, support};
use crate::stats::Distribution;
use crate::unit::Nanos;

pub(super) fn draw(log: &Subject<'_>) -> (String, String) {
    let figures = &log.summary.figures;
    let both = [("response", "blue", &figures.response), ("service", "orange", &figures.service)];
    let axis = lengths(both.map(|line| line.2));
    let count = figures.response.count();

    let mut script = Script::new("percentiles");
    script.text("heading", "Response and service time by percentile");
    script.text("caption", &caption(log.summary));
    script.number("unsupported", support(count));
    script.axis("percentile_axis", 'x', &Axis::percentiles(count as f64));
    script.axis("length_axis", 'y', &axis);

    let mut data = Data::new();
    let curves = both.map(|(_, _, distribution)| Curve::of(distribution));
    let mut ends = [0, 1].map(|index| axis.at(curves[index].end().0 as f64));
    spread(&mut ends, 0.05);
    for (((name, colour, _), curve), end) in both.into_iter().zip(curves).zip(ends) {
        script.label(name, colour, end);
        block(&mut data, name, "time_ns", curve);
    }
    let confidence = &log.summary.confidence;
    let blocks = [&confidence.response, &confidence.service];
    let mut any = 0;
    for ((name, _, distribution), blocks) in both.into_iter().zip(blocks) {
        let band = band(blocks, distribution);
        any |= u8::from(band.len() > 1);
        let columns = "1/(1-p) low_ns high_ns";
        data.block(&format!("{name}, 95 %"), columns, band, |out, (beyond, low, high)| {
            write!(out, "{beyond:.6} {} {}", low.0, high.0)
        });
    }
    script.number("any_band", any);
    (script.finish(include_str!("gnuplot/percentiles.gp")), data.finish())
}

/// Adds both parts of a curve.
pub(super) fn block(data: &mut Data, name: &str, column: &str, curve: Curve) {
    let columns = format!("1/(1-p) {column}");
    let row =
        |out: &mut String, (beyond, time): (f64, Nanos)| write!(out, "{beyond:.6} {}", time.0);
    data.block(name, &columns, curve.supported, row);
    data.block(&format!("{name}, unsupported"), &columns, curve.unsupported, row);
}

/// An axis on which all samples of these have room.
pub(super) fn lengths<'a>(of: impl IntoIterator<Item = &'a Distribution> + Clone) -> Axis {
    let min = of.clone().into_iter().filter_map(Distribution::min).min();
    let max = of.into_iter().filter_map(Distribution::max).max();
    Axis::lengths(min.unwrap_or(Nanos::ZERO), max.unwrap_or(Nanos::ZERO))
}
