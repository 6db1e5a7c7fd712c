//! `onrush plot`: logs to draw.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::args::PlotArgs;
use super::error::{CliError, parse, read, read_if_given};
use super::exit::Exit;
use super::output::{path, tell_if_watched};
use super::terminal::Terminal;
use crate::log::{LogError, Reader};
use crate::outcome::pictures::Pictures;
use crate::outcome::{Cut, Summary};
use crate::plot::{Drawing, Image, Picture, Subject, draw};
use crate::report::{self, Asked, LogSource as _};
use crate::unit::Nanos;

/// Pictures, complete.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PlotCommand {
    /// The logs; at least one.
    pub logs: Vec<PathBuf>,
    /// The folder for all files.
    pub folder: PathBuf,
    /// What to draw.
    pub pictures: Vec<Picture>,
    /// What time axes show.
    pub cut: Cut,
    /// The images to make.
    pub image: Image,
}

impl PlotCommand {
    /// What `args` mean.
    ///
    /// # Errors
    /// A value breaks its rule.
    pub(super) fn new(args: &PlotArgs) -> Result<Self, CliError> {
        let mut logs =
            args.logs.iter().map(|log| path("LOG", log)).collect::<Result<Vec<_>, _>>()?;
        if logs.is_empty() {
            logs.push("onrush.data".into());
        }
        let cut = Cut {
            from: read_if_given("--from", &args.from)?,
            to: read_if_given("--to", &args.to)?,
            ..Cut::default()
        };
        if let Some(to) = cut.to.filter(|&to| to <= cut.from.unwrap_or(Nanos::ZERO)) {
            return Err(CliError::rule("--to", to, "it is later than --from, like 10s"));
        }
        Ok(Self {
            folder: path("--out", args.out.as_deref().unwrap_or("onrush.plots"))?,
            pictures: pictures(args.only.as_deref(), logs.len())?,
            logs,
            cut,
            image: read("--image", &args.image, "svg")?,
        })
    }
}

/// The pictures that `only` names, or all that so many logs give.
fn pictures(only: Option<&str>, logs: usize) -> Result<Vec<Picture>, CliError> {
    let possible: Vec<Picture> = Picture::of_logs(logs).collect();
    let Some(only) = only else { return Ok(possible) };
    let named = only.split(',').map(|name| {
        let picture = parse("--only", name)?;
        if possible.contains(&picture) {
            return Ok(picture);
        }
        let rule = match logs {
            1 => "it takes several logs, like onrush plot a.data b.data".to_owned(),
            _ => format!("it takes one log, like onrush plot --only {picture} a.data"),
        };
        Err(CliError::rule("--only", name, rule))
    });
    named.collect()
}

/// Writes what `command` asks for, and prints the names of the files.
pub(super) fn execute(command: &PlotCommand, terminal: &Terminal) -> Exit {
    match write_all(command, terminal) {
        Ok(()) => Exit::Done,
        Err(error) => terminal.fail(&error),
    }
}

fn write_all(command: &PlotCommand, terminal: &Terminal) -> Result<(), CliError> {
    let PlotCommand { logs, folder, pictures, cut, image } = command;
    let read: Vec<(Summary, Pictures)> =
        logs.iter().map(|log| gather(log, cut)).collect::<Result<_, _>>()?;
    if let Some((summary, _)) = read.iter().find(|(summary, _)| summary.watching.is_some()) {
        tell_if_watched(&summary.plan, terminal);
    }
    let names = names(logs);
    let subjects = names.iter().zip(&read).map(|(name, (summary, pictures))| Subject {
        name,
        summary,
        pictures,
    });
    let subjects: Vec<_> = subjects.collect();
    fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
    let mut image = *image;
    for drawing in pictures.iter().filter_map(|&picture| draw(picture, &subjects)) {
        let mut files = write(&drawing, folder)?;
        if image != Image::None {
            match render(&drawing, folder, image)? {
                Some(file) => files.push(file),
                None => {
                    image = Image::None;
                    terminal.notice(format_args!(
                        "no gnuplot here, so no images: install it (Debian: gnuplot-nox), or run \
                         gnuplot NAME.gp in {} elsewhere",
                        folder.display()
                    ));
                }
            }
        }
        let listed: String = files.iter().map(|file| format!("{}\n", file.display())).collect();
        terminal.print(&listed)?;
    }
    Ok(())
}

fn gather(path: &Path, cut: &Cut) -> Result<(Summary, Pictures), CliError> {
    let asked = Asked { cut: cut.clone(), ..Asked::default() };
    let summary = report::load_files(&[path.to_owned()], &asked)
        .map_err(|error| CliError::CannotRun(error.to_string()))?;
    let pictures = pictures_of(path, &summary)?;
    Ok((summary, pictures))
}

/// What the log at `path`, whose summary this is, shows.
///
/// # Errors
/// It cannot be read.
pub(super) fn pictures_of(path: &Path, summary: &Summary) -> Result<Pictures, CliError> {
    let cannot = |error: LogError| CliError::CannotRun(error.to_string());
    let reader = Reader::open(path).map_err(cannot)?;
    let pictures = Pictures::gather(summary, reader.measure_at(), |take| {
        for part in reader.parts(1)? {
            part.each(|entry| take(part.shard(), entry))?;
        }
        Ok(())
    });
    pictures.map_err(cannot)
}

/// What the logs are called: by their last names where these differ.
fn names(logs: &[PathBuf]) -> Vec<String> {
    let stem = |log: &PathBuf| log.file_stem().unwrap_or(log.as_os_str()).display().to_string();
    let mut stems: Vec<String> = logs.iter().map(stem).collect();
    stems.sort();
    stems.dedup();
    let differ = stems.len() == logs.len();
    logs.iter().map(|log| if differ { stem(log) } else { log.display().to_string() }).collect()
}

fn write(drawing: &Drawing, folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let Drawing { name, script, data } = drawing;
    let files = [("dat", data), ("gp", script)].map(|(end, text)| {
        let file = folder.join(format!("{name}.{end}"));
        fs::write(&file, text).map_err(|error| cannot_write(&file, &error))?;
        Ok(file)
    });
    files.into_iter().collect()
}

/// Runs gnuplot in `folder`; `None` where there is none.
fn render(drawing: &Drawing, folder: &Path, image: Image) -> Result<Option<PathBuf>, CliError> {
    let script = format!("{}.gp", drawing.name);
    let term = format!("term='{image}'");
    let mut gnuplot = Command::new("gnuplot");
    gnuplot.args(["-e", &term, &script]).current_dir(folder).stdin(Stdio::null());
    let failed = |why: &str| {
        let script = folder.join(&script).display().to_string();
        CliError::CannotRun(format!("gnuplot {script}: {why}; --image none leaves it out"))
    };
    match gnuplot.output() {
        Ok(output) if output.status.success() => {
            Ok(Some(folder.join(format!("{}.{image}", drawing.name))))
        }
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let line = said.lines().map(str::trim).rfind(|line| !line.is_empty());
            Err(failed(line.unwrap_or("it failed without a word")))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(&error.to_string())),
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> CliError {
    CliError::CannotRun(format!("{}: {error}; choose another folder (--out)", path.display()))
}
