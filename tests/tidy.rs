//! The habits of the house, kept by a machine. `docs/ARCHITECTURE.md` says why; the floor table
//! and the owners of the dependencies are read from there. Every rule is tried on a sample that
//! breaks it before it is tried on the project.

#[path = "tidy/source.rs"]
mod source;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use source::{Source, block_len, body_at, first_word, is_word, words};

const LINE_COLUMNS_MAX: usize = 100;
const FUNCTION_LINES_MAX: usize = 70;
const FILE_LINES_MAX: usize = 600;

/// Ratchets: what may be longer than the rule, how long at most, and why. An entry that is no
/// longer needed is a fault, so the table can only shrink.
const EXCEPTIONS: &[Exception] = &[];

/// A file, or a function as `path:name`, that may have this many lines.
type Exception = (&'static str, usize, &'static str);

type Rule = fn(&House) -> Vec<String>;

/// What the rules look at: all Rust of the project, or the sample of a test.
struct House {
    sources: Vec<Source>,
    exceptions: Vec<Exception>,
    floors: BTreeMap<String, usize>,
    owners: BTreeMap<String, String>,
}

impl House {
    fn new(sources: Vec<Source>, exceptions: &[Exception]) -> Self {
        let architecture = read("docs/ARCHITECTURE.md");
        let floors = floors_in(floor_table(&architecture));
        let owners = owners_in(&architecture, &floors);
        Self { sources, exceptions: exceptions.to_vec(), floors, owners }
    }

    fn project() -> Self {
        let mut paths = Vec::new();
        for folder in ["src", "tests", "bench", "docs/examples", "fuzz"] {
            list(folder, &mut paths);
        }
        paths.retain(|path| path.ends_with(".rs"));
        assert!(paths.len() > 20, "the sources were not found: {paths:?}");
        Self::new(paths.iter().map(|path| Source::new(path, &read(path))).collect(), EXCEPTIONS)
    }

    fn sample(files: &[(&str, &str)]) -> Self {
        Self::new(files.iter().map(|(path, text)| Source::new(path, text)).collect(), &[])
    }

    fn library(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter().filter(|s| s.path.starts_with("src/") && !self.is_for_tests(&s.path))
    }

    /// Whether the file, or a folder above it, is declared under `#[cfg(test)]`.
    fn is_for_tests(&self, path: &str) -> bool {
        let Some((name, parent)) = declaration(path) else { return false };
        let line = format!("mod {name};");
        let declared = |s: &&Source| parent.contains(&s.path) && s.code.contains(&line);
        match self.sources.iter().find(declared) {
            Some(parent) => !parent.shipped.contains(&line) || self.is_for_tests(&parent.path),
            None => false,
        }
    }

    fn limit(&self, name: &str, usual: usize) -> usize {
        self.exceptions.iter().find(|e| e.0 == name).map_or(usual, |e| e.1)
    }
}

fn imports_go_down(house: &House) -> Vec<String> {
    let mut faults = Vec::new();
    let macros = exported_macros(house);
    for source in house.library() {
        let Some(module) = source.module() else { continue };
        let Some(&floor) = house.floors.get(module) else {
            faults.push(format!("{}:1: {module} is not in the floor table", source.path));
            continue;
        };
        for (at, name) in imports(source) {
            let name = macros.get(name).map_or(name, String::as_str);
            let at = source.at(at);
            match house.floors.get(name) {
                Some(_) if name == module => {}
                Some(&other) if other < floor => {}
                Some(&other) => faults.push(format!(
                    "{at}: {module} (floor {floor}) may not import {name} (floor {other})"
                )),
                None => faults.push(format!("{at}: {name} is not in the floor table")),
            }
        }
        for at in climbs(source) {
            let at = source.at(at);
            faults.push(format!("{at}: other modules are named by crate::, not by super::"));
        }
    }
    faults
}

/// Names that follow `crate::`, one by one.
fn imports(source: &Source) -> Vec<(usize, &str)> {
    let root = if source.path == "src/main.rs" { "onrush" } else { "crate" };
    let code = &source.shipped;
    let mut found = Vec::new();
    for at in words(code, root) {
        let Some(rest) = code[at + root.len()..].strip_prefix("::") else { continue };
        if !rest.starts_with('{') {
            found.push((at, first_word(rest)));
            continue;
        }
        let group = &rest[1..block_len(rest) - 1];
        let mut depth = 0;
        let top = group.split(|c| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            c == ',' && depth == 0
        });
        found.extend(top.map(|part| (at, first_word(part.trim()))).filter(|(_, n)| !n.is_empty()));
    }
    found
}

