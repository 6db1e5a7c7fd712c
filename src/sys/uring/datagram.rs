//! Datagrams in the ring: received into the shared buffers, each with its sender; sent from
//! memory that is used in turn.
//!
//! A datagram is sent at once or never (`MSG_DONTWAIT`): the kernel reads it when it takes the
//! entry and holds none of it afterwards.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};

use io_uring::opcode;
use io_uring::squeue::Flags;
use io_uring::types::{Fixed, RecvMsgOut};
use nix::sys::socket::{SockaddrLike, SockaddrStorage, setsockopt, sockopt};

use super::{BUFFER_GROUP, Uring, memory};

/// Most bytes of a datagram that is sent.
pub const DATAGRAM_BYTES_MAX: usize = 16 * 1024;

/// Datagrams that may be pushed before the kernel has to take them.
const OUTGOING: usize = 64;

/// What the kernel may hold of datagrams. Its parts are boxed: they never move.
#[derive(Debug)]
pub(super) struct Datagrams {
    /// Says only how long the sender's address may be.
    incoming: Box<libc::msghdr>,
    outgoing: Box<[Outgoing]>,
    /// Which of them is next.
    turn: usize,
}

struct Outgoing {
    message: libc::msghdr,
    part: libc::iovec,
    address: SockaddrStorage,
    bytes: Box<[u8]>,
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outgoing({} bytes)", self.part.iov_len)
    }
}

/// What the scratch of each slot goes to the peer in, where sockets are of datagrams.
#[derive(Debug)]
pub(super) struct Envelopes(Box<[Envelope]>);

struct Envelope {
    message: libc::msghdr,
    part: libc::iovec,
}

impl std::fmt::Debug for Envelope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Envelope({} bytes)", self.part.iov_len)
    }
}

impl Envelopes {
    pub(super) fn new(slots: usize) -> Self {
        let part = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
        Self((0..slots).map(|_| Envelope { message: no_message(), part }).collect())
    }

    /// The datagram of `slot`, of these bytes and for this peer: both never move.
    #[inline]
    pub(super) fn fill(
        &mut self,
        slot: u32,
        peer: &mut SockaddrStorage,
        bytes: &mut [u8],
    ) -> *const libc::msghdr {
        let envelope = &mut self.0[slot as usize];
        envelope.part.iov_base = bytes.as_mut_ptr().cast();
        envelope.part.iov_len = bytes.len();
        envelope.message.msg_namelen = peer.len();
        envelope.message.msg_name = std::ptr::from_mut(peer).cast();
        envelope.message.msg_iov = &raw mut envelope.part;
        envelope.message.msg_iovlen = 1;
        &raw const envelope.message
    }
}

impl Datagrams {
    fn new(any: SocketAddr) -> Self {
        let mut incoming = no_message();
        incoming.msg_namelen = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
        let outgoing = || Outgoing {
            message: no_message(),
            part: libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 },
            address: SockaddrStorage::from(any),
            bytes: vec![0; DATAGRAM_BYTES_MAX].into_boxed_slice(),
        };
        Self {
            incoming: Box::new(incoming),
            outgoing: std::iter::repeat_with(outgoing).take(OUTGOING).collect(),
            turn: 0,
        }
    }

    /// Fills the next message and gives its address.
    fn fill(&mut self, to: SocketAddr, bytes: &[u8]) -> *const libc::msghdr {
        let out = &mut self.outgoing[self.turn];
        self.turn = (self.turn + 1) % OUTGOING;
        let length = bytes.len().min(out.bytes.len());
        out.bytes[..length].copy_from_slice(&bytes[..length]);
        out.part.iov_base = out.bytes.as_mut_ptr().cast();
        out.part.iov_len = length;
        out.address = SockaddrStorage::from(to);
        out.message.msg_name = (&raw mut out.address).cast();
        out.message.msg_namelen = out.address.len();
        out.message.msg_iov = &raw mut out.part;
        out.message.msg_iovlen = 1;
        &raw const out.message
    }
}

impl Uring {
    /// Puts a datagram socket for `address` on `slot` and gives its real address. With
    /// `reuse_port` several sockets of this user may share it, each with its part of the clients.
    ///
    /// # Errors
    /// As socket(2), setsockopt(2) and bind(2).
    pub fn bind_datagrams(
        &mut self,
        slot: u32,
        address: SocketAddr,
        reuse_port: bool,
    ) -> io::Result<SocketAddr> {
        let socket = std::net::UdpSocket::from(socket_of(address, reuse_port)?);
        let bound = socket.local_addr()?;
        self.ring.0.submitter().register_files_update(slot, &[socket.as_raw_fd()])?;
        self.memory.datagrams.get_or_insert_with(|| Datagrams::new(bound));
        Ok(bound)
    }

    /// Receives datagrams on `slot` from now on, each into a shared buffer: see
    /// [`Uring::datagram`]. Nothing happens where no datagram socket was made.
    pub fn receive_datagrams(&mut self, slot: u32, user_data: u64) {
        let Some(datagrams) = &self.memory.datagrams else { return };
        let message = &raw const *datagrams.incoming;
        let entry = opcode::RecvMsgMulti::new(Fixed(slot), message, BUFFER_GROUP).build();
        self.push(entry, user_data);
    }

    /// Sender and bytes of a reaped datagram; `None` where the buffer holds none.
    pub fn datagram(&self, buffer: u16) -> Option<(SocketAddr, &[u8])> {
        let datagrams = self.memory.datagrams.as_ref()?;
        let received = RecvMsgOut::parse(self.memory.held(buffer), &datagrams.incoming).ok()?;
        // What borrows the buffer outlives the view on it.
        let whole = self.memory.held(buffer);
        let length = received.payload_data().len();
        Some((address_of(received.name_data())?, whole.get(whole.len() - length..)?))
    }

