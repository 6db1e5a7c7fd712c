//! A run: opens the log, pins and spawns the shards, keeps the log's memory ready while they
//! work, and closes the log with what they left.

mod error;
mod kind;
mod lookout;
mod shard_thread;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread::{Scope, ScopedJoinHandle};

use super::circuits::all_uses;
use super::control::{Control, Live, Stop};
use super::ports::{Endpoint, LeftOver};
use crate::clock::{self, Clock, Source};
use crate::evidence::{Environment, Evidence, Tally};
use crate::log::{self, Keeper, LogError};
use crate::observe::{self, Hold};
use crate::outcome::Trailer;
use crate::plan::{Close, Operation, Plan};
use crate::protocol::{Circuit, Protocol};
use crate::sys::resource::Usage;
use crate::sys::signal::{self, Asked};
use crate::unit::{Field, Instant, Nanos};

pub use error::RunError;
use kind::{Circuits, Kind, Requests};
use lookout::{Lookout, Seen};
use shard_thread::{Done, Seat};

/// How often the log's memory is tended and the user is told.
const TEND_EVERY: Nanos = Nanos::from_millis(20);

/// Between the word to start and the start: long enough for every shard to hear it.
const START_AFTER: Nanos = Nanos::from_millis(20);

/// How far a run is; given to the caller some times a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Since the start of the warm-up.
    pub elapsed: Nanos,
    /// Sessions ended.
    pub sessions_ended: u64,
    /// Sessions under way.
    pub sessions_open: u64,
    /// Requests that failed.
    pub failed: u64,
}

/// A run that is about to be done.
#[derive(Debug)]
pub struct Run<'a> {
    /// What to do.
    pub plan: &'a Plan,
    /// The machine, as the log keeps it.
    pub environment: &'a Environment,
    /// The log.
    pub log: &'a Path,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The signal that ended it.
    pub signal: Option<i32>,
}

impl Run<'_> {
    /// Does the run: `speak` makes a protocol for as many connections as a shard has, and
    /// `on_standing` is told how far it is, and may end it. The log holds everything afterwards.
    ///
    /// # Errors
    /// The log cannot be made, a ring cannot be set up, or the target cannot be reached.
    pub fn perform<P: Protocol>(
        &self,
        speak: impl Fn(u32) -> P + Sync,
        on_standing: impl FnMut(&Standing) -> ControlFlow<()>,
    ) -> Result<Ended, RunError> {
        self.carry_out(&Requests(speak), on_standing)
    }

    /// The same on channels to `names`: `speak` makes a protocol for the circuits of a shard.
    ///
    /// # Errors
    /// As [`Run::perform`]; channels that cannot be opened among them.
    pub fn perform_on<P: Circuit>(
        &self,
        names: &[String],
        speak: impl Fn() -> P + Sync,
        on_standing: impl FnMut(&Standing) -> ControlFlow<()>,
    ) -> Result<Ended, RunError> {
        self.carry_out(&Circuits(speak, names), on_standing)
    }

    fn carry_out(
        &self,
        kind: &impl Kind,
        mut on_standing: impl FnMut(&Standing) -> ControlFlow<()>,
    ) -> Result<Ended, RunError> {
        let (source, notice) = Source::open(self.plan.clock);
        let before = Usage::of_process();
        let began = source.now();
        let (keeper, writers) =
            log::create(self.log, self.plan, self.environment).map_err(RunError::Log)?;
        let control = Control::default();
        let lives: Vec<Live> = (0..self.plan.shards).map(|_| Live::default()).collect();
        let left_over = left_over(self.plan, source.now());
        let desk = Desk { run: self, source: &source, control: &control, lives: &lives };
        let (tended, dones) = std::thread::scope(|scope| {
            let threads = signal::shielded(|| {
                let seats = writers.into_iter().zip(0..).map(|(log, index)| Seat {
                    index,
                    plan: self.plan,
                    source: source.clone(),
                    control: &control,
                    live: &lives[index as usize],
                    left_over: &left_over,
                    log,
                });
                spawn(scope, seats, kind)
            });
            let threads = threads.map_err(RunError::Signals)?;
            let tended = desk.tend(keeper, &threads, &mut on_standing);
            control.stop(if tended.is_ok() { Stop::Run } else { Stop::Abandon });
            Ok::<_, RunError>((tended, join(threads)))
        })?;
        let dones = dones.into_iter().collect::<Result<Vec<_>, _>>();
        let (keeper, mut evidence) = match (tended, dones) {
            // What a shard says goes first: the main thread only saw that it was gone.
            (_, Err(error)) => return Err(error),
            (Err(error), Ok(dones)) => return Err(explain(error, &dones)),
            (Ok(tended), Ok(dones)) => close_books(self.plan, tended, dones),
        };
        let signal = evidence.evidence.signal;
        evidence.evidence.notices.extend(notice.map(|notice| notice.to_string()));
        evidence.evidence.resources = observe::resources(&before, source.now().since(began));
        if let Source::Tsc(tsc) = &source {
            evidence.evidence.calibration = Some(tsc.check());
        }
        keeper.finish(&evidence.to_text()).map_err(RunError::Log)?;
        Ok(Ended { signal })
    }
}

