//! Any bytes as a log.
#![no_main]

#[path = "../log.rs"]
mod log;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    log::check_log(data);
});
