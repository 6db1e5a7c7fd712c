//! The ring, and the memory that the kernel sees. A request is a *chain* of operations that was
//! built once per connection: to send it is to copy it into the submission queue.

use std::cell::Cell;
use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::squeue::{Entry, Flags};
use io_uring::types::{BufRingEntry, DestinationSlot, Fixed, SubmitArgs, Timespec};
use io_uring::{CompletionQueue, IoUring, SubmissionQueue, Submitter, cqueue, opcode};
use memmap2::MmapMut;

use super::options::{Mode, Options, Receive, Taskrun};
use super::target;

/// `sqe->ioprio` bits of receive operations.
const POLL_FIRST: u16 = 1;
const MULTISHOT: u16 = 2;
const BUNDLE: u16 = 16;

const SUBMISSIONS: u32 = 4096;
const BUFFERS: u16 = 1024;
/// Bytes asked for at a time where the kernel drops them.
const TRUNCATED_BYTES: u32 = 1 << 20;
/// Connections opened at a time.
const WAVE: u32 = 128;

const GETEVENTS: u32 = 1;

/// A completion of a connection's present life.
pub(crate) struct Heard {
    pub(crate) slot: u32,
    /// Bytes, 0 at the end of file, or a negative error number.
    pub(crate) result: i32,
    /// The receive goes on by itself.
    pub(crate) more: bool,
}

/// A ring, its connections and their chains.
///
/// Ring and memory are leaked, so that the kernel may hold them for as long as it likes.
pub(crate) struct Bare {
    submitter: Submitter<'static>,
    submissions: SubmissionQueue<'static>,
    completions: CompletionQueue<'static>,
    chains: Box<[Entry]>,
    /// Operations of a request.
    chain: usize,
    openings: Box<[Entry]>,
    receives: Box<[Entry]>,
    /// Where each is bound; a bind copies it when it is handed over.
    sources: &'static [Cell<libc::sockaddr_in>],
    ports: Vec<u16>,
    next_port: usize,
    generations: Box<[u32]>,
    makes_sockets: bool,
    buffers: Option<Buffers>,
    enters: u64,
}

/// Operations that make a socket and connect it.
const OPENING: usize = 4;

impl Bare {
    /// A ring with a file table for all connections, none of them open.
    pub(crate) fn open(options: &Options, port: u16, request: Vec<u8>) -> Result<Self, String> {
        let ring = build(options).map_err(|e| format!("no ring: {e}"))?;
        let (mut submitter, submissions, completions) = Box::leak(Box::new(ring)).split();
        let refused = |what| move |e: io::Error| format!("{what}: {e}");
        submitter.register_files_sparse(options.connections).map_err(refused("file table"))?;
        submitter.register_ring_fd().map_err(refused("ring descriptor"))?;
        let buffers = match options.shares_buffers() {
            true => Some(Buffers::register(&submitter, options).map_err(refused("buffers"))?),
            false => None,
        };
        let slots = options.connections as usize;
        let sources: &[Cell<_>] = vec![Cell::new(address(0)); slots].leak();
        let forge = Forge::new(options, port, request);
        let of_all = |build: &dyn Fn(u32, *const libc::sockaddr_in) -> Vec<Entry>| {
            let source = |slot: u32| sources[slot as usize].as_ptr().cast_const();
            (0..options.connections).flat_map(|slot| build(slot, source(slot))).collect()
        };
        let chains: Box<[Entry]> = of_all(&|slot, source| forge.chain(slot, source));
        Ok(Self {
            submitter,
            submissions,
            completions,
            chain: chains.len() / slots,
            chains,
            openings: of_all(&|slot, source| forge.opening(slot, source)),
            receives: of_all(&|slot, _| vec![forge.receive(slot)]),
            sources,
            ports: target::source_ports(),
            next_port: 0,
            generations: vec![0; slots].into_boxed_slice(),
            makes_sockets: options.mode == Mode::Fresh,
            buffers,
            enters: 0,
        })
    }

