//! Packets through a [`Reader`], over nets that lose, repeat and reorder.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::testing::{Kind, SPS, Sender, Sent, Sets, base, ms, slice, slice_of};
use super::{AccessUnit, Reader, Tapped, Track};
use crate::packet::{Packet, Source};
use crate::video::VideoCodec;

const FRAME: Duration = Duration::from_nanos(33_333_333);
const TICKS: u32 = 3_000;

/// One layer of 30 pictures a second through a reader.
struct Line {
    sender: Sender,
    reader: Reader,
    zero: Instant,
    now: Instant,
    units: Vec<AccessUnit>,
    tracks: usize,
}

impl Line {
    fn new() -> Self {
        Self::of(VideoCodec::H264)
    }

    fn of(codec: VideoCodec) -> Self {
        let zero = base();
        let mut sender = Sender::new(Source::Video(0));
        sender.codec = codec;
        Self {
            sender,
            reader: Reader::new(zero),
            zero,
            now: zero + ms(3_000),
            units: Vec::new(),
            tracks: 0,
        }
    }

    /// A picture a frame after the one before.
    fn picture(&mut self, kind: Kind) -> Sent {
        self.now += FRAME;
        self.sender.timestamp = self.sender.timestamp.wrapping_add(TICKS);
        self.sender.picture(kind, &[1_500, 300], self.now)
    }

    fn take(&mut self, packets: Vec<Packet>) {
        let codec = self.sender.codec;
        self.reader.take(&slice_of(codec, 1, 1, packets));
        self.collect();
    }

    fn collect(&mut self) {
        while let Some(tapped) = self.reader.next() {
            match tapped {
                Tapped::Unit(unit) => self.units.push(unit),
                Tapped::Tracks(_) => self.tracks += 1,
            }
        }
    }

    /// Pictures that all arrive.
    fn send(&mut self, kind: Kind, count: usize) {
        for _ in 0..count {
            let sent = self.picture(kind);
            self.take(sent.packets);
        }
    }

    fn finish(&mut self) {
        self.reader.finish();
        self.collect();
    }

    /// Begins, and lets the time pass for which units are held back.
    fn begun() -> Self {
        Self::begun_of(VideoCodec::H264)
    }

    fn begun_of(codec: VideoCodec) -> Self {
        let mut line = Self::of(codec);
        line.send(Kind::Key, 1);
        line.send(Kind::Reference, 49);
        assert_eq!(line.units.len(), 50);
        line.units.clear();
        line.reader.take_request();
        line
    }
}

#[test]
fn key_frame_begins_with_its_parameter_sets_however_they_travel() {
    for sets in [Sets::Aggregated, Sets::Before] {
        for most in [40, 1_000, 4_000] {
            let mut line = Line::new();
            line.sender.sets = sets;
            line.sender.most = most;
            let sent: Vec<_> = [Kind::Key, Kind::Reference, Kind::Disposable, Kind::Key]
                .map(|kind| line.picture(kind))
                .into();
            for sent in &sent {
                line.take(sent.packets.clone());
            }
            line.finish();
            let bytes: Vec<_> = line.units.iter().map(|unit| unit.bytes.to_vec()).collect();
            let wanted: Vec<_> = sent.into_iter().map(|sent| sent.bytes).collect();
            assert_eq!(bytes, wanted);
            let sizes: Vec<_> = line.units.iter().map(|unit| unit.size).collect();
            assert_eq!(sizes, [Some((1_280, 720)), None, None, Some((1_280, 720))]);
        }
    }
}

#[test]
fn sets_that_came_once_are_in_front_of_every_key_frame() {
    let mut line = Line::begun();
    let mut bare = line.picture(Kind::Key);
    bare.packets.remove(0);
    for packet in &mut bare.packets {
        packet.seq -= 1;
    }
    line.sender.seq -= 1;
    line.take(bare.packets);
    assert_eq!(line.units.len(), 1);
    assert_eq!(line.units[0].bytes, bare.bytes);
}

#[test]
fn set_that_is_repeated_alone_leaves_the_other_in_force() {
    let mut line = Line::begun();
    line.now += FRAME;
    line.sender.timestamp = line.sender.timestamp.wrapping_add(TICKS);
    let now = line.now;
    let repeated = line.sender.packet(SPS, now);
    line.take(vec![repeated]);
    let mut bare = line.picture(Kind::Key);
    bare.packets.remove(0);
    for packet in &mut bare.packets {
        packet.seq -= 1;
    }
    line.take(bare.packets);
    assert_eq!(line.units.len(), 1);
    assert_eq!(line.units[0].bytes, bare.bytes);
}

