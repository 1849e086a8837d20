//! AAC frames with headers of their own, so that each says how it is to be decoded.

use bytes::{BufMut as _, Bytes, BytesMut};

/// What all headers of a stream have in common (ISO/IEC 14496-3 §1.A.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Adts {
    /// Audio object type less one.
    profile: u8,
    /// Index of the sampling rate.
    rate: u8,
    channels: u8,
}

/// Audio object types of which the core's configuration follows (table 1.17).
const SBR: u32 = 5;
const PS: u32 = 29;
const HEADER: usize = 7;

impl Adts {
    /// Of an `AudioSpecificConfig` (§1.6.2.1); none where headers cannot say it.
    pub(super) fn of(config: &[u8]) -> Option<Self> {
        // What is not there reads as zero.
        let mut head = [0; 8];
        head.iter_mut()
            .zip(config)
            .for_each(|(to, from)| *to = *from);
        let mut bits = u64::from_be_bytes(head);
        let mut read = |count: u32| {
            let value = u32::try_from(bits >> (64 - count)).unwrap_or_default();
            bits <<= count;
            value
        };
        let mut object_type = read(5);
        let (rate, channels) = (read(4), read(4));
        if matches!(object_type, SBR | PS) {
            if read(4) == 15 {
                read(24);
            }
            object_type = read(5);
        }
        let is_possible =
            (1..=4).contains(&object_type) && rate < 13 && (1..=7).contains(&channels);
        is_possible.then_some(())?;
        Some(Self {
            profile: u8::try_from(object_type - 1).ok()?,
            rate: u8::try_from(rate).ok()?,
            channels: u8::try_from(channels).ok()?,
        })
    }

    /// A frame with its header; none if it is empty, or too long for one.
    pub(super) fn frame(self, frame: &[u8]) -> Option<Bytes> {
        let length = u16::try_from(frame.len() + HEADER).ok();
        let length = length.filter(|length| *length < 1 << 13 && !frame.is_empty())?;
        let [high, low] = (length << 3).to_be_bytes();
        let mut bytes = BytesMut::with_capacity(HEADER + frame.len());
        bytes.put_slice(&[
            0xff,
            0xf1,
            self.profile << 6 | self.rate << 2 | self.channels >> 2,
            self.channels << 6 | high >> 6,
            (length >> 3).to_be_bytes()[1],
            low << 2 & 0xe0 | 0x1f,
            0xfc,
        ]);
        bytes.put_slice(frame);
        Some(bytes.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_say_what_the_configuration_said() {
        // AAC-LC, 44.1 kHz, stereo, as ffmpeg writes both.
        let adts = Adts::of(&[0x12, 0x10]).unwrap();
        let frame = adts.frame(&[1; 100]).unwrap();
        assert_eq!(frame[..7], [0xff, 0xf1, 0x50, 0x80, 0x0d, 0x7f, 0xfc]);
        assert_eq!(frame.len(), 107);
        for length in [1, 248, 249, 400, 2_040, 2_041, 8_184] {
            let frame = adts.frame(&vec![1; length]).unwrap();
            let told = u32::from_be_bytes([0, frame[3] & 3, frame[4], frame[5] & 0xe0]) >> 5;
            assert_eq!(usize::try_from(told), Ok(length + HEADER));
            assert_eq!(frame[3] & 0xfc, 0x80, "channels");
        }
        // HE-AAC: the core's rate.
        let adts = Adts::of(&[0x2b, 0x92, 0x08, 0x00]).unwrap();
        assert_eq!((adts.profile, adts.rate, adts.channels), (1, 7, 2));
        assert_eq!(Adts::of(&[0x10, 0x00]), None, "channels elsewhere");
        assert_eq!(Adts::of(&[]), None);
        assert_eq!(adts.frame(&vec![0; 9_000]), None);
    }
}
