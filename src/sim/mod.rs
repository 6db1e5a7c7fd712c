//! The same shard in virtual time, for tests: a queue and a clock that move only when they are
//! told to, and peers that answer as a test wants. Deterministic by seed.

mod blamed;
mod circuits;
mod holes;
mod known;
mod peer;
mod queue;
mod truth;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use crate::clock::Clock;
use crate::engine::{Control, Live, Parts, PortPool, Shard, ShardYield, Stop};
use crate::evidence::{Entry, Hole, Request};
use crate::plan::Plan;
use crate::protocol::{Answer, Fault, Outgoing, Progress, Protocol};
use crate::unit::{Instant, Nanos};
use peer::Peer;
use queue::SimQueue;

/// A clock that the queue moves.
#[derive(Debug, Clone)]
struct SimClock(Rc<Cell<u64>>);

impl Clock for SimClock {
    fn now(&self) -> Instant {
        Instant(self.0.get())
    }
}

/// One byte asks; `+` answers, `c` answers and wants the connection closed, the rest is garbage.
struct OneByte;

impl Protocol for OneByte {
    type Conn = ();

    fn templates(&self) -> Vec<Vec<u8>> {
        vec![b"?".to_vec()]
    }

    fn open(&mut self, _slot: u32) {}

    fn request(&mut self, (): &mut (), _scratch: &mut [u8]) -> Outgoing {
        Outgoing::Template(0)
    }

    fn receive(&mut self, (): &mut (), bytes: &[u8], _now: Instant) -> Progress {
        let answer = Answer { status: 200, expected: true, reusable: true, consumed: 1 };
        match bytes[0] {
            b'+' => Progress::Done(answer),
            b'c' => Progress::Done(Answer { reusable: false, ..answer }),
            b'.' if bytes.len() == 1 => Progress::Pending,
            _ => Progress::Broken(Fault::BadHead),
        }
    }
}

/// What a simulated run gave.
struct SimRun {
    yielded: ShardYield<Vec<Entry>>,
    requests: Vec<Request>,
    holes: Vec<Hole>,
}

impl SimRun {
    fn new(yielded: ShardYield<Vec<Entry>>) -> Self {
        let (mut requests, mut holes) = (Vec::new(), Vec::new());
        for entry in &yielded.log {
            match entry {
                Entry::Request(request) => requests.push(*request),
                Entry::Hole(hole) => holes.push(*hole),
                Entry::Slip(slip) => panic!("requests have no updates: {slip:?}"),
            }
        }
        Self { yielded, requests, holes }
    }

    fn requests(&self) -> &[Request] {
        &self.requests
    }

    fn holes(&self) -> &[Hole] {
        &self.holes
    }
}

/// When the clock starts in a simulated run.
const START: Instant = Instant(1_000_000_000);

/// Runs a plan of one shard against `peer`.
fn simulate(plan: &Plan, peer: impl Peer + 'static) -> SimRun {
    let ports = PortPool::new(1, plan.ports, &[], Nanos::from_secs(1));
    simulate_with(plan, peer, ports, |_, _, _| {})
}

/// As [`simulate`], with these ports, and `meddle` called as time goes by.
fn simulate_with(
    plan: &Plan,
    peer: impl Peer + 'static,
    ports: PortPool,
    mut meddle: impl FnMut(Instant, &Control, &SimClock) + 'static,
) -> SimRun {
    let control = Rc::new(Control::default());
    let live = Live::default();
    let clock = SimClock(Rc::new(Cell::new(0)));
    let mut queue = SimQueue::new(clock.clone(), plan.concurrence, peer);
    let (controlled, meddled) = (Rc::clone(&control), clock.clone());
    queue.on_time(move |now| {
        if now + Nanos::from_millis(1) >= START && controlled.start_at().is_none() {
            controlled.start(START);
        }
        meddle(now, &controlled, &meddled);
    });
    let parts = Parts { queue, clock, protocol: OneByte, log: Vec::new(), ports };
    let mut shard = Shard::new(parts, plan, 0, &control, &live);
    let start = shard.connect().unwrap();
    assert_eq!(start, Some(START));
    SimRun::new(shard.run(0, START, &mut ()).unwrap())
}

/// Opens the connections only, for at most `limit`: when the shard said that it had tried them
/// all, and the errors that it counted.
fn connect_only(plan: &Plan, peer: impl Peer + 'static, limit: Nanos) -> (Option<Instant>, u64) {
    let control = Rc::new(Control::default());
    let live = Rc::new(Live::default());
    let ready_at = Rc::new(Cell::new(None));
    let clock = SimClock(Rc::new(Cell::new(0)));
    let mut queue = SimQueue::new(clock.clone(), plan.concurrence, peer);
    let (controlled, watched, told) = (control.clone(), live.clone(), ready_at.clone());
    queue.on_time(move |now| {
        if watched.ready.load(Ordering::Acquire) != 0 {
            told.set(Some(now));
        }
        if told.get().is_some() || now >= Instant::ZERO + limit {
            controlled.stop(Stop::Abandon);
        }
    });
    let ports = PortPool::new(1, plan.ports, &[], Nanos::from_secs(1));
    let parts = Parts { queue, clock, protocol: OneByte, log: Vec::new(), ports };
    let mut shard = Shard::new(parts, plan, 0, &control, &live);
    assert_eq!(shard.connect().unwrap(), None);
    let errors = shard.give_up().tally.errors.iter().map(|error| error.count).sum();
    (ready_at.get(), errors)
}
