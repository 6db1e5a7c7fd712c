//! Protocols of circuits: many channels on one connection, and on each of them operations that
//! are answered and subscriptions that are served unasked.
//!
//! A circuit is as sans-IO as a [`Protocol`](super::Protocol): bytes in, [`Event`]s and bytes
//! out. Channels, subscriptions and operations of a connection are numbered from 0 up, so that
//! the numbers index tables; [`Size`] says how many there will be.

use super::Fault;

/// What a channel is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// To tell its value.
    Get,
    /// To take one.
    Put,
    /// Not a channel, but whoever hears it: to say where a name is.
    Search,
}

/// How much there is on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Channels.
    pub channels: u32,
    /// Subscriptions, on whichever channels.
    pub subscriptions: u32,
    /// Operations that may be under way.
    pub operations: u32,
}

/// A value that a server posted. A number beyond 2^53, or one with a fraction, is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posted {
    /// The value.
    pub value: i64,
    /// It has 32 bits: 2^31 - 1 is followed by -2^31.
    pub is_word: bool,
    /// The server's stamp in ns since 1970; 0 where it gave none.
    pub stamp_ns: u64,
}

impl Posted {
    /// How far this value is beyond `last`: 1 where nothing is between.
    #[inline]
    pub fn steps_from(&self, last: i64) -> i64 {
        match self.is_word {
            true => i64::from((self.value as i32).wrapping_sub(last as i32)),
            false => self.value.wrapping_sub(last),
        }
    }
}

/// What was heard on a connection, apart from updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The peers know each other: channels may be opened.
    Greeted,
    /// A channel is open.
    Opened(u32),
    /// The server has no such name, or closed the channel.
    Closed(u32),
    /// The server will not serve this subscription.
    Unsubscribed(u32),
    /// An operation may begin.
    Ready(u32),
    /// An operation came to its end.
    Done {
        /// Which.
        operation: u32,
        /// The server did it.
        ok: bool,
        /// What was read.
        value: Option<Posted>,
        /// Bytes of the answer.
        bytes: u32,
    },
    /// An answer that nobody waits for.
    Surplus(Fault),
}

/// Who is told what was heard.
pub trait Hear {
    /// A subscription has a new value.
    fn update(&mut self, subscription: u32, posted: Posted);
    /// Anything else.
    fn event(&mut self, event: Event);
}

/// A protocol of circuits, as one shard speaks it on all its connections. What is to be sent is
/// appended to `out`.
pub trait Circuit {
    /// What is remembered of a connection between calls.
    type Conn;

    /// A connection of this size is to be.
    fn open(&mut self, size: Size) -> Self::Conn;

    /// The connection stands, from `port` of ours. Whether channels may be opened at once; if
    /// not, [`Event::Greeted`] follows.
    fn greet(&mut self, conn: &mut Self::Conn, port: u16, out: &mut Vec<u8>) -> bool;

    /// Opens a channel. Whether it is open at once; if not, [`Event::Opened`] follows, or
    /// [`Event::Closed`].
    fn create(
        &mut self,
        conn: &mut Self::Conn,
        channel: u32,
        name: &str,
        out: &mut Vec<u8>,
    ) -> bool;

    /// Subscribes to an open channel: updates follow, or [`Event::Unsubscribed`].
    fn subscribe(
        &mut self,
        conn: &mut Self::Conn,
        channel: u32,
        subscription: u32,
        out: &mut Vec<u8>,
    );

    /// Prepares an operation on an open channel. Whether it may begin at once; if not,
    /// [`Event::Ready`] follows, or an [`Event::Done`] that is not ok.
    fn prepare(
        &mut self,
        conn: &mut Self::Conn,
        channel: u32,
        operation: u32,
        verb: Verb,
        out: &mut Vec<u8>,
    ) -> bool;

    /// Begins an operation that was prepared with `verb`: [`Event::Done`] follows. `value` is
    /// what a put writes, and the number of the session.
    fn operate(
        &mut self,
        conn: &mut Self::Conn,
        operation: u32,
        verb: Verb,
        value: i64,
        out: &mut Vec<u8>,
    );

    /// Nobody waits for an operation any more. Whether another may begin under its number at
    /// once; if not, its answer is awaited.
    fn give_up(&mut self, conn: &mut Self::Conn, operation: u32) -> bool {
        let _ = (conn, operation);
        false
    }

    /// Of bytes that wait to be sent, at least one, how many may go out together.
    #[inline]
    fn cut(&self, conn: &Self::Conn, waiting: &[u8]) -> usize {
        let _ = conn;
        waiting.len()
    }

    /// Shows the server that we are there.
    fn echo(&mut self, conn: &mut Self::Conn, out: &mut Vec<u8>);

    /// Bytes that came, in order.
    ///
    /// # Errors
    /// They are not of the protocol: the connection cannot go on.
    fn receive(
        &mut self,
        conn: &mut Self::Conn,
        bytes: &[u8],
        out: &mut Vec<u8>,
        hear: &mut impl Hear,
    ) -> Result<(), Fault>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{ChannelPlan, Operation, Profile};
    use crate::protocol::{Ca, Pva};
    use crate::wire::{ca, pva};

    const SIZE: Size = Size { channels: 8, subscriptions: 8, operations: 8 };

    /// All that was heard, in order.
    #[derive(Default, Debug, PartialEq)]
    struct Heard {
        updates: Vec<(u32, Posted)>,
        events: Vec<Event>,
    }

