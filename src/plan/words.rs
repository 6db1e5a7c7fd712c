//! The closed sets of words that a plan is written in.

use std::fmt;
use std::str::FromStr;

use crate::unit::{Nanos, ParseError, Quantile};
use crate::{line_fields, words};

words! {
    /// What is spoken with the target.
    pub enum Scheme: "a scheme is http, tcp, ca or pva, like http" {
        /// HTTP/1.1.
        Http = "http",
        /// Raw request and response of fixed sizes.
        Tcp = "tcp",
        /// EPICS Channel Access.
        Ca = "ca",
        /// EPICS pvAccess.
        Pva = "pva",
    }
}

words! {
    /// What is done with EPICS channels.
    pub enum Operation: "an operation is monitor, get, put or search, like get" {
        /// Subscribe, and check each update.
        Monitor = "monitor",
        /// Read on a schedule.
        Get = "get",
        /// Write on a schedule.
        Put = "put",
        /// Search for names on a schedule.
        Search = "search",
    }
}

words! {
    /// How EPICS names are searched for.
    pub enum Search: "a search is udp, tcp or none, like udp" {
        /// In datagrams.
        Udp = "udp",
        /// On a circuit.
        Tcp = "tcp",
    }
}

words! {
    /// Whom a client of EPICS channels is like.
    pub enum Profile: "a profile is libca, pvxs or greedy, like pvxs" {
        /// The client library of EPICS base: all elements, values and alarms.
        Libca = "libca",
        /// That of pvxs: all fields, a queue of 4.
        Pvxs = "pvxs",
        /// As little as has to be asked for: one value and its stamp.
        Greedy = "greedy",
    }
}

words! {
    /// How a fresh session ends its connection.
    pub enum Close: "a close is fin, rst or recycle, like rst" {
        /// Close: FIN first from us, TIME_WAIT on our side.
        Fin = "fin",
        /// Close with SO_LINGER zero: RST, no TIME_WAIT.
        Rst = "rst",
        /// Disconnect and reconnect the same socket: RST, and the port is kept.
        Recycle = "recycle",
    }
}

words! {
    /// What becomes of an arrival that meets the concurrence cap.
    pub enum OnCap: "on-cap is defer or drop, like drop" {
        /// It waits in a FIFO and keeps its intended time.
        Defer = "defer",
        /// It is counted as dropped.
        Drop = "drop",
    }
}

words! {
    /// What a shard does when nothing is due.
    pub enum Idle: "idle is spin or sleep, like sleep" {
        /// It never yields while it generates load.
        Spin = "spin",
        /// It sleeps when no session works.
        Sleep = "sleep",
    }
}

words! {
    /// The clock that stamps.
    pub enum ClockName:
        "a clock is tsc, monotonic, monotonic-raw, monotonic-coarse or realtime, like monotonic" {
        /// The CPU's time stamp counter, calibrated.
        Tsc = "tsc",
        /// CLOCK_MONOTONIC.
        Monotonic = "monotonic",
        /// CLOCK_MONOTONIC_RAW.
        MonotonicRaw = "monotonic-raw",
        /// CLOCK_MONOTONIC_COARSE: cheap, a tick of some ms.
        MonotonicCoarse = "monotonic-coarse",
        /// CLOCK_REALTIME: may step.
        Realtime = "realtime",
    }
}

words! {
    /// A version of IP.
    pub enum Family: "a family is 4 or 6, like 4" {
        /// IPv4.
        V4 = "4",
        /// IPv6.
        V6 = "6",
    }
}

words! {
    /// How the gaps of random arrivals are spread, both with the mean 1 / rate.
    pub enum Gap: "random gaps are exp or uniform, like exp" {
        /// Exponential: a Poisson process.
        Exp = "exp",
        /// Uniform on 0 to 2 / rate.
        Uniform = "uniform",
    }
}

/// How arrivals lie in time. Never depends on completions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// Arrival k is due at k / rate.
    Even,
    /// At each boundary of this period `rate * period` arrivals are due at once.
    Rush(Nanos),
    /// Seeded gaps with mean 1 / rate.
    Random(Gap),
}

impl FromStr for Pattern {
    type Err = ParseError;

    fn from_str(typed: &str) -> Result<Self, ParseError> {
        let rule = "a pattern is even, rush[:PERIOD] or random[:exp|uniform], like rush:500ms";
        let wrong = || ParseError::new(typed, rule);
        match typed.split_once(':') {
            None => match typed {
                "even" => Ok(Self::Even),
                "rush" => Ok(Self::Rush(Nanos::from_secs(1))),
                "random" => Ok(Self::Random(Gap::Exp)),
                _ => Err(wrong()),
            },
            Some(("rush", period)) => {
                let period = period.parse().map_err(|_| wrong())?;
                if period == Nanos::ZERO { Err(wrong()) } else { Ok(Self::Rush(period)) }
            }
            Some(("random", gap)) => Ok(Self::Random(gap.parse().map_err(|_| wrong())?)),
            Some(_) => Err(wrong()),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Even => f.write_str("even"),
            Self::Rush(period) => write!(f, "rush:{period}"),
            Self::Random(gap) => write!(f, "random:{gap}"),
        }
    }
}

