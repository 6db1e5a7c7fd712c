//! The built-in targets, on the same ring as the load: HTTP, echo, and servers of PVs.
//!
//! [`Serving`] is a target that runs. Each shard is a pinned thread with a ring, a listener of
//! its own on the one address (the kernel spreads the clients) and a table of connections:
//!
//! ```text
//!   shard    the loop: accept, receive, send, close; bounded memory
//!     ├─ target     what to answer, sans-IO: http, echo
//!     ├─ behaviour  how: how long it takes, and what goes wrong
//!     ├─ station    when: the line before the workers
//!     ├─ agenda     what is not due yet
//!     └─ acceptor   when clients are let in
//!   epics    PVs, which speak unasked: a loop and rules of their own
//! ```

mod acceptor;
mod agenda;
mod behaviour;
mod echo;
mod epics;
mod error;
mod http;
mod shard;
mod station;
mod target;

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use crate::clock::KernelClock;
use crate::evidence::Served;
use crate::plan::{ClockName, CpuList, Idle};
use crate::ring::Setup;
use crate::sys::uring::Uring;
use crate::sys::{cpu, resource, signal};
use crate::unit::ByteSize;
use crate::words;

pub use behaviour::{Behaviour, Delay, Stall};
pub use epics::{Flaws, Posting, PvPlan, PvType};
pub use error::ServeError;
pub(crate) use station::{FirstRequest, Station};

use echo::Echo;
use http::Http;
use shard::{Manner, Shard};
use target::Target;

words! {
    /// What a built-in target speaks.
    pub enum Kind: "a target is http, echo, ca or pva, like http" {
        /// HTTP/1.1 and 1.0.
        Http = "http",
        /// What comes in goes out.
        Echo = "echo",
        /// Channel Access.
        Ca = "ca",
        /// pvAccess.
        Pva = "pva",
    }
}

/// What to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServePlan {
    /// What it speaks.
    pub kind: Kind,
    /// Where it listens; port 0 is any free one.
    pub listen: SocketAddr,
    /// Pinned threads; at least 1.
    pub shards: u32,
    /// Their CPUs, shard i on entry i modulo the length; never empty.
    pub cpus: CpuList,
    /// What a shard does when nothing is due.
    pub idle: Idle,
    /// How it answers.
    pub behaviour: Behaviour,
    /// Size of an HTTP answer's body, below 4 GiB; an echo has none.
    pub body_bytes: ByteSize,
    /// Answers after which a connection is closed; at least 1.
    pub close_after: Option<u64>,
    /// What Channel Access and pvAccess serve; nobody else does.
    pub pvs: PvPlan,
}

/// A target that runs, until it is stopped or dropped.
#[derive(Debug)]
pub struct Serving {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    first: FirstRequest,
    shards: Vec<JoinHandle<Result<Served, ServeError>>>,
}

/// Most connections of a shard: a table of these takes some MiB.
const SLOTS_MAX: u64 = 1 << 16;

/// Receive buffers of a shard; each is given back within a pass of the loop.
const BUFFERS: u16 = 512;

impl Serving {
    /// Starts a target; clients may connect when this returns.
    ///
    /// # Errors
    /// The address cannot be listened on, a CPU is not there, or there is no ring.
    pub fn start(plan: &ServePlan) -> Result<Self, ServeError> {
        if plan.shards > 1 {
            // The shards share the address (SO_REUSEPORT), which any process of this user could
            // then share, too. So it is first bound alone.
            let alone = TcpListener::bind(plan.listen);
            drop(alone.map_err(|error| ServeError::Listen(plan.listen, error))?);
        }
        let mut serving = Self {
            address: plan.listen,
            stop: Arc::default(),
            first: FirstRequest::default(),
            shards: Vec::new(),
        };
        for index in 0..plan.shards as usize {
            // The first one finds the port that the others share.
            let plan = ServePlan { listen: serving.address, ..plan.clone() };
            serving.address = serving.add_shard(plan, index)?;
        }
        Ok(serving)
    }

