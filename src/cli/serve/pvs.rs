//! The flags of a server of PVs.

use std::net::SocketAddr;

use crate::cli::args::ServeArgs;
use crate::cli::error::{CliError, parse, read_count, read_if_given};
use crate::serve::{Flaws, Kind, PvPlan};
use crate::unit::Rate;

/// Most PVs: each takes some 40 bytes, and 150 more where somebody subscribed.
const PVS_MAX: u64 = 1 << 24;
/// Most elements: 8 MB as doubles.
const ELEMENTS_MAX: u64 = 1_000_000;
/// Most clients of a shard, the kernel's limit for direct descriptors less the server's own.
const CLIENTS_MAX: u64 = 32_000;
/// Most bytes of a prefix: names have at most 500.
const PREFIX_BYTES_MAX: usize = 480;

/// Where the servers of real installations are searched for, CA and PVA.
pub(in crate::cli) const STANDARD_PORTS: [u16; 4] = [5064, 5065, 5075, 5076];

/// The PVs that `args` mean.
///
/// # Errors
/// A value breaks its rule, or a flag is not for this kind of target.
pub(super) fn pvs_of(args: &ServeArgs, kind: Kind) -> Result<PvPlan, CliError> {
    refuse_strangers(args, kind)?;
    let count = |flag, typed: &Option<String>, most| {
        typed.as_deref().map(|typed| read_count(flag, typed, (1, most))).transpose()
    };
    let usual = PvPlan::default();
    let rate = args.rate.as_deref().map(|typed| parse("--rate", typed)).transpose()?;
    if rate == Some(Rate::Max) {
        let rule = "a PV is posted so many times a second, like --rate 100";
        return Err(CliError::rule("--rate", Rate::Max, rule));
    }
    let narrow = |wide: Option<u64>, usual: u32| wide.map_or(usual, |count| count as u32);
    Ok(PvPlan {
        prefix: args.prefix.as_deref().map(prefix_of).transpose()?.unwrap_or(usual.prefix),
        pvs: narrow(count("--pvs", &args.pvs, PVS_MAX)?, usual.pvs),
        search_port: search_port_of(args)?,
        rate: rate.unwrap_or(usual.rate),
        posting: read_if_given("--pattern", &args.pattern)?.unwrap_or(usual.posting),
        post_for: read_if_given("--post-for", &args.post_for)?,
        pv_type: read_if_given("--type", &args.pv_type)?.unwrap_or(usual.pv_type),
        elements: narrow(count("--array", &args.array, ELEMENTS_MAX)?, usual.elements),
        clients_max: count("--clients-max", &args.clients_max, CLIENTS_MAX)?
            .map(|clients| clients as u32),
        coalesce: !args.no_coalesce,
        flaws: Flaws {
            drop_every: count("--drop-every", &args.drop_every, u64::MAX)?,
            repeat_every: count("--repeat-every", &args.repeat_every, u64::MAX)?,
            backwards_every: count("--backwards-every", &args.backwards_every, u64::MAX)?,
        },
    })
}

/// Refuses to be found where real servers are, unless the user says that there are none.
///
/// # Errors
/// `listen` is a standard port that others can see.
pub(super) fn check_network(args: &ServeArgs, listen: SocketAddr) -> Result<(), CliError> {
    if listen.ip().is_loopback() || args.i_own_this_network {
        return Ok(());
    }
    let rule = |cure: &str| {
        format!(
            "clients of others would take their values from here, since the first answer wins: \
             take another port, like {cure}, or add --i-own-this-network"
        )
    };
    if STANDARD_PORTS.contains(&listen.port()) {
        let cure = format!("--listen 127.0.0.1:{}", listen.port());
        return Err(CliError::rule("--listen", listen, rule(&cure)));
    }
    match search_port_of(args)? {
        Some(port) if STANDARD_PORTS.contains(&port) => {
            Err(CliError::rule("--search-port", port, rule("--search-port 15076")))
        }
        _ => Ok(()),
    }
}

fn search_port_of(args: &ServeArgs) -> Result<Option<u16>, CliError> {
    let read = |typed| read_count("--search-port", typed, (1, u16::MAX.into()));
    let port = args.search_port.as_deref().map(read).transpose()?;
    Ok(port.map(|port| port as u16))
}

/// Flags of the other kinds of target.
fn refuse_strangers(args: &ServeArgs, kind: Kind) -> Result<(), CliError> {
    // A switch has no value of its own to show.
    let switch = |is_set: bool| is_set.then(|| kind.to_string());
    let of_pvs = [
        ("--pvs", args.pvs.clone()),
        ("--search-port", args.search_port.clone()),
        ("--rate", args.rate.clone()),
        ("--prefix", args.prefix.clone()),
        ("--type", args.pv_type.clone()),
        ("--array", args.array.clone()),
        ("--pattern", args.pattern.clone()),
        ("--post-for", args.post_for.clone()),
        ("--clients-max", args.clients_max.clone()),
        ("--no-coalesce", switch(args.no_coalesce)),
        ("--drop-every", args.drop_every.clone()),
        ("--repeat-every", args.repeat_every.clone()),
        ("--backwards-every", args.backwards_every.clone()),
        ("--i-own-this-network", switch(args.i_own_this_network)),
    ];
    let of_answers = [
        ("--delay", args.delay.clone()),
        ("--workers", args.workers.clone()),
        ("--fail-rate", args.fail_rate.clone()),
        ("--reset-rate", args.reset_rate.clone()),
        ("--body-bytes", args.body_bytes.clone()),
        ("--close-after", args.close_after.clone()),
    ];
    let (strangers, rule) = match kind {
        Kind::Ca | Kind::Pva => {
            (&of_answers[..], "it is for requests, use it like onrush serve http")
        }
        _ => (&of_pvs[..], "it is for PVs, use it like onrush serve ca"),
    };
    match strangers.iter().find_map(|(flag, typed)| Some((*flag, typed.as_ref()?))) {
        Some((flag, typed)) => Err(CliError::rule(flag, typed, rule)),
        None => Ok(()),
    }
}

fn prefix_of(typed: &str) -> Result<String, CliError> {
    if typed.len() > PREFIX_BYTES_MAX || !typed.bytes().all(|byte| byte.is_ascii_graphic()) {
        let rule = "a prefix is at most 480 characters of ASCII without blanks, like LAB:P";
        return Err(CliError::rule("--prefix", typed.escape_debug(), rule));
    }
    Ok(typed.to_owned())
}
