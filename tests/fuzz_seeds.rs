//! The fuzz targets on their seeds, so that what a fuzzer once found stays mended: an input that
//! broke something goes into `tests/data/` under a name that says what it is.

use std::fs;

#[path = "../fuzz/src/http.rs"]
mod http;

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
