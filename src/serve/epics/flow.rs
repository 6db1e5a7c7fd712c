//! Flow control of a subscription: updates that its client paused, or has not granted yet, wait
//! apart, so that they hold up no other subscription.

use std::collections::VecDeque;

use super::publisher::Waiting;

/// The flow of a subscription that is not told all at once.
#[derive(Debug)]
pub(super) struct Flow {
    /// Updates that may still be sent; `None`: any number. Below 0 more were sent than that.
    pub(super) credit: Option<i64>,
    pub(super) is_running: bool,
    /// Those that wait, the oldest first.
    held: VecDeque<Waiting>,
    /// Those that were let go and not yet taken: what is newer waits for them.
    released: usize,
}

impl Flow {
    pub(super) fn new(credit: Option<i64>) -> Self {
        Self { credit, is_running: true, held: VecDeque::new(), released: 0 }
    }

    /// Lets an update go, or keeps it: whether it went.
    pub(super) fn pass(&mut self, waiting: Waiting) -> bool {
        if waiting.is_released {
            self.released -= 1;
            return true;
        }
        let is_next = self.held.is_empty() && self.released == 0;
        if !is_next || !self.is_running || self.credit.is_some_and(|credit| credit <= 0) {
            self.held.push_back(waiting);
            return false;
        }
        self.credit = self.credit.map(|credit| credit - 1);
        true
    }

    /// Updates that wait.
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// The updates that waited and may go now, the oldest first.
    pub(super) fn release(&mut self) -> impl Iterator<Item = Waiting> {
        let most = match (self.is_running, self.credit) {
            (false, _) => 0,
            (true, None) => usize::MAX,
            (true, Some(credit)) => usize::try_from(credit).unwrap_or(0),
        };
        let count = most.min(self.held.len());
        self.credit = self.credit.map(|credit| credit - count as i64);
        self.released += count;
        self.held.drain(..count).map(|mut waiting| {
            waiting.is_released = true;
            waiting
        })
    }
}
