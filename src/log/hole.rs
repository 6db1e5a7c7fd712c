//! A hole as a record.

use super::record::{Field, KIND, KIND_HOLE, PHASE, Record};
use crate::evidence::{Hole, Phase};
use crate::sys::map::RECORD_WORDS;
use crate::unit::{Instant, Nanos};

const FROM: Field = Field::new(0, 0, 64);
const LENGTH: Field = Field::new(1, 0, 64);
const LOST: Field = Field::new(2, 0, 64);

/// The record of `hole`. Stamps count from `epoch`; what lies before it is cut off.
pub(super) fn encode(hole: &Hole, epoch: Instant) -> Record {
    let from = hole.from.max(epoch);
    let mut record = [0; RECORD_WORDS];
    record[FROM.word] = from.since(epoch).0;
    record[LENGTH.word] = hole.to.since(from).0;
    record[LOST.word] = hole.lost.0;
    record[PHASE.word] |= (hole.phase as u64) << PHASE.shift;
    record[KIND.word] |= KIND_HOLE << KIND.shift;
    record
}

/// The hole of a record; `None` where it holds another kind.
pub(super) fn decode(record: &Record, epoch: Instant) -> Option<Hole> {
    if KIND.get(record) != KIND_HOLE {
        return None;
    }
    let from = epoch + Nanos(FROM.get(record));
    Some(Hole {
        from,
        to: from + Nanos(LENGTH.get(record)),
        lost: Nanos(LOST.get(record)),
        phase: *Phase::ALL.get(PHASE.get(record) as usize)?,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::super::record::{self, tests::table_of};
    use super::*;

    const EPOCH: Instant = Instant(1_000_000_000_007);

    proptest! {
        #[test]
        fn a_hole_reads_back_and_is_no_request(
            from in 0..1u64 << 60,
            length in 0..1u64 << 60,
            lost in any::<u64>(),
            phase in 0..Phase::ALL.len(),
        ) {
            let from = EPOCH + Nanos(from);
            let phase = Phase::ALL[phase];
            let hole = Hole { from, to: from + Nanos(length), lost: Nanos(lost), phase };
            let record = encode(&hole, EPOCH);
            prop_assert_eq!(decode(&record, EPOCH), Some(hole));
            prop_assert_eq!(record::decode(&record, EPOCH), None);
        }

        #[test]
        fn any_words_read_as_a_hole_or_as_none(record in any::<[u64; 8]>(), epoch in any::<u64>()) {
            let _ = decode(&record, Instant(epoch));
        }
    }

    /// The table of a hole's fields, for the drawing of the format.
    pub(in crate::log) fn table() -> String {
        table_of(&[
            ("from", FROM, "begin of the pass, ns from the epoch"),
            ("length", LENGTH, "of the pass, ns"),
            ("lost", LOST, "the part that neither its wait nor its work explains, ns"),
            ("phase", PHASE, "as of a request"),
            ("kind", KIND, "2"),
        ])
    }
}