    impl Hear for Heard {
        fn update(&mut self, subscription: u32, posted: Posted) {
            self.updates.push((subscription, posted));
        }

        fn event(&mut self, event: Event) {
            self.events.push(event);
        }
    }

    fn plan() -> ChannelPlan {
        let (op, profile) = (Operation::Monitor, Profile::Greedy);
        let (queue, ack) = (Some(4), Some(2));
        ChannelPlan { op, pvs: 8, monitors: 1, circuits: 1, profile, queue, ack, search: None }
    }

    fn hear<P: Circuit>(mut protocol: P, bytes: &[u8], piece: usize) -> (Heard, Vec<u8>) {
        let (mut heard, mut out) = (Heard::default(), Vec::new());
        let mut conn = protocol.open(SIZE);
        for piece in bytes.chunks(piece) {
            protocol.receive(&mut conn, piece, &mut out, &mut heard).unwrap();
        }
        (heard, out)
    }

    #[track_caller]
    fn check_cuts<P: Circuit>(protocol: impl Fn() -> P, bytes: &[u8], updates: usize) {
        let whole = hear(protocol(), bytes, bytes.len());
        assert_eq!(whole.0.updates.len(), updates);
        for piece in [1, 3, 16, 39, 40, 41, 100, 1000] {
            assert_eq!(hear(protocol(), bytes, piece), whole, "in pieces of {piece}");
        }
    }

    #[test]
    fn a_channel_access_stream_cut_anywhere_is_heard_the_same() {
        let mut bytes = Vec::new();
        ca::Reply::Version { priority: 0, minor: 13, sequence: 0 }.write(&mut bytes);
        for cid in 0..8 {
            let (data_type, count) = (ca::Base::Double as u16, 1);
            ca::Reply::AccessRights { cid, read: true, write: false }.write(&mut bytes);
            ca::Reply::CreateChannel { cid, sid: 70 + cid, data_type, count }.write(&mut bytes);
        }
        for number in 0..200 {
            let stamp = ca::Stamp::from_unix_ns(1_700_000_000_000_000_000 + number);
            let update = ca::Update { subid: number as u32 % 8, stamp, value: number as f64 };
            match number % 3 {
                0 => bytes.extend_from_slice(&update.to_double_bytes()),
                1 => bytes.extend_from_slice(&update.to_long_bytes()),
                _ => {
                    ca::Reply::Echo.write(&mut bytes);
                    let mut data = Vec::new();
                    let values = (0..20).map(|element| f64::from(element) + number as f64);
                    ca::write_value(ca::Dbr::TIME_DOUBLE, stamp, values, &mut data);
                    let (data_type, status) = (ca::Dbr::TIME_DOUBLE.code(), ca::Status::NORMAL);
                    let subid = update.subid;
                    ca::Reply::Update { data_type, count: 20, status, subid, data: &data }
                        .write(&mut bytes);
                }
            }
        }
        check_cuts(|| Ca::new(&plan()), &bytes, 200);
    }

    #[test]
    fn a_pvaccess_stream_cut_anywhere_is_heard_the_same() {
        for order in [pva::Order::Little, pva::Order::Big] {
            let kind = pva::Type::structure(
                "epics:nt/NTScalar:1.0",
                vec![
                    ("value", pva::Type::Scalar(pva::Scalar::Int)),
                    ("note", pva::Type::Text),
                    (
                        "timeStamp",
                        pva::Type::structure(
                            "time_t",
                            vec![
                                ("secondsPastEpoch", pva::Type::Scalar(pva::Scalar::Long)),
                                ("nanoseconds", pva::Type::Scalar(pva::Scalar::Int)),
                            ],
                        )
                        .unwrap(),
                    ),
                ],
            );
            let (kind, mut bytes) = (kind.unwrap(), Vec::new());
            let (command, status) = (pva::command::MONITOR, pva::Status::OK);
            for ioid in 0..8 {
                let kind = Some(kind.clone());
                pva::FromServer::Init { command, ioid, status, kind }.write(&mut bytes, order);
            }
            for number in 0..200u32 {
                let mut body = Vec::new();
                // Now and then with a text: of no fixed size.
                let has_text = number % 7 == 0;
                let nodes = if has_text { vec![1, 2, 3] } else { vec![1, 3] };
                pva::write_bits(&mut body, order, nodes);
                let whole = |out: &mut Vec<u8>, scalar, number: i64| {
                    pva::write_number(out, order, scalar, pva::Number::Whole(number));
                };
                whole(&mut body, pva::Scalar::Int, number.into());
                if has_text {
                    pva::write_text(&mut body, order, "a note");
                }
                whole(&mut body, pva::Scalar::Long, 1_700_000_000);
                whole(&mut body, pva::Scalar::Int, number.into());
                pva::write_bits(&mut body, order, []);
                let body = pva::Reader::new(&body, order);
                let ioid = number % 8;
                pva::FromServer::Data { command, ioid, sub: 0, status, body }
                    .write(&mut bytes, order);
            }
            check_cuts(|| Pva::new(&plan()), &bytes, 200);
            let (heard, out) = hear(Pva::new(&plan()), &bytes, 64);
            let (_, last) = heard.updates[199];
            assert_eq!(last.stamp_ns, 1_700_000_000_000_000_199);
            assert!(last.is_word && last.value == 199);
            // A start for each subscription, and an acknowledgement of each two of its 25 updates.
            assert_eq!(out.len(), 8 * (17 + 12 * 21));
        }
    }
}
