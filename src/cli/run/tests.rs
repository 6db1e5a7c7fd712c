//! What a line means, on a machine with four CPUs.

use argh::{ArgsInfo, FlagInfoKind};

use super::super::normalise::{Line, normalise};
use super::*;
use crate::cli::exit::Exit;
use crate::plan::{Close, Pattern};
use crate::unit::{Field, Rate};

const CPUS: [usize; 4] = [2, 3, 4, 5];

fn run(line: &str) -> Result<RunCommand, CliError> {
    let typed: Vec<String> = line.split_whitespace().map(String::from).collect();
    let Line::Words(words) = normalise(&RunArgs::get_args_info(), &typed)? else {
        panic!("{line} asks for a page");
    };
    RunCommand::on_cpus(&super::super::parse("run", &words)?, &CPUS)
}

#[track_caller]
fn plan(line: &str) -> Plan {
    run(line).unwrap_or_else(|error| panic!("{line}: {error}")).plan
}

#[track_caller]
fn check_error(line: &str, flag: &str, said: &str) {
    let error = run(line).map(|run| run.plan).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with(&format!("{flag} '")), "{line}: {text}");
    assert!(text.contains(said), "{line}: {text}");
    assert_eq!(error.exit(), Exit::Usage, "{line}");
}

#[test]
fn without_a_word_the_built_in_target_is_loaded_with_every_default() {
    let run = run("").unwrap();
    let plan = &run.plan;
    assert!(plan.target.embedded);
    assert_eq!(plan.target.address, "127.0.0.1:0".parse().unwrap());
    assert_eq!((plan.rate, plan.concurrence), (Rate::Max, 64));
    assert_eq!((plan.duration, plan.warmup), (Nanos::from_secs(10), Nanos::ZERO));
    assert_eq!((plan.pattern, plan.close), (Pattern::Even, Close::Fin));
    assert_eq!(plan.request.method, "GET");
    assert_eq!(plan.sources, ["127.0.0.1".parse::<IpAddr>().unwrap()]);
    assert_eq!(run.out, PathBuf::from("onrush.data"));
    assert!(run.notices.is_empty() && run.body.is_empty());
}

#[test]
fn a_label_has_no_control_characters() {
    for label in ["a=\u{1b}]0;title\u{7}", "a=b\n", "a=\u{202e}gpj", "a=\u{9b}2J"] {
        let error = check_label(label).unwrap_err().to_string();
        assert!(error.contains("without control characters"), "{error:?}");
    }
}

#[test]
fn every_plan_reads_back_from_its_text() {
    for line in [
        "",
        "-R 1k -f --close rst -n 5 -b x -H X:y",
        "--label a=b tcp://127.0.0.1:7",
        "pva://[::1]/P",
    ] {
        let plan = plan(line);
        assert_eq!(Plan::from_text(&plan.to_text()).unwrap(), plan);
    }
}

/// `(default X)` in a flag's help is what the code does without the flag.
#[test]
fn the_defaults_in_help_are_those_of_the_code() {
    let mut checked = 0;
    for flag in RunArgs::get_args_info().flags {
        let Some((_, default)) = flag.description.split_once("(default ") else { continue };
        let default = default.trim_end_matches(')');
        // What a flag needs beside it, and what would not be a default's own value.
        let beside = match flag.long {
            "--close" => "-f",
            "--pattern" => "-R 7",
            "--send-bytes" | "--expect-bytes" => "tcp://127.0.0.1:7",
            "--op" | "--monitors" | "--circuits" | "--profile" | "--search" => "ca://127.0.0.1:7/P",
            _ => "",
        };
        let without = run(beside).unwrap();
        let with = run(&format!("{beside} {} {default}", flag.long)).unwrap();
        assert_eq!(with.plan, without.plan, "{}", flag.long);
        assert_eq!((with.out, with.output), (without.out, without.output), "{}", flag.long);
        checked += 1;
    }
    assert!(checked >= 17, "only {checked} flags show a default");
}

#[test]
fn every_flag_with_a_value_refuses_nonsense_or_takes_any_text() {
    let free = ["--method", "--body", "--slo", "--out", "--json"];
    for flag in RunArgs::get_args_info().flags {
        if flag.kind == FlagInfoKind::Switch || free.contains(&flag.long) {
            continue;
        }
        let error = run(&format!("{} ?!", flag.long)).map(|run| run.plan).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with(&format!("{} '?!': ", flag.long)), "{text}");
    }
}

#[test]
fn shards_leave_a_cpu_to_a_target_on_this_host() {
    let placed = |line: &str| {
        let plan = plan(line);
        (plan.shards, plan.cpus.to_string())
    };
    assert_eq!(placed(""), (3, "3-5".into()));
    assert_eq!(placed("http://127.0.0.9:80/"), (3, "3-5".into()));
    assert_eq!(placed("-c 2"), (2, "4-5".into()));
    assert_eq!(placed("-t 1"), (1, "5".into()));
    assert_eq!(placed("-t 4"), (4, "2-5".into()));
    assert_eq!(placed("-t 12 -c 100"), (12, "2-5".into()));
    assert_eq!(placed("--cpus 5,2"), (2, "5,2".into()));
    assert_eq!(placed("--cpus 2-5 -c 3"), (3, "2-4".into()));
    assert_eq!(placed("--cpus 2-5 -t 2"), (2, "2-3".into()));
}

