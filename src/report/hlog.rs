//! An interval log of HdrHistogram: each series in a histogram for each stretch of time, by the
//! end of the requests.

use std::io;

use super::in_order::{self, ExportError};
use super::load::LogSource as _;
use crate::log::Reader;
use crate::outcome::{Cut, Series, SeriesName};
use crate::plan::Plan;
use crate::stats::{IntervalLog, Intervals};
use crate::unit::{Nanos, Rate};

/// What an interval log holds.
#[derive(Debug, Clone)]
pub struct Options {
    /// The length of an interval; more than zero.
    pub interval: Nanos,
    /// These series, each under its name as the tag.
    pub series: Vec<SeriesName>,
}

/// Writes the series of what the cut beside each log keeps of it. All intervals together hold the
/// samples of the report of a log that keeps every request, to the last one. Values are ns.
///
/// # Errors
/// A log cannot be read, or `out` does not take it.
pub fn write<W: io::Write>(
    logs: &[(Reader, Cut)],
    options: &Options,
    out: &mut W,
) -> Result<(), ExportError> {
    let start_unix_ns = logs.iter().filter_map(|(log, _)| log.began_unix_ns()).min().unwrap_or(0);
    let comments = [
        "written by onrush report".to_owned(),
        "values are nanoseconds; intervals go by the end of a request".to_owned(),
    ];
    let mut log = IntervalLog::default();
    let mut sheet = Sheet {
        intervals: log.begin(out, start_unix_ns, &comments)?,
        options,
        number: 0,
        series: Series::new(),
        count: 0,
    };
    in_order::each(logs, |placed| {
        let cut = &logs[placed.log].1;
        let request = match cut.is_whole() {
            true => placed.request,
            false => cut.of_request(&placed.request, placed.measure_at),
        };
        let since = (placed.done_unix_ns() - i128::from(start_unix_ns)).max(0) as u64;
        sheet.go_on_to(since / options.interval.0.max(1))?;
        sheet.count += 1;
        sheet.series.record(&request);
        Ok(())
    })?;
    Ok(sheet.flush()?)
}

/// The interval that is being filled.
struct Sheet<'a, W: io::Write> {
    intervals: Intervals<'a, W>,
    options: &'a Options,
    number: u64,
    series: Series,
    count: u64,
}

impl<W: io::Write> Sheet<'_, W> {
    /// What ends later than its like is counted where the log has come to.
    fn go_on_to(&mut self, number: u64) -> io::Result<()> {
        if number > self.number {
            self.flush()?;
            self.number = number;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.count == 0 {
            return Ok(());
        }
        let start = Nanos(self.number.saturating_mul(self.options.interval.0));
        for &name in &self.options.series {
            let samples = self.series.of(name);
            if samples.count() > 0 {
                self.intervals.write(name.as_str(), start, self.options.interval, samples)?;
            }
        }
        (self.series, self.count) = (Series::new(), 0);
        Ok(())
    }
}

/// The series that a run of this plan measures.
pub fn series_of(plan: &Plan) -> Vec<SeriesName> {
    let is_closed = plan.rate == Rate::Max;
    let all = SeriesName::ALL.iter().copied().filter(|&name| match name {
        // A closed loop cannot see waiting, nor be late.
        SeriesName::Wait | SeriesName::Lag => !is_closed,
        // It is a figure of several records.
        SeriesName::Session => false,
        _ => true,
    });
    all.collect()
}
