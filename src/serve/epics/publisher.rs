//! What the values are, who subscribed, and what each client is still to be told.

use std::collections::VecDeque;

use slab::Slab;

use super::flow::Flow;
use super::plan::PvPlan;

/// A value and when it was posted.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Sample {
    pub(super) value: f64,
    /// ns since 1970.
    pub(super) stamp_ns: u64,
}

/// The PVs of a shard and those who want to be told. `F` is how they want it.
#[derive(Debug)]
pub(super) struct Publisher<F> {
    pvs: Vec<Pv>,
    subscriptions: Slab<Subscription<F>>,
    /// By slot.
    clients: Vec<Told>,
    /// Clients that got something to be told since [`Publisher::next_awake`] gave them.
    awake: Vec<u32>,
    coalesce: bool,
    /// Posts, by schedule and by puts.
    pub(super) posted: u64,
    /// Updates of a subscription that a newer one overtook.
    pub(super) merged: u64,
}

#[derive(Debug, Clone, Default)]
struct Pv {
    sample: Sample,
    subscribers: Vec<u32>,
}

/// A subscription.
#[derive(Debug)]
struct Subscription<F> {
    form: F,
    pv: u32,
    client: u32,
    /// Where it stands among the subscribers of its PV; [`NOWHERE`] where no post is for it.
    place: u32,
    /// Updates of it that wait.
    waiting: u32,
    /// A newer sample overtook the one that waits.
    is_merged: bool,
    /// It was ended, and goes when nothing of it waits any more.
    is_over: bool,
    /// What holds its updates back; `None`: nothing does.
    flow: Option<Box<Flow>>,
}

const NOWHERE: u32 = u32::MAX;

/// What a client is still to be told.
#[derive(Debug, Default)]
struct Told {
    updates: VecDeque<Waiting>,
    /// Updates that the flows of its subscriptions hold.
    held: usize,
    is_awake: bool,
    subscriptions: u32,
    is_overrun: bool,
}

/// An update that waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting {
    subscription: u32,
    is_first: bool,
    /// The flow of its subscription has let it go.
    pub(super) is_released: bool,
    sample: Sample,
}

/// An update that is to be sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Update<F> {
    pub(super) subscription: u32,
    pub(super) form: F,
    pub(super) sample: Sample,
    /// It says what the value is, not that it changed.
    pub(super) is_first: bool,
    /// It overtook another.
    pub(super) is_merged: bool,
}

/// Updates that may wait for a client that is told all: for each subscription, and at least.
const WAITING_PER_SUBSCRIPTION: usize = 4;
const WAITING_MIN: usize = 1 << 16;

impl<F: Copy> Publisher<F> {
    /// The PVs of `plan`, all 0 as of `stamp_ns`, and `clients` slots.
    pub(super) fn new(plan: &PvPlan, clients: u32, stamp_ns: u64) -> Self {
        let pv = Pv { sample: Sample { value: 0.0, stamp_ns }, subscribers: Vec::new() };
        Self {
            pvs: vec![pv; plan.pvs as usize],
            subscriptions: Slab::new(),
            clients: std::iter::repeat_with(Told::default).take(clients as usize).collect(),
            awake: Vec::with_capacity(clients as usize),
            coalesce: plan.coalesce,
            posted: 0,
            merged: 0,
        }
    }

    /// What `pv` is now.
    #[inline]
    pub(super) fn sample(&self, pv: u32) -> Sample {
        self.pvs[pv as usize].sample
    }

    /// The value of `pv` grows by one.
    #[inline]
    pub(super) fn post(&mut self, pv: u32, stamp_ns: u64) {
        self.put(pv, self.sample(pv).value + 1.0, stamp_ns);
    }

    /// The value of `pv` becomes `value`, from which it goes on to grow.
    #[inline]
    pub(super) fn put(&mut self, pv: u32, value: f64, stamp_ns: u64) {
        let Self { pvs, subscriptions, clients, awake, coalesce, posted, merged } = self;
        let Pv { sample, subscribers } = &mut pvs[pv as usize];
        *sample = Sample { value, stamp_ns };
        *posted += 1;
        for &id in &*subscribers {
            let subscription = &mut subscriptions[id as usize];
            if *coalesce && subscription.waiting > 0 {
                subscription.is_merged = true;
                *merged += 1;
                continue;
            }
            subscription.waiting += 1;
            let waiting = Waiting::new(id, false, *sample);
            clients[subscription.client as usize].add(waiting, subscription.client, awake);
        }
    }

