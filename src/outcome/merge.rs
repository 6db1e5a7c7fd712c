//! Several logs as one run, without loss.

use std::collections::BTreeMap;
use std::fmt;

use super::summary::{Clues, Confidence, Figures, Part, Rates, ShardSummary, Summary, Watching};
use super::{Blame, Check, Regime, Series, State, Steady, Timeline, Verdict};
use crate::evidence::{Calibration, Evidence, Tally, UpdatesSeen, Watched};
use crate::plan::Plan;
use crate::unit::{Field, Nanos};

/// Keys of a plan that do not say what the load is. All others have to agree.
const NOT_LOAD: [&str; 16] = [
    "seed",
    "labels",
    "cpus",
    "sources",
    "ports",
    "shards",
    "idle",
    "clock",
    "sqpoll",
    "sqpoll_cpu",
    "watch_pid",
    "watch_dev",
    "log",
    "allow_partial",
    "target.embedded",
    "target_ci",
];

/// Why logs do not merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MergeError {
    /// There is none.
    Nothing,
    /// Two plans differ in load: the files, and each key with both values.
    Differ(String, String, Vec<String>),
}

impl fmt::Display for MergeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("no log to report, name at least one"),
            Self::Differ(first, other, keys) => write!(
                f,
                "{first} and {other} are different loads ({}), report them one by one, or force \
                 the merge",
                keys.join("; ")
            ),
        }
    }
}

impl std::error::Error for MergeError {}

/// Merges the summaries of several files, each under its name; a single one is given back as it
/// is. Counters and histograms add up, rates are counts over the span from the earliest start to
/// the latest end (over the longest, where a log does not say when it began), and each check is
/// the worst of the files'.
///
/// # Errors
/// No file; or plans that differ in load, unless `force`.
pub fn merge(mut parts: Vec<Part>, force: bool) -> Result<Summary, MergeError> {
    if parts.len() < 2 {
        return parts.pop().map(|part| part.summary).ok_or(MergeError::Nothing);
    }
    let first = &parts[0];
    for other in &parts[1..] {
        let keys = differences(&first.summary.plan, &other.summary.plan);
        if !keys.is_empty() && !force {
            return Err(MergeError::Differ(first.name.clone(), other.name.clone(), keys));
        }
    }
    Ok(merged(parts))
}

impl Summary {
    /// What was merged by force: the files whose loads differ from the first one's, which is the
    /// plan that the summary shows, and in what.
    pub fn forced(&self) -> Vec<String> {
        let Some((first, others)) = self.parts.split_first() else { return Vec::new() };
        let differing = others.iter().filter_map(|other| {
            let keys = differences(&first.summary.plan, &other.summary.plan);
            let (one, other) = (&first.name, &other.name);
            (!keys.is_empty())
                .then(|| format!("{one} and {other} are different loads ({})", keys.join("; ")))
        });
        differing.collect()
    }
}

fn merged(parts: Vec<Part>) -> Summary {
    let all = || parts.iter().map(|part| &part.summary);
    let mut tally = Tally::prepared();
    let (mut series, mut blame) = (Series::new(), Blame::default());
    for summary in all() {
        tally.add(&summary.tally);
        series.merge(&summary.series);
        blame.merge(&summary.blame);
    }
    let first = &parts[0].summary;
    let measured = across(all().map(|s| (s.began_unix_ns, s.measured)));
    let span = across(all().map(|s| (s.began_unix_ns, s.span)));
    let evidence = all().map(|s| s.evidence.as_ref()).collect::<Option<Vec<_>>>().map(together);
    let ages: Vec<_> = all().filter_map(|s| Some(s.watching.as_ref()?.ages.clone())).collect();
    let watching = Watching::of(evidence.as_ref(), &ages);
    let mut slips = UpdatesSeen::default();
    all().for_each(|summary| slips.add(&summary.slips));
    let checks = worst_of_each(all().map(|summary| &summary.checks[..]));
    let timeline = side_by_side(all());
    let cut_from = first.cut.as_ref().and_then(|cut| cut.from).unwrap_or_default();
    let steady = Steady::of(first.plan.log, &timeline, cut_from, measured);
    let regime = Regime {
        is_overloaded: all().any(|summary| summary.regime.is_overloaded),
        ..Regime::of(&first.plan, &tally, measured, &steady, evidence.is_none())
    };
    Summary {
        plan: first.plan.clone(),
        environment: first.environment.clone(),
        evidence,
        cut: first.cut.clone(),
        began_unix_ns: all().map(|s| s.began_unix_ns).min().flatten(),
        measured,
        span,
        records: all().map(|summary| summary.records).sum(),
        confidence: Confidence::of(first.plan.log, &timeline),
        steady,
        timeline,
        ours: blame.freeze(),
        blame,
        figures: Figures::of(&series),
        series,
        watching,
        slips,
        shards: parts.iter().flat_map(shards_of).collect(),
        regime,
        rates: Rates::of(&first.plan, &tally, measured, span),
        tally,
        verdict: Verdict::of(&checks),
        checks,
        gates: Vec::new(),
        floor: None,
        clues: Clues::default(),
        parts,
    }
}

