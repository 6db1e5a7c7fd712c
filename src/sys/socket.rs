//! Addresses of this host, and which source the kernel would choose.
//!
//! Nothing here sends a packet: a UDP socket that connects only asks the routing table.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, ToSocketAddrs, UdpSocket};

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;

/// The addresses that a name or a literal stands for, in the resolver's order; never empty.
///
/// # Errors
/// The resolver's own, or `NotFound` where it knows the name but no address.
pub fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let found: Vec<_> = (host, port).to_socket_addrs()?.collect();
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    }
    Ok(found)
}

/// The source address that the kernel would choose for a connection to `target`.
///
/// # Errors
/// The kernel's own: no route to the target.
pub fn source_for(target: SocketAddr) -> io::Result<IpAddr> {
    let any = match target {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let probe = UdpSocket::bind((any, 0))?;
    probe.connect(target)?;
    Ok(probe.local_addr()?.ip())
}

/// Whether `address` is one of this host's own. A target in another network namespace, or behind
/// a port that is forwarded, is not: its CPUs may be ours all the same, which nothing here sees.
pub fn is_local(address: IpAddr) -> bool {
    let address = address.to_canonical();
    // Connecting to ourselves, the kernel takes the very address: this finds what is routed to
    // the host without being on an interface.
    address.is_loopback()
        || interface_addresses().is_ok_and(|all| all.contains(&address))
        || source_for(SocketAddr::new(address, 9)).is_ok_and(|source| source == address)
}

/// The address `source` and `port` for connections to `target`: a link-local one is one only with
/// its interface, and that is the target's.
pub fn source_toward(target: SocketAddr, source: IpAddr, port: u16) -> SocketAddr {
    match (source, target) {
        (IpAddr::V6(source), SocketAddr::V6(target)) => {
            SocketAddrV6::new(source, port, 0, target.scope_id()).into()
        }
        _ => SocketAddr::new(source, port),
    }
}

/// Whether a socket may take `address` as its source.
///
/// # Errors
/// The kernel's own; `AddrNotAvailable` where the host does not have it.
pub fn try_bind(address: SocketAddr) -> io::Result<()> {
    UdpSocket::bind(address).map(drop)
}

/// The IP addresses of all interfaces.
///
/// # Errors
/// The kernel's own.
fn interface_addresses() -> io::Result<Vec<IpAddr>> {
    Ok(getifaddrs()?.filter_map(|interface| interface.address).filter_map(ip_of).collect())
}

fn ip_of(address: SockaddrStorage) -> Option<IpAddr> {
    match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
        (Some(v4), _) => Some(IpAddr::V4(v4.ip())),
        (_, Some(v6)) => Some(IpAddr::V6(v6.ip())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_local_and_a_documentation_address_is_not() {
        for local in ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"] {
            assert!(is_local(local.parse().unwrap()), "{local}");
        }
        for elsewhere in ["192.0.2.1", "2001:db8::1"] {
            assert!(!is_local(elsewhere.parse().unwrap()), "{elsewhere}");
        }
    }

    #[test]
    fn every_interface_address_is_local() {
        let all = interface_addresses().unwrap();
        assert!(all.contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)), "{all:?}");
        assert!(all.iter().all(|&address| is_local(address)), "{all:?}");
    }

    #[test]
    fn loopback_is_reached_from_loopback() {
        let source = source_for("127.0.0.1:80".parse().unwrap()).unwrap();
        assert_eq!(source, IpAddr::V4(Ipv4Addr::LOCALHOST));
    }

    #[test]
    fn an_address_of_nobody_cannot_be_a_source() {
        assert!(try_bind("127.0.0.9:0".parse().unwrap()).is_ok());
        let error = try_bind("192.0.2.1:0".parse().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
    }

    #[test]
    fn literals_resolve_to_themselves_and_nonsense_does_not() {
        let found = resolve("127.0.0.1", 80).unwrap();
        assert_eq!(found, ["127.0.0.1:80".parse().unwrap()]);
        assert!(resolve("no.such.host.invalid", 80).is_err());
    }

    #[test]
    fn a_source_has_the_interface_of_its_target() {
        #[track_caller]
        fn check(target: &str, source: &str, expect: &str) {
            let source = source_toward(target.parse().unwrap(), source.parse().unwrap(), 99);
            assert_eq!(source.to_string(), expect);
        }
        check("[fe80::1%7]:80", "fe80::2", "[fe80::2%7]:99");
        check("[::1]:80", "::1", "[::1]:99");
        check("127.0.0.1:80", "127.0.0.2", "127.0.0.2:99");
    }
}