    /// Subscribes `client` to `pv`; the value as it is now is its first update, and all others
    /// are left out where it does not want values.
    pub(super) fn subscribe(&mut self, pv: u32, client: u32, form: F, wants_values: bool) -> u32 {
        let Pv { sample, subscribers } = &mut self.pvs[pv as usize];
        let place = if wants_values { subscribers.len() as u32 } else { NOWHERE };
        let id = self.subscriptions.insert(Subscription {
            form,
            pv,
            client,
            place,
            waiting: 1,
            is_merged: false,
            is_over: false,
            flow: None,
        }) as u32;
        if wants_values {
            subscribers.push(id);
        }
        let told = &mut self.clients[client as usize];
        told.subscriptions += 1;
        told.add(Waiting::new(id, true, *sample), client, &mut self.awake);
        id
    }

    /// Of subscription `id` no more updates than these are sent until more are granted.
    pub(super) fn limit(&mut self, id: u32, updates: u32) {
        self.subscriptions[id as usize].flow = Some(Flow::new(Some(updates.into())).into());
    }

    /// So many updates more of subscription `id` may be sent, or fewer; nothing happens where
    /// they are not limited.
    pub(super) fn grant(&mut self, id: u32, updates: i64) {
        if let Some(flow) = &mut self.subscriptions[id as usize].flow {
            flow.credit = flow.credit.map(|credit| credit.saturating_add(updates));
            self.release(id);
        }
    }

    /// Updates of subscription `id` are sent from now on, or not.
    pub(super) fn run(&mut self, id: u32, is_running: bool) {
        let flow = &mut self.subscriptions[id as usize].flow;
        if flow.is_some() || !is_running {
            flow.get_or_insert_with(|| Flow::new(None).into()).is_running = is_running;
            self.release(id);
        }
    }

    /// What subscription `id` held and may go now is for its client to take.
    fn release(&mut self, id: u32) {
        let subscription = &mut self.subscriptions[id as usize];
        let told = &mut self.clients[subscription.client as usize];
        if let Some(flow) = &mut subscription.flow {
            told.admit(flow);
        }
    }

    /// How subscription `id` wants its updates; it is not over.
    pub(super) fn form(&self, id: u32) -> &F {
        &self.subscriptions[id as usize].form
    }

    /// Ends subscription `id`: no update of it will be taken.
    pub(super) fn unsubscribe(&mut self, id: u32) {
        let subscription = &mut self.subscriptions[id as usize];
        let held = subscription.flow.take().map_or(0, |flow| flow.held());
        subscription.waiting -= held as u32;
        subscription.is_over = true;
        let Subscription { pv, client, place, waiting, .. } = *subscription;
        let told = &mut self.clients[client as usize];
        told.subscriptions -= 1;
        told.held -= held;
        if place != NOWHERE {
            let subscribers = &mut self.pvs[pv as usize].subscribers;
            subscribers.swap_remove(place as usize);
            if let Some(&moved) = subscribers.get(place as usize) {
                self.subscriptions[moved as usize].place = place;
            }
        }
        if waiting == 0 {
            self.subscriptions.remove(id as usize);
        }
    }

    /// Forgets what `client` was to be told; its subscriptions are over.
    pub(super) fn forget(&mut self, client: u32) {
        let told = &mut self.clients[client as usize];
        told.is_overrun = false;
        while let Some(waiting) = told.updates.pop_front() {
            let subscription = &mut self.subscriptions[waiting.subscription as usize];
            subscription.waiting -= 1;
            if subscription.waiting == 0 {
                self.subscriptions.remove(waiting.subscription as usize);
            }
        }
    }

    /// The next update for `client`; what its subscription may not send yet waits there.
    #[inline]
    pub(super) fn take(&mut self, client: u32) -> Option<Update<F>> {
        let told = &mut self.clients[client as usize];
        loop {
            let update = told.updates.pop_front()?;
            let Waiting { subscription: id, is_first, sample, .. } = update;
            let subscription = &mut self.subscriptions[id as usize];
            if let Some(flow) = &mut subscription.flow {
                if !flow.pass(update) {
                    told.held += 1;
                    continue;
                }
                told.admit(flow);
            }
            subscription.waiting -= 1;
            let is_merged = std::mem::take(&mut subscription.is_merged);
            let Subscription { form, pv, waiting, is_over, .. } = *subscription;
            if !is_over {
                let newest = self.pvs[pv as usize].sample;
                let sample = if self.coalesce { newest } else { sample };
                return Some(Update { subscription: id, form, sample, is_first, is_merged });
            }
            if waiting == 0 {
                self.subscriptions.remove(id as usize);
            }
        }
    }

    /// A client that got something to be told, each once.
    #[inline]
    pub(super) fn next_awake(&mut self) -> Option<u32> {
        let client = self.awake.pop()?;
        self.clients[client as usize].is_awake = false;
        Some(client)
    }

    /// Whether more waited for `client` than is kept.
    pub(super) fn is_overrun(&self, client: u32) -> bool {
        self.clients[client as usize].is_overrun
    }
}

