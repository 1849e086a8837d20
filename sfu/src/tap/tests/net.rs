//! Nets that lose, repeat and reorder.

use proptest::prelude::*;

use super::*;

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
    proptest::sample::select(CODECS.as_slice())
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
const OPENINGS: &[&[u8]] = &[
    &[
        0x18, 0x0a, 0x0b, 0x00, 0x00, 0x00, 0x2d, 0x4c, 0xff, 0xb3, 0xcf,
    ],
    &[0x10, 0x30, 0x10],
    &[0x50, 0x30, 0x30],
    &[0x90, 0x11],
    &[0x00, 0x02, 0x30, 0x30],
    &[0x20, 0x03, 0x36, 0x00],
    &[
        0x8c, 0x80, 0x01, 0x82, 0x49, 0x83, 0x42, 0x00, 0x4f, 0xf0, 0x2c, 0xf0,
    ],
    &[0xc8, 0x80, 0x02, 0x86, 0x00],
    &[0xf8, 0x05, 0x20, 0x03, 0x05, 0x06, 0x87, 0x01],
    &[0xaa, 0x81, 0x23, 0x00, 0x07, 0x18, 0x01],
    &[0x62, 0x01, 0x93, 0xaf],
    &[0x62, 0x01, 0x53],
    &[0x60, 0x01, 0x00, 0x03, 0x42, 0x01, 0x01, 0x00],
    &[0x26, 0x01, 0xaf],
    super::super::testing::H265_SETS[1],
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
