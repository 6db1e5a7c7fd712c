//! What TCP and UDP counted in our network namespace: for all its sockets, not for ours alone.

use crate::evidence::NetCount;

use super::procfs;

/// Counters that tell why an answer was late or a connection was not made, by protocol and name
/// as the kernel has them.
const COUNTERS: [(&str, &str); 16] = [
    ("Tcp", "AttemptFails"),
    ("Tcp", "EstabResets"),
    ("Tcp", "InErrs"),
    ("Tcp", "RetransSegs"),
    ("TcpExt", "ListenDrops"),
    ("TcpExt", "ListenOverflows"),
    ("TcpExt", "PAWSEstab"),
    ("TcpExt", "TCPAbortOnMemory"),
    ("TcpExt", "TCPBacklogDrop"),
    ("TcpExt", "TCPLostRetransmit"),
    ("TcpExt", "TCPRcvQDrop"),
    ("TcpExt", "TCPSynRetrans"),
    ("TcpExt", "TCPTimeWaitOverflow"),
    ("TcpExt", "TCPTimeouts"),
    // Datagrams that found no room.
    ("Udp", "RcvbufErrors"),
    ("Udp", "SndbufErrors"),
];

/// The counters as they stand; those that a kernel lacks are left out.
pub(super) fn counts() -> Vec<NetCount> {
    let text = |file| procfs::text(file).unwrap_or_default();
    counts_of(&[text("/proc/net/snmp"), text("/proc/net/netstat")].join("\n"))
}

fn counts_of(text: &str) -> Vec<NetCount> {
    let count = |&(protocol, name): &(&str, &str)| {
        let count = counter(text, protocol, name)?;
        Some(NetCount { name: name.to_owned(), count })
    };
    COUNTERS.iter().filter_map(count).collect()
}

/// A counter by the names in its protocol's first line, whose values are in the second.
fn counter(text: &str, protocol: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| {
        let (owner, rest) = line.split_once(": ")?;
        (owner == protocol).then_some(rest)
    });
    let index = lines.next()?.split(' ').position(|found| found == name)?;
    lines.next()?.split(' ').nth(index)?.parse().ok()
}

/// What was counted between two looks. A counter that ran back is left out: it is not the same
/// one any more.
pub(super) fn since(now: &[NetCount], earlier: &[NetCount]) -> Vec<NetCount> {
    let delta = |now: &NetCount| {
        let earlier = earlier.iter().find(|earlier| earlier.name == now.name)?;
        let count = now.count.checked_sub(earlier.count)?;
        Some(NetCount { name: now.name.clone(), count })
    };
    now.iter().filter_map(delta).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Ip: Forwarding DefaultTTL\nIp: 2 64\n\
        Tcp: RtoAlgorithm MaxConn RetransSegs InErrs\nTcp: 1 -1 42 0\n\n\
        TcpExt: TW TCPTimeouts ListenDrops\nTcpExt: 9 7 18446744073709551615\nIpExt: X\nIpExt:\n";

    #[track_caller]
    fn check(protocol: &str, name: &str, expect: Option<u64>) {
        assert_eq!(counter(TEXT, protocol, name), expect, "{protocol} {name}");
    }

    #[test]
    fn counters_are_found_by_their_names_wherever_they_stand() {
        check("Tcp", "RetransSegs", Some(42));
        check("TcpExt", "TCPTimeouts", Some(7));
        check("TcpExt", "ListenDrops", Some(u64::MAX));
        check("Tcp", "MaxConn", None);
        check("Tcp", "TCPTimeouts", None);
        check("IpExt", "X", None);
        check("Udp", "InErrs", None);
    }

    #[test]
    fn only_what_both_looks_have_and_what_grew_is_a_difference() {
        let count = |name: &str, count| NetCount { name: name.to_owned(), count };
        let earlier = [count("InErrs", 1), count("RetransSegs", 5), count("TCPTimeouts", 9)];
        let now = [count("RetransSegs", 5), count("TCPTimeouts", 8), count("InErrs", 4)];
        assert_eq!(since(&now, &earlier), [count("RetransSegs", 0), count("InErrs", 3)]);
    }

    #[test]
    fn a_linux_counts_what_is_sent_again() {
        let names: Vec<String> = counts().into_iter().map(|count| count.name).collect();
        assert!(names.iter().any(|name| name == "RetransSegs"), "{names:?}");
        assert!(names.is_sorted_by_key(|name| COUNTERS.iter().position(|c| c.1 == name)));
    }
}
