//! A packager with a real child, what it is fed with, and players that check all they are told.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hls::{Origin, PlaylistRequest, ReadError};
use loadtest::clip::{self, P180, P360, P720};
use loadtest::h264::Picture;
use media::{Codec, Config, Listeners, Packager, Thumbnail, TrackKind, Unit, Worker};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::checker::Playlist;

pub(crate) const LARGE: u8 = 0;
pub(crate) const SMALL: u8 = 1;
pub(crate) const SOUND: u8 = 2;
pub(crate) const ALL: [u8; 3] = [LARGE, SMALL, SOUND];
/// 720p, which takes a while to make.
pub(crate) const LARGEST: u8 = 3;

pub(crate) const PICTURE: Duration = Duration::from_nanos(33_333_333);

/// Who hears of thumbnails alone.
pub(crate) fn listeners(thumbnails: mpsc::Sender<Thumbnail>) -> Listeners {
    Listeners {
        thumbnails,
        parts: mpsc::channel(1).0,
    }
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) const fn name(track: u8) -> &'static str {
    match track {
        LARGE => "v0",
        SMALL => "v1",
        LARGEST => "v2",
        _ => "audio",
    }
}

fn unit(picture: &Picture) -> Bytes {
    let nals = picture.nals.iter();
    nals.flat_map(|nal| [&[0, 0, 0, 1], &nal[..]].concat())
        .collect()
}

/// Six seconds of a layer, from zero.
fn layer(track: u8, size: &clip::Size, pixels: (u16, u16)) -> Vec<Unit> {
    let pictures = (0..).zip(clip::video(size).unwrap());
    pictures
        .map(|(number, picture)| Unit {
            track,
            codec: Codec::H264,
            pts: Duration::from_nanos(number * 1_000_000_000 / 30),
            dts: Duration::from_nanos(number * 1_000_000_000 / 30),
            keyframe: picture.is_key(),
            size: picture.is_key().then_some(pixels),
            bytes: unit(&picture),
        })
        .collect()
}

/// Six seconds of sound, from zero.
fn sound() -> Vec<Unit> {
    let packets = (0..300).zip(clip::audio().unwrap());
    packets
        .map(|(number, packet)| Unit {
            track: SOUND,
            codec: Codec::Opus,
            pts: ms(number * 20),
            dts: ms(number * 20),
            keyframe: true,
            size: None,
            bytes: packet.into(),
        })
        .collect()
}

/// Six seconds of each track.
#[derive(Clone)]
pub(crate) struct Clip(BTreeMap<u8, Vec<Unit>>);

impl Clip {
    pub(crate) async fn load() -> Self {
        let load = || {
            Self(BTreeMap::from([
                (LARGE, layer(LARGE, &P360, (640, 360))),
                (SMALL, layer(SMALL, &P180, (320, 180))),
                (SOUND, sound()),
            ]))
        };
        tokio::task::spawn_blocking(load).await.unwrap()
    }

    /// With [`LARGEST`].
    pub(crate) async fn with_largest(mut self) -> Self {
        let load = || layer(LARGEST, &P720, (1280, 720));
        let layer = tokio::task::spawn_blocking(load).await.unwrap();
        self.0.insert(LARGEST, layer);
        self
    }

    /// These tracks, from that time on, in the order of their times.
    pub(crate) fn at(&self, tracks: &[u8], from: Duration) -> Vec<Unit> {
        let units = tracks.iter().flat_map(|track| &self.0[track]);
        let mut all: Vec<_> = units
            .map(|unit| Unit {
                pts: from + unit.pts,
                dts: from + unit.dts,
                ..unit.clone()
            })
            .collect();
        all.sort_by_key(|unit| (unit.pts, unit.track));
        all
    }
}

pub(crate) fn config() -> Config {
    Config {
        worker: worker(),
        part: ms(334),
        segment: ms(2_000),
        audio_bits_a_second: 128_000,
        zero_unix_ms: 1_700_000_000_000,
    }
}

pub(crate) fn worker() -> Worker {
    Worker {
        program: env!("CARGO_BIN_EXE_tallylight").into(),
        arguments: vec!["media-worker".to_owned()],
        patience: ms(6_000),
    }
}

pub(crate) struct Stage {
    pub(crate) origin: Origin,
    pub(crate) packager: Arc<Packager>,
    pub(crate) thumbnails: mpsc::Receiver<Thumbnail>,
    pub(crate) clip: Clip,
    players: BTreeMap<u8, JoinHandle<usize>>,
}

