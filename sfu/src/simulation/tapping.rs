//! A tap beside viewers: whole units, one clock, key frames on time.

use std::collections::BTreeMap;

use str0m_netem::{Probability, RandomLoss};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};

use super::*;
use crate::calls::LayerChoice;
use crate::shard::Command;
use crate::tap::{AccessUnit, Feed, LEAD, Portion, Reader, TapCodec, TapTrack, Tapped, Track};
use crate::video::Av1Obu;

const SECOND: Duration = Duration::from_secs(1);

fn stream() -> StreamId {
    StreamId::from(1)
}

/// The listener's end of a tap.
pub(super) struct Listener {
    portions: mpsc::Receiver<Portion>,
    reader: Reader,
    /// What units' times count from, in µs since the start of the test.
    pub(super) zero_us: i64,
    pub(super) tracks: Vec<Vec<TapTrack>>,
    pub(super) units: Vec<Unit>,
    is_over: bool,
}

/// A unit with what its bytes say.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    pub(super) unit: AccessUnit,
    pub(super) mark: Mark,
    /// When it came out, since the start of the test.
    at: Duration,
}

impl World {
    pub(super) fn tap(&mut self) -> Listener {
        let (feed, portions) = Feed::open();
        self.tell_all(|| {
            let (reply, _) = oneshot::channel();
            Message::Command(Command::Tap {
                stream: stream(),
                feed: feed.clone(),
                reply,
            })
        });
        Listener {
            portions,
            reader: Reader::new(self.now - LEAD),
            zero_us: micros(self.elapsed()) - micros(LEAD),
            tracks: Vec::new(),
            units: Vec::new(),
            is_over: false,
        }
    }

    /// Lets time pass while the listener listens.
    pub(super) fn run_tapped(&mut self, listener: &mut Listener, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.run(Duration::from_millis(10));
            self.listen(listener);
        }
    }

    pub(super) fn listen(&mut self, listener: &mut Listener) {
        while !listener.is_over {
            match listener.portions.try_recv() {
                Ok(portion) => listener.reader.take_portion(&portion),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    listener.reader.finish();
                    listener.is_over = true;
                }
            }
        }
        if listener.reader.take_request() {
            let shared = self.registry.stream(stream()).expect("it is live");
            if let Some(shard) = shared.publisher_shard() {
                self.tell(shard, Message::Keyframes { stream: stream() });
            }
        }
        let at = self.elapsed();
        while let Some(tapped) = listener.reader.next() {
            match tapped {
                Tapped::Tracks(tracks) => listener.tracks.push(tracks),
                Tapped::Unit(unit) => {
                    let mark = whole(listener.codec_of(unit.track), &unit);
                    listener.units.push(Unit { unit, mark, at });
                }
            }
        }
    }
}

impl Listener {
    pub(super) fn of(&self, track: Track) -> impl Iterator<Item = &Unit> {
        self.units.iter().filter(move |u| u.unit.track == track)
    }

    /// Times of a track's units less the times at which they were captured, in µs.
    fn lags(&self, track: Track) -> impl Iterator<Item = i64> {
        let zero = self.zero_us;
        self.of(track).map(move |unit| {
            let captured = i64::try_from(unit.mark.captured_us).expect("short");
            zero + micros(unit.unit.pts) - captured
        })
    }

    /// How many layers have a key frame of which time of capture.
    fn keyframes(&self) -> BTreeMap<u64, usize> {
        let mut keyframes = BTreeMap::new();
        let pictures = self.units.iter().filter(|u| u.unit.track != Track::Audio);
        for picture in pictures.filter(|u| u.unit.keyframe) {
            *keyframes.entry(picture.mark.captured_us).or_default() += 1;
        }
        keyframes
    }

    fn codec_of(&self, track: Track) -> TapCodec {
        let tracks = self.tracks.last().expect("they are told");
        let found = tracks.iter().find(|told| told.track == track);
        found.expect("it is one of them").codec
    }

