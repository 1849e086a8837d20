//! What moderators do. The database is changed first, in one transaction with the entry of the log; then the
//! room, and all who are in it see it.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::hall::Hall;
use super::listener::{ChatEvent, in_json};
use super::message::{Message, Subject};
use super::modes::{Modes, ModesEdit};
use super::protocol::RestraintKind;
use super::room::{IDS, Restraint};
use super::store::{self, NewAction, RestraintRow, Term};
use super::terms::TermKind;
use super::words::{Part, Word};
use super::{Chat, terms};
use crate::accounts::Account;
use crate::channels::Channel;
use crate::clock::from_millis;
use crate::db::Tx;
use crate::error::ApiError;
use crate::form::{self, Form};

/// A time-out, at least and at most.
const TIMEOUT: RangeInclusive<u64> = 10..=14 * 24 * 3_600;
/// Characters of a reason.
const MOST_REASON: usize = 200;
/// What somebody said in this time goes with a time-out; all of it with a ban.
const SILENCED: Duration = Duration::from_secs(24 * 3_600);
/// Terms of one channel.
const MOST_TERMS: i64 = 500;

/// How somebody is to be kept from writing.
#[derive(Debug, Clone)]
pub(super) struct Sentence {
    pub(super) kind: RestraintKind,
    pub(super) seconds: Option<u64>,
    pub(super) reason: String,
}

/// A moderator who does something on a channel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Desk<'a> {
    pub(super) channel: &'a Channel,
    pub(super) by: &'a Account,
}

impl<'a> Desk<'a> {
    pub(super) fn of(channel: &'a Channel, by: &'a Account) -> Self {
        Self { channel, by }
    }
}

impl Chat {
    /// Notes a deed, in the transaction of what it changes, and tells of it when that has lasted.
    pub(super) async fn commit(
        &self,
        mut tx: Tx,
        desk: Desk<'_>,
        action: NewAction<'_>,
    ) -> Result<(), ApiError> {
        let now = self.0.clock.now();
        let channel = desk.channel.id;
        store::insert_action(&mut tx, channel, &desk.by.name, now, &action).await?;
        tx.commit().await?;
        self.tell(ChatEvent::Moderated {
            channel,
            action: in_json(&json!({
                "kind": action.kind,
                "by": desk.by.name,
                "subject": action.subject_name,
                "message": action.message,
                "reason": action.reason,
                "until": action.until.map(from_millis),
            })),
        });
        Ok(())
    }

    async fn begin(&self) -> Result<Tx, ApiError> {
        // What is about to be changed may have been said a moment ago.
        self.0.ledger.settle().await;
        Ok(self.0.db.begin().await?)
    }

    /// Notes a deed that changes nothing else.
    pub(super) async fn note(&self, desk: Desk<'_>, action: NewAction<'_>) -> Result<(), ApiError> {
        let tx = self.0.db.begin().await?;
        self.commit(tx, desk, action).await
    }

    /// Takes a message away: moderators any, others their own.
    pub(super) async fn delete_message(
        &self,
        desk: Desk<'_>,
        id: i64,
        may_moderate: bool,
    ) -> Result<(), ApiError> {
        let hall = self.hall(desk.channel).await?;
        let _turn = hall.turn().await;
        self.0.ledger.settle().await;
        let author = store::author_of(&self.0.db, desk.channel.id, id).await?;
        // What was said at another server a moment ago may not be written yet.
        let author = author.or_else(|| hall.lock().room.author_of(id));
        let (subject, name) = author.ok_or(no_such_message())?;
        let is_own = subject == desk.by.id.to_string();
        if !may_moderate && !is_own {
            return Err(ApiError::Forbidden(
                "only moderators take away what others said",
            ));
        }
        let mut tx = self.0.db.begin().await?;
        store::delete(&mut tx, desk.channel.id, id).await?;
        if is_own {
            // No deed of a moderator's.
            tx.commit().await?;
        } else {
            let action = NewAction {
                kind: "delete",
                subject: Some(&subject),
                subject_name: Some(&name),
                message: Some(id),
                ..NewAction::default()
            };
            self.commit(tx, desk, action).await?;
        }
        hall.perform(&Word::Deleted { ids: vec![id] });
        Ok(())
    }

    /// Takes all away that was said.
    pub(super) async fn clear_messages(&self, desk: Desk<'_>) -> Result<(), ApiError> {
        let hall = self.hall(desk.channel).await?;
        let _turn = hall.turn().await;
        let now = self.0.clock.now();
        let up_to = hall.lock().room.next_id(now);
        let mut tx = self.begin().await?;
        store::clear(&mut tx, desk.channel.id, up_to).await?;
        store::set_pinned(&mut tx, desk.channel.id, None).await?;
        let action = NewAction {
            kind: "clear",
            ..NewAction::default()
        };
        self.commit(tx, desk, action).await?;
        hall.perform(&Word::Cleared { before: up_to });
        Ok(())
    }

