//! [`Pictures`]: a track of pictures on its way into the muxer.
//!
//! The newest picture waits for the next: only that tells how long it lasts, and whether it still
//! fits into its part.
//!
//! Where pictures are shown in another order than they are decoded, all that players are told of parts
//! and segments is by their place: the time of decoding plus a lead, which is by how much later the key
//! frame is shown with which the initialisation begins. So a segment begins when its first picture is
//! shown, durations add up, and encoders of different leads follow each other without overlap.

use std::sync::mpsc::SyncSender;
use std::time::Duration;

use gstreamer as gst;

use crate::coding::{self, Parameters};
use crate::cut::{Cut, Cutter, Lengths};
use crate::message::{Codec, FromWorker, Media, Thumbnail, Unit};
use crate::muxer::{Label, Muxer, Sample};
use crate::thumbnail::thumbnail;
use crate::timeline::Timeline;

/// A track of pictures.
#[derive(Debug)]
pub(crate) struct Pictures {
    track: u8,
    codec: Codec,
    parameters: Option<Parameters>,
    size: (u16, u16),
    muxer: Option<Muxer>,
    /// What its muxer was opened with.
    caps: gst::Caps,
    cutter: Cutter,
    pub(crate) timeline: Timeline,
    /// The newest picture.
    held: Option<Held>,
    /// How long the one before lasted.
    step: Duration,
    /// What is between the decoding of a picture and its place.
    lead: Duration,
    /// The run that its muxer was opened in last.
    pub(crate) run: Option<u32>,
    out: SyncSender<FromWorker>,
}

#[derive(Debug)]
struct Held {
    sample: Sample,
    place: Duration,
}

/// How long a picture lasts that is the only one of its run.
const ALONE: Duration = Duration::from_millis(33);
/// No picture is shown longer after it was decoded: what is told otherwise makes no sense.
pub(crate) const LONGEST_LEAD: Duration = Duration::from_secs(10);

impl Pictures {
    pub(crate) fn new(track: u8, lengths: Lengths, out: SyncSender<FromWorker>) -> Self {
        Self {
            track,
            codec: Codec::H264,
            parameters: None,
            size: (0, 0),
            muxer: None,
            caps: gst::Caps::new_empty(),
            cutter: Cutter::new(lengths),
            timeline: Timeline::default(),
            held: None,
            step: ALONE,
            lead: Duration::ZERO,
            run: None,
            out,
        }
    }

    /// Whether pictures come out of it.
    pub(crate) fn is_running(&self) -> bool {
        self.muxer.is_some()
    }

    /// How far it is.
    pub(crate) fn newest(&self) -> Option<Duration> {
        self.held.as_ref().map(|held| held.place)
    }

    /// What is between the decoding of this unit, which is shown so much later, and its place.
    pub(crate) fn lead(&mut self, offset: Duration, unit: &Unit) -> Duration {
        if unit.keyframe && self.is_other(unit) {
            self.lead = offset.min(LONGEST_LEAD);
        }
        self.lead
    }

    /// Whether another initialisation begins with this key frame.
    fn is_other(&self, unit: &Unit) -> bool {
        let size = unit.size.unwrap_or(self.size);
        if self.muxer.is_none() || unit.codec != self.codec || size != self.size {
            return true;
        }
        let picture = coding::take_apart(unit.codec, &unit.bytes);
        let parameters = picture.and_then(|picture| picture.parameters);
        parameters.is_some() && parameters != self.parameters
    }

