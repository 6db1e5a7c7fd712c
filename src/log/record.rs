//! A request as a record: eight words, of which the last publishes the others.

use super::header::{RECORD_BYTES, words_of};
use super::{hole, slip};
use crate::evidence::{Entry, Outcome, Phase, Request, Step};
use crate::sys::map::RECORD_WORDS;
use crate::unit::{Instant, Nanos};

/// A record as it stands in the log.
pub(super) type Record = [u64; RECORD_WORDS];

/// What a record holds. 0: none was published here.
pub(super) const KIND_REQUEST: u64 = 1;

pub(super) const KIND_HOLE: u64 = 2;

pub(super) const KIND_SLIP: u64 = 3;

/// A field of a record: `bits` of `word` from `shift` up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) word: usize,
    pub(super) shift: u32,
    pub(super) bits: u32,
}

impl Field {
    pub(super) const fn new(word: usize, shift: u32, bits: u32) -> Self {
        Self { word, shift, bits }
    }

    /// The largest value.
    #[inline]
    pub(super) const fn max(self) -> u64 {
        u64::MAX >> (64 - self.bits)
    }

    #[inline]
    pub(super) const fn get(self, record: &Record) -> u64 {
        (record[self.word] >> self.shift) & self.max()
    }
}

const INTENDED: Field = Field::new(0, 0, 64);
const WAIT: Field = Field::new(1, 0, 48);
const PORT: Field = Field::new(1, 48, 16);
const LAG: Field = Field::new(2, 0, 40);
const SLOT: Field = Field::new(2, 40, 24);
const CONNECT: Field = Field::new(3, 0, 40);
const REQUEST: Field = Field::new(3, 40, 24);
const FIRST_BYTE: Field = Field::new(4, 0, 40);
const SOURCE: Field = Field::new(4, 40, 16);
const SENT_HIGH: Field = Field::new(4, 56, 8);
const SERVICE: Field = Field::new(5, 0, 40);
const SENT_LOW: Field = Field::new(5, 40, 24);
const SESSION: Field = Field::new(6, 0, 40);
const ERRNO: Field = Field::new(6, 40, 12);
const STEP: Field = Field::new(6, 52, 4);
const OUTCOME: Field = Field::new(6, 56, 4);
pub(super) const PHASE: Field = Field::new(6, 60, 2);
const LAST: Field = Field::new(6, 62, 1);
const SATURATED: Field = Field::new(6, 63, 1);
const RECEIVED: Field = Field::new(7, 0, 40);
const STATUS: Field = Field::new(7, 40, 16);
pub(super) const KIND: Field = Field::new(7, 56, 8);

/// A record that is being filled.
struct Packer {
    record: Record,
    saturated: bool,
}

impl Packer {
    /// Sets a field that is still 0. What does not fit becomes the largest value that does.
    #[inline]
    fn put(&mut self, field: Field, value: u64) {
        self.saturated |= value > field.max();
        self.record[field.word] |= value.min(field.max()) << field.shift;
    }
}

/// The record of `request`. Stamps count from `epoch`; one before the stamp that it counts from
/// is written as equal to it.
#[inline]
pub(super) fn encode(request: &Request, epoch: Instant) -> Record {
    let intended = request.intended_at.max(epoch);
    let ready = request.ready_at.max(intended);
    let sent = request.sent_at.max(ready);
    let after_sent = |at: Option<Instant>| at.map_or(0, |at| at.since(sent).0.max(1));

    let mut packer = Packer { record: [0; RECORD_WORDS], saturated: false };
    packer.put(INTENDED, intended.since(epoch).0);
    packer.put(WAIT, ready.since(intended).0);
    packer.put(LAG, sent.since(ready).0);
    packer.put(CONNECT, after_sent(request.connected_at));
    packer.put(FIRST_BYTE, after_sent(request.first_byte_at));
    packer.put(SERVICE, request.done_at.since(sent).0);
    packer.put(SESSION, request.session);
    packer.put(REQUEST, u64::from(request.request));
    packer.put(SLOT, u64::from(request.slot));
    packer.put(SOURCE, u64::from(request.source));
    packer.put(PORT, u64::from(request.port));
    packer.put(OUTCOME, request.outcome as u64);
    packer.put(STEP, request.step as u64);
    packer.put(ERRNO, u64::from(request.errno));
    packer.put(STATUS, u64::from(request.status));
    packer.put(PHASE, request.phase as u64);
    packer.put(LAST, u64::from(request.last));
    packer.put(RECEIVED, request.bytes_received);
    let sent_bits = SENT_LOW.bits + SENT_HIGH.bits;
    let bytes_sent = request.bytes_sent.min(u64::MAX >> (64 - sent_bits));
    packer.saturated |= bytes_sent < request.bytes_sent;
    packer.put(SENT_LOW, bytes_sent & SENT_LOW.max());
    packer.put(SENT_HIGH, bytes_sent >> SENT_LOW.bits);
    packer.put(KIND, KIND_REQUEST);
    let saturated = packer.saturated;
    packer.put(SATURATED, u64::from(saturated));
    packer.record
}

