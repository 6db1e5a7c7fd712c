//! Text from elsewhere, made safe to print: a log, a label or a URL may hold what a terminal obeys.

use std::borrow::Cow;

/// Whether a terminal or a browser would act on `c` in place of showing it: control characters (C0
/// with the tab, DEL, C1), separators of lines, and marks that turn the direction of writing.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2066}'..='\u{2069}')
}

/// `text` with each hidden character written as Rust writes it, like `\n` or `\u{1b}`: one line,
/// in its own direction.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match is_hidden(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        assert_eq!(visible("a\nb\x1b[31mé"), "a\\nb\\u{1b}[31mé");
        assert_eq!(
            visible("\u{9b}2J\u{202e}gpj\u{2069}\u{7f}"),
            "\\u{9b}2J\\u{202e}gpj\\u{2069}\\u{7f}"
        );
    }

    #[test]
    fn plain_text_stays_as_it_is() {
        assert!(matches!(visible("nic=ixgbe, 10 µs, 日本"), Cow::Borrowed(_)));
    }
}
