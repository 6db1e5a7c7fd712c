//! A pvAccess stream, however it is cut.
#![no_main]

#[path = "../pva.rs"]
mod pva;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let piece = data.first().map_or(1, |&first| usize::from(first));
    pva::check(data, piece);
});
