//! APerf's own lines, in APerf's own words and layout (2004), from real figures.

use super::figures::UNKNOWN;
use super::text::has_requests;
use crate::evidence::{Resources, Tally};
use crate::outcome::Summary;
use crate::stats::Distribution;
use crate::unit::{Nanos, Quantile};

/// What APerf printed after a run, five lines. The times are those of the sessions; where there
/// can be none, what the run itself took is left.
pub(super) fn lines(summary: &Summary) -> String {
    let used = summary.evidence.as_ref().map(|e| resources(&e.resources)).unwrap_or_default();
    if !has_requests(summary) {
        return used;
    }
    let connections = summary.evidence.as_ref().map(|_| connections(&summary.tally));
    let why =
        if summary.cut.is_some() { "the report is cut" } else { "the log ends without a trailer" };
    let unknown = || format!("Connections: {UNKNOWN}, {why}\n");
    [connections.unwrap_or_else(unknown), times(&summary.figures.session), used].concat()
}

fn connections(tally: &Tally) -> String {
    let (started, ended) = (tally.connections_started, tally.connections_ended);
    let open = started.saturating_sub(ended);
    let most = tally.concurrence_max;
    format!("Connections: {started} start(+{open}), {ended} end, max concurrence {most}\n")
}

/// Percentiles of the second line, from 75 to 95 by 5.
const BY_FIVE: [Quantile; 5] =
    [Quantile(750_000), Quantile(800_000), Quantile(850_000), Quantile(900_000), Quantile(950_000)];

fn times(sessions: &Distribution) -> String {
    let whole = |time: Option<Nanos>| millis(time.map(|time| time.0 as f64), 0);
    let by_five = BY_FIVE.map(|quantile| whole(sessions.quantile(quantile)));
    format!(
        "Time(ms): {} samples, min {}, max {}, med {}, stddev {}, avg {}\n        \
         75-95 percentile by 5, {}\n",
        sessions.count(),
        whole(sessions.min()),
        whole(sessions.max()),
        whole(sessions.quantile(Quantile(500_000))),
        millis(sessions.stddev(), 1),
        millis(sessions.mean(), 1),
        by_five.join(" "),
    )
}

/// Milliseconds with `decimals`, as APerf wrote them; below 10 ms three significant digits,
/// since today's answers are faster than a millisecond.
fn millis(nanos: Option<f64>, decimals: usize) -> String {
    let Some(millis) = nanos.map(|nanos| nanos / 1e6) else { return UNKNOWN.to_owned() };
    let leading = match millis {
        m if m >= 10.0 => return format!("{millis:.decimals$}"),
        m if m >= 1.0 => 2,
        m if m >= 0.1 => 3,
        m if m >= 0.01 => 4,
        m if m >= 0.001 => 5,
        _ => 6,
    };
    let shown = format!("{millis:.leading$}");
    shown.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What time(1) says of a process, in its two lines.
pub(super) fn resources(r: &Resources) -> String {
    let seconds = |nanos: u64| Nanos(nanos).as_secs_f64();
    let cpu_percent = (r.user_ns + r.sys_ns) * 100 / r.elapsed_ns.max(1);
    format!(
        "{:.2}user {:.2}system {}elapsed {cpu_percent}%CPU (0avgtext+0avgdata {}maxresident)k\n\
         {}inputs+{}outputs ({}major+{}minor)pagefaults {}swaps\n",
        seconds(r.user_ns),
        seconds(r.sys_ns),
        elapsed(r.elapsed_ns),
        r.max_rss_kib,
        r.blocks_in,
        r.blocks_out,
        r.major_faults,
        r.minor_faults,
        r.swaps,
    )
}

/// `0:10.00`, `1:02:03` from an hour on.
fn elapsed(nanos: u64) -> String {
    let hundredths = nanos / 10_000_000;
    let (seconds, rest) = (hundredths / 100, hundredths % 100);
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    if minutes < 60 {
        format!("{minutes}:{seconds:02}.{rest:02}")
    } else {
        format!("{}:{:02}:{seconds:02}", minutes / 60, minutes % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Recorder;

    const MS: f64 = 1e6;

    /// Three hundred sessions with the quantiles, ends, mean and deviation of the report of 2004.
    fn sessions_of_2004() -> Distribution {
        let mut recorder = Recorder::new();
        let mut put = |millis: f64, times: u64| {
            (0..times).for_each(|_| recorder.record(Nanos((millis * MS) as u64)));
        };
        put(9.0, 1);
        put(22.8, 148);
        put(25.0, 121);
        put(26.0, 19);
        put(138.0, 1);
        put(631.0, 10);
        recorder.freeze()
    }

    #[test]
    fn the_report_of_2004_is_reproduced() {
        let tally = Tally {
            connections_started: 300,
            connections_ended: 300,
            concurrence_max: 4,
            ..Tally::default()
        };
        assert_eq!(connections(&tally), "Connections: 300 start(+0), 300 end, max concurrence 4\n");
        assert_eq!(
            times(&sessions_of_2004()),
            "Time(ms): 300 samples, min 9, max 631, med 25, stddev 109.1, avg 44.5\n        \
             75-95 percentile by 5, 25 25 25 25 26\n"
        );
        let resources_of_2004 = Resources {
            user_ns: 4_810_000_000,
            sys_ns: 5_190_000_000,
            elapsed_ns: 10_000_000_000,
            major_faults: 18,
            minor_faults: 4,
            ..Resources::default()
        };
        assert_eq!(
            resources(&resources_of_2004),
            "4.81user 5.19system 0:10.00elapsed 100%CPU (0avgtext+0avgdata 0maxresident)k\n\
             0inputs+0outputs (18major+4minor)pagefaults 0swaps\n"
        );
    }

    #[test]
    fn below_ten_milliseconds_the_figures_keep_three_digits() {
        for (nanos, shown) in
            [(9_994_000.0, "9.99"), (149_000.0, "0.149"), (12_345.0, "0.0123"), (87.0, "0.000087")]
        {
            assert_eq!(millis(Some(nanos), 0), shown);
        }
        assert_eq!(millis(Some(109.06 * MS), 1), "109.1");
        assert_eq!(millis(None, 1), "n/a");
    }

    #[test]
    fn an_hour_shows_as_time_shows_it() {
        assert_eq!(elapsed(3_723_450_000_000), "1:02:03");
        assert_eq!(elapsed(61_239_000_000), "1:01.23");
    }
}
