//! Servers of process variables (PVs) whose values count: Channel Access and pvAccess.
//!
//! The value of a PV grows by one at each post and its stamp is true, so that a client that
//! looks at the values knows what it lost, got twice or got late.
//!
//! ```text
//!   posts ──▶ publisher ──▶ updates of a client ──▶ dialect ──▶ bytes ──▶ ring
//!   when      what, to whom        flaws on purpose    how
//! ```
//!
//! - `shard`      the loop: accept, hear, post, send; one send in flight per client
//! - `client`     a circuit: what came and is not whole, what is to go
//! - `publisher`  samples, subscriptions, and what each client is still to be told
//! - `flow`       what of a subscription may be sent by now
//! - `session`    the server as one message of a client sees it
//! - `dialect`    the protocol, sans-IO: `ca`, `pva`
//!
//! A client that does not read is told the newest value when it reads again: an update that
//! meets another of its subscription still waiting is merged with it, and counted.

mod ca;
mod client;
mod dialect;
mod flaws;
mod flow;
mod plan;
mod posts;
mod publisher;
mod pva;
mod session;
mod shard;

use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::SyncSender;

use super::station::Station;
use super::{Kind, ServeError, ServePlan};
use crate::clock::wall_ns;
use crate::evidence::Served;
use ca::ChannelAccess;
use pva::PvAccess;

pub use flaws::Flaws;
pub use plan::{Posting, PvPlan, PvType};

/// The life of shard `index`: tells where it listens, then serves until `stop` is set.
///
/// # Errors
/// The address cannot be listened on, the CPU is not there, there is no ring, or it breaks.
pub(super) fn run_shard(
    plan: &ServePlan,
    (index, station): (usize, Station),
    stop: &AtomicBool,
    tell: &SyncSender<SocketAddr>,
) -> Result<Served, ServeError> {
    let shard = (index, station);
    match plan.kind {
        Kind::Pva => {
            // Another at each start, so that clients notice that the server is not the same.
            let guid = u128::from(wall_ns()) << 32 | u128::from(std::process::id());
            let pva = PvAccess::new(&plan.pvs, guid);
            shard::run(pva, plan, shard, stop, tell)
        }
        _ => shard::run(ChannelAccess::new(&plan.pvs), plan, shard, stop, tell),
    }
}
