//! What it costs to understand an answer: the head alone, and the whole of what the shard calls.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use onrush::log::Reader;
use onrush::protocol::{Http1, Progress, Protocol};
use onrush::unit::Instant;
use onrush::wire::http1::parse_response_head;

fn main() {
    divan::main();
}

/// As a small server answers.
const SHORT: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// As nginx does.
const USUAL: &[u8] = b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\n\
    Date: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\
    Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\nConnection: keep-alive\r\n\
    ETag: \"65920080-2\"\r\nAccept-Ranges: bytes\r\n\r\nok";

/// With a body in chunks.
const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
    4\r\nbody\r\n3\r\nand\r\n4\r\nsoul\r\n0\r\n\r\n";

const ANSWERS: [(&str, &[u8]); 3] = [("short", SHORT), ("usual", USUAL), ("chunked", CHUNKED)];

fn answer(name: &str) -> &'static [u8] {
    ANSWERS.iter().find(|(known, _)| *known == name).expect("it is one of them").1
}

#[divan::bench(args = ["short", "usual", "chunked"])]
fn head(bencher: Bencher<'_, '_>, name: &str) {
    let bytes = answer(name);
    bencher
        .counter(BytesCount::new(bytes.len()))
        .bench_local(|| parse_response_head(black_box(bytes), false));
}

/// Asks and receives, in one piece and in two: the second has the head put together first.
#[divan::bench(args = ["short", "usual", "chunked"], consts = [1, 2])]
fn receive<const PIECES: usize>(bencher: Bencher<'_, '_>, name: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/log/v1.data");
    let golden = Reader::open(path.as_ref()).expect("the golden log is readable");
    let plan = golden.plan();
    let mut http = Http1::new(&plan.target, &plan.request, b"", 1).expect("it is a request");
    let mut conn = http.open(0);
    let bytes = answer(name);
    bencher.bench_local(|| {
        http.request(&mut conn, &mut []);
        let mut progress = Progress::Pending;
        for piece in black_box(bytes).chunks(bytes.len().div_ceil(PIECES)) {
            progress = http.receive(&mut conn, piece, Instant::ZERO);
        }
        assert!(matches!(progress, Progress::Done(_)), "{progress:?}");
    });
}
