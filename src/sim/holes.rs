//! Holes: what was taken from a shard is seen with its length and time, and nothing else is.

use std::cell::Cell;
use std::rc::Rc;

use super::peer::{Deed, Fixed, Peer};
use super::{START, SimRun, simulate_with};
use crate::engine::PortPool;
use crate::evidence::{Entry, HOLE_MIN, Phase, Request};
use crate::plan::{Idle, Pattern, Plan, sample};
use crate::unit::{Instant, Nanos, Rate};

/// A peer that counts what it is asked, so that asking can be made to cost.
struct Counted {
    peer: Fixed,
    asked: Rc<Cell<u64>>,
}

impl Peer for Counted {
    fn connect(&mut self, now: Instant) -> (Instant, i32) {
        self.peer.connect(now)
    }

    fn request(&mut self, now: Instant) -> Vec<Deed> {
        self.asked.set(self.asked.get() + 1);
        self.peer.request(now)
    }
}

/// Runs `plan` on a machine on which a request sent takes the shard 3 to 9 us, 6 in the mean, and
/// which takes the CPU away for so long at each of these times.
fn simulate_costly(plan: &Plan, taken: &[(Instant, Nanos)]) -> SimRun {
    let asked = Rc::new(Cell::new(0));
    let peer = Counted { peer: Fixed(Nanos::from_micros(100)), asked: Rc::clone(&asked) };
    let ports = PortPool::new(1, plan.ports, &[], Nanos::from_secs(1));
    let (mut done, mut dice) = (0, 1_u64);
    let mut taken = taken.to_vec();
    simulate_with(plan, peer, ports, move |now, _, clock| {
        let mut cost = 0;
        while done < asked.get() {
            done += 1;
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            cost += 3_000 + (dice >> 33) % 6_000;
        }
        if taken.first().is_some_and(|&(at, _)| now >= at) {
            cost += taken.remove(0).1.0;
        }
        clock.0.set(now.0 + cost);
    })
}

/// 50 thousand sessions a second keep it busy for a third of its time.
fn loaded() -> Plan {
    Plan {
        rate: Rate::per_second(50_000),
        duration: Nanos::from_secs(1),
        concurrence: 64,
        ..sample::plan()
    }
}

fn at(micros: u64) -> Instant {
    START + Nanos::from_micros(micros)
}

#[test]
fn a_hole_is_logged_with_its_length_and_time_and_nothing_else_is() {
    let idle = Plan { rate: Rate::per_second(10), ..loaded() };
    for plan in [loaded(), idle] {
        let taken = [(100_000, 60), (250_003, 95), (500_010, 1_000), (800_001, 300_000)];
        let taken = taken.map(|(from, length)| (at(from), Nanos::from_micros(length)));
        let run = simulate_costly(&plan, &taken);
        assert_eq!(run.holes().len(), taken.len(), "{:?}", run.holes());
        for (hole, (from, length)) in run.holes().iter().zip(taken) {
            assert!(hole.from.since(from) < Nanos(100_000) && hole.to > from, "{hole:?}");
            assert!(hole.lost.0.abs_diff(length.0) < 15_000, "{hole:?} for {length}");
            assert_eq!(hole.phase, Phase::Measure);
        }
        let holes = &run.yielded.holes;
        assert_eq!((holes.count, holes.spectrum.iter().sum()), (4, 4));
        assert_eq!(holes.total, run.holes().iter().fold(Nanos::ZERO, |sum, h| sum + h.lost));
    }
}

#[test]
fn a_loaded_loop_without_holes_logs_none() {
    let rush = Plan { pattern: Pattern::Rush(Nanos::from_millis(100)), ..loaded() };
    let sleepy = Plan { idle: Idle::Sleep, rate: Rate::per_second(2_000), ..loaded() };
    let closed = Plan { rate: Rate::Max, ..loaded() };
    for plan in [loaded(), rush, sleepy, closed] {
        let run = simulate_costly(&plan, &[]);
        assert_eq!(run.holes(), [], "{:?} {}", plan.pattern, plan.rate);
        assert_eq!(run.yielded.holes.count, 0);
    }
}

#[test]
fn the_busy_time_is_what_the_work_took() {
    let run = simulate_costly(&loaded(), &[(at(400_000), Nanos::from_millis(100))]);
    let busy = run.yielded.busy;
    assert_eq!(busy.started, run.yielded.tally.sessions_started);
    assert!((1..=8).contains(&busy.started_max), "{busy:?}");
    // 50 thousand times 6 us, and half a microsecond a pass.
    let expect = 300_000_000 + 500 * busy.passes;
    assert!(busy.time.unwrap().0.abs_diff(expect) < expect / 50, "{busy:?}");
    let closed = simulate_costly(&Plan { rate: Rate::Max, ..loaded() }, &[]);
    assert_eq!(closed.yielded.busy.time, None, "what was waiting is not known");
}

#[test]
fn a_hole_stands_in_the_log_before_every_request_that_was_open_in_it() {
    let taken: Vec<_> = (1..200).map(|i| (at(i * 5_000), Nanos::from_micros(25 + i * 3))).collect();
    let run = simulate_costly(&loaded(), &taken);
    assert!(run.holes().len() > 150, "{}", run.holes().len());
    let overlaps = |request: &Request, from, to| request.intended_at < to && request.done_at > from;
    let mut ended: Vec<&Request> = Vec::new();
    for entry in &run.yielded.log {
        match entry {
            Entry::Request(request) => ended.push(request),
            Entry::Hole(hole) => {
                let lost_from = Instant(hole.to.0 - hole.lost.0);
                assert!(hole.lost >= HOLE_MIN && hole.from <= lost_from);
                let late = ended.iter().find(|request| overlaps(request, hole.from, hole.to));
                assert_eq!(late, None, "ended before {hole:?}");
            }
            Entry::Slip(_) => {}
        }
    }
}

#[test]
fn a_shard_that_is_away_when_the_measure_phase_begins_was_away_in_it() {
    let run = simulate_costly(&loaded(), &[(at(0), Nanos::from_millis(20))]);
    assert_eq!(run.holes().len(), 1);
    assert_eq!(run.holes()[0].phase, Phase::Measure);
    assert_eq!(run.yielded.holes.count, 1);
}

#[test]
fn of_a_rush_that_falls_into_a_hole_only_what_had_a_connection_is_late_by_us() {
    let rush = Pattern::Rush(Nanos::from_millis(100));
    let plan = Plan { pattern: rush, rate: Rate::per_second(2_000), concurrence: 3, ..loaded() };
    let run = simulate_costly(&plan, &[(at(99_900), Nanos::from_micros(300))]);
    assert_eq!(run.holes().len(), 1);
    let due = at(100_000);
    let of_rush = run.requests().iter().filter(|request| request.intended_at == due);
    // 200 microseconds of the hole were left: time for each of three to answer once or twice.
    let ours = of_rush.clone().filter(|request| request.wait() == Nanos::ZERO).count();
    assert!((3..=9).contains(&ours), "{ours} of {}", of_rush.count());
    assert_eq!(run.yielded.tally.sessions_deferred, 2_000 - 10 * 3 - (ours as u64 - 3));
}
