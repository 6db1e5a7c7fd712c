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

    /// The connection stands.
    fn greet(&mut self, conn: &mut Self::Conn, out: &mut Vec<u8>);

    /// Opens a channel: [`Event::Opened`] follows, or [`Event::Closed`].
    fn create(&mut self, conn: &mut Self::Conn, channel: u32, name: &str, out: &mut Vec<u8>);

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
    /// what a put writes.
    fn operate(
        &mut self,
        conn: &mut Self::Conn,
        operation: u32,
        verb: Verb,
        value: i64,
        out: &mut Vec<u8>,
    );

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
