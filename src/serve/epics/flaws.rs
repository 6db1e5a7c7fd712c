//! Faults that a server makes on purpose, to test clients that count updates.

/// What is done wrong, and how often; each counts the updates of a shard to all its clients, the
/// first of a subscription left out. Where several are due at once the first named here happens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flaws {
    /// Every so many updates one is not sent.
    pub drop_every: Option<u64>,
    /// Every so many updates one is sent twice.
    pub repeat_every: Option<u64>,
    /// Every so many updates the value before it is sent after it.
    pub backwards_every: Option<u64>,
}

/// What becomes of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Sent,
    Dropped,
    Repeated,
    /// Sent, and after it what came before.
    Backwards,
}

impl Flaws {
    /// What becomes of update number `number`, counted from 1.
    #[inline]
    pub(super) fn fate(&self, number: u64) -> Fate {
        let is_due = |every: Option<u64>| every.is_some_and(|every| number.is_multiple_of(every));
        match self {
            flaws if is_due(flaws.drop_every) => Fate::Dropped,
            flaws if is_due(flaws.repeat_every) => Fate::Repeated,
            flaws if is_due(flaws.backwards_every) => Fate::Backwards,
            _ => Fate::Sent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flaw_comes_as_often_as_it_is_told_to() {
        let flaws = Flaws { drop_every: Some(6), repeat_every: Some(4), backwards_every: Some(9) };
        let count = |fate| (1..=36).filter(|&number| flaws.fate(number) == fate).count();
        assert_eq!(count(Fate::Dropped), 6);
        // 12, 24 and 36 are dropped already, and so are 18 and 36.
        assert_eq!(count(Fate::Repeated), 6);
        assert_eq!(count(Fate::Backwards), 2);
        assert_eq!(Flaws::default().fate(6), Fate::Sent);
    }
}
