//! Changes of streams by hand: the row first, then the copy of the task that owns what is live, then
//! the event.

use std::sync::Arc;

use jiff::Timestamp;
use sfu::StreamId;
use tokio_util::sync::CancellationToken;

use super::super::lifecycle::Command;
use super::super::resuming::seen_since;
use super::super::{ChannelState, StreamEvent, Streams};
use super::forms::{NewStream, StreamEdit};
use super::{Stream, StreamState, steps, store, stream_uuid};
use crate::channels::Channel;
use crate::db::StoreError;
use crate::error::{ApiError, log_store_error};

/// Streams that a channel has ahead of it, at most.
const MOST_PLANNED: i64 = 100;
/// A change is tried again when another came in between.
const TRIES: u32 = 5;
/// After so many sweeps in a row that found the database there, other servers had the time to say in it that
/// they run: those that have not, do not.
const SURE_AFTER: u32 = 6;
/// How often streams that nobody came to are looked for.
const SWEEP_EVERY: std::time::Duration = std::time::Duration::from_secs(5);

impl Streams {
    /// Plans a stream for a time, or has one wait for its publisher at once.
    pub(super) async fn plan(&self, channel: &Channel, new: NewStream) -> Result<Stream, ApiError> {
        let now = self.clock.now();
        let mut stream = Stream::new(channel.id, now);
        let mut edit = new.into_edit();
        edit.prepare(&self.gates).await?;
        edit.apply(&mut stream, now)?;
        match &stream.schedule {
            Some(plan) => {
                (stream.state, stream.placed_at) = (StreamState::Scheduled, plan.at);
            }
            None => {
                self.check_free(&stream).await?;
                steps::start(&mut stream, now)?;
            }
        }
        let mut tx = self.db.begin().await?;
        if store::count_planned(&mut tx, channel.id).await? >= MOST_PLANNED {
            return Err(ApiError::Conflict {
                code: "too_many_streams",
                detail: format!("a channel has at most {MOST_PLANNED} streams ahead of it"),
            });
        }
        match store::insert(&mut tx, &stream).await {
            Err(error) if error.is_duplicate() => return Err(steps::already_live()),
            inserted => inserted?,
        }
        tx.commit().await?;
        if stream.state == StreamState::Scheduled {
            self.tell(StreamEvent::Scheduled {
                stream: stream.id,
                channel: stream.channel,
            });
        }
        Ok(stream)
    }

    /// Says something else of a stream.
    pub(super) async fn edit(
        &self,
        id: StreamId,
        mut edit: StreamEdit,
    ) -> Result<Stream, ApiError> {
        edit.prepare(&self.gates).await?;
        let stream = self
            .change(id, |stream, now| {
                steps::check_editable(stream, edit.is_of_time())?;
                edit.clone().apply(stream, now)?;
                if let (Some(plan), None) = (&stream.schedule, stream.source) {
                    stream.placed_at = plan.at;
                }
                if edit.is_of_time() && stream.state == StreamState::Preparing {
                    steps::give_up(stream, now);
                }
                Ok(())
            })
            .await?;
        self.tell_updated(&stream);
        Ok(stream)
    }

    /// Gives a stream a picture of its own, or none.
    pub(super) async fn illustrate(
        &self,
        id: StreamId,
        thumbnail: Option<String>,
    ) -> Result<Stream, ApiError> {
        let stream = self
            .change(id, |stream, _| {
                steps::check_editable(stream, false)?;
                stream.details.thumbnail.clone_from(&thumbnail);
                Ok(())
            })
            .await?;
        self.tell_updated(&stream);
        Ok(stream)
    }

    /// Has a stream wait for its publisher.
    pub(super) async fn start_by_hand(&self, stream: &Stream) -> Result<Stream, ApiError> {
        self.check_free(stream).await?;
        let started = self.change(stream.id, steps::start).await;
        let stream = match started {
            Err(ApiError::Store(error)) if error.is_duplicate() => {
                return Err(steps::already_live());
            }
            started => started?,
        };
        self.tell_updated(&stream);
        Ok(stream)
    }