impl Stage {
    /// With these tracks, each watched by a player.
    pub(crate) async fn new(tracks: &[u8]) -> Self {
        Self::with(tracks, hls::Config::default()).await
    }

    /// With these tracks, which are recorded there.
    pub(crate) async fn recording(tracks: &[u8], folder: &Path) -> Self {
        let config = hls::Config {
            folder: Some(folder.to_owned()),
            keep: true,
            ..hls::Config::default()
        };
        Self::with(tracks, config).await
    }

    async fn with(tracks: &[u8], renditions: hls::Config) -> Self {
        // What a media-worker dies of stands in the log.
        let _ = tracing_subscriber::fmt().with_test_writer().try_init();
        let origin = Origin::new(renditions, "");
        let (made, thumbnails) = mpsc::channel(16);
        let mut stage = Self {
            packager: Arc::new(Packager::start(config(), origin.clone(), listeners(made))),
            origin,
            thumbnails,
            clip: Clip::load().await,
            players: BTreeMap::new(),
        };
        for track in tracks {
            stage.add(*track);
        }
        stage
    }

    pub(crate) fn add(&mut self, track: u8) {
        let kind = match track {
            SOUND => TrackKind::Sound,
            _ => TrackKind::Pictures,
        };
        assert!(self.packager.add_track(track, kind, name(track)));
        let player = tokio::spawn(play(self.origin.clone(), name(track)));
        self.players.insert(track, player);
    }

    /// Hands these over, as fast as the child takes them.
    pub(crate) async fn feed(&self, units: Vec<Unit>) {
        for unit in units {
            while !self.packager.push(unit.clone()) {
                tokio::time::sleep(ms(2)).await;
            }
        }
    }

    /// Feeds these tracks as fast as time goes, over and over.
    pub(crate) fn feed_live(&self, tracks: &'static [u8]) -> Live {
        let (stop, mut stopped) = oneshot::channel();
        let (packager, clip) = (Arc::clone(&self.packager), self.clip.clone());
        let task = tokio::spawn(async move {
            let begin = tokio::time::Instant::now();
            let turns = (0_u32..).map(|turn| ms(6_000) * turn);
            for unit in turns.flat_map(|from| clip.at(tracks, from)) {
                tokio::select! {
                    () = tokio::time::sleep_until(begin + unit.pts) => {}
                    _ = &mut stopped => return,
                }
                // What finds no room is lost, as it is for a server.
                packager.push(unit);
            }
        });
        Live { stop, task }
    }

    /// The playlist as soon as it has that part, with parts: one that has ended lists none.
    pub(crate) async fn reached(&self, track: u8, msn: u64, part: usize) -> Playlist {
        let mut request = PlaylistRequest::default();
        loop {
            match self.origin.playlist(name(track), request).await {
                Ok(rendered) => {
                    let now = checked(&rendered);
                    let (end, parts) = (now.end(), now.trailing.parts.len());
                    if (end, parts) > (msn, part) {
                        return now;
                    }
                    assert!(!now.ended, "{} ends before {msn}.{part}", name(track));
                    request.msn = Some(end);
                    request.part = Some(parts);
                }
                Err(ReadError::Late) => {}
                Err(other) => panic!("{}: {other}", name(track)),
            }
        }
    }

    /// Ends the stream. Returns what is left of it, and how many playlists each player was told.
    pub(crate) async fn finish(self) -> (Origin, BTreeMap<u8, usize>) {
        let packager = Arc::into_inner(self.packager);
        packager.expect("feeding has stopped").finish().await;
        let mut told = BTreeMap::new();
        for (track, player) in self.players {
            told.insert(track, player.await.unwrap());
        }
        (self.origin, told)
    }
}

/// Feeds until it is told to stop.
pub(crate) struct Live {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Live {
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        self.task.await.unwrap();
    }
}

pub(crate) async fn playlist(origin: &Origin, track: u8) -> Playlist {
    let rendered = origin
        .playlist(name(track), PlaylistRequest::default())
        .await;
    checked(&rendered.unwrap())
}

fn checked(rendered: &hls::Rendered) -> Playlist {
    Playlist::checked(std::str::from_utf8(&rendered.text()).unwrap())
}

