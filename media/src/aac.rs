//! AAC as it is packaged: [`AacFrame`], and [`Passed`], which lets AAC through as it came.

use std::time::Duration;

use bytes::Bytes;
use gstreamer as gst;

use crate::adts::{self, AdtsError, Header};
use crate::message::Unit;

/// What frames that follow each other are alike in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AacFormat {
    /// As muxers are told.
    pub(crate) caps: gst::Caps,
    pub(crate) object_type: u8,
    /// Samples a second.
    pub(crate) rate: u32,
    pub(crate) channels: u8,
}

/// An AAC frame.
#[derive(Debug, Clone)]
pub(crate) struct AacFrame {
    pub(crate) format: AacFormat,
    pub(crate) pts: Duration,
    pub(crate) bytes: Bytes,
}

/// Samples in a frame.
const FRAME: u32 = 1024;

/// Frames of silence in any rate, for one, two and six channels: a single element with nothing in it
/// for each speaker or pair of them (ISO/IEC 14496-3 §4.4.2.1).
const SILENCE: [(u8, &[u8]); 3] = [
    (1, &[0x00, 0xc8, 0x00, 0x80, 0x23, 0x80]),
    (2, &[0x21, 0x00, 0x49, 0x90, 0x02, 0x19, 0x00, 0x23, 0x80]),
    (
        6,
        &[
            0x00, 0xc8, 0x00, 0x80, 0x20, 0x84, 0x01, 0x26, 0x40, 0x08, 0x64, 0x00, 0x82, 0x30,
            0x04, 0x99, 0x00, 0x21, 0x90, 0x02, 0x00, 0xb2, 0x00, 0x20, 0x08, 0xe0,
        ],
    ),
];

impl AacFormat {
    fn of(header: &Header) -> Self {
        let caps = gst::Caps::builder("audio/mpeg")
            .field("mpegversion", 4)
            .field("stream-format", "raw")
            .field("framed", true)
            .field("rate", i32::try_from(header.rate).unwrap_or_default())
            .field("channels", i32::from(header.channels))
            .field("codec_data", gst::Buffer::from_slice(header.config));
        Self {
            caps: caps.build(),
            object_type: header.object_type,
            rate: header.rate,
            channels: header.channels,
        }
    }

    /// As playlists name it (RFC 6381 §3.3).
    pub(crate) fn codec(&self) -> String {
        format!("mp4a.40.{}", self.object_type)
    }

    /// How long a frame is.
    pub(crate) fn frame_length(&self) -> Duration {
        length(1, self.rate)
    }

    /// A frame in which nothing is heard, where we know one.
    pub(crate) fn silence(&self) -> Option<Bytes> {
        let known = SILENCE
            .iter()
            .find(|(channels, _)| *channels == self.channels);
        known.map(|(_, bytes)| Bytes::from_static(bytes))
    }
}

/// How long so many frames are.
fn length(frames: u64, rate: u32) -> Duration {
    let nanos = u128::from(frames) * u128::from(FRAME) * 1_000_000_000 / u128::from(rate.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// AAC that came as AAC: without its headers, and in even time.
///
/// What tells the time does so in whole milliseconds, or worse, where frames follow each other to the
/// sample.
#[derive(Debug)]
pub(crate) struct Passed {
    header: Header,
    format: AacFormat,
    /// When the first frame was that the others are counted from.
    since: Duration,
    frames: u64,
}

/// Time that is told may be so far from what the frames before say.
const LARGEST_JITTER: Duration = Duration::from_millis(30);
/// What whole milliseconds differ by, on either side.
const ROUNDING: Duration = Duration::from_millis(2);

impl Passed {
    /// Takes a frame, which may be the first of another kind; none where it would be heard at the same
    /// time as others.
    ///
    /// # Errors
    /// When it is nothing that can be packaged.
    pub(crate) fn take(
        before: &mut Option<Self>,
        unit: &Unit,
    ) -> Result<Option<AacFrame>, AdtsError> {
        let (header, bytes) = adts::take_apart(&unit.bytes)?;
        let passed = match before.take().filter(|before| before.header == header) {
            Some(passed) => before.insert(passed),
            None => before.insert(Self {
                header,
                format: AacFormat::of(&header),
                since: unit.pts,
                frames: 0,
            }),
        };
        Ok(passed.place(unit.pts).map(|pts| AacFrame {
            format: passed.format.clone(),
            pts,
            bytes,
        }))
    }

    /// When the next frame is heard that is told to be heard then.
    fn place(&mut self, told: Duration) -> Option<Duration> {
        let mut next = self.since + length(self.frames, self.header.rate);
        if told.abs_diff(next) > LARGEST_JITTER {
            if told < next {
                return None;
            }
            self.skip(told);
            next = self.since + length(self.frames, self.header.rate);
        }
        self.frames += 1;
        Some(next)
    }

    /// Goes on at that time, in even time where whole frames are missing.
    fn skip(&mut self, told: Duration) {
        let samples = told.saturating_sub(self.since).as_nanos() * u128::from(self.header.rate);
        let frame = u128::from(FRAME) * 1_000_000_000;
        self.frames = u64::try_from((samples + frame / 2) / frame).unwrap_or(u64::MAX);
        let even = self.since + length(self.frames, self.header.rate);
        if told.abs_diff(even) > ROUNDING {
            (self.since, self.frames) = (told, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn passed(rate: u32) -> Passed {
        gst::init().unwrap();
        let header = Header {
            object_type: 2,
            rate,
            channels: 2,
            config: [0x12, 0x10],
        };
        Passed {
            header,
            format: AacFormat::of(&header),
            since: Duration::ZERO,
            frames: 0,
        }
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn whole_milliseconds_become_even_time() {
        let mut passed = passed(44_100);
        for number in 0..100_000_u64 {
            let told = ms(number * 1_024 * 1_000 / 44_100);
            let right = Duration::from_nanos(number * 1_024 * 10_000_000 / 441);
            assert_eq!(passed.place(told), Some(right), "frame {number}");
        }
    }

    #[test]
    fn frames_that_are_missing_leave_the_others_in_even_time() {
        let mut passed = passed(44_100);
        for number in (0..1_000_u64).filter(|number| number % 100 < 95) {
            let told = ms(number * 1_024 * 1_000 / 44_100);
            let right = Duration::from_nanos(number * 1_024 * 10_000_000 / 441);
            assert_eq!(passed.place(told), Some(right), "frame {number}");
        }
    }

    #[test]
    fn a_hole_is_kept_and_what_overlaps_left_out() {
        let mut passed = passed(48_000);
        assert_eq!(passed.place(ms(0)), Some(ms(0)));
        let second = Duration::from_nanos(21_333_333);
        assert_eq!(passed.place(ms(51)), Some(second), "late by 29.7 ms");
        assert_eq!(passed.place(ms(80)), Some(ms(80)), "37 ms are a hole");
        assert_eq!(passed.place(ms(71)), None, "30.3 ms before the next");
        assert_eq!(passed.place(ms(93)), Some(ms(80) + second));
    }

    proptest! {
        #[test]
        fn frames_never_overlap_and_are_about_when_they_are_told_to_be(steps in prop::collection::vec(1_u64..60, 1..300)) {
            let mut passed = passed(48_000);
            let (mut told, mut end) = (ms(0), ms(0));
            for step in steps {
                told += ms(step);
                if let Some(at) = passed.place(told) {
                    prop_assert!(at >= end);
                    prop_assert!(at.abs_diff(told) <= LARGEST_JITTER);
                    end = at + passed.format.frame_length();
                }
            }
        }
    }
}
