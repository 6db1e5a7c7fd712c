//! Searches as operations: names asked for on a schedule, in datagrams or on circuits, and the
//! answers told apart.
//!
//! The number under which a name is asked for holds the operation and its turn, which counts the
//! searches of that operation:
//!
//! ```text
//! number = turn * operations + operation
//! ```
//! So an answer matches one search and no other. By UDP answers may never come, come late, or come
//! twice: a search that was given up holds nothing back.

use super::{Circuit, Event, Fault, Hear, Seeker, Size, Told, Verb};
use crate::plan::{Scheme, Search};

/// Searches for names, all in turn.
#[derive(Debug, Clone)]
pub struct Searches<'n> {
    scheme: Scheme,
    search: Search,
    names: &'n [String],
}

/// A socket of datagrams, or a circuit.
#[derive(Debug)]
pub struct SearchesConn {
    seeker: Seeker,
    asked: Asked,
}

/// What was asked.
#[derive(Debug)]
struct Asked {
    /// By operation.
    searches: Vec<Turns>,
    /// Turns before they start again.
    turns: u32,
}

/// So that two of them add up.
const TURNS_MAX: u32 = 1 << 30;

/// The searches of an operation.
#[derive(Debug, Clone, Copy)]
struct Turns {
    /// The last one.
    turn: u32,
    /// Bit k: the one of k turns before the last was answered.
    answered: u32,
}

impl Turns {
    const NONE: Self = Self { turn: 0, answered: u32::MAX };
}

impl Asked {
    fn new(operations: u32) -> Self {
        let searches = vec![Turns::NONE; operations as usize];
        Self { searches, turns: (u32::MAX / operations.max(1)).min(TURNS_MAX) }
    }

    /// The next turn of an operation: the number to ask under.
    fn turn(&mut self, operation: u32) -> u32 {
        let count = self.searches.len() as u32;
        let it = &mut self.searches[operation as usize];
        it.turn = (it.turn + 1) % self.turns;
        it.answered <<= 1;
        it.turn * count + operation
    }

    /// An answer came under this number: the operation that it ends, or why it ends none.
    #[inline]
    fn answer(&mut self, id: u32) -> Result<u32, Fault> {
        let count = self.searches.len() as u32;
        let operation = id.checked_rem(count).ok_or(Fault::Surplus)?;
        let turn = id / count;
        let it = &mut self.searches[operation as usize];
        if turn >= self.turns {
            return Err(Fault::Surplus);
        }
        let age = (it.turn + self.turns - turn) % self.turns;
        // Who asked so long ago is forgotten.
        let bit = 1u32.checked_shl(age).ok_or(Fault::Surplus)?;
        let was_answered = it.answered & bit != 0;
        it.answered |= bit;
        match (was_answered, age) {
            (true, _) => Err(Fault::Repeated),
            (false, 0) => Ok(operation),
            (false, _) => Err(Fault::Late),
        }
    }
}

impl<'n> Searches<'n> {
    /// For `names`, at least one, of `ca` or `pva`.
    pub fn new(scheme: Scheme, search: Search, names: &'n [String]) -> Self {
        Self { scheme, search, names }
    }
}

impl Circuit for Searches<'_> {
    type Conn = SearchesConn;

    fn open(&mut self, size: Size) -> SearchesConn {
        SearchesConn {
            seeker: Seeker::new(self.scheme, self.search),
            asked: Asked::new(size.operations),
        }
    }

    fn greet(&mut self, conn: &mut SearchesConn, port: u16, out: &mut Vec<u8>) -> bool {
        conn.seeker.greet(port, out);
        conn.seeker.is_greeted()
    }

    /// There are no channels: what is asked for needs none.
    fn create(
        &mut self,
        _conn: &mut SearchesConn,
        _channel: u32,
        _name: &str,
        _out: &mut Vec<u8>,
    ) -> bool {
        true
    }

    fn subscribe(
        &mut self,
        _conn: &mut SearchesConn,
        _channel: u32,
        _subscription: u32,
        _out: &mut Vec<u8>,
    ) {
    }

    fn prepare(
        &mut self,
        _conn: &mut SearchesConn,
        _channel: u32,
        _operation: u32,
        _verb: Verb,
        _out: &mut Vec<u8>,
    ) -> bool {
        true
    }

    #[inline]
    fn operate(
        &mut self,
        conn: &mut SearchesConn,
        operation: u32,
        _verb: Verb,
        value: i64,
        out: &mut Vec<u8>,
    ) {
        let id = conn.asked.turn(operation);
        // By session, so that a name that nobody has is asked for as often as the others.
        let name = value as u64 % self.names.len().max(1) as u64;
        conn.seeker.ask(id, &self.names[name as usize], out);
    }

    fn give_up(&mut self, conn: &mut SearchesConn, operation: u32) -> bool {
        conn.asked.turn(operation);
        true
    }

    #[inline]
    fn cut(&self, conn: &SearchesConn, waiting: &[u8]) -> usize {
        conn.seeker.cut(waiting)
    }

    fn echo(&mut self, _conn: &mut SearchesConn, _out: &mut Vec<u8>) {}

    #[inline]
    fn receive(
        &mut self,
        conn: &mut SearchesConn,
        bytes: &[u8],
        out: &mut Vec<u8>,
        hear: &mut impl Hear,
    ) -> Result<(), Fault> {
        let SearchesConn { seeker, asked } = conn;
        let mut told = |told: Told| {
            hear.event(match asked.answer(told.id) {
                Ok(operation) => {
                    let (ok, bytes) = (told.found.is_some(), told.bytes);
                    Event::Done { operation, ok, value: None, bytes }
                }
                Err(fault) => Event::Surplus(fault),
            });
        };
        if self.search == Search::Udp {
            seeker.hear_datagram(bytes, &mut told);
            return Ok(());
        }
        let was_greeted = seeker.is_greeted();
        seeker.hear(bytes, out, &mut told)?;
        if seeker.is_greeted() && !was_greeted {
            hear.event(Event::Greeted);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_the_search_that_it_is_of_and_no_other() {
        for operations in [1, 3, 1 << 24] {
            let mut asked = Asked::new(operations);
            let last = operations - 1;
            assert_eq!(asked.answer(last), Err(Fault::Repeated), "nothing was asked");
            let first = asked.turn(last);
            assert_eq!(asked.answer(first), Ok(last));
            assert_eq!(asked.answer(first), Err(Fault::Repeated));
            let second = asked.turn(last);
            assert_eq!(asked.answer(first), Err(Fault::Repeated));
            let third = asked.turn(last);
            assert_ne!(second, third);
            assert_eq!(asked.answer(second), Err(Fault::Late));
            assert_eq!(asked.answer(second), Err(Fault::Repeated));
            assert_eq!(asked.answer(third), Ok(last));
            for _ in 0..31 {
                asked.turn(last);
            }
            assert_eq!(asked.answer(third), Err(Fault::Repeated));
            asked.turn(last);
            assert_eq!(asked.answer(third), Err(Fault::Surplus));
            assert_eq!(asked.answer(u32::MAX).ok(), None);
        }
        assert_eq!(Asked::new(0).answer(7), Err(Fault::Surplus));
    }

    #[test]
    fn numbers_begin_again_without_a_mistake() {
        // 170 turns.
        let mut asked = Asked::new(25_000_000);
        for _ in 0..1000 {
            let id = asked.turn(24_999_999);
            assert_eq!(asked.answer(id), Ok(24_999_999));
        }
    }
}
