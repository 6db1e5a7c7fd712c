//! One line for each request.

use std::fmt::Write as _;
use std::io;

use super::in_order::{self, ExportError, Placed};
use crate::log::Reader;
use crate::outcome::Cut;
use crate::unit::Instant;

/// The columns, in their order. Where a value is not there the column is empty.
pub const COLUMNS: [&str; 23] = [
    "log",
    "shard",
    "session",
    "request",
    "phase",
    "outcome",
    "step",
    "errno",
    "status",
    "last",
    "source",
    "port",
    "slot",
    "intended_unix_ns",
    "intended_ns",
    "wait_ns",
    "lag_ns",
    "connect_ns",
    "first_byte_ns",
    "service_ns",
    "response_ns",
    "bytes_sent",
    "bytes_received",
];

/// Writes what the cut beside each log keeps of it, a cut of nothing all requests of whatever
/// phase, in the order of their ends.
///
/// # Errors
/// A log cannot be read, or `out` does not take it.
pub fn write(logs: &[(Reader, Cut)], out: &mut dyn io::Write) -> Result<(), ExportError> {
    let name = |(log, _): &(Reader, Cut)| quoted(&log.path().to_string_lossy());
    let names: Vec<String> = logs.iter().map(name).collect();
    writeln!(out, "{}", COLUMNS.join(","))?;
    let mut line = String::new();
    in_order::each(logs, |placed| {
        line.clear();
        let sources = &logs[placed.log].0.plan().sources;
        write_line(&mut line, &names[placed.log], sources, placed);
        Ok(out.write_all(line.as_bytes())?)
    })
}

fn write_line(line: &mut String, log: &str, sources: &[std::net::IpAddr], placed: &Placed) {
    let r = &placed.request;
    let last = u8::from(r.last);
    let _ = write!(line, "{log},{},{},{},", placed.shard, r.session, r.request);
    let _ = write!(line, "{},{},{},{},", r.phase, r.outcome, r.step, r.errno);
    let _ = write!(line, "{},{last},", some(Some(r.status).filter(|&status| status > 0)));
    let _ = write!(line, "{},", some(sources.get(usize::from(r.source))));
    let _ = write!(line, "{},{},", some(Some(r.port).filter(|&port| port > 0)), r.slot);
    // In the warm-up it is earlier than the start.
    let intended_ns = i128::from(r.intended_at.0) - i128::from(placed.measure_at.0);
    let unix_ns =
        (placed.began_unix_ns > 0).then(|| i128::from(placed.began_unix_ns) + intended_ns);
    let after_sent = |at: Option<Instant>| some(at.map(|at| at.since(r.sent_at).0));
    let _ = write!(line, "{},{intended_ns},{},{},", some(unix_ns), r.wait().0, r.lag().0);
    let _ = write!(line, "{},{},", after_sent(r.connected_at), after_sent(r.first_byte_at));
    let _ = write!(line, "{},{},", r.service().0, r.response().0);
    let _ = writeln!(line, "{},{}", r.bytes_sent, r.bytes_received);
}

fn some(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// RFC 4180.
fn quoted(field: &str) -> String {
    match field.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}
