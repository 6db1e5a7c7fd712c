//! What a client has prepared on a circuit.

use std::collections::BTreeMap;

use super::Form;
use crate::serve::epics::session::Session;
use crate::wire::pva::{Fields, TypeCache};

/// The requests of a circuit, and the types that were told on it.
#[derive(Debug, Default)]
pub(super) struct Requests {
    pub(super) types: TypeCache,
    /// By channel and number: those of a channel lie together, and go with it.
    prepared: BTreeMap<(u32, u32), Request>,
}

/// A request, prepared.
#[derive(Debug)]
pub(super) enum Request {
    Get(Fields),
    /// The fields are those read back.
    Put(Fields),
    Monitor(Monitor),
}

/// A subscription, from when its client starts it.
#[derive(Debug)]
pub(super) struct Monitor {
    pub(super) form: Form,
    /// Updates that may be sent before the client grants more; `None`: any number.
    pub(super) window: Option<u32>,
    /// The publisher's number for it.
    pub(super) subscription: Option<u32>,
}

impl Requests {
    pub(super) fn has(&self, sid: u32, ioid: u32) -> bool {
        self.prepared.contains_key(&(sid, ioid))
    }

    pub(super) fn add(&mut self, sid: u32, ioid: u32, request: Request) {
        self.prepared.insert((sid, ioid), request);
    }

    #[inline]
    pub(super) fn get(&mut self, sid: u32, ioid: u32) -> Option<&mut Request> {
        self.prepared.get_mut(&(sid, ioid))
    }

    /// Forgets a request; a subscription ends with it.
    pub(super) fn forget(&mut self, sid: u32, ioid: u32, session: &mut Session<'_, Form>) {
        if let Some(Request::Monitor(_)) = self.prepared.remove(&(sid, ioid)) {
            session.unsubscribe(sid, |form| form.ioid == ioid);
        }
    }

    /// Forgets the requests of a channel that closes.
    pub(super) fn forget_all(&mut self, sid: u32) {
        let all = self.prepared.range((sid, 0)..=(sid, u32::MAX));
        let ioids: Vec<u32> = all.map(|(&(_, ioid), _)| ioid).collect();
        for ioid in ioids {
            self.prepared.remove(&(sid, ioid));
        }
    }

    /// The client has taken so many updates.
    #[inline]
    pub(super) fn grant(
        &mut self,
        sid: u32,
        ioid: u32,
        count: u32,
        session: &mut Session<'_, Form>,
    ) {
        let Some(Request::Monitor(monitor)) = self.get(sid, ioid) else { return };
        match (monitor.subscription, &mut monitor.window) {
            (Some(id), _) => session.publisher.grant(id, count.into()),
            (None, Some(window)) => *window = window.saturating_add(count),
            (None, None) => {}
        }
    }
}

impl Monitor {
    /// Starts or stops.
    pub(super) fn run(&mut self, sid: u32, is_running: bool, session: &mut Session<'_, Form>) {
        match self.subscription {
            Some(id) => session.publisher.run(id, is_running),
            None if is_running => {
                let wants_values = self.form.fields.and(Fields::POSTED) != Fields::NONE;
                self.subscription = session.subscribe(sid, self.form, wants_values);
                if let (Some(id), Some(window)) = (self.subscription, self.window) {
                    session.publisher.limit(id, window);
                }
            }
            None => {}
        }
    }
}
