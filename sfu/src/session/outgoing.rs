//! One track towards a viewer: the payload type it was promised, continuous numbers, the packet.

use std::sync::Arc;
use std::time::Instant;

use str0m::format::CodecSpec;
use str0m::media::{Mid, Pt};
use str0m::rtp::{RtpWrite, Ssrc};

use super::{Link, specs};
use crate::egress::Egress;
use crate::packet::{Packet, Source};
use crate::rewrite::Rewriter;

/// One outgoing track.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) mid: Mid,
    pub(super) ssrc: Ssrc,
    pub(super) rewriter: Rewriter,
    /// Payload type for each source format seen, `None` where the viewer cannot play it.
    types: Vec<(CodecSpec, Option<Pt>)>,
}

/// When a packet belongs, for the viewer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Timing {
    /// By its own timestamp.
    Live,
    /// Part of a replay: this timestamp is now.
    Replayed { timestamp: u32, now: Instant },
}

impl Outgoing {
    pub(super) fn new(mid: Mid, ssrc: Ssrc, clock: u32) -> Self {
        let seed = *ssrc;
        Self {
            mid,
            ssrc,
            rewriter: Rewriter::new(clock, u16::try_from(seed >> 16).unwrap_or(1), seed),
            types: Vec::new(),
        }
    }

    /// Whether a format was tried and found unplayable.
    pub(super) fn cannot_play(&self, format: CodecSpec) -> bool {
        let mut tried = self.types.iter();
        tried.any(|(spec, pt)| *spec == format && pt.is_none())
    }

    /// Sends one packet on. Returns whether it went.
    pub(super) fn write(
        &mut self,
        link: &mut Link,
        egress: &mut impl Egress,
        packet: &Packet,
        spec: CodecSpec,
        timing: Timing,
    ) -> bool {
        let Some(pt) = self.payload_type(link, spec) else {
            return false;
        };
        let (rewritten, wallclock) = match timing {
            Timing::Live => (self.rewriter.rewrite(packet), packet.wallclock),
            Timing::Replayed { timestamp, now } => {
                (self.rewriter.rewrite_at(packet, timestamp, now), now)
            }
        };
        let Some(rewritten) = rewritten else {
            return false;
        };
        let is_video = packet.source != Source::Audio;
        let mut write = RtpWrite::new(
            pt,
            rewritten.seq.into(),
            rewritten.timestamp,
            wallclock,
            Arc::clone(&packet.payload),
        )
        .marker(packet.marker)
        .nackable(is_video)
        .ext_vals(packet.extensions.clone());
        if let (Some(vp8), Some(picture_id)) = (&packet.vp8, rewritten.picture_id) {
            let mut patch = vp8.patch().picture_id(picture_id);
            if let Some(tl0) = rewritten.tl0_pic_idx {
                patch = patch.tl0_pic_idx(tl0);
            }
            // A 7 bit picture id that cannot hold ours stays as it was.
            if let Ok(patch) = patch.build() {
                write = write.vp8_patch(patch);
            }
        }
        egress.forward(&mut link.rtc, self.ssrc, write);
        true
    }

    fn payload_type(&mut self, link: &Link, spec: CodecSpec) -> Option<Pt> {
        if let Some((_, pt)) = self.types.iter().find(|(known, _)| *known == spec) {
            return *pt;
        }
        let pt = self.find_payload_type(link, spec);
        self.types.push((spec, pt));
        pt
    }

    /// The viewer's payload type for a format. Any profile will do when the very one is not offered, and
    /// then the one that is preferred: what a publisher announces is not what it sends (OBS always says
    /// 42e01f), and decoders go by the bit stream.
    pub(super) fn find_payload_type(&self, link: &Link, spec: CodecSpec) -> Option<Pt> {
        let remote = link.rtc.media(self.mid)?.remote_pts();
        link.rtc
            .codec_config()
            .params()
            .iter()
            // Of equals the last is taken.
            .rev()
            .filter(|p| remote.contains(&p.pt()) && p.spec().codec == spec.codec)
            .max_by_key(|p| {
                let found = p.spec();
                let mode = found.format.packetization_mode == spec.format.packetization_mode;
                (mode, specs::profile(&found) == specs::profile(&spec))
            })
            .map(|p| p.pt())
    }
}
