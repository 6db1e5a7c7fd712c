//! What a client wants of a channel: fields, and how it wants to be served.

use super::{Fault, Order, Reader, Type, TypeCache, write_text};

/// A pvRequest: the fields wanted and the options that matter for a monitor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PvRequest {
    /// Paths of the fields wanted, like `value`; none: all.
    pub fields: Vec<String>,
    /// Updates that the server may hold for us.
    pub queue: Option<u32>,
    /// The server sends no more than was acknowledged.
    pub pipeline: bool,
}

impl PvRequest {
    /// Appends type and value. Paths go one level deep.
    pub fn write(&self, out: &mut Vec<u8>, order: Order) {
        let queue = self.queue.map(|queue| ("queueSize", queue.to_string()));
        let pipeline = self.pipeline.then(|| ("pipeline", "true".to_owned()));
        let options: Vec<_> = pipeline.into_iter().chain(queue).collect();
        let empty = || Type::structure("", vec![]);
        let structure = |fields: Vec<(&str, Type)>| Type::structure("", fields);
        let asked = || {
            let fields = self.fields.iter().map(|name| Ok((name.as_str(), empty()?)));
            let mut parts = vec![("field", structure(fields.collect::<Result<_, Fault>>()?)?)];
            if !options.is_empty() {
                let words = options.iter().map(|&(name, _)| (name, Type::Text)).collect();
                parts.push(("record", structure(vec![("_options", structure(words)?)])?));
            }
            structure(parts)
        };
        // Only a request of thousands of fields would be too wide: it asks for all of them then.
        match asked() {
            Ok(kind) => {
                kind.write(out, order);
                options.iter().for_each(|(_, value)| write_text(out, order, value));
            }
            Err(_) => out.extend_from_slice(b"\x80\0\0"),
        }
    }

    /// Reads type and value; options that are not known, or no numbers, are passed over.
    ///
    /// # Errors
    /// The message ends before, or the type breaks a limit.
    pub fn read(reader: &mut Reader<'_>, cache: &mut TypeCache) -> Result<Self, Fault> {
        let mut request = Self::default();
        let Some(Type::Structure(whole)) = Type::read(reader, cache)? else { return Ok(request) };
        for part in &whole.fields {
            match &part.kind {
                Type::Structure(fields) if part.name == "field" => {
                    request.fields = fields.fields.iter().map(|field| field.name.clone()).collect();
                    part.kind.skip(reader, cache)?;
                }
                Type::Structure(record) if part.name == "record" => {
                    for field in &record.fields {
                        match &field.kind {
                            Type::Structure(options) if field.name == "_options" => {
                                for option in &options.fields {
                                    let text = word(&option.kind, reader, cache)?;
                                    request.set(&option.name, &text);
                                }
                            }
                            other => other.skip(reader, cache)?,
                        }
                    }
                }
                other => other.skip(reader, cache)?,
            }
        }
        Ok(request)
    }

    fn set(&mut self, option: &str, value: &str) {
        match option {
            "queueSize" => self.queue = value.parse().ok(),
            "pipeline" => self.pipeline = matches!(value, "true" | "1"),
            _ => {}
        }
    }
}

/// An option as text: peers send numbers and truth values as such, too.
fn word(kind: &Type, reader: &mut Reader<'_>, cache: &mut TypeCache) -> Result<String, Fault> {
    match kind {
        Type::Text | Type::BoundedText(_) => {
            Ok(String::from_utf8_lossy(reader.text_bytes()?).into_owned())
        }
        Type::Scalar(scalar) => {
            let bytes = reader.take(scalar.bytes())?;
            let mut wide = [0; 8];
            wide[..bytes.len()].copy_from_slice(bytes);
            if reader.order() == Order::Big {
                wide[..bytes.len()].reverse();
            }
            Ok(u64::from_le_bytes(wide).to_string())
        }
        other => other.skip(reader, cache).map(|()| String::new()),
    }
}
