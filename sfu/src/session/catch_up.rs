//! Replays of cached groups: for who joins, and for who lost the picture while no fresh key frame is
//! to be had.
//!
//! A replay leaves as fast as the link is thought to bear, with timestamps as close as its frames
//! leave, so that the player shows each at once; where it meets the newest packet the viewer is
//! live. Sound is not part of it: it is forwarded beside, and never waits.

use std::time::{Duration, Instant};

use super::outgoing::{Leaving, Timing};
use super::viewer::{VideoState, Viewer};
use super::{Link, Outbox};
use crate::keyframe::GopCache;
use crate::packet::VIDEO_CLOCK;
use crate::stream::Media;

/// A replay of a cached group.
#[derive(Debug, Clone, Copy)]
pub(super) struct CatchUp {
    pub(super) layer: usize,
    generation: u64,
    next_seq: u64,
    /// Whether the newest that was sent is from another node's cache, from which more is to come.
    is_past: bool,
    started: Instant,
    /// Time between frames, and the same in RTP ticks.
    spacing: Duration,
    ticks: u32,
    frames_begun: u32,
    /// Frames to send; after them a fresh key frame is waited for.
    most_frames: u32,
    timestamp_in: Option<u32>,
    /// Outgoing timestamp of the first frame, and ticks from there to the newest.
    first_timestamp: u32,
    ticks_out: u32,
    pace: Pace,
    sent_bytes: u64,
}

/// How fast a replay may leave, in bit/s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    /// For as long as buffers on the way bear it.
    at_first: u64,
    /// After that.
    rate: u64,
}

/// The replay that a viewer got last: one that did not help is no good a moment later.
#[derive(Debug, Clone, Copy)]
pub(super) struct Replayed {
    layer: usize,
    generation: u64,
    /// How often this group was replayed before.
    repeats: u32,
    at: Instant,
}

/// Frames of a replay are no further apart than this where the link bears it.
const FRAME_SPACING: Duration = Duration::from_micros(500);
/// All of them take no longer than this where the link bears it.
const LONGEST_SPACING: Duration = Duration::from_millis(150);
/// How finely a catch-up is spread.
pub(super) const CATCH_UP_TICK: Duration = Duration::from_millis(2);
/// A cached group of more frames or bytes than this is not sent to a joining viewer whose publisher
/// listens: a fresh key frame is asked for.
pub(super) const LONG_GROUP: usize = 15;
pub(super) const MOST_BURST_BYTES: usize = 192 * 1024;
/// A key frame that was asked for is waited for no longer than this.
pub(super) const LONGEST_WAIT: Duration = Duration::from_millis(500);
/// A viewer that lost its picture gets the cached group again after this pause, which doubles with
/// each repetition of one group.
const REPLAY_PAUSE: Duration = Duration::from_secs(1);
const MOST_REPEATS: u32 = 3;
/// While nothing is known of a link: this much at first, so that groups of a megabyte are live in
/// 300 ms. What a link of [`UNKNOWN_RATE`] does not carry of it, 450 KB, waits in its buffers.
const FIRST_RATE: u64 = 32_000_000;
const FIRST_TIME: Duration = Duration::from_millis(300);
/// While nothing is known of a link: what most can bear.
const UNKNOWN_RATE: u64 = 20_000_000;
/// In the network of the house: any group is live within 300 ms.
const NEAR_RATE: u64 = 300_000_000;
/// Who watches a layer has a link for more than the layer: in parts of its rate.
const UNKNOWN_FACTOR: u64 = 4;
/// A replay must be faster than what comes meanwhile, in per cent of the layer's rate.
const SLOWEST_PERCENT: u64 = 150;
/// Bytes around the payload of a packet: IP, UDP, RTP with extensions, tag.
pub(super) const HEADERS: u64 = 70;
/// What is missing of a group may have been asked for and come within this time: a replay that went past
/// it could not bring it any more.
const HOLE: Duration = Duration::from_millis(150);
/// A layer is replayed for a step up only if that takes no longer; its own next key frame comes soon
/// enough.
const LONGEST_CLIMB: Duration = Duration::from_secs(1);

impl Pace {
    /// Towards a viewer in our own network, which bears what a home line does not.
    pub(super) const NEAR: Self = Self {
        at_first: NEAR_RATE,
        rate: NEAR_RATE,
    };

