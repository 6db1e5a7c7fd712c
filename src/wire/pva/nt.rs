//! What a publisher sends: an NTScalar, or an NTScalarArray, with alarm and time stamp.

use super::field::Structure;
use super::write::put;
use super::{
    Field, HEADER_BYTES, Number, Order, Scalar, Sender, Type, command, message, write_number,
    write_size,
};

/// Fields of a normative type, as the bits of a set number them.
///
/// ```text
///   1 value
///   2 alarm      3 severity            4 status       5 message
///   6 timeStamp  7 secondsPastEpoch    8 nanoseconds  9 userTag
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields(u16);

impl Fields {
    /// No field.
    pub const NONE: Self = Self(0);
    /// The value.
    pub const VALUE: Self = Self(1 << 1);
    /// Severity, status and message.
    pub const ALARM: Self = Self(0b111 << 3);
    /// Seconds, nanoseconds and user tag.
    pub const TIME: Self = Self(0b111 << 7);
    /// All of them.
    pub const ALL: Self = Self(Self::VALUE.0 | Self::ALARM.0 | Self::TIME.0);
    /// What changes when a value is posted.
    pub const POSTED: Self = Self(Self::VALUE.0 | Self::TIME.0);

    /// The fields of this name; none where it is no name of the type.
    pub fn named(name: &str) -> Self {
        match name {
            "value" => Self::VALUE,
            "alarm" => Self::ALARM,
            "timeStamp" => Self::TIME,
            _ => Self::NONE,
        }
    }

    /// Those of either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether all of `other` are among them.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Appends them as a bit set.
    pub fn write(self, out: &mut Vec<u8>) {
        let [low, high] = self.0.to_le_bytes();
        match (low, high) {
            (0, 0) => out.push(0),
            (low, 0) => out.extend_from_slice(&[1, low]),
            both => out.extend_from_slice(&[2, both.0, both.1]),
        }
    }
}

/// A stamp, as a server tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// ns since 1970.
    pub unix_ns: u64,
    /// The server's own mark.
    pub user_tag: i32,
}

/// An NTScalar, or an NTScalarArray.
#[derive(Debug, Clone)]
pub struct NtScalar {
    kind: Type,
    scalar: Scalar,
    is_array: bool,
}

impl NtScalar {
    /// A value of this type, or any number of them.
    pub fn new(scalar: Scalar, is_array: bool) -> Self {
        let (id, value) = match is_array {
            false => ("epics:nt/NTScalar:1.0", Type::Scalar(scalar)),
            true => ("epics:nt/NTScalarArray:1.0", Type::Array(scalar)),
        };
        let int = || Type::Scalar(Scalar::Int);
        let alarm = [("severity", int()), ("status", int()), ("message", Type::Text)];
        let seconds = ("secondsPastEpoch", Type::Scalar(Scalar::Long));
        let time = [seconds, ("nanoseconds", int()), ("userTag", int())];
        let parts = [
            ("value", value),
            ("alarm", structure("alarm_t", alarm)),
            ("timeStamp", structure("time_t", time)),
        ];
        Self { kind: structure(id, parts), scalar, is_array }
    }

    /// Its type.
    pub fn kind(&self) -> &Type {
        &self.kind
    }

    /// Appends the bit set of `fields` and what they hold: these values, no alarm, this stamp.
    pub fn write(
        &self,
        out: &mut Vec<u8>,
        order: Order,
        fields: Fields,
        (values, stamp): (impl ExactSizeIterator<Item = Number>, Stamp),
    ) {
        fields.write(out);
        if fields.has(Fields::VALUE) {
            if self.is_array {
                write_size(out, order, values.len());
            }
            values.for_each(|value| write_number(out, order, self.scalar, value));
        }
        if fields.has(Fields::ALARM) {
            put(out, order, 0i32);
            put(out, order, 0i32);
            write_size(out, order, 0);
        }
        if fields.has(Fields::TIME) {
            put(out, order, stamp.unix_ns / SECOND_NS);
            put(out, order, (stamp.unix_ns % SECOND_NS) as u32);
            put(out, order, stamp.user_tag);
        }
    }
}

const SECOND_NS: u64 = 1_000_000_000;

fn structure<const N: usize>(id: &str, fields: [(&str, Type); N]) -> Type {
    let field = |(name, kind): (&str, Type)| Field { name: name.into(), kind };
    Type::Structure(Structure::counted(id, fields.map(field).into()).into())
}

/// The most common update: a double and its stamp changed, nothing was overrun.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DoubleUpdate {
    /// The request.
    pub ioid: u32,
    /// The value.
    pub value: f64,
    /// When it was made.
    pub stamp: Stamp,
}

