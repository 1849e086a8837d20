//! The clip that is published: made once with ffmpeg, then read from the cache folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::flv::{self, Tag, TagKind};
use crate::h264::{Picture, pictures};
use crate::source::SourceError;

/// Size and rate of one layer.
#[derive(Debug)]
pub struct Size {
    height: u32,
    picture: &'static str,
    rate: &'static str,
    level: &'static str,
}

/// 720p at 2.5 Mbit/s.
pub const P720: Size = Size {
    height: 720,
    picture: "1280x720",
    rate: "2500k",
    level: "3.1",
};
/// 360p at 600 kbit/s.
pub const P360: Size = Size {
    height: 360,
    picture: "640x360",
    rate: "600k",
    level: "3.0",
};
/// 180p at 150 kbit/s.
pub const P180: Size = Size {
    height: 180,
    picture: "320x180",
    rate: "150k",
    level: "1.3",
};

const SECONDS: &str = "6";
const FRAMES: usize = 180;

/// The pictures of one layer, 30 a second, a key frame every 2 s.
///
/// # Errors
/// When ffmpeg is missing or the cache folder cannot be used.
pub fn video(size: &Size) -> Result<Vec<Picture>, SourceError> {
    let name = format!("{}p30-{}.h264", size.height, size.rate);
    let path = kept(&name, |path| {
        // Noise, so that the encoder needs the rate that it is given.
        let picture = format!(
            "testsrc2=size={}:rate=30,noise=alls=24:allf=t",
            size.picture
        );
        ffmpeg(&["-f", "lavfi", "-i", &picture, "-t", SECONDS])
            .args([
                "-c:v",
                "libx264",
                "-profile:v",
                "baseline",
                "-level",
                size.level,
            ])
            .args(["-preset", "veryfast", "-pix_fmt", "yuv420p", "-bf", "0"])
            .args(["-g", "60", "-keyint_min", "60", "-sc_threshold", "0"])
            .args([
                "-b:v", size.rate, "-maxrate", size.rate, "-bufsize", size.rate,
            ])
            .args(["-x264-params", "repeat-headers=1", "-f", "h264"])
            .arg(path)
            .output()
    })?;
    let pictures = pictures(&read(&path)?);
    let is_whole = pictures.len() == FRAMES && pictures.first().is_some_and(Picture::is_key);
    is_whole
        .then_some(pictures)
        .ok_or(SourceError::Damaged { path })
}

/// 720p at 2.5 Mbit/s with AAC at 128 kbit/s, as an encoder sends it by RTMP.
///
/// # Errors
/// When ffmpeg is missing or the cache folder cannot be used.
pub fn flv() -> Result<Vec<Tag>, SourceError> {
    let path = kept("720p30-2500k.flv", |path| {
        let picture = format!(
            "testsrc2=size={}:rate=30,noise=alls=24:allf=t",
            P720.picture
        );
        let sound = "anoisesrc=a=0.1:c=pink:r=48000";
        ffmpeg(&["-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", sound])
            .args(["-t", SECONDS, "-c:v", "libx264", "-preset", "veryfast"])
            .args(["-pix_fmt", "yuv420p", "-bf", "0"])
            .args(["-g", "60", "-keyint_min", "60", "-sc_threshold", "0"])
            .args(["-b:v", P720.rate, "-maxrate", P720.rate])
            .args(["-bufsize", P720.rate])
            .args(["-c:a", "aac", "-b:a", "128k", "-ac", "2", "-f", "flv"])
            .arg(path)
            .output()
    })?;
    let tags = flv::tags(&read(&path)?.into()).unwrap_or_default();
    let is_picture = |tag: &&Tag| tag.kind == TagKind::Video && !tag.is_configuration();
    let is_whole = tags.iter().filter(is_picture).count() == FRAMES;
    is_whole
        .then_some(tags)
        .ok_or(SourceError::Damaged { path })
}

/// VP8 frames of 640x360, 30 a second, a key frame every 2 s.
///
/// # Errors
/// When ffmpeg is missing or the cache folder cannot be used.
pub fn vp8() -> Result<Vec<Vec<u8>>, SourceError> {
    let path = kept("360p30-600k.ivf", |path| {
        let picture = "testsrc2=size=640x360:rate=30";
        ffmpeg(&["-f", "lavfi", "-i", picture, "-t", SECONDS])
            .args(["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8"])
            .args(["-b:v", "600k", "-g", "60", "-keyint_min", "60", "-f", "ivf"])
            .arg(path)
            .output()
    })?;
    let frames = ivf_frames(&read(&path)?).unwrap_or_default();
    let is_whole = frames.len() == FRAMES;
    is_whole
        .then_some(frames)
        .ok_or(SourceError::Damaged { path })
}

