//! A part of a log: which of its requests a report counts.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::evidence::{Hole, Outcome, Phase, Request, Slip, Step};
use crate::unit::{Instant, Nanos, ParseError};

/// What a report counts instead of the whole measure phase. Whatever is left at its default
/// cuts nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cut {
    /// Intended at this time after the start of the measure phase, or later.
    pub from: Option<Nanos>,
    /// Intended before this time after the start of the measure phase.
    pub to: Option<Nanos>,
    /// Of these phases; empty: `measure`.
    pub phases: Vec<Phase>,
    /// Of these shards; empty: all.
    pub shards: NumberList,
    /// With one of these outcomes; empty: any.
    pub outcomes: Vec<Outcome>,
    /// With one of these statuses; empty: any, and none.
    pub statuses: NumberList,
}

impl Cut {
    /// Whether the cut leaves everything as it is.
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it counts anything of this shard.
    pub fn keeps_shard(&self, shard: u32) -> bool {
        self.shards.is_empty() || self.shards.contains(shard)
    }

    /// The request as it counts: in the measure phase where it is in the cut, out of it where it
    /// is not. So a session counts where its first request does, as for the phases themselves.
    #[inline]
    pub fn of_request(&self, request: &Request, measure_at: Instant) -> Request {
        if self.keeps(request, measure_at) {
            Request { phase: Phase::Measure, ..*request }
        } else {
            Request { phase: Phase::Drain, step: Step::None, ..*request }
        }
    }

    /// The hole as it counts: by the time of its begin.
    pub fn of_hole(&self, hole: &Hole, measure_at: Instant) -> Hole {
        let is_in = self.covers(hole.from, hole.phase, measure_at);
        Hole { phase: if is_in { Phase::Measure } else { Phase::Drain }, ..*hole }
    }

    /// The slip as it counts: by its arrival.
    pub fn of_slip(&self, slip: &Slip, measure_at: Instant) -> Slip {
        let is_in = self.covers(slip.at, slip.phase, measure_at);
        Slip { phase: if is_in { Phase::Measure } else { Phase::Drain }, ..*slip }
    }

    /// Whether it counts this request, of whatever shard.
    #[inline]
    pub fn keeps(&self, request: &Request, measure_at: Instant) -> bool {
        self.covers(request.intended_at, request.phase, measure_at)
            && (self.outcomes.is_empty() || self.outcomes.contains(&request.outcome))
            && (self.statuses.is_empty() || self.statuses.contains(request.status.into()))
    }

    fn covers(&self, at: Instant, phase: Phase, measure_at: Instant) -> bool {
        let of_phase = match &self.phases[..] {
            [] => phase == Phase::Measure,
            phases => phases.contains(&phase),
        };
        of_phase
            && self.from.is_none_or(|from| at >= measure_at + from)
            && self.to.is_none_or(|to| at < measure_at + to)
    }

    /// How much of a measure phase of length `measured` it covers; `None` where it counts other
    /// phases, whose length no plan says.
    pub(super) fn length(&self, measured: Nanos) -> Option<Nanos> {
        let is_measure = matches!(self.phases[..], [] | [Phase::Measure]);
        let to = self.to.map_or(measured, |to| to.min(measured));
        let from = self.from.unwrap_or_default();
        is_measure.then(|| Nanos(to.0.saturating_sub(from.0)))
    }
}

impl fmt::Display for Cut {
    /// `from 2s to 3s, shard 0-1, status 2xx`: the parts that cut something.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = |words: Vec<&str>| (!words.is_empty()).then(|| words.join(","));
        let list = |list: &NumberList| (!list.is_empty()).then(|| list.to_string());
        let time = match (self.from, self.to) {
            (None, None) => None,
            (Some(from), None) => Some(format!("from {from} on")),
            (from, Some(to)) => Some(format!("from {} to {to}", from.unwrap_or_default())),
        };
        let named = |name, list: Option<String>| list.map(|list| format!("{name} {list}"));
        let parts = [
            time,
            named("phase", words(self.phases.iter().map(|phase| phase.as_str()).collect())),
            named("shard", list(&self.shards)),
            named("outcome", words(self.outcomes.iter().map(|o| o.as_str()).collect())),
            named("status", list(&self.statuses)),
        ];
        f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

/// Numbers, ranges and classes of a hundred: `0-3,8`, `2xx,304`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NumberList(Vec<RangeInclusive<u32>>);

impl NumberList {
    /// What it is made of, in the order given.
    pub fn ranges(&self) -> &[RangeInclusive<u32>] {
        &self.0
    }

    /// Whether it holds no number.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it holds this one.
    #[inline]
    pub fn contains(&self, number: u32) -> bool {
        self.0.iter().any(|range| range.contains(&number))
    }
}

impl FromStr for NumberList {
    type Err = ParseError;

