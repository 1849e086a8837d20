//! Access units of H265.

use super::super::testing::H265_SETS;
use super::*;

const START: [u8; 4] = [0, 0, 0, 1];

fn begun() -> Line {
    Line::begun_of(VideoCodec::H265)
}

fn behind_start_codes(units: &[&[u8]]) -> Vec<u8> {
    let with_code = |unit: &&[u8]| [&START, *unit].concat();
    units.iter().flat_map(with_code).collect()
}

#[test]
fn key_frame_begins_with_its_parameter_sets_however_they_travel() {
    for sets in [Sets::Aggregated, Sets::Before] {
        for most in [10, 40, 1_000, 4_000] {
            let mut line = Line::of(VideoCodec::H265);
            line.sender.sets = sets;
            line.sender.most = most;
            line.check_kinds();
        }
    }
}

#[test]
fn sets_that_came_once_are_in_front_of_every_intra_random_access_picture() {
    let mut line = begun();
    // BLA_W_LP to CRA_NUT (H.265 table 7-1).
    for kind in 16..=21_u8 {
        let slice = [kind << 1, 0x01, 0xaf, 0x11];
        line.send_payloads(&[&slice]);
        let unit = line.units.pop().expect("a unit");
        assert!(unit.keyframe);
        assert_eq!(unit.size, Some((1_280, 720)));
        let [vps, sps, pps] = H265_SETS;
        assert_eq!(unit.bytes, behind_start_codes(&[vps, sps, pps, &slice]));
    }
}

#[test]
fn new_sets_replace_the_old_whatever_is_repeated_among_them() {
    let mut line = begun();
    let [vps, sps, pps] = H265_SETS;
    let other = [&sps[..sps.len() - 1], &[0x48]].concat();
    let slice = [0x26, 0x01, 0xaf, 0x11];
    line.send_payloads(&[vps, &other, pps, &slice]);
    let unit = line.units.pop().expect("a unit");
    let wanted = behind_start_codes(&[vps, &other, pps, &slice]);
    assert_eq!(unit.bytes, wanted, "the video parameter set is the old one");
}

#[test]
fn key_frame_without_all_sets_is_of_no_use() {
    for missing in 0..3 {
        let mut line = Line::of(VideoCodec::H265);
        for _ in 0..60 {
            let mut sets = H265_SETS.to_vec();
            sets.remove(missing);
            let slice: &[u8] = &[0x26, 0x01, 0xaf, 0x11];
            line.send_payloads(&[sets[0], sets[1], slice]);
        }
        assert!(line.units.is_empty());
        assert!(line.reader.take_request());
    }
}

#[test]
fn key_frame_whose_sets_may_be_lost_is_not_trusted() {
    let mut line = begun();
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
fn delimiters_filler_and_upper_layers_are_left_out() {
    let mut line = begun();
    let delimiter = [0x46, 0x01, 0x50];
    let message = [0x4e, 0x01, 0x05, 0x01, 0x80];
    let slice = [0x02, 0x01, 0xd0, 0x11];
    let filler = [0x4c, 0x01, 0xff, 0x80];
    let upper_set = [0x42, 0x09, 0x01];
    let upper_slice = [0x02, 0x09, 0xd0, 0x22];
    let upper_parts = [
        [0x62, 0x09, 0x81, 0xd0],
        [0x62, 0x09, 0x01, 0x33],
        [0x62, 0x09, 0x41, 0x44],
    ];
    line.send_payloads(&[
        &delimiter[..],
        &message,
        &slice,
        &filler,
        &upper_set,
        &upper_slice,
        &upper_parts[0],
        &upper_parts[1],
        &upper_parts[2],
    ]);
    let unit = line.units.pop().expect("a unit");
    assert_eq!(unit.bytes, behind_start_codes(&[&message, &slice]));
    let key = line.picture(Kind::Key);
    line.take(key.packets);
    assert_eq!(line.units[0].bytes, key.bytes, "no set of an upper layer");
}

#[test]
fn payload_that_cannot_be_read_leaves_a_hole() {
    for payload in [
        &[0x62, 0x01][..],               // FU without its header
        &[0x62, 0x01, 0x41, 0x11],       // FU that continues nothing
        &[0x60, 0x01, 0x00, 0x09, 0x02], // AP that is cut
        &[0x60, 0x01, 0x00, 0x01, 0x02], // AP with a unit of one byte
        &[0x64, 0x01, 0x00],             // PACI
        &[0x02, 0x01],                   // slice of nothing
        &[0x02],
    ] {
        let mut line = begun();
        line.send_payloads(&[payload]);
        line.send(Kind::Reference, 3);
        assert!(line.units.is_empty(), "{payload:x?}");
        assert!(line.reader.take_request());
    }
}

#[test]
fn set_of_endless_length_is_not_kept() {
    let mut line = begun();
    let mut parts = vec![[&[0x62, 0x01, 0xa1][..], &[0x01; 1_000]].concat()];
    parts.resize(20, [&[0x62, 0x01, 0x21][..], &[0x01; 1_000]].concat());
    parts.push(vec![0x62, 0x01, 0x61, 0x01]);
    parts.push(vec![0x02, 0x01, 0xd0, 0x11]);
    let payloads: Vec<_> = parts.iter().map(Vec::as_slice).collect();
    line.send_payloads(&payloads);
    assert!(line.units.is_empty());
    let key = line.picture(Kind::Key);
    line.take(key.packets);
    assert_eq!(line.units[0].bytes, key.bytes);
}
