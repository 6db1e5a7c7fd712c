//! The ring: pushes operations, submits them in batches, reaps completions.
//!
//! [`Uring`] owns every byte that the kernel may hold: request templates, scratch, receive
//! buffers, socket addresses and option values live in `memory::Memory`, are named by index,
//! never move, and outlive the last operation. No caller sees a pointer, so none can free what
//! the kernel still reads.
//!
//! Connections are *direct descriptors*: a slot of the ring's own file table, not of the
//! process. Operations of one batch that finish at once are carried out in the order pushed, so
//! that socket, option, bind, connect, send and receive go out unlinked, in one submission.

mod datagram;
mod memory;
mod setup;

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::os::fd::AsRawFd;

use io_uring::squeue::{Entry, Flags};
use io_uring::types::{CancelBuilder, DestinationSlot, Fixed};
use io_uring::{IoUring, opcode};

use crate::unit::Nanos;
pub use datagram::DATAGRAM_BYTES_MAX;
use memory::{Memory, SourceOption};
pub use setup::{Level, Need, Setup, SetupError};

/// `sqe->ioprio` bits of receive operations; the crate does not export them.
const RECV_POLL_FIRST: u16 = 1;
const RECV_MULTISHOT: u16 = 2;

/// The one group of receive buffers that a ring has.
const BUFFER_GROUP: u16 = 0;

/// A ring and all memory that the kernel may hold on its behalf.
#[derive(Debug)]
pub struct Uring {
    /// Dropped first, and by hand: only when the kernel is done may `memory` go.
    ring: ManuallyDrop<Ring>,
    memory: ManuallyDrop<Memory>,
    /// Index of the ring in the thread's table of registered rings; spares a look-up per enter.
    registered: Option<u32>,
    level: Level,
    family: i32,
    /// SOCK_STREAM or SOCK_DGRAM.
    kind: i32,
    /// Failures of set-up done by plain syscalls, told at the next reap.
    early: Vec<Completion>,
    enters: u64,
    overflows: u64,
    /// What broke the ring while an operation was pushed; told at the next submit.
    failure: Option<i32>,
    /// SINGLE_ISSUER and the registered index bind a ring to the thread that made it.
    _of_its_thread: PhantomData<*const ()>,
    /// Entries that the submission queue still takes; looked up at each enter, counted between.
    room: usize,
}

struct Ring(IoUring);

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ring({})", self.0.as_raw_fd())
    }
}

/// What the kernel says of an operation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Completion {
    /// As it was pushed.
    pub user_data: u64,
    /// Bytes, a slot, or a negative error number.
    pub result: i32,
    /// The operation goes on and will complete again.
    pub more: bool,
    /// The receive buffer that holds the bytes; to be given back with [`Uring::release`].
    pub buffer: Option<u16>,
}

impl Uring {
    /// Sets a ring up on the best level that this kernel takes, for the calling thread alone.
    ///
    /// # Errors
    /// The kernel lacks io_uring, forbids it, or a limit is in the way; each says its cure.
    pub fn open(setup: &Setup) -> Result<Self, SetupError> {
        let (ring, level) = setup::build(setup)?;
        let memory = Memory::new(setup).map_err(|e| SetupError::refused("memory", &e))?;
        let family = memory::family_of(setup.peer);
        let mut uring = Self {
            ring: ManuallyDrop::new(Ring(ring)),
            memory: ManuallyDrop::new(memory),
            registered: None,
            level,
            family,
            kind: if setup.datagrams { libc::SOCK_DGRAM } else { libc::SOCK_STREAM },
            early: Vec::with_capacity(setup.slots as usize),
            enters: 0,
            overflows: 0,
            failure: None,
            _of_its_thread: PhantomData,
            room: 0,
        };
        uring.register(setup)?;
        uring.look_up_room();
        Ok(uring)
    }

