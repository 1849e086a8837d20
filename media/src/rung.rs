//! [`RungEncoder`]: raw pictures into the H.264 of one rung.

use std::time::Duration;

use bytes::Bytes;
use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use crate::encoders::Encoder;
use crate::feed::{self, Feed, clock_time};
use crate::message::{Codec, Rung, Unit};

/// A decoded picture.
#[derive(Debug, Clone)]
pub(crate) struct Picture {
    pub(crate) caps: gst::Caps,
    pub(crate) buffer: gst::Buffer,
    pub(crate) pts: Duration,
    /// Whether it is to be coded so that decoding can begin with it.
    pub(crate) is_key: bool,
}

/// Codes one rung, on the caller's thread.
#[derive(Debug)]
pub(crate) struct RungEncoder {
    rung: Rung,
    frame_rate: i32,
    feed: Feed,
    sink: gst_app::AppSink,
    /// What its pictures were like, as they came.
    caps: gst::Caps,
}

impl RungEncoder {
    /// Opens an encoder of that rung for so many pictures a second.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn open(encoder: Encoder, rung: &Rung, frame_rate: u8) -> Result<Self, String> {
        let sink = feed::sink();
        let mut chain = elements(rung).map_err(|error| error.to_string())?;
        chain.push(encoder.element(rung)?);
        chain.push(coded(rung).map_err(|error| error.to_string())?);
        chain.push(sink.clone().upcast());
        Ok(Self {
            rung: rung.clone(),
            frame_rate: frame_rate.into(),
            feed: Feed::open_later(&chain)?,
            sink,
            caps: gst::Caps::new_empty(),
        })
    }

    /// Codes a picture. Returns what is ready.
    ///
    /// # Errors
    /// In words; the encoder is of no more use.
    pub(crate) fn push(&mut self, picture: Picture) -> Result<Vec<Unit>, String> {
        if picture.caps != self.caps {
            // An encoder that is told no rate waits for the next picture to learn it.
            let mut paced = picture.caps.clone();
            let rate = gst::Fraction::new(self.frame_rate, 1);
            paced.make_mut().set("framerate", rate);
            self.feed.begin(&paced);
            self.caps = picture.caps;
        }
        if picture.is_key {
            self.feed.send(key_request());
        }
        let mut buffer = picture.buffer;
        let times = buffer.make_mut();
        times.set_pts(clock_time(picture.pts));
        times.set_dts(gst::ClockTime::NONE);
        times.set_duration(gst::ClockTime::NONE);
        self.feed.push(buffer)?;
        Ok(self.coded())
    }

    /// Ends, and returns what it still held.
    pub(crate) fn finish(self) -> Vec<Unit> {
        self.feed.end();
        self.coded()
    }

    fn coded(&self) -> Vec<Unit> {
        feed::taken(&self.sink)
            .filter_map(|sample| self.unit(&sample))
            .collect()
    }

    fn unit(&self, sample: &gst::Sample) -> Option<Unit> {
        let buffer = sample.buffer()?;
        // Encoders shift their times, so that none is below zero, and the segment with them.
        let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
        let pts = segment.to_running_time(buffer.pts()?)?;
        let pts = Duration::from_nanos(pts.nseconds());
        let keyframe = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        Some(Unit {
            track: self.rung.track,
            codec: Codec::H264,
            pts,
            dts: pts,
            keyframe,
            size: keyframe.then_some((self.rung.width, self.rung.height)),
            bytes: Bytes::copy_from_slice(&buffer.map_readable().ok()?),
        })
    }
}

/// What makes pictures as large as the rung's, with bars where they have another shape.
fn elements(rung: &Rung) -> Result<Vec<gst::Element>, glib::BoolError> {
    let make = gst::ElementFactory::make;
    let size = gst::Caps::builder("video/x-raw")
        .field("width", i32::from(rung.width))
        .field("height", i32::from(rung.height))
        .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
        .build();
    Ok(vec![
        make("videoscale").build()?,
        make("capsfilter").property("caps", size).build()?,
        // Hardware takes what it takes; for others it does nothing.
        make("videoconvert").build()?,
    ])
}

fn coded(rung: &Rung) -> Result<gst::Element, glib::BoolError> {
    let profile = match rung.is_baseline {
        true => "constrained-baseline",
        false => "high",
    };
    let caps = gst::Caps::builder("video/x-h264")
        .field("stream-format", "byte-stream")
        .field("alignment", "au")
        .field("profile", profile)
        .build();
    let filter = gst::ElementFactory::make("capsfilter");
    filter.property("caps", caps).build()
}

/// Asks an encoder to make the next picture a key frame, with parameter sets. No time is named: some
/// shift theirs, and compare it with what is named here.
fn key_request() -> gst::Event {
    let structure = gst::Structure::builder("GstForceKeyUnit")
        .field("timestamp", gst::ClockTime::NONE)
        .field("stream-time", gst::ClockTime::NONE)
        .field("running-time", gst::ClockTime::NONE)
        .field("all-headers", true)
        .field("count", 0_u32)
        .build();
    gst::event::CustomDownstream::new(structure)
}
