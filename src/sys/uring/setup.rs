//! How a ring is made: the ladder of kernel features, and what is said where it ends.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

use io_uring::{Builder, IoUring, Probe, opcode};

use super::libc_enter;
use crate::unit::Nanos;

/// What a ring is to hold.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Direct descriptors; the kernel takes at most RLIMIT_NOFILE per ring.
    pub slots: u32,
    /// Requests that never change.
    pub templates: Vec<Vec<u8>>,
    /// Bytes of scratch for each slot.
    pub scratch_bytes: usize,
    /// Shared receive buffers, at most 32768; rounded up to a power of two.
    pub buffers: u16,
    /// Bytes of a receive buffer.
    pub buffer_bytes: u32,
    /// Addresses to bind to.
    pub sources: Vec<IpAddr>,
    /// The address to connect to.
    pub peer: SocketAddr,
    /// Sockets that are opened are of datagrams: what is sent from scratch goes to the peer, what
    /// anybody sends is received.
    pub datagrams: bool,
    /// Closing sends a reset.
    pub reset_on_close: bool,
    /// A kernel thread submits, on this CPU where one is given.
    pub sqpoll: Option<Option<u32>>,
    /// Go no higher on the ladder than this: 0 is the top. For tests and old kernels.
    pub lowest_step: usize,
}

/// Where on the ladder a ring stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// The name of the step.
    pub name: &'static str,
    /// A kernel thread submits.
    pub sqpoll: bool,
    /// Sockets are bound in the ring; otherwise by plain syscalls.
    pub binds_in_ring: bool,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let setup = if self.binds_in_ring { "" } else { ", sockets by plain syscalls" };
        write!(f, "{}{setup}", self.name)
    }
}

/// Why there is no ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetupError {
    /// `io_uring_setup` failed: error number, and what kernel.io_uring_disabled says.
    Unavailable(i32, Option<u32>),
    /// The file table was refused: slots asked, error number.
    Files(u32, i32),
    /// The kernel lacks an operation.
    Lacks(Need),
    /// Something else was refused: what, and why.
    Refused(&'static str, String),
}

/// An operation that there is no way around.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// What it is for.
    pub operation: &'static str,
    /// The kernel that brought it.
    pub since: &'static str,
}

impl SetupError {
    pub(super) fn refused(what: &'static str, error: &io::Error) -> Self {
        Self::Refused(what, error.to_string())
    }

    /// More slots than any number of rings that we drive holds.
    pub const fn too_many_slots(slots: u32) -> Self {
        Self::Files(slots, libc::EMFILE)
    }

    pub(super) fn files(slots: u32, error: &io::Error) -> Self {
        Self::Files(slots, error.raw_os_error().unwrap_or(0))
    }
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(libc::ENOSYS, _) => f.write_str(
                "this kernel has no io_uring, or a sandbox hides it: use Linux 6.0 or newer, \
                 outside gVisor and the like",
            ),
            Self::Unavailable(libc::EPERM, Some(2)) => f.write_str(
                "io_uring is switched off here (kernel.io_uring_disabled is 2): \
                 try 'sysctl -w kernel.io_uring_disabled=0'",
            ),
            Self::Unavailable(libc::EPERM, Some(1)) => f.write_str(
                "io_uring is kept for privileged users here (kernel.io_uring_disabled is 1): \
                 run with CAP_SYS_ADMIN, or 'sysctl -w kernel.io_uring_disabled=0'",
            ),
            Self::Unavailable(libc::EPERM, _) => f.write_str(
                "io_uring is forbidden here, most likely by a seccomp profile: allow \
                 io_uring_setup, io_uring_enter and io_uring_register in the container's profile",
            ),
            Self::Unavailable(libc::ENOMEM, _) => f.write_str(
                "no memory for a ring: raise the memory limit (RLIMIT_MEMLOCK or the cgroup's)",
            ),
            Self::Unavailable(errno, _) => {
                write!(f, "io_uring_setup failed: {}", io::Error::from_raw_os_error(*errno))
            }
            Self::Files(slots, libc::EMFILE) => write!(
                f,
                "{slots} connections of one shard exceed RLIMIT_NOFILE: raise it \
                 ('ulimit -n {slots}'), spread them over more shards, or lower -c"
            ),
            Self::Files(slots, errno) => {
                let error = io::Error::from_raw_os_error(*errno);
                write!(f, "a file table of {slots} slots was refused: {error}")
            }
            Self::Lacks(need) => {
                write!(
                    f,
                    "this kernel cannot {} in the ring: use Linux {} or newer",
                    need.operation, need.since
                )
            }
            Self::Refused(what, why) => write!(f, "the kernel refused {what}: {why}"),
        }
    }
}

