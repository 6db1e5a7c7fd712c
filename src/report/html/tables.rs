//! Tables of a page, each of which can be sorted by any column.

use std::fmt::{Display, Write as _};

use super::escaped;
use crate::evidence::Outcome;
use crate::outcome::Summary;
use crate::report::errors;
use crate::report::figures::{PERCENTILES, UNKNOWN, maybe_time, number, per_second};
use crate::stats::Distribution;
use crate::unit::{Nanos, Quantile};

/// What stands before the first row.
const FIRST_ROW: &str = "</tr></thead><tbody>\n";

/// A table that grows row by row.
struct Table(String);

impl Table {
    fn new(title: &str, columns: impl IntoIterator<Item = impl Display>) -> Self {
        let mut html =
            format!("<div class='wide'><table>\n<caption>{}</caption><thead><tr>", escaped(title));
        for column in columns {
            let column = escaped(&column.to_string());
            let _ = write!(html, "<th scope='col'><button type='button'>{column}</button></th>");
        }
        html.push_str(FIRST_ROW);
        Self(html)
    }

    fn row(&mut self, cells: impl FnOnce(&mut Self)) {
        self.0.push_str("<tr>");
        cells(self);
        self.0.push_str("</tr>\n");
    }

    fn text(&mut self, text: impl Display) {
        let _ = write!(self.0, "<td class='text'>{}</td>", escaped(&text.to_string()));
    }

    fn count(&mut self, count: u64) {
        let _ = write!(self.0, "<td>{count}</td>");
    }

    /// A length of time: sorted by its ns, what has none last.
    fn time(&mut self, time: Option<Nanos>) {
        let value = time.map_or(String::new(), |time| time.0.to_string());
        let _ = write!(self.0, "<td data-value='{value}'>{}</td>", maybe_time(time));
    }

    fn figure(&mut self, value: Option<f64>, shown: &str) {
        let value = value.map_or(String::new(), |value| value.to_string());
        let _ = write!(self.0, "<td data-value='{value}'>{}</td>", escaped(shown));
    }

    /// The whole table; nothing where it has no row.
    fn finish(mut self) -> String {
        if self.0.ends_with(FIRST_ROW) {
            return String::new();
        }
        self.0.push_str("</tbody></table></div>\n");
        self.0
    }
}

/// All tables that have something to say.
pub(super) fn write(summary: &Summary) -> String {
    let all =
        [times(summary), checks(summary), gates(summary), outcomes(summary), failures(summary)];
    format!(
        "<section><h2>Figures</h2>\n{}{}{}</section>\n",
        all.concat(),
        shards(summary),
        files(summary)
    )
}

fn times(summary: &Summary) -> String {
    let figures = &summary.figures;
    let quantiles = PERCENTILES.map(|quantile| quantile.to_string());
    let columns = ["series"].into_iter().map(String::from).chain(quantiles);
    let columns = columns.chain(["max", "mean", "samples"].map(String::from));
    let mut table = Table::new("Times", columns);
    let of_updates = summary.watching.iter();
    let of_updates = of_updates.flat_map(|seen| [("age", &seen.age), ("gap", &seen.gap)]);
    let of_requests = [
        ("response", &figures.response),
        ("service", &figures.service),
        ("wait", &figures.wait),
        ("lag", &figures.lag),
        ("connect", &figures.connect),
        ("first byte", &figures.first_byte),
        ("session", &figures.session),
    ];
    let all = of_updates.chain(of_requests);
    for (name, distribution) in all.filter(|(_, series)| series.count() > 0) {
        table.row(|row| {
            row.text(name);
            PERCENTILES.iter().for_each(|&p| row.time(distribution.quantile(p)));
            row.time(distribution.max());
            row.time(distribution.mean().map(|mean| Nanos(mean.round() as u64)));
            row.count(distribution.count());
        });
    }
    table.finish()
}

fn checks(summary: &Summary) -> String {
    let mut table =
        Table::new("Checks", ["check", "state", "value", "limit", "remedy, or why not"]);
    for check in &summary.checks {
        let shown = |value: Option<f64>| match value {
            Some(value) => format!("{} {}", number(value), check.unit).trim_end().to_owned(),
            None => UNKNOWN.to_owned(),
        };
        table.row(|row| {
            row.text(check.name);
            row.text(check.state);
            row.figure(check.value, &shown(check.value));
            row.figure(check.limit, &shown(check.limit));
            row.text(&check.remedy);
        });
    }
    table.finish()
}

fn gates(summary: &Summary) -> String {
    if summary.gates.is_empty() {
        return String::new();
    }
    let mut table = Table::new("Gates", ["gate", "met"]);
    for judged in &summary.gates {
        table.row(|row| {
            row.text(judged.gate);
            row.text(if judged.is_met { "yes" } else { "no" });
        });
    }
    table.finish()
}

fn outcomes(summary: &Summary) -> String {
    let tally = &summary.tally;
    let mut table = Table::new("Outcomes and statuses", ["requests", "count"]);
    for &outcome in Outcome::ALL.iter().filter(|&&outcome| tally.outcome(outcome) > 0) {
        table.row(|row| {
            row.text(outcome);
            row.count(tally.outcome(outcome));
        });
    }
    let mut statuses = tally.statuses.clone();
    statuses.sort_by_key(|status| status.status);
    for status in statuses {
        table.row(|row| {
            row.text(format_args!("status {}", status.status));
            row.count(status.count);
        });
    }
    table.finish()
}

fn failures(summary: &Summary) -> String {
    let failures = errors::of(&summary.tally, &summary.plan);
    if failures.is_empty() {
        return String::new();
    }
    let mut table = Table::new("Failures", ["phase", "step", "error", "count", "hint"]);
    for failure in failures {
        table.row(|row| {
            row.text(failure.count.phase);
            row.text(failure.count.step);
            row.text(&failure.name);
            row.count(failure.count.count);
            row.text(failure.hint);
        });
    }
    table.finish()
}

fn p99(distribution: &Distribution) -> Option<Nanos> {
    distribution.quantile(Quantile(990_000))
}

fn shards(summary: &Summary) -> String {
    if summary.shards.len() < 2 {
        return String::new();
    }
    let columns = [
        "shard",
        "sessions",
        "requests ok",
        "failed",
        "response p99",
        "response max",
        "lag p99",
        "lag max",
    ];
    let mut table = Table::new("Shards", columns);
    for shard in &summary.shards {
        table.row(|row| {
            match &shard.file {
                None => row.count(shard.number.into()),
                Some(file) => row.text(format_args!("{file}: {}", shard.number)),
            }
            row.count(shard.tally.sessions_started);
            row.count(shard.tally.requests_ok);
            row.count(shard.tally.requests_failed);
            row.time(p99(&shard.response));
            row.time(shard.response.max());
            row.time(p99(&shard.lag));
            row.time(shard.lag.max());
        });
    }
    table.finish()
}

fn files(summary: &Summary) -> String {
    if summary.parts.is_empty() {
        return String::new();
    }
    let columns = ["file", "verdict", "requests/s", "response p50", "response p99", "response max"];
    let mut table = Table::new("Files", columns);
    for part in &summary.parts {
        let own = &part.summary;
        table.row(|row| {
            row.text(&part.name);
            row.text(own.verdict);
            row.figure(own.rates.requests_per_s, &per_second(own.rates.requests_per_s));
            row.time(own.figures.response.quantile(Quantile(500_000)));
            row.time(p99(&own.figures.response));
            row.time(own.figures.response.max());
        });
    }
    table.finish()
}