    /// Opens the connections that are to stay; none where each request opens its own.
    pub(crate) fn connect_all(&mut self, options: &Options) -> Result<(), String> {
        if self.makes_sockets {
            return Ok(());
        }
        for first in (0..options.connections).step_by(WAVE as usize) {
            let last = (first + WAVE).min(options.connections);
            (first..last).for_each(|slot| self.push_opening(slot));
            let mut open = 0;
            while open < last - first {
                self.enter_and_wait(1, 0)?;
                while let Some(heard) = self.reap() {
                    if heard.result < 0 {
                        let error = io::Error::from_raw_os_error(-heard.result);
                        return Err(format!("connection {}: {error}", heard.slot));
                    }
                    open += 1;
                }
            }
        }
        if options.shares_buffers() {
            (0..options.connections).for_each(|slot| self.push_receive(slot));
        }
        self.enters = 0;
        Ok(())
    }

    fn push_opening(&mut self, slot: u32) {
        self.take_port(slot);
        let chain = &self.openings[slot as usize * OPENING..][..OPENING];
        push(&mut self.submissions, &self.submitter, chain);
    }

    /// Pushes a connection's request; where it makes its own socket, that is a new life.
    #[inline]
    pub(crate) fn push_request(&mut self, slot: u32) {
        if self.makes_sockets {
            self.take_port(slot);
        }
        let chain = &mut self.chains[slot as usize * self.chain..][..self.chain];
        if self.makes_sockets {
            let generation = &mut self.generations[slot as usize];
            *generation = generation.wrapping_add(1);
            let name = name(slot, *generation);
            chain.iter_mut().for_each(|entry| entry.set_user_data(name));
            self.receives[slot as usize].set_user_data(name);
        }
        push(&mut self.submissions, &self.submitter, chain);
    }

    #[inline]
    pub(crate) fn push_receive(&mut self, slot: u32) {
        let receive = &self.receives[slot as usize..][..1];
        push(&mut self.submissions, &self.submitter, receive);
    }

    /// The source port unused longest.
    #[inline]
    fn take_port(&mut self, slot: u32) {
        let port = self.ports[self.next_port];
        self.next_port = (self.next_port + 1) % self.ports.len();
        self.sources[slot as usize].set(address(port));
    }

    /// Hands over what was pushed and takes what is ready, without waiting.
    #[inline]
    pub(crate) fn enter(&mut self) -> Result<(), String> {
        let pushed = self.hand_over();
        // SAFETY: no argument is passed, and the flag is one that takes none.
        let done = unsafe { self.submitter.enter::<libc::sigset_t>(pushed, 0, GETEVENTS, None) };
        self.take_over(done)
    }

    /// As [`Bare::enter`], where there is anything to hand over or to take.
    #[inline]
    pub(crate) fn enter_on_flag(&mut self) -> Result<(), String> {
        if self.submissions.is_empty() && !self.submissions.taskrun() {
            return Ok(());
        }
        self.enter()
    }

    /// Hands over what was pushed and waits for `want` completions; once `min_wait_us` are over
    /// for one; for a tenth of a second at most.
    #[inline]
    pub(crate) fn enter_and_wait(&mut self, want: u32, min_wait_us: u32) -> Result<(), String> {
        let longest = Timespec::new().nsec(100_000_000);
        let argument = SubmitArgs::new().timespec(&longest).min_wait_usec(min_wait_us);
        self.hand_over();
        let done = self.submitter.submit_with_args(want as usize, &argument);
        self.take_over(done)
    }

    #[inline]
    fn hand_over(&mut self) -> u32 {
        if let Some(buffers) = &mut self.buffers {
            buffers.give_back();
        }
        self.completions.sync();
        self.submissions.sync();
        self.enters += 1;
        self.submissions.len() as u32
    }

    #[inline]
    fn take_over(&mut self, done: io::Result<usize>) -> Result<(), String> {
        self.submissions.sync();
        self.completions.sync();
        match done.map_err(|error| error.raw_os_error()) {
            // Busy, interrupted and out of time pass by themselves.
            Ok(_) | Err(Some(libc::EAGAIN | libc::EBUSY | libc::EINTR | libc::ETIME)) => Ok(()),
            Err(errno) => Err(format!("io_uring_enter: error {errno:?}")),
        }
    }

