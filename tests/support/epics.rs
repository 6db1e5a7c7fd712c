//! Channel Access from the client's side, in plain blocking calls.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use onrush::wire::ca::{Dbr, Mask, Message, Messages, Reply, Request, Stamp, Value};

/// Longer than any answer may take. Only ends what hangs.
const HANG: Duration = Duration::from_secs(20);

/// A circuit.
pub(crate) struct Circuit {
    stream: TcpStream,
    /// What came and was not looked at.
    bytes: Vec<u8>,
    ended: bool,
}

/// An update that came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Update {
    pub(crate) subid: u32,
    pub(crate) value: f64,
    pub(crate) stamp: Stamp,
    /// ns since 1970 when it was read.
    pub(crate) read_ns: u64,
}

impl Circuit {
    pub(crate) fn open(server: SocketAddr) -> Self {
        let stream = TcpStream::connect(server).unwrap();
        stream.set_read_timeout(Some(HANG)).unwrap();
        let mut circuit = Self { stream, bytes: Vec::new(), ended: false };
        circuit.say(Request::Version { priority: 0, minor: 13, sequence: 0 });
        circuit.say(Request::ClientName(b"tests"));
        circuit
    }

    pub(crate) fn say(&mut self, request: Request<'_>) {
        let mut bytes = Vec::new();
        request.write(&mut bytes);
        self.stream.write_all(&bytes).unwrap();
    }

    /// What `take` makes of the first reply of which it makes anything; `None` where the server
    /// ended the circuit before.
    pub(crate) fn find<T>(&mut self, mut take: impl FnMut(Reply<'_>) -> Option<T>) -> Option<T> {
        loop {
            let mut seen = 0;
            let mut found = None;
            while let Some((length, message)) =
                Message::split(&self.bytes[seen..], u32::MAX).unwrap()
            {
                seen += length;
                found = take(Reply::read(message));
                if found.is_some() {
                    break;
                }
            }
            self.bytes.drain(..seen);
            if found.is_some() || self.ended {
                return found;
            }
            let mut more = vec![0; 64 * 1024];
            // A server that cuts us off may reset the connection.
            match self.stream.read(&mut more) {
                Ok(length @ 1..) => self.bytes.extend_from_slice(&more[..length]),
                Ok(0) => self.ended = true,
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                    self.ended = true;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Opens a channel and gives its number, and whether it may be written.
    pub(crate) fn channel(&mut self, name: &str) -> (u32, bool) {
        self.say(Request::CreateChannel { cid: 1, minor: 13, name: name.as_bytes() });
        let mut is_writable = false;
        let opened = self.find(|reply| match reply {
            Reply::AccessRights { write, .. } => {
                is_writable = write;
                None
            }
            Reply::CreateChannel { sid, .. } => Some(sid),
            Reply::CreateFailed { .. } => panic!("no {name}"),
            _ => None,
        });
        (opened.unwrap(), is_writable)
    }

    /// Subscribes to all elements of a channel.
    pub(crate) fn subscribe(&mut self, sid: u32, subid: u32) {
        let data_type = Dbr::TIME_DOUBLE.code();
        let mask = Mask::VALUE.and(Mask::ALARM);
        self.say(Request::EventAdd { data_type, count: 0, sid, subid, mask });
    }

    /// The next update; `None` where the server ended the circuit.
    pub(crate) fn update(&mut self) -> Option<Update> {
        self.find(|reply| match reply {
            Reply::Update { data_type, count, subid, data, .. } => {
                let value = Value::read(data_type, count, data).unwrap();
                Some(Update {
                    subid,
                    value: value.number(0).unwrap(),
                    stamp: value.stamp().unwrap(),
                    read_ns: unix_ns(),
                })
            }
            _ => None,
        })
    }

    /// The next `count` updates.
    pub(crate) fn updates(&mut self, count: usize) -> Vec<Update> {
        (0..count).map(|_| self.update().unwrap()).collect()
    }
}

/// Asks a server by datagram; gives the numbers of the names that it has, with the port.
pub(crate) fn search(server: SocketAddr, names: &[&str]) -> Vec<(u32, u16)> {
    let socket = UdpSocket::bind((server.ip(), 0)).unwrap();
    socket.set_read_timeout(Some(HANG)).unwrap();
    let mut bytes = Vec::new();
    Request::Version { priority: 1, minor: 13, sequence: 5 }.write(&mut bytes);
    for (id, name) in names.iter().enumerate() {
        let search =
            Request::Search { id: id as u32, minor: 13, wants_miss: false, name: name.as_bytes() };
        search.write(&mut bytes);
    }
    socket.send_to(&bytes, server).unwrap();
    let mut answer = vec![0; 4096];
    let length = socket.recv(&mut answer).unwrap();
    let found = |message| match Reply::read(message) {
        Reply::Found { id, port, .. } => Some((id, port)),
        _ => None,
    };
    Messages::new(&answer[..length]).filter_map(found).collect()
}

/// The Python that has the real packages.
pub(crate) fn interpreter() -> PathBuf {
    let home =
        std::env::var_os("ONRUSH_EPICS").map_or_else(|| "target/epics-venv".into(), PathBuf::from);
    let python = home.join("bin/python3");
    assert!(python.is_file(), "{}: not there; tools/setup installs it", python.display());
    python
}

/// Runs a script of `tests/epics` with the real packages, which find the server at `server`; gives
/// what it printed.
pub(crate) fn python(script: &str, server: SocketAddr, arguments: &[&str]) -> String {
    let output = Command::new(interpreter())
        .arg(format!("tests/epics/{script}"))
        .args(arguments)
        .env("EPICS_CA_ADDR_LIST", server.to_string())
        .env("EPICS_CA_AUTO_ADDR_LIST", "NO")
        .env("EPICS_PVA_ADDR_LIST", server.to_string())
        .env("EPICS_PVA_AUTO_ADDR_LIST", "NO")
        // Its clients bind the port where they search: the server shares it.
        .env("EPICS_PVA_BROADCAST_PORT", server.port().to_string())
        // Not where others would hear of us.
        .env("EPICS_CA_REPEATER_PORT", super::server::free_address().port().to_string())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// The time now, in ns since 1970.
fn unix_ns() -> u64 {
    #[allow(clippy::disallowed_methods, reason = "tests have no clock but the system's")]
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64
}
