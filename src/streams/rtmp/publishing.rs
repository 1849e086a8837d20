//! [`Publishing`]: one publisher's media, from its connection to the SFU.

use std::net::IpAddr;
use std::time::Duration;

use media::{Codec, OpusJob, Transcoder, Unit, Worker};
use rtmp::{
    AudioCodec, AudioUnit, Connection, ConnectionError, Event, Refusal, Reordering, StreamKey,
    VideoCodec, VideoUnit,
};
use sfu::{Ingest, IngestTracks};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

use super::adts::Adts;
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
    reordering: Reordering,
    state: State,
}

enum State {
    /// Media is collected until it is clear what there is.
    Opening(Vec<Media>),
    OnAir(Box<OnAir>),
}

/// A unit of either kind.
#[derive(Debug)]
enum Media {
    Video(VideoUnit),
    Audio(AudioUnit),
}

struct OnAir {
    ingest: Ingest,
    pace: Pace,
    sound: Option<Sound>,
}

/// AAC on its way to become Opus.
struct Sound {
    adts: Adts,
    config: bytes::Bytes,
    transcoder: Transcoder,
    made: mpsc::Receiver<Unit>,
}

/// Media that is looked at before the stream begins: both picture and sound are in it, if there are both.
const LOOK: Duration = Duration::from_secs(1);
/// Units of that much media, at most.
const MOST_UNITS: usize = 600;
/// Media bears times so long before it comes, so that none is ahead of its time.
const MARGIN: Duration = Duration::from_millis(100);
/// Of the Opus that is made.
const AUDIO_BITS: u32 = 128_000;
/// Opus packets that may wait to be forwarded: a second or more.
const SOUNDS: usize = 64;
/// A media-worker that stands still for so long is replaced.
const PATIENCE: Duration = Duration::from_secs(6);

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
            reordering: Reordering::default(),
            state: State::Opening(Vec::new()),
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
            let media = tokio::select! {
                event = connection.next() => match event? {
                    Some(Event::Video(unit)) => Media::Video(unit),
                    Some(Event::Audio(unit)) => Media::Audio(unit),
                    Some(Event::Unpublished) | None => return Ok(None),
                    Some(_) => continue,
                },
                made = self.made() => {
                    self.forward(made);
                    continue;
                }
            };
            if let Err(refusal) = self.take(media).await {
                let words = match &refusal {
                    Refusal::BadName(words) | Refusal::Unauthorized(words) => words.clone(),
                };
                self.tools
                    .streams
                    .note_attempt(self.channel.id, words)
                    .await;
                return Ok(Some(refusal));
            }
        }
    }

    async fn take(&mut self, media: Media) -> Result<(), Refusal> {
        check(&media, &mut self.reordering)?;
        let now = match &self.state {
            State::OnAir(on_air) => self.now(&on_air.ingest),
            State::Opening(_) => Duration::ZERO,
        };
        match &mut self.state {
            State::OnAir(on_air) if on_air.ingest.is_open() => {
                on_air.take(self.tools, media, now);
                Ok(())
            }
            State::OnAir(_) => Err(Refusal::BadName(
                "the stream was ended, or another publisher took over".to_owned(),
            )),
            State::Opening(units) => {
                units.push(media);
                if is_clear(units) {
                    let units = std::mem::take(units);
                    self.begin(units).await?;
                }
                Ok(())
            }
        }
    }

    async fn begin(&mut self, units: Vec<Media>) -> Result<(), Refusal> {
        let tracks = IngestTracks {
            video: units.iter().any(|unit| matches!(unit, Media::Video(_))),
            audio: units.iter().any(|unit| matches!(unit, Media::Audio(_))),
        };
        let receive = Receive {
            channel: self.channel.clone(),
            key: self.key,
            address: self.address,
            tracks,
        };
        let received = self.tools.streams.receive(receive).await;
        let ingest = received.map_err(|refused| refusal(&refused))?;
        self.confirm(&ingest).await?;
        // What came last has just been captured.
        let newest = units.iter().map(Media::time).max().unwrap_or_default();
        let pace = Pace::new(newest, self.now(&ingest));
        let mut on_air = OnAir {
            ingest,
            pace,
            sound: None,
        };
        for unit in units {
            let now = self.now(&on_air.ingest);
            on_air.take(self.tools, unit, now);
        }
        self.state = State::OnAir(Box::new(on_air));
        Ok(())
    }

    /// What comes now was captured then, on the session's clock.
    fn now(&self, ingest: &Ingest) -> Duration {
        let now = self.tools.streams.clock.instant();
        let age = now.saturating_duration_since(ingest.zero());
        age.saturating_sub(MARGIN)
    }

    /// Turns away whose key was revoked meanwhile: the session was in no book when that was looked for.
    async fn confirm(&self, ingest: &Ingest) -> Result<(), Refusal> {
        let streams = &self.tools.streams;
        let key = Secret::new(self.text.reveal());
        if let Ok(None) = streams.channels.verify_stream_key(&key).await {
            streams.hang_up(ingest.session()).await;
            return Err(Refusal::Unauthorized(
                "this stream key was revoked".to_owned(),
            ));
        }
        if let Err(error) = streams.channels.note_use(self.key).await {
            crate::error::log_store_error(&error);
        }
        Ok(())
    }

    /// Opus that was made.
    async fn made(&mut self) -> Unit {
        if let State::OnAir(on_air) = &mut self.state
            && let Some(sound) = &mut on_air.sound
            && let Some(unit) = sound.made.recv().await
        {
            return unit;
        }
        std::future::pending().await
    }

    fn forward(&self, unit: Unit) {
        if let State::OnAir(on_air) = &self.state {
            on_air.ingest.push_audio(unit.pts, unit.bytes);
        }
    }
}

