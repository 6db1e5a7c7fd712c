//! What is loaded: the URL, and the address that it stands for.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use super::super::error::CliError;
use crate::plan::{Family, Scheme, Search, Target};
use crate::sys::socket;
use crate::wire::{ca, pva};

/// A URL taken apart, not yet resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Url {
    typed: String,
    scheme: Scheme,
    /// A name or a literal address, without brackets.
    host: String,
    port: u16,
    /// It is the scheme's own.
    is_default_port: bool,
    /// As typed, query included; begins with a slash for `http`, empty for `tcp`.
    path: String,
}

const EXAMPLE: &str = "http://127.0.0.1:8080/";

impl FromStr for Url {
    type Err = CliError;

    fn from_str(typed: &str) -> Result<Self, CliError> {
        let wrong = |rule: &str| CliError::rule("URL", typed, rule);
        let (scheme, rest) = typed.split_once("://").ok_or_else(|| {
            wrong(&format!("it begins with its scheme, like http://{}", typed.trim_matches('/')))
        })?;
        let scheme = scheme_of(scheme).map_err(wrong)?;
        if !typed.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(wrong(
                "it is printable ASCII without blanks, like http://127.0.0.1:8080/a%20b",
            ));
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(wrong("no user in it: give a header, like -H 'Authorization: Basic ...'"));
        }
        let (host, port) = split_port(authority).map_err(wrong)?;
        let is_default_port = port.is_none();
        let (port, path) = match scheme {
            // The names of channels are looked at with what is done with them.
            Scheme::Ca => (port.unwrap_or(ca::SERVER_PORT), path.to_owned()),
            Scheme::Pva => (port.unwrap_or(pva::SERVER_PORT), path.to_owned()),
            Scheme::Http if path.starts_with('/') => (port.unwrap_or(80), path.to_owned()),
            Scheme::Http => (port.unwrap_or(80), format!("/{path}")),
            Scheme::Tcp if !matches!(path, "" | "/") => {
                return Err(wrong("raw TCP has no path, like tcp://127.0.0.1:7000"));
            }
            Scheme::Tcp => {
                let port =
                    port.ok_or_else(|| wrong("it needs a port, like tcp://127.0.0.1:7000"))?;
                (port, String::new())
            }
        };
        let (typed, host) = (typed.into(), host.into());
        Ok(Self { typed, scheme, host, port, is_default_port, path })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}

impl Url {
    /// Path and query, as typed.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The protocol.
    pub(super) fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The same where names are searched for: pvAccess has a port of its own for datagrams.
    pub(super) fn for_search(mut self, search: Option<Search>) -> Self {
        if self.is_default_port && (self.scheme, search) == (Scheme::Pva, Some(Search::Udp)) {
            self.port = pva::SEARCH_PORT;
        }
        self
    }

    /// The target at the first address of this URL that is of `family`.
    ///
    /// # Errors
    /// The host is a literal of the other family (usage), or has no such address.
    pub(super) fn resolve(&self, family: Option<Family>) -> Result<Target, CliError> {
        let literal = self.host.split('%').next().and_then(|host| host.parse::<IpAddr>().ok());
        if let (Some(family), Some(literal)) = (family, literal)
            && family != family_of(literal)
        {
            let rule = format!(
                "it is not IPv{family}, which -{family} or --source asks for, \
                like {}",
                example_of(family)
            );
            return Err(CliError::rule("URL", self, rule));
        }
        let found = socket::resolve(&self.host, self.port).map_err(|error| {
            CliError::CannotRun(format!(
                "cannot resolve '{}': {error}: check the name, or give the address, like {EXAMPLE}",
                self.host
            ))
        })?;
        let fits = |address: &SocketAddr| family.is_none_or(|f| f == family_of(address.ip()));
        let address = found.into_iter().find(fits).ok_or_else(|| {
            CliError::CannotRun(format!(
                "'{}' has no IPv{} address: leave out the family, or give the address, like {}",
                self.host,
                family.map_or("", Family::as_str),
                example_of(family.unwrap_or(Family::V4)),
            ))
        })?;
        Ok(Target {
            url: self.typed.clone(),
            scheme: self.scheme,
            host: self.host.clone(),
            path: self.path.clone(),
            address,
            embedded: false,
        })
    }
}

