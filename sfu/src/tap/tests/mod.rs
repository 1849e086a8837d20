//! Packets through a [`Reader`].

mod av1;
mod h265;
mod nal;
mod net;
mod time;
mod vp8;
mod vp9;

use std::time::{Duration, Instant};

use super::testing::{Kind, SPS, Sender, Sent, Sets, base, ms, slice, slice_of};
use super::{AccessUnit, Reader, Tapped, Track};
use crate::packet::{Packet, Source};
use crate::video::VideoCodec;

const FRAME: Duration = Duration::from_nanos(33_333_333);
const TICKS: u32 = 3_000;
const CODECS: [VideoCodec; 5] = [
    VideoCodec::H264,
    VideoCodec::H265,
    VideoCodec::Vp8,
    VideoCodec::Vp9,
    VideoCodec::Av1,
];

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

    /// An access unit in packets with these payloads, the last with the marker.
    fn send_payloads(&mut self, payloads: &[impl AsRef<[u8]>]) {
        self.now += FRAME;
        self.sender.timestamp = self.sender.timestamp.wrapping_add(TICKS);
        let now = self.now;
        let packet = |payload: &_| self.sender.packet(AsRef::as_ref(payload), now);
        let mut packets: Vec<_> = payloads.iter().map(packet).collect();
        packets.last_mut().expect("a packet").marker = true;
        self.take(packets);
    }

    /// Checks that pictures of all kinds come out as they went in.
    fn check_kinds(mut self) {
        let kinds = [Kind::Key, Kind::Reference, Kind::Disposable, Kind::Key];
        let sent = kinds.map(|kind| self.picture(kind));
        for sent in &sent {
            self.take(sent.packets.clone());
        }
        self.finish();
        let bytes: Vec<_> = self.units.iter().map(|unit| unit.bytes.to_vec()).collect();
        assert_eq!(bytes, sent.map(|sent| sent.bytes));
        let keys: Vec<_> = self.units.iter().map(|unit| unit.keyframe).collect();
        assert_eq!(keys, [true, false, false, true]);
        let sizes: Vec<_> = self.units.iter().map(|unit| unit.size).collect();
        assert_eq!(sizes, [Some((1_280, 720)), None, None, Some((1_280, 720))]);
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
fn picture_without_a_marker_ends_with_the_next() {
    for codec in CODECS {
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
    for codec in CODECS {
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
