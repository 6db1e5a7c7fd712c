//! Which PV is posted when: integers and a seed decide, clients never do.

use super::plan::{Posting, PvPlan};
use crate::arrival::Chance;
use crate::unit::{Instant, Nanos, Rate};

/// The posts of all PVs, in the order in which they are due.
#[derive(Debug)]
pub(super) struct Posts {
    start: Instant,
    rate: Rate,
    posting: Posting,
    /// From here on nothing is posted.
    end: Instant,
    pvs: u32,
    /// The PV that is next.
    pv: u32,
    /// When it is due.
    due: Instant,
    tick: Tick,
    chance: Chance,
    /// From the start to the next post of random ones, in units of 2^-16 ns.
    random_sum: u128,
    mean_gap: f64,
}

/// A tick: number, begin and length, from the start on.
#[derive(Debug, Clone, Copy)]
struct Tick {
    number: u64,
    begin: Nanos,
    length: Nanos,
}

impl Tick {
    fn new(number: u64, rate: Rate) -> Self {
        let begin = rate.due_after(number);
        let end = rate.due_after(number + 1);
        Self { number, begin, length: Nanos(end.0 - begin.0) }
    }
}

const FRACTION_BITS: u32 = 16;

impl Posts {
    /// The posts from `start` on; the first tick is one period later, when clients had a chance
    /// to see the value that it changes.
    pub(super) fn new(plan: &PvPlan, seed: u64, start: Instant) -> Self {
        let per_second = plan.rate.as_per_second_f64().unwrap_or(1.0) * f64::from(plan.pvs);
        let mut posts = Self {
            start,
            rate: plan.rate,
            posting: plan.posting,
            end: plan.post_for.map_or(Instant::NEVER, |length| start + length),
            pvs: plan.pvs,
            pv: 0,
            due: start,
            tick: Tick::new(1, plan.rate),
            chance: Chance::new(seed),
            random_sum: 0,
            mean_gap: 1e9 / per_second * f64::from(1u32 << FRACTION_BITS),
        };
        match posts.posting {
            Posting::Rush | Posting::Even => posts.settle(),
            Posting::Random => posts.draw(),
        }
        posts
    }

    /// The next post: its PV, and when it is due; [`Instant::NEVER`] once there is none.
    #[inline]
    pub(super) fn peek(&self) -> (u32, Instant) {
        let due = if self.due < self.end { self.due } else { Instant::NEVER };
        (self.pv, due)
    }

    /// Steps over the next post.
    #[inline]
    pub(super) fn advance(&mut self) {
        if self.posting == Posting::Random {
            return self.draw();
        }
        self.pv += 1;
        if self.pv == self.pvs {
            self.pv = 0;
            self.tick = Tick::new(self.tick.number + 1, self.rate);
        }
        self.settle();
    }

    #[inline]
    fn settle(&mut self) {
        let Tick { begin, length, .. } = self.tick;
        let within = match self.posting {
            Posting::Even => {
                let part = u128::from(length.0) * u128::from(self.pv) / u128::from(self.pvs);
                Nanos(part as u64)
            }
            _ => Nanos::ZERO,
        };
        self.due = self.start + begin + within;
    }

    fn draw(&mut self) {
        self.random_sum += (self.chance.exponential() * self.mean_gap) as u128;
        let after = u64::try_from(self.random_sum >> FRACTION_BITS).unwrap_or(u64::MAX);
        self.due = self.start + Nanos(after);
        self.pv = (self.chance.even() * f64::from(self.pvs)) as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan;
    use super::*;

    fn first(count: usize, posting: Posting) -> Vec<(u32, u64)> {
        let plan = PvPlan { posting, ..plan::sample() };
        let mut posts = Posts::new(&plan, 1, Instant(1_000));
        let next = || {
            let (pv, due) = posts.peek();
            posts.advance();
            (pv, due.0 - 1_000)
        };
        std::iter::repeat_with(next).take(count).collect()
    }

    #[test]
    fn a_rush_posts_all_pvs_at_each_tick() {
        let tick = |number: u64| [0, 1, 2].map(|pv| (pv, number * 100_000_000));
        assert_eq!(first(6, Posting::Rush), [tick(1), tick(2)].concat());
    }

    #[test]
    fn even_posts_are_spread_over_the_tick() {
        let thirds = [0, 33_333_333, 66_666_666];
        let tick =
            |number: u64| [0, 1, 2].map(|pv| (pv, number * 100_000_000 + thirds[pv as usize]));
        assert_eq!(first(6, Posting::Even), [tick(1), tick(2)].concat());
    }

    #[test]
    fn nothing_is_posted_after_the_end() {
        let post_for = Some(Nanos::from_millis(100));
        let ended = PvPlan { post_for, posting: Posting::Even, ..plan::sample() };
        let posts = Posts::new(&ended, 1, Instant(1_000));
        assert_eq!(posts.peek(), (0, Instant::NEVER), "the first is due at 100 ms");
        let longer = PvPlan { post_for: Some(Nanos::from_millis(134)), ..ended };
        let mut posts = Posts::new(&longer, 1, Instant(1_000));
        posts.advance();
        assert_eq!(posts.peek(), (1, Instant(1_000 + 133_333_333)));
        posts.advance();
        assert_eq!(posts.peek().1, Instant::NEVER);
    }

    #[test]
    fn random_posts_have_the_rate_and_reach_every_pv_alike() {
        let posts = first(30_000, Posting::Random);
        assert!(posts.is_sorted_by_key(|&(_, due)| due));
        // 30 a second, so about 1000 s; the seed is fixed.
        let seconds = posts.last().unwrap().1 as f64 / 1e9;
        assert!((980.0..1020.0).contains(&seconds), "{seconds}");
        for pv in 0..3 {
            let share = posts.iter().filter(|post| post.0 == pv).count();
            assert!((9_700..10_300).contains(&share), "{pv}: {share}");
        }
    }
}
