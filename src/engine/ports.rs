//! Source ports that a shard manages itself: pairs of address and port, least recently used
//! first, each held back for as long as the kernel's TIME_WAIT rules need.

use std::collections::VecDeque;

use crate::plan::PortRange;
use crate::unit::{Instant, Nanos};

/// A source address, by its index in the plan, and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// Index into the plan's sources.
    pub source: u16,
    /// Source port.
    pub port: u16,
}

/// A pair that an earlier run left in TIME_WAIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LeftOver {
    pub(super) endpoint: Endpoint,
    /// When it can be used again.
    pub(super) free_at: Instant,
}

/// The pairs of one shard.
#[derive(Debug)]
pub struct PortPool {
    /// In the order in which they come free: the hold is the same for all.
    free: VecDeque<(Endpoint, Instant)>,
    /// What earlier runs left, the last to come free first.
    left_over: Vec<LeftOver>,
    hold: Nanos,
    set_aside: u64,
}

/// Pairs that a pool keeps at most: 64 MiB of them.
const PAIRS_MAX: usize = 1 << 22;

impl PortPool {
    /// All pairs of `sources` addresses and the ports of `range`, except `excluded`; addresses
    /// take turns, so that they are used evenly. A pair rests for `hold` after each use.
    pub fn new(sources: u16, range: PortRange, excluded: &[Endpoint], hold: Nanos) -> Self {
        let pairs = (range.low..=range.high)
            .flat_map(|port| (0..sources).map(move |source| Endpoint { source, port }))
            .filter(|endpoint| !excluded.contains(endpoint))
            .take(PAIRS_MAX)
            .map(|endpoint| (endpoint, Instant::ZERO));
        Self { free: pairs.collect(), left_over: Vec::new(), hold, set_aside: 0 }
    }

    /// Keeps pairs back that earlier runs left in TIME_WAIT.
    pub(super) fn keep_back(&mut self, mut left_over: Vec<LeftOver>) {
        left_over.sort_unstable_by_key(|left| left.endpoint);
        let is_left = |endpoint: &Endpoint| {
            left_over.binary_search_by_key(endpoint, |left| left.endpoint).is_ok()
        };
        let before = self.free.len();
        self.free.retain(|(endpoint, _)| !is_left(endpoint));
        if self.free.len() == before {
            return;
        }
        left_over.sort_unstable_by_key(|left| std::cmp::Reverse(left.free_at));
        self.left_over = left_over;
    }

    /// The pair unused longest; `None` while all are in use or rest.
    #[inline]
    pub fn take(&mut self, now: Instant) -> Option<Endpoint> {
        if self.free.front().is_some_and(|&(_, free_at)| free_at <= now) {
            return self.free.pop_front().map(|(endpoint, _)| endpoint);
        }
        let ripe = self.left_over.last().is_some_and(|left| left.free_at <= now);
        if ripe { self.left_over.pop().map(|left| left.endpoint) } else { None }
    }

    /// Gives a pair back, to rest from `now` on.
    #[inline]
    pub fn give_back(&mut self, endpoint: Endpoint, now: Instant) {
        self.free.push_back((endpoint, now + self.hold));
    }

    /// Gives a pair back that a refused connection leaves as it was: it need not rest.
    pub(super) fn put_back(&mut self, endpoint: Endpoint) {
        self.free.push_front((endpoint, Instant::ZERO));
    }

    /// Keeps a pair out for good, since something else holds it.
    pub(super) fn set_aside(&mut self, _endpoint: Endpoint) {
        self.set_aside += 1;
    }

    /// Pairs set aside.
    pub(super) fn set_aside_count(&self) -> u64 {
        self.set_aside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLD: Nanos = Nanos::from_secs(1);

    fn pool(range: &str, sources: u16) -> PortPool {
        PortPool::new(sources, range.parse().unwrap(), &[], HOLD)
    }

    #[test]
    fn addresses_take_turns_and_ports_come_oldest_first() {
        let mut pool = pool("5-6", 2);
        let taken: Vec<_> = (0..4).map(|_| pool.take(Instant(0)).unwrap()).collect();
        assert_eq!(
            taken.iter().map(|e| (e.source, e.port)).collect::<Vec<_>>(),
            [(0, 5), (1, 5), (0, 6), (1, 6)]
        );
        assert_eq!(pool.take(Instant(0)), None, "a pool that is empty gives nothing");
        pool.give_back(taken[2], Instant(10));
        pool.give_back(taken[0], Instant(20));
        assert_eq!(pool.take(Instant(19)), None, "it rests");
        assert_eq!(pool.take(Instant(10) + HOLD), Some(taken[2]));
        assert_eq!(pool.take(Instant(20) + HOLD), Some(taken[0]));
    }

    #[test]
    fn the_target_is_never_a_source() {
        let target = Endpoint { source: 0, port: 6 };
        let mut pool = PortPool::new(1, "5-7".parse().unwrap(), &[target], HOLD);
        let ports: Vec<_> = std::iter::from_fn(|| pool.take(Instant(0))).map(|e| e.port).collect();
        assert_eq!(ports, [5, 7]);
    }

    #[test]
    fn what_an_earlier_run_left_comes_when_it_is_free() {
        let mut pool = pool("5-7", 1);
        let left =
            |port, at| LeftOver { endpoint: Endpoint { source: 0, port }, free_at: Instant(at) };
        pool.keep_back(vec![left(5, 300), left(7, 200), left(99, 0)]);
        assert_eq!(pool.take(Instant(0)).unwrap().port, 6);
        let next = |pool: &mut PortPool, at| {
            std::iter::from_fn(|| pool.take(Instant(at))).map(|e| e.port).find(|&port| port != 99)
        };
        assert_eq!(next(&mut pool, 199), None);
        assert_eq!(next(&mut pool, 200), Some(7));
        assert_eq!(next(&mut pool, 300), Some(5));
    }
}
