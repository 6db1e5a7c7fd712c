//! EPICS channels: what is done with them, and their names.

use super::super::args::RunArgs;
use super::super::error::{CliError, read, read_count};
use super::input::read_at_most;
use super::target::Url;
use crate::plan::{ChannelPlan, Operation, Profile, Scheme, Search};

/// Most names, most subscriptions of one, and most of both together.
const CHANNELS_MAX: u64 = 1 << 24;
/// Most circuits: what the log counts up to.
const CIRCUITS_MAX: u64 = 1 << 16;
/// Most bytes of a name, as Channel Access has it.
const NAME_BYTES_MAX: usize = 500;
/// Most bytes of a file of names: 2^24 of 15 bytes each, and their line ends.
const NAMES_BYTES_MAX: u64 = 256 << 20;

const EXAMPLE: &str = "ca://127.0.0.1:5064/P{0..99}";

/// What `args` want done with the channels that `url` names, and the names; `None` where its
/// scheme has no channels.
///
/// # Errors
/// A value breaks its rule, the file of names cannot be read, or a flag means nothing here.
pub(super) fn channels_of(
    args: &RunArgs,
    url: Option<&Url>,
) -> Result<Option<(ChannelPlan, Vec<String>)>, CliError> {
    let (scheme, path) = url.map_or((Scheme::Http, ""), |url| (url.scheme(), url.path()));
    if !matches!(scheme, Scheme::Ca | Scheme::Pva) {
        refuse(&of_channels(args), &format!("a target of {scheme}:// has no channels"), EXAMPLE)?;
        return Ok(None);
    }
    let op: Operation = read("--op", &args.op, "monitor")?;
    refuse_foreign(args, op, scheme)?;
    let shown = url.map(ToString::to_string).unwrap_or_default();
    let names = names_of(&shown, path.trim_start_matches('/'))?;
    let profile = profile_of(args, scheme)?;
    let search = search_of(args, op)?;
    let count = |flag, typed: &Option<String>, most| {
        read_count(flag, typed.as_deref().unwrap_or("1"), (1, most)).map(|count| count as u32)
    };
    let monitors = count("--monitors", &args.monitors, CHANNELS_MAX)?;
    if u64::from(monitors) * names.len() as u64 > CHANNELS_MAX {
        let rule = format!("names times monitors is at most {CHANNELS_MAX}, like 10");
        return Err(CliError::rule("--monitors", monitors, rule));
    }
    let some = |flag, typed: &Option<String>| {
        typed.as_ref().map(|typed| read_count(flag, typed, (1, 1 << 20))).transpose()
    };
    let queue = some("--queue", &args.queue)?.map(|queue| queue as u32);
    let ack = some("--ack", &args.ack)?.map(|ack| ack as u32);
    if let (Some(ack), held) = (ack, queue.unwrap_or(4))
        && ack > held
    {
        let rule = format!("a server that holds {held} waits for it for ever, like {held}");
        return Err(CliError::rule("--ack", ack, rule));
    }
    let circuits = count("--circuits", &args.circuits, CIRCUITS_MAX)?;
    let plan = ChannelPlan {
        op,
        pvs: names.len() as u32,
        monitors,
        circuits,
        profile,
        queue,
        ack,
        search,
    };
    Ok(Some((plan, names)))
}

/// `None` where the address is the server's own.
fn search_of(args: &RunArgs, op: Operation) -> Result<Option<Search>, CliError> {
    match args.search.as_deref() {
        None if op == Operation::Search => Ok(Some(Search::Udp)),
        Some("none") if op == Operation::Search => {
            Err(CliError::rule("--search", "none", "--op search has to search, like udp"))
        }
        None | Some("none") => Ok(None),
        Some(_) => read("--search", &args.search, "udp").map(Some),
    }
}

fn profile_of(args: &RunArgs, scheme: Scheme) -> Result<Profile, CliError> {
    let profile = read("--profile", &args.profile, "greedy")?;
    let (fits, example) = match scheme {
        Scheme::Pva => (profile != Profile::Libca, "pvxs"),
        _ => (profile != Profile::Pvxs, "libca"),
    };
    if fits {
        return Ok(profile);
    }
    let rule = format!("it speaks another protocol than {scheme}://, like {example}");
    Err(CliError::rule("--profile", profile, rule))
}

type Flag<'a> = (&'static str, Option<&'a str>);

fn typed<'a>(flag: &'static str, value: &'a Option<String>) -> Flag<'a> {
    (flag, value.as_deref())
}

fn owned(args: &RunArgs) -> Flag<'_> {
    ("--i-own-this-network", args.i_own_this_network.then_some("on"))
}

fn of_channels(args: &RunArgs) -> [Flag<'_>; 8] {
    [
        typed("--op", &args.op),
        typed("--monitors", &args.monitors),
        typed("--circuits", &args.circuits),
        typed("--profile", &args.profile),
        typed("--queue", &args.queue),
        typed("--ack", &args.ack),
        typed("--search", &args.search),
        owned(args),
    ]
}

