//! `--help`, from what the parser itself knows of its flags.

use std::fmt::Write as _;

use argh::{CommandInfoWithArgs, FlagInfo, FlagInfoKind, Optionality, PositionalInfo};

use super::args::Group;

/// Columns that a page may take.
const WIDTH: usize = 80;
/// Column of the descriptions.
const INDENT: usize = 28;

/// The page of the whole program, from its commands in reading order.
pub(super) fn overview(commands: &[CommandInfoWithArgs]) -> String {
    let mut page = String::from(
        "Onrush: an io_uring load generator and latency meter that proves its schedule.\n\n\
         Usage: onrush COMMAND [options]\n\nCommands:\n",
    );
    for command in commands {
        let said = command.description.split(". ").next().unwrap_or_default();
        entry(&mut page, &format!("  {}", command.name), said.trim_end_matches('.'));
    }
    page.push_str("\nEverywhere:\n");
    everywhere(&mut page);
    page.push_str("\nExamples:\n");
    for command in commands {
        let _ = writeln!(page, "  {}", command.examples.last().copied().unwrap_or(command.name));
    }
    page.push_str(
        "\nExit codes: 0 done, 1 could not run, 2 usage, 3 a gate was breached,\n\
         4 the measurement is invalid, 130 and 143 a signal came.\n",
    );
    page
}

/// The page of one command, a heading before each group of flags.
pub(super) fn of_command(command: &CommandInfoWithArgs, groups: &[Group]) -> String {
    let mut page = format!("Usage: onrush {}\n\n", usage_of(command));
    fill(&mut page, command.description, 0);
    if !command.positionals.is_empty() {
        page.push('\n');
    }
    for operand in command.positionals {
        entry(&mut page, &format!("  {}", operand.name), operand.description);
    }
    // The parser's own --help stands with what works everywhere.
    for flag in command.flags.iter().filter(|flag| flag.long != "--help" && !flag.hidden) {
        if let Some((heading, _)) = groups.iter().find(|(_, first)| *first == flag.long) {
            let _ = writeln!(page, "\n{heading}:");
        }
        entry(&mut page, &spelling(flag), flag.description);
    }
    page.push_str("\nEverywhere:\n");
    everywhere(&mut page);
    page.push_str("\nExamples:\n");
    for example in command.examples {
        let _ = writeln!(page, "  {example}");
    }
    page
}

fn everywhere(page: &mut String) {
    entry(page, "  -h, --help", "this page, or that of a command");
    entry(page, "  -V, --version", "the version");
}

fn usage_of(command: &CommandInfoWithArgs) -> String {
    let mut usage = command.name.to_owned();
    if command.flags.len() > 1 {
        usage.push_str(" [options]");
    }
    for PositionalInfo { name, optionality, .. } in command.positionals {
        let _ = match optionality {
            Optionality::Repeating => write!(usage, " [{name}...]"),
            Optionality::Required => write!(usage, " {name}"),
            _ => write!(usage, " [{name}]"),
        };
    }
    usage
}

/// `  -R, --rate RATE`
fn spelling(flag: &FlagInfo<'static>) -> String {
    let short = flag.short.map_or_else(|| "    ".into(), |short| format!("-{short}, "));
    match flag.kind {
        FlagInfoKind::Switch => format!("  {short}{}", flag.long),
        FlagInfoKind::Option { arg_name } => format!("  {short}{} {arg_name}", flag.long),
    }
}

/// A name on the left, its description on the right, or below where the name is too long.
fn entry(page: &mut String, name: &str, description: &str) {
    if name.len() + 2 > INDENT {
        let _ = write!(page, "{name}\n{:INDENT$}", "");
    } else {
        let _ = write!(page, "{name:INDENT$}");
    }
    fill(page, description, INDENT);
}

/// Appends `text`, broken at words, its further lines indented; the first is already. A default
/// stays on one line: that is where eyes and `grep` look for it.
fn fill(page: &mut String, text: &str, indent: usize) {
    let text = text.replace("(default ", "(default\u{a0}");
    let mut column = indent;
    for (i, word) in text.split(' ').enumerate() {
        let width = word.chars().count();
        if i > 0 && column + 1 + width > WIDTH {
            let _ = write!(page, "\n{:indent$}", "");
            column = indent;
        } else if i > 0 {
            page.push(' ');
            column += 1;
        }
        page.push_str(&word.replace('\u{a0}', " "));
        column += width;
    }
    page.push('\n');
}

#[cfg(test)]
mod tests {
    use super::super::args::{PlotArgs, ReportArgs, RunArgs, ServeArgs};
    use super::super::commands;
    use super::*;
    use argh::ArgsInfo;

    fn pages() -> Vec<String> {
        vec![
            overview(&commands()),
            of_command(&RunArgs::get_args_info(), RunArgs::GROUPS),
            of_command(&ReportArgs::get_args_info(), ReportArgs::GROUPS),
            of_command(&PlotArgs::get_args_info(), PlotArgs::GROUPS),
            of_command(&ServeArgs::get_args_info(), ServeArgs::GROUPS),
        ]
    }

    #[test]
    fn every_page_fits_a_terminal() {
        for page in pages() {
            let long = page.lines().find(|line| line.chars().count() > WIDTH);
            assert_eq!(long, None);
            assert!(page.ends_with('\n') && !page.contains(" \n"), "{page}");
        }
    }

    #[test]
    fn every_group_has_its_heading() {
        let page = of_command(&RunArgs::get_args_info(), RunArgs::GROUPS);
        for heading in ["\nLoad:\n  -R, --rate", "\nMachine:\n  -t,", "\nOutput:\n  -o,"] {
            assert!(page.contains(heading), "{heading}\n{page}");
        }
    }

    #[test]
    fn a_default_stays_on_its_line() {
        let mut page = String::new();
        let text = format!("{} (default 10s)", "x".repeat(70));
        fill(&mut page, &text, 4);
        assert_eq!(page, format!("{}\n    (default 10s)\n", "x".repeat(70)));
    }
}
