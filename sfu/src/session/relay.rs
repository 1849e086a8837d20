//! The side that another node gets a stream from: sound, and each layer on a track of its own,
//! always all of them and all of each.
//!
//! Nothing is chosen, thinned or estimated here: between nodes bandwidth is assumed, and the choice is
//! the edge's for each of its viewers. Layer number n of the publisher is on the n-th track for
//! pictures; what it is of each packet says ([`crate::caption`]). A track begins with the group that is
//! cached, with its own times, so that the edge's cache is what ours is. Numbers and times go on when
//! the publisher is replaced.

use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::media::MediaKind;

use super::catch_up::{CATCH_UP_TICK, HEADERS, LONGEST_WAIT, Pace, bitrate_of, is_long};
use super::outgoing::{self, Leaving, Outgoing, Timing};
use super::{Link, Outbox};
use crate::caption::Caption;
use crate::egress::TransmitQueue;
use crate::keyframe::GopCache;
use crate::lane::Lane;
use crate::packet::{AUDIO_CLOCK, LayerFormat, Layout, Packet, Source, VIDEO_CLOCK};
use crate::stats::SessionStats;
use crate::stream::Media;

/// Tracks towards another node.
#[derive(Debug)]
pub(crate) struct Relay {
    epoch: u32,
    /// That captions were written for.
    layout: Arc<Layout>,
    /// What captions say of the publisher.
    manner: (Option<bool>, bool),
    pub(crate) lane: Lane,
    audio: Option<Outgoing>,
    places: Vec<Place>,
    /// When the edge last missed something, and how often it had by then.
    lossy_at: Option<Instant>,
    nacks: u64,
    /// Layers whose key frame the edge asked for.
    wanted: Vec<usize>,
    pub(crate) is_started: bool,
    pub(crate) packets: u64,
    plis: u64,
}

/// A track for pictures.
#[derive(Debug)]
struct Place {
    track: Outgoing,
    state: State,
    /// Bytes that left at once, and since when.
    burst: (Instant, u64),
    /// What all packets say of themselves, and as it travels.
    said: Option<Caption>,
    live: Option<Arc<[u8]>>,
    past: Option<Arc<[u8]>>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// For a group, or another than that number, which is too long to be sent.
    Waiting(Option<LongGroup>),
    Replaying(Replay),
    Live,
}

/// A cached group that is not sent, because a fresh one is better.
#[derive(Debug, Clone, Copy)]
struct LongGroup {
    generation: u64,
    since: Instant,
}

/// A cached group on its way.
#[derive(Debug, Clone, Copy)]
struct Replay {
    generation: u64,
    next_seq: u64,
    started: Instant,
    pace: Pace,
    sent_bytes: u64,
}

/// What came longer ago is not live.
const PAST: Duration = Duration::from_millis(250);
/// How fast a cached group goes to a node that is not near, in bit/s: so that an edge can still ask for
/// what is lost of it. str0m does so of the newest hundred packets, every 33 ms.
const RATE: u64 = 12_000_000;
/// On a link that has lost something, more bytes than these in such a time leave at another pace, too: a
/// large key frame. For so long after the loss.
const LOSSY_RATE: u64 = 8_000_000;
const MOST_BURST: u64 = 24_000;
const BURST: Duration = Duration::from_millis(20);
const LOSSY_FOR: Duration = Duration::from_secs(30);

impl Relay {
    pub(crate) fn new(lane: Lane, now: Instant) -> Self {
        let mut sound = lane.tracks(MediaKind::Audio);
        let audio = sound.next().map(|track| Outgoing::new(track, AUDIO_CLOCK));
        let place = |track| Place {
            track: Outgoing::new(track, VIDEO_CLOCK),
            state: State::Waiting(None),
            burst: (now, 0),
            said: None,
            live: None,
            past: None,
        };
        let places = lane.tracks(MediaKind::Video).map(place).collect();
        drop(sound);
        Self {
            epoch: 0,
            layout: Arc::default(),
            manner: (None, false),
            lane,
            audio,
            places,
            lossy_at: None,
            nacks: 0,
            wanted: Vec::new(),
            is_started: false,
            packets: 0,
            plis: 0,
        }
    }

    /// Takes a report. Returns whether it is the edge's.
    pub(super) fn hear(&mut self, now: Instant, report: &[u8], queue: &mut TransmitQueue) -> bool {
        let Some(heard) = self.lane.hear(now, report, queue) else {
            return false;
        };
        for track in heard.lost {
            self.plis += 1;
            let of_track = |place: &Place| place.track.number() == track;
            let layer = self.places.iter().position(of_track);
            self.wanted
                .extend(layer.filter(|layer| !self.wanted.contains(layer)));
        }
        true
    }

