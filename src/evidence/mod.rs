//! Plain data that a run gathers: what became of each request, what a shard counted, what the
//! machine was. The log stores it and the checks read it; nothing is judged here.

mod floor;
mod hole;
mod machine;
mod request;
mod served;
mod slip;
mod tally;
mod updates;

pub use floor::{Floor, Noise};
pub use hole::{Entry, HOLE_MIN, Hole, Holes};
pub use machine::{
    Busy, Calibration, CpuSeen, Environment, Evidence, Machine, NetCount, Resources, ShardEvidence,
    Watched,
};
pub use request::{Outcome, Phase, Request, Step};
pub use served::{FlawsDone, Lateness, PvsServed, Served, Updates};
pub use slip::Slip;
pub use tally::{ErrorCount, StatusCount, Tally};
pub use updates::UpdatesSeen;
