//! Reads bit fields, most significant bit first, from bytes that may end anywhere.
//!
//! Every read answers `None` past the end, and each costs at most the bits it takes.

/// Cursor over the bits of a slice.
pub(super) struct BitReader<'a> {
    rest: &'a [u8],
    byte: u8,
    bits_left: u32,
    /// Zero bytes right before `rest`, counted to find emulation prevention.
    zeros: u32,
    is_escaped: bool,
}

impl<'a> BitReader<'a> {
    /// Reads the bytes as they are.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            byte: 0,
            bits_left: 0,
            zeros: 0,
            is_escaped: false,
        }
    }

    /// Reads the RBSP inside a NAL unit: passes over `emulation_prevention_three_byte`
    /// (H.264 §7.3.1, H.265 §7.3.1.1).
    pub(super) fn rbsp(bytes: &'a [u8]) -> Self {
        Self {
            is_escaped: true,
            ..Self::new(bytes)
        }
    }

    /// One bit: `f(1)`, `u(1)`.
    pub(super) fn bit(&mut self) -> Option<bool> {
        if self.bits_left == 0 {
            self.byte = self.next_byte()?;
            self.bits_left = u8::BITS;
        }
        self.bits_left = self.bits_left.saturating_sub(1);
        Some(self.byte >> self.bits_left & 1 == 1)
    }

    /// A field of at most 32 bits: `f(n)`, `u(n)`.
    pub(super) fn bits(&mut self, count: u32) -> Option<u32> {
        debug_assert!(count <= u32::BITS, "no field is longer than 32 bits");
        let mut value = 0;
        for _ in 0..count {
            value = value << 1 | u32::from(self.bit()?);
        }
        Some(value)
    }

    /// Passes over `count` bits.
    pub(super) fn skip(&mut self, count: u32) -> Option<()> {
        for _ in 0..count {
            self.bit()?;
        }
        Some(())
    }

    /// The bytes behind the one that is being read.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Unsigned Exp-Golomb code `ue(v)` below 2^32 - 1 (H.264 §9.1, H.265 §9.2). AV1 writes `uvlc()`
    /// the same way (AV1 §4.10.3).
    pub(super) fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros == u32::BITS {
                return None;
            }
        }
        let base = (1_u32 << zeros).checked_sub(1)?;
        base.checked_add(self.bits(zeros)?)
    }

    /// Signed Exp-Golomb code `se(v)` (H.264 §9.1.1).
    pub(super) fn se(&mut self) -> Option<i64> {
        let code = i64::from(self.ue()?);
        let magnitude = code.checked_add(1)? / 2;
        Some(if code % 2 == 1 { magnitude } else { -magnitude })
    }

    fn next_byte(&mut self) -> Option<u8> {
        let mut byte = self.take_byte()?;
        if self.is_escaped && self.zeros >= 2 && byte == EMULATION_PREVENTION {
            self.zeros = 0;
            byte = self.take_byte()?;
        }
        self.zeros = if byte == 0 {
            self.zeros.saturating_add(1)
        } else {
            0
        };
        Some(byte)
    }

    fn take_byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }
}

/// Stands after two zero bytes of a NAL unit wherever a start code could be read (H.264 §7.4.1.1).
const EMULATION_PREVENTION: u8 = 3;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::BitWriter;
    use super::*;

    #[test]
    fn fields_cross_bytes() {
        let mut bits = BitReader::new(&[0b1010_0000, 0b0111_1111]);
        assert_eq!(bits.bits(3), Some(0b101));
        assert_eq!(bits.skip(5), Some(()));
        assert_eq!(bits.bits(8), Some(0x7f));
        assert_eq!(bits.bit(), None);
    }

    #[test]
    fn emulation_prevention_is_passed_over_in_an_rbsp_only() {
        let bytes = [0, 0, 3, 1, 0, 0, 3, 0, 0, 3];
        let read =
            |mut bits: BitReader| -> Vec<u32> { std::iter::from_fn(|| bits.bits(8)).collect() };
        assert_eq!(read(BitReader::new(&bytes)), bytes.map(u32::from));
        assert_eq!(read(BitReader::rbsp(&bytes)), [0, 0, 1, 0, 0, 0, 0]);
    }

    #[test]
    fn exp_golomb_codes_that_are_too_long_are_refused() {
        assert_eq!(
            BitReader::new(&[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]).ue(),
            None
        );
        let longest = BitReader::new(&[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]).ue();
        assert_eq!(longest, Some(u32::MAX - 1));
    }

    proptest! {
        #[test]
        fn exp_golomb_codes_survive_the_round_trip(value in 0..u32::MAX / 2, signed in -9999..9999) {
            let mut written = BitWriter::default();
            let bytes = written.ue(value).se(signed).bytes_behind(&[]);
            let mut bits = BitReader::new(&bytes);
            prop_assert_eq!(bits.ue(), Some(value));
            prop_assert_eq!(bits.se(), Some(i64::from(signed)));
        }
    }
}