/// Its shards, with its name.
fn shards_of(part: &Part) -> impl Iterator<Item = ShardSummary> {
    let shards = part.summary.shards.iter().cloned();
    shards.map(|shard| ShardSummary { file: Some(part.name.clone()), ..shard })
}

/// Timelines by the wall clock where every log says when it began, by their starts otherwise.
fn side_by_side<'a>(all: impl Iterator<Item = &'a Summary> + Clone) -> Timeline {
    let earliest = all.clone().map(|summary| summary.began_unix_ns).min().flatten();
    let mut timeline = Timeline::default();
    for summary in all {
        let began = summary.began_unix_ns.zip(earliest);
        let later = began.map_or(0, |(began, earliest)| began - earliest);
        timeline.merge(&summary.timeline, Nanos(later));
    }
    timeline
}

/// Keys of the load in which two plans differ, with both values.
fn differences(one: &Plan, other: &Plan) -> Vec<String> {
    let (one, other) = (one.to_text(), other.to_text());
    let (one, other) = (load_of(&one), load_of(&other));
    let keys: BTreeMap<_, _> = one.iter().chain(&other).collect();
    let shown = |value: Option<&&str>| value.map_or("none", |value| value).to_owned();
    keys.into_keys()
        .filter(|key| one.get(*key) != other.get(*key))
        .map(|key| format!("{key}: {} and {}", shown(one.get(key)), shown(other.get(key))))
        .collect()
}

fn load_of(plan: &str) -> BTreeMap<&str, &str> {
    let is_load = |key: &str| !NOT_LOAD.iter().any(|not| key.trim_end_matches(LIST_INDEX) == *not);
    plan.lines().filter_map(|line| line.split_once('=')).filter(|(key, _)| is_load(key)).collect()
}

/// What a list appends to its key.
const LIST_INDEX: [char; 11] = ['.', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'];

/// From the earliest start to the latest end; the longest where a start is unknown.
fn across(times: impl Iterator<Item = (Option<u64>, Nanos)> + Clone) -> Nanos {
    let longest = times.clone().map(|(_, length)| length).max().unwrap_or_default();
    let ends = times.map(|(began, length)| Some((began?, began?.saturating_add(length.0))));
    let Some(ends) = ends.collect::<Option<Vec<_>>>() else { return longest };
    let earliest = ends.iter().map(|&(began, _)| began).min().unwrap_or_default();
    let latest = ends.iter().map(|&(_, end)| end).max().unwrap_or_default();
    Nanos(latest - earliest)
}

fn worst_of_each<'a>(files: impl Iterator<Item = &'a [Check]>) -> Vec<Check> {
    let mut worst: Vec<Check> = Vec::new();
    for check in files.flatten() {
        match worst.iter_mut().find(|seen| seen.name == check.name) {
            Some(seen) if severity(check.state) > severity(seen.state) => *seen = check.clone(),
            Some(_) => {}
            None => worst.push(check.clone()),
        }
    }
    worst
}

fn severity(state: State) -> u8 {
    match state {
        State::Ok => 0,
        State::Unavailable => 1,
        State::Suspect => 2,
        State::Invalid => 3,
    }
}

/// The evidence of processes side by side: what they used adds up, what they watched does not.
fn together(all: Vec<&Evidence>) -> Evidence {
    let mut sum = Evidence::default();
    for one in all {
        let (mine, theirs) = (&mut sum.resources, &one.resources);
        macro_rules! add {
            ($($field:ident),* $(,)?) => { $(mine.$field += theirs.$field;)* };
        }
        add!(
            user_ns,
            sys_ns,
            major_faults,
            minor_faults,
            blocks_in,
            blocks_out,
            swaps,
            voluntary_switches,
            involuntary_switches,
        );
        mine.elapsed_ns = mine.elapsed_ns.max(theirs.elapsed_ns);
        mine.max_rss_kib = mine.max_rss_kib.max(theirs.max_rss_kib);
        mine.iowq_threads = match (mine.iowq_threads, theirs.iowq_threads) {
            (None, one) | (one, None) => one,
            (Some(a), Some(b)) => Some(a + b),
        };
        sum.measured = sum.measured.max(one.measured);
        sum.signal = sum.signal.or(one.signal);
        sum.cut_short = sum.cut_short.take().or_else(|| one.cut_short.clone());
        sum.calibration = worse(sum.calibration, one.calibration);
        sum.shards.extend(one.shards.iter().cloned());
        sum.notices.extend(one.notices.iter().cloned());
    }
    sum.watch = Watched::default();
    sum
}

