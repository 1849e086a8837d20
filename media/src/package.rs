//! [`Package`]: all tracks of a stream, and what holds for them together.
//!
//! A run is what has one continuous time. Where time jumps in one track, the run of all ends, because
//! playlists must have their discontinuities together.

use std::collections::BTreeMap;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use crate::cut::Lengths;
use crate::message::{Codec, FromWorker, Settings, Track, TrackKind, Unit};
use crate::pictures::{LONGEST_LEAD, Pictures};
use crate::problems::Problems;
use crate::sound::Sound;
use crate::thumbnail::Thumbnails;
use crate::timeline::{LONGEST_PAUSE, Step};

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
        let Some((place, lead)) = self.place(&unit) else {
            return;
        };
        self.newest = self.newest.max(Some(place));
        let dts = place.saturating_sub(lead);
        let pts = unit.pts.clamp(dts, dts + LONGEST_LEAD);
        let unit = Unit { pts, dts, ..unit };
        let taken = if self.pictures.contains_key(&unit.track) {
            self.take_picture(&unit, place)
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

    /// Where in the run a unit is, after a jump in the next run, and how much earlier it is decoded.
    fn place(&mut self, unit: &Unit) -> Option<(Duration, Duration)> {
        let (mut step, mut lead) = self.step(unit, self.newest)?;
        if step == Step::Jump {
            self.end_run();
            (step, lead) = self.step(unit, None)?;
        }
        match step {
            Step::On(place) => Some((place, lead)),
            Step::Jump | Step::Left => None,
        }
    }

    fn step(&mut self, unit: &Unit, newest: Option<Duration>) -> Option<(Step, Duration)> {
        let dts = decoded(unit);
        if let Some(track) = self.pictures.get_mut(&unit.track) {
            let lead = track.lead(unit.pts.saturating_sub(dts), unit);
            return Some((track.timeline.step(dts + lead, newest), lead));
        }
        let track = self.sounds.get_mut(&unit.track)?;
        Some((track.timeline.step(dts, newest), Duration::ZERO))
    }

    fn take_picture(&mut self, unit: &Unit, place: Duration) -> Result<(), String> {
        let Some(track) = self.pictures.get_mut(&unit.track) else {
            return Ok(());
        };
        let begins_segment = track.take(unit, place, self.runs)?;
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

/// When a unit is decoded, before it is shown, whatever is told.
fn decoded(unit: &Unit) -> Duration {
    match unit.codec {
        Codec::H264 | Codec::H265 => unit.dts.min(unit.pts),
        Codec::Opus | Codec::Aac | Codec::Vp8 | Codec::Vp9 | Codec::Av1 => unit.pts,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use bytes::Bytes;

    use super::*;
    use crate::message::Part;
    use crate::plugins;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// A picture whose key frames are of that profile.
    fn unit(dts: u64, pts: u64, profile: u8, keyframe: bool) -> Unit {
        let sets = [
            0, 0, 1, 0x67, profile, 0, 30, 9, 0, 0, 1, 0x68, 0xce, 0, 0, 1, 0x65, 7,
        ];
        let bytes: &[u8] = if keyframe { &sets } else { &[0, 0, 1, 0x41, 7] };
        Unit {
            track: 0,
            codec: Codec::H264,
            pts: ms(pts),
            dts: ms(dts),
            keyframe,
            size: Some((320, 180)),
            bytes: Bytes::copy_from_slice(bytes),
        }
    }

    /// Two seconds of 25 pictures a second from then on, of which two are shown before the one that is
    /// sent before them.
    fn reordered(from: u64, profile: u8) -> impl Iterator<Item = Unit> {
        (0..50).map(move |number| {
            let shown = match number {
                0 => 0,
                _ if number % 3 == 1 => (number + 2).min(49),
                _ => number - 1,
            };
            let (dts, pts) = (from + number * 40, from + 80 + shown * 40);
            unit(dts, pts.max(dts), profile, number == 0)
        })
    }

    fn plain(from: u64, profile: u8) -> impl Iterator<Item = Unit> {
        let times = (0..50).map(move |number| from + number * 40);
        times.map(move |time| unit(time, time, profile, time == from))
    }

    /// The parts of all of them.
    fn packaged(units: impl IntoIterator<Item = Unit>) -> Vec<Part> {
        plugins::start().unwrap();
        let (out, made) = sync_channel(1_000);
        let mut package = Package::new(out);
        package.add(Track {
            id: 0,
            kind: TrackKind::Pictures,
        });
        units.into_iter().for_each(|unit| package.take(unit));
        package.end_run();
        drop(package);
        let parts = made.iter().filter_map(|frame| match frame {
            FromWorker::Part(part) => Some(part),
            // There is nothing to be seen in these pictures.
            FromWorker::Problem(problem) if problem.starts_with("no thumbnail") => None,
            FromWorker::Problem(problem) => panic!("{problem}"),
            _ => None,
        });
        parts.collect()
    }

    fn check(parts: &[Part], start: Duration, end: Duration) {
        let mut at = start;
        for part in parts {
            assert_eq!(part.start, at, "no hole and no overlap");
            at += part.duration;
        }
        assert_eq!(at, end);
    }

    #[test]
    fn parts_follow_each_other_by_when_they_are_shown() {
        let parts = packaged(reordered(5_000, 77).chain(reordered(7_000, 77)));
        check(&parts, ms(5_080), ms(9_080));
        let ends = parts.iter().filter(|part| part.ends_segment).count();
        assert_eq!(ends, 2);
        let full = parts.iter().filter(|part| part.duration == ms(320)).count();
        assert_eq!(full, 12, "eight pictures each");
    }

    #[test]
    fn encoders_of_another_lead_follow_without_a_hole() {
        // The pictures of the second come 80 ms after the last of the first was decoded, and those of
        // the third before the last of the second.
        let units = reordered(5_000, 77).chain(plain(7_080, 66));
        let units = units.chain(reordered(9_000, 77));
        let parts = packaged(units);
        check(&parts, ms(5_080), ms(11_080));
        let starts = parts.iter().map(|part| part.start);
        assert!([5_080, 7_080, 9_080].iter().all(|start| {
            let mut starts = starts.clone();
            starts.any(|at| at == ms(*start))
        }));
    }

    #[test]
    fn a_time_of_showing_that_makes_no_sense_has_a_bound() {
        let units = plain(5_000, 66).map(|unit| Unit {
            pts: unit.pts + ms(1_000_000_000),
            ..unit
        });
        let parts = packaged(units);
        let start = ms(5_000) + LONGEST_LEAD;
        check(&parts, start, start + ms(2_000));
    }
}
