//! H265 in RTP payloads: single NAL units, aggregation packets and fragmentation units (RFC 7798
//! §4.4.1 to §4.4.3), without decoding order numbers, which nobody negotiates with us. They are put
//! together as access units with start codes (ITU-T H.265 annex B). Pure.

use super::nal::{Fragment, Payload, Role, Syntax};
use super::parameter_sets::SetKind;
use crate::video::VideoCodec;

/// How NAL units of H265 are told apart.
#[derive(Debug, Default)]
pub(super) struct H265;

impl Syntax for H265 {
    const CODEC: VideoCodec = VideoCodec::H265;
    const NEEDED_SETS: &[SetKind] = &[SetKind::Video, SetKind::Sequence, SetKind::Picture];

    type Header = [u8; 2];

    fn read(payload: &[u8]) -> Option<Payload<'_, [u8; 2]>> {
        let (&header, rest) = payload.split_first_chunk()?;
        match kind(header) {
            ..AP => Some(Payload::Unit),
            AP => Some(Payload::Aggregate(rest)),
            FU => fragment(header, rest).map(Payload::Fragment),
            _ => None,
        }
    }

    fn split(unit: &[u8]) -> Option<([u8; 2], &[u8])> {
        let (header, body) = unit.split_first_chunk()?;
        Some((*header, body))
    }

    fn role(header: [u8; 2]) -> Role {
        if is_above_base(header) {
            // A decoder of the base layer ignores it.
            return Role::LeftOut;
        }
        match kind(header) {
            kind @ (..=LAST_TRAILING_OR_LEADING | FIRST_IRAP..=LAST_IRAP) => Role::Slice {
                is_keyframe: kind >= FIRST_IRAP,
                is_reference: true,
            },
            VPS => Role::Set(SetKind::Video),
            SPS => Role::Set(SetKind::Sequence),
            PPS => Role::Set(SetKind::Picture),
            DELIMITER | FILLER => Role::LeftOut,
            _ => Role::Other,
        }
    }

    fn is_before_slices(header: [u8; 2]) -> bool {
        matches!(kind(header), VPS..=DELIMITER | PREFIX_SEI) && !is_above_base(header)
    }
}

/// Reads what is behind the payload header, which has the unit's layer and sub-layer.
fn fragment([high, low]: [u8; 2], rest: &[u8]) -> Option<Fragment<'_, [u8; 2]>> {
    let (&fu_header, body) = rest.split_first()?;
    Some(Fragment {
        header: [(high & !TYPE) | (fu_header & FU_TYPE) << 1, low],
        is_start: fu_header & FU_START != 0,
        is_end: fu_header & FU_END != 0,
        body,
    })
}

fn kind([high, _]: [u8; 2]) -> u8 {
    (high & TYPE) >> 1
}

fn is_above_base([high, low]: [u8; 2]) -> bool {
    high & HIGH_LAYER_ID != 0 || low & LOW_LAYER_ID != 0
}

/// Bits of the NAL unit header (RFC 7798 §1.1.4).
const TYPE: u8 = 0x7e;
const HIGH_LAYER_ID: u8 = 0x01;
const LOW_LAYER_ID: u8 = 0xf8;
/// Bits of the FU header (RFC 7798 §4.4.3).
const FU_START: u8 = 0x80;
const FU_END: u8 = 0x40;
const FU_TYPE: u8 = 0x3f;

/// NAL unit types (H.265 table 7-1, RFC 7798 §4.4).
const LAST_TRAILING_OR_LEADING: u8 = 9;
const FIRST_IRAP: u8 = 16;
const LAST_IRAP: u8 = 21;
const VPS: u8 = 32;
const SPS: u8 = 33;
const PPS: u8 = 34;
const DELIMITER: u8 = 35;
const FILLER: u8 = 38;
const PREFIX_SEI: u8 = 39;
const AP: u8 = 48;
const FU: u8 = 49;
