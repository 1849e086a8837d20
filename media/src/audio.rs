//! [`Encoder`]: Opus into AAC, which every HLS player has.

use std::sync::mpsc::SyncSender;
use std::time::Duration;

use bytes::Bytes;
use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use crate::muxer::clock_time;

/// Samples in an AAC frame, at [`SAMPLE_RATE`].
const FRAME: u64 = 1024;
const SAMPLE_RATE: u64 = 48_000;

/// An AAC frame.
#[derive(Debug, Clone)]
pub(crate) struct AacFrame {
    pub(crate) track: u8,
    /// The run that its packets were of.
    pub(crate) run: u32,
    pub(crate) caps: gst::Caps,
    pub(crate) pts: Duration,
    pub(crate) bytes: Bytes,
}

/// What comes of an encoder.
#[derive(Debug, Clone)]
pub(crate) enum Coded {
    Frame(AacFrame),
    /// All that went in during that run has come out.
    End(u32),
}

/// How long an AAC frame is.
pub(crate) const FRAME_LENGTH: Duration = Duration::from_nanos(FRAME * 1_000_000_000 / SAMPLE_RATE);

/// Codes one track.
#[derive(Debug)]
pub(crate) struct Encoder {
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
}

impl Encoder {
    /// Starts to code; frames go to `out`.
    pub(crate) fn open<M: From<Coded> + Send + 'static>(
        track: u8,
        run: u32,
        bits_a_second: u32,
        out: SyncSender<M>,
    ) -> Result<Self, glib::BoolError> {
        let caps = gst::Caps::builder("audio/x-opus")
            .field("rate", 48_000)
            .field("channels", 2)
            .field("channel-mapping-family", 0)
            .build();
        let source = gst_app::AppSrc::builder()
            .caps(&caps)
            .format(gst::Format::Time)
            .build();
        let make = |name| gst::ElementFactory::make(name);
        let decode = make("opusdec").build()?;
        let convert = make("audioconvert").build()?;
        let resample = make("audioresample").build()?;
        let raw = gst::Caps::builder("audio/x-raw")
            .field("rate", 48_000)
            .field("channels", 2)
            .build();
        let filter = make("capsfilter").property("caps", raw).build()?;
        let encode = make("avenc_aac")
            .property("bitrate", i32::try_from(bits_a_second).unwrap_or(128_000))
            .property_from_str("aac-coder", "fast")
            .build()?;
        let sink = sink(track, run, out);
        let chain = [
            source.upcast_ref(),
            &decode,
            &convert,
            &resample,
            &filter,
            &encode,
            sink.upcast_ref(),
        ];
        let pipeline = gst::Pipeline::new();
        pipeline.add_many(chain)?;
        gst::Element::link_many(chain)?;
        pipeline
            .set_state(gst::State::Playing)
            .map_err(|error| glib::bool_error!("the encoder does not start: {error}"))?;
        Ok(Self { pipeline, source })
    }

    /// Asks for all that went in; [`Coded::End`] follows it.
    pub(crate) fn finish(&self) {
        let _ = self.source.end_of_stream();
    }

    /// Codes a packet.
    pub(crate) fn push(&self, bytes: Bytes, pts: Duration) {
        let mut buffer = gst::Buffer::from_slice(bytes);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(clock_time(pts));
        }
        let _ = self.source.push_buffer(buffer);
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

fn sink<M: From<Coded> + Send + 'static>(
    track: u8,
    run: u32,
    out: SyncSender<M>,
) -> gst_app::AppSink {
    let sink = gst_app::AppSink::builder().sync(false).build();
    sink.set_property("async", false);
    let ended = out.clone();
    let take = move |sink: &gst_app::AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        let (Some(buffer), Some(caps)) = (sample.buffer(), sample.caps_owned()) else {
            return Ok(gst::FlowSuccess::Ok);
        };
        let (Some(pts), Ok(map)) = (buffer.pts(), buffer.map_readable()) else {
            return Ok(gst::FlowSuccess::Ok);
        };
        let frame = AacFrame {
            track,
            run,
            caps,
            pts: Duration::from_nanos(pts.nseconds()),
            bytes: Bytes::copy_from_slice(&map),
        };
        out.send(Coded::Frame(frame).into())
            .map(|()| gst::FlowSuccess::Ok)
            .map_err(|_| gst::FlowError::Flushing)
    };
    let callbacks = gst_app::AppSinkCallbacks::builder()
        .new_sample(take)
        .eos(move |_| {
            let _ = ended.send(Coded::End(run).into());
        })
        .build();
    sink.set_callbacks(callbacks);
    sink
}
