//! Composition offsets: how much later than it is decoded each picture of a chunk is shown.
//!
//! `cmafmux` lets the base time of each chunk be the earliest time at which one of its pictures is
//! shown, which is the time of its first sample only where a group begins. Behind a part that was cut
//! between B-frames the times of decoding would overlap. So the muxer is told of the time of decoding
//! alone, and the offsets are written into what it made.

use std::time::Duration;

/// Units a second in which the time of pictures is told.
pub(crate) const TIMESCALE: u32 = 10_000;

/// `trun` (ISO/IEC 14496-12 §8.8.8): which fields follow, in this order, once
const DATA_OFFSET: u32 = 0x01;
const FIRST_FLAGS: u32 = 0x04;
/// and for every sample: duration, size and flags, before the offset.
const EACH: u32 = 0x700;
const COMPOSITION_OFFSET: u32 = 0x800;
/// The lower three bytes of version and flags.
const FLAGS: u32 = 0x00ff_ffff;

/// Length and kind of a box.
const HEAD: usize = 8;

/// A time in units of [`TIMESCALE`]; as long as it can be where it is longer.
pub(crate) fn ticks(time: Duration) -> u32 {
    let second = 1_000_000_000;
    let ticks = (time.as_nanos() * u128::from(TIMESCALE) + second / 2) / second;
    // The sign of version 1 stays out of it.
    i32::try_from(ticks).unwrap_or(i32::MAX).unsigned_abs()
}

/// The boxes up to the head of `mdat`, with these offsets for the samples of the one run that there
/// is. None where it is no such run, or has offsets already.
pub(crate) fn with_offsets(boxes: &[u8], offsets: &[u32]) -> Option<Vec<u8>> {
    let mut written = Vec::with_capacity(boxes.len() + offsets.len() * 4);
    let mut rest = boxes;
    while let Some((kind, payload, after)) = split(rest) {
        match kind {
            b"moof" | b"traf" => put_box(&mut written, *kind, &with_offsets(payload, offsets)?)?,
            b"trun" => put_box(&mut written, *kind, &run(payload, offsets)?)?,
            _ => put_box(&mut written, *kind, payload)?,
        }
        rest = after;
    }
    // The head of `mdat`, whose end is not here.
    written.extend_from_slice(rest);
    Some(written)
}

/// Kind and payload of the first box, and what follows it.
fn split(bytes: &[u8]) -> Option<(&[u8; 4], &[u8], &[u8])> {
    let length = usize::try_from(number(bytes)?).ok()?;
    let (whole, after) = bytes.split_at_checked(length)?;
    Some((whole.get(4..)?.first_chunk()?, whole.get(HEAD..)?, after))
}

fn put_box(into: &mut Vec<u8>, kind: [u8; 4], payload: &[u8]) -> Option<()> {
    into.extend(u32::try_from(payload.len() + HEAD).ok()?.to_be_bytes());
    into.extend(kind);
    into.extend(payload);
    Some(())
}

/// The payload of `trun` with offsets; the samples lie as much further behind `moof` as they are long.
fn run(payload: &[u8], offsets: &[u32]) -> Option<Vec<u8>> {
    let (head, rest) = payload.split_first_chunk::<4>()?;
    let (count, mut rest) = rest.split_first_chunk::<4>()?;
    let head = u32::from_be_bytes(*head);
    let is_whole = usize::try_from(u32::from_be_bytes(*count)) == Ok(offsets.len());
    if !is_whole || head & COMPOSITION_OFFSET != 0 || head & DATA_OFFSET == 0 {
        return None;
    }
    let mut written = (head | COMPOSITION_OFFSET).to_be_bytes().to_vec();
    written.extend(count);
    let longer = u32::try_from(offsets.len() * 4).ok()?;
    written.extend(number(rest)?.checked_add(longer)?.to_be_bytes());
    rest = rest.get(4..)?;
    if head & FIRST_FLAGS != 0 {
        written.extend(rest.get(..4)?);
        rest = rest.get(4..)?;
    }
    let each = (head & FLAGS & EACH).count_ones() * 4;
    let each = usize::try_from(each).ok()?;
    for offset in offsets {
        let (fields, after) = rest.split_at_checked(each)?;
        written.extend(fields);
        written.extend(offset.to_be_bytes());
        rest = after;
    }
    rest.is_empty().then_some(written)
}

fn number(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|four| u32::from_be_bytes(*four))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn boxed(kind: [u8; 4], payload: &[u8]) -> Vec<u8> {
        let mut all = Vec::new();
        put_box(&mut all, kind, payload).unwrap();
        all
    }

    fn numbers(numbers: &[u32]) -> Vec<u8> {
        numbers
            .iter()
            .flat_map(|number| number.to_be_bytes())
            .collect()
    }

    /// A chunk up to its samples, of which there are eight bytes.
    fn chunk(run: &[u32]) -> Vec<u8> {
        let run = boxed(*b"trun", &numbers(run));
        let traf = [boxed(*b"tfdt", &numbers(&[0, 77])), run].concat();
        let moof = [boxed(*b"mfhd", &numbers(&[0, 1])), boxed(*b"traf", &traf)];
        let head = [numbers(&[16]), b"mdat".to_vec()].concat();
        [
            boxed(*b"styp", b"cmfc"),
            boxed(*b"moof", &moof.concat()),
            head,
        ]
        .concat()
    }

    #[test]
    fn offsets_stand_behind_what_each_sample_has_and_the_data_moves_on() {
        // Sizes of their own, and other flags for the first.
        let before = chunk(&[0x205, 2, 100, 0x0200_0000, 3, 5]);
        let after = with_offsets(&before, &[667, 0]).unwrap();
        assert_eq!(after, chunk(&[0xa05, 2, 108, 0x0200_0000, 3, 667, 5, 0]));
    }

    #[test]
    fn samples_that_have_nothing_of_their_own_get_an_offset() {
        let before = chunk(&[0x01, 3, 90]);
        let after = with_offsets(&before, &[1, 2, 3]).unwrap();
        assert_eq!(after, chunk(&[0x801, 3, 102, 1, 2, 3]));
    }

    #[test]
    fn what_is_no_run_of_so_many_samples_is_told() {
        for run in [
            &[0x01, 2, 90][..],
            &[0x801, 1, 90, 4],
            &[0x201, 1, 90],
            &[0x201, 1, 90, 3, 4],
            &[0x200, 1, 3],
            &[],
        ] {
            assert_eq!(with_offsets(&chunk(run), &[667]), None, "{run:x?}");
        }
    }

    #[test]
    fn times_are_told_to_the_nearest_unit() {
        assert_eq!(ticks(Duration::from_millis(67)), 670);
        assert_eq!(ticks(Duration::from_nanos(33_333_333)), 333);
        assert_eq!(ticks(Duration::from_nanos(66_666_667)), 667);
        assert_eq!(ticks(Duration::MAX), 0x7fff_ffff);
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(boxes in prop::collection::vec(any::<u8>(), 0..100), offsets in prop::collection::vec(any::<u32>(), 0..4)) {
            let _ = with_offsets(&boxes, &offsets);
            let _ = run(&boxes, &offsets);
        }
    }
}
