//! [`Sound`]: a track of sound on its way through the encoder into the muxer.
//!
//! Coded frames wait for the picture, at most [`LONGEST_HOLD`], because its segments say where the
//! sound's begin.

use std::collections::VecDeque;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use crate::audio::{AacFrame, Encoder, FRAME_LENGTH};
use crate::cut::{Cutter, Lengths};
use crate::message::{FromWorker, Media, Unit};
use crate::muxer::{Label, Muxer, Sample};
use crate::timeline::Timeline;

/// A track of sound.
#[derive(Debug)]
pub(crate) struct Sound {
    track: u8,
    bits_a_second: u32,
    encoder: Option<Encoder>,
    muxer: Option<Muxer>,
    cutter: Cutter,
    pub(crate) timeline: Timeline,
    held: VecDeque<AacFrame>,
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
            muxer: None,
            cutter: Cutter::new(lengths),
            timeline: Timeline::default(),
            held: VecDeque::new(),
            run: None,
            out,
        }
    }

    /// Takes a packet of that run; `alone` where there is no picture whose segments it could follow.
    ///
    /// # Errors
    /// In words; it goes on with the next packet.
    pub(crate) fn take(&mut self, unit: Unit, run: u32, alone: bool) -> Result<(), String> {
        if self.encoder.is_none() {
            let encoder = Encoder::open(self.bits_a_second);
            self.encoder = Some(encoder.map_err(|error| format!("no AAC encoder: {error}"))?);
        }
        let Some(encoder) = &mut self.encoder else {
            return Ok(());
        };
        match encoder.push(unit.bytes, unit.pts) {
            Ok(frames) => self.held.extend(frames),
            Err(error) => {
                self.encoder = None;
                return Err(format!("the sound cannot be coded: {error}"));
            }
        }
        let newest = self.held.back().map_or(Duration::ZERO, |frame| frame.pts);
        let keeps = if alone { Duration::ZERO } else { LONGEST_HOLD };
        self.mux_until(newest.checked_sub(keeps), run, alone)
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
            self.held.extend(encoder.finish());
        }
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
        let is_due = |frame: &AacFrame| pts.is_some_and(|pts| frame.pts <= pts);
        while self.held.front().is_some_and(is_due) {
            if let Some(frame) = self.held.pop_front()
                && let Err(error) = self.mux(frame, run, alone)
            {
                self.muxer = None;
                return Err(format!("the sound cannot be packaged: {error}"));
            }
        }
        Ok(())
    }

    fn mux(&mut self, frame: AacFrame, run: u32, alone: bool) -> Result<(), String> {
        if self.muxer.is_none() {
            let label = Label {
                track: self.track,
                media: Media::Audio {
                    codec: "mp4a.40.2".to_owned(),
                    channels: 2,
                },
                discontinuity: self.run.is_some_and(|last| last != run),
                lead: Duration::ZERO,
            };
            self.muxer = Some(Muxer::open(
                "cmafmux",
                &frame.caps,
                label,
                self.out.clone(),
            )?);
            self.run = Some(run);
        }
        let Some(muxer) = &mut self.muxer else {
            return Ok(());
        };
        let cut = self.cutter.sound(frame.pts, FRAME_LENGTH, alone);
        muxer.cut(cut, frame.pts)?;
        let sample = Sample {
            bytes: frame.bytes,
            pts: frame.pts,
            dts: frame.pts,
            independent: true,
        };
        muxer.push(sample, FRAME_LENGTH)
    }
}
