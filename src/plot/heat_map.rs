//! Response over the time at which it was due, dark where there were many.

use std::fmt::Write as _;

use super::Subject;
use super::script::{Data, Script};
use crate::outcome::pictures::{Axis, Mark, caption};
use crate::unit::Nanos;

/// Rows of a map, at most.
const ROWS_MAX: usize = 96;

pub(super) fn draw(log: &Subject<'_>) -> (String, String) {
    let pictures = log.pictures;
    let cells = pictures.response.cells(ROWS_MAX);
    let low = cells.iter().map(|cell| cell.low).min().unwrap_or(Nanos::ZERO);
    let high = cells.iter().map(|cell| cell.high).max().unwrap_or(Nanos::ZERO);
    let lengths = Axis::log_lengths(low, high);
    let time = Axis::time(pictures.window.from, pictures.window.to);

    let mut script = Script::new("heat-map");
    script.text("heading", "Response over time");
    script.text("caption", &caption(log.summary));
    script.text("time_unit", time.unit);
    script.axis("time_axis", 'x', &time);
    script.axis("length_axis", 'y', &lengths);
    // Holes are marked along the upper edge.
    script.number("top", lengths.high);
    script.number("rug", lengths.high / (lengths.high / lengths.low).powf(0.02));
    script.number("most", cells.iter().map(|cell| cell.count).max().unwrap_or(1).max(2));

    script.number("any_hole", u8::from(!pictures.holes.is_empty()));
    let mut data = Data::new();
    data.block("cells", "from_ns to_ns low_ns high_ns requests", cells, |out, cell| {
        let (from, to, low, high) = (cell.from.0, cell.to.0, cell.low.0, cell.high.0);
        write!(out, "{from} {to} {} {high} {}", low.max(1), cell.count)
    });
    holes(&mut data, &pictures.holes);
    (script.finish(include_str!("gnuplot/heat-map.gp")), data.finish())
}

/// Adds the holes.
pub(super) fn holes(data: &mut Data, marks: &[Mark]) {
    data.block("holes", "from_ns to_ns lost_ns shard", marks, |out, mark| {
        write!(out, "{} {} {} {}", mark.from.0, mark.to.0, mark.lost.0, mark.shard)
    });
}
