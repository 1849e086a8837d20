//! One continuous RTP stream towards a viewer, out of sources that come and go.
//!
//! Pure: packets in, header fields out. A source is one layer of one publisher. Within a source the
//! sequence numbers keep their distances, so that packets lost upstream stay visible as gaps until
//! they come; at a switch the numbers go on at the next one. VP8 picture ids (RFC 7741 §4.2) go on
//! likewise. Timestamps go on by capture time where both sources have sender reports, else by
//! arrival.

use std::time::{Duration, Instant};

use crate::packet::Packet;

/// What a rewritten packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rewritten {
    /// Extended sequence number, below 32,768 at the start (RFC 3711 §3.3.1).
    pub(crate) seq: u64,
    pub(crate) timestamp: u32,
    /// VP8 picture id, where the source has one.
    pub(crate) picture_id: Option<u16>,
    /// VP8 TL0PICIDX, where the source has one.
    pub(crate) tl0_pic_idx: Option<u8>,
}

/// Rewrites the packets of one outgoing track.
#[derive(Debug)]
pub(crate) struct Rewriter {
    clock: u32,
    next_seq: u64,
    first_timestamp: u32,
    mapping: Option<Mapping>,
    newest: Option<Newest>,
}

/// How the current source is mapped: added, with wrap-around, to its own fields.
#[derive(Debug, Clone, Copy)]
struct Mapping {
    first_in: u64,
    first_out: u64,
    /// Packets before this one are too late: a packet behind them was skipped.
    floor: u64,
    timestamp: u32,
    picture_id: u16,
    tl0_pic_idx: u8,
    /// Picture id, as it came, of the frame that was skipped last.
    skipped: Option<u16>,
}

/// The newest packet that was sent.
#[derive(Debug, Clone, Copy)]
struct Newest {
    timestamp_out: u32,
    arrival: Instant,
    capture_us: Option<i64>,
    picture_id: u16,
    tl0_pic_idx: u8,
}

/// A switch moves time by no more than this; more is a clock that jumped.
const MOST_STEP: Duration = Duration::from_secs(60);
const PICTURE_ID_MASK: u16 = 0x7fff;

impl Rewriter {
    /// A rewriter for an RTP clock of `clock` Hz that starts at the given numbers.
    pub(crate) fn new(clock: u32, first_seq: u16, first_timestamp: u32) -> Self {
        Self {
            clock,
            next_seq: u64::from(first_seq & 0x7fff).max(1),
            first_timestamp,
            mapping: None,
            newest: None,
        }
    }

    #[cfg(test)]
    pub(crate) fn begin_at(&mut self, seq: u64) {
        self.next_seq = seq;
    }

    /// Makes `first` the first packet of a new source: it follows what was sent before.
    pub(crate) fn switch(&mut self, first: &Packet) {
        let timestamp_out = match &self.newest {
            None => self.first_timestamp,
            Some(newest) => newest.timestamp_out.wrapping_add(self.step(newest, first)),
        };
        let (picture_id, tl0_pic_idx) = self.newest.map_or((0, 0), |newest| {
            (
                newest.picture_id.wrapping_add(1),
                newest.tl0_pic_idx.wrapping_add(1),
            )
        });
        let vp8 = first.vp8.as_ref();
        let picture_in = vp8.and_then(|vp8| vp8.picture_id()).unwrap_or(0);
        let tl0_in = vp8.and_then(|vp8| vp8.tl0_pic_idx()).unwrap_or(0);
        self.mapping = Some(Mapping {
            first_in: first.seq,
            first_out: self.next_seq,
            floor: first.seq,
            timestamp: timestamp_out.wrapping_sub(first.timestamp),
            picture_id: picture_id.wrapping_sub(picture_in),
            tl0_pic_idx: tl0_pic_idx.wrapping_sub(tl0_in),
            skipped: None,
        });
    }

    /// Whether a source is set.
    pub(crate) fn has_source(&self) -> bool {
        self.mapping.is_some()
    }

