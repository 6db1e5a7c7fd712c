//! The kernel's ring as a [`Queue`].

use super::{Completion, Kind, Op, Queue, QueueCounters, QueueError, Token, Wait};
use crate::sys::uring::{Level, Setup, SetupError, Uring};

/// The kernel's ring as a [`Queue`].
#[derive(Debug)]
pub struct UringQueue {
    ring: Uring,
    operations: u64,
}

impl UringQueue {
    /// A ring for the calling thread alone.
    ///
    /// # Errors
    /// As [`Uring::open`].
    pub fn open(setup: &Setup) -> Result<Self, SetupError> {
        Ok(Self { ring: Uring::open(setup)?, operations: 0 })
    }

    /// The step of the feature ladder that it runs on.
    pub fn level(&self) -> Level {
        self.ring.level()
    }
}

impl Queue for UringQueue {
    #[inline]
    fn room(&mut self) -> usize {
        self.ring.room()
    }

    #[inline]
    fn push(&mut self, op: Op, token: Token) {
        self.operations += 1;
        let slot = token.slot();
        let named = |kind| token.of(kind).to_bits();
        match op {
            Op::Open { source, port } => {
                let names = [named(Kind::Socket), named(Kind::Option), named(Kind::Bind)];
                self.ring.open_socket(slot, source, port, names);
            }
            Op::Connect => self.ring.connect(slot, named(Kind::Connect)),
            Op::Disconnect => self.ring.disconnect(slot, named(Kind::Disconnect)),
            Op::SendTemplate(index) => self.ring.send_template(slot, index, named(Kind::Send)),
            Op::SendLarge(index) => self.ring.send_template_told(slot, index, named(Kind::Send)),
            Op::SendScratch(length) => self.ring.send_scratch(slot, length, named(Kind::Send)),
            Op::Receive => self.ring.receive(slot, named(Kind::Receive)),
            Op::ReceiveMany => self.ring.receive_many(slot, named(Kind::Receive)),
            Op::Cancel => self.ring.cancel(slot, named(Kind::Cancel)),
            Op::Close => self.ring.close(slot, named(Kind::Close)),
        }
    }

    #[inline]
    fn submit(&mut self, wait: Wait) -> Result<(), QueueError> {
        match wait {
            Wait::Poll => self.ring.submit(),
            Wait::For(want, timeout) => self.ring.submit_and_wait(want, timeout),
        }
        .map_err(QueueError)
    }

    #[inline]
    fn reap(&mut self, out: &mut [Completion]) -> usize {
        self.ring.reap_as(out, |raw| Completion {
            token: Token::from_bits(raw.user_data),
            result: raw.result,
            more: raw.more,
            buffer: raw.buffer,
        })
    }

    #[inline]
    fn bytes(&self, completion: &Completion) -> &[u8] {
        completion.buffer.map_or(&[], |buffer| self.ring.bytes(buffer))
    }

    #[inline]
    fn release(&mut self, completion: &Completion) {
        if let Some(buffer) = completion.buffer {
            self.ring.release(buffer);
        }
    }

    #[inline]
    fn scratch(&mut self, slot: u32) -> &mut [u8] {
        self.ring.scratch(slot)
    }

