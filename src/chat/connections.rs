//! How many connections one account, one network and all together have.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::message::{Person, Subject};
use crate::config::Limits;
use crate::rate::household;

/// Connections of one account.
const MOST_OF_ACCOUNT: u32 = 20;
/// Connections of one network.
const MOST_OF_NETWORK: u32 = 200;

/// Counts connections. Clones count together.
#[derive(Debug, Clone)]
pub(crate) struct Connections {
    counts: Arc<Mutex<Counts>>,
    most: u32,
    loopback_factor: u32,
}

#[derive(Debug, Default)]
struct Counts {
    all: u32,
    of: HashMap<Who, u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Who {
    Subject(Subject),
    Network(IpAddr),
}

/// One connection's place, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    counts: Arc<Mutex<Counts>>,
    taken: Vec<Who>,
}

impl Connections {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            counts: Arc::default(),
            most: u32::try_from(limits.http_connections).unwrap_or(u32::MAX),
            loopback_factor: limits.loopback_factor,
        }
    }

    /// A place for somebody, unless there are too many.
    pub(crate) fn seat(&self, person: &Person) -> Option<Seat> {
        let factor = match person.address.to_canonical().is_loopback() {
            true => self.loopback_factor,
            false => 1,
        };
        let network = Who::Network(household(person.address));
        let subject = person.subject.clone().map(Who::Subject);
        let bounds = [(Some(network), MOST_OF_NETWORK), (subject, MOST_OF_ACCOUNT)];
        let bounds = bounds.map(|(who, most)| (who, most.saturating_mul(factor)));
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = bounds.iter().any(|(who, most)| {
            let has = who.as_ref().and_then(|who| counts.of.get(who));
            has.is_some_and(|has| has >= most)
        });
        if is_full || counts.all >= self.most {
            return None;
        }
        counts.all += 1;
        let taken: Vec<Who> = bounds.into_iter().filter_map(|(who, _)| who).collect();
        for who in &taken {
            *counts.of.entry(who.clone()).or_default() += 1;
        }
        Some(Seat {
            counts: Arc::clone(&self.counts),
            taken,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all = counts.all.saturating_sub(1);
        for who in &self.taken {
            let left = counts.of.get_mut(who).map(|has| {
                *has = has.saturating_sub(1);
                *has
            });
            if left == Some(0) {
                counts.of.remove(who);
            }
        }
    }
}