    /// A JPEG of the newest picture, if it is a key frame.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn thumbnail(&self) -> Result<Option<Thumbnail>, String> {
        let newest = self.held.as_ref().map(|held| &held.sample);
        let key = newest.filter(|newest| newest.independent);
        let made = key.zip(self.parameters.as_ref()).map(|(key, parameters)| {
            let decoder = parameters.decoder();
            let jpeg = thumbnail(decoder, &self.caps, key.bytes.clone(), self.size)?;
            Ok(Thumbnail { pts: key.pts, jpeg })
        });
        made.transpose()
    }

    /// Takes an access unit of that run, which has that place. Returns whether a segment begins with it.
    ///
    /// # Errors
    /// In words; it goes on at the next key frame.
    pub(crate) fn take(&mut self, unit: &Unit, place: Duration, run: u32) -> Result<bool, String> {
        let taken = self.try_take(unit, place, run);
        if taken.is_err() {
            self.muxer = None;
            self.held = None;
        }
        taken
    }

    fn try_take(&mut self, unit: &Unit, place: Duration, run: u32) -> Result<bool, String> {
        if unit.codec != self.codec {
            // Another encoder: it begins with a key frame, in the same time.
            self.push_held(place)?;
            self.close();
            (self.codec, self.parameters) = (unit.codec, None);
        }
        let picture = coding::take_apart(unit.codec, &unit.bytes).ok_or("VP8 is not packaged")?;
        self.note(picture.parameters, unit, place)?;
        if picture.sample.is_empty() {
            return Ok(false);
        }
        let opens = self.muxer.is_none();
        if opens && !(unit.keyframe && self.open(run)?) {
            return Ok(false);
        }
        self.push_held(place)?;
        let cut = self.cutter.picture(place, unit.keyframe);
        if let Some(muxer) = &mut self.muxer {
            muxer.cut(cut, unit.dts)?;
        }
        let sample = Sample {
            bytes: picture.sample,
            pts: unit.pts,
            dts: unit.dts,
            independent: unit.keyframe,
        };
        self.held = Some(Held { sample, place });
        Ok(opens || cut == Cut::Segment)
    }

    /// Notes parameter sets and size. With others, what was ends where the new begins: the next key
    /// frame has an initialisation of its own, in the same time.
    fn note(
        &mut self,
        parameters: Option<Parameters>,
        unit: &Unit,
        place: Duration,
    ) -> Result<(), String> {
        let parameters = parameters.or_else(|| self.parameters.clone());
        let size = unit.size.unwrap_or(self.size);
        if parameters != self.parameters || size != self.size {
            self.push_held(place)?;
            self.close();
            (self.parameters, self.size) = (parameters, size);
        }
        Ok(())
    }

    /// Hands the newest picture on, which lasts until then.
    fn push_held(&mut self, until: Duration) -> Result<(), String> {
        let (Some(held), Some(muxer)) = (self.held.take(), &mut self.muxer) else {
            return Ok(());
        };
        if self.cutter.ends_before_last(until) {
            muxer.cut(Cut::Part, held.sample.dts)?;
        }
        self.step = until.saturating_sub(held.place);
        muxer.push(held.sample, self.step)
    }

    /// Opens a muxer, if parameters and size are known.
    fn open(&mut self, run: u32) -> Result<bool, String> {
        let (Some(parameters), (1.., 1..)) = (&self.parameters, self.size) else {
            return Ok(false);
        };
        let (width, height) = self.size;
        let caps = parameters.caps(self.size);
        let label = Label {
            track: self.track,
            media: Media::Video {
                codec: parameters.codec.clone(),
                width: width.into(),
                height: height.into(),
            },
            discontinuity: self.run.is_some_and(|last| last != run),
            lead: self.lead,
        };
        let muxer = Muxer::open(parameters.muxer(), &caps, label, self.out.clone());
        let muxer = muxer.map_err(|error| format!("the picture cannot be packaged: {error}"))?;
        self.muxer = Some(muxer);
        self.caps = caps;
        self.run = Some(run);
        // What ended before the new initialisation is complete.
        self.cutter.begin_anew();
        Ok(true)
    }

    /// Lets all out that went in; what comes then is of another run.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn end_run(&mut self) -> Result<(), String> {
        let until = self.newest().map(|newest| newest + self.step);
        let pushed = until.map_or(Ok(()), |until| self.push_held(until));
        self.close();
        self.timeline.begin_anew();
        self.step = ALONE;
        pushed
    }

    fn close(&mut self) {
        self.held = None;
        if let Some(muxer) = self.muxer.take() {
            muxer.close();
        }
    }
}