    /// For a layer of `bitrate` towards a viewer of whom `estimate` is known. Each repetition of a
    /// replay that did not help is half as fast.
    fn new(bitrate: u64, estimate: Option<u64>, repeats: u32) -> Self {
        let slowest = bitrate * SLOWEST_PERCENT / 100;
        let rate = estimate.unwrap_or_else(|| (bitrate * UNKNOWN_FACTOR).max(UNKNOWN_RATE));
        let rate = (rate >> repeats).max(slowest);
        let has_run_up = estimate.is_none() && repeats == 0;
        Self {
            at_first: if has_run_up {
                rate.max(FIRST_RATE)
            } else {
                rate
            },
            rate,
        }
    }

    /// The same all the time, and faster than what comes meanwhile.
    pub(super) fn even(bitrate: u64, rate: u64) -> Self {
        let rate = rate.max(bitrate * SLOWEST_PERCENT / 100);
        Self {
            at_first: rate,
            rate,
        }
    }

    /// Bytes that may have left after `elapsed`.
    pub(super) fn bytes_after(self, elapsed: Duration) -> u64 {
        let at_first = elapsed.min(FIRST_TIME);
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX / 2);
        let bits = |rate: u64, time: Duration| rate.saturating_mul(micros(time)) / 8_000_000;
        bits(self.at_first, at_first).saturating_add(bits(self.rate, elapsed - at_first))
    }

    /// How long so many bytes take.
    fn time_for(self, bytes: u64) -> Duration {
        let at_first = self.bytes_after(FIRST_TIME);
        if bytes <= at_first {
            return Duration::from_micros(bytes.saturating_mul(8_000_000) / self.at_first.max(1));
        }
        let later = (bytes - at_first).saturating_mul(8_000_000) / self.rate.max(1);
        FIRST_TIME + Duration::from_micros(later)
    }
}

impl Viewer {
    /// Begins to send what is cached to a viewer that just came.
    pub(super) fn join_from_cache(
        &mut self,
        link: &Link,
        media: &mut Media,
        leaving: &mut Leaving<'_>,
    ) {
        let now = leaving.now;
        let Some(chosen) = self.target else { return };
        // Unknown counts as deaf: of one that does listen a fresh key frame cuts the replay short.
        let listens = link.shared.answers_pli() == Some(true);
        let chosen_is_long = || (media.layers.get(chosen)).is_some_and(|layer| is_long(&layer.gop));
        let (layer, most_frames) = if listens && chosen_is_long() {
            (chosen, 1)
        } else {
            (self.quickest(now, media, chosen), u32::MAX)
        };
        if self.begin_catch_up(now, media, layer, most_frames) {
            self.cached_joins += 1;
            self.catch_up(link, media, leaving);
        }
    }

    /// The layer to join with: a smaller one than chosen where that is live sooner.
    fn quickest(&self, now: Instant, media: &mut Media, chosen: usize) -> usize {
        let candidates = media.candidates(now);
        let ladder = self.selector.ladder(&candidates);
        let cost = |layer: usize| self.replay_time(now, media, layer);
        let below = ladder.iter().map(|l| l.index);
        let up_to_chosen: Vec<usize> = below
            .clone()
            .take_while(|index| *index != chosen)
            .chain([chosen])
            .collect();
        let is_quick = |index: &&usize| cost(**index).is_some_and(|time| time <= FIRST_TIME);
        up_to_chosen
            .iter()
            .rfind(is_quick)
            .or_else(|| {
                let known = up_to_chosen.iter().filter(|index| cost(**index).is_some());
                known.min_by_key(|index| cost(**index))
            })
            .copied()
            .unwrap_or(chosen)
    }

    /// How long the replay of a layer would take; `None` where nothing is cached.
    fn replay_time(&self, now: Instant, media: &Media, layer: usize) -> Option<Duration> {
        let gop = &media.layers.get(layer)?.gop;
        gop.first()?;
        let pace = self.pace(bitrate_of(gop, now), 0);
        Some(pace.time_for(gop.bytes() as u64))
    }

    /// How fast a replay of a layer of `bitrate` may leave.
    fn pace(&self, bitrate: u64, repeats: u32) -> Pace {
        if self.is_near && repeats == 0 {
            return Pace::NEAR;
        }
        Pace::new(bitrate, self.known_estimate(), repeats)
    }

