//! [`Muxer`]: one rendition's samples into CMAF chunks, by GStreamer's `cmafmux`.
//!
//! Where chunks and fragments end is told with an event between samples (`manual-split`), and how
//! long a sample lasts with its duration, so that the muxer decides nothing about time. It knows of the
//! time of decoding only; [`crate::composition`] adds how much later each picture is shown.

use std::collections::VecDeque;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use crate::composition::{self, TIMESCALE};
use crate::cut::Cut;
use crate::feed::{Feed, clock_time};
use crate::message::{FromWorker, Init, Media, Part};

/// A run of one rendition.
#[derive(Debug)]
pub(crate) struct Muxer {
    feed: Feed,
    is_intra: bool,
    chunks: Arc<Mutex<VecDeque<Chunk>>>,
    now: Chunk,
}

/// What is known of a chunk before it comes out.
#[derive(Debug, Clone, Default)]
struct Chunk {
    independent: bool,
    ends_segment: bool,
    samples: u16,
    /// How much later than it is decoded each of them is shown; none where no picture is.
    offsets: Vec<u32>,
}

/// What a muxer's output is.
#[derive(Debug, Clone)]
pub(crate) struct Label {
    pub(crate) track: u8,
    pub(crate) media: Media,
    pub(crate) discontinuity: bool,
    /// How much later than its first sample is decoded the first of its samples is shown.
    pub(crate) lead: Duration,
}

/// A picture, or a frame of sound.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) bytes: Bytes,
    pub(crate) pts: Duration,
    pub(crate) dts: Duration,
    pub(crate) independent: bool,
}

/// A muxer that has been told of the end of so many chunks and let none of them out stands still.
const MOST_PENDING: usize = 8;

impl Muxer {
    /// Opens a run of samples with these caps, in the muxer of that element's name.
    pub(crate) fn open(
        muxer: &str,
        caps: &gst::Caps,
        label: Label,
        out: SyncSender<FromWorker>,
    ) -> Result<Self, String> {
        let mux = gst::ElementFactory::make(muxer)
            .property("manual-split", true)
            .property("write-mehd", false)
            .property_from_str("header-update-mode", "caps")
            .build()
            .map_err(|error| error.to_string())?;
        let chunks: Arc<Mutex<VecDeque<Chunk>>> = Arc::default();
        let is_intra = matches!(label.media, Media::Audio { .. });
        if !is_intra && let Some(pad) = mux.static_pad("sink") {
            // What it does by itself for pictures of no fixed rate; the offsets stand on it.
            pad.set_property("trak-timescale", TIMESCALE);
        }
        let sink = sink(label, Arc::clone(&chunks), out);
        Ok(Self {
            feed: Feed::open(&[mux, sink.upcast()], caps)?,
            is_intra,
            chunks,
            now: Chunk::default(),
        })
    }

    /// Adds a sample that lasts so long.
    ///
    /// # Errors
    /// In words; the muxer is of no more use.
    pub(crate) fn push(&mut self, sample: Sample, lasts: Duration) -> Result<(), String> {
        if self.now.samples == 0 {
            self.now.independent = sample.independent;
        }
        self.now.samples = self.now.samples.saturating_add(1);
        let offset = sample.pts.saturating_sub(sample.dts);
        self.now.offsets.push(composition::ticks(offset));
        let mut buffer = gst::Buffer::from_slice(sample.bytes);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(clock_time(sample.dts));
            buffer.set_dts(clock_time(sample.dts));
            buffer.set_duration(clock_time(lasts));
            if !sample.independent {
                buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
        }
        self.feed.push(buffer)
    }