    /// Sends `bytes`, at most [`DATAGRAM_BYTES_MAX`] of them, from `slot` to `to`. Completes only
    /// if it fails; like any datagram it may get lost without a word.
    pub fn send_datagram(&mut self, slot: u32, to: SocketAddr, bytes: &[u8], user_data: u64) {
        let Some(datagrams) = &self.memory.datagrams else { return };
        // A lap ends: what is used again must have been taken.
        if datagrams.turn == 0 && !self.ring.0.submission().is_empty() {
            self.failure = self.failure.or_else(|| self.enter(0, 0, None).err());
            if !self.ring.0.submission().is_empty() {
                return;
            }
        }
        let Some(datagrams) = &mut self.memory.datagrams else { return };
        let message = datagrams.fill(to, bytes);
        let entry = opcode::SendMsg::new(Fixed(slot), message)
            .flags((libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) as u32)
            .build();
        self.push(entry.flags(Flags::SKIP_SUCCESS), user_data);
    }
}

/// A message without anything.
fn no_message() -> libc::msghdr {
    // SAFETY: a msghdr of zeros is valid: null pointers, each with a length of 0.
    unsafe { std::mem::zeroed() }
}

fn socket_of(address: SocketAddr, reuse_port: bool) -> io::Result<OwnedFd> {
    let socket = memory::plain_socket(memory::family_of(address), libc::SOCK_DGRAM)?;
    setsockopt(&socket, sockopt::ReuseAddr, &reuse_port)?;
    setsockopt(&socket, sockopt::ReusePort, &reuse_port)?;
    setsockopt(&socket, sockopt::RcvBuf, &(memory::RECEIVE_BUFFER_BYTES as usize))?;
    memory::bind(&socket, address)?;
    Ok(socket)
}

/// The address in the bytes of a sockaddr.
fn address_of(name: &[u8]) -> Option<SocketAddr> {
    let family = i32::from(u16::from_ne_bytes(*name.first_chunk()?));
    let port = u16::from_be_bytes([*name.get(2)?, *name.get(3)?]);
    let ip: IpAddr = match family {
        libc::AF_INET => Ipv4Addr::from(*name.get(4..)?.first_chunk::<4>()?).into(),
        libc::AF_INET6 => Ipv6Addr::from(*name.get(8..)?.first_chunk::<16>()?).into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::time::Duration;

    use super::super::{Completion, Setup};
    use super::*;
    use crate::unit::Nanos;

    fn ring() -> Uring {
        Uring::open(&Setup {
            slots: 2,
            templates: vec![],
            scratch_bytes: 0,
            buffers: 4,
            buffer_bytes: 4096,
            sources: vec![],
            peer: ([127, 0, 0, 1], 0).into(),
            datagrams: false,
            reset_on_close: false,
            sqpoll: None,
            lowest_step: 0,
        })
        .unwrap()
    }

    /// Echoes `count` datagrams on `host`, more than are held at a time.
    fn echoes(host: &str, count: usize) {
        let mut ring = ring();
        let any = SocketAddr::new(host.parse().unwrap(), 0);
        let address = ring.bind_datagrams(0, any, false).unwrap();
        ring.receive_datagrams(0, 7);
        let client = UdpSocket::bind(any).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut batch = [Completion::default(); 8];
        for number in 0..count as u32 {
            client.send_to(&number.to_be_bytes(), address).unwrap();
            let mut heard = 0;
            while heard == 0 {
                ring.submit_and_wait(1, Nanos::from_millis(50)).unwrap();
                let reaped = ring.reap(&mut batch);
                for completion in &batch[..reaped] {
                    let (buffer, told) = (completion.buffer.unwrap(), completion.user_data);
                    let (from, bytes) = ring.datagram(buffer).unwrap();
                    assert_eq!((told, from), (7, client.local_addr().unwrap()));
                    let bytes = bytes.to_vec();
                    ring.send_datagram(0, from, &bytes, 8);
                    ring.release(buffer);
                    assert!(completion.more);
                    heard += 1;
                }
            }
            ring.submit().unwrap();
            let mut answer = [0; 8];
            assert_eq!(client.recv(&mut answer).unwrap(), 4);
            assert_eq!(answer[..4], number.to_be_bytes());
        }
    }

    #[test]
    fn datagrams_come_with_their_sender_and_go_back_to_it() {
        echoes("127.0.0.1", 2 * OUTGOING + 3);
        echoes("::1", 3);
    }

    #[test]
    fn more_datagrams_than_are_held_leave_in_one_batch() {
        let mut ring = ring();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        ring.bind_datagrams(0, any, false).unwrap();
        let client = UdpSocket::bind(any).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        for number in 0..100_u8 {
            ring.send_datagram(0, client.local_addr().unwrap(), &[number], 1);
        }
        ring.submit().unwrap();
        for number in 0..100 {
            let mut bytes = [0; 2];
            assert_eq!(client.recv(&mut bytes).unwrap(), 1);
            assert_eq!(bytes[0], number);
        }
    }

    #[test]
    fn a_sockaddr_of_another_family_has_no_address() {
        assert_eq!(address_of(&[0; 28]), None);
        assert_eq!(address_of(&[]), None);
        let v4 = [libc::AF_INET as u8, 0, 0x13, 0xc8, 10, 0, 0, 1];
        #[cfg(target_endian = "little")]
        assert_eq!(address_of(&v4), Some(([10, 0, 0, 1], 5064).into()));
        assert_eq!(address_of(&v4[..6]), None);
    }
}
