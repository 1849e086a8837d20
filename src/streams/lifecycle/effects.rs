//! What follows of what happens is carried out, and told.

use sfu::{CloseReason, SessionId};
use tracing::field::display;

use super::super::live::Effect;
use super::super::{StreamEvent, ViewerEvent, spans, stream_uuid};
use super::{Done, Lifecycle};

impl Lifecycle {
    pub(super) fn carry_out(&mut self, effects: Vec<Effect>) {
        self.has_news |= !effects.is_empty();
        for effect in effects {
            match effect {
                Effect::Close(session, reason) => self.close(session, reason),
                Effect::EndStream(stream) => {
                    self.audiences.close(stream, self.now_ms());
                    let sfu = self.sfu.clone();
                    self.calls.spawn(async move {
                        sfu.end_stream(stream).await;
                        Done::Nothing
                    });
                }
                Effect::Tell(event) => self.tell(event),
            }
        }
    }

    pub(super) fn close(&mut self, session: SessionId, reason: CloseReason) {
        if reason == CloseReason::Superseded {
            let stream = self
                .sessions
                .get(&session)
                .map(|known| display(known.facts.stream));
            tracing::info!(stream.id = stream, session.id = %session, "Another publisher takes over from {session}");
        }
        let sfu = self.sfu.clone();
        self.calls.spawn(async move {
            sfu.close(session, reason).await;
            Done::Nothing
        });
    }

    fn tell(&mut self, event: StreamEvent) {
        self.note_end(&event);
        match &event {
            &StreamEvent::Started {
                stream, channel, ..
            } => {
                drop(spans::go_live(stream));
                tracing::info!(stream.id = %stream, channel.id = %channel, "Stream {stream} is live");
                self.audiences.open(stream);
                self.fetch_stats(stream);
            }
            &StreamEvent::Interrupted { stream, channel } => {
                tracing::info!(stream.id = %stream, channel.id = %channel, "Stream {stream} waits for its publisher");
                self.audiences.tell(stream, ViewerEvent::Inactive);
                // Programs are told by the server that has it.
                if !self.is_here(stream) {
                    return;
                }
            }
            &StreamEvent::Resumed { stream, channel } => {
                tracing::info!(stream.id = %stream, channel.id = %channel, "Stream {stream} is live again");
                self.audiences.tell(stream, ViewerEvent::Active);
                if !self.is_here(stream) {
                    return;
                }
            }
            &StreamEvent::TakenOver {
                stream, channel, ..
            } => {
                tracing::info!(stream.id = %stream, channel.id = %channel, "Stream {stream} goes on here");
                self.audiences.open(stream);
                self.fetch_stats(stream);
            }
            &StreamEvent::HandedOver {
                stream, channel, ..
            } => {
                tracing::info!(stream.id = %stream, channel.id = %channel, "Stream {stream} goes on at another server");
            }
            &StreamEvent::Ended {
                stream, channel, ..
            } => {
                tracing::info!(stream.id = %stream, channel.id = %channel, "Stream {stream} ended");
                self.audiences.close(stream, self.now_ms());
            }
            // Playback tells it, after the end.
            StreamEvent::Packaged { .. } => {}
            // Whoever changes what is said of a stream tells it.
            _ => {}
        }
        // Nobody may be listening.
        let _ = self.events.send(event);
    }

    /// Tells viewers how many they are, and asks for new figures where somebody listens.
    pub(super) fn tell_news(&mut self) {
        let sessions = u32::try_from(self.sessions.len()).unwrap_or(u32::MAX);
        metrics::gauge!("tallylight_sessions").set(sessions);
        for (stream, viewers) in self.playback.count_viewers() {
            self.audiences.read_by_hls(stream, viewers);
        }
        let directory = self.others.cluster.directory();
        let elsewhere = |stream| directory.viewers_of(stream_uuid(stream));
        self.audiences.watched_elsewhere(elsewhere);
        for stream in self.audiences.tell_numbers(self.now_ms()) {
            self.fetch_stats(stream);
        }
    }
}