    /// The next completion, passing over those of a connection's former lives.
    #[inline]
    pub(crate) fn reap(&mut self) -> Option<Heard> {
        loop {
            let entry = self.completions.next()?;
            let (flags, result) = (entry.flags(), entry.result());
            if let Some(buffers) = &mut self.buffers
                && cqueue::buffer_select(flags).is_some()
            {
                buffers.take(result);
            }
            let slot = entry.user_data() as u32;
            if (entry.user_data() >> 32) as u32 == self.generations[slot as usize] {
                return Some(Heard { slot, result, more: cqueue::more(flags) });
            }
        }
    }

    /// Syscalls since all connections stood.
    pub(crate) fn enters(&self) -> u64 {
        self.enters
    }
}

#[inline]
fn push(queue: &mut SubmissionQueue<'static>, submitter: &Submitter<'static>, chain: &[Entry]) {
    // SAFETY: what the entries point to is leaked, and so lives until the process ends.
    while unsafe { queue.push_multiple(chain) }.is_err() {
        queue.sync();
        // Where the kernel takes nothing, the loop's own next enter says so.
        let _ = submitter.submit();
        queue.sync();
    }
}

fn build(options: &Options) -> io::Result<IoUring> {
    let mut builder = IoUring::builder();
    match options.taskrun {
        Taskrun::Defer => builder.setup_single_issuer().setup_defer_taskrun(),
        Taskrun::Coop => builder.setup_single_issuer().setup_coop_taskrun(),
    };
    builder.setup_taskrun_flag().setup_submit_all().setup_no_sqarray().setup_clamp().dontfork();
    builder.setup_cqsize((4 * options.connections).max(2 * SUBMISSIONS).next_power_of_two());
    builder.build(SUBMISSIONS)
}

/// Names a connection's life in the kernel's completions.
#[inline]
fn name(slot: u32, generation: u32) -> u64 {
    u64::from(generation) << 32 | u64::from(slot)
}

fn address(port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from(Ipv4Addr::LOCALHOST).to_be() },
        sin_zero: [0; 8],
    }
}

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// Makes the operations of connections.
struct Forge {
    mode: Mode,
    receive: Receive,
    request: &'static [u8],
    peer: &'static libc::sockaddr_in,
    no_peer: &'static libc::sockaddr_in,
    one: &'static libc::c_int,
    /// A receive buffer of each connection, where the ring's are not used. Nobody reads them,
    /// and so all connections share one.
    buffer: *mut u8,
    buffer_bytes: u32,
}

impl Forge {
    fn new(options: &Options, port: u16, request: Vec<u8>) -> Self {
        let no_peer =
            libc::sockaddr_in { sin_family: libc::AF_UNSPEC as libc::sa_family_t, ..address(0) };
        Self {
            mode: options.mode,
            receive: options.receive,
            request: request.leak(),
            peer: leak(address(port)),
            no_peer: leak(no_peer),
            one: leak(1),
            buffer: vec![0; options.buffer_bytes as usize].leak().as_mut_ptr(),
            buffer_bytes: options.buffer_bytes,
        }
    }

    /// What a request takes, from the first operation to the receive.
    fn chain(&self, slot: u32, source: *const libc::sockaddr_in) -> Vec<Entry> {
        let mut chain = match self.mode {
            Mode::Kept | Mode::Open => vec![],
            Mode::Fresh => self.opening(slot, source),
            Mode::Recycle => vec![self.connect(slot, self.no_peer), self.connect(slot, self.peer)],
        };
        // In a chain only the receive tells; alone, the connect does.
        chain.iter_mut().for_each(|entry| *entry = entry.clone().flags(Flags::SKIP_SUCCESS));
        chain.push(self.send(slot));
        if !matches!(self.receive, Receive::Multishot | Receive::Bundle) {
            chain.push(self.receive(slot));
        }
        chain
    }

    /// Makes the slot's socket, in place of the one that it had, and connects it; only the
    /// connect completes.
    fn opening(&self, slot: u32, source: *const libc::sockaddr_in) -> Vec<Entry> {
        let index = DestinationSlot::try_from_slot_target(slot).expect("slots are few");
        let socket = opcode::Socket::new(libc::AF_INET, libc::SOCK_STREAM, 0);
        let reuse = opcode::SetSockOpt::new(
            Fixed(slot),
            libc::SOL_SOCKET as u32,
            libc::SO_REUSEADDR as u32,
            (&raw const *self.one).cast(),
            size_of::<libc::c_int>() as u32,
        );
        let bytes = size_of::<libc::sockaddr_in>() as u32;
        let bind = opcode::Bind::new(Fixed(slot), source.cast(), bytes);
        let quiet = [socket.file_index(Some(index)).build(), reuse.build(), bind.build()];
        let quiet = quiet.map(|entry| entry.flags(Flags::SKIP_SUCCESS).user_data(name(slot, 0)));
        [quiet.as_slice(), &[self.connect(slot, self.peer)]].concat()
    }

