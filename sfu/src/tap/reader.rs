//! [`Reader`]: slices of a stream's packets in, access units out. A state machine without clock or
//! channel: what time it is tells the newest packet.
//!
//! Invariants: units are whole; behind a lost picture that others need comes a key frame, and one is
//! asked for; times of a track rise, over all publishers of the stream. What waits is bounded: a
//! quarter of a second for packets that are missing, [`HOLD`] for sender reports.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::assembler::Assemble;
use super::clock::{Seen, TrackClock};
use super::picture::{self, Assembled, FrameNum, Picture};
use super::reorder::{Ordered, Reorder};
use super::whole::{Whole, WholeGates};
use super::{AccessUnit, Portion, TapCodec, TapTrack, Tapped, Track};
use crate::packet::{AUDIO_CLOCK, Layout, Origin, Slice, Source, VIDEO_CLOCK};

/// Makes access units of a stream's packets.
#[derive(Debug)]
pub(crate) struct Reader {
    zero: Instant,
    epoch: Option<u32>,
    layout: Arc<Layout>,
    tracks: BTreeMap<Track, TrackReader>,
    /// Times of units that come next are not before these.
    floors: BTreeMap<Track, Duration>,
    gates: WholeGates,
    /// Units whose track is held back.
    held: VecDeque<Held>,
    ready: VecDeque<Tapped>,
    /// What the listener knows of the tracks.
    told: Vec<(TapCodec, Option<String>, bool)>,
    now: Option<Instant>,
    wants_keyframes: bool,
}

/// One track of the present publisher.
#[derive(Debug)]
struct TrackReader {
    track: Track,
    order: Reorder,
    clock: TrackClock,
    content: Content,
    /// Arrival of its first packet, and of the first that a sender report speaks of.
    first: Option<Instant>,
    reported: Option<Instant>,
    /// Whether its units go out.
    is_open: bool,
}

#[derive(Debug)]
enum Content {
    Opus,
    Video(Box<Pictures>),
}

#[derive(Debug)]
struct Pictures {
    codec: TapCodec,
    assembler: Box<dyn Assemble>,
    gate: Gate,
}

/// Lets pictures through that a decoder can decode.
#[derive(Debug, Default)]
struct Gate {
    is_open: bool,
    /// Whether something is missing since the last picture that went through.
    is_in_doubt: bool,
    /// Whether a picture came since it was last looked at.
    has_new: bool,
    /// The number of the newest reference picture.
    reference: Option<FrameNum>,
    /// The newest picture, and the shortest time from one to the next since the key frame.
    newest: Option<Seen>,
    interval: Option<Duration>,
    /// The picture at which a key frame was asked for.
    asked: Option<Seen>,
}

/// A unit without a time.
#[derive(Debug)]
struct Held {
    track: Track,
    seen: Seen,
    keyframe: bool,
    size: Option<(u16, u16)>,
    bytes: Bytes,
}

/// How long units are held back until sender reports tell how the tracks lie to each other. Browsers
/// send the first for video within half a second, for audio within 2.5 s.
const HOLD: Duration = Duration::from_millis(1_500);
/// After the first report of one track those that were delayed less can still move all others.
const SETTLE: Duration = Duration::from_millis(100);
/// Units of a track are at least so far apart.
const LEAST_STEP: Duration = Duration::from_millis(1);
/// A key frame that was asked for and has not come by then is asked for again.
const ASK_AGAIN: Duration = Duration::from_secs(2);

impl Reader {
    /// `zero` is what times count from.
    pub(crate) fn new(zero: Instant) -> Self {
        Self {
            zero,
            epoch: None,
            layout: Arc::default(),
            tracks: BTreeMap::new(),
            floors: BTreeMap::new(),
            gates: WholeGates::default(),
            held: VecDeque::new(),
            ready: VecDeque::new(),
            told: Vec::new(),
            now: None,
            wants_keyframes: false,
        }
    }

    /// The next of what was made.
    pub(crate) fn next(&mut self) -> Option<Tapped> {
        self.ready.pop_front()
    }

    /// Whether key frames are wanted since the last call.
    pub(crate) fn take_request(&mut self) -> bool {
        std::mem::take(&mut self.wants_keyframes)
    }

    /// Takes in what goes through the tap. What comes of a publisher that was replaced is dropped.
    pub(crate) fn take_portion(&mut self, portion: &Portion) {
        match portion {
            Portion::Slice(slice) => self.take(slice),
            Portion::Whole(whole) => self.take_whole(whole),
        }
    }

    /// Whether it is of the newest publisher.
    fn is_of_newest(&mut self, epoch: u32) -> bool {
        if self.epoch < Some(epoch) {
            self.begin(epoch);
        }
        self.epoch == Some(epoch)
    }