/// The request of a record; `None` where it holds another kind, or words that we do not know.
#[inline]
pub(super) fn decode(record: &Record, epoch: Instant) -> Option<Request> {
    if KIND.get(record) != KIND_REQUEST {
        return None;
    }
    let (outcome, step, phase) = (OUTCOME.get(record), STEP.get(record), PHASE.get(record));
    let outcome = *Outcome::ALL.get(outcome as usize)?;
    let step = *Step::ALL.get(step as usize)?;
    let phase = *Phase::ALL.get(phase as usize)?;
    let intended_at = epoch + Nanos(INTENDED.get(record));
    let ready_at = intended_at + Nanos(WAIT.get(record));
    let sent_at = ready_at + Nanos(LAG.get(record));
    let after_sent = |field: Field| match field.get(record) {
        0 => None,
        after => Some(sent_at + Nanos(after)),
    };
    Some(Request {
        intended_at,
        ready_at,
        sent_at,
        connected_at: after_sent(CONNECT),
        first_byte_at: after_sent(FIRST_BYTE),
        done_at: sent_at + Nanos(SERVICE.get(record)),
        session: SESSION.get(record),
        request: REQUEST.get(record) as u32,
        slot: SLOT.get(record) as u32,
        source: SOURCE.get(record) as u16,
        port: PORT.get(record) as u16,
        outcome,
        step,
        errno: ERRNO.get(record) as u16,
        status: STATUS.get(record) as u16,
        phase,
        last: LAST.get(record) == 1,
        bytes_sent: SENT_LOW.get(record) | SENT_HIGH.get(record) << SENT_LOW.bits,
        bytes_received: RECEIVED.get(record),
    })
}

/// What a record holds; `None` where it is of another kind, or has words that we do not know.
#[inline]
pub(super) fn entry(record: &Record, epoch: Instant) -> Option<Entry> {
    match decode(record, epoch) {
        Some(request) => Some(Entry::Request(request)),
        None => (hole::decode(record, epoch).map(Entry::Hole))
            .or_else(|| slip::decode(record, epoch).map(Entry::Slip)),
    }
}

/// Whether the record that these bytes are to hold is there.
#[inline]
pub(super) fn is_published(slot: &[u8; RECORD_BYTES]) -> bool {
    KIND.get(&words_of(slot)) != 0
}

