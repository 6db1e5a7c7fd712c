//! The kernel's rings as one [`Queue`].
//!
//! A ring's file table holds at most RLIMIT_NOFILE direct descriptors, and the limit is of each
//! table, not of the process: where a shard has more connections than that, it drives as many
//! rings as it needs. Slot s lives on ring `s / per_ring`; for all others there is one ring.

use super::{Completion, Kind, Op, Queue, QueueCounters, QueueError, Token, Wait};
use crate::sys::resource;
use crate::sys::uring::{Level, Setup, SetupError, Uring};
use crate::unit::Nanos;

/// Rings of a shard at most.
const RINGS_MAX: u32 = 1024;

/// With several rings, a wait in one does not see completions of the others: it is no longer than
/// this.
const DEAF_MAX: Nanos = Nanos::from_micros(100);

/// The kernel's rings as one [`Queue`].
#[derive(Debug)]
pub struct UringQueue {
    rings: Vec<Uring>,
    /// Slots of a ring as a power of two: slot >> shift is the ring, the rest its own slot.
    shift: u32,
    /// The ring to be reaped, and waited for, next.
    turn: usize,
    operations: u64,
}

impl UringQueue {
    /// Rings for the calling thread alone, as many as `setup.slots` need.
    ///
    /// # Errors
    /// As [`Uring::open`].
    pub fn open(setup: &Setup) -> Result<Self, SetupError> {
        let limit = resource::file_limit().map_or(u64::MAX, |limit| limit.soft);
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        Self::open_within(setup, limit)
    }

    /// As [`UringQueue::open`], with at most `limit` slots on a ring.
    fn open_within(setup: &Setup, limit: u32) -> Result<Self, SetupError> {
        let shift = if setup.slots <= limit { u32::BITS - 1 } else { limit.max(1).ilog2() };
        let per_ring = 1 << shift;
        let count = setup.slots.div_ceil(per_ring).max(1);
        if count > RINGS_MAX {
            return Err(SetupError::too_many_slots(setup.slots));
        }
        let slots = |ring: u32| setup.slots.saturating_sub(ring * per_ring).min(per_ring);
        let ring = |ring| Uring::open(&Setup { slots: slots(ring), ..setup.clone() });
        let rings = (0..count).map(ring).collect::<Result<_, _>>()?;
        Ok(Self { rings, shift, turn: 0, operations: 0 })
    }

    /// The step of the feature ladder that it runs on.
    pub fn level(&self) -> Level {
        self.rings[0].level()
    }

    #[inline]
    fn ring_of(&mut self, slot: u32) -> (&mut Uring, u32) {
        (&mut self.rings[(slot >> self.shift) as usize], slot & ((1 << self.shift) - 1))
    }

    /// Waits in one ring, unless any of them has something to tell.
    fn wait(&mut self, want: u32, timeout: Nanos) -> Result<(), i32> {
        if let [ring] = &mut self.rings[..] {
            return ring.submit_and_wait(want, timeout);
        }
        self.poll()?;
        if self.rings.iter_mut().any(Uring::has_completions) {
            return Ok(());
        }
        let turn = self.turn;
        self.rings[turn].submit_and_wait(1, timeout.min(DEAF_MAX))
    }

    #[inline]
    fn poll(&mut self) -> Result<(), i32> {
        self.rings.iter_mut().try_for_each(Uring::submit)
    }
}

impl Queue for UringQueue {
    #[inline]
    fn room(&mut self) -> usize {
        self.rings.iter().map(Uring::room).min().unwrap_or(0)
    }

    #[inline]
    fn push(&mut self, op: Op, token: Token) {
        self.operations += 1;
        let named = |kind| token.of(kind).to_bits();
        let (ring, slot) = self.ring_of(token.slot());
        match op {
            Op::Open { source, port } => {
                let names = [named(Kind::Socket), named(Kind::Option), named(Kind::Bind)];
                ring.open_socket(slot, source, port, names);
            }
            Op::Connect => ring.connect(slot, named(Kind::Connect)),
            Op::Disconnect => ring.disconnect(slot, named(Kind::Disconnect)),
            Op::SendTemplate(index) => ring.send_template(slot, index, named(Kind::Send)),
            Op::SendLarge(index) => ring.send_template_told(slot, index, named(Kind::Send)),
            Op::SendScratch(length) => ring.send_scratch(slot, length, named(Kind::Send)),
            Op::SendScratchTold(length) => {
                ring.send_scratch_told(slot, length, named(Kind::Send));
            }
            Op::Receive => ring.receive(slot, named(Kind::Receive)),
            Op::ReceiveMany => ring.receive_many(slot, named(Kind::Receive)),
            Op::Cancel(kind) => ring.cancel(named(kind), named(Kind::Cancel)),
            Op::Close => ring.close(slot, named(Kind::Close)),
        }
    }

    #[inline]
    fn submit(&mut self, wait: Wait) -> Result<(), QueueError> {
        match wait {
            Wait::Poll => self.poll(),
            Wait::For(want, timeout) => self.wait(want, timeout),
        }
        .map_err(QueueError)
    }

    #[inline]
    fn reap(&mut self, out: &mut [Completion]) -> usize {
        let mut count = 0;
        for _ in 0..self.rings.len() {
            count += self.rings[self.turn].reap_as(&mut out[count..], |raw| Completion {
                token: Token::from_bits(raw.user_data),
                result: raw.result,
                more: raw.more,
                buffer: raw.buffer,
            });
            if count == out.len() {
                // The rest is reaped first in the next call.
                break;
            }
            self.turn = (self.turn + 1) % self.rings.len();
        }
        count
    }