    /// Whether a replay brings the viewer up to a layer sooner than waiting does.
    pub(super) fn is_worth_replaying(&self, now: Instant, media: &Media, layer: usize) -> bool {
        self.replay_time(now, media, layer)
            .is_some_and(|time| time <= LONGEST_CLIMB)
    }

    fn known_estimate(&self) -> Option<u64> {
        self.lane.estimate()
    }

    /// Starts to replay the cached group of a layer. Returns false when there is none.
    pub(super) fn begin_catch_up(
        &mut self,
        now: Instant,
        media: &Media,
        layer: usize,
        most_frames: u32,
    ) -> bool {
        let (Some(video), Some(cached)) = (&mut self.video, media.for_viewers(layer)) else {
            return false;
        };
        let gop: &GopCache = &cached.gop;
        let Some(first) = gop.first() else {
            return false;
        };
        video.rewriter.switch(first);
        let repeats = match self.replayed {
            Some(before) if before.layer == layer && before.generation == gop.generation() => {
                (before.repeats + 1).min(MOST_REPEATS)
            }
            _ => 0,
        };
        self.replayed = Some(Replayed {
            layer,
            generation: gop.generation(),
            repeats,
            at: now,
        });
        let first_timestamp = video.rewriter.timestamp_of(first);
        let pace = self.pace(bitrate_of(gop, now), repeats);
        let frames = u32::try_from(gop.frames()).unwrap_or(u32::MAX).max(1);
        let spacing = (LONGEST_SPACING / frames).min(FRAME_SPACING);
        self.state = VideoState::CatchingUp(CatchUp {
            layer,
            generation: gop.generation(),
            next_seq: first.seq,
            is_past: first.is_past,
            started: now,
            spacing,
            ticks: ticks(spacing).max(1),
            frames_begun: 0,
            most_frames,
            timestamp_in: None,
            first_timestamp,
            ticks_out: 0,
            pace,
            sent_bytes: 0,
        });
        self.target = Some(layer);
        true
    }

    /// Sends the part of the replay that is due.
    pub(crate) fn catch_up(&mut self, link: &Link, media: &Media, leaving: &mut Leaving<'_>) {
        self.follow(media);
        let now = leaving.now;
        let VideoState::CatchingUp(mut at) = self.state else {
            return;
        };
        let cached = media.for_viewers(at.layer);
        let Some(cached) = cached.filter(|cached| cached.gop.generation() == at.generation) else {
            // The group went over its bounds, or a new one begins: the next key frame takes over.
            self.state = VideoState::Waiting { since: None };
            return;
        };
        for packet in cached.gop.from(at.next_seq) {
            let is_new_frame = at.timestamp_in != Some(packet.timestamp);
            if is_new_frame && at.frames_begun >= at.most_frames {
                self.state = VideoState::Waiting { since: Some(now) };
                return;
            }
            let age = now.saturating_duration_since(packet.arrival);
            let may_be_filled = packet.seq != at.next_seq && age < HOLE;
            if may_be_filled || !at.is_due(now, is_new_frame) {
                self.state = VideoState::CatchingUp(at);
                return;
            }
            if is_new_frame {
                at.begin_frame(now, packet.timestamp);
            }
            at.next_seq = packet.seq + 1;
            at.is_past = packet.is_past;
            at.sent_bytes += packet.payload.len() as u64 + HEADERS;
            let timing = Timing::Replayed {
                timestamp: at.first_timestamp.wrapping_add(at.ticks_out),
            };
            self.write_video(link, packet, at.layer, media, timing, leaving);
        }
        if at.is_past {
            self.state = VideoState::CatchingUp(at);
            return;
        }
        if let Some(replayed) = &mut self.replayed {
            replayed.at = now;
        }
        self.state = VideoState::Live { layer: at.layer };
    }

    /// The fresh key frame does not come: the cached group is better than nothing.
    pub(super) fn give_up_waiting(&mut self, now: Instant, media: &Media) {
        if let VideoState::Waiting { since: Some(since) } = self.state
            && now.saturating_duration_since(since) > LONGEST_WAIT
            && let Some(layer) = self.target
        {
            self.begin_catch_up(now, media, layer, u32::MAX);
        }
    }

