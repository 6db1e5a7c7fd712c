//! This process and the one that started it.

use std::io;

use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::getppid;

/// The number of this process.
pub fn id() -> u32 {
    std::process::id()
}

/// Has this process killed when its parent, process `parent`, ends in any way.
///
/// # Errors
/// The parent is gone already, or the kernel forbids it.
pub fn end_with_parent(parent: u32) -> io::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    // It may have ended before the kernel was asked.
    if getppid().as_raw() as u32 == parent {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::NotFound, "the parent is gone"))
    }
}
