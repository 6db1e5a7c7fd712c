//! How a target answers: how long it takes, how many at a time, and what goes wrong. All of it
//! is known beforehand, so that what is measured can be held against the truth.

use std::fmt;
use std::str::FromStr;

use crate::arrival::Chance;
use crate::unit::{Instant, Nanos, ParseError, Share};

/// How a target answers. The default answers at once, always.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Behaviour {
    /// Time that the work on a request takes.
    pub delay: Delay,
    /// Requests that are worked on at a time, at least 1; the others wait in line. `None` is all.
    pub workers: Option<u32>,
    /// When it does nothing.
    pub stall: Option<Stall>,
    /// How often the answer is that it failed.
    pub fail_rate: Share,
    /// How often the connection is reset in place of an answer.
    pub reset_rate: Share,
    /// Of everything above that is random.
    pub seed: u64,
}

/// Time that the work on a request takes, by chance or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delay {
    /// Always this.
    Fixed(Nanos),
    /// Exponential with this mean.
    Exp(Nanos),
    /// Evenly between these.
    Uniform(Nanos, Nanos),
}

/// When a target does nothing: its work stands still, and so do its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stall {
    /// How long; above 0, and below `every`.
    pub length: Nanos,
    /// The first begin, from the first request on.
    pub at: Nanos,
    /// From one begin to the next; `None` is once.
    pub every: Option<Nanos>,
}

impl Behaviour {
    /// Answers at once, always: there is nothing to keep track of.
    pub(super) fn is_plain(&self) -> bool {
        let Self { delay, workers: _, stall, fail_rate, reset_rate, seed: _ } = self;
        *delay == Delay::default()
            && stall.is_none()
            && *fail_rate == Share::default()
            && *reset_rate == Share::default()
    }

    /// What becomes of a request. Takes as many random numbers whatever the rates are, so that
    /// another rate leaves the delays as they were.
    #[inline]
    pub(crate) fn fate(&self, chance: &mut Chance) -> Fate {
        Fate {
            work: self.delay.draw(chance),
            is_reset: chance.even() < self.reset_rate.as_f64(),
            is_failure: chance.even() < self.fail_rate.as_f64(),
        }
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) work: Nanos,
    /// Goes before failure.
    pub(crate) is_reset: bool,
    pub(crate) is_failure: bool,
}

impl Delay {
    /// A time of this law; takes one random number.
    #[inline]
    fn draw(self, chance: &mut Chance) -> Nanos {
        let scaled = |nanos: Nanos, by: f64| Nanos((nanos.0 as f64 * by) as u64);
        match self {
            Self::Fixed(time) => {
                chance.even();
                time
            }
            Self::Exp(mean) => scaled(mean, chance.exponential()),
            Self::Uniform(low, high) => {
                low + scaled(Nanos(high.0.saturating_sub(low.0)), chance.even())
            }
        }
    }
}

impl Default for Delay {
    fn default() -> Self {
        Self::Fixed(Nanos::ZERO)
    }
}

impl FromStr for Delay {
    type Err = ParseError;

    fn from_str(typed: &str) -> Result<Self, ParseError> {
        let time = |text: &str| text.parse::<Nanos>().ok();
        let read = match typed.split_once(':') {
            None => time(typed).map(Self::Fixed),
            Some(("fixed", text)) => time(text).map(Self::Fixed),
            Some(("exp", text)) => time(text).map(Self::Exp),
            Some(("uniform", text)) => text
                .split_once('-')
                .and_then(|(low, high)| Some((time(low)?, time(high)?)))
                .filter(|(low, high)| low <= high)
                .map(|(low, high)| Self::Uniform(low, high)),
            Some(_) => None,
        };
        read.ok_or_else(|| {
            ParseError::new(typed, "a delay is T, fixed:T, exp:T or uniform:A-B, like exp:5ms")
        })
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(time) => write!(f, "fixed:{time}"),
            Self::Exp(mean) => write!(f, "exp:{mean}"),
            Self::Uniform(low, high) => write!(f, "uniform:{low}-{high}"),
        }
    }
}

impl Stall {
    /// When work ends that begins at `begin` and takes `work`, with the stalls that it meets
    /// added. What would end as a stall begins ends after it. `first` is the first request.
    pub(super) fn end_of(&self, first: Instant, begin: Instant, work: Nanos) -> Instant {
        // Work advances between stalls only: the times between them, end to end, are a clock of its
        // own.
        let (at, length) = (self.at.0, self.length.0);
        let every = self.every.map_or(u64::MAX, |every| every.0);
        let worked = match begin.since(first).0 {
            before if before < at => before,
            within => {
                let (stalls, into) = ((within - at) / every, (within - at) % every);
                at + stalls * (every - length) + into.saturating_sub(length)
            }
        };
        let done = worked.saturating_add(work.0);
        let end = match done.checked_sub(at) {
            None => done,
            Some(past) => {
                let (stalls, into) = (past / (every - length), past % (every - length));
                let stalled = stalls.saturating_mul(every).saturating_add(length);
                at.saturating_add(stalled).saturating_add(into)
            }
        };
        first + Nanos(end)
    }
}

impl FromStr for Stall {
    type Err = ParseError;

