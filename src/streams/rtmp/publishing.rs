//! [`Publishing`]: one publisher's media, from its connection to the SFU.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use media::Unit;
use rtmp::{Connection, ConnectionError, Event, Refusal, StreamKey};
use sfu::{Ingest, IngestTracks, IngestVideo};
use tokio::io::{AsyncRead, AsyncWrite};

use super::media::Media;
use super::on_air::OnAir;
use super::opening::Opening;
use super::pace::Pace;
use super::{Tools, refusal};
use crate::channels::{Channel, StreamKeyId};
use crate::secret::Secret;
use crate::streams::Receive;

/// From the first media to the end.
pub(super) struct Publishing<'a> {
    tools: &'a Tools,
    channel: Channel,
    key: StreamKeyId,
    text: StreamKey,
    address: IpAddr,
    state: State,
    /// The session that the next continues.
    before: Option<Ingest>,
}

enum State {
    /// Media is collected until it is clear what there is.
    Opening(Opening),
    OnAir(Box<OnAir>),
    /// The same, until a key frame of another session in its place, which has more tracks.
    Leaving(Box<OnAir>),
}

/// Viewers of B-frames wait so long for pictures that are made without; players have HLS ready sooner.
const PATIENCE_WITH_ORDER: Duration = Duration::from_secs(10);
/// Media bears times so long before it comes, so that none is ahead of its time.
const MARGIN: Duration = Duration::from_millis(100);
/// A session is not left for another one sooner than this, whatever the encoder makes up its mind to.
const LEAST_SESSION: Duration = Duration::from_secs(2);

impl<'a> Publishing<'a> {
    pub(super) fn new(
        tools: &'a Tools,
        channel: Channel,
        key: StreamKeyId,
        text: StreamKey,
        address: IpAddr,
    ) -> Self {
        Self {
            tools,
            channel,
            key,
            text,
            address,
            state: State::Opening(Opening::default()),
            before: None,
        }
    }

    /// Publishes until the peer ends it. Returns why it is turned away, if it is.
    ///
    /// # Errors
    /// When the connection fails.
    pub(super) async fn run(
        mut self,
        connection: &mut Connection<impl AsyncRead + AsyncWrite + Unpin>,
    ) -> Result<Option<Refusal>, ConnectionError> {
        loop {
            let event = tokio::select! {
                event = connection.next() => event,
                made = self.made() => {
                    self.forward(made);
                    continue;
                }
            };
            let media = match event {
                Ok(Some(Event::Video(unit))) => Media::Video(unit),
                Ok(Some(Event::Audio(unit))) => Media::Audio(unit),
                Ok(Some(Event::Unpublished)) => {
                    self.end().await;
                    return Ok(None);
                }
                Ok(None) => return Ok(None),
                Ok(Some(_)) => continue,
                Err(error) => {
                    if let ConnectionError::Session(error) = &error {
                        self.note(error.to_string()).await;
                    }
                    return Err(error);
                }
            };
            if let Err(refusal) = self.take(media).await {
                let (Refusal::BadName(words) | Refusal::Unauthorized(words)) = &refusal;
                self.note(words.clone()).await;
                return Ok(Some(refusal));
            }
        }
    }

    /// Tells the channel's owner why it came to nothing.
    async fn note(&self, words: String) {
        let streams = &self.tools.streams;
        streams.note_attempt(self.channel.id, words).await;
    }

    /// The encoder was stopped, and not lost: that ends the stream, as it does by WHIP.
    async fn end(&self) {
        let current = match &self.state {
            State::OnAir(on_air) | State::Leaving(on_air) => Some(&on_air.ingest),
            State::Opening(_) => self.before.as_ref(),
        };
        if let Some(ingest) = current {
            self.tools.streams.hang_up(ingest.session()).await;
        }
    }

    async fn take(&mut self, media: Media) -> Result<(), Refusal> {
        media.check()?;
        let at = self.tools.streams.clock.instant();
        self.leave_if_due(&media, at);
        match &mut self.state {
            State::Opening(opening) => {
                opening.push(media, at);
                if opening.is_clear(at) {
                    self.begin(at).await?;
                }
                Ok(())
            }
            State::OnAir(on_air) | State::Leaving(on_air) if on_air.ingest.is_open() => {
                if on_air.has(&media) {
                    let now = age(&on_air.ingest, at);
                    on_air.take(self.tools, media, (now, at));
                }
                match on_air.is_reordered() && !self.tools.streams.playback.packages() {
                    true => Err(Refusal::BadName(B_FRAMES.to_owned())),
                    false => Ok(()),
                }
            }
            State::OnAir(_) | State::Leaving(_) => Err(self.ended().await),
        }
    }