    fn take_whole(&mut self, whole: &Whole) {
        if !self.is_of_newest(whole.epoch) {
            return;
        }
        if self.told.is_empty() || !Arc::ptr_eq(&self.layout, &whole.layout) {
            self.layout = Arc::clone(&whole.layout);
            self.tell();
        }
        if self.gates.pass(whole) {
            let floor = self.floors.entry(whole.track).or_default();
            let unit = whole.unit(self.zero, *floor);
            *floor = unit.dts + LEAST_STEP;
            self.ready.push_back(Tapped::Unit(unit));
        }
    }

    /// Takes packets in.
    pub(super) fn take(&mut self, slice: &Slice) {
        if !self.is_of_newest(slice.epoch) {
            return;
        }
        if !Arc::ptr_eq(&self.layout, &slice.layout) {
            self.layout = Arc::clone(&slice.layout);
            self.drop_changed();
        }
        for packet in &slice.packets {
            self.now = self.now.max(Some(packet.arrival));
            if let Some(track) = self.track(packet.source) {
                track.first.get_or_insert(packet.arrival);
                if packet.capture_us.is_some() {
                    track.reported.get_or_insert(packet.arrival);
                }
                track.order.push(packet);
            }
        }
        let Some(now) = self.now else { return };
        for track in self.tracks.values_mut() {
            while let Some(next) = track.order.pop(now) {
                self.wants_keyframes |= track.advance(next, self.zero, &mut self.held);
            }
        }
        self.open_tracks(now);
        self.release();
    }

    /// Nothing more comes, of this publisher at least: gives out what is left and known to be whole.
    pub(crate) fn finish(&mut self) {
        for track in self.tracks.values_mut() {
            track.finish(self.zero, &mut self.held);
            track.is_open = true;
        }
        if !self.held.is_empty() {
            self.tell();
        }
        self.release();
    }

    fn begin(&mut self, epoch: u32) {
        self.finish();
        self.epoch = Some(epoch);
        self.told.clear();
        self.gates.begin_anew();
        for (track, reader) in std::mem::take(&mut self.tracks) {
            self.floors.insert(track, reader.clock.next_floor());
        }
    }

    /// A track may begin anew with another codec.
    fn drop_changed(&mut self) {
        let layout = Arc::clone(&self.layout);
        let changed = |track: &TrackReader| !track.content.is_of(codec_of(&layout, track.track));
        let changed: Vec<_> = self.tracks.extract_if(.., |_, t| changed(t)).collect();
        for (track, reader) in changed {
            self.held.retain(|unit| unit.track != track);
            self.floors.insert(track, reader.clock.next_floor());
        }
    }

    fn track(&mut self, source: Source) -> Option<&mut TrackReader> {
        let track = Track::from(source);
        let codec = codec_of(&self.layout, track)?;
        let floor = self.floors.get(&track).copied();
        let reader =
            (self.tracks.entry(track)).or_insert_with(|| TrackReader::new(track, codec, floor));
        Some(reader)
    }

    /// Lets tracks go out whose place on the clock is known, or has been waited for long enough.
    fn open_tracks(&mut self, now: Instant) {
        let is_over = |since: Instant, span| now.saturating_duration_since(since) >= span;
        let mut closed = self.tracks.values().filter(|track| !track.is_open);
        let are_reported = closed.all(|t| t.reported.is_some_and(|at| is_over(at, SETTLE)));
        let mut is_any = false;
        for track in self.tracks.values_mut().filter(|track| !track.is_open) {
            let waited = track.first.is_some_and(|at| is_over(at, HOLD));
            track.is_open = are_reported || waited;
            is_any |= track.is_open;
        }
        if is_any {
            self.tell();
        }
    }

    fn tell(&mut self) {
        let tracks = tracks_of(&self.layout);
        let told: Vec<_> = tracks.iter().map(known).collect();
        if told != self.told {
            self.told = told;
            self.ready.push_back(Tapped::Tracks(tracks));
        }
    }

    fn release(&mut self) {
        for unit in std::mem::take(&mut self.held) {
            match self.tracks.get_mut(&unit.track) {
                Some(track) if track.is_open => {
                    let time = track.clock.time(unit.seen);
                    self.ready.push_back(Tapped::Unit(AccessUnit {
                        track: unit.track,
                        dts: time,
                        pts: time + unit.seen.lead(),
                        keyframe: unit.keyframe,
                        size: unit.size,
                        bytes: unit.bytes,
                    }));
                }
                Some(_) => self.held.push_back(unit),
                None => {}
            }
        }
    }
}

impl TrackReader {
    fn new(track: Track, codec: TapCodec, floor: Option<Duration>) -> Self {
        let rate = match track {
            Track::Audio => AUDIO_CLOCK,
            Track::Video(_) => VIDEO_CLOCK,
        };
        Self {
            track,
            order: Reorder::default(),
            clock: TrackClock::new(rate, floor),
            content: Content::new(codec),
            first: None,
            reported: None,
            is_open: false,
        }
    }

