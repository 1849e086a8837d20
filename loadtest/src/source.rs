//! What a publisher sends: encoded video in a loop, from a clip or made up.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::clip;
use crate::h264::{self, Picture};
use crate::report::float;

/// Between two pictures (30 a second).
pub const FRAME: Duration = Duration::from_nanos(33_333_333);
/// The same in the clock of RTP video.
pub const FRAME_90KHZ: u32 = 3_000;
/// Between two audio packets.
pub const AUDIO: Duration = Duration::from_millis(20);
/// The same in the clock of Opus.
pub const AUDIO_48KHZ: u32 = 960;

/// One layer of video, which starts over at its end.
#[derive(Debug, Clone)]
pub struct Encoding {
    /// RTP stream id; none without simulcast.
    pub rid: Option<String>,
    /// The pictures; the first is a key frame.
    pub frames: Vec<Frame>,
}

/// One picture in RTP payloads.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Whether a decoder can start here.
    pub is_key: bool,
    /// The payloads, in order.
    pub payloads: Vec<Arc<[u8]>>,
}

/// Codecs of video that is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VideoCodec {
    /// H264, packetization mode 1.
    H264,
    /// VP8.
    Vp8,
}

/// All that a publisher sends.
#[derive(Debug, Clone)]
pub struct Source {
    /// Codec of all layers.
    pub codec: VideoCodec,
    /// One encoding, or several for simulcast, in the order of the offer.
    pub layers: Vec<Encoding>,
    /// Opus packets of 20 ms, in a loop.
    pub audio: Vec<Arc<[u8]>>,
}

/// Why there is no clip.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// There is no encoder.
    #[error("ffmpeg is needed once to make the clip that is published: install it ({0})")]
    NoEncoder(std::io::Error),
    /// The encoder failed.
    #[error("ffmpeg could not make the clip: {0}")]
    Encoder(String),
    /// The clip's folder.
    #[error("cannot keep the clip at {path}: {source}", path = path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file is not what was made.
    #[error("the clip {path} is damaged: remove it and try again", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// A number of layers that there is no clip for.
    #[error("there are clips of 1 and of 3 layers, none of {0}")]
    Layers(usize),
}

impl Source {
    /// Real video: 720p30 at 2.5 Mbit/s, constrained baseline, a key frame every 2 s, with Opus.
    /// Three layers add 360p and 180p. The clip is made by ffmpeg on first use and kept in the
    /// user's cache folder.
    ///
    /// # Errors
    /// When the clip cannot be made or read.
    pub fn clip(layers: usize) -> Result<Self, SourceError> {
        let sizes: &[clip::Size] = match layers {
            1 => &[clip::P720],
            3 => &[clip::P180, clip::P360, clip::P720],
            other => return Err(SourceError::Layers(other)),
        };
        let rids = ["l", "m", "h"];
        let layers = sizes
            .iter()
            .zip(rids)
            .map(|(size, rid)| {
                Ok(Encoding {
                    rid: (sizes.len() > 1).then(|| rid.to_owned()),
                    frames: frames(&clip::video(size)?),
                })
            })
            .collect::<Result<_, SourceError>>()?;
        Ok(Self {
            codec: VideoCodec::H264,
            layers,
            audio: clip::audio()?.into_iter().map(Into::into).collect(),
        })
    }

    /// Payload bits a second of the largest layer.
    #[must_use]
    pub fn bits_per_second(&self) -> f64 {
        let float = |count: usize| u64::try_from(count).map_or(0.0, float);
        let of_layer = |layer: &Encoding| {
            let payloads = layer.frames.iter().flat_map(|frame| &frame.payloads);
            let bytes: usize = payloads.map(|payload| payload.len()).sum();
            let seconds = FRAME.as_secs_f64() * float(layer.frames.len());
            float(bytes) * 8.0 / seconds.max(1e-9)
        };
        self.layers.iter().map(of_layer).fold(0.0, f64::max)
    }

    /// Real VP8 of 640x360 with a key frame every 2 s, with Opus.
    ///
    /// # Errors
    /// When the clip cannot be made or read.
    pub fn clip_vp8() -> Result<Self, SourceError> {
        let frames = clip::vp8()?;
        Ok(Self {
            codec: VideoCodec::Vp8,
            layers: vec![Encoding {
                rid: None,
                frames: frames.iter().map(|frame| vp8_frame(frame)).collect(),
            }],
            audio: clip::audio()?.into_iter().map(Into::into).collect(),
        })
    }

