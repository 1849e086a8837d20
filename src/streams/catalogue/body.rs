//! How the API shows a stream.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::{ChannelState, IngestSource, LiveChannel};
use super::{ChatMode, Latency, Stream, StreamState, StreamVisibility, stream_uuid};
use crate::channels::Channel;
use crate::gates::StreamGate;

/// A stream, planned, on air or over.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct StreamBody {
    id: Uuid,
    /// Handle of its channel.
    channel: String,
    channel_name: String,
    state: StreamState,
    /// Empty where nobody gave one.
    title: String,
    description: String,
    /// Slug of a category.
    category: Option<String>,
    tags: Vec<String>,
    /// Such as `en` or `pt-BR`.
    language: Option<String>,
    /// A picture that was uploaded for it.
    thumbnail_url: Option<String>,
    /// Null: as the channel.
    visibility: Option<StreamVisibility>,
    /// Who may watch, of those whom the channel lets in.
    gate: StreamGate,
    /// So long everybody may watch for nothing; 0: not at all.
    preview_seconds: u32,
    /// Unlisted until it is published by hand.
    publish_at_button: bool,
    /// On air, and not published yet.
    is_preview: bool,
    published_at: Option<Timestamp>,
    scheduled_at: Option<Timestamp>,
    /// The zone that its creator thinks in.
    time_zone: Option<String>,
    /// Until when it waits for its publisher, having been started by hand.
    preparing_until: Option<Timestamp>,
    settings: SettingsBody,
    /// How it was published, once it was.
    source: Option<IngestSource>,
    /// When it went on air; null where it never did.
    started_at: Option<Timestamp>,
    /// When it ended or was cancelled.
    ended_at: Option<Timestamp>,
    /// Rises with every change.
    revision: u32,
    /// While it is on air.
    live: Option<LiveBody>,
}

/// How a stream is made and watched.
#[derive(Debug, Serialize, ToSchema)]
struct SettingsBody {
    /// Null: as the channel has it.
    record: Option<bool>,
    max_layers: Option<u8>,
    max_bitrate_kbps: Option<u32>,
    latency: Latency,
    chat: ChatMode,
}

/// A stream on air.
#[derive(Debug, Serialize, ToSchema)]
struct LiveBody {
    state: ChannelState,
    viewers: u32,
    /// Of the largest layer, once it is known.
    width: Option<u32>,
    height: Option<u32>,
}

impl StreamBody {
    pub(in super::super) fn new(
        stream: &Stream,
        channel: &Channel,
        live: Option<&LiveChannel>,
    ) -> Self {
        let live = live.filter(|live| live.stream == stream.id);
        // What is on air knows more than its row, which is written behind it.
        let stream = live.map_or(stream, |live| &live.about);
        let (details, settings) = (stream.details.clone(), stream.settings);
        Self {
            id: stream_uuid(stream.id),
            channel: channel.handle.clone(),
            channel_name: channel.name.clone(),
            state: live.map_or(stream.state, |_| StreamState::Live),
            title: details.title,
            description: details.description,
            category: details.category,
            tags: details.tags,
            language: details.language,
            thumbnail_url: details.thumbnail.map(|id| format!("/images/{id}")),
            visibility: details.visibility,
            gate: details.lock.gate.into(),
            preview_seconds: details.lock.preview_s,
            publish_at_button: stream.publish_at_button,
            is_preview: stream.is_preview(),
            published_at: stream.published_at,
            scheduled_at: stream.schedule.as_ref().map(|plan| plan.at),
            time_zone: stream.schedule.as_ref().map(|plan| plan.time_zone.clone()),
            preparing_until: stream.preparing_until,
            settings: SettingsBody {
                record: settings.record,
                max_layers: settings.max_layers,
                max_bitrate_kbps: settings.max_bitrate_kbps,
                latency: settings.latency,
                chat: settings.chat,
            },
            source: stream.source,
            started_at: stream.started_at(),
            ended_at: stream.ended_at,
            revision: stream.revision,
            live: live.map(|live| LiveBody {
                state: live.state,
                viewers: live.viewers,
                width: live.size.map(|size| size.0),
                height: live.size.map(|size| size.1),
            }),
        }
    }

    /// Of a channel that is live.
    pub(in super::super) fn of_live(live: &LiveChannel) -> Self {
        Self::new(&live.about, &live.channel, Some(live))
    }
}
