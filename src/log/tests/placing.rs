//! Where a log lies before, while and after its run, and what it must not harm there.

use super::header::MAGIC;
use super::*;

#[test]
fn an_older_log_is_set_aside_once() {
    let scratch = Scratch::new("old");
    let file = scratch.file();
    for text in ["first", "second", "third"] {
        let (keeper, writers) = create(&file, &plan(1), &environment()).unwrap();
        drop(writers);
        keeper.finish(text).unwrap();
    }
    let old = scratch.0.join("onrush.data.old");
    assert_eq!(Reader::open(&file).unwrap().trailer(), Some("third"));
    assert_eq!(Reader::open(&old).unwrap().trailer(), Some("second"));
    assert_eq!(scratch.files(), 2);
}

#[test]
fn a_run_that_never_begins_leaves_everything_as_it_was() {
    let scratch = Scratch::new("never");
    let old = scratch.0.join("onrush.data.old");
    let (good, older) = (ended("never-good"), [&MAGIC[..], b"older"].concat());
    fs::write(scratch.file(), &good).unwrap();
    fs::write(&old, &older).unwrap();
    for _ in 0..2 {
        let (mut keeper, _writers) = create(&scratch.file(), &plan(1), &environment()).unwrap();
        keeper.start(EPOCH, WALL_NS);
        assert!(scratch.beside().exists());
    }
    assert_eq!(fs::read(scratch.file()).unwrap(), good);
    assert_eq!(fs::read(old).unwrap(), older);
    assert_eq!(scratch.files(), 2);
}

#[test]
fn a_log_that_another_run_writes_is_left_alone() {
    #[track_caller]
    fn check_refused(scratch: &Scratch) {
        let message = create(&scratch.file(), &plan(1), &environment()).unwrap_err().to_string();
        assert!(message.contains("another run"), "{message}");
        assert_eq!(scratch.files(), 1);
    }
    let scratch = Scratch::new("use");
    let (mut keeper, writers) = create(&scratch.file(), &plan(1), &environment()).unwrap();
    check_refused(&scratch);
    keeper.take_place().unwrap();
    check_refused(&scratch);
    drop(writers);
    keeper.finish("first").unwrap();
    assert_eq!(Reader::open(&scratch.file()).unwrap().trailer(), Some("first"));
    assert!(create(&scratch.file(), &plan(1), &environment()).is_ok(), "it is free again");
}

#[test]
fn of_runs_that_start_at_once_one_gets_the_log() {
    let scratch = Scratch::new("at-once");
    let file = scratch.file();
    for _ in 0..20 {
        let begin = || {
            let (mut keeper, writers) = create(&file, &plan(1), &environment())?;
            keeper.take_place().map(|()| (keeper, writers))
        };
        let runs: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(begin)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let refused = runs.iter().filter_map(|run| run.as_ref().err());
        assert_eq!(refused.filter(|error| matches!(error, LogError::InUse(_))).count(), 3);
        assert_eq!(Reader::open(&file).unwrap().state(), State::Running);
    }
    assert_eq!(scratch.files(), 2);
}

#[test]
fn what_a_run_killed_before_it_began_left_is_taken_over() {
    let scratch = Scratch::new("left");
    let (keeper, writers) = create(&scratch.file(), &plan(1), &environment()).unwrap();
    let made = fs::read(scratch.beside()).unwrap();
    drop((keeper, writers));
    let mut half = made.clone();
    half[..8].fill(0);
    for left in [made, half, vec![]] {
        fs::write(scratch.beside(), left).unwrap();
        let (keeper, writers) = create(&scratch.file(), &plan(1), &environment()).unwrap();
        drop(writers);
        keeper.finish("").unwrap();
        check_nothing_but_a_log(&scratch);
    }
}

#[track_caller]
fn check_nothing_but_a_log(scratch: &Scratch) {
    assert_eq!(Reader::open(&scratch.file()).unwrap().state(), State::Ended);
    assert!(!scratch.beside().exists());
}

#[test]
fn what_else_lies_beside_the_log_is_not_lost() {
    let scratch = Scratch::new("else");
    for content in [b"a letter".to_vec(), ended("else-log")] {
        fs::write(scratch.beside(), &content).unwrap();
        check_in_the_way(&scratch);
        assert_eq!(fs::read(scratch.beside()).unwrap(), content);
    }
    fs::remove_file(scratch.beside()).unwrap();
    std::os::unix::fs::symlink("/nowhere", scratch.beside()).unwrap();
    check_in_the_way(&scratch);
}

#[track_caller]
fn check_in_the_way(scratch: &Scratch) {
    let message = create(&scratch.file(), &plan(1), &environment()).unwrap_err().to_string();
    assert!(message.contains("onrush.data.new' is in the way"), "{message}");
}

#[test]
fn only_a_regular_file_is_set_aside() {
    let scratch = Scratch::new("regular");
    let dangling = scratch.0.join("dangling");
    std::os::unix::fs::symlink("/nowhere", &dangling).unwrap();
    for path in [scratch.0.clone(), PathBuf::from("/dev/null"), dangling] {
        let message = create(&path, &plan(1), &environment()).unwrap_err().to_string();
        assert!(message.contains("not a regular file"), "{message}");
    }
    let link = scratch.0.join("link");
    let old = ended("regular-old");
    fs::write(scratch.file(), &old).unwrap();
    std::os::unix::fs::symlink(scratch.file(), &link).unwrap();
    let (mut keeper, _writers) = create(&link, &plan(1), &environment()).unwrap();
    keeper.take_place().unwrap();
    assert!(link.is_symlink(), "a link stays one");
    assert_eq!(fs::read(scratch.0.join("onrush.data.old")).unwrap(), old);
}

#[test]
fn what_is_no_log_is_neither_set_aside_nor_replaced() {
    let scratch = Scratch::new("foreign");
    let old = scratch.0.join("onrush.data.old");
    for path in [scratch.file(), old.clone()] {
        fs::write(&path, "notes").unwrap();
        let message = create(&scratch.file(), &plan(1), &environment()).unwrap_err().to_string();
        assert!(message.contains(&format!("'{}' is no log", path.display())), "{message}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "notes");
        assert_eq!(scratch.files(), 1);
        fs::remove_file(&path).unwrap();
    }
    std::os::unix::fs::symlink("/nowhere", &old).unwrap();
    assert!(create(&scratch.file(), &plan(1), &environment()).is_err(), "nor is a link");
    fs::remove_file(old).unwrap();
    fs::write(scratch.file(), "").unwrap();
    assert!(create(&scratch.file(), &plan(1), &environment()).is_ok(), "as mktemp leaves it");
}

#[test]
fn the_files_of_a_log_are_known_whatever_leads_there() {
    let scratch = Scratch::new("meet");
    let folder = scratch.0.join("folder");
    fs::create_dir(&folder).unwrap();
    let roundabout = |name: &str| folder.join("..").join(name);
    for name in ["onrush.data", "onrush.data.new", "onrush.data.old"] {
        assert!(is_log_file(&scratch.file(), &roundabout(name)), "{name}");
    }
    assert!(!is_log_file(&scratch.file(), &roundabout("onrush.json")));
    fs::write(scratch.file(), "").unwrap();
    let (link, hard) = (scratch.0.join("link"), scratch.0.join("hard"));
    std::os::unix::fs::symlink(scratch.file(), &link).unwrap();
    fs::hard_link(scratch.file(), &hard).unwrap();
    assert!(is_log_file(&link, &scratch.beside()), "the log lies where the link leads");
    assert!(is_log_file(&scratch.file(), &link) && is_log_file(&scratch.file(), &hard));
}
