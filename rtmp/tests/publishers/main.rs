//! Publishers that others wrote, over TCP, and their pictures and sound through decoders that others
//! wrote.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod decoding;
mod receiving;
mod recorded;

use std::time::Duration;

use rtmp::{AudioCodec, VideoCodec};

use decoding::{annex_b, decoded_frames, decoded_heights, with_adts};
use receiving::{Ended, Received, ffmpeg, gstreamer, kill, receive, refuse, shell};

const PICTURES: &str = "testsrc2=size=320x180:rate=25:duration=4";
const KEY: &str = "/live/tl_key";
const SOUND: &str = "sine=frequency=440:sample_rate=48000:duration=4";
const X264: &str = "-c:v libx264 -preset ultrafast -g 25 -pix_fmt yuv420p";

/// Of pictures and sound, with these options for their encoders.
fn both(options: &str) -> String {
    format!("-f lavfi -i {PICTURES} -f lavfi -i {SOUND} {options}")
}

/// All pictures come, decode, and their decoding times rise.
async fn check_pictures(received: &Received, count: usize) {
    assert_eq!(received.video.len(), count);
    assert!(received.video[0].keyframe);
    assert!(received.video.is_sorted_by_key(|unit| unit.dts));
    assert!(
        received
            .video
            .iter()
            .all(|unit| unit.codec == VideoCodec::H264)
    );
    assert_eq!(
        decoded_frames("h264", annex_b(&received.video)).await,
        count
    );
}

/// Sound of so many samples a second comes and decodes, and is as long as the pictures.
async fn check_sound(received: &Received, rate: u32, channels: u8) {
    let first = received.audio.first().expect("there is sound");
    let AudioCodec::Aac(aac) = &first.codec else {
        panic!("{:?}", first.codec);
    };
    assert_eq!((aac.rate, aac.channels), (rate, channels));
    let frames = received.audio.len();
    assert_eq!(
        decoded_frames("aac", with_adts(&received.audio)).await,
        frames
    );
    let samples = frames as f64 * 1_024.0;
    let seconds = samples / f64::from(rate);
    assert!((3.9..4.2).contains(&seconds), "{seconds} s of sound");
    let last = received.audio.last().expect("there is sound");
    let apart = (last.pts - first.pts).as_secs_f64();
    assert!((apart - seconds).abs() < 0.1, "{apart} s by its times");
}

#[tokio::test]
async fn ffmpeg_comes_through_whole() {
    let options = both(&format!("{X264} -bf 0 -c:a aac -ac 2"));
    let received = receive(ffmpeg(&options), KEY).await;
    assert_eq!(received.ended, Ended::Unpublished);
    check_pictures(&received, 100).await;
    check_sound(&received, 48_000, 2).await;
    assert!(!received.reordering.is_found());
    let keyframes = received.video.iter().filter(|unit| unit.keyframe);
    assert_eq!(keyframes.count(), 4);
    assert!(
        received
            .encoder
            .expect("it names itself")
            .starts_with("Lavf")
    );
    assert_eq!(
        received.counts.broken + received.counts.before_configuration,
        0
    );
    assert_eq!(received.counts.video_units, 100);
}

#[tokio::test]
async fn b_frames_are_found_and_kept() {
    let options = both(&format!(
        "{X264} -bf 2 -b_strategy 0 -c:a aac -ar 44100 -ac 1"
    ));
    let received = receive(ffmpeg(&options), KEY).await;
    check_pictures(&received, 100).await;
    check_sound(&received, 44_100, 1).await;
    assert!(received.reordering.is_found());
    assert!(
        received.found_after.expect("found") <= 4,
        "in the first group"
    );
    let mut shown: Vec<_> = received.video.iter().map(|unit| unit.pts).collect();
    shown.sort();
    let steps = shown.windows(2).map(|pair| pair[1] - pair[0]);
    for step in steps {
        assert!(step.abs_diff(Duration::from_millis(40)) <= Duration::from_millis(1));
    }
}

#[tokio::test]
async fn pictures_without_sound_and_sound_without_pictures_come_through() {
    let silent = format!("-f lavfi -i {PICTURES} {X264} -bf 0");
    let received = receive(ffmpeg(&silent), KEY).await;
    check_pictures(&received, 100).await;
    assert_eq!(received.audio.len(), 0);

    let dark = format!("-f lavfi -i {SOUND} -c:a aac -ac 2");
    let received = receive(ffmpeg(&dark), KEY).await;
    assert_eq!(received.video.len(), 0);
    check_sound(&received, 48_000, 2).await;
}

