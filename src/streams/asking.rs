//! What is asked of the task that owns who is live: by others of this server, and by other servers.

use sfu::{SessionId, StreamId};
use tokio::sync::oneshot;
use tracing::{Instrument as _, Span};

use super::lifecycle::Command;
use super::{
    Beat, ByTransport, Changed, Ingest, IngestSource, LiveChannel, Publish, Receive, Refused,
    Sample, SessionFacts, Streams, View, Watch, figures, spans,
};
use crate::channels::ChannelId;

impl Streams {
    /// All channels that are live now.
    pub async fn live(&self) -> Vec<LiveChannel> {
        self.ask(Command::Live).await.unwrap_or_default()
    }

    /// How a channel stands, if it is live.
    pub async fn live_on(&self, channel: ChannelId) -> Option<LiveChannel> {
        self.ask(|reply| Command::LiveOn(channel, reply))
            .await
            .flatten()
    }

    /// Figures of every live channel in Prometheus' text format.
    pub async fn figures(&self) -> String {
        let mut streams = Vec::new();
        let here = self.live().await.into_iter().filter(|live| live.is_here);
        for live in here.take(figures::MOST_CHANNELS) {
            let stats = self.sfu.stream_stats(live.stream).await;
            streams.push((live, stats.unwrap_or_default()));
        }
        figures::in_text(&streams)
    }

    /// How well the media of every stream on air arrives, with its channel.
    pub(crate) async fn samples(&self) -> Vec<(LiveChannel, Sample)> {
        let mut samples = Vec::new();
        for live in self.live().await.into_iter().filter(|live| live.is_here) {
            let stats = self.sfu.stream_stats(live.stream).await;
            let sample = Sample::of(&live, &stats.unwrap_or_default());
            samples.extend(sample.map(|sample| (live, sample)));
        }
        samples
    }

    /// Takes note of a viewer, as a player on the channel of that handle tells. False: it is not live.
    pub(crate) async fn beat(&self, handle: String, beat: Beat) -> bool {
        self.ask(|reply| Command::Beat(handle, beat, reply))
            .await
            .unwrap_or(false)
    }

    /// How many watch a stream now, and the most that did. `None`: it is not on air.
    pub(crate) async fn viewers_of(&self, stream: StreamId) -> Option<(ByTransport, i64)> {
        self.ask(|reply| Command::Viewers(stream, reply))
            .await
            .flatten()
    }

    /// What changed among the viewers of all streams since the last call: whoever calls writes it down.
    /// With `all`, also of those of whom there is nothing new.
    pub(crate) async fn take_viewers(&self, all: bool) -> Vec<Changed> {
        self.ask(|reply| Command::TakeViewers(all, reply))
            .await
            .unwrap_or_default()
    }

    /// The stream that a channel has, also while its first publisher is only connecting.
    pub async fn stream_on(&self, channel: ChannelId) -> Option<StreamId> {
        self.ingest(channel).await.stream
    }

    /// Ends a channel's stream now. False: it was not live.
    pub async fn end(&self, channel: ChannelId) -> bool {
        self.ask(|reply| Command::End(channel, reply))
            .await
            .unwrap_or(false)
    }

    /// Why this server packages nothing for HLS, in words for its operator.
    #[must_use]
    pub fn lacks_for_hls(&self) -> Option<String> {
        self.playback.lacks_for_operator()
    }

    /// Whether only those with priority find a place by WebRTC.
    pub(crate) fn is_crowded(&self) -> bool {
        let viewers = usize::try_from(self.sfu.totals().viewers).unwrap_or_default();
        viewers >= self.most_viewers
    }

    /// Refuses new sessions from now on and tells viewers to come back later. What is on air goes on with
    /// the next start, where a publisher may be away for a while.
    pub fn drain(&self) {
        if !self.reconnect_window.is_zero() {
            self.playback.leave();
        }
        self.draining.cancel();
    }

