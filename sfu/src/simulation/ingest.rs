//! A publisher that is no peer: its pictures and its sound are handed over.

use bytes::Bytes;
use tokio::sync::oneshot;

use super::making::picture;
use super::*;
use crate::calls::OfferError;
use crate::event::{CloseReason, Role};
use crate::fed::Handed;
use crate::ingest::{Doors, IngestTracks, IngestVideo};
use crate::session::Session;
use crate::shard::Command;
use crate::stats::StreamStats;
use crate::tap::{TapCodec, Track};

const SECOND: Duration = Duration::from_secs(1);
const PICTURE: Duration = Duration::from_micros(33_333);
/// Pictures from one key frame to the next.
const GROUP: u32 = 61;
const SOUND: Duration = Duration::from_millis(20);

fn stream() -> StreamId {
    StreamId::from(1)
}

/// Hands pictures over, a key frame every two seconds, and sound.
pub(super) struct Feeder {
    doors: Doors,
    session: SessionId,
    zero: Instant,
    pictures: u32,
    sounds: u32,
    epoch: u8,
    /// From which picture on there are B-frames.
    reordered_from: u32,
    has_sound: bool,
    sends_aac: bool,
}

pub(super) const OPUS: IngestTracks = IngestTracks {
    video: Some(IngestVideo {
        codec: TapCodec::H264,
        reordered: false,
        patience: Duration::from_secs(3),
    }),
    audio: Some(TapCodec::Opus),
};

impl World {
    pub(super) fn ingest(&mut self, tracks: IngestTracks) -> Feeder {
        let known = self.registry.stream(stream());
        let shared = known.clone().unwrap_or_default();
        let now = self.now;
        let (session, line, epoch) =
            Session::ingest(&self.settings, now, stream(), Arc::clone(&shared), tracks);
        if known.is_none() {
            self.registry.add_stream(stream(), shared);
        }
        let is_reordered = tracks.video.is_some_and(|video| video.reordered);
        let feeder = Feeder {
            doors: Doors::new(stream(), epoch, tracks, now, &line),
            session: session.id(),
            zero: now,
            pictures: 0,
            sounds: 0,
            epoch: u8::try_from(epoch).expect("few publishers"),
            reordered_from: if is_reordered { 0 } else { u32::MAX },
            has_sound: tracks.audio.is_some(),
            sends_aac: tracks.audio == Some(TapCodec::Aac),
        };
        self.registry.add_owned(&session, 0);
        let (reply, _) = oneshot::channel();
        let session = Box::new(session);
        self.tell(0, Message::Command(Command::Adopt { session, reply }));
        feeder
    }

    pub(super) fn run_fed(&mut self, feeder: &mut Feeder, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.run(Duration::from_millis(5));
            for unit in feeder.due(self.now, self.start) {
                self.tell(0, Message::Fed(unit));
            }
        }
    }

    fn figures(&mut self) -> StreamStats {
        let (reply, mut stats) = oneshot::channel();
        let stream = stream();
        self.command(Command::StreamStats { stream, reply });
        stats.try_recv().expect("an answer").expect("it is live")
    }

    pub(super) fn ends_of(&self, session: SessionId) -> Vec<CloseReason> {
        let events = self.events.iter();
        events
            .filter_map(|(_, event)| match event {
                Event::Closed {
                    session: closed,
                    reason,
                    ..
                } if *closed == session => Some(reason.clone()),
                _ => None,
            })
            .collect()
    }
}

impl Feeder {
    /// From here on there are B-frames.
    pub(super) fn reorder(&mut self) {
        self.reordered_from = self.pictures;
    }

    fn due(&mut self, now: Instant, start: Instant) -> Vec<crate::fed::FedUnit> {
        let mut units = Vec::new();
        while self.zero + PICTURE * self.pictures <= now {
            let (dts, shown) = (PICTURE * self.pictures, self.shown());
            let pts = PICTURE * shown;
            let mark = Mark {
                epoch: self.epoch,
                is_key: self.pictures.is_multiple_of(GROUP),
                frame: shown,
                parts: 1,
                ..self.mark(pts, start)
            };
            units.extend(self.doors.video.unit(Handed {
                dts,
                pts,
                keyframe: mark.is_key,
                reordered: self.pictures >= self.reordered_from,
                bytes: picture(mark),
            }));
            self.pictures += 1;
        }
        while self.has_sound && self.zero + SOUND * self.sounds <= now {
            let pts = SOUND * self.sounds;
            self.sounds += 1;
            let mut packet = vec![0xfc; 100];
            self.mark(pts, start).write(&mut packet);
            let handed = Handed::at(pts, true, Bytes::from(packet));
            if self.sends_aac {
                units.extend(self.doors.aac.unit(handed.clone()));
            }
            units.extend(self.doors.opus.unit(handed));
        }
        units
    }

