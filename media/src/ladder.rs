//! [`Rungs`]: the child's side of a ladder. One picture is decoded and coded in several sizes.
//!
//! Decoding is done on the caller's thread, each rung has one of its own. A rung that falls behind
//! leaves pictures out and stays in time; it never holds up the decoder or the others.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use crate::encoders::Encoder;
use crate::feed::{self, Feed, clock_time};
use crate::message::{Codec, FromWorker, Ladder, Rung, Unit};
use crate::rung::{Picture, RungEncoder};
use crate::waiting::Waiting;

/// Decodes the source and feeds the rungs.
#[derive(Debug)]
pub(crate) struct Rungs {
    ladder: Ladder,
    encoder: Encoder,
    out: SyncSender<FromWorker>,
    run: Option<Run>,
}

/// What lasts as long as time rises.
#[derive(Debug)]
struct Run {
    decoder: Decoder,
    rungs: Vec<RungThread>,
    longest_group: Duration,
    /// When the newest unit is decoded.
    last: Duration,
    /// The newest picture.
    shown: Option<Duration>,
    /// When the newest key frames were asked for.
    keyed: Option<Duration>,
    /// From this time on the next picture is a key frame.
    key_due: Option<Duration>,
}

impl Rungs {
    pub(crate) fn new(ladder: Ladder, encoder: Encoder, out: SyncSender<FromWorker>) -> Self {
        Self {
            ladder,
            encoder,
            out,
            run: None,
        }
    }

    /// Takes a unit of the source.
    ///
    /// # Errors
    /// In words; it goes on, after a failure at the next key frame.
    pub(crate) fn take(&mut self, unit: Unit) -> Result<(), String> {
        match self.try_take(unit) {
            Ok(true) => Ok(()),
            Ok(false) => {
                Err("transcoding leaves out pictures: the machine is too slow or busy".to_owned())
            }
            Err(problem) => {
                self.run = None;
                Err(format!("no transcoding: {problem}"))
            }
        }
    }

    /// Returns whether every rung had room for what was decoded.
    fn try_take(&mut self, unit: Unit) -> Result<bool, String> {
        let goes_on = |run: &Run| unit.dts > run.last;
        if !self.run.as_ref().is_some_and(goes_on) {
            if !unit.keyframe {
                return Ok(true);
            }
            // What is left of the time before comes out before the first of the new.
            if let Some(run) = self.run.take() {
                run.finish();
            }
            self.run = Some(Run::open(&self.ladder, self.encoder, &self.out)?);
        }
        let Some(run) = &mut self.run else {
            return Ok(true);
        };
        run.last = unit.dts;
        if unit.keyframe {
            run.key_due = Some(unit.pts);
        }
        let pictures = run.decoder.push(unit)?;
        run.show(pictures)
    }
}

impl Run {
    fn open(
        ladder: &Ladder,
        encoder: Encoder,
        out: &SyncSender<FromWorker>,
    ) -> Result<Self, String> {
        let rungs = ladder.rungs.iter();
        let rungs =
            rungs.map(|rung| RungThread::start(encoder, rung, ladder.frame_rate, out.clone()));
        Ok(Self {
            decoder: Decoder::open(ladder.source)?,
            rungs: rungs.collect::<Result<_, _>>()?,
            longest_group: ladder.longest_group,
            last: Duration::ZERO,
            shown: None,
            keyed: None,
            key_due: None,
        })
    }

    /// Lets the rungs have what the decoder holds back, to put its pictures into order.
    fn finish(mut self) {
        let pictures = self.decoder.finish();
        // A rung that has failed said so itself.
        let _ = self.show(pictures);
    }

    /// Gives all rungs these pictures. Returns whether all had room for them.
    fn show(&mut self, pictures: Vec<Picture>) -> Result<bool, String> {
        let mut all = true;
        for picture in pictures {
            // A decoder that is not told how many pictures to hold back finds out by a mistake.
            if self.shown.is_none_or(|shown| picture.pts > shown) {
                self.shown = Some(picture.pts);
                let picture = self.time(picture);
                all &= self.offer(&picture)?;
            }
        }
        Ok(all)
    }

    /// Says whether the picture is to be a key frame.
    fn time(&mut self, picture: Picture) -> Picture {
        let is_asked = self.key_due.take_if(|due| picture.pts >= *due).is_some();
        let is_long = self
            .keyed
            .is_none_or(|keyed| picture.pts >= keyed + self.longest_group);
        let is_key = is_asked || is_long;
        if is_key {
            self.keyed = Some(picture.pts);
        }
        Picture { is_key, ..picture }
    }

