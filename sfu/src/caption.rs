//! [`Caption`]: what a packet from one node to another says of itself, in a header extension
//! (RFC 8285).
//!
//! A track between nodes is a place that layers come to and go from, with publishers that take over
//! from each other. So each packet carries what it is of: no order in which packets arrive, or are
//! lost, makes an edge take one for something else.

use str0m::rtp::{Extension, ExtensionSerializer, ExtensionValues};

/// What the packet is of, and how it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caption {
    /// Counts the publishers of the origin, modulo 256: a new one starts new sources.
    pub(crate) epoch: u8,
    /// Part of a group that was cached, and not live.
    pub(crate) is_past: bool,
    /// Whether the publisher makes key frames when asked.
    pub(crate) answers_pli: Option<bool>,
    /// Whether there is no picture for viewers, because all are shown in another order than they are
    /// decoded.
    pub(crate) is_reordered: bool,
    /// As [`crate::packet::Packet::lead`] has it.
    pub(crate) lead: Option<u32>,
    /// Name of the layer.
    pub(crate) rid: Option<String>,
}

const URI: &str = "urn:x-tallylight:caption";
/// In the highest bits of the first byte; a node that knows another one only cannot be an edge of ours.
const VERSION: u8 = 1;
const PAST: u8 = 1;
const LISTENS: u8 = 2;
const DEAF: u8 = 4;
const REORDERED: u8 = 8;
/// Three bytes of lead stand before the name.
const LEADS: u8 = 16;
/// What an element with a short head holds (RFC 8285 §4.2).
const MOST_BYTES: usize = 16;
const MOST_LEAD: u32 = 0x00ff_ffff;

impl Caption {
    /// As it travels; `None` where the name of the layer is too long.
    pub(crate) fn to_bytes(&self) -> Option<Vec<u8>> {
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        let flags = flag(self.is_past, PAST)
            | flag(self.answers_pli == Some(true), LISTENS)
            | flag(self.answers_pli == Some(false), DEAF)
            | flag(self.is_reordered, REORDERED)
            | flag(self.lead.is_some(), LEADS);
        let mut bytes = vec![VERSION << 5 | flags, self.epoch];
        if let Some(lead) = self.lead {
            let [_, lead @ ..] = lead.min(MOST_LEAD).to_be_bytes();
            bytes.extend_from_slice(&lead);
        }
        bytes.extend_from_slice(self.rid.as_deref().unwrap_or_default().as_bytes());
        (bytes.len() <= MOST_BYTES).then_some(bytes)
    }

    /// The reverse.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let [flags, epoch, rest @ ..] = bytes else {
            return None;
        };
        let (lead, rid) = match rest {
            [high, middle, low, rid @ ..] if flags & LEADS != 0 => {
                (Some(u32::from_be_bytes([0, *high, *middle, *low])), rid)
            }
            _ if flags & LEADS != 0 => return None,
            rid => (None, rid),
        };
        let is_plain = rid.iter().all(u8::is_ascii_graphic) && bytes.len() <= MOST_BYTES;
        if flags >> 5 != VERSION || !is_plain {
            return None;
        }
        let rid = String::from_utf8(rid.to_vec()).ok()?;
        Some(Self {
            epoch: *epoch,
            is_past: flags & PAST != 0,
            answers_pli: match flags & (LISTENS | DEAF) {
                LISTENS => Some(true),
                DEAF => Some(false),
                _ => None,
            },
            is_reordered: flags & REORDERED != 0,
            lead,
            rid: (!rid.is_empty()).then_some(rid),
        })
    }
}

/// As it is negotiated.
pub(crate) fn extension() -> Extension {
    Extension::with_serializer(URI, Serializer)
}

/// For what arrives; the lane writes by itself.
#[derive(Debug)]
struct Serializer;

impl ExtensionSerializer for Serializer {
    fn write_to(&self, _: &mut [u8], _: &ExtensionValues) -> usize {
        0
    }

    fn parse_value(&self, bytes: &[u8], values: &mut ExtensionValues) -> bool {
        let caption = Caption::parse(bytes);
        let is_read = caption.is_some();
        if let Some(caption) = caption {
            values.user_values.set(caption);
        }
        is_read
    }

    fn is_video(&self) -> bool {
        true
    }

    fn is_audio(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn caption_comes_out_as_it_went_in(
            epoch: u8,
            is_past: bool,
            answers_pli: Option<bool>,
            is_reordered: bool,
            lead in proptest::option::of(0..1u32 << 24),
            rid in proptest::option::of("[a-z0-9]{1,11}"),
        ) {
            let caption = Caption { epoch, is_past, answers_pli, is_reordered, lead, rid };
            let bytes = caption.to_bytes().expect("it is short");
            prop_assert_eq!(Caption::parse(&bytes), Some(caption));
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Some(caption) = Caption::parse(&bytes) {
                prop_assert!(caption.to_bytes().is_some());
            }
        }
    }

    #[test]
    fn name_that_is_too_long_is_not_cut() {
        let caption = Caption {
            epoch: 1,
            is_past: false,
            answers_pli: None,
            is_reordered: false,
            lead: None,
            rid: Some("a-name-of-15-by".to_owned()),
        };
        assert_eq!(caption.to_bytes(), None);
    }
}
