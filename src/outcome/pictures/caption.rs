//! What stands below the title of a picture.

use crate::outcome::Summary;
use crate::plan::{LogMode, Plan};
use crate::unit::Rate;

/// The plan in a line: `2000/s rush:250ms for 10s, concurrence 600 fresh`.
pub fn load(plan: &Plan) -> String {
    let when = match plan.rate {
        Rate::Max => "as fast as answers come".to_owned(),
        rate => format!("{rate}/s {}", plan.pattern),
    };
    let long = match plan.count {
        Some(1) => ", 1 session".to_owned(),
        Some(count) => format!(", {count} sessions"),
        None => format!(" for {}", plan.duration),
    };
    let kept = if plan.fresh { "fresh" } else { "kept" };
    let requests = match plan.requests {
        1 => String::new(),
        n => format!(", {n} requests per session"),
    };
    format!("{when}{long}, concurrence {} {kept}{requests}", plan.concurrence)
}

/// The plan, the verdict and the count of samples in a line; and where the log keeps only some of
/// the requests how many, since all that is drawn over time is of these.
pub fn caption(summary: &Summary) -> String {
    let count = summary.figures.response.count();
    let cut = summary.cut.as_ref().map_or(String::new(), |cut| format!("{cut}  \u{b7}  "));
    let verdict = summary.verdict.as_str();
    let kept = match summary.plan.log {
        LogMode::All => String::new(),
        log => format!("  \u{b7}  log {log}: {} kept", summary.records),
    };
    format!("{}  \u{b7}  {cut}{verdict}  \u{b7}  n = {count}{kept}", load(&summary.plan))
}