#[test]
fn a_target_elsewhere_leaves_every_cpu_to_the_shards() {
    let room =
        machine::Room { allowed: &CPUS, shared_with_target: false, connections: 64, flag: "-c" };
    let place = |room| machine::placement_of(&RunArgs::default(), room, &mut vec![]).unwrap();
    assert_eq!(place(room).shards, 4);
    let alone = machine::Room { allowed: &[0], shared_with_target: true, ..room };
    assert_eq!((place(alone).shards, place(alone).cpus.to_string()), (1, "0".into()));
}

#[test]
fn what_the_shards_leave_is_for_everybody_else() {
    let spare = |line: &str| run(line).unwrap().spare_cpus.to_string();
    assert_eq!(spare(""), "2");
    assert_eq!(spare("--cpus 3"), "2,4-5");
    assert_eq!(spare("-t 4"), "2-5");
}

#[test]
fn more_shards_than_cpus_is_a_notice() {
    let run = run("-t 5").unwrap();
    assert_eq!(run.notices, [Notice::ShardsShareCpus { shards: 5, cpus: 4 }]);
}

#[test]
fn a_precision_moves_the_end_between_the_least_and_the_most() {
    let bounds = |line: &str| {
        let run = run(line).unwrap();
        (run.least, run.plan.duration, run.plan.target_ci.map(|ci| ci.to_string()))
    };
    let (second, ci) = (Nanos::from_secs, || Some("p99:5%".to_owned()));
    assert_eq!(bounds("-d 2s"), (second(2), second(2), None));
    assert_eq!(bounds("-d 2s --target-ci p99:5%"), (second(2), second(20), ci()));
    let most = bounds("-d 2s --target-ci p99:5% --max-duration 3s");
    assert_eq!(most, (second(2), second(3), ci()));
    for (line, says) in [
        ("--target-ci p99:5% -n 5", "--count already says"),
        ("--target-ci p99:5% --log none", "read from the log"),
        ("--max-duration 20s", "a precision to reach"),
        ("--target-ci p99:5% --max-duration 1s", "at least --duration 10s"),
    ] {
        let error = run(line).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn a_count_goes_before_a_duration_and_says_so() {
    let run = run("-n 1k -d 5s").unwrap();
    assert_eq!(run.plan.count, Some(1000));
    assert!(run.notices[0].to_string().contains("--duration 5s is not used"));
}

#[test]
fn a_time_to_think_wants_more_than_one_request() {
    assert!(run("--think 5ms -r 2").unwrap().notices.is_empty());
    let notice = run("--think 5ms").unwrap().notices[0].to_string();
    assert!(notice.starts_with("--think 5ms ") && notice.contains("--requests 2"), "{notice}");
}

#[test]
fn sources_are_those_asked_for_or_the_one_of_the_kernel() {
    let sources = |line: &str| {
        plan(line).sources.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(sources("http://127.0.0.9/"), "127.0.0.1");
    assert_eq!(sources("--source 127.0.0.8/30"), "127.0.0.8 127.0.0.9 127.0.0.10 127.0.0.11");
    check_error("--source 192.0.2.1", "--source", "ip address add 192.0.2.1/32 dev lo");
    check_error("-4 --source ::1", "--source", "like 127.0.0.2");
    check_error("--source ::1 http://127.0.0.1/", "URL", "it is not IPv6");
}

#[test]
fn values_that_do_not_go_together_are_refused() {
    check_error("-P foo", "--pattern", "like rush:500ms");
    check_error("-P rush", "--pattern", "-R 1k -P rush");
    check_error("-P even -R max", "--pattern", "a pattern needs a rate");
    check_error("-R 0.5 -P rush", "--pattern", "like rush:2s");
    check_error("-R 3 -P rush:1ms", "--pattern", "like rush:334ms");
    check_error("--close rst", "--close", "only fresh sessions close");
    check_error("--sqpoll-cpu 1", "--sqpoll-cpu", "--sqpoll --sqpoll-cpu 3");
    check_error("-o run.data --json run.data", "--json", "the log itself");
    check_error("-4 -6", "--ipv6", "one of the two");
    check_error("-t 9 -c 8", "--shards", "--concurrence is 8");
    check_error("-t 3 --ports 5000-5001", "--ports", "3 shards need a port each");
    check_error("-t 1 --ports 81-81 http://127.0.0.1:81/", "--ports", "target's own");
    check_error("--send-bytes 5 http://127.0.0.1/", "--send-bytes", "like tcp://");
    check_error("-H A:b tcp://127.0.0.1:7", "--header", "like http://");
}

#[test]
fn an_embedded_target_is_aimed_at_once_it_listens() {
    let mut run = run("").unwrap();
    run.aim("127.0.0.1:4711".parse().unwrap());
    assert_eq!(run.plan.target.url, "http://127.0.0.1:4711/");
    assert_eq!(run.plan.target.address.port(), 4711);
    assert!(run.plan.target.embedded);
}
