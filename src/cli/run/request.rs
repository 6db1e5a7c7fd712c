//! What a request is made of: method, headers, body, sizes.

use super::super::args::RunArgs;
use super::super::error::{CliError, read_count};
use super::input::read_at_most;
use crate::outcome::NumberList;
use crate::plan::{RequestPlan, Scheme};
use crate::unit::ByteSize;

/// Most bytes of a request's body: with its head it stays below 256 MiB, which is what the log
/// counts up to.
const BODY_BYTES_MAX: u64 = (256 << 20) - (4 << 10);

/// Most bytes of an answer: what the log counts up to.
const ANSWER_BYTES_MAX: u64 = (64 << 30) - 1;

/// The request that `args` describe in `scheme`, and its body.
///
/// # Errors
/// A value breaks its rule, the body cannot be read, or a flag means nothing in this scheme.
pub(super) fn request_of(
    args: &RunArgs,
    scheme: Scheme,
) -> Result<(RequestPlan, Vec<u8>), CliError> {
    refuse_foreign(args, scheme)?;
    let body = args.body.as_deref().map(read_body).transpose()?;
    let method = match (&args.method, &body) {
        (Some(method), _) => check_method(method)?,
        (None, Some(_)) => "POST".into(),
        (None, None) => "GET".into(),
    };
    let size = |flag, typed: &Option<String>, max| {
        read_count(flag, typed.as_deref().unwrap_or("64"), (1, max))
    };
    let request = RequestPlan {
        method,
        headers: args.header.iter().map(|header| check_header(header)).collect::<Result<_, _>>()?,
        body_bytes: body.as_ref().map(|body| ByteSize(body.len() as u64)),
        expect_status: args.expect_status.as_deref().map_or(Ok(vec![]), statuses)?,
        send_bytes: size("--send-bytes", &args.send_bytes, BODY_BYTES_MAX)?,
        expect_bytes: size("--expect-bytes", &args.expect_bytes, ANSWER_BYTES_MAX)?,
    };
    Ok((request, body.unwrap_or_default()))
}

