//! The other end: what it answers, and a small one for smoke runs.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

/// The request that every mode sends.
pub(crate) fn request(path: &str, close: bool) -> Vec<u8> {
    let close = if close { "Connection: close\r\n" } else { "" };
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{close}\r\n").into_bytes()
}

/// Asks once, the slow way, and gives how many bytes an answer has.
pub(crate) fn answer_bytes(port: u16, request: &[u8]) -> Result<usize, String> {
    let head_and_body = ask(port, request).map_err(|e| format!("port {port}: {e}"))?;
    match head_and_body {
        Some(bytes) => Ok(bytes),
        None => Err("bytes are all that is counted here: an answer has to be 200 and to have a \
                     Content-Length"
            .to_owned()),
    }
}

fn ask(port: u16, request: &[u8]) -> io::Result<Option<usize>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.write_all(request)?;
    let mut reader = BufReader::new(stream);
    let (mut head_bytes, mut body_bytes) = (0, None);
    loop {
        let mut line = String::new();
        head_bytes += reader.read_line(&mut line)?;
        if !line.ends_with('\n') || (head_bytes == line.len() && !line.contains(" 200")) {
            return Ok(None);
        }
        if line.trim_end().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            body_bytes = value.trim().parse::<usize>().ok();
        }
    }
    let Some(body_bytes) = body_bytes else { return Ok(None) };
    reader.read_exact(&mut vec![0; body_bytes])?;
    Ok(Some(head_bytes + body_bytes))
}

/// Serves on a free port until the process ends, a thread per connection.
pub(crate) fn spawn() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that is gone is no matter of ours.
            thread::spawn(move || serve(stream).ok());
        }
    });
    Ok(port)
}

fn serve(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut close = false;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if line.trim_end().is_empty() {
                break;
            }
            close |= line.eq_ignore_ascii_case("connection: close\r\n");
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")?;
        if close {
            return Ok(());
        }
    }
}

/// Source ports of 127.0.0.1 that nobody sits on. Those in TIME_WAIT count as free: with
/// SO_REUSEADDR they bind again.
pub(crate) fn source_ports() -> Vec<u16> {
    let mut taken = vec![false; 1 << 16];
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = std::fs::read_to_string(table).unwrap_or_default();
        for line in text.lines().skip(1) {
            let mut fields = line.split_whitespace();
            let local = fields.nth(1).and_then(|address| address.rsplit(':').next());
            let state = fields.nth(1);
            let port = local.and_then(|port| usize::from_str_radix(port, 16).ok());
            if let (Some(port), Some(state)) = (port, state) {
                taken[port] |= state != TIME_WAIT;
            }
        }
    }
    (10_000..=65_000).filter(|&port| !taken[usize::from(port)]).collect()
}

/// `TCP_TIME_WAIT` as /proc writes it.
const TIME_WAIT: &str = "06";
