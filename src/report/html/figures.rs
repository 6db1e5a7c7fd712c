//! The pictures of a page, from the numbers that `plot` draws too.

use std::fmt::Write as _;

use super::chart::{Chart, Panel};
use crate::outcome::Summary;
use crate::outcome::pictures::{
    Axis, Curve, Lifetimes, Mark, Pictures, Stage, Step, Window, band, spread, steps, support,
};
use crate::stats::Distribution;
use crate::unit::{Nanos, Quantile};

/// Rows of a heat map, at most.
const ROWS_MAX: usize = 96;

/// Colours of a heat map, from few to many.
const SHADES: usize = 10;

/// Response and service over the percentile.
pub(super) fn percentiles(summary: &Summary) -> String {
    let (figures, confidence) = (&summary.figures, &summary.confidence);
    let both = [
        ("response", "blue", &figures.response, &confidence.response),
        ("service", "orange", &figures.service, &confidence.service),
    ];
    let count = figures.response.count();
    let (x, y) = (Axis::percentiles(count as f64), lengths(both.map(|line| line.2)));
    let panel = Panel { x: &x, y: &y, top: 10.0, height: 360.0 };
    let caption = "Dashed and grey: fewer than ten samples beyond. Shaded: 95 % confidence.";
    let mut chart = Chart::new("percentiles", "Response and service time by percentile", caption);
    let edge = support(count);
    if edge < x.high {
        chart.path("unsupported", &panel.stripe(edge, x.high));
    }
    chart.panel(&panel, Some("percentile"), "time");
    let curves = both.map(|line| Curve::of(line.2));
    let mut ends = [0, 1].map(|index| y.at(curves[index].end().0 as f64));
    spread(&mut ends, 0.05);
    for (((name, class, distribution, blocks), curve), end) in
        both.into_iter().zip(curves).zip(ends)
    {
        let band = band(blocks, distribution).into_iter();
        let band: Vec<_> = band.map(|(x, low, high)| (x, low.0 as f64, high.0 as f64)).collect();
        chart.band(&format!("{class}-band"), &panel, &band);
        let points = |points: Vec<(f64, Nanos)>| points.into_iter().map(|(x, t)| (x, t.0 as f64));
        chart.line(class, &panel, points(curve.supported));
        chart.line(&format!("{class} dashed"), &panel, points(curve.unsupported));
        chart.label(&panel, class, end, name);
    }
    chart.finish()
}

/// The run step by step.
pub(super) fn timeline(summary: &Summary, window: Window) -> String {
    let steps = steps(&summary.timeline, &summary.plan, window);
    let most = |of: fn(&Step) -> f64| steps.iter().map(of).fold(0.0, f64::max);
    let x = Axis::time(window.from, window.to);
    let rates = Axis::counts(most(|s| s.planned_per_s.max(s.sent_per_s).max(s.ok_per_s)));
    let levels = Axis::counts(most(|s| s.in_system.max(s.in_flight)));
    let times = steps.iter().flat_map(|step| [step.p50, step.p99]).flatten();
    let times = Axis::lengths(
        times.clone().min().unwrap_or(Nanos::ZERO),
        times.max().unwrap_or(Nanos::ZERO),
    );
    let panel = |y, top, height| Panel { x: &x, y, top, height };
    let caption = "In system: from intended to done; in flight: from sent to done.";
    let title = "Rates, requests under way and response over time";
    let mut chart = Chart::new("timeline", title, caption);
    let line = |of: fn(&Step) -> Option<f64>| {
        steps.iter().map(move |s| (s.from.0 as f64, s.to.0 as f64, of(s)))
    };

    let upper = panel(&rates, 10.0, 130.0);
    chart.panel(&upper, None, "per second");
    chart.steps("planned", &upper, line(|s| Some(s.planned_per_s)));
    chart.steps("orange", &upper, line(|s| Some(s.sent_per_s)));
    chart.steps("blue", &upper, line(|s| Some(s.ok_per_s)));
    let failed = |s: &Step| Some(s.failed_per_s).filter(|&rate| rate > 0.0);
    chart.steps("red", &upper, line(failed));
    let keys = [("planned", "planned"), ("orange", "sent"), ("blue", "ok"), ("red", "failed")];
    let shown = if most(|s| s.failed_per_s) > 0.0 { 4 } else { 3 };
    for (number, (class, words)) in keys.into_iter().take(shown).enumerate() {
        chart.key(&upper, class, number, words);
    }

    let middle = panel(&levels, 160.0, 130.0);
    chart.panel(&middle, None, "requests");
    pair(
        &mut chart,
        &middle,
        [
            ("orange", "in system", line(|s| Some(s.in_system)).collect()),
            ("blue", "in flight", line(|s| Some(s.in_flight)).collect()),
        ],
    );
    let lower = panel(&times, 310.0, 150.0);
    chart.panel(&lower, Some(&time_name(&x)), "response");
    let time = |time: Option<Nanos>| time.map(|time| time.0 as f64);
    let lines = |of: fn(&Step) -> Option<Nanos>| {
        steps.iter().map(|s| (s.from.0 as f64, s.to.0 as f64, time(of(s)))).collect()
    };
    pair(
        &mut chart,
        &lower,
        [("orange", "p99", lines(|s| s.p99)), ("blue", "p50", lines(|s| s.p50))],
    );
    chart.finish()
}

