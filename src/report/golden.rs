//! Reports of runs made by hand, against files. `UPDATE_GOLDEN=1 cargo test` writes them anew:
//! read the difference before it is committed.

use std::convert::Infallible;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{Asked, LogSource, csv, fortio, hgrm, hlog, json, load, oha, text, timeseries, wrk};
use crate::evidence::{Environment, Hole, Outcome, Phase, Request, Step, Tally};
use crate::log::Reader;
use crate::outcome::sample::{ORIGIN, Run, Shard, failed, request};
use crate::outcome::{Builder, Cut, Figures, Gates, SeriesName, Summary, Trailer, Verdict};
use crate::plan::Plan;
use crate::unit::{Instant, Nanos, Rate};

#[track_caller]
fn check(name: &str, written: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/report").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, written).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    let mut lines = written.lines().zip(expected.lines());
    let differs = lines.find(|(written, expected)| written != expected);
    assert!(written == expected, "{name} differs; UPDATE_GOLDEN=1 rewrites it: {differs:#?}");
}

#[track_caller]
fn check_both(name: &str, summary: &Summary) {
    check(&format!("{name}.txt"), &text::write(summary, text::Options::default()));
    check(&format!("{name}.json"), &json::write(summary));
}

/// Two shards on a target that is down for a while, gates, labels, a device: all sections.
fn stormy() -> Run {
    let even = (0..1000).map(|k| match k {
        100..150 => failed(k, Outcome::Refused, Step::Connect, 111),
        200..230 => failed(k, Outcome::Reset, Step::Recv, 104),
        230..240 => failed(k, Outcome::Reset, Step::Recv, 0),
        300..305 => failed(k, Outcome::Protocol, Step::Parse, 1),
        400..420 => {
            let silent = failed(k, Outcome::Timeout, Step::Recv, 125);
            Request { done_at: silent.sent_at + Nanos::from_secs(1), ..silent }
        }
        500..503 => failed(k, Outcome::NoPort, Step::Bind, 98),
        k if k % 50 == 0 => Request { status: 503, ..request(k) },
        k => request(k),
    });
    let fresh = even.map(|request| Request {
        connected_at: Some(request.sent_at + Nanos::from_micros(30)),
        ..request
    });
    let odd = (0..1000).map(|k| {
        let request = request(k);
        Request { done_at: request.done_at + Nanos(k * 977), ..request }
    });
    let mut run = Run::of(vec![fresh.collect(), odd.collect()]);
    run.plan.rate = Rate::per_second(2000);
    run.plan.fresh = true;
    run.plan.cpus = "0-1".parse().unwrap();
    run.plan.timeout = Nanos::from_secs(1);
    run.plan.labels = vec!["nic=ixgbe".into()];
    run.plan.watch_pid = Some(4242);
    run.plan.watch_dev = Some("eth0".into());
    run.evidence.watch.pid_cpu_percent = Some(87.5);
    run.evidence.watch.pid_user_percent = Some(30.0);
    run.evidence.watch.pid_system_percent = Some(57.5);
    run.evidence.watch.pid_threads = Some(4);
    run.evidence.watch.rx_bytes = Some(1_700_000);
    run.evidence.notices = vec!["CPU 1 also serves the target: give it another (--cpus)".into()];
    run.shards[1].evidence.cq_overflows = 3;
    run.shards[0].evidence.tally.count_error(Phase::Warmup, Step::Connect, 111);
    run
}

/// The target serves a fifth of what is offered.
fn overloaded() -> Run {
    let mut run = Run::of_responses(1000, |k| (Nanos::from_millis(4 * k), Nanos(400)));
    let shard: &mut Shard = &mut run.shards[0];
    shard.evidence.tally.backlog_max = 800;
    shard.evidence.tally.backlog_end = 800;
    shard.evidence.tally.at_cap_ns = 990_000_000;
    run.evidence.signal = Some(2);
    run
}

#[test]
fn a_steady_run_reports_as_it_did() {
    check_both("steady", &Run::steady().summary());
}