/// Reads a rendition as a low-latency player does, and checks every playlist on the way.
async fn play(origin: Origin, rendition: &'static str) -> usize {
    let mut before: Option<Playlist> = None;
    let mut request = PlaylistRequest::default();
    let mut seen = 0;
    loop {
        let rendered = match origin.playlist(rendition, request).await {
            Ok(rendered) => rendered,
            // Nothing to play for a while: a player asks again.
            Err(ReadError::Late) => continue,
            // It ended and never had anything.
            Err(ReadError::NotFound) if seen == 0 => return 0,
            Err(other) => panic!("{rendition}: {other}"),
        };
        let now = checked(&rendered);
        if let Some(before) = &before {
            now.check_follows(before);
        }
        seen += 1;
        if now.ended {
            return seen;
        }
        request = PlaylistRequest {
            msn: Some(now.end()),
            part: Some(now.trailing.parts.len()),
            skip: false,
            ..PlaylistRequest::default()
        };
        before = Some(now);
    }
}

/// What ffprobe says of a rendition's segments from one initialisation to the next, and how many
/// packets it finds.
pub(crate) async fn probe(origin: &Origin, track: u8, listed: &Playlist) -> Vec<(String, usize)> {
    let runs = runs(origin, track, listed).await;
    runs.into_iter().map(ffprobe).collect()
}

/// The bytes from each initialisation to the next.
pub(crate) async fn runs(origin: &Origin, track: u8, listed: &Playlist) -> Vec<Vec<u8>> {
    let mut runs: Vec<(&str, Vec<u8>)> = Vec::new();
    for segment in &listed.segments {
        if runs.last().is_none_or(|(map, _)| *map != segment.map) {
            runs.push((&segment.map, file(origin, track, &segment.map).await));
        }
        let bytes = file(origin, track, &segment.uri).await;
        runs.last_mut().unwrap().1.extend(bytes);
    }
    runs.into_iter().map(|(_, bytes)| bytes).collect()
}

async fn file(origin: &Origin, track: u8, uri: &str) -> Vec<u8> {
    let body = origin.file(name(track), uri).await.unwrap();
    body.0.iter().flatten().copied().collect()
}

fn ffprobe(bytes: Vec<u8>) -> (String, usize) {
    let mut command = Command::new("ffprobe");
    command
        .args(["-v", "error", "-count_packets", "-of", "csv=p=0"])
        .args([
            "-show_entries",
            "stream=codec_name,width,height,nb_read_packets",
        ])
        .arg("-");
    let text = String::from_utf8(through(command, bytes)).unwrap();
    let (what, packets) = text.trim().rsplit_once(',').expect("one stream");
    (what.to_owned(), packets.parse().unwrap())
}

/// Samples of sound, 48,000 a second.
pub(crate) fn decode(bytes: Vec<u8>) -> Vec<i16> {
    let mut command = Command::new("ffmpeg");
    command
        .args(["-v", "error", "-i", "-", "-ac", "1", "-ar", "48000"])
        .args(["-f", "s16le", "-"]);
    let bytes = through(command, bytes);
    let pairs = bytes.chunks_exact(2);
    pairs
        .map(|two| i16::from_le_bytes([two[0], two[1]]))
        .collect()
}

/// What a program makes of that.
pub(crate) fn through(mut command: Command, bytes: Vec<u8>) -> Vec<u8> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("ffmpeg is installed");
    let mut stdin = child.stdin.take().unwrap();
    let writing = std::thread::spawn(move || stdin.write_all(&bytes));
    let output = child.wait_with_output().unwrap();
    let _ = writing.join();
    output.stdout
}

pub(crate) fn starts(listed: &Playlist) -> Vec<f64> {
    let mut at = 0.0;
    let mut starts = Vec::new();
    for segment in &listed.segments {
        starts.push(at);
        at += segment.duration;
    }
    starts
}

pub(crate) fn discontinuities(listed: &Playlist) -> usize {
    let segments = listed.segments.iter();
    segments.filter(|segment| segment.discontinuity).count()
}

/// The initialisations that the playlist names, in order.
pub(crate) fn maps(listed: &Playlist) -> Vec<&str> {
    let mut maps: Vec<_> = listed.segments.iter().map(|s| s.map.as_str()).collect();
    maps.dedup();
    maps
}

/// Of all segments, those that are not complete included.
pub(crate) fn part_durations(listed: &Playlist) -> Vec<f64> {
    let segments = listed.segments.iter().chain([&listed.trailing]);
    let parts = segments.flat_map(|segment| &segment.parts);
    parts.map(|part| part.duration).collect()
}
