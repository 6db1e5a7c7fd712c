//! Interval logs in the layout of HdrHistogram (1.3, V2 histograms, deflated): its own tools and
//! those of others merge, cut and draw them.

use std::io;
use std::time::{Duration, UNIX_EPOCH};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogWriter, IntervalLogWriterBuilder, IntervalLogWriterError, Tag,
};

use super::Recorder;
use crate::unit::Nanos;

/// Values of an interval log are ns; its largest values stand beside them in ms, as is usual.
const NANOS_PER_MILLI: f64 = 1e6;

/// What it takes to write an interval log; [`IntervalLog::begin`] does.
#[derive(Debug, Default)]
pub struct IntervalLog(V2Deflate);

#[derive(Default)]
struct V2Deflate(V2DeflateSerializer);

impl std::fmt::Debug for V2Deflate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("V2Deflate")
    }
}

/// An interval log that has its head.
#[allow(missing_debug_implementations, reason = "the library's writer has none")]
pub struct Intervals<'a, W: io::Write>(IntervalLogWriter<'a, 'a, W, V2DeflateSerializer>);

impl IntervalLog {
    /// Writes the head: `comments`, and the start in ns since 1970 from which intervals count.
    ///
    /// # Errors
    /// `out` does not take it.
    pub fn begin<'a, W: io::Write>(
        &'a mut self,
        out: &'a mut W,
        start_unix_ns: u64,
        comments: &[String],
    ) -> io::Result<Intervals<'a, W>> {
        let start = UNIX_EPOCH + Duration::from_nanos(start_unix_ns);
        let mut head = IntervalLogWriterBuilder::new();
        for comment in comments {
            head.add_comment(comment);
        }
        head.with_start_time(start).with_base_time(start);
        head.with_max_value_divisor(NANOS_PER_MILLI);
        head.begin_log_with(out, &mut self.0.0).map(Intervals)
    }
}

impl<W: io::Write> Intervals<'_, W> {
    /// Writes the samples of an interval under `tag`, a word without commas and spaces.
    ///
    /// # Errors
    /// `out` does not take it.
    pub fn write(
        &mut self,
        tag: &'static str,
        start: Nanos,
        length: Nanos,
        samples: &Recorder,
    ) -> io::Result<()> {
        let of = |nanos: Nanos| Duration::from_nanos(nanos.0);
        let written =
            self.0.write_histogram(&samples.buckets, of(start), of(length), Tag::new(tag));
        written.map_err(|error| match error {
            IntervalLogWriterError::IoError(error) => error,
            IntervalLogWriterError::SerializeError(error) => io::Error::other(error.to_string()),
        })
    }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;

    #[test]
    fn what_is_written_the_librarys_reader_reads_back() {
        let mut samples = Recorder::new();
        [5, 70_000, 3_000_000_000].iter().for_each(|&nanos| samples.record(Nanos(nanos)));
        let (mut out, mut log) = (Vec::new(), IntervalLog::default());
        let comments = ["values are ns".to_owned()];
        let mut intervals = log.begin(&mut out, 1_700_000_000_250_000_000, &comments).unwrap();
        let (start, length) = (Nanos::from_secs(2), Nanos::from_secs(1));
        intervals.write("service", start, length, &samples).unwrap();
        let mut seen = 0;
        for entry in IntervalLogIterator::new(&out).map(Result::unwrap) {
            match entry {
                LogEntry::StartTime(at) | LogEntry::BaseTime(at) => {
                    assert_eq!(at, Duration::from_millis(1_700_000_000_250));
                }
                LogEntry::Interval(interval) => {
                    assert_eq!(interval.tag().unwrap().as_str(), "service");
                    assert_eq!(interval.start_timestamp(), Duration::from_secs(2));
                    assert_eq!(interval.duration(), Duration::from_secs(1));
                    let bytes = base64::Engine::decode(
                        &base64::engine::general_purpose::STANDARD,
                        interval.encoded_histogram(),
                    );
                    let read: Histogram<u64> =
                        Deserializer::new().deserialize(&mut &bytes.unwrap()[..]).unwrap();
                    assert_eq!(read, samples.buckets);
                    seen += 1;
                }
            }
        }
        assert_eq!(seen, 1, "{}", String::from_utf8(out).unwrap());
    }
}