#[test]
fn key_frame_without_any_sets_is_of_no_use() {
    let mut line = Line::new();
    for _ in 0..60 {
        let mut bare = line.picture(Kind::Key);
        bare.packets.remove(0);
        for packet in &mut bare.packets {
            packet.seq -= 1;
        }
        line.sender.seq -= 1;
        line.take(bare.packets);
    }
    assert!(line.units.is_empty());
    assert!(line.reader.take_request());
}

#[test]
fn slice_of_nothing_is_no_picture() {
    let mut line = Line::begun();
    for payload in [&[0x41][..], &[0x7c, 0xc1], &[0x78, 0, 1, 0x41]] {
        line.send(Kind::Key, 1);
        let before = line.units.len();
        line.now += FRAME;
        line.sender.timestamp = line.sender.timestamp.wrapping_add(TICKS);
        let now = line.now;
        let mut packet = line.sender.packet(payload, now);
        packet.marker = true;
        line.take(vec![packet]);
        assert_eq!(line.units.len(), before);
    }
}

#[test]
fn key_frame_whose_sets_may_be_lost_is_not_trusted() {
    let mut line = Line::begun();
    let mut key = line.picture(Kind::Key);
    key.packets.remove(0);
    line.take(key.packets);
    line.send(Kind::Reference, 20);
    assert!(line.units.is_empty());
    assert!(line.reader.take_request());
    line.send(Kind::Key, 1);
    assert_eq!(line.units.len(), 1);
}

#[test]
fn picture_without_a_marker_ends_with_the_next() {
    for codec in [VideoCodec::H264, VideoCodec::Vp8] {
        let mut line = Line::begun_of(codec);
        let mut sent = line.picture(Kind::Reference);
        sent.packets.last_mut().expect("a packet").marker = false;
        line.take(sent.packets);
        assert!(line.units.is_empty());
        line.send(Kind::Reference, 1);
        assert_eq!(line.units.len(), 2);
        assert_eq!(line.units[0].bytes, sent.bytes);
    }
}

#[test]
fn markers_of_every_slice_are_found_out() {
    let mut line = Line::begun();
    for number in 0..3 {
        let mut sent = line.picture(Kind::Reference);
        for packet in &mut sent.packets[1..] {
            packet.marker = true;
        }
        let before = line.units.len();
        line.take(sent.packets);
        if number > 1 {
            assert_eq!(line.units.len(), before + 1, "it ends the one before");
        }
    }
    line.finish();
    assert!(!line.reader.take_request());
}

#[test]
fn lost_picture_that_none_refers_to_costs_only_itself() {
    let mut line = Line::begun();
    for lost in [0, 1] {
        let mut sent = line.picture(Kind::Disposable);
        sent.packets.drain(..sent.packets.len() - lost);
        line.take(sent.packets);
        line.send(Kind::Reference, 14);
    }
    assert_eq!(line.units.len(), 28);
    assert!(!line.reader.take_request());
}

#[test]
fn vp8_frames_come_without_their_descriptors() {
    for most in [14, 1_000, 4_000] {
        let mut line = Line::of(VideoCodec::Vp8);
        line.sender.most = most;
        let sent: Vec<_> = [Kind::Key, Kind::Reference, Kind::Disposable, Kind::Key]
            .map(|kind| line.picture(kind))
            .into();
        for sent in &sent {
            line.take(sent.packets.clone());
        }
        line.finish();
        let bytes: Vec<_> = line.units.iter().map(|unit| unit.bytes.to_vec()).collect();
        let wanted: Vec<_> = sent.into_iter().map(|sent| sent.bytes).collect();
        assert_eq!(bytes, wanted);
        let keys: Vec<_> = line.units.iter().map(|unit| unit.keyframe).collect();
        assert_eq!(keys, [true, false, false, true]);
        let sizes: Vec<_> = line.units.iter().map(|unit| unit.size).collect();
        assert_eq!(sizes, [Some((1_280, 720)), None, None, Some((1_280, 720))]);
    }
}

