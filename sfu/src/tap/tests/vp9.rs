//! Frames of VP9.

use super::super::testing::vp9_header;
use super::*;

/// What a test says of a payload.
struct Part<'a> {
    /// P, B and E.
    bits: u8,
    spatial_id: u8,
    picture_id: u16,
    body: &'a [u8],
}

const P: u8 = 0x40;
const B: u8 = 0x08;
const E: u8 = 0x04;

impl Part<'_> {
    /// With a picture id of 15 bits, layer indices, and in non-flexible mode TL0PICIDX.
    fn payload(&self) -> Vec<u8> {
        let [high, low] = self.picture_id.to_be_bytes();
        let descriptor = [0xa0 | self.bits, 0x80 | high, low, self.spatial_id << 1, 7];
        [&descriptor, self.body].concat()
    }
}

/// A picture of two spatial layers, the lower one in two packets.
fn two_layers(kind: Kind, picture_id: u16) -> Vec<Vec<u8>> {
    let bits = if kind == Kind::Key { 0 } else { P };
    let part = |bits, spatial_id, body| Part {
        bits,
        spatial_id,
        picture_id,
        body,
    };
    let upper = vp9_header(Kind::Reference);
    [
        part(bits | B, 0, vp9_header(kind)),
        part(bits | E, 0, &[0xaa]),
        part(P | B, 1, upper),
        part(P | E, 1, &[0xbb]),
    ]
    .map(|part| part.payload())
    .into()
}

fn begun() -> Line {
    Line::begun_of(VideoCodec::Vp9)
}

#[test]
fn frames_come_without_their_descriptors() {
    for picture_id in [None, Some(0x7ffe)] {
        for most in [14, 1_000, 4_000] {
            let mut line = Line::of(VideoCodec::Vp9);
            line.sender.most = most;
            line.sender.picture_id = picture_id;
            line.check_kinds();
        }
    }
}

#[test]
fn lowest_spatial_layer_is_taken() {
    let mut line = begun();
    line.send_payloads(&two_layers(Kind::Key, 100));
    line.send_payloads(&two_layers(Kind::Reference, 101));
    let frames = [Kind::Key, Kind::Reference].map(|kind| [vp9_header(kind), &[0xaa]].concat());
    let bytes: Vec<_> = line.units.iter().map(|unit| unit.bytes.to_vec()).collect();
    assert_eq!(bytes, frames);
    assert_eq!(line.units[0].size, Some((1_280, 720)));
    assert!(line.units[0].keyframe && !line.units[1].keyframe);
}

#[test]
fn picture_of_upper_layers_alone_costs_nothing() {
    let mut line = begun();
    line.send_payloads(&two_layers(Kind::Key, 100));
    line.send_payloads(&two_layers(Kind::Reference, 101)[2..]);
    line.send_payloads(&two_layers(Kind::Reference, 102));
    assert_eq!(line.units.len(), 2);
    assert!(!line.reader.take_request());
}

#[test]
fn key_frame_behind_a_hole_wants_its_first_packet() {
    for lost in [0, 1] {
        let mut line = begun();
        let mut key = line.picture(Kind::Key);
        key.packets.remove(lost);
        line.take(key.packets);
        line.send(Kind::Reference, 14);
        assert!(line.units.is_empty());
        assert!(line.reader.take_request());
        line.picture(Kind::Reference);
        line.send(Kind::Key, 1);
        line.send(Kind::Reference, 10);
        assert_eq!(line.units.len(), 11);
    }
}

#[test]
fn numbers_without_frames_cost_nothing() {
    let mut line = begun();
    line.sender.seq += 5;
    line.send(Kind::Reference, 14);
    assert_eq!(line.units.len(), 14, "by their picture ids none is missing");
    assert!(!line.reader.take_request());
}

#[test]
fn frame_without_picture_ids_that_is_lost_costs_all_up_to_the_next_key_frame() {
    let mut line = begun();
    line.sender.picture_id = None;
    line.send(Kind::Key, 1);
    line.picture(Kind::Reference);
    line.send(Kind::Reference, 14);
    assert_eq!(line.units.len(), 1);
    assert!(line.reader.take_request());
}

#[test]
fn predicted_frame_is_no_key_frame_whatever_its_header_says() {
    let mut line = begun();
    let frame = [&[P | B | E], vp9_header(Kind::Key)].concat();
    line.send_payloads(&[frame]);
    assert_eq!(line.units.len(), 1);
    assert!(!line.units[0].keyframe);
    assert_eq!(line.units[0].size, None);
}

#[test]
fn frame_that_cannot_be_whole_leaves_a_hole() {
    let key = vp9_header(Kind::Key);
    let inter = vp9_header(Kind::Reference);
    let whole = |bits: u8, body: &[u8]| [&[bits], body].concat();
    for payloads in [
        vec![whole(P | B, inter)],                          // without its end
        vec![whole(P | E, inter)],                          // without its beginning
        vec![whole(P | B, inter), whole(P | B | E, inter)], // begun twice
        vec![whole(P | B | E, inter), whole(P | E, inter)], // going on behind its end
        vec![whole(B | E, &[0x11, 0x22, 0x33])],            // no frame
        vec![whole(B | E, &key[..6])],                      // key frame without a size
        vec![whole(B | E, &[])],
        vec![vec![0x88 | P | E, 0x80]], // cut in its picture id
    ] {
        let mut line = begun();
        line.sender.picture_id = None;
        line.send_payloads(&payloads);
        line.send(Kind::Reference, 3);
        assert!(line.units.is_empty(), "{payloads:x?}");
        assert!(line.reader.take_request());
    }
}
