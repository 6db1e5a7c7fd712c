//! Types as they are described on the wire, and the cache of those already told.

use std::collections::HashMap;
use std::sync::Arc;

use super::{DEPTH_MAX, Fault, NODES_MAX, Order, Reader, write_size, write_text};

/// A number or a truth value of fixed size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
#[repr(u8)]
pub enum Scalar {
    Bool = 0x00,
    Byte = 0x20,
    Short = 0x21,
    Int = 0x22,
    Long = 0x23,
    UByte = 0x24,
    UShort = 0x25,
    UInt = 0x26,
    ULong = 0x27,
    Float = 0x42,
    Double = 0x43,
}

impl Scalar {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Bool,
        Self::Byte,
        Self::Short,
        Self::Int,
        Self::Long,
        Self::UByte,
        Self::UShort,
        Self::UInt,
        Self::ULong,
        Self::Float,
        Self::Double,
    ];

    fn of(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|&scalar| scalar as u8 == code)
    }

    /// Bytes of a value.
    #[inline]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Bool | Self::Byte | Self::UByte => 1,
            Self::Short | Self::UShort => 2,
            Self::Int | Self::UInt | Self::Float => 4,
            Self::Long | Self::ULong | Self::Double => 8,
        }
    }
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// A value of fixed size.
    Scalar(Scalar),
    /// A string.
    Text,
    /// A string of at most so many bytes.
    BoundedText(u32),
    /// Any number of values.
    Array(Scalar),
    /// Any number of strings.
    TextArray,
    /// Fields, all there.
    Structure(Arc<Structure>),
    /// Fields, one there or none.
    Union(Arc<Structure>),
    /// A type and a value of it.
    Any,
    /// Structures, or gaps.
    StructureArray(Arc<Structure>),
    /// Unions, or gaps.
    UnionArray(Arc<Structure>),
    /// Variants, or gaps.
    AnyArray,
}

/// The fields of a structure or union.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Structure {
    /// The name of the type, like `epics:nt/NTScalar:1.0`; often empty.
    pub id: String,
    /// The fields, in order.
    pub fields: Vec<Field>,
    nodes: usize,
    depth: usize,
}

/// A named part of a structure or union.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The name.
    pub name: String,
    /// What it holds.
    pub kind: Type,
}

const NOTHING: u8 = 0xff;
const TELL: u8 = 0xfd;
const KNOWN: u8 = 0xfe;
const ARRAY: u8 = 0x08;
const TEXT: u8 = 0x60;
const STRUCTURE: u8 = 0x80;
const UNION: u8 = 0x81;
const ANY: u8 = 0x82;
const BOUNDED_TEXT: u8 = 0x83;

impl Structure {
    /// A structure of these fields.
    ///
    /// # Errors
    /// It has more than [`NODES_MAX`] nodes, or is deeper than [`DEPTH_MAX`].
    pub fn new(id: &str, fields: Vec<Field>) -> Result<Self, Fault> {
        let whole = Self::counted(id, fields);
        if whole.nodes > NODES_MAX || whole.depth > DEPTH_MAX {
            return Err(Fault::Type);
        }
        Ok(whole)
    }

    /// A structure of these fields, which are known to be few.
    pub(super) fn counted(id: &str, fields: Vec<Field>) -> Self {
        let nodes = 1 + fields.iter().map(|field| field.kind.nodes()).sum::<usize>();
        let depth = 1 + fields.iter().map(|field| field.kind.depth()).max().unwrap_or(0);
        Self { id: id.into(), fields, nodes, depth }
    }
}

impl Type {
    /// A structure of these fields.
    ///
    /// # Errors
    /// As [`Structure::new`].
    pub fn structure(id: &str, fields: Vec<(&str, Self)>) -> Result<Self, Fault> {
        let field = |(name, kind): (&str, Self)| Field { name: name.into(), kind };
        let fields = fields.into_iter().map(field).collect();
        Ok(Self::Structure(Arc::new(Structure::new(id, fields)?)))
    }