    fn register(&mut self, setup: &Setup) -> Result<(), SetupError> {
        let submitter = self.ring.0.submitter();
        submitter
            .register_files_sparse(setup.slots)
            .map_err(|e| SetupError::files(setup.slots, &e))?;
        // Nothing here may be punted to kernel threads; one of each kind is the least that the
        // kernel lets us ask for. Older kernels know no such limit: the report counts threads.
        let _ = submitter.register_iowq_max_workers(&mut [1, 1]);
        let (address, entries) = self.memory.buffer_ring();
        // SAFETY: the address is a page-aligned mapping of `entries` entries that `memory` owns
        // and that outlives the ring (see `Drop`).
        unsafe { submitter.register_buf_ring_with_flags(address, entries, BUFFER_GROUP, 0) }
            .map_err(|e| SetupError::refused("receive buffers (kernel 5.19)", &e))?;
        self.registered = setup::register_ring(self.ring.0.as_raw_fd());
        Ok(())
    }

    /// The level of the feature ladder that this ring runs on.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Operations that can be pushed before the next submit.
    #[inline]
    pub fn room(&self) -> usize {
        self.room
    }

    /// What the kernel has taken; it takes nothing but in an enter, or at any time where a thread
    /// of its own submits: there may be more room then than is known.
    #[inline]
    fn look_up_room(&mut self) {
        let queue = self.ring.0.submission();
        self.room = queue.capacity() - queue.len();
    }

    /// Enter syscalls made.
    pub fn enters(&self) -> u64 {
        self.enters
    }

    /// Completions that found the completion queue full, since the ring was made.
    pub fn overflows(&mut self) -> u64 {
        self.overflows = u64::from(self.ring.0.completion().overflow());
        self.overflows
    }

    #[inline]
    fn push(&mut self, entry: Entry, user_data: u64) {
        let entry = entry.user_data(user_data);
        // SAFETY: all pointers in the entries of this file point into `memory`, which outlives
        // the ring and whose parts never move.
        let pushed = unsafe { self.ring.0.submission().push(&entry) };
        // Callers keep to `room`; where one does not, submitting makes some.
        if pushed.is_err() {
            self.push_slowly(&entry);
        }
        self.room = self.room.saturating_sub(1);
    }

    #[cold]
    fn push_slowly(&mut self, entry: &Entry) {
        while self.failure.is_none() {
            self.failure = self.enter(0, 0, None).err();
            // SAFETY: as in `push`.
            if unsafe { self.ring.0.submission().push(entry) }.is_ok() {
                return;
            }
        }
    }

    /// Makes a socket on `slot`, sets its options and binds it to `port` of source address
    /// `source`. The bind always completes; the others only if they fail. Where the kernel
    /// cannot bind in the ring, plain syscalls do all of it.
    pub fn open_socket(&mut self, slot: u32, source: u16, port: u16, user_data: [u64; 3]) {
        if !self.level.binds_in_ring {
            return self.open_by_syscalls(slot, source, port, user_data[2]);
        }
        let Ok(index) = DestinationSlot::try_from_slot_target(slot) else { return };
        // A direct descriptor is in no process table: close-on-exec would be refused.
        let socket = opcode::Socket::new(self.family, self.kind, 0).file_index(Some(index)).build();
        self.push(socket.flags(Flags::SKIP_SUCCESS), user_data[0]);
        for option in SourceOption::ALL {
            let Some((level, name, value, length)) = self.memory.option(option) else { continue };
            let set = opcode::SetSockOpt::new(Fixed(slot), level, name, value, length).build();
            self.push(set.flags(Flags::SKIP_SUCCESS), user_data[1]);
        }
        let (address, length) = self.memory.bind_address(source, port);
        self.push(opcode::Bind::new(Fixed(slot), address, length).build(), user_data[2]);
    }

