use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// Sequence and picture parameter sets, lengths of four bytes.
const AVC_RECORD: &[u8] = &[
    1, 100, 0, 31, 0xff, 0xe1, 0, 3, 0x67, 1, 2, 1, 0, 2, 0x68, 3,
];
const AVC_SETS: &[u8] = &[0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x68, 3];
const AV1_HEADER: &[u8] = &[0x0a, 2, 7, 8];

fn tag(parts: &[&[u8]]) -> Bytes {
    parts.concat().into()
}

fn video(demuxer: &mut Demuxer, timestamp: u32, parts: &[&[u8]]) -> Option<VideoUnit> {
    demuxer.video(timestamp, &tag(parts)).unwrap()
}

fn audio(demuxer: &mut Demuxer, timestamp: u32, parts: &[&[u8]]) -> Option<AudioUnit> {
    demuxer.audio(timestamp, &tag(parts)).unwrap()
}

fn with_avc() -> Demuxer {
    let mut demuxer = Demuxer::default();
    let header = [0x17, 0, 0, 0, 0];
    assert_eq!(video(&mut demuxer, 0, &[&header, AVC_RECORD]), None);
    demuxer
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[test]
fn key_frames_get_parameter_sets_and_lose_delimiters() {
    let mut demuxer = with_avc();
    let delimiter = [0, 0, 0, 2, 9, 0x10];
    let slice = [0, 0, 0, 3, 0x65, 7, 7];
    let header = [0x17, 1, 0, 0, 80];
    let unit = video(&mut demuxer, 5, &[&header, &delimiter, &slice]).unwrap();
    assert_eq!(unit.bytes, [AVC_SETS, &[0, 0, 0, 1, 0x65, 7, 7]].concat());
    assert!(unit.keyframe);
    assert_eq!((unit.dts, unit.pts), (ms(10_000), ms(10_080)));

    let other = [0, 0, 0, 2, 0x41, 1];
    let unit = video(&mut demuxer, 45, &[&[0x27, 1, 0xff, 0xff, 0xd8], &other]).unwrap();
    assert_eq!(unit.bytes, [0, 0, 0, 1, 0x41, 1][..]);
    assert!(!unit.keyframe);
    assert_eq!(
        (unit.dts, unit.pts),
        (ms(10_040), ms(10_000)),
        "composition of -40 ms"
    );

    let own_sets = [0, 0, 0, 1, 0x67, 0, 0, 0, 1, 0x65];
    let unit = video(&mut demuxer, 85, &[&[0x17, 1, 0, 0, 0], &own_sets]).unwrap();
    assert_eq!(unit.bytes, [0, 0, 0, 1, 0x67, 0, 0, 0, 1, 0x65][..]);
    assert_eq!(demuxer.counts.video_units, 3);
}

#[test]
fn a_configuration_in_mid_stream_replaces_the_one_before() {
    let mut demuxer = with_avc();
    let slice = [0x17, 1, 0, 0, 0, 0, 0, 0, 1, 0x65];
    video(&mut demuxer, 7_000, &[&slice]).unwrap();
    // Lengths of two bytes now, and a timestamp as encoders give it.
    let record = [1, 77, 0, 31, 0xfd, 0xe1, 0, 2, 0x67, 9, 1, 0, 1, 0x68];
    video(&mut demuxer, 0, &[&[0x17, 0, 0, 0, 0], &record]);
    let unit = video(&mut demuxer, 7_040, &[&[0x17, 1, 0, 0, 0, 0, 1, 0x65]]).unwrap();
    let sets = [0, 0, 0, 1, 0x67, 9, 0, 0, 0, 1, 0x68];
    assert_eq!(unit.bytes, [&sets[..], &[0, 0, 0, 1, 0x65]].concat());
    assert_eq!(
        unit.dts,
        ms(10_040),
        "a configuration does not move the clock"
    );
}

#[test]
fn a_broken_configuration_leaves_the_one_before() {
    let mut demuxer = with_avc();
    let header = [0x17, 0, 0, 0, 0];
    for cut in 1..AVC_RECORD.len() {
        assert_eq!(video(&mut demuxer, 0, &[&header, &AVC_RECORD[..cut]]), None);
    }
    assert_eq!(demuxer.counts.broken, AVC_RECORD.len() as u64 - 1);
    assert_eq!(video(&mut demuxer, 0, &[&header]), None);
    assert!(video(&mut demuxer, 0, &[&[0x17, 1, 0, 0, 0, 0, 0, 0, 1, 0x65]]).is_some());
}

#[test]
fn what_comes_before_its_configuration_is_dropped_and_counted() {
    let mut demuxer = Demuxer::default();
    assert_eq!(
        video(&mut demuxer, 0, &[&[0x17, 1, 0, 0, 0, 0, 0, 0, 1, 0x65]]),
        None
    );
    assert_eq!(
        video(&mut demuxer, 0, &[b"\x93hvc1", &[0, 0, 0, 1, 0x26]]),
        None
    );
    assert_eq!(
        video(&mut demuxer, 0, &[b"\x91av01", &[0x32, 1, 0x10]]),
        None
    );
    assert_eq!(audio(&mut demuxer, 0, &[&[0xaf, 1, 2, 3]]), None);
    assert_eq!(demuxer.counts.before_configuration, 4);
    assert_eq!(demuxer.counts.video_units, 0);
}

#[test]
fn broken_lengths_drop_the_unit() {
    let mut demuxer = with_avc();
    let header = [0x17, 1, 0, 0, 0];
    for broken in [
        &[0, 0, 0, 9, 0x65][..],
        &[0xff; 5],
        &[0, 0, 0, 1, 0x65, 0],
        &[0],
    ] {
        assert_eq!(video(&mut demuxer, 0, &[&header, broken]), None);
    }
    assert_eq!(demuxer.counts.broken, 4);
    // Nothing in it is no fault.
    assert_eq!(video(&mut demuxer, 0, &[&header, &[0, 0, 0, 0]]), None);
    assert_eq!(video(&mut demuxer, 0, &[&[0x17, 2, 0, 0, 0]]), None);
    assert_eq!(video(&mut demuxer, 0, &[&[0x57, 0]]), None);
    assert_eq!(demuxer.counts.broken, 4);
}

#[test]
fn enhanced_h264_and_h265_have_composition_times_or_none() {
    let mut demuxer = Demuxer::default();
    video(&mut demuxer, 0, &[b"\x90avc1", AVC_RECORD]);
    let slice = [0, 0, 0, 1, 0x65];
    let unit = video(&mut demuxer, 0, &[b"\x91avc1", &[0, 0, 40], &slice]).unwrap();
    assert_eq!(
        (unit.codec, unit.pts - unit.dts),
        (VideoCodec::H264, ms(40))
    );
    let unit = video(&mut demuxer, 0, &[b"\x93avc1", &slice]).unwrap();
    assert_eq!(unit.pts, unit.dts);

    let mut record = vec![0; 23];
    (record[0], record[21], record[22]) = (1, 3, 2);
    record.extend([0xa0, 0, 1, 0, 2, 0x40, 1]);
    record.extend([0xa1, 0, 1, 0, 2, 0x42, 1]);
    for header in [b"\x90hvc1".as_slice(), &[0x1c, 0, 0, 0, 0]] {
        video(&mut demuxer, 0, &[header, &record]);
        let picture = [0, 0, 0, 2, 0x46, 1, 0, 0, 0, 2, 0x26, 1];
        let header: &[u8] = match header[0] {
            0x90 => b"\x93hvc1",
            _ => &[0x1c, 1, 0, 0, 0],
        };
        let unit = video(&mut demuxer, 0, &[header, &picture]).unwrap();
        let sets = [0, 0, 0, 1, 0x40, 1, 0, 0, 0, 1, 0x42, 1];
        assert_eq!(unit.bytes, [&sets[..], &[0, 0, 0, 1, 0x26, 1]].concat());
        assert_eq!((unit.codec, unit.keyframe), (VideoCodec::H265, true));
    }
}

#[test]
fn vp9_frames_go_as_they_come() {
    let mut demuxer = Demuxer::default();
    video(
        &mut demuxer,
        0,
        &[b"\x90vp09", &[1, 0, 0, 0, 0, 10, 0x82, 2, 2, 2, 0, 0]],
    );
    for (first, keyframe) in [
        (0x82, true),
        (0x86, false),
        (0x88, false),
        (0xb1, true),
        (0xb2, false),
    ] {
        let unit = video(&mut demuxer, 0, &[b"\x91vp09", &[first, 1, 2]]).unwrap();
        assert_eq!(
            (unit.keyframe, unit.codec),
            (keyframe, VideoCodec::Vp9),
            "{first:x}"
        );
        assert_eq!(unit.bytes, [first, 1, 2][..]);
    }
    assert_eq!(video(&mut demuxer, 0, &[b"\x91vp09", &[0x42]]), None);
    assert_eq!(demuxer.counts.broken, 1);
}

#[test]
fn av1_units_get_sizes_and_a_sequence_header_and_lose_delimiters() {
    let mut demuxer = Demuxer::default();
    video(
        &mut demuxer,
        0,
        &[b"\x90av01", &[0x81, 0, 0, 0], AV1_HEADER],
    );
    // A delimiter, and a key frame without size.
    let picture = [0x12, 0, 0x30, 0x10, 5];
    let unit = video(&mut demuxer, 0, &[b"\x91av01", &picture]).unwrap();
    assert_eq!(unit.bytes, [AV1_HEADER, &[0x32, 2, 0x10, 5]].concat());
    assert!(unit.keyframe);
    let own_header = [AV1_HEADER, &[0x36, 0x08, 1, 0x10]].concat();
    let unit = video(&mut demuxer, 0, &[b"\x93av01", &own_header]).unwrap();
    assert_eq!(unit.bytes, own_header, "extensions stay");
    let inter = [0x32, 1, 0x30];
    let unit = video(&mut demuxer, 0, &[b"\x91av01", &inter]).unwrap();
    assert_eq!((unit.keyframe, unit.bytes.as_ref()), (false, &inter[..]));
    for broken in [&[0x32][..], &[0x32, 2, 0], &[0xb2, 0], &[0x32, 0xff, 0xff]] {
        assert_eq!(video(&mut demuxer, 0, &[b"\x91av01", broken]), None);
    }
    assert_eq!(demuxer.counts.broken, 4);
}

#[test]
fn long_obus_get_sizes_of_several_bytes() {
    let mut demuxer = Demuxer::default();
    let unit = video(&mut demuxer, 0, &[b"\x91av01", &[0x30], &[0x30; 300]]).unwrap();
    assert_eq!(unit.bytes, [&[0x32, 0xac, 0x02][..], &[0x30; 300]].concat());
}

#[test]
fn aac_carries_its_configuration() {
    let mut demuxer = Demuxer::default();
    for (start, frame) in [(&[0xaf, 0][..], &[0xaf, 1][..]), (b"\x90mp4a", b"\x91mp4a")] {
        assert_eq!(audio(&mut demuxer, 0, &[start, &[0x12, 0x10]]), None);
        let unit = audio(&mut demuxer, 23, &[frame, &[1, 2, 3]]).unwrap();
        let AudioCodec::Aac(aac) = unit.codec else {
            panic!("{:?}", unit.codec);
        };
        assert_eq!((aac.rate, aac.channels, aac.sbr), (44_100, 2, false));
        assert_eq!(unit.bytes, [1, 2, 3][..]);
        assert_eq!(audio(&mut demuxer, 0, &[frame]), None);
    }
    assert_eq!(demuxer.counts.broken, 0);
}

#[test]
fn opus_has_channels_by_its_header_or_by_itself() {
    let mut demuxer = Demuxer::default();
    let mut channels = |parts: &[&[u8]]| audio(&mut demuxer, 0, parts).map(|unit| unit.codec);
    let is = |channels| Some(AudioCodec::Opus { channels });
    assert_eq!(channels(&[b"\x91Opus", &[0xfc, 1]]), is(2));
    assert_eq!(channels(&[b"\x91Opus", &[0xf8, 1]]), is(1));
    assert_eq!(channels(&[b"\x90Opus", b"OpusHead\x01\x02"]), None);
    assert_eq!(channels(&[b"\x91Opus", &[0xf8, 1]]), is(2));
    let surround = tag(&[b"\x90Opus", b"OpusHead\x01\x06"]);
    assert_eq!(
        demuxer.audio(0, &surround),
        Err(Unsupported::OpusChannels(6))
    );
}

#[test]
fn what_has_no_place_is_named() {
    let mut demuxer = Demuxer::default();
    for (first, name) in [
        (0x2f, "MP3"),
        (0xe2, "MP3"),
        (0xb2, "Speex"),
        (0x3e, "PCM"),
        (0x72, "G.711"),
        (0xf0, "unknown"),
    ] {
        let refused = demuxer.audio(0, &tag(&[&[first, 0]])).unwrap_err();
        assert_eq!(refused, Unsupported::Audio(Name::Known(name)));
    }
    let refused = demuxer.video(0, &tag(&[&[0x12]])).unwrap_err().to_string();
    assert!(refused.starts_with("Sorenson H.263 video"), "{refused}");
    let refused = demuxer
        .video(0, &tag(&[b"\x90vv\nc"]))
        .unwrap_err()
        .to_string();
    assert!(refused.starts_with(r"'vv\nc' video"), "{refused}");
    let refused = demuxer.audio(0, &tag(&[b"\x90fLaC"])).unwrap_err();
    assert_eq!(refused, Unsupported::Audio(Name::Known("FLAC")));
    for multitrack in [
        demuxer.audio(0, &tag(&[&[0x95, 0]])).map(|_| ()),
        demuxer.video(0, &tag(&[&[0x96, 0]])).map(|_| ()),
    ] {
        assert_eq!(multitrack, Err(Unsupported::Multitrack));
    }
}

#[test]
fn refinements_of_timestamps_are_passed_over() {
    let mut demuxer = Demuxer::default();
    let short = [&[0x97, 2, 1, 2, 3, 0x01][..], b"vp09", &[0x82]];
    assert!(video(&mut demuxer, 0, &short).is_some());
    let long = [&[0x97, 255, 1, 0][..], &[0; 257], &[0x01], b"vp09", &[0x82]];
    assert!(video(&mut demuxer, 0, &long).is_some());
    let twice = [&[0x97, 0, 9, 0x07, 0, 9, 0x01][..], b"Opus", &[0xf8]];
    assert!(audio(&mut demuxer, 0, &twice).is_some());
    assert_eq!(audio(&mut demuxer, 0, &[&[0x97, 200, 1]]), None);
    assert_eq!(demuxer.counts.broken, 1);
}

/// A message of H264 with these NAL units.
fn nal_message(units: &[&[u8]]) -> Vec<u8> {
    let mut message = vec![0x17, 1, 0, 0, 0];
    for unit in units {
        message.extend(u32::try_from(unit.len()).unwrap().to_be_bytes());
        message.extend_from_slice(unit);
    }
    message
}

fn annex_b(units: &[&[u8]]) -> Vec<u8> {
    units
        .iter()
        .flat_map(|unit| [&[0, 0, 0, 1], *unit].concat())
        .collect()
}

const SPS: &[u8] = &[0x67, 9];
const PPS: &[u8] = &[0x68, 9];
const SEI: &[u8] = &[6, 5, 1, 7];
const IDR: &[u8] = &[0x65, 1];
const SLICE: &[u8] = &[0x41, 1];

#[test]
fn what_comes_in_messages_before_a_picture_is_of_its_unit() {
    let mut demuxer = with_avc();
    for before in [&[SPS, PPS][..], &[SEI], &[&[9, 0x10]]] {
        assert_eq!(video(&mut demuxer, 500, &[&nal_message(before)]), None);
    }
    let unit = video(&mut demuxer, 500, &[&nal_message(&[IDR])]).unwrap();
    assert_eq!(unit.bytes, annex_b(&[SPS, PPS, SEI, IDR]), "its own sets");
    assert!(unit.keyframe && !unit.is_after_loss);
    // Without sets of its own it gets those of the record, in front.
    assert_eq!(video(&mut demuxer, 540, &[&nal_message(&[SEI])]), None);
    let unit = video(&mut demuxer, 540, &[&nal_message(&[IDR])]).unwrap();
    assert_eq!(unit.bytes, [AVC_SETS, &annex_b(&[SEI, IDR])].concat());
    assert_eq!(unit.dts, ms(10_040), "as pictures say");
    // Up to a second before.
    assert_eq!(video(&mut demuxer, 580, &[&nal_message(&[SEI])]), None);
    let unit = video(&mut demuxer, 1_580, &[&nal_message(&[SLICE])]).unwrap();
    assert_eq!(unit.bytes, annex_b(&[SEI, SLICE]));
    assert_eq!((demuxer.counts.video_units, demuxer.counts.broken), (3, 0));
}

#[test]
fn pictures_with_one_timestamp_stay_apart() {
    let mut demuxer = with_avc();
    for picture in [IDR, SLICE, SLICE] {
        let unit = video(&mut demuxer, 7, &[&nal_message(&[SEI, picture])]).unwrap();
        assert!(unit.bytes.ends_with(&annex_b(&[SEI, picture])));
        assert_eq!(unit.dts, ms(10_000));
    }
    assert_eq!(demuxer.counts.video_units, 3);
}

#[test]
fn what_is_of_no_picture_is_dropped_and_counted() {
    let picture = |demuxer: &mut Demuxer, at| {
        let unit = video(demuxer, at, &[&nal_message(&[SLICE])]).unwrap();
        assert!(!unit.is_after_loss, "it was no picture");
        unit.bytes
    };
    let mut demuxer = with_avc();
    video(&mut demuxer, 0, &[&nal_message(&[SEI])]);
    assert_eq!(picture(&mut demuxer, 1_001), annex_b(&[SLICE]), "late");
    video(&mut demuxer, 5_000, &[&nal_message(&[SEI])]);
    assert_eq!(picture(&mut demuxer, 2_000), annex_b(&[SLICE]), "a jump");
    assert_eq!(demuxer.counts.broken, 2);
    // As long as it may be, and a byte more.
    let long = [SEI, &[1; 65_536 - 8 - 4]].concat();
    video(&mut demuxer, 2_000, &[&nal_message(&[&long])]);
    video(&mut demuxer, 2_000, &[&nal_message(&[&[]])]);
    assert_eq!(picture(&mut demuxer, 2_000).len(), 65_536 - 4 + 6);
    assert_eq!(demuxer.counts.broken, 2);
    video(&mut demuxer, 2_000, &[&nal_message(&[&long])]);
    video(&mut demuxer, 2_000, &[&nal_message(&[SEI])]);
    video(&mut demuxer, 2_000, &[&nal_message(&[SEI])]);
    assert_eq!(picture(&mut demuxer, 2_000), annex_b(&[SEI, SLICE]));
    assert_eq!(demuxer.counts.broken, 4);
    // Another configuration says all, and is of another stream.
    video(&mut demuxer, 2_000, &[&nal_message(&[SPS, PPS])]);
    video(&mut demuxer, 0, &[&[0x17, 0, 0, 0, 0], AVC_RECORD]);
    let unit = video(&mut demuxer, 2_000, &[&nal_message(&[IDR])]).unwrap();
    assert_eq!(unit.bytes, [AVC_SETS, &annex_b(&[IDR])].concat());
    assert_eq!(demuxer.counts.broken, 4);
}

#[test]
fn h265_messages_without_a_slice_wait_too() {
    let mut demuxer = Demuxer::default();
    let mut record = vec![0; 23];
    (record[0], record[21], record[22]) = (1, 3, 1);
    record.extend([0xa1, 0, 1, 0, 2, 0x42, 1]);
    video(&mut demuxer, 0, &[b"\x90hvc1", &record]);
    let before = [0, 0, 0, 2, 0x4e, 1];
    assert_eq!(video(&mut demuxer, 0, &[b"\x93hvc1", &before]), None);
    let unit = video(&mut demuxer, 0, &[b"\x93hvc1", &[0, 0, 0, 2, 0x26, 1]]).unwrap();
    assert_eq!(unit.bytes, annex_b(&[&[0x42, 1], &[0x4e, 1], &[0x26, 1]]));
}

#[test]
fn what_follows_a_dropped_picture_says_so() {
    let mut demuxer = Demuxer::default();
    video(&mut demuxer, 0, &[&nal_message(&[IDR])]);
    video(&mut demuxer, 0, &[&[0x17, 0, 0, 0, 0], AVC_RECORD]);
    let mut is_after_loss = |parts: &[&[u8]]| {
        let picture = nal_message(&[SLICE]);
        let broken = demuxer.counts.broken;
        assert_eq!(video(&mut demuxer, 0, parts), None);
        let first = video(&mut demuxer, 0, &[&picture]).unwrap().is_after_loss;
        let second = video(&mut demuxer, 0, &[&picture]).unwrap().is_after_loss;
        assert!(!second, "once");
        (first, demuxer.counts.broken - broken)
    };
    assert_eq!(is_after_loss(&[]), (false, 1), "before the configuration");
    let lengths = [0, 0, 0, 9, 0x41];
    assert_eq!(is_after_loss(&[&[0x27, 1, 0, 0, 0], &lengths]), (true, 1));
    assert_eq!(is_after_loss(&[&[0x27, 1, 0]]), (true, 1), "cut off");
    // No pictures.
    assert_eq!(is_after_loss(&[&[0x17, 0, 0, 0, 0], &[1, 2]]), (false, 1));
    assert_eq!(is_after_loss(&[&[0x17, 2, 0, 0, 0]]), (false, 0));
    assert_eq!(is_after_loss(&[&nal_message(&[&[12, 1]])]), (false, 0));

    assert!(video(&mut demuxer, 0, &[b"\x91vp09", &[0x82]]).is_some());
    video(&mut demuxer, 0, &[b"\x91vp09", &[0x42]]);
    video(&mut demuxer, 0, &[&[0x17, 0, 0, 0, 0], AVC_RECORD]);
    demuxer.restart();
    let unit = video(&mut demuxer, 0, &[b"\x91vp09", &[0x82]]).unwrap();
    assert!(!unit.is_after_loss, "another publication");
}

#[test]
fn pictures_longer_than_the_sfu_takes_are_refused_in_words() {
    const MOST: usize = 2 * 1024 * 1024;
    let mut demuxer = with_avc();
    let slice = |length: usize| [SLICE, &vec![1; length - 4 - SLICE.len()]].concat();
    video(&mut demuxer, 0, &[&nal_message(&[SEI])]);
    let longest = nal_message(&[&slice(MOST - 8)]);
    let unit = video(&mut demuxer, 0, &[&longest]).unwrap();
    assert_eq!(unit.bytes.len(), MOST);
    let longer = nal_message(&[&slice(MOST + 1)]);
    let mut picture = vec![1; MOST];
    picture[0] = 0x82;
    let longer_vp9 = [b"\x91vp09", &picture[..], &[1]].concat();
    assert!(video(&mut demuxer, 0, &[&longer_vp9[..longer_vp9.len() - 1]]).is_some());
    let longer_av1 = [b"\x91av01\x30".to_vec(), vec![0x30; MOST]].concat();
    for longer in [longer, longer_vp9, longer_av1] {
        let refused = demuxer.video(0, &longer.into()).unwrap_err();
        assert_eq!(refused, Unsupported::PictureLength);
    }
    let words = Unsupported::PictureLength.to_string();
    assert!(
        words.contains("2 MiB") && words.contains("lower"),
        "{words}"
    );
}

/// Bytes that begin like a tag, so that more than the first check is reached.
fn tags() -> impl Strategy<Value = Vec<u8>> {
    let beginnings = prop::sample::select(vec![
        b"\x17\0\0\0\0\x01".to_vec(),
        b"\x17\x01\0\0\0".to_vec(),
        b"\x1c\0\0\0\0\x01".to_vec(),
        b"\x90hvc1\x01".to_vec(),
        b"\x91hvc1".to_vec(),
        b"\x90av01\x81".to_vec(),
        b"\x93av01".to_vec(),
        b"\x91vp09".to_vec(),
        b"\x97".to_vec(),
        b"\xaf\0".to_vec(),
        b"\xaf\x01".to_vec(),
        b"\x90OpusOpusHead".to_vec(),
        b"".to_vec(),
    ]);
    let byte = prop_oneof![3 => 0_u8..4, 1 => any::<u8>()];
    let rest = prop::collection::vec(byte, 0..80);
    (beginnings, rest).prop_map(|(beginning, rest)| [beginning, rest].concat())
}

proptest! {
    #[test]
    fn no_tags_make_a_demuxer_panic(
        tags in prop::collection::vec((any::<bool>(), any::<u32>(), tags()), 1..12),
    ) {
        let mut demuxer = with_avc();
        for (is_video, timestamp, tag) in tags {
            let tag = tag.into();
            if is_video {
                let _ = demuxer.video(timestamp, &tag);
            } else {
                let _ = demuxer.audio(timestamp, &tag);
            }
        }
    }

    #[test]
    fn nal_units_survive_the_change_of_format(
        units in prop::collection::vec(prop::collection::vec(1_u8..=255, 1..50), 1..6),
    ) {
        let mut demuxer = with_avc();
        let (mut lengths, mut codes) = (Vec::new(), Vec::new());
        for unit in units {
            // A reference slice, so that nothing is added or left out.
            let unit = [&[0x41], &unit[..]].concat();
            lengths.extend(u32::try_from(unit.len()).unwrap().to_be_bytes());
            lengths.extend(&unit);
            codes.extend([&[0, 0, 0, 1], &unit[..]].concat());
        }
        let unit = video(&mut demuxer, 0, &[&[0x27, 1, 0, 0, 0], &lengths]).unwrap();
        prop_assert_eq!(unit.bytes, codes);
    }
}
