//! An update that was not the next of its subscription.

use super::Phase;
use crate::unit::Instant;

/// An update whose value does not follow the one before it: values were lost between them, it
/// came twice, or it went backwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slip {
    /// When it was taken from the kernel.
    pub at: Instant,
    /// The subscription, as the shard counts from 0.
    pub subscription: u32,
    /// The value after the one before it.
    pub expected: i64,
    /// The value that came.
    pub got: i64,
    /// Values have 32 bits: 2^31 - 1 is followed by -2^31.
    pub is_word: bool,
    /// The phase that it came in.
    pub phase: Phase,
}

impl Slip {
    /// Posts from the update before it to this one: 0 for a duplicate, negative for one that went
    /// backwards, beyond 1 where values were lost.
    pub fn steps(&self) -> i64 {
        let ahead = self.got.wrapping_sub(self.expected).wrapping_add(1);
        if self.is_word { i64::from(ahead as i32) } else { ahead }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expected: i64, got: i64, is_word: bool, steps: i64) {
        let (at, phase) = (Instant::ZERO, Phase::Measure);
        let slip = Slip { at, subscription: 0, expected, got, is_word, phase };
        assert_eq!(slip.steps(), steps);
    }

    #[test]
    fn a_slip_says_how_far_it_went() {
        check(6, 9, false, 4);
        check(6, 5, false, 0);
        check(6, 4, false, -1);
        check(i64::MIN, i64::MAX, false, 0);
        let (most, least) = (i64::from(i32::MAX), i64::from(i32::MIN));
        check(most, least, true, 2);
        check(least, most, true, 0);
        check(most + 1, most, true, 0);
    }
}
