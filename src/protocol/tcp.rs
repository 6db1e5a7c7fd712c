//! `tcp://`: so many bytes there, so many back.

use super::{Answer, Outgoing, Progress, Protocol};
use crate::plan::RequestPlan;
use crate::unit::Instant;

/// Requests of a fixed size, each answered by a fixed number of bytes, whatever they are.
#[derive(Debug, Clone)]
pub struct Tcp {
    request: Vec<u8>,
    expect_bytes: u64,
}

/// A connection: the bytes of the answer that are still to come.
#[derive(Debug, Clone, Copy)]
pub struct TcpConn {
    left: u64,
}

/// What a request is filled with: printable, so that a packet capture reads as ours.
const FILL: u8 = b'x';

impl Tcp {
    /// Requests of `send_bytes`, answers of `expect_bytes`.
    ///
    /// # Panics
    /// Either is 0 (a plan refuses that), or `send_bytes` exceeds the memory.
    pub fn new(request: &RequestPlan) -> Self {
        assert!(request.send_bytes > 0 && request.expect_bytes > 0, "a tcp exchange of no bytes");
        let send_bytes = usize::try_from(request.send_bytes).expect("a request fits the memory");
        Self { request: vec![FILL; send_bytes], expect_bytes: request.expect_bytes }
    }
}

impl Protocol for Tcp {
    type Conn = TcpConn;

    fn templates(&self) -> Vec<Vec<u8>> {
        vec![self.request.clone()]
    }

    fn open(&mut self, _slot: u32) -> TcpConn {
        TcpConn { left: 0 }
    }

    fn request(&mut self, conn: &mut TcpConn, _scratch: &mut [u8]) -> Outgoing {
        conn.left = self.expect_bytes;
        Outgoing::Template(0)
    }

    #[inline]
    fn receive(&mut self, conn: &mut TcpConn, bytes: &[u8], _now: Instant) -> Progress {
        let more = bytes.len() as u64;
        if more < conn.left {
            conn.left -= more;
            return Progress::Pending;
        }
        // At most bytes.len(), hence a usize.
        let consumed = conn.left as usize;
        conn.left = 0;
        Progress::Done(Answer { status: 0, expected: true, reusable: true, consumed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sample;

    fn tcp(send_bytes: u64, expect_bytes: u64) -> Tcp {
        Tcp::new(&RequestPlan { send_bytes, expect_bytes, ..sample::plan().request })
    }

    fn done(consumed: usize) -> Progress {
        Progress::Done(Answer { status: 0, expected: true, reusable: true, consumed })
    }

    #[test]
    fn an_answer_is_whole_at_its_last_byte_and_shows_what_is_beyond() {
        let mut tcp = tcp(3, 5);
        assert_eq!(tcp.templates(), [b"xxx"]);
        let mut conn = tcp.open(0);
        for _ in 0..2 {
            assert_eq!(tcp.request(&mut conn, &mut []), Outgoing::Template(0));
            assert_eq!(tcp.receive(&mut conn, b"abc", Instant::ZERO), Progress::Pending);
            assert_eq!(tcp.receive(&mut conn, b"defg", Instant::ZERO), done(2));
        }
    }

    #[test]
    fn an_answer_may_be_longer_than_any_memory() {
        let mut tcp = tcp(1, u64::MAX);
        let mut conn = tcp.open(0);
        tcp.request(&mut conn, &mut []);
        assert_eq!(tcp.receive(&mut conn, &[0; 100], Instant::ZERO), Progress::Pending);
        assert_eq!(conn.left, u64::MAX - 100);
        assert_eq!(tcp.end(&mut conn, Instant::ZERO), Progress::Pending);
    }
}
