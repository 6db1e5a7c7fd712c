//! SIGINT and SIGTERM as words in memory: the handler counts, the main thread looks.
//!
//! The static words are the one place where the process keeps global state: a signal handler can
//! reach nothing else.

use std::io;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, sigaction};

/// The first signal that came, 0 for none.
static FIRST: AtomicI32 = AtomicI32::new(0);
/// Signals that came.
static COUNT: AtomicU32 = AtomicU32::new(0);

const CAUGHT: [Signal; 2] = [Signal::SIGINT, Signal::SIGTERM];

/// What the user asks for by signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Nothing: go on.
    Nothing,
    /// One signal, this one: end well, drain first.
    Drain(i32),
    /// More than one, this one first: end now.
    Quit(i32),
}

/// From here on SIGINT and SIGTERM end nothing by themselves; [`asked`] tells of them. They break
/// off a sleep of the thread that they reach.
///
/// # Errors
/// The kernel's own.
pub fn catch() -> io::Result<()> {
    let action = SigAction::new(SigHandler::Handler(on_signal), SaFlags::empty(), SigSet::empty());
    for signal in CAUGHT {
        // SAFETY: the handler does nothing but atomic operations on statics, which is
        // async-signal-safe, and a function lives as long as the process does.
        unsafe { sigaction(signal, &action) }?;
    }
    Ok(())
}

/// What the signals so far ask for.
pub fn asked() -> Asked {
    match (COUNT.load(Ordering::Acquire), FIRST.load(Ordering::Relaxed)) {
        (0, _) => Asked::Nothing,
        (1, first) => Asked::Drain(first),
        (_, first) => Asked::Quit(first),
    }
}

/// Runs `work` with both signals held back from this thread. Threads spawned inside inherit that
/// for their life, so that a signal always reaches the main thread and never breaks off a
/// shard's system call.
///
/// # Errors
/// The kernel's own.
pub fn shielded<R>(work: impl FnOnce() -> R) -> io::Result<R> {
    let before = SigSet::from_iter(CAUGHT).thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let result = work();
    before.thread_set_mask()?;
    Ok(result)
}

extern "C" fn on_signal(number: i32) {
    // A signal of the other kind may break in between: the first to write stays.
    let _ = FIRST.compare_exchange(0, number, Ordering::Relaxed, Ordering::Relaxed);
    COUNT.fetch_add(1, Ordering::Release);
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::raise;

    /// One test: the words are the process's, and tests run side by side in it.
    #[test]
    fn the_first_signal_asks_to_drain_and_the_second_to_quit() {
        catch().unwrap();
        assert_eq!(asked(), Asked::Nothing);
        shielded(|| {
            raise(Signal::SIGTERM).unwrap();
            assert_eq!(asked(), Asked::Nothing);
        })
        .unwrap();
        assert_eq!(asked(), Asked::Drain(Signal::SIGTERM as i32));
        raise(Signal::SIGINT).unwrap();
        assert_eq!(asked(), Asked::Quit(Signal::SIGTERM as i32));
    }
}