    /// Ends a stream for good: its publisher is closed, too.
    pub(super) async fn end_by_hand(&self, stream: &Stream) -> Result<Stream, ApiError> {
        let held = self.ask(|reply| Command::EndStream(stream.id, reply)).await;
        let ended = self.change(stream.id, steps::end).await;
        if held == Some(true) && matches!(ended, Err(ApiError::Conflict { .. })) {
            // The end was written down before this came to it.
            return self.expect_row(stream.id).await;
        }
        let ended = ended?;
        if ended.state == StreamState::Scheduled {
            self.tell_updated(&ended);
        }
        Ok(ended)
    }

    /// Shows a preview to everybody.
    pub(super) async fn publish_by_hand(&self, id: StreamId) -> Result<Stream, ApiError> {
        let stream = self.change(id, steps::publish).await?;
        let about = Arc::new(stream.clone());
        self.tell(StreamEvent::Published {
            stream: stream.id,
            channel: stream.channel,
            at: stream.published_at.unwrap_or(stream.changed_at),
            about,
        });
        Ok(stream)
    }

    /// A stream will not take place.
    pub(super) async fn cancel(&self, id: StreamId) -> Result<Stream, ApiError> {
        let stream = self.change(id, steps::cancel).await?;
        // A publisher may be connecting to it just now.
        self.ask(|reply| Command::EndStream(id, reply)).await;
        self.tell(StreamEvent::Cancelled {
            stream: stream.id,
            channel: stream.channel,
        });
        Ok(stream)
    }

    /// Whether the channel has no other stream on air, or about to be.
    async fn check_free(&self, stream: &Stream) -> Result<(), ApiError> {
        match self.stream_on(stream.channel).await {
            Some(other) if other != stream.id => Err(steps::already_live()),
            _ => Ok(()),
        }
    }

    /// Changes a row from what it is to what `act` makes of it, and tells the task that owns what is
    /// live.
    pub(super) async fn change(
        &self,
        id: StreamId,
        act: impl Fn(&mut Stream, Timestamp) -> Result<(), ApiError>,
    ) -> Result<Stream, ApiError> {
        for _ in 0..TRIES {
            let now = self.clock.now();
            let before = self.expect_row(id).await?;
            let mut stream = before.clone();
            act(&mut stream, now)?;
            stream.revision = before.revision.saturating_add(1);
            stream.changed_at = now;
            if store::replace(&self.db, &before, &stream).await? {
                self.retell(stream.clone()).await;
                self.tell_elsewhere(id);
                return Ok(stream);
            }
        }
        Err(ApiError::Conflict {
            code: "changed_meanwhile",
            detail: "the stream was changed by others meanwhile; try again".to_owned(),
        })
    }

    /// Tells those here who let people in, and who are told of it, what is said of a stream from now on.
    pub(super) async fn retell(&self, stream: Stream) -> Arc<Stream> {
        let about = Arc::new(stream);
        self.playback.set_lock(&about);
        // The task is gone only when the server stops.
        let _ = self
            .commands
            .send(Command::Retell(Arc::clone(&about)))
            .await;
        about
    }

    /// The row of a stream; of one that went on air a moment ago it is written now.
    async fn expect_row(&self, id: StreamId) -> Result<Stream, ApiError> {
        if let Some(found) = store::by_id(&self.db, id).await? {
            return Ok(found);
        }
        let found = self.find(id).await?.ok_or_else(no_such_stream)?;
        match store::write_start(&self.db, &found, self.node).await {
            // It was written in the meantime by whoever does so when a stream starts.
            Err(error) if error.is_duplicate() => {
                let written = store::by_id(&self.db, id).await?;
                written.ok_or_else(no_such_stream)
            }
            written => {
                self.tell_over(written?);
                Ok(found.as_ref().clone())
            }
        }
    }

    fn tell_updated(&self, stream: &Stream) {
        self.tell(StreamEvent::Updated {
            stream: stream.id,
            channel: stream.channel,
            about: Arc::new(stream.clone()),
        });
    }

    pub(super) fn tell(&self, event: StreamEvent) {
        // Nobody may be listening.
        let _ = self.events.send(event);
    }

