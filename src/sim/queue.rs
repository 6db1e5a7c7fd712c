//! A queue without a kernel: operations become events, and time jumps to them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::SimClock;
use super::peer::{Deed, Peer};
use crate::clock::Clock;
use crate::ring::{Completion, Kind, Op, Queue, QueueCounters, QueueError, Token, Wait};
use crate::sys::errno::{ECANCELED, ECONNRESET, ENOTCONN};
use crate::unit::{Instant, Nanos};

/// What a pass of the loop costs in virtual time.
const PASS: Nanos = Nanos(500);

/// What a circuit sends at a time.
const SCRATCH_BYTES: usize = 32 << 10;

pub(super) struct SimQueue<P> {
    clock: SimClock,
    peer: P,
    sockets: Vec<Socket>,
    events: BinaryHeap<Reverse<(Instant, u64, u32, u32)>>,
    deeds: Vec<Deed>,
    ready: VecDeque<Completion>,
    buffers: Vec<Vec<u8>>,
    scratch: Vec<Vec<u8>>,
    counters: QueueCounters,
    on_time: Box<dyn FnMut(Instant)>,
}

#[derive(Default)]
struct Socket {
    /// Grows with each close, so that deeds to an old connection miss the new one.
    life: u32,
    connected: bool,
    error: i32,
    connect: Option<Token>,
    receive: Option<(Token, bool)>,
    unsent: Option<Token>,
    came: VecDeque<Result<Vec<u8>, i32>>,
}

impl<P: Peer> SimQueue<P> {
    pub(super) fn new(clock: SimClock, slots: u32, peer: P) -> Self {
        Self {
            clock,
            peer,
            sockets: (0..slots).map(|_| Socket::default()).collect(),
            events: BinaryHeap::new(),
            deeds: Vec::new(),
            ready: VecDeque::new(),
            buffers: Vec::new(),
            scratch: (0..slots).map(|_| vec![0; SCRATCH_BYTES]).collect(),
            counters: QueueCounters::default(),
            on_time: Box::new(|_| {}),
        }
    }

    /// Calls `hook` at each submit.
    pub(super) fn on_time(&mut self, hook: impl FnMut(Instant) + 'static) {
        self.on_time = Box::new(hook);
    }

    fn complete(&mut self, token: Token, result: i32) {
        self.ready.push_back(Completion { token, result, more: false, buffer: None });
    }

    fn plan_deed(&mut self, slot: u32, at: Instant, deed: Deed) {
        let life = self.sockets[slot as usize].life;
        self.events.push(Reverse((at, self.deeds.len() as u64, slot, life)));
        self.deeds.push(deed);
    }

    fn connect(&mut self, slot: u32, token: Token) {
        let (at, errno) = self.peer.connect(self.clock.now());
        let socket = &mut self.sockets[slot as usize];
        socket.connect = Some(token);
        socket.error = errno;
        self.plan_deed(slot, at, Deed::Bytes(at, b""));
    }

    fn send(&mut self, slot: u32, token: Token) {
        let socket = &mut self.sockets[slot as usize];
        if socket.connected {
            self.arrive(slot);
        } else if socket.connect.is_some() {
            socket.unsent = Some(token);
        } else {
            let errno = if socket.error == 0 { ENOTCONN } else { socket.error };
            self.complete(token, -errno);
        }
    }

    /// A request reaches the peer.
    fn arrive(&mut self, slot: u32) {
        let deeds = self.peer.request(self.clock.now());
        self.plan_deeds(slot, deeds);
    }

    fn plan_deeds(&mut self, slot: u32, deeds: Vec<Deed>) {
        for deed in deeds {
            let (Deed::Bytes(at, _) | Deed::Said(at, _) | Deed::End(at) | Deed::Reset(at)) = deed;
            self.plan_deed(slot, at, deed);
        }
    }

    /// Bytes of the slot's own reach the peer, and that is told.
    fn tell(&mut self, slot: u32, length: usize, token: Token) {
        let deeds = self.peer.hear(self.clock.now(), &self.scratch[slot as usize][..length]);
        self.plan_deeds(slot, deeds);
        self.complete(token, length as i32);
    }

    fn close(&mut self, slot: u32) {
        let socket = &mut self.sockets[slot as usize];
        let receive = socket.receive.take();
        *socket = Socket { life: socket.life + 1, ..Socket::default() };
        if let Some((token, _)) = receive {
            self.complete(token, -ECANCELED);
        }
    }

    /// Carries out what is due.
    fn happen(&mut self) {
        while let Some(&Reverse((at, deed, slot, life))) = self.events.peek() {
            if at > self.clock.now() {
                break;
            }
            self.events.pop();
            if self.sockets[slot as usize].life == life {
                let deed = self.deeds[deed as usize].clone();
                self.carry_out(slot, deed);
            }
        }
    }

