//! Layers that the server makes, beside one that a publisher sends.

use std::collections::VecDeque;

use bytes::Bytes;
use str0m_netem::{Bitrate, DataSize};
use tokio::sync::oneshot;

use super::encoder::SPS_360;
use super::tapping::Listener;
use super::*;
use crate::calls::LayerChoice;
use crate::fed::{Door, Handed};
use crate::shard::Command;
use crate::stats::LayerStats;
use crate::tap::{LEAD, Track};

const SECOND: Duration = Duration::from_secs(1);
/// How long a ladder takes to make a picture.
const LATENCY: Duration = Duration::from_millis(150);
/// The layer in the marks of what is made.
const MADE: u8 = 7;
/// Long enough that no two NAL units travel in one packet.
const PART: usize = 1_170;

fn stream() -> StreamId {
    StreamId::from(1)
}

fn thin() -> NetemConfig {
    PERFECT().link(Bitrate::kbps(900), DataSize::kbytes(40))
}

/// Makes small pictures of what is tapped, key frames where its source has them.
struct Ladder {
    door: Door,
    listener: Listener,
    seen: usize,
    made: u32,
    due: VecDeque<(Instant, Duration, Bytes)>,
    refused: usize,
}

impl World {
    pub(super) fn make_layer(&mut self, rid: &str, zero: Instant) -> Option<Door> {
        let (reply, mut door) = oneshot::channel();
        let shared = self.registry.stream(stream()).expect("it is live");
        let shard = shared.publisher_shard().expect("it has a publisher");
        let rid = rid.to_owned();
        self.tell(
            shard,
            Message::Command(Command::MakeLayer {
                stream: stream(),
                rid,
                zero,
                reply,
            }),
        );
        door.try_recv().expect("an answer")
    }

    fn ladder(&mut self) -> Ladder {
        let listener = self.tap();
        let zero = self.now - LEAD;
        Ladder {
            door: self.make_layer("360", zero).expect("a layer"),
            listener,
            seen: 0,
            made: 0,
            due: VecDeque::new(),
            refused: 0,
        }
    }

    fn run_made(&mut self, ladder: &mut Ladder, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.run_tapped(&mut ladder.listener, Duration::from_millis(10));
            ladder.make(self.now);
            while let Some((_, pts, bytes)) = ladder.due.pop_front_if(|(at, ..)| *at <= self.now) {
                match ladder.door.unit(Handed::at(pts, true, bytes)) {
                    Some(unit) => {
                        let shared = self.registry.stream(stream()).expect("it is live");
                        let shard = shared.publisher_shard().unwrap_or(0);
                        self.tell(shard, Message::Fed(unit));
                    }
                    None => ladder.refused += 1,
                }
            }
        }
    }

    pub(super) fn layers(&mut self) -> Vec<LayerStats> {
        let (reply, mut stats) = oneshot::channel();
        self.command(Command::StreamStats {
            stream: stream(),
            reply,
        });
        let stats = stats.try_recv().expect("an answer");
        stats.expect("it is live").layers
    }

    pub(super) fn choose(&mut self, viewer: usize, rid: &str) -> bool {
        let (reply, mut result) = oneshot::channel();
        self.command(Command::ChooseLayer {
            session: self.session(viewer),
            choice: LayerChoice::Rid(rid.to_owned()),
            reply,
        });
        result.try_recv().expect("an answer").is_ok()
    }
}

impl Ladder {
    fn make(&mut self, now: Instant) {
        let units = self.listener.units[self.seen..].iter();
        for unit in units.filter(|unit| unit.unit.track == Track::Video(0)) {
            self.made += 1;
            let mark = Mark {
                layer: MADE,
                frame: self.made,
                ..unit.mark
            };
            let bytes = picture(mark);
            self.due.push_back((now + LATENCY, unit.unit.pts, bytes));
        }
        self.seen = self.listener.units.len();
    }
}

/// An access unit of 640x360 whose every NAL unit ends with a mark.
pub(super) fn picture(mark: Mark) -> Bytes {
    let units: &[(u8, &[u8])] = if mark.is_key {
        &[
            (0x67, &SPS_360[1..]),
            (0x65, &[0xee; PART]),
            (0x65, &[0xee; PART]),
        ]
    } else {
        &[(0x41, &[0xee; PART])]
    };
    let mut bytes = Vec::new();
    for (part, (header, body)) in units.iter().enumerate() {
        bytes.extend([0, 0, 0, 1, *header]);
        bytes.extend_from_slice(body);
        Mark {
            part: u16::try_from(part).expect("few parts"),
            parts: u16::try_from(units.len()).expect("few parts"),
            ..mark
        }
        .write(&mut bytes);
    }
    bytes.into()
}

