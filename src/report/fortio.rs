//! The report in the keys of Fortio's JSON, for what already reads that: its own browser, say.
//! Times are seconds, but for the duration, which is ns.

use serde_json::{Value, json};

use crate::evidence::Outcome;
use crate::outcome::{SeriesName, Summary};
use crate::stats::Distribution;
use crate::unit::{Nanos, Quantile};

/// What Fortio shows unless it is told otherwise, and the tail.
const PERCENTILES: [u32; 6] = [500_000, 750_000, 900_000, 990_000, 999_000, 999_900];

/// Writes the report with this series as the duration, a line break at its end.
pub fn write(summary: &Summary, latency: SeriesName) -> String {
    let (plan, tally) = (&summary.plan, &summary.tally);
    let rate = plan.rate.as_per_second_f64();
    let report = json!({
        "RunType": if plan.target.scheme.as_str() == "http" { "HTTP" } else { "TCP" },
        "Labels": plan.labels.join(" , "),
        "StartTime": summary.began_unix_ns.map(rfc3339),
        "RequestedQPS": rate.map_or_else(|| "max".to_owned(), |rate| rate.to_string()),
        "RequestedDuration": match plan.count {
            Some(count) => format!("exactly {count} calls"),
            None => plan.duration.to_string(),
        },
        "ActualQPS": summary.rates.requests_per_s,
        "ActualDuration": summary.measured.0,
        "NumThreads": plan.shards,
        "Version": format!("onrush {}", summary.environment.tool_version),
        "DurationHistogram": histogram(summary.figures.of_series(latency)),
        "Exactly": plan.count.unwrap_or(0),
        "URL": plan.target.url,
        "NumConnections": plan.concurrence,
        "SocketCount": tally.connections_started,
        "RetCodes": codes(summary),
    });
    format!("{report:#}\n")
}

/// Statuses, and under -1 what came to none.
fn codes(summary: &Summary) -> Value {
    let tally = &summary.tally;
    let mut codes: Vec<(String, Value)> =
        tally.statuses.iter().map(|seen| (seen.status.to_string(), json!(seen.count))).collect();
    codes.sort_by(|one, other| one.0.cmp(&other.0));
    let answered: u64 = tally.statuses.iter().map(|seen| seen.count).sum();
    let all: u64 = tally.outcomes.iter().sum();
    let without = all.saturating_sub(answered);
    let is_http = answered > 0;
    match (without, is_http) {
        (0, _) => {}
        (_, true) => codes.push(("-1".to_owned(), json!(without))),
        (_, false) => {
            codes.push(("OK".to_owned(), json!(tally.outcome(Outcome::Ok))));
            codes.push(("-1".to_owned(), json!(all - tally.outcome(Outcome::Ok))));
        }
    }
    Value::Object(codes.into_iter().collect())
}

fn histogram(times: &Distribution) -> Value {
    let seconds = |nanos: Option<f64>| nanos.unwrap_or(0.0) / 1e9;
    let (count, mean) = (times.count(), times.mean());
    let mut start = times.min().unwrap_or_default();
    let mut before = 0;
    let data = times.cumulative().map(|(end, up_to)| {
        let bucket = json!({
            "Start": start.as_secs_f64(),
            "End": end.as_secs_f64(),
            "Percent": 100.0 * up_to as f64 / count as f64,
            "Count": up_to - before,
        });
        (start, before) = (end, up_to);
        bucket
    });
    let data: Value = data.collect();
    let percentiles = PERCENTILES.iter().filter_map(|&millionths| {
        let value = times.nearest_rank(Quantile(millionths))?.as_secs_f64();
        Some(json!({"Percentile": f64::from(millionths) / 1e4, "Value": value}))
    });
    json!({
        "Count": count,
        "Min": times.min().unwrap_or_default().as_secs_f64(),
        "Max": times.max().unwrap_or_default().as_secs_f64(),
        "Sum": seconds(mean.map(|mean| mean * count as f64)),
        "Avg": seconds(mean),
        "StdDev": seconds(times.stddev()),
        "Data": data,
        "Percentiles": percentiles.collect::<Value>(),
    })
}

/// `2018-12-22T15:51:10.053834734Z`
fn rfc3339(unix_ns: u64) -> String {
    let Nanos(second) = Nanos::from_secs(1);
    let (seconds, nanos) = (unix_ns / second, unix_ns % second);
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    // Days since 0000-03-01, so that a leap day is the last of its year; eras of 400 years.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = 400 * era + year + u64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, shown) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000000Z"),
            (1_545_493_870, "2018-12-22T15:51:10.000000000Z"),
            (4_107_542_399, "2100-02-28T23:59:59.000000000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000000Z"),
        ] {
            assert_eq!(rfc3339(seconds * 1_000_000_000), shown);
        }
        assert!(rfc3339(1_053_834_734).ends_with("01.053834734Z"));
    }
}