    fn inner(&self) -> Option<&Structure> {
        match self {
            Self::Structure(inner)
            | Self::Union(inner)
            | Self::StructureArray(inner)
            | Self::UnionArray(inner) => Some(inner),
            _ => None,
        }
    }

    /// Structures and fields in it, itself included.
    fn nodes(&self) -> usize {
        self.inner().map_or(1, |inner| inner.nodes)
    }

    fn depth(&self) -> usize {
        self.inner().map_or(1, |inner| inner.depth)
    }

    /// Reads a type; `None` is none. What is told on the way goes into `cache`.
    ///
    /// # Errors
    /// The message ends before, or the type breaks a limit.
    pub fn read(reader: &mut Reader<'_>, cache: &mut TypeCache) -> Result<Option<Self>, Fault> {
        read(reader, cache, 0)
    }

    /// Appends its description, as if nothing had been told yet.
    pub fn write(&self, out: &mut Vec<u8>, order: Order) {
        let structure = |out: &mut Vec<u8>, code: &[u8], inner: &Structure| {
            out.extend_from_slice(code);
            write_text(out, order, &inner.id);
            write_size(out, order, inner.fields.len());
            for field in &inner.fields {
                write_text(out, order, &field.name);
                field.kind.write(out, order);
            }
        };
        match self {
            Self::Scalar(scalar) => out.push(*scalar as u8),
            Self::Text => out.push(TEXT),
            Self::BoundedText(most) => {
                out.push(BOUNDED_TEXT);
                write_size(out, order, *most as usize);
            }
            Self::Array(scalar) => out.push(*scalar as u8 | ARRAY),
            Self::TextArray => out.push(TEXT | ARRAY),
            Self::Structure(inner) => structure(out, &[STRUCTURE], inner),
            Self::Union(inner) => structure(out, &[UNION], inner),
            Self::Any => out.push(ANY),
            Self::StructureArray(inner) => structure(out, &[STRUCTURE | ARRAY, STRUCTURE], inner),
            Self::UnionArray(inner) => structure(out, &[UNION | ARRAY, UNION], inner),
            Self::AnyArray => out.push(ANY | ARRAY),
        }
    }

    /// Reads past a value of this type.
    ///
    /// # Errors
    /// The message ends before, or the value breaks a limit.
    pub fn skip(&self, reader: &mut Reader<'_>, cache: &mut TypeCache) -> Result<(), Fault> {
        self.skip_within(reader, cache, 0)
    }

    fn skip_within(
        &self,
        reader: &mut Reader<'_>,
        cache: &mut TypeCache,
        depth: usize,
    ) -> Result<(), Fault> {
        if depth > 2 * DEPTH_MAX {
            return Err(Fault::Value);
        }
        match self {
            Self::Scalar(scalar) => reader.take(scalar.bytes()).map(drop),
            Self::Text | Self::BoundedText(_) => reader.text_bytes().map(drop),
            Self::Array(scalar) => {
                let count = reader.size()?;
                reader.take(count.checked_mul(scalar.bytes()).ok_or(Fault::Short)?).map(drop)
            }
            Self::TextArray => each(reader, |reader| reader.text_bytes().map(drop)),
            Self::Structure(inner) => inner
                .fields
                .iter()
                .try_for_each(|field| field.kind.skip_within(reader, cache, depth + 1)),
            Self::Union(inner) => skip_union(inner, reader, cache, depth),
            Self::Any => match Self::read(reader, cache)? {
                None => Ok(()),
                Some(kind) => kind.skip_within(reader, cache, depth + 1),
            },
            Self::StructureArray(inner) => each_there(reader, |reader| {
                inner
                    .fields
                    .iter()
                    .try_for_each(|field| field.kind.skip_within(reader, cache, depth + 1))
            }),
            Self::UnionArray(inner) => {
                each_there(reader, |reader| skip_union(inner, reader, cache, depth))
            }
            Self::AnyArray => {
                each_there(reader, |reader| Self::Any.skip_within(reader, cache, depth + 1))
            }
        }
    }
}

