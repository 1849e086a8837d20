//! One picture made into several sizes by a real media-worker.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use loadtest::clip;
use media::{Codec, Ladder, Rung, Transcoder, Unit};
use tokio::sync::mpsc;

use crate::encoded;
use crate::stage::{Clip, LARGE, PICTURE, ms, through, worker};

const LOWER: u8 = 7;
const LOWEST: u8 = 8;
const SIZES: [(u8, u16, u16); 2] = [(LOWER, 320, 180), (LOWEST, 160, 90)];
const GROUP: Duration = ms(2_000);

fn ladder(source: Codec) -> Ladder {
    let rungs = SIZES.map(|(track, width, height)| Rung {
        track,
        width,
        height,
        bits_a_second: 200_000,
        is_baseline: track == LOWER,
    });
    Ladder {
        source,
        frame_rate: 30,
        longest_group: GROUP,
        rungs: rungs.into(),
    }
}

/// A transcoder and what it makes.
struct Stage {
    transcoder: Transcoder,
    made: mpsc::Receiver<Unit>,
}

impl Stage {
    async fn new(source: Codec) -> Self {
        let _ = tracing_subscriber::fmt().with_test_writer().try_init();
        let program = env!("CARGO_BIN_EXE_tallylight");
        let encoder = tokio::process::Command::new(program)
            .args(["media-worker", "--find-encoder"])
            .output();
        let encoder = String::from_utf8(encoder.await.unwrap().stdout).unwrap();
        let (sender, made) = mpsc::channel(1_024);
        Self {
            transcoder: Transcoder::start(worker(), encoder.trim(), ladder(source), sender),
            made,
        }
    }

    /// Feeds these at the pace of their times, and takes what comes until every rung has been silent
    /// for a while.
    async fn run(&mut self, units: &[Unit]) -> BTreeMap<u8, Vec<Unit>> {
        let begin = tokio::time::Instant::now();
        let first = units[0].pts;
        let mut units = units.iter().peekable();
        let mut made: BTreeMap<u8, Vec<Unit>> = BTreeMap::new();
        loop {
            let next = units.peek();
            let due = next.map(|unit| begin + unit.pts.saturating_sub(first));
            let due = due.unwrap_or_else(|| tokio::time::Instant::now() + ms(3_000));
            tokio::select! {
                unit = self.made.recv() => {
                    let unit = unit.unwrap();
                    made.entry(unit.track).or_default().push(unit);
                }
                () = tokio::time::sleep_until(due) => match units.next() {
                    Some(unit) => {
                        while !self.transcoder.push(unit.clone()) {
                            tokio::time::sleep(ms(2)).await;
                        }
                    }
                    None => return made,
                },
            }
        }
    }

    /// The first key frame of each rung, of what is fed over and over from that time on.
    async fn next_keys(&mut self, units: &[Unit]) -> BTreeMap<u8, Duration> {
        let mut keys = BTreeMap::new();
        for turn in 1_u32.. {
            let units: Vec<_> = units
                .iter()
                .map(|unit| later(unit, ms(6_000) * turn))
                .collect();
            for (track, made) in self.run(&units).await {
                let key = made.iter().find(|unit| unit.keyframe);
                keys.extend(key.map(|key| (track, key.pts)));
            }
            if keys.len() == SIZES.len() {
                break;
            }
        }
        keys
    }
}

fn later(unit: &Unit, by: Duration) -> Unit {
    Unit {
        pts: unit.pts + by,
        dts: unit.dts + by,
        ..unit.clone()
    }
}

/// Six seconds, with a key frame every two.
fn vp8() -> Vec<Unit> {
    let frames = (0..).zip(clip::vp8().unwrap());
    frames
        .map(|(number, frame)| {
            let keyframe = frame[0] & 1 == 0;
            Unit {
                track: 0,
                codec: Codec::Vp8,
                pts: PICTURE * number,
                dts: PICTURE * number,
                keyframe,
                size: keyframe.then_some((640, 360)),
                bytes: frame.into(),
            }
        })
        .collect()
}

/// Width, height and pictures, as ffprobe counts what it could decode.
fn probe(units: &[Unit]) -> (u16, u16, usize) {
    let stream: Vec<u8> = units.iter().flat_map(|unit| unit.bytes.to_vec()).collect();
    let mut command = Command::new("ffprobe");
    command
        .args([
            "-v",
            "error",
            "-f",
            "h264",
            "-count_frames",
            "-show_entries",
        ])
        .args(["stream=width,height,nb_read_frames", "-of", "csv=p=0", "-"]);
    let said = String::from_utf8(through(command, stream)).unwrap();
    let mut numbers = said
        .trim()
        .split(',')
        .map(|number| number.parse::<u16>().unwrap());
    let mut next = || numbers.next().unwrap();
    (next(), next(), next().into())
}

