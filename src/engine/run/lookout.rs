//! What the main thread watches while the shards measure: the machine, and what the user named.

use super::TEND_EVERY;
use crate::clock::{Clock as _, Source};
use crate::evidence::{CpuSeen, Machine, Watched};
use crate::observe::{Look, Watch};
use crate::plan::Plan;
use crate::unit::Instant;

/// Looks at the machine at the edges of the measure phase, and at what is watched within it.
pub(super) struct Lookout<'a> {
    plan: &'a Plan,
    source: &'a Source,
    /// The CPU of each shard.
    cpus: Vec<usize>,
    measure_at: Instant,
    end_at: Instant,
    before: Option<(Instant, Look)>,
    after: Option<(Instant, Look)>,
    watch: Option<Watch>,
    watched: Watched,
}

impl<'a> Lookout<'a> {
    pub(super) fn new(plan: &'a Plan, source: &'a Source, start: Instant) -> Self {
        let measure_at = start + plan.warmup;
        let end_at = match plan.count {
            Some(_) => Instant::NEVER,
            None => measure_at + plan.duration,
        };
        Self {
            plan,
            source,
            cpus: (0..plan.shards).map(|shard| super::cpu_of(plan, shard)).collect(),
            measure_at,
            end_at,
            before: None,
            after: None,
            watch: None,
            watched: Watched::default(),
        }
    }

    /// Looks where it is time to; at least once in [`TEND_EVERY`], for the first time before the
    /// clock starts. The looks at the machine lie outside of the measure phase: where the main
    /// thread shares its CPU with a shard they would disturb it.
    pub(super) fn look(&mut self, is_ending: bool) {
        let now = self.source.now();
        if self.before.is_none() && now + TEND_EVERY >= self.measure_at {
            self.before = Some((now, Look::take(&self.cpus)));
        }
        if now >= self.end_at || is_ending {
            self.after.get_or_insert_with(|| (now, Look::take(&self.cpus)));
            return;
        }
        if self.watch.is_none() && now >= self.measure_at {
            self.watch = Watch::start(self.plan.watch_pid, self.plan.watch_dev.as_deref()).ok();
        }
        if let Some(watch) = &self.watch {
            self.watched = watch.watched(now.since(self.measure_at));
        }
    }

    /// What it saw, when the shards are done.
    pub(super) fn seen(self) -> Seen {
        let Some((from, before)) = self.before else {
            return Seen { watched: self.watched, ..Seen::default() };
        };
        let last = || (self.source.now(), Look::take(&self.cpus));
        let (to, after) = self.after.unwrap_or_else(last);
        let between_ns = Some(to.since(from).0);
        Seen {
            machine: Some(Machine { between_ns, ..after.since(&before) }),
            cpus: after.cpus_since(&before),
            watched: self.watched,
        }
    }
}

/// What the main thread saw over the measure phase.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// `None` where the run was cut off before its measure phase.
    pub(super) machine: Option<Machine>,
    /// The CPU of each shard, in their order; empty as above.
    pub(super) cpus: Vec<CpuSeen>,
    pub(super) watched: Watched,
}