    /// Where it listens, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether a shard ended by itself; [`Serving::stop`] says why.
    pub fn has_failed(&self) -> bool {
        self.shards.iter().any(JoinHandle::is_finished)
    }

    /// Ends all connections and says what was served.
    ///
    /// # Errors
    /// A shard had to end before.
    pub fn stop(mut self) -> Result<Served, ServeError> {
        self.stop.store(true, Ordering::Relaxed);
        let mut total = Served::default();
        for shard in self.shards.drain(..) {
            total += shard.join().unwrap_or_else(|_| Err(ServeError::died()))?;
        }
        Ok(total)
    }

    fn add_shard(&mut self, plan: ServePlan, index: usize) -> Result<SocketAddr, ServeError> {
        let (tell, told) = sync_channel(1);
        let stop = Arc::clone(&self.stop);
        let station = Station::new(&plan.behaviour, Arc::clone(&self.first));
        let spawn = || {
            thread::Builder::new().name(format!("serve {index}")).spawn(move || match plan.kind {
                Kind::Http => {
                    let body_bytes = plan.body_bytes.0 as usize;
                    let http = Http { body_bytes, close_after: plan.close_after };
                    run_shard(http, &plan, (index, station), &stop, &tell)
                }
                Kind::Echo => {
                    let echo = Echo { close_after: plan.close_after };
                    run_shard(echo, &plan, (index, station), &stop, &tell)
                }
                Kind::Ca | Kind::Pva => epics::run_shard(&plan, (index, station), &stop, &tell),
            })
        };
        // Signals are for the main thread.
        let shard = signal::shielded(spawn).and_then(|spawned| spawned);
        self.shards.push(shard.map_err(ServeError::Thread)?);
        match told.recv() {
            Ok(address) => Ok(address),
            // It ended before it could listen: its result says why.
            Err(_) => match self.shards.pop().map(JoinHandle::join) {
                Some(Ok(Err(error))) => Err(error),
                _ => Err(ServeError::died()),
            },
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for shard in self.shards.drain(..) {
            // Dropped without `stop`: nobody asks how it ended.
            let _ = shard.join();
        }
    }
}

/// The life of a shard's thread.
fn run_shard<T: Target>(
    target: T,
    plan: &ServePlan,
    (index, station): (usize, Station),
    stop: &AtomicBool,
    tell: &SyncSender<SocketAddr>,
) -> Result<Served, ServeError> {
    let cpu = plan.cpus.0[index % plan.cpus.0.len()];
    cpu::pin_to(cpu).map_err(ServeError::Thread)?;
    // Without this a sleep ends 50 us late; where it is forbidden, delays are longer by that.
    let _ = cpu::set_timer_slack(1);
    let limit = resource::raise_file_limit().or_else(|_| resource::file_limit());
    let slots = limit.map_or(1024, |limit| limit.soft).min(SLOTS_MAX) as u32;
    let mut ring = Uring::open(&Setup {
        slots,
        templates: target.templates(),
        scratch_bytes: T::SCRATCH_BYTES,
        buffers: BUFFERS,
        buffer_bytes: shard::RECEIVE_BYTES as u32,
        sources: Vec::<IpAddr>::new(),
        peer: plan.listen,
        datagrams: false,
        reset_on_close: false,
        sqpoll: None,
        lowest_step: 0,
    })?;
    let address = ring
        .listen(acceptor::LISTENER, plan.listen, plan.shards > 1)
        .map_err(|error| ServeError::Listen(plan.listen, error))?;
    let clock = KernelClock::new(ClockName::Monotonic);
    let behaviour = plan.behaviour.clone();
    let manner = Manner { index: index as u32, idle: plan.idle, behaviour };
    let shard = Shard::new(target, ring, clock, slots, (manner, station));
    // Nobody receives it where the target is being dropped.
    let _ = tell.send(address);
    shard.run(stop)
}