fn check(source: &[Unit], made: &BTreeMap<u8, Vec<Unit>>) {
    let keys: Vec<_> = source
        .iter()
        .filter(|unit| unit.keyframe)
        .map(|unit| unit.pts)
        .collect();
    for (track, width, height) in SIZES {
        let units = &made[&track];
        assert_eq!(probe(units), (width, height, units.len()), "track {track}");
        // A busy machine leaves some out.
        assert!(units.len() > source.len() / 2, "{} pictures", units.len());
        assert!(
            units.is_sorted_by(|one, next| one.pts < next.pts),
            "times rise"
        );
        assert!(units.iter().all(|unit| unit.dts == unit.pts));
        let times = units.iter().map(|unit| unit.pts);
        for pts in times {
            let nearest = source.iter().map(|unit| unit.pts.abs_diff(pts)).min();
            assert!(nearest < Some(ms(1)), "{pts:?} is a time of the source");
        }
        let made: Vec<_> = units.iter().filter(|unit| unit.keyframe).collect();
        assert_eq!(made.len(), keys.len(), "track {track}");
        for (made, source) in made.iter().zip(&keys) {
            assert!(made.pts + ms(1) >= *source && made.pts < *source + ms(500));
            assert_eq!(made.size, Some((width, height)));
        }
    }
}

async fn h264() -> Vec<Unit> {
    Clip::load().await.at(&[LARGE], ms(0))
}

#[tokio::test]
async fn h264_becomes_every_size_with_key_frames_where_the_source_has_them() {
    let mut stage = Stage::new(Codec::H264).await;
    let source = h264().await;
    let made = stage.run(&source).await;
    check(&source, &made);
}

/// Its own size is among them.
#[tokio::test]
async fn b_frames_become_pictures_that_are_shown_as_they_are_decoded() {
    let flv = tokio::task::spawn_blocking(encoded::flv).await.unwrap();
    let source = encoded::pictures(&flv, Codec::H264, ms(5_000));
    assert_eq!(source[0].size, Some((SIZES[0].1, SIZES[0].2)));
    assert!(!source.is_sorted_by_key(|unit| unit.pts));
    let mut stage = Stage::new(Codec::H264).await;
    let made = stage.run(&source).await;
    check(&source, &made);
    // Nothing is lost but what a decoder holds back at the end.
    for (track, ..) in SIZES {
        assert!(made[&track].len() > 150, "{}", made[&track].len());
    }
    // Time that goes back lets that out, and begins anew.
    let again = stage.run(&source).await;
    let rest = again[&LOWER]
        .iter()
        .take_while(|unit| unit.pts > ms(10_000));
    let (rest, count) = (rest.clone().count(), again[&LOWER].len());
    assert!(rest <= 4 && count - rest > 150, "{rest} of {count}");
}

#[tokio::test]
async fn vp8_becomes_h264() {
    let mut stage = Stage::new(Codec::Vp8).await;
    let source = tokio::task::spawn_blocking(vp8).await.unwrap();
    let made = stage.run(&source).await;
    check(&source, &made);
}

#[tokio::test]
async fn time_that_goes_back_begins_anew() {
    let mut stage = Stage::new(Codec::H264).await;
    let source = h264().await;
    let before: Vec<_> = source
        .iter()
        .take(60)
        .map(|unit| later(unit, ms(60_000)))
        .collect();
    let made = stage.run(&before).await;
    assert!(made[&LOWER][0].keyframe && made[&LOWER][0].pts >= ms(60_000));
    let made = stage.run(&source).await;
    check(&source, &made);
}

#[tokio::test]
async fn what_makes_no_sense_and_a_death_cost_a_while() {
    let mut stage = Stage::new(Codec::H264).await;
    let source = h264().await;
    let nonsense: Vec<_> = source
        .iter()
        .take(60)
        .map(|unit| Unit {
            bytes: unit.bytes.iter().map(|byte| byte ^ 0x5a).collect(),
            ..unit.clone()
        })
        .collect();
    stage.run(&nonsense).await;
    assert_eq!(stage.next_keys(&source).await.len(), SIZES.len());
    let worker = stage.transcoder.worker();
    let pid = worker.borrow().expect("a child lives");
    let killed = Command::new("kill")
        .arg("-KILL")
        .arg(pid.to_string())
        .status();
    assert!(killed.unwrap().success());
    assert_eq!(stage.next_keys(&source).await.len(), SIZES.len());
    assert_ne!(*worker.borrow(), Some(pid));
}
