//! Reports: what a viewer sends of its own (RFC 3550 §6.4, RFC 4585 §6, RFC 5104 §4.3, RFC 3611 §4),
//! and what it gets from us.

/// One thing that a viewer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Report<'a> {
    /// How an SSRC of ours arrives.
    Reception {
        ssrc: u32,
        /// Of 256 packets.
        lost: u8,
        /// All that were lost so far; less than none where some came twice.
        gone: i32,
        /// The middle of the NTP time of our last report, and how long ago it came; zero before any.
        last_report: u32,
        delay: u32,
    },
    /// Packets are missing: pairs of a number and a mask of the sixteen that follow.
    Missing { ssrc: u32, entries: &'a [u8] },
    /// The picture is lost.
    PictureLost { ssrc: u32 },
    /// When packets arrived, whichever SSRC they are of.
    Transport(&'a [u8]),
    /// It wants to know the round trip itself: its SSRC and the middle of its NTP time.
    Reference { ssrc: u32, time: u32 },
}

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
const TRANSPORT_FEEDBACK: u8 = 205;
const PAYLOAD_FEEDBACK: u8 = 206;
const EXTENDED: u8 = 207;
const NACK: u8 = 1;
const TRANSPORT_WIDE: u8 = 15;
const PLI: u8 = 1;
const FIR: u8 = 4;
const REFERENCE_TIME: u8 = 4;
const DELAY_SINCE_REFERENCE: u8 = 5;
const BLOCK: usize = 24;
const SENDER_INFO: usize = 20;

/// Reads a compound packet. What cannot be read is left out.
pub(super) fn read<'a>(compound: &'a [u8], mut each: impl FnMut(Report<'a>)) {
    let mut rest = compound;
    while let Some((packet, after)) = split_packet(rest) {
        read_packet(packet, &mut each);
        rest = after;
    }
}

fn split_packet(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let words = usize::from(u16_at(bytes, 2)?);
    let is_rtcp = bytes.first()? >> 6 == 2;
    is_rtcp.then_some(())?;
    bytes.split_at_checked((words + 1) * 4)
}

fn read_packet<'a>(packet: &'a [u8], each: &mut impl FnMut(Report<'a>)) -> Option<()> {
    let packet = without_padding(packet)?;
    let (first, kind) = (*packet.first()?, *packet.get(1)?);
    let count = first & 0x1f;
    let sender = u32_at(packet, 4)?;
    let media = u32_at(packet, 8);
    match (kind, count) {
        (SENDER_REPORT, _) => read_blocks(packet.get(8 + SENDER_INFO..)?, count, each),
        (RECEIVER_REPORT, _) => read_blocks(packet.get(8..)?, count, each),
        (TRANSPORT_FEEDBACK, NACK) => each(Report::Missing {
            ssrc: media?,
            entries: packet.get(12..)?,
        }),
        (TRANSPORT_FEEDBACK, TRANSPORT_WIDE) => each(Report::Transport(packet.get(12..)?)),
        (PAYLOAD_FEEDBACK, PLI) => each(Report::PictureLost { ssrc: media? }),
        (PAYLOAD_FEEDBACK, FIR) => {
            for entry in packet.get(12..)?.chunks_exact(8) {
                each(Report::PictureLost {
                    ssrc: u32_at(entry, 0)?,
                });
            }
        }
        (EXTENDED, _) => read_extended(sender, packet.get(8..)?, each)?,
        _ => {}
    }
    Some(())
}

/// Padding is not to be taken for numbers that are missing (RFC 3550 §6.4.1).
fn without_padding(packet: &[u8]) -> Option<&[u8]> {
    if packet.first()? & 0x20 == 0 {
        return Some(packet);
    }
    let padding = usize::from(*packet.last()?);
    packet.get(..packet.len().checked_sub(padding)?)
}

fn read_blocks<'a>(blocks: &[u8], count: u8, each: &mut impl FnMut(Report<'a>)) {
    for block in blocks.chunks_exact(BLOCK).take(usize::from(count)) {
        let reception = || {
            Some(Report::Reception {
                ssrc: u32_at(block, 0)?,
                lost: *block.get(4)?,
                gone: u32_at(block, 4)?.cast_signed() << 8 >> 8,
                last_report: u32_at(block, 16)?,
                delay: u32_at(block, 20)?,
            })
        };
        reception().into_iter().for_each(&mut *each);
    }
}

fn read_extended<'a>(
    sender: u32,
    mut blocks: &[u8],
    each: &mut impl FnMut(Report<'a>),
) -> Option<()> {
    while !blocks.is_empty() {
        let words = usize::from(u16_at(blocks, 2)?);
        let (block, rest) = blocks.split_at_checked((words + 1) * 4)?;
        if *block.first()? == REFERENCE_TIME {
            // The middle of a 64 bit time.
            let time = u32_at(block, 6)?;
            each(Report::Reference { ssrc: sender, time });
        }
        blocks = rest;
    }
    Some(())
}

/// Numbers in the entries of a [`Report::Missing`], in order.
pub(super) fn missing(entries: &[u8]) -> impl Iterator<Item = u16> {
    entries.chunks_exact(4).flat_map(|entry| {
        let first = u16_at(entry, 0).unwrap_or(0);
        let mask = u16_at(entry, 2).unwrap_or(0);
        let others = (0..16).filter(move |bit| mask & (1 << bit) != 0);
        std::iter::once(first).chain(others.map(move |bit| first.wrapping_add(bit + 1)))
    })
}

/// What a sender report says of an SSRC.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) ssrc: u32,
    pub(super) ntp: u64,
    pub(super) timestamp: u32,
    pub(super) packets: u32,
    pub(super) octets: u32,
}

