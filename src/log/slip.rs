//! A slip as a record.

use super::record::{Field, KIND, KIND_SLIP, PHASE, Record};
use crate::evidence::{Phase, Slip};
use crate::sys::map::RECORD_WORDS;
use crate::unit::{Instant, Nanos};

const AT: Field = Field::new(0, 0, 64);
const EXPECTED: Field = Field::new(1, 0, 64);
const GOT: Field = Field::new(2, 0, 64);
const SUBSCRIPTION: Field = Field::new(3, 0, 32);
const IS_WORD: Field = Field::new(3, 32, 1);

/// The record of `slip`. Stamps count from `epoch`; what lies before it is cut off.
pub(super) fn encode(slip: &Slip, epoch: Instant) -> Record {
    let mut record = [0; RECORD_WORDS];
    record[AT.word] = slip.at.max(epoch).since(epoch).0;
    record[EXPECTED.word] = slip.expected.cast_unsigned();
    record[GOT.word] = slip.got.cast_unsigned();
    record[SUBSCRIPTION.word] |= u64::from(slip.subscription) << SUBSCRIPTION.shift;
    record[IS_WORD.word] |= u64::from(slip.is_word) << IS_WORD.shift;
    record[PHASE.word] |= (slip.phase as u64) << PHASE.shift;
    record[KIND.word] |= KIND_SLIP << KIND.shift;
    record
}

/// The slip of a record; `None` where it holds another kind.
pub(super) fn decode(record: &Record, epoch: Instant) -> Option<Slip> {
    if KIND.get(record) != KIND_SLIP {
        return None;
    }
    Some(Slip {
        at: epoch + Nanos(AT.get(record)),
        subscription: SUBSCRIPTION.get(record) as u32,
        expected: EXPECTED.get(record).cast_signed(),
        got: GOT.get(record).cast_signed(),
        is_word: IS_WORD.get(record) == 1,
        phase: *Phase::ALL.get(PHASE.get(record) as usize)?,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::super::hole;
    use super::super::record::{self, tests::table_of};
    use super::*;

    const EPOCH: Instant = Instant(1_000_000_000_007);

    proptest! {
        #[test]
        fn a_slip_reads_back_and_is_nothing_else(
            at in 0..1u64 << 60,
            subscription in any::<u32>(),
            values in any::<(i64, i64)>(),
            is_word in any::<bool>(),
            phase in 0..Phase::ALL.len(),
        ) {
            let ((expected, got), phase) = (values, Phase::ALL[phase]);
            let slip = Slip { at: EPOCH + Nanos(at), subscription, expected, got, is_word, phase };
            let record = encode(&slip, EPOCH);
            prop_assert_eq!(decode(&record, EPOCH), Some(slip));
            prop_assert_eq!(record::decode(&record, EPOCH), None);
            prop_assert_eq!(hole::decode(&record, EPOCH), None);
        }

        #[test]
        fn any_words_read_as_a_slip_or_as_none(record in any::<[u64; 8]>(), epoch in any::<u64>()) {
            let _ = decode(&record, Instant(epoch));
        }
    }

    /// The table of a slip's fields, for the drawing of the format.
    pub(in crate::log) fn table() -> String {
        table_of(&[
            ("at", AT, "when it was taken from the kernel, ns from the epoch"),
            ("expected", EXPECTED, "the value after the one before it, in two's complement"),
            ("got", GOT, "the value that came, as well"),
            ("subscription", SUBSCRIPTION, "number within its shard, from 0"),
            ("word", IS_WORD, "1: values have 32 bits and wrap round there"),
            ("phase", PHASE, "as of a request"),
            ("kind", KIND, "3"),
        ])
    }
}
