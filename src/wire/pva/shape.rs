//! A type laid out flat, as bit sets number it, and what a client wants of its values: the
//! value, the time stamp and the severity of an NTScalar, wherever they stand.

use super::bits::write_bits;
use super::write::{put, write_size};
use super::{Bits, Fault, Order, Reader, Scalar, Type, TypeCache};

/// A value that can be counted with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// A whole number.
    Whole(i64),
    /// A single or double.
    Real(f64),
}

/// What a message says of an NTScalar; what it leaves out is as it was.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sample {
    /// The value, where it is a number; of an array its first element.
    pub value: Option<Number>,
    /// Seconds since 1970.
    pub seconds: Option<i64>,
    /// Nanoseconds of the second.
    pub nanoseconds: Option<i32>,
    /// The sender's own mark.
    pub user_tag: Option<i32>,
    /// Severity of the alarm.
    pub severity: Option<i32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    /// A structure: so many nodes, itself included.
    Group(usize),
    Leaf(Type),
}

/// Which field of a sample a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Value,
    Seconds,
    Nanoseconds,
    UserTag,
    Severity,
}

/// Paths with their roles; of an enumeration the index is what counts.
const ROLES: [(&str, Role); 6] = [
    ("value", Role::Value),
    ("value.index", Role::Value),
    ("timeStamp.secondsPastEpoch", Role::Seconds),
    ("timeStamp.nanoseconds", Role::Nanoseconds),
    ("timeStamp.userTag", Role::UserTag),
    ("alarm.severity", Role::Severity),
];

/// A type laid out flat: node 0 is the whole, the rest follow depth first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    nodes: Vec<(Node, Option<Role>)>,
}

impl Shape {
    /// The shape of values of `kind`.
    pub fn new(kind: &Type) -> Self {
        let mut nodes = Vec::new();
        flatten(kind, "", &mut nodes);
        Self { nodes }
    }

    /// Nodes, the whole included; the bits of a set are below this.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// The type of the value, or of its elements, where these are numbers.
    pub fn value_type(&self) -> Option<Scalar> {
        self.nodes.iter().find_map(|node| match node {
            (Node::Leaf(Type::Scalar(scalar) | Type::Array(scalar)), Some(Role::Value)) => {
                Some(*scalar)
            }
            _ => None,
        })
    }

    /// Appends what a put writes: the bit of the value, and the value; of an array one element.
    /// Nothing where it is no number.
    pub fn write_put(&self, out: &mut Vec<u8>, order: Order, number: Number) {
        let is_value = |(_, role): &(Node, Option<Role>)| *role == Some(Role::Value);
        let Some(node) = self.nodes.iter().position(is_value) else { return };
        let Node::Leaf(Type::Scalar(scalar) | Type::Array(scalar)) = self.nodes[node].0 else {
            return;
        };
        write_bits(out, order, [node]);
        if let Node::Leaf(Type::Array(_)) = self.nodes[node].0 {
            write_size(out, order, 1);
        }
        write_number(out, order, scalar, number);
    }

    /// Reads the fields that `changed` names.
    ///
    /// # Errors
    /// The message ends before, or a value does not belong to its type.
    pub fn sample(
        &self,
        changed: &Bits<'_>,
        reader: &mut Reader<'_>,
        cache: &mut TypeCache,
    ) -> Result<Sample, Fault> {
        let mut sample = Sample::default();
        self.walk(changed, |kind, role| match (kind, role) {
            (Type::Scalar(scalar), Some(role)) => {
                let number = read_number(*scalar, reader)?;
                sample.set(role, number);
                Ok(())
            }
            (Type::Array(scalar), Some(role)) => {
                let count = reader.size()?;
                let bytes = count.checked_mul(scalar.bytes()).ok_or(Fault::Short)?;
                let mut elements = Reader::new(reader.take(bytes)?, reader.order());
                if count > 0 {
                    sample.set(role, read_number(*scalar, &mut elements)?);
                }
                Ok(())
            }
            (kind, _) => kind.skip(reader, cache),
        })?;
        Ok(sample)
    }

