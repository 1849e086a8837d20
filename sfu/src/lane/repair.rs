//! Retransmissions: what was sent lately of a picture, and the stream by which it is sent again
//! (RFC 4588).

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::header::{Fields, Values};
use super::numbers::short;
use super::ring::Ring;
use super::srtp::{Ciphers, Claims};
use super::{Lane, Outbound, Picture, renumber};
use crate::egress::TransmitQueue;
use crate::packet::Packet;
use crate::wall;

/// The repair stream of a track, and what it may be asked for.
#[derive(Debug)]
pub(super) struct Repair {
    pub(super) stream: RepairStream,
    sent: Ring<SentPicture>,
}

/// A stream of retransmissions (RFC 4588).
#[derive(Debug)]
pub(super) struct RepairStream {
    pub(super) ssrc: u32,
    claims: Claims,
    pub(super) next: u64,
    /// Payload type that goes with the newest packet's.
    pub(super) payload_type: Option<u8>,
}

/// A picture's packet, as it can be sent again.
#[derive(Debug)]
struct SentPicture {
    packet: Arc<Packet>,
    at: Instant,
    timestamp: u32,
    repair_type: u8,
    picture: Option<Picture>,
    caption: Option<Arc<[u8]>>,
    /// When it was sent again.
    again: Option<Instant>,
}

/// Retransmissions are asked for within this.
const REPAIR_AGE: Duration = Duration::from_secs(1);
const FEWEST_KEPT: usize = 256;
/// What a replay sends in that time.
const MOST_KEPT: usize = 4_096;
/// Share of sent bytes that may be retransmissions.
const REPAIR_SHARE: f64 = 0.3;
/// What was sent again is on its way for half a round trip, which is between these: to be asked for it
/// meanwhile, or many times in one report, is no reason to send it once more.
const REPAIR_PAUSE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));

impl Repair {
    pub(super) fn new(ssrc: u32) -> Self {
        Self {
            stream: RepairStream {
                ssrc,
                claims: Claims::new(),
                next: 1,
                payload_type: None,
            },
            sent: Ring::new(FEWEST_KEPT, MOST_KEPT),
        }
    }

    /// Keeps what was sent.
    pub(super) fn keep(&mut self, now: Instant, sent: &Outbound<'_>) {
        self.stream.payload_type = sent.repair_type;
        let Some(repair_type) = sent.repair_type else {
            return;
        };
        let picture = SentPicture {
            packet: Arc::clone(sent.packet),
            at: now,
            timestamp: sent.timestamp,
            repair_type,
            picture: sent.picture,
            caption: sent.caption.map(Arc::clone),
            again: None,
        };
        self.sent
            .put(sent.index, picture, |old| now < old.at + REPAIR_AGE);
    }
}

impl RepairStream {
    pub(super) fn seal(
        &mut self,
        ciphers: &Ciphers,
        out: &mut Vec<u8>,
        place: (usize, usize),
    ) -> bool {
        let index = self.next;
        self.next += 1;
        ciphers.seal_rtp(&mut self.claims, self.ssrc, index, out, place)
    }
}

impl Lane {
    pub(super) fn send_again(
        &mut self,
        now: Instant,
        track: usize,
        number: u16,
        queue: &mut TransmitQueue,
    ) {
        let (Some(ciphers), Some(path), Some(track)) =
            (&self.ciphers, self.path, self.tracks.get_mut(track))
        else {
            return;
        };
        let index = track.index_of(number);
        let Some(repair) = &mut track.repair else {
            return;
        };
        let Some(sent) = repair.sent.get_mut(index) else {
            return;
        };
        let (least, most) = REPAIR_PAUSE;
        let pause = (self.rtt.unwrap_or_default() / 2).clamp(least, most);
        if sent.again.is_some_and(|at| now < at + pause) {
            return;
        }
        let again = self.repair_bytes.per_second(now);
        let is_too_much = again > REPAIR_SHARE * (again + self.media_bytes.per_second(now));
        if is_too_much || now > sent.at + REPAIR_AGE {
            return;
        }
        let has_number = self.measures && track.extensions.has_transport_sequence();
        let fields = Fields {
            payload_type: sent.repair_type,
            marker: sent.packet.marker,
            has_padding: false,
            sequence: short(repair.stream.next),
            timestamp: sent.timestamp,
            ssrc: repair.stream.ssrc,
        };
        let values = Values {
            mid: Some(track.mid),
            abs_send_time: wall::abs_send_time(now),
            transport_sequence: has_number.then(|| self.log.next()),
            caption: sent.caption.as_deref(),
            media: None,
        };
        let written = queue.write(path, |out| {
            let start = out.len();
            let header = track.extensions.write(out, fields, &values);
            // The number that it had stands in front (RFC 4588 §4).
            out.extend_from_slice(&number.to_be_bytes());
            let payload = out.len();
            out.extend_from_slice(&sent.packet.payload);
            if let Some(picture) = sent.picture {
                renumber(out, payload, picture);
            }
            repair.stream.seal(ciphers, out, (start, header))
        });
        if let Some(bytes) = written {
            sent.again = Some(now);
            self.resent += 1;
            self.repair_bytes.add(now, bytes as u64);
            if has_number {
                self.note_transport(now, bytes);
            }
        }
    }
}
