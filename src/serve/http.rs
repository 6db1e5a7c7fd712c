//! HTTP/1.1 and 1.0: every whole request gets the same page.

use std::collections::VecDeque;

use super::target::{Answer, Bytes, Target, Then};
use crate::evidence::Served;
use crate::wire::http1::{
    Body, Fault, HEAD_BYTES_MAX, RequestHead, parse_request_head, response_head,
};

/// A page for everybody.
#[derive(Debug)]
pub(super) struct Http {
    /// Size of the page.
    pub(super) body_bytes: usize,
    /// Answers after which a connection is closed.
    pub(super) close_after: Option<u64>,
}

/// What is remembered of a connection.
#[derive(Debug, Default)]
pub(super) struct Conn {
    /// The front of a head whose end has not come; below [`HEAD_BYTES_MAX`].
    partial: Vec<u8>,
    awaits: Awaits,
    answered: u64,
}

/// What comes next on a connection.
#[derive(Debug, Default, Clone, Copy)]
enum Awaits {
    #[default]
    Head,
    /// The rest of a request's body.
    Body(Asked, Body),
    /// Nothing that would be read: the last answer is on its way.
    End,
}

/// What of a head decides the answer.
#[derive(Debug, Clone, Copy)]
struct Asked {
    keep: bool,
    is_head: bool,
}

/// The templates, by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
enum Page {
    Keep,
    Close,
    HeadKeep,
    HeadClose,
    Continue,
    BadRequest,
    HeadTooLong,
    Failure,
    FailureClose,
}

/// The page repeats this, so that the smallest usual one is a line.
const PATTERN: &[u8; 64] = b"onrush 0123456789 ABCDEFGHIJKLMNOPQRSTUVWXYZ abcdefghijklmnopqr\n";

impl Target for Http {
    type Conn = Conn;
    const OWED_MAX: usize = 64;
    const SCRATCH_BYTES: usize = 0;

    fn templates(&self) -> Vec<Vec<u8>> {
        let head = |keep| response_head(200, self.body_bytes as u64, keep);
        let page = |keep| {
            let mut page = head(keep);
            page.extend(PATTERN.iter().cycle().take(self.body_bytes));
            page
        };
        // In the order of `Page`.
        vec![
            page(true),
            page(false),
            head(true),
            head(false),
            b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(),
            response_head(400, 0, false),
            response_head(431, 0, false),
            response_head(500, 0, true),
            response_head(500, 0, false),
        ]
    }

    fn failure(&self, answer: Answer) -> Option<Answer> {
        let Bytes::Template(index) = answer.bytes else { return None };
        let of_request = [Page::Keep, Page::Close, Page::HeadKeep, Page::HeadClose];
        let page = match of_request.into_iter().find(|&page| page as u16 == index)? {
            Page::Keep | Page::HeadKeep => Page::Failure,
            _ => Page::FailureClose,
        };
        Some(Answer { bytes: Bytes::Template(page as u16), ..answer })
    }

    #[inline]
    fn hear(
        &self,
        conn: &mut Conn,
        bytes: &[u8],
        answers: &mut VecDeque<Answer>,
        served: &mut Served,
    ) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = match conn.awaits {
                Awaits::Head => self.hear_head(conn, rest, answers),
                Awaits::Body(asked, mut body) => {
                    let taken = body.take(rest);
                    conn.awaits = Awaits::Body(asked, body);
                    taken
                }
                Awaits::End => return linger(answers),
            };
            match taken {
                Ok(taken) => rest = &rest[taken..],
                Err(fault) => return refuse(conn, fault, answers, served),
            }
            if let Awaits::Body(asked, body) = conn.awaits
                && body.is_done()
            {
                served.requests += 1;
                answers.push_back(self.answer(conn, asked));
            }
        }
    }
}

impl Http {
    /// Takes what belongs to a head from the front of `bytes` and gives its length.
    fn hear_head(
        &self,
        conn: &mut Conn,
        bytes: &[u8],
        answers: &mut VecDeque<Answer>,
    ) -> Result<usize, Fault> {
        if conn.partial.is_empty()
            && let Some((length, head)) = parse_request_head(bytes)?
        {
            conn.awaits = begin(&head, length < bytes.len(), answers);
            return Ok(length);
        }
        let held = conn.partial.len();
        let room = HEAD_BYTES_MAX - held;
        conn.partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
        let Some((length, head)) = parse_request_head(&conn.partial)? else {
            return Ok(bytes.len());
        };
        conn.awaits = begin(&head, length - held < bytes.len(), answers);
        conn.partial.clear();
        Ok(length - held)
    }

