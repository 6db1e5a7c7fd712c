//! Shards of circuits against a server whose every answer is known.

use std::cell::Cell;
use std::rc::Rc;

use super::peer::{Deed, Peer};
use super::queue::SimQueue;
use super::truth::{SLACK, assert_identities};
use super::{START, SimClock, SimRun};
use crate::engine::{CircuitShard, Control, Live, Parts, PortPool};
use crate::evidence::{Outcome, Step};
use crate::plan::{ChannelPlan, Operation, Plan, Profile, Scheme, Search, sample};
use crate::protocol::{Ca, Circuit, Fault, Searches};
use crate::unit::{Instant, Nanos};
use crate::wire::ca::{self, Reply, Request};

/// Answers operations and searches after a fixed time, but some not at all and some twice.
struct Server {
    delay: Nanos,
    /// Operations and searches so far.
    asked: u64,
    lose_every: u64,
    repeat_every: u64,
}

impl Server {
    /// What it says at once, and what later.
    fn answer(&mut self, message: ca::Message<'_>, now: &mut Vec<u8>, later: &mut Vec<u8>) {
        let minor = ca::MINOR_VERSION;
        let status = ca::Status::NORMAL;
        let answer = match Request::read(message) {
            Request::Version { .. } => {
                return Reply::Version { priority: 0, minor, sequence: 0 }.write(now);
            }
            Request::CreateChannel { cid, .. } => {
                let data_type = ca::Base::Double as u16;
                return Reply::CreateChannel { cid, sid: 7, data_type, count: 1 }.write(now);
            }
            Request::ReadNotify { data_type, count, ioid, .. } => {
                Reply::ReadNotify { data_type, count, status, ioid, data: &[0; 24] }
            }
            Request::WriteNotify { data_type, count, ioid, .. } => {
                Reply::WriteNotify { data_type, count, status, ioid }
            }
            Request::Search { id, .. } => {
                Reply::Found { id, port: 1, address: None, minor: Some(minor) }
            }
            _ => return,
        };
        self.asked += 1;
        if self.asked.is_multiple_of(self.lose_every) {
            return;
        }
        answer.write(later);
        if self.asked.is_multiple_of(self.repeat_every) {
            answer.write(later);
        }
    }
}

impl Peer for Server {
    fn request(&mut self, _now: Instant) -> Vec<Deed> {
        vec![]
    }

    fn hear(&mut self, now: Instant, bytes: &[u8]) -> Vec<Deed> {
        let (mut at_once, mut later) = (Vec::new(), Vec::new());
        for message in ca::Messages::new(bytes) {
            self.answer(message, &mut at_once, &mut later);
        }
        let deeds = [Deed::Said(now, at_once), Deed::Said(now + self.delay, later)];
        let says = |deed: &Deed| matches!(deed, Deed::Said(_, bytes) if !bytes.is_empty());
        deeds.into_iter().filter(says).collect()
    }
}

/// A thousand sessions in a second, on two connections and three names.
fn plan(op: Operation, search: Option<Search>) -> Plan {
    let (pvs, circuits, profile) = (3, 2, Profile::Greedy);
    let channels =
        ChannelPlan { op, pvs, monitors: 1, circuits, profile, queue: None, ack: None, search };
    let timeout = Nanos::from_millis(50);
    Plan { channels: Some(channels), concurrence: 200, timeout, ..sample::plan() }
}

fn simulate<P: Circuit>(plan: &Plan, names: &[String], protocol: P, server: Server) -> SimRun {
    let (control, live) = (Rc::new(Control::default()), Live::default());
    let clock = SimClock(Rc::new(Cell::new(0)));
    let mut queue = SimQueue::new(clock.clone(), 2, server);
    let controlled = Rc::clone(&control);
    queue.on_time(move |now| {
        if now + Nanos::from_millis(1) >= START && controlled.start_at().is_none() {
            controlled.start(START);
        }
    });
    let ports = PortPool::new(1, plan.ports, &[], Nanos::from_secs(1));
    let parts = Parts { queue, clock, protocol, log: Vec::new(), ports };
    let mut shard = CircuitShard::new(parts, plan, names, 0, &control, &live);
    assert_eq!(shard.connect().unwrap(), Some(START));
    SimRun::new(shard.run(0, START, &mut ()).unwrap())
}

/// Every operation is due when the schedule says so, goes out then, and takes as long as the
/// server does; those that it forgets time out, and what it says twice is counted.
#[track_caller]
fn check(op: Operation, search: Option<Search>, (lose_every, repeat_every): (u64, u64)) {
    let plan = plan(op, search);
    let names = ["A", "B", "C"].map(String::from);
    let delay = Nanos::from_micros(300);
    let server = Server { delay, asked: 0, lose_every, repeat_every };
    let run = match (op, search) {
        (Operation::Search, Some(search)) => {
            simulate(&plan, &names, Searches::new(Scheme::Ca, search, &names), server)
        }
        _ => simulate(&plan, &names, Ca::new(plan.channels.as_ref().unwrap()), server),
    };
    assert_identities(&run);
    let mut requests = run.requests().to_vec();
    requests.sort_by_key(|request| request.intended_at);
    assert_eq!(requests.len(), 1000);
    let mut lost = 0;
    for (k, request) in (0..).zip(&requests) {
        assert_eq!(request.intended_at, START + Nanos::from_millis(k), "{op} {k}");
        assert!(request.sent_at.since(request.intended_at).0 < SLACK, "{request:?}");
        let (outcome, takes) = match (k + 1) % lose_every {
            0 => (Outcome::Timeout, plan.timeout),
            _ => (Outcome::Ok, delay),
        };
        lost += u64::from(outcome == Outcome::Timeout);
        assert_eq!(request.outcome, outcome, "{op} {k}");
        // A circuit sends one after the other.
        assert!(request.service().0.abs_diff(takes.0) < 2 * SLACK, "{request:?}");
    }
    let tally = &run.yielded.tally;
    let errors = |step, number| {
        let errors =
            tally.errors.iter().filter(|error| (error.step, error.errno) == (step, number));
        errors.map(|error| error.count).sum::<u64>()
    };
    assert_eq!(tally.requests_failed, lost);
    assert_eq!(errors(Step::Parse, Fault::Late as u16), 0);
    let repeated = (1..=1000).filter(|k| k % repeat_every == 0 && k % lose_every != 0).count();
    assert_eq!(errors(Step::Parse, Fault::Repeated as u16), repeated as u64, "{op}");
}

const NEVER: u64 = u64::MAX;

#[test]
fn gets_and_puts_keep_their_schedule_whatever_the_server_forgets() {
    for op in [Operation::Get, Operation::Put] {
        check(op, None, (NEVER, NEVER));
        check(op, None, (50, NEVER));
    }
}

#[test]
fn searches_keep_their_schedule_and_each_loss_and_repetition_is_counted() {
    for search in [Search::Udp, Search::Tcp] {
        for flaws in [(NEVER, NEVER), (10, 7), (3, 2), (NEVER, 1)] {
            check(Operation::Search, Some(search), flaws);
        }
    }
}
