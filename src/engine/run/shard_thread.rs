//! A shard's thread: pinned, with a ring, ports, a clock and a log writer of its own.

use super::super::ports::{Endpoint, LeftOver, PortPool};
use super::super::seams::{Edges, Parts, ShardYield};
use super::kind::{Drive, Kind, Post};
use super::{Control, Live, RunError, cpu_of, hold, source_index};
use crate::clock::{Clock, Source};
use crate::evidence::ShardEvidence;
use crate::log::Writer;
use crate::observe::ThreadMeter;
use crate::outcome::{Ages, Series};
use crate::plan::{ChannelPlan, Close, LogMode, Plan};
use crate::ring::{Setup, UringQueue};
use crate::sys::cpu;
use crate::unit::Instant;

/// Bytes of a receive buffer: a large answer is few completions, a small one touches what it fills.
const BUFFER_BYTES: u32 = 16 << 10;
/// Fewest and most buffers of a ring, handed out in turn: few stay in the cache, many outlast a
/// burst.
const BUFFERS: (u32, u32) = (64, 512);

/// What a shard's thread starts with.
pub(super) struct Seat<'a> {
    pub(super) index: u32,
    pub(super) plan: &'a Plan,
    pub(super) source: Source,
    pub(super) control: &'a Control,
    pub(super) live: &'a Live,
    pub(super) left_over: &'a [LeftOver],
    pub(super) log: Writer,
}

/// What it leaves behind.
pub(super) struct Done {
    pub(super) evidence: ShardEvidence,
    pub(super) ended_at: Instant,
    pub(super) last_done_at: Instant,
    /// Its series, where the log does not keep every request.
    pub(super) times: Option<Series>,
    /// The times of its subscriptions' updates, where it had any.
    pub(super) ages: Option<Ages>,
}

impl Seat<'_> {
    /// The thread's work, from pinning to the last completion.
    pub(super) fn work(self, kind: &impl Kind) -> Result<Done, RunError> {
        match self.source.clone() {
            Source::Tsc(tsc) => self.work_by(tsc.clock(), kind),
            Source::Kernel(kernel) => self.work_by(kernel, kind),
        }
    }

    fn work_by<C: Clock>(self, clock: C, kind: &impl Kind) -> Result<Done, RunError> {
        let cpu = cpu_of(self.plan, self.index);
        cpu::pin_to(cpu).map_err(|error| RunError::Pin(cpu, error))?;
        cpu::name_thread(&format!("shard-{}", self.index));
        // A sleeping shard is to wake when it is due, not when it suits the kernel; where this
        // is forbidden the lag shows it.
        let _ = cpu::set_timer_slack(1);
        let slots = self.plan.share(u64::from(self.plan.connections()), self.index) as u32;
        let protocol = kind.speech(slots);
        let setup = self.setup(slots, kind.needs(&protocol));
        let queue = UringQueue::open(&setup).map_err(RunError::Ring)?;
        let mut meter = Meter::new(cpu, queue.level().to_string());
        let ports = self.ports()?;
        let Self { index, plan, control, live, log, .. } = self;
        let parts = Parts { queue, clock, protocol, log, ports };
        let mut shard = kind.shard(parts, Post { plan, index, control, live });
        if plan.log != LogMode::All {
            shard.keep_series();
        }
        let Some(start) = shard.connect().map_err(RunError::Shard)? else {
            return Ok(meter.done(shard.give_up()));
        };
        shard.log_mut().start(start);
        let yielded = shard.run(index, start, &mut meter).map_err(RunError::Shard)?;
        Ok(meter.done(yielded))
    }

    fn setup(&self, slots: u32, (templates, scratch_bytes): (Vec<Vec<u8>>, usize)) -> Setup {
        Setup {
            slots,
            templates,
            scratch_bytes,
            buffers: match self.plan.channels {
                // A circuit alone may bring what a thousand connections do.
                Some(_) => BUFFERS.1 as u16,
                None => slots.saturating_mul(2).clamp(BUFFERS.0, BUFFERS.1) as u16,
            },
            buffer_bytes: BUFFER_BYTES,
            sources: self.plan.sources.clone(),
            peer: self.plan.target.address,
            datagrams: self.plan.channels.as_ref().is_some_and(ChannelPlan::is_of_datagrams),
            reset_on_close: self.plan.fresh && self.plan.close == Close::Rst,
            sqpoll: self.plan.sqpoll.then_some(self.plan.sqpoll_cpu),
            lowest_step: 0,
        }
    }

    fn ports(&self) -> Result<PortPool, RunError> {
        let plan = self.plan;
        let range = plan.ports.part(self.index, plan.shards).ok_or(RunError::NoPorts)?;
        let target = plan.target.address;
        let own =
            source_index(plan, target.ip()).map(|source| Endpoint { source, port: target.port() });
        let sources = u16::try_from(plan.sources.len()).unwrap_or(u16::MAX);
        let mut pool = PortPool::new(sources, range, own.as_slice(), hold(plan));
        let mine = |left: &&LeftOver| (range.low..=range.high).contains(&left.endpoint.port);
        pool.keep_back(self.left_over.iter().filter(mine).copied().collect());
        Ok(pool)
    }
}

/// Reads what the kernel charges the thread, at the edges of the measure phase.
struct Meter {
    thread: ThreadMeter,
    evidence: ShardEvidence,
}

impl Meter {
    fn new(cpu: usize, ring: String) -> Self {
        let evidence = ShardEvidence { cpu: cpu as u64, ring, ..ShardEvidence::default() };
        Self { thread: ThreadMeter::new(), evidence }
    }

    fn done(mut self, yielded: ShardYield<Writer>) -> Done {
        let ShardYield { mut tally, log, counters, .. } = yielded;
        tally.log_records = log.written();
        tally.log_lost = log.lost();
        self.evidence.log_left_out = Some(log.left_out());
        self.evidence.tally = tally;
        self.evidence.enters = counters.enters;
        self.evidence.operations = counters.operations;
        self.evidence.cq_overflows = counters.overflows;
        self.evidence.passes = yielded.passes;
        self.evidence.holes = Some(yielded.holes);
        self.evidence.busy = Some(yielded.busy);
        self.evidence.open_ns = Some(yielded.open_ns);
        self.evidence.stale_completions = yielded.stale_completions;
        self.evidence.buffers_exhausted = yielded.buffers_exhausted;
        let (updates, ages) = yielded.updates.unzip();
        self.evidence.updates = updates;
        Done {
            ages,
            evidence: self.evidence,
            ended_at: yielded.ended_at,
            last_done_at: yielded.last_done_at,
            times: yielded.series,
        }
    }
}

impl Edges for Meter {
    fn begin(&mut self) {
        self.thread.begin();
    }

    fn end(&mut self) {
        self.thread.charge(&mut self.evidence);
    }
}
