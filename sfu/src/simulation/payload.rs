//! RTP payloads of a frame of which only the beginning is real.

use str0m::format::Codec;

use crate::tap::testing::{AV1_SEQUENCE, H265_SETS};

/// Which payload of which frame. What is not said by bytes of the codec is filled up.
pub(super) struct Part {
    pub(super) codec: Codec,
    pub(super) is_key: bool,
    pub(super) number: usize,
    pub(super) is_last: bool,
    pub(super) bytes: usize,
    pub(super) picture_id: u16,
    /// Sequence parameter set of H264.
    pub(super) sps: &'static [u8],
}

/// How many payloads of a key frame come before its picture.
pub(super) fn sets_of(codec: Codec) -> usize {
    match codec {
        Codec::H265 => H265_SETS.len(),
        _ => 1,
    }
}

impl Part {
    pub(super) fn payload(&self) -> Vec<u8> {
        match self.codec {
            Codec::H265 => self.h265(),
            Codec::Vp8 => self.vp8(),
            Codec::Vp9 => self.vp9(),
            Codec::Av1 => self.av1(),
            _ => self.h264(),
        }
    }

    fn h264(&self) -> Vec<u8> {
        match (self.is_key, self.number) {
            (true, 0) => self.sps.to_vec(),
            (true, _) => vec![0x65; self.bytes],
            (false, _) => vec![0x41; self.bytes],
        }
    }

    /// Single NAL units (RFC 7798 §4.4.1).
    fn h265(&self) -> Vec<u8> {
        let sets = if self.is_key { sets_of(self.codec) } else { 0 };
        if let Some(set) = H265_SETS[..sets].get(self.number) {
            return set.to_vec();
        }
        let header = if self.is_key { 0x26 } else { 0x02 };
        let is_first = self.number == sets;
        self.filled(vec![header, 0x01, u8::from(is_first) << 7 | 0x2f], 0)
    }

    /// With a descriptor, and at first a header of 1280x720 (RFC 7741 §4.2, RFC 6386 §9.1).
    fn vp8(&self) -> Vec<u8> {
        let [high, low] = self.picture_id.to_be_bytes();
        let starts = u8::from(self.number == 0) << 4;
        let mut payload = vec![0x80 | starts, 0x80, 0x80 | high, low];
        let descriptor = payload.len();
        match (self.is_key, self.number) {
            (true, 0) => payload.extend([0xd0, 9, 2, 0x9d, 1, 0x2a, 0, 5, 0xd0, 2]),
            (false, 0) => payload.extend([0x31, 2, 0]),
            _ => {}
        }
        self.filled(payload, descriptor)
    }

    /// With a descriptor, and at first a header of 1280x720 (RFC 9628 §4.2, VP9 §6.2).
    fn vp9(&self) -> Vec<u8> {
        let [high, low] = self.picture_id.to_be_bytes();
        let predicted = u8::from(!self.is_key) << 6;
        let starts = u8::from(self.number == 0) << 3;
        let ends = u8::from(self.is_last) << 2;
        let mut payload = vec![0x80 | predicted | starts | ends, 0x80 | high, low];
        let descriptor = payload.len();
        match (self.is_key, self.number) {
            (true, 0) => payload.extend([0x82, 0x49, 0x83, 0x42, 0, 0x4f, 0xf0, 0x2c, 0xf0]),
            (false, 0) => payload.extend([0x87, 1, 2, 0x4b, 0, 0x1c, 0x12, 0x0e]),
            _ => {}
        }
        self.filled(payload, descriptor)
    }

    /// One OBU: a sequence header, a frame header or tiles (AOM "RTP Payload Format for AV1" §4).
    fn av1(&self) -> Vec<u8> {
        match (self.is_key, self.number) {
            (true, 0) => [&[0x18, 0x08], AV1_SEQUENCE].concat(),
            (true, 1) => self.filled(vec![0x10, 0x18, 0x10], 0),
            (false, 0) => self.filled(vec![0x10, 0x18, 0x30], 0),
            _ => self.filled(vec![0x10, 0x20], 0),
        }
    }

    fn filled(&self, mut payload: Vec<u8>, descriptor: usize) -> Vec<u8> {
        payload.resize(descriptor + self.bytes, 0xee);
        payload
    }
}
