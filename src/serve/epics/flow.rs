//! How much of a subscription may be sent: what its client stopped, or gave no leave for, waits
//! apart, so that it holds up nobody else.

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
}

impl Flow {
    pub(super) fn new(credit: Option<i64>) -> Self {
        Self { credit, is_running: true, held: VecDeque::new() }
    }

    /// Lets an update go, or keeps it: whether it went.
    pub(super) fn pass(&mut self, waiting: Waiting) -> bool {
        let may_go = self.is_running && self.held.is_empty() && self.credit.is_none_or(|c| c > 0);
        if !may_go && !waiting.is_released {
            self.held.push_back(waiting);
            return false;
        }
        if !waiting.is_released {
            self.credit = self.credit.map(|credit| credit - 1);
        }
        true
    }

    /// Updates that wait.
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// The updates that waited and may go now, the newest first.
    pub(super) fn release(&mut self) -> impl Iterator<Item = Waiting> {
        let most = match (self.is_running, self.credit) {
            (false, _) => 0,
            (true, None) => usize::MAX,
            (true, Some(credit)) => usize::try_from(credit).unwrap_or(0),
        };
        let count = most.min(self.held.len());
        self.credit = self.credit.map(|credit| credit - count as i64);
        self.held.drain(..count).rev().map(|mut waiting| {
            waiting.is_released = true;
            waiting
        })
    }
}
