//! The path of a log: `path.new` until its run has begun, then `path`.
//!
//! A run that never begins leaves an older log as it was. Only the holder of the lock on `path.new`
//! may replace `path`. The lock stays with the file when it is renamed, so that a log is locked
//! from its first byte to the end of its run.

use std::fs::{self, File};
use std::io;
use std::ops::Deref;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::error::LogError;
use super::header::{MAGIC, MAKING, WORDS, Word, words_of};
use crate::sys::map::{Claimed, claim};

/// The file of a log that a run writes. Unless it takes its place it goes when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    /// Where the log belongs, with links followed.
    path: PathBuf,
    /// Where it lies while it is not there.
    beside: Option<PathBuf>,
    file: Claimed,
}

impl Place {
    /// An empty file for a log that is to come to `path`.
    ///
    /// # Errors
    /// It cannot be made, another run has it or still writes to `path`, or what is at `path` or
    /// `path.new` is not to be lost.
    pub(super) fn beside(path: &Path) -> Result<Self, LogError> {
        let path = resolve(path)?;
        let beside = with_suffix(&path, ".new");
        let file = claim_beside(&path, &beside)?;
        let place = Self { path, beside: Some(beside), file };
        // The run that writes it will look for its own figures there.
        if File::open(&place.path).and_then(claim).is_err_and(|error| is_claimed(&error)) {
            return Err(LogError::InUse(place.path.clone()));
        }
        for there in [place.path.clone(), with_suffix(&place.path, ".old")] {
            if is_foreign(&there).map_err(LogError::unreadable(&there))? {
                return Err(LogError::Foreign(there));
            }
        }
        place.file.set_len(0).map_err(LogError::unwritable("empty", &place.path))?;
        Ok(place)
    }

    /// Where the log belongs.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the log where it belongs, and what is there already at `path.old`. The second time
    /// it does nothing.
    ///
    /// # Errors
    /// The folder does not allow it any more.
    pub(super) fn take(&mut self) -> Result<(), LogError> {
        let Some(beside) = &self.beside else { return Ok(()) };
        match fs::rename(&self.path, with_suffix(&self.path, ".old")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(LogError::unwritable("rename the old", &self.path)(error));
            }
            _ => {}
        }
        fs::rename(beside, &self.path).map_err(LogError::unwritable("rename", &self.path))?;
        self.beside = None;
        Ok(())
    }
}

impl Deref for Place {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(beside) = &self.beside {
            // Removed while it is still locked, so that it cannot be another run's. If this fails,
            // the next run takes the file over.
            let _ = fs::remove_file(beside);
        }
    }
}

/// The path with links followed, where a log may take the place of what is there.
fn resolve(path: &Path) -> Result<PathBuf, LogError> {
    match fs::metadata(path) {
        Ok(there) if there.is_file() => match path.canonicalize() {
            // Another run is just about to put its log there.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path.to_owned()),
            found => found.map_err(LogError::unwritable("find", path)),
        },
        Err(_) if !path.is_symlink() => Ok(path.to_owned()),
        _ => Err(LogError::NotReplaced(path.to_owned())),
    }
}

/// Opens and claims `beside`; one that a killed run left is taken over.
fn claim_beside(path: &Path, beside: &Path) -> Result<Claimed, LogError> {
    loop {
        if fs::symlink_metadata(beside).is_ok_and(|there| !there.is_file()) {
            return Err(LogError::InTheWay(beside.to_owned()));
        }
        let file = File::options().read(true).write(true).create(true).truncate(false).open(beside);
        let file = file.map_err(LogError::unwritable("create", path))?;
        let file = match claim(file) {
            Ok(file) => file,
            Err(error) if is_claimed(&error) => return Err(LogError::InUse(path.to_owned())),
            Err(error) => return Err(LogError::unwritable("claim", path)(error)),
        };
        // Before we had the lock, another run may have renamed the file or removed it.
        let claimed = file.metadata().map_err(LogError::unwritable("claim", path))?;
        let is_same =
            |there: fs::Metadata| (there.dev(), there.ino()) == (claimed.dev(), claimed.ino());
        if fs::symlink_metadata(beside).is_ok_and(is_same) {
            return if never_began(&file).map_err(LogError::unwritable("read", path))? {
                Ok(file)
            } else {
                Err(LogError::InTheWay(beside.to_owned()))
            };
        }
    }
}

/// Whether `file` is what a run leaves that is killed before it begins.
fn never_began(file: &File) -> io::Result<bool> {
    let mut bytes = [0; 8 * WORDS];
    let count = file.read_at(&mut bytes, 0)?;
    let words: [u64; WORDS] = words_of(&bytes);
    // The magic is written last.
    let is_blank = words[Word::Magic as usize] == 0;
    let is_log = bytes[..count].starts_with(&MAGIC);
    Ok(is_blank || is_log && words[Word::State as usize] == MAKING)
}

/// Whether there is something at `path` that is no log: to set it aside, or to put a log over it,
/// would lose what someone else keeps there. An empty file keeps nothing.
fn is_foreign(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
        Ok(there) if !there.is_file() => return Ok(true),
        Ok(_) => {}
    }
    let mut start = [0; MAGIC.len()];
    let count = File::open(path)?.read_at(&mut start, 0)?;
    Ok(count > 0 && start != MAGIC)
}

/// Whether `other` is one of the files that a run with its log at `log` makes, renames or replaces,
/// whatever links lead there.
pub fn is_log_file(log: &Path, other: &Path) -> bool {
    let id = |path: &Path| fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    let (log, other_id, other) = (whole(log), id(other), whole(other));
    ["", ".new", ".old"]
        .map(|suffix| with_suffix(&log, suffix))
        .iter()
        .any(|file| whole(file) == other || other_id.is_some() && id(file) == other_id)
}

/// The path with links followed; of a file that is yet to come those of its folder.
fn whole(path: &Path) -> PathBuf {
    let in_its_folder = || {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or_else(|| Path::new(".")).canonicalize().ok()?;
        Some(folder.join(path.file_name()?))
    };
    path.canonicalize().ok().or_else(in_its_folder).unwrap_or_else(|| path.to_owned())
}

/// Whether `error` says that a run has the file.
pub(super) fn is_claimed(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(suffix);
    name.into()
}
