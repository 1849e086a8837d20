//! [`Thumbnails`]: a small JPEG of a stream, now and then.
//!
//! Only key frames are decoded, each in a pipeline that is gone when the picture is there: that a
//! decoder holds pictures back, or is upset by one, has no consequence for the next.

use std::time::Duration;

use bytes::Bytes;
use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;

use crate::feed::{self, Feed, clock_time};

/// Says when a thumbnail is due.
#[derive(Debug, Default)]
pub(crate) struct Thumbnails {
    last: Option<Duration>,
}

/// Of the stream's time, from one to the next, as near as key frames are.
const EVERY: Duration = Duration::from_secs(10);
/// Pixels.
const WIDTH: u32 = 320;
/// Of a picture that is very much higher than wide.
const MOST_HEIGHT: u32 = 1_280;

impl Thumbnails {
    /// Whether the key frame of that time is to become one.
    pub(crate) fn is_due(&mut self, pts: Duration) -> bool {
        // Time may have jumped back.
        let is_due = self.last.is_none_or(|last| pts.abs_diff(last) >= EVERY);
        if is_due {
            self.last = Some(pts);
        }
        is_due
    }
}

/// Makes a JPEG, [`WIDTH`] wide, of a key frame of that size.
///
/// # Errors
/// In words.
pub(crate) fn thumbnail(
    decoder: &str,
    caps: &gst::Caps,
    key: Bytes,
    (width, height): (u16, u16),
) -> Result<Bytes, String> {
    let sink = feed::sink();
    let mut chain = elements(decoder, scaled(width.into(), height.into()));
    let chain = chain.as_mut().map_err(|error| error.to_string())?;
    chain.push(sink.clone().upcast());
    let feed = Feed::open(chain, caps)?;
    let mut buffer = gst::Buffer::from_slice(key);
    if let Some(buffer) = buffer.get_mut() {
        buffer.set_pts(clock_time(Duration::ZERO));
        buffer.set_dts(clock_time(Duration::ZERO));
    }
    feed.push(buffer)?;
    // The decoder lets go of what it holds.
    feed.end();
    let sample = feed::taken(&sink).next();
    let sample = sample.ok_or("a key frame could not be decoded")?;
    let buffer = sample.buffer().ok_or("a thumbnail is empty")?;
    let map = buffer.map_readable().map_err(|error| error.to_string())?;
    Ok(Bytes::copy_from_slice(&map))
}

/// How high it is, in even pixels.
fn scaled(width: u32, height: u32) -> u32 {
    let scaled = WIDTH * height / width.max(1);
    scaled.clamp(2, MOST_HEIGHT) / 2 * 2
}

fn elements(decoder: &str, height: u32) -> Result<Vec<gst::Element>, glib::BoolError> {
    let make = gst::ElementFactory::make;
    let size = |pixels| i32::try_from(pixels).unwrap_or_default();
    let raw = gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("width", size(WIDTH))
        .field("height", size(height))
        .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
        .build();
    Ok(vec![
        one_thread(make(decoder).build()?),
        make("videoconvert").build()?,
        make("videoscale").build()?,
        make("capsfilter").property("caps", raw).build()?,
        make("jpegenc").property("quality", 80).build()?,
    ])
}

/// By themselves decoders start a thread a core.
fn one_thread(decoder: gst::Element) -> gst::Element {
    for property in ["max-threads", "threads"] {
        if decoder.find_property(property).is_some() {
            decoder.set_property_from_str(property, "1");
        }
    }
    decoder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_due_every_ten_seconds_whatever_time_does() {
        let mut thumbnails = Thumbnails::default();
        let times = [5, 7, 14, 15, 24, 26, 3, 5, 13];
        let due = times.map(|at| thumbnails.is_due(Duration::from_secs(at)));
        assert_eq!(
            due,
            [true, false, false, true, false, true, true, false, true]
        );
    }

    #[test]
    fn the_shape_is_kept() {
        assert_eq!(scaled(1280, 720), 180);
        assert_eq!(scaled(720, 1280), 568);
        assert_eq!(scaled(1, u16::MAX.into()), MOST_HEIGHT);
        assert_eq!(scaled(u16::MAX.into(), 1), 2);
        assert_eq!(scaled(0, 0), 2);
    }
}