    fn from_str(typed: &str) -> Result<Self, ParseError> {
        let rule = "a stall is T@AT, or T@AT/EVERY with EVERY above T, like 400ms@2s/10s";
        let read = || {
            let (length, when) = typed.split_once('@')?;
            let (at, every) = match when.split_once('/') {
                Some((at, every)) => (at, Some(every.parse::<Nanos>().ok()?)),
                None => (when, None),
            };
            let (length, at): (Nanos, Nanos) = (length.parse().ok()?, at.parse().ok()?);
            let ends = length > Nanos::ZERO && length < every.unwrap_or(Nanos(u64::MAX));
            ends.then_some(Self { length, at, every })
        };
        read().ok_or_else(|| ParseError::new(typed, rule))
    }
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.length, self.at)?;
        self.every.map_or(Ok(()), |every| write!(f, "/{every}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_delay_reads_and_shows_itself() {
        for (typed, delay, shown) in [
            ("5ms", Delay::Fixed(Nanos::from_millis(5)), "fixed:5ms"),
            ("fixed:2", Delay::Fixed(Nanos::from_secs(2)), "fixed:2s"),
            ("exp:100us", Delay::Exp(Nanos::from_micros(100)), "exp:100us"),
            ("uniform:0-1ms", Delay::Uniform(Nanos(0), Nanos::from_millis(1)), "uniform:0s-1ms"),
        ] {
            assert_eq!(typed.parse(), Ok(delay));
            assert_eq!(delay.to_string(), shown);
            assert_eq!(shown.parse(), Ok(delay));
        }
        for typed in ["", "x", "exp", "exp:", "gamma:1ms", "uniform:1ms", "uniform:2ms-1ms"] {
            let error = typed.parse::<Delay>().unwrap_err().to_string();
            assert!(error.contains("like exp:5ms"), "{typed}: {error}");
        }
    }

    #[test]
    fn a_stall_reads_and_shows_itself() {
        for typed in ["400ms@2s", "1us@0s/2us", "100ms@500ms/1s"] {
            assert_eq!(typed.parse::<Stall>().unwrap().to_string(), typed);
        }
        for typed in
            ["", "1s", "@1s", "0@1s", "1s@", "1s@1s/1s", "1s@1s/", "2s@0/1s", "1s@1s/2s/3s"]
        {
            let error = typed.parse::<Stall>().unwrap_err().to_string();
            assert!(error.contains("like 400ms@2s/10s"), "{typed}: {error}");
        }
    }

    #[test]
    fn delays_have_the_named_mean_and_range() {
        let draw = |delay: Delay| -> Vec<u64> {
            let mut chance = Chance::new(3);
            (0..100_000).map(|_| delay.draw(&mut chance).0).collect()
        };
        let mean = |times: &[u64]| times.iter().sum::<u64>() as f64 / times.len() as f64;
        assert!(draw(Delay::Fixed(Nanos(77))).iter().all(|&time| time == 77));
        let exp = mean(&draw(Delay::Exp(Nanos(1_000_000))));
        assert!((exp / 1e6 - 1.0).abs() < 0.01, "{exp}");
        let uniform = draw(Delay::Uniform(Nanos(1_000), Nanos(3_000)));
        assert!(uniform.iter().all(|time| (1_000..=3_000).contains(time)));
        assert!((mean(&uniform) - 2_000.0).abs() < 10.0);
    }

    #[test]
    fn another_rate_leaves_the_delays_as_they_were() {
        let calm = Behaviour { delay: Delay::Exp(Nanos(1_000)), ..Behaviour::default() };
        let wild = Behaviour { fail_rate: Share(500_000), reset_rate: Share(100_000), ..calm };
        let fates = |behaviour: &Behaviour| -> Vec<Fate> {
            let mut chance = Chance::new(1);
            (0..10_000).map(|_| behaviour.fate(&mut chance)).collect()
        };
        let (calm, wild) = (fates(&calm), fates(&wild));
        assert!(calm.iter().zip(&wild).all(|(calm, wild)| calm.work == wild.work));
        assert!(!calm.iter().any(|fate| fate.is_reset || fate.is_failure));
        let resets = wild.iter().filter(|fate| fate.is_reset).count();
        let failures = wild.iter().filter(|fate| fate.is_failure).count();
        assert!(resets.abs_diff(1_000) < 100 && failures.abs_diff(5_000) < 200);
    }

    /// Work step by step, as the words say it: the time in which a stall lasts does not count.
    fn slowly(stall: &Stall, begin: u64, work: u64) -> u64 {
        let is_stalled = |t: u64| match (t.checked_sub(stall.at.0), stall.every) {
            (None, _) => false,
            (Some(past), Some(every)) => past % every.0 < stall.length.0,
            (Some(past), None) => past < stall.length.0,
        };
        let (mut now, mut left) = (begin, work);
        while is_stalled(now) || left > 0 {
            left -= u64::from(!is_stalled(now));
            now += 1;
        }
        now
    }

    proptest! {
        #[test]
        fn the_work_that_a_stall_meets_ends_that_much_later(
            length in 1u64..20,
            at in 0u64..50,
            working in prop::option::of(1u64..30),
            begin in 0u64..300,
            work in 0u64..100,
        ) {
            let every = working.map(|working| Nanos(length + working));
            let stall = Stall { length: Nanos(length), at: Nanos(at), every };
            let end = stall.end_of(Instant(1_000), Instant(1_000 + begin), Nanos(work));
            prop_assert_eq!(end, Instant(1_000 + slowly(&stall, begin, work)));
        }

        #[test]
        fn no_stall_overflows(
            length in 1u64..u64::MAX, at: u64, more in prop::option::of(1u64..),
            begin: u64, work: u64,
        ) {
            let every = more.map(|more| Nanos(length.saturating_add(more)));
            prop_assume!(every.is_none_or(|every| every > Nanos(length)));
            let stall = Stall { length: Nanos(length), at: Nanos(at), every };
            stall.end_of(Instant(begin / 2), Instant(begin), Nanos(work));
        }
    }
}
