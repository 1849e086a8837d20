//! [`Encoder`]: Opus into AAC, which every HLS player has.
//!
//! It works on the caller's thread: what a packet makes is there when it has been taken. Where
//! packets are missing there is silence, so that frames always follow each other.

use std::time::Duration;

use bytes::Bytes;
use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use crate::aac::{AacFormat, AacFrame};
use crate::feed::{self, Feed, clock_time};

const CHANNELS: u8 = 2;
const SAMPLE_RATE: u32 = 48_000;
/// AAC-LC (ISO/IEC 14496-3 §1.5.1.1).
const OBJECT_TYPE: u8 = 2;

/// Codes one track.
#[derive(Debug)]
pub(crate) struct Encoder {
    feed: Feed,
    sink: gst_app::AppSink,
    /// Whether the first frame is out, which is from before the first sample.
    is_primed: bool,
}

impl Encoder {
    pub(crate) fn open(bits_a_second: u32) -> Result<Self, String> {
        let caps = gst::Caps::builder("audio/x-opus")
            .field("rate", 48_000)
            .field("channels", 2)
            .field("channel-mapping-family", 0)
            .build();
        let sink = feed::sink();
        let mut chain = elements(bits_a_second).map_err(|error| error.to_string())?;
        chain.push(sink.clone().upcast());
        Ok(Self {
            feed: Feed::open(&chain, &caps)?,
            sink,
            is_primed: false,
        })
    }

    /// Codes a packet. Returns the frames that are complete.
    ///
    /// # Errors
    /// In words; the encoder is of no more use.
    pub(crate) fn push(&mut self, bytes: Bytes, pts: Duration) -> Result<Vec<AacFrame>, String> {
        let mut buffer = gst::Buffer::from_slice(bytes);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(clock_time(pts));
        }
        self.feed.push(buffer)?;
        Ok(self.coded())
    }

    /// Ends, and returns the frames that were not complete.
    pub(crate) fn finish(mut self) -> Vec<AacFrame> {
        self.feed.end();
        self.coded()
    }

    /// Each frame holds what went in a frame before the time that it bears: an encoder needs the
    /// next samples to code some, and players do not know of that.
    fn coded(&mut self) -> Vec<AacFrame> {
        let mut frames = Vec::new();
        for sample in feed::taken(&self.sink) {
            if std::mem::replace(&mut self.is_primed, true) {
                frames.extend(frame(&sample));
            }
        }
        frames
    }
}

fn elements(bits_a_second: u32) -> Result<Vec<gst::Element>, glib::BoolError> {
    let make = gst::ElementFactory::make;
    let raw = gst::Caps::builder("audio/x-raw")
        .field("rate", i32::try_from(SAMPLE_RATE).unwrap_or_default())
        .field("channels", i32::from(CHANNELS))
        .build();
    Ok(vec![
        // Strangers send what they like: packets that make no sense are silence, for ever.
        make("opusdec").property("max-errors", -1).build()?,
        make("audioconvert").build()?,
        make("audioresample").build()?,
        make("capsfilter").property("caps", raw).build()?,
        // Fills gaps with silence, but not what was before the first packet.
        make("audiorate").property("skip-to-first", true).build()?,
        make("avenc_aac")
            .property("bitrate", i32::try_from(bits_a_second).unwrap_or(128_000))
            .property_from_str("aac-coder", "fast")
            .build()?,
    ])
}

fn frame(sample: &gst::Sample) -> Option<AacFrame> {
    let buffer = sample.buffer()?;
    let pts = Duration::from_nanos(buffer.pts()?.nseconds());
    let format = AacFormat {
        caps: sample.caps_owned()?,
        object_type: OBJECT_TYPE,
        rate: SAMPLE_RATE,
        channels: CHANNELS,
    };
    Some(AacFrame {
        pts: pts.saturating_sub(format.frame_length()),
        format,
        bytes: Bytes::copy_from_slice(&buffer.map_readable().ok()?),
    })
}