    /// The track of a layer, as the encoder names it.
    fn layer(&self, rid: &str) -> Track {
        let tracks = self.tracks.last().expect("they are told");
        let found = tracks.iter().find(|t| t.rid.as_deref() == Some(rid));
        found.expect("it has the layer").track
    }

    /// Units of a track rise in time, and behind each that is missing comes a key frame.
    fn check(&self, track: Track) {
        let units: Vec<_> = self.of(track).collect();
        assert!(
            units.first().is_none_or(|u| u.unit.keyframe),
            "{track:?} begins with a key frame"
        );
        for pair in units.windows(2) {
            let [a, b] = pair else { continue };
            assert!(a.unit.pts < b.unit.pts, "{a:?} {b:?}");
            assert_eq!(a.mark.layer, b.mark.layer);
            if track != Track::Audio && !b.unit.keyframe {
                assert_eq!(b.mark.frame, a.mark.frame + 1, "{a:?} {b:?}");
            }
        }
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).expect("a short test")
}

/// Checks that a unit is whole, by the marks of its parts.
fn whole(codec: TapCodec, unit: &AccessUnit) -> Mark {
    let last = Mark::read(&unit.bytes).expect("a mark");
    if matches!(codec, TapCodec::Opus | TapCodec::Aac) {
        return last;
    }
    assert_eq!(last.is_key, unit.keyframe);
    assert_eq!(unit.size.is_some(), unit.keyframe);
    let bytes = &unit.bytes[..];
    let parts: Vec<&[u8]> = match codec {
        TapCodec::Av1 => obus(bytes),
        TapCodec::H264 | TapCodec::H265 => nal_units(bytes),
        TapCodec::Opus | TapCodec::Aac | TapCodec::Vp8 | TapCodec::Vp9 => {
            assert_eq!(bytes.len() % usize::from(last.parts), 0, "all of one size");
            bytes
                .chunks(bytes.len() / usize::from(last.parts))
                .collect()
        }
    };
    assert_eq!(parts.len(), usize::from(last.parts), "{last:?}");
    for (number, part) in parts.into_iter().enumerate() {
        let mark = Mark::read(part).expect("a mark");
        assert_eq!(mark.frame, last.frame);
        assert_eq!(usize::from(mark.part), number, "{last:?}");
    }
    last
}

/// What lies between start codes.
fn nal_units(bytes: &[u8]) -> Vec<&[u8]> {
    let code = [0, 0, 0, 1];
    let is_code = |at: &usize| bytes[*at..].starts_with(&code);
    let starts: Vec<_> = (0..bytes.len()).filter(is_code).collect();
    assert_eq!(starts.first(), Some(&0));
    let ends = starts[1..].iter().copied().chain([bytes.len()]);
    let pairs = starts.iter().zip(ends);
    pairs.map(|(start, end)| &bytes[start + 4..end]).collect()
}

fn obus(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut obus = Vec::new();
    while !bytes.is_empty() {
        let obu = Av1Obu::parse(bytes).expect("an OBU");
        let mut written = Vec::new();
        obu.write(&mut written);
        bytes = bytes.strip_prefix(&written[..]).expect("with its size");
        obus.push(obu.payload);
    }
    obus
}

fn single() -> EncoderSpec {
    EncoderSpec::single(SECOND * 2, true)
}

