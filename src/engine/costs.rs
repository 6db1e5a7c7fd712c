//! What a shard's own work usually takes, learned from its passes.
//!
//! Without it a batch of 64 sends would look like a hole, and a fixed allowance for such a batch
//! would hide every shorter hole.

/// What a pass of the loop did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Work {
    /// Sessions started.
    pub(super) started: u32,
    /// Operations pushed.
    pub(super) pushed: u32,
    /// Completions handled.
    pub(super) handled: u32,
    /// Completions that the kernel came with at its end.
    pub(super) came: u32,
}

impl Work {
    /// All of them together: each takes about as long.
    #[inline]
    pub(super) fn pieces(self) -> u32 {
        self.pushed + self.handled + self.came
    }
}

/// Sizes of batch that are told apart: 0, 1, 2-3, 4-7 and so on; the last is open.
const SIZES: usize = 8;

/// Bounds of what a piece may take, in ns. No pass is excused for more than twice the upper one
/// a piece: a fresh connection takes the kernel some 40 us.
const COST_MIN: u64 = 100;
const COST_MAX: u64 = 50_000;

/// The estimate of a median after one more sample, of which only is known whether it lies above: a
/// step of a sixteenth up or down, so that a few samples with a hole in them cannot lift it.
#[inline]
pub(super) fn toward(estimate: u64, is_above: bool) -> u64 {
    let step = estimate / 16 + 1;
    if is_above { estimate.saturating_add(step) } else { estimate.saturating_sub(step) }
}

/// The median cost of a piece of work in ns, for each size of what was pushed and of what came.
#[derive(Debug)]
pub(super) struct Costs {
    piece_ns: [[u64; SIZES]; SIZES],
}

impl Costs {
    pub(super) fn new() -> Self {
        Self { piece_ns: [[COST_MAX; SIZES]; SIZES] }
    }

    /// What this work usually takes, in ns.
    #[inline]
    pub(super) fn usual(&self, work: Work) -> u64 {
        let completed = work.handled + work.came;
        self.piece_ns[size(work.pushed)][size(completed)] * u64::from(work.pieces())
    }

    /// Learns from a pass of so much work that took longer than usual, or not.
    #[inline]
    pub(super) fn learn(&mut self, work: Work, was_longer: bool) {
        let completed = work.handled + work.came;
        let piece_ns = &mut self.piece_ns[size(work.pushed)][size(completed)];
        *piece_ns = toward(*piece_ns, was_longer).clamp(COST_MIN, COST_MAX);
    }
}

#[inline]
fn size(count: u32) -> usize {
    ((u32::BITS - count.leading_zeros()) as usize).min(SIZES - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(pushed: u32, handled: u32) -> Work {
        Work { pushed, handled, ..Work::default() }
    }

    /// What is expected of `work` after passes that took so long.
    fn learned(work: Work, passes: impl IntoIterator<Item = u64>) -> u64 {
        let mut costs = Costs::new();
        for took_ns in passes {
            costs.learn(work, took_ns > costs.usual(work));
        }
        costs.usual(work)
    }

    #[track_caller]
    fn check(found: u64, expect: u64) {
        assert!(found.abs_diff(expect) * 4 <= expect, "{found} for {expect}");
    }

    #[test]
    fn what_work_takes_is_learned_in_a_few_hundred_passes() {
        check(learned(work(1, 1), [7_000; 200]), 7_000);
        check(learned(work(8, 0), [64_000; 200]), 64_000);
        check(learned(work(0, 64), [90_000; 200]), 90_000);
    }

    #[test]
    fn a_stop_in_one_pass_of_three_does_not_count_as_work() {
        let passes = (0..900).map(|i| if i % 3 == 0 { 3_000_000 } else { 10_000 });
        let found = learned(work(2, 1), passes);
        assert!((8_000..16_000).contains(&found), "{found}");
    }

    #[test]
    fn what_was_never_seen_is_excused_and_nothing_without_bound() {
        assert_eq!(learned(work(3, 4), []), 7 * COST_MAX);
        assert_eq!(learned(work(3, 4), [u64::MAX; 999]), 7 * COST_MAX);
        assert_eq!(learned(work(3, 4), [0; 999]), 7 * COST_MIN);
        assert_eq!(learned(work(0, 0), [0; 9]), 0);
    }

    #[test]
    fn batches_of_other_sizes_are_learned_apart() {
        let mut costs = Costs::new();
        for _ in 0..200 {
            costs.learn(work(1, 0), costs.usual(work(1, 0)) < 1_000);
        }
        check(costs.usual(work(1, 0)), 1_000);
        assert_eq!(costs.usual(work(2, 0)), 2 * COST_MAX);
    }
}
