//! [`Package`]: all tracks of a stream, and what holds for them together.
//!
//! A run is what has one continuous time. Where time jumps in one track, the run of all ends, because
//! playlists must have their discontinuities together.

use std::collections::BTreeMap;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use crate::cut::Lengths;
use crate::message::{Codec, FromWorker, Settings, Track, TrackKind, Unit};
use crate::pictures::Pictures;
use crate::problems::Problems;
use crate::sound::Sound;
use crate::thumbnail::Thumbnails;
use crate::timeline::{LONGEST_PAUSE, Step, Timeline};

/// All state of the child.
#[derive(Debug)]
pub(crate) struct Package {
    out: SyncSender<FromWorker>,
    settings: Settings,
    pictures: BTreeMap<u8, Pictures>,
    sounds: BTreeMap<u8, Sound>,
    /// How many runs there were: the first begins no discontinuity.
    runs: u32,
    /// How far the run is.
    newest: Option<Duration>,
    thumbnails: Thumbnails,
    problems: Problems,
}

impl Package {
    pub(crate) fn new(out: SyncSender<FromWorker>) -> Self {
        let problems = Problems::new(out.clone());
        Self {
            out,
            settings: Settings {
                part_ms: 334,
                segment_ms: 2_000,
                audio_bits_a_second: 128_000,
            },
            pictures: BTreeMap::new(),
            sounds: BTreeMap::new(),
            runs: 0,
            newest: None,
            thumbnails: Thumbnails::default(),
            problems,
        }
    }

    /// How the tracks that are added from now on are to be packaged.
    pub(crate) fn set(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Adds a track of another number than those before.
    pub(crate) fn add(&mut self, track: Track) {
        let lengths = Lengths {
            part: Duration::from_millis(self.settings.part_ms),
            segment: Duration::from_millis(self.settings.segment_ms),
        };
        let out = self.out.clone();
        match track.kind {
            TrackKind::Pictures => {
                let pictures = Pictures::new(track.id, lengths, out);
                self.pictures.insert(track.id, pictures);
            }
            TrackKind::Sound => {
                let bits = self.settings.audio_bits_a_second;
                let sound = Sound::new(track.id, bits, lengths, out);
                self.sounds.insert(track.id, sound);
            }
        }
    }

    /// Takes an access unit; of a track that there is not, it is left out.
    pub(crate) fn take(&mut self, unit: Unit) {
        let Some(dts) = self.place(unit.track, decoded(&unit)) else {
            return;
        };
        self.newest = self.newest.max(Some(dts));
        let pts = unit.pts.clamp(dts, dts + LONGEST_LEAD);
        let unit = Unit { pts, dts, ..unit };
        let taken = if self.pictures.contains_key(&unit.track) {
            self.take_picture(&unit)
        } else {
            self.take_sound(unit)
        };
        self.problems.note(taken);
    }

    /// Lets all out that went in, and ends the run.
    pub(crate) fn end_run(&mut self) {
        // Sound first, that it still knows whether it follows a picture.
        let alone = self.lead().is_none();
        let sounds = self.sounds.values_mut();
        let mut ended: Vec<_> = sounds
            .map(|sound| sound.end_run(self.runs, alone))
            .collect();
        ended.extend(self.pictures.values_mut().map(Pictures::end_run));
        for ended in ended {
            self.problems.note(ended);
        }
        // A run of which nothing came out is none: no rendition would know of it.
        let runs = self.pictures.values().map(|track| track.run);
        let mut runs = runs.chain(self.sounds.values().map(|track| track.run));
        if runs.any(|run| run == Some(self.runs)) {
            self.runs += 1;
        }
        self.newest = None;
    }

    /// Where in the run a time is, after a jump in the next run.
    fn place(&mut self, track: u8, dts: Duration) -> Option<Duration> {
        let newest = self.newest;
        let mut step = self.timeline(track)?.step(dts, newest);
        if step == Step::Jump {
            self.end_run();
            step = self.timeline(track)?.step(dts, None);
        }
        match step {
            Step::On(dts) => Some(dts),
            Step::Jump | Step::Left => None,
        }
    }

    fn timeline(&mut self, track: u8) -> Option<&mut Timeline> {
        let pictures = self.pictures.get_mut(&track);
        let sound = self.sounds.get_mut(&track);
        pictures
            .map(|track| &mut track.timeline)
            .or(sound.map(|track| &mut track.timeline))
    }

    fn take_picture(&mut self, unit: &Unit) -> Result<(), String> {
        let Some(track) = self.pictures.get_mut(&unit.track) else {
            return Ok(());
        };
        let begins_segment = track.take(unit, self.runs)?;
        let place = track.place(unit.dts);
        if self.lead() != Some(unit.track) {
            return Ok(());
        }
        for sound in self.sounds.values_mut() {
            sound.follow(place, begins_segment, self.runs)?;
        }
        if unit.keyframe && self.thumbnails.is_due(unit.pts) {
            self.show(unit.track)?;
        }
        Ok(())
    }

    /// Makes a thumbnail of the track's newest picture.
    fn show(&self, track: u8) -> Result<(), String> {
        let track = self.pictures.get(&track);
        let thumbnail = track.map_or(Ok(None), Pictures::thumbnail);
        let thumbnail = thumbnail.map_err(|error| format!("no thumbnail: {error}"))?;
        if let Some(thumbnail) = thumbnail {
            let _ = self.out.send(FromWorker::Thumbnail(thumbnail));
        }
        Ok(())
    }

    fn take_sound(&mut self, unit: Unit) -> Result<(), String> {
        let alone = self.lead().is_none();
        match self.sounds.get_mut(&unit.track) {
            Some(sound) => sound.take(unit, self.runs, alone),
            None => Ok(()),
        }
    }

    /// The track of pictures whose segments the sound follows: the first that has not fallen behind
    /// the others.
    fn lead(&self) -> Option<u8> {
        let running = || self.pictures.iter().filter(|(_, track)| track.is_running());
        let newest = running().filter_map(|(_, track)| track.newest()).max()?;
        let oldest = newest.saturating_sub(LONGEST_PAUSE);
        let lead = running().find(|(_, track)| track.newest() >= Some(oldest));
        lead.map(|(id, _)| *id)
    }
}

/// No picture is shown longer after it was decoded: what is told otherwise makes no sense.
const LONGEST_LEAD: Duration = Duration::from_secs(10);

/// When a unit is decoded, before it is shown, whatever is told.
fn decoded(unit: &Unit) -> Duration {
    match unit.codec {
        Codec::H264 | Codec::H265 => unit.dts.min(unit.pts),
        Codec::Opus | Codec::Aac | Codec::Vp8 | Codec::Vp9 | Codec::Av1 => unit.pts,
    }
}