    /// Another codec, or a track that was not there, is for another session in the place of this one;
    /// where there are pictures it begins with a key frame.
    fn leave_if_due(&mut self, media: &Media, at: Instant) {
        let (on_air, is_wanted) = match &self.state {
            State::OnAir(on_air) => (on_air, !on_air.has(media)),
            State::Leaving(on_air) => (on_air, true),
            State::Opening(_) => return,
        };
        if !is_wanted || !on_air.ingest.is_open() {
            return;
        }
        let is_old = at.saturating_duration_since(on_air.begun) >= LEAST_SESSION;
        let is_time = is_old && (media.is_keyframe() || on_air.tracks.video.is_none());
        let opening = State::Opening(Opening::default());
        match std::mem::replace(&mut self.state, opening) {
            State::OnAir(on_air) | State::Leaving(on_air) if is_time => {
                self.before = Some(on_air.ingest);
            }
            State::OnAir(on_air) => self.state = State::Leaving(on_air),
            other => self.state = other,
        }
    }

    async fn begin(&mut self, at: Instant) -> Result<(), Refusal> {
        if self.before.as_ref().is_some_and(|before| !before.is_open()) {
            return Err(self.ended().await);
        }
        let State::Opening(opening) = &mut self.state else {
            return Ok(());
        };
        let (newest, lead) = (opening.newest(), opening.lag());
        let tracks = tracks(self.tools, opening)?;
        let units = opening.take();
        let receive = Receive {
            channel: self.channel.clone(),
            key: self.key,
            address: self.address,
            tracks,
            continued: self.before.as_ref().map(Ingest::session),
        };
        let received = self.tools.streams.receive(receive).await;
        let ingest = received.map_err(|refused| refusal(&refused))?;
        self.before = None;
        self.confirm(&ingest).await?;
        // What came last has just been captured.
        let now = age(&ingest, self.tools.streams.clock.instant());
        let pace = Pace::new(newest, now);
        let mut on_air = OnAir::new((ingest, tracks), at, pace, lead);
        for unit in units {
            if on_air.has(&unit) {
                on_air.take(self.tools, unit, (now, at));
            }
        }
        self.state = State::OnAir(Box::new(on_air));
        Ok(())
    }

    /// Turns away whose key was revoked meanwhile: the session was in no book when that was looked for.
    async fn confirm(&self, ingest: &Ingest) -> Result<(), Refusal> {
        let streams = &self.tools.streams;
        if self.is_revoked().await {
            streams.hang_up(ingest.session()).await;
            return Err(revoked());
        }
        if let Err(error) = streams.channels.note_use(self.key).await {
            crate::error::log_store_error(&error);
        }
        Ok(())
    }

    async fn is_revoked(&self) -> bool {
        let key = Secret::new(self.text.reveal());
        let verified = self.tools.streams.channels.verify_stream_key(&key).await;
        matches!(verified, Ok(None))
    }

    /// Why its session is over.
    async fn ended(&self) -> Refusal {
        match self.is_revoked().await {
            true => revoked(),
            false if self.tools.streams.is_draining() => {
                Refusal::BadName("the server is restarting; come back in a moment".to_owned())
            }
            false => {
                Refusal::BadName("the stream was ended, or another publisher took over".to_owned())
            }
        }
    }

    /// Opus that was made. Cancel safe.
    async fn made(&mut self) -> Unit {
        match &mut self.state {
            State::OnAir(on_air) | State::Leaving(on_air) => on_air.made().await,
            State::Opening(_) => std::future::pending().await,
        }
    }

    fn forward(&self, unit: Unit) {
        if let State::OnAir(on_air) | State::Leaving(on_air) = &self.state {
            on_air.ingest.push_opus(unit.pts, unit.bytes);
        }
    }
}

/// What there is by what came so far.
fn tracks(tools: &Tools, opening: &Opening) -> Result<IngestTracks, Refusal> {
    let playback = &tools.streams.playback;
    let reordered = opening.is_reordered();
    if reordered && !playback.packages() {
        return Err(Refusal::BadName(B_FRAMES.to_owned()));
    }
    let video = opening.video_codec().map(|codec| IngestVideo {
        codec,
        reordered,
        patience: match playback.remakes(codec) {
            true => PATIENCE_WITH_ORDER,
            false => Duration::ZERO,
        },
    });
    Ok(IngestTracks {
        video,
        audio: opening.audio_codec(),
    })
}

/// What comes now was captured then, on the session's clock.
fn age(ingest: &Ingest, at: Instant) -> Duration {
    let age = at.saturating_duration_since(ingest.zero());
    age.saturating_sub(MARGIN)
}

fn revoked() -> Refusal {
    Refusal::Unauthorized("this stream key was revoked".to_owned())
}

/// Why pictures in another order cannot be taken where they are not packaged.
const B_FRAMES: &str = "this stream has B-frames, which WebRTC cannot play, and this server packages \
     nothing for HLS; in OBS set Output → Streaming → B-frames to 0 (or Tune to zerolatency), with \
     ffmpeg -bf 0";
