use super::*;
use crate::evidence::{Evidence, Hole, Machine, Phase, Request, ShardEvidence, UpdatesSeen};
use crate::outcome::sample::{ORIGIN, Run, request};
use crate::plan::{ClockName, LogMode, Pattern};
use crate::unit::{Instant, Nanos, Rate};

#[track_caller]
fn check(run: &Run, name: &str, state: State) -> Check {
    let summary = run.summary();
    let found = summary.checks.iter().find(|check| check.name == name).unwrap().clone();
    assert_eq!(found.state, state, "{found:?}");
    found
}

#[test]
fn an_undisturbed_run_is_valid() {
    let summary = Run::steady().summary();
    assert_eq!(summary.verdict, Verdict::Valid, "{:?}", summary.checks);
    let others = summary.checks.iter().filter(|check| check.state != State::Ok);
    let others: Vec<_> = others.map(|check| (check.name, check.state)).collect();
    let too_few = State::Unavailable;
    assert_eq!(others, [("own_share_p99_9", too_few), ("tail_blame_p99_9", too_few)]);
}

#[test]
fn a_killed_run_is_suspect_and_claims_nothing_it_cannot_know() {
    let mut run = Run::steady();
    run.is_killed = true;
    check(&run, "log_unfinished", State::Suspect);
    check(&run, "log_lost", State::Unavailable);
    check(&run, "clock_error", State::Unavailable);
    assert_eq!(run.summary().verdict, Verdict::Suspect);
    assert_eq!(run.summary().tally.sessions_ok, 1000);
}

#[test]
fn a_counter_that_the_records_do_not_bear_out_is_invalid() {
    let mut run = Run::steady();
    run.shards[0].requests.pop();
    assert_eq!(check(&run, "counters_records_apart", State::Invalid).value, Some(1.0));
}

#[test]
fn a_session_that_is_nowhere_is_invalid() {
    let mut run = Run::steady();
    run.shards[0].evidence.tally.sessions_planned += 2;
    assert_eq!(check(&run, "sessions_planned_apart", State::Invalid).value, Some(2.0));
}

#[test]
fn a_slow_target_is_not_our_shortfall_and_a_slow_generator_is() {
    let slow_target = Run::of_responses(1000, |k| (Nanos(k * 1_000_000), Nanos::ZERO));
    check(&slow_target, "sent_shortfall", State::Ok);
    let slow_generator = Run::of_responses(1000, |k| (Nanos::ZERO, Nanos(k * 1_000_000)));
    let found = check(&slow_generator, "sent_shortfall", State::Invalid);
    assert!((found.value.unwrap() - 50.0).abs() < 0.1, "{found:?}");
}

/// A request a millisecond for four seconds; those that meet a hole end so much later.
fn with_holes(service: Nanos, holes: &[(Nanos, Nanos)]) -> Run {
    let spans: Vec<(Instant, Instant)> =
        holes.iter().map(|&(at, length)| (ORIGIN + at, ORIGIN + at + length)).collect();
    let requests = (0..4000).map(|k| {
        let request = request(k);
        let mut done_at = request.sent_at + service;
        let mut sent_at = request.sent_at;
        if let Some(&(_, to)) = spans.iter().find(|(from, to)| *from < done_at && *to > sent_at) {
            let is_before = spans.iter().any(|(from, to)| *from <= sent_at && sent_at < *to);
            sent_at = if is_before { to } else { sent_at };
            done_at = if is_before { to + service } else { done_at.max(to) };
        }
        Request { sent_at, done_at, first_byte_at: None, ..request }
    });
    let mut run = Run::of(vec![requests.collect()]);
    run.plan.duration = Nanos::from_secs(4);
    run.evidence.measured = run.plan.duration;
    let shard = &mut run.shards[0];
    for &(from, to) in &spans {
        let hole = Hole { from, to, lost: to.since(from), phase: Phase::Measure };
        shard.evidence.holes.as_mut().unwrap().count(&hole);
        shard.holes.push(hole);
    }
    run
}

/// Gaps of 20 to 100 us that come to 2 % of the time.
fn noise() -> Vec<(Nanos, Nanos)> {
    let gap = |k: u64| (Nanos::from_micros(2990 * k), Nanos::from_micros(20 + k * 7919 % 81));
    (0..1330).map(gap).collect()
}

