//! The whole distribution of one series as HdrHistogram writes it, for its plotters.

use super::spectrum;
use crate::outcome::{SeriesName, Summary};

/// Writes the spectrum of this series, values in ms.
pub fn write(summary: &Summary, series: SeriesName) -> String {
    spectrum::write(summary.figures.of_series(series))
}
