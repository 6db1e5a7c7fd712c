//! Source addresses: `127.0.0.2,127.0.0.8-127.0.0.15,10.0.0.0/28`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::target::family_of;
use crate::plan::Family;
use crate::unit::ParseError;

/// The most addresses of a list: the log counts sources in 16 bits.
pub(super) const SOURCES_MAX: usize = 1 << 16;

/// Addresses of one family in the order given, without repeats; never empty.
///
/// A block leaves out the addresses that no host may have: its network and broadcast address
/// (the first alone in IPv6), unless it is too small to have them (/31, /32, /127, /128). All of
/// 127.0.0.0/8 is one network, so that a smaller block of it is taken whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SourceList(pub(super) Vec<IpAddr>);

impl SourceList {
    /// The family that all of them are of.
    pub(super) fn family(&self) -> Option<Family> {
        self.0.first().map(|&first| family_of(first))
    }
}

impl FromStr for SourceList {
    type Err = ParseError;

    fn from_str(typed: &str) -> Result<Self, ParseError> {
        let wrong = || {
            ParseError::new(typed, "addresses are A, A-B and A/BITS, like 127.0.0.2,10.0.0.0/28")
        };
        let mut list: Vec<IpAddr> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for part in typed.split(',') {
            let block = Block::parse(part).ok_or_else(wrong)?;
            if list.first().is_some_and(|&first| family_of(first) != block.family) {
                return Err(ParseError::new(
                    typed,
                    "all addresses are of one family, like 127.0.0.2,127.0.0.3",
                ));
            }
            for address in block.addresses() {
                if list.len() == SOURCES_MAX {
                    return Err(ParseError::new(
                        typed,
                        "at most 65536 addresses, like 10.0.0.0/24",
                    ));
                }
                if address.is_unspecified() || address.is_multicast() {
                    return Err(wrong());
                }
                if seen.insert(address) {
                    list.push(address);
                }
            }
        }
        if list.is_empty() { Err(wrong()) } else { Ok(Self(list)) }
    }
}

/// Addresses in a row, as numbers.
struct Block {
    family: Family,
    numbers: RangeInclusive<u128>,
}

impl Block {
    fn parse(part: &str) -> Option<Self> {
        if let Some((first, bits)) = part.split_once('/') {
            let first: IpAddr = first.parse().ok()?;
            let digits = !bits.is_empty() && bits.bytes().all(|b| b.is_ascii_digit());
            return Self::of_prefix(first, bits.parse().ok().filter(|_| digits)?);
        }
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (IpAddr, IpAddr) = (first.parse().ok()?, last.parse().ok()?);
        let numbers = number(first)..=number(last);
        (family_of(first) == family_of(last) && !numbers.is_empty())
            .then_some(Self { family: family_of(first), numbers })
    }

    fn of_prefix(inside: IpAddr, bits: u32) -> Option<Self> {
        let family = family_of(inside);
        let width = if family == Family::V4 { 32 } else { 128 };
        let host_bits = u32::checked_sub(width, bits)?;
        let size_less_one = u128::MAX.checked_shr(128 - host_bits).unwrap_or(0);
        let low = number(inside) & !size_less_one;
        let high = low + size_less_one;
        let loopback = family == Family::V4 && low >> 24 == 127 && bits >= 8;
        let numbers = match (host_bits, family) {
            (0 | 1, _) => low..=high,
            _ if loopback => low.max(LOOPBACK_LOW)..=high.min(LOOPBACK_HIGH),
            (_, Family::V4) => low + 1..=high - 1,
            (_, Family::V6) => low + 1..=high,
        };
        Some(Self { family, numbers })
    }

    fn addresses(self) -> impl Iterator<Item = IpAddr> {
        let family = self.family;
        self.numbers.map(move |number| match family {
            Family::V4 => IpAddr::V4(Ipv4Addr::from(number as u32)),
            Family::V6 => IpAddr::V6(Ipv6Addr::from(number)),
        })
    }
}

/// 127.0.0.1 and 127.255.255.254: the hosts of the loopback network.
const LOOPBACK_LOW: u128 = 0x7f00_0001;
const LOOPBACK_HIGH: u128 = 0x7fff_fffe;

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(typed: &str, expect: &[&str]) {
        let list: SourceList = typed.parse().unwrap();
        let expect: Vec<IpAddr> = expect.iter().map(|a| a.parse().unwrap()).collect();
        assert_eq!(list.0, expect, "{typed}");
    }

    #[track_caller]
    fn check_count(typed: &str, count: usize, first: &str, last: &str) {
        let list = typed.parse::<SourceList>().unwrap().0;
        assert_eq!(list.len(), count, "{typed}");
        assert_eq!(list[0].to_string(), first);
        assert_eq!(list[count - 1].to_string(), last);
    }

    #[test]
    fn a_list_holds_addresses_ranges_and_blocks_in_order() {
        check("127.0.0.2", &["127.0.0.2"]);
        check("10.0.0.9,10.0.0.1-10.0.0.2", &["10.0.0.9", "10.0.0.1", "10.0.0.2"]);
        check("::2,fd00::1-fd00::2", &["::2", "fd00::1", "fd00::2"]);
        check("10.0.0.1,10.0.0.1-10.0.0.2,10.0.0.1", &["10.0.0.1", "10.0.0.2"]);
    }

    #[test]
    fn a_block_leaves_out_what_no_host_may_have() {
        check_count("10.0.0.0/28", 14, "10.0.0.1", "10.0.0.14");
        check_count("10.0.0.5/28", 14, "10.0.0.1", "10.0.0.14");
        check("10.0.0.0/30", &["10.0.0.1", "10.0.0.2"]);
        check("10.0.0.0/31", &["10.0.0.0", "10.0.0.1"]);
        check("10.0.0.7/32", &["10.0.0.7"]);
        check_count("fd00::/126", 3, "fd00::1", "fd00::3");
        check_count("127.0.0.16/28", 16, "127.0.0.16", "127.0.0.31");
        check_count("127.0.0.0/28", 15, "127.0.0.1", "127.0.0.15");
        check_count("10.1.0.0/16,127.0.0.1,127.0.0.2", SOURCES_MAX, "10.1.0.1", "127.0.0.2");
    }

    #[test]
    fn a_wrong_list_names_itself_and_the_rule() {
        for typed in [
            "",
            ",",
            "127.0.0.2,",
            "localhost",
            "127.0.0.9-127.0.0.2",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.1-::1",
            "10.0.0.1,::1",
            "10.0.0.0/8",
            "fd00::/64",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/-1",
            "0.0.0.0/0",
            "::/0",
            "1.2.3.4-",
        ] {
            let error = typed.parse::<SourceList>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("'{typed}': ")), "{error}");
            assert!(error.contains(", like "), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_a_list_is_never_empty(typed in "[0-9a-f:./,-]{0,40}") {
            if let Ok(SourceList(list)) = typed.parse::<SourceList>() {
                prop_assert!(!list.is_empty() && list.len() <= SOURCES_MAX);
            }
        }
    }
}
