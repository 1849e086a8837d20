//! Publishers by RTMP: real ffmpeg, watched by WHEP and by HLS.

use std::io::ErrorKind;

use tallylight::config::Config;
use tallylight::streams::ChannelState;
use tokio::net::TcpStream;

use crate::encoder::Encoder;
use crate::hls::{assert_played_by_ffmpeg, follow, renditions, until_ready};
use crate::support::{Server, until, until_more};

pub(crate) fn by_rtmp(config: &mut Config) {
    config.rtmp.listen = "127.0.0.1:0".to_owned();
}

const H264: [&str; 13] = [
    "-c:v",
    "libx264",
    "-preset",
    "ultrafast",
    "-tune",
    "zerolatency",
    "-pix_fmt",
    "yuv420p",
    "-g",
    "60",
    "-b:v",
    "500k",
    "-shortest",
];
pub(crate) const AAC: [&str; 6] = ["-c:a", "aac", "-b:a", "96k", "-ac", "1"];

/// Follows picture and sound by HLS for two segments, and lets ffmpeg look for what should be there.
pub(crate) async fn assert_packaged(server: &Server, streams: &[&str]) {
    until_ready(server).await;
    until("picture and sound", || async {
        renditions(server).await.len() == 2
    })
    .await;
    for uri in &renditions(server).await {
        follow(server, uri, 2).await;
    }
    assert_played_by_ffmpeg(server, streams).await;
}

#[tokio::test]
async fn ffmpeg_is_watched_by_whep_and_by_hls() {
    let server = Server::with(by_rtmp).await;
    let encoder = Encoder::ffmpeg(&server, server.key(), &H264, &AAC);
    server.until_live().await;
    let viewer = server.watch().await;
    until_more(&viewer, 60).await;
    assert_packaged(&server, &["h264,640,360", "aac"]).await;

    // It goes away and comes back within the reconnect window: the same stream, the same viewer.
    let live = server.app.services.streams.live_on(server.channel.id).await;
    drop(encoder);
    until("the reconnect window", || async {
        server.state().await == ChannelState::Reconnecting
    })
    .await;
    let encoder = Encoder::ffmpeg(&server, server.key(), &H264, &AAC);
    server.until_live().await;
    until_more(&viewer, 30).await;
    let again = server.app.services.streams.live_on(server.channel.id).await;
    assert_eq!(live.unwrap().stream, again.unwrap().stream);
    drop(encoder);
}

#[tokio::test]
async fn a_stream_may_have_sound_alone() {
    let server = Server::with(by_rtmp).await;
    let _encoder = Encoder::ffmpeg(&server, server.key(), &[], &AAC);
    server.until_live().await;
    let viewer = server.watch().await;
    let before = viewer.report().await.unwrap().audio_packets;
    until("sound", || async {
        viewer.report().await.unwrap().audio_packets > before + 50
    })
    .await;
}

#[tokio::test]
async fn a_wrong_key_is_refused() {
    let server = Server::with(by_rtmp).await;
    let words = Encoder::ffmpeg(&server, "tl_nonsense", &H264, &AAC)
        .words()
        .await;
    assert!(words.contains("stream key is wrong"), "{words}");
    assert_eq!(server.state().await, ChannelState::Offline);
}

#[tokio::test]
async fn who_sends_more_than_the_operator_allows_is_cut_off() {
    let server = Server::with(|config| {
        by_rtmp(config);
        config.limits.publisher_kbits = 500;
    })
    .await;
    let video = H264.map(|word| if word == "500k" { "3M" } else { word });
    let encoder = Encoder::ffmpeg(&server, server.key(), &video, &AAC);
    server.until_live().await;
    encoder.words().await;
    until("the end to be noticed", || async {
        server.state().await == ChannelState::Reconnecting
    })
    .await;
}

#[tokio::test]
async fn a_revoked_key_ends_the_stream() {
    let server = Server::with(by_rtmp).await;
    let encoder = Encoder::ffmpeg(&server, server.key(), &H264, &AAC);
    server.until_live().await;
    let viewer = server.watch().await;
    until_more(&viewer, 10).await;
    let channels = &server.app.services.channels;
    channels
        .revoke_stream_key(server.channel.id, server.stream_key.id)
        .await
        .unwrap();
    encoder.words().await;
    let more = viewer.report().await.unwrap().whole_frames;
    assert!(more >= 10);
}

/// Connections that say nothing.
struct Strangers(Vec<TcpStream>);

impl Strangers {
    async fn come(server: &Server, count: usize) -> Self {
        let mut come = Vec::new();
        for _ in 0..count {
            let socket = TcpStream::connect(server.app.rtmp.unwrap()).await;
            come.push(socket.unwrap());
        }
        Self(come)
    }

    /// How many of them the server closed.
    fn closed(&self) -> usize {
        let is_closed = |socket: &&TcpStream| {
            let read = socket.try_read(&mut [0]);
            !matches!(read, Err(error) if error.kind() == ErrorKind::WouldBlock)
        };
        self.0.iter().filter(is_closed).count()
    }
}

#[tokio::test]
async fn strangers_take_their_own_places_and_none_of_a_publisher() {
    let server = Server::with(by_rtmp).await;
    let _encoder = Encoder::ffmpeg(&server, server.key(), &H264, &AAC);
    server.until_live().await;
    let strangers = Strangers::come(&server, 130).await;
    until("two of them to be closed", || async {
        strangers.closed() >= 2
    })
    .await;
    assert_eq!(strangers.closed(), 2, "the others wait for their time-out");
    let viewer = server.watch().await;
    until_more(&viewer, 30).await;
    drop(strangers);
    until("an encoder to find the place of one that left", || async {
        let encoder = Encoder::ffmpeg(&server, "tl_nonsense", &H264, &AAC);
        encoder.words().await.contains("stream key is wrong")
    })
    .await;
}
