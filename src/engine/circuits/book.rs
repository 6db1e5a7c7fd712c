//! What is known of each subscription, and what its updates came to.

use crate::evidence::{Phase, Slip, UpdatesSeen};
use crate::log::Append;
use crate::outcome::Ages;
use crate::protocol::{Event, Hear, Posted};
use crate::unit::{Instant, Nanos};

/// A subscription: sixteen bytes.
#[derive(Debug, Clone, Copy)]
struct Watch {
    last: i64,
    /// When that came; [`Instant::ZERO`] where nothing came yet.
    at: Instant,
}

const UNSEEN: Watch = Watch { last: 0, at: Instant::ZERO };

/// The subscriptions of a shard.
#[derive(Debug)]
pub(super) struct Book {
    watches: Vec<Watch>,
    pub(super) updates: UpdatesSeen,
    pub(super) ages: Ages,
    /// Updates count: it is the measure phase.
    counts: bool,
    pub(super) now: Instant,
    /// Wall time at instant 0, in ns since 1970.
    pub(super) wall_at_zero: u64,
}

impl Book {
    pub(super) fn new(subscriptions: u32) -> Self {
        Self {
            watches: vec![UNSEEN; subscriptions as usize],
            updates: UpdatesSeen::default(),
            ages: Ages::default(),
            counts: false,
            now: Instant::ZERO,
            wall_at_zero: 0,
        }
    }

    /// From now on updates count, or they do not.
    #[inline]
    pub(super) fn turn(&mut self, counts: bool) {
        if std::mem::replace(&mut self.counts, counts) && !counts {
            self.look_for_silence();
        }
    }

    /// A gap that is not over is in no distribution of gaps.
    #[cold]
    fn look_for_silence(&mut self) {
        let served = self.watches.iter().filter(|watch| watch.at != Instant::ZERO);
        self.updates.silent_ns = served.map(|watch| self.now.since(watch.at).0).max();
    }

    /// Whether a subscription has a value.
    pub(super) fn is_served(&self, subscription: u32) -> bool {
        self.watches[subscription as usize].at != Instant::ZERO
    }

    /// Whether a subscription has the value that was read of its channel, or one posted since.
    pub(super) fn has_reached(&self, subscription: u32, read: Posted) -> bool {
        let watch = self.watches[subscription as usize];
        watch.at != Instant::ZERO && read.steps_from(watch.last) <= 0
    }

    /// The subscription begins anew: what comes next is where counting begins.
    pub(super) fn forget(&mut self, subscription: u32) {
        self.watches[subscription as usize] = UNSEEN;
    }

    /// Takes an update; one that is not the next is given back.
    #[inline]
    fn update(&mut self, subscription: u32, posted: Posted) -> Option<Slip> {
        let watch = &mut self.watches[subscription as usize];
        let before = std::mem::replace(watch, Watch { last: posted.value, at: self.now });
        if !self.counts {
            return None;
        }
        if before.at == Instant::ZERO {
            self.updates.received += 1;
            return None;
        }
        let steps = posted.steps_from(before.last);
        self.updates.count(steps);
        self.ages.gap.record(self.now.since(before.at));
        let arrived = self.wall_at_zero + self.now.0;
        if posted.stamp_ns != 0 && posted.stamp_ns <= arrived {
            self.ages.age.record(Nanos(arrived - posted.stamp_ns));
        }
        (steps != 1).then_some(Slip {
            at: self.now,
            subscription,
            expected: before.last.wrapping_add(1),
            got: posted.value,
            is_word: posted.is_word,
            phase: Phase::Measure,
        })
    }
}

/// What one connection is told goes to the book where it is an update, and to the log where that
/// is not the next; the rest is kept until the bytes are read.
pub(super) struct Ear<'a, L> {
    pub(super) book: &'a mut Book,
    pub(super) log: &'a mut L,
    pub(super) events: &'a mut Vec<Event>,
    /// The connection's first subscription, as the shard counts.
    pub(super) first: u32,
    /// How many it has: a server may name others.
    pub(super) count: u32,
}

impl<L: Append> Hear for Ear<'_, L> {
    #[inline]
    fn update(&mut self, subscription: u32, posted: Posted) {
        if subscription < self.count
            && let Some(slip) = self.book.update(self.first + subscription, posted)
        {
            self.log.slip(&slip);
        }
    }

    fn event(&mut self, event: Event) {
        self.events.push(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: &[i64], is_word: bool, expect: [u64; 4]) {
        let mut book = Book::new(1);
        book.counts = true;
        book.wall_at_zero = 1000;
        let mut logged = UpdatesSeen::default();
        for (at, &value) in (1..).zip(values) {
            book.now = Instant(10 * at);
            let slip = book.update(0, Posted { value, is_word, stamp_ns: 1003 });
            slip.iter().for_each(|slip| logged.count(slip.steps()));
        }
        let slipped = [logged.lost, logged.duplicate, logged.backwards];
        assert_eq!(slipped, expect[1..], "each slip says what was counted");
        let UpdatesSeen { received, lost, duplicate, backwards, .. } = book.updates;
        assert_eq!([received, lost, duplicate, backwards], expect);
        let timed = values.len() as u64 - 1;
        assert_eq!((book.ages.gap.count(), book.ages.age.count()), (timed, timed));
    }

    #[test]
    fn each_update_is_held_against_the_one_before() {
        check(&[5], false, [1, 0, 0, 0]);
        check(&[5, 6, 7], false, [3, 0, 0, 0]);
        check(&[5, 9, 10], false, [3, 3, 0, 0]);
        check(&[5, 5, 5, 6], false, [4, 0, 2, 0]);
        check(&[5, 6, 3, 4], false, [4, 0, 0, 1]);
        check(&[i64::MAX, i64::MIN], false, [2, 0, 0, 0]);
    }

    #[test]
    fn a_word_wraps_round() {
        let (last, first) = (i64::from(i32::MAX), i64::from(i32::MIN));
        check(&[last - 1, last, first, first + 1], true, [4, 0, 0, 0]);
        check(&[last - 1, first], true, [2, 1, 0, 0]);
        check(&[first, last], true, [2, 0, 0, 1]);
    }

    #[test]
    fn a_gap_that_is_not_over_when_the_phase_ends_is_the_silence() {
        let mut book = Book::new(3);
        let posted = Posted { value: 1, is_word: false, stamp_ns: 0 };
        let at = |ms: u64| Instant(1 + Nanos::from_millis(ms).0);
        (book.now, book.counts) = (at(0), true);
        book.update(0, posted);
        book.update(1, posted);
        book.now = at(700);
        book.update(1, posted);
        book.now = at(1000);
        book.turn(true);
        assert_eq!(book.updates.silent_ns, None, "the phase goes on");
        book.turn(false);
        assert_eq!(book.updates.silent_ns, Some(1_000_000_000), "the third was never served");
        book.now = at(2000);
        book.turn(false);
        assert_eq!(book.updates.silent_ns, Some(1_000_000_000), "what follows does not count");
    }

    #[test]
    fn a_subscription_reaches_what_was_read_or_what_came_after_it() {
        let mut book = Book::new(1);
        let posted = |value| Posted { value, is_word: false, stamp_ns: 0 };
        assert!(!book.has_reached(0, posted(-1)), "nothing came");
        book.now = Instant(1);
        book.update(0, posted(7));
        let reached = [6, 7, 8].map(|read| book.has_reached(0, posted(read)));
        assert_eq!(reached, [true, true, false]);
        book.forget(0);
        assert!(!book.is_served(0));
    }
}
