//! Where load comes from: CPUs and source ports.

use std::fmt;
use std::str::FromStr;

use crate::line_fields;
use crate::unit::ParseError;

/// CPUs in the order given, without repeats: `0-3,8`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CpuList(pub Vec<usize>);

/// The highest CPU number that a list may name; what Linux builds for at most.
const CPU_MAX: usize = 8191;

impl FromStr for CpuList {
    type Err = ParseError;

    fn from_str(typed: &str) -> Result<Self, ParseError> {
        let wrong = || ParseError::new(typed, "CPUs are numbers and ranges, like 0-3,8");
        let mut cpus = Vec::new();
        for part in typed.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let first: usize = first.parse().map_err(|_| wrong())?;
            let last: usize = last.parse().map_err(|_| wrong())?;
            if first > last || last > CPU_MAX {
                return Err(wrong());
            }
            cpus.extend((first..=last).filter(|cpu| !cpus.contains(cpu)).collect::<Vec<_>>());
        }
        Ok(Self(cpus))
    }
}

impl fmt::Display for CpuList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = &self.0[..];
        let mut comma = "";
        while let Some(&first) = rest.first() {
            let run = rest.iter().enumerate().take_while(|&(i, &cpu)| cpu == first + i).count();
            match run {
                1 => write!(f, "{comma}{first}")?,
                _ => write!(f, "{comma}{first}-{}", first + run - 1)?,
            }
            comma = ",";
            rest = &rest[run..];
        }
        Ok(())
    }
}

/// Source ports from `low` to `high`, both included; `1 <= low <= high`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    /// The first port.
    pub low: u16,
    /// The last port.
    pub high: u16,
}

impl PortRange {
    /// Ports in the range; at least 1.
    pub fn count(self) -> u32 {
        u32::from(self.high) - u32::from(self.low) + 1
    }

    /// The part of the range that falls to `index` of `parts`: contiguous, the remainder one
    /// each to the first. `None` where there are fewer ports than parts.
    pub fn part(self, index: u32, parts: u32) -> Option<Self> {
        let (each, rest) = (self.count() / parts, self.count() % parts);
        let skipped = index * each + index.min(rest);
        let count = each + u32::from(index < rest);
        if count == 0 {
            return None;
        }
        let low = self.low + u16::try_from(skipped).ok()?;
        Some(Self { low, high: low + u16::try_from(count - 1).ok()? })
    }
}

impl FromStr for PortRange {
    type Err = ParseError;

    fn from_str(typed: &str) -> Result<Self, ParseError> {
        let wrong = || ParseError::new(typed, "ports are LO-HI within 1-65535, like 10000-65000");
        let (low, high) = typed.split_once('-').ok_or_else(wrong)?;
        let (low, high) = (low.parse().map_err(|_| wrong())?, high.parse().map_err(|_| wrong())?);
        if low == 0 || low > high { Err(wrong()) } else { Ok(Self { low, high }) }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.low, self.high)
    }
}

line_fields!(CpuList, PortRange);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cpu_list_reads_and_shows_ranges() {
        let list: CpuList = "0-3,8,2".parse().unwrap();
        assert_eq!(list.0, [0, 1, 2, 3, 8]);
        assert_eq!(list.to_string(), "0-3,8");
        for typed in ["", "a", "3-1", "0-", "0-99999999"] {
            assert!(typed.parse::<CpuList>().is_err(), "{typed}");
        }
    }

    #[test]
    fn port_parts_cover_the_range_without_overlap() {
        let range: PortRange = "10000-10010".parse().unwrap();
        let parts: Vec<_> = (0..3).map(|i| range.part(i, 3).unwrap()).collect();
        assert_eq!(parts[0].low, 10000);
        assert_eq!(parts[2].high, 10010);
        assert!(parts.windows(2).all(|p| p[0].high + 1 == p[1].low));
        assert_eq!("5-6".parse::<PortRange>().unwrap().part(2, 3), None);
    }
}