#[test]
fn damaged_vp8_frame_that_none_refers_to_costs_only_itself() {
    let mut line = Line::begun_of(VideoCodec::Vp8);
    for lost in [0, 1, 2] {
        let mut sent = line.picture(Kind::Disposable);
        assert_eq!(sent.packets.len(), 3);
        sent.packets.remove(lost);
        line.take(sent.packets);
        line.send(Kind::Reference, 14);
    }
    assert_eq!(line.units.len(), 42);
    assert!(!line.reader.take_request());
}

#[test]
fn lost_vp8_frame_of_which_nothing_came_may_have_been_needed() {
    let mut line = Line::begun_of(VideoCodec::Vp8);
    line.picture(Kind::Disposable);
    line.send(Kind::Reference, 14);
    assert!(line.units.is_empty());
    assert!(line.reader.take_request());
}

#[test]
fn damaged_vp8_frame_without_picture_id_may_hide_another() {
    let mut line = Line::begun_of(VideoCodec::Vp8);
    line.sender.picture_id = None;
    let mut sent = line.picture(Kind::Disposable);
    sent.packets.remove(2);
    line.take(sent.packets);
    line.send(Kind::Reference, 14);
    assert!(line.units.is_empty());
    assert!(line.reader.take_request());
}

#[test]
fn numbers_without_vp8_frames_cost_nothing() {
    let mut line = Line::begun_of(VideoCodec::Vp8);
    line.sender.seq += 5;
    line.send(Kind::Reference, 14);
    assert_eq!(line.units.len(), 14, "by their picture ids none is missing");
    assert!(!line.reader.take_request());
}

#[test]
fn vp8_key_frame_without_a_size_is_none() {
    let mut line = Line::begun_of(VideoCodec::Vp8);
    line.sender.most = 4_000;
    let mut sent = line.picture(Kind::Key);
    let mut payload = sent.packets[0].payload.to_vec();
    payload[7] = 0;
    sent.packets[0].payload = payload.into();
    line.take(sent.packets);
    line.send(Kind::Reference, 3);
    assert!(line.units.is_empty());
    assert!(line.reader.take_request());
}

#[test]
fn track_that_changes_its_codec_is_told_and_goes_on() {
    let mut line = Line::begun();
    let (last, tracks) = (line.now, line.tracks);
    line.sender.codec = VideoCodec::Vp8;
    line.send(Kind::Key, 1);
    line.send(Kind::Reference, 60);
    assert_eq!(line.tracks, tracks + 1);
    assert_eq!(line.units.len(), 61);
    let first = line.units[0].pts;
    assert!(first > last - line.zero, "{first:?}");
    assert!(line.units.is_sorted_by(|a, b| a.pts < b.pts));
}

#[test]
fn lost_reference_picture_costs_all_up_to_the_next_key_frame() {
    for codec in [VideoCodec::H264, VideoCodec::Vp8] {
        let mut line = Line::begun_of(codec);
        let mut sent = line.picture(Kind::Reference);
        sent.packets.remove(1);
        line.take(sent.packets);
        line.send(Kind::Reference, 7);
        assert!(line.units.is_empty(), "a retransmission may come");
        assert!(!line.reader.take_request());
        line.send(Kind::Reference, 10);
        assert!(line.units.is_empty());
        assert!(line.reader.take_request());
        assert!(!line.reader.take_request(), "asked for once");
        let key = line.picture(Kind::Key);
        line.take(key.packets);
        line.send(Kind::Reference, 3);
        let keys: Vec<_> = line.units.iter().map(|unit| unit.keyframe).collect();
        assert_eq!(keys, [true, false, false, false]);
    }
}

#[test]
fn key_frame_that_does_not_come_is_asked_for_again() {
    let mut line = Line::begun();
    line.picture(Kind::Reference);
    let mut requests = 0;
    for _ in 0..180 {
        line.send(Kind::Reference, 1);
        requests += usize::from(line.reader.take_request());
    }
    assert!(line.units.is_empty());
    assert_eq!(requests, 3, "in six seconds");
}

#[test]
fn packet_that_is_sent_again_fills_its_hole() {
    let mut line = Line::begun();
    let mut sent = line.picture(Kind::Reference);
    let mut late = sent.packets.remove(1);
    line.take(sent.packets);
    line.send(Kind::Reference, 6);
    assert!(line.units.is_empty());
    late.arrival = line.now;
    line.take(vec![late]);
    assert_eq!(line.units.len(), 7);
    assert_eq!(line.units[0].bytes, sent.bytes);
}

