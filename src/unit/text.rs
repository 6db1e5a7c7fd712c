//! `key=value` lines: the one text form that plans, evidence and counters share, in the log and
//! in the report.
//!
//! A struct declared with [`record!`](crate::record) writes a line per field; a nested struct
//! joins its key with a dot, a list appends an index: `target.port=80`, `label.0=run=a`.
//! Unknown keys are passed over, so that an older reader takes a newer text.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;

/// A value as typed that breaks a rule; the rule ends in an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    typed: String,
    rule: &'static str,
}

impl ParseError {
    /// `typed` does not keep `rule`.
    pub fn new(typed: &str, rule: &'static str) -> Self {
        Self { typed: typed.to_owned(), rule }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}': {}", self.typed, self.rule)
    }
}

impl std::error::Error for ParseError {}

/// A text form that cannot be read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextError {
    /// A key that has to be there is not.
    Missing(String),
    /// A value that its type does not take: key, value, why.
    Bad(String, String, String),
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(key) => write!(f, "key '{key}' is missing"),
            Self::Bad(key, value, why) => write!(f, "{key}={value}: {why}"),
        }
    }
}

impl std::error::Error for TextError {}

/// The lines of a text form, by key.
#[derive(Debug, Default)]
pub struct Text<'a> {
    lines: BTreeMap<&'a str, &'a str>,
}

impl<'a> Text<'a> {
    /// Splits `text` into lines; a line without `=` is passed over, a repeated key keeps its last.
    pub fn new(text: &'a str) -> Self {
        Self { lines: text.lines().filter_map(|line| line.split_once('=')).collect() }
    }

    fn value(&self, key: &str) -> Option<String> {
        self.lines.get(key).map(|escaped| unescape(escaped))
    }

    /// Whether `key` itself or anything below it is there.
    fn has(&self, key: &str) -> bool {
        let below = format!("{key}.");
        self.lines.contains_key(key)
            || self
                .lines
                .range(&*below..)
                .next()
                .is_some_and(|(found, _)| found.starts_with(&below))
    }
}

/// A value with a text form.
pub trait Field: Sized {
    /// Appends the lines of this value under `key`.
    fn write(&self, key: &str, out: &mut String);

    /// Reads what [`Field::write`] wrote under `key`.
    ///
    /// # Errors
    /// The key is missing, or its value is not of this type.
    fn read(text: &Text<'_>, key: &str) -> Result<Self, TextError>;

    /// All lines of this value, without a key of its own.
    fn to_text(&self) -> String {
        let mut out = String::new();
        self.write("", &mut out);
        out
    }

    /// Reads what [`Field::to_text`] wrote.
    ///
    /// # Errors
    /// As [`Field::read`].
    fn from_text(text: &str) -> Result<Self, TextError> {
        Self::read(&Text::new(text), "")
    }
}

/// `key.name`, or `name` at the top.
#[doc(hidden)]
pub fn joined(key: &str, name: impl fmt::Display) -> String {
    if key.is_empty() { name.to_string() } else { format!("{key}.{name}") }
}

fn escape(value: &str, out: &mut String) {
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c => out.push(c),
        }
    }
}

fn unescape(escaped: &str) -> String {
    let mut out = String::with_capacity(escaped.len());
    let mut chars = escaped.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            c => out.push(c),
        }
    }
    out
}

/// A text form from elsewhere, whose values are made [`visible`](super::visible) and one line each:
/// whatever prints them later prints what a terminal shows, and not what it obeys. Tabs stay, which
/// the kernel's own values have.
pub fn made_visible(form: &str) -> String {
    let mut out = String::with_capacity(form.len());
    let mut chars = form.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(end @ ('n' | 'r')) => out.extend(['\\', '\\', end]),
                other => out.extend(std::iter::once('\\').chain(other)),
            },
            '\n' | '\t' => out.push(c),
            c if super::is_hidden(c) => escape(&c.escape_default().to_string(), &mut out),
            c => out.push(c),
        }
    }
    out
}

/// Writes one `key=value` line.
#[doc(hidden)]
pub fn write_line(key: &str, value: &dyn fmt::Display, out: &mut String) {
    let _ = write!(out, "{key}=");
    escape(&value.to_string(), out);
    out.push('\n');
}

