//! Everything that the kernel may hold for a ring. Parts are boxed or mapped: they never move.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::BufRingEntry;
use memmap2::{MmapMut, MmapOptions};
use nix::sys::socket::{SockaddrLike, SockaddrStorage};

use super::super::socket::source_toward;
use super::datagram::{Datagrams, Envelopes};
use super::setup::{SUBMISSIONS, Setup};

/// Options of a source socket, set before it is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SourceOption {
    /// A port in TIME_WAIT binds again.
    ReuseAddress,
    /// Closing sends a reset.
    LingerZero,
    /// Datagrams that come in a burst wait.
    ReceiveBuffer,
}

impl SourceOption {
    pub(super) const ALL: [Self; 3] = [Self::ReuseAddress, Self::LingerZero, Self::ReceiveBuffer];
}

/// Bytes of datagrams that may wait; the kernel cuts it to net.core.rmem_max.
pub(super) const RECEIVE_BUFFER_BYTES: libc::c_int = 4 << 20;

/// The kernel has this buffer: nobody else may look at it, nor give it back once more.
const WITH_KERNEL: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct Memory {
    templates: Vec<Box<[u8]>>,
    scratch: Box<[u8]>,
    scratch_bytes: usize,
    receive: MmapMut,
    receive_bytes: usize,
    /// Bytes that the caller may read in each receive buffer; [`WITH_KERNEL`] while it may not.
    held: Box<[u32]>,
    ring: MmapMut,
    ring_tail: u16,
    /// Without a port.
    sources: Vec<SocketAddr>,
    /// Used in turn, one per entry of the submission queue: an address is read when its entry is
    /// taken, and no more entries than that can be pending.
    binds: Box<[SockaddrStorage]>,
    binds_used: usize,
    peer: Box<SockaddrStorage>,
    no_peer: Box<libc::sockaddr>,
    one: Box<libc::c_int>,
    linger_zero: Option<Box<libc::linger>>,
    /// By slot, where sockets are of datagrams.
    envelopes: Option<Envelopes>,
    receive_buffer: Box<libc::c_int>,
    /// There once a datagram socket was made.
    pub(super) datagrams: Option<Datagrams>,
}

impl Memory {
    pub(super) fn new(setup: &Setup) -> io::Result<Self> {
        let slots = setup.slots as usize;
        let buffers = usize::from(setup.buffers.next_power_of_two());
        let bytes = setup.buffer_bytes as usize;
        let sources = setup.sources.iter();
        let any = SockaddrStorage::from(SocketAddr::new(setup.peer.ip(), 0));
        let mut memory = Self {
            templates: setup.templates.iter().map(|t| t.clone().into_boxed_slice()).collect(),
            scratch: vec![0; slots * setup.scratch_bytes].into_boxed_slice(),
            scratch_bytes: setup.scratch_bytes,
            receive: resident(buffers * bytes)?,
            receive_bytes: bytes,
            held: vec![WITH_KERNEL; buffers].into_boxed_slice(),
            ring: resident(buffers * size_of::<BufRingEntry>())?,
            ring_tail: 0,
            sources: sources.map(|&source| source_toward(setup.peer, source, 0)).collect(),
            binds: vec![any; SUBMISSIONS as usize].into_boxed_slice(),
            binds_used: 0,
            peer: Box::new(SockaddrStorage::from(setup.peer)),
            no_peer: Box::new(libc::sockaddr {
                sa_family: libc::AF_UNSPEC as libc::sa_family_t,
                sa_data: [0; 14],
            }),
            one: Box::new(1),
            linger_zero: setup
                .reset_on_close
                .then(|| Box::new(libc::linger { l_onoff: 1, l_linger: 0 })),
            envelopes: setup.datagrams.then(|| Envelopes::new(slots)),
            receive_buffer: Box::new(RECEIVE_BUFFER_BYTES),
            datagrams: None,
        };
        for buffer in 0..buffers {
            memory.give(buffer as u16);
        }
        Ok(memory)
    }

    /// Address and entries of the buffer ring.
    pub(super) fn buffer_ring(&self) -> (u64, u16) {
        (self.ring.as_ptr() as u64, self.held.len() as u16)
    }