    /// The place in which the next picture is shown: one later than it is decoded, and with B-frames
    /// two behind the one that they refer to.
    fn shown(&self) -> u32 {
        let (group, at) = (self.pictures / GROUP, self.pictures % GROUP);
        let shown = match (self.pictures >= self.reordered_from, at % 3) {
            (false, _) | (_, 0) if at == 0 => 0,
            (false, _) => at,
            (true, 1) => at + 2,
            (true, _) => at - 1,
        };
        group * GROUP + shown + u32::from(self.reordered_from < u32::MAX)
    }

    fn mark(&self, pts: Duration, start: Instant) -> Mark {
        let captured = self.zero + pts - start;
        Mark {
            captured_us: u64::try_from(captured.as_micros()).expect("a short test"),
            ..Mark::default()
        }
    }
}

#[test]
fn viewers_see_and_hear_one_that_is_no_peer_for_minutes() {
    let mut world = World::new();
    let mut feeder = world.ingest(OPUS);
    world.run_fed(&mut feeder, SECOND * 3);
    let is_flowing = |(_, event): &(Duration, Event)| matches!(event, Event::MediaFlowing { session, .. } if *session == feeder.session);
    assert_eq!(
        world
            .events
            .iter()
            .filter(|event| is_flowing(event))
            .count(),
        1
    );
    let first = &world.events[0].1;
    assert!(
        matches!(
            first,
            Event::Connected {
                role: Role::Publisher,
                ..
            }
        ),
        "{first:?}"
    );
    let viewer = world.view(stream(), PERFECT());
    world.run_fed(&mut feeder, SECOND * 150);
    let late = world.elapsed() - SECOND * 10;
    let player = world.player(viewer);
    let shown = player.shown_between(late, world.elapsed()).count();
    assert!(shown > 290, "{shown} pictures in 10 s");
    let heard = player.audio.iter().filter(|at| **at > late).count();
    assert!(heard > 490, "{heard} packets of sound in 10 s");
    let frozen = player.frozen(world.elapsed(), Duration::from_millis(120));
    assert_eq!(frozen, Duration::ZERO);
    let apart = player.audio_clock.zip(player.video_clock);
    let apart = apart.map(|(audio, video)| (audio - video).abs());
    assert!(apart.is_some_and(|us| us < 5_000), "{apart:?} us apart");
    assert!(world.ends_of(feeder.session).is_empty());
}

#[test]
fn tap_gives_all_of_it_on_one_clock() {
    let mut world = World::new();
    let mut feeder = world.ingest(OPUS);
    world.run_fed(&mut feeder, SECOND);
    let mut listener = world.tap();
    for _ in 0..60 {
        world.run_fed(&mut feeder, Duration::from_millis(100));
        world.run_tapped(&mut listener, Duration::from_millis(1));
    }
    assert!(listener.of(Track::Video(0)).count() > 150);
    assert!(listener.of(Track::Audio).count() > 250);
}

#[test]
fn figures_tell_of_pauses_and_of_what_found_no_room() {
    let mut world = World::new();
    let mut feeder = world.ingest(OPUS);
    world.run_fed(&mut feeder, SECOND * 12);
    let before = world.figures();
    let by = before.publisher.expect("it publishes");
    assert_eq!(
        (by.transport, by.dropped, by.dropped_age_ms),
        ("none", 0, None)
    );
    assert!(by.longest_gap_ms < Some(50), "{:?}", by.longest_gap_ms);
    let lately = before.layers[0].lately.expect("ten seconds are over");
    assert!(
        lately.least_fps > 28.0 && lately.most_fps < 32.0,
        "{lately:?}"
    );
    assert!(lately.least_bitrate * 2 > lately.most_bitrate, "{lately:?}");

    feeder.doors.video.note_loss();
    feeder.doors.video.note_loss();
    world.run(Duration::from_millis(1_500));
    world.run_fed(&mut feeder, SECOND * 2);
    let by = world.figures().publisher.expect("it publishes");
    assert_eq!(by.dropped, 2);
    assert!(by.dropped_age_ms > Some(1_900), "{:?}", by.dropped_age_ms);
    assert!(by.longest_gap_ms >= Some(1_490), "{:?}", by.longest_gap_ms);
}