    fn open_by_syscalls(&mut self, slot: u32, source: u16, port: u16, user_data: u64) {
        // The slot's last socket may be about to close: that first, or it would hit the new one.
        while !self.ring.0.submission().is_empty() && self.enter(0, 0, None).is_ok() {}
        let opened =
            self.memory.open_socket((self.family, self.kind), source, port).and_then(|socket| {
                let fds = [socket.as_raw_fd()];
                self.ring.0.submitter().register_files_update(slot, &fds).map(drop)
            });
        let result = match opened {
            Ok(()) => 0,
            Err(error) => -error.raw_os_error().unwrap_or(libc::EIO),
        };
        self.early.push(Completion { user_data, result, ..Completion::default() });
    }

    /// Connects `slot` to the peer.
    #[inline]
    pub fn connect(&mut self, slot: u32, user_data: u64) {
        let (address, length) = self.memory.peer();
        self.push(opcode::Connect::new(Fixed(slot), address, length).build(), user_data);
    }

    /// Disconnects `slot` with a reset, keeping socket and port; completes only if it fails.
    #[inline]
    pub fn disconnect(&mut self, slot: u32, user_data: u64) {
        let (address, length) = self.memory.no_peer();
        let entry = opcode::Connect::new(Fixed(slot), address, length).build();
        self.push(entry.flags(Flags::SKIP_SUCCESS), user_data);
    }

    /// Sends a whole template on `slot`; completes only if it fails.
    #[inline]
    pub fn send_template(&mut self, slot: u32, template: u16, user_data: u64) {
        let (bytes, length) = self.memory.template(template);
        self.send(slot, bytes, length, user_data, Flags::SKIP_SUCCESS);
    }

    /// Sends a whole template on `slot` and completes in any case.
    #[inline]
    pub fn send_template_told(&mut self, slot: u32, template: u16, user_data: u64) {
        let (bytes, length) = self.memory.template(template);
        self.send(slot, bytes, length, user_data, Flags::empty());
    }

    /// Sends the first `length` bytes of the slot's scratch and completes in any case. Of a socket
    /// of datagrams they are one.
    #[inline]
    pub fn send_scratch_told(&mut self, slot: u32, length: usize, user_data: u64) {
        if let Some(message) = self.memory.addressed(slot, length) {
            let send = opcode::SendMsg::new(Fixed(slot), message);
            return self.push(send.flags(libc::MSG_NOSIGNAL as u32).build(), user_data);
        }
        let (bytes, room) = self.memory.scratch_address(slot);
        self.send(slot, bytes, room.min(length as u32), user_data, Flags::empty());
    }

    /// Sends the first `length` bytes of the slot's scratch; completes only if it fails.
    #[inline]
    pub fn send_scratch(&mut self, slot: u32, length: usize, user_data: u64) {
        let (bytes, room) = self.memory.scratch_address(slot);
        self.send(slot, bytes, room.min(length as u32), user_data, Flags::SKIP_SUCCESS);
    }

    #[inline]
    fn send(&mut self, slot: u32, bytes: *const u8, length: u32, user_data: u64, flags: Flags) {
        // MSG_WAITALL: the kernel itself goes on after a partial send.
        let entry = opcode::Send::new(Fixed(slot), bytes, length)
            .flags(libc::MSG_WAITALL | libc::MSG_NOSIGNAL)
            .build();
        self.push(entry.flags(flags), user_data);
    }

    /// The slot's own bytes to write a request into.
    #[inline]
    pub fn scratch(&mut self, slot: u32) -> &mut [u8] {
        self.memory.scratch(slot)
    }

    /// Receives once on `slot`, into a shared buffer, when bytes are there.
    #[inline]
    pub fn receive(&mut self, slot: u32, user_data: u64) {
        self.push_receive(slot, RECV_POLL_FIRST, user_data);
    }

    /// Receives on `slot` from now on, each time into a shared buffer.
    #[inline]
    pub fn receive_many(&mut self, slot: u32, user_data: u64) {
        self.push_receive(slot, RECV_MULTISHOT, user_data);
    }

