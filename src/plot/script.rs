//! Gnuplot scripts and their data, as text.

use std::fmt::{Display, Write as _};

use crate::outcome::pictures::Axis;

/// What every script ends its preamble with.
const STYLE: &str = include_str!("gnuplot/style.gp");

/// The part of a script that is of this log: its names come to the rest of it from outside.
#[derive(Debug)]
pub(super) struct Script {
    text: String,
    after: String,
}

impl Script {
    pub(super) fn new(name: &str) -> Self {
        let mut script = Self { text: String::new(), after: String::new() };
        let _ = write!(
            script.text,
            "# Written by onrush plot. Its data are in {name}.dat, and\n\
             #     gnuplot -e \"term='png'\" {name}.gp\n\
             # draws it in this folder; term may be svg, png, pdf or dumb.\n\
             name = {}\n",
            quoted(name)
        );
        script.text("data", &format!("{name}.dat"));
        script
    }

    /// `name` is a text from here on.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        let _ = writeln!(self.text, "{name} = {}", quoted(text));
    }

    /// `name` is a number from here on.
    pub(super) fn number(&mut self, name: &str, number: impl Display) {
        let _ = writeln!(self.text, "{name} = {number}");
    }

    /// `name` is what `eval` makes the axis `which` (x or y) of: `time_axis`, `x`.
    pub(super) fn axis(&mut self, name: &str, which: char, axis: &Axis) {
        let log = if axis.is_log { "set" } else { "unset" };
        let ticks: Vec<String> = axis
            .ticks
            .iter()
            .map(|tick| (tick.label.replace('%', "%%"), tick.value))
            .map(|(l, v)| format!("\"{l}\" {v}"))
            .collect();
        let set = format!(
            "{log} logscale {which}; set {which}range [{}:{}]; set {which}tics ({})",
            axis.low,
            axis.high,
            ticks.join(", ")
        );
        self.text(name, &set);
    }

    /// Writes `text` to the right of the picture, at a height from 0 to 1.
    pub(super) fn label(&mut self, text: &str, colour: &str, height: f64) {
        let _ = writeln!(
            self.after,
            "set label {} at graph 1.01, graph {height:.3} tc rgb {colour} noenhanced",
            quoted(text)
        );
    }

    /// The whole: preamble, style, and the drawing itself.
    pub(super) fn finish(self, drawing: &str) -> String {
        format!("{}\n{STYLE}{}{drawing}", self.text, self.after)
    }
}

/// In quotes that take every character as it is.
fn quoted(text: &str) -> String {
    let one_line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("'{}'", one_line.replace('\'', "''"))
}

/// Columns of numbers in blocks, each with its name.
#[derive(Debug, Default)]
pub(super) struct Data(String);

impl Data {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds a block: `columns` are the words of its heading.
    pub(super) fn block<R>(
        &mut self,
        name: &str,
        columns: &str,
        rows: impl IntoIterator<Item = R>,
        mut write: impl FnMut(&mut String, R) -> std::fmt::Result,
    ) {
        let out = &mut self.0;
        if !out.is_empty() {
            out.push_str("\n\n");
        }
        let _ = write!(out, "# {name}\n# {columns}\n");
        let begin = out.len();
        for row in rows {
            let _ = write(out, row);
            out.push('\n');
        }
        if out.len() == begin {
            // Without a line it would be no block, and one of gnuplot's errors.
            let missing = vec!["nan"; columns.split(' ').count()];
            let _ = writeln!(out, "{}", missing.join(" "));
        }
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_lines_of_others_do_no_harm() {
        assert_eq!(quoted("it's `ls`\n\"$HOME\""), "'it''s `ls` \"$HOME\"'");
    }

    #[test]
    fn a_block_without_rows_is_missing_values() {
        let mut data = Data::new();
        data.block("holes", "from_ns to_ns", [0u8; 0], |_, _| Ok(()));
        data.block("one", "a", [7], |out, row| write!(out, "{row}"));
        assert_eq!(data.finish(), "# holes\n# from_ns to_ns\nnan nan\n\n\n# one\n# a\n7\n");
    }
}