/// A line of steps with its class and its name.
type Line = (&'static str, &'static str, Vec<(f64, f64, Option<f64>)>);

/// Two lines, each named at its end.
fn pair(chart: &mut Chart, panel: &Panel<'_>, lines: [Line; 2]) {
    let mut ends = [0, 1].map(|index| {
        let last = lines[index].2.iter().rev().find_map(|step| step.2);
        panel.y.at(last.unwrap_or(panel.y.low))
    });
    spread(&mut ends, 0.14);
    for ((class, name, steps), end) in lines.into_iter().zip(ends) {
        chart.steps(class, panel, steps);
        chart.label(panel, class, end, name);
    }
}

/// Response over the time at which it was due.
pub(super) fn heat_map(pictures: &Pictures, log: usize) -> String {
    let cells = pictures.response.cells(ROWS_MAX);
    let low = cells.iter().map(|cell| cell.low).min().unwrap_or(Nanos::ZERO);
    let high = cells.iter().map(|cell| cell.high).max().unwrap_or(Nanos::ZERO);
    let most = cells.iter().map(|cell| cell.count).max().unwrap_or(1).max(2);
    let (x, y) =
        (Axis::time(pictures.window.from, pictures.window.to), Axis::log_lengths(low, high));
    let panel = Panel { x: &x, y: &y, top: 20.0, height: 350.0 };
    let caption = format!("From 1 request in a cell to {most}. Holes are marked along the top.");
    let mut chart = Chart::new(&format!("heat-map-{log}"), "Response over time", &caption);
    let name = format!("intended start ({} since the start of measure)", x.unit);
    chart.panel(&panel, Some(&name), "response");
    let mut shades = vec![String::new(); SHADES];
    for cell in cells {
        let shade = (cell.count as f64).ln() / (most as f64).ln() * (SHADES - 1) as f64;
        let (from, to) = (cell.from.0 as f64, cell.to.0 as f64);
        let (low, high) = (cell.low.0.max(1) as f64, cell.high.0 as f64);
        shades[shade.round() as usize].push_str(&panel.cell((from, to), (low, high)));
    }
    for (number, path) in shades.iter().enumerate() {
        chart.path(&format!("h{number}"), path);
    }
    let rug = Panel { top: 8.0, height: 8.0, ..panel };
    chart.path("rug", &stripes(&rug, &pictures.holes));
    chart.finish()
}

fn stripes(panel: &Panel<'_>, holes: &[Mark]) -> String {
    holes.iter().map(|hole| panel.stripe(hole.from.0 as f64, hole.to.0 as f64)).collect()
}