/// A flag that would silently do nothing is a mistake of the user's.
fn refuse_foreign(args: &RunArgs, scheme: Scheme) -> Result<(), CliError> {
    let header = args.header.first().cloned();
    let foreign: &[(&'static str, &Option<String>, &str)] = match scheme {
        Scheme::Tcp => &[
            ("--method", &args.method, "http://127.0.0.1:8080/"),
            ("--header", &header, "http://127.0.0.1:8080/"),
            ("--body", &args.body, "http://127.0.0.1:8080/"),
            ("--expect-status", &args.expect_status, "http://127.0.0.1:8080/"),
        ],
        Scheme::Ca | Scheme::Pva => &[
            ("--method", &args.method, "http://127.0.0.1:8080/"),
            ("--header", &header, "http://127.0.0.1:8080/"),
            ("--body", &args.body, "http://127.0.0.1:8080/"),
            ("--expect-status", &args.expect_status, "http://127.0.0.1:8080/"),
            ("--send-bytes", &args.send_bytes, "tcp://127.0.0.1:7000"),
            ("--expect-bytes", &args.expect_bytes, "tcp://127.0.0.1:7000"),
        ],
        Scheme::Http => &[
            ("--send-bytes", &args.send_bytes, "tcp://127.0.0.1:7000"),
            ("--expect-bytes", &args.expect_bytes, "tcp://127.0.0.1:7000"),
        ],
    };
    for &(flag, value, example) in foreign {
        if let Some(value) = value {
            let rule = format!("a {scheme}:// target has none, use it with one like {example}");
            return Err(CliError::rule(flag, value, rule));
        }
    }
    Ok(())
}

fn read_body(typed: &str) -> Result<Vec<u8>, CliError> {
    let body = match typed.strip_prefix('@') {
        None => typed.as_bytes().to_vec(),
        Some(name) => read_at_most(name, BODY_BYTES_MAX)
            .map_err(|why| CliError::rule("--body", typed, format!("{why}, like @body.json")))?,
    };
    if body.len() as u64 > BODY_BYTES_MAX {
        let rule = format!("{} bytes: at most {BODY_BYTES_MAX}, like @body.json", body.len());
        return Err(CliError::rule("--body", typed, rule));
    }
    Ok(body)
}

/// RFC 9110, section 5.6.2: what names of methods and headers are made of.
fn is_token(text: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(legal)
}

fn check_method(typed: &str) -> Result<String, CliError> {
    if !is_token(typed) {
        return Err(CliError::rule("--method", typed, "it is one word, like HEAD"));
    }
    Ok(typed.into())
}

fn check_header(typed: &str) -> Result<String, CliError> {
    let wrong = |rule: &str| CliError::rule("--header", typed, rule);
    let (name, value) = typed
        .split_once(':')
        .filter(|(name, _)| is_token(name))
        .ok_or_else(|| wrong("it is a name, a colon and a value, like 'Accept: text/html'"))?;
    if value.bytes().any(|b| b.is_ascii_control() && b != b'\t') {
        return Err(wrong("a value has no line breaks, like 'Accept: text/html'"));
    }
    Ok(format!("{name}: {}", value.trim()))
}

/// `2xx,304`: every status meant, once, in the order given.
fn statuses(typed: &str) -> Result<Vec<u16>, CliError> {
    let wrong = || {
        let rule = "statuses are 100 to 599, ranges, or whole classes, like 200-204,304 or 2xx";
        CliError::rule("--expect-status", typed, rule)
    };
    let list: NumberList = typed.parse().map_err(|_| wrong())?;
    let mut all = Vec::new();
    for range in list.ranges() {
        let (first, last) = (u16::try_from(*range.start()), u16::try_from(*range.end()));
        let (Ok(first @ 100..), Ok(last @ ..600)) = (first, last) else { return Err(wrong()) };
        all.extend((first..=last).filter(|status| !all.contains(status)).collect::<Vec<_>>());
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(args: &RunArgs) -> Result<(RequestPlan, Vec<u8>), CliError> {
        request_of(args, Scheme::Http)
    }

    #[test]
    fn a_body_makes_a_post_unless_the_method_is_given() {
        let method = |args: &RunArgs| http(args).unwrap().0.method;
        assert_eq!(method(&RunArgs::default()), "GET");
        let posted = RunArgs { body: Some("a=b".into()), ..RunArgs::default() };
        assert_eq!(method(&posted), "POST");
        assert_eq!(http(&posted).unwrap().1, b"a=b");
        assert_eq!(method(&RunArgs { method: Some("PUT".into()), ..posted }), "PUT");
    }

    #[test]
    fn an_empty_body_is_a_body() {
        let (request, body) =
            http(&RunArgs { body: Some(String::new()), ..RunArgs::default() }).unwrap();
        assert_eq!((request.body_bytes, body.len()), (Some(ByteSize(0)), 0));
        assert_eq!(http(&RunArgs::default()).unwrap().0.body_bytes, None);
    }

    #[test]
    fn a_header_is_a_token_and_one_line() {
        assert_eq!(check_header("X-A:b").unwrap(), "X-A: b");
        assert_eq!(check_header("Host:  a:1 ").unwrap(), "Host: a:1");
        assert_eq!(check_header("X-Empty:").unwrap(), "X-Empty: ");
        for typed in ["", "no colon", ": v", "a b: c", "a: b\r\nc: d", "é: x", "a: \0"] {
            assert!(check_header(typed).is_err(), "{typed:?}");
        }
    }

    #[test]
    fn a_status_list_reads_classes_and_numbers() {
        assert_eq!(statuses("304,200").unwrap(), [304, 200]);
        assert_eq!(statuses("204,2xx").unwrap().len(), 100);
        assert_eq!(statuses("200-202, 2XX ,304").unwrap()[98..], [298, 299, 304]);
        for typed in ["", "2x", "99", "600", "599-600", "200,", "204-200", "+200", "0xx"] {
            assert!(statuses(typed).is_err(), "{typed}");
        }
    }

    #[test]
    fn a_flag_of_the_other_scheme_is_refused() {
        let sized = RunArgs { send_bytes: Some("1k".into()), ..RunArgs::default() };
        assert!(http(&sized).is_err());
        assert_eq!(request_of(&sized, Scheme::Tcp).unwrap().0.send_bytes, 1000);
        let headed = RunArgs { header: vec!["A: b".into()], ..RunArgs::default() };
        assert!(request_of(&headed, Scheme::Tcp).is_err());
    }
}
