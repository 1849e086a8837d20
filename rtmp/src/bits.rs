//! Reads bit fields, most significant bit first, from bytes that may end anywhere.

/// Cursor over the bits of a slice. Every read answers `None` past the end.
pub(crate) struct BitReader<'a> {
    rest: &'a [u8],
    byte: u8,
    bits_left: u32,
    /// Zero bytes right before `rest`, counted to find emulation prevention.
    zeros: u32,
    is_escaped: bool,
}

impl<'a> BitReader<'a> {
    /// Reads the bytes as they are.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            byte: 0,
            bits_left: 0,
            zeros: 0,
            is_escaped: false,
        }
    }

    /// Reads the RBSP inside a NAL unit: passes over `emulation_prevention_three_byte` (H.264
    /// §7.3.1).
    pub(crate) fn rbsp(bytes: &'a [u8]) -> Self {
        Self {
            is_escaped: true,
            ..Self::new(bytes)
        }
    }

    pub(crate) fn bit(&mut self) -> Option<bool> {
        if self.bits_left == 0 {
            self.byte = self.next_byte()?;
            self.bits_left = u8::BITS;
        }
        self.bits_left = self.bits_left.saturating_sub(1);
        Some(self.byte >> self.bits_left & 1 == 1)
    }

    /// A field of at most 32 bits.
    pub(crate) fn bits(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            value = value << 1 | u32::from(self.bit()?);
        }
        Some(value)
    }

    /// Unsigned Exp-Golomb code `ue(v)` below 2^32 - 1 (H.264 §9.1).
    pub(crate) fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0_u32;
        while !self.bit()? {
            zeros = zeros.saturating_add(1);
            if zeros == u32::BITS {
                return None;
            }
        }
        let base = (1_u32 << zeros).checked_sub(1)?;
        base.checked_add(self.bits(zeros)?)
    }

    fn next_byte(&mut self) -> Option<u8> {
        let mut byte = self.take_byte()?;
        if self.is_escaped && self.zeros >= 2 && byte == EMULATION_PREVENTION {
            self.zeros = 0;
            byte = self.take_byte()?;
        }
        self.zeros = match byte {
            0 => self.zeros.saturating_add(1),
            _ => 0,
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
    use super::*;

    #[test]
    fn emulation_prevention_is_passed_over_in_an_rbsp_only() {
        let bytes = [0, 0, 3, 1, 0, 0, 3, 0, 0, 3];
        let read =
            |mut bits: BitReader| -> Vec<u32> { std::iter::from_fn(|| bits.bits(8)).collect() };
        assert_eq!(read(BitReader::new(&bytes)), bytes.map(u32::from));
        assert_eq!(read(BitReader::rbsp(&bytes)), [0, 0, 1, 0, 0, 0, 0]);
    }

    #[test]
    fn exp_golomb_codes_are_read_up_to_their_longest() {
        let mut bits = BitReader::new(&[0b1010_0110, 0b0100_0000]);
        assert_eq!(
            [bits.ue(), bits.ue(), bits.ue(), bits.ue()],
            [0, 1, 2, 3].map(Some)
        );
        assert_eq!(BitReader::new(&[0, 0, 0, 0, 0xff, 0xff]).ue(), None);
        let longest = BitReader::new(&[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]).ue();
        assert_eq!(longest, Some(u32::MAX - 1));
    }
}
