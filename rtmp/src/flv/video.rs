//! Bodies of video tags (FLV annex E.4.3, Enhanced RTMP v2 "Enhanced Video").

use bytes::{BufMut as _, Bytes, BytesMut};

use super::avc::{self, NalFormat, NalStream};
use super::beginning::Beginning;
use super::clock::Clock;
use super::{Name, TagError, Unsupported, VideoCodec, VideoUnit, av1, skip_mod_ex, vp9};

/// The only video track.
#[derive(Debug, Default)]
pub(super) struct VideoTrack {
    configuration: Option<Configuration>,
    /// What came of the next picture.
    beginning: Beginning,
    /// Whether a picture was dropped since the last that was given out.
    has_lost: bool,
}

/// Longest picture, in bytes as it is given out: what the SFU takes.
const MOST_PICTURE: usize = 2 * 1024 * 1024;

/// What decoders need before the first picture.
#[derive(Debug)]
enum Configuration {
    H264(NalStream),
    H265(NalStream),
    /// The sequence header.
    Av1(Bytes),
}

/// What a tag holds.
enum Packet<'a> {
    Configuration(VideoCodec, &'a [u8]),
    Picture {
        codec: VideoCodec,
        composition_ms: i32,
        bytes: &'a [u8],
    },
    /// The end of a sequence, colours, or a command: nothing to show.
    Nothing,
}

impl VideoTrack {
    pub(super) fn read(
        &mut self,
        clock: &mut Clock,
        timestamp: u32,
        tag: &Bytes,
    ) -> Result<Option<VideoUnit>, TagError> {
        let packet = Packet::read(tag).inspect_err(|error| {
            // Nothing in it is no picture.
            self.has_lost |= *error == TagError::Broken && !tag.is_empty();
        });
        match packet? {
            Packet::Nothing => Ok(None),
            Packet::Configuration(codec, record) => {
                self.configure(codec, record)?;
                Ok(None)
            }
            Packet::Picture {
                codec,
                composition_ms,
                bytes,
            } => {
                let picture = self.picture(codec, timestamp, bytes, tag);
                self.has_lost |= matches!(picture, Err(TagError::Broken));
                let Some((keyframe, bytes)) = picture? else {
                    return Ok(None);
                };
                // Only pictures move the clock: configurations come with timestamps of zero.
                let dts = clock.at(timestamp);
                Ok(Some(VideoUnit {
                    codec,
                    dts: dts.duration(),
                    pts: dts.plus_ms(composition_ms).duration(),
                    keyframe,
                    is_after_loss: std::mem::take(&mut self.has_lost),
                    bytes,
                }))
            }
        }
    }

    /// How many messages without a picture were dropped since this was last asked.
    pub(super) fn take_dropped(&mut self) -> u64 {
        self.beginning.take_dropped()
    }

    /// Takes a configuration in place of the one before. A broken one leaves that as it is.
    fn configure(&mut self, codec: VideoCodec, record: &[u8]) -> Result<(), TagError> {
        let configuration = match codec {
            VideoCodec::H264 => Some(Configuration::H264(avc::avc_record(record)?)),
            VideoCodec::H265 => Some(Configuration::H265(avc::hevc_record(record)?)),
            VideoCodec::Av1 => Some(Configuration::Av1(av1::record(record)?)),
            VideoCodec::Vp9 => None, // Its frames say all.
        };
        self.configuration = configuration;
        self.beginning.forget();
        Ok(())
    }

    /// Whether a picture is a key frame, and its bytes as they are given out. `None` if nothing of it
    /// is left, or it is only begun.
    fn picture(
        &mut self,
        codec: VideoCodec,
        timestamp: u32,
        bytes: &[u8],
        tag: &Bytes,
    ) -> Result<Option<(bool, Bytes)>, TagError> {
        let picture = match (codec, &self.configuration) {
            (VideoCodec::H264, Some(Configuration::H264(stream))) => {
                return nal_picture(
                    stream,
                    NalFormat::H264,
                    &mut self.beginning,
                    timestamp,
                    bytes,
                );
            }
            (VideoCodec::H265, Some(Configuration::H265(stream))) => {
                return nal_picture(
                    stream,
                    NalFormat::H265,
                    &mut self.beginning,
                    timestamp,
                    bytes,
                );
            }
            (VideoCodec::Av1, configuration) => {
                let header = match configuration {
                    Some(Configuration::Av1(header)) => header.as_ref(),
                    _ => &[],
                };
                av1::temporal_unit(header, bytes)?
            }
            (VideoCodec::Vp9, _) => {
                let keyframe = vp9::is_keyframe(bytes).ok_or(TagError::Broken)?;
                Some((keyframe, tag.slice_ref(bytes)))
            }
            _ => return Err(TagError::BeforeConfiguration),
        };
        if let Some((_, bytes)) = &picture {
            check_length(bytes.len())?;
        }
        Ok(picture)
    }
}