impl Waiting {
    #[inline]
    fn new(subscription: u32, is_first: bool, sample: Sample) -> Self {
        Self { subscription, is_first, is_released: false, sample }
    }
}

impl Told {
    /// Adds what a flow lets go.
    fn admit(&mut self, flow: &mut Flow) {
        for waiting in flow.release() {
            self.held -= 1;
            self.updates.push_back(waiting);
        }
    }

    #[inline]
    fn add(&mut self, waiting: Waiting, client: u32, awake: &mut Vec<u32>) {
        let most = self.subscriptions as usize * WAITING_PER_SUBSCRIPTION;
        // What merges never comes here: there is one for each subscription at most.
        self.is_overrun |= self.updates.len() + self.held >= most.max(WAITING_MIN);
        self.updates.push_back(waiting);
        if !self.is_awake {
            self.is_awake = true;
            awake.push(client);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan;
    use super::*;

    fn publisher(coalesce: bool) -> Publisher<char> {
        Publisher::new(&PvPlan { coalesce, ..plan::sample() }, 4, 0)
    }

    /// What `client` is to be told: to whom, and the value.
    fn told(publisher: &mut Publisher<char>, client: u32) -> Vec<(char, f64)> {
        let take = || publisher.take(client).map(|update| (update.form, update.sample.value));
        std::iter::from_fn(take).collect()
    }

    #[test]
    fn a_subscription_gets_the_value_as_it_is_and_then_each_change() {
        let mut publisher = publisher(true);
        publisher.post(1, 10);
        publisher.subscribe(1, 2, 'a', true);
        assert_eq!(publisher.next_awake(), Some(2));
        let first = Update {
            subscription: 0,
            form: 'a',
            sample: Sample { value: 1.0, stamp_ns: 10 },
            is_first: true,
            is_merged: false,
        };
        assert_eq!((publisher.take(2), publisher.take(2)), (Some(first), None));
        publisher.post(1, 20);
        publisher.post(2, 20);
        assert_eq!((publisher.next_awake(), publisher.next_awake()), (Some(2), None));
        assert_eq!(told(&mut publisher, 2), [('a', 2.0)]);
        publisher.put(1, 100.0, 30);
        assert_eq!(told(&mut publisher, 2), [('a', 100.0)]);
        assert_eq!((publisher.posted, publisher.merged), (4, 0));
    }

    #[test]
    fn an_update_that_meets_another_of_its_subscription_is_merged_with_it() {
        let mut publisher = publisher(true);
        publisher.subscribe(0, 2, 'a', true);
        publisher.subscribe(0, 3, 'b', true);
        assert_eq!(told(&mut publisher, 2), [('a', 0.0)]);
        (0..5).for_each(|_| publisher.post(0, 1));
        assert_eq!(told(&mut publisher, 2), [('a', 5.0)]);
        assert_eq!(told(&mut publisher, 3), [('b', 5.0)]);
        assert_eq!(publisher.merged, 4 + 5);
    }

    #[test]
    fn who_is_told_all_gets_all_until_too_much_waits() {
        let mut publisher = publisher(false);
        publisher.subscribe(0, 2, 'a', true);
        publisher.post(0, 1);
        publisher.post(0, 2);
        assert_eq!(told(&mut publisher, 2), [('a', 0.0), ('a', 1.0), ('a', 2.0)]);
        (0..WAITING_MIN).for_each(|_| publisher.post(0, 3));
        assert!(!publisher.is_overrun(2));
        publisher.post(0, 3);
        assert!(publisher.is_overrun(2));
        assert_eq!(publisher.merged, 0);
    }

    #[test]
    fn who_does_not_want_values_gets_the_first_alone() {
        let mut publisher = publisher(true);
        let id = publisher.subscribe(0, 2, 'a', false);
        publisher.post(0, 1);
        assert_eq!(told(&mut publisher, 2), [('a', 1.0)]);
        publisher.post(0, 1);
        assert_eq!(told(&mut publisher, 2), []);
        publisher.unsubscribe(id);
        assert!(publisher.subscriptions.is_empty());
    }

    #[test]
    fn nothing_of_an_ended_subscription_is_told_and_its_number_is_free_again() {
        let mut publisher = publisher(false);
        let [a, _, c] = ['a', 'b', 'c'].map(|form| publisher.subscribe(0, 2, form, true));
        publisher.post(0, 1);
        publisher.unsubscribe(a);
        publisher.unsubscribe(c);
        publisher.subscribe(1, 2, 'd', true);
        publisher.post(0, 2);
        assert_eq!(told(&mut publisher, 2), [('b', 0.0), ('b', 1.0), ('d', 0.0), ('b', 2.0)]);
        assert_eq!(publisher.subscriptions.len(), 2);
        publisher.post(0, 3);
        assert_eq!(told(&mut publisher, 2), [('b', 3.0)]);
    }

    #[test]
    fn no_more_is_told_than_was_granted_and_nobody_else_waits_for_it() {
        for coalesce in [true, false] {
            let mut publisher = publisher(coalesce);
            let a = publisher.subscribe(0, 2, 'a', true);
            publisher.limit(a, 2);
            publisher.subscribe(0, 2, 'b', true);
            assert_eq!(told(&mut publisher, 2), [('a', 0.0), ('b', 0.0)]);
            let mut told_after_a_post = || {
                publisher.post(0, 1);
                told(&mut publisher, 2)
            };
            assert_eq!(told_after_a_post(), [('a', 1.0), ('b', 1.0)]);
            assert_eq!(told_after_a_post(), [('b', 2.0)]);
            assert_eq!(told_after_a_post(), [('b', 3.0)]);
            publisher.grant(a, 3);
            let waited = [('a', 2.0), ('a', 3.0)];
            assert_eq!(told(&mut publisher, 2), waited[usize::from(coalesce)..]);
            assert_eq!(publisher.merged, u64::from(coalesce));
        }
    }

    #[test]
    fn what_waited_goes_before_what_came_later_and_says_whom_it_overtook() {
        let mut publisher = publisher(false);
        let a = publisher.subscribe(0, 2, 'a', true);
        publisher.limit(a, 0);
        publisher.post(0, 1);
        assert_eq!(told(&mut publisher, 2), []);
        publisher.post(0, 1);
        publisher.grant(a, 1);
        publisher.post(0, 1);
        assert_eq!(told(&mut publisher, 2), [('a', 0.0)]);
        publisher.grant(a, 100);
        assert_eq!(told(&mut publisher, 2), [('a', 1.0), ('a', 2.0), ('a', 3.0)]);

        let mut publisher = self::publisher(true);
        publisher.subscribe(0, 2, 'a', true);
        let mut merged = |posts| {
            (0..posts).for_each(|_| publisher.post(0, 1));
            publisher.take(2).map(|update| update.is_merged)
        };
        assert_eq!(
            [merged(0), merged(1), merged(2), merged(1)].map(Option::unwrap),
            [false, false, true, false]
        );
    }

    #[test]
    fn grants_that_come_before_anything_is_taken_keep_the_order() {
        let mut publisher = publisher(false);
        let a = publisher.subscribe(0, 2, 'a', true);
        publisher.limit(a, 0);
        (0..3).for_each(|_| publisher.post(0, 1));
        assert_eq!(told(&mut publisher, 2), []);
        publisher.grant(a, 1);
        publisher.post(0, 1);
        publisher.grant(a, 1);
        publisher.post(0, 1);
        publisher.grant(a, 10);
        publisher.post(0, 1);
        let values = told(&mut publisher, 2).into_iter().map(|(_, value)| value);
        assert_eq!(values.collect::<Vec<_>>(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(publisher.clients[2].held, 0);
    }

    #[test]
    fn who_stops_is_told_the_newest_when_it_starts_again() {
        let mut publisher = publisher(true);
        let a = publisher.subscribe(0, 2, 'a', true);
        publisher.run(a, true);
        assert_eq!(told(&mut publisher, 2), [('a', 0.0)]);
        publisher.run(a, false);
        (0..3).for_each(|_| publisher.post(0, 1));
        assert_eq!(told(&mut publisher, 2), []);
        publisher.run(a, true);
        assert_eq!(told(&mut publisher, 2), [('a', 3.0)]);
        publisher.run(a, false);
        publisher.post(0, 1);
        assert_eq!(told(&mut publisher, 2), []);
        publisher.unsubscribe(a);
        assert!(publisher.subscriptions.is_empty());
        assert_eq!(publisher.clients[2].held, 0);
    }

    #[test]
    fn what_waits_for_leave_is_as_much_as_what_waits_for_room() {
        let mut publisher = publisher(false);
        let a = publisher.subscribe(0, 2, 'a', true);
        publisher.limit(a, 0);
        for _ in 0..WAITING_MIN {
            assert!(!publisher.is_overrun(2));
            assert_eq!(told(&mut publisher, 2), []);
            publisher.post(0, 1);
        }
        assert!(publisher.is_overrun(2));
    }

    #[test]
    fn a_client_that_is_gone_leaves_nothing_behind() {
        let mut publisher = publisher(false);
        let ids = [0, 1, 0].map(|pv| publisher.subscribe(pv, 2, 'a', true));
        publisher.subscribe(0, 3, 'b', true);
        publisher.post(0, 1);
        ids.iter().for_each(|&id| publisher.unsubscribe(id));
        publisher.forget(2);
        assert_eq!(publisher.subscriptions.len(), 1);
        assert_eq!(told(&mut publisher, 2), []);
        assert_eq!(told(&mut publisher, 3), [('b', 0.0), ('b', 1.0)]);
    }
}