#[test]
fn a_noisy_machine_is_suspect_at_most_and_the_reason_is_said() {
    let run = with_holes(Nanos::from_micros(50), &noise());
    check(&run, "holes_share", State::Ok);
    let found = check(&run, "own_share_p99", State::Suspect);
    assert!(found.value.unwrap() > 30.0, "{found:?}");
    check(&run, "own_share_p50", State::Ok);
    check(&run, "tail_blame_p99", State::Ok);
    assert_eq!(run.summary().verdict, Verdict::Suspect);
}

#[test]
fn noise_that_is_small_beside_the_target_does_not_matter() {
    let run = with_holes(Nanos::from_millis(5), &noise());
    assert_eq!(run.summary().verdict, Verdict::Valid, "{:?}", run.summary().checks);
}

#[test]
fn a_generator_stopped_for_a_second_in_four_is_invalid_and_the_hole_is_named() {
    let stop = (Nanos::from_secs(1), Nanos::from_secs(1));
    let run = with_holes(Nanos::from_micros(50), &[stop]);
    let found = check(&run, "holes_share", State::Invalid);
    assert_eq!(found.value, Some(25.0));
    assert!(found.remedy.contains("the longest 1000.0 ms at 1000.0 ms"), "{found:?}");
    let found = check(&run, "tail_blame_p99", State::Invalid);
    assert_eq!(found.value, Some(100.0));
    check(&run, "own_share_p50", State::Ok);
}

#[test]
fn a_stop_that_spoils_p99_alone_is_invalid_too() {
    let stop = (Nanos::from_secs(1), Nanos::from_millis(100));
    let run = with_holes(Nanos::from_micros(50), &[stop]);
    check(&run, "holes_share", State::Ok);
    check(&run, "tail_blame_p99", State::Invalid);
}

#[test]
fn our_lateness_is_judged_by_its_share_of_the_response() {
    let lag = |micros: u64| Run::of_responses(1000, move |_| (Nanos::ZERO, Nanos(micros * 1000)));
    check(&lag(1), "own_share_p50", State::Ok);
    check(&lag(40), "own_share_p50", State::Suspect);
    check(&lag(900), "own_share_p50", State::Invalid);
    check(&lag(40), "own_share_p99", State::Suspect);
    check(&lag(900), "own_share_p99_9", State::Unavailable);
    let few = Run::of_responses(19, |_| (Nanos::ZERO, Nanos::ZERO));
    check(&few, "own_share_p50", State::Unavailable);
}

#[test]
fn a_generator_at_a_third_of_its_plan_is_invalid_and_says_by_how_much() {
    let run = Run::of_responses(1000, |k| (Nanos::ZERO, Nanos(2 * k * 1_000_000)));
    let found = check(&run, "sent_shortfall", State::Invalid);
    assert!((found.value.unwrap() - 66.7).abs() < 0.2, "{found:?}");
    check(&run, "own_share_p50", State::Invalid);
    assert!(!run.summary().regime.is_overloaded, "the target was not asked");
}

#[test]
fn a_generator_without_time_to_spare_cannot_say_that_it_was_the_target() {
    let mut run = Run::of_responses(1000, |k| (Nanos::from_millis(3 * k), Nanos(400)));
    check(&run, "sent_shortfall", State::Ok);
    run.shards[0].evidence.busy.as_mut().unwrap().time = Some(Nanos::from_millis(970));
    let found = check(&run, "sent_shortfall", State::Invalid);
    assert!((found.value.unwrap() - 75.0).abs() < 0.2, "{found:?}");
}

#[test]
fn a_target_that_stalls_or_is_overloaded_is_not_blamed_on_us() {
    let stalls = |k: u64| Nanos::from_micros(if k > 500 { 1000 * (1000 - k) } else { 0 });
    let stalled = Run::of_responses(1000, |k| (stalls(k), Nanos(400)));
    assert_eq!(stalled.summary().verdict, Verdict::Valid, "{:?}", stalled.summary().checks);
    let overloaded = Run::of_responses(1000, |k| (Nanos::from_millis(k), Nanos(400)));
    assert_eq!(overloaded.summary().verdict, Verdict::Valid);
    assert!(overloaded.summary().regime.is_overloaded);
}

