//! [`Publishing`]: one publisher's media, from its connection to the SFU.

use std::net::IpAddr;
use std::time::Duration;

use media::{Codec, OpusJob, Transcoder, Unit, Worker};
use rtmp::{
    AudioCodec, AudioUnit, Connection, ConnectionError, Event, Refusal, Reordering, StreamKey,
    VideoCodec, VideoUnit,
};
use sfu::{Ingest, IngestTracks, IngestVideo, Picture, TapCodec};
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
    state: State,
    /// The session that the next continues.
    before: Option<Ingest>,
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
    tracks: IngestTracks,
    pace: Pace,
    reordering: Reordering,
    /// How far behind their presentation pictures are decoded, by their times: negative composition
    /// times are those of an encoder that counts decoding from elsewhere.
    lead: Duration,
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
/// Pictures in which B-frames are found, where an encoder makes them.
const ORDER_LOOK: usize = 8;
/// Viewers of B-frames wait so long for pictures that are made without; players have HLS ready sooner.
const PATIENCE_WITH_ORDER: Duration = Duration::from_secs(10);
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
            state: State::Opening(Vec::new()),
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
        check(&media)?;
        let now = match &self.state {
            State::OnAir(on_air) => self.now(&on_air.ingest),
            State::Opening(_) => Duration::ZERO,
        };
        if let State::OnAir(on_air) = &self.state
            && on_air.ingest.is_open()
            && !on_air.has(&media)
        {
            // Another codec, or a track that was not there: another session in the place of this one.
            let opening = State::Opening(Vec::new());
            if let State::OnAir(on_air) = std::mem::replace(&mut self.state, opening) {
                self.before = Some(on_air.ingest);
            }
        }
        match &mut self.state {
            State::OnAir(on_air) if on_air.ingest.is_open() => {
                on_air.take(self.tools, media, now);
                Ok(())
            }
            State::OnAir(_) => Err(ended()),
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
        if self.before.as_ref().is_some_and(|before| !before.is_open()) {
            return Err(ended());
        }
        let tracks = self.tracks(&units)?;
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
        let newest = units.iter().map(Media::time).max().unwrap_or_default();
        let pace = Pace::new(newest, self.now(&ingest));
        let mut on_air = OnAir {
            ingest,
            tracks,
            pace,
            reordering: Reordering::default(),
            lead: units
                .iter()
                .filter_map(Media::picture)
                .map(lag)
                .max()
                .unwrap_or_default(),
            sound: None,
        };
        for unit in units {
            let now = self.now(&on_air.ingest);
            on_air.take(self.tools, unit, now);
        }
        self.state = State::OnAir(Box::new(on_air));
        Ok(())
    }

    /// What there is by what came so far.
    fn tracks(&self, units: &[Media]) -> Result<IngestTracks, Refusal> {
        let playback = &self.tools.streams.playback;
        let reordered = is_reordered(units);
        if reordered && !playback.packages() {
            return Err(Refusal::BadName(B_FRAMES.to_owned()));
        }
        let codec = units.iter().find_map(Media::video_codec);
        let video = codec.map(|codec| IngestVideo {
            codec,
            reordered,
            patience: match playback.remakes(codec) {
                true => PATIENCE_WITH_ORDER,
                false => Duration::ZERO,
            },
        });
        let audio = units.iter().find_map(Media::audio_codec);
        Ok(IngestTracks { video, audio })
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
            on_air.ingest.push_opus(unit.pts, unit.bytes);
        }
    }
}

/// How much later a picture is decoded than shown, by its times.
fn lag(picture: &VideoUnit) -> Duration {
    picture.dts.saturating_sub(picture.pts)
}

fn ended() -> Refusal {
    Refusal::BadName("the stream was ended, or another publisher took over".to_owned())
}

/// Why pictures in another order cannot be taken where they are not packaged.
const B_FRAMES: &str = "this stream has B-frames, which WebRTC cannot play, and this server packages \
     nothing for HLS; in OBS set Output → Streaming → B-frames to 0 (or Tune to zerolatency), with \
     ffmpeg -bf 0";