/// A flag that would silently do nothing is a mistake of the user's.
fn refuse_foreign(args: &RunArgs, op: Operation, scheme: Scheme) -> Result<(), CliError> {
    let fresh = args.fresh.then_some("on");
    let of_sessions =
        [typed("--requests", &args.requests), typed("--think", &args.think), ("--fresh", fresh)];
    refuse(&of_sessions, "an operation is one request on a kept circuit", "http://127.0.0.1/")?;
    if op != Operation::Search {
        refuse(&[owned(args)], "it allows to search only", "--op search")?;
    }
    match op {
        Operation::Monitor => {
            let of_schedules = [
                typed("--rate", &args.rate),
                typed("--pattern", &args.pattern),
                typed("--count", &args.count),
                typed("--concurrence", &args.concurrence),
                typed("--on-cap", &args.on_cap),
            ];
            refuse(&of_schedules, "of a monitor the server sets the pace", "--op get")?;
            let latency = args.latency.then_some("on");
            let of_times = [
                typed("--target-ci", &args.target_ci),
                typed("--max-duration", &args.max_duration),
                typed("--slo", &args.slo),
                ("--latency", latency),
            ];
            refuse(&of_times, "a monitor times no request", "--op get")?;
        }
        Operation::Get | Operation::Put => {
            let of_monitors = [
                typed("--monitors", &args.monitors),
                typed("--queue", &args.queue),
                typed("--ack", &args.ack),
            ];
            refuse(&of_monitors, &format!("a {op} has no subscriptions"), "--op monitor")?;
        }
        Operation::Search => {
            let of_values = [
                typed("--monitors", &args.monitors),
                typed("--queue", &args.queue),
                typed("--ack", &args.ack),
                typed("--profile", &args.profile),
            ];
            refuse(&of_values, "a search asks for no values", "--op monitor")?;
        }
    }
    if scheme == Scheme::Ca {
        let of_pva = [typed("--queue", &args.queue), typed("--ack", &args.ack)];
        refuse(&of_pva, "Channel Access has none", "pva://127.0.0.1:5075/P{0..99}")?;
    }
    Ok(())
}

fn refuse(flags: &[Flag<'_>], why: &str, example: &str) -> Result<(), CliError> {
    for &(flag, value) in flags {
        if let Some(value) = value {
            let rule = format!("{why}, use it with one like {example}");
            return Err(CliError::rule(flag, value, rule));
        }
    }
    Ok(())
}

/// The names that `typed` stands for: `P{0..99}` is a hundred, `@FILE` one in each line.
///
/// # Errors
/// There is none, one is too long, a range is none, or the file cannot be read.
fn names_of(url: &str, typed: &str) -> Result<Vec<String>, CliError> {
    let wrong = |rule: &str| CliError::rule("URL", url, format!("{rule}, like {EXAMPLE}"));
    let names = match typed.strip_prefix('@') {
        Some(file) => {
            let text = read_at_most(file, NAMES_BYTES_MAX).and_then(|bytes| {
                String::from_utf8(bytes).map_err(|_| "it is not text".to_owned())
            });
            let text = text.map_err(|why| {
                CliError::CannotRun(format!("cannot read the names in '{file}': {why}"))
            })?;
            text.lines().map(str::trim).filter(|line| !line.is_empty()).map(Into::into).collect()
        }
        None => expand(typed).ok_or_else(|| wrong("a range is {FIRST..LAST}, of 2^24 at most"))?,
    };
    if names.is_empty() || names.iter().any(String::is_empty) {
        return Err(wrong("it names the channels after the address"));
    }
    if names.len() as u64 > CHANNELS_MAX {
        return Err(wrong("at most 2^24 names"));
    }
    if let Some(long) = names.iter().find(|name| name.len() > NAME_BYTES_MAX) {
        return Err(wrong(&format!("a name has at most 500 bytes, not {}", long.len())));
    }
    Ok(names)
}

/// The names that a name with at most one range stands for.
fn expand(typed: &str) -> Option<Vec<String>> {
    let Some((before, rest)) = typed.split_once('{') else { return Some(vec![typed.into()]) };
    let (range, after) = rest.split_once('}')?;
    let (first, last) = range.split_once("..")?;
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(first) || !is_number(last) || after.contains(['{', '}']) {
        return None;
    }
    // Zeros in front are kept: P{000..999}.
    let width = if first.starts_with('0') { first.len() } else { 0 };
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    if last.checked_sub(first)? >= CHANNELS_MAX {
        return None;
    }
    Some((first..=last).map(|number| format!("{before}{number:0width$}{after}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(typed: &str, expect: &[&str]) {
        assert_eq!(names_of("ca://a/", typed).unwrap(), expect);
    }

    #[track_caller]
    fn check_error(typed: &str, says: &str) {
        let error = names_of("ca://a/", typed).unwrap_err().to_string();
        assert!(error.contains(says) && error.contains("like "), "{error}");
    }

    #[test]
    fn a_range_stands_for_its_names() {
        check("LAB:DBL", &["LAB:DBL"]);
        check("P{0..2}", &["P0", "P1", "P2"]);
        check("P{9..10}:X", &["P9:X", "P10:X"]);
        check("P{08..10}", &["P08", "P09", "P10"]);
        check("P{7..7}", &["P7"]);
    }

    #[test]
    fn what_is_no_name_is_said() {
        check_error("", "names the channels");
        for typed in
            ["P{", "P{1}", "P{a..b}", "P{2..1}", "P{1..2}{3..4}", "P{0..99999999}", "P{..}"]
        {
            check_error(typed, "a range is");
        }
        check_error(&"x".repeat(501), "at most 500 bytes");
    }
}
