//! What the machine says of itself, outside the hot path: the environment record, what a run
//! used, a watched process and device, and the source ports that earlier connections still hold.
//!
//! A fact that the kernel does not give is `None`.

mod environment;
mod ports;
mod procfs;
mod resources;
mod watch;

pub use environment::{environment, governor};
pub use ports::{Hold, IN_USE, TIME_WAIT, TimeWait, time_waits};
pub use resources::{charge_thread, iowq_threads, resources};
pub use watch::{Watch, WatchError};
