//! Once sessions flow, a shard allocates nothing: not for a request, a record, a connection that
//! is lost and opened again, nor a fresh one; not for an update, a read, a write or a search.

#![allow(unsafe_code, reason = "a counting allocator cannot be written without")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use onrush::engine::Run;
use onrush::observe;
use onrush::plan::{
    ChannelPlan, ClockName, Close, Idle, LogMode, OnCap, Operation, Pattern, Plan, Profile,
    RequestPlan, Scheme, Search, Target,
};
use onrush::protocol::{
    Answer, Ca, Circuit, Fault, Hear, Outgoing, Progress, Protocol, Pva, Searches, Size, Verb,
};
use onrush::unit::{Instant, Nanos, Rate};
use support::server::Server;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: all is left to the system's allocator; a cell without a destructor is only counted up.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Requests sent, and allocations of the shard's thread since its [`SETTLED`]th.
static REQUESTS: AtomicU64 = AtomicU64::new(0);
static SINCE: AtomicU64 = AtomicU64::new(0);

/// Held by the test that uses them.
static COUNTS: Mutex<()> = Mutex::new(());

/// Requests after which nothing new happens.
const SETTLED: u64 = 50;

/// Sends a byte, takes a byte. Looks at the count each time: only the shard's thread calls it.
struct Byte(u64);

impl Protocol for Byte {
    type Conn = ();

    fn templates(&self) -> Vec<Vec<u8>> {
        vec![b"x".to_vec()]
    }

    fn open(&mut self, _slot: u32) {}

    fn request(&mut self, (): &mut (), _scratch: &mut [u8]) -> Outgoing {
        if REQUESTS.fetch_add(1, Ordering::Relaxed) == SETTLED {
            self.0 = ALLOCATIONS.get();
        }
        Outgoing::Template(0)
    }

    fn receive(&mut self, (): &mut (), _bytes: &[u8], _now: Instant) -> Progress {
        if REQUESTS.load(Ordering::Relaxed) > SETTLED {
            SINCE.store(ALLOCATIONS.get() - self.0, Ordering::Relaxed);
        }
        Progress::Done(Answer { status: 0, expected: true, reusable: true, consumed: 1 })
    }
}

