//! The built-in targets, byte by byte, as a client on a plain socket sees them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use onrush::clock::{Clock, KernelClock};
use onrush::evidence::Served;
use onrush::plan::{ClockName, CpuList, Idle};
use onrush::serve::{Behaviour, Delay, Kind, PvPlan, ServePlan, Serving};
use onrush::sys::cpu;
use onrush::unit::{ByteSize, Nanos, Share};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

fn plan(kind: Kind) -> ServePlan {
    ServePlan {
        kind,
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        shards: 1,
        cpus: CpuList(cpu::allowed()),
        idle: Idle::Sleep,
        behaviour: Behaviour::default(),
        body_bytes: ByteSize(64),
        close_after: None,
        pvs: PvPlan::default(),
    }
}

fn http() -> Serving {
    Serving::start(&plan(Kind::Http)).unwrap()
}

fn behaving(kind: Kind, behaviour: Behaviour) -> Serving {
    Serving::start(&ServePlan { behaviour, ..plan(kind) }).unwrap()
}

fn connect(serving: &Serving) -> TcpStream {
    let stream = TcpStream::connect(serving.address()).unwrap();
    // Only a test that has failed waits so long.
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Reads one answer: its head, and the body that the head announces.
fn answer(stream: &mut TcpStream, has_body: bool) -> (String, Vec<u8>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.split("Content-Length: ").nth(1).unwrap().split("\r\n").next().unwrap();
    let mut body = vec![0; if has_body { length.parse().unwrap() } else { 0 }];
    stream.read_exact(&mut body).unwrap();
    (head, body)
}

#[track_caller]
fn is_answered(stream: &mut TcpStream, status: &str, connection: &str) {
    let (head, _) = answer(stream, true);
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    assert!(head.contains(&format!("\r\nConnection: {connection}\r\n")), "{head}");
}

#[track_caller]
fn is_closed(stream: &mut TcpStream) {
    assert_eq!(stream.read(&mut [0]).unwrap(), 0, "the server sends more, or keeps it open");
}

/// Waits until `serving` has nothing left to do with clients that are gone, and ends it.
fn served(serving: Serving) -> Served {
    // The target has no way to say that it noticed: a later connection shows that it went on.
    for _ in 0..3 {
        let mut last = connect(&serving);
        last.shutdown(Shutdown::Write).unwrap();
        is_closed(&mut last);
    }
    serving.stop().unwrap()
}

#[test]
fn a_connection_is_kept_and_its_answers_say_what_they_are() {
    let serving = http();
    let mut stream = connect(&serving);
    for _ in 0..3 {
        stream.write_all(GET).unwrap();
        let (head, body) = answer(&mut stream, true);
        for line in ["Content-Length: 64", "Content-Type: text/plain", "Connection: keep-alive"] {
            assert!(head.contains(&format!("\r\n{line}\r\n")), "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 200 OK\r\nServer: onrush"), "{head}");
        assert!(body.starts_with(b"onrush") && body.ends_with(b"\n"));
    }
    drop(stream);
    let served = served(serving);
    assert_eq!((served.clients, served.requests), (4, 3));
    assert_eq!(served.bytes_received, 3 * GET.len() as u64);
    assert_eq!((served.resets, served.bad_requests, served.turned_away), (0, 0, 0));
}

#[test]
fn a_connection_ends_as_the_client_asks() {
    let serving = http();
    for (request, connection) in [
        ("GET / HTTP/1.0\r\n\r\n", "close"),
        ("GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "close"),
        ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive"),
    ] {
        let mut stream = connect(&serving);
        stream.write_all(request.as_bytes()).unwrap();
        is_answered(&mut stream, "200", connection);
        match connection {
            "close" => is_closed(&mut stream),
            _ => {
                stream.write_all(request.as_bytes()).unwrap();
                is_answered(&mut stream, "200", connection);
            }
        }
    }
}

#[test]
fn pipelined_requests_are_answered_in_order_wherever_they_are_split() {
    let serving = http();
    let head = b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n";
    let post = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
    let requests = [GET, head, post].concat();
    for at in 0..requests.len() {
        let mut stream = connect(&serving);
        stream.write_all(&requests[..at]).unwrap();
        if at >= GET.len() {
            // Its answer shows that the first part was read before the second is sent.
            is_answered(&mut stream, "200", "keep-alive");
        }
        stream.write_all(&requests[at..]).unwrap();
        if at < GET.len() {
            is_answered(&mut stream, "200", "keep-alive");
        }
        let (head, _) = answer(&mut stream, false);
        assert!(head.contains("\r\nContent-Length: 64\r\n"), "{head}");
        // Had the answer to HEAD a body, this would read it.
        is_answered(&mut stream, "200", "keep-alive");
    }
    assert_eq!(serving.stop().unwrap().requests, 3 * requests.len() as u64);
}

#[test]
fn bodies_of_any_size_and_form_are_taken() {
    let serving = http();
    let mut stream = connect(&serving);
    let megabyte = vec![b'x'; 1 << 20];
    stream.write_all(b"POST / HTTP/1.1\r\nContent-Length: 4194304\r\n\r\n").unwrap();
    (0..4).for_each(|_| stream.write_all(&megabyte).unwrap());
    is_answered(&mut stream, "200", "keep-alive");
    stream.write_all(b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
    for _ in 0..3 {
        stream.write_all(b"100000;a=b\r\n").unwrap();
        stream.write_all(&megabyte).unwrap();
        stream.write_all(b"\r\n").unwrap();
    }
    stream.write_all(b"0\r\nTrailer: y\r\n\r\n").unwrap();
    is_answered(&mut stream, "200", "keep-alive");
    stream
        .write_all(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
        .unwrap();
    let mut leave = [0; 25];
    stream.read_exact(&mut leave).unwrap();
    assert_eq!(&leave, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"x").unwrap();
    is_answered(&mut stream, "200", "keep-alive");
    drop(stream);
    let served = served(serving);
    assert_eq!((served.requests, served.resets), (3, 0));
    assert!(served.bytes_received > 7 << 20);
}

#[test]
fn a_large_answer_comes_whole() {
    let body_bytes = ByteSize(8 << 20);
    let serving = Serving::start(&ServePlan { body_bytes, ..plan(Kind::Http) }).unwrap();
    let mut stream = connect(&serving);
    for _ in 0..2 {
        stream.write_all(GET).unwrap();
        let (_, body) = answer(&mut stream, true);
        assert_eq!(body.len(), 8 << 20);
        assert!(body.chunks(64).all(|line| line == &body[..64]));
    }
    let served = serving.stop().unwrap();
    assert!(served.bytes_sent > 16 << 20);
}

#[test]
fn the_answer_that_was_named_closes_the_connection() {
    let close_after = Some(3);
    let serving = Serving::start(&ServePlan { close_after, ..plan(Kind::Http) }).unwrap();
    let mut stream = connect(&serving);
    for connection in ["keep-alive", "keep-alive", "close"] {
        stream.write_all(GET).unwrap();
        is_answered(&mut stream, "200", connection);
    }
    is_closed(&mut stream);
    let mut stream = connect(&serving);
    stream.write_all(&GET.repeat(10)).unwrap();
    for connection in ["keep-alive", "keep-alive", "close"] {
        is_answered(&mut stream, "200", connection);
    }
    is_closed(&mut stream);
    assert_eq!(serving.stop().unwrap().requests, 6);
}

#[test]
fn what_is_no_request_is_told_so_even_to_a_client_that_goes_on_sending() {
    let serving = http();
    let endless = [b"GET /".as_slice(), &[b'x'; 256 << 10]].concat();
    for (bytes, status) in [(b"nonsense\r\n\r\n".as_slice(), "400"), (&endless, "431")] {
        let mut stream = connect(&serving);
        stream.write_all(bytes).unwrap();
        is_answered(&mut stream, status, "close");
        is_closed(&mut stream);
    }
    let served = served(serving);
    assert_eq!((served.requests, served.bad_requests, served.resets), (0, 2, 0));
}

#[test]
fn a_client_that_sends_no_more_still_gets_its_answers() {
    let delay = Delay::Fixed(Nanos::from_millis(20));
    let serving = behaving(Kind::Http, Behaviour { delay, ..Behaviour::default() });
    let mut stream = connect(&serving);
    stream.write_all(&GET.repeat(100)).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut all = String::new();
    stream.read_to_string(&mut all).unwrap();
    assert_eq!(all.matches("HTTP/1.1 200 OK").count(), 100);
    assert_eq!(serving.stop().unwrap().requests, 100);
}

#[test]
fn a_delay_holds_each_answer_but_nobody_elses() {
    // Wide enough that only a delay which adds up over connections would exceed the bound.
    let delay = Nanos::from_millis(300);
    let behaviour = Behaviour { delay: Delay::Fixed(delay), ..Behaviour::default() };
    let serving = behaving(Kind::Http, behaviour);
    let clock = KernelClock::new(ClockName::Monotonic);
    let began = clock.now();
    let mut streams: Vec<_> = (0..50).map(|_| connect(&serving)).collect();
    streams.iter_mut().for_each(|stream| stream.write_all(GET).unwrap());
    let mut first = true;
    for stream in &mut streams {
        is_answered(stream, "200", "keep-alive");
        if std::mem::take(&mut first) {
            assert!(clock.now() - began >= delay);
        }
    }
    assert!(clock.now() - began < Nanos(delay.0 * 50 / 2));
}

#[test]
fn a_client_that_breaks_off_is_counted_and_harms_nobody() {
    let serving = http();
    let mut rude = connect(&serving);
    rude.write_all(GET).unwrap();
    // Closing with an answer unread resets the connection.
    rude.peek(&mut [0]).unwrap();
    drop(rude);
    let mut stream = connect(&serving);
    stream.write_all(GET).unwrap();
    is_answered(&mut stream, "200", "keep-alive");
    drop(stream);
    let served = served(serving);
    assert_eq!((served.requests, served.resets), (2, 1));
}

#[test]
fn a_client_that_never_reads_is_soon_not_read_either() {
    let body_bytes = ByteSize(1 << 20);
    let serving = Serving::start(&ServePlan { body_bytes, ..plan(Kind::Http) }).unwrap();
    let mut greedy = connect(&serving);
    greedy.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let requests = GET.repeat(1000);
    let mut sent = 0;
    let stuck = loop {
        match greedy.write(&requests) {
            Ok(bytes) => sent += bytes,
            Err(error) => break error.kind(),
        }
        assert!(sent < 64 << 20, "the target reads on and on");
    };
    assert_eq!(stuck, ErrorKind::WouldBlock);
    let mut stream = connect(&serving);
    stream.write_all(GET).unwrap();
    is_answered(&mut stream, "200", "keep-alive");
    let served = serving.stop().unwrap();
    assert!(served.requests < 5_000, "{} requests are held", served.requests);
}

#[test]
fn an_echo_gives_back_the_same_bytes_in_order() {
    let serving = Serving::start(&plan(Kind::Echo)).unwrap();
    let mut stream = connect(&serving);
    let bytes: Vec<u8> = (0..1_u32 << 18).flat_map(u32::to_be_bytes).collect();
    let mut writer = stream.try_clone().unwrap();
    let mut back = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            writer.write_all(&bytes).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        stream.read_to_end(&mut back).unwrap();
    });
    assert!(back == bytes, "{} of {} bytes came back, or others", back.len(), bytes.len());
    let served = serving.stop().unwrap();
    assert_eq!((served.bytes_received, served.bytes_sent), (1 << 20, 1 << 20));
}

#[test]
fn an_echo_closes_after_the_piece_that_was_named() {
    let close_after = Some(2);
    let serving = Serving::start(&ServePlan { close_after, ..plan(Kind::Echo) }).unwrap();
    let mut stream = connect(&serving);
    for piece in [b"one", b"two"] {
        stream.write_all(piece).unwrap();
        let mut back = [0; 3];
        stream.read_exact(&mut back).unwrap();
        assert_eq!(&back, piece);
    }
    is_closed(&mut stream);
}

#[test]
fn shards_share_an_address_and_add_up() {
    let serving = Serving::start(&ServePlan { shards: 3, ..plan(Kind::Http) }).unwrap();
    for _ in 0..40 {
        let mut stream = connect(&serving);
        stream.write_all(GET).unwrap();
        is_answered(&mut stream, "200", "keep-alive");
    }
    let served = serving.stop().unwrap();
    assert_eq!((served.clients, served.requests), (40, 40));
}

#[test]
fn an_address_in_use_is_told_by_one_shard_and_by_several() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    for shards in [1, 2] {
        let plan = ServePlan { listen: taken.local_addr().unwrap(), shards, ..plan(Kind::Http) };
        let error = Serving::start(&plan).unwrap_err().to_string();
        assert!(error.contains("the address is in use") && error.contains("--listen"), "{error}");
    }
}

#[test]
fn a_line_before_one_worker_moves_in_order() {
    let work = Nanos::from_millis(30);
    let behaviour =
        Behaviour { delay: Delay::Fixed(work), workers: Some(1), ..Behaviour::default() };
    let serving = behaving(Kind::Http, behaviour);
    let mut streams: Vec<_> = (0..4).map(|_| connect(&serving)).collect();
    let clock = KernelClock::new(ClockName::Monotonic);
    let began = clock.now();
    for stream in &mut streams {
        stream.write_all(GET).unwrap();
        std::thread::sleep(Duration::from_millis(2));
    }
    for (stream, place) in streams.iter_mut().zip(1..) {
        is_answered(stream, "200", "keep-alive");
        assert!(clock.now() - began >= Nanos(work.0 * place), "number {place} did not wait");
    }
    assert_eq!(serving.stop().unwrap().lateness.answers, 4);
}

#[test]
fn nothing_is_answered_in_a_stall_on_any_shard() {
    let stall = "300ms@0".parse().ok();
    let behaviour = Behaviour { stall, ..Behaviour::default() };
    let serving = Serving::start(&ServePlan { shards: 2, behaviour, ..plan(Kind::Http) }).unwrap();
    let clock = KernelClock::new(ClockName::Monotonic);
    let began = clock.now();
    let mut streams: Vec<_> = (0..16).map(|_| connect(&serving)).collect();
    for stream in &mut streams {
        // What is no request is not answered sooner.
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n\0").unwrap();
    }
    for stream in &mut streams {
        is_answered(stream, "200", "keep-alive");
        assert!(clock.now() - began >= Nanos::from_millis(300));
        is_answered(stream, "400", "close");
    }
}

#[test]
fn answers_do_not_overtake_each_other_whatever_their_delays() {
    let delay = Delay::Exp(Nanos::from_millis(2));
    let serving = behaving(Kind::Http, Behaviour { delay, seed: 5, ..Behaviour::default() });
    let mut stream = connect(&serving);
    let head = b"HEAD / HTTP/1.1\r\n\r\n";
    stream.write_all(&[GET, head].concat().repeat(100)).unwrap();
    for _ in 0..100 {
        let (_, body) = answer(&mut stream, true);
        assert_eq!(body.len(), 64);
        let (head, _) = answer(&mut stream, false);
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    }
}

/// The statuses of 300 requests on a connection.
fn statuses(behaviour: &Behaviour) -> (Vec<u16>, Served) {
    let serving = behaving(Kind::Http, behaviour.clone());
    let mut stream = connect(&serving);
    let statuses = (0..300).map(|_| {
        stream.write_all(GET).unwrap();
        answer(&mut stream, true).0["HTTP/1.1 ".len()..][..3].parse().unwrap()
    });
    let statuses = statuses.collect();
    drop(stream);
    (statuses, serving.stop().unwrap())
}

#[test]
fn a_share_of_requests_fails_the_same_ones_for_the_same_seed() {
    let behaviour = Behaviour { fail_rate: Share(200_000), seed: 1, ..Behaviour::default() };
    let (first, served) = statuses(&behaviour);
    let failed = first.iter().filter(|&&status| status == 500).count();
    assert!((30..=90).contains(&failed), "{failed} of 300");
    assert_eq!(served.failed, failed as u64);
    assert!(first.iter().all(|status| matches!(status, 200 | 500)));
    assert_eq!(statuses(&behaviour).0, first);
    assert_ne!(statuses(&Behaviour { seed: 2, ..behaviour }).0, first);
}

#[test]
fn an_echo_that_fails_hangs_up() {
    let behaviour = Behaviour { fail_rate: Share(1_000_000), ..Behaviour::default() };
    let serving = behaving(Kind::Echo, behaviour);
    let mut stream = connect(&serving);
    stream.write_all(b"hello").unwrap();
    is_closed(&mut stream);
    assert_eq!(served(serving).failed, 1);
}

#[test]
fn a_connection_is_reset_in_place_of_an_answer() {
    for kind in [Kind::Http, Kind::Echo] {
        let delay = Delay::Fixed(Nanos::from_millis(1));
        let reset_rate = Share(1_000_000);
        let serving = behaving(kind, Behaviour { delay, reset_rate, ..Behaviour::default() });
        let mut stream = connect(&serving);
        stream.write_all(GET).unwrap();
        let error = stream.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{kind}: {error}");
        let served = served(serving);
        assert_eq!((served.broken_off, served.resets, served.failed), (1, 0, 0), "{kind}");
    }
}

/// `onrush serve` as a process, and the address that it says on stderr.
fn process(options: &[&str]) -> (Child, SocketAddr) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_onrush"))
        // Should the test fail, it ends by itself.
        .args(["serve", "http", "--listen", "127.0.0.1:0", "--duration", "20s"])
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
    let address = line.strip_prefix("listening on ").unwrap().trim_end().parse().unwrap();
    (child, address)
}

#[test]
fn a_target_tells_its_figures_when_a_signal_ends_it() {
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let (child, address) = process(&["--format", "json"]);
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(GET).unwrap();
        is_answered(&mut stream, "200", "keep-alive");
        kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        let figures: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&figures["clients"], &figures["requests"]), (&1.into(), &1.into()));
        assert!(figures["elapsed_s"].as_f64().unwrap() > 0.0, "{figures}");
    }
}

#[test]
fn a_target_ends_when_its_time_is_over() {
    let (child, _) = process(&["--duration", "100ms"]);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("Clients: 0 ") && text.contains("elapsed"), "{text}");
}

#[test]
fn an_address_that_is_taken_ends_the_command_with_one_line() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_onrush"))
        .args(["serve", "echo", "--listen", &taken.local_addr().unwrap().to_string()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("onrush: cannot listen on 127.0.0.1:"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}