#[test]
fn sound_that_comes_makes_time_pass_for_a_picture_that_does_not() {
    let mut line = Line::begun();
    let mut sent = line.picture(Kind::Disposable);
    let lost = sent.packets.remove(0);
    line.take(sent.packets);
    let next = line.picture(Kind::Reference);
    line.take(next.packets);
    assert!(line.units.is_empty());
    let mut sound = Sender::new(Source::Audio);
    for _ in 0..15 {
        line.now += ms(20);
        let packets = sound.sound(line.now).packets;
        line.take(packets);
    }
    assert_eq!(line.units.len(), 1, "and {lost:?} is given up");
}

#[test]
fn source_that_counts_anew_goes_on_at_its_next_key_frame() {
    let mut line = Line::begun();
    line.sender.seq += 20_000;
    line.send(Kind::Key, 1);
    line.send(Kind::Reference, 10);
    let before = line.units.len();
    line.picture(Kind::Reference);
    line.sender.seq -= 19_000;
    line.send(Kind::Reference, 10);
    assert!(line.reader.take_request());
    line.send(Kind::Key, 1);
    line.send(Kind::Reference, 10);
    assert!(line.units.len() >= before + 11);
    assert!(line.units.is_sorted_by_key(|unit| unit.pts));
}

#[test]
fn sound_that_begins_5_s_late_has_its_time_and_is_told() {
    let mut line = Line::begun();
    let mut sound = Sender::new(Source::Audio);
    line.send(Kind::Reference, 100);
    let tracks = line.tracks;
    let begins = line.now + FRAME;
    for _ in 0..100 {
        let mut sent = line.picture(Kind::Reference);
        sound.timestamp = sound.timestamp.wrapping_add(1_600);
        sent.packets.extend(sound.sound(line.now).packets);
        line.take(sent.packets);
    }
    let first = line.units.iter().find(|unit| unit.track == Track::Audio);
    let error = first.expect("sound").pts.abs_diff(begins - line.zero);
    assert!(error < ms(1), "{error:?}");
    assert_eq!(line.tracks, tracks, "the layout had it from the start");
    let of = |track| line.units.iter().filter(move |unit| unit.track == track);
    assert_eq!(
        [of(Track::Audio), of(Track::Video(0))].map(Iterator::count),
        [100, 200]
    );
}

#[test]
fn layer_that_is_added_is_told_before_its_units() {
    let mut line = Line::begun();
    let mut other = Sender::new(Source::Video(1));
    let told = line.tracks;
    for number in 0..60 {
        let mut sent = line.picture(Kind::Reference);
        other.timestamp = other.timestamp.wrapping_add(TICKS);
        let kind = [Kind::Reference, Kind::Key][usize::from(number == 0)];
        sent.packets
            .extend(other.picture(kind, &[900], line.now).packets);
        line.reader.take(&slice(1, 2, sent.packets));
        line.collect();
        let has_units = line.units.iter().any(|u| u.track == Track::Video(1));
        assert_eq!(line.tracks > told, has_units);
    }
    assert_eq!(line.tracks, told + 1);
    let units = line.units.iter().filter(|u| u.track == Track::Video(1));
    assert_eq!(units.count(), 60, "from its first on");
}

#[test]
fn distances_are_exact_over_a_wrap_of_the_timestamp() {
    let mut line = Line::new();
    line.sender.timestamp = u32::MAX - 20 * TICKS;
    line.send(Kind::Key, 1);
    line.send(Kind::Reference, 100);
    for pair in line.units.windows(2) {
        let step = (pair[1].pts - pair[0].pts).as_nanos();
        assert!((33_333_333..=33_333_334).contains(&step), "{step} ns");
    }
    assert_eq!(line.units.len(), 101);
}

