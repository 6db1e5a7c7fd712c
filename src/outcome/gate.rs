//! Gates: what the user wants to hold, as `p99<1ms,err<0.1%,rate>1000`.

use std::fmt;
use std::str::FromStr;

use super::Summary;
use crate::unit::{Nanos, ParseError, Quantile, Rate};

const RULE: &str =
    "a gate is pN, max or mean < a time, err < a share, or rate > a rate, like p99<1ms,err<0.1%";

/// A figure and the limit that it has to keep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gate {
    /// The figure.
    pub metric: Metric,
    /// On which side of the limit it has to be.
    pub relation: Relation,
    /// The limit, in the unit of the metric: ns, per cent, or sessions per second.
    pub limit: f64,
}

/// A figure that can be gated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// A percentile of the response.
    Response(Quantile),
    /// The longest response.
    Max,
    /// The mean response.
    Mean,
    /// Planned sessions that failed, were dropped or were left unserved, in per cent.
    Errors,
    /// Sessions achieved per second.
    Rate,
}

/// On which side of a limit a figure has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// Strictly below.
    Below,
    /// Strictly above.
    Above,
}

/// Several gates, apart by commas.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gates(pub Vec<Gate>);

/// A gate and what it met.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// The gate.
    pub gate: Gate,
    /// The figure, in the gate's unit; `None` where the run cannot tell.
    pub value: Option<f64>,
    /// It holds. What the run cannot tell does not.
    pub is_met: bool,
}

impl Gate {
    /// Holds the gate against what a run yielded.
    pub fn judge(&self, summary: &Summary) -> Judged {
        let response = &summary.figures.response;
        let nanos = |time: Option<Nanos>| time.map(|time| time.0 as f64);
        let value = match self.metric {
            Metric::Response(quantile) => nanos(response.quantile(quantile)),
            Metric::Max => nanos(response.max()),
            Metric::Mean => response.mean(),
            Metric::Errors => summary.error_share().map(|share| share * 100.0),
            Metric::Rate => summary.rates.achieved_per_s,
        };
        let is_met = value.is_some_and(|value| match self.relation {
            Relation::Below => value < self.limit,
            Relation::Above => value > self.limit,
        });
        Judged { gate: *self, value, is_met }
    }
}

impl FromStr for Gate {
    type Err = ParseError;

    fn from_str(typed: &str) -> Result<Self, ParseError> {
        let wrong = || ParseError::new(typed, RULE);
        let at = typed.find(['<', '>']).ok_or_else(wrong)?;
        let (name, limit) = (typed[..at].trim(), typed[at + 1..].trim());
        let relation = if typed[at..].starts_with('<') { Relation::Below } else { Relation::Above };
        let metric = match name {
            "max" => Metric::Max,
            "mean" => Metric::Mean,
            "err" => Metric::Errors,
            "rate" => Metric::Rate,
            _ => Metric::Response(name.parse().map_err(|_| wrong())?),
        };
        let limit = match metric {
            Metric::Errors => share(limit),
            Metric::Rate => limit.parse::<Rate>().ok().and_then(Rate::as_per_second_f64),
            _ => limit.parse::<Nanos>().ok().map(|time| time.0 as f64),
        };
        Ok(Self { metric, relation, limit: limit.ok_or_else(wrong)? })
    }
}

/// `0.1%`, 0 to 100.
fn share(typed: &str) -> Option<f64> {
    let number = typed.strip_suffix('%')?;
    let plain = number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    number.parse().ok().filter(|percent| plain && (0.0..=100.0).contains(percent))
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.relation == Relation::Below { '<' } else { '>' };
        match self.metric {
            Metric::Errors => write!(f, "err{sign}{}%", self.limit),
            Metric::Rate => write!(f, "rate{sign}{}", self.limit),
            metric => {
                match metric {
                    Metric::Response(quantile) => write!(f, "{quantile}")?,
                    Metric::Max => f.write_str("max")?,
                    _ => f.write_str("mean")?,
                }
                write!(f, "{sign}{}", Nanos(self.limit as u64))
            }
        }
    }
}

impl FromStr for Gates {
    type Err = ParseError;

    fn from_str(typed: &str) -> Result<Self, ParseError> {
        typed.split(',').map(|gate| gate.trim().parse()).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::sample::Run;

    #[test]
    fn gates_read_and_show_themselves() {
        let typed = "p99<1ms,p99.9<2500us,max<1s,mean<10us,err<0.1%,rate>1000";
        let gates: Gates = typed.parse().unwrap();
        let shown: Vec<String> = gates.0.iter().map(Gate::to_string).collect();
        assert_eq!(shown.join(","), typed);
    }

    #[test]
    fn a_wrong_gate_names_itself_and_an_example() {
        for typed in ["", "p99", "p99=1ms", "p99<fast", "q<1ms", "err<5", "err<101%", "rate>max"] {
            let error = typed.parse::<Gates>().unwrap_err().to_string();
            assert!(
                error.contains(&format!("'{typed}'")) && error.contains("like p99<"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_gate_holds_or_is_breached() {
        let summary = Run::steady().summary();
        let holds = |typed: &str| typed.parse::<Gate>().unwrap().judge(&summary).is_met;
        assert!(holds("p90<1ms") && holds("err<0.1%") && holds("rate>900") && holds("max<1s"));
        assert!(!holds("p90<1us") && !holds("rate>10k") && !holds("mean>1s"));
        assert!(!holds("p99.99<1h"), "what has no support does not hold");
    }
}