#[test]
fn silence_and_the_end_are_told() {
    let mut world = World::new();
    let mut feeder = world.ingest(OPUS);
    world.run_fed(&mut feeder, SECOND * 2);
    world.run(SECOND * 3);
    let session = feeder.session;
    let is_silent = |(_, event): &(Duration, Event)| matches!(event, Event::MediaSilent { session: silent, .. } if *silent == session);
    assert!(world.events.iter().any(is_silent));
    assert!(feeder.doors.video.is_open());
    drop(feeder);
    world.run(SECOND);
    assert_eq!(world.ends_of(session), [CloseReason::RemoteClosed]);
}

#[test]
fn a_peer_takes_over_and_is_taken_over_from() {
    let mut world = World::new();
    let mut first = world.ingest(OPUS);
    world.run_fed(&mut first, SECOND * 2);
    let viewer = world.view(stream(), PERFECT());
    world.run_fed(&mut first, SECOND * 2);
    let spec = EncoderSpec::single(SECOND * 2, true);
    world.publish(stream(), &spec, PERFECT());
    world.run(SECOND * 3);
    assert_eq!(world.ends_of(first.session), [CloseReason::Superseded]);
    assert!(!first.doors.video.is_open());
    let mut last = world.ingest(OPUS);
    world.run_fed(&mut last, SECOND * 4);
    let late = world.elapsed() - SECOND;
    let player = world.player(viewer);
    let shown = player.shown_between(late, world.elapsed()).count();
    assert!(shown > 25, "{shown} pictures in the last second");
}

/// With B-frames from the beginning, for which viewers wait so long.
pub(super) fn reordered(patience: Duration) -> IngestTracks {
    let video = OPUS.video.map(|video| IngestVideo {
        reordered: true,
        patience,
        ..video
    });
    IngestTracks { video, ..OPUS }
}

impl World {
    /// Whether an offer to watch is turned away for the order of pictures.
    pub(super) fn is_turned_away(&mut self) -> bool {
        let shared = self.registry.stream(stream()).expect("it is live");
        let mut rtc = self.client_rtc(Codec::H264);
        let mut change = rtc.sdp_api();
        change.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        let (offer, _) = change.apply().expect("an offer");
        let offer = Offer::parse(&offer.to_sdp_string(), 65_536).expect("it can be read");
        let viewed = Session::view(&self.settings, self.now, stream(), shared, &offer);
        matches!(viewed, Err(OfferError::Reordered))
    }
}

#[test]
fn tap_gets_pictures_in_the_order_in_which_they_are_decoded() {
    let mut world = World::new();
    let mut feeder = world.ingest(reordered(Duration::ZERO));
    world.run_fed(&mut feeder, SECOND);
    let mut listener = world.tap();
    for _ in 0..60 {
        world.run_fed(&mut feeder, Duration::from_millis(100));
        world.run_tapped(&mut listener, Duration::from_millis(1));
    }
    assert!(
        listener
            .tracks
            .last()
            .is_some_and(|tracks| tracks.iter().any(|t| t.reordered))
    );
    let units: Vec<_> = listener
        .of(Track::Video(0))
        .map(|unit| &unit.unit)
        .collect();
    assert!(
        units.len() > 200,
        "{} pictures, from the first key frame on",
        units.len()
    );
    assert!(units.first().is_some_and(|unit| unit.keyframe));
    assert!(units.windows(2).all(|pair| pair[0].dts < pair[1].dts));
    assert!(units.iter().all(|unit| unit.pts >= unit.dts));
    let back = units
        .windows(2)
        .filter(|pair| pair[1].pts < pair[0].pts)
        .count();
    assert!(back > 60, "presentation goes back {back} times");
}