/// What nobody could play.
fn check(media: &Media) -> Result<(), Refusal> {
    match media {
        Media::Audio(AudioUnit {
            codec: AudioCodec::Aac(config),
            ..
        }) if Adts::of(&config.config).is_none() => Err(Refusal::BadName(
            "this kind of AAC is not supported; set the encoder to AAC-LC in stereo".to_owned(),
        )),
        _ => Ok(()),
    }
}

/// Whether picture and sound are there and the order of pictures is known, or so much came that
/// nothing else comes.
fn is_clear(units: &[Media]) -> bool {
    let has_audio = units.iter().any(|unit| matches!(unit, Media::Audio(_)));
    let first = units.iter().map(Media::time).min().unwrap_or_default();
    let last = units.iter().map(Media::time).max().unwrap_or_default();
    has_audio && is_order_clear(units) || last - first > LOOK || units.len() >= MOST_UNITS
}

/// Whether there are pictures, and enough of them to tell their order. Without composition times
/// there is none but that of decoding.
fn is_order_clear(units: &[Media]) -> bool {
    let mut pictures = units.iter().filter_map(Media::picture);
    let first = pictures.next();
    first.is_some_and(|first| {
        first.dts == first.pts || pictures.count() + 1 >= ORDER_LOOK || is_reordered(units)
    })
}

fn is_reordered(units: &[Media]) -> bool {
    let mut reordering = Reordering::default();
    let pictures = units.iter().filter_map(Media::picture);
    pictures.for_each(|unit| {
        reordering.observe(unit);
    });
    reordering.is_found()
}

impl Media {
    /// When it is to be decoded.
    fn time(&self) -> Duration {
        match self {
            Self::Video(unit) => unit.dts,
            Self::Audio(unit) => unit.pts,
        }
    }

    fn picture(&self) -> Option<&VideoUnit> {
        match self {
            Self::Video(unit) => Some(unit),
            Self::Audio(_) => None,
        }
    }

    fn video_codec(&self) -> Option<TapCodec> {
        self.picture().map(|unit| match unit.codec {
            VideoCodec::H264 => TapCodec::H264,
            VideoCodec::H265 => TapCodec::H265,
            VideoCodec::Vp9 => TapCodec::Vp9,
            VideoCodec::Av1 => TapCodec::Av1,
        })
    }

    fn audio_codec(&self) -> Option<TapCodec> {
        match self {
            Self::Video(_) => None,
            Self::Audio(unit) => Some(match unit.codec {
                AudioCodec::Aac(_) => TapCodec::Aac,
                AudioCodec::Opus { .. } => TapCodec::Opus,
            }),
        }
    }
}

impl OnAir {
    /// Whether it is of a track that the session has.
    fn has(&self, media: &Media) -> bool {
        match media {
            Media::Video(_) => media.video_codec() == self.tracks.video.map(|video| video.codec),
            Media::Audio(_) => media.audio_codec() == self.tracks.audio,
        }
    }

    fn take(&mut self, tools: &Tools, media: Media, now: Duration) {
        if let Some(picture) = media.picture() {
            self.lead = self.lead.max(lag(picture));
        }
        let time = match &media {
            Media::Video(unit) => unit.dts.saturating_sub(self.lead),
            Media::Audio(unit) => unit.pts,
        };
        let (told, time) = (time, self.pace.place(time, now));
        match media {
            Media::Video(unit) => {
                let reordered = self.reordering.observe(&unit);
                self.ingest.push_video(Picture {
                    dts: time,
                    pts: time + unit.pts.saturating_sub(told),
                    keyframe: unit.keyframe,
                    reordered,
                    bytes: unit.bytes,
                });
            }
            Media::Audio(unit) => match unit.codec {
                AudioCodec::Opus { .. } => {
                    self.ingest.push_opus(time, unit.bytes);
                }
                AudioCodec::Aac(config) => self.take_aac(tools, &config.config, time, &unit.bytes),
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
            self.ingest.push_aac(pts, bytes.clone());
            sound.transcoder.push(Unit {
                track: 0,
                codec: Codec::Aac,
                pts,
                dts: pts,
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