    /// Begins to send what is cached of all layers.
    pub(crate) fn start(&mut self, link: &Link, now: Instant, media: &Media, outbox: &mut Outbox) {
        self.is_started = true;
        self.follow(link, media);
        let listens = link.shared.answers_pli() == Some(true);
        let layers = media.layers.iter().enumerate();
        for (place, (index, layer)) in self.places.iter_mut().zip(layers) {
            if listens && is_long(&layer.gop) {
                place.state = State::Waiting(Some(LongGroup {
                    generation: layer.gop.generation(),
                    since: now,
                }));
                self.wanted.push(index);
            } else {
                place.begin(link, now, &layer.gop);
            }
        }
        let queue = &mut outbox.transmits;
        self.catch_up(link, media, &mut Leaving { now, queue });
        // Before most of the group has left, so that the edge knows when it was captured.
        self.lane.report(now, &mut outbox.transmits);
        self.recover(link, outbox);
    }

    /// Takes packets that just arrived.
    pub(crate) fn forward(
        &mut self,
        link: &Link,
        packets: &[Arc<Packet>],
        media: &Media,
        leaving: &mut Leaving<'_>,
    ) {
        self.follow(link, media);
        for packet in packets {
            match packet.source {
                Source::Audio => {
                    if let Some(track) = &mut self.audio {
                        let (lane, layout) = (&mut self.lane, &media.layout);
                        let sent = track.write_sound(link, lane, leaving, packet, layout);
                        self.packets += u64::from(sent);
                    }
                }
                Source::Video(layer) => self.forward_video(link, packet, layer, media, leaving),
            }
        }
    }

    fn forward_video(
        &mut self,
        link: &Link,
        packet: &Arc<Packet>,
        layer: usize,
        media: &Media,
        leaving: &mut Leaving<'_>,
    ) {
        let (Some(place), Some(cached)) = (self.places.get_mut(layer), media.layers.get(layer))
        else {
            return;
        };
        let Some(format) = media.layout.layers.get(layer) else {
            return;
        };
        let lane = &mut self.lane;
        let is_lossy = self.lossy_at.is_some_and(|at| leaving.now < at + LOSSY_FOR);
        if is_lossy && place.is_bursting(leaving.now, packet, &cached.gop) {
            place.slow_down(leaving.now, packet, &cached.gop);
        }
        // What has left already is not sent again: its number is claimed.
        match place.state {
            State::Live => {
                self.packets += place.write(link, lane, leaving, packet, format);
            }
            // Late: the replay is past it.
            State::Replaying(replay) if packet.seq < replay.next_seq => {
                self.packets += place.write(link, lane, leaving, packet, format);
            }
            State::Replaying(_) => {
                self.packets += place.go_on(link, lane, leaving, &cached.gop, format);
            }
            State::Waiting(long) if !long.is_some_and(|long| long.is(&cached.gop)) => {
                place.begin(link, leaving.now, &cached.gop);
                self.packets += place.go_on(link, lane, leaving, &cached.gop, format);
            }
            State::Waiting(_) => {}
        }
    }

    /// Sends the parts of replays that are due.
    pub(crate) fn catch_up(&mut self, link: &Link, media: &Media, leaving: &mut Leaving<'_>) {
        let layers = media.layers.iter().zip(&media.layout.layers);
        for (place, (cached, format)) in self.places.iter_mut().zip(layers) {
            self.packets += place.go_on(link, &mut self.lane, leaving, &cached.gop, format);
        }
    }

    /// Takes note of another publisher, other layers, or another manner of the publisher.
    fn follow(&mut self, link: &Link, media: &Media) {
        let is_new = media.epoch != self.epoch;
        let manner = (link.shared.answers_pli(), link.shared.is_reordered());
        if !is_new && manner == self.manner && Arc::ptr_eq(&self.layout, &media.layout) {
            return;
        }
        self.epoch = media.epoch;
        self.manner = manner;
        self.layout = Arc::clone(&media.layout);
        let pictures = self.places.iter_mut().map(|place| &mut place.track);
        for track in self.audio.iter_mut().chain(pictures) {
            track.forget_layers();
            if is_new {
                track.rewriter.end_source();
            }
        }
        let [.., epoch] = self.epoch.to_be_bytes();
        let (answers_pli, is_reordered) = manner;
        let said = |rid| Caption {
            epoch,
            is_past: false,
            answers_pli,
            is_reordered,
            lead: None,
            rid,
        };
        if let Some(audio) = &mut self.audio {
            audio.caption = said_of(&said(None));
        }
        let mut layers = media.layout.layers.iter();
        for place in &mut self.places {
            if is_new {
                place.state = State::Waiting(None);
            }
            let said = said(layers.next().and_then(|format| format.rid.clone()));
            place.live = said_of(&said);
            place.past = said_of(&Caption {
                is_past: true,
                ..said.clone()
            });
            place.said = Some(said);
        }
    }

    /// When the next part of a replay, or a lost picture, is to be seen to.
    pub(crate) fn deadline(&self, now: Instant) -> Option<Instant> {
        if !self.wanted.is_empty() {
            return Some(now);
        }
        let is_replaying = |place: &Place| matches!(place.state, State::Replaying(_));
        let replays = self.places.iter().any(is_replaying);
        replays.then(|| now + CATCH_UP_TICK)
    }

    /// Hands on what the edge asked for.
    pub(crate) fn recover(&mut self, link: &Link, outbox: &mut Outbox) {
        let wanted = self.wanted.drain(..).map(|layer| (link.stream, layer));
        outbox.keyframes.extend(wanted);
    }