/// Macros live at the root wherever they are declared: name to module.
fn exported_macros(house: &House) -> BTreeMap<&str, String> {
    let mut macros = BTreeMap::new();
    for source in house.library() {
        for at in words(&source.shipped, "macro_rules") {
            let name = first_word(
                source.shipped[at + "macro_rules".len()..].trim_start_matches(['!', ' ']),
            );
            macros.insert(name, source.module().unwrap_or_default().to_owned());
        }
    }
    macros
}

/// Chains of `super::` that leave the module.
fn climbs(source: &Source) -> Vec<usize> {
    let code = &source.shipped;
    let leaves = |&at: &usize| {
        let chain = code[at..].split("::").take_while(|step| *step == "super").count();
        chain >= source.depth() + inline_modules(&code[..at])
    };
    let starts = words(code, "super").filter(|&at| !code[..at].ends_with("super::"));
    starts.filter(leaves).collect()
}

/// How many `mod name { ... }` are open at the end of `code`.
fn inline_modules(code: &str) -> usize {
    words(code, "mod")
        .filter_map(|at| body_at(&code[at..]).map(|body| at + body))
        .filter(|&body| code[body..].starts_with('{') && block_is_open(&code[body..]))
        .count()
}

fn block_is_open(code: &str) -> bool {
    let block = &code[..block_len(code)];
    block.matches('{').count() > block.matches('}').count()
}

fn unsafe_stays_in_sys(house: &House) -> Vec<String> {
    let fenced = |s: &&Source| s.path.starts_with("src/") && !s.path.starts_with("src/sys/");
    let found = |s: &Source| -> Vec<String> {
        words(&s.code, "unsafe").map(|at| format!("{}: unsafe outside src/sys", s.at(at))).collect()
    };
    house.sources.iter().filter(fenced).flat_map(found).collect()
}

fn globs_are_for_tests(house: &House) -> Vec<String> {
    let mut faults = Vec::new();
    for source in house.library() {
        // `$(...)::*` in a macro is a repetition.
        let globs = source.shipped.match_indices("::*").map(|(at, _)| at);
        for at in globs.filter(|&at| !source.shipped[..at].ends_with(')')) {
            faults.push(format!("{}: use of ::* hides where a name comes from", source.at(at)));
        }
    }
    faults
}

fn nothing_is_too_long(house: &House) -> Vec<String> {
    let mut faults = Vec::new();
    let mut needed = Vec::new();
    let mut judge = |name: &str, at: String, lines: usize, usual: usize| {
        let most = house.limit(name, usual);
        if lines > most {
            faults.push(format!("{at}: {name} has {lines} lines, {most} are allowed"));
        }
        if lines > usual {
            needed.push(name.to_owned());
        }
    };
    for source in &house.sources {
        judge(&source.path, source.at(0), source.text.lines().count(), FILE_LINES_MAX);
        for (at, name, lines) in functions(source) {
            let name = format!("{}:{name}", source.path);
            judge(&name, source.at(at), lines, FUNCTION_LINES_MAX);
        }
    }
    for (name, _, reason) in &house.exceptions {
        assert!(!reason.is_empty(), "{name}: an exception has a reason");
        if !needed.iter().any(|n| n == name) {
            faults.push(format!("{name}: the exception is no longer needed, remove it"));
        }
    }
    for source in &house.sources {
        for (i, line) in source.text.lines().enumerate() {
            let columns = line.chars().count();
            if columns > LINE_COLUMNS_MAX {
                let at = format!("{}:{}", source.path, i + 1);
                faults.push(format!("{at}: {columns} columns, {LINE_COLUMNS_MAX} are allowed"));
            }
        }
    }
    faults
}

/// Functions with a body: offset, name, lines.
fn functions(source: &Source) -> Vec<(usize, &str, usize)> {
    let code = &source.code;
    let mut found = Vec::new();
    for at in words(code, "fn") {
        let name = first_word(code[at + 2..].trim_start());
        let Some(body) = body_at(&code[at..]).map(|body| at + body) else { continue };
        if !name.is_empty() && code[body..].starts_with('{') {
            let end = body + block_len(&code[body..]);
            found.push((at, name, code[at..end].matches('\n').count() + 1));
        }
    }
    found
}