#[test]
fn jumps_of_the_timestamp_move_nothing() {
    for jump in [
        900_000_i32,
        -900_000,
        180_000,
        -180_000,
        9_000,
        -9_000,
        i32::MIN,
    ] {
        let mut line = Line::begun();
        line.send(Kind::Reference, 100);
        line.sender.timestamp = line.sender.timestamp.wrapping_add_signed(jump);
        line.send(Kind::Reference, 200);
        let last = line.units.last().expect("units").pts;
        let first = line.units.first().expect("units").pts;
        let passed = FRAME * 299;
        let error = (last - first).abs_diff(passed);
        assert!(error < ms(110), "{jump} moves time by {error:?}");
        for pair in line.units.windows(2) {
            assert!(pair[0].pts < pair[1].pts);
            assert!(pair[1].pts - pair[0].pts < ms(500));
        }
    }
}

#[test]
fn pause_is_as_long_as_it_was() {
    let mut line = Line::begun();
    line.send(Kind::Reference, 1);
    line.now += ms(10_000);
    line.sender.timestamp = line.sender.timestamp.wrapping_add(900_000);
    line.send(Kind::Key, 1);
    let pause = line.units[1].pts - line.units[0].pts;
    assert!(pause.abs_diff(ms(10_033)) < ms(2), "{pause:?}");
}

/// A picture that sender reports say was captured so long before it came.
fn send_reported(line: &mut Line, delay: Duration) {
    let mut sent = line.picture(Kind::Reference);
    for packet in &mut sent.packets {
        packet.capture_us = Some(0);
        packet.wallclock = packet.arrival - delay;
    }
    line.take(sent.packets);
}

/// By how much the newest unit's time lies before its arrival.
fn lag(line: &Line) -> Duration {
    let arrival = line.now - line.zero;
    arrival - line.units.last().expect("units").pts
}

#[test]
fn reports_that_come_late_move_a_track_slowly() {
    let mut line = Line::begun();
    for _ in 0..600 {
        send_reported(&mut line, ms(100));
    }
    for pair in line.units.windows(2) {
        let step = pair[1].pts - pair[0].pts;
        assert!(
            step.abs_diff(FRAME) < Duration::from_micros(340),
            "{step:?}"
        );
    }
    assert!(lag(&line).abs_diff(ms(100)) < ms(6), "{:?}", lag(&line));
}

#[test]
fn first_reports_that_tell_of_a_long_delay_are_followed_at_once() {
    let mut line = Line::begun();
    for _ in 0..60 {
        send_reported(&mut line, ms(700));
    }
    assert!(line.units.is_sorted_by_key(|unit| unit.pts));
    assert!(lag(&line).abs_diff(ms(700)) < ms(1), "{:?}", lag(&line));
}

#[test]
fn publisher_that_sets_its_clock_back_does_not_stop_time() {
    let mut line = Line::begun();
    for _ in 0..60 {
        send_reported(&mut line, ms(0));
    }
    let passed = line.units.len();
    for _ in 0..60 {
        send_reported(&mut line, ms(2_000));
    }
    for pair in line.units[passed - 1..].windows(2) {
        let step = pair[1].pts - pair[0].pts;
        assert!(step.abs_diff(FRAME) < ms(34), "{step:?}");
    }
    assert!(lag(&line) < ms(40), "{:?}", lag(&line));
    // And forward again.
    for _ in 0..60 {
        send_reported(&mut line, ms(0));
    }
    assert!(lag(&line) < ms(40), "{:?}", lag(&line));
}

#[test]
fn publisher_that_takes_over_goes_on_behind_the_one_before() {
    let mut line = Line::begun();
    line.send(Kind::Reference, 30);
    let last = line.units.last().expect("units").pts;
    line.units.clear();
    let tracks = line.tracks;
    let mut other = Sender::new(Source::Video(0));
    line.now += ms(2_000);
    let mut now = line.now;
    for number in 0..60 {
        now += FRAME;
        other.timestamp = other.timestamp.wrapping_add(TICKS);
        let kind = [Kind::Reference, Kind::Key][usize::from(number == 0)];
        let sent = other.picture(kind, &[500], now);
        line.reader.take(&slice(2, 1, sent.packets));
        // What the old one still sends is of no use.
        let stray = line.picture(Kind::Key);
        line.take(stray.packets);
    }
    assert_eq!(line.tracks, tracks + 1);
    assert_eq!(line.units.len(), 60);
    let pause = line.units[0].pts - last;
    assert!(pause.abs_diff(ms(2_033)) < ms(2), "{pause:?}");
}

