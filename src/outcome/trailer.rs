//! What a run leaves behind at the end of its log.

use super::{Ages, Series};
use crate::evidence::Evidence;
use crate::unit::{Field, Text, TextError, joined};

/// The trailer of a log: the evidence, and what the records alone cannot give back.
#[derive(Debug, Clone, Default)]
pub struct Trailer {
    /// What the run gathered about itself.
    pub evidence: Evidence,
    /// The series of each shard, in their order; empty where the log keeps every record.
    pub series: Vec<Series>,
    /// The times of updates of each shard; empty where nothing was subscribed to.
    pub ages: Vec<Ages>,
}

impl Field for Trailer {
    /// The evidence stands at the top, the series of shard N below `series.N`, its ages below
    /// `ages.N`.
    fn write(&self, key: &str, out: &mut String) {
        self.evidence.write(key, out);
        self.series.write(&joined(key, "series"), out);
        self.ages.write(&joined(key, "ages"), out);
    }

    fn read(text: &Text<'_>, key: &str) -> Result<Self, TextError> {
        let evidence = Evidence::read(text, key)?;
        let series = Vec::read(text, &joined(key, "series"))?;
        Ok(Self { evidence, series, ages: Vec::read(text, &joined(key, "ages"))? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::Nanos;

    #[test]
    fn a_trailer_reads_back_with_its_histograms() {
        let mut trailer = Trailer { series: vec![Series::new(); 2], ..Trailer::default() };
        trailer.evidence.measured = Nanos::from_secs(3);
        trailer.series[1].lag.record(Nanos(1234));
        let text = trailer.to_text();
        assert!(text.contains("series.1.lag=1234 1234 1234 1522756 0 1234:1\n"), "{text}");
        let read = Trailer::from_text(&text).unwrap();
        assert_eq!(read.evidence, trailer.evidence);
        assert_eq!(read.to_text(), text);
    }
}
