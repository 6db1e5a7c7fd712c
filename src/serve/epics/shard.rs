//! A shard of a server of PVs: one ring, one listener, one socket for searches, and its clients.
//!
//! ```text
//!   wait ─▶ reap ─▶ hear what came ─▶ post what is due ─▶ load and send ─▶ wait
//! ```
//!
//! A client has at most one receive and one send in flight. What it is to be told while a send is
//! in flight waits in the publisher, and merges there.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;

use super::client::{Client, SEND_BYTES, State};
use super::dialect::Dialect;
use super::flaws::{Fate, Flaws};
use super::plan::Names;
use super::posts::Posts;
use super::publisher::{Publisher, Sample, Update};
use super::session::Session;
use crate::clock::{Clock, KernelClock, wall_ns};
use crate::evidence::{PvsServed, Served};
use crate::plan::{ClockName, Idle};
use crate::ring::{Kind, QueueError, Setup, Token};
use crate::serve::acceptor::{Acceptor, LISTENER};
use crate::serve::station::Station;
use crate::serve::{ServeError, ServePlan};
use crate::sys::uring::{Completion, Uring};
use crate::sys::{cpu, errno, resource};
use crate::unit::{Instant, Nanos};

/// Bytes of a receive buffer, and how many there are.
const RECEIVE_BYTES: u32 = 16 * 1024;
const BUFFERS: u16 = 512;

/// The slot of the socket for searches, above [`LISTENER`]; clients have those above.
const SEARCHES: u32 = LISTENER + 1;
const CLIENTS: u32 = SEARCHES + 1;

/// Clients of a shard, where the plan does not say: their buffers take 256 MiB at most.
const CLIENTS_MAX: u64 = 4096;

/// Completions taken from the ring at once.
const BATCH: usize = 256;

/// Posts between two looks at the ring: what they make known is still in the cache when it is
/// sent, and a large tick keeps nobody waiting.
const POSTS_PER_PASS: usize = 8192;

/// The longest that a shard sleeps before it looks at the stop flag again.
const WAIT_MAX: Nanos = Nanos::from_millis(20);

/// One shard.
#[derive(Debug)]
struct Shard<D: Dialect> {
    dialect: D,
    ring: Uring,
    clock: KernelClock,
    names: Names,
    publisher: Publisher<D::Form>,
    posts: Posts,
    flaws: Flaws,
    /// Tells when updates stand still.
    station: Station,
    is_stalled: bool,
    idle: Idle,
    is_writable: bool,
    port: u16,
    /// By slot.
    clients: Vec<Client<D>>,
    open: usize,
    acceptor: Acceptor,
    /// A search's answer, while it is written.
    answer: Vec<u8>,
    /// Updates that are not the first of their subscription, for the flaws.
    changes: u64,
    served: Served,
    pvs: PvsServed,
}