#[test]
fn a_rush_is_as_late_as_one_core_takes_to_send_it() {
    // 300 fresh sessions due at once, 30 us each.
    let requests = (0..3000).map(|k| {
        let intended_at = ORIGIN + Nanos::from_millis(100 * (k / 300));
        let sent_at = intended_at + Nanos::from_micros(30 * (k % 300));
        let done_at = sent_at + Nanos::from_micros(50);
        let request = request(k);
        Request { intended_at, ready_at: intended_at, sent_at, done_at, ..request }
    });
    let mut run = Run::of(vec![requests.collect()]);
    run.plan.rate = Rate::per_second(3000);
    run.plan.pattern = Pattern::Rush(Nanos::from_millis(100));
    run.plan.fresh = true;
    assert_eq!(run.summary().verdict, Verdict::Valid, "{:?}", run.summary().checks);
    let (from, lost) = (ORIGIN, Nanos::from_millis(400));
    run.shards[0].holes = vec![Hole { from, to: from + lost, lost, phase: Phase::Measure }];
    check(&run, "tail_blame_p99", State::Suspect);
}

#[test]
fn a_closed_loop_is_judged_by_holes_alone() {
    let mut run = with_holes(Nanos::from_micros(50), &noise());
    run.plan.rate = Rate::Max;
    check(&run, "sent_shortfall", State::Unavailable);
    check(&run, "own_share_p50", State::Ok);
    assert_ne!(run.summary().verdict, Verdict::Invalid);
}

#[test]
fn the_law_of_little_is_held_against_what_the_loop_counted() {
    let mut run = Run::steady();
    assert_eq!(check(&run, "littles_law_apart", State::Ok).value, Some(0.0));
    let open_ns = run.shards[0].evidence.open_ns.unwrap();
    run.shards[0].evidence.open_ns = Some(open_ns / 100 * 98);
    check(&run, "littles_law_apart", State::Invalid);
    run.shards[0].evidence.open_ns = None;
    check(&run, "littles_law_apart", State::Unavailable);
    run.is_killed = true;
    check(&run, "littles_law_apart", State::Unavailable);
}

#[test]
fn a_shard_without_time_to_spare_is_suspect() {
    let mut run = Run::steady();
    let busy = |run: &mut Run, time| run.shards[0].evidence.busy.as_mut().unwrap().time = time;
    busy(&mut run, Some(Nanos::from_millis(810)));
    check(&run, "busy_share", State::Suspect);
    busy(&mut run, None);
    check(&run, "busy_share", State::Unavailable);
}

#[test]
fn a_clock_is_judged_by_its_error() {
    let clock = |error_bound_ppm| {
        let mut run = Run::steady();
        run.evidence.calibration.as_mut().unwrap().error_bound_ppm = error_bound_ppm;
        run
    };
    check(&clock(9.0), "clock_error", State::Ok);
    check(&clock(11.0), "clock_error", State::Suspect);
    check(&clock(101.0), "clock_error", State::Invalid);
    let mut run = Run::steady();
    run.plan.clock = ClockName::Monotonic;
    check(&run, "clock_error", State::Unavailable);
}

#[test]
fn every_check_has_a_cure_and_a_name_of_its_own() {
    let checks = Run::steady().summary().checks;
    for (i, check) in checks.iter().enumerate() {
        assert!(!check.remedy.is_empty(), "{}", check.name);
        assert!(checks[..i].iter().all(|other| other.name != check.name), "{}", check.name);
    }
}

#[track_caller]
fn check_machine(name: &str, spoil: impl Fn(&mut Evidence, &mut ShardEvidence), state: State) {
    let mut run = Run::steady();
    spoil(&mut run.evidence, &mut run.shards[0].evidence);
    check(&run, name, state);
}

fn machine(evidence: &mut Evidence) -> &mut Machine {
    evidence.machine.as_mut().unwrap()
}