    /// Ends a chunk, at the end of its last sample, and lets it out; the next is decoded at `at`.
    ///
    /// # Errors
    /// In words; the muxer is of no more use.
    pub(crate) fn cut(&mut self, cut: Cut, at: Duration) -> Result<(), String> {
        if cut == Cut::Nothing || self.now.samples == 0 {
            return Ok(());
        }
        if self.end_chunk(cut == Cut::Segment) > MOST_PENDING {
            return Err("the muxer stands still".to_owned());
        }
        self.feed.send(split(cut));
        // The muxer looks at the event when a buffer follows it. One that holds nothing spares the
        // chunk from waiting for the next sample.
        let mut nothing = gst::Buffer::new();
        if let Some(buffer) = nothing.get_mut() {
            buffer.set_pts(clock_time(at));
            buffer.set_dts(clock_time(at));
            buffer.set_flags(gst::BufferFlags::GAP | gst::BufferFlags::DROPPABLE);
            if !self.is_intra {
                // It begins no group of pictures.
                buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
        }
        self.feed.push(nothing)
    }

    /// Lets the last samples out and closes.
    pub(crate) fn close(mut self) {
        if self.now.samples > 0 {
            self.end_chunk(true);
        }
        self.feed.end();
        self.feed.wait_for_end();
    }

    /// Returns how many chunks are to come out.
    fn end_chunk(&mut self, ends_segment: bool) -> usize {
        let mut chunk = std::mem::take(&mut self.now);
        chunk.ends_segment = ends_segment;
        if chunk.offsets.iter().all(|offset| *offset == 0) {
            chunk.offsets.clear();
        }
        let mut chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        chunks.push_back(chunk);
        chunks.len()
    }
}

fn split(cut: Cut) -> gst::Event {
    let structure = gst::Structure::builder("FMP4MuxSplitNow")
        .field("chunk", cut == Cut::Part)
        .build();
    gst::event::CustomDownstream::new(structure)
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
        let sorted = sort(list);
        if let Some(bytes) = sorted.init {
            send(&out, FromWorker::Init(label.init(bytes)))?;
        }
        if let Some(timed) = sorted.timed {
            let chunk = {
                let mut chunks = chunks.lock().unwrap_or_else(PoisonError::into_inner);
                chunks.pop_front().unwrap_or_default()
            };
            let part = label.part(&timed, &chunk).ok_or(gst::FlowError::Error)?;
            send(&out, FromWorker::Part(part))?;
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

/// What the muxer hands over for a chunk.
#[derive(Default)]
struct Sorted {
    init: Option<Bytes>,
    timed: Option<Timed>,
}

/// A chunk as it came.
#[derive(Default)]
struct Timed {
    start: Duration,
    duration: Duration,
    /// Up to the head of `mdat`.
    header: Bytes,
    samples: BytesMut,
}

/// Sorts it: first, now and then, the initialisation, marked as a discontinuity; then `moof`, which has
/// the times, and the samples.
fn sort(list: &gst::BufferListRef) -> Sorted {
    let mut sorted = Sorted::default();
    for buffer in list.iter() {
        let Ok(map) = buffer.map_readable() else {
            continue;
        };
        let flags = buffer.flags();
        let is_header = flags.contains(gst::BufferFlags::HEADER);
        if is_header && flags.contains(gst::BufferFlags::DISCONT) {
            sorted.init = Some(Bytes::copy_from_slice(&map));
        } else if is_header && sorted.timed.is_none() {
            let times = buffer.pts().zip(buffer.duration());
            sorted.timed = times.map(|(start, duration)| Timed {
                start: Duration::from_nanos(start.nseconds()),
                duration: Duration::from_nanos(duration.nseconds()),
                header: Bytes::copy_from_slice(&map),
                samples: BytesMut::new(),
            });
        } else if let Some(timed) = &mut sorted.timed {
            timed.samples.extend_from_slice(&map);
        }
    }
    sorted
}

impl Timed {
    /// Its bytes, with those offsets; none where the muxer wrote what we do not know.
    fn bytes(&self, offsets: &[u32]) -> Option<Bytes> {
        let header = match offsets {
            [] => self.header.clone(),
            offsets => composition::with_offsets(&self.header, offsets)?.into(),
        };
        Some([&header[..], &self.samples[..]].concat().into())
    }
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

    fn part(&self, timed: &Timed, chunk: &Chunk) -> Option<Part> {
        Some(Part {
            track: self.track,
            start: timed.start + self.lead,
            duration: timed.duration,
            samples: chunk.samples,
            independent: chunk.independent,
            ends_segment: chunk.ends_segment,
            bytes: timed.bytes(&chunk.offsets)?,
        })
    }
}