/// The life of a shard's thread: tells where it listens, then serves until `stop` is set.
///
/// # Errors
/// The address cannot be listened on, the CPU is not there, there is no ring, or it breaks.
pub(super) fn run<D: Dialect>(
    dialect: D,
    plan: &ServePlan,
    (index, station): (usize, Station),
    stop: &AtomicBool,
    tell: &SyncSender<SocketAddr>,
) -> Result<Served, ServeError> {
    let pvs = &plan.pvs;
    let cpu = plan.cpus.0[index % plan.cpus.0.len()];
    cpu::pin_to(cpu).map_err(ServeError::Thread)?;
    // A tick is posted when it is due, not 50 us later; where this is forbidden, it is.
    let _ = cpu::set_timer_slack(1);
    let limit = resource::raise_file_limit().or_else(|_| resource::file_limit());
    let most = limit.map_or(1024, |limit| limit.soft).clamp(64, CLIENTS_MAX);
    let slots = CLIENTS + pvs.clients_max.unwrap_or(most as u32 - CLIENTS);
    let mut ring = Uring::open(&Setup {
        slots,
        templates: vec![],
        scratch_bytes: SEND_BYTES,
        buffers: BUFFERS,
        buffer_bytes: RECEIVE_BYTES,
        sources: vec![],
        peer: plan.listen,
        datagrams: false,
        reset_on_close: false,
        sqpoll: None,
        lowest_step: 0,
    })?;
    let is_shared = plan.shards > 1;
    let address = ring
        .listen(LISTENER, plan.listen, is_shared)
        .map_err(|error| ServeError::Listen(plan.listen, error))?;
    let port = pvs.search_port.unwrap_or_else(|| address.port());
    let searches = SocketAddr::new(address.ip(), port);
    // Servers of a host may all be searched for at one port.
    let is_joint = is_shared || pvs.search_port.is_some() || D::CLIENTS_BIND_SEARCHES;
    ring.bind_datagrams(SEARCHES, searches, is_joint)
        .map_err(|error| ServeError::Search(searches, error))?;
    let clock = KernelClock::new(ClockName::Monotonic);
    let mut shard = Shard {
        names: Names::new(pvs),
        publisher: Publisher::new(pvs, slots, wall_ns()),
        posts: Posts::new(pvs, plan.behaviour.seed, clock.now()),
        flaws: pvs.flaws,
        station,
        is_stalled: false,
        idle: plan.idle,
        // Shards share nothing: what one was told the others would not know.
        is_writable: !is_shared,
        port: address.port(),
        clients: std::iter::repeat_with(Client::new).take(slots as usize).collect(),
        open: 0,
        acceptor: Acceptor::new(),
        answer: Vec::with_capacity(RECEIVE_BYTES as usize),
        changes: 0,
        served: Served::default(),
        pvs: PvsServed::default(),
        dialect,
        ring,
        clock,
    };
    shard.receive_searches();
    // Nobody waits for it where the target is being dropped.
    let _ = tell.send(address);
    shard.run(stop)
}

impl<D: Dialect> Shard<D> {
    fn run(mut self, stop: &AtomicBool) -> Result<Served, ServeError> {
        let mut batch = [Completion::default(); BATCH];
        let mut now = self.clock.now();
        while !stop.load(Ordering::Relaxed) {
            self.submit(now).map_err(QueueError)?;
            now = self.clock.now();
            let now_ns = wall_ns();
            while let count @ 1.. = self.ring.reap(&mut batch) {
                for completion in &batch[..count] {
                    self.complete(completion, now, now_ns)?;
                }
            }
            self.accept(now);
            self.post(now, now_ns);
            self.stall(now);
            while let Some(slot) = self.publisher.next_awake() {
                self.go_on(slot);
            }
        }
        self.pvs.updates.posted = self.publisher.posted;
        self.pvs.updates.merged = self.publisher.merged;
        Ok(Served { pvs: Some(self.pvs), ..self.served })
    }

    /// Hands over what was pushed, and sleeps where nothing is due.
    fn submit(&mut self, now: Instant) -> Result<(), i32> {
        let until = if self.is_stalled { self.station.pass(now) } else { Instant::NEVER };
        let (_, due) = self.posts.peek();
        match (self.idle, due.min(until).since(now)) {
            (Idle::Spin, _) | (Idle::Sleep, Nanos::ZERO) => self.ring.submit(),
            (Idle::Sleep, wait) => self.ring.submit_and_wait(1, wait.min(WAIT_MAX)),
        }
    }

    /// Posts what is due. A PV that is due again is left for the next pass: nothing merges
    /// because we were late.
    #[inline]
    fn post(&mut self, now: Instant, now_ns: u64) {
        for _ in 0..POSTS_PER_PASS {
            let (pv, due) = self.posts.peek();
            if due > now || self.publisher.sample(pv).stamp_ns == now_ns {
                break;
            }
            self.served.lateness.add(now.since(due));
            self.publisher.post(pv, now_ns);
            self.posts.advance();
        }
    }

    /// Notices that a stall begins or is over.
    fn stall(&mut self, now: Instant) {
        let was_stalled = self.is_stalled;
        self.is_stalled = self.station.pass(now) > now;
        if was_stalled && !self.is_stalled {
            (CLIENTS..self.clients.len() as u32).for_each(|slot| self.go_on(slot));
        }
    }

