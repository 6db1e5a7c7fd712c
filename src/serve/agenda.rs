//! What is to be done later, in the order in which it is due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::ring::Token;
use crate::unit::Instant;

/// Connections, each with a time at which something is to be done about it. Those due at the
/// same time come out in the order in which they went in.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    entries: BinaryHeap<Reverse<(Instant, u64, u64)>>,
    entered: u64,
    /// Entries from which on it is worth looking for those of connections that are gone.
    crowd: usize,
}

/// The least crowd.
const CROWD_MIN: usize = 1024;

impl Agenda {
    /// Enters `token`. Once the entries have doubled, those that no longer are of use by
    /// `is_current` are dropped: clients that go away do not make it grow.
    #[inline]
    pub(super) fn enter(&mut self, due: Instant, token: Token, is_current: impl Fn(Token) -> bool) {
        if self.entries.len() > self.crowd.max(CROWD_MIN) {
            self.entries.retain(|Reverse((_, _, bits))| is_current(Token::from_bits(*bits)));
            self.crowd = 2 * self.entries.len();
        }
        self.entries.push(Reverse((due, self.entered, token.to_bits())));
        self.entered += 1;
    }

    /// When the next entry is due.
    #[inline]
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.entries.peek().map(|Reverse((due, ..))| *due)
    }

    /// The next entry that is due by `now`, with the time at which it was.
    #[inline]
    pub(super) fn leave(&mut self, now: Instant) -> Option<(Instant, Token)> {
        self.next_due().filter(|&due| due <= now)?;
        self.entries.pop().map(|Reverse((due, _, bits))| (due, Token::from_bits(bits)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_when_due_and_not_earlier() {
        let mut agenda = Agenda::default();
        let [a, b, c] = [Token::new(1, 0), Token::new(2, 0), Token::new(3, 0)];
        for (due, token) in [(115, c), (110, b), (110, a)] {
            agenda.enter(Instant(due), token, |_| true);
        }
        assert_eq!(agenda.next_due(), Some(Instant(110)));
        assert_eq!(agenda.leave(Instant(109)), None);
        assert_eq!(agenda.leave(Instant(114)), Some((Instant(110), b)));
        assert_eq!(agenda.leave(Instant(114)), Some((Instant(110), a)));
        assert_eq!(agenda.leave(Instant(114)), None);
        assert_eq!(agenda.leave(Instant(115)), Some((Instant(115), c)));
        assert_eq!(agenda.next_due(), None);
    }

    #[test]
    fn entries_of_connections_that_are_gone_do_not_pile_up() {
        let mut agenda = Agenda::default();
        let stays = Token::new(0, 0);
        agenda.enter(Instant(5), stays, |token| token == stays);
        for slot in 1..100_000 {
            agenda.enter(Instant(9), Token::new(slot, 0), |token| token == stays);
            assert!(agenda.entries.len() <= CROWD_MIN + 2);
        }
        assert_eq!(agenda.leave(Instant(9)), Some((Instant(5), stays)));
    }
}