/// RFC 3550 §6.4.1, without reception blocks.
pub(super) fn write_sender_report(out: &mut Vec<u8>, sent: Sent) {
    write_head(out, SENDER_REPORT, 0, 24);
    out.extend_from_slice(&sent.ssrc.to_be_bytes());
    out.extend_from_slice(&sent.ntp.to_be_bytes());
    for word in [sent.timestamp, sent.packets, sent.octets] {
        out.extend_from_slice(&word.to_be_bytes());
    }
}

/// RFC 3550 §6.5: the canonical name of an SSRC.
pub(super) fn write_name(out: &mut Vec<u8>, ssrc: u32, name: &str) {
    const CNAME: u8 = 1;
    let name: &str = name.get(..name.len().min(200)).unwrap_or_default();
    // Ends with at least one zero.
    let padded = (4 + 2 + name.len() + 1).next_multiple_of(4);
    write_head(out, DESCRIPTION, 1, padded);
    let start = out.len();
    out.extend_from_slice(&ssrc.to_be_bytes());
    out.extend_from_slice(&[CNAME, u8::try_from(name.len()).unwrap_or(0)]);
    out.extend_from_slice(name.as_bytes());
    out.resize(start + padded, 0);
}

/// RFC 3611 §4.5: the answer to a [`Report::Reference`].
pub(super) fn write_delay(out: &mut Vec<u8>, ours: u32, (ssrc, time): (u32, u32), delay: u32) {
    write_head(out, EXTENDED, 0, 20);
    out.extend_from_slice(&ours.to_be_bytes());
    out.extend_from_slice(&[DELAY_SINCE_REFERENCE, 0, 0, 3]);
    for word in [ssrc, time, delay] {
        out.extend_from_slice(&word.to_be_bytes());
    }
}

/// RFC 3550 §6.6.
pub(super) fn write_goodbye(out: &mut Vec<u8>, ssrc: u32) {
    write_head(out, GOODBYE, 1, 4);
    out.extend_from_slice(&ssrc.to_be_bytes());
}

/// `bytes` follow.
fn write_head(out: &mut Vec<u8>, kind: u8, count: u8, bytes: usize) {
    let words = u16::try_from(bytes / 4).unwrap_or(0);
    out.extend_from_slice(&[0x80 | count, kind]);
    out.extend_from_slice(&words.to_be_bytes());
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn compound_of_a_browser_is_read() {
        let mut compound = vec![0x81, 201, 0, 7, 0, 0, 0, 1];
        compound.extend_from_slice(&[0, 0, 0, 9, 64, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0, 0]);
        compound.extend_from_slice(&[1, 2, 3, 4, 0, 1, 0, 0]);
        compound.extend_from_slice(&[0x81, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0, 9, 0, 100, 0, 5]);
        compound.extend_from_slice(&[0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 9]);
        compound.extend_from_slice(&[0x80, 207, 0, 4, 0, 0, 0, 1, 4, 0, 0, 2]);
        compound.extend_from_slice(&[0, 0, 1, 2, 3, 4, 0, 0]);
        let mut found = Vec::new();
        read(&compound, |report| found.push(report));
        assert_eq!(
            found,
            [
                Report::Reception {
                    ssrc: 9,
                    lost: 64,
                    gone: 1,
                    last_report: 0x0102_0304,
                    delay: 0x0001_0000,
                },
                Report::Missing {
                    ssrc: 9,
                    entries: &[0, 100, 0, 5],
                },
                Report::PictureLost { ssrc: 9 },
                Report::Reference {
                    ssrc: 1,
                    time: 0x0102_0304,
                },
            ]
        );
        assert_eq!(
            missing(&[0, 100, 0, 5]).collect::<Vec<_>>(),
            [100, 101, 103]
        );
        assert_eq!(
            missing(&[0xff, 0xff, 0, 1]).collect::<Vec<_>>(),
            [65_535, 0]
        );
    }

    #[test]
    fn padding_asks_for_nothing() {
        let nack = [0xa1, 205, 0, 4, 0, 0, 0, 1, 0, 0, 0, 9, 0, 100, 0, 0];
        let mut found = Vec::new();
        for padding in [[0, 0, 0, 4], [0, 0, 0, 21], [0, 0, 0, 255]] {
            let packet = [&nack[..], &padding].concat();
            read(&packet, |report| match report {
                Report::Missing { entries, .. } => found.extend(missing(entries)),
                other => panic!("{other:?}"),
            });
        }
        assert_eq!(
            found,
            [100],
            "more padding than there is packet is no packet"
        );
    }

    #[test]
    fn every_packet_is_as_long_as_it_says() {
        for length in 0..20 {
            let mut out = Vec::new();
            let sent = Sent {
                ssrc: 1,
                ntp: 2,
                timestamp: 3,
                packets: 4,
                octets: 5,
            };
            write_sender_report(&mut out, sent);
            write_name(&mut out, 1, &"n".repeat(length));
            write_delay(&mut out, 1, (2, 3), 4);
            write_goodbye(&mut out, 1);
            let mut kinds = Vec::new();
            let mut rest = out.as_slice();
            while let Some((packet, after)) = split_packet(rest) {
                kinds.push(packet[1]);
                rest = after;
            }
            assert!(rest.is_empty());
            assert_eq!(kinds, [200, 202, 207, 203]);
        }
    }

    proptest! {
        #[test]
        fn nothing_that_comes_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            read(&bytes, |report| {
                if let Report::Missing { entries, .. } = report {
                    missing(entries).count();
                }
            });
        }
    }
}
