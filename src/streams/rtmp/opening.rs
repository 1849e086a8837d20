//! [`Opening`]: what is looked at before a session begins, so that it is clear what there is.

use std::time::{Duration, Instant};

use rtmp::{Reordering, VideoUnit};
use sfu::TapCodec;

use super::media::Media;

/// Media that was collected.
#[derive(Debug, Default)]
pub(super) struct Opening {
    units: Vec<Media>,
    bytes: usize,
    since: Option<Instant>,
}

/// So much media is looked at, by its own times: both picture and sound are in it, if there are both,
const LOOK: Duration = Duration::from_secs(1);
/// or so much by the clock,
const LONGEST_LOOK: Duration = Duration::from_secs(2);
/// or so much of it.
const MOST_UNITS: usize = 600;
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// Pictures in which B-frames are found, where an encoder makes them.
const ORDER_LOOK: usize = 8;
/// Pictures are not decoded later than shown by more than this, whatever their times say.
const LONGEST_LAG: Duration = Duration::from_secs(1);

impl Opening {
    pub(super) fn push(&mut self, media: Media, now: Instant) {
        self.since.get_or_insert(now);
        self.bytes += media.bytes();
        self.units.push(media);
    }

    pub(super) fn take(&mut self) -> Vec<Media> {
        std::mem::take(self).units
    }

    /// Whether picture and sound are there and the order of pictures is known, or so much came that
    /// nothing else comes.
    pub(super) fn is_clear(&self, now: Instant) -> bool {
        let times = || self.units.iter().map(Media::time);
        let length = times().max().zip(times().min());
        let is_long = length.is_some_and(|(last, first)| last - first > LOOK);
        let is_late = |since: Instant| now.saturating_duration_since(since) > LONGEST_LOOK;
        let is_much = self.units.len() >= MOST_UNITS || self.bytes >= MOST_BYTES;
        let is_whole = self.audio_codec().is_some() && self.is_order_clear();
        is_whole || is_long || is_much || self.since.is_some_and(is_late)
    }

    /// Whether there are pictures, and enough of them to tell their order. Without composition times
    /// there is none but that of decoding.
    fn is_order_clear(&self) -> bool {
        let mut pictures = self.pictures();
        pictures.next().is_some_and(|first| {
            first.dts == first.pts || pictures.count() + 1 >= ORDER_LOOK || self.is_reordered()
        })
    }

    /// Whether pictures are shown in another order than they are decoded.
    pub(super) fn is_reordered(&self) -> bool {
        let mut reordering = Reordering::default();
        for picture in self.pictures() {
            reordering.observe(picture);
        }
        reordering.is_found()
    }

    pub(super) fn video_codec(&self) -> Option<TapCodec> {
        self.units.iter().find_map(Media::video_codec)
    }

    pub(super) fn audio_codec(&self) -> Option<TapCodec> {
        self.units.iter().find_map(Media::audio_codec)
    }

    /// The newest time.
    pub(super) fn newest(&self) -> Duration {
        let times = self.units.iter().map(Media::time);
        times.max().unwrap_or_default()
    }

    /// How much later pictures are decoded than shown, by their times.
    pub(super) fn lag(&self) -> Duration {
        self.pictures().map(lag).max().unwrap_or_default()
    }

    fn pictures(&self) -> impl Iterator<Item = &VideoUnit> {
        self.units.iter().filter_map(Media::picture)
    }
}

/// How much later a picture is decoded than shown, by its times: negative composition times are those
/// of an encoder that counts decoding from elsewhere.
pub(super) fn lag(picture: &VideoUnit) -> Duration {
    let lag = picture.dts.saturating_sub(picture.pts);
    lag.min(LONGEST_LAG)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rtmp::{AudioCodec, AudioUnit, VideoCodec};

    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn picture(dts: u64, pts: u64, bytes: usize) -> Media {
        Media::Video(VideoUnit {
            codec: VideoCodec::H264,
            dts: ms(dts),
            pts: ms(pts),
            keyframe: dts == 0,
            bytes: Bytes::from(vec![0; bytes]),
            is_after_loss: false,
        })
    }

    fn sound(pts: u64) -> Media {
        Media::Audio(AudioUnit {
            codec: AudioCodec::Opus { channels: 2 },
            pts: ms(pts),
            bytes: Bytes::from_static(&[0xfc]),
        })
    }

    #[expect(clippy::disallowed_methods, reason = "a base for virtual time")]
    fn begin() -> Instant {
        Instant::now()
    }

    #[test]
    fn both_tracks_without_composition_times_are_clear_at_once() {
        let (mut opening, now) = (Opening::default(), begin());
        opening.push(picture(0, 0, 9), now);
        assert!(!opening.is_clear(now));
        opening.push(sound(0), now);
        assert!(opening.is_clear(now) && !opening.is_reordered());
    }

    #[test]
    fn pictures_that_are_late_are_looked_at_until_their_order_is_known() {
        let (mut opening, now) = (Opening::default(), begin());
        opening.push(sound(0), now);
        opening.push(picture(0, 67, 9), now);
        opening.push(picture(33, 200, 9), now);
        assert!(!opening.is_clear(now));
        opening.push(picture(67, 100, 9), now);
        assert!(opening.is_clear(now) && opening.is_reordered());
    }

    #[test]
    fn one_track_alone_is_not_waited_for_for_ever() {
        let now = begin();
        let mut opening = Opening::default();
        for at in 0..32 {
            assert!(!opening.is_clear(now));
            opening.push(picture(at * 33, at * 33, 9), now);
        }
        assert!(opening.is_clear(now), "a second of it");
        // All at one time.
        let mut still = Opening::default();
        still.push(picture(0, 0, 9), now);
        assert!(!still.is_clear(now + ms(1_900)) && still.is_clear(now + ms(2_100)));
        let mut large = Opening::default();
        for _ in 0..8 {
            assert!(!large.is_clear(now));
            large.push(picture(0, 0, 1024 * 1024), now);
        }
        assert!(large.is_clear(now));
    }

    #[test]
    fn negative_composition_times_are_bounded() {
        let now = begin();
        let mut opening = Opening::default();
        opening.push(picture(100, 60, 9), now);
        assert_eq!(opening.lag(), ms(40));
        opening.push(picture(90_000, 0, 9), now);
        assert_eq!(opening.lag(), LONGEST_LAG);
    }
}