    /// Hands `buffer` to the kernel.
    #[inline]
    fn give(&mut self, buffer: u16) {
        let bytes = self.receive_bytes;
        let address = self.receive[usize::from(buffer) * bytes..][..bytes].as_mut_ptr() as u64;
        let index = usize::from(self.ring_tail) & (self.held.len() - 1);
        let base = self.ring.as_mut_ptr().cast::<BufRingEntry>();
        // SAFETY: the mapping holds `held.len()` entries, a power of two, and `index` is masked
        // below it; mappings are page aligned, so the entry is aligned.
        let entry = unsafe { &mut *base.wrapping_add(index) };
        entry.set_addr(address);
        entry.set_len(bytes as u32);
        entry.set_bid(buffer);
        self.ring_tail = self.ring_tail.wrapping_add(1);
        // SAFETY: `base` is the first entry of the ring, initialised (zeroed or written).
        let tail = unsafe { BufRingEntry::tail(base) };
        // SAFETY: the tail lies in the mapping, 2-byte aligned, and is only stored to here.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        // Release: the kernel sees the entry before it sees the tail move past it.
        tail.store(self.ring_tail, Ordering::Release);
    }

    /// The kernel filled `buffer` with `result` bytes.
    #[inline]
    pub(super) fn hold(&mut self, buffer: u16, result: i32) {
        if let Some(held) = self.held.get_mut(usize::from(buffer)) {
            *held = u32::try_from(result).unwrap_or(0).min(self.receive_bytes as u32);
        }
    }

    #[inline]
    pub(super) fn held(&self, buffer: u16) -> &[u8] {
        let buffer = usize::from(buffer);
        match self.held.get(buffer) {
            None | Some(&WITH_KERNEL) => &[],
            Some(&length) => &self.receive[buffer * self.receive_bytes..][..length as usize],
        }
    }

    #[inline]
    pub(super) fn release(&mut self, buffer: u16) {
        // If it were given back twice, the kernel would fill it while the caller reads it.
        match self.held.get_mut(usize::from(buffer)) {
            None | Some(&mut WITH_KERNEL) => {}
            Some(held) => {
                *held = WITH_KERNEL;
                self.give(buffer);
            }
        }
    }

    /// Copies what fits of `buffer` to the slot's scratch and gives its length.
    #[inline]
    pub(super) fn copy_to_scratch(&mut self, buffer: u16, slot: u32) -> usize {
        let buffer = usize::from(buffer);
        let held = match self.held.get(buffer) {
            None | Some(&WITH_KERNEL) => return 0,
            Some(&held) => held as usize,
        };
        let length = held.min(self.scratch_bytes);
        let from = &self.receive[buffer * self.receive_bytes..][..length];
        self.scratch[slot as usize * self.scratch_bytes..][..length].copy_from_slice(from);
        length
    }

    pub(super) fn template(&self, template: u16) -> (*const u8, u32) {
        let bytes = &self.templates[usize::from(template)];
        (bytes.as_ptr(), bytes.len() as u32)
    }

    pub(super) fn scratch(&mut self, slot: u32) -> &mut [u8] {
        &mut self.scratch[slot as usize * self.scratch_bytes..][..self.scratch_bytes]
    }

    pub(super) fn scratch_address(&self, slot: u32) -> (*const u8, u32) {
        let bytes = &self.scratch[slot as usize * self.scratch_bytes..][..self.scratch_bytes];
        (bytes.as_ptr(), bytes.len() as u32)
    }

    /// The first `length` bytes of the slot's scratch as a datagram for the peer; `None` where
    /// sockets are of streams.
    #[inline]
    pub(super) fn addressed(&mut self, slot: u32, length: usize) -> Option<*const libc::msghdr> {
        let envelopes = self.envelopes.as_mut()?;
        let bytes = &mut self.scratch[slot as usize * self.scratch_bytes..][..self.scratch_bytes];
        let length = length.min(bytes.len());
        Some(envelopes.fill(slot, &mut self.peer, &mut bytes[..length]))
    }

    pub(super) fn peer(&self) -> (*const libc::sockaddr, u32) {
        (self.peer.as_ptr(), self.peer.len())
    }

    pub(super) fn no_peer(&self) -> (*const libc::sockaddr, u32) {
        (&raw const *self.no_peer, size_of::<libc::sockaddr>() as u32)
    }

    fn source(&self, source: u16, port: u16) -> SocketAddr {
        let mut address = self.sources[usize::from(source)];
        address.set_port(port);
        address
    }

