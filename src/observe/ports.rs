//! How long the kernel keeps a source port from the target that it was used with, and which
//! ports earlier connections still hold.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::sys::time::proc_ticks_per_second;
use crate::unit::Nanos;

use super::procfs;

/// How long TIME_WAIT lasts: `TCP_TIMEWAIT_LEN`, the same in every Linux.
pub const TIME_WAIT: Nanos = Nanos::from_secs(60);

/// Later than the kernel's own figure by a round trip and a timer tick: a port is offered too
/// late rather than refused.
const MARGIN: Nanos = Nanos::from_millis(50);

/// The kernel's rules for connecting again from a port that is in TIME_WAIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// `net.ipv4.tcp_tw_reuse`: 0 never, 1 always, 2 on loopback only.
    reuse: u64,
    /// `net.ipv4.tcp_tw_reuse_delay`; one second on kernels that cannot set it.
    delay: Nanos,
    /// `net.ipv4.tcp_timestamps`: without them a port is never used again early.
    timestamps: bool,
}

impl Hold {
    /// The rules in force. One that cannot be read counts as the kernel's default, a `tcp_tw_reuse`
    /// as 0, the most careful.
    pub fn of_kernel() -> Self {
        let number = |name| procfs::sysctl(name).and_then(|value| value.parse::<u64>().ok());
        Self {
            reuse: number("net.ipv4.tcp_tw_reuse").unwrap_or(0),
            delay: Nanos::from_millis(number("net.ipv4.tcp_tw_reuse_delay").unwrap_or(1_000)),
            timestamps: number("net.ipv4.tcp_timestamps").unwrap_or(1) != 0,
        }
    }

    /// How long after our close a source address and port is to be left alone before it connects
    /// to `target` again: the kernel's own rule for the ports that it picks. A port that is bound
    /// explicitly it gives back at once where both ends use timestamps, and never before the end
    /// of TIME_WAIT where they do not; a peer, or a NAT on the way, may be less quick to forget.
    pub fn toward(self, target: IpAddr) -> Nanos {
        let reused = match self.reuse {
            1 => true,
            2 => target.to_canonical().is_loopback(),
            _ => false,
        };
        if reused && self.timestamps { self.delay + MARGIN } else { TIME_WAIT + MARGIN }
    }
}

/// A pair of ends that the kernel does not connect again yet: a connection that this host closed
/// first and that is still remembered, or one that another process has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeWait {
    /// Our end.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
    /// How long the kernel will remember it; [`IN_USE`] for a connection that lives.
    pub left: Nanos,
}

/// Nobody knows how long.
pub const IN_USE: Nanos = Nanos(u64::MAX);

impl TimeWait {
    /// When its ends may connect again, from now, if they may `hold` after the close.
    pub fn free_in(&self, hold: Nanos) -> Nanos {
        // It has been closed for TIME_WAIT - left.
        Nanos((self.left + hold).0.saturating_sub(TIME_WAIT.0))
    }
}

/// Connections of this host to `target`, in TIME_WAIT or alive, as they are now. Reads all TCP
/// sockets of the network
/// namespace: some ms per ten thousand.
pub fn time_waits(target: SocketAddr) -> Vec<TimeWait> {
    let mut found = Vec::new();
    // A v4 target may stand in the v6 table too, as a mapped address.
    for path in ["/proc/net/tcp", "/proc/net/tcp6"] {
        if let Ok(table) = File::open(path) {
            collect_time_waits(BufReader::with_capacity(1 << 16, table), target, &mut found);
        }
    }
    found
}

fn collect_time_waits(mut table: impl BufRead, target: SocketAddr, found: &mut Vec<TimeWait>) {
    let target = canonical(target);
    let tick_ns = 1_000_000_000 / proc_ticks_per_second();
    let mut line = String::new();
    while table.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
        found.extend(parse_time_wait(&line, tick_ns).filter(|found| found.remote == target));
        line.clear();
    }
}

/// A line of /proc/net/tcp: `sl local remote st tx:rx tr:tm->when ...`, numbers in hex. The timer
/// is number 3 for those that wait: TIME_WAIT itself, and FIN_WAIT2 after our close. Any other
/// is in use.
fn parse_time_wait(line: &str, tick_ns: u64) -> Option<TimeWait> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (local, remote) = (fields.next()?, fields.next()?);
    let (timer, ticks) = fields.nth(2)?.split_once(':')?;
    let left = match timer {
        "03" => Nanos(u64::from_str_radix(ticks, 16).ok()?.saturating_mul(tick_ns)),
        _ => IN_USE,
    };
    Some(TimeWait { local: parse_address(local)?, remote: parse_address(remote)?, left })
}

