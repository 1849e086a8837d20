//! [`Row`]: frames of sound that wait, each where the one before ends.

use std::collections::VecDeque;
use std::time::Duration;

use crate::aac::{AacFormat, AacFrame};

/// What comes is in order of time.
#[derive(Debug, Default)]
pub(crate) struct Row {
    frames: VecDeque<AacFrame>,
    /// The end of the newest frame, and what it was.
    end: Option<(Duration, AacFormat)>,
}

impl Row {
    /// Adds a frame. Where none was for longer than one there is silence; where two would be heard at
    /// once, as when another source takes over, the later one is moved or left out.
    pub(crate) fn push(&mut self, mut frame: AacFrame) {
        let length = frame.format.frame_length();
        if let Some((end, before)) = self.end.take() {
            if frame.pts + length / 2 < end {
                self.end = Some((end, before));
                return;
            }
            let end = self.fill(end, before, frame.pts);
            frame.pts = frame.pts.max(end);
        }
        self.end = Some((frame.pts + length, frame.format.clone()));
        self.frames.push_back(frame);
    }

    /// Fills a hole with as much silence as fits into it. Returns where it ends.
    fn fill(&mut self, mut end: Duration, format: AacFormat, until: Duration) -> Duration {
        let length = format.frame_length();
        let Some(silence) = format.silence() else {
            return end;
        };
        while end + length <= until {
            self.frames.push_back(AacFrame {
                format: format.clone(),
                pts: end,
                bytes: silence.clone(),
            });
            end += length;
        }
        end
    }

    /// When the newest frame begins.
    pub(crate) fn newest(&self) -> Option<Duration> {
        self.frames.back().map(|frame| frame.pts)
    }

    /// Takes the first frame out if it begins then or earlier.
    pub(crate) fn pop_until(&mut self, pts: Duration) -> Option<AacFrame> {
        self.frames.pop_front_if(|frame| frame.pts <= pts)
    }

    /// Forgets all: what comes then is of another time.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use gstreamer as gst;

    use super::*;

    fn frame(rate: u32, millis: u64) -> AacFrame {
        gst::init().unwrap();
        AacFrame {
            format: AacFormat {
                caps: gst::Caps::new_empty(),
                object_type: 2,
                rate,
                channels: 2,
            },
            pts: Duration::from_millis(millis),
            bytes: Bytes::from_static(b"frame"),
        }
    }

    /// Rate, begin in milliseconds, and whether it is silence, of all frames.
    fn row(frames: impl IntoIterator<Item = AacFrame>) -> Vec<(u32, u128, bool)> {
        let mut row = Row::default();
        for frame in frames {
            row.push(frame);
        }
        let all = std::iter::from_fn(|| row.pop_until(Duration::MAX));
        all.map(|frame| {
            let is_silent = frame.bytes != "frame";
            (frame.format.rate, frame.pts.as_millis(), is_silent)
        })
        .collect()
    }

    #[test]
    fn another_source_goes_on_where_the_last_ended() {
        // Frames of 64 ms, then of 32 ms.
        let frames = [frame(16_000, 0), frame(16_000, 64)];
        let later = [frame(32_000, 100), frame(32_000, 117), frame(32_000, 160)];
        assert_eq!(
            row(frames.into_iter().chain(later)),
            [
                (16_000, 0, false),
                (16_000, 64, false),
                (32_000, 128, false),
                (32_000, 160, false)
            ]
        );
    }

    #[test]
    fn a_hole_is_filled_with_silence_of_what_was() {
        let frames = [frame(16_000, 0), frame(32_000, 200), frame(32_000, 240)];
        assert_eq!(
            row(frames),
            [
                (16_000, 0, false),
                (16_000, 64, true),
                (16_000, 128, true),
                (32_000, 200, false),
                (32_000, 240, false)
            ]
        );
    }
}
