//! A delay line: what goes in comes out a fixed time later.

use std::collections::VecDeque;

use crate::ring::Token;
use crate::unit::{Instant, Nanos};

/// All entries wait equally long, so that the order of entry is the order of expiry and a queue
/// does what a timer wheel would. Entries of connections that are gone come out all the same.
#[derive(Debug)]
pub(super) struct DelayLine {
    delay: Nanos,
    entries: VecDeque<(Instant, Token)>,
}

impl DelayLine {
    pub(super) const fn new(delay: Nanos) -> Self {
        Self { delay, entries: VecDeque::new() }
    }

    pub(super) fn enter(&mut self, now: Instant, token: Token) {
        self.entries.push_back((now + self.delay, token));
    }

    /// When the next entry comes out.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.entries.front().map(|&(due, _)| due)
    }

    /// The next entry that has waited long enough.
    pub(super) fn leave(&mut self, now: Instant) -> Option<Token> {
        self.next_due().filter(|&due| due <= now)?;
        self.entries.pop_front().map(|(_, token)| token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_in_order_and_not_too_early() {
        let mut line = DelayLine::new(Nanos(10));
        let [a, b] = [Token::new(1, 0), Token::new(2, 0)];
        line.enter(Instant(100), a);
        line.enter(Instant(105), b);
        assert_eq!(line.next_due(), Some(Instant(110)));
        assert_eq!(line.leave(Instant(109)), None);
        assert_eq!(line.leave(Instant(114)), Some(a));
        assert_eq!(line.leave(Instant(114)), None);
        assert_eq!(line.leave(Instant(115)), Some(b));
        assert_eq!(line.next_due(), None);
    }
}