    fn carry_out(&mut self, slot: u32, deed: Deed) {
        let socket = &mut self.sockets[slot as usize];
        if let Some(token) = socket.connect.take() {
            let errno = socket.error;
            socket.connected = errno == 0;
            let unsent = socket.unsent.take();
            if errno == 0 {
                self.complete(token, 0);
                if unsent.is_some() {
                    self.arrive(slot);
                }
            } else {
                // As the kernel does: whoever asks first gets the cause, the rest its echo.
                if let Some(unsent) = unsent {
                    self.complete(unsent, -errno);
                }
                self.complete(token, -errno);
                self.sockets[slot as usize].came.push_back(Err(ENOTCONN));
                self.deliver(slot);
            }
            return;
        }
        socket.came.push_back(match deed {
            Deed::Bytes(_, bytes) => Ok(bytes.to_vec()),
            Deed::Said(_, bytes) => Ok(bytes),
            Deed::End(_) => Ok(Vec::new()),
            Deed::Reset(_) => Err(ECONNRESET),
        });
        self.deliver(slot);
    }

    fn deliver(&mut self, slot: u32) {
        let socket = &mut self.sockets[slot as usize];
        while let (Some((token, many)), Some(came)) = (socket.receive, socket.came.front().cloned())
        {
            socket.came.pop_front();
            let (result, buffer) = match came {
                Ok(bytes) if !bytes.is_empty() => {
                    self.buffers.push(bytes);
                    let buffer = self.buffers.len() - 1;
                    (self.buffers[buffer].len() as i32, Some(buffer as u16))
                }
                Ok(_) => (0, None),
                Err(errno) => (-errno, None),
            };
            let more = many && result > 0;
            if !more {
                socket.receive = None;
            }
            self.ready.push_back(Completion { token, result, more, buffer });
        }
    }
}

impl<P: Peer> Queue for SimQueue<P> {
    fn room(&mut self) -> usize {
        1 << 20
    }

    fn push(&mut self, op: Op, token: Token) {
        self.counters.operations += 1;
        let slot = token.slot();
        match op {
            Op::Open { .. } => {
                self.close(slot);
                self.complete(token.of(Kind::Bind), 0);
            }
            Op::Connect => self.connect(slot, token.of(Kind::Connect)),
            Op::SendTemplate(_) | Op::SendLarge(_) | Op::SendScratch(_) => {
                self.send(slot, token.of(Kind::Send))
            }
            Op::SendScratchTold(length) => self.tell(slot, length, token.of(Kind::Send)),
            Op::Receive | Op::ReceiveMany => {
                let many = op == Op::ReceiveMany;
                let socket = &mut self.sockets[slot as usize];
                assert!(socket.receive.is_none(), "two receives on slot {slot}");
                socket.receive = Some((token.of(Kind::Receive), many));
                self.deliver(slot);
            }
            Op::Cancel(kind) => {
                let receive = &mut self.sockets[slot as usize].receive;
                if let Some((token, _)) = receive.take_if(|_| kind == Kind::Receive) {
                    self.complete(token, -ECANCELED);
                }
            }
            Op::Close | Op::Disconnect => self.close(slot),
        }
    }

    fn submit(&mut self, wait: Wait) -> Result<(), QueueError> {
        self.counters.enters += 1;
        let mut now = self.clock.now() + PASS;
        if let Wait::For(_, timeout) = wait
            && self.ready.is_empty()
        {
            let next = self.events.peek().map_or(Instant::NEVER, |Reverse(event)| event.0);
            now = now.max(next.min(now + timeout));
        }
        self.clock.0.set(now.0);
        self.happen();
        (self.on_time)(now);
        Ok(())
    }

    fn reap(&mut self, out: &mut [Completion]) -> usize {
        let count = out.len().min(self.ready.len());
        for (out, completion) in out.iter_mut().zip(self.ready.drain(..count)) {
            *out = completion;
        }
        count
    }

    fn bytes(&self, completion: &Completion) -> &[u8] {
        completion.buffer.map_or(&[], |buffer| &self.buffers[usize::from(buffer)])
    }

    fn release(&mut self, completion: &Completion) {
        if let Some(buffer) = completion.buffer {
            self.buffers[usize::from(buffer)].clear();
            while self.buffers.last().is_some_and(Vec::is_empty) {
                self.buffers.pop();
            }
        }
    }

    fn scratch(&mut self, slot: u32) -> &mut [u8] {
        &mut self.scratch[slot as usize]
    }

    fn counters(&mut self) -> QueueCounters {
        self.counters
    }
}
