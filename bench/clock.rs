//! What one read of each clock costs.

use divan::{Bencher, black_box};
use onrush::clock::{Clock, KernelClock, Source};
use onrush::plan::ClockName;
use onrush::sys::tsc;

fn main() {
    divan::main();
}

#[divan::bench]
fn clock_tsc(bencher: Bencher<'_, '_>) {
    match Source::open(ClockName::Tsc).0 {
        Source::Tsc(calibrated) => {
            let clock = calibrated.clock();
            bencher.bench_local(|| black_box(clock.now()));
        }
        Source::Kernel(clock) => bencher.bench_local(|| black_box(clock.now())),
    }
}

#[divan::bench(args = &ClockName::ALL[1..])]
fn clock_kernel(bencher: Bencher<'_, '_>, name: &ClockName) {
    let clock = KernelClock::new(*name);
    bencher.bench_local(|| black_box(clock.now()));
}

#[divan::bench]
fn counter_fenced() -> u64 {
    tsc::read_fenced()
}