    /// Keeps somebody from writing, and takes away what they said.
    pub(super) async fn restrain(
        &self,
        desk: Desk<'_>,
        whom: &str,
        sentence: Sentence,
    ) -> Result<(), ApiError> {
        let (subject, name) = self.find(desk.channel, whom).await?;
        self.check_restrainable(desk, &subject).await?;
        let reason = form::line("reason_invalid", &sentence.reason, 0, MOST_REASON)?;
        let now = self.0.clock.now();
        let until = until(&sentence, now)?;
        let hall = self.hall(desk.channel).await?;
        let _turn = hall.turn().await;
        let network = hall.lock().network_of(&subject);
        let row = RestraintRow {
            subject: subject.to_string(),
            name: name.clone(),
            until: until.map(Timestamp::as_millisecond),
            reason: reason.clone(),
            by_name: desk.by.name.clone(),
            at: now.as_millisecond(),
            network: network.as_deref().map(str::to_owned),
        };
        let since = match until {
            None => 0,
            Some(_) => (now - SILENCED).as_millisecond().saturating_mul(IDS),
        };
        let restraint = Restraint {
            name: name.clone(),
            until,
            reason: reason.clone(),
            network: row.network.clone(),
        };
        // From now on they say nothing, so that nothing is said behind what is deleted.
        let (before, up_to) = {
            let mut floor = hall.lock();
            let before = floor.room.restraints.insert(subject.clone(), restraint);
            (before, floor.room.next_id(now))
        };
        let said = since..=up_to;
        let kept = self.keep_restraint(desk, &subject, &row, said).await;
        if let Err(error) = kept {
            let mut floor = hall.lock();
            match before {
                Some(before) => floor.room.restraints.insert(subject, before),
                None => floor.room.restraints.remove(&subject),
            };
            return Err(error);
        }
        hall.perform(&Word::Silenced {
            from: row.subject,
            since,
            up_to,
        });
        hall.tell(&Word::Reset {
            part: Part::Restraints,
        });
        hall.renew(&subject, |_| {});
        hall.renew_guests();
        self.access_changed(hall.channel(), &subject);
        Ok(())
    }

    async fn keep_restraint(
        &self,
        desk: Desk<'_>,
        subject: &Subject,
        row: &RestraintRow,
        said: RangeInclusive<i64>,
    ) -> Result<(), ApiError> {
        let mut tx = self.begin().await?;
        let account = subject.account().map(|account| account.to_string());
        store::insert_restraint(&mut tx, desk.channel.id, account, row).await?;
        store::delete_all_of(&mut tx, desk.channel.id, subject, said).await?;
        let kind = match row.until {
            None => "ban",
            Some(_) => "timeout",
        };
        let action = NewAction {
            kind,
            subject: Some(&row.subject),
            subject_name: Some(&row.name),
            reason: &row.reason,
            until: row.until,
            ..NewAction::default()
        };
        self.commit(tx, desk, action).await
    }

    async fn check_restrainable(&self, desk: Desk<'_>, subject: &Subject) -> Result<(), ApiError> {
        let Some(account) = subject.account() else {
            return Ok(());
        };
        let account = self.0.accounts.by_id(account).await?;
        let rights = self
            .0
            .channels
            .rights(desk.channel, account.as_ref())
            .await?;
        match rights.may_moderate() {
            false => Ok(()),
            true => Err(ApiError::Conflict {
                code: "is_moderator",
                detail: "the owner, moderators and admins cannot be kept from writing; take the \
                         moderator's part away first"
                    .to_owned(),
            }),
        }
    }

    /// Lets somebody write again.
    pub(super) async fn release(&self, desk: Desk<'_>, whom: &str) -> Result<(), ApiError> {
        let (subject, name) = self.find(desk.channel, whom).await?;
        let text = subject.to_string();
        let hall = self.hall(desk.channel).await?;
        let _turn = hall.turn().await;
        let mut tx = self.0.db.begin().await?;
        if !store::delete_restraint(&mut tx, desk.channel.id, &text).await? {
            return Err(ApiError::NotFound {
                code: "restraint_not_found",
                detail: "nothing keeps them from writing",
            });
        }
        let action = NewAction {
            kind: "release",
            subject: Some(&text),
            subject_name: Some(&name),
            ..NewAction::default()
        };
        self.commit(tx, desk, action).await?;
        hall.lock().room.restraints.remove(&subject);
        hall.tell(&Word::Reset {
            part: Part::Restraints,
        });
        hall.renew(&subject, |_| {});
        hall.renew_guests();
        self.access_changed(hall.channel(), &subject);
        Ok(())
    }

