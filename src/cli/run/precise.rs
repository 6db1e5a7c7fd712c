//! `--target-ci`: a run that goes on until a percentile is known well enough.
//!
//! The log is the product, so it is asked: now and then a thread reads what the run has written
//! so far, as a report would, and looks at the error bar.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::clock;
use crate::plan::Precision;
use crate::report::{Asked, load_files};
use crate::unit::Nanos;

/// Between two looks at how far the run is.
const LOOK_EVERY: Nanos = Nanos::from_millis(20);

/// The log is read again after so many times what reading took, so that reading is at most a
/// twentieth of the run.
const READ_PART: u64 = 20;

/// The least time between two reads.
const READ_EVERY: Nanos = Nanos::from_millis(500);

/// What the reading thread and the main thread of a run tell each other.
#[derive(Debug)]
pub(super) struct Watch {
    precision: Precision,
    log: [PathBuf; 1],
    /// What lies at the log's place until the run takes it is older.
    began_wall_ns: u64,
    /// The first look: the warm-up and the least length of the measure phase.
    not_before: Nanos,
    elapsed_ns: AtomicU64,
    is_enough: AtomicBool,
    has_ended: AtomicBool,
}

impl Watch {
    pub(super) fn new(precision: Precision, log: PathBuf, not_before: Nanos) -> Self {
        Self {
            precision,
            log: [log],
            began_wall_ns: clock::wall_ns(),
            not_before,
            elapsed_ns: AtomicU64::new(0),
            is_enough: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
        }
    }

    /// Tells how far the run is, and hears whether that is far enough.
    pub(super) fn at(&self, elapsed: Nanos) -> ControlFlow<()> {
        self.elapsed_ns.store(elapsed.0, Ordering::Relaxed);
        match self.is_enough.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    /// The run goes on until what this gives is dropped.
    pub(super) fn until_dropped(&self) -> impl Drop {
        Over(&self.has_ended)
    }

    /// Reads the log from time to time until it is enough, or the run over.
    pub(super) fn read(&self) {
        let elapsed = || Nanos(self.elapsed_ns.load(Ordering::Relaxed));
        let mut next = self.not_before;
        while !self.has_ended.load(Ordering::Relaxed) {
            let from = elapsed();
            if from >= next {
                if self.is_known() {
                    return self.is_enough.store(true, Ordering::Relaxed);
                }
                let took = elapsed().0 - from.0;
                next = elapsed() + Nanos(took.saturating_mul(READ_PART)).max(READ_EVERY);
            }
            clock::sleep(LOOK_EVERY);
        }
    }

    /// Whether the error bar is narrow enough by now. A log that cannot be read yet knows nothing.
    fn is_known(&self) -> bool {
        let Ok(summary) = load_files(&self.log, &Asked::default()) else { return false };
        let is_ours = summary.began_unix_ns.is_some_and(|began| began >= self.began_wall_ns);
        let Precision { quantile, share_ppm } = self.precision;
        let wanted = f64::from(share_ppm) / 1e6;
        is_ours && summary.error_bar(quantile).is_some_and(|known| known <= wanted)
    }
}

/// Says that the run is over, even where it panics.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
