//! Holes: times in which a shard should have run and did not.

use super::{Phase, Request, Slip};
use crate::record;
use crate::unit::{Instant, Nanos};

/// The shortest hole. A pass that overruns by less is not reported.
pub const HOLE_MIN: Nanos = Nanos::from_micros(20);

/// A pass of a shard's loop that took longer than its wait and its work explain: the shard was
/// descheduled or stopped, or the host took its CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hole {
    /// When the pass began.
    pub from: Instant,
    /// When it ended.
    pub to: Instant,
    /// The unexplained part of it; at most its length.
    pub lost: Nanos,
    /// The phase that it was seen in.
    pub phase: Phase,
}

/// What a shard logs, in the order in which it saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// A request that has ended.
    Request(Request),
    /// A hole; precedes every request that ended in the pass after it.
    Hole(Hole),
    /// An update that was not the next of its subscription.
    Slip(Slip),
}

record! {
    /// The holes of a shard, counted.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct Holes {
        /// How many.
        pub count: u64,
        /// All that was lost in them.
        pub total: Nanos,
        /// The longest.
        pub longest: Nanos,
        /// How many by length, [`Holes::BINS`] in all: from [`Holes::bin_start`] of a bin up to
        /// that of the next; the last is open.
        pub spectrum: Vec<u64>,
    }
}

impl Holes {
    /// Bins of the spectrum; the last begins at 655 ms.
    pub const BINS: usize = 16;

    /// None yet, with all memory in place: counting allocates nothing.
    pub fn prepared() -> Self {
        Self { spectrum: vec![0; Self::BINS], ..Self::default() }
    }

    /// The shortest length that falls into `bin`: each bin is twice as long as the one before.
    pub fn bin_start(bin: usize) -> Nanos {
        Nanos(HOLE_MIN.0 << bin)
    }

    /// Counts a hole.
    pub fn count(&mut self, hole: &Hole) {
        let bin = (hole.lost.0 / HOLE_MIN.0).max(1).ilog2() as usize;
        self.count += 1;
        self.total += hole.lost;
        self.longest = self.longest.max(hole.lost);
        self.spectrum[bin.min(Self::BINS - 1)] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::Field;

    #[test]
    fn holes_fall_into_the_bin_of_their_length() {
        let mut holes = Holes::prepared();
        let lengths = [20_000, 39_999, 40_000, 655_360_000, 9_000_000_000];
        for lost in lengths.map(Nanos) {
            let from = Instant::ZERO;
            holes.count(&Hole { from, to: from + lost, lost, phase: Phase::Measure });
        }
        assert_eq!((holes.spectrum[0], holes.spectrum[1], holes.spectrum[15]), (2, 1, 2));
        assert_eq!((holes.count, holes.longest), (5, Nanos(9_000_000_000)));
        assert_eq!(Holes::bin_start(15), Nanos(655_360_000));
        assert_eq!(Holes::from_text(&holes.to_text()).unwrap(), holes);
    }
}
