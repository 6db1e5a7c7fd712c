//! HTTP/1.1 as a client that sends one request over and over.
//!
//! A head that lies whole in what a `receive` brings is read where it lies. One that is split is
//! put together in a stash of its slot; the stashes are one zeroed piece of memory, whose pages
//! the kernel gives only where a head was in fact split.

use super::{Answer, Fault, Outgoing, Progress, Protocol};
use crate::plan::{RequestPlan, Target};
use crate::unit::Instant;
use crate::wire::http1::{self, HEAD_BYTES_MAX, Request, RequestError, ResponseHead};

/// The client's side of HTTP/1.1 on all connections of a shard.
#[derive(Debug)]
pub struct Http1 {
    request: Vec<u8>,
    method_is_head: bool,
    /// By status; as long as there are statuses.
    expected: Vec<bool>,
    /// [`HEAD_BYTES_MAX`] for each slot.
    stashes: Vec<u8>,
}

/// A connection: how far the answer to its last request has come.
#[derive(Debug, Clone, Copy)]
pub struct Http1Conn {
    slot: u32,
    /// Bytes of a split head in the stash; at most [`HEAD_BYTES_MAX`].
    stashed: u16,
    /// Interim heads before this one; at most [`INTERIM_HEADS_MAX`].
    interim_heads: u8,
    /// The final head once it is whole, and how far its body has come.
    head: Option<ResponseHead>,
}

/// Most 1xx heads before the final one; who sends more will never come to an end.
const INTERIM_HEADS_MAX: u8 = 16;

/// One more than the highest status that a head can give.
const STATUS_END: usize = 1000;

const _: () = assert!(size_of::<Http1Conn>() <= 40 && HEAD_BYTES_MAX <= u16::MAX as usize);

impl Http1 {
    /// Sends `request` to `target`, with `body` where the plan has one, on up to `slots`
    /// connections. Takes `slots` times [`HEAD_BYTES_MAX`] of address space.
    ///
    /// # Errors
    /// [`RequestError`] where the plan makes no legal request.
    pub fn new(
        target: &Target,
        request: &RequestPlan,
        body: &[u8],
        slots: u32,
    ) -> Result<Self, RequestError> {
        let bytes = Request {
            method: &request.method,
            path: &target.path,
            host: &host_field(target),
            headers: &request.headers,
            body: request.body_bytes.map(|_| body),
        }
        .to_bytes()?;
        let expects = &request.expect_status;
        let is_expected = |status| expects.is_empty() || expects.contains(&status);
        Ok(Self {
            request: bytes,
            method_is_head: request.method == "HEAD",
            expected: (0..STATUS_END as u16).map(is_expected).collect(),
            stashes: vec![0; slots as usize * HEAD_BYTES_MAX],
        })
    }

    fn advance(&mut self, conn: &mut Http1Conn, bytes: &[u8]) -> Result<Progress, http1::Fault> {
        let mut consumed = 0;
        while conn.head.is_none() {
            let Some((taken, head)) = self.read_head(conn, &bytes[consumed..])? else {
                return Ok(Progress::Pending);
            };
            consumed += taken;
            if head.status >= 200 {
                conn.head = Some(head);
            } else if conn.interim_heads == INTERIM_HEADS_MAX {
                return Err(http1::Fault::Head);
            } else {
                conn.interim_heads += 1;
            }
        }
        if let Some(head) = &mut conn.head {
            consumed += head.body.take(&bytes[consumed..])?;
            if head.body.is_done() {
                return Ok(Progress::Done(self.answer(*head, consumed)));
            }
        }
        Ok(Progress::Pending)
    }

    /// Reads a head from what is stashed and from `bytes`, and gives how many of `bytes` it
    /// took; `None` where its end has not come.
    #[inline]
    fn read_head(
        &mut self,
        conn: &mut Http1Conn,
        bytes: &[u8],
    ) -> Result<Option<(usize, ResponseHead)>, http1::Fault> {
        if conn.stashed == 0
            && let Some(found) = http1::parse_response_head(bytes, self.method_is_head)?
        {
            return Ok(Some(found));
        }
        self.read_split_head(conn, bytes)
    }

    #[cold]
    fn read_split_head(
        &mut self,
        conn: &mut Http1Conn,
        bytes: &[u8],
    ) -> Result<Option<(usize, ResponseHead)>, http1::Fault> {
        let stash = &mut self.stashes[conn.slot as usize * HEAD_BYTES_MAX..][..HEAD_BYTES_MAX];
        let before = usize::from(conn.stashed);
        let more = &bytes[..bytes.len().min(HEAD_BYTES_MAX - before)];
        let held = before + more.len();
        stash[before..held].copy_from_slice(more);
        conn.stashed = held as u16;
        // A head ends with a line: to read on only where one ends keeps the work for a head that
        // comes in single bytes in proportion to its lines.
        if !more.contains(&b'\n') && held < HEAD_BYTES_MAX {
            return Ok(None);
        }
        let found = http1::parse_response_head(&stash[..held], self.method_is_head)?;
        Ok(found.map(|(length, head)| {
            conn.stashed = 0;
            (length - before, head)
        }))
    }

