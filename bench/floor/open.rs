//! The open loop: request k is due at `k / rate`, whatever the server does.

use std::collections::VecDeque;
use std::time::Instant;

use super::Counts;
use super::options::Options;
use super::ring::Bare;

/// Requests sent per look at the clock, so that a stamp is not older than a few sends take.
const SENDS_PER_LOOK: usize = 8;

/// Times are ns since the start.
struct Connection {
    intended: u64,
    idle_since: u64,
    missing: usize,
}

pub(crate) fn run(
    bare: &mut Bare,
    options: &Options,
    answer_bytes: usize,
) -> Result<Counts, String> {
    let end = (options.seconds * 1e9) as u64;
    let due_at = |k: u64| (u128::from(k) * 1_000_000_000 / u128::from(options.rate)) as u64;
    let expected = (options.seconds * options.rate as f64) as usize + 1;
    let mut counts = Counts {
        answered: 0,
        failed: 0,
        bytes: 0,
        response: resident(expected),
        lag: resident(expected),
    };
    let new = |_| Connection { intended: 0, idle_since: 0, missing: answer_bytes };
    let mut connections: Vec<_> = (0..options.connections).map(new).collect();
    let mut idle: VecDeque<u32> = (0..options.connections).collect();
    let (mut next, mut due) = (0, 0);
    let began = Instant::now();
    loop {
        let now = began.elapsed().as_nanos() as u64;
        if now >= end {
            break;
        }
        while let Some(heard) = bare.reap() {
            let connection = &mut connections[heard.slot as usize];
            if heard.result <= 0 && heard.result != -libc::ENOBUFS {
                return Err(format!("connection {} ended: {}", heard.slot, heard.result));
            }
            let came = heard.result.max(0) as usize;
            counts.bytes += came as u64;
            connection.missing = connection.missing.saturating_sub(came);
            let is_whole = connection.missing == 0;
            if is_whole {
                counts.answered += 1;
                counts.response.push(nanos(now - connection.intended));
                connection.missing = answer_bytes;
                connection.idle_since = now;
                idle.push_back(heard.slot);
            }
            let is_armed = heard.more || (is_whole && !options.shares_buffers());
            if !is_armed {
                bare.push_receive(heard.slot);
            }
        }
        for _ in 0..SENDS_PER_LOOK {
            if due > now {
                break;
            }
            let Some(slot) = idle.pop_front() else { break };
            let connection = &mut connections[slot as usize];
            connection.intended = due;
            counts.lag.push(nanos(now - due.max(connection.idle_since)));
            bare.push_request(slot);
            next += 1;
            due = due_at(next);
        }
        if options.on_flag { bare.enter_on_flag() } else { bare.enter() }?;
    }
    counts.response.sort_unstable();
    counts.lag.sort_unstable();
    Ok(counts)
}

/// Room for `count` samples whose pages are there.
fn resident(count: usize) -> Vec<u32> {
    let mut samples = vec![1; count];
    samples.clear();
    samples
}

/// Four seconds at most, which is beyond what matters here.
fn nanos(length: u64) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
