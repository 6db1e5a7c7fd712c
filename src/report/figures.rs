//! Figures as people read them.

use std::fmt::Write as _;

use crate::stats::Distribution;
use crate::unit::{Nanos, Quantile};

/// Percentiles that every report shows.
pub(super) const PERCENTILES: [Quantile; 7] = [
    Quantile(500_000),
    Quantile(750_000),
    Quantile(900_000),
    Quantile(950_000),
    Quantile(990_000),
    Quantile(999_000),
    Quantile(999_900),
];

/// What stands where a figure has no support or could not be had.
pub(super) const UNKNOWN: &str = "n/a";

/// Three significant digits and the unit that suits: `149us`, `1.25ms`; whole below 1 us.
pub(super) fn time(nanos: f64) -> String {
    const UNITS: [(&str, f64); 4] = [("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9)];
    // A value that would round up to 1000 of one unit is 1 of the next.
    let fits = |&&(_, scale): &&(&str, f64)| nanos / scale < 999.5;
    let &(unit, scale) = UNITS.iter().find(fits).unwrap_or(&UNITS[UNITS.len() - 1]);
    let value = nanos / scale;
    if scale == 1.0 { format!("{value:.0}{unit}") } else { format!("{}{unit}", digits3(value)) }
}

/// As [`time`], or `n/a`.
pub(super) fn maybe_time(time_ns: Option<Nanos>) -> String {
    time_ns.map_or_else(|| UNKNOWN.to_owned(), |nanos| time(nanos.0 as f64))
}

/// A count, or `n/a`.
pub(super) fn maybe_count(count: Option<u64>) -> String {
    count.map_or_else(|| UNKNOWN.to_owned(), |count| count.to_string())
}

/// Three significant digits, whole from 100 on.
pub(super) fn digits3(value: f64) -> String {
    let decimals = match value.abs() {
        v if v < 0.0995 => 4,
        v if v < 0.995 => 3,
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

/// A whole number as it is, any other with three significant digits.
pub(super) fn number(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { digits3(value) }
}

/// Counts per second with one decimal, or `n/a`.
pub(super) fn per_second(rate: Option<f64>) -> String {
    rate.map_or_else(|| UNKNOWN.to_owned(), |rate| format!("{rate:.1}/s"))
}

/// Bytes in wrk's words: two decimals, a binary prefix from 85 % of it on: `10.06M`.
pub(super) fn binary(bytes: f64) -> String {
    let mut value = bytes;
    let mut prefix = "";
    for next in ["K", "M", "G", "T", "P"] {
        if value < 1024.0 * 0.85 {
            break;
        }
        value /= 1024.0;
        prefix = next;
    }
    format!("{value:.2}{prefix}")
}

/// `count` with its noun: `1 shard`, `2 shards`.
pub(super) fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// A row of percentiles for each distribution, under their names.
pub(super) fn time_table(rows: &[(&str, &Distribution)]) -> String {
    let mut out = format!("{:<11}", "");
    for quantile in PERCENTILES {
        let _ = write!(out, "{:>8}", quantile.to_string());
    }
    let _ = writeln!(out, "{:>8}{:>10}", "max", "samples");
    for (name, distribution) in rows {
        let _ = write!(out, "{name:<11}");
        for quantile in PERCENTILES {
            let _ = write!(out, "{:>8}", maybe_time(distribution.quantile(quantile)));
        }
        let _ = writeln!(out, "{:>8}{:>10}", maybe_time(distribution.max()), distribution.count());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_and_the_unit_that_suits() {
        for (nanos, shown) in [
            (0.0, "0ns"),
            (999.0, "999ns"),
            (1_000.0, "1.00us"),
            (12_345.0, "12.3us"),
            (149_000.0, "149us"),
            (999_499.0, "999us"),
            (999_600.0, "1.00ms"),
            (9_996_000.0, "10.0ms"),
            (1_250_000_000.0, "1.25s"),
            (3_600e9, "3600s"),
        ] {
            assert_eq!(time(nanos), shown);
        }
    }

    #[test]
    fn bytes_read_as_in_wrk() {
        for (bytes, shown) in [
            (0.0, "0.00"),
            (850.0, "850.00"),
            (871.0, "0.85K"),
            (10_548_674.0, "10.06M"),
            (2.5e18, "2220.45P"),
        ] {
            assert_eq!(binary(bytes), shown);
        }
    }

    #[test]
    fn whole_numbers_stay_whole() {
        assert_eq!(
            (number(10.0), number(36.66), number(0.0254)),
            ("10".into(), "36.7".into(), "0.0254".into())
        );
    }
}