    /// Calls `leaf` for each field that `changed` holds: a bit on a structure is one for all
    /// that is below it.
    fn walk(
        &self,
        changed: &Bits<'_>,
        mut leaf: impl FnMut(&Type, Option<Role>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut covered = 0;
        for (index, (node, role)) in self.nodes.iter().enumerate() {
            let has = index < covered || changed.has(index);
            match node {
                Node::Group(span) if has => covered = covered.max(index + span),
                Node::Leaf(kind) if has => leaf(kind, *role)?,
                _ => {}
            }
        }
        Ok(())
    }
}

impl Sample {
    fn set(&mut self, role: Role, number: Number) {
        let whole = match number {
            Number::Whole(whole) => whole,
            Number::Real(real) => real as i64,
        };
        match role {
            Role::Value => self.value = Some(number),
            Role::Seconds => self.seconds = Some(whole),
            Role::Nanoseconds => self.nanoseconds = Some(whole as i32),
            Role::UserTag => self.user_tag = Some(whole as i32),
            Role::Severity => self.severity = Some(whole as i32),
        }
    }
}

fn flatten(kind: &Type, path: &str, nodes: &mut Vec<(Node, Option<Role>)>) {
    let Type::Structure(inner) = kind else {
        let role = ROLES.iter().find(|(name, _)| *name == path).map(|&(_, role)| role);
        return nodes.push((Node::Leaf(kind.clone()), role));
    };
    let group = nodes.len();
    nodes.push((Node::Group(0), None));
    for field in &inner.fields {
        let dot = if path.is_empty() { "" } else { "." };
        flatten(&field.kind, &format!("{path}{dot}{}", field.name), nodes);
    }
    nodes[group].0 = Node::Group(nodes.len() - group);
}

#[inline]
fn read_number(scalar: Scalar, reader: &mut Reader<'_>) -> Result<Number, Fault> {
    Ok(Number::Whole(match scalar {
        Scalar::Bool | Scalar::UByte => i64::from(reader.u8()?),
        Scalar::Byte => i64::from(reader.u8()? as i8),
        Scalar::Short => i64::from(reader.u16()? as i16),
        Scalar::UShort => i64::from(reader.u16()?),
        Scalar::Int => i64::from(reader.u32()? as i32),
        Scalar::UInt => i64::from(reader.u32()?),
        Scalar::Long | Scalar::ULong => reader.u64()? as i64,
        Scalar::Float => return Ok(Number::Real(f64::from(reader.f32()?))),
        Scalar::Double => return Ok(Number::Real(reader.f64()?)),
    }))
}

/// Appends a number as a value of this type; one beyond its bounds wraps round.
pub fn write_number(out: &mut Vec<u8>, order: Order, scalar: Scalar, number: Number) {
    let (whole, real) = match number {
        Number::Whole(whole) => (whole, whole as f64),
        Number::Real(real) => (real as i64, real),
    };
    match scalar {
        Scalar::Bool => out.push(u8::from(whole != 0)),
        Scalar::Byte | Scalar::UByte => out.push(whole as u8),
        Scalar::Short | Scalar::UShort => put(out, order, whole as u16),
        Scalar::Int | Scalar::UInt => put(out, order, whole as u32),
        Scalar::Long | Scalar::ULong => put(out, order, whole),
        Scalar::Float => put(out, order, real as f32),
        Scalar::Double => put(out, order, real),
    }
}

/// Most bytes of the bit set of a [`Layout`], its size included.
const BITS_MAX: usize = 16;

/// Where the parts of a sample stand in updates of one form: same bit set, all fields of fixed
/// size. Almost every update of a subscription has one of a few layouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    order: Order,
    bits: [u8; BITS_MAX],
    bits_bytes: usize,
    /// Bytes of bit set, fields and an empty overrun set.
    bytes: usize,
    value: (usize, Scalar),
    seconds: usize,
    nanoseconds: usize,
}

impl Layout {
    /// The layout of updates of `shape` with these bits in this order; `None` where they have
    /// fields of variable size, or lack the value or the time stamp.
    pub fn new(shape: &Shape, changed: &Bits<'_>, order: Order) -> Option<Self> {
        let set = changed.bytes();
        let bits_bytes = 1 + set.len();
        if bits_bytes > BITS_MAX {
            return None;
        }
        let mut bits = [0; BITS_MAX];
        bits[0] = set.len() as u8;
        bits[1..bits_bytes].copy_from_slice(set);
        let mut at = bits_bytes;
        let (mut value, mut seconds, mut nanoseconds) = (None, None, None);
        shape
            .walk(changed, |kind, role| {
                let &Type::Scalar(scalar) = kind else { return Err(Fault::Value) };
                match role {
                    Some(Role::Value) => value = Some((at, scalar)),
                    Some(Role::Seconds) if scalar.bytes() == 8 => seconds = Some(at),
                    Some(Role::Nanoseconds) if scalar.bytes() == 4 => nanoseconds = Some(at),
                    _ => {}
                }
                at += scalar.bytes();
                Ok(())
            })
            .ok()?;
        Some(Self {
            order,
            bits,
            bits_bytes,
            bytes: at + 1,
            value: value?,
            seconds: seconds?,
            nanoseconds: nanoseconds?,
        })
    }

    /// The type of the value.
    #[inline]
    pub fn value_type(&self) -> Scalar {
        self.value.1
    }

    /// The sample of an update that lies in `bytes` from its bit set on, if it has this layout
    /// and nothing was overrun.
    #[inline]
    pub fn sample(&self, bytes: &[u8], order: Order) -> Option<Sample> {
        let fits = bytes.len() == self.bytes
            && order == self.order
            && bytes[..self.bits_bytes] == self.bits[..self.bits_bytes]
            && bytes[self.bytes - 1] == 0;
        if !fits {
            return None;
        }
        let reader = |at: usize| Reader::new(&bytes[at..], order);
        let value = read_number(self.value.1, &mut reader(self.value.0)).ok()?;
        Some(Sample {
            value: Some(value),
            seconds: Some(reader(self.seconds).u64().ok()? as i64),
            nanoseconds: Some(reader(self.nanoseconds).u32().ok()? as i32),
            ..Sample::default()
        })
    }
}
