//! What encoders send by RTMP: pictures with B-frames and AAC, with the times that files give them.

use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use media::{Codec, Unit};

use crate::stage::{LARGE, SOUND, ms, through};

/// A packet, by ffprobe.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Packet {
    /// Seconds.
    pub(crate) pts: f64,
    pub(crate) dts: f64,
    pub(crate) size: usize,
    pub(crate) is_key: bool,
}

/// The packets of a file's only stream of that kind, `v` or `a`, in the order in which they lie.
pub(crate) fn packets(file: &[u8], kind: &str) -> Vec<Packet> {
    let mut command = Command::new("ffprobe");
    command
        .args(["-v", "error", "-select_streams", kind, "-show_entries"])
        .args(["packet=pts_time,dts_time,size,flags", "-of", "csv=p=0", "-"]);
    let said = String::from_utf8(through(command, file.to_vec())).unwrap();
    let packet = |line: &str| {
        let mut fields = line.split(',');
        let mut next = || fields.next().expect("four fields");
        Packet {
            pts: next().parse().expect("a time"),
            dts: next().parse().expect("a time"),
            size: next().parse().expect("a number"),
            is_key: next().starts_with('K'),
        }
    };
    // Side data of a packet leaves an empty line.
    let lines = said.lines().filter(|line| !line.is_empty());
    lines.map(packet).collect()
}

/// What the packets of a file's stream of that kind hold, one after the other.
pub(crate) fn payload(file: &[u8], kind: &str) -> Vec<u8> {
    copied(file, kind, &["-f", "data"])
}

/// That stream without the file around it.
fn copied(file: &[u8], kind: &str, how: &[&str]) -> Vec<u8> {
    let mut command = Command::new("ffmpeg");
    command
        .args(["-v", "error", "-i", "-", "-map"])
        .args([&format!("0:{kind}"), "-c", "copy"])
        .args(how)
        .arg("-");
    through(command, file.to_vec())
}

/// Six seconds of moving shapes, 320x180, with two B-frames between others and a key frame every two
/// seconds, and of a tone, 44.1 kHz in stereo.
pub(crate) fn flv() -> Vec<u8> {
    let mut command = Command::new("ffmpeg");
    command
        .args(["-v", "error", "-f", "lavfi", "-i"])
        .args(["testsrc2=s=320x180:r=30:d=6", "-f", "lavfi", "-i"])
        .args(["sine=f=440:r=44100:d=6", "-ac", "2", "-pix_fmt", "yuv420p"])
        .args(["-c:v", "libx264", "-preset", "veryfast", "-bf", "2"])
        .args(["-b_strategy", "0", "-g", "60", "-sc_threshold", "0"])
        .args(["-c:a", "aac", "-b:a", "96k", "-f", "flv", "-"]);
    through(command, Vec::new())
}

/// Four seconds of H.265 in which pictures are decoded after key frames and shown before them.
pub(crate) fn h265() -> Vec<u8> {
    let options =
        "bframes=2:b-adapt=0:scenecut=0:keyint=60:min-keyint=60:open-gop=1:log-level=none";
    let mut command = Command::new("ffmpeg");
    command
        .args(["-v", "error", "-f", "lavfi", "-i"])
        .args(["testsrc2=s=320x180:r=25:d=4", "-pix_fmt", "yuv420p"])
        .args(["-c:v", "libx265", "-preset", "ultrafast", "-x265-params"])
        // None is decoded before zero.
        .args([options, "-output_ts_offset", "1", "-f", "mp4"])
        .args(["-movflags", "frag_keyframe+empty_moov+delay_moov", "-"]);
    through(command, Vec::new())
}

/// The pictures of such a file, from that time on, in the order in which they are decoded.
pub(crate) fn pictures(file: &[u8], codec: Codec, from: Duration) -> Vec<Unit> {
    let (name, delimiter) = match codec {
        Codec::H265 => ("hevc", [0, 0, 0, 1, 0x46]),
        _ => ("h264", [0, 0, 0, 1, 0x09]),
    };
    let delimited = format!("{name}_mp4toannexb,{name}_metadata=aud=insert");
    let stream = copied(file, "v", &["-bsf:v", &delimited, "-f", name]);
    let starts: Vec<_> = stream
        .windows(delimiter.len())
        .enumerate()
        .filter_map(|(at, bytes)| (bytes == delimiter).then_some(at))
        .collect();
    let ends = starts.iter().skip(1).copied().chain([stream.len()]);
    let units = starts.iter().zip(ends);
    let units: Vec<_> = units.map(|(start, end)| &stream[*start..end]).collect();
    let packets = packets(file, "v");
    assert_eq!(units.len(), packets.len());
    let unit = |(bytes, packet): (&[u8], &Packet)| Unit {
        track: LARGE,
        codec,
        pts: from + millis(packet.pts),
        dts: from + millis(packet.dts),
        keyframe: packet.is_key,
        size: packet.is_key.then_some((320, 180)),
        bytes: Bytes::copy_from_slice(bytes),
    };
    units.into_iter().zip(&packets).map(unit).collect()
}

/// Its sound.
pub(crate) fn sound(flv: &[u8], from: Duration) -> Vec<Unit> {
    let frames = frames(&copied(flv, "a", &["-f", "adts"]));
    let packets = packets(flv, "a");
    assert_eq!(frames.len(), packets.len());
    let unit = |(bytes, packet): (Bytes, &Packet)| heard(from + millis(packet.pts), bytes);
    frames.into_iter().zip(&packets).map(unit).collect()
}

/// A frame of AAC.
pub(crate) fn heard(pts: Duration, bytes: Bytes) -> Unit {
    Unit {
        track: SOUND,
        codec: Codec::Aac,
        pts,
        dts: pts,
        keyframe: true,
        size: None,
        bytes,
    }
}

/// The frames of a stream of ADTS.
pub(crate) fn frames(stream: &[u8]) -> Vec<Bytes> {
    let mut rest = stream;
    let mut frames = Vec::new();
    while rest.len() > 7 {
        let length =
            usize::from(rest[3] & 3) << 11 | usize::from(rest[4]) << 3 | usize::from(rest[5] >> 5);
        let (frame, after) = rest.split_at(length);
        frames.push(Bytes::copy_from_slice(frame));
        rest = after;
    }
    frames
}

/// A picture as MP4 holds it: lengths instead of start codes, without delimiter and parameter sets.
pub(crate) fn sample(unit: &Unit) -> Vec<u8> {
    let starts = unit.bytes.windows(3).enumerate();
    let starts = starts.filter_map(|(at, bytes)| (bytes == [0, 0, 1]).then_some(at));
    let starts: Vec<_> = starts.collect();
    let mut sample = Vec::new();
    for (number, start) in starts.iter().enumerate() {
        let end = starts.get(number + 1).copied();
        let nal = &unit.bytes[start + 3..end.unwrap_or(unit.bytes.len())];
        let length = nal.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        let is_apart = match unit.codec {
            Codec::H265 => matches!(nal[0] >> 1, 32..=35),
            _ => matches!(nal[0] & 0x1f, 7..=9),
        };
        if !is_apart {
            sample.extend(u32::try_from(length).unwrap().to_be_bytes());
            sample.extend(&nal[..length]);
        }
    }
    sample
}

fn millis(seconds: f64) -> Duration {
    let rounded = Duration::from_secs_f64(seconds + 0.000_5);
    ms(u64::try_from(rounded.as_millis()).unwrap())
}
