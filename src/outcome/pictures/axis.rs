//! Axes with round ticks, for whoever draws.

use crate::unit::Nanos;

/// Where values lie in a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// Equal ratios are equally long; else equal differences.
    pub is_log: bool,
    /// The value at its start.
    pub low: f64,
    /// The value at its end; above `low`.
    pub high: f64,
    /// What is written beside it, in rising order.
    pub ticks: Vec<Tick>,
    /// Unit of the labels, where they do not have it themselves.
    pub unit: &'static str,
}

/// A mark on an axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// Where.
    pub value: f64,
    /// What is written there.
    pub label: String,
}

/// A range wider than this ratio is shown on a logarithmic axis.
const LINEAR_RATIO_MAX: f64 = 8.0;

/// Ticks of a linear axis, about.
const TICKS: f64 = 6.0;

/// The same for counts, whose pictures stand above each other.
const COUNT_TICKS: f64 = 3.0;

/// Units of time with their length in ns, the longest first.
const UNITS: [(f64, &str); 4] = [(1e9, "s"), (1e6, "ms"), (1e3, "us"), (1.0, "ns")];

impl Axis {
    /// For lengths of time in ns: logarithmic where they differ much. The labels have units.
    pub fn lengths(min: Nanos, max: Nanos) -> Self {
        let (min, max) = (min.0.max(1) as f64, max.0.max(10) as f64);
        if max / min > LINEAR_RATIO_MAX {
            return Self::log_lengths(Nanos(min as u64), Nanos(max as u64));
        }
        // From 0 only where the values differ enough to be told apart there.
        let low = if min > max * 0.7 { min.min(max * 0.95) } else { 0.0 };
        let mut axis = Self::linear((low, max), TICKS, 1.0, "");
        axis.ticks.iter_mut().for_each(|tick| tick.label = length(tick.value));
        axis
    }

    /// For lengths of time in ns, always logarithmic. The labels have units.
    pub fn log_lengths(min: Nanos, max: Nanos) -> Self {
        let (min, max) = (min.0.max(1) as f64, max.0.max(2) as f64);
        let (low, high) = (round_down(min), round_up(max.max(min * 2.0)));
        let decades = (high / low).log10();
        let steps: &[f64] = if decades < 1.5 {
            &[1.0, 2.0, 5.0]
        } else if decades < 2.5 {
            &[1.0, 3.0]
        } else {
            &[1.0]
        };
        let decades = low.log10().floor() as i32..=high.log10().ceil() as i32;
        let ticks = decades.flat_map(|decade| steps.iter().map(move |s| s * 10f64.powi(decade)));
        let within = ticks.filter(|&value| low <= value && value <= high * 1.000_001);
        let ticks = within.map(|value| Tick { value, label: length(value) }).collect();
        Self { is_log: true, low, high, ticks, unit: "" }
    }

    /// For time since the start of the measure phase, in ns; the labels are in `unit`.
    pub fn time(from: Nanos, to: Nanos) -> Self {
        // A range of less than two of a unit is better told in the next smaller one.
        let length = to.0.saturating_sub(from.0) as f64;
        let fits = |unit: &&(f64, &str)| length >= unit.0 * 2.0;
        let &(scale, unit) = UNITS.iter().find(fits).unwrap_or(&UNITS[3]);
        let span = (from.0 as f64, (to.0 as f64).max(from.0 as f64 + 1.0));
        let mut axis = Self::linear(span, TICKS, scale, unit);
        // Time begins and ends where it does, round or not.
        (axis.low, axis.high) = span;
        axis.ticks.retain(|tick| axis.low <= tick.value && tick.value <= axis.high);
        axis
    }

    /// For counts from 0 on.
    pub fn counts(max: f64) -> Self {
        let mut axis = Self::linear((0.0, max.max(1.0)), COUNT_TICKS, 1.0, "");
        axis.ticks.iter_mut().for_each(|tick| tick.label = count_of(tick.value));
        axis
    }

    /// For shares of what is beyond: `1 / (1 - p)` from 1 to `max`, labelled with the percentile.
    pub fn percentiles(max: f64) -> Self {
        let mut ticks = vec![("min", 1.0), ("50 %", 2.0), ("90 %", 10.0)];
        let names = ["99 %", "99.9 %", "99.99 %", "99.999 %", "99.9999 %", "99.99999 %"];
        ticks.extend(names.into_iter().zip((2..).map(|power| 10f64.powi(power))));
        let high = (max * 1.5).max(20.0);
        ticks.retain(|tick| tick.1 <= high);
        let ticks = ticks.into_iter().map(|(label, value)| Tick { value, label: label.into() });
        Self { is_log: true, low: 1.0, high, ticks: ticks.collect(), unit: "" }
    }

