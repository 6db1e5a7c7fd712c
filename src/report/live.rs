//! The live view: a run as it goes, from what its log holds by now. Rows of an interval each,
//! and a head over them with the whole run so far.

use std::collections::VecDeque;
use std::fmt::Write as _;

use super::figures::{UNKNOWN, counted, maybe_time, number, time};
use super::updates;
use crate::evidence::{Entry, Environment, Hole, Outcome, Request, UpdatesSeen};
use crate::outcome::{Builder, Check, State, Summary, Verdict};
use crate::plan::Plan;
use crate::stats::{Distribution, Recorder};
use crate::unit::{Instant, Nanos, Quantile, Rate};

/// A run as far as its log was read.
#[derive(Debug)]
pub struct Live {
    plan: Plan,
    /// Start of the run on its own clock.
    epoch: Instant,
    builder: Builder,
    window: Window,
    /// The newest last; as many as a tall terminal shows.
    rows: VecDeque<Row>,
}

/// Rows that are kept.
const ROWS_MAX: usize = 500;

/// What came in one interval.
#[derive(Debug)]
struct Window {
    response: Recorder,
    ok: u64,
    failed: u64,
    /// Times in service, added up.
    served_ns: u64,
    /// Updates that were not the next; those that were are in no record.
    slips: UpdatesSeen,
    holes: Vec<Hole>,
    /// Last end of a request.
    until: Instant,
}

impl Window {
    fn new() -> Self {
        Self {
            response: Recorder::new(),
            ok: 0,
            failed: 0,
            served_ns: 0,
            slips: UpdatesSeen::default(),
            holes: Vec::new(),
            until: Instant::ZERO,
        }
    }
}

/// One interval.
#[derive(Debug, Clone)]
struct Row {
    /// Since the start of the run, at its end.
    at: Nanos,
    span: Nanos,
    ok: u64,
    failed: u64,
    served_ns: u64,
    slips: UpdatesSeen,
    response: Distribution,
    holes: u64,
    hole_max: Option<Nanos>,
}

/// How large a terminal is, in characters, and what it can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// Characters in a line.
    pub columns: usize,
    /// Lines.
    pub lines: usize,
    /// Colour the verdict.
    pub colour: bool,
}

impl Live {
    /// Nothing yet of a run of `plan` that started at `epoch` of its own clock.
    pub fn new(plan: Plan, environment: Environment, epoch: Instant) -> Self {
        Self {
            builder: Builder::new(plan.clone(), environment),
            plan,
            epoch,
            window: Window::new(),
            rows: VecDeque::new(),
        }
    }

    /// Takes what `shard` logged next.
    pub fn take(&mut self, shard: u32, entry: &Entry) {
        match entry {
            Entry::Request(request) => {
                self.builder.request(shard, request);
                self.window.add(request);
            }
            Entry::Hole(hole) => {
                self.builder.hole(shard, hole);
                self.window.holes.push(*hole);
            }
            Entry::Slip(slip) => {
                self.builder.slip(shard, slip);
                self.window.slips.count(slip.steps());
            }
        }
    }

    /// What was taken so far belongs to no interval.
    pub fn pass_over(&mut self) {
        self.window = Window::new();
    }

    /// Ends an interval of this length: what was taken since the last is a row.
    pub fn end_interval(&mut self, span: Nanos) {
        let window = std::mem::replace(&mut self.window, Window::new());
        let before = self.rows.back().map_or(Nanos::ZERO, |row| row.at);
        if self.rows.len() == ROWS_MAX {
            self.rows.pop_front();
        }
        self.rows.push_back(Row {
            at: if window.until == Instant::ZERO {
                before + span
            } else {
                window.until.since(self.epoch).max(before)
            },
            span,
            ok: window.ok,
            failed: window.failed,
            served_ns: window.served_ns,
            slips: window.slips,
            response: window.response.freeze(),
            holes: window.holes.len() as u64,
            hole_max: window.holes.iter().map(|hole| hole.lost).max(),
        });
    }

    /// The names over [`Live::line`]'s columns.
    pub fn names(&self) -> String {
        joined(self.columns().iter().map(|&(name, width)| (name.to_owned(), width)))
    }

    /// The last interval as one line; empty where there is none.
    pub fn line(&self) -> String {
        self.rows.back().map_or_else(String::new, |row| self.line_of(row))
    }

