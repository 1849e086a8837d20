//! A publisher that is no peer: its pictures and its sound are handed over.

use bytes::Bytes;
use tokio::sync::oneshot;

use super::making::picture;
use super::*;
use crate::event::{CloseReason, Role};
use crate::fed::Door;
use crate::ingest::IngestTracks;
use crate::packet::Source;
use crate::session::Session;
use crate::shard::Command;
use crate::stats::StreamStats;
use crate::tap::Track;

const SECOND: Duration = Duration::from_secs(1);
const PICTURE: Duration = Duration::from_micros(33_333);
const SOUND: Duration = Duration::from_millis(20);

fn stream() -> StreamId {
    StreamId::from(1)
}

/// Hands pictures over, a key frame every two seconds, and sound.
struct Feeder {
    video: Door,
    audio: Door,
    session: SessionId,
    zero: Instant,
    pictures: u32,
    sounds: u32,
    epoch: u8,
}

impl World {
    fn ingest(&mut self) -> Feeder {
        let known = self.registry.stream(stream());
        let shared = known.clone().unwrap_or_default();
        let tracks = IngestTracks {
            video: true,
            audio: true,
        };
        let now = self.now;
        let (session, line, epoch) =
            Session::ingest(&self.settings, now, stream(), Arc::clone(&shared), tracks);
        if known.is_none() {
            self.registry.add_stream(stream(), shared);
        }
        let door = |source| Door::new(stream(), epoch, source, now, Arc::downgrade(&line));
        let feeder = Feeder {
            video: door(Source::Video(0)),
            audio: door(Source::Audio),
            session: session.id(),
            zero: now,
            pictures: 0,
            sounds: 0,
            epoch: u8::try_from(epoch).expect("few publishers"),
        };
        self.registry.add_owned(&session, 0);
        let (reply, _) = oneshot::channel();
        let session = Box::new(session);
        self.tell(0, Message::Command(Command::Adopt { session, reply }));
        feeder
    }

    fn run_fed(&mut self, feeder: &mut Feeder, duration: Duration) {
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

    fn ends_of(&self, session: SessionId) -> Vec<CloseReason> {
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
    fn due(&mut self, now: Instant, start: Instant) -> Vec<crate::fed::FedUnit> {
        let mut units = Vec::new();
        while self.zero + PICTURE * self.pictures <= now {
            let pts = PICTURE * self.pictures;
            let mark = Mark {
                epoch: self.epoch,
                is_key: self.pictures.is_multiple_of(60),
                frame: self.pictures,
                parts: 1,
                ..self.mark(pts, start)
            };
            self.pictures += 1;
            units.extend(self.video.unit(pts, picture(mark)));
        }
        while self.zero + SOUND * self.sounds <= now {
            let pts = SOUND * self.sounds;
            self.sounds += 1;
            let mut packet = vec![0xfc; 100];
            self.mark(pts, start).write(&mut packet);
            units.extend(self.audio.unit(pts, Bytes::from(packet)));
        }
        units
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
    let mut feeder = world.ingest();
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
    let mut feeder = world.ingest();
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
    let mut feeder = world.ingest();
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

    feeder.video.note_loss();
    feeder.video.note_loss();
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
    let mut feeder = world.ingest();
    world.run_fed(&mut feeder, SECOND * 2);
    world.run(SECOND * 3);
    let session = feeder.session;
    let is_silent = |(_, event): &(Duration, Event)| matches!(event, Event::MediaSilent { session: silent, .. } if *silent == session);
    assert!(world.events.iter().any(is_silent));
    assert!(feeder.video.is_open());
    drop(feeder);
    world.run(SECOND);
    assert_eq!(world.ends_of(session), [CloseReason::RemoteClosed]);
}

#[test]
fn a_peer_takes_over_and_is_taken_over_from() {
    let mut world = World::new();
    let mut first = world.ingest();
    world.run_fed(&mut first, SECOND * 2);
    let viewer = world.view(stream(), PERFECT());
    world.run_fed(&mut first, SECOND * 2);
    let spec = EncoderSpec::single(SECOND * 2, true);
    world.publish(stream(), &spec, PERFECT());
    world.run(SECOND * 3);
    assert_eq!(world.ends_of(first.session), [CloseReason::Superseded]);
    assert!(!first.video.is_open());
    let mut last = world.ingest();
    world.run_fed(&mut last, SECOND * 4);
    let late = world.elapsed() - SECOND;
    let player = world.player(viewer);
    let shown = player.shown_between(late, world.elapsed()).count();
    assert!(shown > 25, "{shown} pictures in the last second");
}
