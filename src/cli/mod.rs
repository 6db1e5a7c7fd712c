//! From the command line as typed to what it means; the only place that prints.
//!
//! A line goes through `normalise` (one spelling), `args` (argh: words in their fields) and the
//! command's own file (values, checked, complete); only then is anything done.

mod args;
mod clocks;
mod doctor;
mod error;
mod exit;
mod floors;
mod help;
mod normalise;
mod output;
mod plot;
mod report;
mod run;
mod selftest;
mod serve;
mod terminal;
mod top;

use std::ffi::OsString;

use argh::{ArgsInfo, CommandInfoWithArgs, FromArgs};

use args::{
    ClocksArgs, DoctorArgs, Group, PlotArgs, ReportArgs, RunArgs, SelftestArgs, ServeArgs, TopArgs,
};
use doctor::DoctorCommand;
use error::CliError;
use normalise::Line;
use plot::PlotCommand;
use report::ReportCommand;
use run::RunCommand;
use selftest::SelftestCommand;
use serve::ServeCommand;
use terminal::Terminal;
use top::TopCommand;

pub use exit::Exit;
pub use output::{FiguresFormat, Format};
pub use run::speak;

/// Does what the command line says, its first word the command.
pub fn main(typed: impl Iterator<Item = OsString>) -> Exit {
    let terminal = Terminal::detect();
    perform(typed, &terminal).unwrap_or_else(|error| terminal.fail(&error))
}

fn perform(typed: impl Iterator<Item = OsString>, terminal: &Terminal) -> Result<Exit, CliError> {
    let words = typed.map(into_text).collect::<Result<Vec<_>, _>>()?;
    let (command, rest) = words.split_first().ok_or(CliError::NoCommand)?;
    match command.as_str() {
        "-h" | "--help" | "help" => show(terminal, &help::overview(&commands())),
        "-V" | "--version" => show(terminal, VERSION),
        "run" => prepare(rest, RunArgs::GROUPS, terminal, |args: &RunArgs| {
            let mut command = RunCommand::new(args)?;
            Ok(run::execute(&mut command, &terminal.quiet_if(args.quiet)))
        }),
        "report" => prepare(rest, ReportArgs::GROUPS, terminal, |args: &ReportArgs| {
            let command = ReportCommand::new(args)?;
            Ok(report::execute(&command, &terminal.quiet_if(args.quiet)))
        }),
        "plot" => prepare(rest, PlotArgs::GROUPS, terminal, |args: &PlotArgs| {
            Ok(plot::execute(&PlotCommand::new(args)?, &terminal.quiet_if(args.quiet)))
        }),
        "serve" => prepare(rest, ServeArgs::GROUPS, terminal, |args: &ServeArgs| {
            Ok(serve::execute(&ServeCommand::new(args)?, terminal))
        }),
        "top" => prepare(rest, &[], terminal, |args: &TopArgs| {
            Ok(top::execute(&TopCommand::new(args)?, terminal))
        }),
        "clocks" => prepare(rest, &[], terminal, |_: &ClocksArgs| Ok(clocks::execute(terminal))),
        "doctor" => prepare(rest, &[], terminal, |args: &DoctorArgs| {
            Ok(doctor::execute(&DoctorCommand::new(args)?, terminal))
        }),
        "selftest" => prepare(rest, &[], terminal, |args: &SelftestArgs| {
            Ok(selftest::execute(&SelftestCommand::new(args)?, terminal))
        }),
        _ => {
            let names = commands().into_iter().map(|command| command.name);
            let nearest = normalise::nearest(command, names);
            Err(CliError::UnknownCommand { typed: command.clone(), nearest })
        }
    }
}

/// The words of `run` alone, without its name before them.
fn with_run(
    typed: impl Iterator<Item = OsString>,
    perform: impl FnOnce(&RunArgs, &Terminal) -> Result<Exit, CliError>,
) -> Exit {
    let terminal = Terminal::detect();
    let words = typed.map(into_text).collect::<Result<Vec<_>, _>>();
    words
        .and_then(|words| {
            prepare(&words, RunArgs::GROUPS, &terminal, |args: &RunArgs| {
                perform(args, &terminal.quiet_if(args.quiet))
            })
        })
        .unwrap_or_else(|error| terminal.fail(&error))
}

const VERSION: &str = concat!("onrush ", env!("CARGO_PKG_VERSION"), "\n");

/// The commands in reading order.
fn commands() -> [CommandInfoWithArgs; 8] {
    [
        RunArgs::get_args_info(),
        ReportArgs::get_args_info(),
        PlotArgs::get_args_info(),
        ServeArgs::get_args_info(),
        TopArgs::get_args_info(),
        ClocksArgs::get_args_info(),
        DoctorArgs::get_args_info(),
        SelftestArgs::get_args_info(),
    ]
}

/// Parses the words after a command and hands them on; help and version are answered here.
fn prepare<A: FromArgs + ArgsInfo>(
    typed: &[String],
    groups: &[Group],
    terminal: &Terminal,
    perform: impl FnOnce(&A) -> Result<Exit, CliError>,
) -> Result<Exit, CliError> {
    let info = A::get_args_info();
    match normalise::normalise(&info, typed)? {
        Line::Help => show(terminal, &help::of_command(&info, groups)),
        Line::Version => show(terminal, VERSION),
        Line::Words(words) => perform(&parse(info.name, &words)?),
    }
}

/// Sorts plain words into their fields. They are known flags with their values, so that nothing
/// is left for argh to refuse.
fn parse<A: FromArgs>(command: &str, words: &[String]) -> Result<A, CliError> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    A::from_args(&[command], &words)
        .map_err(|early| CliError::CannotRun(early.output.trim_end().into()))
}

fn show(terminal: &Terminal, page: &str) -> Result<Exit, CliError> {
    terminal.print(page).map(|()| Exit::Done)
}

fn into_text(typed: OsString) -> Result<String, CliError> {
    typed
        .into_string()
        .map_err(|typed| CliError::NotText { typed: typed.to_string_lossy().into_owned() })
}