#[test]
fn units_are_whole_and_in_order_over_loss_and_reordering() {
    let link = NetemConfig::new()
        .latency(Duration::from_millis(30))
        .jitter(Duration::from_millis(15))
        .reorder_gap(30)
        .loss(RandomLoss::new(Probability::new(0.05)));
    for (codec, tapped) in [
        (Codec::H264, TapCodec::H264),
        (Codec::H265, TapCodec::H265),
        (Codec::Vp8, TapCodec::Vp8),
        (Codec::Vp9, TapCodec::Vp9),
        (Codec::Av1, TapCodec::Av1),
    ] {
        let mut world = World::new();
        let spec = EncoderSpec {
            codec,
            ..EncoderSpec::simulcast()
        };
        world.publish(stream(), &spec, link);
        let mut listener = world.tap();
        world.run_tapped(&mut listener, SECOND * 20);
        for track in [
            Track::Audio,
            Track::Video(0),
            Track::Video(1),
            Track::Video(2),
        ] {
            listener.check(track);
            let (count, all) = match track {
                Track::Audio => (listener.of(track).count(), 1_000),
                Track::Video(_) => (listener.of(track).count(), 600),
            };
            assert!(count > all * 8 / 10, "{count} units of {track:?}");
        }
        let tracks = listener.tracks.last().expect("they are told");
        let video = tracks.iter().filter(|t| t.track != Track::Audio);
        assert!(video.clone().count() == 3 && video.clone().all(|t| t.codec == tapped));
    }
}

#[test]
fn key_frames_of_all_layers_are_asked_for_together_every_2_s() {
    let mut world = World::new();
    let publisher = world.publish(stream(), &EncoderSpec::simulcast(), PERFECT());
    let mut listener = world.tap();
    world.run_tapped(&mut listener, SECOND * 20);
    let keyframes = listener.keyframes();
    assert!(
        keyframes.values().all(|layers| *layers == 3),
        "{keyframes:?}"
    );
    let times: Vec<_> = keyframes.keys().collect();
    let spans: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // The first may answer the tap's beginning.
    assert!(spans.len() >= 8, "{spans:?}");
    assert!(
        spans[1..]
            .iter()
            .all(|us| (2_000_000..2_150_000).contains(us)),
        "{spans:?}"
    );
    let requests = world.encoder(publisher).requests;
    assert!(requests <= 3 * (spans.len() + 2), "{requests}");

    drop(listener);
    let before = world.encoder(publisher).requests;
    world.run(SECOND * 6);
    assert_eq!(world.encoder(publisher).requests, before, "nobody taps");
}

#[test]
fn request_of_a_viewer_goes_to_all_layers() {
    let mut world = World::new();
    world.publish(stream(), &EncoderSpec::simulcast(), PERFECT());
    let mut listener = world.tap();
    world.run_tapped(&mut listener, SECOND * 4);
    let viewer = world.view(stream(), PERFECT());
    world.run_tapped(&mut listener, SECOND * 4);
    let newest = |listener: &Listener| {
        let newest = listener.keyframes().last_key_value().map(|(at, _)| *at);
        Duration::from_micros(newest.expect("key frames"))
    };
    while world.elapsed() - newest(&listener) < SECOND {
        world.run_tapped(&mut listener, Duration::from_millis(10));
    }
    let before = newest(&listener);
    let (reply, _result) = oneshot::channel();
    world.command(Command::ChooseLayer {
        session: world.session(viewer),
        choice: LayerChoice::Rid("l".to_owned()),
        reply,
    });
    world.run_tapped(&mut listener, Duration::from_millis(500));
    let after = newest(&listener);
    assert!(after - before < SECOND * 2, "not that of the clock");
    assert_eq!(
        listener.keyframes().last_key_value().map(|(_, n)| *n),
        Some(3)
    );
    assert_eq!(world.player(viewer).layer(), Some(0));
}

#[test]
fn slow_tap_loses_and_nobody_waits_for_it() {
    let mut world = World::new();
    world.publish(stream(), &single(), PERFECT());
    world.run(SECOND * 2);
    let viewer = world.view(stream(), PERFECT());
    world.run(SECOND);
    let mut listener = world.tap();
    world.run(SECOND * 20);
    let totals = world.registry().counters.snapshot();
    assert!(totals.tap_lost > 1_000, "{} lost", totals.tap_lost);
    let player = world.player(viewer);
    let frozen = player.frozen(world.elapsed(), Duration::from_millis(60));
    assert_eq!(frozen, Duration::ZERO);
    assert!(player.sequence.windows(2).all(|p| p[1] == p[0] + 1));

    world.run_tapped(&mut listener, SECOND * 6);
    for track in [Track::Audio, Track::Video(0)] {
        listener.check(track);
        let times: Vec<_> = listener.of(track).map(|unit| unit.unit.pts).collect();
        let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max();
        let longest = longest.expect("units");
        assert!(longest > SECOND * 5, "what is lost is a pause: {longest:?}");
    }
    let last = listener.of(Track::Video(0)).last().expect("units");
    assert!(world.elapsed() - last.at < Duration::from_millis(100));
}