/// The built-in target, at `address`; port 0 until it listens.
pub(super) fn embedded(address: SocketAddr) -> Target {
    Target {
        url: format!("http://{address}/"),
        scheme: Scheme::Http,
        host: address.ip().to_string(),
        path: "/".into(),
        address,
        embedded: true,
    }
}

/// Where the built-in target will listen: any free port on loopback.
pub(super) fn any_loopback(family: Option<Family>) -> SocketAddr {
    match family {
        Some(Family::V6) => (Ipv6Addr::LOCALHOST, 0).into(),
        _ => (Ipv4Addr::LOCALHOST, 0).into(),
    }
}

/// The version of IP that an address is of.
pub(super) fn family_of(address: IpAddr) -> Family {
    if address.is_ipv4() { Family::V4 } else { Family::V6 }
}

fn example_of(family: Family) -> &'static str {
    match family {
        Family::V4 => EXAMPLE,
        Family::V6 => "http://[::1]:8080/",
    }
}

fn scheme_of(typed: &str) -> Result<Scheme, &'static str> {
    match typed.to_ascii_lowercase().as_str() {
        "http" => Ok(Scheme::Http),
        "tcp" => Ok(Scheme::Tcp),
        "https" => Err("TLS is not there yet: load it in the clear, like http://127.0.0.1:8080/"),
        "ca" => Ok(Scheme::Ca),
        "pva" => Ok(Scheme::Pva),
        _ => Err("its scheme is http, tcp, ca or pva, like http://127.0.0.1:8080/"),
    }
}

/// Host and port of `host`, `host:port`, `[v6]` or `[v6]:port`.
fn split_port(authority: &str) -> Result<(&str, Option<u16>), &'static str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or(IN_BRACKETS)?;
            host.split('%').next().unwrap_or(host).parse::<Ipv6Addr>().map_err(|_| IN_BRACKETS)?;
            match after {
                "" => (host, None),
                _ => (host, Some(after.strip_prefix(':').ok_or(IN_BRACKETS)?)),
            }
        }
        None => match authority.split_once(':') {
            Some((_, rest)) if rest.contains(':') => return Err(IN_BRACKETS),
            Some((host, port)) => (check_name(host)?, Some(port)),
            None => (check_name(authority)?, None),
        },
    };
    match port {
        // RFC 3986 allows an empty port; it is the scheme's own.
        None | Some("") => Ok(None),
        Some(port) if !port.bytes().all(|b| b.is_ascii_digit()) => Err(PORT),
        Some(port) => port.parse().ok().filter(|&port| port > 0).map(Some).ok_or(PORT),
    }
    .map(|port| (host, port))
}

const IN_BRACKETS: &str = "an IPv6 address stands in brackets, like http://[::1]:8080/";
const PORT: &str = "a port is a number from 1 to 65535, like http://127.0.0.1:8080/";

