//! Frames of VP8.

use super::*;

#[test]
fn vp8_frames_come_without_their_descriptors() {
    for most in [14, 1_000, 4_000] {
        let mut line = Line::of(VideoCodec::Vp8);
        line.sender.most = most;
        line.check_kinds();
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