    /// Whether a packet of the current source comes from before its first, and so has no number.
    pub(crate) fn is_before_source(&self, packet: &Packet) -> bool {
        (self.mapping).is_some_and(|mapping| packet.seq < mapping.first_in.min(mapping.floor))
    }

    /// The source is gone, and with it its capture clock; packets are refused until the next switch.
    pub(crate) fn end_source(&mut self) {
        self.mapping = None;
        if let Some(newest) = &mut self.newest {
            newest.capture_us = None;
        }
    }

    /// The outgoing timestamp of a packet of the current source.
    pub(crate) fn timestamp_of(&self, packet: &Packet) -> u32 {
        let offset = self.mapping.map_or(0, |mapping| mapping.timestamp);
        packet.timestamp.wrapping_add(offset)
    }

    /// Rewrites a packet of the current source; `None` for one from before the switch.
    pub(crate) fn rewrite(&mut self, packet: &Packet) -> Option<Rewritten> {
        self.put(packet, packet.arrival, packet.capture_us)
    }

    /// Rewrites a packet that counts as having come at `arrival`.
    fn put(
        &mut self,
        packet: &Packet,
        arrival: Instant,
        capture_us: Option<i64>,
    ) -> Option<Rewritten> {
        let mapping = self.mapping.as_mut()?;
        if packet.seq < mapping.floor {
            return None;
        }
        if mapping.skipped.is_some() && mapping.skipped == picture_id_of(packet) {
            // A frame that could be skipped in part only takes its picture id back.
            mapping.picture_id = mapping.picture_id.wrapping_add(1);
            mapping.skipped = None;
        }
        let ahead = packet.seq.checked_sub(mapping.first_in)?;
        let rewritten = Rewritten {
            seq: mapping.first_out + ahead,
            timestamp: packet.timestamp.wrapping_add(mapping.timestamp),
            picture_id: packet.vp8.as_ref().and_then(|vp8| {
                Some(vp8.picture_id()?.wrapping_add(mapping.picture_id) & PICTURE_ID_MASK)
            }),
            tl0_pic_idx: packet
                .vp8
                .as_ref()
                .and_then(|vp8| Some(vp8.tl0_pic_idx()?.wrapping_add(mapping.tl0_pic_idx))),
        };
        if rewritten.seq >= self.next_seq {
            self.next_seq = rewritten.seq + 1;
            self.newest = Some(Newest {
                timestamp_out: rewritten.timestamp,
                arrival,
                capture_us,
                picture_id: rewritten.picture_id.unwrap_or(0),
                tl0_pic_idx: rewritten.tl0_pic_idx.unwrap_or(0),
            });
        }
        Some(rewritten)
    }

    /// Rewrites a packet with a timestamp of the caller's, which is `now`; what follows goes on from
    /// there.
    ///
    /// A group that is sent faster than it was filmed gets timestamps as close as its packets, so
    /// that the player shows it at once and is at the live edge at its end.
    pub(crate) fn rewrite_at(
        &mut self,
        packet: &Packet,
        timestamp: u32,
        now: Instant,
    ) -> Option<Rewritten> {
        let mapping = self.mapping.as_mut()?;
        mapping.timestamp = timestamp.wrapping_sub(packet.timestamp);
        self.put(packet, now, None)
    }

    /// Leaves out a packet of the current source without leaving a gap, in picture ids neither.
    /// Returns false, and skips nothing, when packets behind it or a part of its frame have gone out
    /// already.
    pub(crate) fn skip(&mut self, packet: &Packet) -> bool {
        let Some(mapping) = &mut self.mapping else {
            return false;
        };
        let expected = mapping.first_in + (self.next_seq - mapping.first_out);
        let timestamp = packet.timestamp.wrapping_add(mapping.timestamp);
        let is_begun = (self.newest).is_some_and(|newest| newest.timestamp_out == timestamp);
        if packet.seq != expected || is_begun {
            return false;
        }
        let picture_id = picture_id_of(packet);
        if picture_id.is_some() && mapping.skipped != picture_id {
            mapping.picture_id = mapping.picture_id.wrapping_sub(1);
            mapping.skipped = picture_id;
        }
        mapping.first_in += 1;
        mapping.floor = packet.seq + 1;
        true
    }

