//! The example of the programming interface reads every kind of reply, however it comes.

#[path = "../docs/examples/redis.rs"]
#[allow(dead_code, reason = "the example's own `main` is not called from here")]
mod redis;

use onrush::protocol::{Answer, Fault, Outgoing, Progress, Protocol};
use onrush::unit::Instant;

use redis::Redis;

/// `reply` byte by byte, cut once anywhere, and in one piece with `surplus` behind it.
#[track_caller]
fn check(reply: &str, expect: Result<bool, Fault>) {
    let surplus = "+surplus\r\n";
    let bytes = [reply, surplus].concat();
    for cut in 0..reply.len() {
        for step in [1, bytes.len()] {
            let (first, last) = bytes.as_bytes().split_at(cut);
            let (progress, consumed) = receive(first.chunks(step).chain([last]));
            match (progress, expect) {
                (Progress::Done(answer), Ok(expected)) => {
                    assert_eq!(answer.expected, expected, "{reply:?} cut at {cut}");
                    assert!(answer.reusable && answer.status == 0);
                    assert_eq!(consumed, reply.len(), "{reply:?} cut at {cut}");
                }
                (Progress::Broken(fault), Err(expected)) => assert_eq!(fault, expected),
                (progress, _) => panic!("{reply:?} cut at {cut}: {progress:?}"),
            }
        }
    }
}

fn receive<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Progress, usize) {
    let mut conn = Redis.open(0);
    Redis.request(&mut conn, &mut []);
    let mut consumed = 0;
    for piece in pieces {
        match Redis.receive(&mut conn, piece, Instant::ZERO) {
            Progress::Pending => consumed += piece.len(),
            Progress::Done(answer) => return (Progress::Done(answer), consumed + answer.consumed),
            broken => return (broken, consumed),
        }
    }
    (Progress::Pending, consumed)
}

#[test]
fn every_reply_is_whole_at_its_last_byte() {
    check("+PONG\r\n", Ok(true));
    check("+\r\n", Ok(true));
    check(":-42\r\n", Ok(true));
    check("$5\r\nhello\r\n", Ok(true));
    check("$12\r\n+OK\r\n$3\r\nabc\r\n", Ok(true));
    check("$0\r\n\r\n", Ok(true));
    check("$-1\r\n", Ok(true));
}

#[test]
fn an_error_is_an_answer_that_was_not_expected() {
    check("-NOAUTH Authentication required.\r\n", Ok(false));
}

#[test]
fn what_is_no_reply_breaks_the_connection() {
    check("HTTP/1.1 400 Bad Request\r\n", Err(Fault::BadHead));
    check("\r\n", Err(Fault::BadHead));
    check("$5x\r\n", Err(Fault::BadLength));
    check("$99999999999999999999\r\n", Err(Fault::BadLength));
}

#[test]
fn requests_take_turns_and_start_over() {
    let templates = Redis.templates();
    let mut conn = Redis.open(0);
    for expect in ["PING", "SET", "GET", "PING"] {
        let Outgoing::Template(index) = Redis.request(&mut conn, &mut []) else {
            panic!("all requests are templates");
        };
        let text = String::from_utf8(templates[usize::from(index)].clone()).unwrap();
        assert!(text.contains(expect), "{text}");
        let answer = Answer { status: 0, expected: true, reusable: true, consumed: 5 };
        let progress = Redis.receive(&mut conn, b"+OK\r\n", Instant::ZERO);
        assert_eq!(progress, Progress::Done(answer));
    }
}
