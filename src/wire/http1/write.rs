//! Messages as we send them: a request of the client, the head of a response of the server.

use std::fmt;

/// A request as the user wants it; [`Request::to_bytes`] makes it legal or says why it is not.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// A token, `GET` for one; any but `CONNECT`, whose answer is a tunnel.
    pub method: &'a str,
    /// Path and query; empty stands for `/`.
    pub path: &'a str,
    /// What the Host field says, unless `headers` have one.
    pub host: &'a str,
    /// `Name: value`. Host, User-Agent and Accept replace the default.
    pub headers: &'a [String],
    /// The body. Where there is none, a POST, PUT or PATCH says that its length is 0.
    pub body: Option<&'a [u8]>,
}

/// Why a request cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestError {
    /// Not a method: the method.
    Method(String),
    /// Not a path: the path.
    Path(String),
    /// Not a host: the host.
    Host(String),
    /// Not a header: its text, and the rule that it breaks.
    Header(String, &'static str),
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method(method) if method == "CONNECT" => {
                f.write_str("method 'CONNECT' asks for a tunnel; use another, like GET")
            }
            Self::Method(method) => write!(
                f,
                "method '{}': a method is letters, digits and !#$%&'*+-.^_`|~, like GET",
                method.escape_debug()
            ),
            Self::Path(path) => write!(
                f,
                "path '{}': a path starts with / and is printable ASCII without blanks and #; \
                 write anything else as %XX, like /a%20b",
                path.escape_debug()
            ),
            Self::Host(host) => write!(
                f,
                "host '{}': a host is printable ASCII without blanks, like example.org:8080",
                host.escape_debug()
            ),
            Self::Header(header, rule) => {
                write!(f, "header '{}': {rule}", header.escape_debug())
            }
        }
    }
}

impl std::error::Error for RequestError {}

const USER_AGENT: &str = concat!("onrush/", env!("CARGO_PKG_VERSION"));

impl Request<'_> {
    /// The whole request, body included: Host, User-Agent and Accept, then the user's headers in
    /// their order, then the length of the body.
    ///
    /// # Errors
    /// [`RequestError`] where a part would break the grammar, or would have the server wait for
    /// a body that does not come.
    pub fn to_bytes(&self) -> Result<Vec<u8>, RequestError> {
        if !is_token(self.method) || self.method == "CONNECT" {
            return Err(RequestError::Method(self.method.to_owned()));
        }
        let path = if self.path.is_empty() { "/" } else { self.path };
        let rooted = path.starts_with('/') || (self.method == "OPTIONS" && path == "*");
        if !rooted || !path.bytes().all(|b| b.is_ascii_graphic() && b != b'#') {
            return Err(RequestError::Path(path.to_owned()));
        }
        if self.host.is_empty() || !self.host.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(RequestError::Host(self.host.to_owned()));
        }
        let headers = self.parsed_headers()?;
        let is_given = |name: &str| headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));

        let mut text = format!("{} {path} HTTP/1.1\r\n", self.method);
        let mut line = |name: &str, value: &str| {
            text.extend([name, ": ", value, "\r\n"]);
        };
        let defaults = [("Host", self.host), ("User-Agent", USER_AGENT), ("Accept", "*/*")];
        for (name, value) in defaults {
            if !is_given(name) {
                line(name, value);
            }
        }
        for (name, value) in &headers {
            line(name, value);
        }
        if let Some(length) = self.content_length()
            && !is_given("Content-Length")
        {
            line("Content-Length", &length.to_string());
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(self.body.unwrap_or_default());
        Ok(bytes)
    }

    fn content_length(&self) -> Option<usize> {
        let is_empty = || matches!(self.method, "POST" | "PUT" | "PATCH").then_some(0);
        self.body.map(<[u8]>::len).or_else(is_empty)
    }

    /// Names and values of the user's headers.
    fn parsed_headers(&self) -> Result<Vec<(&str, &str)>, RequestError> {
        let mut headers: Vec<(&str, &str)> = Vec::with_capacity(self.headers.len());
        for header in self.headers {
            let wrong = |rule| RequestError::Header(header.clone(), rule);
            let (name, value) = header
                .split_once(':')
                .ok_or_else(|| wrong("a header is a name, a colon and a value, like X-A: b"))?;
            let value = value.trim_matches([' ', '\t']);
            if !is_token(name) {
                return Err(wrong(
                    "the name is letters, digits and !#$%&'*+-.^_`|~ up to the colon, like X-A: b",
                ));
            }
            if value.bytes().any(|b| b != b'\t' && b.is_ascii_control()) {
                return Err(wrong("the value has no line end or other control character"));
            }
            if name.eq_ignore_ascii_case("transfer-encoding") {
                return Err(wrong("the body is sent as it is; leave this header out"));
            }
            if name.eq_ignore_ascii_case("content-length")
                && value.parse().ok() != Some(self.content_length().unwrap_or(0))
            {
                return Err(wrong("the body has another length; leave this header out"));
            }
            let is_again = |&(n, _): &(&str, &str)| n.eq_ignore_ascii_case(name);
            let is_single = ["host", "content-length"].iter().any(|&n| is_again(&(n, "")));
            if is_single && headers.iter().any(is_again) {
                return Err(wrong("this header stands once at most"));
            }
            headers.push((name, value));
        }
        Ok(headers)
    }
}