    /// Made-up video whose bytes decode to nothing but whose parameter sets are real: what a server
    /// looks at, without an encoder.
    #[must_use]
    pub fn made_up(layers: &[MadeUp]) -> Self {
        let layers = layers
            .iter()
            .enumerate()
            .map(|(index, layer)| layer.encoding(index))
            .collect();
        Self {
            codec: VideoCodec::H264,
            layers,
            audio: made_up_audio(),
        }
    }

    /// Made-up VP8 of 640x360 with a key frame every 2 s.
    #[must_use]
    pub fn made_up_vp8() -> Self {
        Self {
            codec: VideoCodec::Vp8,
            layers: vec![Encoding {
                rid: None,
                frames: (0..60).map(made_up_vp8_frame).collect(),
            }],
            audio: made_up_audio(),
        }
    }
}

fn made_up_audio() -> Vec<Arc<[u8]>> {
    (0..50u8).map(|n| [0xfc, n].repeat(40).into()).collect()
}

/// A frame in packets: the payload descriptor (RFC 7741 §4.2) says which of them begins it.
fn vp8_frame(frame: &[u8]) -> Frame {
    let pieces = frame.chunks(h264::MOST_PAYLOAD_BYTES - 1);
    let payloads = pieces.enumerate().map(|(number, piece)| {
        let descriptor = if number == 0 { 0x10 } else { 0x00 };
        [&[descriptor], piece].concat().into()
    });
    Frame {
        is_key: frame.first().is_some_and(|head| head & 1 == 0),
        payloads: payloads.collect(),
    }
}

/// Three packets: payload descriptor (RFC 7741 §4.2), then the frame header (RFC 6386 §9.1).
fn made_up_vp8_frame(number: u32) -> Frame {
    let is_key = number == 0;
    let mut first = vec![0x10];
    if is_key {
        first.extend([0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a]);
        first.extend(640u16.to_le_bytes());
        first.extend(360u16.to_le_bytes());
    } else {
        first.extend([0x11, 0x02, 0x00]);
    }
    first.resize(600, 0xaa);
    let mut last = vec![0x00; 500];
    last.extend(number.to_be_bytes());
    Frame {
        is_key,
        payloads: [first, vec![0x00; 600], last].map(Into::into).to_vec(),
    }
}

fn frames(pictures: &[Picture]) -> Vec<Frame> {
    pictures
        .iter()
        .map(|picture| Frame {
            is_key: picture.is_key(),
            payloads: h264::packetize(picture)
                .into_iter()
                .map(Into::into)
                .collect(),
        })
        .collect()
}

/// Made-up video of one layer.
#[derive(Debug, Clone, Copy)]
pub struct MadeUp {
    /// RTP stream id; none without simulcast.
    pub rid: Option<&'static str>,
    /// Size and profile.
    pub sps: &'static [u8],
    /// Bit/s.
    pub bitrate: u32,
    /// Frames from one key frame to the next.
    pub keyframe_every: u32,
    /// Whether parameter sets travel together (STAP-A, as browsers do) or one a packet (OBS).
    pub aggregates: bool,
}

impl MadeUp {
    fn encoding(&self, index: usize) -> Encoding {
        let layer = u8::try_from(index).unwrap_or(u8::MAX);
        let frames = (0..self.keyframe_every.max(1))
            .map(|number| self.frame(layer, number))
            .collect();
        Encoding {
            rid: self.rid.map(str::to_owned),
            frames,
        }
    }

    fn frame(&self, layer: u8, number: u32) -> Frame {
        let is_key = number == 0;
        let bytes = self.bitrate / 8 / 30 * if is_key { 6 } else { 1 };
        let header = if is_key { 0x65 } else { 0x41 };
        // No start code can come about from these bytes, and each picture is told by its last.
        let mut slice = vec![header, 0x9a];
        slice.resize(usize::try_from(bytes).unwrap_or(0).max(64), 0xaa);
        slice.extend([layer | 0x80]);
        slice.extend(number.to_be_bytes().map(|byte| byte | 0x80));
        slice.extend((number << 4).to_be_bytes().map(|byte| byte | 0x80));
        let mut picture = Picture::default();
        if is_key {
            picture.nals.extend([self.sps.to_vec(), PPS.to_vec()]);
        }
        picture.nals.push(slice);
        let payloads = if self.aggregates {
            h264::packetize(&picture)
        } else {
            let alone = picture
                .nals
                .into_iter()
                .map(|nal| Picture { nals: vec![nal] });
            alone
                .flat_map(|picture| h264::packetize(&picture))
                .collect()
        };
        Frame {
            is_key,
            payloads: payloads.into_iter().map(Into::into).collect(),
        }
    }
}

const PPS: &[u8] = &[0x68, 0xcb, 0x83, 0xcb, 0x20];
