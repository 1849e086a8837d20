//! [`Resumed`]: what was on air when the server before this one stopped, and goes on.
//!
//! A server that is stopped leaves its streams on air in the books, and one that dies does so anyway.
//! The next takes up those whose publisher was there a moment ago: they are away, as after a lost
//! connection, and whoever publishes on the channel goes on with them.

use std::sync::Arc;
use std::time::Duration;

use hls::Origin;
use jiff::{SignedDuration, Timestamp};
use sfu::StreamId;

use super::playback;
use super::{ChannelState, LiveChannel, Stream, StreamEvent, StreamState, Streams, catalogue};
use crate::channels::{Channel, Channels};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::{Db, StoreError};
use crate::nodes::Node;

/// A stream that is taken up again.
#[derive(Debug)]
pub struct Resumed {
    pub(super) live: LiveChannel,
    /// Its HLS, where there is any.
    pub(super) origin: Option<Origin>,
    /// Names the folder of its media, where that is not its own name.
    pub(super) media: Option<StreamId>,
}

/// That a publisher is there is written down about so often.
pub(super) const SEEN_EVERY: SignedDuration = SignedDuration::from_secs(5);

impl Resumed {
    /// What is said of it, and the name of the folder of its media, where that is not its own.
    #[must_use]
    pub fn about(&self) -> (Arc<Stream>, Option<StreamId>) {
        (Arc::clone(&self.live.about), self.media)
    }
}

impl Streams {
    /// Takes up what this server had on air until it stopped, if that is no longer ago than a publisher
    /// may be away, and closes the books on all else that was left open. Gives the latter, too: nobody was told
    /// yet that it is over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_up(
        config: &Config,
        db: &Db,
        node: Node,
        channels: &Channels,
        clock: &Clock,
    ) -> Result<(Vec<Resumed>, Vec<Stream>), StoreError> {
        let now = clock.now();
        let since = seen_since(config.streams.reconnect_window(), now);
        let (mut resumed, mut over) = (Vec::new(), Vec::new());
        for stream in catalogue::left_on_air(db, node, since).await? {
            let taken = match channels.by_id(stream.channel).await? {
                Some(channel) => {
                    let media = catalogue::media_of(db, stream.id).await?;
                    take(config, channel, (stream.clone(), media), now).await
                }
                None => None,
            };
            match taken {
                Some(taken) => resumed.push(taken),
                None => {
                    catalogue::end_stream(db, node, stream.id, now).await?;
                    let found = catalogue::by_id(db, stream.id).await?;
                    // Another server may have it by now.
                    over.extend(found.filter(|found| found.state == StreamState::Ended));
                }
            }
        }
        let (waited, left) = catalogue::end_left_open(db, node, now, since).await?;
        let closed = waited + count(&left);
        over.extend(left);
        if closed > 0 {
            tracing::warn!(closed, "Closed {closed} streams that were left open");
        }
        Ok((resumed, over))
    }

    /// Tells that streams are over which ended while nobody could tell. Call it once all listen.
    pub fn tell_over(&self, over: Vec<Stream>) {
        for stream in over {
            // Nobody may be listening.
            let _ = self.events.send(StreamEvent::over(stream));
        }
    }

    /// Closes the books on all streams that were left open.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn close_unfinished(db: &Db, node: Node, at: Timestamp) -> Result<u64, StoreError> {
        let (waited, left) = catalogue::end_left_open(db, node, at, Timestamp::MAX).await?;
        Ok(waited + count(&left))
    }
}

fn count(streams: &[Stream]) -> u64 {
    u64::try_from(streams.len()).unwrap_or(u64::MAX)
}

/// What was seen on air since then goes on.
pub(super) fn seen_since(window: Duration, now: Timestamp) -> Timestamp {
    if window.is_zero() {
        return Timestamp::MAX;
    }
    let window = SignedDuration::try_from(window).unwrap_or(SignedDuration::MAX);
    // It may have been on air for as long after it was seen last.
    let longest = window.saturating_add(SEEN_EVERY);
    now.checked_sub(longest).unwrap_or(Timestamp::MIN)
}

/// None: its HLS cannot be gone on with, and a number of a segment must not be given twice.
async fn take(
    config: &Config,
    channel: Channel,
    (stream, media): (Stream, Option<StreamId>),
    now: Timestamp,
) -> Option<Resumed> {
    let origin = match config.hls.enabled {
        false => None,
        true => {
            let name = media.unwrap_or(stream.id);
            let folder = playback::media_folder(&config.data).join(name.to_string());
            let of_origin = playback::origin_config(&config.hls, folder, channel.record);
            match Origin::resume(of_origin, "", now.as_millisecond()).await {
                Ok(origin) => Some(origin),
                Err(error) => {
                    tracing::error!(
                        stream.id = %stream.id, %error,
                        "Stream {} does not go on, because its folder cannot be read: {error}", stream.id
                    );
                    return None;
                }
            }
        }
    };
    tracing::info!(
        stream.id = %stream.id, channel.handle = %channel.handle,
        "Stream {} was on air before the start and waits for its publisher", stream.id
    );
    let live = LiveChannel {
        channel,
        stream: stream.id,
        started_at: stream.started_at(),
        about: Arc::new(stream),
        state: ChannelState::Reconnecting,
        viewers: 0,
        size: None,
        is_here: true,
    };
    Some(Resumed {
        live,
        origin,
        media,
    })
}