#[test]
fn a_stormy_run_reports_as_it_did() {
    let mut summary = stormy().summary();
    summary.judge(&"p99<1ms,err<0.1%,rate>1000".parse().unwrap());
    assert!(summary.is_breached());
    check_both("stormy", &summary);
}

#[test]
fn a_gate_without_support_says_how_many_samples_it_needs() {
    let mut summary = Run::steady().summary();
    summary.judge(&"p99.99<1h".parse().unwrap());
    let report = text::write(&summary, text::Options::default());
    let said = "gate BROKEN p99.99<1h: n/a, needs 100000 samples\n";
    assert!(report.contains(said), "{report}");
}

#[test]
fn an_overloaded_target_reports_as_it_did() {
    check_both("overloaded", &overloaded().summary());
}

/// Ten seconds, the first two of them slow.
fn cold() -> Run {
    let requests = (0..10_000).map(|k| {
        let request = request(k);
        let cold = 2 * 2000u64.saturating_sub(k);
        let done_at = request.done_at + Nanos::from_micros(k * 7919 % 100 + cold);
        Request { done_at, ..request }
    });
    let mut run = Run::of(vec![requests.collect()]);
    run.plan.duration = Nanos::from_secs(10);
    run.evidence.measured = run.plan.duration;
    run
}

#[test]
fn a_warm_up_is_said_and_left_out_when_asked() {
    let report = |settled| {
        let asked = Asked { settled, ..Asked::default() };
        load([("cold.data".to_owned(), cold())], &asked).unwrap()
    };
    let whole = text::write(&report(false), text::Options::default());
    assert!(whole.contains("shift the mean by"), "{whole}");
    let settled = report(true);
    let from = settled.cut.as_ref().unwrap().from.unwrap();
    assert!((Nanos::from_millis(1700)..Nanos::from_millis(2200)).contains(&from), "{from}");
    check("settled.txt", &text::write(&settled, text::Options::default()));
    let steady = load(
        [("steady.data".to_owned(), Run::steady())],
        &Asked { settled: true, ..Asked::default() },
    );
    assert_eq!(steady.unwrap().figures.response.count(), 1000, "nothing was to be left out");
}

#[test]
fn a_hole_is_named_and_what_is_ours_stands_below_the_response() {
    let mut run = Run::of_responses(1000, |k| match k {
        500..600 => (Nanos::ZERO, Nanos::from_millis(600 - k)),
        _ => (Nanos::ZERO, Nanos::ZERO),
    });
    let (from, lost) = (ORIGIN + Nanos::from_millis(500), Nanos::from_millis(100));
    let hole = Hole { from, to: from + lost, lost, phase: Phase::Measure };
    let shard = &mut run.shards[0];
    shard.evidence.holes.as_mut().unwrap().count(&hole);
    shard.holes = vec![hole];
    check_both("stopped", &run.summary());
}

#[test]
fn a_killed_run_reports_as_it_did() {
    check_both("killed", &Run { is_killed: true, ..Run::steady() }.summary());
}

#[test]
fn a_monitor_reports_as_it_did() {
    check_both("monitor", &Run::watching().summary());
}

#[test]
fn a_report_of_a_monitor_has_no_line_without_a_figure() {
    let asked = |from_ms: Option<u64>| Asked {
        cut: Cut { from: from_ms.map(Nanos::from_millis), ..Cut::default() },
        ..Asked::default()
    };
    let options = text::Options {
        spectrum: Some(SeriesName::Response),
        timeseries: true,
        ..text::Options::default()
    };
    let killed = Run { is_killed: true, ..Run::watching() };
    for (run, from) in [(Run::watching(), None), (Run::watching(), Some(500)), (killed, None)] {
        let report = text::write(&load([("a".to_owned(), run)], &asked(from)).unwrap(), options);
        for empty in ["Connections:", "Time(ms)", "response", "Spectrum", "Sessions", "planned"] {
            assert!(!report.contains(empty), "{empty} in\n{report}");
        }
        for moot in ["own_share", "tail_blame", "sent_shortfall", "busy_share,"] {
            assert!(!report.contains(moot), "{moot} in\n{report}");
        }
    }
}

