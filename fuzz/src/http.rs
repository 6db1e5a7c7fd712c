//! What has to hold for HTTP whatever the bytes: a message reads the same in one piece and in
//! any pieces. Used by the fuzz targets and, on their seeds, by `tests/fuzz_seeds.rs`.

use onrush::plan::{RequestPlan, Scheme, Target};
use onrush::protocol::{Answer, Http1, Progress, Protocol};
use onrush::unit::Instant;
use onrush::wire::http1::{Fault, RequestHead, parse_request_head};

/// Reads `data` as the answers that a server gives on one connection.
///
/// # Panics
/// Where an answer depends on how it was cut, or claims bytes that are not there.
pub(crate) fn check_responses(data: &[u8]) {
    // A head is read on where a line ends, so let the last line have an end.
    let bytes = [data, b"\n"].concat();
    for method in ["GET", "HEAD"] {
        let whole = answers(method, std::iter::once(&bytes[..]));
        assert_eq!(answers(method, bytes.chunks(1)), whole, "{method}, byte by byte");
        assert_eq!(answers(method, pieces(&bytes)), whole, "{method}, in pieces");
    }
}

/// The answers in order, each with the offset of its end; the last one may be no answer.
fn answers<'a>(
    method: &str,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> Vec<(Progress, Option<usize>)> {
    let mut protocol = protocol(method);
    let mut conn = protocol.open(0);
    let mut found = Vec::new();
    let mut offset = 0;
    protocol.request(&mut conn, &mut []);
    for mut piece in pieces {
        while !piece.is_empty() {
            match protocol.receive(&mut conn, piece, Instant::ZERO) {
                Progress::Pending => {
                    offset += piece.len();
                    break;
                }
                Progress::Done(answer) => {
                    offset += answer.consumed;
                    piece = &piece[answer.consumed..];
                    let progress = Progress::Done(Answer { consumed: 0, ..answer });
                    found.push((progress, Some(offset)));
                    if !answer.reusable {
                        return found;
                    }
                    protocol.request(&mut conn, &mut []);
                }
                broken => {
                    found.push((broken, None));
                    return found;
                }
            }
        }
    }
    found.push((protocol.end(&mut conn, Instant::ZERO), Some(offset)));
    found
}

fn protocol(method: &str) -> Http1 {
    let target = Target {
        url: "http://127.0.0.1/".into(),
        scheme: Scheme::Http,
        host: "127.0.0.1".into(),
        path: "/".into(),
        address: ([127, 0, 0, 1], 80).into(),
        embedded: false,
    };
    let request = RequestPlan {
        method: method.into(),
        headers: vec![],
        body_bytes: None,
        expect_status: vec![],
        send_bytes: 0,
        expect_bytes: 0,
    };
    Http1::new(&target, &request, &[], 1).expect("the request is legal")
}

/// Reads `data` as the requests that a client sends on one connection.
///
/// # Panics
/// Where a request depends on how it was cut, or claims bytes that are not there.
pub(crate) fn check_requests(data: &[u8]) {
    let mut bytes = data;
    while !bytes.is_empty() {
        let whole = parse_request_head(bytes);
        check_prefixes(bytes, whole);
        let Ok(Some((length, head))) = whole else { return };
        bytes = &bytes[length..];
        let mut body = head.body;
        let taken = body.take(bytes);
        let mut split = head.body;
        let split_taken: Result<usize, Fault> = pieces(bytes).map(|p| split.take(p)).sum();
        assert_eq!(split_taken, taken, "a body in pieces");
        let Ok(taken) = taken else { return };
        assert_eq!(split, body, "a body in pieces");
        bytes = &bytes[taken..];
        assert!(body.is_done() || bytes.is_empty(), "a body left bytes of its own");
        if !body.is_done() || !head.keep {
            return;
        }
    }
}

/// A prefix says nothing yet, or what the whole says; and once it says that, more of it does.
fn check_prefixes(bytes: &[u8], whole: Result<Option<(usize, RequestHead<'_>)>, Fault>) {
    let mut is_decided = false;
    for end in (0..bytes.len()).step_by(1 + bytes.len() / 256) {
        match parse_request_head(&bytes[..end]) {
            Ok(None) => assert!(!is_decided, "{end} bytes take back what fewer said"),
            decided => {
                assert_eq!(decided, whole, "{end} of {} bytes", bytes.len());
                is_decided = true;
            }
        }
    }
    assert!(!is_decided || whole != Ok(None));
}

/// Cuts `bytes` into pieces of 1 to 64 bytes that depend on the bytes alone.
fn pieces(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut state = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, mix);
    let mut rest = bytes;
    std::iter::from_fn(move || {
        state = mix(state, &0);
        let (piece, after) =
            rest.split_at_checked((state >> 58) as usize + 1).unwrap_or((rest, &[]));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

/// FNV-1a.
fn mix(state: u64, byte: &u8) -> u64 {
    (state ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
}