    fn connect(&self, slot: u32, peer: &'static libc::sockaddr_in) -> Entry {
        let bytes = size_of::<libc::sockaddr_in>() as u32;
        let connect = opcode::Connect::new(Fixed(slot), (&raw const *peer).cast(), bytes);
        connect.build().user_data(name(slot, 0))
    }

    fn send(&self, slot: u32) -> Entry {
        let (bytes, length) = (self.request.as_ptr(), self.request.len() as u32);
        opcode::Send::new(Fixed(slot), bytes, length)
            .flags(libc::MSG_WAITALL | libc::MSG_NOSIGNAL)
            .build()
            .flags(Flags::SKIP_SUCCESS)
            .user_data(name(slot, 0))
    }

    fn receive(&self, slot: u32) -> Entry {
        let shared = opcode::Recv::new(Fixed(slot), std::ptr::null_mut(), 0).buf_group(0);
        let own = |bytes| opcode::Recv::new(Fixed(slot), self.buffer, bytes).ioprio(POLL_FIRST);
        let entry = match self.receive {
            Receive::Multishot => shared.ioprio(MULTISHOT).build().flags(Flags::BUFFER_SELECT),
            Receive::Bundle => {
                shared.ioprio(MULTISHOT | BUNDLE).build().flags(Flags::BUFFER_SELECT)
            }
            Receive::Oneshot => own(self.buffer_bytes).build(),
            Receive::Truncate => own(TRUNCATED_BYTES).flags(libc::MSG_TRUNC).build(),
        };
        entry.user_data(name(slot, 0))
    }
}

/// The ring's shared receive buffers. Nobody reads them, and they go back in the order in which
/// they were taken: the entries stand as they were first written, and only the tail moves.
struct Buffers {
    tail: &'static AtomicU16,
    given: u16,
    bytes: u32,
}

impl Buffers {
    fn register(submitter: &Submitter<'static>, options: &Options) -> io::Result<Self> {
        let bytes = options.buffer_bytes;
        let area = map(usize::from(BUFFERS) * bytes as usize)?;
        let ring = map(usize::from(BUFFERS) * size_of::<BufRingEntry>())?;
        let entries = ring.as_mut_ptr().cast::<BufRingEntry>();
        for buffer in 0..BUFFERS {
            // SAFETY: the mapping has `BUFFERS` entries, page aligned, and lives for ever.
            let entry = unsafe { &mut *entries.wrapping_add(usize::from(buffer)) };
            entry.set_addr(area[usize::from(buffer) * bytes as usize..].as_ptr() as u64);
            entry.set_len(bytes);
            entry.set_bid(buffer);
        }
        // SAFETY: `entries` is the first of them, initialised.
        let tail = unsafe { BufRingEntry::tail(entries) };
        // SAFETY: it lies in the mapping, aligned to 2, and is only reached through this.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        tail.store(BUFFERS, Ordering::Release);
        // SAFETY: the address is a page-aligned mapping of `BUFFERS` entries that is leaked.
        unsafe { submitter.register_buf_ring_with_flags(entries as u64, BUFFERS, 0, 0) }?;
        Ok(Self { tail, given: BUFFERS, bytes })
    }

    /// A completion filled buffers with `result` bytes.
    #[inline]
    fn take(&mut self, result: i32) {
        let bytes = result.max(1) as u32;
        self.given = self.given.wrapping_add(bytes.div_ceil(self.bytes) as u16);
    }

    #[inline]
    fn give_back(&self) {
        self.tail.store(self.given, Ordering::Release);
    }
}

/// Resident memory that is never given back.
fn map(bytes: usize) -> io::Result<&'static mut [u8]> {
    let map = memmap2::MmapOptions::new().len(bytes).populate().map_anon()?;
    let map: &'static mut MmapMut = Box::leak(Box::new(map));
    Ok(&mut map[..])
}