    pub(super) fn bind_address(&mut self, source: u16, port: u16) -> (*const libc::sockaddr, u32) {
        let address = self.source(source, port);
        let turn = self.binds_used % self.binds.len();
        self.binds_used = self.binds_used.wrapping_add(1);
        let stored = &mut self.binds[turn];
        *stored = SockaddrStorage::from(address);
        (stored.as_ptr(), stored.len())
    }

    /// Level, name, value and length of a socket option; `None` where it is not wanted.
    pub(super) fn option(
        &self,
        option: SourceOption,
    ) -> Option<(u32, u32, *const libc::c_void, u32)> {
        let (name, value, length) = match option {
            // Of datagrams it would give the port to others, too.
            SourceOption::ReuseAddress if self.envelopes.is_some() => return None,
            SourceOption::ReuseAddress => {
                (libc::SO_REUSEADDR, (&raw const *self.one).cast(), size_of::<libc::c_int>())
            }
            SourceOption::LingerZero => {
                let linger = &raw const **self.linger_zero.as_ref()?;
                (libc::SO_LINGER, linger.cast(), size_of::<libc::linger>())
            }
            SourceOption::ReceiveBuffer => {
                self.envelopes.as_ref()?;
                let bytes = &raw const *self.receive_buffer;
                (libc::SO_RCVBUF, bytes.cast(), size_of::<libc::c_int>())
            }
        };
        Some((libc::SOL_SOCKET as u32, name as u32, value, length as u32))
    }

    /// A bound socket by plain syscalls, for kernels that cannot bind in the ring.
    pub(super) fn open_socket(
        &self,
        (family, kind): (i32, i32),
        source: u16,
        port: u16,
    ) -> io::Result<OwnedFd> {
        let socket = plain_socket(family, kind)?;
        for option in SourceOption::ALL {
            let Some((level, name, value, length)) = self.option(option) else { continue };
            // SAFETY: value points to `length` bytes that `self` owns.
            let set = unsafe {
                libc::setsockopt(socket.as_raw_fd(), level as i32, name as i32, value, length)
            };
            ok_or_errno(set)?;
        }
        bind(&socket, self.source(source, port))?;
        Ok(socket)
    }
}

/// Memory whose pages are there: the measure phase is to fault on none of them.
fn resident(bytes: usize) -> io::Result<MmapMut> {
    MmapOptions::new().len(bytes).populate().map_anon()
}

/// A socket of a `kind`, SOCK_STREAM or SOCK_DGRAM.
pub(super) fn plain_socket(family: i32, kind: i32) -> io::Result<OwnedFd> {
    // SAFETY: takes no pointers.
    let fd = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, 0) };
    ok_or_errno(fd)?;
    // SAFETY: the descriptor was just made and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The family of an address.
pub(super) fn family_of(address: SocketAddr) -> i32 {
    if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }
}

pub(super) fn bind(socket: &OwnedFd, address: SocketAddr) -> io::Result<()> {
    let address = SockaddrStorage::from(address);
    // SAFETY: address and length describe a socket address that lives through the call.
    ok_or_errno(unsafe { libc::bind(socket.as_raw_fd(), address.as_ptr(), address.len()) })
}

fn ok_or_errno(result: i32) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Connections that may wait to be accepted; the kernel cuts it to net.core.somaxconn.
const BACKLOG: i32 = 65_535;

/// A listening socket and the address that it really has.
pub(super) fn listen(address: SocketAddr, reuse_port: bool) -> io::Result<(OwnedFd, SocketAddr)> {
    use nix::sys::socket::{setsockopt, sockopt};
    let socket = plain_socket(family_of(address), libc::SOCK_STREAM)?;
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    if reuse_port {
        setsockopt(&socket, sockopt::ReusePort, &true)?;
    }
    // Accepted sockets inherit it: no answer is held back until an earlier one is acknowledged.
    setsockopt(&socket, sockopt::TcpNoDelay, &true)?;
    bind(&socket, address)?;
    // SAFETY: takes no pointers.
    ok_or_errno(unsafe { libc::listen(socket.as_raw_fd(), BACKLOG) })?;
    let bound = std::net::TcpListener::from(socket);
    let real = bound.local_addr()?;
    Ok((bound.into(), real))
}