    /// RTP ticks from the newest packet to the first of the next source, at least one.
    fn step(&self, newest: &Newest, first: &Packet) -> u32 {
        let by_capture = newest
            .capture_us
            .zip(first.capture_us)
            .and_then(|(before, after)| u64::try_from(after - before).ok())
            .map(Duration::from_micros)
            .filter(|step| *step < MOST_STEP);
        let step = by_capture
            .unwrap_or_else(|| first.arrival.saturating_duration_since(newest.arrival))
            .min(MOST_STEP);
        let ticks = step.as_micros() * u128::from(self.clock) / 1_000_000;
        u32::try_from(ticks).unwrap_or(u32::MAX).max(1)
    }
}

fn picture_id_of(packet: &Packet) -> Option<u16> {
    packet.vp8.as_ref()?.picture_id()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use str0m::rtp::{ExtensionValues, Vp8Descriptor};

    use super::*;
    use crate::packet::{Source, VIDEO_CLOCK};

    fn packet(base: Instant, seq: u64, timestamp: u32, at_ms: u64) -> Packet {
        let arrival = base + Duration::from_millis(at_ms);
        Packet {
            source: Source::Video(0),
            seq,
            timestamp,
            marker: false,
            payload: Arc::from([0u8; 4]),
            arrival,
            capture_us: None,
            wallclock: arrival,
            starts_keyframe: false,
            discardable: false,
            is_past: false,
            lead: None,
            vp8: None,
            extensions: ExtensionValues::default(),
        }
    }

    fn vp8(picture_id: u16, tl0: u8) -> Vp8Descriptor {
        let [high, low] = picture_id.to_be_bytes();
        Vp8Descriptor::parse(&[0x90, 0xe0, high | 0x80, low, tl0, 0, 0]).expect("a descriptor")
    }

    #[expect(clippy::disallowed_methods, reason = "a base for virtual time")]
    fn base() -> Instant {
        Instant::now()
    }

    #[test]
    fn first_packet_starts_below_the_rollover() {
        let mut rewriter = Rewriter::new(VIDEO_CLOCK, u16::MAX, 7);
        let first = packet(base(), 900_000, 1234, 0);
        rewriter.switch(&first);
        let out = rewriter.rewrite(&first).expect("it is of the source");
        assert_eq!(out.seq, 0x7fff);
        assert_eq!(out.timestamp, 7);
    }

    #[test]
    fn gap_upstream_stays_a_gap_and_is_filled_late() {
        let base = base();
        let mut rewriter = Rewriter::new(VIDEO_CLOCK, 100, 0);
        rewriter.switch(&packet(base, 10, 0, 0));
        let out = |rewriter: &mut Rewriter, seq| {
            rewriter.rewrite(&packet(base, seq, 0, 0)).map(|r| r.seq)
        };
        assert_eq!(out(&mut rewriter, 10), Some(100));
        assert_eq!(out(&mut rewriter, 13), Some(103));
        assert_eq!(out(&mut rewriter, 11), Some(101));
        assert_eq!(out(&mut rewriter, 9), None);
    }

    #[test]
    fn skipped_packet_leaves_no_gap() {
        let base = base();
        let mut rewriter = Rewriter::new(VIDEO_CLOCK, 100, 0);
        rewriter.switch(&packet(base, 10, 0, 0));
        rewriter.rewrite(&packet(base, 10, 0, 0));
        assert!(rewriter.skip(&packet(base, 11, 3_000, 33)));
        assert!(
            !rewriter.skip(&packet(base, 13, 6_000, 66)),
            "12 may still come"
        );
        let out = rewriter.rewrite(&packet(base, 12, 6_000, 66));
        assert_eq!(out.map(|r| r.seq), Some(101));
        assert_eq!(rewriter.rewrite(&packet(base, 11, 3_000, 33)), None);
    }

    #[test]
    fn switch_goes_on_by_capture_time_not_by_arrival() {
        let base = base();
        let mut rewriter = Rewriter::new(VIDEO_CLOCK, 1, 1_000);
        let mut before = packet(base, 50, 90_000, 0);
        before.capture_us = Some(5_000_000);
        rewriter.switch(&before);
        rewriter.rewrite(&before);
        // Captured 33.3 ms later, but it took 200 ms to come.
        let mut after = packet(base, 7_000, 4_000_000, 200);
        after.capture_us = Some(5_033_333);
        rewriter.switch(&after);
        let out = rewriter.rewrite(&after).expect("it is of the source");
        assert_eq!(out.seq, 2);
        assert_eq!(out.timestamp, 1_000 + 2_999);
    }

    #[test]
    fn compressed_group_ends_where_live_goes_on() {
        let base = base();
        let mut rewriter = Rewriter::new(VIDEO_CLOCK, 1, 0);
        let frames: Vec<_> = (0..4)
            .map(|i| packet(base, u64::from(i), i * 3_000, 0))
            .collect();
        rewriter.switch(&frames[0]);
        for (i, frame) in (0u32..).zip(&frames[..3]) {
            let out = rewriter
                .rewrite_at(frame, i * 60, base)
                .expect("of the source");
            assert_eq!(out.timestamp, i * 60);
        }
        let live = rewriter.rewrite(&frames[3]).expect("of the source");
        assert_eq!(live.timestamp, 2 * 60 + 3_000);
    }

    #[test]
    fn after_a_replay_time_goes_on_from_the_replay() {
        let base = base();
        let mut rewriter = Rewriter::new(VIDEO_CLOCK, 1, 0);
        let old = packet(base, 1, 0, 0);
        rewriter.switch(&old);
        let now = base + Duration::from_secs(7);
        rewriter.rewrite_at(&old, 0, now).expect("of the source");
        let fresh = packet(base, 90, 630_000, 7_100);
        rewriter.switch(&fresh);
        let out = rewriter.rewrite(&fresh).expect("of the source");
        assert_eq!(out.timestamp, 9_000);
    }

    #[test]
    fn capture_clocks_of_two_publishers_are_not_compared() {
        let base = base();
        let mut rewriter = Rewriter::new(VIDEO_CLOCK, 1, 0);
        let mut before = packet(base, 1, 0, 0);
        before.capture_us = Some(1_000_000);
        rewriter.switch(&before);
        rewriter.rewrite(&before);
        rewriter.end_source();
        let mut after = packet(base, 1, 0, 100);
        after.capture_us = Some(31_000_000);
        rewriter.switch(&after);
        let out = rewriter.rewrite(&after).expect("of the source");
        assert_eq!(out.timestamp, 9_000);
    }

    #[test]
    fn vp8_picture_ids_go_on_over_a_switch() {
        let base = base();
        let mut rewriter = Rewriter::new(VIDEO_CLOCK, 1, 0);
        let mut a = packet(base, 1, 0, 0);
        a.vp8 = Some(vp8(0x7ffe, 254));
        rewriter.switch(&a);
        let first = rewriter.rewrite(&a).expect("of the source");
        let mut b = packet(base, 1, 0, 33);
        b.vp8 = Some(vp8(77, 9));
        rewriter.switch(&b);
        let second = rewriter.rewrite(&b).expect("of the source");
        assert_eq!(
            second.picture_id,
            first.picture_id.map(|id| (id + 1) & PICTURE_ID_MASK)
        );
        assert_eq!(
            second.tl0_pic_idx,
            first.tl0_pic_idx.map(|id| id.wrapping_add(1))
        );
    }

    #[test]
    fn frame_that_was_skipped_in_part_keeps_its_picture_id() {
        let base = base();
        let mut rewriter = Rewriter::new(VIDEO_CLOCK, 1, 0);
        let of = |seq: u64, frame: u16| {
            let mut packet = packet(base, seq, u32::from(frame) * 3_000, 0);
            packet.vp8 = Some(vp8(100 + frame, 0));
            packet
        };
        rewriter.switch(&of(1, 0));
        let mut ids = Vec::new();
        ids.push(rewriter.rewrite(&of(1, 0)));
        assert!(rewriter.skip(&of(2, 1)));
        // 3 is lost.
        assert!(!rewriter.skip(&of(4, 1)));
        ids.push(rewriter.rewrite(&of(4, 1)));
        ids.push(rewriter.rewrite(&of(5, 2)));
        let ids: Vec<_> = ids.into_iter().filter_map(|out| out?.picture_id).collect();
        assert_eq!(ids, [0, 1, 2]);
    }

    proptest! {
        /// Whatever frames are left out, and from whichever packet on, picture ids have no gap.
        #[test]
        fn thinning_leaves_no_gap(
            frames in proptest::collection::vec((1u64..4, any::<bool>(), any::<bool>()), 1..60),
            first in 0u16..0x8000,
        ) {
            let base = base();
            let mut rewriter = Rewriter::new(VIDEO_CLOCK, 1, 0);
            let mut seq = 0;
            let mut last: Option<(Rewritten, u32)> = None;
            for (number, (parts, spares_first, spares_others)) in (0u16..).zip(frames) {
                for part in 0..parts {
                    let mut p = packet(base, seq, u32::from(number) * 3_000, u64::from(number) * 33);
                    p.vp8 = Some(vp8((first + number) & PICTURE_ID_MASK, 0));
                    if seq == 0 {
                        rewriter.switch(&p);
                    }
                    seq += 1;
                    let spares = number > 0 && if part == 0 { spares_first } else { spares_others };
                    if spares && rewriter.skip(&p) {
                        continue;
                    }
                    let out = rewriter.rewrite(&p).expect("of the source");
                    if let Some((before, timestamp)) = last {
                        prop_assert_eq!(out.seq, before.seq + 1);
                        let step = u16::from(timestamp != p.timestamp);
                        let id = before.picture_id.expect("VP8");
                        prop_assert_eq!(out.picture_id, Some((id + step) & PICTURE_ID_MASK));
                    }
                    last = Some((out, p.timestamp));
                }
            }
        }

        /// Over any run of packets and switches: numbers never repeat, a switch leaves no gap, and
        /// time never stands still or goes back.
        #[test]
        fn output_is_one_stream(
            sources in proptest::collection::vec(
                (any::<u16>(), any::<u32>(), 1usize..40, 0u64..500), 1..12
            ),
            first_seq in any::<u16>(),
            first_timestamp in any::<u32>(),
        ) {
            let base = base();
            let mut rewriter = Rewriter::new(VIDEO_CLOCK, first_seq, first_timestamp);
            let mut last: Option<Rewritten> = None;
            let mut at_ms = 0;
            for (seq, timestamp, count, pause) in sources {
                at_ms += pause;
                for i in 0..count {
                    let step = u32::try_from(i).expect("small");
                    let p = packet(
                        base,
                        u64::from(seq) + i as u64,
                        timestamp.wrapping_add(step.wrapping_mul(3_000)),
                        at_ms + 33 * i as u64,
                    );
                    if i == 0 {
                        rewriter.switch(&p);
                    }
                    let out = rewriter.rewrite(&p).expect("of the source");
                    if let Some(last) = last {
                        prop_assert_eq!(out.seq, last.seq + 1);
                        let ahead = out.timestamp.wrapping_sub(last.timestamp);
                        prop_assert!(ahead > 0 && ahead < u32::MAX / 2);
                    } else {
                        prop_assert!(out.seq < 65_536);
                        prop_assert_eq!(out.timestamp, first_timestamp);
                    }
                    last = Some(out);
                }
                at_ms += 33 * count as u64;
            }
        }
    }
}
