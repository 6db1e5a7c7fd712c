//! Two clocks read at one moment, and how well "one moment" is known.

use crate::unit::Nanos;

use super::sleep;

/// A reading of `inner` between two of `outer`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Anchor {
    /// The middle of the two outer readings.
    pub(super) outer: u64,
    /// The reading between them.
    pub(super) inner: u64,
    /// Distance of the two outer readings: the inner one was taken somewhere in it.
    pub(super) width: u64,
}

/// Attempts of which the narrowest counts: an interrupt spoils some, never all of them.
const ATTEMPTS: usize = 200;

impl Anchor {
    pub(super) fn take(outer: impl Fn() -> u64, inner: impl Fn() -> u64) -> Self {
        let attempt = || {
            let before = outer();
            let inner = inner();
            let width = outer().saturating_sub(before);
            Self { outer: before + width / 2, inner, width }
        };
        (1..ATTEMPTS).fold(attempt(), |best, _| {
            let next = attempt();
            if next.width < best.width { next } else { best }
        })
    }

    /// Bound of the error, in ppm, of a rate taken between two anchors: each inner reading lies
    /// within its bracket, at most a width away from where it is taken to be.
    pub(super) fn error_bound_ppm(first: &Self, second: &Self) -> f64 {
        (first.width + second.width) as f64 / first.outer.abs_diff(second.outer) as f64 * 1e6
    }
}

/// An anchor before and one after `length`.
pub(super) fn two_anchors(length: Nanos, take: impl Fn() -> Anchor) -> (Anchor, Anchor) {
    let first = take();
    sleep(length);
    (first, take())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn the_narrowest_bracket_counts() {
        let (time, attempt) = (Cell::new(0_u64), Cell::new(0_u64));
        let outer = || {
            attempt.set(attempt.get() + 1);
            time.set(time.get() + if attempt.get() == 100 { 4 } else { 30 });
            time.get()
        };
        let anchor = Anchor::take(outer, || time.get() + 1_000_000);
        assert_eq!(anchor.width, 4);
        assert_eq!(anchor.inner, anchor.outer - 2 + 1_000_000);
    }

    #[test]
    fn the_bound_is_both_widths_over_the_length_between() {
        let first = Anchor { outer: 1_000, inner: 0, width: 30 };
        let second = Anchor { outer: 100_001_000, inner: 0, width: 20 };
        assert_eq!(Anchor::error_bound_ppm(&first, &second), 0.5);
    }
}