#[test]
fn units_wait_for_reports_of_all_tracks_but_not_for_ever() {
    for is_reported in [true, false] {
        let mut line = Line::new();
        let mut sound = Sender::new(Source::Audio);
        for number in 0..60 {
            let kind = [Kind::Reference, Kind::Key][usize::from(number == 0)];
            let mut sent = line.picture(kind);
            sound.timestamp = sound.timestamp.wrapping_add(1_600);
            sent.packets.extend(sound.sound(line.now).packets);
            if is_reported && number >= 15 {
                for packet in &mut sent.packets {
                    packet.capture_us = Some(0);
                }
            }
            let held_for = FRAME * number + ms(5);
            line.take(sent.packets);
            let longest = if is_reported { ms(605) } else { ms(1_505) };
            assert_eq!(line.units.is_empty(), held_for < longest, "{held_for:?}");
            assert_eq!(line.tracks, usize::from(held_for >= longest), "told once");
        }
        let of = |track| line.units.iter().filter(move |unit| unit.track == track);
        let pairs = of(Track::Audio).zip(of(Track::Video(0)));
        assert_eq!(pairs.clone().count(), 60);
        for (audio, video) in pairs {
            assert!(audio.pts.abs_diff(video.pts) < ms(1));
        }
    }
}

/// What a net does to a packet.
#[derive(Debug, Clone)]
enum Fate {
    Lost,
    Late(u64),
    Twice(u64),
}

fn fates(lossy: bool) -> impl Strategy<Value = Vec<Fate>> {
    let loss = if lossy { 1 } else { 0 };
    let fate = prop_oneof![
        loss => Just(Fate::Lost),
        20 => (0_u64..20).prop_map(Fate::Late),
        1 => (100_u64..200).prop_map(Fate::Late),
        1 => (0_u64..400).prop_map(Fate::Twice),
    ];
    proptest::collection::vec(fate, 1..300)
}

fn pictures() -> impl Strategy<Value = Vec<(Kind, Vec<usize>)>> {
    let kind = prop_oneof![
        1 => Just(Kind::Key),
        8 => Just(Kind::Reference),
        4 => Just(Kind::Disposable),
    ];
    let slices = proptest::collection::vec(0_usize..3_000, 1..4);
    proptest::collection::vec((kind, slices), 1..60)
}

fn codecs() -> impl Strategy<Value = VideoCodec> {
    prop_oneof![Just(VideoCodec::H264), Just(VideoCodec::Vp8)]
}

fn picture_ids() -> impl Strategy<Value = Option<u16>> {
    prop_oneof![Just(None), (0_u16..0x8000).prop_map(Some)]
}

/// What comes out of pictures over a net, and what went in.
fn over(
    (codec, picture_id): (VideoCodec, Option<u16>),
    pictures: Vec<(Kind, Vec<usize>)>,
    fates: &[Fate],
    timestamp: u32,
    sets: Sets,
) -> (Vec<Sent>, Vec<AccessUnit>) {
    let mut line = Line::of(codec);
    line.sender.timestamp = timestamp;
    line.sender.sets = sets;
    line.sender.picture_id = picture_id;
    let mut sent = Vec::new();
    let mut flying = Vec::new();
    let mut fates = fates.iter().cycle();
    for (kind, slices) in pictures {
        line.now += FRAME;
        line.sender.timestamp = line.sender.timestamp.wrapping_add(TICKS);
        let picture = line.sender.picture(kind, &slices, line.now);
        for packet in &picture.packets {
            let mut arrive = |delay| {
                let mut packet = packet.clone();
                packet.arrival += ms(delay);
                packet.wallclock = packet.arrival;
                flying.push(packet);
            };
            match fates.next() {
                None | Some(Fate::Lost) => {}
                Some(Fate::Late(delay)) => arrive(*delay),
                Some(Fate::Twice(delay)) => {
                    arrive(0);
                    arrive(*delay);
                }
            }
        }
        sent.push(picture);
    }
    flying.sort_by_key(|packet| packet.arrival);
    for packet in flying {
        line.take(vec![packet]);
    }
    line.finish();
    (sent, line.units)
}