#[test]
fn what_the_machine_did_is_a_reason_and_what_it_does_not_tell_is_said() {
    use State::{Invalid, Ok, Suspect, Unavailable};
    let half = Some(500_000_001);
    check_machine("run_delay_share", |_, shard| shard.run_delay_ns = Some(49_000_000), Ok);
    check_machine("run_delay_share", |_, shard| shard.run_delay_ns = half, Suspect);
    check_machine("run_delay_share", |_, shard| shard.run_delay_ns = None, Unavailable);
    check_machine("steal_share", |_, shard| shard.on_cpu.steal_ns = half, Suspect);
    check_machine("softirq_share", |_, shard| shard.on_cpu.softirq_ns = half, Suspect);
    check_machine("cpu_pressure", |all, _| machine(all).cpu_pressure_ns = half, Suspect);
    let waited = |between_ns| {
        move |all: &mut Evidence, _: &mut ShardEvidence| {
            (machine(all).cpu_pressure_ns, machine(all).between_ns) = (half, between_ns);
        }
    };
    check_machine("cpu_pressure", waited(Some(1_030_000_000)), Ok);
    check_machine("cpu_pressure", waited(None), Suspect);
    check_machine("cpu_pressure", |all, _| all.machine = None, Unavailable);
    check_machine("throttled_share", |all, _| machine(all).throttled_ns = Some(1), Suspect);
    check_machine("thermal_throttles", |_, s| s.on_cpu.thermal_throttles = Some(1), Suspect);
    check_machine("frequency_spread", |_, s| s.on_cpu.frequency_min_khz = Some(1), Suspect);
    check_machine("retransmits", |all, _| machine(all).network[0].count = 11, Suspect);
    check_machine("retransmits", |all, _| machine(all).network.clear(), Unavailable);
    check_machine("time_wait_overflows", |all, _| machine(all).network[1].count = 1, Suspect);
    check_machine("clock_lost", |all, _| machine(all).clocksource = Some("hpet".into()), Invalid);
    check_machine("clock_lost", |all, _| machine(all).clocksource = None, Unavailable);
}

#[test]
fn a_drift_within_its_own_error_is_none() {
    let drift = |drift_ppm, drift_bound_ppm| {
        let mut run = Run::steady();
        let calibration = run.evidence.calibration.as_mut().unwrap();
        (calibration.drift_ppm, calibration.drift_bound_ppm) = (Some(drift_ppm), drift_bound_ppm);
        run
    };
    check(&drift(-12.0, Some(5.0)), "clock_error", State::Ok);
    check(&drift(-16.0, Some(5.0)), "clock_error", State::Suspect);
    check(&drift(12.0, None), "clock_error", State::Suspect);
}

#[test]
fn a_log_that_keeps_the_slow_ones_says_nothing_of_all() {
    let mut run = with_holes(Nanos(50_000), &[(Nanos::from_secs(1), Nanos::from_secs(1))]);
    for log in [LogMode::Slow(Nanos(1)), LogMode::Errors, LogMode::Nothing] {
        run.plan.log = log;
        let found = check(&run, "own_share_p50", State::Unavailable);
        assert!(found.remedy.contains("all or 1/N"), "{found:?}");
        check(&run, "tail_blame_p99", State::Unavailable);
        let summary = run.summary();
        assert_eq!(summary.error_bar(crate::unit::Quantile(500_000)), None);
        assert_eq!(summary.steady.from, None);
    }
}

#[test]
fn a_killed_run_is_judged_by_the_holes_in_its_log() {
    let mut run = with_holes(Nanos(50_000), &[(Nanos::from_secs(1), Nanos::from_secs(1))]);
    run.is_killed = true;
    check(&run, "holes_share", State::Invalid);
}

#[test]
fn no_share_of_a_phase_is_more_than_all_of_it() {
    let mut run = with_holes(Nanos(50_000), &[(Nanos::from_secs(1), Nanos::from_secs(1))]);
    run.evidence.measured = Nanos::from_millis(500);
    assert_eq!(check(&run, "holes_share", State::Invalid).value, Some(100.0));
}

#[test]
fn a_run_that_counts_nothing_is_not_valid() {
    let run = Run::of(vec![vec![]]);
    check(&run, "nothing_counted", State::Suspect);
    check(&Run::steady(), "nothing_counted", State::Ok);
    let mut silent = Run::watching();
    check(&silent, "nothing_counted", State::Ok);
    silent.shards[0].evidence.updates = Some(UpdatesSeen::default());
    check(&silent, "nothing_counted", State::Suspect);
}
