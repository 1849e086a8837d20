//! RTP headers with the extensions that a viewer negotiated (RFC 3550 §5.1, RFC 8285).

use str0m::media::Mid;
use str0m::rtp::{Extension, ExtensionMap, ExtensionValues};

use crate::caption;
use crate::wall;

/// Which extensions a viewer wants of one track, by their identifiers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extensions {
    mid: Option<u8>,
    abs_send_time: Option<u8>,
    transport_sequence: Option<u8>,
    abs_capture_time: Option<u8>,
    audio_level: Option<u8>,
    playout_delay: Option<u8>,
    caption: Option<u8>,
    /// Identifiers above 14 need elements with a longer head (RFC 8285 §4.3).
    has_long_heads: bool,
}

/// The fixed fields of a packet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields {
    pub(super) payload_type: u8,
    pub(super) marker: bool,
    pub(super) has_padding: bool,
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    pub(super) ssrc: u32,
}

/// What stands in the extensions of a packet.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Values<'a> {
    /// Until the peer knows which track the SSRC is of (RFC 9143 §9.2).
    pub(super) mid: Option<Mid>,
    /// In 6.18 fixed point seconds.
    pub(super) abs_send_time: u32,
    pub(super) transport_sequence: Option<u16>,
    /// Of what goes to another node.
    pub(super) caption: Option<&'a [u8]>,
    /// What the publisher said of the media.
    pub(super) media: Option<&'a ExtensionValues>,
}

const FIXED: usize = 12;
const SHORT_HEADS: u16 = 0xbede;
const LONG_HEADS: u16 = 0x1000;
const LAST_SHORT: u8 = 14;

impl Extensions {
    pub(super) fn new(map: &ExtensionMap) -> Self {
        let mut ids = Self {
            mid: map.id_of(Extension::RtpMid),
            abs_send_time: map.id_of(Extension::AbsoluteSendTime),
            transport_sequence: map.id_of(Extension::TransportSequenceNumber),
            abs_capture_time: map.id_of(Extension::AbsoluteCaptureTime),
            audio_level: map.id_of(Extension::AudioLevel),
            playout_delay: map.id_of(Extension::PlayoutDelay),
            caption: map.id_of(caption::extension()),
            has_long_heads: false,
        };
        let all = [
            ids.mid,
            ids.abs_send_time,
            ids.transport_sequence,
            ids.abs_capture_time,
            ids.audio_level,
            ids.playout_delay,
            ids.caption,
        ];
        ids.has_long_heads = all.iter().flatten().any(|id| *id > LAST_SHORT);
        ids
    }

    /// Whether packets of the track are numbered across the transport.
    pub(super) fn has_transport_sequence(&self) -> bool {
        self.transport_sequence.is_some()
    }

    /// Writes a header to the end of `out`. Returns its length.
    pub(super) fn write(&self, out: &mut Vec<u8>, fields: Fields, values: &Values<'_>) -> usize {
        let start = out.len();
        out.extend_from_slice(&fields.to_bytes());
        let elements = Elements {
            has_long_heads: self.has_long_heads,
            start: out.len(),
            out,
        };
        let length = self.write_elements(elements, values);
        if let Some(first) = out.get_mut(start)
            && length > 0
        {
            *first |= 0x10;
        }
        FIXED + length
    }

    fn write_elements(&self, mut elements: Elements<'_>, values: &Values<'_>) -> usize {
        if let Some(id) = self.abs_send_time {
            let [_, time @ ..] = values.abs_send_time.to_be_bytes();
            elements.push(id, &time);
        }
        if let (Some(id), Some(number)) = (self.transport_sequence, values.transport_sequence) {
            elements.push(id, &number.to_be_bytes());
        }
        if let (Some(id), Some(mid)) = (self.mid, values.mid) {
            elements.push(id, mid.as_bytes());
        }
        if let (Some(id), Some(caption)) = (self.caption, values.caption) {
            elements.push(id, caption);
        }
        if let Some(media) = values.media {
            self.write_media(&mut elements, media);
        }
        elements.finish()
    }

