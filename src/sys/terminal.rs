//! How large the terminal is.

use std::io;
use std::os::fd::AsRawFd as _;

/// Columns and lines of the terminal that stdout is; `None` where it is none, or does not say.
pub fn size() -> Option<(usize, usize)> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes one `winsize` to where the pointer shows, which lives until the
    // call is over; on what is no terminal the kernel refuses and writes nothing.
    let done = unsafe { libc::ioctl(io::stdout().as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    (done == 0 && size.ws_col > 0 && size.ws_row > 0)
        .then_some((size.ws_col.into(), size.ws_row.into()))
}