    fn columns(&self) -> &'static [Column] {
        if updates::are_watched(&self.plan) { &OF_UPDATES } else { &OF_REQUESTS }
    }

    fn line_of(&self, row: &Row) -> String {
        let is_watching = updates::are_watched(&self.plan);
        let cells = if is_watching { row.of_updates() } else { row.of_requests() };
        joined(cells.into_iter().zip(self.columns()).map(|(cell, &(_, width))| (cell, width)))
    }

    /// All of it, for a terminal of this size; no line is longer than its columns.
    pub fn screen(&self, name: &str, state: &str, screen: Screen) -> String {
        let summary = self.builder.clone().finish();
        let head = self.head(&summary, name, state);
        let room = screen.lines.saturating_sub(head.len() + 3);
        let mut lines: Vec<String> = head;
        lines.push(String::new());
        lines.push(self.names().trim_end().to_owned());
        lines.extend(
            self.rows
                .iter()
                .skip(self.rows.len().saturating_sub(room))
                .map(|row| self.line_of(row).trim_end().to_owned()),
        );
        lines.truncate(screen.lines.saturating_sub(1));
        let mut text = String::new();
        for (number, line) in lines.iter().enumerate() {
            let cut: String = line.chars().take(screen.columns).collect();
            let paint = (number == 0 && screen.colour).then(|| colour(verdict(&summary).0));
            match paint {
                Some(paint) => writeln!(text, "{paint}{cut}\x1b[0m"),
                None => writeln!(text, "{cut}"),
            }
            .unwrap_or_default();
        }
        text
    }

    fn head(&self, summary: &Summary, name: &str, state: &str) -> Vec<String> {
        let plan = &self.plan;
        let at = self.rows.back().map_or(Nanos::ZERO, |row| row.at);
        let length = match plan.count {
            Some(count) => counted(count, "session"),
            None => time((plan.warmup + plan.duration).0 as f64),
        };
        let (verdict, why) = verdict(summary);
        let fits = if why.is_empty() { String::new() } else { format!(": {why}") };
        let mut lines = vec![
            format!("{verdict} so far{fits}"),
            format!("{name}  {state}, {} of {length}", time(at.0 as f64)),
        ];
        if let Some(channels) = plan.channels.as_ref().filter(|_| updates::are_watched(plan)) {
            let seen = updates::of_records(summary);
            lines.push(updates::load(channels));
            lines.extend(seen.into_iter().map(|(_, text)| format!("updates   {text}")));
            return lines;
        }
        let asked = match plan.rate {
            Rate::Max => "as fast as answers come".to_owned(),
            rate => format!("{rate} a second, {}", plan.pattern),
        };
        let response = &summary.figures.response;
        let at_quantile = |name: &str, quantile| {
            format!("{name} {}", maybe_time(response.quantile(Quantile(quantile))))
        };
        lines.extend([
            format!(
                "{asked}, concurrence {} {}, {}",
                plan.concurrence,
                if plan.fresh { "fresh" } else { "kept" },
                counted(u64::from(plan.shards), "shard"),
            ),
            format!(
                "response  {}  {}  {}  max {}",
                at_quantile("p50", 500_000),
                at_quantile("p99", 990_000),
                at_quantile("p99.9", 999_000),
                maybe_time(response.max()),
            ),
            format!("requests  {}", outcomes(summary)),
        ]);
        lines
    }
}

impl Window {
    fn add(&mut self, request: &Request) {
        self.until = self.until.max(request.done_at);
        match request.outcome {
            Outcome::Ok => self.ok += 1,
            _ => self.failed += 1,
        }
        if request.is_timed() {
            self.response.record(request.response());
        }
        if !matches!(request.outcome, Outcome::Unserved | Outcome::Dropped) {
            self.served_ns += request.service().0;
        }
    }
}

/// A column of the rows, and its width.
type Column = (&'static str, usize);

const OF_REQUESTS: [Column; 10] = [
    ("time", 7),
    ("done/s", 9),
    ("failed", 7),
    ("working", 8),
    ("p50", 7),
    ("p99", 7),
    ("p99.9", 7),
    ("max", 7),
    ("holes", 6),
    ("longest", 7),
];

/// The log of a monitor has the updates that were not the next, and no others.
const OF_UPDATES: [Column; 6] =
    [("time", 7), ("lost", 9), ("duplicate", 10), ("backwards", 10), ("holes", 6), ("longest", 7)];

fn joined(cells: impl Iterator<Item = (String, usize)>) -> String {
    let mut line = String::new();
    for (cell, width) in cells {
        let _ = write!(line, "{cell:>width$} ");
    }
    line.trim_end().to_owned() + "\n"
}

impl Row {
    fn of_requests(&self) -> Vec<String> {
        let span_s = self.span.as_secs_f64().max(1e-9);
        let quantile = |quantile| maybe_time(self.response.quantile(Quantile(quantile)));
        let cells = [
            self.time(),
            format!("{:.0}", self.ok as f64 / span_s),
            self.failed.to_string(),
            // Little's law: the mean number that were at work at a time.
            number((self.served_ns as f64 / self.span.0.max(1) as f64 * 10.0).round() / 10.0),
            quantile(500_000),
            quantile(990_000),
            quantile(999_000),
            maybe_time(self.response.max()),
        ];
        cells.into_iter().chain(self.absence()).collect()
    }

    fn of_updates(&self) -> Vec<String> {
        let UpdatesSeen { lost, duplicate, backwards, .. } = self.slips;
        let counts = [lost, duplicate, backwards].map(|count| count.to_string());
        [self.time()].into_iter().chain(counts).chain(self.absence()).collect()
    }

    fn time(&self) -> String {
        format!("{:.1}s", self.at.as_secs_f64())
    }

    /// Holes: how many, and the longest.
    fn absence(&self) -> [String; 2] {
        let longest = self.hole_max.map_or_else(|| "-".to_owned(), |lost| time(lost.0 as f64));
        [self.holes.to_string(), longest]
    }
}

/// The verdict of what is there, and the worst that speaks against it. That the run has not ended
/// says nothing yet.
fn verdict(summary: &Summary) -> (Verdict, String) {
    let checks: Vec<Check> =
        summary.checks.iter().filter(|check| check.name != "log_unfinished").cloned().collect();
    let verdict = Verdict::of(&checks);
    let of_state = |state| checks.iter().find(move |check| check.state == state);
    let why = of_state(State::Invalid).or_else(|| of_state(State::Suspect)).map(|check| {
        let of = |value: Option<f64>| value.map_or_else(|| UNKNOWN.to_owned(), number);
        let unit = if check.unit.is_empty() { String::new() } else { format!(" {}", check.unit) };
        format!("{} {}{unit} (limit {}{unit})", check.name, of(check.value), of(check.limit))
    });
    (verdict, why.unwrap_or_default())
}

fn colour(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "\x1b[1;32m",
        Verdict::Suspect => "\x1b[1;33m",
        Verdict::Invalid => "\x1b[1;31m",
    }
}