/// Which requests the log keeps. Counters and histograms are complete whatever it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogMode {
    /// Every request.
    All,
    /// One session in this many, at least 2.
    OneIn(u64),
    /// Every request that was not ok.
    Errors,
    /// Every request whose response took this long or longer, and every one that was not ok.
    Slow(Nanos),
    /// None.
    Nothing,
}

impl LogMode {
    /// How many sessions one that it keeps stands for; `None` where those that it keeps are not
    /// like those that it leaves out.
    pub const fn stands_for(self) -> Option<u64> {
        match self {
            Self::All => Some(1),
            Self::OneIn(n) => Some(n),
            Self::Errors | Self::Slow(_) | Self::Nothing => None,
        }
    }

    /// Whether what it keeps is like what it leaves out: only then the log tells of the run.
    pub const fn is_fair(self) -> bool {
        self.stands_for().is_some()
    }
}

impl FromStr for LogMode {
    type Err = ParseError;

    fn from_str(typed: &str) -> Result<Self, ParseError> {
        match typed {
            "all" | "1/1" => return Ok(Self::All),
            "none" => return Ok(Self::Nothing),
            "errors" => return Ok(Self::Errors),
            _ => {}
        }
        let rule = "a log mode is all, 1/N, errors, slow:T or none, like 1/100 or slow:5ms";
        let wrong = || ParseError::new(typed, rule);
        if let Some(time) = typed.strip_prefix("slow:") {
            return time.parse().map(Self::Slow).map_err(|_| wrong());
        }
        let n = typed.strip_prefix("1/").and_then(|n| n.parse().ok());
        n.filter(|&n| n >= 2).map(Self::OneIn).ok_or_else(wrong)
    }
}

impl fmt::Display for LogMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::OneIn(n) => write!(f, "1/{n}"),
            Self::Errors => f.write_str("errors"),
            Self::Slow(time) => write!(f, "slow:{time}"),
            Self::Nothing => f.write_str("none"),
        }
    }
}

/// How well a percentile is to be known: `p99:5%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Precision {
    /// The percentile of the response.
    pub quantile: Quantile,
    /// Half of its interval of 95 %, as a share of its value, in millionths; above 0.
    pub share_ppm: u32,
}

impl FromStr for Precision {
    type Err = ParseError;

    fn from_str(typed: &str) -> Result<Self, ParseError> {
        let rule = "a precision is a percentile and a share of it, from 0.01% to 100%, like p99:5%";
        let wrong = || ParseError::new(typed, rule);
        let (quantile, share) = typed.split_once(':').ok_or_else(wrong)?;
        let percent: f64 =
            share.strip_suffix('%').and_then(|share| share.parse().ok()).ok_or_else(wrong)?;
        if !(0.01..=100.0).contains(&percent) {
            return Err(wrong());
        }
        let quantile: Quantile = quantile.parse().map_err(|_| wrong())?;
        if quantile == Quantile(0) {
            return Err(wrong());
        }
        Ok(Self { quantile, share_ppm: (percent * 1e4).round() as u32 })
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}%", self.quantile, f64::from(self.share_ppm) / 1e4)
    }
}

line_fields!(Pattern, LogMode, Precision);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_log_modes_and_precisions_read_back() {
        for typed in ["even", "rush:1s", "rush:250ms", "random:exp", "random:uniform"] {
            assert_eq!(typed.parse::<Pattern>().unwrap().to_string(), typed);
        }
        for typed in ["rush:0", "rush:x", "random:normal", "evn", "even:1"] {
            assert!(typed.parse::<Pattern>().is_err(), "{typed}");
        }
        for typed in ["all", "1/100", "none", "errors", "slow:5ms", "slow:0s"] {
            assert_eq!(typed.parse::<LogMode>().unwrap().to_string(), typed);
        }
        for typed in ["1/0", "slow", "slow:", "slow:x", "error", ""] {
            assert!(typed.parse::<LogMode>().is_err(), "{typed}");
        }
        for typed in ["p99:5%", "p99.9:0.5%", "p50:100%"] {
            assert_eq!(typed.parse::<Precision>().unwrap().to_string(), typed);
        }
        for typed in
            ["p99", "p99:5", "p99:0%", "99:5%", "p99:-1%", "p99:101%", "p99:x%", "p0:5%", ":%"]
        {
            assert!(typed.parse::<Precision>().is_err(), "{typed}");
        }
    }
}
