//! What others are told of who is live.

use std::sync::Arc;

use sfu::SessionId;

use super::super::live::{Live, Phase, Publisher};
use super::super::{ChannelState, Ingest, IngestPublisher, IngestSource, LiveChannel, Watch};
use super::Lifecycle;
use crate::channels::ChannelId;

impl Lifecycle {
    pub(super) fn watch(&mut self, id: SessionId) -> Option<Watch> {
        let session = self.sessions.get(&id)?;
        let live = self.live.of_stream(session.facts.stream)?;
        let is_on_air = live.phase == Phase::OnAir;
        self.audiences.watch(live.stream, is_on_air)
    }

    pub(super) fn all_live(&self) -> Vec<LiveChannel> {
        self.live
            .iter()
            .filter_map(|live| self.describe(live))
            .collect()
    }

    /// A channel as its page shows it; one that is only preparing is still offline.
    pub(super) fn describe(&self, live: &Live) -> Option<LiveChannel> {
        let state = match live.phase {
            Phase::Preparing => return None,
            Phase::OnAir => ChannelState::Live,
            Phase::Away(_) => ChannelState::Reconnecting,
        };
        Some(LiveChannel {
            channel: live.channel.clone(),
            stream: live.stream,
            about: Arc::clone(&live.about),
            state,
            started_at: live.started_at,
            viewers: self.audiences.viewers(live.stream),
            size: match &live.origin {
                Some(origin) => origin.size,
                None => self.audiences.size(live.stream),
            },
            is_here: live.is_here(),
        })
    }

    pub(super) fn ingest(&self, channel: ChannelId) -> Ingest {
        let last_attempt = self.attempts.of(channel);
        let Some(live) = self.live.get(channel) else {
            return Ingest {
                last_attempt,
                ..Ingest::default()
            };
        };
        let described = self.describe(live);
        Ingest {
            stream: Some(live.stream),
            state: described
                .as_ref()
                .map_or(ChannelState::Offline, |d| d.state),
            started_at: live.started_at,
            viewers: described.map_or(0, |d| d.viewers),
            publisher: live.publisher.map(|by| self.describe_publisher(&by)),
            last_attempt,
        }
    }

    fn describe_publisher(&self, by: &Publisher) -> IngestPublisher {
        let session = self.sessions.get(&by.session);
        let now = self.clock.instant();
        IngestPublisher {
            source: session.map_or(IngestSource::Whip, |known| known.facts.source),
            connected: by.connected,
            flowing: by.flowing,
            age: now.saturating_duration_since(by.since),
        }
    }
}
