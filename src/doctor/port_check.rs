//! The check of the source ports: the budget in words, with its arithmetic and its cure.

use crate::observe::TIME_WAIT;
use crate::plan::Plan;
use crate::unit::Nanos;

use super::Finding;
use super::facts::Facts;
use super::ports::{Demand, PortBudget, Verdict};

pub(super) fn ports(facts: &Facts, plan: &Plan) -> Finding {
    const NAME: &str = "ports";
    if plan.ports.part(plan.shards - 1, plan.shards).is_none() {
        let said = format!("--ports {} is less than a port for each shard", plan.ports);
        return Finding::bad(NAME, said, format!("a wider --ports, or -t {}", plan.ports.count()));
    }
    let demand = Demand::of(plan, facts.hold);
    let budget = PortBudget::new(&demand, plan.shards, &facts.free_in);
    let said = arithmetic(plan, &budget);
    match budget.verdict {
        Verdict::Lasts => Finding::good(NAME, said),
        Verdict::MayRunDry => {
            let said = format!("{said}: not enough if the target is slow or the rate high");
            Finding::warn(NAME, said, cure(plan, facts, &demand, &budget))
        }
        Verdict::RunsDry(at) => {
            let said = match at {
                Nanos::ZERO => format!("{said}: not enough"),
                _ => format!("{said}: none is left after {:.1} s", at.as_secs_f64()),
            };
            Finding::bad(NAME, said, cure(plan, facts, &demand, &budget))
        }
    }
}

/// What the plan takes against what there is.
fn arithmetic(plan: &Plan, budget: &PortBudget) -> String {
    let addresses = plan.sources.len();
    let takes = match budget.needed {
        _ if !plan.fresh => format!("{} kept connections", plan.connections()),
        _ if budget.hold == Nanos::ZERO => {
            format!("{} sessions at a time, closed without TIME_WAIT", plan.concurrence)
        }
        Some(needed) => format!("{}/s take {needed} at a time", plan.rate),
        None => "fresh connections as fast as they go".to_owned(),
    };
    let addresses = match addresses {
        1 => "1 address".to_owned(),
        many => format!("{many} addresses"),
    };
    let mut said = format!("{takes}; {} ports x {addresses}", plan.ports.count());
    if let Some(per_second) = budget.per_second {
        let hold = budget.hold.as_secs_f64();
        said += &format!(" = {} pairs / {hold:.2} s hold = {per_second}/s", budget.pairs);
    }
    match budget.in_time_wait {
        0 => said,
        held => format!("{said}; {held} in use or in TIME_WAIT"),
    }
}

/// What would make the ports last, the least change first.
fn cure(plan: &Plan, facts: &Facts, demand: &Demand, budget: &PortBudget) -> String {
    let lasts_alone = PortBudget::new(demand, plan.shards, &[]).verdict == Verdict::Lasts;
    if let Some(last) = facts.free_in.iter().max().filter(|_| lasts_alone) {
        let seconds = last.0.div_ceil(Nanos::PER_SECOND);
        return format!("wait {seconds} s for those of earlier runs, or more --source addresses");
    }
    let most = budget.needed_at_most.unwrap_or(0);
    let addresses = most.div_ceil(u64::from(plan.ports.count())).max(2);
    let mut cures = vec![format!("{addresses} --source addresses")];
    match budget.per_second {
        None => cures.push(format!("-c {}", budget.pairs)),
        Some(per_second) => {
            cures.push("--close rst or recycle".to_owned());
            cures.push(format!("-R {per_second} or less"));
            if demand.hold >= TIME_WAIT {
                cures.push("sysctl -w net.ipv4.tcp_tw_reuse=1".to_owned());
            }
        }
    }
    cures.join(", or ")
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::super::sample::{check, facts};
    use super::*;
    use crate::plan::sample::plan;

    #[test]
    fn a_plan_that_must_run_dry_is_bad_with_the_arithmetic_and_the_cure() {
        let mut plan = plan();
        plan.fresh = true;
        plan.rate = "5000".parse().unwrap();
        plan.duration = Nanos::from_secs(60);
        let line = ports(&facts(), &plan);
        let said = "5000/s take 300000 at a time; 55001 ports x 1 address = 55001 pairs / 60.00 s \
                    hold = 916/s: none is left after 11.0 s";
        check(&line, State::Bad, said);
        check(&line, State::Bad, "6 --source addresses, or --close rst or recycle, or -R 916");
        check(&line, State::Bad, "tcp_tw_reuse=1");
        plan.close = crate::plan::Close::Rst;
        check(&ports(&facts(), &plan), State::Good, "without TIME_WAIT");
    }

    #[test]
    fn ports_of_earlier_runs_are_waited_for() {
        let mut plan = plan();
        plan.ports = "10000-10009".parse().unwrap();
        plan.concurrence = 8;
        let free_in = vec![Nanos(30_000_000_001); 4];
        let line = ports(&Facts { free_in, ..facts() }, &plan);
        check(&line, State::Bad, "4 in use or in TIME_WAIT");
        check(&line, State::Bad, "wait 31 s");
        plan.concurrence = 12;
        check(&ports(&facts(), &plan), State::Bad, "2 --source addresses, or -c 10");
        plan.shards = 11;
        check(&ports(&facts(), &plan), State::Bad, "-t 10");
    }
}