/// The head of a response whose body is `body_bytes` of plain text; `keep` says so to a client of
/// either version.
///
/// # Panics
/// `status` is not in 200 to 999.
pub fn response_head(status: u16, body_bytes: u64, keep: bool) -> Vec<u8> {
    assert!((200..1000).contains(&status), "{status} is no final status");
    let reason = match status {
        200 => "OK",
        204 => "No Content",
        400 => "Bad Request",
        404 => "Not Found",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "",
    };
    let connection = if keep { "keep-alive" } else { "close" };
    // A 204 may not say a length (RFC 9110, 8.6).
    let content = match status {
        204 => String::new(),
        _ => format!("Content-Type: text/plain\r\nContent-Length: {body_bytes}\r\n"),
    };
    format!(
        "HTTP/1.1 {status} {reason}\r\nServer: {USER_AGENT}\r\n{content}\
         Connection: {connection}\r\n\r\n"
    )
    .into_bytes()
}

/// A name as RFC 9110, 5.6.2 has it.
fn is_token(text: &str) -> bool {
    let is_tchar = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(is_tchar)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::http1::{Body, parse_request_head, parse_response_head};

    const GET: Request<'_> =
        Request { method: "GET", path: "/", host: "h:8080", headers: &[], body: None };

    fn with_headers(headers: &[&str], body: Option<&[u8]>) -> Result<String, RequestError> {
        let headers: Vec<String> = headers.iter().map(|&h| h.into()).collect();
        let bytes = Request { headers: &headers, body, ..GET }.to_bytes()?;
        Ok(String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn a_request_says_host_agent_and_accept() {
        let version = env!("CARGO_PKG_VERSION");
        let expect = format!(
            "GET / HTTP/1.1\r\nHost: h:8080\r\nUser-Agent: onrush/{version}\r\nAccept: */*\r\n\r\n"
        );
        assert_eq!(with_headers(&[], None).unwrap(), expect);
        assert_eq!(Request { path: "", ..GET }.to_bytes(), GET.to_bytes());
    }

    #[test]
    fn the_users_headers_replace_the_defaults_and_keep_their_order() {
        let text = with_headers(&["b: 1", "accept:x", "HOST: other", "B:2 "], None).unwrap();
        assert!(text.ends_with("\r\nb: 1\r\naccept: x\r\nHOST: other\r\nB: 2\r\n\r\n"), "{text}");
        assert!(!text.contains("h:8080") && !text.contains("*/*"), "{text}");
    }

    #[test]
    fn a_body_comes_with_its_length_and_a_post_always_has_one() {
        let text = with_headers(&[], Some(b"hello")).unwrap();
        assert!(text.ends_with("\r\nContent-Length: 5\r\n\r\nhello"), "{text}");
        let text = with_headers(&["content-length: 5"], Some(b"hello")).unwrap();
        assert!(text.ends_with("\r\ncontent-length: 5\r\n\r\nhello"), "{text}");
        let bytes = Request { method: "POST", ..GET }.to_bytes().unwrap();
        assert!(bytes.ends_with(b"\r\nContent-Length: 0\r\n\r\n"));
    }

    #[test]
    fn a_request_reads_back() {
        let headers = ["X: y".to_owned()];
        let body = Some(&b"hello"[..]);
        let request = Request { method: "PUT", path: "/a?b=c", headers: &headers, body, ..GET };
        let bytes = request.to_bytes().unwrap();
        let (length, head) = parse_request_head(&bytes).unwrap().unwrap();
        assert_eq!((head.method, head.path, head.keep), ("PUT", "/a?b=c", true));
        assert_eq!((head.body, &bytes[length..]), (Body::Length(5), &b"hello"[..]));
    }

    #[test]
    fn what_would_break_the_grammar_is_refused() {
        for method in ["", "G T", "GET\r\n", "CONNECT", "GÉT"] {
            let error = Request { method, ..GET }.to_bytes().unwrap_err();
            assert_eq!(error, RequestError::Method(method.into()));
        }
        for path in ["a", "*", "/a b", "/a\r\nX: y", "/é", "/a#b"] {
            let error = Request { path, ..GET }.to_bytes().unwrap_err();
            assert_eq!(error, RequestError::Path(path.into()));
        }
        for host in ["", "a b", "a\r\nX: y"] {
            let error = Request { host, ..GET }.to_bytes().unwrap_err();
            assert_eq!(error, RequestError::Host(host.into()));
        }
        for (header, says) in [
            ("no colon", "a colon"),
            (": b", "the name is"),
            ("a b: c", "the name is"),
            ("a : c", "the name is"),
            ("a: b\r\nc: d", "no line end"),
            ("a: b\0", "no line end"),
            ("transfer-encoding: chunked", "sent as it is"),
            ("content-length: 7", "another length"),
            ("Content-Length: x", "another length"),
        ] {
            let error = with_headers(&[header], None).unwrap_err().to_string();
            assert!(error.contains(says) && !error.contains('\n'), "{error}");
        }
        let error = with_headers(&["Host: a", "host: b"], None).unwrap_err().to_string();
        assert_eq!(error, "header 'host: b': this header stands once at most");
    }

    #[test]
    fn a_star_is_a_path_for_options_alone() {
        let bytes = Request { method: "OPTIONS", path: "*", ..GET }.to_bytes().unwrap();
        assert!(bytes.starts_with(b"OPTIONS * HTTP/1.1\r\n"));
    }

    #[test]
    fn a_response_head_reads_back() {
        for (status, body, keep) in
            [(200, 5, true), (503, 0, false), (418, u64::MAX, true), (204, 0, true)]
        {
            let bytes = response_head(status, body, keep);
            let (length, head) = parse_response_head(&bytes, false).unwrap().unwrap();
            assert_eq!(length, bytes.len());
            assert_eq!((head.status, head.keep, head.body), (status, keep, Body::Length(body)));
        }
    }
}
