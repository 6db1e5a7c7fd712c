//! How channels lie on circuits: use `m` of name `p` is on circuit `(p + m) mod circuits`. One
//! circuit has them all; with as many circuits as uses each circuit has each name once.

use std::ops::Range;

use crate::plan::{ChannelPlan, Operation, Plan};

/// A channel: a name on a circuit, and its uses there: subscriptions, or operations at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Channel {
    /// Index of the name.
    pub(super) name: u32,
    /// The circuit, as the shard counts.
    pub(super) line: u32,
    /// Numbers of its uses, as the shard counts.
    pub(super) uses: Range<u32>,
    /// It is open.
    pub(super) open: bool,
    /// The server refused it, or closed it.
    pub(super) refused: bool,
}

/// The channels of a shard, circuit after circuit.
#[derive(Debug)]
pub(super) struct Spread {
    pub(super) channels: Vec<Channel>,
    /// By circuit: its channels, and their uses.
    pub(super) lines: Vec<(Range<u32>, Range<u32>)>,
}

impl Spread {
    /// The channels of shard `index`.
    pub(super) fn new(plan: &Plan, channels: &ChannelPlan, index: u32) -> Self {
        let (names, uses_of_name) = uses(plan, channels);
        let mut spread = Self { channels: Vec::new(), lines: Vec::new() };
        let mut next_use = 0;
        for line in 0..plan.share(u64::from(channels.circuits), index) as u32 {
            let circuit = line * plan.shards + index;
            let (first, first_use) = (spread.channels.len() as u32, next_use);
            for name in 0..names {
                let place =
                    (circuit + channels.circuits - name % channels.circuits) % channels.circuits;
                let count = uses_of_name.saturating_sub(place).div_ceil(channels.circuits);
                if count > 0 {
                    let uses = next_use..next_use + count;
                    next_use += count;
                    let channel = Channel { name, line, uses, open: false, refused: false };
                    spread.channels.push(channel);
                }
            }
            spread.lines.push((first..spread.channels.len() as u32, first_use..next_use));
        }
        spread
    }

    /// Uses of all channels.
    pub(super) fn uses(&self) -> u32 {
        self.lines.last().map_or(0, |(_, uses)| uses.end)
    }
}

/// Names that have channels, and the uses of each over all shards: the subscriptions asked for,
/// or as many operations at a time as it takes for all names to make up the concurrence. A search
/// needs no channel; one in name has them all, whatever is asked for.
fn uses(plan: &Plan, channels: &ChannelPlan) -> (u32, u32) {
    match channels.op {
        Operation::Monitor => (channels.pvs, channels.monitors),
        Operation::Get | Operation::Put => (channels.pvs, plan.concurrence.div_ceil(channels.pvs)),
        Operation::Search => (1, plan.concurrence),
    }
}

/// Uses over all shards.
pub(in crate::engine) fn all_uses(plan: &Plan) -> u64 {
    plan.channels.as_ref().map_or(0, |channels| {
        let (names, each) = uses(plan, channels);
        u64::from(names) * u64::from(each)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Profile, sample};

    fn plan(pvs: u32, monitors: u32, circuits: u32, shards: u32) -> Plan {
        let (op, profile) = (Operation::Monitor, Profile::Greedy);
        let channels = ChannelPlan {
            op,
            pvs,
            monitors,
            circuits,
            profile,
            queue: None,
            ack: None,
            search: None,
        };
        Plan { shards, channels: Some(channels), ..sample::plan() }
    }

    #[test]
    fn every_use_of_every_name_lies_on_one_circuit() {
        for (pvs, monitors, circuits, shards) in
            [(1, 1, 1, 1), (7, 3, 1, 1), (7, 3, 4, 2), (1, 10, 10, 3), (5, 20, 3, 3), (3, 2, 9, 2)]
        {
            let plan = plan(pvs, monitors, circuits, shards);
            let mut uses = vec![0; pvs as usize];
            let mut lines = 0;
            for shard in 0..shards {
                let spread = Spread::new(&plan, plan.channels.as_ref().unwrap(), shard);
                lines += spread.lines.len() as u32;
                let counted: u32 = spread.channels.iter().map(|c| c.uses.len() as u32).sum();
                assert_eq!(counted, spread.uses());
                for channel in &spread.channels {
                    uses[channel.name as usize] += channel.uses.len() as u32;
                    let (channels, all) = &spread.lines[channel.line as usize];
                    assert!(!channels.is_empty() && channel.uses.end <= all.end);
                }
            }
            assert_eq!((lines, &uses), (circuits, &vec![monitors; pvs as usize]));
            assert_eq!(all_uses(&plan), u64::from(pvs * monitors));
        }
    }

    #[test]
    fn as_many_circuits_as_uses_have_each_name_once() {
        let plan = plan(5, 4, 4, 1);
        let spread = Spread::new(&plan, plan.channels.as_ref().unwrap(), 0);
        assert!(spread.lines.iter().all(|(channels, uses)| channels.len() == 5 && uses.len() == 5));
    }
}
