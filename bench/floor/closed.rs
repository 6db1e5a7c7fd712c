//! Closed loops: a connection's next request goes out when its answer is whole.

use std::time::{Duration, Instant};

use super::Counts;
use super::options::{Mode, Options};
use super::ring::Bare;

pub(crate) fn run(
    bare: &mut Bare,
    options: &Options,
    answer_bytes: usize,
) -> Result<Counts, String> {
    let mut counts = Counts { answered: 0, failed: 0, bytes: 0, response: vec![], lag: vec![] };
    let mut missing = vec![answer_bytes; options.connections as usize];
    let until = Instant::now() + Duration::from_secs_f64(options.seconds);
    (0..options.connections).for_each(|slot| bare.push_request(slot));
    while Instant::now() < until {
        bare.enter_and_wait(options.want, options.min_wait_us)?;
        while let Some(heard) = bare.reap() {
            let missing = &mut missing[heard.slot as usize];
            if heard.result > 0 {
                counts.bytes += heard.result as u64;
                *missing = missing.saturating_sub(heard.result as usize);
            } else if heard.result != -libc::ENOBUFS {
                counts.failed += 1;
                if options.mode != Mode::Fresh {
                    return Err(format!("connection {} ended: {}", heard.slot, heard.result));
                }
                *missing = answer_bytes;
                bare.push_request(heard.slot);
                continue;
            }
            let is_whole = *missing == 0;
            if is_whole {
                counts.answered += 1;
                *missing = answer_bytes;
                bare.push_request(heard.slot);
            }
            let is_armed = heard.more || (is_whole && !options.shares_buffers());
            if !is_armed {
                bare.push_receive(heard.slot);
            }
        }
    }
    Ok(counts)
}