    #[inline]
    fn bytes(&self, completion: &Completion) -> &[u8] {
        let ring = &self.rings[(completion.token.slot() >> self.shift) as usize];
        completion.buffer.map_or(&[], |buffer| ring.bytes(buffer))
    }

    #[inline]
    fn release(&mut self, completion: &Completion) {
        if let Some(buffer) = completion.buffer {
            self.ring_of(completion.token.slot()).0.release(buffer);
        }
    }

    #[inline]
    fn scratch(&mut self, slot: u32) -> &mut [u8] {
        let (ring, slot) = self.ring_of(slot);
        ring.scratch(slot)
    }

    fn counters(&mut self) -> QueueCounters {
        QueueCounters {
            enters: self.rings.iter().map(Uring::enters).sum(),
            operations: self.operations,
            overflows: self.rings.iter_mut().map(Uring::overflows).sum(),
        }
    }
}

/// Makes rings for `slots` connections and lets them go: what a run would meet.
///
/// # Errors
/// As [`UringQueue::open`].
pub fn trial(slots: u32) -> Result<Level, SetupError> {
    let nobody = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let setup = Setup {
        slots,
        templates: vec![],
        scratch_bytes: 0,
        buffers: 1,
        buffer_bytes: 4096,
        sources: vec![],
        peer: nobody,
        datagrams: false,
        reset_on_close: false,
        sqpoll: None,
        lowest_step: 0,
    };
    UringQueue::open(&setup).map(|queue| queue.level())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener, UdpSocket};
    use std::time::Duration;

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
            datagrams: false,
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
        queue.push(Op::Cancel(Kind::Receive), token);
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

    /// What is asked at one address may be answered from another.
    #[test]
    fn datagrams_go_to_the_peer_and_come_from_anybody_on_every_step_of_the_ladder() {
        for lowest_step in 0..=4 {
            let bind = || UdpSocket::bind("127.0.0.1:0").unwrap();
            let (peer, other) = (bind(), bind());
            peer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            let plan = setup(peer.local_addr().unwrap(), lowest_step);
            let mut queue = UringQueue::open(&Setup { datagrams: true, ..plan }).unwrap();
            let token = Token::new(3, 1);
            queue.push(Op::Open { source: 0, port: 0 }, token);
            assert_eq!(pump(&mut queue, 1)[0].result, 0, "step {lowest_step}");
            queue.push(Op::ReceiveMany, token);
            for text in [b"one", b"two"] {
                queue.scratch(3)[..3].copy_from_slice(text);
                queue.push(Op::SendScratchTold(3), token);
                let sent = pump(&mut queue, 1);
                assert_eq!((sent[0].token, sent[0].result), (token.of(Kind::Send), 3));
                let mut bytes = [0; 8];
                let (length, from) = peer.recv_from(&mut bytes).unwrap();
                assert_eq!(&bytes[..length], text);
                other.send_to(text, from).unwrap();
                let came = pump(&mut queue, 1)[0];
                assert_eq!((came.token, came.more), (token.of(Kind::Receive), true));
                assert_eq!(queue.bytes(&came), text);
                queue.release(&came);
            }
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
    fn a_cancel_finds_one_kind_of_one_generation() {
        // The kernel takes the connection, and nobody ever reads from it.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = listener.local_addr().unwrap();
        let templates = vec![vec![0; 64 << 20]];
        let mut queue = UringQueue::open(&Setup { templates, ..setup(peer, 0) }).unwrap();
        let token = Token::new(3, 1);
        queue.push(Op::Open { source: 0, port: 0 }, token);
        pump(&mut queue, 1);
        queue.push(Op::Connect, token);
        assert_eq!(pump(&mut queue, 1)[0].result, 0);
        queue.push(Op::ReceiveMany, token);
        queue.push(Op::SendLarge(0), token);
        queue.push(Op::Cancel(Kind::Send), Token::new(3, 2));
        queue.push(Op::Cancel(Kind::Send), Token::new(2, 1));
        queue.push(Op::Cancel(Kind::Connect), token);
        queue.submit(Wait::For(1, Nanos::from_millis(50))).unwrap();
        assert_eq!(queue.reap(&mut [Completion::NONE; 8]), 0, "what was meant is not there");
        for kind in [Kind::Send, Kind::Receive] {
            queue.push(Op::Cancel(kind), token);
            let ended = pump(&mut queue, 1);
            assert_eq!(ended.len(), 1, "{ended:?}");
            assert_eq!(ended[0].token, token.of(kind));
        }
    }

    #[test]
    fn more_slots_than_a_ring_holds_live_on_several() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = listener.local_addr().unwrap();
        let mut queue = UringQueue::open_within(&Setup { slots: 11, ..setup(peer, 0) }, 5).unwrap();
        assert_eq!(queue.rings.len(), 3);
        for slot in 0..11 {
            queue.push(Op::Open { source: 0, port: 0 }, Token::new(slot, 1));
        }
        let bound = pump(&mut queue, 11);
        let mut slots: Vec<u32> = bound.iter().map(|c| c.token.slot()).collect();
        slots.sort_unstable();
        assert_eq!(slots, (0..11).collect::<Vec<_>>());
        assert!(bound.iter().all(|c| c.result == 0), "{bound:?}");
        for slot in 0..11 {
            queue.push(Op::Connect, Token::new(slot, 1));
        }
        let connected = pump(&mut queue, 11);
        assert!(connected.iter().all(|c| c.result == 0), "{connected:?}");
    }

    #[test]
    fn more_slots_than_rings_allow_is_said_with_its_cure() {
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        let many = Setup { slots: 1 << 20, ..setup(peer, 0) };
        let error = UringQueue::open_within(&many, 64).unwrap_err();
        assert!(error.to_string().contains("RLIMIT_NOFILE"), "{error}");
    }
}
