//! How much load, and how it lies in time.

use super::super::args::RunArgs;
use super::super::error::{CliError, parse, read, read_count, read_if_given, read_seed};
use super::Notice;
use crate::plan::{Close, LogMode, OnCap, Pattern, Precision};
use crate::unit::{Nanos, Rate};

/// Most connection slots: what the log counts up to.
const CONCURRENCE_MAX: u64 = 1 << 24;
/// Most requests of a session: what the log counts up to.
const REQUESTS_MAX: u64 = 1 << 24;
/// Most sessions of a run: what the log counts up to.
const SESSIONS_MAX: u64 = 1 << 40;

/// The part of a plan that says how much and when.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) rate: Rate,
    pub(super) concurrence: u32,
    pub(super) pattern: Pattern,
    /// At most.
    pub(super) duration: Nanos,
    /// At least.
    pub(super) least: Nanos,
    pub(super) target_ci: Option<Precision>,
    pub(super) count: Option<u64>,
    pub(super) warmup: Nanos,
    pub(super) requests: u32,
    pub(super) think: Nanos,
    pub(super) close: Close,
    pub(super) on_cap: OnCap,
    pub(super) timeout: Nanos,
    pub(super) seed: u64,
}

/// The load that `args` ask for; what the user may not expect goes to `notices`.
///
/// # Errors
/// A value breaks its rule, or two of them do not go together.
pub(super) fn load_of(args: &RunArgs, notices: &mut Vec<Notice>) -> Result<Load, CliError> {
    let least = above_zero("--duration", &args.duration, "10s")?;
    let target_ci = target_ci_of(args)?;
    let load = Load {
        rate: rate_of(args)?,
        concurrence: count("--concurrence", &args.concurrence, "64", CONCURRENCE_MAX)? as u32,
        pattern: read("--pattern", &args.pattern, "even")?,
        duration: most_of(args, least)?,
        least,
        target_ci,
        count: (args.count.is_some())
            .then(|| count("--count", &args.count, "1", SESSIONS_MAX))
            .transpose()?,
        warmup: read("--warmup", &args.warmup, "0")?,
        requests: count("--requests", &args.requests, "1", REQUESTS_MAX)? as u32,
        think: read("--think", &args.think, "0")?,
        close: close_of(args)?,
        on_cap: read("--on-cap", &args.on_cap, "defer")?,
        timeout: above_zero("--timeout", &args.timeout, "5s")?,
        seed: read_seed(&args.seed)?,
    };
    check_pattern(args, &load)?;
    if let (Some(count), Some(duration)) = (load.count, &args.duration) {
        notices.push(Notice::CountDecides { count, duration: duration.clone() });
    }
    if load.requests == 1 && load.think > Nanos::ZERO {
        notices.push(Notice::NobodyThinks { think: load.think });
    }
    Ok(load)
}

/// The precision that is wanted: it takes a log that tells of all, and an end that may be moved.
fn target_ci_of(args: &RunArgs) -> Result<Option<Precision>, CliError> {
    let precision: Option<Precision> = read_if_given("--target-ci", &args.target_ci)?;
    let wrong = |precision, rule: &str| Err(CliError::rule("--target-ci", precision, rule));
    match precision {
        Some(precision) if args.count.is_some() => {
            wrong(precision, "--count already says when to end, like --target-ci p99:5% alone")
        }
        Some(precision) if !read::<LogMode>("--log", &args.log, "all")?.is_fair() => {
            wrong(precision, "it is read from the log, which needs all or 1/N, like --log 1/10")
        }
        _ => Ok(precision),
    }
}

/// How long the measure phase may get: ten times its least length unless told.
fn most_of(args: &RunArgs, least: Nanos) -> Result<Nanos, CliError> {
    match (read_if_given("--max-duration", &args.max_duration)?, &args.target_ci) {
        (None, None) => Ok(least),
        (None, Some(_)) => Ok(Nanos(least.0.saturating_mul(10))),
        (Some(most), None) => {
            let rule = "it bounds a run that has a precision to reach, like --target-ci p99:5%";
            Err(CliError::rule("--max-duration", most, rule))
        }
        (Some(most), Some(_)) if most < least => {
            let rule = format!("it is at least --duration {least}, like {least}");
            Err(CliError::rule("--max-duration", most, rule))
        }
        (Some(most), Some(_)) => Ok(most),
    }
}

fn rate_of(args: &RunArgs) -> Result<Rate, CliError> {
    let rate: Rate = read("--rate", &args.rate, "max")?;
    // Stamps have 1 ns: a schedule finer than that could not be told from one that is late.
    if rate.due_after(1) == Nanos::ZERO && rate != Rate::Max {
        let typed = args.rate.as_deref().unwrap_or_default();
        return Err(CliError::rule("--rate", typed, "at most 1G, one session per ns, like 50k"));
    }
    Ok(rate)
}

/// Without a rate there is nothing to lay out in time, and a period that is too short for a single
/// session would be a run without load.
fn check_pattern(args: &RunArgs, load: &Load) -> Result<(), CliError> {
    let &Load { rate, pattern, .. } = load;
    if let (Rate::Max, Some(typed)) = (rate, &args.pattern) {
        let rule = "a pattern needs a rate, with max there is no schedule, like -R 1k -P rush";
        return Err(CliError::rule("--pattern", typed, rule));
    }
    let holds_one = |period: &Nanos| rate.due_after(1) <= *period;
    match pattern {
        Pattern::Rush(period) if !holds_one(&period) => {
            let least = rate.due_after(1).0.div_ceil(Nanos::from_millis(1).0);
            let enough = (least..).map(Nanos::from_millis).find(holds_one).unwrap_or_default();
            let rule = format!("at {rate} a second no session falls into it, like rush:{enough}");
            Err(CliError::rule("--pattern", pattern, rule))
        }
        _ => Ok(()),
    }
}

fn close_of(args: &RunArgs) -> Result<Close, CliError> {
    if let (Some(close), false) = (&args.close, args.fresh) {
        let rule = "only fresh sessions close, like --fresh --close rst";
        return Err(CliError::rule("--close", close, rule));
    }
    read("--close", &args.close, "fin")
}

fn count(
    flag: &'static str,
    typed: &Option<String>,
    default: &str,
    max: u64,
) -> Result<u64, CliError> {
    read_count(flag, typed.as_deref().unwrap_or(default), (1, max))
}

fn above_zero(
    flag: &'static str,
    typed: &Option<String>,
    default: &str,
) -> Result<Nanos, CliError> {
    match read_if_given(flag, typed)? {
        Some(Nanos::ZERO) => {
            Err(CliError::rule(flag, "0", format!("it is above zero, like {default}")))
        }
        Some(length) => Ok(length),
        None => parse(flag, default),
    }
}