fn worse(one: Option<Calibration>, other: Option<Calibration>) -> Option<Calibration> {
    let error = |c: &Calibration| c.error_bound_ppm;
    one.into_iter().chain(other).max_by(|a, b| error(a).total_cmp(&error(b)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::evidence::{Outcome, Request, Step};
    use crate::outcome::sample::{Run, failed, request};
    use crate::unit::Rate;

    fn part(name: &str, run: &Run) -> Part {
        Part { name: name.into(), summary: run.summary() }
    }

    #[test]
    fn two_logs_of_one_load_add_up() {
        let mut second = Run::steady();
        second.plan.seed = 9;
        second.plan.labels = vec!["host=b".into()];
        second.began_unix_ns += 500_000_000;
        let merged = merge(vec![part("a", &Run::steady()), part("b", &second)], false).unwrap();
        assert_eq!(merged.tally.sessions_planned, 2000);
        assert_eq!(merged.figures.response.count(), 2000);
        assert_eq!(merged.measured, Nanos::from_millis(1500));
        assert_eq!((merged.parts.len(), merged.shards.len()), (2, 2));
        assert!(merged.forced().is_empty());
        let of: Vec<_> = merged.shards.iter().map(|s| (s.number, s.file.as_deref())).collect();
        assert_eq!(of, [(0, Some("a")), (0, Some("b"))]);
        assert_eq!(merged.verdict, Verdict::Valid);
    }

    #[test]
    fn logs_of_different_loads_are_refused_and_named() {
        let mut other = Run::steady();
        other.plan.rate = Rate::per_second(2000);
        let parts = || vec![part("a", &Run::steady()), part("b", &other)];
        let error = merge(parts(), false).unwrap_err().to_string();
        assert!(error.starts_with("a and b are different loads (rate: 1000 and 2000)"), "{error}");
        let forced = merge(parts(), true).unwrap().forced();
        assert_eq!(forced, ["a and b are different loads (rate: 1000 and 2000)"]);
    }

    #[test]
    fn one_bad_file_spoils_the_verdict() {
        let mut bad = Run::steady();
        bad.shards[0].evidence.tally.log_lost = 1;
        let merged = merge(vec![part("a", &Run::steady()), part("b", &bad)], false).unwrap();
        assert_eq!(merged.verdict, Verdict::Invalid);
        assert_eq!(merged.parts[0].summary.verdict, Verdict::Valid);
    }

    /// Requests of all fates, each on a shard of a file.
    fn scattered() -> impl Strategy<Value = Vec<(Request, usize, usize)>> {
        let placed = (0u64..10_000_000_000, 0u64..1_000_000, 0u8..10, 0usize..3, 0usize..4);
        prop::collection::vec(placed, 1..400).prop_map(|placed| {
            let request = |(k, (response, wait, fate, file, shard)): (usize, _)| {
                let request = match fate {
                    0 => failed(k as u64, Outcome::Timeout, Step::Recv, 0),
                    1 => failed(k as u64, Outcome::Reset, Step::Recv, 104),
                    _ => request(k as u64),
                };
                let ready_at = request.intended_at + Nanos(wait);
                let done_at = ready_at + Nanos(response);
                (Request { ready_at, sent_at: ready_at, done_at, ..request }, file, shard)
            };
            placed.into_iter().enumerate().map(request).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_split_over_shards_and_files_has_the_figures_of_the_whole(scattered in scattered()) {
            let whole = Run::of(vec![scattered.iter().map(|(request, ..)| *request).collect()]);
            let whole = whole.summary();
            let files = (0..3).map(|file| {
                let of = |shard| {
                    let here = scattered.iter().filter(|&&(_, f, s)| (f, s) == (file, shard));
                    here.map(|(request, ..)| *request).collect()
                };
                part(&file.to_string(), &Run::of((0..4).map(of).collect()))
            });
            let merged = merge(files.collect(), true).unwrap();
            prop_assert_eq!(&merged.figures, &whole.figures);
            prop_assert_eq!(merged.tally.outcomes, whole.tally.outcomes);
            prop_assert_eq!(merged.records, whole.records);
        }
    }
}
