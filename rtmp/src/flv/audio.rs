//! Bodies of audio tags (FLV annex E.4.2, Enhanced RTMP v2 "Enhanced Audio").

use bytes::Bytes;

use super::clock::Clock;
use super::{AacConfig, AudioCodec, AudioUnit, Name, TagError, Unsupported, skip_mod_ex};

/// The configuration of the only audio track.
#[derive(Debug, Default)]
pub(super) struct AudioTrack {
    aac: Option<AacConfig>,
    /// As `OpusHead` says.
    opus_channels: Option<u8>,
}

enum Packet<'a> {
    AacConfiguration(&'a [u8]),
    Aac(&'a [u8]),
    OpusConfiguration(&'a [u8]),
    Opus(&'a [u8]),
    Nothing,
}

impl AudioTrack {
    pub(super) fn read(
        &mut self,
        clock: &mut Clock,
        timestamp: u32,
        tag: &Bytes,
    ) -> Result<Option<AudioUnit>, TagError> {
        let (codec, bytes) = match Packet::read(tag)? {
            Packet::Nothing => return Ok(None),
            Packet::AacConfiguration(config) => {
                self.aac = Some(AacConfig::read(tag.slice_ref(config)).ok_or(TagError::Broken)?);
                return Ok(None);
            }
            Packet::OpusConfiguration(head) => {
                self.opus_channels = Some(opus_channels(head)?);
                return Ok(None);
            }
            // An encoder with nothing to say sends such.
            Packet::Aac([]) | Packet::Opus([]) => return Ok(None),
            Packet::Aac(bytes) => (self.aac.clone().map(AudioCodec::Aac), bytes),
            Packet::Opus(bytes) => (Some(self.opus(bytes)), bytes),
        };
        let pts = clock.at(timestamp).duration();
        Ok(Some(AudioUnit {
            codec: codec.ok_or(TagError::BeforeConfiguration)?,
            pts,
            bytes: tag.slice_ref(bytes),
        }))
    }

    /// A packet tells of itself whether it is stereo (RFC 6716 §3.1).
    fn opus(&self, packet: &[u8]) -> AudioCodec {
        let is_stereo = packet.first().is_some_and(|toc| toc & 4 != 0);
        let own = if is_stereo { 2 } else { 1 };
        AudioCodec::Opus {
            channels: self.opus_channels.unwrap_or(own),
        }
    }
}

impl<'a> Packet<'a> {
    fn read(tag: &'a [u8]) -> Result<Self, TagError> {
        let (&first, rest) = tag.split_first().ok_or(TagError::Broken)?;
        let name = match first >> 4 {
            ENHANCED => return Self::enhanced(first & 0x0f, rest),
            AAC => return Self::aac(rest),
            0 | 3 => "PCM",
            1 => "ADPCM",
            2 | 14 => "MP3",
            4..=6 => "Nellymoser",
            7 | 8 => "G.711",
            11 => "Speex",
            _ => "unknown",
        };
        let unsupported = Unsupported::Audio(Name::Known(name));
        Err(TagError::Unsupported(unsupported))
    }

    /// `AACAUDIODATA`.
    fn aac(rest: &'a [u8]) -> Result<Self, TagError> {
        let (packet, rest) = rest.split_first().ok_or(TagError::Broken)?;
        Ok(match packet {
            0 => Self::AacConfiguration(rest),
            1 => Self::Aac(rest),
            _ => Self::Nothing,
        })
    }

    /// `ExAudioTagHeader`.
    fn enhanced(packet: u8, rest: &'a [u8]) -> Result<Self, TagError> {
        let (packet, rest) = skip_mod_ex(packet, rest)?;
        if packet == MULTITRACK {
            return Err(TagError::Unsupported(Unsupported::Multitrack));
        }
        let (four_cc, rest) = rest.split_first_chunk::<4>().ok_or(TagError::Broken)?;
        let name = match (four_cc, packet) {
            (b"mp4a", SEQUENCE_START) => return Ok(Self::AacConfiguration(rest)),
            (b"mp4a", CODED_FRAMES) => return Ok(Self::Aac(rest)),
            (b"Opus", SEQUENCE_START) => return Ok(Self::OpusConfiguration(rest)),
            (b"Opus", CODED_FRAMES) => return Ok(Self::Opus(rest)),
            // The end of a sequence, or how channels are placed.
            (b"mp4a" | b"Opus", _) => return Ok(Self::Nothing),
            (b".mp3", _) => Name::Known("MP3"),
            (b"fLaC", _) => Name::Known("FLAC"),
            (b"ac-3", _) => Name::Known("AC-3"),
            (b"ec-3", _) => Name::Known("E-AC-3"),
            _ => Name::FourCc(*four_cc),
        };
        Err(TagError::Unsupported(Unsupported::Audio(name)))
    }
}

/// Of an identification header (RFC 7845 §5.1).
fn opus_channels(head: &[u8]) -> Result<u8, TagError> {
    let body = head.strip_prefix(b"OpusHead").ok_or(TagError::Broken)?;
    match body.get(1).ok_or(TagError::Broken)? {
        channels @ 1..=2 => Ok(*channels),
        channels => Err(TagError::Unsupported(Unsupported::OpusChannels(*channels))),
    }
}

/// `SoundFormat`.
const ENHANCED: u8 = 9;
const AAC: u8 = 10;
/// `AudioPacketType`.
const SEQUENCE_START: u8 = 0;
const CODED_FRAMES: u8 = 1;
const MULTITRACK: u8 = 5;