    /// Tells somebody that what they do is not wanted.
    pub(super) async fn warn(
        &self,
        desk: Desk<'_>,
        whom: &str,
        reason: &str,
    ) -> Result<(), ApiError> {
        let (subject, name) = self.find(desk.channel, whom).await?;
        let reason = form::line("reason_invalid", reason, 1, MOST_REASON)?;
        let tx = self.begin().await?;
        let text = subject.to_string();
        let action = NewAction {
            kind: "warn",
            subject: Some(&text),
            subject_name: Some(&name),
            reason: &reason,
            ..NewAction::default()
        };
        self.commit(tx, desk, action).await?;
        let hall = self.hall(desk.channel).await?;
        hall.perform(&Word::Warned {
            subject: text,
            reason,
        });
        Ok(())
    }

    /// Pins a message, or takes the pin away.
    pub(super) async fn pin(&self, desk: Desk<'_>, message: Option<i64>) -> Result<(), ApiError> {
        let hall = self.hall(desk.channel).await?;
        let _turn = hall.turn().await;
        self.0.ledger.settle().await;
        let pinned = match message {
            Some(id) => {
                let found = store::by_id(&self.0.db, desk.channel.id, id).await?;
                let found = found.or_else(|| hall.lock().room.find(id).map(Arc::clone));
                Some(found.ok_or(no_such_message())?)
            }
            None => None,
        };
        let mut tx = self.0.db.begin().await?;
        store::set_pinned(&mut tx, desk.channel.id, message).await?;
        let action = NewAction {
            kind: if message.is_some() { "pin" } else { "unpin" },
            message,
            ..NewAction::default()
        };
        self.commit(tx, desk, action).await?;
        hall.set_pinned(pinned);
        hall.tell(&Word::Reset {
            part: Part::Settings,
        });
        Ok(())
    }

    /// Sets how one may write.
    pub(super) async fn set_modes(
        &self,
        desk: Desk<'_>,
        edit: ModesEdit,
    ) -> Result<Modes, ApiError> {
        let hall = self.hall(desk.channel).await?;
        let _turn = hall.turn().await;
        self.refresh_modes(&hall).await?;
        let (modes, before) = {
            let floor = hall.lock();
            (
                edit.apply(&floor.room.modes)?,
                floor.room.before_shield.clone(),
            )
        };
        self.keep_modes(desk, &hall, "modes", modes, before).await
    }

    /// Puts the shield up, or takes it down, after which all is as it was before.
    pub(super) async fn set_shield(&self, desk: Desk<'_>, up: bool) -> Result<Modes, ApiError> {
        let hall = self.hall(desk.channel).await?;
        let _turn = hall.turn().await;
        self.refresh_modes(&hall).await?;
        let (modes, before) = {
            let floor = hall.lock();
            (floor.room.modes.clone(), floor.room.before_shield.clone())
        };
        match (up, modes.shield) {
            (true, true) | (false, false) => Ok(modes),
            (true, false) => {
                let shielded = modes.shielded();
                self.keep_modes(desk, &hall, "shield", shielded, Some(modes))
                    .await
            }
            (false, true) => {
                let before = Modes {
                    shield: false,
                    ..before.unwrap_or_default()
                };
                self.keep_modes(desk, &hall, "unshield", before, None).await
            }
        }
    }

    async fn keep_modes(
        &self,
        desk: Desk<'_>,
        hall: &Arc<Hall>,
        kind: &'static str,
        modes: Modes,
        before: Option<Modes>,
    ) -> Result<Modes, ApiError> {
        let mut tx = self.begin().await?;
        let before_json = before.as_ref().map(|before| json!(before).to_string());
        let json = json!(modes).to_string();
        store::set_settings(&mut tx, desk.channel.id, &json, before_json.as_deref()).await?;
        let changes = modes.changes_since(&hall.lock().room.modes);
        let action = NewAction {
            kind,
            reason: &changes,
            ..NewAction::default()
        };
        self.commit(tx, desk, action).await?;
        hall.set_modes(&modes, before);
        hall.tell(&Word::Reset {
            part: Part::Settings,
        });
        Ok(modes)
    }

    /// Another server may have set something else meanwhile.
    async fn refresh_modes(&self, hall: &Arc<Hall>) -> Result<(), ApiError> {
        if self.0.bus.is_shared() {
            self.reread_in_turn(hall, Part::Settings).await?;
        }
        Ok(())
    }

