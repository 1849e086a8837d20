//! [`Writers`]: how fast each may write, and what each was told. Pure.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::message::{Person, Subject};
use super::refusal::Refusal;
use super::room::{Draft, Given};

/// What those who write did lately, and what the networks of guests did.
#[derive(Debug, Default)]
pub(super) struct Writers {
    by_subject: HashMap<Subject, Writer>,
    by_network: HashMap<Arc<str>, Writer>,
    pruned: Option<Instant>,
}

#[derive(Debug, Default)]
struct Writer {
    network: Option<Arc<str>>,
    sent: VecDeque<Instant>,
    reacted: Option<Instant>,
    given: VecDeque<(String, Instant, Given)>,
}

/// Messages of one writer within [`BURST`].
pub(super) const MOST_SENT: usize = 5;
/// The same of a moderator.
const MOST_SENT_BY_MODERATORS: usize = 20;
/// The same of all guests of one network.
const MOST_SENT_BY_GUESTS: usize = 10;
const BURST: Duration = Duration::from_secs(5);
/// One reaction of each in this time.
const REACTION_PAUSE: Duration = Duration::from_millis(100);
/// A message sent again within this time is the same.
const SAME: Duration = Duration::from_secs(120);
/// References remembered of each writer.
const MOST_GIVEN: usize = 40;
/// Writers remembered; those who said nothing for long are forgotten then.
const MOST_WRITERS: usize = 20_000;
const WRITERS_KEPT: Duration = Duration::from_secs(3_600);
/// And not looked for more often than this.
const PRUNED_EVERY: Duration = Duration::from_secs(60);

impl Writers {
    /// Whether somebody may write now.
    ///
    /// # Errors
    /// With how long to wait.
    pub(super) fn check_pace(
        &mut self,
        now: Instant,
        who: &Person,
        subject: &Subject,
        slow: Duration,
    ) -> Result<(), Refusal> {
        let most = match who.may_moderate() {
            true => MOST_SENT_BY_MODERATORS,
            false => MOST_SENT,
        };
        let own = self.by_subject.get(subject);
        // A guest who makes up another secret is the same network still.
        let network = match who.is_guest() {
            true => self.by_network.get(&who.network),
            false => None,
        };
        if let Some(own) = own {
            own.check_pace(now, most)?;
        }
        if let Some(network) = network {
            network.check_pace(now, MOST_SENT_BY_GUESTS)?;
        }
        let all = own.into_iter().chain(network);
        let last = all.filter_map(|writer| writer.sent.back()).max();
        let since = last.map(|last| now.saturating_duration_since(*last));
        match since.filter(|since| *since < slow && !who.may_moderate()) {
            None => Ok(()),
            Some(since) => {
                let words = format!("slow mode: one message in {} s", slow.as_secs());
                Err(Refusal::new("slow_mode", words).wait(slow.saturating_sub(since)))
            }
        }
    }

    /// Somebody wrote, here or at another server.
    pub(super) fn note(&mut self, now: Instant, subject: &Subject, network: Option<&Arc<str>>) {
        self.prune(now);
        let writer = self.by_subject.entry(subject.clone()).or_default();
        writer.note(now);
        writer.network = network.cloned().or_else(|| writer.network.take());
        if let (Subject::Guest(_), Some(network)) = (subject, network) {
            let network = self.by_network.entry(Arc::clone(network)).or_default();
            network.note(now);
        }
    }

    /// Somebody reacts, if they may already.
    ///
    /// # Errors
    /// With how long to wait.
    pub(super) fn react(&mut self, now: Instant, subject: Subject) -> Result<(), Refusal> {
        self.prune(now);
        let writer = self.by_subject.entry(subject).or_default();
        let since = writer.reacted.map(|at| now.saturating_duration_since(at));
        if let Some(since) = since.filter(|since| *since < REACTION_PAUSE) {
            let wait = REACTION_PAUSE.saturating_sub(since);
            return Err(Refusal::new("too_fast", "one reaction in 100 ms").wait(wait));
        }
        writer.reacted = Some(now);
        Ok(())
    }

    /// What a writer was told of the same message before.
    pub(super) fn given_before(
        &mut self,
        subject: &Subject,
        draft: &Draft,
        now: Instant,
    ) -> Option<Given> {
        let reference = draft.reference.as_ref()?;
        let writer = self.by_subject.get_mut(subject)?;
        let is_old = |at: Instant| now.saturating_duration_since(at) > SAME;
        while writer.given.front().is_some_and(|(_, at, _)| is_old(*at)) {
            writer.given.pop_front();
        }
        let mut all = writer.given.iter();
        all.find(|(known, ..)| known == reference)
            .map(|(.., given)| *given)
    }

    /// A writer is told something of a message.
    pub(super) fn give(&mut self, subject: Subject, reference: String, now: Instant, given: Given) {
        let writer = self.by_subject.entry(subject).or_default();
        writer.given.push_back((reference, now, given));
        if writer.given.len() > MOST_GIVEN {
            writer.given.pop_front();
        }
    }

    /// The network that somebody wrote from.
    pub(super) fn network_of(&self, subject: &Subject) -> Option<Arc<str>> {
        self.by_subject.get(subject)?.network.clone()
    }

    /// Forgets writers who did nothing for long, now and then; and all, when there are too many to tell
    /// apart, which errs on the side of letting people write.
    fn prune(&mut self, now: Instant) {
        let since = self.pruned.map(|at| now.saturating_duration_since(at));
        let is_due = since.is_none_or(|since| since > PRUNED_EVERY);
        if self.by_subject.len() < MOST_WRITERS || !is_due {
            return;
        }
        self.pruned = Some(now);
        self.by_subject.retain(|_, writer| writer.is_recent(now));
        self.by_network.retain(|_, writer| writer.is_recent(now));
        if self.by_subject.len() >= MOST_WRITERS {
            self.by_subject.clear();
            self.by_network.clear();
        }
    }
}

impl Writer {
    fn check_pace(&self, now: Instant, most: usize) -> Result<(), Refusal> {
        let in_burst = |at: &&Instant| now.saturating_duration_since(**at) < BURST;
        if self.sent.iter().filter(in_burst).count() < most {
            return Ok(());
        }
        let nth = self.sent.len().checked_sub(most);
        let first = nth.and_then(|nth| self.sent.get(nth));
        let since = first.map(|first| now.saturating_duration_since(*first));
        let wait = BURST.saturating_sub(since.unwrap_or_default());
        let words = format!("at most {most} messages in {} s", BURST.as_secs());
        Err(Refusal::new("too_fast", words).wait(wait))
    }

    fn note(&mut self, now: Instant) {
        // What other servers tell comes a little later than it was said.
        let last = self.sent.back().copied();
        self.sent.push_back(last.map_or(now, |last| now.max(last)));
        if self.sent.len() > MOST_SENT_BY_MODERATORS {
            self.sent.pop_front();
        }
    }

    fn is_recent(&self, now: Instant) -> bool {
        let last = self.sent.back().or(self.reacted.as_ref());
        last.is_some_and(|at| now.saturating_duration_since(*at) < WRITERS_KEPT)
    }
}