    fn answer(&self, head: ResponseHead, consumed: usize) -> Answer {
        Answer {
            status: head.status,
            expected: self.expected[usize::from(head.status)],
            reusable: head.keep,
            consumed,
        }
    }
}

impl Protocol for Http1 {
    type Conn = Http1Conn;

    fn templates(&self) -> Vec<Vec<u8>> {
        vec![self.request.clone()]
    }

    fn open(&mut self, slot: u32) -> Http1Conn {
        Http1Conn { slot, stashed: 0, interim_heads: 0, head: None }
    }

    fn request(&mut self, conn: &mut Http1Conn, _scratch: &mut [u8]) -> Outgoing {
        *conn = self.open(conn.slot);
        Outgoing::Template(0)
    }

    #[inline]
    fn receive(&mut self, conn: &mut Http1Conn, bytes: &[u8], _now: Instant) -> Progress {
        self.advance(conn, bytes).unwrap_or_else(|fault| Progress::Broken(fault.into()))
    }

    fn end(&mut self, conn: &mut Http1Conn, _now: Instant) -> Progress {
        match conn.head {
            Some(head) if head.body == http1::Body::UntilClose => {
                Progress::Done(self.answer(head, 0))
            }
            _ => Progress::Pending,
        }
    }
}

impl From<http1::Fault> for Fault {
    fn from(fault: http1::Fault) -> Self {
        match fault {
            http1::Fault::Head => Self::BadHead,
            http1::Fault::HeadTooLong => Self::HeadTooLong,
            http1::Fault::Length => Self::BadLength,
            http1::Fault::Chunk => Self::BadChunk,
        }
    }
}

