//! What the machine says of itself, outside the hot path: the environment record, what a run and
//! its shards used, what happened to the machine meanwhile, a watched process and device, and the
//! source ports that earlier connections still hold.
//!
//! A fact that the kernel does not give is `None`.

mod cgroup;
mod cpus;
mod environment;
mod machine;
mod net;
mod ports;
mod procfs;
mod resources;
mod thread;
mod watch;

pub use environment::{environment, governor};
pub use machine::Look;
pub use ports::{Hold, IN_USE, TIME_WAIT, TimeWait, time_waits};
pub use resources::{iowq_threads, resources};
pub use thread::ThreadMeter;
pub use watch::{Watch, WatchError};
