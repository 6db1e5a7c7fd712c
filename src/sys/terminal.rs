//! How large a terminal is.

use std::os::fd::{AsFd, AsRawFd as _};

/// Columns and lines of the terminal at `file`; `None` where it is none, or does not say.
pub fn size(file: &impl AsFd) -> Option<(usize, usize)> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    let file = file.as_fd().as_raw_fd();
    // SAFETY: TIOCGWINSZ writes one `winsize` to where the pointer shows, which lives until the
    // call is over; on what is no terminal the kernel refuses and writes nothing.
    let done = unsafe { libc::ioctl(file, libc::TIOCGWINSZ, &raw mut size) };
    (done == 0 && size.ws_col > 0 && size.ws_row > 0)
        .then_some((size.ws_col.into(), size.ws_row.into()))
}