    /// What is to be done from time to time.
    pub(crate) fn sweep(&mut self, link: &Link, now: Instant, media: &Media, outbox: &mut Outbox) {
        self.follow(link, media);
        self.recover(link, outbox);
        // Reports leave out what was made good.
        let nacks = self.lane.nacks();
        if nacks > std::mem::replace(&mut self.nacks, nacks) && !link.is_near() {
            self.lossy_at = Some(now);
        }
        for (place, layer) in self.places.iter_mut().zip(&media.layers) {
            if matches!(place.state, State::Waiting(Some(long)) if now > long.since + LONGEST_WAIT)
            {
                place.begin(link, now, &layer.gop);
            }
        }
        self.lane.report(now, &mut outbox.transmits);
    }

    pub(crate) fn fill(&mut self, stats: &mut SessionStats, now: Instant) {
        outgoing::fill(&mut self.lane, stats, now);
        stats.packets = self.packets;
        stats.loss = self.lane.worst_loss().map(f64::from);
        stats.plis = self.plis;
    }
}

impl LongGroup {
    /// Whether it is still the one that is cached.
    fn is(self, gop: &GopCache) -> bool {
        gop.generation() == self.generation && gop.first().is_some()
    }
}

impl Place {
    /// Begins with what is cached, if there is a group.
    fn begin(&mut self, link: &Link, now: Instant, gop: &GopCache) {
        let Some(first) = gop.first() else {
            self.state = State::Waiting(None);
            return;
        };
        self.track.rewriter.switch(first);
        let pace = match link.is_near() {
            true => Pace::NEAR,
            false => Pace::even(bitrate_of(gop, now), RATE),
        };
        self.state = State::Replaying(Replay {
            generation: gop.generation(),
            next_seq: first.seq,
            started: now,
            pace,
            sent_bytes: 0,
        });
    }

    /// Whether so much leaves at once that the edge could not ask for what is lost of it.
    fn is_bursting(&mut self, now: Instant, packet: &Packet, gop: &GopCache) -> bool {
        let (since, bytes) = &mut self.burst;
        if now.saturating_duration_since(*since) > BURST {
            (*since, *bytes) = (now, 0);
        }
        *bytes += packet.payload.len() as u64 + HEADERS;
        let is_cached = gop.first().is_some_and(|first| first.seq <= packet.seq);
        *bytes > MOST_BURST && is_cached && matches!(self.state, State::Live)
    }

    /// Sends the rest of a burst out of the cache, as a replay.
    fn slow_down(&mut self, now: Instant, packet: &Packet, gop: &GopCache) {
        self.state = State::Replaying(Replay {
            generation: gop.generation(),
            next_seq: packet.seq,
            started: now,
            pace: Pace::even(bitrate_of(gop, now), LOSSY_RATE),
            sent_bytes: 0,
        });
    }

    /// Sends the part of a replay that is due. Returns how many packets went.
    fn go_on(
        &mut self,
        link: &Link,
        lane: &mut Lane,
        leaving: &mut Leaving<'_>,
        gop: &GopCache,
        format: &LayerFormat,
    ) -> u64 {
        if matches!(self.state, State::Replaying(at) if at.generation != gop.generation()) {
            // What is left of the old group is of no use any more.
            self.begin(link, leaving.now, gop);
        }
        let State::Replaying(mut at) = self.state else {
            return 0;
        };
        let elapsed = leaving.now.saturating_duration_since(at.started) + CATCH_UP_TICK;
        let most_bytes = at.pace.bytes_after(elapsed);
        let mut sent = 0;
        for packet in gop.from(at.next_seq) {
            if at.sent_bytes >= most_bytes {
                self.state = State::Replaying(at);
                return sent;
            }
            at.next_seq = packet.seq + 1;
            at.sent_bytes += packet.payload.len() as u64 + HEADERS;
            sent += self.write(link, lane, leaving, packet, format);
        }
        self.state = State::Live;
        sent
    }

    fn write(
        &mut self,
        link: &Link,
        lane: &mut Lane,
        leaving: &mut Leaving<'_>,
        packet: &Arc<Packet>,
        format: &LayerFormat,
    ) -> u64 {
        let age = leaving.now.saturating_duration_since(packet.arrival);
        let is_past = packet.is_past || age > PAST;
        let caption = match (packet.lead, is_past) {
            (None, true) => self.past.clone(),
            (None, false) => self.live.clone(),
            (Some(_), _) => self.said.as_ref().and_then(|said| {
                said_of(&Caption {
                    is_past,
                    lead: packet.lead,
                    ..said.clone()
                })
            }),
        };
        if caption.is_none() {
            return 0;
        }
        self.track.caption = caption;
        let spec = &format.spec;
        let sent = (self.track).write(link, lane, leaving, packet, spec, Timing::Live);
        u64::from(sent)
    }
}

/// As it travels; `None` for what cannot.
fn said_of(caption: &Caption) -> Option<Arc<[u8]>> {
    caption.to_bytes().map(Arc::from)
}
