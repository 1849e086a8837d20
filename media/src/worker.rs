//! The child: access units in from the socket, initialisations and parts out.
//!
//! One thread owns all state. Others read the socket, write it, and run GStreamer's pipelines; they
//! talk to it over bounded channels.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use gstreamer as gst;
use nix::sys::resource::{Resource, setrlimit};

use crate::audio::{AacFrame, Coded, Encoder, FRAME_LENGTH};
use crate::cut::{Cut, Cutter, Lengths};
use crate::frame::{
    self, Frame as _, FromWorker, Media, Settings, ToWorker, Track, TrackKind, Unit,
};
use crate::h264::{self, Parameters};
use crate::muxer::{Label, Muxer};
use crate::plugins;
use crate::timeline::{Step, Timeline};

/// Runs the child on the socket that is its standard input, until the server closes it.
///
/// # Errors
/// In words, when GStreamer or the socket cannot be used.
pub fn run_worker() -> Result<(), String> {
    let socket = io::stdin().as_fd().try_clone_to_owned();
    let socket = socket.map_err(|error| format!("the media-worker has no socket: {error}"))?;
    // First, because it writes down which plugins there are.
    plugins::start()?;
    bound_resources();
    run(UnixStream::from(socket)).map_err(|error| format!("the media-worker ends: {error}"))
}

/// What waits between the threads.
const QUEUE: usize = 64;
/// Address space; a decoder that runs wild takes the child down and not the machine.
const MOST_MEMORY: u64 = 4 * 1024 * 1024 * 1024;
const MOST_FILES: u64 = 256;
const MOST_FILE_BYTES: u64 = 4 * 1024 * 1024;

fn bound_resources() {
    for (resource, most) in [
        (Resource::RLIMIT_AS, MOST_MEMORY),
        (Resource::RLIMIT_NOFILE, MOST_FILES),
        (Resource::RLIMIT_CORE, 0),
        // It writes no files but those that ORC maps its code from.
        (Resource::RLIMIT_FSIZE, MOST_FILE_BYTES),
    ] {
        let _ = setrlimit(resource, most, most);
    }
}

/// What the owner of the state hears.
enum Heard {
    Frame(ToWorker),
    Coded(Coded),
    /// The socket is at its end.
    End,
}

impl From<Coded> for Heard {
    fn from(coded: Coded) -> Self {
        Self::Coded(coded)
    }
}

fn run(socket: UnixStream) -> io::Result<()> {
    let (heard, hearing) = sync_channel(QUEUE);
    let (out, outgoing) = sync_channel(QUEUE);
    let reading = socket.try_clone()?;
    let reader = thread::Builder::new().name("read".to_owned());
    let told = heard.clone();
    reader.spawn(move || read(reading, &told))?;
    let writer = thread::Builder::new().name("write".to_owned());
    let writer = writer.spawn(move || write(socket, &outgoing))?;
    let mut worker = Worker::new(out, heard, hearing);
    worker.run();
    drop(worker);
    let _ = writer.join();
    Ok(())
}

fn read(socket: UnixStream, told: &SyncSender<Heard>) {
    let mut socket = io::BufReader::with_capacity(256 * 1024, socket);
    while let Ok(Some(frame)) = frame::read(&mut socket) {
        if told.send(Heard::Frame(frame)).is_err() {
            return;
        }
    }
    let _ = told.send(Heard::End);
}

fn write(mut socket: UnixStream, outgoing: &Receiver<FromWorker>) {
    while let Ok(frame) = outgoing.recv() {
        if socket.write_all(&frame.to_bytes()).is_err() {
            return;
        }
    }
}

/// All state of the child.
struct Worker {
    out: SyncSender<FromWorker>,
    heard: SyncSender<Heard>,
    hearing: Receiver<Heard>,
    /// What was heard while sound was waited for.
    later: VecDeque<Heard>,
    settings: Settings,
    pictures: BTreeMap<u8, Pictures>,
    sounds: BTreeMap<u8, Sound>,
    /// How many runs there were: the first begins no discontinuity.
    runs: u32,
}

/// A track of pictures.
struct Pictures {
    parameters: Option<Parameters>,
    size: (u16, u16),
    muxer: Option<Muxer>,
    cutter: Cutter,
    timeline: Timeline,
    /// The run that its muxer was opened in.
    run: Option<u32>,
}

/// A track of sound.
struct Sound {
    encoder: Option<Encoder>,
    muxer: Option<Muxer>,
    cutter: Cutter,
    timeline: Timeline,
    run: Option<u32>,
    /// Coded frames that the picture has not reached yet: where its segments begin is not known.
    held: VecDeque<AacFrame>,
}

/// An encoder has this long to let out what it has.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// Frames that may wait meanwhile.
const MOST_LATER: usize = 1_000;
/// Sound waits no longer than this for the picture.
const LONGEST_HOLD: Duration = Duration::from_millis(400);