#[test]
fn what_was_forced_together_shows_updates_and_requests() {
    let logs = [("a".to_owned(), Run::watching()), ("b".to_owned(), Run::steady())];
    let merged = load(logs, &Asked { force: true, ..Asked::default() }).unwrap();
    let report = text::write(&merged, text::Options::default());
    for line in ["\nage ", "\nresponse ", "\nUpdates ", "\nSessions "] {
        assert!(report.contains(line), "no {line:?} in\n{report}");
    }
}

#[test]
fn a_closed_loop_reports_as_it_did() {
    let mut run = Run::steady();
    run.plan.rate = Rate::Max;
    check("closed.txt", &text::write(&run.summary(), text::Options::default()));
}

#[test]
fn the_spectrum_and_the_colour_are_added_when_asked() {
    let options = text::Options {
        colour: true,
        spectrum: Some(SeriesName::Response),
        ..text::Options::default()
    };
    check("spectrum.txt", &text::write(&Run::steady().summary(), options));
}

#[test]
fn a_cut_reports_its_own_figures_and_says_that_it_is_one() {
    let asked = |cut: Cut| Asked { cut, ..Asked::default() };
    let storm = asked(Cut {
        from: Some(Nanos::from_millis(100)),
        to: Some(Nanos::from_millis(300)),
        shards: "0".parse().unwrap(),
        ..Cut::default()
    });
    check_both("cut", &load([("a".to_owned(), stormy())], &storm).unwrap());
}

#[test]
fn no_part_of_an_invalid_run_is_valid() {
    let verdict = |run: Run, from_ms| {
        let cut = Cut { from: Some(Nanos::from_millis(from_ms)), ..Cut::default() };
        let summary = load([("a".to_owned(), run)], &Asked { cut, ..Asked::default() }).unwrap();
        (summary.verdict, text::write(&summary, text::Options::default()))
    };
    let mut lost = Run::steady();
    lost.shards[0].evidence.tally.log_lost = 1;
    let (found, report) = verdict(lost, 500);
    assert_eq!(found, Verdict::Suspect);
    assert!(report.contains("whole_invalid"), "{report}");
    assert_eq!(verdict(Run::steady(), 500).0, Verdict::Valid);
    assert_eq!(verdict(Run::steady(), 5000).0, Verdict::Suspect, "nothing is left");
}

#[test]
fn a_precision_that_was_not_reached_is_said_and_why() {
    #[track_caller]
    fn check(mut run: Run, wanted: &str, says: &str) {
        run.plan.target_ci = Some(wanted.parse().unwrap());
        let report = text::write(&run.summary(), text::Options::default());
        let notice = report.lines().find_map(|line| line.strip_prefix("notice"));
        assert_eq!(notice.unwrap_or_default().trim(), says);
        let json: Value = serde_json::from_str(&json::write(&run.summary())).unwrap();
        assert_eq!(json["notices"].as_array().unwrap().len(), usize::from(!says.is_empty()));
    }
    check(Run::steady(), "p99:5%", "");
    let short = "p50 is known to +-9.74 %, and not to +-1 %: it takes a longer --max-duration";
    check(Run::steady(), "p50:1%", short);
    let few = "p99.9 is not known to +-5 %: it takes more samples, by a longer --max-duration";
    check(Run::steady(), "p99.9:5%", few);
    let grows = "p50 is not known to +-5 %: without a steady state it has no error bar";
    check(overloaded(), "p50:5%", grows);
}