    /// Gives all rungs the picture. Returns whether all had room for it.
    fn offer(&self, picture: &Picture) -> Result<bool, String> {
        let mut all = true;
        for rung in &self.rungs {
            all &= rung.offer(picture)?;
        }
        Ok(all)
    }
}

/// A rung and the thread that codes it. Dropping it waits until all is out.
#[derive(Debug)]
struct RungThread {
    waiting: Arc<Waiting>,
    thread: Option<JoinHandle<()>>,
}

impl RungThread {
    fn start(
        encoder: Encoder,
        rung: &Rung,
        frame_rate: u8,
        out: SyncSender<FromWorker>,
    ) -> Result<Self, String> {
        let encoder = RungEncoder::open(encoder, rung, frame_rate)?;
        let waiting = Arc::new(Waiting::default());
        let pictures = Arc::clone(&waiting);
        let thread = thread::Builder::new().name(format!("rung {}", rung.height));
        let thread = thread.spawn(move || code(encoder, &pictures, &out));
        Ok(Self {
            waiting,
            thread: Some(thread.map_err(|error| error.to_string())?),
        })
    }

    /// Hands it a picture. Returns whether none was left out.
    fn offer(&self, picture: &Picture) -> Result<bool, String> {
        if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
            return Err("a rung's encoder failed".to_owned());
        }
        Ok(self.waiting.offer(picture.clone()))
    }
}

impl Drop for RungThread {
    fn drop(&mut self) {
        self.waiting.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn code(mut encoder: RungEncoder, waiting: &Waiting, out: &SyncSender<FromWorker>) {
    let send = |units: Vec<Unit>| {
        let mut units = units.into_iter().map(FromWorker::Unit);
        units.all(|unit| out.send(unit).is_ok())
    };
    while let Some(picture) = waiting.next() {
        match encoder.push(picture) {
            Ok(units) => {
                if !send(units) {
                    return;
                }
            }
            Err(problem) => {
                let _ = out.send(FromWorker::Problem(format!("a rung failed: {problem}")));
                return;
            }
        }
    }
    send(encoder.finish());
}

/// Access units into raw pictures.
#[derive(Debug)]
struct Decoder {
    feed: Feed,
    sink: gst_app::AppSink,
}

impl Decoder {
    fn open(source: Codec) -> Result<Self, String> {
        let caps = match source {
            Codec::H264 => gst::Caps::builder("video/x-h264")
                .field("stream-format", "byte-stream")
                .field("alignment", "au")
                .build(),
            Codec::Vp8 => gst::Caps::new_empty_simple("video/x-vp8"),
            other => return Err(format!("{other:?} is not transcoded")),
        };
        let sink = feed::sink();
        let mut chain = decoding(source).map_err(|error| error.to_string())?;
        chain.push(sink.clone().upcast());
        let feed = Feed::open(&chain, &caps)?;
        Ok(Self { feed, sink })
    }

    /// Decodes a unit. Returns what is ready.
    fn push(&mut self, unit: Unit) -> Result<Vec<Picture>, String> {
        let mut buffer = gst::Buffer::from_slice(unit.bytes);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(clock_time(unit.pts));
            buffer.set_dts(clock_time(unit.dts));
            if !unit.keyframe {
                buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
        }
        self.feed.push(buffer)?;
        Ok(self.pictures())
    }

    /// Ends, and returns what it still held.
    fn finish(&mut self) -> Vec<Picture> {
        self.feed.end();
        self.pictures()
    }

    fn pictures(&self) -> Vec<Picture> {
        let taken = feed::taken(&self.sink);
        taken.filter_map(|sample| picture(&sample)).collect()
    }
}

fn decoding(source: Codec) -> Result<Vec<gst::Element>, glib::BoolError> {
    let make = gst::ElementFactory::make;
    // More threads would hold pictures back.
    let decoder = match source {
        Codec::Vp8 => make("vp8dec").property("threads", 1_u32).build()?,
        _ => make("avdec_h264").property("max-threads", 1).build()?,
    };
    let planar = gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .build();
    Ok(vec![
        decoder,
        make("videoconvert").build()?,
        make("capsfilter").property("caps", planar).build()?,
    ])
}

fn picture(sample: &gst::Sample) -> Option<Picture> {
    let buffer = sample.buffer_owned()?;
    let pts = Duration::from_nanos(buffer.pts()?.nseconds());
    Some(Picture {
        caps: sample.caps_owned()?,
        buffer,
        pts,
        is_key: false,
    })
}