fn outcomes(summary: &Summary) -> String {
    let counts = Outcome::ALL.iter().zip(&summary.tally.outcomes);
    let seen = counts.filter(|&(outcome, &count)| count > 0 || *outcome == Outcome::Ok);
    let named: Vec<String> = seen.map(|(outcome, count)| format!("{outcome} {count}")).collect();
    named.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Phase, Slip};
    use crate::outcome::sample::{Run, request as request_sample};
    use crate::plan::sample;

    fn live() -> Live {
        let plan = Plan { shards: 1, ..sample::plan() };
        Live::new(plan, Environment::default(), Instant(1_000))
    }

    fn request(number: u64, outcome: Outcome) -> Entry {
        let at = |us: u64| Instant(1_000 + (number * 10 + us) * 1_000);
        Entry::Request(Request {
            intended_at: at(0),
            ready_at: at(0),
            sent_at: at(0),
            done_at: at(50),
            outcome,
            ..request_sample(number)
        })
    }

    #[test]
    fn a_row_has_what_came_in_its_interval() {
        let mut live = live();
        for number in 0..1000 {
            live.take(0, &request(number, Outcome::Ok));
        }
        live.take(0, &request(1000, Outcome::Reset));
        let hole = Hole {
            from: Instant(5_000),
            to: Instant(205_000),
            lost: Nanos::from_micros(200),
            phase: Phase::Measure,
        };
        live.take(0, &Entry::Hole(hole));
        live.end_interval(Nanos::from_millis(100));
        let line = live.line();
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[1..4], ["10000", "1", "0.500"], "{line}");
        assert_eq!(words[8..], ["1", "200us"], "{line}");
        live.end_interval(Nanos::from_millis(100));
        assert!(live.line().contains(" 0 "), "{}", live.line());
        assert_eq!(live.line().split_whitespace().count(), OF_REQUESTS.len());
    }

    #[test]
    fn a_row_of_a_monitor_has_the_updates_that_were_not_the_next() {
        let mut live = Live::new(Run::watching().plan, Environment::default(), Instant(1_000));
        for got in [7, 3, 3] {
            let at = Instant(5_000);
            let slip = Slip {
                at,
                subscription: 1,
                expected: 4,
                got,
                is_word: false,
                phase: Phase::Measure,
            };
            live.take(0, &Entry::Slip(slip));
        }
        live.end_interval(Nanos::from_secs(1));
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&live.names())[1..4], ["lost", "duplicate", "backwards"]);
        assert_eq!(words(&live.line())[1..], ["3", "2", "0", "0", "-"]);
        let screen = Screen { columns: 200, lines: 20, colour: false };
        let text = live.screen("onrush.data", "running", screen);
        assert!(text.contains("3 lost, 2 duplicate, 0 backwards"), "{text}");
        assert!(!text.contains("response") && !text.contains("requests"), "{text}");
    }

    #[test]
    fn a_screen_is_as_large_as_the_terminal_at_most() {
        let mut live = live();
        for _ in 0..50 {
            live.take(0, &request(1, Outcome::Ok));
            live.end_interval(Nanos::from_secs(1));
        }
        for (columns, lines) in [(80, 24), (20, 10), (200, 100), (1, 1), (80, 4)] {
            let text =
                live.screen("onrush.data", "running", Screen { columns, lines, colour: false });
            assert!(text.lines().count() <= lines.max(1), "{columns}x{lines}: {text}");
            assert!(text.lines().all(|line| line.chars().count() <= columns), "{text}");
        }
    }
}