/// The frames of an IVF file: a head of 32 bytes, then each frame behind 12 that begin with its length.
fn ivf_frames(file: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut rest = file.get(32..)?;
    let mut frames = Vec::new();
    while let Some((head, after)) = rest.split_first_chunk::<12>() {
        let length = u32::from_le_bytes(*head.first_chunk()?);
        let (frame, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
        frames.push(frame.to_vec());
        rest = after;
    }
    Some(frames)
}

/// Opus packets of 20 ms.
///
/// # Errors
/// When ffmpeg is missing or the cache folder cannot be used.
pub fn audio() -> Result<Vec<Vec<u8>>, SourceError> {
    let path = kept("opus-64k.ogg", |path| {
        ffmpeg(&[
            "-f",
            "lavfi",
            "-i",
            "anoisesrc=a=0.1:c=pink:r=48000",
            "-t",
            SECONDS,
        ])
        .args(["-c:a", "libopus", "-b:a", "64k", "-ac", "2"])
        .args(["-frame_duration", "20", "-f", "ogg"])
        .arg(path)
        .output()
    })?;
    let packets = ogg_packets(&read(&path)?).unwrap_or_default();
    // The first two are the header and the comments (RFC 7845 §3).
    let audio: Vec<_> = packets.into_iter().skip(2).collect();
    (!audio.is_empty())
        .then_some(audio)
        .ok_or(SourceError::Damaged { path })
}

fn ffmpeg(arguments: &[&str]) -> Command {
    let mut command = Command::new("ffmpeg");
    command
        .args(["-nostdin", "-loglevel", "error", "-y"])
        .args(arguments)
        .stdin(Stdio::null());
    command
}

/// A file of the cache folder; makes it where it is missing.
fn kept(
    name: &str,
    make: impl FnOnce(&Path) -> std::io::Result<std::process::Output>,
) -> Result<PathBuf, SourceError> {
    // One at a time in this process: two makers of one file would be in each other's way.
    static MAKING: Mutex<()> = Mutex::new(());
    let _turn = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = folder();
    let path = folder.join(name);
    if path.exists() {
        return Ok(path);
    }
    let in_folder = |source| SourceError::Folder {
        path: folder.clone(),
        source,
    };
    std::fs::create_dir_all(&folder).map_err(in_folder)?;
    // Under another name until it is whole, and another for each process.
    let unfinished = folder.join(format!("{}-{name}", std::process::id()));
    let output = make(&unfinished).map_err(SourceError::NoEncoder)?;
    if !output.status.success() {
        // There is none when ffmpeg had not come that far.
        let _ = std::fs::remove_file(&unfinished);
        let words = String::from_utf8_lossy(&output.stderr);
        let words = words.lines().last().unwrap_or("it gave no reason");
        return Err(SourceError::Encoder(words.to_owned()));
    }
    std::fs::rename(&unfinished, &path).map_err(in_folder)?;
    Ok(path)
}

fn folder() -> PathBuf {
    let absolute = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|p| p.is_absolute())
    };
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .unwrap_or_else(std::env::temp_dir)
        .join("tallylight-bench")
}

fn read(path: &Path) -> Result<Vec<u8>, SourceError> {
    std::fs::read(path).map_err(|source| SourceError::Folder {
        path: path.to_owned(),
        source,
    })
}

/// The packets in an Ogg file of one stream (RFC 3533 §6).
fn ogg_packets(mut file: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut packets = Vec::new();
    let mut packet = Vec::new();
    while !file.is_empty() {
        let page = file.strip_prefix(b"OggS")?;
        let segments = usize::from(*page.get(22)?);
        let lacing = page.get(23..23 + segments)?;
        let mut rest = page.get(23 + segments..)?;
        for length in lacing {
            let (segment, after) = rest.split_at_checked(usize::from(*length))?;
            packet.extend_from_slice(segment);
            rest = after;
            if *length < 255 {
                packets.push(std::mem::take(&mut packet));
            }
        }
        file = rest;
    }
    Some(packets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_come_out_of_pages() {
        let mut file = Vec::new();
        for (lacing, body) in [(vec![3u8, 255], vec![7u8; 258]), (vec![2, 0], vec![8; 2])] {
            file.extend(b"OggS");
            file.extend([0; 22]);
            file.push(u8::try_from(lacing.len()).unwrap());
            file.extend(&lacing);
            file.extend(&body);
        }
        let lengths: Vec<_> = ogg_packets(&file).unwrap().iter().map(Vec::len).collect();
        assert_eq!(lengths, [3, 257, 0]);
        assert_eq!(ogg_packets(&file[..100]), None);
    }
}