type Thread<'scope> = ScopedJoinHandle<'scope, Result<Done, RunError>>;

fn spawn<'scope>(
    scope: &'scope Scope<'scope, '_>,
    seats: impl Iterator<Item = Seat<'scope>>,
    kind: &'scope impl Kind,
) -> Vec<Thread<'scope>> {
    let work = move |seat: Seat<'scope>| {
        let alarm = Alarm(seat.control);
        let done = seat.work(kind)?;
        std::mem::forget(alarm);
        Ok(done)
    };
    seats.map(|seat| scope.spawn(move || work(seat))).collect()
}

/// Stops the other shards when it is dropped: one has failed, or panicked, and what they would
/// measure from then on is worth nothing.
struct Alarm<'a>(&'a Control);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        self.0.stop(Stop::Abandon);
    }
}

/// Keeps the log ahead of its writers for [`TEND_EVERY`].
fn keep_ahead(keeper: &mut Keeper) -> Result<(), LogError> {
    let steps = keeper.steps();
    for step in 1..=steps {
        clock::sleep(Nanos(TEND_EVERY.0 / steps));
        if step < steps { keeper.step() } else { keeper.tend() }?;
    }
    Ok(())
}

fn join(threads: Vec<Thread<'_>>) -> Vec<Result<Done, RunError>> {
    let ended = threads.into_iter().map(|thread| thread.join());
    ended.map(|joined| joined.unwrap_or(Err(RunError::Panicked))).collect()
}

/// The main thread's part of a run.
struct Desk<'a> {
    run: &'a Run<'a>,
    source: &'a Source,
    control: &'a Control,
    lives: &'a [Live],
}

/// What the main thread has when the shards are done.
struct Tended {
    keeper: Keeper,
    start: Instant,
    signal: Option<i32>,
    cut_short: Option<String>,
    seen: Seen,
}

