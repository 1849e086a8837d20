//! A picture that nobody promised anything of, cut into payloads.

use std::sync::Arc;

use bytes::Bytes;
use str0m::rtp::ExtensionValues;

use super::tap::{LAYERS, layout};
use super::{CODECS, base};
use crate::ids::StreamId;
use crate::packet::{Packet, Slice, Source};
use crate::packetise::{self, MOST_PAYLOAD};
use crate::tap::{Portion, Reader, Tapped};
use crate::video::VideoCodec;

/// A picture of the codec that the first byte chooses, cut and put together again.
pub fn packetise(bytes: &[u8]) {
    let Some((choice, unit)) = bytes.split_first() else {
        return;
    };
    let Some(codec) = CODECS.get(usize::from(*choice) % CODECS.len()) else {
        return;
    };
    // What cannot be read stays behind, so that only what came out once must not change.
    if let Some(once) = put_together(*codec, unit) {
        let twice = put_together(*codec, &once);
        assert_eq!(twice, Some(once), "a key frame changes on its way");
    }
}

/// What a tap makes of the payloads: key frames only, as it is the first picture.
fn put_together(codec: VideoCodec, unit: &[u8]) -> Option<Bytes> {
    let layer = LAYERS.iter().position(|known| *known == codec)?;
    let payloads = packetise::packetise(codec, unit);
    let count = payloads.len();
    let arrival = base();
    let packet = |(payload, seq): (Arc<[u8]>, usize)| {
        assert!((1..=MOST_PAYLOAD).contains(&payload.len()));
        Arc::new(Packet {
            source: Source::Video(layer),
            seq: seq as u64,
            timestamp: 1,
            marker: seq == count,
            payload,
            arrival,
            capture_us: None,
            wallclock: arrival,
            starts_keyframe: false,
            discardable: false,
            is_past: false,
            lead: None,
            vp8: None,
            extensions: ExtensionValues::default(),
        })
    };
    let mut reader = Reader::new(arrival);
    let slice = Slice {
        stream: StreamId::from(1),
        epoch: 1,
        layout: Arc::new(layout()),
        packets: payloads.into_iter().zip(1..).map(packet).collect(),
    };
    reader.take_portion(&Portion::Slice(Arc::new(slice)));
    reader.finish();
    std::iter::from_fn(|| reader.next()).find_map(|tapped| match tapped {
        Tapped::Unit(unit) => Some(unit.bytes),
        Tapped::Tracks(_) => None,
    })
}
