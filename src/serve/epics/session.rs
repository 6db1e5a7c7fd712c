//! The server as one message of a client sees it.

use slab::Slab;

use super::plan::Names;
use super::publisher::{Publisher, Sample};
use crate::evidence::PvsServed;

/// What a client opened: a channel to a PV.
#[derive(Debug, Clone)]
pub(super) struct Channel {
    pub(super) pv: u32,
    /// The client's name for it.
    pub(super) cid: u32,
    /// Those on this channel.
    subscriptions: Vec<u32>,
}

impl Channel {
    /// Ends the subscriptions on it.
    pub(super) fn end<F: Copy>(&self, publisher: &mut Publisher<F>) {
        self.subscriptions.iter().for_each(|&id| publisher.unsubscribe(id));
    }
}

/// What a message may look at and change.
#[derive(Debug)]
pub(super) struct Session<'a, F> {
    pub(super) names: &'a Names,
    pub(super) publisher: &'a mut Publisher<F>,
    pub(super) channels: &'a mut Slab<Channel>,
    /// The client's slot.
    pub(super) client: u32,
    /// TCP port of the server.
    pub(super) port: u16,
    /// ns since 1970.
    pub(super) now_ns: u64,
    /// PVs may be written.
    pub(super) is_writable: bool,
    /// What is to be sent.
    pub(super) out: &'a mut Vec<u8>,
    pub(super) served: &'a mut PvsServed,
}

impl<F: Copy> Session<'_, F> {
    /// Opens a channel to the PV of this name, and gives the server's number for it.
    pub(super) fn open(&mut self, name: &[u8], cid: u32) -> Option<u32> {
        let pv = self.names.find(name)?;
        self.served.channels += 1;
        Some(self.channels.insert(Channel { pv, cid, subscriptions: Vec::new() }) as u32)
    }

    /// The channel of this number.
    #[inline]
    pub(super) fn channel(&self, sid: u32) -> Option<&Channel> {
        self.channels.get(sid as usize)
    }

    /// Closes a channel and ends its subscriptions; false where there is none.
    pub(super) fn close(&mut self, sid: u32) -> bool {
        let Some(channel) = self.channels.try_remove(sid as usize) else { return false };
        channel.end(self.publisher);
        true
    }

    /// What the PV of a channel is now.
    #[inline]
    pub(super) fn sample(&mut self, sid: u32) -> Option<Sample> {
        let sample = self.publisher.sample(self.channel(sid)?.pv);
        self.served.gets += 1;
        Some(sample)
    }

    /// The PV of a channel becomes `value`; false where that is no number to count on from.
    pub(super) fn put(&mut self, pv: u32, value: f64) -> bool {
        /// From here on adding one may change nothing.
        const COUNT_MAX: f64 = (1_u64 << f64::MANTISSA_DIGITS) as f64;
        if !self.is_writable || value.abs() >= COUNT_MAX || value.is_nan() {
            return false;
        }
        self.served.puts += 1;
        self.publisher.put(pv, value, self.now_ns);
        true
    }

    /// Subscribes to the PV of a channel; without `wants_values` to nothing but what it is now.
    /// Gives the publisher's number for it, `None` where there is no channel.
    pub(super) fn subscribe(&mut self, sid: u32, form: F, wants_values: bool) -> Option<u32> {
        let channel = self.channels.get_mut(sid as usize)?;
        let id = self.publisher.subscribe(channel.pv, self.client, form, wants_values);
        channel.subscriptions.push(id);
        self.served.subscriptions += 1;
        Some(id)
    }

    /// Ends the subscription of a channel whose form is the one; false where there is none.
    pub(super) fn unsubscribe(&mut self, sid: u32, is_it: impl Fn(&F) -> bool) -> bool {
        let Some(channel) = self.channels.get_mut(sid as usize) else { return false };
        let publisher = &mut *self.publisher;
        let found = channel.subscriptions.iter().position(|&id| is_it(publisher.form(id)));
        found.map(|at| publisher.unsubscribe(channel.subscriptions.swap_remove(at))).is_some()
    }
}
