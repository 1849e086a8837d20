//! [`Muxer`]: one rendition's samples into CMAF chunks, by GStreamer's `cmafmux`.
//!
//! Where chunks and fragments end is told with an event between samples (`manual-split`), so that
//! the muxer decides nothing about time.

use std::collections::VecDeque;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use crate::cut::Cut;
use crate::frame::{FromWorker, Init, Media, Part};

/// A run of one rendition.
#[derive(Debug)]
pub(crate) struct Muxer {
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    chunks: Arc<Mutex<VecDeque<Chunk>>>,
    now: Chunk,
}

/// What is known of a chunk before it comes out.
#[derive(Debug, Clone, Copy, Default)]
struct Chunk {
    independent: bool,
    ends_segment: bool,
    samples: u16,
}

/// What a muxer's output is.
#[derive(Debug, Clone)]
pub(crate) struct Label {
    pub(crate) track: u8,
    pub(crate) media: Media,
    pub(crate) discontinuity: bool,
}

impl Muxer {
    /// Opens a run of samples with these caps.
    pub(crate) fn open(
        caps: &gst::Caps,
        label: Label,
        out: SyncSender<FromWorker>,
    ) -> Result<Self, glib::BoolError> {
        let source = gst_app::AppSrc::builder()
            .caps(caps)
            .format(gst::Format::Time)
            .build();
        let mux = gst::ElementFactory::make("cmafmux")
            .property("manual-split", true)
            .property("write-mehd", false)
            .property_from_str("header-update-mode", "caps")
            .build()?;
        let chunks: Arc<Mutex<VecDeque<Chunk>>> = Arc::default();
        let sink = sink(label, Arc::clone(&chunks), out);
        let pipeline = gst::Pipeline::new();
        pipeline.add_many([source.upcast_ref(), &mux, sink.upcast_ref()])?;
        gst::Element::link_many([source.upcast_ref(), &mux, sink.upcast_ref()])?;
        pipeline
            .set_state(gst::State::Playing)
            .map_err(|error| glib::bool_error!("the muxer does not start: {error}"))?;
        Ok(Self {
            pipeline,
            source,
            chunks,
            now: Chunk::default(),
        })
    }

    /// Adds a sample, after what ends before it.
    pub(crate) fn push(&mut self, cut: Cut, bytes: Bytes, pts: Duration, independent: bool) {
        if cut != Cut::Nothing {
            self.end_chunk(cut == Cut::Segment);
            self.source.send_event(split(cut));
        }
        if self.now.samples == 0 {
            self.now.independent = independent;
        }
        self.now.samples = self.now.samples.saturating_add(1);
        let mut buffer = gst::Buffer::from_slice(bytes);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(clock_time(pts));
            buffer.set_dts(clock_time(pts));
            if !independent {
                buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
        }
        // It fails only when the pipeline failed; the bus tells of that.
        let _ = self.source.push_buffer(buffer);
    }

    /// What went wrong, if something did.
    pub(crate) fn problem(&self) -> Option<String> {
        let bus = self.pipeline.bus()?;
        let message = bus.pop_filtered(&[gst::MessageType::Error])?;
        match message.view() {
            gst::MessageView::Error(error) => Some(error.error().to_string()),
            _ => None,
        }
    }

    /// Lets the last samples out and closes.
    pub(crate) fn close(mut self) {
        if self.now.samples > 0 {
            self.end_chunk(true);
        }
        let _ = self.source.end_of_stream();
        if let Some(bus) = self.pipeline.bus() {
            let ends = [gst::MessageType::Eos, gst::MessageType::Error];
            bus.timed_pop_filtered(gst::ClockTime::from_seconds(1), &ends);
        }
    }

    fn end_chunk(&mut self, ends_segment: bool) {
        let chunk = Chunk {
            ends_segment,
            ..self.now
        };
        let mut chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        chunks.push_back(chunk);
        self.now = Chunk::default();
    }
}

impl Drop for Muxer {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

fn split(cut: Cut) -> gst::Event {
    let structure = gst::Structure::builder("FMP4MuxSplitNow")
        .field("chunk", cut == Cut::Part)
        .build();
    gst::event::CustomDownstream::new(structure)
}

pub(crate) fn clock_time(time: Duration) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(u64::try_from(time.as_nanos()).unwrap_or_default())
}

fn sink(
    label: Label,
    chunks: Arc<Mutex<VecDeque<Chunk>>>,
    out: SyncSender<FromWorker>,
) -> gst_app::AppSink {
    let sink = gst_app::AppSink::builder()
        .sync(false)
        .buffer_list(true)
        .build();
    sink.set_property("async", false);
    let take = move |sink: &gst_app::AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        let list = sample.buffer_list().ok_or(gst::FlowError::Error)?;
        let (init, part) = sort(list);
        if let Some(bytes) = init {
            send(&out, FromWorker::Init(label.init(bytes)))?;
        }
        if let Some(part) = part {
            let chunk = {
                let mut chunks = chunks.lock().unwrap_or_else(PoisonError::into_inner);
                chunks.pop_front().unwrap_or_default()
            };
            send(&out, FromWorker::Part(label.part(part, chunk)))?;
        }
        Ok(gst::FlowSuccess::Ok)
    };
    let callbacks = gst_app::AppSinkCallbacks::builder()
        .new_sample(take)
        .build();
    sink.set_callbacks(callbacks);
    sink
}

fn send(out: &SyncSender<FromWorker>, frame: FromWorker) -> Result<(), gst::FlowError> {
    out.send(frame).map_err(|_| gst::FlowError::Flushing)
}

/// A chunk as it came: when, how long, its bytes.
type Timed = (Duration, Duration, Bytes);

/// Sorts what the muxer hands over for a chunk: first, now and then, the initialisation, marked as a
/// discontinuity; then `moof`, which has the times, and the samples.
fn sort(list: &gst::BufferListRef) -> (Option<Bytes>, Option<Timed>) {
    let (mut init, mut times, mut bytes) = (None, None, BytesMut::new());
    for buffer in list.iter() {
        let Ok(map) = buffer.map_readable() else {
            continue;
        };
        let flags = buffer.flags();
        let is_header = flags.contains(gst::BufferFlags::HEADER);
        if is_header && flags.contains(gst::BufferFlags::DISCONT) {
            init = Some(Bytes::copy_from_slice(&map));
            continue;
        }
        if is_header && times.is_none() {
            times = buffer.pts().zip(buffer.duration());
        }
        bytes.extend_from_slice(&map);
    }
    let part = times.map(|(start, duration)| {
        (
            Duration::from_nanos(start.nseconds()),
            Duration::from_nanos(duration.nseconds()),
            bytes.freeze(),
        )
    });
    (init, part)
}

impl Label {
    fn init(&self, bytes: Bytes) -> Init {
        Init {
            track: self.track,
            media: self.media.clone(),
            discontinuity: self.discontinuity,
            bytes,
        }
    }

    fn part(&self, (start, duration, bytes): Timed, chunk: Chunk) -> Part {
        Part {
            track: self.track,
            start,
            duration,
            samples: chunk.samples,
            independent: chunk.independent,
            ends_segment: chunk.ends_segment,
            bytes,
        }
    }
}
