//! Channels: opened when their circuit is, given their uses, read once more at the end.

use super::book::Ear;
use super::line::State;
use super::shard::CircuitShard;
use crate::clock::Clock;
use crate::evidence::{Outcome, Phase, Step};
use crate::log::Append;
use crate::plan::Operation;
use crate::protocol::{Circuit, Event, Fault, Posted, Verb};
use crate::ring::{Completion, Queue};
use crate::sys::errno::ENOBUFS;
use crate::unit::Instant;

/// The check of the values that subscriptions end with.
#[derive(Debug)]
pub(super) struct Finals {
    /// By channel: what a read gave after the measure phase.
    read: Vec<Option<Posted>>,
    asked: bool,
    /// Uses before this one have reached what was read.
    reached: u32,
}

impl Finals {
    pub(super) fn new(channels: usize) -> Self {
        Self { read: vec![None; channels], asked: false, reached: 0 }
    }
}

impl<Q: Queue, C: Clock, P: Circuit, L: Append> CircuitShard<'_, Q, C, P, L> {
    #[inline]
    pub(super) fn on_receive(&mut self, line: u32, completion: &Completion, now: Instant) {
        let it = &mut self.lines[line as usize];
        it.receiving = completion.more;
        if completion.result <= 0 {
            return self.on_receive_end(line, completion.result, now);
        }
        let bytes = self.queue.bytes(completion);
        let first = self.spread.lines[line as usize].1.start;
        let mut events = std::mem::take(&mut self.events);
        let count = it.size.subscriptions;
        let (book, log) = (&mut self.book, &mut self.log);
        let mut ear = Ear { book, log, events: &mut events, first, count };
        let heard = self.protocol.receive(&mut it.speech, bytes, &mut it.out, &mut ear);
        if self.is_watching && self.course.phase == Phase::Measure {
            self.course.tally.bytes_received += bytes.len() as u64;
        }
        for event in events.drain(..) {
            self.on_event(line, event, now);
        }
        self.events = events;
        if heard.is_err() {
            return self.lose(line, Step::Parse, Fault::BadHead as u16, now);
        }
        if !completion.more && self.lines[line as usize].state >= State::Greeting {
            self.arm(line);
        }
        self.touch(line);
    }

    #[cold]
    fn on_receive_end(&mut self, line: u32, result: i32, now: Instant) {
        if result == -ENOBUFS {
            // All shared buffers are full of what this pass has yet to read.
            self.course.buffers_exhausted += 1;
            return self.arm(line);
        }
        if result == 0 && self.is_of_datagrams {
            // One without a byte is no end.
            return self.arm(line);
        }
        self.lose(line, Step::Recv, -result as u16, now);
    }

    #[inline]
    fn on_event(&mut self, line: u32, event: Event, now: Instant) {
        let (channels, uses) = self.spread.lines[line as usize].clone();
        // What a server names is held against what the circuit has.
        let channel_of = |local: u32| channels.clone().nth(local as usize);
        let use_of = |local: u32| uses.clone().nth(local as usize);
        match event {
            Event::Done { operation, ok, value, bytes } if !self.is_watching => {
                if let Some(lane) = use_of(operation) {
                    self.on_done(lane, ok, value.is_some(), bytes, now);
                }
            }
            Event::Done { operation, ok, value, .. } => {
                if let Some(channel) = channel_of(operation) {
                    self.finals.read[channel as usize] = value.filter(|_| ok);
                }
            }
            Event::Surplus(fault) => self.count_fault(fault),
            Event::Greeted => self.on_greeted(line),
            Event::Opened(local) => {
                if let Some(channel) = channel_of(local) {
                    self.on_opened(line, channel);
                }
            }
            Event::Closed(local) => {
                if let Some(channel) = channel_of(local) {
                    self.on_closed(channel, now);
                }
            }
            Event::Unsubscribed(local) => {
                if let Some(subscription) = use_of(local).filter(|_| self.is_watching) {
                    self.book.forget(subscription);
                    self.refuse(subscription);
                }
            }
            Event::Ready(local) if self.is_watching => self.read_final(line, local),
            Event::Ready(local) => {
                if let Some(lane) = use_of(local) {
                    self.free_lane(lane, now);
                }
            }
        }
    }

    /// The server will not have a use of a channel: nothing more is to be waited for.
    pub(super) fn refuse(&mut self, used: u32) {
        let channel = self.channel_of_use[used as usize];
        self.spread.channels[channel as usize].refused = true;
        self.count_fault(Fault::Refusal);
    }

    fn count_fault(&mut self, fault: Fault) {
        self.course.tally.count_error(self.course.phase, Step::Parse, fault as u16);
    }

    /// The circuit is welcome: all its channels are asked for at once.
    pub(super) fn on_greeted(&mut self, line: u32) {
        let it = &mut self.lines[line as usize];
        it.state = State::Up;
        it.failed = false;
        let (channels, _) = self.spread.lines[line as usize].clone();
        for (local, channel) in (0..).zip(channels) {
            let name = self.spread.channels[channel as usize].name;
            let name = &self.names[name as usize];
            let it = &mut self.lines[line as usize];
            if self.protocol.create(&mut it.speech, local, name, &mut it.out) {
                self.on_opened(line, channel);
            }
        }
    }

    fn on_opened(&mut self, line: u32, channel: u32) {
        let (channels, all) = self.spread.lines[line as usize].clone();
        let local = channel - channels.start;
        let it = &mut self.lines[line as usize];
        let channel = &mut self.spread.channels[channel as usize];
        if std::mem::replace(&mut channel.open, true) {
            return;
        }
        channel.refused = false;
        let mut ready = Vec::new();
        for used in channel.uses.clone() {
            let local_use = used - all.start;
            if self.is_watching {
                self.protocol.subscribe(&mut it.speech, local, local_use, &mut it.out);
            } else if self.protocol.prepare(
                &mut it.speech,
                local,
                local_use,
                self.verb,
                &mut it.out,
            ) {
                ready.push(used);
            }
        }
        for lane in ready {
            self.free_lane(lane, Instant::ZERO);
        }
    }

    /// The server has no such name, or closed the channel.
    fn on_closed(&mut self, channel: u32, now: Instant) {
        let it = &mut self.spread.channels[channel as usize];
        it.refused = true;
        it.open = false;
        let uses = it.uses.clone();
        self.count_fault(Fault::UnknownName);
        for used in uses {
            self.forget_use(used, Step::Parse, Fault::UnknownName as u16, now);
        }
    }

    /// The circuit is lost, and its channels with it.
    pub(super) fn close_channels(&mut self, line: u32, step: Step, errno: u16, now: Instant) {
        let (channels, uses) = self.spread.lines[line as usize].clone();
        for channel in channels {
            self.spread.channels[channel as usize].open = false;
        }
        for used in uses {
            self.forget_use(used, step, errno, now);
        }
    }

    fn forget_use(&mut self, used: u32, step: Step, errno: u16, now: Instant) {
        if self.is_watching {
            self.book.forget(used);
        } else {
            self.block_lane(used, Outcome::Reset, step, errno, now);
        }
    }

    /// After the measure phase each channel is read once. Whether every subscription has reached
    /// what was read.
    pub(super) fn check_finals(&mut self) -> bool {
        if !std::mem::replace(&mut self.finals.asked, true) {
            self.ask_finals();
        }
        let from = self.finals.reached;
        let reached = |used: &u32| {
            let channel = &self.spread.channels[self.channel_of_use[*used as usize] as usize];
            let read = self.finals.read[self.channel_of_use[*used as usize] as usize];
            // What is not there will not get anywhere either.
            !channel.open || read.is_some_and(|read| self.book.has_reached(*used, read))
        };
        self.finals.reached += (from..self.spread.uses()).take_while(reached).count() as u32;
        self.finals.reached == self.spread.uses()
    }

    fn ask_finals(&mut self) {
        for line in 0..self.lines.len() as u32 {
            if self.lines[line as usize].state != State::Up {
                continue;
            }
            let (channels, _) = self.spread.lines[line as usize].clone();
            for (local, channel) in (0..).zip(channels) {
                let it = &mut self.lines[line as usize];
                let open = self.spread.channels[channel as usize].open;
                if open
                    && self.protocol.prepare(&mut it.speech, local, local, Verb::Get, &mut it.out)
                {
                    self.read_final(line, local);
                }
            }
            self.touch(line);
        }
    }

    fn read_final(&mut self, line: u32, local: u32) {
        let it = &mut self.lines[line as usize];
        self.protocol.operate(&mut it.speech, local, Verb::Get, 0, &mut it.out);
    }

    /// Subscriptions that reached what was read of their channels.
    pub(super) fn finals_ok(&self) -> u64 {
        let reached = |used: &u32| {
            let read = self.finals.read[self.channel_of_use[*used as usize] as usize];
            read.is_some_and(|read| self.book.has_reached(*used, read))
        };
        (0..self.spread.uses()).filter(reached).count() as u64
    }

    /// The verb of get and put; monitors read at the end.
    pub(super) fn verb_of(op: Operation) -> Verb {
        match op {
            Operation::Monitor | Operation::Get => Verb::Get,
            Operation::Put => Verb::Put,
            Operation::Search => Verb::Search,
        }
    }
}
