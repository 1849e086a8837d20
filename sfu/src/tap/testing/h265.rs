//! H265 as RFC 7798 has it.

use std::time::Instant;

use super::{Kind, Sender, Sent, Sets};
use crate::packet::Packet;

/// Parameter sets of x265 for 1280x720.
pub(crate) const SETS: [&[u8]; 3] = [
    &[
        0x40, 0x01, 0x0c, 0x01, 0xff, 0xff, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00,
        0x03, 0x00, 0x00, 0x03, 0x00, 0x5d, 0x95, 0x98, 0x09,
    ],
    &[
        0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00,
        0x03, 0x00, 0x5d, 0xa0, 0x02, 0x80, 0x80, 0x2d, 0x16, 0x59, 0x59, 0x66, 0x92, 0x4c, 0xaf,
        0x01, 0x68, 0x08, 0x00, 0x00, 0x03, 0x00, 0x08, 0x00, 0x00, 0x03, 0x00, 0xf0, 0x40,
    ],
    &[0x44, 0x01, 0xc1, 0x72, 0xb4, 0x62, 0x40],
];

impl Sender {
    pub(super) fn h265_slices(&mut self, kind: Kind, slices: &[usize], at: Instant) -> Sent {
        let mut packets = Vec::new();
        let mut bytes = Vec::new();
        if kind == Kind::Key {
            self.send_h265_sets(&mut packets, at);
            for set in SETS {
                bytes.extend([0, 0, 0, 1]);
                bytes.extend(set);
            }
        }
        for (number, size) in slices.iter().enumerate() {
            let unit = self.h265_slice(kind, number, *size);
            bytes.extend([0, 0, 0, 1]);
            bytes.extend(&unit);
            self.send_h265_unit(&unit, &mut packets, at);
        }
        Sent {
            packets,
            bytes,
            kind,
        }
    }

    fn send_h265_sets(&mut self, packets: &mut Vec<Packet>, at: Instant) {
        match self.sets {
            Sets::Aggregated => {
                let mut payload = vec![0x60, 0x01];
                for set in SETS {
                    payload.extend(u16::try_from(set.len()).expect("short").to_be_bytes());
                    payload.extend(set);
                }
                packets.push(self.packet(&payload, at));
            }
            Sets::Before => {
                let timestamp = self.timestamp;
                self.timestamp = timestamp.wrapping_sub(90);
                for set in SETS {
                    self.send_h265_unit(set, packets, at);
                }
                self.timestamp = timestamp;
            }
        }
    }

    /// A slice whose bytes tell it from all others: IDR_W_RADL, TRAIL_R or TRAIL_N.
    fn h265_slice(&self, kind: Kind, number: usize, size: usize) -> Vec<u8> {
        let kind: u8 = match kind {
            Kind::Key => 19,
            Kind::Reference => 1,
            Kind::Disposable => 0,
        };
        let first = u8::from(number == 0) << 7;
        let mut unit = vec![kind << 1, 0x01, first | 0x2f];
        let seven = |shift: u32| u8::try_from(self.count >> shift & 0x7f).expect("7 bits") | 0x80;
        unit.extend([21, 14, 7, 0].map(seven));
        unit.push(u8::try_from(number).expect("few slices") | 0x80);
        unit.resize(unit.len() + size, 0xee);
        unit
    }

    fn send_h265_unit(&mut self, unit: &[u8], packets: &mut Vec<Packet>, at: Instant) {
        if unit.len() <= self.most {
            packets.push(self.packet(unit, at));
            return;
        }
        let (header, body) = unit.split_at(2);
        let parts = body.chunks(self.most - 3).count();
        for (number, part) in body.chunks(self.most - 3).enumerate() {
            let start = u8::from(number == 0) << 7;
            let end = u8::from(number + 1 == parts) << 6;
            let kind = header[0] >> 1;
            let fu = [49 << 1, header[1], start | end | kind];
            packets.push(self.packet(&[&fu, part].concat(), at));
        }
    }
}
