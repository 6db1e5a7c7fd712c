//! Once sessions flow, a shard allocates nothing: not for a request, a record, a connection that
//! is lost and opened again, nor a fresh one.

#![allow(unsafe_code, reason = "a counting allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};

use onrush::protocol::{Answer, Outgoing, Progress, Protocol};
use onrush::unit::Instant;

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