fn skip_union(
    inner: &Structure,
    reader: &mut Reader<'_>,
    cache: &mut TypeCache,
    depth: usize,
) -> Result<(), Fault> {
    if reader.rest().first() == Some(&NOTHING) {
        return reader.u8().map(drop);
    }
    let member = inner.fields.get(reader.size()?).ok_or(Fault::Value)?;
    member.kind.skip_within(reader, cache, depth + 1)
}

/// Handles as many elements as are announced; each is a byte at least, or the count is a lie.
fn each<'a>(
    reader: &mut Reader<'a>,
    mut element: impl FnMut(&mut Reader<'a>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let count = reader.size()?;
    if count > reader.rest().len() {
        return Err(Fault::Short);
    }
    (0..count).try_for_each(|_| element(reader))
}

fn each_there<'a>(
    reader: &mut Reader<'a>,
    mut element: impl FnMut(&mut Reader<'a>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    each(reader, |reader| match reader.u8()? {
        0 => Ok(()),
        _ => element(reader),
    })
}

fn read(
    reader: &mut Reader<'_>,
    cache: &mut TypeCache,
    depth: usize,
) -> Result<Option<Type>, Fault> {
    if depth > 2 * DEPTH_MAX {
        return Err(Fault::Type);
    }
    Ok(Some(match reader.u8()? {
        NOTHING => return Ok(None),
        TELL => {
            let id = reader.u16()?;
            let kind = read(reader, cache, depth + 1)?.ok_or(Fault::Type)?;
            cache.learn(id, &kind)?;
            kind
        }
        KNOWN => {
            let id = reader.u16()?;
            cache.known.get(&id).cloned().ok_or(Fault::UnknownType)?
        }
        STRUCTURE => Type::Structure(read_structure(reader, cache, depth)?),
        UNION => Type::Union(read_structure(reader, cache, depth)?),
        ANY => Type::Any,
        BOUNDED_TEXT => Type::BoundedText(u32::try_from(reader.size()?).unwrap_or(u32::MAX)),
        0x88 => match read(reader, cache, depth + 1)? {
            Some(Type::Structure(inner)) => Type::StructureArray(inner),
            _ => return Err(Fault::Type),
        },
        0x89 => match read(reader, cache, depth + 1)? {
            Some(Type::Union(inner)) => Type::UnionArray(inner),
            _ => return Err(Fault::Type),
        },
        0x8a => Type::AnyArray,
        TEXT => Type::Text,
        0x68 => Type::TextArray,
        code => match (Scalar::of(code), Scalar::of(code & !ARRAY)) {
            (Some(scalar), _) => Type::Scalar(scalar),
            (None, Some(scalar)) => Type::Array(scalar),
            (None, None) => return Err(Fault::Type),
        },
    }))
}

fn read_structure(
    reader: &mut Reader<'_>,
    cache: &mut TypeCache,
    depth: usize,
) -> Result<Arc<Structure>, Fault> {
    let id = reader.text()?;
    let count = reader.size()?;
    if count > NODES_MAX {
        return Err(Fault::Type);
    }
    let mut fields = Vec::new();
    for _ in 0..count {
        let name = reader.text()?.to_owned();
        let kind = read(reader, cache, depth + 1)?.ok_or(Fault::Type)?;
        fields.push(Field { name, kind });
    }
    Structure::new(id, fields).map(Arc::new)
}

/// The types that a peer has told on a circuit, by its numbers: one for each direction.
#[derive(Debug, Default)]
pub struct TypeCache {
    known: HashMap<u16, Type>,
    nodes: usize,
}

/// Most nodes of all types that are remembered.
const KNOWN_NODES_MAX: usize = 1 << 20;

impl TypeCache {
    fn learn(&mut self, id: u16, kind: &Type) -> Result<(), Fault> {
        let before = self.known.get(&id).map_or(0, Type::nodes);
        let nodes = self.nodes - before + kind.nodes();
        if nodes > KNOWN_NODES_MAX {
            return Err(Fault::Type);
        }
        self.nodes = nodes;
        self.known.insert(id, kind.clone());
        Ok(())
    }
}