fn single() -> EncoderSpec {
    EncoderSpec::single(SECOND * 2, true)
}

#[test]
fn thin_link_gets_the_made_layer_and_a_thick_one_the_original_both_ways() {
    // Peers take turns with shards: one viewer is with the publisher, one is not.
    let mut world = World::with(Config::default(), 2);
    world.publish(stream(), &single(), PERFECT());
    world.run(SECOND);
    let mut ladder = world.ladder();
    world.run_made(&mut ladder, SECOND * 4);
    let first = world.view(stream(), thin());
    let second = world.view(stream(), PERFECT());
    for (weak, strong) in [(first, second), (second, first)] {
        world.set_down_link(weak, thin());
        world.set_down_link(strong, PERFECT());
        world.run_made(&mut ladder, SECOND * 11);
        // Keys and with them what is lost differ from run to run: some climb a probe later.
        let mut shown = Vec::new();
        for _ in 0..6 {
            let late = world.elapsed();
            world.run_made(&mut ladder, SECOND * 4);
            let right = |(viewer, layer)| {
                // A player shows what is whole, and follows what it has shown.
                let shown = world.player(viewer).shown_between(late, world.elapsed());
                shown.filter(|shown| shown.layer == layer).count()
            };
            shown.push([(weak, MADE), (strong, 0)].map(right));
            if shown
                .last()
                .is_some_and(|right| right.iter().all(|&right| right > 110))
            {
                break;
            }
        }
        let last = shown.last().expect("it was looked at");
        assert!(
            last.iter().all(|&right| right > 110),
            "{shown:?} frames, each in 4 s"
        );
    }
    assert_eq!(ladder.refused, 0);
}

#[test]
fn made_pictures_are_in_step_with_the_sound() {
    let mut world = World::new();
    world.publish(stream(), &single(), PERFECT());
    world.run(SECOND * 5);
    let mut ladder = world.ladder();
    world.run_made(&mut ladder, SECOND * 4);
    let viewer = world.view(stream(), PERFECT());
    world.run_made(&mut ladder, SECOND);
    assert!(world.choose(viewer, "360"));
    world.run_made(&mut ladder, SECOND * 15);
    let player = world.player(viewer);
    assert_eq!(player.layer(), Some(MADE));
    let apart = player.audio_clock.zip(player.video_clock);
    let apart = apart.map(|(audio, video)| (audio - video).abs());
    assert!(apart.is_some_and(|us| us < 15_000), "{apart:?} us apart");
    let frozen = player.frozen(world.elapsed(), LATENCY + Duration::from_millis(100));
    assert_eq!(frozen, Duration::ZERO);
}

#[test]
fn request_for_a_made_layer_asks_for_its_source_and_makes_no_storm() {
    let mut world = World::new();
    let spec = EncoderSpec::single(SECOND * 3_600, true);
    let publisher = world.publish(stream(), &spec, PERFECT());
    world.run(SECOND);
    let mut ladder = world.ladder();
    world.run_made(&mut ladder, SECOND * 4);
    let viewer = world.view(stream(), PERFECT());
    world.run_made(&mut ladder, SECOND * 4);
    assert_eq!(world.player(viewer).layer(), Some(0));
    let keyframe = |ladder: &Ladder| {
        let mut units = ladder.listener.units.iter().rev();
        let newest = units.find(|u| u.unit.keyframe && u.unit.track != Track::Audio);
        Duration::from_micros(newest.expect("key frames").mark.captured_us)
    };
    while world.elapsed() - keyframe(&ladder) < SECOND {
        world.run_made(&mut ladder, Duration::from_millis(10));
    }
    let before = world.encoder(publisher).requests;
    assert!(world.choose(viewer, "360"));
    world.run_made(&mut ladder, Duration::from_millis(500));
    assert_eq!(world.player(viewer).layer(), Some(MADE));
    assert_eq!(world.encoder(publisher).requests, before + 1);

    // One that stalls is asked for no more often than the tap asks anyway.
    let before = world.encoder(publisher).requests;
    let Ladder { listener, .. } = &mut ladder;
    world.run_tapped(listener, SECOND * 20);
    let asked = world.encoder(publisher).requests - before;
    assert!(asked <= 12, "{asked} requests in 20 s");
    assert_eq!(world.player(viewer).layer(), Some(0), "what is left");
}

#[test]
fn tap_gives_no_made_layers() {
    let mut world = World::new();
    world.publish(stream(), &single(), PERFECT());
    world.run(SECOND);
    let mut ladder = world.ladder();
    world.run_made(&mut ladder, SECOND * 6);
    let mut later = world.tap();
    world.run_tapped(&mut later, SECOND * 3);
    for listener in [&ladder.listener, &later] {
        assert!(listener.of(Track::Video(0)).count() > 60);
        assert_eq!(listener.of(Track::Video(1)).count(), 0);
        let told = listener.tracks.iter().flatten();
        assert!(told.into_iter().all(|track| track.rid.is_none()));
    }
}

