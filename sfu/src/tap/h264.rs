//! H264 in RTP payloads: single NAL units, STAP-A and FU-A (RFC 6184 §5.6, §5.7.1, §5.8), which are put
//! together as access units with start codes (ITU-T H.264 annex B). Pure.

use super::nal::{Fragment, Payload, Role, Syntax};
use super::parameter_sets::SetKind;
use super::picture::FrameNum;
use crate::video::{self, VideoCodec};

/// How NAL units of H264 are told apart.
#[derive(Debug, Default)]
pub(super) struct H264;

impl Syntax for H264 {
    const CODEC: VideoCodec = VideoCodec::H264;
    const NEEDED_SETS: &[SetKind] = &[SetKind::Sequence];

    type Header = [u8; 1];

    fn read(payload: &[u8]) -> Option<Payload<'_, [u8; 1]>> {
        let (&header, rest) = payload.split_first()?;
        match header & TYPE {
            1..STAP_A => Some(Payload::Unit),
            STAP_A => Some(Payload::Aggregate(rest)),
            FU_A => fragment(header, rest).map(Payload::Fragment),
            _ => None,
        }
    }

    fn split(unit: &[u8]) -> Option<([u8; 1], &[u8])> {
        unit.split_first_chunk()
            .map(|(header, body)| (*header, body))
    }

    fn role([header]: [u8; 1]) -> Role {
        match header & TYPE {
            kind @ 1..=IDR_SLICE => Role::Slice {
                is_keyframe: kind == IDR_SLICE,
                is_reference: header & NAL_REF_IDC != 0,
            },
            SPS => Role::Set(SetKind::Sequence),
            PPS => Role::Set(SetKind::Picture),
            DELIMITER | FILLER => Role::LeftOut,
            _ => Role::Other,
        }
    }

    fn is_before_slices([header]: [u8; 1]) -> bool {
        matches!(header & TYPE, SEI..=DELIMITER)
    }

    fn frame_num(slice: &[u8], sequence: &[u8]) -> Option<FrameNum> {
        let bits = video::frame_num_bits(sequence)?;
        let value = video::frame_num(slice, bits)?;
        Some(FrameNum { value, bits })
    }
}

/// Reads what is behind the FU indicator.
fn fragment(indicator: u8, rest: &[u8]) -> Option<Fragment<'_, [u8; 1]>> {
    let (&fu_header, body) = rest.split_first()?;
    Some(Fragment {
        header: [(indicator & !TYPE) | (fu_header & TYPE)],
        is_start: fu_header & FU_START != 0,
        is_end: fu_header & FU_END != 0,
        body,
    })
}

/// Bits of the NAL unit header (RFC 6184 §1.3).
const TYPE: u8 = 0x1f;
const NAL_REF_IDC: u8 = 0x60;
/// Bits of the FU header (RFC 6184 §5.8).
const FU_START: u8 = 0x80;
const FU_END: u8 = 0x40;

/// NAL unit types (H.264 table 7-1, RFC 6184 table 1).
const IDR_SLICE: u8 = 5;
const SEI: u8 = 6;
const SPS: u8 = 7;
const PPS: u8 = 8;
const DELIMITER: u8 = 9;
const FILLER: u8 = 12;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
