//! The answers of a server, against what the client makes of them.
#![no_main]

#[path = "../http.rs"]
#[allow(dead_code, reason = "each target uses its half")]
mod http;

libfuzzer_sys::fuzz_target!(|data: &[u8]| http::check_responses(data));
