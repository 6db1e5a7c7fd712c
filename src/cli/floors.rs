//! Where floors are kept from run to run: `$XDG_STATE_HOME/onrush`, a file for each machine.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::evidence::{Environment, Floor};
use crate::unit::Field;

/// The folder; `None` where neither XDG_STATE_HOME nor HOME says which.
pub(super) fn folder() -> Option<PathBuf> {
    folder_of(|name| env::var_os(name).map(PathBuf::from))
}

/// The floor of the machine that `environment` is of.
///
/// # Errors
/// There is one, and it cannot be read: what and why, with the cure.
pub(super) fn find(folder: &Path, environment: &Environment) -> Result<Option<Floor>, String> {
    let Some(host) = Floor::host_of(environment) else { return Ok(None) };
    let path = file_of(folder, &host);
    let cure =
        |why: String| format!("floor {}: {why}; onrush selftest measures it anew", path.display());
    match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(cure(error.to_string())),
        Ok(text) => match Floor::from_text(&text) {
            Ok(floor) => Ok(Some(floor).filter(|floor| floor.host == host)),
            Err(error) => Err(cure(error.to_string())),
        },
    }
}

/// Keeps `floor` in the place of what was kept for its machine, and says where.
///
/// # Errors
/// The folder cannot be made or the file not written.
pub(super) fn keep(folder: &Path, floor: &Floor) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let path = file_of(folder, &floor.host);
    // Nobody reads half a floor.
    let whole = path.with_extension("new");
    fs::write(&whole, floor.to_text())?;
    fs::rename(&whole, &path)?;
    Ok(path)
}

fn folder_of(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    // As the XDG base directory specification has it, a relative path is no path.
    let absolute = |name: &str| variable(name).filter(|path| path.is_absolute());
    absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .map(|state| state.join("onrush"))
}

/// The most characters of a machine's name in that of its file.
const NAME_MAX: usize = 200;

fn file_of(folder: &Path, host: &str) -> PathBuf {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    let name: String = host.chars().take(NAME_MAX).map(plain).collect();
    folder.join(format!("{name}.floor"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(state: Option<&str>, home: Option<&str>, expect: Option<&str>) {
        let found = folder_of(|name| match name {
            "XDG_STATE_HOME" => state.map(PathBuf::from),
            _ => home.map(PathBuf::from),
        });
        assert_eq!(found, expect.map(PathBuf::from));
    }

    #[test]
    fn the_folder_is_where_xdg_says() {
        check(Some("/s"), Some("/h"), Some("/s/onrush"));
        check(None, Some("/h"), Some("/h/.local/state/onrush"));
        check(Some(""), Some("/h"), Some("/h/.local/state/onrush"));
        check(Some("s"), Some("/h"), Some("/h/.local/state/onrush"));
        check(None, None, None);
    }

    #[test]
    fn a_floor_is_found_on_its_machine_and_nowhere_else() {
        let folder = env::temp_dir().join(format!("onrush-floors-{}", std::process::id()));
        let here = Environment {
            hostname: Some("lab1".into()),
            cpus_online: Some(2),
            kernel: Some("6.12 #1".into()),
            ..Environment::default()
        };
        let elsewhere = Environment { hostname: Some("lab2".into()), ..here.clone() };
        assert_eq!(find(&folder, &here), Ok(None));
        let floor = Floor { host: Floor::host_of(&here).unwrap(), ..Floor::default() };
        let path = keep(&folder, &floor).unwrap();
        assert_eq!(find(&folder, &here), Ok(Some(floor)));
        assert_eq!(find(&folder, &elsewhere), Ok(None));
        fs::write(&path, "host=x").unwrap();
        let broken = find(&folder, &here).unwrap_err();
        assert!(broken.contains("key 'tool_version' is missing; onrush selftest"), "{broken}");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn the_file_of_a_machine_has_a_plain_name() {
        let path = file_of(Path::new("/s"), "a/../b, 2 x C\u{e4}, Linux 6.1");
        assert_eq!(path, Path::new("/s/a-..-b--2-x-C---Linux-6.1.floor"));
    }
}