#[test]
fn time_goes_on_over_a_take_over() {
    let mut world = World::new();
    let first = world.publish(stream(), &single(), PERFECT());
    let mut listener = world.tap();
    world.run_tapped(&mut listener, SECOND * 4);
    world.cut_off(first, true);
    world.run_tapped(&mut listener, SECOND * 3);
    let silent = listener.units.len();
    world.publish(stream(), &EncoderSpec::simulcast(), PERFECT());
    world.run_tapped(&mut listener, SECOND * 6);
    assert_eq!(listener.tracks.len(), 2, "{:?}", listener.tracks);
    assert_eq!([2, 4], [0, 1].map(|i| listener.tracks[i].len()));
    for track in [Track::Audio, Track::Video(0)] {
        let before = listener.units[..silent].iter();
        let last = before
            .filter(|u| u.unit.track == track)
            .last()
            .expect("units");
        let mut after = listener.units[silent..].iter();
        let next = after.find(|u| u.unit.track == track).expect("units");
        let pause = next.unit.pts - last.unit.pts;
        assert!((SECOND * 3..SECOND * 4).contains(&pause), "{pause:?}");
        let times: Vec<_> = listener.of(track).map(|unit| unit.unit.pts).collect();
        assert!(times.is_sorted());
    }
    let worst = listener.lags(Track::Video(0)).map(i64::abs).max();
    assert!(
        worst.is_some_and(|us| us < 40_000),
        "{worst:?} us from real time"
    );
}

/// A publisher whose picture takes longer than its sound.
fn slow_encoder() -> EncoderSpec {
    EncoderSpec {
        video_delay: Duration::from_millis(120),
        ..single()
    }
}

#[test]
fn picture_and_sound_are_on_one_clock() {
    let mut world = World::new();
    world.publish(stream(), &slow_encoder(), PERFECT());
    // Until there are sender reports of both.
    world.run(SECOND * 12);
    let mut listener = world.tap();
    world.run_tapped(&mut listener, SECOND * 10);
    let lags = |track| listener.lags(track).collect::<Vec<_>>();
    let (audio, video) = (lags(Track::Audio), lags(Track::Video(0)));
    assert!(audio.len() > 450 && video.len() > 250);
    let all = audio.iter().chain(&video);
    let (least, most) = (all.clone().min(), all.max());
    let apart = most.zip(least).map(|(most, least)| most - least);
    assert!(apart.is_some_and(|us| us < 10_000), "{least:?} to {most:?}");
}

#[test]
fn picture_and_sound_find_to_each_other_once_there_are_reports() {
    let mut world = World::new();
    world.publish(stream(), &slow_encoder(), PERFECT());
    let mut listener = world.tap();
    world.run_tapped(&mut listener, SECOND * 25);
    let last = |track| listener.lags(track).last().expect("units");
    let apart = last(Track::Audio) - last(Track::Video(0));
    assert!(apart.abs() < 10_000, "{apart} us apart");
    // Slowly: distances stay those of the frames, within a hundredth.
    let times: Vec<_> = listener.of(Track::Video(0)).map(|u| u.unit.pts).collect();
    for pair in times.windows(2) {
        let step = micros(pair[1] - pair[0]);
        assert!((32_990..=33_680).contains(&step), "{step} us");
    }
}