    /// The answer to a whole request.
    fn answer(&self, conn: &mut Conn, asked: Asked) -> Answer {
        conn.answered += 1;
        let keep = asked.keep && self.close_after.is_none_or(|most| conn.answered < most);
        conn.awaits = if keep { Awaits::Head } else { Awaits::End };
        let (page, then) = match (asked.is_head, keep) {
            (false, true) => (Page::Keep, Then::Keep),
            (false, false) => (Page::Close, Then::Close),
            (true, true) => (Page::HeadKeep, Then::Keep),
            (true, false) => (Page::HeadClose, Then::Close),
        };
        Answer { bytes: Bytes::Template(page as u16), then }
    }
}

/// What comes after `head`. A client that waits for leave to send its body gets it, unless the
/// body is on its way already.
fn begin(head: &RequestHead<'_>, has_more: bool, answers: &mut VecDeque<Answer>) -> Awaits {
    if head.expects_continue && !head.body.is_done() && !has_more {
        let bytes = Bytes::Template(Page::Continue as u16);
        answers.push_back(Answer { bytes, then: Then::Keep });
    }
    Awaits::Body(Asked { keep: head.keep, is_head: head.method == "HEAD" }, head.body)
}

/// Answers what is no request, and reads no more.
#[cold]
fn refuse(conn: &mut Conn, fault: Fault, answers: &mut VecDeque<Answer>, served: &mut Served) {
    let page = match fault {
        Fault::HeadTooLong => Page::HeadTooLong,
        Fault::Head | Fault::Length | Fault::Chunk => Page::BadRequest,
    };
    conn.awaits = Awaits::End;
    conn.partial = Vec::new();
    served.bad_requests += 1;
    answers.push_back(Answer { bytes: Bytes::Template(page as u16), then: Then::Linger });
}

