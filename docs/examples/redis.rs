//! Redis as a protocol of its own: PING, SET and GET in turn on every connection.

use std::process::ExitCode;

use onrush::protocol::{Answer, Fault, Outgoing, Progress, Protocol};
use onrush::unit::Instant;

/// The requests, as RESP has them; all of them are templates.
const REQUESTS: [&str; 3] = [
    "*1\r\n$4\r\nPING\r\n",
    "*3\r\n$3\r\nSET\r\n$6\r\nonrush\r\n$5\r\nhello\r\n",
    "*2\r\n$3\r\nGET\r\n$6\r\nonrush\r\n",
];

pub(crate) struct Redis;

/// A connection: whose turn it is, and how far the reply has come.
pub(crate) struct Conn {
    turn: usize,
    reply: Reply,
}

#[derive(Clone, Copy)]
enum Reply {
    /// Nothing has come. The first byte is the type.
    Type,
    /// `+text`, `-text` or `:number`, up to the end of the line.
    Line { is_error: bool },
    /// `$length`: the digits so far, or `None` for the `-1` of a key that is not there.
    Length(Option<u64>),
    /// The bulk string itself and its line end: bytes still to come.
    Bulk(u64),
}

impl Protocol for Redis {
    type Conn = Conn;

    fn templates(&self) -> Vec<Vec<u8>> {
        REQUESTS.iter().map(|request| request.as_bytes().to_vec()).collect()
    }

    fn open(&mut self, _slot: u32) -> Conn {
        Conn { turn: 0, reply: Reply::Type }
    }

    fn request(&mut self, conn: &mut Conn, _scratch: &mut [u8]) -> Outgoing {
        let template = conn.turn;
        *conn = Conn { turn: (template + 1) % REQUESTS.len(), reply: Reply::Type };
        Outgoing::Template(template as u16)
    }

    fn receive(&mut self, conn: &mut Conn, bytes: &[u8], _now: Instant) -> Progress {
        for (at, &byte) in bytes.iter().enumerate() {
            conn.reply = match (conn.reply, byte) {
                (Reply::Type, b'+' | b':' | b'-') => Reply::Line { is_error: byte == b'-' },
                (Reply::Line { is_error }, b'\n') => return done(!is_error, at + 1),
                (Reply::Line { is_error }, _) => Reply::Line { is_error },
                (Reply::Type, b'$') => Reply::Length(Some(0)),
                (Reply::Length(Some(0)), b'-') => Reply::Length(None),
                (Reply::Length(None), b'1') => Reply::Length(None),
                (Reply::Length(Some(length)), b'0'..=b'9') if length < 1 << 32 => {
                    Reply::Length(Some(length * 10 + u64::from(byte - b'0')))
                }
                (Reply::Length(length), b'\r') => Reply::Length(length),
                (Reply::Length(None), b'\n') => return done(true, at + 1),
                (Reply::Length(Some(length)), b'\n') => Reply::Bulk(length + 2),
                (Reply::Length(_), _) => return Progress::Broken(Fault::BadLength),
                (Reply::Bulk(1), _) => return done(true, at + 1),
                (Reply::Bulk(left), _) => Reply::Bulk(left - 1),
                (Reply::Type, _) => return Progress::Broken(Fault::BadHead),
            };
        }
        Progress::Pending
    }
}

fn done(expected: bool, consumed: usize) -> Progress {
    Progress::Done(Answer { status: 0, expected, reusable: true, consumed })
}

fn main() -> ExitCode {
    onrush::cli::speak(std::env::args_os().skip(1), |_connections| Redis).into()
}
