//! What comes in goes out.

use std::collections::VecDeque;

use super::target::{Answer, Bytes, Target, Then};
use crate::evidence::Served;

/// An echo: bytes go back as they came, in the pieces in which they came.
#[derive(Debug)]
pub(super) struct Echo {
    /// Pieces after which a connection is closed.
    pub(super) close_after: Option<u64>,
}

impl Target for Echo {
    /// Pieces echoed so far.
    type Conn = u64;

    /// The scratch holds one piece: it has to go before the next may come.
    const OWED_MAX: usize = 1;
    const SCRATCH_BYTES: usize = super::shard::RECEIVE_BYTES;

    fn templates(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }

    /// An echo cannot say that it failed: it hangs up.
    fn failure(&self, _: Answer) -> Option<Answer> {
        Some(Answer { bytes: Bytes::Nothing, then: Then::Close })
    }

    fn hear(
        &self,
        pieces: &mut u64,
        bytes: &[u8],
        answers: &mut VecDeque<Answer>,
        served: &mut Served,
    ) {
        *pieces += 1;
        served.requests += 1;
        let is_last = self.close_after.is_some_and(|most| *pieces >= most);
        let then = if is_last { Then::Linger } else { Then::Keep };
        answers.push_back(Answer { bytes: Bytes::Echo(bytes.len() as u32), then });
    }
}