#[test]
fn viewers_without_hope_are_turned_away_and_get_what_is_made() {
    let mut world = World::new();
    // Without sound nothing for viewers comes before the layer is made.
    let tracks = IngestTracks {
        audio: None,
        ..reordered(Duration::ZERO)
    };
    let mut feeder = world.ingest(tracks);
    world.run_fed(&mut feeder, SECOND);
    assert!(world.is_turned_away());
    let zero = world.now - crate::tap::LEAD;
    let made = world.make_layer("720p", zero).expect("a layer");
    assert!(!world.is_turned_away());
    let viewer = world.view(stream(), PERFECT());
    let begin = world.now;
    for frame in 0..90 {
        world.run_fed(&mut feeder, PICTURE);
        let mark = Mark {
            is_key: frame % 30 == 0,
            frame,
            parts: 1,
            ..Mark::default()
        };
        let pts = world.now - begin + crate::tap::LEAD;
        let unit = made.unit(Handed::at(pts, mark.is_key, picture(mark)));
        world.tell(0, Message::Fed(unit.expect("room")));
    }
    let late = world.elapsed() - SECOND;
    let shown = world
        .player(viewer)
        .shown_between(late, world.elapsed())
        .count();
    assert!(shown > 25, "{shown} pictures in the last second");
    drop(made);
    world.run_fed(&mut feeder, SECOND * 2);
    assert!(world.is_turned_away());
}

#[test]
fn b_frames_that_come_late_end_viewers_when_nothing_is_made() {
    let mut world = World::new();
    let mut feeder = world.ingest(OPUS);
    world.run_fed(&mut feeder, SECOND);
    let viewer = world.view(stream(), PERFECT());
    world.run_fed(&mut feeder, SECOND * 2);
    let session = world.session(viewer);
    assert!(
        world
            .player(viewer)
            .shown_between(SECOND, world.elapsed())
            .count()
            > 30
    );
    feeder.reorder();
    world.run_fed(&mut feeder, SECOND * 2);
    assert!(world.ends_of(session).is_empty(), "it may still be made");
    world.run_fed(&mut feeder, SECOND * 3);
    assert_eq!(world.ends_of(session), [CloseReason::Reordered]);
    assert!(world.is_turned_away());
}

#[test]
fn aac_is_for_the_tap_and_opus_of_it_for_viewers() {
    let mut world = World::new();
    let tracks = IngestTracks {
        audio: Some(TapCodec::Aac),
        ..OPUS
    };
    let mut feeder = world.ingest(tracks);
    world.run_fed(&mut feeder, SECOND);
    let viewer = world.view(stream(), PERFECT());
    let mut listener = world.tap();
    for _ in 0..30 {
        world.run_fed(&mut feeder, Duration::from_millis(100));
        world.run_tapped(&mut listener, Duration::from_millis(1));
    }
    let heard = listener.of(Track::Audio).count();
    assert!((150..220).contains(&heard), "{heard} frames: each once");
    let codecs = listener.tracks.iter().flatten().map(|track| track.codec);
    assert!(codecs.eq([TapCodec::Aac, TapCodec::H264]));
    let packets = world.player(viewer).audio.len();
    assert!(packets > 100, "{packets} packets of sound");
}

#[test]
fn tap_that_is_opened_between_units_gets_each_once() {
    let mut world = World::new();
    let mut feeder = world.ingest(OPUS);
    world.run_fed(&mut feeder, SECOND);
    // The units of a batch, and the tap behind them in the same one.
    for unit in feeder.due(world.now + PICTURE * 4, world.start) {
        world.tell(0, Message::Fed(unit));
    }
    let mut listener = world.tap();
    for _ in 0..10 {
        world.run_fed(&mut feeder, Duration::from_millis(100));
        world.run_tapped(&mut listener, Duration::from_millis(1));
    }
    let frames: Vec<_> = listener
        .of(Track::Video(0))
        .map(|unit| unit.mark.frame)
        .collect();
    assert!(
        frames.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{frames:?}"
    );
    assert!(frames.len() > 50, "{frames:?}");
}

#[test]
fn sound_that_fits_no_datagram_is_left_out() {
    let mut world = World::new();
    let mut feeder = world.ingest(OPUS);
    world.run_fed(&mut feeder, SECOND);
    let viewer = world.view(stream(), PERFECT());
    world.run_fed(&mut feeder, SECOND);
    let pts = SOUND * feeder.sounds;
    let long = Handed::at(pts, true, Bytes::from(vec![0xfc; 4_000]));
    let unit = feeder.doors.opus.unit(long).expect("room");
    world.tell(0, Message::Fed(unit));
    let before = world.player(viewer).audio.len();
    world.run_fed(&mut feeder, SECOND);
    assert!(world.player(viewer).audio.len() > before + 40);
    assert!(world.ends_of(world.session(viewer)).is_empty());
}
