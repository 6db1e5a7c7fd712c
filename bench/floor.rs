//! The yardstick: how fast this machine's kernel lets one thread do the work at all.
//!
//! A bare io_uring client: no parser (it counts the bytes of an answer whose length it learnt
//! beforehand), no log, no histogram, and no schedule but in the open mode. What Onrush adds is
//! the ratio of the two in one run. Talks to 127.0.0.1 only.
//!
//! ```text
//! cargo bench --bench floor -- --url-port 8080 --mode kept --connections 64 --seconds 4
//! ```
//! One line of JSON on stdout; without a port it loads a small target of its own.

#![allow(unsafe_code, reason = "the yardstick drives the ring with nothing in between")]
#![allow(clippy::disallowed_methods, reason = "a yardstick takes time by itself")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program of its own")]

#[path = "floor/closed.rs"]
mod closed;
#[path = "floor/open.rs"]
mod open;
#[path = "floor/options.rs"]
mod options;
#[path = "floor/ring.rs"]
mod ring;
#[path = "floor/target.rs"]
mod target;

use std::process::ExitCode;
use std::time::Instant;

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use options::{Mode, Options};
use ring::Bare;

fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("floor: {message}");
            return ExitCode::from(2);
        }
    };
    let done = if options.smoke { smoke(&options) } else { measure(&options).map(print) };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("floor: {message}");
            ExitCode::FAILURE
        }
    }
}

fn print(line: String) {
    println!("{line}");
}

/// Every mode for a moment, against a target of its own.
fn smoke(options: &Options) -> Result<(), String> {
    for mode in [Mode::Kept, Mode::Fresh, Mode::Recycle, Mode::Open] {
        let options = Options { mode, seconds: 0.2, connections: 4, rate: 500, ..options.clone() };
        let options = options.check()?;
        print(measure(&options)?);
    }
    Ok(())
}

/// Runs as told and gives the line to print.
fn measure(options: &Options) -> Result<String, String> {
    let own = match options.port {
        Some(_) => None,
        None => Some(target::spawn().map_err(|e| format!("no target of our own: {e}"))?),
    };
    let port = options.port.or(own).expect("one of the two is there");
    if let Some(cpu) = options.cpu {
        onrush::sys::cpu::pin_to(cpu).map_err(|e| format!("CPU {cpu}: {e}"))?;
    }
    let request = target::request(&options.path, options.says_close());
    let answer_bytes = target::answer_bytes(port, &request)?;
    let mut bare = Bare::open(options, port, request)?;
    bare.connect_all(options)?;
    let before = Charge::now();
    let began = Instant::now();
    let counts = match options.mode {
        Mode::Open => open::run(&mut bare, options, answer_bytes),
        _ => closed::run(&mut bare, options, answer_bytes),
    }?;
    let seconds = began.elapsed().as_secs_f64();
    let charge = Charge::now().since(before);
    if counts.answered == 0 {
        return Err(format!("nothing was answered in {seconds:.1} s"));
    }
    Ok(line(options, &counts, seconds, charge, bare.enters()))
}

/// What a mode yields.
pub(crate) struct Counts {
    pub(crate) answered: u64,
    pub(crate) failed: u64,
    pub(crate) bytes: u64,
    /// Sorted, in ns; empty in a closed loop.
    pub(crate) response: Vec<u32>,
    pub(crate) lag: Vec<u32>,
}

/// What the kernel charged this thread, in us.
#[derive(Clone, Copy)]
struct Charge {
    user: i64,
    sys: i64,
}

impl Charge {
    fn now() -> Self {
        let usage: Usage = getrusage(UsageWho::RUSAGE_THREAD).expect("it takes this argument");
        Self {
            user: usage.user_time().num_microseconds(),
            sys: usage.system_time().num_microseconds(),
        }
    }

    fn since(self, before: Self) -> Self {
        Self { user: self.user - before.user, sys: self.sys - before.sys }
    }
}

fn line(options: &Options, counts: &Counts, seconds: f64, charge: Charge, enters: u64) -> String {
    let answered = counts.answered as f64;
    format!(
        "{{\"tool\":\"floor\",\"mode\":\"{:?}\",\"receive\":\"{:?}\",\"connections\":{},\
         \"seconds\":{seconds:.3},\"requests\":{},\"failed\":{},\"per_s\":{:.1},\
         \"mb_per_s\":{:.2},\"user_us\":{:.4},\"sys_us\":{:.4},\"enters_per_request\":{:.4},\
         \"response_ns\":{},\"lag_ns\":{}}}",
        options.mode,
        options.receive,
        options.connections,
        counts.answered,
        counts.failed,
        answered / seconds,
        counts.bytes as f64 / 1e6 / seconds,
        charge.user as f64 / answered,
        charge.sys as f64 / answered,
        enters as f64 / answered,
        spectrum(&counts.response),
        spectrum(&counts.lag),
    )
}

fn spectrum(sorted: &[u32]) -> String {
    let Some(max) = sorted.last() else { return "null".to_owned() };
    let at = |quantile: f64| sorted[((sorted.len() - 1) as f64 * quantile).round() as usize];
    let (p50, p90, p99, p99_9) = (at(0.5), at(0.9), at(0.99), at(0.999));
    format!(
        "{{\"count\":{},\"p50\":{p50},\"p90\":{p90},\"p99\":{p99},\"p99_9\":{p99_9},\
         \"max\":{max}}}",
        sorted.len()
    )
}