    /// Takes what comes next. Returns whether a key frame is wanted.
    fn advance(&mut self, next: Ordered, zero: Instant, out: &mut VecDeque<Held>) -> bool {
        let packet = match next {
            Ordered::Packet(packet) => packet,
            Ordered::Hole => {
                if let Content::Video(pictures) = &mut self.content {
                    pictures.assembler.skip();
                }
                return false;
            }
        };
        let seen = self.clock.observe(&packet, zero);
        let track = self.track;
        match &mut self.content {
            Content::Opus => {
                out.push_back(Held {
                    track,
                    seen,
                    keyframe: true,
                    size: None,
                    bytes: Bytes::copy_from_slice(&packet.payload),
                });
                false
            }
            Content::Video(pictures) => {
                let made = pictures.assembler.push(&packet, seen);
                let gate = &mut pictures.gate;
                let through = made
                    .into_iter()
                    .flatten()
                    .filter_map(|made| gate.pass(made));
                out.extend(through.map(|picture| picture.held(track)));
                gate.asks(seen)
            }
        }
    }

    fn finish(&mut self, zero: Instant, out: &mut VecDeque<Held>) {
        while let Some(next) = self.order.pop_at_end() {
            self.advance(next, zero, out);
        }
    }
}

impl Content {
    fn new(codec: TapCodec) -> Self {
        match picture::assembler(codec) {
            Some(assembler) => Self::Video(Box::new(Pictures {
                codec,
                assembler,
                gate: Gate::default(),
            })),
            None => Self::Opus,
        }
    }

    fn is_of(&self, codec: Option<TapCodec>) -> bool {
        match self {
            Self::Opus => codec == Some(TapCodec::Opus),
            Self::Video(pictures) => codec == Some(pictures.codec),
        }
    }
}

impl Gate {
    fn pass(&mut self, made: Assembled) -> Option<Picture> {
        self.has_new = true;
        let picture = match made {
            Assembled::Picture(picture) => picture,
            Assembled::Damaged => {
                self.is_in_doubt = true;
                return None;
            }
        };
        self.is_in_doubt |= picture.is_after_hole;
        let step = self.newest.map(|newest| picture.seen.behind(newest));
        self.newest = Some(picture.seen);
        if picture.is_keyframe {
            self.is_open = true;
            self.asked = None;
            self.interval = None;
        } else if !self.is_in_doubt {
            self.interval = self
                .interval
                .map_or(step, |shortest| step.map(|s| s.min(shortest)));
        } else if !self.follows(&picture, step) {
            self.is_open = false;
        }
        self.is_in_doubt = false;
        if picture.is_reference {
            self.reference = picture.frame_num;
        }
        self.is_open.then_some(picture)
    }

    /// Whether what is missing before a picture is of no importance: it is one picture, and no other
    /// refers to it.
    fn follows(&self, picture: &Picture, step: Option<Duration>) -> bool {
        let times = step.zip(self.interval);
        let is_one = times.is_some_and(|(step, interval)| step * 2 < interval * 5);
        let numbers = picture.frame_num.zip(self.reference);
        is_one && numbers.is_some_and(|(number, before)| number.follows(before))
    }

    /// Whether to ask for a key frame, after a picture that did not get through.
    fn asks(&mut self, now: Seen) -> bool {
        let is_refused = std::mem::take(&mut self.has_new) && !self.is_open;
        let may_ask = self
            .asked
            .is_none_or(|asked| now.behind(asked) >= ASK_AGAIN);
        let asks = is_refused && may_ask;
        if asks {
            self.asked = Some(now);
        }
        asks
    }
}

impl Picture {
    fn held(self, track: Track) -> Held {
        Held {
            track,
            seen: self.seen,
            keyframe: self.is_keyframe,
            size: self.size,
            bytes: self.bytes,
        }
    }
}

/// What tells a track from another in its place.
fn known(track: &TapTrack) -> (TapCodec, Option<String>, bool) {
    (track.codec, track.rid.clone(), track.reordered)
}

fn codec_of(layout: &Layout, track: Track) -> Option<TapCodec> {
    match track {
        Track::Audio => layout.audio.as_ref().map(|_| TapCodec::Opus),
        Track::Video(index) => {
            let layer = layout
                .layers
                .get(index)
                .filter(|l| l.origin == Origin::Sent);
            layer.map(|layer| layer.codec.into())
        }
    }
}

fn tracks_of(layout: &Layout) -> Vec<TapTrack> {
    let audio = match layout.handed {
        Some(handed) => handed.audio,
        None => layout.audio.map(|_| TapCodec::Opus),
    };
    let audio = audio.into_iter().map(|codec| TapTrack {
        track: Track::Audio,
        codec,
        rid: None,
        size: None,
        reordered: false,
    });
    let video = layout
        .layers
        .iter()
        .enumerate()
        .filter(|(_, layer)| layer.origin == Origin::Sent)
        .map(|(index, layer)| TapTrack {
            track: Track::Video(index),
            codec: layer.codec.into(),
            rid: layer.rid.clone(),
            size: layer.size,
            reordered: layer.reordered,
        });
    audio.chain(video).collect()
}