fn every_file_is_reachable(house: &House) -> Vec<String> {
    let mut faults = Vec::new();
    for source in house.sources.iter().filter(|s| s.path.starts_with("src/")) {
        let Some((name, parents)) = declaration(&source.path) else { continue };
        let line = format!("mod {name};");
        let declared = |s: &Source| parents.contains(&s.path) && s.code.contains(&line);
        if !house.sources.iter().any(declared) {
            faults.push(format!("{}:1: no `{line}` in {}", source.path, parents.join(" or ")));
        }
    }
    faults
}

/// The name under which a file of the library is declared, and the files that may do it.
fn declaration(path: &str) -> Option<(&str, Vec<String>)> {
    let inside = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let inside = inside.strip_suffix("/mod").unwrap_or(inside);
    match inside.rsplit_once('/') {
        Some((folder, name)) => {
            Some((name, vec![format!("src/{folder}/mod.rs"), format!("src/{folder}.rs")]))
        }
        None if matches!(inside, "lib" | "main") => None,
        None => Some((inside, vec!["src/lib.rs".to_owned()])),
    }
}

fn a_dependency_has_one_owner(house: &House) -> Vec<String> {
    let mut faults = Vec::new();
    for source in house.library() {
        let module = source.module().unwrap_or("lib.rs");
        for (name, owner) in house.owners.iter().filter(|(_, owner)| *owner != module) {
            let ident = name.replace('-', "_");
            for at in words(&source.shipped, &ident) {
                let (before, after) = (&source.shipped[..at], &source.shipped[at + ident.len()..]);
                let is_root = !before.ends_with("::") || before.ends_with(" ::");
                if is_root && (after.starts_with("::") || before.ends_with("use ")) {
                    let at = source.at(at);
                    faults.push(format!("{at}: {name} belongs to {owner}, not to {module}"));
                }
            }
        }
    }
    faults
}

fn only_cli_prints(house: &House) -> Vec<String> {
    let printers = ["print!", "println!", "eprint!", "eprintln!", "stdout()", "stderr()"];
    names_only_in(house, &["cli"], &printers, "printing is for cli")
}

fn only_clock_reads_time(house: &House) -> Vec<String> {
    let readers = ["Instant::now", "SystemTime::now", "clock_gettime", "_rdtsc", "__rdtscp"];
    names_only_in(house, &["clock", "sys"], &readers, "time is read in clock and handed in")
}

/// Faults for `names` outside of `modules`; a name may end in what makes it a call.
fn names_only_in(house: &House, modules: &[&str], names: &[&str], why: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for source in house.library().filter(|s| s.module().is_none_or(|m| !modules.contains(&m))) {
        for name in names {
            for (at, _) in source.shipped.match_indices(name) {
                if !source.shipped[..at].ends_with(is_word) {
                    faults.push(format!("{}: {name}: {why}", source.at(at)));
                }
            }
        }
    }
    faults
}

fn modules_have_a_subject(house: &House) -> Vec<String> {
    let empty = ["util", "utils", "common", "helper", "helpers", "misc"];
    let names_nothing = |path: &str| path.split(['/', '.']).any(|part| empty.contains(&part));
    let library = house.sources.iter().filter(|s| s.path.starts_with("src/"));
    library
        .filter(|s| names_nothing(&s.path))
        .map(|s| format!("{}:1: a module is named by its subject", s.path))
        .collect()
}

/// The block of ARCHITECTURE.md and floors.md that starts at the top floor.
fn floor_table(text: &str) -> &str {
    let start = text.find("5  main.rs").expect("a floor table that starts with '5  main.rs'");
    &text[start..start + text[start..].find("```").expect("the end of the floor table")]
}

fn floors_in(table: &str) -> BTreeMap<String, usize> {
    let mut floors = BTreeMap::new();
    for line in table.lines() {
        let mut words = line.split_whitespace();
        let floor = words.next().and_then(|number| number.parse().ok()).expect("a floor number");
        floors.extend(words.map(|name| (name.to_owned(), floor)));
    }
    floors
}

/// Rows of ARCHITECTURE.md like "| `argh` | `cli` | why |": dependency to owner.
fn owners_in(text: &str, floors: &BTreeMap<String, usize>) -> BTreeMap<String, String> {
    let mut owners = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(|cell| cell.trim_matches([' ', '`'])).collect();
        if !floors.contains_key(cells[1]) && floors.contains_key(cells[2]) {
            owners.insert(cells[1].to_owned(), cells[2].to_owned());
        }
    }
    owners
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    let bytes = fs::read(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Files under `folder`, sorted, without what builds and fuzzers leave behind.
fn list(folder: &str, paths: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(root().join(folder)) else { return };
    let mut entries: Vec<_> = entries.map(|entry| entry.expect("a readable folder")).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder == "." { name.clone() } else { format!("{folder}/{name}") };
        let skipped = ["target", ".git", "corpus", "artifacts"].contains(&name.as_str());
        match entry.file_type().expect("a file type") {
            _ if skipped => {}
            kind if kind.is_dir() => list(&path, paths),
            kind if kind.is_file() => paths.push(path),
            _ => {}
        }
    }
}

