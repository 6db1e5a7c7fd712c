//! The HTML report as a browser sees it. Needs Chromium (tools/setup --browser installs it, .ci
//! does); without it the tests say so, loudly, and pass.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use support::Folder;
use support::run::{Ended, Run, run};
use support::server::Server;

/// A run of 400 sessions on two shards, as HTML.
fn page(folder: &Folder) -> (Ended, String) {
    let server = Server::onrush("http", &["--delay", "1ms"]);
    let args = ["-R", "1k", "-P", "random", "-n", "400", "-c", "20", &server.url("/?a=<b>")];
    let measured = run(&args);
    let report = Run::bare(&["report", "--format", "html", measured.log().to_str().unwrap()]);
    let report = report.ended();
    assert_eq!(report.code(), Some(0), "{}", report.stderr);
    folder.write("page.html", &report.stdout);
    (measured, report.stdout)
}

/// What Chromium says to `args` and the page; `None` where it is not installed.
fn chromium(folder: &Folder, page: &str, args: &[&str]) -> Option<String> {
    let mut command = Command::new("chromium");
    command.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]);
    command.args(["--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND"]);
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    command.arg(profile).args(args).arg(format!("file://{}", folder.join(page).display()));
    match command.current_dir(folder.path()).output() {
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Some(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Err(error) => {
            // Not by the macro, whose words are kept from those whose tests pass.
            let mut stderr = std::io::stderr();
            let _ = writeln!(stderr, "*** SKIPPED: no chromium ({error}); tools/setup --browser");
            assert!(std::env::var_os("ONRUSH_BROWSER").is_none(), "a browser was promised");
            None
        }
    }
}

/// The count of different colours in a PNG is beyond us; that something was drawn is its size.
fn check_screenshot(path: &Path) {
    let bytes = fs::read(path).unwrap();
    assert!(bytes.starts_with(b"\x89PNG\r\n"));
    assert!(bytes.len() > 50_000, "{} bytes", bytes.len());
}

#[test]
fn a_browser_shows_the_page() {
    let folder = Folder::new();
    page(&folder);
    let shot = ["--screenshot=page.png", "--window-size=1200,3600"];
    if chromium(&folder, "page.html", &shot).is_some() {
        check_screenshot(&folder.join("page.png"));
    }
}

/// Presses a heading of the first table twice, and writes what the column holds each time, and
/// what went wrong on the page, where the test finds it.
const PRESS: &str = r#"
<script>
  const faults = [];
  addEventListener("error", (event) => faults.push(event.message));
  addEventListener("securitypolicyviolation", (event) => faults.push(event.blockedURI));
  addEventListener("load", () => {
    const button = document.querySelectorAll("th button")[8];
    const column = () => [...document.querySelectorAll("table")[0].tBodies[0].rows]
      .map((row) => row.cells[8].dataset.value);
    const seen = [0, 1].map(() => { button.click(); return column().join(","); });
    const boxes = [...document.querySelectorAll("svg")].map((svg) => svg.getBoundingClientRect());
    const drawn = boxes.filter((box) => box.width > 500 && box.height > 200).length;
    document.title = `pressed:${seen.join(";")}:${drawn}:${faults.join(",")}:`;
  });
</script></head>"#;

#[test]
fn tables_are_sorted_by_a_press_on_a_heading() {
    let folder = Folder::new();
    let (_, page) = page(&folder);
    folder.write("pressed.html", page.replacen("</head>", PRESS, 1));
    let Some(dom) = chromium(&folder, "pressed.html", &["--dump-dom"]) else { return };
    let pressed = dom.split("pressed:").nth(1).unwrap_or_else(|| panic!("no script ran: {dom}"));
    let [columns, drawn, faults] = pressed.splitn(4, ':').collect::<Vec<_>>()[..3] else {
        panic!("{pressed}")
    };
    let numbers = |column: &str| -> Vec<u64> {
        column.split(',').map(|number| number.parse().unwrap()).collect()
    };
    let (up, down) = columns.split_once(';').unwrap();
    let (up, down) = (numbers(up), numbers(down));
    assert!(up.len() > 3 && up.is_sorted() && up.first() < up.last(), "{up:?}");
    assert!(down.is_sorted_by(|a, b| a >= b) && down.len() == up.len(), "{down:?}");
    assert_eq!((drawn, faults), ("5", ""), "every picture is there, and nothing went wrong");
}
