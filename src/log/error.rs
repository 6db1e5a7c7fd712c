//! What goes wrong with a log, and the cure.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::unit::{ByteSize, TextError};

/// A log that cannot be written or read.
#[derive(Debug)]
pub enum LogError {
    /// The file cannot be opened or read: which, why.
    Unreadable(PathBuf, io::Error),
    /// The file cannot be made or written: what was tried, on which file, why.
    Unwritable(&'static str, PathBuf, io::Error),
    /// The disk is full: the file, and the bytes that it was to grow by.
    NoRoom(PathBuf, ByteSize),
    /// The file is there already and is not one that a log may take the place of.
    NotReplaced(PathBuf),
    /// Where a log is made until its run begins lies something else.
    InTheWay(PathBuf),
    /// What would be set aside, or replaced by what is, is no log.
    Foreign(PathBuf),
    /// Another run writes the file.
    InUse(PathBuf),
    /// A shard has not dropped its writer.
    StillWritten(u32),
    /// The file is not a log that can be read.
    Refused(PathBuf, Refusal),
}

/// Why a file is not a log that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It is a folder, a pipe or a device.
    NotAFile,
    /// Too short for a header: its bytes.
    Short(u64),
    /// It does not begin as a log does.
    NotALog,
    /// It was written on a machine of the other byte order.
    ByteOrder,
    /// Its format is of another version.
    Version(u64),
    /// A word of the header breaks a rule: which, its value, the rule.
    Header(&'static str, u64, &'static str),
    /// A text of the header is cut short, or longer than it may be: which, its bytes.
    TextLength(&'static str, u64),
    /// A text is not UTF-8.
    NotText(&'static str),
    /// A text does not say what it has to.
    Text(&'static str, TextError),
    /// The chunk of this number, from 0, is damaged.
    Chunk(u64),
}

impl LogError {
    pub(super) fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Unreadable(path.to_owned(), error)
    }

    pub(super) fn unwritable(tried: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Unwritable(tried, path.to_owned(), error)
    }
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, error) => write!(
                f,
                "cannot read log '{}': {error}; name a file that onrush run wrote",
                path.display()
            ),
            Self::Unwritable(tried, path, error) => write!(
                f,
                "cannot {tried} log '{}': {error}; choose another place with -o",
                path.display()
            ),
            Self::NoRoom(path, more) => write!(
                f,
                "log '{}' cannot grow by {more}: no space left on its disk; free some, choose \
                 another disk with -o, or log less with --log 1/100",
                path.display()
            ),
            Self::NotReplaced(path) => write!(
                f,
                "'{}' is not a regular file, so no log takes its place; choose another with -o",
                path.display()
            ),
            Self::InTheWay(path) => write!(
                f,
                "'{}' is in the way: a log is made there until its run begins; move it, or choose \
                 another place with -o",
                path.display()
            ),
            Self::Foreign(path) => write!(
                f,
                "'{}' is no log of onrush, and would be lost; move it, or choose another place \
                 with -o",
                path.display()
            ),
            Self::InUse(path) => {
                let path = path.display();
                write!(f, "another run still writes '{path}'; choose another place with -o")
            }
            Self::StillWritten(shard) => {
                write!(f, "shard {shard} still writes to the log; end the shards first")
            }
            Self::Refused(path, why) => write!(f, "cannot read log '{}': {why}", path.display()),
        }
    }
}

impl std::error::Error for LogError {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAFile => f.write_str("it is not a regular file"),
            Self::Short(bytes) => write!(f, "{bytes} bytes are too few for a log"),
            Self::NotALog => f.write_str("it is not a log of onrush"),
            Self::ByteOrder => {
                f.write_str("it is of the other byte order; read it on a machine like its own")
            }
            Self::Version(version) => {
                write!(f, "its format is version {version}; read it with the onrush that wrote it")
            }
            Self::Header(name, value, rule) => {
                write!(f, "its header is damaged: {name} is {value}, {rule}")
            }
            Self::TextLength(name, bytes) => {
                write!(f, "its {name} of {bytes} bytes is cut short, or its header damaged")
            }
            Self::NotText(name) => write!(f, "its {name} is damaged: not text"),
            Self::Text(name, why) => write!(f, "its {name} is not one of this version: {why}"),
            Self::Chunk(number) => write!(f, "its chunk {number} is damaged"),
        }
    }
}