/// Echoes, and closes each connection after some bytes.
fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("tcp://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            std::thread::spawn(move || {
                let mut byte = [0];
                for _ in 0..20 {
                    if !matches!(stream.read(&mut byte), Ok(1)) || stream.write(&byte).is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

#[test]
fn a_shard_allocates_nothing_while_sessions_flow() {
    let _alone = COUNTS.lock().unwrap();
    let log = std::env::temp_dir().join(format!("onrush-allocations-{}", std::process::id()));
    let url = echo();
    assert!(ALLOCATIONS.get() > 0, "the count counts");
    for flags in [&["-R", "500"][..], &["-R", "500", "--fresh"], &["-n", "500"]] {
        REQUESTS.store(0, Ordering::Relaxed);
        SINCE.store(u64::MAX, Ordering::Relaxed);
        let mut words = vec!["-q", "-t", "1", "-c", "4", "-d", "500ms", "-o"];
        words.push(log.to_str().unwrap());
        words.extend(flags);
        words.push(&url);
        let _ = onrush::cli::speak(words.into_iter().map(Into::into), |_| Byte(0));
        let sent = REQUESTS.load(Ordering::Relaxed);
        assert!(sent > 2 * SETTLED, "{flags:?}: only {sent} requests");
        assert_eq!(SINCE.load(Ordering::Relaxed), 0, "{flags:?}: allocations");
    }
    for end in ["", ".old"] {
        let _ = std::fs::remove_file(format!("{}{end}", log.display()));
    }
}

/// A protocol of circuits that is watched: `1` holds the allocations when it had settled, and
/// `2` says that the measure phase is over.
struct Watched<P>(P, u64, bool);

impl<P: Circuit> Circuit for Watched<P> {
    type Conn = P::Conn;

    fn open(&mut self, size: Size) -> P::Conn {
        self.0.open(size)
    }

    fn greet(&mut self, conn: &mut P::Conn, port: u16, out: &mut Vec<u8>) -> bool {
        self.0.greet(conn, port, out)
    }

    fn create(&mut self, conn: &mut P::Conn, channel: u32, name: &str, out: &mut Vec<u8>) -> bool {
        self.0.create(conn, channel, name, out)
    }

    fn subscribe(&mut self, conn: &mut P::Conn, channel: u32, which: u32, out: &mut Vec<u8>) {
        self.0.subscribe(conn, channel, which, out);
    }

    fn prepare(
        &mut self,
        conn: &mut P::Conn,
        channel: u32,
        operation: u32,
        verb: Verb,
        out: &mut Vec<u8>,
    ) -> bool {
        // Of a monitor this is the check of its last values.
        self.2 |= REQUESTS.load(Ordering::Relaxed) > SETTLED;
        self.0.prepare(conn, channel, operation, verb, out)
    }

    fn operate(
        &mut self,
        conn: &mut P::Conn,
        operation: u32,
        verb: Verb,
        value: i64,
        out: &mut Vec<u8>,
    ) {
        self.0.operate(conn, operation, verb, value, out);
    }

    fn give_up(&mut self, conn: &mut P::Conn, operation: u32) -> bool {
        self.0.give_up(conn, operation)
    }

    fn cut(&self, conn: &P::Conn, waiting: &[u8]) -> usize {
        self.0.cut(conn, waiting)
    }

    fn echo(&mut self, conn: &mut P::Conn, out: &mut Vec<u8>) {
        self.0.echo(conn, out);
    }

    fn receive(
        &mut self,
        conn: &mut P::Conn,
        bytes: &[u8],
        out: &mut Vec<u8>,
        hear: &mut impl Hear,
    ) -> Result<(), Fault> {
        let heard = self.0.receive(conn, bytes, out, hear);
        let pieces = REQUESTS.fetch_add(1, Ordering::Relaxed);
        if pieces == SETTLED {
            self.1 = ALLOCATIONS.get();
        } else if pieces > SETTLED && !self.2 {
            SINCE.store(ALLOCATIONS.get() - self.1, Ordering::Relaxed);
        }
        heard
    }
}

/// A second on a hundred names.
fn plan(scheme: Scheme, address: SocketAddr, op: Operation, search: Option<Search>) -> Plan {
    let url = format!("{scheme}://{address}/P{{0..99}}");
    let (host, path) = (address.ip().to_string(), "/P{0..99}".into());
    let (pvs, monitors, circuits, profile) = (100, 2, 2, Profile::Greedy);
    let ack = (scheme == Scheme::Pva && op == Operation::Monitor).then_some(2);
    let channels = ChannelPlan { op, pvs, monitors, circuits, profile, queue: ack, ack, search };
    Plan {
        target: Target { url, scheme, host, path, address, embedded: false },
        rate: if op == Operation::Monitor { Rate::Max } else { Rate::per_second(1000) },
        concurrence: 200,
        pattern: Pattern::Even,
        duration: Nanos::from_secs(1),
        target_ci: None,
        count: None,
        warmup: Nanos::ZERO,
        requests: 1,
        think: Nanos::ZERO,
        fresh: false,
        close: Close::Fin,
        on_cap: OnCap::Defer,
        timeout: Nanos::from_secs(5),
        seed: 1,
        allow_partial: false,
        request: RequestPlan {
            method: "GET".into(),
            headers: vec![],
            body_bytes: None,
            expect_status: vec![],
            send_bytes: 64,
            expect_bytes: 64,
        },
        channels: Some(channels),
        shards: 1,
        cpus: "0".parse().unwrap(),
        idle: Idle::Sleep,
        clock: ClockName::Monotonic,
        sources: vec![address.ip()],
        ports: "10000-65000".parse().unwrap(),
        sqpoll: false,
        sqpoll_cpu: None,
        watch_pid: None,
        watch_dev: None,
        log: LogMode::All,
        labels: vec![],
    }
}

/// Does what `plan` says with the protocol that `speak` makes.
#[track_caller]
fn check<P: Circuit>(plan: &Plan, names: &[String], speak: impl Fn() -> P + Sync) {
    REQUESTS.store(0, Ordering::Relaxed);
    SINCE.store(u64::MAX, Ordering::Relaxed);
    let log = std::env::temp_dir().join(format!("onrush-circuits-{}", std::process::id()));
    let environment = observe::environment(0);
    let run = Run { plan, environment: &environment, log: &log };
    let speak = || Watched(speak(), 0, false);
    run.perform_on(names, speak, |_| ControlFlow::Continue(())).unwrap();
    for end in ["", ".old"] {
        let _ = std::fs::remove_file(format!("{}{end}", log.display()));
    }
    let pieces = REQUESTS.load(Ordering::Relaxed);
    let op = &plan.channels.as_ref().unwrap().op;
    assert!(pieces > 2 * SETTLED, "{op} of {}: only {pieces} pieces", plan.target.url);
    let since = SINCE.load(Ordering::Relaxed);
    assert_eq!(since, 0, "{op} of {}: allocations", plan.target.url);
}

#[test]
fn a_shard_of_circuits_allocates_nothing_while_it_watches_reads_writes_or_searches() {
    let _alone = COUNTS.lock().unwrap();
    let names: Vec<String> = (0..100).map(|number| format!("P{number}")).collect();
    for (scheme, kind) in [(Scheme::Ca, "ca"), (Scheme::Pva, "pva")] {
        let server = Server::onrush(kind, &["--pvs", "100", "--rate", "100"]);
        for op in [Operation::Monitor, Operation::Get, Operation::Put] {
            let plan = plan(scheme, server.address(), op, None);
            let channels = plan.channels.as_ref().unwrap();
            match scheme {
                Scheme::Ca => check(&plan, &names, || Ca::new(channels)),
                _ => check(&plan, &names, || Pva::new(channels)),
            }
        }
        for search in [Search::Udp, Search::Tcp] {
            let plan = plan(scheme, server.address(), Operation::Search, Some(search));
            check(&plan, &names, || Searches::new(scheme, search, &names));
        }
    }
}
