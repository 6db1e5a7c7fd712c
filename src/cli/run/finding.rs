//! The names of channels, searched for: the one server that has them, and whom not to ask.

use std::net::{Ipv4Addr, SocketAddr};

use super::super::args::RunArgs;
use super::super::error::CliError;
use super::super::serve::STANDARD_PORTS;
use crate::engine::{Quest, find};

/// The server that has the names of `quest`.
///
/// # Errors
/// Nobody has any, they lie at several servers, or some are nowhere and `allow_partial` does not
/// allow that.
pub(super) fn server_of(quest: &Quest<'_>, allow_partial: bool) -> Result<SocketAddr, CliError> {
    let places = find(quest).map_err(|error| CliError::CannotRun(error.to_string()))?;
    judge(quest, &places, allow_partial).map_err(CliError::CannotRun)
}

/// Refuses to storm the searches of real installations, unless the user says that it is theirs.
///
/// # Errors
/// `at` is a standard port that others can see, or not one host's.
pub(super) fn check_storm(args: &RunArgs, at: SocketAddr) -> Result<(), CliError> {
    let ip = at.ip();
    if ip.is_multicast() || ip == Ipv4Addr::BROADCAST {
        let rule = "searches go to one host, like 127.0.0.1:5064";
        return Err(CliError::rule("URL", at, rule));
    }
    if ip.is_loopback() || !STANDARD_PORTS.contains(&at.port()) || args.i_own_this_network {
        return Ok(());
    }
    let rule = "the servers of others hear what is searched for there: search on loopback, like \
                127.0.0.1:5064, or add --i-own-this-network";
    Err(CliError::rule("URL", at, rule))
}

fn judge(
    quest: &Quest<'_>,
    places: &[Option<SocketAddr>],
    allow_partial: bool,
) -> Result<SocketAddr, String> {
    let asked = format!("{} at {}", quest.search, quest.at);
    let mut found = quest.names.iter().zip(places).filter_map(|(name, at)| Some((name, (*at)?)));
    let Some((first, server)) = found.next() else {
        return Err(format!(
            "none of {} names was found by {asked}: is it where their server listens for searches?",
            places.len()
        ));
    };
    if let Some((other, elsewhere)) = found.find(|(_, at)| *at != server) {
        return Err(format!(
            "'{first}' is at {server}, '{other}' at {elsewhere}: a run has one server, name the \
             channels of one"
        ));
    }
    let missing = quest.names.iter().zip(places).find(|(_, place)| place.is_none());
    match missing {
        Some((name, _)) if !allow_partial => Err(format!(
            "only {} of {} names were found by {asked}, '{name}' was not: --allow-partial runs \
             with those",
            places.iter().flatten().count(),
            places.len()
        )),
        _ => Ok(server),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Scheme, Search};
    use crate::unit::Nanos;

    #[track_caller]
    fn check(places: [u16; 3], allow_partial: bool, expect: Result<u16, &str>) {
        let names = ["A", "B", "C"].map(String::from);
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let (scheme, search, at) = (Scheme::Ca, Search::Udp, local(9));
        let quest = Quest { scheme, search, at, names: &names, timeout: Nanos::ZERO };
        let places = places.map(|port| (port > 0).then(|| local(port)));
        match (judge(&quest, &places, allow_partial), expect) {
            (Ok(server), Ok(port)) => assert_eq!(server.port(), port),
            (Err(said), Err(says)) => assert!(said.contains(says), "{said}"),
            (other, _) => panic!("{other:?}"),
        }
    }

    #[test]
    fn names_are_to_lie_at_one_server() {
        check([7, 7, 7], false, Ok(7));
        check([0, 7, 7], true, Ok(7));
        check([7, 7, 0], false, Err("only 2 of 3 names were found by udp at 127.0.0.1:9, 'C'"));
        check([7, 8, 7], false, Err("'A' is at 127.0.0.1:7, 'B' at 127.0.0.1:8"));
        check([7, 0, 8], true, Err("'C' at 127.0.0.1:8"));
        check([0, 0, 0], true, Err("none of 3 names was found"));
    }
}