    fn counters(&mut self) -> QueueCounters {
        QueueCounters {
            enters: self.ring.enters(),
            operations: self.operations,
            overflows: self.ring.overflows(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener};

    use super::*;
    use crate::unit::Nanos;

    fn setup(peer: SocketAddr, lowest_step: usize) -> Setup {
        Setup {
            slots: 4,
            templates: vec![b"ping".to_vec()],
            scratch_bytes: 16,
            buffers: 4,
            buffer_bytes: 64,
            sources: vec![peer.ip()],
            peer,
            reset_on_close: false,
            sqpoll: None,
            lowest_step,
        }
    }

    /// Pumps the queue until `count` completions came, or some seconds are over.
    fn pump(queue: &mut UringQueue, count: usize) -> Vec<Completion> {
        let mut all = Vec::new();
        for _ in 0..200 {
            queue.submit(Wait::For(1, Nanos::from_millis(50))).unwrap();
            let mut batch = [Completion::NONE; 8];
            let reaped = queue.reap(&mut batch);
            all.extend_from_slice(&batch[..reaped]);
            if all.len() >= count {
                break;
            }
        }
        all
    }

    fn echoes_on(lowest_step: usize) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, from) = listener.accept().unwrap();
            let mut bytes = [0; 8];
            stream.read_exact(&mut bytes).unwrap();
            stream.write_all(&bytes).unwrap();
            let _ = stream.read(&mut bytes);
            from
        });
        let mut queue = UringQueue::open(&setup(peer, lowest_step)).unwrap();
        let token = Token::new(2, 7);
        let port =
            20_000 + u16::try_from(std::process::id() % 20_000).unwrap() + lowest_step as u16;
        queue.push(Op::Open { source: 0, port }, token);
        let opened = pump(&mut queue, 1);
        assert_eq!((opened[0].token, opened[0].result), (token.of(Kind::Bind), 0));
        queue.push(Op::Connect, token);
        queue.push(Op::SendTemplate(0), token);
        queue.scratch(2)[..4].copy_from_slice(b"pong");
        queue.push(Op::SendScratch(4), token);
        queue.push(Op::ReceiveMany, token);
        let mut heard = Vec::new();
        while heard.len() < 8 {
            let came = pump(&mut queue, 1);
            assert!(!came.is_empty(), "nothing came after {heard:?}");
            for completion in came {
                assert!(completion.result >= 0, "{completion:?}");
                heard.extend_from_slice(queue.bytes(&completion));
                queue.release(&completion);
                assert!(queue.bytes(&completion).is_empty(), "a released buffer is not readable");
                queue.release(&completion);
            }
        }
        assert_eq!(heard, b"pingpong");
        queue.push(Op::Cancel, token);
        queue.push(Op::Close, token);
        let ended = pump(&mut queue, 1);
        assert_eq!(ended[0].token, token.of(Kind::Receive));
        assert_eq!(server.join().unwrap().port(), port);
        assert_eq!(queue.counters().overflows, 0);
    }

    #[test]
    fn a_request_goes_out_and_comes_back_on_every_step_of_the_ladder() {
        for lowest_step in 0..=4 {
            echoes_on(lowest_step);
        }
    }

    #[test]
    fn a_slot_closed_and_opened_in_one_batch_is_open_on_every_step_of_the_ladder() {
        for lowest_step in 0..=4 {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let peer = listener.local_addr().unwrap();
            let mut queue = UringQueue::open(&setup(peer, lowest_step)).unwrap();
            for generation in 0..3 {
                let token = Token::new(1, generation);
                if generation > 0 {
                    queue.push(Op::Close, Token::new(1, generation - 1));
                }
                queue.push(Op::Open { source: 0, port: 0 }, token);
                let opened = pump(&mut queue, 1);
                assert_eq!((opened[0].token, opened[0].result), (token.of(Kind::Bind), 0));
                queue.push(Op::Connect, token);
                let connected = pump(&mut queue, 1);
                assert_eq!(connected[0].result, 0, "step {lowest_step}, open {generation}");
            }
        }
    }

    #[test]
    fn a_refused_connection_names_its_error_first() {
        let peer = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut queue = UringQueue::open(&setup(peer, 0)).unwrap();
        let token = Token::new(0, 1);
        queue.push(Op::Open { source: 0, port: 0 }, token);
        pump(&mut queue, 1);
        queue.push(Op::Connect, token);
        queue.push(Op::SendTemplate(0), token);
        queue.push(Op::Receive, token);
        let failed = pump(&mut queue, 3);
        assert_eq!(failed.len(), 3, "{failed:?}");
        assert_eq!(failed[0].result, -111, "{failed:?}");
    }

    #[test]
    fn more_slots_than_the_limit_allows_is_said_with_its_cure() {
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        let error = UringQueue::open(&Setup { slots: 1 << 20, ..setup(peer, 0) }).unwrap_err();
        assert!(error.to_string().contains("RLIMIT_NOFILE"), "{error}");
    }
}
