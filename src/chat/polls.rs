//! Polls: two to six options, for a while, one vote of each account.
//!
//! A poll ends in the time of the stream, so that a viewer whose picture is behind votes as long as all
//! others; votes that say how far their picture is are taken until then.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::hall::Hall;
use super::listener::ChatEvent;
use super::message::Person;
use super::moderation::Desk;
use super::protocol::Event;
use super::refusal::Refusal;
use super::store::NewAction;
use super::words::{Part, Word};
use super::{Chat, store};
use crate::accounts::AccountId;
use crate::channels::{Channel, ChannelId};
use crate::error::{ApiError, log_store_error};
use crate::form::{self, Form};

/// A poll as all see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ChatPoll)]
pub(crate) struct Poll {
    pub(crate) id: Uuid,
    pub(crate) question: String,
    pub(crate) options: Vec<PollOption>,
    pub(crate) opened_at: Timestamp,
    pub(crate) closes_at: Timestamp,
    /// The stream that was on air when it began.
    pub(crate) stream: Option<Uuid>,
    /// In the time of that stream.
    pub(crate) opened_ms: Option<i64>,
    pub(crate) closes_ms: Option<i64>,
    pub(crate) state: PollState,
}

/// One that can be voted for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ChatPollOption)]
pub(crate) struct PollOption {
    pub(crate) text: String,
    pub(crate) votes: u64,
}

/// How far a poll is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ChatPollState)]
pub(crate) enum PollState {
    Open,
    Ended,
}

/// How long after its end votes are taken of pictures that are behind.
pub(crate) const GRACE_MS: i64 = 30_000;
const GRACE: Duration = Duration::from_secs(30);
/// How long it is shown how a poll ended.
const SHOWN_FOR: Duration = Duration::from_secs(120);

impl Poll {
    /// Whether a vote is in time.
    ///
    /// # Errors
    /// When it is not, or there is no such option.
    pub(crate) fn check(
        &self,
        now: Timestamp,
        seen_ms: Option<i64>,
        choice: usize,
    ) -> Result<(), Refusal> {
        if choice >= self.options.len() {
            return Err(Refusal::new(
                "option_unknown",
                "the poll has no such option",
            ));
        }
        let now_ms = now.as_millisecond();
        let closes = self.closes_at.as_millisecond();
        let is_open = self.state == PollState::Open && now_ms <= closes;
        let is_seen_open = match (seen_ms, self.closes_ms) {
            (Some(seen), Some(end)) => seen <= end && now_ms <= closes.saturating_add(GRACE_MS),
            _ => false,
        };
        match is_open || is_seen_open {
            true => Ok(()),
            false => Err(Refusal::new("poll_ended", "the poll is over")),
        }
    }

    /// Whether nobody needs to see any more how it ended.
    pub(crate) fn is_past(&self, now: Timestamp) -> bool {
        self.state == PollState::Ended && now >= self.closes_at + SHOWN_FOR
    }

    /// Whether it should be over.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.state == PollState::Open && now >= self.closes_at
    }
}

/// Who asks what, and for how long.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) question: String,
    pub(super) options: Vec<String>,
    pub(super) seconds: u64,
}

const OPTIONS: std::ops::RangeInclusive<usize> = 2..=6;
const SECONDS: std::ops::RangeInclusive<u64> = 10..=3_600;
const MOST_QUESTION: usize = 200;
const MOST_OPTION: usize = 60;
/// Counts go out this often at most.
const COUNT_EVERY: Duration = Duration::from_millis(500);

impl Wish {
    fn checked(self) -> Result<Self, ApiError> {
        let mut form = Form::new();
        let question = form::line("question_invalid", &self.question, 1, MOST_QUESTION);
        let question = form.take("question", question);
        if !OPTIONS.contains(&self.options.len()) {
            form.add("options", "options_invalid", "2 to 6 options");
        }
        let mut options: Vec<String> = Vec::new();
        for (at, option) in self.options.iter().enumerate() {
            let checked = form::line("option_invalid", option, 1, MOST_OPTION);
            let option = form.take(&format!("options.{at}"), checked);
            if options.contains(&option) {
                let field = format!("options.{at}");
                form.add(&field, "option_twice", "this option is there already");
            }
            options.push(option);
        }
        if !SECONDS.contains(&self.seconds) {
            form.add("seconds", "seconds_invalid", "10 to 3600 seconds");
        }
        form.done()?;
        Ok(Self {
            question,
            options,
            seconds: self.seconds,
        })
    }
}

