//! Pictures from a log to images, by gnuplot, which tools/setup installs.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use support::Folder;
use support::run::{Ended, run};
use support::server::Server;

/// A log that a kill cut off: two requests.
const LOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/log/v1_cut_in_a_chunk");

/// Pictures of one log.
const PICTURES: [&str; 6] =
    ["percentiles", "distribution", "heat-map", "timeline", "lifetimes", "lag"];

/// A run of 300 fresh sessions.
fn measured() -> Ended {
    let server = Server::onrush("http", &["--delay", "1ms"]);
    run(&["-R", "1k", "-P", "rush:50ms", "-n", "300", "-c", "20", "-f", &server.url("/")])
}

fn plot(folder: &Folder, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onrush"));
    command.arg("plot").args(args).current_dir(folder.path()).output().unwrap()
}

#[track_caller]
fn done(output: &Output) -> Vec<String> {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*said), (Some(0), ""), "tools/setup installs gnuplot");
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(str::to_owned).collect()
}

/// Whether these are the bytes of an image in which something is drawn.
fn is_image(bytes: &[u8], image: &str) -> bool {
    let text = String::from_utf8_lossy(bytes);
    match image {
        "png" => bytes.starts_with(b"\x89PNG\r\n") && bytes.len() > 10_000,
        "svg" => text.contains("</svg>") && text.matches("<path").count() > 10,
        "pdf" => bytes.starts_with(b"%PDF") && bytes.len() > 4_000,
        _ => false,
    }
}

#[track_caller]
fn check_images(folder: &Path, names: &[&str], image: &str) {
    for name in names {
        let bytes = fs::read(folder.join(format!("{name}.{image}"))).unwrap();
        assert!(is_image(&bytes, image), "{name}.{image} has {} bytes", bytes.len());
    }
}

#[test]
fn every_picture_of_a_log_is_drawn_in_every_format() {
    let folder = Folder::new();
    let run = measured();
    let log = run.log();
    for image in ["svg", "png", "pdf"] {
        let files = done(&plot(&folder, &["--image", image, "-o", "out", log.to_str().unwrap()]));
        assert_eq!(files.len(), 3 * PICTURES.len(), "{files:?}");
        assert!(files.iter().all(|file| folder.join(file).is_file()));
        check_images(&folder.join("out"), &PICTURES, image);
    }
}

#[test]
fn several_logs_are_compared() {
    let folder = Folder::new();
    fs::copy(LOG, folder.join("again.data")).unwrap();
    let files = done(&plot(&folder, &[LOG, "again.data"]));
    let expect = ["dat", "gp", "svg"].map(|end| format!("onrush.plots/compare.{end}"));
    assert_eq!(files, expect);
    check_images(&folder.join("onrush.plots"), &["compare"], "svg");
}

#[test]
fn a_script_draws_the_same_bytes_wherever_its_folder_lies() {
    let folder = Folder::new();
    done(&plot(&folder, &["-o", "here", LOG]));
    fs::rename(folder.join("here"), folder.join("there")).unwrap();
    done(&plot(&folder, &["-o", "here", "--image", "none", LOG]));
    for name in PICTURES {
        let read = |place: &str, end: &str| {
            fs::read(folder.join(&format!("{place}/{name}.{end}"))).unwrap()
        };
        assert!(read("here", "gp") == read("there", "gp"), "{name}.gp");
        assert!(read("here", "dat") == read("there", "dat"), "{name}.dat");
        let drawn = read("there", "svg");
        let mut gnuplot = Command::new("gnuplot");
        gnuplot.arg(format!("{name}.gp")).current_dir(folder.join("there"));
        assert!(gnuplot.status().unwrap().success(), "{name}");
        assert!(read("there", "svg") == drawn, "{name}.svg");
    }
}

#[test]
fn without_gnuplot_there_are_scripts_and_a_notice() {
    let folder = Folder::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_onrush"));
    let output =
        command.args(["plot", "--only", "lag", LOG]).env("PATH", "").current_dir(folder.path());
    let output = output.output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no gnuplot here") && said.contains("gnuplot-nox"), "{said}");
    assert!(folder.join("onrush.plots/lag.gp").is_file());
    assert!(!folder.join("onrush.plots/lag.svg").exists());
}

#[test]
fn what_cannot_be_drawn_is_told_in_a_line() {
    let folder = Folder::new();
    folder.write("file", "in the way");
    for (args, expect) in [
        (["-o", "file", LOG], "file: "),
        (["-o", "out", "missing.data"], "'missing.data': "),
        (["-o", "out", "file"], "'file'"),
    ] {
        let output = plot(&folder, &args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(expect) && said.lines().count() == 1, "{said}");
    }
}
