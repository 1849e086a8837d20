//! NAL units and parameter sets.

use super::*;

#[test]
fn key_frame_begins_with_its_parameter_sets_however_they_travel() {
    for sets in [Sets::Aggregated, Sets::Before] {
        for most in [40, 1_000, 4_000] {
            let mut line = Line::new();
            line.sender.sets = sets;
            line.sender.most = most;
            line.check_kinds();
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
