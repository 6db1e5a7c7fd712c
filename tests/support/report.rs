//! Reading the JSON report, and the accounts that balance in every one.

use serde_json::Value;

/// The number under a path like `totals.ok`, which has to be there.
#[track_caller]
pub(crate) fn count(json: &Value, path: &str) -> u64 {
    at(json, path).as_u64().unwrap_or_else(|| panic!("{path} is no count in {json:#}"))
}

/// The value under a path like `regime`, which has to be there.
#[track_caller]
pub(crate) fn at<'a>(json: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(json, |value, key| {
        value.get(key).unwrap_or_else(|| panic!("no {path} (at {key}) in {json:#}"))
    })
}

/// Every key that the contract promises, with the identities between them.
#[track_caller]
pub(crate) fn assert_identities(json: &Value) {
    assert_eq!(count(json, "schema_version"), 1);
    sessions_add_up(json);
    requests_and_outcomes_add_up(json);
    series_hold_what_they_should(json);
    assert_eq!(count(json, "resources.log_lost"), 0, "records lost: {json:#}");
    assert_eq!(count(json, "resources.cq_overflows"), 0, "completions lost: {json:#}");
    let logged_all = at(json, "plan.log") == "all" && at(json, "plan.warmup_ns") == 0;
    if logged_all {
        let records = count(json, "resources.log_records");
        assert_eq!(records, outcomes(json), "records are not the counters: {json:#}");
    }
    for key in ["tool", "target.address", "environment.kernel", "checks", "errors", "shards"] {
        at(json, key);
    }
    for check in at(json, "checks").as_array().expect("checks") {
        let name = at(check, "name").as_str().expect("a check has a name");
        let broken = name.ends_with("_apart") && at(check, "state") == "invalid";
        assert!(!broken, "the run itself says that its accounts are broken: {json:#}");
    }
}

#[track_caller]
fn sessions_add_up(json: &Value) {
    let of = |key| count(json, &format!("totals.{key}"));
    assert_eq!(of("planned"), of("started") + of("dropped") + of("unserved"), "{json:#}");
    assert_eq!(of("started"), of("ok") + of("failed") + of("in_flight_at_end"), "{json:#}");
    let of = |key| count(json, &format!("connections.{key}"));
    assert!(of("opened") <= of("asked").max(of("started")), "{json:#}");
    assert!(of("ended") <= of("started"), "{json:#}");
    // A connection bears one session at a time, a circuit many.
    let cap = if json.get("channels").is_some() {
        at(json, "plan.concurrence")
    } else {
        at(json, "connections.asked")
    };
    assert!(of("max_concurrence") <= cap.as_u64().expect("a count"), "{json:#}");
}

#[track_caller]
fn requests_and_outcomes_add_up(json: &Value) {
    let of = |key| count(json, &format!("requests.{key}"));
    let outcome = |key| count(json, &format!("outcomes.{key}"));
    assert_eq!(of("sent"), of("ok") + of("failed") + of("in_flight_at_end"), "{json:#}");
    assert_eq!(of("ok"), outcome("ok"), "{json:#}");
    let failures = ["refused", "reset", "timeout", "protocol", "no_port"].map(outcome);
    assert_eq!(of("failed"), failures.iter().sum::<u64>(), "{json:#}");
    let never_sent = outcome("dropped") + outcome("unserved");
    assert_eq!(outcomes(json), of("ok") + of("failed") + never_sent, "{json:#}");
    assert_eq!(outcome("dropped"), count(json, "totals.dropped"), "{json:#}");
    assert_eq!(outcome("unserved"), count(json, "totals.unserved"), "{json:#}");
    let statuses = at(json, "status").as_object().expect("status is an object");
    let answered: u64 = statuses.values().map(|n| n.as_u64().expect("a count")).sum();
    assert!(answered <= of("sent"), "more statuses than requests: {json:#}");
}

/// Requests that have an outcome.
pub(crate) fn outcomes(json: &Value) -> u64 {
    let outcomes = at(json, "outcomes").as_object().expect("outcomes is an object");
    outcomes.values().map(|n| n.as_u64().expect("a count")).sum()
}

#[track_caller]
fn series_hold_what_they_should(json: &Value) {
    let outcome = |key| count(json, &format!("outcomes.{key}"));
    let timed = outcome("ok") + outcome("timeout") + outcome("unserved");
    assert_eq!(count(json, "response_ns.count"), timed, "{json:#}");
    for name in ["response_ns", "service_ns", "wait_ns", "lag_ns", "connect_ns", "first_byte_ns"] {
        let series = at(json, name);
        let samples = count(series, "count");
        let quantiles = ["min", "p50", "p75", "p90", "p95", "p99", "p99_9", "p99_99", "max"];
        let known: Vec<f64> = quantiles.iter().filter_map(|key| at(series, key).as_f64()).collect();
        assert!(known.is_sorted(), "{name} is not in order: {json:#}");
        // Ten samples have to lie beyond a percentile; 10 / (1 - q) is what that takes.
        for (key, least) in [("p50", 20), ("p99", 1_000), ("p99_9", 10_000), ("p99_99", 100_000)] {
            let supported = samples >= least;
            assert_eq!(!at(series, key).is_null(), supported, "{name}.{key} of {samples}");
        }
    }
}
