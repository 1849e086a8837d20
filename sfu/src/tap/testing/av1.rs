//! AV1 as AOM's "RTP Payload Format for AV1" has it.

use std::time::Instant;

use super::{Kind, Sender, Sent, Sets};
use crate::packet::Packet;

/// Sequence header of SVT-AV1 for 1280x720, without its OBU header.
pub(crate) const SEQUENCE: &[u8] = &[
    0x00, 0x00, 0x00, 0x2d, 0x4c, 0xff, 0xb3, 0xcf, 0xbf, 0x90, 0x04,
];

/// OBU headers without size field.
const SEQUENCE_HEADER: u8 = 1 << 3;
const FRAME_HEADER: u8 = 3 << 3;
const TILE_GROUP: u8 = 4 << 3;
/// Bits of the aggregation header.
const Z: u8 = 0x80;
const Y: u8 = 0x40;
const W1: u8 = 0x10;
const N: u8 = 0x08;

impl Sender {
    /// A temporal unit of a frame header and tile groups of these sizes. With [`Sets::Before`] each
    /// OBU is in packets of its own.
    pub(super) fn av1_unit(&mut self, kind: Kind, tiles: &[usize], at: Instant) -> Sent {
        let header = av1_frame_header(kind);
        let frame = [&[FRAME_HEADER, header], &self.count.to_be_bytes()[..]].concat();
        let tile = |size: &usize| [vec![TILE_GROUP], vec![0xee; *size]].concat();
        let mut obus: Vec<_> = std::iter::once(frame)
            .chain(tiles.iter().map(tile))
            .collect();
        if kind == Kind::Key {
            obus.insert(0, [&[SEQUENCE_HEADER], SEQUENCE].concat());
        }
        let mut packets = Vec::new();
        match self.sets {
            Sets::Aggregated => self.send_aggregated(&obus, &mut packets, at),
            Sets::Before => self.send_alone(&obus, &mut packets, at),
        }
        if kind == Kind::Key {
            let mut first = packets[0].payload.to_vec();
            first[0] |= N;
            packets[0].payload = first.into();
        }
        Sent {
            packets,
            bytes: obus.iter().flat_map(|obu| with_size(obu)).collect(),
            kind,
        }
    }

    /// Elements behind their lengths, as many as find room.
    fn send_aggregated(&mut self, obus: &[Vec<u8>], packets: &mut Vec<Packet>, at: Instant) {
        let mut payload = vec![0];
        for obu in obus {
            let mut rest = &obu[..];
            while !rest.is_empty() {
                let room = self.most.saturating_sub(payload.len() + 2);
                if room < 2 {
                    packets.push(self.packet(&payload, at));
                    payload = vec![0];
                    continue;
                }
                let (part, tail) = rest.split_at(room.min(rest.len()));
                payload.extend(leb128(part.len()));
                payload.extend(part);
                rest = tail;
                if !rest.is_empty() {
                    payload[0] |= Y;
                    packets.push(self.packet(&payload, at));
                    payload = vec![Z];
                }
            }
        }
        packets.push(self.packet(&payload, at));
    }

    fn send_alone(&mut self, obus: &[Vec<u8>], packets: &mut Vec<Packet>, at: Instant) {
        for obu in obus {
            let parts = obu.chunks(self.most - 1).count();
            for (number, part) in obu.chunks(self.most - 1).enumerate() {
                let z = if number == 0 { 0 } else { Z };
                let y = if number + 1 == parts { 0 } else { Y };
                packets.push(self.packet(&[&[W1 | z | y], part].concat(), at));
            }
        }
    }
}

/// First byte of an uncompressed header: a key frame or an inter frame, shown.
pub(in super::super) fn av1_frame_header(kind: Kind) -> u8 {
    match kind {
        Kind::Key => 0b0001_0000,
        Kind::Reference | Kind::Disposable => 0b0011_0000,
    }
}

/// An OBU as it is to come out.
pub(in super::super) fn with_size(obu: &[u8]) -> Vec<u8> {
    let (header, payload) = obu.split_first().expect("a header");
    [&[header | 0x02], &leb128(payload.len())[..], payload].concat()
}

fn leb128(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(value & 0x7f).expect("7 bits");
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