/// Whether a field of the request was too small for its value.
#[inline]
pub(super) fn is_saturated(record: &Record) -> bool {
    SATURATED.get(record) == 1
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Any request whose values fit their fields.
    fn request() -> impl Strategy<Value = Request> {
        let length = || prop_oneof![0..10_000u64, 0..1u64 << 40];
        let stamps = (any::<u32>(), 0..1u64 << 48, length(), length(), length(), length());
        let numbers = (0..1u64 << 40, 0..1u32 << 24, 0..1u32 << 24, any::<u16>(), any::<u16>());
        let fate = (0..Outcome::ALL.len(), 0..Step::ALL.len(), 0..4usize, 0..1u16 << 12);
        let rest = (any::<u16>(), any::<bool>(), any::<u32>(), 0..1u64 << 40);
        (stamps, numbers, fate, rest).prop_map(|(stamps, numbers, fate, rest)| {
            let (intended, wait, lag, connect, first_byte, service) = stamps;
            let intended_at = EPOCH + Nanos(u64::from(intended));
            let ready_at = intended_at + Nanos(wait);
            let sent_at = ready_at + Nanos(lag);
            let (session, request, slot, source, port) = numbers;
            Request {
                intended_at,
                ready_at,
                sent_at,
                connected_at: (connect > 0).then_some(sent_at + Nanos(connect)),
                first_byte_at: (first_byte > 0).then_some(sent_at + Nanos(first_byte)),
                done_at: sent_at + Nanos(service),
                session,
                request,
                slot,
                source,
                port,
                outcome: Outcome::ALL[fate.0],
                step: Step::ALL[fate.1],
                phase: Phase::ALL[fate.2],
                errno: fate.3,
                status: rest.0,
                last: rest.1,
                bytes_sent: u64::from(rest.2),
                bytes_received: rest.3,
            }
        })
    }

    const EPOCH: Instant = Instant(1_000_000_000_007);

    proptest! {
        #[test]
        fn a_request_that_fits_reads_back(request in request()) {
            let record = encode(&request, EPOCH);
            prop_assert!(!is_saturated(&record));
            prop_assert_eq!(decode(&record, EPOCH), Some(request));
        }

        #[test]
        fn any_words_read_or_are_unknown(record in any::<[u64; 8]>(), epoch in any::<u64>()) {
            let _ = decode(&record, Instant(epoch));
        }

        #[test]
        fn what_does_not_fit_is_the_largest_and_says_so(
            request in request(),
            excess in 0..1u64 << 20,
            which in 0..8,
        ) {
            let mut request = request;
            let mut expect = request;
            let sent_at = request.sent_at;
            match which {
                0 => {
                    request.session = (1 << 40) + excess;
                    expect.session = (1 << 40) - 1;
                }
                1 => {
                    request.request = (1 << 24) + excess as u32;
                    expect.request = (1 << 24) - 1;
                }
                2 => {
                    request.slot = (1 << 24) + excess as u32;
                    expect.slot = (1 << 24) - 1;
                }
                3 => {
                    request.errno = (1 << 12) + (excess % 4096) as u16;
                    expect.errno = (1 << 12) - 1;
                }
                4 => {
                    request.bytes_sent = (1 << 32) + excess;
                    expect.bytes_sent = (1 << 32) - 1;
                }
                5 => {
                    request.bytes_received = (1 << 40) + excess;
                    expect.bytes_received = (1 << 40) - 1;
                }
                6 => {
                    request.done_at = sent_at + Nanos((1 << 40) + excess);
                    expect.done_at = sent_at + Nanos((1 << 40) - 1);
                }
                _ => {
                    request.first_byte_at = Some(sent_at + Nanos((1 << 40) + excess));
                    expect.first_byte_at = Some(sent_at + Nanos((1 << 40) - 1));
                }
            }
            let record = encode(&request, EPOCH);
            prop_assert!(is_saturated(&record));
            prop_assert_eq!(decode(&record, EPOCH), Some(expect));
        }
    }

    /// A request at the epoch, all its numbers 0.
    fn nothing() -> Request {
        decode(&[0, 0, 0, 0, 0, 0, 0, KIND_REQUEST << KIND.shift], EPOCH).unwrap()
    }

    #[test]
    fn a_byte_at_the_very_moment_is_a_nanosecond_late() {
        let request = Request { first_byte_at: Some(EPOCH), ..nothing() };
        let read = decode(&encode(&request, EPOCH), EPOCH).unwrap();
        assert_eq!(read.first_byte_at, Some(EPOCH + Nanos(1)));
    }

    #[test]
    fn stamps_out_of_order_are_written_as_equal() {
        let zero = Instant::ZERO;
        let done_at = EPOCH + Nanos(9);
        let never_sent = Request { ready_at: zero, sent_at: zero, done_at, ..nothing() };
        let read = decode(&encode(&never_sent, EPOCH), EPOCH).unwrap();
        assert_eq!(read, Request { done_at, ..nothing() });
    }

    #[test]
    fn no_length_below_ten_minutes_saturates() {
        let ten_minutes = Nanos::from_secs(600);
        for field in [WAIT, LAG, CONNECT, FIRST_BYTE, SERVICE] {
            assert!(field.max() > ten_minutes.0, "{field:?}");
        }
    }

    /// Every field, as the drawing of the format names it.
    const FIELDS: [(&str, Field, &str); 22] = [
        ("intended", INTENDED, "ns from the epoch"),
        ("wait", WAIT, "ready - intended, ns"),
        ("port", PORT, "source port, 0: none"),
        ("lag", LAG, "sent - ready, ns"),
        ("slot", SLOT, "connection slot of the shard"),
        ("connect", CONNECT, "connected - sent, ns, at least 1; 0: no stamp"),
        ("request", REQUEST, "number within its session, from 0"),
        ("first byte", FIRST_BYTE, "first byte - sent, ns, at least 1; 0: no stamp"),
        ("source", SOURCE, "index into the plan's sources"),
        ("bytes sent, high", SENT_HIGH, "bits 24 to 31 of the bytes sent"),
        ("service", SERVICE, "done - sent, ns"),
        ("bytes sent, low", SENT_LOW, "bits 0 to 23 of the bytes sent"),
        ("session", SESSION, "number within its shard, from 0"),
        ("errno", ERRNO, "error number; for step parse the protocol's fault"),
        ("step", STEP, "the step that failed, see below"),
        ("outcome", OUTCOME, "see below"),
        ("phase", PHASE, "see below"),
        ("last", LAST, "1: last request of its session"),
        ("saturated", SATURATED, "1: a field held too little and has its largest value"),
        ("bytes received", RECEIVED, "of the answer, head included"),
        ("status", STATUS, "HTTP status, 0: none"),
        ("kind", KIND, "1: a request, 2: a hole, 3: a slip; 0: no record yet; others: pass over"),
    ];

    /// The table of a record's fields, for the drawing of the format.
    pub(in crate::log) fn table() -> String {
        table_of(&FIELDS)
    }

    pub(in crate::log) fn table_of(fields: &[(&str, Field, &str)]) -> String {
        let rows = fields.iter().map(|(name, field, meaning)| {
            let (low, high) = (field.shift, field.shift + field.bits - 1);
            let bits = if low == high { low.to_string() } else { format!("{low}-{high}") };
            format!("| {} | {bits} | {name} | {meaning} |\n", field.word)
        });
        let rows: String = rows.collect();
        format!("| word | bits | field | meaning |\n|---|---|---|---|\n{rows}")
    }

    #[test]
    fn fields_share_no_bit_and_leave_none() {
        let mut used = [0u64; 8];
        for (name, field, _) in FIELDS {
            let bits = field.max() << field.shift;
            assert_eq!(used[field.word] & bits, 0, "{name}");
            used[field.word] |= bits;
        }
        assert_eq!(used, [u64::MAX; 8]);
    }
}