    fn linear((low, high): (f64, f64), ticks: f64, scale: f64, unit: &'static str) -> Self {
        let step = round_up((high - low).max(scale * 1e-9) / ticks);
        let (first, last) = ((low / step).floor(), (high / step - 1e-9).ceil().max(1.0));
        let count = (last - first).max(1.0) as u64;
        let ticks = (0..=count).map(|k| {
            let value = (first + k as f64) * step;
            Tick { value, label: plain(value / scale) }
        });
        let high = (first + count as f64) * step;
        Self { is_log: false, low: first * step, high, ticks: ticks.collect(), unit }
    }

    /// The same ticks without a word: for pictures above each other that share an axis.
    pub fn without_labels(&self) -> Self {
        let mut axis = self.clone();
        axis.ticks.iter_mut().for_each(|tick| tick.label.clear());
        axis
    }

    /// Where `value` lies: 0 at the start, 1 at the end, never outside.
    pub fn at(&self, value: f64) -> f64 {
        let part = if self.is_log {
            (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        part.clamp(0.0, 1.0)
    }
}

/// The least of 1, 2 and 5 times a power of ten that is not below `least`.
pub(super) fn nice_step(least: u64) -> u64 {
    let mut power = 1u64;
    loop {
        for step in [1, 2, 5] {
            match power.checked_mul(step) {
                Some(step) if step >= least => return step,
                Some(_) => {}
                None => return u64::MAX,
            }
        }
        power = power.saturating_mul(10);
    }
}

/// The least of 1, 2 and 5 times a power of ten that is not below `value`.
fn round_up(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    steps.into_iter().find(|&step| step >= value * 0.999_999).unwrap_or(value)
}

/// The largest of 1, 2 and 5 times a power of ten that is not above `value`.
fn round_down(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let steps = [5.0, 2.0, 1.0].map(|step| step * power);
    steps.into_iter().find(|&step| step <= value * 1.000_001).unwrap_or(value)
}

/// A length of time in ns as it stands at a tick: `250 us`, `1.5 ms`.
fn length(nanos: f64) -> String {
    if nanos <= 0.0 {
        return "0".into();
    }
    let unit = UNITS.iter().find(|(scale, _)| nanos >= scale * 0.999_999).unwrap_or(&UNITS[3]);
    format!("{} {}", plain(nanos / unit.0), unit.1)
}

/// A count as it stands at a tick: `500`, `20k`, `1.5M`.
fn count_of(count: f64) -> String {
    let unit = [(1e9, "G"), (1e6, "M"), (1e3, "k")].into_iter().find(|(least, _)| count >= *least);
    match unit {
        Some((scale, name)) => format!("{}{name}", plain(count / scale)),
        None => plain(count),
    }
}

/// As few decimals as a round number needs.
fn plain(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[track_caller]
    fn check_lengths(min: u64, max: u64, expect: &[&str]) {
        assert_eq!(labels(&Axis::lengths(Nanos(min), Nanos(max))), expect, "{min} to {max}");
    }

    #[test]
    fn lengths_of_time_have_round_ticks_with_units() {
        check_lengths(100_000, 199_000, &["0", "50 us", "100 us", "150 us", "200 us"]);
        check_lengths(
            150_000,
            199_000,
            &["150 us", "160 us", "170 us", "180 us", "190 us", "200 us"],
        );
        check_lengths(90_000, 4_000_000, &["100 us", "300 us", "1 ms", "3 ms"]);
        check_lengths(
            9,
            900_000_000,
            &["10 ns", "100 ns", "1 us", "10 us", "100 us", "1 ms", "10 ms", "100 ms", "1 s"],
        );
        check_lengths(5, 5, &["0", "2 ns", "4 ns", "6 ns", "8 ns", "10 ns"]);
    }

    #[test]
    fn time_is_labelled_in_the_unit_of_its_range() {
        let axis = Axis::time(Nanos(4_850_000_000), Nanos(5_450_000_000));
        assert_eq!((axis.low, axis.high, axis.unit), (4.85e9, 5.45e9, "ms"));
        assert_eq!(labels(&axis), ["4900", "5000", "5100", "5200", "5300", "5400"]);
        assert_eq!(Axis::time(Nanos::ZERO, Nanos::from_secs(10)).unit, "s");
    }

    #[test]
    fn counts_are_short() {
        assert_eq!(labels(&Axis::counts(48_000.0)), ["0", "20k", "40k", "60k"]);
        assert_eq!(labels(&Axis::counts(0.0)), ["0", "0.5", "1"]);
    }

    #[test]
    fn every_value_lies_within_its_axis() {
        let values = [0u64, 1, 7, 99, 1_000, 123_456, 7_000_000_000];
        for min in values {
            for max in values.into_iter().filter(|&max| max >= min) {
                let axis = Axis::lengths(Nanos(min), Nanos(max));
                assert!(axis.low <= min.max(1) as f64 && max as f64 <= axis.high, "{axis:?}");
                assert!(axis.low < axis.high && axis.ticks.len() > 1, "{axis:?}");
                assert_eq!((axis.at(axis.low), axis.at(axis.high)), (0.0, 1.0));
            }
        }
    }
}
