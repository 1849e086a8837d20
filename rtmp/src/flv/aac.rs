//! `AudioSpecificConfig` (ISO/IEC 14496-3 §1.6.2.1).

use bytes::Bytes;

use crate::bits::BitReader;

/// How frames of AAC are to be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AacConfig {
    /// The `AudioSpecificConfig` as it came.
    pub config: Bytes,
    /// Samples a second that a decoder gives out.
    pub rate: u32,
    /// Channels that are coded; parametric stereo makes two of one.
    pub channels: u8,
    /// Whether spectral band replication is announced (HE-AAC). A stream may have it without.
    pub sbr: bool,
}

impl AacConfig {
    /// `None` when it is broken.
    pub(super) fn read(config: Bytes) -> Option<Self> {
        let mut bits = BitReader::new(&config);
        let mut object_type = object_type(&mut bits)?;
        let core_rate = rate(&mut bits)?;
        let mut rate = core_rate;
        let mut channels = channels(bits.bits(4)?)?;
        let mut sbr = matches!(object_type, SBR | PS);
        if sbr {
            rate = self::rate(&mut bits)?;
            object_type = self::object_type(&mut bits)?;
        }
        let has_program = channels == 0;
        if has_program {
            channels = program_channels(&mut bits, object_type)?;
        } else if !sbr && let Some(extended) = extension(&mut bits, object_type) {
            (sbr, rate) = (true, extended);
        }
        let is_sane = (1..=8).contains(&channels) && (7_000..=96_000).contains(&rate);
        is_sane.then_some(Self {
            config,
            rate,
            channels,
            sbr,
        })
    }
}

/// `GetAudioObjectType()`.
fn object_type(bits: &mut BitReader<'_>) -> Option<u32> {
    match bits.bits(5)? {
        31 => bits.bits(6)?.checked_add(32),
        object_type => Some(object_type),
    }
}

/// `samplingFrequencyIndex` (table 1.18), or the number itself.
fn rate(bits: &mut BitReader<'_>) -> Option<u32> {
    match bits.bits(4)? {
        15 => bits.bits(24),
        index => RATES.get(usize::try_from(index).ok()?).copied(),
    }
}

/// `channelConfiguration` (table 1.19); 0 if a program configuration tells.
fn channels(configuration: u32) -> Option<u8> {
    match configuration {
        7 | 12 | 14 => Some(8),
        11 => Some(7),
        0..=6 => u8::try_from(configuration).ok(),
        _ => None,
    }
}

/// `GASpecificConfig()` up to a program configuration.
fn general_audio(bits: &mut BitReader<'_>, object_type: u32) -> Option<()> {
    if !matches!(object_type, 1..=4) {
        return None;
    }
    bits.bits(1)?; // frameLengthFlag
    if bits.bit()? {
        bits.bits(14)?; // coreCoderDelay
    }
    bits.bits(1)?; // extensionFlag
    Some(())
}

/// `program_config_element()` (§4.4.1.1), as far as its channels.
fn program_channels(bits: &mut BitReader<'_>, object_type: u32) -> Option<u8> {
    general_audio(bits, object_type)?;
    bits.bits(10)?; // element_instance_tag, object_type, sampling_frequency_index
    let (front, side, back) = (bits.bits(4)?, bits.bits(4)?, bits.bits(4)?);
    let (lfe, _data, _coupling) = (bits.bits(2)?, bits.bits(3)?, bits.bits(4)?);
    for mixdown_bits in [4, 4, 3] {
        if bits.bit()? {
            bits.bits(mixdown_bits)?;
        }
    }
    let mut channels = lfe;
    for _ in 0..front.checked_add(side)?.checked_add(back)? {
        let is_pair = bits.bit()?;
        bits.bits(4)?; // element_tag_select
        channels = channels.checked_add(if is_pair { 2 } else { 1 })?;
    }
    u8::try_from(channels).ok()
}

/// The rate of spectral band replication that is announced behind a configuration that older decoders
/// can read.
fn extension(bits: &mut BitReader<'_>, object_type: u32) -> Option<u32> {
    general_audio(bits, object_type)?;
    let is_sbr = bits.bits(11)? == SYNC_EXTENSION && self::object_type(bits)? == SBR;
    (is_sbr && bits.bit()?).then(|| rate(bits))?
}

/// Audio object types (table 1.17).
const SBR: u32 = 5;
const PS: u32 = 29;
/// `syncExtensionType` of spectral band replication.
const SYNC_EXTENSION: u32 = 0x2b7;

const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(config: &'static [u8]) -> Option<(u32, u8, bool)> {
        let read = AacConfig::read(Bytes::from_static(config))?;
        Some((read.rate, read.channels, read.sbr))
    }

    #[test]
    fn rates_channels_and_band_replication_are_read() {
        assert_eq!(read(&[0x12, 0x10]), Some((44_100, 2, false)));
        assert_eq!(read(&[0x12, 0x08]), Some((44_100, 1, false)));
        assert_eq!(read(&[0x11, 0xb0]), Some((48_000, 6, false)));
        // As FFmpeg's encoder writes it: an extension behind, that says there is none.
        assert_eq!(
            read(&[0x11, 0x90, 0x56, 0xe5, 0x00]),
            Some((48_000, 2, false))
        );
        assert_eq!(
            read(&[0x13, 0x90, 0x56, 0xe5, 0xa0]),
            Some((44_100, 2, true))
        );
        // HE-AAC v1 and v2, announced in front.
        assert_eq!(read(&[0x2b, 0x92, 0x08, 0x00]), Some((44_100, 2, true)));
        assert_eq!(read(&[0xeb, 0x8a, 0x08, 0x00]), Some((44_100, 1, true)));
        // The rate as a number of 24 bits.
        assert_eq!(
            read(&[0x17, 0x80, 0x5d, 0xc0, 0x10]),
            Some((48_000, 2, false))
        );
    }

    #[test]
    fn broken_configurations_are_none() {
        for broken in [
            &[][..],
            &[0x12],
            &[0x16, 0x90],
            &[0x12, 0x00],
            &[0x12, 0x48],
        ] {
            assert_eq!(read(broken), None, "{broken:x?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_sane(config in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some(read) = AacConfig::read(config.into()) {
                prop_assert!((1..=8).contains(&read.channels) && read.rate <= 96_000);
            }
        }
    }
}