impl Chat {
    /// Begins a poll.
    pub(super) async fn open_poll(&self, desk: Desk<'_>, wish: Wish) -> Result<Poll, ApiError> {
        let wish = wish.checked()?;
        let hall = self.hall(desk.channel).await?;
        let _turn = hall.turn().await;
        self.refresh_poll(&hall).await?;
        let now = self.0.clock.now();
        let (stream, opened_ms, is_busy) = {
            let floor = hall.lock();
            let is_busy = (floor.room.poll.as_ref()).is_some_and(|p| p.state == PollState::Open);
            let stream = floor.room.on_air.map(|on_air| on_air.id);
            (stream, floor.room.stream_time(now, None), is_busy)
        };
        if is_busy {
            return Err(ApiError::Conflict {
                code: "poll_open",
                detail: "a poll is open; end it first".to_owned(),
            });
        }
        let lasts_ms = i64::try_from(wish.seconds * 1_000).unwrap_or(i64::MAX);
        let options = wish.options.into_iter();
        let poll = Poll {
            id: Uuid::now_v7(),
            question: wish.question,
            options: options.map(|text| PollOption { text, votes: 0 }).collect(),
            opened_at: now,
            closes_at: now + Duration::from_secs(wish.seconds),
            stream,
            opened_ms,
            closes_ms: opened_ms.map(|opened| opened.saturating_add(lasts_ms)),
            state: PollState::Open,
        };
        let mut tx = self.0.db.begin().await?;
        store::hide_polls(&mut tx, desk.channel.id).await?;
        store::insert_poll(&mut tx, desk.channel.id, &poll).await?;
        let action = NewAction {
            kind: "poll",
            reason: &poll.question,
            ..NewAction::default()
        };
        self.commit(tx, desk, action).await?;
        hall.put_poll(Some(poll.clone()));
        Ok(poll)
    }

    /// Ends a poll; nobody presses the button when its time is over.
    pub(super) async fn end_poll(
        &self,
        channel: &Channel,
        id: Uuid,
        at_button: Option<Timestamp>,
    ) -> Result<Poll, ApiError> {
        let hall = self.hall(channel).await?;
        let _turn = hall.turn().await;
        self.end_poll_in(&hall, id, at_button).await
    }

    /// The caller has the turn.
    async fn end_poll_in(
        &self,
        hall: &Arc<Hall>,
        id: Uuid,
        at_button: Option<Timestamp>,
    ) -> Result<Poll, ApiError> {
        let found = store::poll(&self.0.db, hall.channel, id).await?;
        let mut poll = found.ok_or(no_such_poll())?;
        if poll.state == PollState::Ended {
            // At another server, it may be.
            let is_shown_open = |shown: &Poll| shown.id == id && shown.state == PollState::Open;
            if hall.lock().room.poll.as_ref().is_some_and(is_shown_open) {
                hall.set_poll(Some(poll.clone()));
            }
            return Ok(poll);
        }
        if let Some(now) = at_button {
            let time = hall.lock().room.time_in(poll.stream, now);
            poll.closes_at = poll.closes_at.min(now);
            poll.closes_ms = poll.closes_ms.zip(time).map(|(end, now)| end.min(now));
        }
        poll.state = PollState::Ended;
        let mut tx = self.0.db.begin().await?;
        let now = self.0.clock.now();
        let has_ended = store::end_poll(&mut tx, hall.channel, &poll, now).await?;
        tx.commit().await?;
        if has_ended {
            let is_shown = (hall.lock().room.poll.as_ref()).is_some_and(|shown| shown.id == id);
            if is_shown {
                hall.put_poll(Some(poll.clone()));
            }
            self.tell_of_end(hall.channel, poll.clone());
        }
        Ok(poll)
    }

    /// The room shows no poll any more; one that is open ends.
    pub(super) async fn put_poll_away(&self, desk: Desk<'_>) -> Result<(), ApiError> {
        let hall = self.hall(desk.channel).await?;
        let _turn = hall.turn().await;
        self.refresh_poll(&hall).await?;
        let shown = hall.lock().room.poll.clone();
        if let Some(poll) = shown.filter(|poll| poll.state == PollState::Open) {
            let now = self.0.clock.now();
            self.end_poll_in(&hall, poll.id, Some(now)).await?;
        }
        self.hide_poll(&hall).await
    }

    /// The room shows a poll no longer that has been over for a while.
    pub(super) async fn put_past_poll_away(&self, hall: &Arc<Hall>) -> Result<(), ApiError> {
        let _turn = hall.turn().await;
        self.refresh_poll(hall).await?;
        let now = self.0.clock.now();
        let is_past = (hall.lock().room.poll.as_ref()).is_some_and(|poll| poll.is_past(now));
        match is_past {
            true => self.hide_poll(hall).await,
            false => Ok(()),
        }
    }

    async fn hide_poll(&self, hall: &Arc<Hall>) -> Result<(), ApiError> {
        let shown = hall.lock().room.poll.as_ref().map(|poll| poll.id);
        if let Some(id) = shown {
            store::hide_poll(&self.0.db, hall.channel, id).await?;
        }
        hall.put_poll(None);
        Ok(())
    }