    #[inline]
    fn complete(
        &mut self,
        completion: &Completion,
        now: Instant,
        now_ns: u64,
    ) -> Result<(), ServeError> {
        let token = Token::from_bits(completion.user_data);
        match (token.kind(), token.slot()) {
            (Some(Kind::Accept), _) => self.on_accepted(completion, now)?,
            (Some(Kind::Receive), SEARCHES) => self.on_search(completion),
            (Some(Kind::Receive), slot) => {
                if self.is_current(token) {
                    self.on_received(slot, completion, now, now_ns);
                }
                if let Some(buffer) = completion.buffer {
                    self.ring.release(buffer);
                }
            }
            (Some(Kind::Send), slot) if self.is_current(token) => {
                self.on_sent(slot, completion.result, now, now_ns);
            }
            // Cancelling what is just over and closing what the client closed may fail, and the
            // answer to a search may get lost.
            _ => {}
        }
        Ok(())
    }

    /// Goes on accepting where that ended and there is room.
    fn accept(&mut self, now: Instant) {
        let has_room = self.open + (CLIENTS as usize) < self.clients.len();
        self.acceptor.go_on(&mut self.ring, has_room, now);
    }

    fn on_accepted(&mut self, completion: &Completion, now: Instant) -> Result<(), ServeError> {
        if let Some(slot) = self.acceptor.accepted(completion, &mut self.served, now)? {
            self.open += 1;
            let client = &mut self.clients[slot as usize];
            client.state = State::Open;
            self.dialect.greet(&mut client.out);
            self.go_on(slot);
        }
        Ok(())
    }

    fn receive_searches(&mut self) {
        let token = Token::new(SEARCHES, 0).of(Kind::Receive);
        self.ring.receive_datagrams(SEARCHES, token.to_bits());
    }

    fn on_search(&mut self, completion: &Completion) {
        if let Some(buffer) = completion.buffer {
            if let Some((from, search)) = self.ring.datagram(buffer) {
                self.answer.clear();
                let Self { dialect, names, port, answer, .. } = self;
                let searched = dialect.answer(search, names, *port, answer);
                let port = searched.reply_port.unwrap_or_else(|| from.port());
                let to = SocketAddr::new(from.ip(), port);
                self.pvs.searches += searched.names;
                self.served.bytes_received += search.len() as u64;
                if !self.answer.is_empty() {
                    let token = Token::new(SEARCHES, 0).of(Kind::Send);
                    self.served.bytes_sent += self.answer.len() as u64;
                    self.ring.send_datagram(SEARCHES, to, &self.answer, token.to_bits());
                }
            }
            self.ring.release(buffer);
        }
        if !completion.more {
            self.receive_searches();
        }
    }

    #[inline]
    fn on_received(&mut self, slot: u32, completion: &Completion, now: Instant, now_ns: u64) {
        self.clients[slot as usize].is_receiving = false;
        match (completion.result, completion.buffer) {
            (1.., Some(buffer)) => self.hear(slot, Some(buffer), now, now_ns),
            // The client says no more: what it is owed is sent.
            (0, _) => self.clients[slot as usize].state = State::Ending,
            // All buffers are in this batch: they are back before the next receive.
            (result, _) if result == -errno::ENOBUFS => {}
            _ => {
                self.served.resets += 1;
                return self.close(slot);
            }
        }
        self.go_on(slot);
    }

    /// Hears what came before, and what is in `buffer`.
    fn hear(&mut self, slot: u32, buffer: Option<u16>, now: Instant, now_ns: u64) {
        let client = &mut self.clients[slot as usize];
        if client.state != State::Open {
            return;
        }
        let bytes = buffer.map_or(&[][..], |buffer| self.ring.bytes(buffer));
        self.served.bytes_received += bytes.len() as u64;
        let (subscriptions, mut out) = (self.pvs.subscriptions, std::mem::take(&mut client.out));
        let mut channels = std::mem::take(&mut client.channels);
        let session = Session {
            names: &self.names,
            publisher: &mut self.publisher,
            channels: &mut channels,
            client: slot,
            port: self.port,
            now_ns,
            is_writable: self.is_writable,
            out: &mut out,
            served: &mut self.pvs,
        };
        if client.hear(&self.dialect, bytes, session).is_err() {
            self.served.bad_requests += 1;
            client.state = State::Ending;
        }
        (client.out, client.channels) = (out, channels);
        if self.pvs.subscriptions > subscriptions {
            // From the first subscription on time counts.
            self.station.finish(now, Nanos::ZERO);
        }
    }

