//! [`Awaited`]: a stream that was on air before the start, until its publisher is back.

use sfu::StreamId;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::OnAir;
use crate::channels::ChannelId;
use crate::streams::{ChannelState, StreamEvent, Streams};

pub(super) struct Awaited {
    streams: Streams,
    events: broadcast::Receiver<StreamEvent>,
    stream: StreamId,
    channel: ChannelId,
}

impl Awaited {
    pub(super) fn new(streams: &Streams, on_air: &OnAir) -> Self {
        Self {
            streams: streams.clone(),
            events: streams.subscribe(),
            stream: on_air.stream,
            channel: on_air.channel,
        }
    }

    /// Waits for its publisher. False: the stream is over.
    pub(super) async fn comes_back(mut self) -> bool {
        loop {
            let live = self.streams.live_on(self.channel).await;
            match live.filter(|live| live.stream == self.stream) {
                Some(live) if live.state == ChannelState::Live => return true,
                Some(_) if self.something_happened().await => {}
                _ => return false,
            }
        }
    }

    /// False: nothing will any more.
    async fn something_happened(&mut self) -> bool {
        loop {
            match self.events.recv().await {
                Ok(StreamEvent::Resumed { stream, .. } | StreamEvent::Ended { stream, .. })
                    if stream == self.stream =>
                {
                    return true;
                }
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return true,
                Err(RecvError::Closed) => return false,
            }
        }
    }
}