impl Desk<'_> {
    fn sum(&self, word: impl Fn(&Live) -> u64) -> u64 {
        self.lives.iter().map(word).sum()
    }

    /// Sees the run through: waits for the connections, starts the clock, keeps the log ahead.
    fn tend(
        &self,
        mut keeper: Keeper,
        threads: &[Thread<'_>],
        on_standing: &mut impl FnMut(&Standing) -> ControlFlow<()>,
    ) -> Result<Tended, RunError> {
        self.await_connections(threads)?;
        let plan = self.run.plan;
        let start = self.source.now() + START_AFTER;
        keeper.start(start, clock::wall_ns() + START_AFTER.0);
        self.control.start(start);
        let mut lookout = Lookout::new(plan, self.source, start);
        lookout.look(false);
        let (mut asked, mut cut_short) = (None, None);
        while !threads.iter().all(ScopedJoinHandle::is_finished) {
            if let Err(error) = keep_ahead(&mut keeper) {
                cut_short.get_or_insert_with(|| error.to_string());
                self.control.stop(Stop::Drain);
            }
            asked = self.obey();
            if self.has_begun() {
                keeper.take_place().map_err(RunError::Log)?;
            }
            if self.is_hopeless() {
                let target = plan.target.address;
                return Err(RunError::Unreachable { target, what: "connections", why: None });
            }
            lookout.look(self.control.stopped() != Stop::Run);
            let now = self.source.now();
            if on_standing(&self.standing(now.since(start))).is_break() {
                self.control.stop(Stop::Drain);
            }
        }
        Ok(Tended { keeper, start, signal: asked, cut_short, seen: lookout.seen() })
    }

    /// Waits until every shard has tried all its connections.
    fn await_connections(&self, threads: &[Thread<'_>]) -> Result<(), RunError> {
        let ready = |live: &Live| live.ready.load(Ordering::Acquire) != 0;
        while !self.lives.iter().all(ready) {
            if threads.iter().any(ScopedJoinHandle::is_finished) {
                return Err(RunError::Stopped(None));
            }
            if let Some(signal) = self.obey() {
                return Err(RunError::Stopped(Some(signal)));
            }
            clock::sleep(Nanos::from_millis(1));
        }
        let opened = self.sum(|live| live.opened.load(Ordering::Relaxed));
        let plan = self.run.plan;
        let (asked, what) = match &plan.channels {
            None => (u64::from(plan.concurrence), "connections"),
            Some(channels) if channels.op == Operation::Search => (all_uses(plan), "search slots"),
            Some(_) => (all_uses(plan), "channels"),
        };
        let target = plan.target.address;
        if opened == 0 {
            return Err(RunError::Unreachable { target, what, why: None });
        }
        if opened < asked && !plan.allow_partial {
            return Err(RunError::Partial { target, what, asked, opened, why: None });
        }
        Ok(())
    }

    /// Passes the user's signals on to the shards.
    fn obey(&self) -> Option<i32> {
        match signal::asked() {
            Asked::Nothing => None,
            Asked::Drain(signal) => {
                self.control.stop(Stop::Drain);
                Some(signal)
            }
            Asked::Quit(signal) => {
                self.control.stop(Stop::Abandon);
                Some(signal)
            }
        }
    }

    /// Whether a connection stood, or at least was not refused. Kept ones stand before the clock
    /// starts.
    fn has_begun(&self) -> bool {
        let failed = self.sum(|live| live.failed.load(Ordering::Acquire));
        let refused = self.sum(|live| live.refused.load(Ordering::Relaxed));
        let ok = self.sum(|live| live.ok.load(Ordering::Relaxed));
        !self.run.plan.fresh || ok > 0 || failed > refused
    }

    /// Whether every first fresh connection was refused.
    fn is_hopeless(&self) -> bool {
        let plan = self.run.plan;
        let first = u64::from(plan.concurrence).min(plan.planned_sessions().unwrap_or(u64::MAX));
        let refused = self.sum(|live| live.refused.load(Ordering::Relaxed));
        !self.has_begun() && refused >= first.max(1)
    }

    fn standing(&self, elapsed: Nanos) -> Standing {
        let ended = self.sum(|live| live.sessions_ended.load(Ordering::Relaxed));
        Standing {
            elapsed,
            sessions_ended: ended,
            sessions_open: self.sum(|live| live.sessions_open.load(Ordering::Relaxed)),
            failed: self.sum(|live| live.failed.load(Ordering::Relaxed)),
        }
    }
}

/// Names the cause of a failure that only the shards know: the error seen most before the start.
fn explain(error: RunError, dones: &[Done]) -> RunError {
    let mut tally = Tally::default();
    dones.iter().for_each(|done| tally.add(&done.evidence.tally));
    error.with_cause(tally.errors.iter().max_by_key(|error| error.count).copied())
}

/// The CPU that a shard is tied to.
fn cpu_of(plan: &Plan, shard: u32) -> usize {
    let cpus = &plan.cpus.0;
    cpus[shard as usize % cpus.len().max(1)]
}

/// Puts together what the shards and the main thread have.
fn close_books(plan: &Plan, tended: Tended, dones: Vec<Done>) -> (Keeper, Trailer) {
    let measure_at = tended.start + plan.warmup;
    let ended_at = dones.iter().map(|done| done.ended_at).max().unwrap_or(measure_at);
    let mut evidence = Evidence {
        measured: ended_at.since(measure_at),
        signal: tended.signal,
        cut_short: tended.cut_short,
        watch: tended.seen.watched,
        machine: tended.seen.machine,
        ..Evidence::default()
    };
    let mut trailer = Trailer::default();
    let mut cpus = tended.seen.cpus.into_iter();
    for Done { evidence: mut shard, last_done_at, times, ages, .. } in dones {
        shard.span = last_done_at.since(measure_at);
        shard.on_cpu = cpus.next().unwrap_or_default();
        evidence.shards.push(shard);
        trailer.series.extend(times);
        trailer.ages.extend(ages);
    }
    (tended.keeper, Trailer { evidence, ..trailer })
}

/// Pairs of this plan that earlier connections left in TIME_WAIT, and when they are free.
fn left_over(plan: &Plan, now: Instant) -> Vec<LeftOver> {
    let hold = Hold::of_kernel().toward(plan.target.address.ip());
    let held = observe::time_waits(plan.target.address);
    let ours = held.iter().filter_map(|held| {
        let source = source_index(plan, held.local.ip())?;
        let endpoint = Endpoint { source, port: held.local.port() };
        Some(LeftOver { endpoint, free_at: now + held.free_in(hold) })
    });
    ours.collect()
}

fn source_index(plan: &Plan, address: IpAddr) -> Option<u16> {
    plan.sources.iter().position(|source| *source == address).map(|index| index as u16)
}

/// How long a pair rests after use.
fn hold(plan: &Plan) -> Nanos {
    // A reset leaves no TIME_WAIT.
    if plan.fresh && plan.close != Close::Fin {
        return Nanos::ZERO;
    }
    Hold::of_kernel().toward(plan.target.address.ip())
}