fn check_name(host: &str) -> Result<&str, &'static str> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    if host.is_empty() || !host.bytes().all(legal) {
        return Err("its host is a name or an address, like http://127.0.0.1:8080/");
    }
    Ok(host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(typed: &str, scheme: Scheme, host: &str, port: u16, path: &str) {
        let url: Url = typed.parse().unwrap();
        let read = (url.typed.as_str(), url.scheme, url.host.as_str(), url.port, url.path.as_str());
        assert_eq!(read, (typed, scheme, host, port, path));
    }

    #[track_caller]
    fn check_error(typed: &str, said: &str) {
        let error = typed.parse::<Url>().unwrap_err();
        assert_eq!(error.exit().code(), 2);
        assert!(error.to_string().starts_with(&format!("URL '{typed}': ")), "{error}");
        assert!(error.to_string().contains(said), "{error}");
        assert!(error.to_string().contains("like "), "{error}");
    }

    #[test]
    fn a_url_comes_apart_with_its_path_as_typed() {
        check("http://a", Scheme::Http, "a", 80, "/");
        check("HTTP://a:/", Scheme::Http, "a", 80, "/");
        check(
            "http://a_b.c-d:8080/x/../y?q=%20&r=a:b/@#top",
            Scheme::Http,
            "a_b.c-d",
            8080,
            "/x/../y?q=%20&r=a:b/@",
        );
        check("http://a?q", Scheme::Http, "a", 80, "/?q");
        check("http://a#top", Scheme::Http, "a", 80, "/");
        check("http://[::1]:8080/x", Scheme::Http, "::1", 8080, "/x");
        check("http://[fe80::1%eth0]/", Scheme::Http, "fe80::1%eth0", 80, "/");
        check("ca://a/P{0..99}", Scheme::Ca, "a", 5064, "/P{0..99}");
        check("pva://a:1/@names", Scheme::Pva, "a", 1, "/@names");
        check("tcp://127.0.0.1:7", Scheme::Tcp, "127.0.0.1", 7, "");
        check("tcp://[::1]:7/", Scheme::Tcp, "::1", 7, "");
    }

    #[test]
    fn a_search_by_datagram_has_a_port_of_its_own_unless_one_is_named() {
        let port = |typed: &str, search| typed.parse::<Url>().unwrap().for_search(search).port;
        assert_eq!(port("pva://a/P", Some(Search::Udp)), 5076);
        assert_eq!(port("pva://a:5075/P", Some(Search::Udp)), 5075);
        assert_eq!(port("pva://a/P", Some(Search::Tcp)), 5075);
        assert_eq!(port("pva://a/P", None), 5075);
        assert_eq!(port("ca://a/P", Some(Search::Udp)), 5064);
    }

    #[test]
    fn a_wrong_url_gets_its_rule_and_an_example() {
        check_error("127.0.0.1:8080/x", "like http://127.0.0.1:8080/x");
        check_error("localhost", "like http://localhost");
        check_error("", "begins with its scheme");
        check_error("https://a/", "TLS is not there yet");
        check_error("ftp://a/", "http, tcp, ca or pva");
        check_error("http://u:p@a/", "Authorization");
        check_error("http://::1/", "brackets");
        check_error("http://[::1/", "brackets");
        check_error("http://[::1]8080/", "brackets");
        check_error("http://[a]/", "brackets");
        for port in ["0", "65536", "x", "+80", "-1", "8 0"] {
            check_error(&format!("http://a:{port}/"), "like ");
        }
        check_error("http:///x", "its host is a name");
        check_error("http://é/", "printable ASCII");
        check_error("http://a/b c", "printable ASCII");
        check_error("http://a/\r\nX: y", "printable ASCII");
        check_error("tcp://a", "needs a port");
        check_error("tcp://a:7/x", "has no path");
    }

    #[test]
    fn a_target_is_of_the_family_asked_for() {
        let resolve = |url: &str, family| url.parse::<Url>().unwrap().resolve(family);
        let target = resolve("http://127.0.0.1:81/x?y", Some(Family::V4)).unwrap();
        assert_eq!(target.address, "127.0.0.1:81".parse().unwrap());
        assert_eq!((target.host.as_str(), target.path.as_str()), ("127.0.0.1", "/x?y"));
        assert!(!target.embedded);
        let other = resolve("http://127.0.0.1/", Some(Family::V6)).unwrap_err();
        assert_eq!(other.exit().code(), 2);
        let nowhere = resolve("http://no.such.host.invalid/", None).unwrap_err();
        assert_eq!(nowhere.exit().code(), 1);
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_parses_is_fit_for_a_request_line(
            typed in "(http|tcp)://[\\[\\]a-z0-9:./?#%@ é\r\n-]{0,24}",
        ) {
            if let Ok(url) = typed.parse::<Url>() {
                prop_assert!(url.port > 0 && !url.host.is_empty());
                prop_assert!(url.path.bytes().all(|b| b.is_ascii_graphic() && b != b'#'));
                prop_assert_eq!(url.path.is_empty(), url.scheme == Scheme::Tcp);
            }
        }
    }
}