    fn write_media(&self, elements: &mut Elements<'_>, media: &ExtensionValues) {
        if let (Some(id), Some(level), Some(voice)) =
            (self.audio_level, media.audio_level, media.voice_activity)
        {
            // RFC 6464 §3: the level is -127 to 0 dBov, without its sign.
            elements.push(id, &[u8::from(voice) << 7 | (level.unsigned_abs() & 0x7f)]);
        }
        if let (Some(id), Some(time)) = (self.abs_capture_time, &media.abs_capture_time) {
            let captured = wall::ntp(time.capture_time).to_be_bytes();
            match time.clock_offset {
                Some(offset) => {
                    let mut both = [0; 16];
                    let (first, second) = both.split_at_mut(8);
                    first.copy_from_slice(&captured);
                    second.copy_from_slice(&offset.to_be_bytes());
                    elements.push(id, &both);
                }
                None => elements.push(id, &captured),
            }
        }
        if let (Some(id), Some(least), Some(most)) = (
            self.playout_delay,
            media.play_delay_min,
            media.play_delay_max,
        ) {
            let tens_of_ms = |time: str0m::media::MediaTime| {
                let time = time.rebase(str0m::media::Frequency::HUNDREDTHS).numer();
                u32::try_from(time & 0xfff).unwrap_or(0)
            };
            let [_, both @ ..] = (tens_of_ms(least) << 12 | tens_of_ms(most)).to_be_bytes();
            elements.push(id, &both);
        }
    }
}

impl Fields {
    fn to_bytes(self) -> [u8; FIXED] {
        let mut bytes = [0; FIXED];
        let value = u128::from(0x80 | u8::from(self.has_padding) << 5) << 120
            | u128::from(u8::from(self.marker) << 7 | self.payload_type & 0x7f) << 112
            | u128::from(self.sequence) << 96
            | u128::from(self.timestamp) << 64
            | u128::from(self.ssrc) << 32;
        for (byte, value) in bytes.iter_mut().zip(value.to_be_bytes()) {
            *byte = value;
        }
        bytes
    }
}

/// The block of extensions, while it is written.
struct Elements<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    has_long_heads: bool,
}

impl Elements<'_> {
    fn push(&mut self, id: u8, value: &[u8]) {
        if self.out.len() == self.start {
            let kind = if self.has_long_heads {
                LONG_HEADS
            } else {
                SHORT_HEADS
            };
            self.out.extend_from_slice(&kind.to_be_bytes());
            self.out.extend_from_slice(&[0, 0]);
        }
        let length = u8::try_from(value.len()).unwrap_or(u8::MAX);
        if self.has_long_heads {
            self.out.extend_from_slice(&[id, length]);
        } else {
            self.out.push(id << 4 | (length.wrapping_sub(1) & 0xf));
        }
        self.out.extend_from_slice(value);
    }

    /// Pads the block and writes its length. Returns its bytes.
    fn finish(self) -> usize {
        let written = self.out.len() - self.start;
        if written == 0 {
            return 0;
        }
        let padded = written.next_multiple_of(4);
        self.out.resize(self.start + padded, 0);
        let words = u16::try_from(padded / 4 - 1).unwrap_or(u16::MAX);
        if let Some(length) = self.out.get_mut(self.start + 2..self.start + 4) {
            length.copy_from_slice(&words.to_be_bytes());
        }
        padded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(first: u8) -> ExtensionMap {
        let mut map = ExtensionMap::empty();
        let all = [
            Extension::AbsoluteSendTime,
            Extension::TransportSequenceNumber,
            Extension::RtpMid,
        ];
        for (id, extension) in (first..).zip(all) {
            map.set(id, extension);
        }
        map
    }

    const FIELDS: Fields = Fields {
        payload_type: 102,
        marker: true,
        has_padding: false,
        sequence: 0x1234,
        timestamp: 0x0506_0708,
        ssrc: 0x0a0b_0c0d,
    };

    #[test]
    fn header_without_extensions_is_the_fixed_one() {
        let mut out = vec![1, 2];
        let length = Extensions::default().write(&mut out, FIELDS, &Values::default());
        assert_eq!(length, 12);
        assert_eq!(
            out[2..],
            [0x80, 0xe6, 0x12, 0x34, 5, 6, 7, 8, 0x0a, 0x0b, 0x0c, 0x0d]
        );
    }

    #[test]
    fn elements_have_the_heads_that_their_identifiers_need() {
        let values = Values {
            mid: Some(Mid::from("v")),
            abs_send_time: 0x0001_0203,
            transport_sequence: Some(0x0405),
            caption: None,
            media: None,
        };
        let mut short = Vec::new();
        let length = Extensions::new(&map(2)).write(&mut short, FIELDS, &values);
        assert_eq!(length, short.len());
        assert_eq!(short[0], 0x90);
        assert_eq!(
            short[12..],
            [
                0xbe, 0xde, 0, 3, 0x22, 1, 2, 3, 0x31, 4, 5, 0x40, b'v', 0, 0, 0
            ]
        );
        let mut long = Vec::new();
        Extensions::new(&map(14)).write(&mut long, FIELDS, &values);
        assert_eq!(
            long[12..],
            [0x10, 0, 0, 3, 14, 3, 1, 2, 3, 15, 2, 4, 5, 16, 1, b'v']
        );
    }
}