#[test]
fn two_cuts_that_meet_hold_what_the_whole_does() {
    let load = |from: Option<Nanos>, to: Option<Nanos>| {
        let cut = Cut { from, to, ..Cut::default() };
        load([("a".to_owned(), stormy())], &Asked { cut, ..Asked::default() }).unwrap()
    };
    let middle = Some(Nanos::from_micros(412_345));
    let (mut one, other, whole) = (load(None, middle), load(middle, None), load(None, None));
    one.series.merge(&other.series);
    assert_eq!(Figures::of(&one.series), whole.figures);
    one.tally.add(&other.tally);
    let sorted = |tally: &Tally| (tally.outcomes.clone(), tally.sessions_ok, tally.bytes_received);
    assert_eq!(sorted(&one.tally), sorted(&whole.tally));
    assert_eq!(one.measured + other.measured, whole.measured);
}

#[test]
fn a_steady_run_reports_in_the_shapes_of_other_tools() {
    let mut summary = stormy().summary();
    summary.judge(&Gates::default());
    check("stormy.hgrm", &hgrm::write(&summary, SeriesName::Service));
    check("stormy.fortio.json", &fortio::write(&summary, SeriesName::Response));
    check("stormy.oha.json", &oha::write(&summary, SeriesName::Response));
    check("stormy.wrk", &wrk::write(&summary, SeriesName::Response));
    check("stormy.timeseries.csv", &timeseries::csv(&summary));
}

/// The log of a run on two shards, as the first release wrote it.
fn first_log() -> Reader {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/runs/v1.data");
    Reader::open(&path).unwrap()
}

#[test]
fn a_log_of_version_1_exports_as_it_did() {
    let log = first_log();
    let name = log.path().display().to_string();
    let series = hlog::series_of(log.plan());
    let logs = [(log, Cut::default())];
    let named = |out: Vec<u8>| {
        let whole = String::from_utf8(out).unwrap();
        whole.replace(&name, "v1.data")
    };
    let mut out = Vec::new();
    csv::write(&logs, &mut out).unwrap();
    check("v1.csv", &named(out));
    let options = hlog::Options { interval: Nanos::from_millis(20), series };
    let mut out = Vec::new();
    hlog::write(&logs, &options, &mut out).unwrap();
    check("v1.hlog", &named(out));
}