    /// Whether new sessions are refused.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    pub(crate) async fn publish(&self, publish: Publish) -> Result<sfu::Answer, Refused> {
        let span = spans::publish(&publish.channel, "whip");
        let publishing = async {
            let about = self
                .stream_for(&publish.channel, IngestSource::Whip)
                .await?;
            let answer = self
                .ask(|reply| Command::Publish(publish, about, reply))
                .await
                .unwrap_or(Err(Refused::Draining))?;
            let facts = self.session(answer.session).await;
            spans::note(&Span::current(), answer.session, facts.as_ref());
            Ok(answer)
        };
        publishing.instrument(span).await
    }

    pub(crate) async fn receive(&self, receive: Receive) -> Result<sfu::Ingest, Refused> {
        let connection = Span::current();
        connection.record("channel.handle", &receive.channel.handle);
        let span = spans::publish(&receive.channel, "rtmp");
        let receiving = async {
            let about = self
                .stream_for(&receive.channel, IngestSource::Rtmp)
                .await?;
            let ingest = self
                .ask(|reply| Command::Receive(receive, about, reply))
                .await
                .unwrap_or(Err(Refused::Draining))?;
            let facts = self.session(ingest.session()).await;
            for span in [&Span::current(), &connection] {
                spans::note(span, ingest.session(), facts.as_ref());
            }
            Ok(ingest)
        };
        receiving.instrument(span).await
    }

    pub(crate) async fn view(&self, view: View) -> Result<sfu::Answer, Refused> {
        let span = spans::view(&view.place);
        let viewing = async {
            let answer = self
                .ask(|reply| Command::View(view, reply))
                .await
                .unwrap_or(Err(Refused::Draining))?;
            spans::note(&Span::current(), answer.session, None);
            Ok(answer)
        };
        viewing.instrument(span).await
    }

    /// Answers another server that wants a stream which is on air here, by that lease or a newer one.
    pub(super) async fn relay(
        &self,
        stream: StreamId,
        fence: u64,
        offer: String,
    ) -> Result<sfu::Answer, Refused> {
        let command = |reply| Command::Relay {
            stream,
            fence,
            offer,
            reply,
        };
        self.ask(command).await.unwrap_or(Err(Refused::Draining))
    }

    /// Ends a stream if it is on air here.
    pub(super) async fn end_here(&self, stream: StreamId) -> bool {
        let ended = self.ask(|reply| Command::EndHere(stream, reply)).await;
        ended.unwrap_or(false)
    }

    pub(crate) async fn session(&self, session: SessionId) -> Option<SessionFacts> {
        self.ask(|reply| Command::Session(session, reply))
            .await
            .flatten()
    }

    pub(crate) async fn restarted(&self, session: SessionId, ice_tag: String, ufrag: String) {
        let command = Command::Restarted {
            session,
            ice_tag,
            ufrag,
        };
        // The task is gone only when the server stops, and the session with it.
        let _ = self.commands.send(command).await;
    }

    /// Ends a session at its peer's wish; a publisher's ends the stream. False: no such session.
    pub(crate) async fn hang_up(&self, session: SessionId) -> bool {
        self.ask(|reply| Command::HangUp(session, reply))
            .await
            .unwrap_or(false)
    }

    pub(crate) async fn watch(&self, session: SessionId) -> Option<Watch> {
        self.ask(|reply| Command::Watch(session, reply))
            .await
            .flatten()
    }

    pub(crate) async fn ingest(&self, channel: ChannelId) -> Ingest {
        self.ask(|reply| Command::Ingest(channel, reply))
            .await
            .unwrap_or_default()
    }

    /// Notes why a try to publish on the channel came to nothing, for its owner to see.
    pub(crate) async fn note_attempt(&self, channel: ChannelId, detail: String) {
        let _ = self.commands.send(Command::Attempt(channel, detail)).await;
    }

    /// Sends a command with a reply channel. `None`: the task is gone.
    pub(super) async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.ok()?;
        answer.await.ok()
    }
}
