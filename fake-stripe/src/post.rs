//! What is to be delivered where and when: the queue that [`crate::courier`] empties. Without a hold or a
//! shuffle, events go out one after the other in the order in which they arose, and one that is not taken does
//! not keep back those behind it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::clock::{backoff, instant};

/// The queue and its settings.
#[derive(Debug, Default)]
pub(crate) struct Post {
    /// Where to and signed with which secret; without an address, events are only recorded.
    pub(crate) url: Option<String>,
    pub(crate) secret: String,
    /// New events wait until they are released.
    pub(crate) hold: bool,
    /// How many copies go out beside each event, at the same time.
    pub(crate) duplicate: usize,
    /// What is due goes out at once, in no order.
    pub(crate) shuffle: bool,
    /// Signatures carry the fake's time, for receivers whose clock was moved as well.
    pub(crate) sign_by_fake_clock: bool,
    held: Vec<String>,
    queue: Vec<Parcel>,
    delivered: usize,
    numbered: u64,
}

/// One delivery that has not succeeded yet.
#[derive(Debug, Clone)]
struct Parcel {
    event: String,
    number: u64,
    made: usize,
    since: Instant,
    due: Instant,
}

impl Post {
    /// Takes a new event.
    pub(crate) fn accept(&mut self, event: &str) {
        if self.url.is_none() {
            return;
        }
        if self.hold {
            self.held.push(event.to_owned());
        } else {
            self.send(event);
        }
    }

    /// Puts an event into the queue, held or not, with its duplicates.
    pub(crate) fn send(&mut self, event: &str) {
        let now = instant();
        self.numbered += 1;
        for _ in 0..=self.duplicate {
            self.queue.push(Parcel {
                event: event.to_owned(),
                number: self.numbered,
                made: 0,
                since: now,
                due: now,
            });
        }
    }

    /// Lets the named events go in this order, or all in the order in which they arose; tells which went.
    pub(crate) fn release(&mut self, order: Option<Vec<String>>) -> Vec<String> {
        let mut order = order.unwrap_or_else(|| self.held.clone());
        order.retain(|event| self.held.contains(event));
        self.held.retain(|event| !order.contains(event));
        for event in &order {
            self.send(event);
        }
        order
    }

    pub(crate) fn held(&self) -> &[String] {
        &self.held
    }

    pub(crate) fn holds(&self, event: &str) -> bool {
        self.held.iter().any(|held| held == event)
    }

    pub(crate) fn awaits(&self, event: &str) -> bool {
        self.queue.iter().any(|parcel| parcel.event == event)
    }

    /// Sends to another receiver from now on, what was not taken so far included.
    pub(crate) fn aim(&mut self, url: Option<String>, secret: Option<String>) {
        self.url = url;
        self.secret = secret.unwrap_or_else(|| std::mem::take(&mut self.secret));
        let now = instant();
        for parcel in &mut self.queue {
            parcel.due = now;
        }
    }

    /// What goes out next at the same time, or how long nothing is due.
    pub(crate) fn take(&mut self, now: Instant) -> Result<Vec<Delivery>, Duration> {
        let due = self.queue.iter().filter(|parcel| parcel.due <= now);
        let Some(first) = due.map(|parcel| parcel.number).min() else {
            let next = self.queue.iter().map(|parcel| parcel.due).min();
            return Err(next.map_or(IDLE, |next| next.duration_since(now)));
        };
        let goes = |parcel: &Parcel| parcel.due <= now && (self.shuffle || parcel.number == first);
        let (going, staying) = self.queue.drain(..).partition(goes);
        self.queue = staying;
        Ok(if self.shuffle {
            shuffled(going)
        } else {
            wrapped(going)
        })
    }

    /// Notes how a delivery went: a status below 300 ends it, anything else has it tried again later.
    pub(crate) fn note(&mut self, delivery: Delivery, status: u16, now: Instant) {
        let Delivery(mut parcel) = delivery;
        if (200..300).contains(&status) {
            self.delivered += 1;
            return;
        }
        parcel.made += 1;
        parcel.due = now + backoff(parcel.made);
        if parcel.due.duration_since(parcel.since) < PATIENCE {
            self.queue.push(parcel);
        }
    }

    pub(crate) fn summary(&self) -> Value {
        json!({
            "url": self.url,
            "hold": self.hold,
            "duplicate": self.duplicate,
            "shuffle": self.shuffle,
            "held": self.held.len(),
            "pending": self.queue.len(),
            "delivered": self.delivered,
        })
    }
}

/// A delivery that is under way; it comes back to [`Post::note`].
#[derive(Debug, Clone)]
pub(crate) struct Delivery(Parcel);

impl Delivery {
    pub(crate) fn event(&self) -> &str {
        &self.0.event
    }
}

fn wrapped(parcels: Vec<Parcel>) -> Vec<Delivery> {
    parcels.into_iter().map(Delivery).collect()
}

/// The parcels by the randomness of their events' ids.
fn shuffled(parcels: Vec<Parcel>) -> Vec<Delivery> {
    let by_chance = parcels
        .into_iter()
        .enumerate()
        .map(|(n, parcel)| ((parcel.event.clone(), n), parcel));
    let by_chance: BTreeMap<_, _> = by_chance.collect();
    wrapped(by_chance.into_values().collect())
}

/// Stripe tries for three days.
const PATIENCE: Duration = Duration::from_secs(3 * 24 * 3600);

/// How long an empty queue is left alone when nobody says that something came.
const IDLE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn post() -> Post {
        let url = Some("http://127.0.0.1:9/".to_owned());
        Post {
            url,
            ..Post::default()
        }
    }

    fn events(deliveries: &[Delivery]) -> Vec<&str> {
        deliveries.iter().map(Delivery::event).collect()
    }

    #[test]
    fn what_is_not_taken_waits_without_keeping_back_the_next() {
        let mut post = post();
        post.accept("evt_1");
        post.accept("evt_2");
        let now = instant();
        let mut first = post.take(now).unwrap();
        assert_eq!(events(&first), ["evt_1"]);
        post.note(first.remove(0), 500, now);
        assert_eq!(events(&post.take(now).unwrap()), ["evt_2"]);
        assert_eq!(post.take(now).unwrap_err(), Duration::from_millis(200));
        assert_eq!(
            events(&post.take(now + Duration::from_millis(200)).unwrap()),
            ["evt_1"]
        );
    }

    #[test]
    fn what_is_held_goes_in_the_order_asked_for() {
        let mut post = post();
        post.hold = true;
        for event in ["evt_1", "evt_2", "evt_3"] {
            post.accept(event);
        }
        assert!(post.take(instant()).is_err());
        let order = ["evt_3", "evt_1", "evt_9"].map(str::to_owned);
        assert_eq!(post.release(Some(order.to_vec())), ["evt_3", "evt_1"]);
        assert_eq!(post.held(), ["evt_2"]);
        assert_eq!(events(&post.take(instant()).unwrap()), ["evt_3"]);
        assert_eq!(events(&post.take(instant()).unwrap()), ["evt_1"]);
    }

    #[test]
    fn after_three_days_a_delivery_is_given_up() {
        let mut post = post();
        post.accept("evt_1");
        let now = instant();
        let parcel = post.take(now).unwrap().remove(0);
        post.note(parcel, 500, now + PATIENCE);
        assert!(!post.awaits("evt_1"));
    }

    #[test]
    fn copies_go_out_together() {
        let mut post = post();
        post.duplicate = 2;
        post.accept("evt_1");
        assert_eq!(events(&post.take(instant()).unwrap()), ["evt_1"; 3]);
    }
}