    #[inline]
    fn push_receive(&mut self, slot: u32, kind: u16, user_data: u64) {
        let entry = opcode::Recv::new(Fixed(slot), std::ptr::null_mut(), 0)
            .ioprio(kind)
            .buf_group(BUFFER_GROUP)
            .build();
        self.push(entry.flags(Flags::BUFFER_SELECT), user_data);
    }

    /// Cancels every operation whose user data is `of`; completes only if it fails.
    pub fn cancel(&mut self, of: u64, user_data: u64) {
        // The kernel finds them in a table by their user data, and by their descriptor only in a
        // walk through all that is in flight on the ring. To cancel `all` is not to fail where
        // there are none.
        let all = CancelBuilder::user_data(of).all();
        let entry = opcode::AsyncCancel2::new(all).build();
        self.push(entry.flags(Flags::SKIP_SUCCESS), user_data);
    }

    /// Says on `slot` that nothing more will be sent; completes only if it fails. The kernel gives
    /// this one to a thread of its own: for the rare, not for each connection.
    pub fn finish_sending(&mut self, slot: u32, user_data: u64) {
        let entry = opcode::Shutdown::new(Fixed(slot), libc::SHUT_WR).build();
        self.push(entry.flags(Flags::SKIP_SUCCESS), user_data);
    }

    /// Closes `slot`; completes only if it fails. The socket goes when nothing on it is in
    /// flight any more.
    #[inline]
    pub fn close(&mut self, slot: u32, user_data: u64) {
        let entry = opcode::Close::new(Fixed(slot)).build();
        self.push(entry.flags(Flags::SKIP_SUCCESS), user_data);
    }

    /// Puts a listening socket for `address` on `slot` and gives its real address.
    ///
    /// # Errors
    /// As socket(2), bind(2) and listen(2).
    pub fn listen(
        &mut self,
        slot: u32,
        address: std::net::SocketAddr,
        reuse_port: bool,
    ) -> std::io::Result<std::net::SocketAddr> {
        let (socket, bound) = memory::listen(address, reuse_port)?;
        self.ring.0.submitter().register_files_update(slot, &[socket.as_raw_fd()])?;
        Ok(bound)
    }

    /// Accepts on the listening `slot` from now on; each completion's result is a new slot.
    pub fn accept_many(&mut self, slot: u32, user_data: u64) {
        let entry = opcode::AcceptMulti::new(Fixed(slot)).allocate_file_index(true).build();
        self.push(entry, user_data);
    }

    /// Hands all pushed operations to the kernel and lets it complete what is ready, without
    /// waiting. Makes no syscall where there is nothing to do.
    ///
    /// # Errors
    /// The kernel's error number, where it is not one of those that pass by themselves.
    #[inline]
    pub fn submit(&mut self) -> Result<(), i32> {
        if let Some(errno) = self.failure {
            return Err(errno);
        }
        let queue = self.ring.0.submission();
        let idle = queue.is_empty() && !queue.taskrun() && !queue.cq_overflow();
        let room = queue.capacity() - queue.len();
        drop(queue);
        self.room = room;
        if idle {
            return Ok(());
        }
        self.enter(0, libc_enter::GETEVENTS, None)
    }

    /// As [`Uring::submit`], and waits until `want` completions are there or `timeout` is over.
    ///
    /// # Errors
    /// As [`Uring::submit`].
    pub fn submit_and_wait(&mut self, want: u32, timeout: Nanos) -> Result<(), i32> {
        if let Some(errno) = self.failure {
            return Err(errno);
        }
        // What set-up by plain syscalls has to tell is no completion that the kernel counts.
        let want = if self.early.is_empty() { want } else { 0 };
        self.enter(want, libc_enter::GETEVENTS, Some(timeout))
    }

