//! Which PVs are served, and how their values come.

use super::flaws::Flaws;
use crate::unit::{Nanos, Rate};
use crate::words;

words! {
    /// What the values of a PV are.
    pub enum PvType: "a type is double or long, like long" {
        /// 64-bit floats: counts up to 2^53 are exact.
        Double = "double",
        /// 32-bit integers, which wrap round.
        Long = "long",
    }
}

words! {
    /// How the posts of all PVs lie in time.
    pub enum Posting: "posts are rush, even or random, like even" {
        /// All PVs at each tick.
        Rush = "rush",
        /// One PV after the other, spread over the tick.
        Even = "even",
        /// Poisson: exponential gaps, any PV.
        Random = "random",
    }
}

/// Which PVs are served, and how their values come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PvPlan {
    /// What their names begin with; a number from 0 to `pvs - 1` follows.
    pub prefix: String,
    /// How many there are; at least 1.
    pub pvs: u32,
    /// UDP port where they are searched for; `None`: the port of the circuits.
    pub search_port: Option<u16>,
    /// Posts per second of each PV; never `max`.
    pub rate: Rate,
    /// How the posts of all of them lie in time.
    pub posting: Posting,
    /// Time from the start after which no more is posted; `None`: never.
    pub post_for: Option<Nanos>,
    /// What the values are.
    pub pv_type: PvType,
    /// Elements of a value, at least 1: element i is the count plus i.
    pub elements: u32,
    /// Most clients of a shard; `None`: as many as descriptors and memory sensibly allow.
    pub clients_max: Option<u32>,
    /// A client that is behind gets the newest value; else it gets all, or is cut off.
    pub coalesce: bool,
    /// What is done wrong, on purpose.
    pub flaws: Flaws,
}

impl Default for PvPlan {
    /// A hundred doubles, `P0` to `P99`, ten times a second.
    fn default() -> Self {
        Self {
            prefix: "P".into(),
            pvs: 100,
            search_port: None,
            rate: Rate::per_second(10),
            posting: Posting::Rush,
            post_for: None,
            pv_type: PvType::Double,
            elements: 1,
            clients_max: None,
            coalesce: true,
            flaws: Flaws::default(),
        }
    }
}

/// Names as they are spelled: the prefix, then a number without leading zeros.
#[derive(Debug, Clone)]
pub(super) struct Names {
    prefix: Vec<u8>,
    count: u32,
}

impl Names {
    pub(super) fn new(plan: &PvPlan) -> Self {
        Self { prefix: plan.prefix.as_bytes().to_vec(), count: plan.pvs }
    }

    /// The PV of this name.
    pub(super) fn find(&self, name: &[u8]) -> Option<u32> {
        let digits = name.strip_prefix(&self.prefix[..])?;
        let is_number = digits.iter().all(u8::is_ascii_digit);
        let is_plain = digits == b"0" || digits.first().is_some_and(|&first| first != b'0');
        if !is_number || !is_plain {
            return None;
        }
        let index = std::str::from_utf8(digits).ok()?.parse().ok()?;
        (index < self.count).then_some(index)
    }
}

#[cfg(test)]
pub(super) fn sample() -> PvPlan {
    PvPlan { pvs: 3, ..PvPlan::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expect: Option<u32>) {
        let names = Names::new(&PvPlan { prefix: "A:B".into(), pvs: 12, ..sample() });
        assert_eq!(names.find(name.as_bytes()), expect, "{name}");
    }

    #[test]
    fn a_name_is_the_prefix_and_a_plain_number_below_the_count() {
        check("A:B0", Some(0));
        check("A:B11", Some(11));
        for name in ["A:B12", "A:B", "A:B01", "A:B-1", "A:B1 ", "A:B+1", "B1", "", "A:B99999999999"]
        {
            check(name, None);
        }
    }
}