/// Whether a picture of NAL units is a key frame, and its bytes with start codes: what came of it
/// before, in front of that the record's parameter sets if it is a key frame without any, and the rest.
fn nal_picture(
    stream: &NalStream,
    format: NalFormat,
    beginning: &mut Beginning,
    timestamp: u32,
    units: &[u8],
) -> Result<Option<(bool, Bytes)>, TagError> {
    let message = stream.read(format, units)?;
    if !message.has_slice {
        beginning.add(timestamp, &message);
        return Ok(None);
    }
    let (before, has_sets) = beginning.take(timestamp);
    let sets = match message.keyframe && !message.has_sets && !has_sets {
        true => stream.parameter_sets(),
        false => &[],
    };
    let length = sets.len().saturating_add(before.len());
    let length = length.saturating_add(message.length);
    check_length(length)?;
    let mut bytes = BytesMut::with_capacity(length);
    bytes.put_slice(sets);
    bytes.put_slice(&before);
    message.write(&mut bytes);
    Ok(Some((message.keyframe, bytes.freeze())))
}

fn check_length(length: usize) -> Result<(), TagError> {
    match length > MOST_PICTURE {
        true => Err(TagError::Unsupported(Unsupported::PictureLength)),
        false => Ok(()),
    }
}

impl<'a> Packet<'a> {
    fn read(tag: &'a [u8]) -> Result<Self, TagError> {
        let (&first, rest) = tag.split_first().ok_or(TagError::Broken)?;
        let is_enhanced = first & 0x80 != 0;
        let is_command = first >> 4 & 7 == COMMAND;
        if is_enhanced {
            return Self::enhanced(first & 0x0f, is_command, rest);
        }
        if is_command {
            return Ok(Self::Nothing);
        }
        let unsupported = |name| Err(TagError::Unsupported(Unsupported::Video(name)));
        let codec = match first & 0x0f {
            7 => VideoCodec::H264,
            // Not Adobe's, but sent by encoders older than Enhanced RTMP.
            12 => VideoCodec::H265,
            1 => return unsupported(Name::Known("JPEG")),
            2 => return unsupported(Name::Known("Sorenson H.263")),
            3 | 6 => return unsupported(Name::Known("Screen")),
            4 | 5 => return unsupported(Name::Known("VP6")),
            _ => return unsupported(Name::Known("unknown")),
        };
        let (&packet, rest) = rest.split_first().ok_or(TagError::Broken)?;
        let (composition_ms, bytes) = composition(rest)?;
        Ok(Self::of(codec, packet, composition_ms, bytes))
    }

    /// `ExVideoTagHeader`.
    fn enhanced(packet: u8, is_command: bool, rest: &'a [u8]) -> Result<Self, TagError> {
        let (packet, rest) = skip_mod_ex(packet, rest)?;
        if is_command && packet != packet_type::METADATA {
            return Ok(Self::Nothing);
        }
        if packet == packet_type::MULTITRACK {
            return Err(TagError::Unsupported(Unsupported::Multitrack));
        }
        let (four_cc, rest) = rest.split_first_chunk::<4>().ok_or(TagError::Broken)?;
        let codec = match four_cc {
            b"avc1" => VideoCodec::H264,
            b"hvc1" => VideoCodec::H265,
            b"vp09" => VideoCodec::Vp9,
            b"av01" => VideoCodec::Av1,
            _ => {
                let name = Name::FourCc(*four_cc);
                return Err(TagError::Unsupported(Unsupported::Video(name)));
            }
        };
        let is_composed = matches!(codec, VideoCodec::H264 | VideoCodec::H265);
        let (composition_ms, bytes) = match packet {
            packet_type::CODED_FRAMES if is_composed => composition(rest)?,
            _ => (0, rest),
        };
        Ok(Self::of(codec, packet, composition_ms, bytes))
    }

    /// `AVCPacketType` and `VideoPacketType` number the first three alike.
    fn of(codec: VideoCodec, packet: u8, composition_ms: i32, bytes: &'a [u8]) -> Self {
        match packet {
            // FFmpeg sends one with nothing in it when its encoder has told it nothing yet.
            packet_type::SEQUENCE_START if bytes.is_empty() => Self::Nothing,
            packet_type::SEQUENCE_START => Self::Configuration(codec, bytes),
            packet_type::CODED_FRAMES | packet_type::CODED_FRAMES_X => Self::Picture {
                codec,
                composition_ms,
                bytes,
            },
            _ => Self::Nothing,
        }
    }
}

/// `CompositionTime`: a signed number of 24 bits.
fn composition(rest: &[u8]) -> Result<(i32, &[u8]), TagError> {
    let (&[high, middle, low], rest) = rest.split_first_chunk().ok_or(TagError::Broken)?;
    let shifted = i32::from_be_bytes([high, middle, low, 0]);
    Ok((shifted >> 8, rest))
}

/// `VideoFrameType` of a command, which has no picture.
const COMMAND: u8 = 5;

/// `VideoPacketType`.
mod packet_type {
    pub(super) const SEQUENCE_START: u8 = 0;
    pub(super) const CODED_FRAMES: u8 = 1;
    pub(super) const CODED_FRAMES_X: u8 = 3;
    pub(super) const METADATA: u8 = 4;
    pub(super) const MULTITRACK: u8 = 6;
}
