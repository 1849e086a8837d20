//! What others tell that matters to rooms, and what is due in them.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use sfu::StreamId;
use tokio::sync::OnceCell;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::Chat;
use super::hall::Hall;
use super::message::{Message, Subject};
use super::outbox::Closed;
use super::polls::Poll;
use super::room::OnAir;
use super::words::{self, Word};
use crate::channels::{ChannelEvent, ChannelId};
use crate::error::log_store_error;
use crate::gates::Lock;
use crate::streams::{ChannelState, StreamEvent, stream_uuid};

/// What happened in a room.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ChatEvent {
    /// Somebody said something that all see.
    Said {
        /// Where.
        channel: ChannelId,
        /// What, as JSON has it in docs/CHAT.md.
        message: Arc<serde_json::Value>,
    },
    /// A moderator did something.
    Moderated {
        /// Where.
        channel: ChannelId,
        /// What.
        action: Arc<serde_json::Value>,
    },
    /// A poll is over.
    PollEnded {
        /// Where.
        channel: ChannelId,
        /// With its votes.
        poll: Arc<serde_json::Value>,
    },
}

impl ChatEvent {
    pub(super) fn said(channel: ChannelId, message: &Message) -> Self {
        Self::Said {
            channel,
            message: in_json(message),
        }
    }

    pub(super) fn poll_ended(channel: ChannelId, poll: &Poll) -> Self {
        Self::PollEnded {
            channel,
            poll: in_json(poll),
        }
    }
}

pub(super) fn in_json(value: &impl serde::Serialize) -> Arc<serde_json::Value> {
    Arc::new(serde_json::to_value(value).unwrap_or_default())
}

/// How often what is due is looked for.
const TICK: Duration = Duration::from_secs(1);
/// A room that nobody is in is closed after this time.
const KEPT_OPEN: Duration = Duration::from_secs(600);
/// Rooms are looked at for that once in so many ticks.
const SWEEP_EVERY: u32 = 60;
/// Other servers are told how many read here, and looked after when they cannot be heard, in so many.
const WORD_EVERY: u32 = 5;

pub(super) async fn run(
    chat: Chat,
    mut of_streams: Receiver<StreamEvent>,
    mut of_channels: Receiver<ChannelEvent>,
    stop: CancellationToken,
) {
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut until_sweep = SWEEP_EVERY;
    let mut until_word = WORD_EVERY;
    let mut ear = chat.0.bus.hear();
    let mut locks = chat.locks_of_resumed().await;
    loop {
        tokio::select! {
            heard = ear.next() => chat.hear(heard),
            event = of_streams.recv() => match event {
                Ok(event) => {
                    chat.hear_gate(&mut locks, &event);
                    chat.hear_stream(event);
                }
                Err(RecvError::Lagged(_)) => {
                    locks.clear();
                    chat.look_what_is_on_air().await;
                    chat.look_at_doors().await;
                }
                Err(RecvError::Closed) => return,
            },
            event = of_channels.recv() => match event {
                Ok(event) => chat.hear_channel(event),
                Err(RecvError::Lagged(lost)) => {
                    tracing::warn!(lost, "Chat lost {lost} events of channels");
                }
                Err(RecvError::Closed) => return,
            },
            _ = tick.tick() => {
                chat.end_time_outs();
                chat.end_due_polls();
                until_word -= 1;
                if until_word == 0 {
                    until_word = WORD_EVERY;
                    chat.tell_readers();
                    if !chat.0.bus.is_there() {
                        chat.catch_up_everywhere();
                    }
                }
                until_sweep -= 1;
                if until_sweep == 0 {
                    until_sweep = SWEEP_EVERY;
                    chat.close_deserted();
                }
            }
            () = stop.cancelled() => break,
        }
    }
    for hall in chat.open_halls() {
        hall.close(Closed::Stopping);
    }
}

/// What stands before what is on air, by channel.
type Locks = HashMap<ChannelId, (StreamId, Lock)>;

