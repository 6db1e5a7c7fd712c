//! Time by hand, for the simulator.

use std::cell::Cell;
use std::rc::Rc;

use crate::unit::{Instant, Nanos};

use super::Clock;

/// A clock that stands still until it is moved; its copies move with it.
#[derive(Debug, Clone, Default)]
pub(crate) struct ManualClock(Rc<Cell<Instant>>);

impl ManualClock {
    /// Moves on by `length`.
    pub(crate) fn advance(&self, length: Nanos) {
        self.0.set(self.0.get() + length);
    }

    /// Moves on to `until`; stays where it is later already.
    pub(crate) fn advance_to(&self, until: Instant) {
        self.0.set(self.0.get().max(until));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        self.0.get()
    }
}

#[test]
fn copies_of_a_manual_clock_move_together() {
    let clock = ManualClock::default();
    let copy = clock.clone();
    copy.advance(Nanos(7));
    clock.advance_to(Instant(5));
    assert_eq!(clock.now(), Instant(7));
    clock.advance_to(Instant(9));
    assert_eq!(copy.now(), Instant(9));
}