    /// Ends what a server had on air that does not run any more, and that nobody took over.
    async fn end_left(&self) -> Result<(), StoreError> {
        if self.node.is_alone() {
            return Ok(());
        }
        let now = self.clock.now();
        let before = seen_since(self.reconnect_window, now);
        let directory = self.cluster.directory();
        if self.cluster.is_shared() && !directory.is_fresh {
            return Ok(());
        }
        for stream in store::left_by_others(&self.db, self.node, (before, now)).await? {
            let origin = directory.origin_of(stream.channel.0);
            let is_there = origin.is_some_and(|(_, on)| on.stream == stream_uuid(stream.id));
            if is_there || !store::end_left(&self.db, self.node, stream.id, (before, now)).await? {
                continue;
            }
            tracing::warn!(
                stream.id = %stream.id,
                "Stream {} is over: its server does not run any more", stream.id
            );
            let about = store::by_id(&self.db, stream.id).await?;
            self.tell_over(vec![about.unwrap_or(stream)]);
        }
        Ok(())
    }

    /// Streams whose publisher is there.
    async fn publishing(&self) -> Vec<StreamId> {
        let live = self.live().await.into_iter();
        let live = live.filter(|live| live.is_here && live.state == ChannelState::Live);
        live.map(|live| live.stream).collect()
    }

    async fn see_on_air(&self, streams: &[StreamId]) {
        let seen = store::see_on_air(&self.db, self.node, streams, self.clock.now()).await;
        if let Err(error) = seen {
            log_store_error(&error);
        }
    }

    /// Lets go of what another server has on air by now, as the books say.
    async fn let_go(&self) -> Result<(), StoreError> {
        if !self.cluster.is_shared() {
            return Ok(());
        }
        let elsewhere = store::on_air_elsewhere(&self.db, self.node).await?;
        for live in self.live().await {
            if live.is_here && elsewhere.contains(&live.stream) {
                // The task is gone only when the server stops.
                let _ = self.commands.send(Command::Lost(live.channel.id)).await;
            }
        }
        Ok(())
    }

    async fn sweep(&self, sweeps: u32) -> Result<(), ApiError> {
        self.let_go().await?;
        self.catch_up().await?;
        if sweeps >= SURE_AFTER {
            self.end_left().await?;
        }
        let now = self.clock.now();
        for waiting in store::not_come_to(&self.db, now).await? {
            if self.stream_on(waiting.channel).await == Some(waiting.id) {
                continue;
            }
            let id = waiting.id;
            let gave_up = |stream: &mut Stream, now: Timestamp| {
                match stream.state {
                    StreamState::Scheduled | StreamState::Preparing => steps::give_up(stream, now),
                    // Somebody was faster.
                    _ => {}
                }
                Ok(())
            };
            let stream = self.change(id, gave_up).await?;
            tracing::info!(stream.id = %id, "Nobody came to stream {id}, which is {}", stream.state.as_str());
            self.tell_updated(&stream);
        }
        Ok(())
    }
}

/// Looks for streams that nobody came to until the token is cancelled, and writes down whose publisher is
/// there. While the server stops, those are that were: that takes nothing of the time that they have to
/// come back.
pub(in super::super) async fn watch(streams: Streams, stop: CancellationToken) {
    let mut sweeps = tokio::time::interval(SWEEP_EVERY);
    sweeps.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut on_air = Vec::new();
    // In a row that found the database there.
    let mut good_sweeps = 0;
    let mut ear = streams.listen_to_changes().await;
    loop {
        tokio::select! {
            heard = ear.next() => streams.hear(heard).await,
            _ = sweeps.tick() => {
                if !streams.is_draining() {
                    on_air = streams.publishing().await;
                }
                streams.see_on_air(&on_air).await;
                match streams.sweep(good_sweeps).await {
                    Ok(()) => good_sweeps = good_sweeps.saturating_add(1),
                    Err(ApiError::Store(error)) => {
                        good_sweeps = 0;
                        log_store_error(&error);
                    }
                    Err(error) => tracing::warn!(%error, "Streams that nobody came to stay: {error}"),
                }
            }
            () = stop.cancelled() => break,
        }
    }
    streams.see_on_air(&on_air).await;
}

pub(in super::super) fn no_such_stream() -> ApiError {
    ApiError::NotFound {
        code: "stream_not_found",
        detail: "there is no such stream",
    }
}
