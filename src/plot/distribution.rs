//! The distribution function, and what is beyond on axes that show the tail.

use std::fmt::Write as _;

use super::Subject;
use super::script::{Data, Script};
use crate::outcome::pictures::{Axis, Tick, caption, shares, support};
use crate::unit::Nanos;

pub(super) fn draw(log: &Subject<'_>) -> (String, String) {
    let figures = &log.summary.figures;
    let both = [("response", &figures.response), ("service", &figures.service)];
    let min = both.iter().filter_map(|line| line.1.min()).min().unwrap_or(Nanos::ZERO);
    let max = both.iter().filter_map(|line| line.1.max()).max().unwrap_or(Nanos::ZERO);
    let count = figures.response.count();

    let mut script = Script::new("distribution");
    script.text("heading", "Distribution of response and service time, and its complement");
    script.text("caption", &caption(log.summary));
    script.number("unsupported", 1.0 / support(count));
    script.axis("length_axis", 'x', &Axis::log_lengths(min, max));
    script.axis("share_axis", 'y', &beyond(count));

    let mut data = Data::new();
    for (name, distribution) in both {
        let count = distribution.count() as f64;
        data.block(name, "time_ns share share_beyond", shares(distribution), |out, point| {
            let share = point.up_to as f64 / count;
            write!(out, "{} {share:.9} {:.9}", point.time.0, 1.0 - share)
        });
    }
    (script.finish(include_str!("gnuplot/distribution.gp")), data.finish())
}

/// Shares from one in `count` to 1, logarithmic.
fn beyond(count: u64) -> Axis {
    let low = 0.8 / count.max(10) as f64;
    let powers = (0..9).rev().map(|power| (power, 0.1f64.powi(power)));
    let ticks = powers.filter(|&(_, value)| value >= low).map(|(power, value)| Tick {
        value,
        label: match power {
            0..=2 => format!("{} %", 100 / 10u32.pow(power as u32)),
            _ => format!("{:.*} %", power as usize - 2, value * 100.0),
        },
    });
    Axis { is_log: true, low, high: 1.0, ticks: ticks.collect(), unit: "" }
}
