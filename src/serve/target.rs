//! What a target is: bytes of a connection in, answers out; no IO, no clock.

use std::collections::VecDeque;
use std::fmt::Debug;

use crate::evidence::Served;

/// The rules of one kind of target.
pub(super) trait Target: Debug {
    /// What it remembers of a connection.
    type Conn: Default + Debug;

    /// A connection that is owed this many answers is not read from until it took one: that
    /// bounds what a client can make the target hold. At least 1.
    const OWED_MAX: usize;

    /// Bytes of each connection that [`Answer::Echo`] sends from; 0 where there is none.
    const SCRATCH_BYTES: usize;

    /// The bytes of [`Answer::Template`], by index.
    fn templates(&self) -> Vec<Vec<u8>>;

    /// What is sent in place of `answer` where the request is to fail; `None` where it is no
    /// answer to a whole request: that takes no time and does not fail.
    fn failure(&self, answer: Answer) -> Option<Answer>;

    /// Takes all of `bytes`, which came on `conn`, and adds the answers to what has come whole.
    fn hear(
        &self,
        conn: &mut Self::Conn,
        bytes: &[u8],
        answers: &mut VecDeque<Answer>,
        served: &mut Served,
    );
}

/// What is to be sent next on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) bytes: Bytes,
    pub(super) then: Then,
}

/// The bytes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bytes {
    /// All of the template of this index.
    Template(u16),
    /// This many bytes as they came.
    Echo(u32),
    /// None: only the connection ends.
    Nothing,
}

/// What an answer means for its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// It goes on.
    Keep,
    /// It ends.
    Close,
    /// It ends, but the client may still be sending: closing at once would reset the connection
    /// and could cost the client the answer.
    Linger,
    /// It is reset.
    Reset,
}
