//! Messages of Channel Access, of either end.
#![no_main]

#[path = "../ca.rs"]
mod ca;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    ca::check_messages(data);
});
