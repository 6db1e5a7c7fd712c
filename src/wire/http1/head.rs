//! Heads: a message up to its empty line, read in one piece.

use std::mem::MaybeUninit;

use httparse::{Header, ParserConfig, Status};

use super::{Body, Fault, HEAD_BYTES_MAX, HEADERS_MAX};

/// What the head of a response says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseHead {
    /// 100 to 999. Below 200 another head follows, with nothing between.
    pub status: u16,
    /// Another request may follow on the connection, once the body is whole.
    pub keep: bool,
    /// The body that follows, of which nothing has come.
    pub body: Body,
}

/// What the head of a request says; a view on its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestHead<'a> {
    /// As sent; never empty.
    pub method: &'a str,
    /// The target as sent; never empty.
    pub path: &'a str,
    /// The client wants the connection kept after the answer.
    pub keep: bool,
    /// The client waits for a `100 Continue` before it sends the body. A server may leave it
    /// waiting: RFC 9110, 10.1.1 has it send the body anyway, after a while.
    pub expects_continue: bool,
    /// The body that follows, of which nothing has come; never [`Body::UntilClose`].
    pub body: Body,
}

/// Reads the head of a response from the front of `bytes`: its length and what it says, or
/// `None` where its end has not come. `method_is_head` is of the request that it answers.
///
/// The body is delimited by the rules of RFC 9112, 6.3. What may not be reused is not kept: a
/// body until close, and chunks in an answer that says HTTP/1.0 (6.1).
///
/// # Errors
/// [`Fault::Head`], also for `101 Switching Protocols`, which nobody asked for;
/// [`Fault::HeadTooLong`]; [`Fault::Length`].
#[inline]
pub fn parse_response_head(
    bytes: &[u8],
    method_is_head: bool,
) -> Result<Option<(usize, ResponseHead)>, Fault> {
    // httparse would pass over empty lines before the status line. No server may send them (RFC
    // 9112, 2.2), and so they are either the surplus of an earlier answer or not HTTP.
    if let Some(b'\r' | b'\n') = bytes.first() {
        return Err(Fault::Head);
    }
    let mut headers = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut []);
    let mut config = ParserConfig::default();
    config.allow_obsolete_multiline_headers_in_responses(true);
    let window = &bytes[..bytes.len().min(HEAD_BYTES_MAX)];
    let parsed = config.parse_response_with_uninit_headers(&mut response, window, &mut headers);
    let Some(length) = length_of_head(parsed, window)? else { return Ok(None) };
    let (Some(version), Some(status)) = (response.version, response.code) else {
        return Err(Fault::Head);
    };
    if status < 100 || status == 101 {
        return Err(Fault::Head);
    }
    let fields = Fields::read(response.headers);
    let bodiless = method_is_head || matches!(status, 100..200 | 204 | 304);
    let body = if bodiless { Body::EMPTY } else { fields.response_body()? };
    let keep = fields.keep(version)
        && body != Body::UntilClose
        && (version == 1 || fields.coding == Coding::None);
    Ok(Some((length, ResponseHead { status, keep, body })))
}

/// Reads the head of a request from the front of `bytes`: its length and what it says, or `None`
/// where its end has not come. What follows the body is the next request.
///
/// A request that has both a length and a coding is answered and not kept (RFC 9112, 6.3).
///
/// # Errors
/// [`Fault::Head`], [`Fault::HeadTooLong`], [`Fault::Length`]: an answer of status 400.
pub fn parse_request_head(bytes: &[u8]) -> Result<Option<(usize, RequestHead<'_>)>, Fault> {
    let mut headers = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut []);
    let window = &bytes[..bytes.len().min(HEAD_BYTES_MAX)];
    let parsed = request.parse_with_uninit_headers(window, &mut headers);
    let Some(length) = length_of_head(parsed, window)? else { return Ok(None) };
    let (Some(method), Some(path), Some(version)) = (request.method, request.path, request.version)
    else {
        return Err(Fault::Head);
    };
    let fields = Fields::read(request.headers);
    let body = fields.request_body()?;
    let keep = fields.keep(version)
        && (fields.coding == Coding::None || (version == 1 && fields.length == Ok(None)));
    let expects_continue = fields.expects_continue && version == 1;
    Ok(Some((length, RequestHead { method, path, keep, expects_continue, body })))
}

fn length_of_head(parsed: httparse::Result<usize>, window: &[u8]) -> Result<Option<usize>, Fault> {
    match parsed {
        Ok(Status::Complete(length)) => Ok(Some(length)),
        Ok(Status::Partial) if window.len() == HEAD_BYTES_MAX => Err(Fault::HeadTooLong),
        Ok(Status::Partial) => Ok(None),
        Err(httparse::Error::TooManyHeaders) => Err(Fault::HeadTooLong),
        Err(_) => Err(Fault::Head),
    }
}