/// Five channels and one of effects.
#[tokio::test]
async fn surround_sound_comes_through() {
    let options = format!("-f lavfi -i {SOUND} -c:a aac -ac 6");
    let received = receive(ffmpeg(&options), KEY).await;
    check_sound(&received, 48_000, 6).await;
}

/// FFmpeg keeps the first configuration then, and has new parameter sets in the pictures.
#[tokio::test]
async fn the_size_may_change_in_mid_stream() {
    let part = |size: &str, start: u32| {
        let pictures = format!("-f lavfi -i testsrc2=size={size}:rate=25:duration=2");
        let time = format!("-output_ts_offset {start}");
        format!("ffmpeg -v error -nostdin {pictures} {X264} -bf 0 {time} -f mpegts -")
    };
    let parts = [part("320x180", 0), part("640x360", 2)].join("; ");
    let joined = format!("({parts}) | ffmpeg -v error -f mpegts -i - -c copy -f flv URL");
    let received = receive(shell(&joined), KEY).await;
    check_pictures(&received, 100).await;
    let heights = decoded_heights("h264", annex_b(&received.video)).await;
    assert_eq!(heights, [180, 360]);
}

#[tokio::test]
async fn mp3_is_named_and_refused() {
    let options = both(&format!("{X264} -bf 0 -c:a libmp3lame -ar 44100"));
    let received = receive(ffmpeg(&options), KEY).await;
    let Ended::Failed(words) = received.ended else {
        panic!("{:?}", received.ended);
    };
    assert!(words.starts_with("MP3 audio is not supported"), "{words}");
}

#[tokio::test]
async fn a_key_is_found_in_a_query() {
    let options = format!("-f lavfi -i {SOUND} -c:a aac -ac 2");
    for path in ["/live/name?key=tl_key", "/live?key=tl_key"] {
        let received = receive(ffmpeg(&options), path).await;
        check_sound(&received, 48_000, 2).await;
    }
}

#[tokio::test]
async fn a_publisher_that_dies_is_noticed() {
    let endless = "-re -f lavfi -i testsrc2=size=320x180:rate=25";
    let ended = kill(ffmpeg(&format!("{endless} {X264} -tune zerolatency"))).await;
    assert_eq!(ended, Ended::Closed);
}

#[tokio::test]
async fn ffmpeg_says_why_it_was_refused() {
    let options = both(&format!("{X264} -c:a aac"));
    let said = refuse(ffmpeg(&options), "This stream key is not valid.").await;
    assert!(said.contains("This stream key is not valid."), "{said}");
}

#[tokio::test]
async fn gstreamer_comes_through_whole() {
    let pipeline = "flvmux name=m streamable=true ! rtmp2sink location=URL \
        videotestsrc num-buffers=100 ! video/x-raw,width=320,height=180,framerate=25/1 \
        ! x264enc speed-preset=ultrafast tune=zerolatency key-int-max=25 ! h264parse ! m. \
        audiotestsrc samplesperbuffer=1024 num-buffers=188 ! audio/x-raw,rate=48000,channels=2 \
        ! avenc_aac ! m.";
    let received = receive(gstreamer(pipeline), KEY).await;
    check_pictures(&received, 100).await;
    check_sound(&received, 48_000, 2).await;
    assert!(!received.reordering.is_found());
}

/// librtmp, by the older sink.
#[tokio::test]
async fn librtmp_comes_through_whole() {
    let pipeline = "flvmux name=m streamable=true ! rtmpsink location=URL \
        videotestsrc num-buffers=100 ! video/x-raw,width=320,height=180,framerate=25/1 \
        ! x264enc speed-preset=ultrafast bframes=2 key-int-max=25 ! h264parse ! m. \
        audiotestsrc samplesperbuffer=1024 num-buffers=188 ! audio/x-raw,rate=48000,channels=2 \
        ! avenc_aac ! m.";
    let received = receive(gstreamer(pipeline), KEY).await;
    check_pictures(&received, 100).await;
    check_sound(&received, 48_000, 2).await;
}