    #[inline]
    fn on_sent(&mut self, slot: u32, result: i32, now: Instant, now_ns: u64) {
        let client = &mut self.clients[slot as usize];
        let length = std::mem::take(&mut client.sending);
        self.served.bytes_sent += u64::try_from(result).unwrap_or(0);
        if u32::try_from(result) != Ok(length) {
            self.served.resets += 1;
            return self.close(slot);
        }
        // There may be room again for what was not heard.
        if self.clients[slot as usize].is_behind() {
            self.hear(slot, None, now, now_ns);
        }
        self.go_on(slot);
    }

    /// Pushes what the client's circuit may do now: send what is to be said, receive where there
    /// is room for answers.
    #[inline]
    fn go_on(&mut self, slot: u32) {
        if self.clients[slot as usize].state == State::Free {
            return;
        }
        if self.publisher.is_overrun(slot) {
            self.pvs.cut_off += 1;
            return self.close(slot);
        }
        if self.clients[slot as usize].sending == 0 {
            self.tell(slot);
            self.send(slot);
        }
        let client = &mut self.clients[slot as usize];
        if client.state == State::Ending && client.sending == 0 {
            return self.close(slot);
        }
        if client.state == State::Open && !client.is_receiving && client.has_room() {
            client.is_receiving = true;
            let token = Token::new(slot, client.generation).of(Kind::Receive);
            self.ring.receive(slot, token.to_bits());
        }
    }

    /// Writes updates down as long as there is room.
    #[inline]
    fn tell(&mut self, slot: u32) {
        let Self { clients, publisher, dialect, flaws, changes, pvs, .. } = self;
        let client = &mut clients[slot as usize];
        if self.is_stalled || client.state != State::Open || !dialect.wants_updates(&client.circuit)
        {
            return;
        }
        while client.has_room() {
            let Some(update) = publisher.take(slot) else { break };
            let mut write = |update: &Update<D::Form>| {
                pvs.updates.sent += 1;
                dialect.update(update, &mut client.out);
            };
            *changes += u64::from(!update.is_first);
            match if update.is_first { Fate::Sent } else { flaws.fate(*changes) } {
                Fate::Sent => write(&update),
                Fate::Dropped => {
                    // Nobody acknowledges what was not sent, and everybody what was sent twice.
                    publisher.grant(update.subscription, 1);
                    pvs.flaws.dropped += 1;
                }
                Fate::Repeated => {
                    write(&update);
                    write(&update);
                    publisher.grant(update.subscription, -1);
                    pvs.flaws.repeated += 1;
                }
                Fate::Backwards => {
                    write(&update);
                    let value = update.sample.value - 1.0;
                    write(&Update { sample: Sample { value, ..update.sample }, ..update });
                    publisher.grant(update.subscription, -1);
                    pvs.flaws.backwards += 1;
                }
            }
        }
    }

    /// Sends what is to be said, if there is anything.
    #[inline]
    fn send(&mut self, slot: u32) {
        let client = &mut self.clients[slot as usize];
        let length = client.load(self.ring.scratch(slot));
        if length > 0 {
            client.sending = length as u32;
            let token = Token::new(slot, client.generation).of(Kind::Send);
            self.ring.send_scratch_told(slot, length, token.to_bits());
        }
    }

    /// Gives the circuit up; what is in flight on it ends unheard.
    fn close(&mut self, slot: u32) {
        let client = &mut self.clients[slot as usize];
        let token = Token::new(slot, client.generation);
        let in_flight = [(client.is_receiving, Kind::Receive), (client.sending > 0, Kind::Send)];
        for (_, kind) in in_flight.into_iter().filter(|(is_in_flight, _)| *is_in_flight) {
            self.ring.cancel(token.of(kind).to_bits(), token.of(Kind::Cancel).to_bits());
        }
        self.ring.close(slot, token.of(Kind::Close).to_bits());
        for channel in client.channels.drain() {
            channel.end(&mut self.publisher);
        }
        self.publisher.forget(slot);
        client.clear();
        self.open -= 1;
    }

    #[inline]
    fn is_current(&self, token: Token) -> bool {
        let client = &self.clients[token.slot() as usize];
        client.state != State::Free && token.is_of(client.generation)
    }
}