/// More comes behind the request whose answer is the last.
#[cold]
fn linger(answers: &mut VecDeque<Answer>) {
    if let Some(last) = answers.back_mut() {
        last.then = Then::Linger;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Page::*;

    const PLAIN: Http = Http { body_bytes: 5, close_after: None };

    /// The pages that `pieces` are answered with, and how the connection ends.
    fn answers(http: &Http, pieces: &[&[u8]]) -> (Vec<u16>, Then, Served) {
        let (mut conn, mut answers, mut served) = Default::default();
        for piece in pieces {
            http.hear(&mut conn, piece, &mut answers, &mut served);
        }
        let last = answers.back().map_or(Then::Keep, |last: &Answer| last.then);
        let pages = answers.iter().map(|answer| match answer.bytes {
            Bytes::Template(index) => index,
            Bytes::Echo(_) | Bytes::Nothing => unreachable!("HTTP has pages"),
        });
        (pages.collect(), last, served)
    }

    #[track_caller]
    fn check(text: &str, pages: &[Page], then: Then) {
        let bytes = text.replace('\n', "\r\n").into_bytes();
        let expect: Vec<u16> = pages.iter().map(|&page| page as u16).collect();
        let whole = answers(&PLAIN, &[&bytes]);
        assert_eq!((&whole.0, whole.1), (&expect, then), "{text}");
        for at in 0..=bytes.len() {
            let (front, back) = bytes.split_at(at);
            let (found, _, served) = answers(&PLAIN, &[front, back]);
            // Whether more is on its way when an answer is chosen depends on the split.
            assert_eq!((found, served), (expect.clone(), whole.2), "{text} split at {at}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(answers(&PLAIN, &single).0, expect, "{text} byte by byte");
    }

    #[test]
    fn a_connection_is_kept_or_closed_as_http_says_however_it_is_split() {
        check("GET / HTTP/1.1\nHost: x\n\n", &[Keep], Then::Keep);
        check("GET / HTTP/1.0\n\n", &[Close], Then::Close);
        check("GET / HTTP/1.0\nConnection: keep-alive\n\n", &[Keep], Then::Keep);
        check("GET / HTTP/1.1\nConnection: close\n\n", &[Close], Then::Close);
        check("HEAD / HTTP/1.1\n\n", &[HeadKeep], Then::Keep);
        check("HEAD / HTTP/1.0\n\n", &[HeadClose], Then::Close);
    }

    #[test]
    fn pipelined_requests_are_answered_in_order_up_to_the_last() {
        let get = "GET / HTTP/1.1\n\n";
        let head = "HEAD / HTTP/1.1\n\n";
        check(&format!("{get}{head}{get}"), &[Keep, HeadKeep, Keep], Then::Keep);
        let last = "GET / HTTP/1.0\n\n";
        check(&format!("{get}{last}{get}"), &[Keep, Close], Then::Linger);
    }

    #[test]
    fn a_body_is_taken_before_the_next_head() {
        let get = "GET / HTTP/1.1\n\n";
        let post = "POST / HTTP/1.1\nContent-Length: 5\n\nhello";
        check(&format!("{post}{get}"), &[Keep, Keep], Then::Keep);
        let chunked =
            "POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n5\nhello\n2;x\nab\n0\nA: b\n\n";
        check(&format!("{chunked}{get}"), &[Keep, Keep], Then::Keep);
        check("POST / HTTP/1.1\nContent-Length: 5\n\nhell", &[], Then::Keep);
    }

    #[test]
    fn what_is_no_request_is_refused_and_nothing_after_it_is_read() {
        check("nonsense\n\nGET / HTTP/1.1\n\n", &[BadRequest], Then::Linger);
        check("GET / HTTP/1.1\n\n\0", &[Keep, BadRequest], Then::Linger);
        let chunk = "POST / HTTP/1.1\nTransfer-Encoding: chunked\n\nx\nGET / HTTP/1.1\n\n";
        check(chunk, &[BadRequest], Then::Linger);
        let (_, _, served) = answers(&PLAIN, &[b"nonsense\r\n\r\nGET / HTTP/1.1\r\n\r\n"]);
        assert_eq!((served.requests, served.bad_requests), (0, 1));
    }

    #[test]
    fn a_head_without_end_is_refused_where_it_is_too_long_however_it_comes() {
        let endless = [b"GET /".as_slice(), &[b'x'; HEAD_BYTES_MAX]].concat();
        for size in [1000, HEAD_BYTES_MAX - 1, HEAD_BYTES_MAX, endless.len()] {
            let pieces: Vec<&[u8]> = endless.chunks(size).collect();
            let (pages, then, served) = answers(&PLAIN, &pieces);
            assert_eq!((pages, then), (vec![HeadTooLong as u16], Then::Linger), "{size}");
            assert_eq!(served.bad_requests, 1);
        }
    }

    #[test]
    fn leave_to_send_a_body_is_given_where_it_is_waited_for() {
        let head = b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
        let (pages, _, served) = answers(&PLAIN, &[head, b"hello"]);
        assert_eq!((pages, served.requests), (vec![Continue as u16, Keep as u16], 1));
        let whole = [head.as_slice(), b"hello"].concat();
        assert_eq!(answers(&PLAIN, &[&whole]).0, [Keep as u16]);
    }

    #[test]
    fn the_answer_that_was_named_is_the_last() {
        let http = Http { close_after: Some(2), ..PLAIN };
        let get = b"GET / HTTP/1.1\r\n\r\n";
        let (pages, then, _) = answers(&http, &[get, get]);
        assert_eq!((pages, then), (vec![Keep as u16, Close as u16], Then::Close));
        let (pages, then, served) = answers(&http, &[get, get, get]);
        assert_eq!((pages, then), (vec![Keep as u16, Close as u16], Then::Linger));
        assert_eq!(served.requests, 2);
    }

    #[test]
    fn only_the_answer_to_a_request_can_say_that_it_failed() {
        for (page, failure) in [
            (Keep, Some(Failure)),
            (HeadKeep, Some(Failure)),
            (Close, Some(FailureClose)),
            (HeadClose, Some(FailureClose)),
            (Continue, None),
            (BadRequest, None),
            (HeadTooLong, None),
        ] {
            let of = |page| Answer { bytes: Bytes::Template(page as u16), then: Then::Close };
            assert_eq!(PLAIN.failure(of(page)), failure.map(of), "{page:?}");
        }
    }

    #[test]
    fn the_pages_are_in_their_order_and_of_their_size() {
        let templates = Http { body_bytes: 100, ..PLAIN }.templates();
        let (head, page) = (&templates[HeadKeep as usize], &templates[Keep as usize]);
        assert_eq!(page.len(), head.len() + 100);
        assert!(page.starts_with(head) && page[head.len()..].starts_with(PATTERN));
        for (page, starts) in [
            (Close, "HTTP/1.1 200 "),
            (Continue, "HTTP/1.1 100 "),
            (BadRequest, "HTTP/1.1 400 "),
            (HeadTooLong, "HTTP/1.1 431 "),
            (Failure, "HTTP/1.1 500 "),
            (FailureClose, "HTTP/1.1 500 "),
        ] {
            assert!(templates[page as usize].starts_with(starts.as_bytes()), "{page:?}");
        }
    }
}
