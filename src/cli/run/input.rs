//! Files that a line names to be read: `@FILE`, and `@-` for stdin.

use std::fs::{self, File};
use std::io::{self, Read};

/// Reads the file `name`, or stdin where that is `-`, of at most `bytes_max` bytes.
///
/// # Errors
/// Why it cannot be read, and the rule that it breaks.
pub(super) fn read_at_most(name: &str, bytes_max: u64) -> Result<Vec<u8>, String> {
    if name == "-" {
        return read_all(io::stdin().lock(), bytes_max);
    }
    let cannot = |error: io::Error| format!("{error}: it is a file to read, or - for stdin");
    // To open a pipe would block, and a device may have no end.
    if !fs::metadata(name).map_err(cannot)?.is_file() {
        return Err("it is not a regular file: name one, or pipe it in as @-".into());
    }
    read_all(File::open(name).map_err(cannot)?, bytes_max)
}

fn read_all(from: impl Read, bytes_max: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    from.take(bytes_max + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    match bytes.len() as u64 > bytes_max {
        true => Err(format!("it has more than {bytes_max} bytes: at most so many are taken")),
        false => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_end_is_not_read() {
        for name in ["/dev/zero", "/dev/full", "/"] {
            let why = read_at_most(name, 10).unwrap_err();
            assert!(why.contains("not a regular file"), "{name}: {why}");
        }
        let endless = read_all(io::repeat(7), 10).unwrap_err();
        assert!(endless.contains("more than 10 bytes"), "{endless}");
        assert_eq!(read_all(&[7; 10][..], 10).unwrap().len(), 10);
        assert!(read_at_most("/no/such/file", 10).unwrap_err().contains("- for stdin"));
    }
}