impl Worker {
    fn new(
        out: SyncSender<FromWorker>,
        heard: SyncSender<Heard>,
        hearing: Receiver<Heard>,
    ) -> Self {
        Self {
            out,
            heard,
            hearing,
            later: VecDeque::new(),
            settings: Settings {
                part_ms: 334,
                segment_ms: 2_000,
                audio_bits_a_second: 128_000,
            },
            pictures: BTreeMap::new(),
            sounds: BTreeMap::new(),
            runs: 0,
        }
    }

    fn run(&mut self) {
        while let Some(heard) = self.next() {
            match heard {
                Heard::Frame(ToWorker::Settings(settings)) => self.settings = settings,
                Heard::Frame(ToWorker::Track(track)) => self.open(track),
                Heard::Frame(ToWorker::Unit(unit)) => self.take(unit),
                Heard::Coded(Coded::Frame(frame)) => self.take_coded(frame),
                Heard::Coded(Coded::End(_)) => {}
                Heard::End => break,
            }
        }
        self.finish();
    }

    fn next(&mut self) -> Option<Heard> {
        let later = self.later.pop_front();
        later.or_else(|| self.hearing.recv().ok())
    }

    /// Lets all out that went in, and closes.
    fn finish(&mut self) {
        let encoders = self.sounds.values_mut().map(|sound| sound.encoder.take());
        for encoder in encoders.flatten().collect::<Vec<_>>() {
            encoder.finish();
            self.wait_for_sound();
        }
        let held = self.sounds.values_mut().flat_map(|s| s.held.drain(..));
        for frame in held.collect::<Vec<_>>() {
            self.mux_sound(frame);
        }
        self.close_muxers();
    }

    /// Takes what an encoder still has, up to its end.
    fn wait_for_sound(&mut self) {
        while self.later.len() < MOST_LATER {
            match self.hearing.recv_timeout(LONGEST_WAIT) {
                Ok(Heard::Coded(Coded::Frame(frame))) => self.take_coded(frame),
                Ok(Heard::Coded(Coded::End(run))) if run == self.runs => return,
                Ok(Heard::Coded(Coded::End(_))) => {}
                Err(_) => return,
                Ok(other) => self.later.push_back(other),
            }
        }
    }

    fn lengths(&self) -> Lengths {
        Lengths {
            part: Duration::from_millis(self.settings.part_ms),
            segment: Duration::from_millis(self.settings.segment_ms),
        }
    }

    fn open(&mut self, track: Track) {
        let cutter = Cutter::new(self.lengths());
        match track.kind {
            TrackKind::H264 => {
                let pictures = Pictures {
                    parameters: None,
                    size: (0, 0),
                    muxer: None,
                    cutter,
                    timeline: Timeline::default(),
                    run: None,
                };
                self.pictures.insert(track.id, pictures);
            }
            TrackKind::Opus => {
                let sound = Sound {
                    encoder: None,
                    muxer: None,
                    cutter,
                    timeline: Timeline::default(),
                    run: None,
                    held: VecDeque::new(),
                };
                self.sounds.insert(track.id, sound);
            }
        }
    }

    fn take(&mut self, unit: Unit) {
        let timeline = match (
            self.pictures.get_mut(&unit.track),
            self.sounds.get_mut(&unit.track),
        ) {
            (Some(pictures), _) => &mut pictures.timeline,
            (None, Some(sound)) => &mut sound.timeline,
            (None, None) => return,
        };
        let pts = match timeline.step(unit.pts) {
            Step::On(pts) => pts,
            Step::Jump => {
                self.begin_anew();
                unit.pts
            }
        };
        let unit = Unit { pts, ..unit };
        let done = if self.pictures.contains_key(&unit.track) {
            self.take_picture(&unit)
        } else {
            self.take_sound(unit)
        };
        if let Err(problem) = done {
            let _ = self.out.send(FromWorker::Problem(problem));
        }
    }

    /// Ends the run of every track: discontinuities are of all renditions together.
    fn begin_anew(&mut self) {
        self.finish();
        self.runs += 1;
        for pictures in self.pictures.values_mut() {
            pictures.timeline.begin_anew();
            pictures.cutter.begin_anew();
        }
        for sound in self.sounds.values_mut() {
            sound.timeline.begin_anew();
            sound.cutter.begin_anew();
        }
    }

    fn close_muxers(&mut self) {
        let pictures = self.pictures.values_mut().map(|track| &mut track.muxer);
        let sounds = self.sounds.values_mut().map(|track| &mut track.muxer);
        for muxer in pictures.chain(sounds) {
            if let Some(muxer) = muxer.take() {
                muxer.close();
            }
        }
    }

    fn take_picture(&mut self, unit: &Unit) -> Result<(), String> {
        let lead = self.pictures.keys().next().copied();
        let Some(track) = self.pictures.get_mut(&unit.track) else {
            return Ok(());
        };
        let picture = h264::take_apart(&unit.bytes);
        if picture.sample.is_empty() {
            return Ok(());
        }
        track.note(picture.parameters, unit.size);
        if track.muxer.is_none() {
            if !unit.keyframe || !track.is_known() {
                return Ok(());
            }
            let discontinuity = track.run.is_some_and(|run| run != self.runs);
            track.open(unit.track, discontinuity, self.out.clone())?;
            track.run = Some(self.runs);
        }
        let cut = track.cutter.picture(unit.pts, unit.keyframe);
        let Some(muxer) = &mut track.muxer else {
            return Ok(());
        };
        muxer.push(cut, picture.sample, unit.pts, unit.keyframe);
        if let Some(problem) = muxer.problem() {
            track.muxer = None;
            return Err(problem);
        }
        let begins_segment = cut == Cut::Segment;
        if lead == Some(unit.track) {
            self.lead_sound(unit.pts, begins_segment);
        }
        Ok(())
    }

