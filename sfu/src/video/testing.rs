//! What the tests of all codecs share.

use super::{VideoCodec, inspect};

/// Every codec that [`inspect`] knows.
pub(super) const CODECS: [VideoCodec; 5] = [
    VideoCodec::H264,
    VideoCodec::Vp8,
    VideoCodec::Vp9,
    VideoCodec::Av1,
    VideoCodec::H265,
];

/// Bytes of a hex string; blanks are for the reader.
pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    let byte = |pair: &[u32]| u8::try_from(pair[0] * 16 + pair[1]).unwrap();
    digits.chunks_exact(2).map(byte).collect()
}

/// Reads the payload cut at every length, and with every single bit turned over.
pub(super) fn survives_damage(codec: VideoCodec, payload: &[u8]) {
    for length in 0..payload.len() {
        inspect(codec, &payload[..length]);
    }
    let mut damaged = payload.to_vec();
    for at in 0..payload.len() {
        for bit in 0..8 {
            damaged[at] ^= 1 << bit;
            inspect(codec, &damaged);
            damaged[at] ^= 1 << bit;
        }
    }
}

/// Writes bits, most significant first: for headers that no encoder at hand produces.
#[derive(Default)]
pub(super) struct BitWriter {
    bits: Vec<bool>,
}

impl BitWriter {
    /// Appends the lowest `count` bits of `value`.
    pub(super) fn bits(&mut self, count: u32, value: u32) -> &mut Self {
        let bit = |at: u32| value >> at & 1 == 1;
        self.bits.extend((0..count).rev().map(bit));
        self
    }

    /// Appends an unsigned Exp-Golomb code.
    pub(super) fn ue(&mut self, value: u32) -> &mut Self {
        let zeros = (value + 1).ilog2();
        self.bits(zeros, 0).bits(zeros + 1, value + 1)
    }

    /// Appends a signed Exp-Golomb code.
    pub(super) fn se(&mut self, value: i32) -> &mut Self {
        let sign = u32::from(value > 0);
        self.ue(value.unsigned_abs() * 2 - sign)
    }

    /// What was written, filled up with zero bits, behind `start`.
    pub(super) fn bytes_behind(&self, start: &[u8]) -> Vec<u8> {
        let byte = |bits: &[bool]| {
            let value = bits
                .iter()
                .fold(0, |value, &bit| value << 1 | u8::from(bit));
            value << (8 - bits.len())
        };
        start
            .iter()
            .copied()
            .chain(self.bits.chunks(8).map(byte))
            .collect()
    }
}