#[test]
fn made_layer_is_counted_and_goes_when_nobody_feeds_it() {
    let mut world = World::new();
    world.publish(stream(), &single(), PERFECT());
    world.run(SECOND);
    let mut ladder = world.ladder();
    let zero = world.now;
    assert!(world.make_layer("360", zero).is_none(), "the name is taken");
    world.run_made(&mut ladder, SECOND * 4);
    let viewer = world.view(stream(), PERFECT());
    world.run_made(&mut ladder, SECOND);
    assert!(world.choose(viewer, "360"));
    world.run_made(&mut ladder, SECOND * 3);
    assert_eq!(world.player(viewer).layer(), Some(MADE));
    let layers = world.layers();
    assert_eq!(layers.len(), 2, "{layers:?}");
    assert!(!layers[0].made && layers[1].made);
    assert_eq!(layers[1].rid.as_deref(), Some("360"));
    assert_eq!((layers[1].width, layers[1].height), (Some(640), Some(360)));
    assert!(layers[1].active && layers[1].bitrate > 200_000 && layers[1].lost == 0);

    let Ladder {
        door, mut listener, ..
    } = ladder;
    drop(door);
    world.run_tapped(&mut listener, SECOND * 3);
    assert_eq!(world.player(viewer).layer(), Some(0));
    assert_eq!(world.layers().len(), 1);
    assert!(!world.choose(viewer, "360"));

    drop(listener);
    let mut again = world.ladder();
    world.run_made(&mut again, SECOND * 3);
    assert!(world.choose(viewer, "360"));
    world.run_made(&mut again, SECOND * 3);
    assert_eq!(world.player(viewer).layer(), Some(MADE));
    assert_eq!(world.layers().len(), 2);
    let player = world.player(viewer);
    let frozen = player.frozen(world.elapsed(), SECOND);
    assert_eq!(frozen, Duration::ZERO);
}

#[test]
fn behind_a_lost_picture_comes_a_key_frame() {
    let mut world = World::new();
    world.publish(stream(), &single(), PERFECT());
    world.run(SECOND);
    let mut ladder = world.ladder();
    world.run_made(&mut ladder, SECOND * 4);
    let newest_key = |ladder: &Ladder| {
        let mut units = ladder.listener.units.iter().rev();
        let newest = units.find(|u| u.unit.keyframe && u.unit.track != Track::Audio);
        Duration::from_micros(newest.expect("key frames").mark.captured_us)
    };
    while world.elapsed() - newest_key(&ladder) < SECOND / 2 {
        world.run_made(&mut ladder, Duration::from_millis(10));
    }
    let packets = |world: &mut World| world.layers()[1].packets;
    let before = packets(&mut world);
    world.run_made(&mut ladder, SECOND / 2);
    let lossless = packets(&mut world);
    assert!(lossless > before + 10, "{before} to {lossless}");
    ladder.door.note_loss();
    world.run_made(&mut ladder, SECOND / 2);
    assert_eq!(packets(&mut world), lossless);
    world.run_made(&mut ladder, SECOND * 3);
    let after = packets(&mut world);
    assert!(after > lossless + 20, "{lossless} to {after}");
}

#[test]
fn made_layers_go_with_their_publisher() {
    let mut world = World::new();
    let first = world.publish(stream(), &single(), PERFECT());
    world.run(SECOND);
    let mut ladder = world.ladder();
    world.run_made(&mut ladder, SECOND * 4);
    let viewer = world.view(stream(), PERFECT());
    world.run_made(&mut ladder, SECOND * 2);
    world.cut_off(first, true);
    world.run_made(&mut ladder, SECOND * 2);
    assert_eq!(ladder.refused, 0);
    world.publish(stream(), &single(), PERFECT());
    world.run_made(&mut ladder, SECOND * 5);
    assert!(ladder.refused > 100, "{} refused", ladder.refused);
    assert_eq!(world.layers().len(), 1);
    assert!(!world.choose(viewer, "360"));
    let late = world.elapsed() - SECOND;
    let player = world.player(viewer);
    assert!(player.shown_between(late, world.elapsed()).count() > 25);
    assert_eq!(player.layer(), Some(0));
}

#[test]
fn layers_are_made_of_h264_only() {
    let mut world = World::new();
    let spec = EncoderSpec {
        codec: Codec::Vp8,
        ..single()
    };
    world.publish(stream(), &spec, PERFECT());
    world.run(SECOND);
    let zero = world.now;
    assert!(world.make_layer("360", zero).is_none());
}