    fn from_str(typed: &str) -> Result<Self, ParseError> {
        let wrong =
            || ParseError::new(typed, "a list is of numbers, ranges or classes, like 0-3,8 or 2xx");
        let number = |text: &str| match text.starts_with('+') {
            true => Err(wrong()),
            false => text.parse::<u32>().map_err(|_| wrong()),
        };
        let range = |part: &str| {
            let part = part.trim_ascii();
            let hundred = part.strip_suffix("xx").or_else(|| part.strip_suffix("XX"));
            if let Some(hundred) = hundred {
                let first = number(hundred)?.checked_mul(100).ok_or_else(wrong)?;
                return Ok(first..=first.saturating_add(99));
            }
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let range = number(first)?..=number(last)?;
            if range.is_empty() { Err(wrong()) } else { Ok(range) }
        };
        typed.split(',').map(range).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for NumberList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, range) in self.0.iter().enumerate() {
            let (comma, first, last) = (if i > 0 { "," } else { "" }, range.start(), range.end());
            match last - first {
                0 => write!(f, "{comma}{first}")?,
                99 if first % 100 == 0 => write!(f, "{comma}{}xx", first / 100)?,
                _ => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::sample::{failed, request};

    #[test]
    fn lists_read_back() {
        for typed in ["0", "0-3,8", "2xx,304", "4xx,5xx", "100-198"] {
            assert_eq!(typed.parse::<NumberList>().unwrap().to_string(), typed);
        }
        let loose: NumberList = " 2XX, 304".parse().unwrap();
        assert_eq!(loose.to_string(), "2xx,304");
        for typed in ["", "a", "3-1", "+3", "0-", ",", "99999999xx", "-1", "xx"] {
            assert!(typed.parse::<NumberList>().is_err(), "{typed}");
        }
    }

    #[track_caller]
    fn check(cut: &Cut, says: &str, keeps: &[u64]) {
        assert_eq!(cut.to_string(), says);
        let ten = (0..10).map(|k| match k {
            3 => failed(k, Outcome::Reset, Step::Recv, 104),
            4 => Request { phase: Phase::Warmup, ..request(k) },
            5 => Request { status: 304, ..request(k) },
            _ => request(k),
        });
        let measure_at = request(0).intended_at;
        let kept =
            ten.filter(|request| cut.of_request(request, measure_at).phase == Phase::Measure);
        assert_eq!(kept.map(|request| request.session).collect::<Vec<_>>(), keeps);
    }

    #[test]
    fn a_cut_keeps_what_it_says() {
        let whole = Cut::default();
        assert!(whole.is_whole());
        check(&whole, "", &[0, 1, 2, 3, 5, 6, 7, 8, 9]);
        let (two, six) = (Some(Nanos::from_millis(2)), Some(Nanos::from_millis(6)));
        check(&Cut { from: two, to: six, ..Cut::default() }, "from 2ms to 6ms", &[2, 3, 5]);
        check(&Cut { from: six, ..Cut::default() }, "from 6ms on", &[6, 7, 8, 9]);
        check(&Cut { to: two, ..Cut::default() }, "from 0s to 2ms", &[0, 1]);
        let phases = vec![Phase::Warmup];
        check(&Cut { phases, ..Cut::default() }, "phase warmup", &[4]);
        let outcomes = vec![Outcome::Reset, Outcome::Timeout];
        check(&Cut { outcomes, ..Cut::default() }, "outcome reset,timeout", &[3]);
        let statuses = "3xx".parse().unwrap();
        check(&Cut { statuses, to: six, ..Cut::default() }, "from 0s to 6ms, status 3xx", &[5]);
        let shards: NumberList = "1-2".parse().unwrap();
        assert!(!Cut { shards: shards.clone(), ..Cut::default() }.keeps_shard(0));
        check(&Cut { shards, ..Cut::default() }, "shard 1-2", &[0, 1, 2, 3, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn a_cut_is_as_long_as_what_it_keeps_of_the_measure_phase() {
        let second = Nanos::from_secs(1);
        let cut = |from: u64, to: u64| Cut {
            from: Some(Nanos::from_millis(from)),
            to: Some(Nanos::from_millis(to)),
            ..Cut::default()
        };
        assert_eq!(cut(200, 500).length(second), Some(Nanos::from_millis(300)));
        assert_eq!(cut(200, 5000).length(second), Some(Nanos::from_millis(800)));
        assert_eq!(cut(2000, 5000).length(second), Some(Nanos::ZERO));
        let drain = Cut { phases: vec![Phase::Drain], ..Cut::default() };
        assert_eq!(drain.length(second), None);
    }
}
