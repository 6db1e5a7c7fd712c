//! Names looked for before a run begins: where their servers are.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use crate::clock::{Clock, KernelClock};
use crate::plan::{ClockName, Scheme, Search};
use crate::protocol::{Fault, Seeker, Told};
use crate::unit::{Instant, Nanos};

/// Between one datagram and the next: some 50 thousand names a second.
const PACE: Nanos = Nanos::from_millis(1);

/// Names that nobody answered for are asked for again after this, then after twice as long.
const FIRST_PAUSE: Nanos = Nanos::from_millis(50);
const LAST_PAUSE: Nanos = Nanos::from_secs(1);

/// Bytes that come at a time.
const BUFFER_BYTES: usize = 64 << 10;

/// Where names are looked for.
#[derive(Debug, Clone, Copy)]
pub struct Quest<'a> {
    /// `ca` or `pva`.
    pub scheme: Scheme,
    /// How.
    pub search: Search,
    /// Whom to ask.
    pub at: SocketAddr,
    /// The names.
    pub names: &'a [String],
    /// The search ends when for so long no further name was found.
    pub timeout: Nanos,
}

/// Why names cannot be looked for.
#[derive(Debug)]
pub enum FindError {
    /// The socket: what failed, of whom.
    Io(&'static str, SocketAddr, io::Error),
    /// Who answers speaks something else.
    Foreign(SocketAddr, Fault),
}

impl fmt::Display for FindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(what, at, error) => {
                write!(f, "names cannot be searched for at {at}: {what}: {error}: is it right?")
            }
            Self::Foreign(at, fault) => write!(
                f,
                "names cannot be searched for at {at}: {fault}: does it speak this protocol?"
            ),
        }
    }
}

impl std::error::Error for FindError {}

/// By name: the server that has it; `None` where nobody said so. Of several the first.
///
/// # Errors
/// There is no way to ask, or the circuit broke.
pub fn find(quest: &Quest<'_>) -> Result<Vec<Option<SocketAddr>>, FindError> {
    let mut finder = Finder::new(quest)?;
    let mut pause = FIRST_PAUSE;
    while !finder.seeker.is_greeted() && !finder.is_in_vain() {
        finder.listen(PACE)?;
    }
    let mut is_first = true;
    while finder.missing > 0 && !finder.is_in_vain() {
        // A circuit loses nothing.
        if is_first || quest.search == Search::Udp {
            finder.ask()?;
            is_first = false;
        }
        finder.listen(pause.min(quest.timeout))?;
        pause = (pause + pause).min(LAST_PAUSE);
    }
    Ok(finder.places)
}

/// A search that goes on.
struct Finder<'a> {
    quest: &'a Quest<'a>,
    link: Link,
    seeker: Seeker,
    clock: KernelClock,
    places: Vec<Option<SocketAddr>>,
    missing: usize,
    found_at: Instant,
    out: Vec<u8>,
    buffer: Vec<u8>,
}

enum Link {
    /// Never connected: servers answer from other ports, too.
    Datagrams(UdpSocket, u16),
    Circuit(TcpStream),
}

