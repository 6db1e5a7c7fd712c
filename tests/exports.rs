//! What `report` exports, read by those whom it is for: Python's csv, another implementation of
//! HdrHistogram, and what scrapes other load generators.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use support::Folder;
use support::report::count;

/// The log of 40 sessions of two requests, and of a warm-up, on two shards.
const LOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/runs/v1.data");

/// What `onrush report ARGS LOG` prints.
fn report(args: &[&str]) -> Vec<u8> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onrush"));
    let output = command.arg("report").args(args).arg(LOG).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {stderr}");
    output.stdout
}

fn json(args: &[&str]) -> Value {
    serde_json::from_slice(&report(args)).unwrap()
}

/// What a script prints as JSON, given a file.
fn python(script: &str, file: &Path) -> Value {
    let python = concat!(env!("CARGO_MANIFEST_DIR"), "/target/python/bin/python3");
    let mut command = Command::new(python);
    let output = command.args(["-c", script]).arg(file).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|e| panic!("{python}: {e}; tools/setup installs it"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn csv_is_read_by_pythons_csv() {
    let folder = Folder::new();
    let file = folder.write("requests.csv", report(&["--format=csv", "--phase=measure"]));
    let seen = python(
        "import csv, json, sys
rows = list(csv.DictReader(open(sys.argv[1], newline='')))
print(json.dumps({'rows': len(rows), 'max': max(int(row['response_ns']) for row in rows),
    'bytes': sum(int(row['bytes_received']) for row in rows),
    'whole': all(int(row['response_ns']) == sum(int(row[part])
        for part in ['wait_ns', 'lag_ns', 'service_ns']) for row in rows)}))",
        &file,
    );
    let report = json(&["--format=json"]);
    assert_eq!(seen["rows"], report["requests"]["ok"]);
    assert_eq!(seen["max"], report["response_ns"]["max"]);
    assert_eq!(seen["bytes"], report["requests"]["bytes_received"]);
    assert_eq!(seen["whole"], true);
}

#[test]
fn an_interval_log_is_read_by_another_hdrhistogram() {
    let folder = Folder::new();
    let args = ["--format=hlog", "--interval=20ms"];
    let file = folder.write("intervals.hlog", report(&args));
    let seen = python(
        "import json, sys
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
seen = {}
for tag in ['response', 'service', 'lag', 'first_byte']:
    whole = HdrHistogram(1, 3600 * 10**9, 3)
    reader = HistogramLogReader(sys.argv[1], HdrHistogram(1, 3600 * 10**9, 3))
    intervals = 0
    while True:
        part = reader.get_next_interval_histogram()
        if part is None:
            break
        if part.get_tag() == tag:
            whole.add(part)
            intervals += 1
    seen[tag] = {'count': whole.get_total_count(), 'intervals': intervals,
        'p50': whole.get_value_at_percentile(50), 'p75': whole.get_value_at_percentile(75)}
print(json.dumps(seen))",
        &file,
    );
    let report = json(&["--format=json"]);
    for tag in ["response", "service", "lag", "first_byte"] {
        let (seen, ours) = (&seen[tag], &report[format!("{tag}_ns")]);
        assert_eq!(seen["count"], ours["count"], "{tag}");
        assert!(count(seen, "intervals") > 1, "{tag}: {seen}");
        // Where the buckets agree so do the values, to the last digit.
        assert_eq!((&seen["p50"], &seen["p75"]), (&ours["p50"], &ours["p75"]), "{tag}");
    }
}

#[test]
fn a_spectrum_is_read_by_who_reads_four_columns() {
    let folder = Folder::new();
    let file = folder.write("lag.hgrm", report(&["--format=hgrm", "--series=lag"]));
    let seen = python(
        "import json, sys
lines = [line for line in open(sys.argv[1]) if line.strip() and not line.startswith('#')]
rows = [[float(word) for word in line.split()] for line in lines[1:]]
print(json.dumps({'names': lines[0].split(), 'rising': rows == sorted(rows),
    'end': rows[-1][1:3], 'max': rows[-1][0]}))",
        &file,
    );
    let report = json(&["--format=json"]);
    let names = ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"];
    assert_eq!(seen["names"], serde_json::json!(names));
    assert_eq!((&seen["rising"], &seen["end"][0]), (&Value::from(true), &Value::from(1.0)));
    assert_eq!(seen["end"][1].as_f64(), report["lag_ns"]["count"].as_f64());
    let max = report["lag_ns"]["max"].as_f64().unwrap() / 1e6;
    assert!((seen["max"].as_f64().unwrap() - max).abs() < 1e-6);
}

#[test]
fn the_shapes_of_other_tools_hold_our_figures() {
    let report_of = json(&["--format=json"]);
    let seconds = |key: &str| report_of["response_ns"][key].as_f64().unwrap() / 1e9;
    let close = |value: &Value, expect: f64| {
        assert!((value.as_f64().unwrap() - expect).abs() <= expect * 1e-6, "{value} {expect}");
    };
    let fortio = json(&["--format=fortio"]);
    assert_eq!(fortio["DurationHistogram"]["Count"], report_of["response_ns"]["count"]);
    close(&fortio["DurationHistogram"]["Avg"], seconds("mean"));
    close(&fortio["DurationHistogram"]["Percentiles"][0]["Value"], seconds("p50"));
    assert_eq!(fortio["RetCodes"]["200"], report_of["status"]["200"]);
    close(&fortio["ActualQPS"], report_of["rate"]["requests_per_s"].as_f64().unwrap());

    let oha = json(&["--format=oha"]);
    close(&oha["summary"]["slowest"], seconds("max"));
    close(&oha["latencyPercentiles"]["p75"], seconds("p75"));
    assert_eq!(oha["statusCodeDistribution"], report_of["status"]);
    let bars = oha["responseTimeHistogram"].as_object().unwrap();
    let all: u64 = bars.values().filter_map(Value::as_u64).sum();
    assert_eq!((bars.len(), all), (11, count(&report_of, "response_ns.count")));

    let wrk = String::from_utf8(report(&["--format=wrk"])).unwrap();
    let word = |line: &str, at: usize| {
        let found = wrk.lines().find(|text| text.trim_start().starts_with(line));
        found.unwrap_or_else(|| panic!("{line}: {wrk}")).split_whitespace().nth(at).unwrap()
    };
    assert!(word("Latency", 1).ends_with("us") || word("Latency", 1).ends_with("ms"));
    assert_eq!(word("Requests/sec:", 1), format!("{:.2}", fortio["ActualQPS"].as_f64().unwrap()));
    assert_eq!(wrk.lines().filter(|line| line.contains('%')).count(), 6);
}

#[test]
fn a_timeseries_counts_what_the_run_did() {
    let rows = json(&["--format=json", "--timeseries"])["timeseries"].clone();
    let rows = rows.as_array().unwrap();
    let sum = |key: &str| rows.iter().map(|row| row[key].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("planned"), sum("sent"), sum("ok"), sum("errors")), (40, 80, 80, 0));
    let csv = String::from_utf8(report(&["--format=csv", "--timeseries"])).unwrap();
    assert_eq!(csv.lines().count(), 1 + rows.len());
}

#[test]
fn cuts_that_meet_add_up() {
    let outcomes =
        |args: &[&str]| count(&json(&[&["--format=json"], args].concat()), "outcomes.ok");
    let whole = outcomes(&[]);
    assert_eq!(whole, 80);
    assert_eq!(outcomes(&["--to=40ms"]) + outcomes(&["--from=40ms"]), whole);
    assert_eq!(outcomes(&["--shard=0"]) + outcomes(&["--shard=1"]), whole);
    let listed = json(&["--format=json", "--shard=1"])["shards"].clone();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["shard"]), (1, &1.into()));
    assert_eq!(outcomes(&["--status=2xx"]) + outcomes(&["--status=3xx,400-499"]), whole);
    assert_eq!(outcomes(&["--phase=measure,warmup"]), 120);
    assert_eq!(outcomes(&["--outcome=reset,timeout"]), 0);
}
