//! How late we were, and when we were not there: what of the response may be ours.

use std::fmt::Write as _;

use super::Subject;
use super::heat_map::holes;
use super::script::{Data, Script};
use crate::outcome::pictures::{Axis, caption, spread};
use crate::unit::{Nanos, Quantile};

pub(super) fn draw(log: &Subject<'_>) -> (String, String) {
    let pictures = log.pictures;
    let lag = pictures.lag.series([Quantile(500_000), Quantile(990_000)]);
    let lags = lag.iter().flat_map(|&(_, _, [p50, p99], max)| [p50, p99, max]);
    let lengths = lags.clone().filter(|&lag| lag > Nanos::ZERO);
    let axis = Axis::log_lengths(
        lengths.clone().min().unwrap_or(Nanos(1)),
        lengths.max().unwrap_or(Nanos::from_micros(1)),
    );
    let time = Axis::time(pictures.window.from, pictures.window.to);
    let lost = || pictures.holes.iter().map(|mark| mark.lost);
    let hole_axis = Axis::log_lengths(
        lost().min().unwrap_or(Nanos::from_micros(10)).min(Nanos::from_micros(10)),
        lost().max().unwrap_or(Nanos::from_millis(1)),
    );

    let mut script = Script::new("lag");
    script.text("heading", "Lag and holes: what may be ours");
    script.text("caption", &caption(log.summary));
    script.text("time_unit", time.unit);
    script.axis("time_axis", 'x', &time);
    script.axis("lag_axis", 'y', &axis);
    script.axis("hole_axis", 'y', &hole_axis);
    script.number("any_holes", u8::from(!pictures.holes.is_empty()));
    script.axis("time_axis_without_labels", 'x', &time.without_labels());
    if let Some(&(_, _, [p50, p99], max)) = lag.last() {
        let mut ends = [p50, p99, max].map(|lag| axis.at(lag.0 as f64));
        spread(&mut ends, 0.09);
        for ((name, colour), end) in
            [("p50", "blue"), ("p99", "orange"), ("max", "red")].into_iter().zip(ends)
        {
            script.label(name, colour, end);
        }
    }

    let mut data = Data::new();
    let columns = "from_ns to_ns p50_ns p99_ns max_ns";
    let closing = lag.last().map(|&(_, to, some, max)| (to, to, some, max));
    data.block(
        "lag",
        columns,
        lag.into_iter().chain(closing),
        |out, (from, to, [p50, p99], max)| {
            let [p50, p99, max] = [p50, p99, max].map(|lag| lag.0.max(1));
            write!(out, "{} {} {p50} {p99} {max}", from.0, to.0)
        },
    );
    holes(&mut data, &pictures.holes);
    (script.finish(include_str!("gnuplot/lag.gp")), data.finish())
}
