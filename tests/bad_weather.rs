//! `docs/bad-weather.md` names tests: each of them is there, and no bad weather is left out.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeSet;
use std::fs;

/// All tests of these are about bad weather; of other files the page names some.
const WHOLE: [&str; 6] = ["hostile", "old_servers", "signals", "flags", "kills", "logs"];

/// What stands in backticks as `module::name`.
fn named(page: &str) -> BTreeSet<&str> {
    let quoted = page.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    quoted.filter(|word| word.contains("::")).collect()
}

/// The names of the tests in a source.
fn tests_in(source: &str) -> BTreeSet<&str> {
    let after = source.split("#[test]\n").skip(1);
    after.map(|rest| rest.split_once("fn ").unwrap().1.split('(').next().unwrap()).collect()
}

/// The source of an integration test, or else of a module of the library.
fn source_of(module: &str) -> String {
    let path = module.replace("::", "/");
    let found = ["tests", "src"].map(|folder| fs::read_to_string(format!("{folder}/{path}.rs")));
    found.into_iter().find_map(Result::ok).unwrap_or_default()
}

#[test]
fn every_test_that_the_page_names_is_there() {
    let page = fs::read_to_string("docs/bad-weather.md").unwrap();
    let lost: Vec<_> = named(&page)
        .into_iter()
        .filter(|test| {
            let (module, name) = test.rsplit_once("::").unwrap();
            !tests_in(&source_of(module)).contains(name)
        })
        .collect();
    assert!(lost.is_empty(), "no such test: {lost:#?}");
}

#[test]
fn every_test_of_bad_weather_is_on_the_page() {
    let page = fs::read_to_string("docs/bad-weather.md").unwrap();
    for module in WHOLE {
        let source = source_of(module);
        let tests = tests_in(&source);
        assert!(!tests.is_empty(), "{module} has no tests");
        for test in tests {
            let test = format!("{module}::{test}");
            assert!(named(&page).contains(&*test), "docs/bad-weather.md does not name {test}");
        }
    }
}