/// What cannot be forwarded to WebRTC viewers.
fn check(media: &Media, reordering: &mut Reordering) -> Result<(), Refusal> {
    let words = match media {
        Media::Video(unit) if unit.codec != VideoCodec::H264 => format!(
            "{:?} by RTMP is not supported yet; set the encoder to H.264",
            unit.codec
        ),
        Media::Video(unit) if reordering.observe(unit) => {
            "this stream has B-frames, which WebRTC cannot play; in OBS set Output → Streaming → \
             B-frames to 0 (or Tune to zerolatency), with ffmpeg -bf 0"
                .to_owned()
        }
        Media::Audio(AudioUnit {
            codec: AudioCodec::Aac(config),
            ..
        }) if Adts::of(&config.config).is_none() => {
            "this kind of AAC is not supported; set the encoder to AAC-LC in stereo".to_owned()
        }
        _ => return Ok(()),
    };
    Err(Refusal::BadName(words))
}

/// Whether picture and sound are there, or so much of one that the other does not come.
fn is_clear(units: &[Media]) -> bool {
    let has_video = units.iter().any(|unit| matches!(unit, Media::Video(_)));
    let has_audio = units.iter().any(|unit| matches!(unit, Media::Audio(_)));
    let first = units.iter().map(Media::time).min().unwrap_or_default();
    let last = units.iter().map(Media::time).max().unwrap_or_default();
    has_video && has_audio || last - first > LOOK || units.len() >= MOST_UNITS
}

impl Media {
    fn time(&self) -> Duration {
        match self {
            Self::Video(unit) => unit.pts,
            Self::Audio(unit) => unit.pts,
        }
    }
}

impl OnAir {
    fn take(&mut self, tools: &Tools, media: Media, now: Duration) {
        let pts = self.pace.place(media.time(), now);
        match media {
            Media::Video(unit) => {
                self.ingest.push_video(pts, unit.bytes);
            }
            Media::Audio(unit) => match unit.codec {
                AudioCodec::Opus { .. } => {
                    self.ingest.push_audio(pts, unit.bytes);
                }
                AudioCodec::Aac(config) => self.take_aac(tools, &config.config, pts, &unit.bytes),
            },
        }
    }

    fn take_aac(&mut self, tools: &Tools, config: &bytes::Bytes, pts: Duration, frame: &[u8]) {
        let is_same = |sound: &Sound| sound.config == *config;
        if !self.sound.as_ref().is_some_and(is_same) {
            self.sound = Adts::of(config).map(|adts| Sound::new(tools, adts, config.clone()));
        }
        let Some(sound) = &self.sound else {
            return;
        };
        if let Some(bytes) = sound.adts.frame(frame) {
            sound.transcoder.push(Unit {
                track: 0,
                codec: Codec::Aac,
                pts,
                keyframe: true,
                size: None,
                bytes,
            });
        }
    }
}

impl Sound {
    fn new(tools: &Tools, adts: Adts, config: bytes::Bytes) -> Self {
        let (sender, made) = mpsc::channel(SOUNDS);
        let worker = Worker {
            program: tools.program.clone(),
            arguments: vec!["media-worker".to_owned()],
            patience: PATIENCE,
        };
        let job = OpusJob {
            track: 0,
            bits_a_second: AUDIO_BITS,
        };
        Self {
            adts,
            config,
            transcoder: Transcoder::to_opus(worker, job, sender),
            made,
        }
    }
}