    /// Tells the sound how far the picture is.
    fn lead_sound(&mut self, pts: Duration, begins_segment: bool) {
        let mut due = Vec::new();
        for sound in self.sounds.values_mut() {
            if begins_segment {
                sound.cutter.follow(pts);
            }
            while sound.held.front().is_some_and(|frame| frame.pts <= pts) {
                due.extend(sound.held.pop_front());
            }
        }
        for frame in due {
            self.mux_sound(frame);
        }
    }

    fn take_sound(&mut self, unit: Unit) -> Result<(), String> {
        let (bits, runs) = (self.settings.audio_bits_a_second, self.runs);
        let Some(sound) = self.sounds.get_mut(&unit.track) else {
            return Ok(());
        };
        if sound.encoder.is_none() {
            let encoder = Encoder::open(unit.track, runs, bits, self.heard.clone());
            let encoder = encoder.map_err(|error| format!("no AAC encoder: {error}"))?;
            sound.encoder = Some(encoder);
        }
        if let Some(encoder) = &sound.encoder {
            encoder.push(unit.bytes, unit.pts);
        }
        Ok(())
    }

    fn take_coded(&mut self, frame: AacFrame) {
        // Of a run that ended before its encoder did: its time is not ours any more.
        if frame.run != self.runs {
            return;
        }
        let alone = self.is_sound_alone();
        let Some(sound) = self.sounds.get_mut(&frame.track) else {
            return;
        };
        let newest = frame.pts;
        sound.held.push_back(frame);
        let mut due = Vec::new();
        while let Some(first) = sound.held.front() {
            if !alone && newest.saturating_sub(first.pts) < LONGEST_HOLD {
                break;
            }
            due.extend(sound.held.pop_front());
        }
        for frame in due {
            self.mux_sound(frame);
        }
    }

    /// Whether there is no picture whose segments the sound could follow.
    fn is_sound_alone(&self) -> bool {
        self.pictures.values().all(|track| track.muxer.is_none())
    }

    fn mux_sound(&mut self, frame: AacFrame) {
        let alone = self.is_sound_alone();
        let runs = self.runs;
        let Some(sound) = self.sounds.get_mut(&frame.track) else {
            return;
        };
        if sound.muxer.is_none() {
            let discontinuity = sound.run.is_some_and(|run| run != runs);
            let label = Label {
                track: frame.track,
                media: Media::Audio {
                    codec: "mp4a.40.2".to_owned(),
                    channels: 2,
                },
                discontinuity,
            };
            match Muxer::open(&frame.caps, label, self.out.clone()) {
                Ok(muxer) => sound.muxer = Some(muxer),
                Err(error) => {
                    let words = format!("the sound cannot be packaged: {error}");
                    let _ = self.out.send(FromWorker::Problem(words));
                    return;
                }
            }
            sound.run = Some(runs);
        }
        let cut = sound.cutter.sound(frame.pts, FRAME_LENGTH, alone);
        if let Some(muxer) = &mut sound.muxer {
            muxer.push(cut, frame.bytes, frame.pts, true);
        }
    }
}

impl Pictures {
    /// Notes parameter sets and size; a change ends the muxer, and the next key frame begins anew
    /// with an initialisation of its own.
    fn note(&mut self, parameters: Option<Parameters>, size: Option<(u16, u16)>) {
        if let Some(size) = size {
            self.size = size;
        }
        if parameters.is_some() && parameters != self.parameters {
            self.parameters = parameters;
            if let Some(muxer) = self.muxer.take() {
                muxer.close();
            }
        }
    }

    fn is_known(&self) -> bool {
        self.parameters.is_some() && self.size != (0, 0)
    }

    fn open(
        &mut self,
        track: u8,
        discontinuity: bool,
        out: SyncSender<FromWorker>,
    ) -> Result<(), String> {
        let Some(parameters) = &self.parameters else {
            return Ok(());
        };
        let (width, height) = self.size;
        let caps = gst::Caps::builder("video/x-h264")
            .field("stream-format", "avc")
            .field("alignment", "au")
            .field("width", i32::from(width))
            .field("height", i32::from(height))
            .field(
                "codec_data",
                gst::Buffer::from_slice(parameters.configuration()),
            )
            .build();
        let label = Label {
            track,
            media: Media::Video {
                codec: parameters.codec(),
                width: width.into(),
                height: height.into(),
            },
            discontinuity,
        };
        let muxer = Muxer::open(&caps, label, out);
        let muxer = muxer.map_err(|error| format!("the picture cannot be packaged: {error}"))?;
        self.muxer = Some(muxer);
        // What ended before the new initialisation is complete.
        self.cutter.begin_anew();
        Ok(())
    }
}