/// Reads one `key=value` line.
#[doc(hidden)]
pub fn read_line<T: std::str::FromStr>(text: &Text<'_>, key: &str) -> Result<T, TextError>
where
    T::Err: fmt::Display,
{
    let value = text.value(key).ok_or_else(|| TextError::Missing(key.to_owned()))?;
    value.parse().map_err(|e: T::Err| TextError::Bad(key.to_owned(), value, e.to_string()))
}

/// Gives types with `Display` and `FromStr` the text form of one line.
#[macro_export]
#[doc(hidden)]
macro_rules! line_fields {
    ($($type:ty),* $(,)?) => {$(
        impl $crate::unit::Field for $type {
            fn write(&self, key: &str, out: &mut String) {
                $crate::unit::write_line(key, self, out);
            }
            fn read(
                text: &$crate::unit::Text<'_>,
                key: &str,
            ) -> Result<Self, $crate::unit::TextError> {
                $crate::unit::read_line(text, key)
            }
        }
    )*};
}

line_fields!(
    bool,
    u8,
    u16,
    u32,
    u64,
    i32,
    i64,
    usize,
    f64,
    String,
    std::net::IpAddr,
    std::net::SocketAddr,
    super::Nanos,
    super::Rate,
    super::Count,
    super::ByteSize,
    super::Quantile,
);

impl Field for super::Instant {
    fn write(&self, key: &str, out: &mut String) {
        self.0.write(key, out);
    }

    fn read(text: &Text<'_>, key: &str) -> Result<Self, TextError> {
        u64::read(text, key).map(Self)
    }
}

impl<T: Field> Field for Option<T> {
    fn write(&self, key: &str, out: &mut String) {
        if let Some(value) = self {
            value.write(key, out);
        }
    }

    fn read(text: &Text<'_>, key: &str) -> Result<Self, TextError> {
        if text.has(key) { T::read(text, key).map(Some) } else { Ok(None) }
    }
}

impl<T: Field> Field for Vec<T> {
    fn write(&self, key: &str, out: &mut String) {
        for (i, value) in self.iter().enumerate() {
            value.write(&joined(key, i), out);
        }
    }

    fn read(text: &Text<'_>, key: &str) -> Result<Self, TextError> {
        let mut values = Self::new();
        loop {
            let next = joined(key, values.len());
            if !text.has(&next) {
                return Ok(values);
            }
            values.push(T::read(text, &next)?);
        }
    }
}

/// Declares a struct of [`Field`](crate::unit::Field)s that is one itself: a line per field.
#[macro_export]
macro_rules! record {
    ($(#[$meta:meta])* pub struct $name:ident {
        $($(#[$field_meta:meta])* pub $field:ident: $type:ty),* $(,)?
    }) => {
        $(#[$meta])*
        pub struct $name { $($(#[$field_meta])* pub $field: $type),* }

        impl $crate::unit::Field for $name {
            fn write(&self, key: &str, out: &mut String) {
                $($crate::unit::Field::write(
                    &self.$field, &$crate::unit::joined(key, stringify!($field)), out);)*
            }
            fn read(
                text: &$crate::unit::Text<'_>,
                key: &str,
            ) -> Result<Self, $crate::unit::TextError> {
                Ok(Self { $($field: $crate::unit::Field::read(
                    text, &$crate::unit::joined(key, stringify!($field)))?),* })
            }
        }
    };
}

/// Declares a closed set of words: an enum whose variants have one spelling each, to read and to
/// show. `words!` gives `ALL`, `as_str`, `Display`, `FromStr` and the text form.
#[macro_export]
macro_rules! words {
    ($(#[$meta:meta])* pub enum $name:ident: $rule:literal {
        $($(#[$variant_meta:meta])* $variant:ident = $word:literal),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_meta])* $variant),* }

        impl $name {
            /// Every word of the set, in the order of its numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word as users read it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::unit::ParseError;
            fn from_str(typed: &str) -> Result<Self, Self::Err> {
                match typed {
                    $($word => Ok(Self::$variant),)*
                    _ => Err($crate::unit::ParseError::new(typed, $rule)),
                }
            }
        }

        $crate::line_fields!($name);
    };
}

#[cfg(test)]
#[allow(unreachable_pub, reason = "`record!` declares public structs")]
mod tests {
    use super::*;

    record! {
        #[derive(Debug, PartialEq)]
        pub struct Inner { pub size: u64, pub names: Vec<String> }
    }
    record! {
        #[derive(Debug, PartialEq)]
        pub struct Outer { pub inner: Inner, pub maybe: Option<bool>, pub all: Vec<Inner> }
    }

    #[test]
    fn a_record_reads_back_what_it_wrote() {
        let inner = |size| Inner { size, names: vec!["a=b".into(), "two\nlines \\ and".into()] };
        let outer = Outer { inner: inner(1), maybe: None, all: vec![inner(2), inner(3)] };
        let text = outer.to_text();
        assert!(text.contains("all.1.names.0=a=b\n"), "{text}");
        assert_eq!(Outer::from_text(&text).unwrap(), outer);
    }

    #[test]
    fn a_form_from_elsewhere_is_read_with_its_hidden_characters_written_out() {
        let names = vec!["a\x1b]0;title\x07\u{202e}b".into(), "two\nlines \\ and\ta tab".into()];
        let form = made_visible(&Inner { size: 1, names }.to_text());
        let read = Inner::from_text(&form).unwrap();
        assert_eq!(read.names[0], "a\\u{1b}]0;title\\u{7}\\u{202e}b");
        assert_eq!(read.names[1], "two\\nlines \\ and\ta tab");
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let missing = Outer::from_text("inner.names.0=x").unwrap_err();
        assert_eq!(missing.to_string(), "key 'inner.size' is missing");
        let wrong = Inner::from_text("size=many").unwrap_err();
        assert!(wrong.to_string().starts_with("size=many: "), "{wrong}");
    }
}
