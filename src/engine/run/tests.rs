//! Whole runs against a target in this process.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::*;
use crate::clock::KernelClock;
use crate::log::Reader;
use crate::plan::{ClockName, CpuList, Idle, LogMode, Scheme, sample};
use crate::protocol::{Outgoing, Progress, Tcp};
use crate::sys::cpu;
use crate::unit::Rate;

/// Answers what comes with as much, until the last client is gone.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut bytes = [0; 64];
                while stream.read_exact(&mut bytes).is_ok() && stream.write_all(&bytes).is_ok() {}
            });
        }
    });
    address
}

/// Two shards on one CPU, which let the target have it too.
fn plan(length: Nanos) -> Plan {
    let mut plan = Plan {
        rate: Rate::per_second(500),
        duration: length,
        shards: 2,
        cpus: CpuList(vec![cpu::allowed()[0]]),
        idle: Idle::Sleep,
        log: LogMode::All,
        ..sample::plan()
    };
    plan.target.scheme = Scheme::Tcp;
    plan.target.address = echo();
    plan
}

/// Where a log may lie while a test runs.
struct Log(PathBuf);

impl Log {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("onrush-run-{}-{name}", std::process::id())))
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_run_says_what_became_of_its_shards_and_its_machine() {
    let (plan, log) = (plan(Nanos::from_millis(300)), Log::new("evidence"));
    let run = Run { plan: &plan, environment: &Environment::default(), log: &log.0 };
    run.perform(|_| Tcp::new(&plan.request), |_| ControlFlow::Continue(())).unwrap();
    let reader = Reader::open(&log.0).unwrap();
    let evidence = Trailer::from_text(reader.trailer().unwrap()).unwrap().evidence;
    for shard in &evidence.shards {
        assert!(shard.run_delay_ns.is_some() && shard.holes.is_some(), "{shard:?}");
        assert!(shard.on_cpu.steal_ns.is_some() && shard.on_cpu.softirq_ns.is_some());
        // What came due at the very end is started in the drain, which busy does not count.
        assert!((1..=shard.tally.sessions_started).contains(&shard.busy.unwrap().started));
        assert_eq!(shard.busy.unwrap().time, None, "it may sleep");
    }
    let machine = evidence.machine.unwrap();
    assert!(machine.clocksource.is_some());
    assert!(machine.network.iter().any(|count| count.name == "RetransSegs"), "{machine:?}");
}

/// A protocol that fails us once: at the tenth request of the run.
struct Brittle<'a>(Tcp, &'a AtomicU64);

impl Protocol for Brittle<'_> {
    type Conn = <Tcp as Protocol>::Conn;

    fn templates(&self) -> Vec<Vec<u8>> {
        self.0.templates()
    }

    fn open(&mut self, slot: u32) -> Self::Conn {
        self.0.open(slot)
    }

    fn request(&mut self, conn: &mut Self::Conn, scratch: &mut [u8]) -> Outgoing {
        assert_ne!(self.1.fetch_add(1, Ordering::Relaxed), 10, "this is meant to be seen");
        self.0.request(conn, scratch)
    }

    fn receive(&mut self, conn: &mut Self::Conn, bytes: &[u8], now: Instant) -> Progress {
        self.0.receive(conn, bytes, now)
    }
}

#[test]
fn a_shard_that_panics_stops_the_others() {
    let (plan, log) = (plan(Nanos::from_secs(300)), Log::new("panics"));
    let run = Run { plan: &plan, environment: &Environment::default(), log: &log.0 };
    let (clock, asked) = (KernelClock::new(ClockName::Monotonic), AtomicU64::new(0));
    let began = clock.now();
    let ended =
        run.perform(|_| Brittle(Tcp::new(&plan.request), &asked), |_| ControlFlow::Continue(()));
    assert!(matches!(ended, Err(RunError::Panicked)), "{ended:?}");
    assert!(clock.now().since(began) < Nanos::from_secs(60), "the others went on");
}