    /// Another server may show another one by now.
    async fn refresh_poll(&self, hall: &Arc<Hall>) -> Result<(), ApiError> {
        if self.0.bus.is_shared() {
            self.reread_in_turn(hall, Part::Poll).await?;
        }
        Ok(())
    }

    /// Counts a vote.
    pub(super) async fn vote(
        &self,
        hall: &Arc<Hall>,
        who: &Person,
        account: AccountId,
        id: Uuid,
        choice: usize,
        seen_ms: Option<i64>,
    ) -> Result<(), Refusal> {
        let now = self.0.clock.now();
        let time = {
            let floor = hall.lock();
            floor.room.check_restraint(now, who)?;
            let poll = floor.room.poll.as_ref().filter(|poll| poll.id == id);
            let over = || Refusal::new("poll_ended", "the poll is over");
            let poll = poll.ok_or_else(over)?;
            // Of another stream the picture's time says nothing.
            let is_same = floor.room.on_air.map(|on_air| on_air.id) == poll.stream;
            let time = floor.room.stream_time(now, seen_ms).filter(|_| is_same);
            poll.check(now, time.filter(|_| seen_ms.is_some()), choice)?;
            time
        };
        let voted = store::insert_vote(&self.0.db, id, account, choice, now, time).await;
        if !voted.map_err(|error| Refusal::from(ApiError::from(error)))? {
            return Err(Refusal::new("voted_already", "you have voted"));
        }
        self.count_soon(hall, id);
        Ok(())
    }

    /// Counts anew a moment later, with what comes meanwhile.
    fn count_soon(&self, hall: &Arc<Hall>, id: Uuid) {
        if std::mem::replace(&mut hall.lock().has_votes, true) {
            return;
        }
        let (chat, hall) = (self.clone(), Arc::clone(hall));
        self.0.threads.others().spawn(async move {
            tokio::time::sleep(COUNT_EVERY).await;
            hall.lock().has_votes = false;
            let _turn = hall.turn().await;
            match store::poll(&chat.0.db, hall.channel, id).await {
                Ok(Some(counted)) => {
                    let is_shown = |shown: &Poll| shown.id == id;
                    if hall.lock().room.poll.as_ref().is_some_and(is_shown) {
                        hall.put_poll(Some(counted));
                    }
                }
                Ok(None) => {}
                Err(error) => log_store_error(&error),
            }
        });
    }

    /// Tells programs of a poll's end, once nobody's picture shows it open any more.
    fn tell_of_end(&self, channel: ChannelId, poll: Poll) {
        if poll.closes_ms.is_none() {
            return self.tell(ChatEvent::poll_ended(channel, &poll));
        }
        let chat = self.clone();
        self.0.threads.others().spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(GRACE) => {}
                () = chat.0.stop.cancelled() => {}
            }
            let counted = store::poll(&chat.0.db, channel, poll.id).await;
            let poll = counted.ok().flatten().unwrap_or(poll);
            chat.tell(ChatEvent::poll_ended(channel, &poll));
        });
    }
}

impl Hall {
    /// Shows a poll, or none, at all servers.
    fn put_poll(self: &Arc<Self>, poll: Option<Poll>) {
        self.set_poll(poll);
        self.tell(&Word::Reset { part: Part::Poll });
    }

    pub(super) fn set_poll(self: &Arc<Self>, poll: Option<Poll>) {
        self.change(|floor| {
            let event = Event::Poll {
                poll: poll.as_ref(),
            };
            let event = event.encode();
            floor.room.poll = poll;
            floor.queue(event);
        });
    }
}

pub(super) fn no_such_poll() -> ApiError {
    ApiError::NotFound {
        code: "poll_not_found",
        detail: "the channel has no such poll",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::from_millis;

    fn poll() -> Poll {
        let option = |text: &str| PollOption {
            text: text.to_owned(),
            votes: 0,
        };
        Poll {
            id: Uuid::nil(),
            question: "which?".to_owned(),
            options: vec![option("a"), option("b")],
            opened_at: from_millis(100_000),
            closes_at: from_millis(160_000),
            stream: Some(Uuid::nil()),
            opened_ms: Some(10_000),
            closes_ms: Some(70_000),
            state: PollState::Open,
        }
    }

    #[test]
    fn late_pictures_vote_as_long_as_early_ones() {
        let poll = poll();
        let check = |now, seen| poll.check(from_millis(now), seen, 0).is_ok();
        assert!(check(150_000, None) && check(150_000, Some(60_000)));
        assert!(!check(161_000, None) && !check(161_000, Some(71_000)));
        assert!(check(175_000, Some(69_000)), "fifteen seconds behind");
        assert!(
            !check(160_001 + GRACE_MS, Some(69_000)),
            "too late to count"
        );
        assert_eq!(
            poll.check(from_millis(150_000), None, 2).unwrap_err().code,
            "option_unknown"
        );
    }
}
