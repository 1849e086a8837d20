//! [`ToOpus`]: AAC into Opus, which every WebRTC peer has.
//!
//! Whatever its rate and channels, it becomes 48 kHz in stereo.

use std::sync::mpsc::SyncSender;
use std::time::Duration;

use bytes::Bytes;
use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use crate::feed::{self, Feed, clock_time};
use crate::message::{Codec, FromWorker, OpusJob, Unit};
use crate::timeline::{Step, Timeline};

/// Decodes and codes one track, on the caller's thread.
#[derive(Debug)]
pub(crate) struct ToOpus {
    job: OpusJob,
    out: SyncSender<FromWorker>,
    run: Option<Run>,
    timeline: Timeline,
}

/// What lasts as long as time goes on.
#[derive(Debug)]
struct Run {
    feed: Feed,
    sink: gst_app::AppSink,
}

impl ToOpus {
    pub(crate) fn new(job: OpusJob, out: SyncSender<FromWorker>) -> Self {
        Self {
            job,
            out,
            run: None,
            timeline: Timeline::default(),
        }
    }

    /// Takes an AAC frame.
    ///
    /// # Errors
    /// In words; it goes on with the next.
    pub(crate) fn take(&mut self, unit: Unit) -> Result<(), String> {
        if unit.codec != Codec::Aac {
            return Err(format!("{:?} is not made into Opus", unit.codec));
        }
        if self.timeline.step(unit.pts, None) == Step::Jump {
            // What is left comes out with the time that it has.
            self.finish();
            self.timeline.begin_anew();
            self.timeline.step(unit.pts, None);
        }
        let run = match self.run.take() {
            Some(run) => run,
            None => Run::open(&self.job)?,
        };
        let mut buffer = gst::Buffer::from_slice(unit.bytes);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(clock_time(unit.pts));
        }
        run.feed.push(buffer)?;
        self.send(&run);
        self.run = Some(run);
        Ok(())
    }

    /// Lets out what is held.
    pub(crate) fn finish(&mut self) {
        if let Some(run) = self.run.take() {
            run.feed.end();
            self.send(&run);
        }
    }

    fn send(&self, run: &Run) {
        for sample in feed::taken(&run.sink) {
            if let Some(unit) = self.unit(&sample) {
                let _ = self.out.send(FromWorker::Unit(unit));
            }
        }
    }

    fn unit(&self, sample: &gst::Sample) -> Option<Unit> {
        let buffer = sample.buffer()?;
        let pts = Duration::from_nanos(buffer.pts()?.nseconds());
        Some(Unit {
            track: self.job.track,
            codec: Codec::Opus,
            pts,
            dts: pts,
            keyframe: true,
            size: None,
            bytes: Bytes::copy_from_slice(&buffer.map_readable().ok()?),
        })
    }
}

impl Run {
    fn open(job: &OpusJob) -> Result<Self, String> {
        let caps = gst::Caps::builder("audio/mpeg")
            .field("mpegversion", 4)
            .field("stream-format", "adts")
            .field("framed", true)
            .build();
        let sink = feed::sink();
        let mut chain = elements(job.bits_a_second).map_err(|error| error.to_string())?;
        chain.push(sink.clone().upcast());
        Ok(Self {
            feed: Feed::open(&chain, &caps)?,
            sink,
        })
    }
}

fn elements(bits_a_second: u32) -> Result<Vec<gst::Element>, glib::BoolError> {
    let make = gst::ElementFactory::make;
    let raw = gst::Caps::builder("audio/x-raw")
        .field("format", "S16LE")
        .field("rate", 48_000)
        .field("channels", 2)
        .build();
    Ok(vec![
        // What makes no sense is left out, for ever.
        make("avdec_aac").property("max-errors", -1).build()?,
        // Without noise, so that silence takes next to nothing, and is seen to be silence.
        make("audioconvert")
            .property_from_str("dithering", "none")
            .build()?,
        make("audioresample").build()?,
        make("capsfilter").property("caps", raw).build()?,
        make("audiorate").property("skip-to-first", true).build()?,
        make("opusenc")
            .property("bitrate", i32::try_from(bits_a_second).unwrap_or(128_000))
            .property_from_str("bitrate-type", "constrained-vbr")
            .property_from_str("frame-size", "20")
            .property("complexity", 5)
            .build()?,
    ])
}
