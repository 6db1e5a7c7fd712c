//! A server that misbehaves by script: what each connection gets is one arm of [`Manner`].

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::libc::linger;
use nix::sys::socket::{setsockopt, sockopt};

/// What the server does to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Answers as it should.
    Answers,
    /// Answers as it should, a byte per segment.
    AnswersByteByByte,
    /// Answers each request twice in one go.
    AnswersTwice,
    /// Sends 100 and 103 before the answer.
    InformsFirst,
    /// Answers the first connections, this many, then stops listening.
    StopsListeningAfter(u64),
    /// Closes each connection as soon as it stands.
    ClosesAfterAccept,
    /// Promises a body, sends a part of it, and resets the connection.
    ResetsInBody,
    /// Promises a body, sends a part of it, and closes.
    ClosesInBody,
    /// Sends its FIN instead of an answer and goes on reading.
    HalfCloses,
    /// Sends bytes that are no HTTP.
    Garbage,
    /// Sends a head that has no end, as fast as it is taken.
    EndlessHead,
    /// Sends a body that has no end, as fast as it is taken.
    EndlessBody,
    /// Says two different lengths.
    TwoLengths,
    /// Says a length that is no number of 64 bits.
    ImpossibleLength,
    /// Says a length of a petabyte, sends ten bytes and goes silent.
    HugeLengthThenSilence,
    /// Sends a chunk whose size is no number.
    BadChunk,
    /// Reads the request and goes silent.
    Silent,
    /// Accepts and never reads.
    NeverReads,
}

/// A running hostile server; ends with the test.
pub(crate) struct Hostile {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    over: AtomicBool,
    accepted: AtomicU64,
    answered: AtomicU64,
}

/// How often a thread that waits for its peer looks whether the test is over.
const LOOK: Duration = Duration::from_millis(50);

const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

impl Hostile {
    pub(crate) fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        let listening = thread::spawn(move || listen(&listener, manner, &for_thread));
        Self { address, shared, listening: Some(listening) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Requests answered so far.
    pub(crate) fn answered(&self) -> u64 {
        self.shared.answered.load(Ordering::Relaxed)
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        // Wakes the accept; fails where the listener is gone already.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.listening.take() {
            let _ = thread.join();
        }
    }
}

/// Accepts until the test is over; a thread per connection, all of which end before it returns.
fn listen(listener: &TcpListener, manner: Manner, shared: &Arc<Shared>) {
    let mut connections: Vec<JoinHandle<()>> = Vec::new();
    while !shared.over.load(Ordering::Relaxed) && may_accept(manner, shared) {
        let Ok((stream, _)) = listener.accept() else { continue };
        shared.accepted.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::clone(shared);
        connections.push(thread::spawn(move || converse(stream, manner, &shared)));
        connections.retain(|thread| !thread.is_finished());
    }
    for thread in connections {
        let _ = thread.join();
    }
}

fn may_accept(manner: Manner, shared: &Shared) -> bool {
    match manner {
        Manner::StopsListeningAfter(most) => shared.accepted.load(Ordering::Relaxed) < most,
        _ => true,
    }
}

/// One connection, until the peer or the manner ends it.
fn converse(mut stream: TcpStream, manner: Manner, shared: &Shared) {
    stream.set_read_timeout(Some(LOOK)).unwrap();
    stream.set_write_timeout(Some(LOOK)).unwrap();
    stream.set_nodelay(true).unwrap();
    match manner {
        Manner::ClosesAfterAccept => return,
        Manner::NeverReads => return wait_until_over(shared),
        _ => {}
    }
    while read_head(&mut stream, shared) {
        if misbehave(&mut stream, manner, shared).is_err() {
            return;
        }
        shared.answered.fetch_add(1, Ordering::Relaxed);
    }
}

/// Answers one request; an error ends the connection.
fn misbehave(stream: &mut TcpStream, manner: Manner, shared: &Shared) -> std::io::Result<()> {
    let over = || Err(ErrorKind::ConnectionAborted.into());
    let part = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nten bytes!";
    match manner {
        Manner::Answers | Manner::StopsListeningAfter(_) => stream.write_all(ANSWER.as_bytes()),
        Manner::AnswersByteByByte => {
            ANSWER.as_bytes().chunks(1).try_for_each(|byte| stream.write_all(byte))
        }
        Manner::AnswersTwice => stream.write_all(format!("{ANSWER}{ANSWER}").as_bytes()),
        Manner::InformsFirst => {
            let early = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
            stream.write_all(early.as_bytes())?;
            stream.write_all(ANSWER.as_bytes())
        }
        Manner::ResetsInBody => {
            stream.write_all(part.as_bytes())?;
            let reset = linger { l_onoff: 1, l_linger: 0 };
            setsockopt(&*stream, sockopt::Linger, &reset)?;
            over()
        }
        Manner::ClosesInBody => {
            stream.write_all(part.as_bytes())?;
            over()
        }
        Manner::HalfCloses => {
            stream.shutdown(Shutdown::Write)?;
            while read_head(stream, shared) {}
            over()
        }
        Manner::Garbage => stream.write_all(b"\x16\x03\x01\x00\xff not http \r\n\r\n"),
        Manner::EndlessHead => pour(stream, "HTTP/1.1 200 OK\r\n", "X-More: and more\r\n", shared),
        Manner::EndlessBody => {
            let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000000\r\n\r\n";
            pour(stream, head, &"x".repeat(64 << 10), shared)
        }
        Manner::TwoLengths => stream.write_all(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 7\r\n\r\nok and so",
        ),
        Manner::ImpossibleLength => stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nok"),
        Manner::HugeLengthThenSilence => stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000000\r\n\r\nten bytes!"),
        Manner::BadChunk => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nmany\r\nok\r\n")
        }
        Manner::Silent => Ok(()),
        Manner::ClosesAfterAccept | Manner::NeverReads => over(),
    }
}

/// Writes `first`, then `more` again and again until the peer has had enough.
fn pour(stream: &mut TcpStream, first: &str, more: &str, shared: &Shared) -> std::io::Result<()> {
    stream.write_all(first.as_bytes())?;
    let more = more.repeat((64 << 10) / more.len());
    while !shared.over.load(Ordering::Relaxed) {
        match stream.write(more.as_bytes()) {
            Err(e) if e.kind() != ErrorKind::WouldBlock => return Err(e),
            _ => {}
        }
    }
    Err(ErrorKind::ConnectionAborted.into())
}

/// Reads to the end of a request's head; false where there will be none.
fn read_head(stream: &mut TcpStream, shared: &Shared) -> bool {
    let mut head: Vec<u8> = Vec::new();
    let mut buffer = [0; 4096];
    while !shared.over.load(Ordering::Relaxed) {
        match stream.read(&mut buffer) {
            Ok(0) => return false,
            Ok(count) => head.extend(&buffer[..count]),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Err(_) => return false,
        }
        if head.windows(4).any(|end| end == b"\r\n\r\n") {
            return true;
        }
    }
    false
}

fn wait_until_over(shared: &Shared) {
    while !shared.over.load(Ordering::Relaxed) {
        thread::sleep(LOOK);
    }
}
