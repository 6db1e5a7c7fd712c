//! Why a target does not serve, with the cure.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use crate::ring::{QueueError, SetupError};
use crate::sys::errno;

/// Why a target does not serve.
#[derive(Debug)]
pub enum ServeError {
    /// It cannot listen on this address.
    Listen(SocketAddr, io::Error),
    /// It cannot be searched for at this address.
    Search(SocketAddr, io::Error),
    /// There is no ring.
    Ring(SetupError),
    /// The ring is broken.
    Queue(QueueError),
    /// The kernel cannot accept in the ring: its error number.
    Accept(i32),
    /// A thread cannot be started, or not on its CPU.
    Thread(io::Error),
}

impl ServeError {
    /// Whether this error number means that the kernel cannot accept in a ring at all.
    pub(super) fn cannot_accept(errno: i32) -> bool {
        matches!(errno, errno::EBADF | errno::EINVAL | errno::EOPNOTSUPP)
    }

    /// A shard's thread panicked.
    pub(super) fn died() -> Self {
        Self::Thread(io::Error::other("it panicked"))
    }
}

impl From<SetupError> for ServeError {
    fn from(error: SetupError) -> Self {
        Self::Ring(error)
    }
}

impl From<QueueError> for ServeError {
    fn from(error: QueueError) -> Self {
        Self::Queue(error)
    }
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(address, error) => {
                write!(f, "cannot listen on {address}: ")?;
                match error.kind() {
                    io::ErrorKind::AddrInUse => write!(
                        f,
                        "the address is in use: end who has it \
                         (ss -ltnp 'sport = :{}'), or take another port, like --listen {}:0",
                        address.port(),
                        Host(*address),
                    ),
                    io::ErrorKind::PermissionDenied => write!(
                        f,
                        "the port is privileged: take one from 1024 up, like --listen {}:8080",
                        Host(*address),
                    ),
                    io::ErrorKind::AddrNotAvailable => {
                        f.write_str("this host does not have the address: see ip address")
                    }
                    _ => error.fmt(f),
                }
            }
            Self::Search(address, error) => write!(
                f,
                "cannot be searched for at {address} (UDP): {error}; see who has the port \
                 (ss -lunp 'sport = :{}'), or take another, like --listen {}:0",
                address.port(),
                Host(*address),
            ),
            Self::Ring(error) => error.fmt(f),
            Self::Queue(error) => error.fmt(f),
            Self::Accept(errno) => write!(
                f,
                "this kernel cannot accept connections in the ring ({}): use Linux 5.19 or newer",
                io::Error::from_raw_os_error(*errno)
            ),
            Self::Thread(error) => write!(f, "a thread of the target cannot run: {error}"),
        }
    }
}

impl std::error::Error for ServeError {}

/// An IP address as it stands before a port.
struct Host(SocketAddr);

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            SocketAddr::V4(address) => address.ip().fmt(f),
            SocketAddr::V6(address) => write!(f, "[{}]", address.ip()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(address: &str, kind: io::ErrorKind, cure: &str) {
        let error = ServeError::Listen(address.parse().unwrap(), kind.into()).to_string();
        assert!(error.starts_with(&format!("cannot listen on {address}: ")), "{error}");
        assert!(error.ends_with(cure) && !error.contains('\n'), "{error}");
    }

    #[test]
    fn what_cannot_be_listened_on_is_told_with_its_cure() {
        check("127.0.0.1:80", io::ErrorKind::PermissionDenied, "like --listen 127.0.0.1:8080");
        check("[::1]:7000", io::ErrorKind::AddrInUse, "like --listen [::1]:0");
        check("192.0.2.1:80", io::ErrorKind::AddrNotAvailable, "see ip address");
    }
}