impl Link {
    fn open(quest: &Quest<'_>) -> io::Result<Self> {
        if quest.search == Search::Tcp {
            let timeout = Duration::from_nanos(quest.timeout.0.max(1));
            let stream = TcpStream::connect_timeout(&quest.at, timeout)?;
            stream.set_write_timeout(Some(timeout))?;
            return Ok(Self::Circuit(stream));
        }
        let any: IpAddr = match quest.at {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((any, 0))?;
        let port = socket.local_addr()?.port();
        Ok(Self::Datagrams(socket, port))
    }

    fn reply_port(&self) -> u16 {
        match self {
            Self::Datagrams(_, port) => *port,
            Self::Circuit(_) => 0,
        }
    }

    fn send(&mut self, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
        match self {
            Self::Datagrams(socket, _) => socket.send_to(bytes, to).map(drop),
            Self::Circuit(stream) => stream.write_all(bytes),
        }
    }

    /// What comes next within `timeout`, its length and its sender.
    fn receive(
        &mut self,
        buffer: &mut [u8],
        at: SocketAddr,
        timeout: Nanos,
    ) -> io::Result<(usize, SocketAddr)> {
        let timeout = Some(Duration::from_nanos(timeout.0.max(1000)));
        match self {
            Self::Datagrams(socket, _) => {
                socket.set_read_timeout(timeout)?;
                socket.recv_from(buffer)
            }
            Self::Circuit(stream) => {
                stream.set_read_timeout(timeout)?;
                match stream.read(buffer)? {
                    0 => Err(io::ErrorKind::UnexpectedEof.into()),
                    length => Ok((length, at)),
                }
            }
        }
    }
}

impl<'a> Finder<'a> {
    fn new(quest: &'a Quest<'a>) -> Result<Self, FindError> {
        let failed = |error| FindError::Io("open", quest.at, error);
        let clock = KernelClock::new(ClockName::Monotonic);
        let mut finder = Self {
            quest,
            link: Link::open(quest).map_err(failed)?,
            seeker: Seeker::new(quest.scheme, quest.search),
            places: vec![None; quest.names.len()],
            missing: quest.names.len(),
            found_at: clock.now(),
            clock,
            out: Vec::new(),
            buffer: vec![0; BUFFER_BYTES],
        };
        finder.seeker.greet(finder.link.reply_port(), &mut finder.out);
        finder.say()?;
        Ok(finder)
    }

    fn is_in_vain(&self) -> bool {
        self.clock.now().since(self.found_at) >= self.quest.timeout
    }

    /// Asks for every name that is missing, at a pace that servers can follow.
    fn ask(&mut self) -> Result<(), FindError> {
        for (id, name) in (0..).zip(self.quest.names) {
            if self.places[id as usize].is_some() {
                continue;
            }
            if !self.seeker.fits(name, &self.out) {
                self.say()?;
                self.listen(PACE)?;
            }
            self.seeker.ask(id, name, &mut self.out);
        }
        self.say()?;
        self.listen(PACE)
    }

    fn say(&mut self) -> Result<(), FindError> {
        let at = self.quest.at;
        if !self.out.is_empty() {
            self.link.send(&self.out, at).map_err(|error| FindError::Io("send", at, error))?;
            self.out.clear();
        }
        Ok(())
    }

    /// Hears answers for so long, or until nothing is missing.
    fn listen(&mut self, length: Nanos) -> Result<(), FindError> {
        let at = self.quest.at;
        let until = self.clock.now() + length;
        loop {
            let left = until.since(self.clock.now());
            if left == Nanos::ZERO || self.missing == 0 {
                return Ok(());
            }
            match self.link.receive(&mut self.buffer, at, left) {
                Ok((length, from)) => self.hear(length, from)?,
                Err(error) if is_none(&error) => {}
                Err(error) => return Err(FindError::Io("receive", at, error)),
            }
        }
    }

    fn hear(&mut self, length: usize, from: SocketAddr) -> Result<(), FindError> {
        let (places, missing) = (&mut self.places, &mut self.missing);
        let (clock, found_at) = (&self.clock, &mut self.found_at);
        // Who is asked twice may answer twice; a number may be anybody's.
        let mut told = |told: Told| {
            if let (Some(found), Some(place @ None)) =
                (told.found, places.get_mut(told.id as usize))
            {
                *place = Some(found.server(from));
                *missing -= 1;
                *found_at = clock.now();
            }
        };
        let bytes = &self.buffer[..length];
        if self.quest.search == Search::Udp {
            self.seeker.hear_datagram(bytes, &mut told);
            return Ok(());
        }
        let heard = self.seeker.hear(bytes, &mut self.out, &mut told);
        heard.map_err(|fault| FindError::Foreign(self.quest.at, fault))?;
        self.say()
    }
}

/// Whether nothing came in time.
fn is_none(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}