/// `0100007F:1F90`: words of the address as this CPU reads them, the port as a number.
fn parse_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |i: usize| {
        let digits = address.get(8 * i..8 * i + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    let ip = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut octets = [0; 16];
            for (i, four) in octets.chunks_exact_mut(4).enumerate() {
                four.copy_from_slice(&word(i)?);
            }
            IpAddr::V6(Ipv6Addr::from(octets))
        }
        _ => return None,
    };
    Some(canonical(SocketAddr::new(ip, port)))
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1214 1
   1: 0200007F:2710 0100007F:1F90 06 00000000:00000000 03:00001739 00000000     0        0 0 3
   2: 0100007F:2711 0100007F:1F91 06 00000000:00000000 03:00001739 00000000     0        0 0 3
   3: 0100007F:2712 0100007F:1F90 01 00000000:00000000 02:00001739 00000000     0        0 0 3
   4: 0100007F:2713 0100007F:1F90 05 00000000:00000000 03:00000001 00000000     0        0 0 3
";

    const TABLE_6: &str = "\
  sl  local_address                         remote_address                        st tx_queue
   1: 00000000000000000000000001000000:2710 00000000000000000000000001000000:0050 06 \
     00000000:00000000 03:00000064 00000000     0        0 0 3
   2: 0000000000000000FFFF00000100007F:2711 0000000000000000FFFF00000100007F:1F90 06 \
     00000000:00000000 03:00000064 00000000     0        0 0 3
";

    #[track_caller]
    fn check(table: &str, target: &str, expect: &[(&str, u64)]) {
        let target = target.parse().unwrap();
        let mut found = Vec::new();
        collect_time_waits(table.as_bytes(), target, &mut found);
        let found: Vec<_> = found.iter().map(|w| (w.local.to_string(), w.left.0)).collect();
        let tick_ns = 1_000_000_000 / proc_ticks_per_second();
        let expect: Vec<_> = expect
            .iter()
            .map(|&(at, left)| (at.to_owned(), u64::saturating_mul(left, tick_ns)))
            .collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn waiting_and_living_connections_to_the_target_are_taken() {
        let (waits, lives) = (("127.0.0.2:10000", 0x1739), ("127.0.0.1:10002", u64::MAX));
        check(TABLE, "127.0.0.1:8080", &[waits, lives, ("127.0.0.1:10003", 1)]);
        check(TABLE, "127.0.0.1:8081", &[("127.0.0.1:10001", 0x1739)]);
        check(TABLE, "127.0.0.9:8080", &[]);
        check(TABLE_6, "[::1]:80", &[("[::1]:10000", 100)]);
        check(TABLE_6, "127.0.0.1:8080", &[("127.0.0.1:10001", 100)]);
        check("", "127.0.0.1:8080", &[]);
    }

    proptest! {
        #[test]
        fn no_line_is_too_strange(line in "[ 0-9A-F:é]{0,80}") {
            let _ = parse_time_wait(&line, 1);
        }
    }

    #[track_caller]
    fn hold_is(reuse: u64, timestamps: bool, target: &str, millis: u64) {
        let hold = Hold { reuse, delay: Nanos::from_secs(1), timestamps };
        assert_eq!(hold.toward(target.parse().unwrap()), Nanos::from_millis(millis + 50));
    }

    #[test]
    fn a_port_is_held_a_second_where_the_kernel_reuses_it_and_a_minute_elsewhere() {
        hold_is(2, true, "127.0.0.1", 1_000);
        hold_is(2, true, "127.8.9.1", 1_000);
        hold_is(2, true, "::1", 1_000);
        hold_is(2, true, "::ffff:127.0.0.1", 1_000);
        hold_is(2, true, "10.0.0.1", 60_000);
        hold_is(1, true, "10.0.0.1", 1_000);
        hold_is(0, true, "127.0.0.1", 60_000);
        hold_is(2, false, "127.0.0.1", 60_000);
    }

    #[test]
    fn an_old_time_wait_is_free_at_once_where_the_hold_is_short() {
        let address = "127.0.0.1:1".parse().unwrap();
        let wait =
            |left| TimeWait { local: address, remote: address, left: Nanos::from_secs(left) };
        let (second, minute) = (Nanos::from_secs(1) + MARGIN, TIME_WAIT + MARGIN);
        assert_eq!(wait(40).free_in(second), Nanos::ZERO);
        assert_eq!(wait(60).free_in(second), second);
        assert_eq!(wait(40).free_in(minute), Nanos::from_secs(40) + MARGIN);
    }
}
