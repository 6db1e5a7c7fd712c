//! The `onrush` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    onrush::cli::main(std::env::args_os().skip(1)).into()
}