proptest! {
    /// Whatever is lost, late or doubled: units are whole, in order, decodable, and rise in time.
    #[test]
    fn units_are_whole_and_decodable(
        codec in codecs(),
        picture_id in picture_ids(),
        pictures in pictures(),
        fates in fates(true),
        timestamp in any::<u32>(),
        sets in prop_oneof![Just(Sets::Aggregated), Just(Sets::Before)],
    ) {
        let (sent, units) = over((codec, picture_id), pictures, &fates, timestamp, sets);
        let mut next = 0;
        let mut is_first = true;
        let mut last = None;
        for unit in &units {
            let found = sent[next..].iter().position(|sent| sent.bytes == unit.bytes);
            prop_assert!(found.is_some(), "not whole, or out of order");
            let at = next + found.unwrap_or_default();
            prop_assert_eq!(unit.keyframe, sent[at].kind == Kind::Key);
            let are_dispensable = sent[next..at].iter().all(|s| s.kind == Kind::Disposable);
            prop_assert!(unit.keyframe || !is_first && are_dispensable, "{} from {}", at, next);
            prop_assert!(last.is_none_or(|last| unit.pts > last));
            (next, is_first, last) = (at + 1, false, Some(unit.pts));
        }
    }

    /// What only comes late, within a quarter of a second, is all there.
    #[test]
    fn nothing_is_missing_where_nothing_is_lost(
        codec in codecs(),
        picture_id in picture_ids(),
        mut pictures in pictures(),
        fates in fates(false),
        timestamp in any::<u32>(),
    ) {
        pictures[0].0 = Kind::Key;
        // The first of all packets sets the beginning: it is not late.
        let fates = [&[Fate::Late(0)], &fates[..]].concat();
        let (sent, units) = over((codec, picture_id), pictures, &fates, timestamp, Sets::Aggregated);
        prop_assert_eq!(units.len(), sent.len());
    }

    /// Bytes, numbers and times of strangers: nothing panics, times rise.
    #[test]
    fn nonsense_is_borne(
        codec in codecs(),
        packets in proptest::collection::vec(
            (
                0_u64..60,
                prop_oneof![any::<u32>(), 0_u32..5],
                any::<bool>(),
                prop_oneof![
                    proptest::collection::vec(any::<u8>(), 1..12),
                    (0_usize..OPENINGS.len(), proptest::collection::vec(any::<u8>(), 0..6))
                        .prop_map(|(which, tail)| [OPENINGS[which], &tail].concat()),
                ],
                (-700_i64..700, any::<bool>(), 0_u64..400),
                0_usize..3,
            ),
            1..100,
        ),
    ) {
        let zero = base();
        let mut now = zero + ms(10_000);
        let mut reader = Reader::new(zero);
        let mut last = std::collections::BTreeMap::new();
        for (number, (seq, timestamp, marker, payload, (step, is_reported, delay), source)) in
            packets.into_iter().enumerate()
        {
            let source = match source {
                0 => Source::Audio,
                _ => Source::Video(source - 1),
            };
            now = if step < 0 { now - ms(step.unsigned_abs()) } else { now + ms(step.unsigned_abs()) };
            now = now.max(zero);
            let mut sender = Sender::new(source);
            sender.seq = number as u64 / 4 + seq;
            sender.timestamp = timestamp;
            let mut packet = sender.packet(&payload, now);
            packet.marker = marker;
            packet.capture_us = is_reported.then_some(0);
            packet.wallclock = now.checked_sub(ms(delay)).unwrap_or(now);
            let epoch = if number < 75 { 1 } else { 2 };
            reader.take(&slice_of(codec, epoch, 2, vec![packet]));
            if number % 40 == 39 {
                reader.finish();
            }
            while let Some(tapped) = reader.next() {
                let Tapped::Unit(unit) = tapped else { continue };
                let before = last.insert(unit.track, unit.pts);
                prop_assert!(before.is_none_or(|before| unit.pts > before));
            }
        }
    }
}

/// Beginnings that lead the reader to its deepest branches.
const OPENINGS: [&[u8]; 8] = [
    &[0x7c, 0x85, 0x88],
    &[0x7c, 0x45],
    &[0x78, 0x00, 0x02, 0x67, 0x42, 0x00, 0x03],
    &[0x65, 0x88],
    SPS,
    &[0x90, 0x80, 0x80, 0x01, 0x31, 0x02, 0x00],
    &[0xa0, 0x80, 0x80, 0x02, 0x31],
    &[
        0x10, 0xd0, 0x09, 0x02, 0x9d, 0x01, 0x2a, 0x00, 0x05, 0xd0, 0x02,
    ],
];
