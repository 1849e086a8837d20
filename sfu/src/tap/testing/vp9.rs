//! VP9 as RFC 9628 has it.

use std::time::Instant;

use super::{Kind, Sender, Sent};

impl Sender {
    /// A frame of 1280x720, of one spatial layer.
    pub(super) fn vp9_frame(&mut self, kind: Kind, sizes: &[usize], at: Instant) -> Sent {
        let mut bytes = vp9_header(kind).to_vec();
        bytes.extend(self.count.to_be_bytes());
        bytes.resize(bytes.len() + sizes.iter().sum::<usize>(), 0xee);
        let room = self.most - 4;
        let parts = bytes.chunks(room).count();
        let is_predicted = kind != Kind::Key;
        let mut packets = Vec::new();
        for (number, part) in bytes.chunks(room).enumerate() {
            let starts = u8::from(number == 0) << 3;
            let ends = u8::from(number + 1 == parts) << 2;
            let bits = u8::from(is_predicted) << 6 | starts | ends;
            let descriptor = match self.picture_id.map(u16::to_be_bytes) {
                Some([high, low]) => vec![0x80 | bits, 0x80 | high, low],
                None => vec![bits],
            };
            packets.push(self.packet(&[&descriptor, part].concat(), at));
        }
        self.picture_id = self.picture_id.map(|id| (id + 1) & 0x7fff);
        Sent {
            packets,
            bytes,
            kind,
        }
    }
}

/// The beginning of a frame of libvpx.
pub(in super::super) fn vp9_header(kind: Kind) -> &'static [u8] {
    match kind {
        Kind::Key => &[
            0x82, 0x49, 0x83, 0x42, 0x00, 0x4f, 0xf0, 0x2c, 0xf6, 0x0e, 0x38,
        ],
        Kind::Reference => &[0x87, 0x01, 0x02, 0x4b, 0x00, 0x1c, 0x12, 0x0e],
        Kind::Disposable => &[0x87, 0x00, 0x02, 0x4b, 0x00, 0x1c, 0x12, 0x0e],
    }
}
