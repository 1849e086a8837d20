//! Temporal units of AV1.

use super::super::testing::{AV1_SEQUENCE, av1_frame_header, with_size};
use super::*;

/// Bits of the aggregation header: Z, Y, and W of one element.
const Z: u8 = 0x80;
const Y: u8 = 0x40;
const W1: u8 = 0x10;

fn begun() -> Line {
    Line::begun_of(VideoCodec::Av1)
}

/// A frame without size field.
fn frame(kind: Kind) -> Vec<u8> {
    vec![6 << 3, av1_frame_header(kind), 0x11, 0x22]
}

fn sequence() -> Vec<u8> {
    [&[1 << 3], AV1_SEQUENCE].concat()
}

/// The only element of a packet.
fn alone(bits: u8, element: &[u8]) -> Vec<u8> {
    [&[W1 | bits], element].concat()
}

#[test]
fn units_have_size_fields_however_their_obus_travel() {
    for sets in [Sets::Aggregated, Sets::Before] {
        for most in [8, 40, 1_000, 4_000] {
            let mut line = Line::of(VideoCodec::Av1);
            line.sender.sets = sets;
            line.sender.most = most;
            line.check_kinds();
        }
    }
}

#[test]
fn sequence_header_that_came_once_is_in_front_of_every_key_frame() {
    let mut line = begun();
    let key = frame(Kind::Key);
    line.send_payloads(&[&alone(0, &key)]);
    assert_eq!(
        line.units[0].bytes,
        [with_size(&sequence()), with_size(&key)].concat()
    );
    assert_eq!(line.units[0].size, Some((1_280, 720)));
}

#[test]
fn sequence_header_in_a_packet_of_another_time_is_of_use() {
    let mut line = Line::of(VideoCodec::Av1);
    for number in 0..60 {
        if number == 0 {
            line.send_payloads(&[&alone(0, &sequence())]);
        }
        line.send_payloads(&[&alone(0, &frame(Kind::Key))]);
    }
    assert_eq!(line.units.len(), 60);
}

#[test]
fn key_frame_whose_sequence_header_may_be_lost_is_not_trusted() {
    let mut line = begun();
    line.picture(Kind::Reference);
    line.send_payloads(&[&alone(0, &frame(Kind::Key))]);
    line.send(Kind::Reference, 20);
    assert!(line.units.is_empty());
    assert!(line.reader.take_request());
    line.send_payloads(&[&alone(0, &frame(Kind::Key))]);
    assert_eq!(line.units.len(), 1, "it came as nothing was missing");
}

#[test]
fn key_frame_without_any_sequence_header_is_of_no_use() {
    let mut line = Line::of(VideoCodec::Av1);
    for _ in 0..60 {
        line.send_payloads(&[&alone(0, &frame(Kind::Key))]);
    }
    assert!(line.units.is_empty());
    assert!(line.reader.take_request());
}

#[test]
fn key_frame_behind_a_hole_is_taken_with_its_sequence_header_only() {
    let delimiter = [2 << 3];
    for (opening, is_taken) in [
        (&sequence()[..], true),
        (&delimiter, true),
        (&[5 << 3], false),
    ] {
        let mut line = begun();
        line.picture(Kind::Reference);
        line.send_payloads(&[
            &alone(0, opening),
            &alone(0, &sequence()),
            &alone(0, &frame(Kind::Key)),
        ]);
        line.send(Kind::Reference, 10);
        assert_eq!(line.units.len(), if is_taken { 11 } else { 0 });
    }
}

#[test]
fn delimiters_padding_and_what_lies_behind_an_obu_are_left_out() {
    let mut line = begun();
    let inter = frame(Kind::Reference);
    let metadata = [5 << 3, 0x04, 0x80];
    // Temporal delimiter, metadata with an element that is longer, frame with extension, padding.
    let mut payload = vec![0x00, 2, 0x12, 0x00];
    payload.extend([
        6,
        metadata[0] | 0x02,
        2,
        metadata[1],
        metadata[2],
        0x00,
        0x00,
    ]);
    payload.extend([5, inter[0] | 0x04, 0x20, inter[1], inter[2], inter[3]]);
    payload.extend([3, 15 << 3, 0x00, 0x80]);
    line.send_payloads(&[&payload]);
    let with_extension = [inter[0] | 0x06, 0x20, 3, inter[1], inter[2], inter[3]];
    let wanted = [&with_size(&metadata), &with_extension[..]].concat();
    assert_eq!(line.units[0].bytes, wanted);
}

#[test]
fn only_a_key_frame_that_is_shown_is_one() {
    // Shown key; hidden key, intra-only, switch, an existing frame.
    for header in [
        0b0001_0000,
        0b0000_0000,
        0b0101_0000,
        0b0111_0000,
        0b1000_0000,
    ] {
        let mut line = begun();
        line.send_payloads(&[&alone(0, &sequence()), &alone(0, &[6 << 3, header, 0x11])]);
        assert_eq!(line.units[0].keyframe, header == 0b0001_0000);
        assert_eq!(line.units[0].size.is_some(), line.units[0].keyframe);
    }
}

#[test]
fn frame_of_an_upper_layer_makes_no_key_frame_and_unmakes_none() {
    for (first, second) in [(Kind::Key, Kind::Reference), (Kind::Reference, Kind::Key)] {
        let mut line = begun();
        line.send_payloads(&[&alone(0, &frame(first)), &alone(0, &frame(second))]);
        assert_eq!(line.units[0].keyframe, first == Kind::Key);
    }
}

#[test]
fn payload_that_cannot_be_read_leaves_a_hole() {
    let inter = frame(Kind::Reference);
    for payloads in [
        vec![alone(Z, &inter)],                           // continues nothing
        vec![alone(Y, &inter), alone(0, &inter)],         // is not continued
        vec![alone(Y, &inter)],                           // has no end
        vec![alone(0, &inter), alone(0, &[0x80 | 0x30])], // forbidden bit
        vec![alone(0, &[0x30])],                          // frame of nothing
        vec![alone(0, &[0x34])],                          // without its extension
        vec![alone(0, &[0x32, 0x09, 0x30])],              // size beyond its end
        vec![alone(0, &[])],
        vec![vec![0x00]],                   // no element
        vec![vec![0x00, 0x09, 0x30, 0x30]], // length beyond the end
        vec![vec![0x20, 0x02, 0x30, 0x30]], // one element instead of two
        vec![
            alone(0, &[&[1 << 3][..], &[0x01; 2_000]].concat()),
            alone(0, &inter),
        ],
    ] {
        let mut line = begun();
        let payloads: Vec<_> = payloads.iter().map(Vec::as_slice).collect();
        line.send_payloads(&payloads);
        line.send(Kind::Reference, 3);
        assert!(line.units.is_empty(), "{payloads:x?}");
        assert!(line.reader.take_request());
    }
}

#[test]
fn frame_of_endless_fragments_is_not_kept() {
    let mut line = begun();
    let now = line.now;
    line.sender.timestamp = line.sender.timestamp.wrapping_add(TICKS);
    let part = [0x30; 60_000];
    for number in 0..80 {
        let z = if number == 0 { 0 } else { Z };
        let packet = line.sender.packet(&alone(z | Y, &part), now);
        line.take(vec![packet]);
    }
    line.send_payloads(&[&alone(0, &frame(Kind::Reference))]);
    assert!(line.units.is_empty());
    line.send(Kind::Key, 1);
    assert_eq!(line.units.len(), 1);
}
