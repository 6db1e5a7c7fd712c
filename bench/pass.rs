//! A pass of the shard's loop beside the kernel: the queue answers at once and costs nothing, and
//! time goes by in steps. An item is a pass. Run on two commits it tells what came into the loop
//! between them.

use std::cell::Cell;
use std::rc::Rc;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use onrush::clock::Clock;
use onrush::engine::{Control, Live, Parts, PortPool, Shard};
use onrush::evidence::Request;
use onrush::log::{Append, Reader};
use onrush::plan::{LogMode, Plan};
use onrush::protocol::{Answer, Outgoing, Progress, Protocol};
use onrush::ring::{Completion, Kind, Op, Queue, QueueCounters, QueueError, Token, Wait};
use onrush::unit::{Instant, Nanos, Rate};

fn main() {
    divan::main();
}

/// What a pass takes in the time of the bench.
const STEP: Nanos = Nanos(500);
const START: Instant = Instant(1_000_000);
const SLOTS: u32 = 4;

/// A clock that goes on by a step each time it is read: once a pass.
#[derive(Clone, Default)]
struct Steps(Rc<Cell<u64>>);

impl Clock for Steps {
    #[inline]
    fn now(&self) -> Instant {
        self.0.set(self.0.get() + STEP.0);
        Instant(self.0.get())
    }
}

/// Completes at once whatever wants a completion, and answers a request with a byte.
struct AtOnce {
    control: Rc<Control>,
    submits: u64,
    receives: [Token; SLOTS as usize],
    ready: Vec<Completion>,
}

impl AtOnce {
    fn complete(&mut self, token: Token, buffer: Option<u16>) {
        let result = i32::from(buffer.is_some());
        self.ready.push(Completion { token, result, more: buffer.is_some(), buffer });
    }
}

impl Queue for AtOnce {
    #[inline]
    fn room(&mut self) -> usize {
        1024
    }

    #[inline]
    fn push(&mut self, op: Op, token: Token) {
        let slot = token.slot() as usize;
        match op {
            Op::Open { .. } => self.complete(token.of(Kind::Bind), None),
            Op::Connect => self.complete(token.of(Kind::Connect), None),
            Op::ReceiveMany => self.receives[slot] = token.of(Kind::Receive),
            Op::SendTemplate(_) => self.complete(self.receives[slot], Some(0)),
            _ => {}
        }
    }

    #[inline]
    fn submit(&mut self, _wait: Wait) -> Result<(), QueueError> {
        self.submits += 1;
        if self.submits == 8 {
            self.control.start(START);
        }
        Ok(())
    }

    #[inline]
    fn reap(&mut self, out: &mut [Completion]) -> usize {
        let count = self.ready.len().min(out.len());
        for (out, completion) in out.iter_mut().zip(self.ready.drain(..count)) {
            *out = completion;
        }
        count
    }

    #[inline]
    fn bytes(&self, _completion: &Completion) -> &[u8] {
        b"+"
    }

    #[inline]
    fn release(&mut self, _completion: &Completion) {}

    #[inline]
    fn scratch(&mut self, _slot: u32) -> &mut [u8] {
        &mut []
    }

    fn counters(&mut self) -> QueueCounters {
        QueueCounters::default()
    }
}

/// Each byte is an answer.
struct OneByte;

impl Protocol for OneByte {
    type Conn = ();

    fn templates(&self) -> Vec<Vec<u8>> {
        vec![vec![b'?']]
    }

    fn open(&mut self, _slot: u32) {}

    #[inline]
    fn request(&mut self, (): &mut (), _scratch: &mut [u8]) -> Outgoing {
        Outgoing::Template(0)
    }

    #[inline]
    fn receive(&mut self, (): &mut (), _bytes: &[u8], _now: Instant) -> Progress {
        Progress::Done(Answer { status: 200, expected: true, reusable: true, consumed: 1 })
    }
}

/// Keeps nothing.
struct Nowhere;

impl Append for Nowhere {
    #[inline]
    fn append(&mut self, request: &Request) {
        black_box(request);
    }
}

/// Runs a shard for 50 ms of its own time, and gives its passes and its sessions.
fn run(rate: Rate) -> (u64, u64) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/log/v1.data");
    let golden = Reader::open(path.as_ref()).expect("the golden log is readable");
    let plan = Plan {
        rate,
        shards: 1,
        concurrence: SLOTS,
        duration: Nanos::from_millis(50),
        log: LogMode::All,
        ..golden.plan().clone()
    };
    let (control, live) = (Rc::new(Control::default()), Live::default());
    let queue = AtOnce {
        control: Rc::clone(&control),
        submits: 0,
        receives: [Token::NONE; SLOTS as usize],
        ready: Vec::with_capacity(64),
    };
    let ports = PortPool::new(1, plan.ports, &[], Nanos::ZERO);
    let parts = Parts { queue, clock: Steps::default(), protocol: OneByte, log: Nowhere, ports };
    let mut shard = Shard::new(parts, &plan, 0, &control, &live);
    let start = shard.connect().expect("the queue holds").expect("it was told to start");
    let yielded = shard.run(0, start, &mut ()).expect("the queue holds");
    (yielded.passes, yielded.tally.sessions_ok)
}

#[divan::bench]
fn with_nothing_to_do(bencher: Bencher<'_, '_>) {
    let rate = Rate::per_second(20);
    let (passes, sessions) = run(rate);
    assert_eq!(sessions, 1);
    bencher.counter(ItemsCount::new(passes)).bench_local(|| run(rate));
}

#[divan::bench]
fn with_a_session_in_each(bencher: Bencher<'_, '_>) {
    let rate = Rate::per_second(1_000_000_000 / STEP.0);
    let (passes, sessions) = run(rate);
    assert!(sessions * 10 >= passes * 9, "{sessions} sessions in {passes} passes");
    bencher.counter(ItemsCount::new(passes)).bench_local(|| run(rate));
}
