//! What is said and taken away at other servers, and comes here in whatever order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::{Given, Moment, Room};
use crate::chat::message::{Message, Subject};

/// What somebody said at another server.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) message: Arc<Message>,
    pub(crate) network: Option<Arc<str>>,
    pub(crate) reference: Option<String>,
    pub(crate) is_held: bool,
    /// It is told, and not read from the database.
    pub(crate) is_told: bool,
}

/// What is to be done about it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Came {
    /// Nothing: it is known, or gone, or too old.
    Known,
    /// It is the newest.
    Next(Arc<Message>),
    /// It stands before others.
    Late(Arc<Message>),
    /// A moderator is to look at it.
    Held(Arc<Message>),
    /// It waits no longer.
    Settled(Arc<Message>),
}

/// What was taken away, for what comes from other servers later.
#[derive(Debug, Default)]
pub(super) struct Gone {
    ids: VecDeque<i64>,
    pub(super) before: i64,
}

impl Gone {
    pub(super) fn note(&mut self, ids: impl Iterator<Item = i64>) {
        self.ids.extend(ids);
        while self.ids.len() > MOST_GONE {
            self.ids.pop_front();
        }
    }

    pub(super) fn has(&self, id: i64) -> bool {
        id <= self.before || self.ids.contains(&id)
    }
}

/// What other servers tell was said within this time; their clocks may differ from ours.
const TOLD_WITHIN: Duration = Duration::from_secs(2);
/// Ids of what was taken away that are remembered.
pub(super) const MOST_GONE: usize = 1_000;

impl Room {
    /// Takes in what somebody said at another server, where the rules were the same. What they say here
    /// has to keep its distance from that, too.
    pub(crate) fn hear(&mut self, now: Moment, heard: Heard) -> Came {
        let Heard {
            message,
            network,
            reference,
            is_held,
            is_told,
        } = heard;
        let id = message.id;
        self.last_id = self.last_id.max(id);
        if self.held.contains_key(&id) && !is_held {
            self.held.remove(&id);
            return match self.admit(Arc::clone(&message)) {
                true => Came::Settled(message),
                false => Came::Known,
            };
        }
        if self.held.contains_key(&id) || self.find(id).is_some() {
            return Came::Known;
        }
        let author = Subject::parse(&message.from.id);
        let age = Duration::try_from(now.at.duration_since(message.at)).unwrap_or_default();
        let age = if is_told { age.min(TOLD_WITHIN) } else { age };
        if let (Some(author), Some(at)) = (&author, now.instant.checked_sub(age)) {
            self.writers.note(at, author, network.as_ref());
        }
        let given = match is_held {
            true => Given::Held(id),
            false => Given::Shown(id),
        };
        if let Some((author, reference)) = author.clone().zip(reference) {
            self.writers.give(author, reference, now.instant, given);
        }
        let is_settled = is_held && self.settled.contains(&id);
        let has_left = self.left.contains(&message.from.id);
        if self.gone.has(id) || is_settled || has_left || self.silences(&message) {
            return Came::Known;
        }
        if is_held {
            self.held.insert(id, Arc::clone(&message));
            return Came::Held(message);
        }
        if id <= self.complete_from {
            return Came::Known;
        }
        if self.recent.back().is_none_or(|newest| newest.id < id) {
            self.remember(Arc::clone(&message));
            return Came::Next(message);
        }
        match self.admit(Arc::clone(&message)) {
            true => Came::Late(message),
            false => Came::Known,
        }
    }

    /// Whether its author may not have written it, as far as this server knows. Nothing keeps those who
    /// moderate from writing, as their badges tell.
    pub(crate) fn silences(&self, message: &Message) -> bool {
        let mut badges = message.from.badges.iter();
        if badges.any(|badge| badge.moderates()) {
            return false;
        }
        let author = Subject::parse(&message.from.id);
        let restraint = author.and_then(|author| self.restraints.get(&author));
        restraint.is_some_and(|restraint| restraint.holds(message.at))
    }

    /// Whose account is no more says nothing here any more, whatever comes.
    pub(crate) fn note_left(&mut self, from: &str) {
        self.left.push_back(from.to_owned());
        if self.left.len() > MOST_GONE {
            self.left.pop_front();
        }
    }

    /// All up to that one is gone, whenever it comes; nothing that is said later gets such a number.
    pub(crate) fn forget_up_to(&mut self, id: i64) {
        self.last_id = self.last_id.max(id);
        self.gone.before = self.gone.before.max(id);
        self.forget(|message| message.id <= id);
    }

    /// Those are gone, also those that come only later.
    pub(crate) fn forget_these(&mut self, ids: &[i64]) {
        self.gone.note(ids.iter().copied());
        self.forget(|message| ids.contains(&message.id));
    }
}
