//! The fuzz targets on their seeds, so that what a fuzzer once found stays mended: an input that
//! broke something goes into `tests/data/` under a name that says what it is.

use std::fs;

#[path = "../fuzz/src/ca.rs"]
mod ca;
#[path = "../fuzz/src/http.rs"]
mod http;
#[path = "../fuzz/src/log.rs"]
mod log;
#[path = "../fuzz/src/pva.rs"]
mod pva;

#[test]
fn http_seeds_read_the_same_however_they_are_cut() {
    let mut seeds = 0;
    for entry in fs::read_dir("tests/data/http").unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        http::check_responses(&bytes);
        http::check_requests(&bytes);
        seeds += 1;
    }
    assert!(seeds > 0, "no seeds");
}

#[test]
fn pva_seeds_read_the_same_however_they_are_cut() {
    let mut seeds = 0;
    for entry in fs::read_dir("tests/data/pva").unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        [1, 7, 64, 4096].into_iter().for_each(|piece| pva::check(&bytes, piece));
        seeds += 1;
    }
    assert!(seeds > 0, "no seeds");
}

#[test]
fn log_seeds_read_to_the_end_or_are_refused() {
    let records = |name: &str| log::check_log(&fs::read(format!("tests/data/log/{name}")).unwrap());
    let whole = records("v1.data");
    assert!(whole > 0);
    assert!((1..whole).contains(&records("v1_cut_in_a_chunk")));
    assert_eq!(records("v1_cut_in_the_header"), 0);
    assert_eq!(records("version_of_the_future"), 0);
}

#[test]
fn channel_access_seeds_mean_the_same_when_written_again() {
    let messages =
        |name: &str| ca::check_messages(&fs::read(format!("tests/data/ca/{name}")).unwrap());
    assert!(messages("session_requests") > 60);
    assert!(messages("session_replies") > 60);
    for probes in ["probes_requests", "probes_replies", "nameserver_requests", "nameserver_replies"]
    {
        assert!(messages(probes) > 0, "{probes}");
    }
    assert_eq!(messages("extended_cut"), 0);
    assert_eq!(messages("not_padded"), 0);
}