impl std::error::Error for SetupError {}

/// Submission queue entries: more than a pass of the loop ever pushes.
pub(super) const SUBMISSIONS: u32 = 4096;
/// Completion queue entries at most, the kernel's limit.
const COMPLETIONS_MAX: u32 = 65_536;

/// How long the kernel's submission thread spins before it sleeps.
const SQPOLL_IDLE_MS: u32 = 2_000;

type Step = (&'static str, fn(&mut Builder));

/// From the best to the plainest. A kernel that does not know a flag says EINVAL.
const LADDER: [Step; 4] = [
    ("defer-taskrun", |b| {
        b.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag().setup_submit_all();
        b.setup_no_sqarray();
    }),
    ("defer-taskrun, sqarray", |b| {
        b.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag().setup_submit_all();
    }),
    ("coop-taskrun", |b| {
        b.setup_coop_taskrun().setup_taskrun_flag().setup_submit_all();
    }),
    ("plain", |_| {}),
];

pub(super) fn build(setup: &Setup) -> Result<(IoUring, Level), SetupError> {
    let completions = setup.slots.saturating_mul(4).clamp(2 * SUBMISSIONS, COMPLETIONS_MAX);
    let mut last = libc::EINVAL;
    for (name, configure) in LADDER.iter().skip(setup.lowest_step.min(LADDER.len() - 1)) {
        let mut builder = IoUring::builder();
        builder.setup_cqsize(completions.next_power_of_two()).setup_clamp().dontfork();
        let (name, sqpoll) = match setup.sqpoll {
            Some(cpu) => {
                builder.setup_sqpoll(SQPOLL_IDLE_MS);
                if let Some(cpu) = cpu {
                    builder.setup_sqpoll_cpu(cpu);
                }
                ("sqpoll", true)
            }
            None => {
                configure(&mut builder);
                (*name, false)
            }
        };
        match builder.build(SUBMISSIONS) {
            Ok(ring) => {
                let binds_in_ring = probe(&ring)? && setup.lowest_step < LADDER.len();
                return Ok((ring, Level { name, sqpoll, binds_in_ring }));
            }
            Err(error) => last = error.raw_os_error().unwrap_or(libc::EIO),
        }
        if last != libc::EINVAL || sqpoll {
            break;
        }
    }
    Err(SetupError::Unavailable(last, io_uring_disabled()))
}

/// Whether sockets can be bound in the ring.
fn probe(ring: &IoUring) -> Result<bool, SetupError> {
    let mut probe = Probe::new();
    ring.submitter()
        .register_probe(&mut probe)
        .map_err(|e| SetupError::refused("a probe of its operations (kernel 5.6)", &e))?;
    let needs = [
        // Receiving many times has no code of its own; this one came with it.
        (opcode::SendZc::CODE, "receive many times at one request", "6.0"),
        (opcode::Socket::CODE, "make sockets", "5.19"),
        (opcode::Connect::CODE, "connect", "5.5"),
        (opcode::Send::CODE, "send", "5.6"),
        (opcode::Recv::CODE, "receive", "5.6"),
        (opcode::Close::CODE, "close", "5.6"),
        (opcode::AsyncCancel2::CODE, "cancel", "5.5"),
    ];
    for (code, operation, since) in needs {
        if !probe.is_supported(code) {
            return Err(SetupError::Lacks(Need { operation, since }));
        }
    }
    Ok(probe.is_supported(opcode::Bind::CODE))
}

fn io_uring_disabled() -> Option<u32> {
    std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok()?.trim().parse().ok()
}

/// `io_uring_rsrc_update` of the kernel's headers.
#[repr(C)]
struct RingUpdate {
    offset: u32,
    reserved: u32,
    data: u64,
}

/// Registers the ring with its thread; `None` where the kernel (before 5.18) cannot.
pub(super) fn register_ring(ring: i32) -> Option<u32> {
    const REGISTER_RING_FDS: libc::c_uint = 20;
    let mut update = RingUpdate { offset: u32::MAX, reserved: 0, data: ring as u64 };
    let done = update_ring(ring, REGISTER_RING_FDS, &mut update);
    (done == 1).then_some(update.offset)
}

/// Takes the ring out of its thread's table, which would keep it alive for as long as the thread.
pub(super) fn unregister_ring(ring: i32, index: u32) {
    const UNREGISTER_RING_FDS: libc::c_uint = 21;
    let mut update = RingUpdate { offset: index, reserved: 0, data: 0 };
    update_ring(ring, UNREGISTER_RING_FDS, &mut update);
}

fn update_ring(ring: i32, operation: libc::c_uint, update: &mut RingUpdate) -> libc::c_long {
    // SAFETY: `update` is laid out as `io_uring_rsrc_update`, one of it, and lives through the
    // call, which writes an index into `offset`.
    unsafe {
        libc::syscall(
            libc::SYS_io_uring_register,
            ring,
            operation,
            std::ptr::from_mut(update),
            1 as libc::c_uint,
        )
    }
}

/// `io_uring_enter(2)`; the error is its number.
pub(super) fn enter(
    ring: i32,
    pushed: u32,
    want: u32,
    mut flags: u32,
    timeout: Option<Nanos>,
) -> Result<(), i32> {
    #[repr(C)]
    struct WaitArgument {
        sigmask: u64,
        sigmask_bytes: u32,
        min_wait_us: u32,
        timeout: u64,
    }
    let timeout =
        timeout.map(|Nanos(ns)| [(ns / 1_000_000_000) as i64, (ns % 1_000_000_000) as i64]);
    let argument = WaitArgument {
        sigmask: 0,
        sigmask_bytes: 0,
        min_wait_us: 0,
        timeout: timeout.as_ref().map_or(0, |t| t.as_ptr() as u64),
    };
    let (pointer, bytes) = if timeout.is_some() {
        flags |= libc_enter::EXT_ARG;
        ((&raw const argument).cast::<libc::c_void>(), size_of::<WaitArgument>())
    } else {
        (std::ptr::null(), 0)
    };
    // SAFETY: with EXT_ARG the pointer is to an `io_uring_getevents_arg` whose timespec is on
    // this frame too; without, it is null. The kernel reads both only during the call.
    let done = unsafe {
        libc::syscall(libc::SYS_io_uring_enter, ring, pushed, want, flags, pointer, bytes)
    };
    if done < 0 {
        Err(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
    } else {
        Ok(())
    }
}

/// Cancels all that is in flight and waits for it; false where that cannot be made sure of.
pub(super) fn cancel_all(ring: i32) -> bool {
    const ROUNDS_MAX: usize = 64;
    let mut quiet_rounds = 0;
    for _ in 0..ROUNDS_MAX {
        let found = match cancel_any(ring) {
            Ok(found) => found,
            Err(errno) => return errno == libc::ENOENT,
        };
        quiet_rounds = if found == 0 { quiet_rounds + 1 } else { 0 };
        // The kernel does not count those that it had to wait for: only two rounds in a row that
        // find none mean that none is left.
        if quiet_rounds == 2 {
            return true;
        }
        // Lets go what was cancelled: the kernel carries out as many as are waited for. Busy only
        // says that completions wait to be reaped, which nobody does any more.
        let second = Some(Nanos::from_secs(1));
        let _ = enter(ring, 0, found, libc_enter::GETEVENTS, second);
    }
    false
}

/// Cancels all that is in flight, and gives how many were found; the error is its number. (The
/// crate's own call keeps the count to itself.)
fn cancel_any(ring: i32) -> Result<u32, i32> {
    const REGISTER_SYNC_CANCEL: libc::c_uint = 24;
    const CANCEL_ANY: u32 = 1 << 2;
    #[repr(C)]
    #[derive(Default)]
    struct Cancel {
        user_data: u64,
        fd: i32,
        flags: u32,
        timeout: [i64; 2],
        reserved: [u64; 4],
    }
    let cancel = Cancel { flags: CANCEL_ANY, timeout: [1, 0], ..Cancel::default() };
    // SAFETY: `cancel` is laid out as `io_uring_sync_cancel_reg`, one of it, and lives through
    // the call, which only reads it.
    let done = unsafe {
        libc::syscall(
            libc::SYS_io_uring_register,
            ring,
            REGISTER_SYNC_CANCEL,
            &raw const cancel,
            1 as libc::c_uint,
        )
    };
    u32::try_from(done).map_err(|_| io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
}
