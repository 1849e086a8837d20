//! [`Sound`]: a track of sound on its way into the muxer.
//!
//! AAC goes through as it came, Opus through the encoder. Frames wait for the picture, at most
//! [`LONGEST_HOLD`], because its segments say where the sound's begin.

use std::sync::mpsc::SyncSender;
use std::time::Duration;

use crate::aac::{AacFormat, AacFrame, Passed};
use crate::audio::Encoder;
use crate::cut::{Cut, Cutter, Lengths};
use crate::message::{Codec, FromWorker, Media, Unit};
use crate::muxer::{Label, Muxer, Sample};
use crate::row::Row;
use crate::timeline::Timeline;

/// A track of sound.
#[derive(Debug)]
pub(crate) struct Sound {
    track: u8,
    bits_a_second: u32,
    /// Of Opus,
    encoder: Option<Encoder>,
    /// or of AAC: what came last.
    passed: Option<Passed>,
    muxer: Option<Muxer>,
    /// What its muxer was opened for.
    format: Option<AacFormat>,
    cutter: Cutter,
    pub(crate) timeline: Timeline,
    held: Row,
    /// The run that its muxer was opened in last.
    pub(crate) run: Option<u32>,
    out: SyncSender<FromWorker>,
}

/// Sound waits no longer than this for the picture.
const LONGEST_HOLD: Duration = Duration::from_millis(400);

impl Sound {
    pub(crate) fn new(
        track: u8,
        bits_a_second: u32,
        lengths: Lengths,
        out: SyncSender<FromWorker>,
    ) -> Self {
        Self {
            track,
            bits_a_second,
            encoder: None,
            passed: None,
            muxer: None,
            format: None,
            cutter: Cutter::new(lengths),
            timeline: Timeline::default(),
            held: Row::default(),
            run: None,
            out,
        }
    }

    /// Takes a packet or frame of that run; `alone` where there is no picture whose segments it could
    /// follow.
    ///
    /// # Errors
    /// In words; it goes on with the next packet.
    pub(crate) fn take(&mut self, unit: Unit, run: u32, alone: bool) -> Result<(), String> {
        match unit.codec {
            Codec::Opus => self.code(unit)?,
            Codec::Aac => self.pass(&unit)?,
            other => return Err(format!("{other:?} is no sound that can be packaged")),
        }
        let newest = self.held.newest().unwrap_or_default();
        let keeps = if alone { Duration::ZERO } else { LONGEST_HOLD };
        self.mux_until(newest.checked_sub(keeps), run, alone)
    }

    fn code(&mut self, unit: Unit) -> Result<(), String> {
        self.passed = None;
        if self.encoder.is_none() {
            let encoder = Encoder::open(self.bits_a_second);
            self.encoder = Some(encoder.map_err(|error| format!("no AAC encoder: {error}"))?);
        }
        let Some(encoder) = &mut self.encoder else {
            return Ok(());
        };
        match encoder.push(unit.bytes, unit.pts) {
            Ok(frames) => frames.into_iter().for_each(|frame| self.held.push(frame)),
            Err(error) => {
                self.encoder = None;
                return Err(format!("the sound cannot be coded: {error}"));
            }
        }
        Ok(())
    }

    fn pass(&mut self, unit: &Unit) -> Result<(), String> {
        let taken = Passed::take(&mut self.passed, unit);
        let frame = taken.map_err(|error| format!("the sound cannot be packaged: {error}"))?;
        if let Some(encoder) = self.encoder.take() {
            // What it makes up behind its last packet is not to stand in the way.
            let frames = encoder.finish().into_iter();
            let is_before =
                |coded: &AacFrame| coded.pts + coded.format.frame_length() / 2 < unit.pts;
            frames
                .filter(is_before)
                .for_each(|frame| self.held.push(frame));
        }
        if let Some(frame) = frame {
            self.held.push(frame);
        }
        Ok(())
    }

    /// The picture is so far.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn follow(
        &mut self,
        pts: Duration,
        begins_segment: bool,
        run: u32,
    ) -> Result<(), String> {
        if begins_segment {
            self.cutter.follow(pts);
        }
        self.mux_until(Some(pts), run, false)
    }

    /// Lets all out that went in; what comes then is of another run.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn end_run(&mut self, run: u32, alone: bool) -> Result<(), String> {
        if let Some(encoder) = self.encoder.take() {
            let frames = encoder.finish().into_iter();
            frames.for_each(|frame| self.held.push(frame));
        }
        self.passed = None;
        let muxed = self.mux_until(Some(Duration::MAX), run, alone);
        if let Some(muxer) = self.muxer.take() {
            muxer.close();
        }
        self.held.clear();
        self.timeline.begin_anew();
        self.cutter.begin_anew();
        muxed
    }

    fn mux_until(&mut self, pts: Option<Duration>, run: u32, alone: bool) -> Result<(), String> {
        let Some(pts) = pts else {
            return Ok(());
        };
        while let Some(frame) = self.held.pop_until(pts) {
            if let Err(error) = self.mux(frame, run, alone) {
                self.muxer = None;
                return Err(format!("the sound cannot be packaged: {error}"));
            }
        }
        Ok(())
    }

    fn mux(&mut self, frame: AacFrame, run: u32, alone: bool) -> Result<(), String> {
        if self.format.as_ref() != Some(&frame.format) {
            self.end_format(frame.pts)?;
        }
        if self.muxer.is_none() {
            self.open(&frame.format, run)?;
        }
        let Some(muxer) = &mut self.muxer else {
            return Ok(());
        };
        let length = frame.format.frame_length();
        let cut = self.cutter.sound(frame.pts, length, alone);
        muxer.cut(cut, frame.pts)?;
        let sample = Sample {
            bytes: frame.bytes,
            pts: frame.pts,
            dts: frame.pts,
            independent: true,
        };
        muxer.push(sample, length)
    }

    /// Ends what was where something else begins, which has an initialisation of its own in the same
    /// time.
    fn end_format(&mut self, until: Duration) -> Result<(), String> {
        if let Some(mut muxer) = self.muxer.take() {
            muxer.cut(Cut::Segment, until)?;
            muxer.close();
            self.cutter.begin_segment();
        }
        Ok(())
    }

    fn open(&mut self, format: &AacFormat, run: u32) -> Result<(), String> {
        let label = Label {
            track: self.track,
            media: Media::Audio {
                codec: format.codec(),
                channels: format.channels,
            },
            discontinuity: self.run.is_some_and(|last| last != run),
            lead: Duration::ZERO,
        };
        let muxer = Muxer::open("cmafmux", &format.caps, label, self.out.clone())?;
        self.muxer = Some(muxer);
        self.format = Some(format.clone());
        self.run = Some(run);
        Ok(())
    }
}