/// Each session as a line from its intended start to its end.
pub(super) fn lifetimes(pictures: &Pictures, log: usize) -> String {
    let Lifetimes { window, one_in, lives } = &pictures.lifetimes;
    let x = Axis::time(window.from, window.to);
    let mut y = Axis::counts(lives.len() as f64);
    y.high = lives.len().max(1) as f64;
    y.ticks.retain(|tick| tick.value <= y.high);
    let panel = Panel { x: &x, y: &y, top: 10.0, height: 420.0 };
    let caption = match one_in {
        1 => "Every session in this time, in order of its intended start.".to_owned(),
        n => format!("One of {n} sessions in this time, in order of its intended start."),
    };
    let mut chart = Chart::new(&format!("lifetimes-{log}"), "Lifetimes of sessions", &caption);
    let holes = pictures.holes.iter().filter(|h| h.from < window.to && h.to > window.from);
    let holes: Vec<Mark> = holes.copied().collect();
    chart.path("hole", &stripes(&panel, &holes));
    chart.panel(&panel, Some(&time_name(&x)), "sessions");
    let thickness = panel.height / lives.len().max(1) as f64;
    let thickness = if lives.len() <= 200 { thickness * 0.8 } else { thickness };
    for (number, (stage, name)) in Stage::ALL.into_iter().enumerate() {
        let mut path = String::new();
        for (line, life) in lives.iter().enumerate() {
            for stretch in life.stretches.iter().filter(|stretch| stretch.stage == stage) {
                let (from, to) = (panel.x(stretch.from.0 as f64), panel.x(stretch.to.0 as f64));
                let y = panel.y(line as f64 + 0.5);
                let _ = write!(path, "M{from:.1} {y:.1}H{to:.1}");
            }
        }
        let class = name.replace(' ', "-");
        chart.thick_path(&class, thickness.max(0.5), &path);
        chart.key(&panel, &class, number, name);
    }
    let failed = lives.iter().enumerate().filter_map(|(line, life)| Some((line, life.failed?.0)));
    let crosses = failed.map(|(line, at)| {
        let (x, y) = (panel.x(at.0 as f64), panel.y(line as f64 + 0.5));
        format!("M{:.1} {:.1}l6 6m0 -6l-6 6", x - 3.0, y - 3.0)
    });
    chart.path("failed", &crosses.collect::<String>());
    chart.finish()
}

/// How late we were, and when we were not there.
pub(super) fn lag(pictures: &Pictures, log: usize) -> String {
    let series = pictures.lag.series([Quantile(500_000), Quantile(990_000)]);
    let lags = series.iter().flat_map(|&(_, _, [p50, p99], max)| [p50, p99, max]);
    let y = log_lengths(lags, Nanos::from_micros(1));
    let x = Axis::time(pictures.window.from, pictures.window.to);
    let upper = Panel { x: &x, y: &y, top: 10.0, height: 220.0 };
    let left_out = match pictures.holes_left_out {
        0 => String::new(),
        n => format!(" The longest holes are shown, {n} others are not."),
    };
    let caption =
        format!("Lag: from ready to sent. Holes: times in which a shard was not there.{left_out}");
    let mut chart = Chart::new(&format!("lag-{log}"), "Lag and holes: what may be ours", &caption);
    chart.panel(&upper, None, "lag");
    let line = |of: fn(&[Nanos; 2], Nanos) -> Nanos| {
        let steps = series.iter().map(move |(from, to, some, max)| {
            (from.0 as f64, to.0 as f64, Some(of(some, *max).0.max(1) as f64))
        });
        steps.collect::<Vec<_>>()
    };
    let lines = [
        ("red", "max", line(|_, max| max)),
        ("orange", "p99", line(|some, _| some[1])),
        ("blue", "p50", line(|some, _| some[0])),
    ];
    for (number, (class, name, steps)) in lines.into_iter().enumerate() {
        chart.steps(class, &upper, steps);
        chart.key(&upper, class, number, name);
    }
    let lost = pictures.holes.iter().map(|hole| hole.lost);
    let y = log_lengths(lost.chain([Nanos::from_micros(10)]), Nanos::from_millis(1));
    let lower = Panel { x: &x, y: &y, top: 255.0, height: 120.0 };
    chart.panel(&lower, Some(&time_name(&x)), "holes");
    let bottom = lower.top + lower.height;
    let sticks = pictures.holes.iter().map(|hole| {
        let (x, y) = (lower.x(hole.from.0 as f64), lower.y(hole.lost.0 as f64));
        format!("M{x:.1} {bottom:.1}V{y:.1}")
    });
    chart.path("stick", &sticks.collect::<String>());
    if pictures.holes.is_empty() {
        chart.note(&lower, (x.low, 0.5), "none");
    }
    chart.finish()
}

/// A logarithmic axis for these, less those that are zero; up to `most` where there are none.
fn log_lengths(of: impl Iterator<Item = Nanos> + Clone, most: Nanos) -> Axis {
    let some = of.filter(|&length| length > Nanos::ZERO);
    Axis::log_lengths(some.clone().min().unwrap_or(Nanos(1)), some.max().unwrap_or(most))
}

fn lengths(of: [&Distribution; 2]) -> Axis {
    let min = of.iter().filter_map(|distribution| distribution.min()).min();
    let max = of.iter().filter_map(|distribution| distribution.max()).max();
    Axis::lengths(min.unwrap_or(Nanos::ZERO), max.unwrap_or(Nanos::ZERO))
}

fn time_name(axis: &Axis) -> String {
    format!("time ({} since the start of measure)", axis.unit)
}
