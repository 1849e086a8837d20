//! One outgoing track: its SSRC, its retransmissions, and what is to be reported of it.

use std::time::Instant;

use str0m::Rtc;
use str0m::media::{MediaKind, Mid};

use super::header::Extensions;
use super::numbers::extended;
use super::repair::Repair;
use super::srtp::Claims;
use super::{Outbound, rtcp};
use crate::packet::{AUDIO_CLOCK, VIDEO_CLOCK};
use crate::ranks::MediaTotals;
use crate::wall;

/// What one SSRC carries, and its repair stream.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) kind: MediaKind,
    pub(super) mid: Mid,
    pub(super) ssrc: u32,
    pub(super) claims: Claims,
    /// Of pictures.
    pub(super) repair: Option<Repair>,
    pub(super) extensions: Extensions,
    pub(super) clock: u32,
    pub(super) packets: u32,
    pub(super) octets: u32,
    /// Timestamp of the newest packet, and when it was captured.
    pub(super) newest: Option<(u32, Instant)>,
    pub(super) newest_index: u64,
    /// Whether the peer knows which track the SSRC is of.
    pub(super) is_known: bool,
    pub(super) reported_loss: Option<f32>,
    /// Packets that the peer told it missed.
    pub(super) gone: i32,
    /// Of `packets`, `octets` and `gone`, what was taken note of.
    pub(super) counted: (u32, u32, i32),
}

impl Track {
    /// Takes the outgoing stream of a track from str0m, which never sends on it.
    pub(super) fn take_over(rtc: &mut Rtc, mid: Mid) -> Option<Self> {
        let media = rtc.media(mid)?;
        let (kind, extensions) = (media.kind(), Extensions::new(media.remote_extmap()));
        let mut direct = rtc.direct_api();
        let stream = direct.stream_tx_by_mid(mid, None)?;
        let (ssrc, repair) = (stream.ssrc(), stream.rtx());
        direct.remove_stream_tx(ssrc);
        let repair = repair.filter(|_| kind == MediaKind::Video);
        Some(Self {
            kind,
            mid,
            ssrc: *ssrc,
            claims: Claims::new(),
            repair: repair.map(|ssrc| Repair::new(*ssrc)),
            extensions,
            clock: match kind {
                MediaKind::Audio => AUDIO_CLOCK,
                MediaKind::Video => VIDEO_CLOCK,
            },
            packets: 0,
            octets: 0,
            newest: None,
            newest_index: 0,
            is_known: false,
            reported_loss: None,
            gone: 0,
            counted: (0, 0, 0),
        })
    }

    pub(super) fn is_video(&self) -> bool {
        self.kind == MediaKind::Video
    }

    pub(super) fn note(&mut self, now: Instant, sent: &Outbound<'_>) {
        self.packets = self.packets.wrapping_add(1);
        let octets = u32::try_from(sent.packet.payload.len()).unwrap_or(0);
        self.octets = self.octets.wrapping_add(octets);
        self.newest = Some((sent.timestamp, sent.wallclock));
        self.newest_index = self.newest_index.max(sent.index);
        if let Some(repair) = &mut self.repair {
            repair.keep(now, sent);
        }
    }

    /// What is new since the last call. Nobody misses more than was sent.
    pub(super) fn take_sent(&mut self) -> MediaTotals {
        let (packets, octets, gone) = self.counted;
        self.counted = (self.packets, self.octets, self.gone);
        let packets = self.packets.wrapping_sub(packets);
        let lost = u32::try_from(self.gone.saturating_sub(gone)).unwrap_or(0);
        MediaTotals {
            bytes: self.octets.wrapping_sub(octets).into(),
            packets: packets.into(),
            lost: lost.min(packets).into(),
        }
    }

    /// The index that a number of a report stands for.
    pub(super) fn index_of(&self, number: u16) -> u64 {
        extended(self.newest_index, number)
    }

    /// What is to be reported; `None` while nothing was sent.
    pub(super) fn report(&self, now: Instant) -> Option<rtcp::Sent> {
        let (timestamp, captured) = self.newest?;
        let since = now.saturating_duration_since(captured);
        let ticks = since.as_nanos() * u128::from(self.clock) / 1_000_000_000;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "RTP timestamps are modulo 2^32"
        )]
        let ticks = ticks as u32;
        Some(rtcp::Sent {
            ssrc: self.ssrc,
            ntp: wall::ntp_at(now),
            timestamp: timestamp.wrapping_add(ticks),
            packets: self.packets,
            octets: self.octets,
        })
    }
}
