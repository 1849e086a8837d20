//! One track towards a viewer: the payload type it was promised, continuous numbers, the packet.

use std::sync::Arc;
use std::time::Instant;

use str0m::format::CodecSpec;
use str0m::media::{Mid, Pt};

use super::{Link, name_of, specs};
use crate::egress::TransmitQueue;
use crate::lane::{Lane, Outbound, Picture, TrackName};
use crate::packet::{Layout, Packet, Source};
use crate::rewrite::Rewriter;
use crate::stats::SessionStats;

/// One outgoing track.
#[derive(Debug)]
pub(super) struct Outgoing {
    track: usize,
    mid: Mid,
    pub(super) rewriter: Rewriter,
    /// What packets say of themselves, to another node.
    pub(super) caption: Option<Arc<[u8]>>,
    /// Payload type for each source format seen, `None` where the viewer cannot play it.
    types: Vec<(CodecSpec, Option<Types>)>,
    /// The same for each layer of the layout that is followed: comparing formats takes longer than
    /// sealing a packet's header.
    by_layer: Vec<Option<Option<Types>>>,
}

/// Payload types of a format, and of its retransmissions (RFC 4588).
#[derive(Debug, Clone, Copy)]
pub(super) struct Types {
    pub(super) media: Pt,
    repair: Option<Pt>,
}

/// Where packets go, and when.
#[derive(Debug)]
pub(crate) struct Leaving<'a> {
    pub(crate) now: Instant,
    pub(crate) queue: &'a mut TransmitQueue,
}

/// When a packet belongs, for the viewer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Timing {
    /// By its own timestamp.
    Live,
    /// Part of a replay: this timestamp is now.
    Replayed { timestamp: u32 },
}

/// What a lane knows of its connection, loss left out.
pub(super) fn fill(lane: &mut Lane, stats: &mut SessionStats, now: Instant) {
    stats.bitrate = lane.media_rate(now);
    stats.nacks = lane.nacks();
    stats.rtt_ms = lane.rtt().map(|rtt| rtt.as_secs_f64() * 1_000.0);
    if let Some(path) = lane.path() {
        stats.transport = name_of(path.protocol);
    }
}

impl Outgoing {
    /// Its SSRC is a random number as good as any for where sequence numbers and timestamps begin.
    pub(super) fn new(track: TrackName, clock: u32) -> Self {
        let TrackName { number, mid, ssrc } = track;
        Self {
            track: number,
            mid,
            rewriter: Rewriter::new(clock, u16::try_from(ssrc >> 16).unwrap_or(1), ssrc),
            caption: None,
            types: Vec::new(),
            by_layer: Vec::new(),
        }
    }

    /// Which of the lane's tracks it is.
    pub(super) fn number(&self) -> usize {
        self.track
    }

    /// Whether a format was tried and found unplayable.
    pub(super) fn cannot_play(&self, format: CodecSpec) -> bool {
        let mut tried = self.types.iter();
        tried.any(|(spec, types)| *spec == format && types.is_none())
    }

    /// Sends one packet on. Returns whether it went.
    pub(super) fn write(
        &mut self,
        link: &Link,
        lane: &mut Lane,
        leaving: &mut Leaving<'_>,
        packet: &Arc<Packet>,
        spec: &CodecSpec,
        timing: Timing,
    ) -> bool {
        let Some(types) = self.payload_types(link, packet.source, spec) else {
            return false;
        };
        let (rewritten, wallclock) = match timing {
            Timing::Live => (self.rewriter.rewrite(packet), packet.wallclock),
            Timing::Replayed { timestamp } => (
                (self.rewriter).rewrite_at(packet, timestamp, leaving.now),
                leaving.now,
            ),
        };
        let Some(rewritten) = rewritten else {
            return false;
        };
        let outbound = Outbound {
            track: self.track,
            packet,
            payload_type: *types.media,
            repair_type: types.repair.map(|repair| *repair),
            index: rewritten.seq,
            timestamp: rewritten.timestamp,
            wallclock,
            caption: self.caption.as_ref(),
            picture: rewritten.picture_id.map(|id| Picture {
                id,
                tl0: rewritten.tl0_pic_idx,
            }),
        };
        lane.send(leaving.now, leaving.queue, &outbound)
    }

    /// Sends a packet of sound on, of which there is one layer. Returns whether it went.
    pub(super) fn write_sound(
        &mut self,
        link: &Link,
        lane: &mut Lane,
        leaving: &mut Leaving<'_>,
        packet: &Arc<Packet>,
        layout: &Layout,
    ) -> bool {
        let Some(spec) = &layout.audio else {
            return false;
        };
        if !self.rewriter.has_source() {
            self.rewriter.switch(packet);
        }
        self.write(link, lane, leaving, packet, spec, Timing::Live)
    }

    /// The layers may be others from now on.
    pub(super) fn forget_layers(&mut self) {
        self.by_layer.clear();
    }

    /// Of a layer with this format; sound has one layer.
    fn payload_types(&mut self, link: &Link, source: Source, spec: &CodecSpec) -> Option<Types> {
        let layer = match source {
            Source::Audio => 0,
            Source::Video(layer) => layer,
        };
        if let Some(Some(types)) = self.by_layer.get(layer) {
            return *types;
        }
        let types = self.types_of(link, *spec);
        if self.by_layer.len() <= layer {
            self.by_layer.resize(layer + 1, None);
        }
        if let Some(place) = self.by_layer.get_mut(layer) {
            *place = Some(types);
        }
        types
    }

    fn types_of(&mut self, link: &Link, spec: CodecSpec) -> Option<Types> {
        if let Some((_, types)) = self.types.iter().find(|(known, _)| *known == spec) {
            return *types;
        }
        let types = self.find_payload_types(link, spec);
        self.types.push((spec, types));
        types
    }

    /// The viewer's payload type for a format. Any profile will do when the very one is not offered, and
    /// then the one that is preferred: what a publisher announces is not what it sends (OBS always says
    /// 42e01f), and decoders go by the bit stream.
    pub(super) fn find_payload_types(&self, link: &Link, spec: CodecSpec) -> Option<Types> {
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
            .map(|p| Types {
                media: p.pt(),
                repair: p.resend(),
            })
    }
}
