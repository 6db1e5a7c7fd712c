//! The kernel's error numbers by name.

use nix::errno::Errno;

pub use libc::{
    EADDRINUSE, EADDRNOTAVAIL, EBADF, ECANCELED, ECONNREFUSED, ECONNRESET, EHOSTUNREACH, EINVAL,
    ENETUNREACH, ENOBUFS, ENOTCONN, EOPNOTSUPP, ETIMEDOUT,
};

/// The name of a kernel error number, like `ECONNREFUSED` for 111; the number itself where it has
/// none.
pub fn errno_name(errno: u16) -> String {
    match Errno::from_raw(i32::from(errno)) {
        Errno::UnknownErrno => errno.to_string(),
        known => format!("{known:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_kernel_names() {
        assert_eq!(errno_name(111), "ECONNREFUSED");
        assert_eq!(errno_name(104), "ECONNRESET");
        assert_eq!(errno_name(4000), "4000");
    }
}