/// What the Host field says: the port only where it is not the scheme's own, an IPv6 address in
/// brackets and without its interface.
fn host_field(target: &Target) -> String {
    // The interface of a link-local address is ours; the target has another name for it.
    let host = target.host.split('%').next().unwrap_or_default();
    let host = match host {
        bare if bare.contains(':') && !bare.starts_with('[') => format!("[{bare}]"),
        host => host.to_owned(),
    };
    match target.address.port() {
        80 => host,
        port => format!("{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::sample;

    fn http1(method: &str, expect_status: &[u16]) -> Http1 {
        let plan = sample::plan();
        let request = RequestPlan {
            method: method.into(),
            expect_status: expect_status.into(),
            ..plan.request
        };
        Http1::new(&plan.target, &request, &[], 2).unwrap()
    }

    /// What becomes of an answer that comes in these pieces, and how many bytes belong to it.
    /// Pieces after its end are not handed in.
    fn receive<'a>(
        protocol: &mut Http1,
        pieces: impl Iterator<Item = &'a [u8]>,
    ) -> (Progress, usize) {
        let mut conn = protocol.open(1);
        assert_eq!(protocol.request(&mut conn, &mut []), Outgoing::Template(0));
        let mut consumed = 0;
        for piece in pieces.filter(|piece| !piece.is_empty()) {
            match protocol.receive(&mut conn, piece, Instant::ZERO) {
                Progress::Pending => consumed += piece.len(),
                Progress::Done(answer) => {
                    consumed += answer.consumed;
                    return (Progress::Done(Answer { consumed: 0, ..answer }), consumed);
                }
                broken => return (broken, 0),
            }
        }
        (protocol.end(&mut conn, Instant::ZERO), consumed)
    }

    fn done(status: u16, reusable: bool) -> Progress {
        Progress::Done(Answer { status, expected: true, reusable, consumed: 0 })
    }

    /// `bytes` in one piece, byte by byte and cut once anywhere, all `expect` the same.
    #[track_caller]
    fn check(bytes: &str, expect: Progress, surplus: usize) {
        let bytes = bytes.replace('\n', "\r\n");
        let bytes = bytes.as_bytes();
        let mut protocol = http1("GET", &[]);
        let expect = match expect {
            Progress::Broken(_) => (expect, 0),
            _ => (expect, bytes.len() - surplus),
        };
        let whole = receive(&mut protocol, [bytes].into_iter());
        assert_eq!(whole, expect, "in one piece");
        assert_eq!(receive(&mut protocol, bytes.chunks(1)), expect, "byte by byte");
        for at in 1..bytes.len() {
            let (a, b) = bytes.split_at(at);
            assert_eq!(receive(&mut protocol, [a, b].into_iter()), expect, "cut at {at}");
        }
    }

    #[test]
    fn an_answer_is_whole_where_its_body_ends() {
        check("HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", done(200, true), 0);
        check("HTTP/1.1 503 x\nContent-Length: 0\nConnection: close\n\n", done(503, false), 0);
        check("HTTP/1.1 204 x\n\n", done(204, true), 0);
        let chunked = "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n";
        check(&format!("{chunked}5;x=y\nhello\n0\nTrailer: z\n\n"), done(200, true), 0);
        check("HTTP/1.0 200 OK\nContent-Length: 5\n\nhello", done(200, false), 0);
    }

    #[test]
    fn a_body_until_close_is_whole_at_the_end_and_no_other_is() {
        check("HTTP/1.0 200 OK\n\nhello", done(200, false), 0);
        check("HTTP/1.1 200 OK\n\n", done(200, false), 0);
        check("HTTP/1.1 200 OK\nContent-Length: 5\n\nhell", Progress::Pending, 0);
        check("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n0\n", Progress::Pending, 0);
        check("HTTP/1.1 200 OK\nContent-Len", Progress::Pending, 0);
    }

    #[test]
    fn interim_heads_are_passed_over() {
        let early = "HTTP/1.1 100 Continue\n\nHTTP/1.1 103 Early Hints\nLink: x\n\n";
        let last = "HTTP/1.1 200 OK\nContent-Length: 2\n\nok";
        check(&format!("{early}{last}"), done(200, true), 0);
        let many = |n| "HTTP/1.1 102 x\n\n".repeat(n);
        check(&format!("{}{last}", many(16)), done(200, true), 0);
        check(&format!("{}{last}", many(17)), Progress::Broken(Fault::BadHead), 0);
    }

    #[test]
    fn bytes_beyond_the_answer_are_not_consumed() {
        // A cut at the end of the answer hides what would come later, so not through `check`.
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n";
        let mut protocol = http1("GET", &[]);
        for size in [1, 7, bytes.len()] {
            let expect = (done(200, true), bytes.len() - 17);
            assert_eq!(receive(&mut protocol, bytes.chunks(size)), expect);
        }
    }

    #[test]
    fn what_is_no_answer_breaks_the_connection() {
        let broken = Progress::Broken;
        check("220 smtp.example.org ESMTP\n", broken(Fault::BadHead), 0);
        check("\nHTTP/1.1 200 OK\n\n", broken(Fault::BadHead), 0);
        check("HTTP/1.1 101 Switching Protocols\n\n", broken(Fault::BadHead), 0);
        check("HTTP/1.1 200 OK\nContent-Length: -5\n\n", broken(Fault::BadLength), 0);
        let chunked = "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n";
        check(&format!("{chunked}8000000000000000\n"), broken(Fault::BadChunk), 0);
    }

    #[test]
    fn a_head_without_end_breaks_at_the_limit_however_it_comes() {
        let mut bytes = b"HTTP/1.1 200 OK\r\nX: ".to_vec();
        bytes.resize(HEAD_BYTES_MAX + 100, b'x');
        let mut protocol = http1("GET", &[]);
        for size in [1, 1000, HEAD_BYTES_MAX - 1, HEAD_BYTES_MAX, bytes.len()] {
            let (progress, _) = receive(&mut protocol, bytes.chunks(size));
            assert_eq!(progress, Progress::Broken(Fault::HeadTooLong), "by {size}");
        }
        let (progress, _) = receive(&mut protocol, bytes[..HEAD_BYTES_MAX - 1].chunks(1000));
        assert_eq!(progress, Progress::Pending);
    }

    #[test]
    fn an_answer_to_head_has_no_body() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
        let (progress, consumed) = receive(&mut http1("HEAD", &[]), bytes.chunks(9));
        assert_eq!((progress, consumed), (done(200, true), bytes.len()));
    }

    #[test]
    fn only_listed_statuses_are_expected_where_there_is_a_list() {
        for (status, expected) in [(200, true), (304, true), (404, false)] {
            let bytes = format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n");
            let mut protocol = http1("GET", &[200, 304]);
            let (progress, _) = receive(&mut protocol, [bytes.as_bytes()].into_iter());
            let answer = Answer { status, expected, reusable: true, consumed: 0 };
            assert_eq!(progress, Progress::Done(answer));
        }
    }

    #[test]
    fn connections_do_not_share_a_stash_and_a_request_forgets_the_last_answer() {
        let mut protocol = http1("GET", &[]);
        let (mut a, mut b) = (protocol.open(0), protocol.open(1));
        let now = Instant::ZERO;
        let pending = Progress::Pending;
        assert_eq!(protocol.receive(&mut a, b"HTTP/1.1 200 OK\r\n", now), pending);
        assert_eq!(protocol.receive(&mut b, b"HTTP/1.1 404 No\r\nConte", now), pending);
        let rest = b"Content-Length: 0\r\n\r\n";
        let answer = Answer { status: 200, expected: true, reusable: true, consumed: rest.len() };
        assert_eq!(protocol.receive(&mut a, rest, now), Progress::Done(answer));
        protocol.request(&mut b, &mut []);
        let bytes = b"HTTP/1.1 204 x\r\n\r\n";
        let answer = Answer { status: 204, consumed: bytes.len(), ..answer };
        assert_eq!(protocol.receive(&mut b, bytes, now), Progress::Done(answer));
    }

    #[test]
    fn the_host_field_names_the_port_unless_it_is_80() {
        let mut target = sample::plan().target;
        for (host, address, expect) in [
            ("example.org", "127.0.0.1:80", "example.org"),
            ("example.org", "127.0.0.1:8080", "example.org:8080"),
            ("::1", "[::1]:80", "[::1]"),
            ("[::1]", "[::1]:81", "[::1]:81"),
            ("fe80::1%eth0", "[fe80::1%2]:81", "[fe80::1]:81"),
        ] {
            target.host = host.into();
            target.address = address.parse().unwrap();
            assert_eq!(host_field(&target), expect);
        }
    }

    /// An answer that the rules allow, what it is, and how long it is.
    fn any_answer() -> impl Strategy<Value = (Vec<u8>, Progress)> {
        let fields = prop::collection::vec("[A-Za-z-]{1,12}: [ -~]{0,40}\r\n", 0..6)
            .prop_map(|fields| fields.into_iter().map(|f| format!("X-{f}")).collect::<String>());
        let interims = prop::collection::vec(prop_oneof![Just(100u16), 102..200u16], 0..4);
        let chunks = prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 0..6);
        (200..1000u16, any::<bool>(), 0..3u8, fields, interims, chunks).prop_map(
            |(status, close, framing, fields, interims, chunks)| {
                let mut head = String::new();
                for interim in interims {
                    head += &format!("HTTP/1.1 {interim} x\r\n{fields}\r\n");
                }
                head += &format!("HTTP/1.1 {status}\r\n{fields}");
                head += if close { "Connection: x, close\r\n" } else { "" };
                let bodiless = matches!(status, 204 | 304);
                let data: usize = chunks.iter().map(Vec::len).sum();
                head += &match framing {
                    0 => format!("content-length: {data}\r\n\r\n"),
                    1 => "Transfer-Encoding: chunked\r\n\r\n".into(),
                    _ => "\r\n".into(),
                };
                let mut bytes = head.into_bytes();
                for chunk in chunks.iter().filter(|_| !bodiless) {
                    if framing == 1 {
                        bytes.extend(format!("{:X} ;a=b\r\n", chunk.len()).bytes());
                    }
                    bytes.extend(chunk);
                    bytes.extend(if framing == 1 { &b"\r\n"[..] } else { b"" });
                }
                if framing == 1 && !bodiless {
                    bytes.extend(format!("0\r\n{fields}\r\n").bytes());
                }
                (bytes, done(status, !close && (bodiless || framing != 2)))
            },
        )
    }

    proptest! {
        #[test]
        fn any_split_of_an_answer_reads_the_same(
            (bytes, expect) in any_answer(),
            sizes in prop::collection::vec(1..200usize, 1..40),
        ) {
            let mut protocol = http1("GET", &[]);
            let whole = receive(&mut protocol, [&bytes[..]].into_iter());
            prop_assert_eq!(whole, (expect, bytes.len()));
            let mut rest = &bytes[..];
            let pieces = sizes.iter().cycle().map_while(|&size| {
                let (piece, after) = rest.split_at(size.min(rest.len()));
                rest = after;
                (!piece.is_empty()).then_some(piece)
            });
            prop_assert_eq!(receive(&mut protocol, pieces), whole);
        }

        #[test]
        fn no_bytes_at_all_panic_or_are_consumed_twice(
            head in prop::sample::select(vec![
                "",
                "HTTP/1.1 200 OK\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            ]),
            tail in prop::collection::vec(any::<u8>(), 0..200),
            size in 1..50usize,
        ) {
            let bytes = [head.as_bytes(), &tail].concat();
            let (_, consumed) = receive(&mut http1("GET", &[]), bytes.chunks(size));
            prop_assert!(consumed <= bytes.len());
        }
    }
}