impl Chat {
    /// Of what was on air before the start: nobody is told that it began.
    async fn locks_of_resumed(&self) -> Locks {
        let live = self.0.streams.live().await.into_iter();
        let resumed = live.filter(|live| live.state == ChannelState::Reconnecting);
        resumed
            .map(|live| {
                (
                    live.channel.id,
                    (live.stream, live.about.details.lock.clone()),
                )
            })
            .collect()
    }

    /// Where what is on air has a gate from now on, all have to come in anew.
    fn hear_gate(&self, locks: &mut Locks, event: &StreamEvent) {
        let (channel, stream, about) = match event {
            StreamEvent::Started {
                channel,
                stream,
                about,
                ..
            } => (*channel, *stream, about),
            // It is behind its gate already.
            StreamEvent::TakenOver {
                channel,
                stream,
                about,
                ..
            } => {
                locks.insert(*channel, (*stream, about.details.lock.clone()));
                return;
            }
            StreamEvent::Updated {
                channel,
                stream,
                about,
            } if locks.get(channel).is_some_and(|(on, _)| on == stream) => {
                (*channel, *stream, about)
            }
            // That one is over may be told when the next is on air.
            StreamEvent::Ended {
                channel, stream, ..
            } if locks.get(channel).is_some_and(|(on, _)| on == stream) => {
                let before = locks.remove(channel);
                if before.is_some_and(|(_, lock)| !lock.is_open()) {
                    self.change_door(*channel);
                }
                return;
            }
            _ => return,
        };
        let lock = about.details.lock.clone();
        let is_closed = !lock.is_open();
        let before = locks.insert(channel, (stream, lock.clone()));
        if is_closed && before.is_none_or(|(_, before)| before != lock) {
            self.change_door(channel);
        }
    }

    fn change_door(&self, channel: ChannelId) {
        self.shut_room(channel);
        words::tell(&self.0.bus, channel, &Word::Door);
    }

    /// Makes a room anew, out of what who comes in now may see; all come in anew.
    pub(super) fn shut_room(&self, channel: ChannelId) {
        // Before the readers who are there are let go: whoever comes in later sees it.
        self.0.doors.fetch_add(1, Ordering::AcqRel);
        if let Some(hall) = self.forget_hall(channel) {
            hall.close(Closed::Door);
        }
    }

    /// Something was missed: whoever is where not everybody may be comes in anew.
    async fn look_at_doors(&self) {
        for hall in self.open_halls() {
            match self.is_open_to_all(hall.channel).await {
                Ok(true) => {}
                Ok(false) => self.shut_room(hall.channel),
                Err(error) => log_store_error(&error),
            }
        }
    }

    fn hear_stream(&self, event: StreamEvent) {
        match event {
            StreamEvent::Started {
                stream,
                channel,
                at,
                about,
            } if !about.is_preview() => {
                let on_air = OnAir {
                    id: stream_uuid(stream),
                    started_at: at,
                };
                self.set_on_air(channel, &Word::OnAir { stream: on_air });
            }
            StreamEvent::Published {
                stream,
                channel,
                at,
                about,
            } => {
                let on_air = OnAir {
                    id: stream_uuid(stream),
                    started_at: about.started_at().unwrap_or(at),
                };
                self.set_on_air(channel, &Word::OnAir { stream: on_air });
            }
            StreamEvent::Ended {
                stream, channel, ..
            } => {
                let stream = stream_uuid(stream);
                self.set_on_air(channel, &Word::OffAir { stream });
            }
            _ => {}
        }
    }

    fn set_on_air(&self, channel: ChannelId, word: &Word) {
        if let Some(hall) = self.open_hall(channel) {
            hall.apply(word);
        }
        words::tell(&self.0.bus, channel, word);
    }

    async fn look_what_is_on_air(&self) {
        for hall in self.open_halls() {
            match self.on_air(hall.channel).await {
                Ok(on_air) => hall.change(|floor| floor.go_on_air(on_air)),
                Err(error) => log_store_error(&error),
            }
        }
    }