    /// Answers a viewer's request for a key frame.
    pub(crate) fn recover(
        &mut self,
        link: &Link,
        now: Instant,
        media: &Media,
        outbox: &mut Outbox,
    ) {
        if !std::mem::take(&mut self.wants_keyframe) {
            return;
        }
        let Some(layer) = self.current().or(self.target) else {
            return;
        };
        // Also of one that seems deaf: it may have been misjudged, and its cache may be empty.
        outbox.keyframes.push((link.stream, layer));
        // A publisher that does not listen: the cached group brings the picture back.
        if link.shared.answers_pli() == Some(false) && self.may_replay(now, media, layer) {
            self.begin_catch_up(now, media, layer, u32::MAX);
        }
    }

    fn may_replay(&self, now: Instant, media: &Media, layer: usize) -> bool {
        if matches!(self.state, VideoState::CatchingUp(_)) {
            return false;
        }
        let generation = media.layers.get(layer).map(|l| l.gop.generation());
        self.replayed.is_none_or(|before| {
            let is_same = before.layer == layer && Some(before.generation) == generation;
            let doublings = if is_same { before.repeats } else { 0 };
            now.saturating_duration_since(before.at) >= REPLAY_PAUSE * (1 << doublings)
        })
    }
}

impl CatchUp {
    fn is_due(&self, now: Instant, is_new_frame: bool) -> bool {
        let elapsed = now.saturating_duration_since(self.started) + CATCH_UP_TICK;
        if self.sent_bytes >= self.pace.bytes_after(elapsed) {
            return false;
        }
        let due = elapsed.as_nanos() / self.spacing.as_nanos().max(1);
        !is_new_frame || u128::from(self.frames_begun) < due
    }

    fn begin_frame(&mut self, now: Instant, timestamp: u32) {
        if self.timestamp_in.is_some() {
            let elapsed = ticks(now.saturating_duration_since(self.started));
            self.ticks_out = (self.ticks_out + self.ticks).max(elapsed);
        }
        self.timestamp_in = Some(timestamp);
        self.frames_begun += 1;
    }
}

/// Whether a cached group is slow to decode and floods the link.
pub(super) fn is_long(gop: &GopCache) -> bool {
    gop.frames() > LONG_GROUP || gop.bytes() > MOST_BURST_BYTES
}

/// Bit/s of a layer since its key frame.
pub(super) fn bitrate_of(gop: &GopCache, now: Instant) -> u64 {
    let age = gop.age(now).unwrap_or_default().max(Duration::from_secs(1));
    let millis = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
    gop.bytes() as u64 * 8_000 / millis
}

/// RTP ticks of video in a span.
fn ticks(span: Duration) -> u32 {
    let ticks = span.as_micros() * u128::from(VIDEO_CLOCK) / 1_000_000;
    u32::try_from(ticks).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MBIT: u64 = 1_000_000;

    #[test]
    fn unknown_link_gets_a_run_up_and_then_what_most_bear() {
        let pace = Pace::new(2 * MBIT, None, 0);
        assert_eq!(pace.bytes_after(Duration::from_millis(300)), 1_200_000);
        assert_eq!(pace.bytes_after(Duration::from_millis(1_300)), 3_700_000);
        assert_eq!(pace.time_for(1_200_000), Duration::from_millis(300));
        assert_eq!(pace.time_for(3_700_000), Duration::from_millis(1_300));
        let heavy = Pace::new(10 * MBIT, None, 0);
        assert_eq!(heavy.rate, 40 * MBIT);
    }

    #[test]
    fn estimate_bounds_a_replay_that_still_gets_anywhere() {
        let pace = Pace::new(2 * MBIT, Some(8 * MBIT), 0);
        assert_eq!((pace.at_first, pace.rate), (8 * MBIT, 8 * MBIT));
        let weak = Pace::new(2 * MBIT, Some(MBIT), 0);
        assert_eq!(weak.rate, 3 * MBIT);
    }

    #[test]
    fn repetition_is_slower_each_time() {
        let rates: Vec<_> = (0..=MOST_REPEATS)
            .map(|repeats| Pace::new(2 * MBIT, None, repeats))
            .map(|pace| (pace.at_first / MBIT, pace.rate / MBIT))
            .collect();
        assert_eq!(rates, [(32, 20), (10, 10), (5, 5), (3, 3)]);
    }
}
