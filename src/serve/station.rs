//! The line before the workers: when the work on a request is done. No IO, no clock.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, OnceLock};

use super::behaviour::{Behaviour, Stall};
use crate::unit::{Instant, Nanos};

/// Takes requests in the order in which they come: each has the first worker that is free. Since
/// the work on a request is known as it comes, so is its end.
#[derive(Debug)]
pub(crate) struct Station {
    /// When each worker is free again, the first on top; `None` where all requests are worked on
    /// at once.
    free_at: Option<BinaryHeap<Reverse<Instant>>>,
    stall: Option<Stall>,
    first: FirstRequest,
}

/// When the first request came to any shard of a target: all stall at the same moments.
pub(crate) type FirstRequest = Arc<OnceLock<Instant>>;

impl Station {
    /// The line and the workers of `behaviour`, all of them free.
    pub(crate) fn new(behaviour: &Behaviour, first: FirstRequest) -> Self {
        let idle =
            |workers| std::iter::repeat_n(Reverse(Instant::ZERO), workers as usize).collect();
        Self { free_at: behaviour.workers.map(idle), stall: behaviour.stall, first }
    }

    /// A request comes that takes `work`: when its answer is to leave.
    #[inline]
    pub(crate) fn finish(&mut self, now: Instant, work: Nanos) -> Instant {
        let first = *self.first.get_or_init(|| now);
        let end_of = |begin: Instant| match &self.stall {
            Some(stall) => stall.end_of(first, begin, work),
            None => begin + work,
        };
        match self.free_at.as_mut().and_then(BinaryHeap::peek_mut) {
            Some(mut free_at) => {
                free_at.0 = end_of(now.max(free_at.0));
                free_at.0
            }
            None => end_of(now),
        }
    }

    /// When something that takes no worker may leave.
    #[inline]
    pub(crate) fn pass(&self, now: Instant) -> Instant {
        match (&self.stall, self.first.get()) {
            (Some(stall), Some(&first)) => stall.end_of(first, now, Nanos::ZERO),
            _ => now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests as (when it comes, its work) and when each is done.
    #[track_caller]
    fn check(workers: Option<u32>, stall: Option<&str>, requests: &[(u64, u64, u64)]) {
        let stall = stall.map(|stall| stall.parse().unwrap());
        let behaviour = Behaviour { workers, stall, ..Behaviour::default() };
        let mut station = Station::new(&behaviour, FirstRequest::default());
        for &(at, work, done) in requests {
            assert_eq!(station.finish(Instant(at), Nanos(work)), Instant(done), "came at {at}");
        }
    }

    #[test]
    fn without_a_line_every_request_is_worked_on_at_once() {
        check(None, None, &[(100, 10, 110), (100, 50, 150), (101, 1, 102)]);
    }

    #[test]
    fn a_request_waits_for_the_first_free_worker() {
        check(Some(1), None, &[(100, 10, 110), (100, 10, 120), (115, 10, 130), (200, 5, 205)]);
        check(
            Some(2),
            None,
            &[(100, 50, 150), (100, 10, 110), (101, 10, 120), (102, 10, 130), (103, 40, 170)],
        );
    }

    #[test]
    fn in_a_stall_the_work_stands_still() {
        // The first request comes at 100, so the stall is from 150 to 170.
        let requests =
            [(100, 10, 110), (145, 10, 175), (150, 0, 170), (160, 5, 175), (171, 1, 172)];
        check(None, Some("20ns@50ns"), &requests);
        let requests = [(100, 10, 110), (145, 10, 175), (160, 5, 180), (300, 5, 305)];
        check(Some(1), Some("20ns@50ns"), &requests);
    }

    #[test]
    fn shards_stall_at_the_same_moments() {
        let stall = "20ns@50ns".parse().ok();
        let behaviour = Behaviour { stall, ..Behaviour::default() };
        let first = FirstRequest::default();
        let shard = || Station::new(&behaviour, Arc::clone(&first));
        let (mut one, mut other) = (shard(), shard());
        assert_eq!(one.pass(Instant(999)), Instant(999), "nothing came yet");
        assert_eq!(one.finish(Instant(1_000), Nanos(1)), Instant(1_001));
        assert_eq!(other.finish(Instant(1_055), Nanos(1)), Instant(1_071));
        assert_eq!(other.pass(Instant(1_055)), Instant(1_070));
    }
}
