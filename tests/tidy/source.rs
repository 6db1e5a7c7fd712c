//! Rust source as the habits read it: comments and literals blanked, test code cut.

/// One source file in three readings of the same length, so that an offset is a line in all.
pub(crate) struct Source {
    /// From the top of the project, like `src/log/reader.rs`.
    pub(crate) path: String,
    /// As it is written.
    pub(crate) text: String,
    /// Without comments and literals.
    pub(crate) code: String,
    /// The code without what is compiled for tests only.
    pub(crate) shipped: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let code = without_literals(text);
        let shipped = without_tests(&code);
        Self { path: path.to_owned(), text: text.to_owned(), code, shipped }
    }

    /// `path:line` of a byte offset.
    pub(crate) fn at(&self, offset: usize) -> String {
        format!("{}:{}", self.path, line_of(&self.text, offset))
    }

    /// The top module that the file belongs to; `main.rs` is its own, `lib.rs` has none.
    pub(crate) fn module(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        match inside.split_once('/') {
            Some((module, _)) => Some(module),
            None if inside == "lib.rs" => None,
            None if inside == "main.rs" => Some(inside),
            None => inside.strip_suffix(".rs"),
        }
    }

    /// How many modules deep the file lies: 1 for a top module's own file.
    pub(crate) fn depth(&self) -> usize {
        let folders = self.path.matches('/').count();
        if self.path.ends_with("/mod.rs") { folders - 1 } else { folders }
    }
}

/// The line of `offset`, from 1.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}

/// Offsets of `word` where it stands as a word of its own.
pub(crate) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        !code[..at].ends_with(is_word) && !code[at + word.len()..].starts_with(is_word)
    })
}

/// The word at the start of `code`, possibly empty.
pub(crate) fn first_word(code: &str) -> &str {
    &code[..code.find(|c| !is_word(c)).unwrap_or(code.len())]
}

/// Length of the block at the start of `code`, both brackets included; all of it if it is open.
pub(crate) fn block_len(code: &str) -> usize {
    let mut depth = 0usize;
    for (at, c) in code.char_indices() {
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

/// Where the body or the semicolon of the item at the start of `code` stands.
pub(crate) fn body_at(code: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        at += code[at..].find(['{', ';', '(', '['])?;
        match code.as_bytes()[at] {
            b'{' | b';' => return Some(at),
            _ => at += block_len(&code[at..]),
        }
    }
}

pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn without_literals(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    while out.len() < text.len() {
        let rest = &text[out.len()..];
        match literal_len(rest) {
            0 => {
                let plain =
                    first_word(rest).len().max(rest.chars().next().map_or(0, char::len_utf8));
                out.push_str(&rest[..plain]);
            }
            len => blank(&rest[..len], &mut out),
        }
    }
    out
}

/// Length of the comment or literal at the start of `rest`; 0 where there is none.
fn literal_len(rest: &str) -> usize {
    let word = first_word(rest);
    if matches!(word, "r" | "br" | "cr") {
        let hashes = rest[word.len()..].chars().take_while(|&c| c == '#').count();
        let open = word.len() + hashes;
        if rest[open..].starts_with('"') {
            let close = format!("\"{}", "#".repeat(hashes));
            return until(rest, open + 1, &close);
        }
    }
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return until(rest, 2, "*/");
    }
    if rest.starts_with('"') {
        return quoted_len(rest, '"');
    }
    let mut after_quote = rest.strip_prefix('\'').unwrap_or("").chars();
    match (after_quote.next(), after_quote.next()) {
        (Some('\\'), _) | (Some(_), Some('\'')) => quoted_len(rest, '\''),
        _ => 0,
    }
}

fn quoted_len(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn until(rest: &str, from: usize, close: &str) -> usize {
    rest[from..].find(close).map_or(rest.len(), |at| from + at + close.len())
}

fn without_tests(code: &str) -> String {
    const GATE: &str = "#[cfg(test)]";
    let mut out = String::with_capacity(code.len());
    while let Some(at) = code[out.len()..].find(GATE) {
        let start = out.len() + at;
        out.push_str(&code[out.len()..start]);
        blank(&code[start..item_end(code, start)], &mut out);
    }
    out.push_str(&code[out.len()..]);
    out
}

/// Where the item that starts at `at` with its attributes ends.
fn item_end(code: &str, mut at: usize) -> usize {
    while code[at..].starts_with("#[") {
        at += 1;
        at += block_len(&code[at..]);
        at += code[at..].len() - code[at..].trim_start().len();
    }
    match body_at(&code[at..]).map(|body| at + body) {
        Some(body) if code[body..].starts_with('{') => body + block_len(&code[body..]),
        Some(semicolon) => semicolon + 1,
        None => code.len(),
    }
}

/// Spaces for every byte of `cut`, so that offsets and lines stay what they are.
fn blank(cut: &str, out: &mut String) {
    out.extend(cut.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
}