    fn hear_channel(&self, event: ChannelEvent) {
        if matches!(
            event,
            ChannelEvent::Deleted { .. }
                | ChannelEvent::DoorChanged { .. }
                | ChannelEvent::ModeratorRemoved { .. }
        ) {
            // Before the readers who are there are let go: whoever comes in later sees it.
            self.0.doors.fetch_add(1, Ordering::AcqRel);
        }
        match event {
            ChannelEvent::Deleted { channel } => {
                if let Some(hall) = self.forget_hall(channel) {
                    hall.close(Closed::Gone);
                }
            }
            ChannelEvent::DoorChanged { channel } => {
                if let Some(hall) = self.open_hall(channel) {
                    hall.close(Closed::Door);
                }
            }
            ChannelEvent::Updated { channel } => {
                if let Some(hall) = self.open_hall(channel.id) {
                    hall.lock().rename(&channel);
                }
            }
            ChannelEvent::Followed { channel, account } => {
                if let Some(hall) = self.open_hall(channel) {
                    let now = self.0.clock.now();
                    hall.renew(&Subject::Account(account), |person| {
                        person.follows_since.get_or_insert(now);
                    });
                }
            }
            ChannelEvent::Unfollowed { channel, account } => {
                if let Some(hall) = self.open_hall(channel) {
                    let who = Subject::Account(account);
                    hall.renew(&who, |person| person.follows_since = None);
                }
            }
            ChannelEvent::ModeratorAdded { channel, account } => {
                if let Some(hall) = self.open_hall(channel) {
                    let who = Subject::Account(account);
                    hall.renew(&who, |person| person.rights.moderator = true);
                }
            }
            ChannelEvent::ModeratorRemoved { channel, account } => {
                if let Some(hall) = self.open_hall(channel) {
                    let who = Subject::Account(account);
                    hall.renew(&who, |person| person.rights.moderator = false);
                }
            }
            _ => {}
        }
    }

    /// Who was in a time-out may write again, and hears so.
    fn end_time_outs(&self) {
        let now = self.0.clock.now();
        for hall in self.open_halls() {
            let over = hall.lock().room.take_over(now);
            for who in &over {
                hall.renew(who, |_| {});
            }
            if !over.is_empty() {
                hall.renew_guests();
            }
        }
    }

    /// Beside the listener, which must not wait for the database.
    fn end_due_polls(&self) {
        if self.0.is_ending.swap(true, Ordering::AcqRel) {
            return;
        }
        let chat = self.clone();
        tokio::spawn(async move {
            chat.end_polls_that_are_due().await;
            chat.0.is_ending.store(false, Ordering::Release);
        });
    }

    async fn end_polls_that_are_due(&self) {
        let now = self.0.clock.now();
        for hall in self.open_halls() {
            let (due, is_past) = {
                let floor = hall.lock();
                let poll = floor.room.poll.as_ref();
                let due = poll.filter(|poll| poll.is_due(now)).map(|poll| poll.id);
                (due, poll.is_some_and(|poll| poll.is_past(now)))
            };
            if is_past && let Err(error) = self.put_past_poll_away(&hall).await {
                tracing::warn!(%error, "A poll that is over is still shown: {error}");
            }
            let Some(id) = due else {
                continue;
            };
            match self.0.channels.by_id(hall.channel).await {
                Ok(Some(channel)) => {
                    if let Err(error) = self.end_poll(&channel, id, None).await {
                        tracing::warn!(%error, "A poll could not be ended yet: {error}");
                    }
                }
                Ok(None) => {}
                Err(error) => log_store_error(&error),
            }
        }
    }

    fn close_deserted(&self) {
        let mut halls = self.0.halls.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever is about to come in holds the room, or waits for it.
        let is_held = |cell: &Arc<OnceCell<Arc<Hall>>>| {
            let hall = cell.get();
            Arc::strong_count(cell) > 1 || hall.is_none_or(|hall| Arc::strong_count(hall) > 1)
        };
        halls.retain(|channel, cell| {
            let is_kept =
                is_held(cell) || cell.get().is_none_or(|hall| !hall.is_deserted(KEPT_OPEN));
            if !is_kept {
                self.0.bus.leave(&words::topic(*channel));
            }
            is_kept
        });
    }
}
