//! Publishers with B-frames: HLS has them untouched, WebRTC viewers get pictures without or are told.

use std::process::Command;

use loadtest::ViewerSpec;
use str0m::net::Protocol;
use tallylight::config::Config;

use crate::encoder::Encoder;
use crate::hls::url;
use crate::rtmp::{AAC, assert_packaged, by_rtmp};
use crate::support::{Server, until_closed, until_more};

const X264: [&str; 14] = [
    "-c:v",
    "libx264",
    "-preset",
    "ultrafast",
    "-b_strategy",
    "0",
    "-pix_fmt",
    "yuv420p",
    "-g",
    "60",
    "-b:v",
    "500k",
    "-bf",
    "2",
];

fn transcoding(config: &mut Config) {
    by_rtmp(config);
    config.media.transcode = 1;
}

/// What a viewer by WebRTC is told when it is refused.
async fn refusal(server: &Server) -> String {
    let (whep, spec) = (server.whep(), ViewerSpec::default());
    let watched = loadtest::watch(&server.clients, &whep, &spec, Protocol::Udp, &server.sent);
    match watched.await {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

/// Presentation and decoding times of pictures by HLS, in seconds.
async fn times(server: &Server) -> Vec<(f64, f64)> {
    let address = url(server, "/hls/ada/index.m3u8");
    let probe = tokio::task::spawn_blocking(move || {
        Command::new("ffprobe")
            .args(["-v", "error", "-of", "csv=p=0", "-select_streams", "v:0"])
            .args(["-read_intervals", "%+2"])
            .args(["-show_entries", "packet=pts_time,dts_time", &address])
            .output()
            .expect("ffprobe runs")
    });
    let output = probe.await.unwrap();
    let words = String::from_utf8_lossy(&output.stdout);
    let lines = words.lines().filter_map(|line| {
        let mut fields = line.split(',').map(|field| field.parse().ok());
        fields.next()?.zip(fields.next()?)
    });
    lines.collect()
}

#[tokio::test]
async fn hls_has_them_untouched_and_viewers_are_told() {
    let server = Server::with(by_rtmp).await;
    let _encoder = Encoder::ffmpeg(&server, server.key(), &X264, &AAC);
    server.until_live().await;
    let words = refusal(&server).await;
    assert!(
        words.contains("422") && words.contains("watch this stream by HLS"),
        "{words}"
    );
    assert_packaged(&server, &["h264,640,360", "aac"]).await;
    let times = times(&server).await;
    let back = times.windows(2).filter(|pair| pair[1].0 < pair[0].0);
    assert!(back.count() > 5, "presentation goes back: {times:?}");
    assert!(
        times.windows(2).all(|pair| pair[1].1 > pair[0].1),
        "{times:?}"
    );
}

#[tokio::test]
async fn viewers_get_pictures_that_are_made_without() {
    let server = Server::with(transcoding).await;
    let _encoder = Encoder::ffmpeg(&server, server.key(), &X264, &AAC);
    server.until_live().await;
    let viewer = server.watch().await;
    until_more(&viewer, 60).await;
    // 640x360 as it came; what was made of it in its size is for viewers by WebRTC alone.
    assert_packaged(&server, &["h264,640,360", "aac"]).await;
    assert!(
        times(&server)
            .await
            .windows(2)
            .any(|pair| pair[1].0 < pair[0].0)
    );
}

#[tokio::test]
async fn viewers_wait_for_no_second_key_frame() {
    let server = Server::with(transcoding).await;
    let mut video = X264.to_vec();
    video.extend(["-g", "600", "-keyint_min", "600"]);
    let _encoder = Encoder::ffmpeg(&server, server.key(), &video, &AAC);
    server.until_live().await;
    until_more(&server.watch().await, 60).await;
}

/// The encoder's settings are changed without a break in the stream, as a playlist of files does it.
#[tokio::test]
async fn viewers_are_sent_to_hls_when_they_come_later() {
    let server = Server::with(by_rtmp).await;
    let mut video = X264.to_vec();
    // None in the first seconds: x264 makes no B-frames where every picture is a scene of its own.
    video.extend([
        "-x264-params",
        "scenecut=0",
        "-force_key_frames",
        "expr:lt(t,4)",
    ]);
    let _encoder = Encoder::ffmpeg(&server, server.key(), &video, &AAC);
    server.until_live().await;
    let viewer = server.watch().await;
    until_more(&viewer, 20).await;
    until_closed(&viewer).await;
    assert!(refusal(&server).await.contains("B-frames"));
}