#[test]
fn the_rows_of_an_export_are_in_the_order_of_their_ends_and_within_the_cut() {
    let rows = |cut: &Cut| {
        let mut out = Vec::new();
        csv::write(&[(first_log(), cut.clone())], &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let rows = text.lines().skip(1).map(|row| row.split(',').map(String::from).collect());
        rows.collect::<Vec<Vec<String>>>()
    };
    let column = |name| csv::COLUMNS.iter().position(|column| *column == name).unwrap();
    let ends = |row: &Vec<String>| {
        let of = |name| row[column(name)].parse::<i64>().unwrap();
        of("intended_ns") + of("response_ns")
    };
    let whole = rows(&Cut::default());
    assert_eq!(whole.len(), 120);
    assert!(whole.is_sorted_by_key(ends));
    let cut = Cut { shards: "1".parse().unwrap(), from: Some(Nanos::ZERO), ..Cut::default() };
    let part = rows(&cut);
    assert_eq!(part.len(), 40);
    assert!(
        part.iter().all(|row| row[column("shard")] == "1" && row[column("phase")] == "measure")
    );
}

#[test]
fn nothing_at_all_still_makes_a_report() {
    let run = Run { is_killed: true, ..Run::of(vec![vec![]]) };
    check("empty.txt", &text::write(&run.summary(), text::Options::default()));
    assert!(serde_json::from_str::<Value>(&json::write(&run.summary())).is_ok());
}

impl LogSource for Run {
    type Error = Infallible;

    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn environment(&self) -> &Environment {
        &self.environment
    }

    fn began_unix_ns(&self) -> Option<u64> {
        Some(self.began_unix_ns)
    }

    fn measure_at(&self) -> Instant {
        ORIGIN
    }

    fn trailer(&self) -> Result<Option<Trailer>, Infallible> {
        let shards = self.shards.iter().map(|shard| shard.evidence.clone()).collect();
        let evidence = crate::evidence::Evidence { shards, ..self.evidence.clone() };
        Ok(Some(Trailer { evidence, ..Trailer::default() }))
    }

    fn count(&self, cut: &Cut, builder: &mut Builder) -> Result<(), Infallible> {
        let cut_of = |request: &Request| match cut.is_whole() {
            true => *request,
            false => cut.of_request(request, ORIGIN),
        };
        for (index, shard) in (0..).zip(&self.shards).filter(|(i, _)| cut.keeps_shard(*i)) {
            shard.holes.iter().for_each(|hole| builder.hole(index, hole));
            shard.requests.iter().for_each(|request| builder.request(index, &cut_of(request)));
        }
        Ok(())
    }
}

#[test]
fn several_logs_report_as_one_with_their_own_figures_beside() {
    let mut later = Run::steady();
    later.began_unix_ns += 250_000_000;
    later.plan.seed = 2;
    let logs = [("a.data".to_owned(), Run::steady()), ("b.data".to_owned(), later)];
    check_both("merged", &load(logs, &Asked::default()).unwrap());
    let mut other = Run::steady();
    other.plan.requests = 2;
    let logs = [("a.data".to_owned(), Run::steady()), ("c.data".to_owned(), other)];
    let error = load(logs, &Asked::default()).unwrap_err().to_string();
    assert!(error.contains("requests: 1 and 2"), "{error}");
}

/// Whether `value` is what the schema says: the part of JSON Schema that ours uses.
fn conforms(value: &Value, schema: &Value, root: &Value, at: &str) {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(reference.trim_start_matches('#')).unwrap();
        return conforms(value, target, root, at);
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let is_kind = |wanted: &Value| wanted == kind || (wanted == "number" && kind == "integer");
    match &schema["type"] {
        Value::Null => {}
        Value::Array(kinds) => assert!(kinds.iter().any(is_kind), "{at}: {value}"),
        wanted => assert!(is_kind(wanted), "{at}: {value} is no {wanted}"),
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        assert!(words.contains(value), "{at}: {value}");
    }
    let Some(object) = value.as_object() else {
        let items = value.as_array().into_iter().flatten().enumerate();
        return items
            .filter_map(|(i, item)| Some((i, item, schema.get("items")?)))
            .for_each(|(i, item, wanted)| conforms(item, wanted, root, &format!("{at}[{i}]")));
    };
    for key in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
        assert!(object.contains_key(key.as_str().unwrap()), "{at} lacks {key}");
    }
    for (key, inner) in object {
        let at = format!("{at}.{key}");
        match (schema.pointer(&format!("/properties/{key}")), schema.get("additionalProperties")) {
            (Some(wanted), _) | (None, Some(wanted @ Value::Object(_))) => {
                conforms(inner, wanted, root, &at);
            }
            (None, closed) => assert_ne!(closed, Some(&Value::Bool(false)), "{at} is not known"),
        }
    }
}

#[test]
fn every_json_report_is_what_the_schema_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/report.schema.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let mut stormy = stormy().summary();
    stormy.judge(&"p99<1ms".parse().unwrap());
    let killed = Run { is_killed: true, ..Run::steady() }.summary();
    for summary in [Run::steady().summary(), stormy, overloaded().summary(), killed] {
        let report: Value = serde_json::from_str(&json::write(&summary)).unwrap();
        conforms(&report, &schema, &schema, "report");
    }
}

#[test]
fn what_has_no_support_is_null_and_never_zero() {
    let run = Run::of(vec![(0..50).map(request).collect()]);
    let report: Value = serde_json::from_str(&json::write(&run.summary())).unwrap();
    assert_eq!(report["response_ns"]["p99"], Value::Null);
    assert!(report["response_ns"]["p75"].as_u64().is_some_and(|p75| p75 >= 100_000));
    assert_eq!(report["connect_ns"]["count"], 0);
    assert_eq!(report["connect_ns"]["min"], Value::Null);
}