#[test]
fn tap_finds_its_publisher_whenever_and_wherever_it_comes() {
    for number in 0..2 {
        let mut world = World::with(Config::default(), 2);
        if number == 1 {
            // Peers take turns: this one moves the publisher to the other shard.
            world.publish(StreamId::from(2), &single(), PERFECT());
        }
        world.publish(stream(), &single(), PERFECT());
        // It is pending still.
        let mut listener = world.tap();
        world.run_tapped(&mut listener, SECOND * 3);
        assert!(listener.of(Track::Video(0)).count() > 70);
        assert!(listener.of(Track::Audio).count() > 120);
    }
}

#[test]
fn tap_begins_with_the_key_frame_that_has_just_come() {
    let mut world = World::new();
    let deaf = EncoderSpec::single(SECOND * 10, false);
    world.publish(stream(), &deaf, PERFECT());
    world.run(Duration::from_millis(11_000));
    let tapped = world.elapsed();
    let mut listener = world.tap();
    world.run_tapped(&mut listener, SECOND * 3);
    listener.check(Track::Video(0));
    let first = listener.of(Track::Video(0)).next().expect("a unit");
    let captured = Duration::from_micros(first.mark.captured_us);
    assert!(captured < tapped, "{captured:?}");
    assert!(listener.of(Track::Video(0)).count() > 100);
}

#[test]
fn tap_ends_with_its_stream_or_its_successor() {
    let mut world = World::new();
    world.publish(stream(), &single(), PERFECT());
    let mut first = world.tap();
    world.run_tapped(&mut first, SECOND * 2);
    let mut second = world.tap();
    world.run_tapped(&mut second, SECOND * 2);
    world.listen(&mut first);
    assert!(first.is_over && !second.is_over);
    let (reply, _) = oneshot::channel();
    world.command(Command::EndStream {
        stream: stream(),
        reply,
    });
    world.listen(&mut second);
    assert!(second.is_over);
    assert!(second.of(Track::Video(0)).count() > 50);
}

#[test]
fn encoder_with_key_frames_every_2_s_is_not_asked_for_more() {
    let mut world = World::new();
    let publisher = world.publish(stream(), &single(), PERFECT());
    let mut listener = world.tap();
    world.run_tapped(&mut listener, SECOND * 4);
    let before = world.encoder(publisher).requests;
    world.run_tapped(&mut listener, SECOND * 10);
    assert_eq!(world.encoder(publisher).requests, before);
}

#[test]
fn publisher_that_does_not_listen_is_asked_seldom() {
    let mut world = World::new();
    let deaf = EncoderSpec::single(SECOND * 5, false);
    let publisher = world.publish(stream(), &deaf, PERFECT());
    let mut listener = world.tap();
    world.run_tapped(&mut listener, SECOND * 10);
    let before = world.encoder(publisher).requests;
    world.run_tapped(&mut listener, SECOND * 40);
    let asked = world.encoder(publisher).requests - before;
    assert!((1..=5).contains(&asked), "{asked} requests in 40 s");
    let shown = listener.of(Track::Video(0)).count();
    assert!(shown > 1_300, "{shown} units");
}

#[test]
fn layer_that_pauses_makes_no_storm_of_requests() {
    let mut world = World::new();
    let publisher = world.publish(stream(), &EncoderSpec::simulcast(), PERFECT());
    let mut listener = world.tap();
    world.run_tapped(&mut listener, SECOND * 3);
    world.encoder(publisher).paused_layer = Some(2);
    world.run_tapped(&mut listener, SECOND * 30);
    let keyframes = |listener: &Listener, rid| {
        let units = listener.of(listener.layer(rid));
        units.filter(|unit| unit.unit.keyframe).count()
    };
    for rid in ["l", "m"] {
        let count = keyframes(&listener, rid);
        assert!((14..=19).contains(&count), "{count} key frames");
    }
    world.encoder(publisher).paused_layer = None;
    let paused = keyframes(&listener, "h");
    world.run_tapped(&mut listener, SECOND * 3);
    assert!(keyframes(&listener, "h") > paused);
    listener.check(listener.layer("h"));
}