impl DoubleUpdate {
    /// Bytes of the message.
    pub const BYTES: usize = 41;

    /// The message.
    #[inline]
    pub fn to_bytes(self, order: Order) -> [u8; Self::BYTES] {
        let Stamp { unix_ns, user_tag } = self.stamp;
        let seconds = unix_ns / SECOND_NS;
        let nanoseconds = (unix_ns % SECOND_NS) as u32;
        let mut bytes = match order {
            Order::Little => LITTLE,
            Order::Big => BIG,
        };
        let mut fill = |at: usize, (little, big): (&[u8], &[u8])| {
            let chosen = if order == Order::Little { little } else { big };
            bytes[at..at + chosen.len()].copy_from_slice(chosen);
        };
        fill(8, (&self.ioid.to_le_bytes(), &self.ioid.to_be_bytes()));
        fill(16, (&self.value.to_le_bytes(), &self.value.to_be_bytes()));
        fill(24, (&seconds.to_le_bytes(), &seconds.to_be_bytes()));
        fill(32, (&nanoseconds.to_le_bytes(), &nanoseconds.to_be_bytes()));
        fill(36, (&user_tag.to_le_bytes(), &user_tag.to_be_bytes()));
        bytes
    }
}

const LITTLE: [u8; DoubleUpdate::BYTES] = template(Order::Little);
const BIG: [u8; DoubleUpdate::BYTES] = template(Order::Big);

/// All of the message that is always the same.
const fn template(order: Order) -> [u8; DoubleUpdate::BYTES] {
    let mut bytes = [0; DoubleUpdate::BYTES];
    bytes[0] = super::frame::MAGIC;
    bytes[1] = super::frame::VERSION;
    bytes[2] = order.flag() | Sender::Server.flag();
    bytes[3] = command::MONITOR;
    let size = (DoubleUpdate::BYTES - HEADER_BYTES) as u8;
    bytes[if order.flag() == 0 { 4 } else { 7 }] = size;
    let [low, high] = Fields::POSTED.0.to_le_bytes();
    (bytes[13], bytes[14], bytes[15]) = (2, low, high);
    bytes
}

/// Appends an update of a monitor: `body` appends the fields, `overrun` are those that changed
/// more than once.
pub fn write_update(
    out: &mut Vec<u8>,
    order: Order,
    (ioid, overrun): (u32, Fields),
    body: impl FnOnce(&mut Vec<u8>),
) {
    message(out, order, Sender::Server, command::MONITOR, |out| {
        put(out, order, ioid);
        out.push(0);
        body(out);
        overrun.write(out);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_of_a_double_is_what_the_long_way_writes() {
        let nt = NtScalar::new(Scalar::Double, false);
        let stamp = Stamp { unix_ns: 1_700_000_000_000_000_007, user_tag: 0x0102_0304 };
        for order in [Order::Little, Order::Big] {
            let update = DoubleUpdate { ioid: 0x1000_2001, value: 41.5, stamp };
            let mut expect = Vec::new();
            write_update(&mut expect, order, (update.ioid, Fields::NONE), |out| {
                let values = [Number::Real(update.value)].into_iter();
                nt.write(out, order, Fields::POSTED, (values, stamp));
            });
            assert_eq!(update.to_bytes(order)[..], expect, "{order:?}");
        }
    }

    #[test]
    fn the_type_is_what_a_publisher_of_p4p_tells() {
        let mut told = Vec::new();
        NtScalar::new(Scalar::Double, false).kind().write(&mut told, Order::Little);
        let mut expect = b"\x80\x15epics:nt/NTScalar:1.0\x03\x05value\x43\x05alarm".to_vec();
        expect.extend(b"\x80\x07alarm_t\x03\x08severity\x22\x06status\x22\x07message\x60");
        expect.extend(b"\x09timeStamp\x80\x06time_t\x03\x10secondsPastEpoch\x23");
        expect.extend(b"\x0bnanoseconds\x22\x07userTag\x22");
        assert_eq!(told, expect);
        assert!(!told.contains(&0xfe), "its sizes are the same in both orders");
    }

    #[test]
    fn fields_are_written_without_the_bytes_that_are_not_there() {
        #[track_caller]
        fn check(fields: Fields, expect: &[u8]) {
            let mut out = Vec::new();
            fields.write(&mut out);
            assert_eq!(out, expect, "{fields:?}");
        }
        check(Fields::NONE, &[0]);
        check(Fields::VALUE, &[1, 0x02]);
        check(Fields::POSTED, &[2, 0x82, 0x03]);
        check(Fields::ALL, &[2, 0xba, 0x03]);
        check(Fields::TIME.or(Fields::named("alarm")), &[2, 0xb8, 0x03]);
        check(Fields::named("display"), &[0]);
    }
}
