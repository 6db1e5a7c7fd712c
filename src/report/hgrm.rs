//! The whole distribution of one series in the layout of HdrHistogram, which wrk2 prints and
//! plotters read.

use std::fmt::Write as _;

use crate::outcome::{SeriesName, Summary};
use crate::stats::{BUCKETS, SUB_BUCKETS};

/// Writes the spectrum of this series, values in ms.
pub fn write(summary: &Summary, series: SeriesName) -> String {
    let distribution = summary.figures.of_series(series);
    let mut out = format!(
        "{:>12} {:>14} {:>10} {:>14}\n\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    );
    for tick in distribution.spectrum() {
        let rest = 1.0 / (1.0 - tick.quantile);
        let _ = writeln!(
            out,
            "{:12.6} {:14.12} {:10} {:>14}",
            tick.value.as_millis_f64(),
            tick.quantile,
            tick.up_to,
            if rest.is_finite() { format!("{rest:.2}") } else { "inf".to_owned() },
        );
    }
    let millis = |nanos: Option<f64>| nanos.unwrap_or(0.0) / 1e6;
    let (mean, stddev) = (millis(distribution.mean()), millis(distribution.stddev()));
    let max = millis(distribution.max().map(|max| max.0 as f64));
    let count = distribution.count();
    let _ = writeln!(out, "#[Mean    = {mean:12.6}, StdDeviation   = {stddev:12.6}]");
    let _ = writeln!(out, "#[Max     = {max:12.6}, Total count    = {count:12}]");
    let _ = writeln!(out, "#[Buckets = {BUCKETS:12}, SubBuckets     = {SUB_BUCKETS:12}]");
    out
}
