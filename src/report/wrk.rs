//! The report as wrk prints it, for what already reads that.
//!
//! Latency is one of our series, by default the response: from the intended time, as in wrk2, and
//! not from the send. A thread is a shard, and its rate is that of all divided by their number,
//! interval by interval of the timeline.

use std::fmt::Write as _;

use super::figures::binary;
use crate::evidence::{ErrorCount, Outcome, Phase, Step};
use crate::outcome::{SeriesName, Summary};
use crate::stats::Distribution;
use crate::unit::{Nanos, Quantile};

/// What wrk calls the distribution: 50, 75, 90 and 99 %.
const PERCENTILES: [u32; 4] = [50, 75, 90, 99];

/// Writes the report, with this series as the latency.
pub fn write(summary: &Summary, latency: SeriesName) -> String {
    let (plan, tally) = (&summary.plan, &summary.tally);
    let distribution = summary.figures.of_series(latency);
    let asked = units(plan.duration.as_secs_f64(), &SECONDS, 0);
    let mut out = format!(
        "Running {asked} test @ {}\n  {} threads and {} connections\n",
        plan.target.url, plan.shards, plan.concurrence
    );
    let _ =
        writeln!(out, "  Thread Stats{:>6}{:>11}{:>8}{:>12}", "Avg", "Stdev", "Max", "+/- Stdev");
    stats(&mut out, "Latency", &Stats::of_times(distribution), |us| units(us, &MICROS, 2));
    stats(&mut out, "Req/Sec", &Stats::of_rates(summary), |rate| units(rate, &METRIC, 2));
    out.push_str("  Latency Distribution\n");
    for percent in PERCENTILES {
        let value = distribution.nearest_rank(Quantile(percent * 10_000)).unwrap_or_default();
        let _ = write!(out, "{percent:>7}%");
        padded(&mut out, &units(micros(value), &MICROS, 2), 10);
        out.push('\n');
    }
    let took = units(summary.measured.as_secs_f64() * 1e6, &MICROS, 2);
    let read = binary(tally.bytes_received as f64);
    let _ = writeln!(out, "  {} requests in {took}, {read}B read", tally.requests_ok);
    let errors = |steps: &[Step]| -> u64 {
        let is_one = |e: &&ErrorCount| e.phase == Phase::Measure && steps.contains(&e.step);
        tally.errors.iter().filter(is_one).map(|error| error.count).sum()
    };
    let timeouts = tally.outcome(Outcome::Timeout);
    let (connect, write) =
        (errors(&[Step::Socket, Step::Bind, Step::Connect]), errors(&[Step::Send]));
    // A timeout is an error of the step that it met, and not counted twice.
    let read = errors(&[Step::Recv, Step::Parse, Step::Close]).saturating_sub(timeouts);
    if connect + read + write + timeouts > 0 {
        let _ = writeln!(
            out,
            "  Socket errors: connect {connect}, read {read}, write {write}, timeout {timeouts}"
        );
    }
    out + &super::text::closing(summary)
}

/// A line of the thread statistics.
struct Stats {
    mean: f64,
    stddev: f64,
    max: f64,
    /// Share of the samples within one deviation of the mean, 0 to 1.
    within: f64,
}

impl Stats {
    /// Of times, in us.
    fn of_times(times: &Distribution) -> Self {
        let (mean, stddev) = (times.mean().unwrap_or(0.0), times.stddev().unwrap_or(0.0));
        let at = |nanos: f64| times.count_from(Nanos(nanos.max(0.0) as u64));
        let within = at(mean - stddev) - at(mean + stddev).min(at(mean - stddev));
        Self {
            mean: mean / 1e3,
            stddev: stddev / 1e3,
            max: micros(times.max().unwrap_or_default()),
            within: within as f64 / times.count().max(1) as f64,
        }
    }

    /// Of the requests that a shard ends in a second, on average over all shards.
    fn of_rates(summary: &Summary) -> Self {
        let rates = super::oha::rates(summary, f64::from(summary.plan.shards.max(1)));
        let count = rates.len().max(1) as f64;
        // A sum of nothing is -0.
        let mean = (rates.iter().sum::<f64>() + 0.0) / count;
        let squares = rates.iter().map(|rate| (rate - mean).powi(2));
        let stddev = (squares.fold(0.0, |sum, square| sum + square) / count).sqrt();
        let within = rates.iter().filter(|rate| (**rate - mean).abs() <= stddev).count();
        let max = rates.iter().copied().fold(0.0, f64::max);
        Self { mean, stddev, max, within: within as f64 / count }
    }
}

fn stats(out: &mut String, name: &str, stats: &Stats, shown: impl Fn(f64) -> String) {
    let _ = write!(out, "    {name:<10}");
    padded(out, &shown(stats.mean), 8);
    padded(out, &shown(stats.stddev), 10);
    padded(out, &shown(stats.max), 9);
    let _ = writeln!(out, "{:>8.2}%", 100.0 * stats.within);
}

fn micros(nanos: Nanos) -> f64 {
    nanos.0 as f64 / 1e3
}

/// A unit, and how many of it make the next.
type Unit = (&'static str, f64);

const MICROS: [Unit; 5] =
    [("us", 1e3), ("ms", 1e3), ("s", 60.0), ("m", 60.0), ("h", f64::INFINITY)];
const SECONDS: [Unit; 3] = [("s", 60.0), ("m", 60.0), ("h", f64::INFINITY)];
const METRIC: [Unit; 5] = [("", 1e3), ("k", 1e3), ("M", 1e3), ("G", 1e3), ("T", f64::INFINITY)];

/// In the largest unit of which it is at least 85 %.
fn units(mut value: f64, units: &[Unit], decimals: usize) -> String {
    for (unit, next) in units {
        if value < next * 0.85 {
            return format!("{value:.decimals$}{unit}");
        }
        value /= next;
    }
    format!("{value:.decimals$}")
}

/// Right aligned by the figures: units of two letters stand in the margin.
fn padded(out: &mut String, shown: &str, width: usize) {
    let letters = shown.chars().rev().take(2).take_while(char::is_ascii_alphabetic).count();
    let margin = 2 - letters;
    let _ = write!(out, "{shown:>width$}{:margin$}", "", width = width - margin);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_read_as_in_wrk() {
        for (us, shown) in
            [(635.91, "635.91us"), (850.0, "0.85ms"), (5_800.0, "5.80ms"), (30e6, "30.00s")]
        {
            assert_eq!(units(us, &MICROS, 2), shown);
        }
        assert_eq!(
            (units(56_200.0, &METRIC, 2), units(90.0, &SECONDS, 0)),
            ("56.20k".into(), "2m".into())
        );
    }
}
