//! Targets of the simulator.

use crate::arrival::Chance;
use crate::serve::{Behaviour, FirstRequest, Station};
use crate::unit::{Instant, Nanos};

/// What a peer does to a connection, and when.
#[derive(Debug, Clone)]
pub(super) enum Deed {
    Bytes(Instant, &'static [u8]),
    Said(Instant, Vec<u8>),
    End(Instant),
    Reset(Instant),
}

/// A target: it is told what arrives and says what follows.
pub(super) trait Peer {
    /// A connection attempt at `now`: when it is answered, and 0 or an error number.
    fn connect(&mut self, now: Instant) -> (Instant, i32) {
        (now + Nanos::from_micros(10), 0)
    }

    /// A request at `now`.
    fn request(&mut self, now: Instant) -> Vec<Deed>;

    /// Bytes of a connection's own at `now`.
    fn hear(&mut self, now: Instant, bytes: &[u8]) -> Vec<Deed> {
        let _ = bytes;
        self.request(now)
    }
}

/// Answers each request after a fixed time, whatever else it does.
pub(super) struct Fixed(pub(super) Nanos);

impl Peer for Fixed {
    fn request(&mut self, now: Instant) -> Vec<Deed> {
        vec![Deed::Bytes(now + self.0, b"+")]
    }
}

/// What `onrush serve` does, to the nanosecond: its line, workers, delays and stalls.
pub(super) struct Serves {
    behaviour: Behaviour,
    station: Station,
    chance: Chance,
}

impl Serves {
    pub(super) fn new(behaviour: Behaviour) -> Self {
        let station = Station::new(&behaviour, FirstRequest::default());
        let chance = Chance::stream(behaviour.seed, 1);
        Self { behaviour, station, chance }
    }
}

impl Peer for Serves {
    fn request(&mut self, now: Instant) -> Vec<Deed> {
        let fate = self.behaviour.fate(&mut self.chance);
        vec![Deed::Bytes(self.station.finish(now, fate.work), b"+")]
    }
}

/// Does anything that a peer may do, by seed.
pub(super) struct Wild(pub(super) u64);

impl Wild {
    fn random(&mut self, below: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

impl Peer for Wild {
    fn connect(&mut self, now: Instant) -> (Instant, i32) {
        let at = now + Nanos(self.random(2_000_000));
        let errno = match self.random(10) {
            0 => 111,
            1 => 99,
            _ => 0,
        };
        (at, errno)
    }

    fn request(&mut self, now: Instant) -> Vec<Deed> {
        let at = now + Nanos(self.random(30_000_000));
        let later = at + Nanos(self.random(5_000_000));
        match self.random(12) {
            0 => vec![],
            1 => vec![Deed::Reset(at)],
            2 => vec![Deed::End(at)],
            3 => vec![Deed::Bytes(at, b"."), Deed::Reset(later)],
            4 => vec![Deed::Bytes(at, b"x")],
            5 => vec![Deed::Bytes(at, b"++")],
            6 => vec![Deed::Bytes(at, b"+"), Deed::Bytes(later, b"+")],
            7 => vec![Deed::Bytes(at, b"c"), Deed::End(later)],
            8 => vec![Deed::Bytes(at, b"+"), Deed::End(later)],
            9 => vec![Deed::Bytes(at, b"."), Deed::Bytes(later, b"+")],
            _ => vec![Deed::Bytes(at, b"+")],
        }
    }
}
