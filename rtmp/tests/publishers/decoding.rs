//! FFmpeg's decoders on what was received.

use std::process::Stdio;

use rtmp::{AudioCodec, AudioUnit, VideoUnit};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Pictures one behind the other.
pub(super) fn annex_b(units: &[VideoUnit]) -> Vec<u8> {
    let units = units.iter().flat_map(|unit| unit.bytes.iter());
    units.copied().collect()
}

/// AAC frames, each behind the header that a decoder finds them by (ISO/IEC 14496-3 §1.A.2).
pub(super) fn with_adts(units: &[AudioUnit]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for unit in units {
        let AudioCodec::Aac(aac) = &unit.codec else {
            panic!("{:?}", unit.codec);
        };
        let (first, second) = (aac.config[0], aac.config[1]);
        let object_type = first >> 3;
        let rate = (first & 7) << 1 | second >> 7;
        let channels = second >> 3 & 0x0f;
        let length = unit.bytes.len() + 7;
        bytes.extend([
            0xff,
            0xf1,
            (object_type - 1) << 6 | rate << 2 | channels >> 2,
            (channels & 3) << 6 | (length >> 11) as u8,
            (length >> 3) as u8,
            (length << 5) as u8 | 0x1f,
            0xfc,
        ]);
        bytes.extend(&unit.bytes);
    }
    bytes
}

/// Frames that decode, with no complaint.
pub(super) async fn decoded_frames(format: &str, bytes: Vec<u8>) -> usize {
    let count = ["-count_frames", "-show_entries", "stream=nb_read_frames"];
    let said = probe(format, bytes, &count).await;
    said.trim().parse().expect("a number")
}

/// Heights of the frames that decode, each as often as it changes.
pub(super) async fn decoded_heights(format: &str, bytes: Vec<u8>) -> Vec<u32> {
    let said = probe(format, bytes, &["-show_entries", "frame=height"]).await;
    let heights = said.split_whitespace().map(str::parse);
    let mut heights: Vec<u32> = heights.collect::<Result<_, _>>().expect("numbers");
    heights.dedup();
    heights
}

async fn probe(format: &str, bytes: Vec<u8>, options: &[&str]) -> String {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-f", format]).args(options);
    command.args(["-of", "default=nokey=1:noprint_wrappers=1", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.stderr(Stdio::piped()).kill_on_drop(true);
    let mut decoder = command.spawn().expect("ffprobe is installed");
    let mut input = decoder.stdin.take().expect("it has an input");
    let feeding = tokio::spawn(async move { input.write_all(&bytes).await });
    let output = decoder.wait_with_output().await.expect("it ran");
    feeding
        .await
        .expect("no panic")
        .expect("it reads to the end");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(complaints.is_empty(), "{complaints}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
