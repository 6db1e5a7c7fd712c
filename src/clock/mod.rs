//! The one place that reads time. Everybody else is handed a `now`.

use crate::unit::Instant;

/// A source of [`Instant`]s.
pub trait Clock {
    /// The time now, in ns since this clock's own zero; never runs back.
    fn now(&self) -> Instant;
}