    fn enter(&mut self, want: u32, mut flags: u32, timeout: Option<Nanos>) -> Result<(), i32> {
        let queue = self.ring.0.submission();
        let pushed = queue.len() as u32;
        // To see whether the kernel's thread sleeps takes a fence, so it is asked only where there
        // is one.
        let asleep = self.level.sqpoll && queue.need_wakeup();
        let overflown = queue.cq_overflow();
        drop(queue);
        if self.level.sqpoll {
            if asleep {
                flags |= libc_enter::SQ_WAKEUP;
            } else if want == 0 && !overflown {
                self.look_up_room();
                return Ok(());
            }
        }
        self.enters += 1;
        let ring = self.registered.map_or_else(|| self.ring.0.as_raw_fd(), |index| index as i32);
        if self.registered.is_some() {
            flags |= libc_enter::REGISTERED_RING;
        }
        let entered = setup::enter(ring, pushed, want, flags, timeout);
        self.look_up_room();
        match entered {
            // Busy and interrupted pass by themselves: what was not taken stays queued.
            Ok(()) | Err(libc::EINTR | libc::EAGAIN | libc::EBUSY | libc::ETIME) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    /// Moves completions into `out` and gives their number.
    #[inline]
    pub fn reap(&mut self, out: &mut [Completion]) -> usize {
        self.reap_as(out, |completion| completion)
    }

    /// As [`Uring::reap`], in the caller's own shape: written once, where it is to stand.
    #[inline]
    pub fn reap_as<T>(&mut self, out: &mut [T], shape: impl Fn(Completion) -> T) -> usize {
        let mut count = 0;
        while count < out.len() {
            let Some(early) = self.early.pop() else { break };
            out[count] = shape(early);
            count += 1;
        }
        let mut queue = self.ring.0.completion();
        for slot in &mut out[count..] {
            let Some(entry) = queue.next() else { break };
            let buffer = io_uring::cqueue::buffer_select(entry.flags());
            *slot = shape(Completion {
                user_data: entry.user_data(),
                result: entry.result(),
                more: io_uring::cqueue::more(entry.flags()),
                buffer,
            });
            if let Some(buffer) = buffer {
                self.memory.hold(buffer, entry.result());
            }
            count += 1;
        }
        count
    }

    /// Whether [`Uring::reap`] has anything to give now.
    #[inline]
    pub fn has_completions(&mut self) -> bool {
        !self.early.is_empty() || !self.ring.0.completion().is_empty()
    }

    /// The bytes of a reaped receive; empty once the buffer was given back.
    #[inline]
    pub fn bytes(&self, buffer: u16) -> &[u8] {
        self.memory.held(buffer)
    }

    /// Copies the bytes of a reaped receive to the slot's scratch and gives their number.
    #[inline]
    pub fn copy_to_scratch(&mut self, buffer: u16, slot: u32) -> usize {
        self.memory.copy_to_scratch(buffer, slot)
    }

    /// Gives a receive buffer back to the kernel.
    #[inline]
    pub fn release(&mut self, buffer: u16) {
        self.memory.release(buffer);
    }
}

impl Drop for Uring {
    fn drop(&mut self) {
        let ring = self.ring.0.as_raw_fd();
        let idle = setup::cancel_all(ring);
        // Sockets close now, not when the kernel comes to tear the ring down: a server can be
        // started again on its port at once.
        let _ = self.ring.0.submitter().unregister_files();
        if let Some(index) = self.registered {
            setup::unregister_ring(ring, index);
        }
        // SAFETY: dropped once, here, and not used after.
        unsafe { ManuallyDrop::drop(&mut self.ring) };
        if idle {
            // SAFETY: dropped once, here. No operation is in flight: the kernel holds no byte.
            // Otherwise it is leaked, since the kernel tears a ring down in its own time.
            unsafe { ManuallyDrop::drop(&mut self.memory) };
        }
    }
}

/// Flags of `io_uring_enter(2)`.
mod libc_enter {
    pub(super) const GETEVENTS: u32 = 1;
    pub(super) const SQ_WAKEUP: u32 = 2;
    pub(super) const EXT_ARG: u32 = 8;
    pub(super) const REGISTERED_RING: u32 = 16;
}
