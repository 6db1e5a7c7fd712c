//! First in, first out, with removal from the middle: lists threaded through one array of links.
//!
//! A slot is on one list at most. Every wait of the engine (idle, awaiting an answer, thinking,
//! waiting to open again) has a constant length, so the order of entry *is* the order of expiry
//! and a list does what a timer wheel would.

/// No slot.
const NONE: u32 = u32::MAX;

/// The links of all slots.
#[derive(Debug)]
pub(super) struct Links {
    links: Vec<Link>,
}

#[derive(Debug, Clone, Copy)]
struct Link {
    before: u32,
    after: u32,
}

/// One list over [`Links`].
#[derive(Debug)]
pub(super) struct List {
    head: u32,
    tail: u32,
    length: u32,
}

impl Links {
    /// Links for slots 0 to `slots - 1`, all on no list.
    pub(super) fn new(slots: u32) -> Self {
        Self { links: vec![Link { before: NONE, after: NONE }; slots as usize] }
    }
}

impl List {
    pub(super) const fn new() -> Self {
        Self { head: NONE, tail: NONE, length: 0 }
    }

    #[inline]
    pub(super) fn len(&self) -> u32 {
        self.length
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.head == NONE
    }

    /// The slot that is here longest.
    #[inline]
    pub(super) fn first(&self) -> Option<u32> {
        (self.head != NONE).then_some(self.head)
    }

    #[inline]
    pub(super) fn push_back(&mut self, links: &mut Links, slot: u32) {
        links.links[slot as usize] = Link { before: self.tail, after: NONE };
        match self.tail {
            NONE => self.head = slot,
            tail => links.links[tail as usize].after = slot,
        }
        self.tail = slot;
        self.length += 1;
    }

    /// Takes `slot` off; it must be on this list.
    #[inline]
    pub(super) fn remove(&mut self, links: &mut Links, slot: u32) {
        let Link { before, after } = links.links[slot as usize];
        match before {
            NONE => self.head = after,
            before => links.links[before as usize].after = after,
        }
        match after {
            NONE => self.tail = before,
            after => links.links[after as usize].before = before,
        }
        self.length -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    proptest! {
        #[test]
        fn lists_behave_as_queues_that_share_their_slots(
            steps in prop::collection::vec((0u32..8, 0usize..3), 1..200),
        ) {
            let mut links = Links::new(8);
            let mut lists = [List::new(), List::new()];
            let mut model = [VecDeque::new(), VecDeque::new()];
            for (slot, action) in steps {
                let on = model.iter().position(|queue: &VecDeque<u32>| queue.contains(&slot));
                match (on, action) {
                    (Some(list), 2) => {
                        lists[list].remove(&mut links, slot);
                        model[list].retain(|&s| s != slot);
                    }
                    (None, list @ (0 | 1)) => {
                        lists[list].push_back(&mut links, slot);
                        model[list].push_back(slot);
                    }
                    _ => {}
                }
                for (list, queue) in lists.iter().zip(&model) {
                    prop_assert_eq!(list.first(), queue.front().copied());
                    prop_assert_eq!(list.len() as usize, queue.len());
                }
            }
        }
    }
}