/// The fields that say where a message ends and whether the connection stays.
///
/// A length counts only where there is no coding, so that a bad one is a fault only there.
#[derive(Debug)]
struct Fields {
    length: Result<Option<u64>, Fault>,
    coding: Coding,
    close: bool,
    keep_alive: bool,
    expects_continue: bool,
}

/// The last transfer coding, the one that delimits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    None,
    Chunked,
    /// Chunked on chunked, which no one may send.
    ChunkedTwice,
    Other,
}

impl Fields {
    fn read(headers: &[Header<'_>]) -> Self {
        let mut fields = Self {
            length: Ok(None),
            coding: Coding::None,
            close: false,
            keep_alive: false,
            expects_continue: false,
        };
        for Header { name, value } in headers {
            if name.eq_ignore_ascii_case("content-length") {
                fields.length = fields.length.and_then(|so_far| read_length(so_far, value));
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                fields.coding = items(value).fold(fields.coding, Coding::then);
            } else if name.eq_ignore_ascii_case("connection") {
                for option in items(value) {
                    fields.close |= option.eq_ignore_ascii_case(b"close");
                    fields.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            } else if name.eq_ignore_ascii_case("expect") {
                fields.expects_continue |=
                    items(value).any(|item| item.eq_ignore_ascii_case(b"100-continue"));
            }
        }
        fields
    }

    fn response_body(&self) -> Result<Body, Fault> {
        match self.coding {
            Coding::None => Ok(self.length?.map_or(Body::UntilClose, Body::Length)),
            Coding::Chunked => Ok(Body::CHUNKED),
            Coding::Other => Ok(Body::UntilClose),
            Coding::ChunkedTwice => Err(Fault::Length),
        }
    }

    fn request_body(&self) -> Result<Body, Fault> {
        match self.coding {
            Coding::None => Ok(self.length?.map_or(Body::EMPTY, Body::Length)),
            Coding::Chunked => Ok(Body::CHUNKED),
            Coding::Other | Coding::ChunkedTwice => Err(Fault::Length),
        }
    }

    /// The minor `version` decides where the peer says nothing; `close` wins where it says both.
    fn keep(&self, version: u8) -> bool {
        !self.close && (version == 1 || self.keep_alive)
    }
}

impl Coding {
    fn then(self, coding: &[u8]) -> Self {
        match (self, coding.eq_ignore_ascii_case(b"chunked")) {
            (Self::ChunkedTwice | Self::Chunked, true) => Self::ChunkedTwice,
            (Self::ChunkedTwice, false) => self,
            (_, true) => Self::Chunked,
            (_, false) => Self::Other,
        }
    }
}

/// The members of a comma-separated list; empty ones are none (RFC 9110, 5.6.1).
fn items(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&b| b == b',').map(<[u8]>::trim_ascii).filter(|item| !item.is_empty())
}

/// A length said again has to be the same, in another field or in a list (RFC 9110, 8.6).
fn read_length(so_far: Option<u64>, value: &[u8]) -> Result<Option<u64>, Fault> {
    value.split(|&b| b == b',').try_fold(so_far, |so_far, item| {
        let length = decimal(item.trim_ascii()).ok_or(Fault::Length)?;
        if so_far.is_some_and(|before| before != length) {
            return Err(Fault::Length);
        }
        Ok(Some(length))
    })
}

/// Digits alone: `str::parse` would take a sign.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, &byte| {
        let digit = (byte as char).to_digit(10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `head` with `\n` for CR LF, an empty line put behind.
    fn response(head: &str, method_is_head: bool) -> Result<ResponseHead, Fault> {
        let bytes = format!("{head}\n\n").replace('\n', "\r\n");
        let parsed = parse_response_head(bytes.as_bytes(), method_is_head)?;
        let (length, head) = parsed.expect("the head is whole");
        assert_eq!(length, bytes.len());
        Ok(head)
    }

    #[track_caller]
    fn check(head: &str, status: u16, keep: bool, body: Body) {
        assert_eq!(response(head, false), Ok(ResponseHead { status, keep, body }), "{head}");
    }

    #[track_caller]
    fn check_fault(head: &str, fault: Fault) {
        assert_eq!(response(head, false), Err(fault), "{head}");
    }

    #[test]
    fn a_body_is_delimited_as_rfc_9112_has_it() {
        check("HTTP/1.1 200 OK\nContent-Length: 5", 200, true, Body::Length(5));
        check("HTTP/1.1 200\ncontent-length:5", 200, true, Body::Length(5));
        check("HTTP/1.1 200 OK\nTransfer-Encoding: chunked", 200, true, Body::CHUNKED);
        check("HTTP/1.1 200 OK\nTransfer-Encoding: gzip, Chunked", 200, true, Body::CHUNKED);
        check("HTTP/1.1 200 OK\nTransfer-Encoding: gzip", 200, false, Body::UntilClose);
        check("HTTP/1.1 200 OK\nTransfer-Encoding: chunked, gzip", 200, false, Body::UntilClose);
        check("HTTP/1.1 200 OK\nServer: x", 200, false, Body::UntilClose);
        check("HTTP/1.1 404 Not Found\nContent-Length: 0", 404, true, Body::EMPTY);
    }

    #[test]
    fn no_body_follows_an_interim_head_a_204_a_304_or_any_answer_to_head() {
        for status in [100, 102, 103, 199, 204, 304] {
            let head = format!("HTTP/1.1 {status} x\nContent-Length: 5");
            check(&head, status, true, Body::EMPTY);
        }
        check("HTTP/1.1 304 x\nTransfer-Encoding: chunked", 304, true, Body::EMPTY);
        for head in ["", "\nContent-Length: 9", "\nTransfer-Encoding: chunked"] {
            let head = response(&format!("HTTP/1.1 200 OK{head}"), true).unwrap();
            assert_eq!((head.body, head.keep), (Body::EMPTY, true));
        }
    }

    #[test]
    fn chunked_wins_over_a_length_good_or_bad() {
        for length in ["5", "x", "5\nContent-Length: 6"] {
            let coding = "Transfer-Encoding: chunked";
            let head = format!("HTTP/1.1 200 OK\nContent-Length: {length}\n{coding}");
            check(&head, 200, true, Body::CHUNKED);
        }
    }

    #[test]
    fn a_length_said_again_must_be_the_same() {
        check("HTTP/1.1 200 OK\nContent-Length: 5\nContent-Length: 5", 200, true, Body::Length(5));
        check("HTTP/1.1 200 OK\nContent-Length: 5, 05", 200, true, Body::Length(5));
        check_fault("HTTP/1.1 200 OK\nContent-Length: 5\nContent-Length: 6", Fault::Length);
        check_fault("HTTP/1.1 200 OK\nContent-Length: 5, 6", Fault::Length);
    }

    #[test]
    fn a_length_is_digits_and_fits_64_bits() {
        let max = u64::MAX;
        let head = format!("HTTP/1.1 200 OK\nContent-Length: {max}");
        check(&head, 200, true, Body::Length(max));
        for length in ["", "-1", "+1", "0x1", "1.0", "1 2", "1,", "18446744073709551616"] {
            check_fault(&format!("HTTP/1.1 200 OK\nContent-Length: {length}"), Fault::Length);
        }
    }

    #[test]
    fn chunked_twice_is_a_fault() {
        check_fault("HTTP/1.1 200 OK\nTransfer-Encoding: chunked, chunked", Fault::Length);
        let twice = "Transfer-Encoding: chunked\nTransfer-Encoding: chunked";
        check_fault(&format!("HTTP/1.1 200 OK\n{twice}"), Fault::Length);
    }

    #[test]
    fn a_connection_is_kept_as_version_and_options_say() {
        for (version, fields, keep) in [
            ("1.1", "", true),
            ("1.1", "\nConnection: close", false),
            ("1.1", "\nconnection: X, ,CLOSE ", false),
            ("1.1", "\nConnection: keep-alive, close", false),
            ("1.1", "\nConnection: a\nConnection: close", false),
            ("1.1", "\nConnection: closed", true),
            ("1.0", "", false),
            ("1.0", "\nConnection: Keep-Alive", true),
            ("1.0", "\nConnection: keep-alive\nConnection: close", false),
        ] {
            let head = format!("HTTP/{version} 200 OK\nContent-Length: 0{fields}");
            check(&head, 200, keep, Body::EMPTY);
        }
        let head = "HTTP/1.0 200 OK\nConnection: keep-alive\nTransfer-Encoding: chunked";
        check(head, 200, false, Body::CHUNKED);
    }

    #[test]
    fn a_folded_field_and_bare_line_feeds_are_read() {
        check("HTTP/1.1 200 OK\nX: a\n b\nContent-Length:\n 5", 200, true, Body::Length(5));
        let bare = b"HTTP/1.1 200 OK\nContent-Length: 5\n\n";
        let (length, head) = parse_response_head(bare, false).unwrap().unwrap();
        assert_eq!((length, head.body), (bare.len(), Body::Length(5)));
    }

    #[test]
    fn what_is_no_head_is_a_fault() {
        for head in [
            "",
            "\nHTTP/1.1 200 OK",
            "HTTP/2 200",
            "HTTP/1.2 200 OK",
            "HTTP/1.1 20 OK",
            "HTTP/1.1 099 x",
            "HTTP/1.1 101 Switching Protocols",
            "HTTP/1.1 2000 OK",
            "HTTP/1.1 200 OK\nno colon",
            "HTTP/1.1 200 OK\nSpace : x",
            "HTTP/1.1 200 OK\n: x",
            "HTTP/1.1 200 OK\nNul: \0",
            "SSH-2.0-OpenSSH_9.2p1",
            "+PONG",
        ] {
            check_fault(head, Fault::Head);
        }
    }

    #[test]
    fn a_head_may_have_as_many_fields_and_bytes_as_named_and_no_more() {
        let fields = |n| "\nA: b".repeat(n);
        let head = format!("HTTP/1.1 204 x{}", fields(HEADERS_MAX));
        check(&head, 204, true, Body::EMPTY);
        check_fault(&format!("HTTP/1.1 204 x{}", fields(HEADERS_MAX + 1)), Fault::HeadTooLong);

        let fill = |bytes: usize| {
            let around = "HTTP/1.1 204 x\r\nA: \r\n\r\n".len();
            format!("HTTP/1.1 204 x\nA: {}", "b".repeat(bytes - around))
        };
        check(&fill(HEAD_BYTES_MAX), 204, true, Body::EMPTY);
        check_fault(&fill(HEAD_BYTES_MAX + 1), Fault::HeadTooLong);
        let endless = [b'b'; HEAD_BYTES_MAX];
        assert_eq!(parse_request_head(&endless[1..]), Ok(None));
        assert_eq!(parse_request_head(&endless), Err(Fault::HeadTooLong));
    }

    #[track_caller]
    fn check_request(head: &str, expect: Result<(bool, Body), Fault>) {
        let bytes = format!("{head}\n\n").replace('\n', "\r\n");
        let parsed = parse_request_head(bytes.as_bytes());
        let found = parsed.map(|whole| {
            let (length, head) = whole.expect("the head is whole");
            assert_eq!(length, bytes.len());
            (head.keep, head.body)
        });
        assert_eq!(found, expect, "{head}");
    }

    #[test]
    fn a_request_is_kept_and_delimited_as_rfc_9112_has_it() {
        check_request("GET / HTTP/1.1\nHost: x", Ok((true, Body::EMPTY)));
        check_request("GET / HTTP/1.0", Ok((false, Body::EMPTY)));
        check_request("GET / HTTP/1.0\nConnection: keep-alive", Ok((true, Body::EMPTY)));
        check_request("GET / HTTP/1.1\nConnection: close", Ok((false, Body::EMPTY)));
        check_request("POST / HTTP/1.1\nContent-Length: 5", Ok((true, Body::Length(5))));
        let chunked = "Transfer-Encoding: chunked";
        check_request(&format!("POST / HTTP/1.1\n{chunked}"), Ok((true, Body::CHUNKED)));
        let both = format!("POST / HTTP/1.1\n{chunked}\nContent-Length: 5");
        check_request(&both, Ok((false, Body::CHUNKED)));
        let old = format!("POST / HTTP/1.0\n{chunked}\nConnection: keep-alive");
        check_request(&old, Ok((false, Body::CHUNKED)));
        let unknown = "POST / HTTP/1.1\nTransfer-Encoding: gzip";
        check_request(unknown, Err(Fault::Length));
        check_request(&format!("POST / HTTP/1.1\n{chunked}, {chunked}"), Err(Fault::Length));
        check_request("POST / HTTP/1.1\nContent-Length: 5, 6", Err(Fault::Length));
        check_request("GET /a b HTTP/1.1", Err(Fault::Head));
        check_request("GET / HTTP/2.0", Err(Fault::Head));
    }

    #[test]
    fn pipelined_requests_are_read_one_after_another() {
        let bytes = b"GET /a HTTP/1.1\r\n\r\n\r\nHEAD /b HTTP/1.1\r\nExpect: 100-Continue\r\n\r\nP";
        let (length, first) = parse_request_head(bytes).unwrap().unwrap();
        assert_eq!((first.method, first.path, first.expects_continue), ("GET", "/a", false));
        let rest = &bytes[length..];
        let (length, second) = parse_request_head(rest).unwrap().unwrap();
        assert_eq!((second.method, second.path, second.expects_continue), ("HEAD", "/b", true));
        assert_eq!(parse_request_head(&rest[length..]), Ok(None));
    }
}