    /// Lets a message through that waited, or not.
    pub(super) async fn settle_hold(
        &self,
        desk: Desk<'_>,
        id: i64,
        approved: bool,
    ) -> Result<(), ApiError> {
        let hall = self.hall(desk.channel).await?;
        let _turn = hall.turn().await;
        let mut tx = self.begin().await?;
        let state = if approved { "shown" } else { "denied" };
        if !store::set_state(&mut tx, desk.channel.id, id, state).await? {
            return Err(ApiError::NotFound {
                code: "hold_not_found",
                detail: "this message does not wait; another moderator may have been faster",
            });
        }
        let held = hall.lock().room.held().find(|held| held.id == id).cloned();
        let action = NewAction {
            kind: if approved { "approve" } else { "deny" },
            subject: held.as_ref().map(|held| held.from.id.as_str()),
            subject_name: held.as_ref().map(|held| held.from.name.as_str()),
            message: Some(id),
            ..NewAction::default()
        };
        self.commit(tx, desk, action).await?;
        let held = match (approved, held) {
            // Another server holds it.
            (true, None) => store::by_id(&self.0.db, desk.channel.id, id).await?,
            (_, held) => held,
        };
        let message = hall.settle_hold(id, approved, held);
        hall.tell(&Word::HoldSettled {
            id,
            approved,
            message: message.clone(),
        });
        if let Some(message) = message {
            self.tell(ChatEvent::said(desk.channel.id, &message));
        }
        Ok(())
    }

    /// What waits for a moderator.
    pub(super) async fn holds(&self, channel: &Channel) -> Result<Vec<Arc<Message>>, ApiError> {
        let hall = self.hall(channel).await?;
        let floor = hall.lock();
        Ok(floor.room.held().map(Arc::clone).collect())
    }

    /// Adds a term, or gives it another kind.
    pub(super) async fn add_term(
        &self,
        desk: Desk<'_>,
        term: &str,
        kind: TermKind,
    ) -> Result<Term, ApiError> {
        let mut form = Form::new();
        let term = form.take("term", form::line("term_invalid", term, 2, 80));
        form.done()?;
        let letters = terms::fold(&term);
        if !letters.chars().any(char::is_alphanumeric) {
            let mut form = Form::new();
            form.add("term", "term_invalid", "a term has letters or digits");
            form.done()?;
        }
        if store::count_terms(&self.0.db, desk.channel.id).await? >= MOST_TERMS {
            return Err(ApiError::Conflict {
                code: "too_many_terms",
                detail: format!("a channel has at most {MOST_TERMS} terms"),
            });
        }
        let term = Term {
            id: Uuid::now_v7(),
            term: term.to_lowercase(),
            kind,
        };
        store::insert_term(&self.0.db, desk.channel.id, &term).await?;
        let reason = format!("{} ({})", term.term, kind.as_str());
        let action = NewAction {
            kind: "term",
            reason: &reason,
            ..NewAction::default()
        };
        self.note(desk, action).await?;
        self.renew_terms(desk.channel).await?;
        Ok(term)
    }

    pub(super) async fn remove_term(&self, desk: Desk<'_>, id: Uuid) -> Result<(), ApiError> {
        let terms = store::terms(&self.0.db, desk.channel.id).await?;
        let term = terms.into_iter().find(|term| term.id == id);
        let missing = ApiError::NotFound {
            code: "term_not_found",
            detail: "the channel has no such term",
        };
        let term = term.ok_or(missing)?;
        store::delete_term(&self.0.db, desk.channel.id, id).await?;
        let action = NewAction {
            kind: "unterm",
            reason: &term.term,
            ..NewAction::default()
        };
        self.note(desk, action).await?;
        self.renew_terms(desk.channel).await
    }

    async fn renew_terms(&self, channel: &Channel) -> Result<(), ApiError> {
        let hall = self.hall(channel).await?;
        let _turn = hall.turn().await;
        self.reread_in_turn(&hall, Part::Terms).await?;
        hall.tell(&Word::Reset { part: Part::Terms });
        Ok(())
    }
}

fn until(sentence: &Sentence, now: Timestamp) -> Result<Option<Timestamp>, ApiError> {
    match (sentence.kind, sentence.seconds) {
        (RestraintKind::Ban, _) => Ok(None),
        (RestraintKind::Timeout, Some(seconds)) if TIMEOUT.contains(&seconds) => {
            Ok(Some(now + Duration::from_secs(seconds)))
        }
        (RestraintKind::Timeout, _) => {
            let mut form = Form::new();
            let words = "a time-out lasts 10 seconds to 14 days (1209600 seconds)";
            form.add("seconds", "timeout_invalid", words);
            form.done().map(|()| None)
        }
    }
}

pub(super) fn no_such_message() -> ApiError {
    ApiError::NotFound {
        code: "message_not_found",
        detail: "there is no such message, or it was taken away",
    }
}