/// The rule finds `fault` in a sample that breaks it, and nothing in the project.
#[track_caller]
fn check(rule: Rule, bad: &[(&str, &str)], fault: &str) {
    let found = rule(&House::sample(bad));
    assert!(found.iter().any(|f| f.contains(fault)), "the sample gave {found:?}, not {fault}");
    let faults = rule(&House::project());
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// The rule finds nothing in a sample.
#[track_caller]
fn allows(rule: Rule, path: &str, text: &str) {
    assert_eq!(rule(&House::sample(&[(path, text)])), [""; 0]);
}

#[test]
fn a_module_imports_only_from_lower_floors() {
    let check = |path, text, fault| check(imports_go_down, &[(path, text)], fault);
    check(
        "src/log/reader.rs",
        "//! x\nuse crate::engine::Shard;",
        "src/log/reader.rs:2: log (floor 2) may not import engine (floor 3)",
    );
    check("src/log/x.rs", "use crate::{unit::Nanos, ring::Op};", "may not import ring (floor 2)");
    check("src/log/x.rs", "fn f() { crate::report::g() }", "may not import report (floor 3)");
    check("src/log/x.rs", "use crate::elsewhere::X;", "elsewhere is not in the floor table");
    check("src/attic.rs", "", "src/attic.rs:1: attic is not in the floor table");
    check("src/log/mod.rs", "use super::engine::X;", "named by crate::, not by super::");
    check("src/log/x.rs", "mod y { use super::super::super::engine::X; }", "by super::");
    let allows = |path, text| allows(imports_go_down, path, text);
    allows("src/log/x.rs", "use crate::{log::Y, sys::{a, b}}; use super::Z;");
    allows("src/log/mod.rs", "mod y { use super::Z; }");
    allows("src/log/x.rs", "// crate::engine\nconst X: &str = r#\"crate::\"engine\"#;");
    allows("src/log/x.rs", "#[cfg(test)]\n#[allow(x)]\nmod tests { use crate::engine::Shard; }");
    allows("src/unit/x.rs", "#[macro_export]\nmacro_rules! words { () => { $crate::unit::X } }");
}

#[test]
fn what_is_declared_for_tests_only_is_exempt_from_the_floors() {
    let above = ("src/log/fake.rs", "use crate::engine::Shard;");
    let house = House::sample(&[("src/log/mod.rs", "#[cfg(test)]\nmod fake;"), above]);
    assert_eq!(imports_go_down(&house), [""; 0]);
    let house = House::sample(&[("src/log/mod.rs", "mod fake;"), above]);
    assert_eq!(imports_go_down(&house).len(), 1);
}

#[test]
fn unsafe_is_fenced_into_sys() {
    let block = "fn f() { let _c = '\"'; unsafe { g() } }";
    check(unsafe_stays_in_sys, &[("src/ring/mod.rs", block)], "ring/mod.rs:1: unsafe outside");
    allows(unsafe_stays_in_sys, "src/sys/map.rs", block);
    allows(unsafe_stays_in_sys, "src/ring/mod.rs", "#![deny(unsafe_code)] /* unsafe */");
}

#[test]
fn nothing_is_imported_by_a_glob() {
    check(globs_are_for_tests, &[("src/log/x.rs", "use super::{a, b::*};")], "x.rs:1: use of ::*");
    allows(globs_are_for_tests, "src/log/x.rs", "#[cfg(test)] mod tests { use super::*; }");
}

#[test]
fn lines_functions_and_files_stay_short() {
    let check = |text: String, fault| {
        check(nothing_is_too_long, &[("src/log/x.rs", &text)], fault);
    };
    check(format!("// {}", "x".repeat(98)), "x.rs:1: 101 columns");
    check(format!("\nfn long() {{{}}}", "\n".repeat(70)), "x.rs:2: src/log/x.rs:long has 71 lines");
    check("\n".repeat(601), "x.rs:1: src/log/x.rs has 601 lines");
    let longest = format!("fn f(x: [u8; 2]) {{{}}}", "\n".repeat(69));
    allows(nothing_is_too_long, "src/log/x.rs", &longest);
}

#[test]
fn an_exception_is_bounded_and_goes_when_it_is_not_needed() {
    let faults = |lines| {
        let text = "\n".repeat(lines);
        let exceptions = [("src/log/x.rs", 650, "a table")];
        nothing_is_too_long(&House::new(vec![Source::new("src/log/x.rs", &text)], &exceptions))
    };
    assert_eq!(faults(650), [""; 0]);
    assert!(faults(651)[0].contains("651 lines, 650 are allowed"));
    assert!(faults(600)[0].contains("no longer needed"));
}

#[test]
fn every_source_file_is_part_of_the_crate() {
    let lib = ("src/lib.rs", "pub mod log;");
    let bad = [lib, ("src/log/mod.rs", "// mod lost;"), ("src/log/lost.rs", "")];
    check(every_file_is_reachable, &bad, "src/log/lost.rs:1: no `mod lost;`");
}

#[test]
fn a_dependency_is_used_by_its_owner_alone() {
    let check = |text, fault| {
        check(a_dependency_has_one_owner, &[("src/log/x.rs", text)], fault);
    };
    check("use io_uring::IoUring;", "io-uring belongs to sys, not to log");
    check("fn f() { libc::getpid(); }", "libc belongs to sys");
    check("use serde_json as json;", "serde_json belongs to report");
    allows(a_dependency_has_one_owner, "src/sys/x.rs", "use io_uring::IoUring;");
}

#[test]
fn the_manifest_and_the_table_of_dependencies_agree() {
    let manifest = read("Cargo.toml");
    let from = manifest.find("[dependencies]").expect("[dependencies]");
    let section = manifest[from..].lines().skip(1).take_while(|line| !line.starts_with('['));
    let mut declared: Vec<&str> =
        section.filter_map(|line| line.split_once('=')).map(|(name, _)| name.trim()).collect();
    declared.sort_unstable();
    let house = House::project();
    assert_eq!(declared, house.owners.keys().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn nothing_prints_outside_cli() {
    let check = |text, fault| check(only_cli_prints, &[("src/report/x.rs", text)], fault);
    check("fn f() { println!(\"x\") }", "println!: printing is for cli");
    check("fn f() { io::stderr().lock(); }", "stderr(): printing is for cli");
    allows(only_cli_prints, "src/cli/run.rs", "fn f() { println!() }");
}

#[test]
fn time_is_read_by_the_clock_alone() {
    let text = "fn f() { std::time::Instant::now(); }";
    check(only_clock_reads_time, &[("src/engine/x.rs", text)], "Instant::now: time is read in");
    allows(only_clock_reads_time, "src/clock/mod.rs", text);
}

#[test]
fn no_module_is_a_drawer_for_the_rest() {
    check(modules_have_a_subject, &[("src/log/util.rs", "")], "named by its subject");
    check(modules_have_a_subject, &[("src/helpers/mod.rs", "")], "named by its subject");
}

#[test]
fn the_floor_table_is_the_same_wherever_it_stands() {
    let (architecture, floors) = (read("docs/ARCHITECTURE.md"), read("docs/floors.md"));
    assert_eq!(floor_table(&architecture), floor_table(&floors));
    assert!(read("src/lib.rs").contains("#![doc = include_str!(\"../docs/floors.md\")]"));
    assert_eq!(floors_in("5  main.rs\n3  engine   report\n")["report"], 3);
}

/// Folders of somebody's machine, spelt in two parts so that this file is clean itself.
const MACHINE_FOLDERS: [&str; 3] =
    [concat!("/", "home/"), concat!("/", "root/"), concat!("/", "work/")];

/// `path:line` of every folder of a machine that `text` names.
fn machine_folders(path: &str, text: &str) -> Vec<String> {
    let named = |line: &str| {
        MACHINE_FOLDERS
            .iter()
            .any(|folder| line.match_indices(folder).any(|(at, _)| !line[..at].ends_with(is_word)))
    };
    let lines = text.lines().enumerate().filter(|(_, line)| named(line));
    lines.map(|(i, line)| format!("{path}:{}: {line}", i + 1)).collect()
}

#[test]
fn no_file_names_a_folder_of_somebodys_machine() {
    let bad = format!("fine\nsee {}alice/x", MACHINE_FOLDERS[0]);
    assert_eq!(machine_folders("x", &bad).len(), 1);
    let mut paths = Vec::new();
    list(".", &mut paths);
    paths.retain(|path| !path.contains("onrush.data"));
    let faults: Vec<String> = paths.iter().flat_map(|p| machine_folders(p, &read(p))).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}
