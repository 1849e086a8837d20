//! Publishers by RTMP that are not ours and not alike: ffmpeg and GStreamer, over TLS or not, with
//! each shape of stream that encoders make.

use std::process::Command;
use std::time::Duration;

use loadtest::rtmp::{Address, Clip, Progress, Publisher};
use loadtest::signalling::Endpoint;
use loadtest::{ViewerSpec, Watching, clock};
use str0m::net::Protocol;
use tallylight::config::Config;
use tallylight::streams::ChannelState;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::encoder::Encoder;
use crate::hls::{follow, renditions, told_by_ffprobe, until_channel_ready, until_ready};
use crate::secure;
use crate::support::{Server, until, until_more};

/// One of the publishers that are tried at once.
struct Case {
    handle: &'static str,
    command: fn(&Server, &str) -> Command,
    /// As ffprobe tells them of HLS.
    streams: &'static [&'static str],
}

const CASES: [Case; 6] = [
    Case {
        handle: "gstreamer",
        command: |server, key| {
            let location = format!("rtmp://{}/live/{key}", server.app.rtmp.unwrap());
            gstreamer(
                "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=30/1 \
                 ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 bitrate=300 \
                 ! flvmux name=mux streamable=true ! rtmp2sink",
                &location,
                "audiotestsrc is-live=true ! audio/x-raw,rate=48000,channels=2 ! voaacenc ! mux.",
            )
        },
        streams: &["h264,320,240", "aac"],
    },
    Case {
        handle: "over-tls",
        command: |server, key| {
            let url = format!("rtmps://{}/live/{key}", server.app.rtmps.unwrap());
            let mut command = ffmpeg("320x200", "30", &["-c:a", "aac", "-ac", "2"]);
            command.args(["-tls_verify", "0", &url]);
            command
        },
        streams: &["h264,320,200", "aac"],
    },
    Case {
        handle: "gst-tls",
        command: |server, key| {
            let location = format!("rtmps://{}/live/{key}", server.app.rtmps.unwrap());
            gstreamer(
                "videotestsrc is-live=true ! video/x-raw,width=320,height=176,framerate=30/1 \
                 ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=60 bitrate=300 \
                 ! flvmux name=mux streamable=true ! rtmp2sink tls-validation-flags=0",
                &location,
                "",
            )
        },
        streams: &["h264,320,176"],
    },
    Case {
        handle: "key-in-query",
        command: |server, key| {
            let url = format!("rtmp://{}/live/any?key={key}", server.app.rtmp.unwrap());
            let mut command = ffmpeg("320x208", "30", &["-c:a", "aac", "-ac", "2"]);
            command.arg(url);
            command
        },
        streams: &["h264,320,208", "aac"],
    },
    Case {
        handle: "mono-long-gop",
        command: |server, key| {
            // As librtmp, and so OBS, reads `rtmp://HOST/live?key=KEY`.
            let app = format!("live?key={key}");
            let url = format!("rtmp://{}/live/any", server.app.rtmp.unwrap());
            let sound = ["-c:a", "aac", "-ac", "1", "-ar", "44100"];
            let mut command = ffmpeg("320x192", "300", &sound);
            command.args(["-rtmp_app", &app, &url]);
            command
        },
        streams: &["h264,320,192", "aac"],
    },
    Case {
        handle: "video-only",
        command: |server, key| {
            let url = format!("rtmp://{}/live/{key}", server.app.rtmp.unwrap());
            let mut command = ffmpeg("320x184", "30", &["-an"]);
            command.arg(url);
            command
        },
        streams: &["h264,320,184"],
    },
];

/// ffmpeg up to its output; key frames that many pictures apart, 30 pictures a second.
fn ffmpeg(size: &str, group: &str, audio: &[&str]) -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-re"]);
    command.args(["-f", "lavfi", "-i", &format!("testsrc2=s={size}:r=30")]);
    command.args(["-f", "lavfi", "-i", "sine=f=440:r=44100"]);
    command.args(["-c:v", "libx264", "-preset", "ultrafast", "-tune"]);
    command.args(["zerolatency", "-pix_fmt", "yuv420p", "-b:v", "300k"]);
    command.args(["-g", group, "-keyint_min", group, "-sc_threshold", "0"]);
    command.args(audio).args(["-f", "flv"]);
    command
}

/// A pipeline whose first part ends with its `rtmp2sink`.
fn gstreamer(to_sink: &str, location: &str, rest: &str) -> Command {
    let mut command = Command::new("gst-launch-1.0");
    command.arg("-q").args(to_sink.split_whitespace());
    command.arg(format!("location={location}"));
    command.args(rest.split_whitespace());
    command
}

async fn server() -> Server {
    let certificate = tempfile::tempdir().unwrap();
    Server::with(|config: &mut Config| {
        config.rtmp.listen = "127.0.0.1:0".to_owned();
        config.rtmp.tls_listen = "127.0.0.1:0".to_owned();
        config.tls = secure::issue(certificate.path());
    })
    .await
}

/// A channel of its own, and its stream key.
async fn channel(server: &Server, handle: &str) -> String {
    let services = &server.app.services;
    let ada = services.accounts.by_name("ada").await.unwrap().unwrap();
    let channel = services.channels.create(&ada, handle, handle).await;
    let channel = channel.unwrap().id;
    let key = services.channels.create_stream_key(channel, "test").await;
    key.unwrap().1.reveal().to_owned()
}

async fn watch(server: &Server, handle: &str) -> Watching {
    let whep = format!("http://{}/whep/{handle}", server.app.http);
    let whep = Endpoint::new(&whep, None).unwrap();
    let (spec, sent) = (ViewerSpec::default(), &server.sent);
    let watched = loadtest::watch(&server.clients, &whep, &spec, Protocol::Udp, sent);
    watched.await.unwrap()
}

async fn until_on_air(server: &Server, handle: &str) {
    until("the channel to be live", || async {
        let page = format!("http://{}/api/channels/{handle}", server.app.http);
        let page = reqwest::get(page).await.unwrap();
        let page: serde_json::Value = page.json().await.unwrap();
        page["state"] == "live"
    })
    .await;
}

#[tokio::test]
async fn encoders_of_many_kinds_are_watched_by_whep_and_by_hls() {
    let server = server().await;
    let mut encoders = Vec::new();
    for case in &CASES {
        let key = channel(&server, case.handle).await;
        encoders.push(Encoder::start((case.command)(&server, &key)));
    }
    for case in &CASES {
        until_on_air(&server, case.handle).await;
        let viewer = watch(&server, case.handle).await;
        let has_sound = case.streams.contains(&"aac");
        until(&format!("media of {}", case.handle), || async {
            let seen = viewer.report().await.unwrap();
            assert!(!seen.closed, "{}: {seen:?}", case.handle);
            seen.whole_frames > 20 && (seen.audio_packets > 20) == has_sound
        })
        .await;
        until_channel_ready(&server, case.handle).await;
        // ffmpeg knows no parts, and has nothing to play before the first whole segment.
        until(&format!("HLS of {}", case.handle), || async {
            let path = format!("/hls/{}/index.m3u8", case.handle);
            let told = told_by_ffprobe(&server, &path).await;
            case.streams.iter().all(|stream| told.contains(stream))
        })
        .await;
    }
}

#[tokio::test]
async fn a_picture_that_changes_its_size_goes_on() {
    let server = server().await;
    let location = format!("rtmp://{}/live/{}", server.app.rtmp.unwrap(), server.key());
    let size = |width: u32, height: u32, pictures: u32| {
        format!(
            "videotestsrc num-buffers={pictures} \
             ! video/x-raw,width={width},height={height},framerate=30/1 ! c. "
        )
    };
    let _encoder = Encoder::start(gstreamer(
        "concat name=c ! identity sync=true ! x264enc tune=zerolatency speed-preset=ultrafast \
         key-int-max=30 bitrate=300 ! flvmux streamable=true ! rtmp2sink",
        &location,
        &(size(320, 240, 240) + &size(480, 272, 1_800)),
    ));
    server.until_live().await;
    let viewer = server.watch().await;
    until_ready(&server).await;
    let uri = renditions(&server).await.remove(0);
    let playlist = follow(&server, &uri, 6).await;
    let folder = uri.rsplit_once('/').unwrap().0;
    let mut sizes = Vec::new();
    for segment in &playlist.segments {
        eprintln!(
            "{} {} {}",
            segment.map, segment.discontinuity, segment.duration
        );
        let init = format!("/hls/ada/{folder}/{}", segment.map);
        let told = told_by_ffprobe(&server, &init).await;
        sizes.push(told.lines().next().unwrap_or_default().to_owned());
    }
    sizes.dedup();
    let expected = ["h264,320,240", "h264,480,272"];
    assert_eq!(sizes.len(), expected.len(), "{sizes:?} {playlist:#?}");
    for (size, expected) in sizes.iter().zip(expected) {
        assert!(size.contains(expected), "{size}");
    }
    let seen = viewer.report().await.unwrap();
    assert!(!seen.closed && seen.whole_frames > 200, "{seen:?}");
    until("more video", || async {
        viewer.report().await.unwrap().whole_frames > seen.whole_frames + 30
    })
    .await;
}

#[tokio::test]
async fn what_rml_rtmp_writes_is_read_and_its_wrong_key_is_refused() {
    let server = server().await;
    let address = format!("rtmp://{}/live", server.app.rtmp.unwrap());
    let address = Address::parse(&address).unwrap();
    let refused = Publisher::connect(&address, "tl_nonsense").await;
    let words = refused.err().unwrap().to_string();
    assert!(words.contains("NetStream.Publish.Unauthorized"), "{words}");

    let publisher = Publisher::connect(&address, server.key()).await.unwrap();
    let clip = Clip::load(true).unwrap();
    let ends = clock::now() + Duration::from_secs(60);
    let publishing =
        tokio::spawn(async move { publisher.send(&clip, ends, &Progress::default()).await });
    server.until_live().await;
    until_more(&server.watch().await, 60).await;
    assert!(!publishing.is_finished());
    publishing.abort();
}

/// Publishes a clip of ours in the background.
async fn send(server: &Server, clip: Clip) -> tokio::task::JoinHandle<()> {
    let address = Address::parse(&format!("rtmp://{}/live", server.app.rtmp.unwrap())).unwrap();
    let publisher = Publisher::connect(&address, server.key()).await.unwrap();
    tokio::spawn(async move {
        let ends = clock::now() + Duration::from_secs(60);
        let _ = publisher.send(&clip, ends, &Progress::default()).await;
    })
}

#[tokio::test]
async fn sound_that_comes_late_is_heard_in_the_same_stream() {
    let server = Server::with(|config| config.rtmp.listen = "127.0.0.1:0".to_owned()).await;
    let clip = Clip::load(true).unwrap();
    let sending = send(&server, clip.with_late_audio(Duration::from_secs(3))).await;
    server.until_live().await;
    let live = server.app.services.streams.live_on(server.channel.id).await;
    let viewer = server.watch().await;
    until("pictures", || async {
        viewer.report().await.unwrap().whole_frames > 20
    })
    .await;
    assert_eq!(viewer.report().await.unwrap().audio_packets, 0);
    until_more(&viewer, 60).await;
    until_ready(&server).await;
    until("picture and sound", || async {
        renditions(&server).await.len() == 2
    })
    .await;
    let again = server.app.services.streams.live_on(server.channel.id).await;
    assert_eq!(live.unwrap().stream, again.unwrap().stream);
    sending.abort();
}

#[tokio::test]
async fn times_that_begin_anew_are_followed() {
    let server = Server::with(|config| config.rtmp.listen = "127.0.0.1:0".to_owned()).await;
    let clip = Clip::load(true).unwrap();
    let sending = send(&server, clip.with_times_that_restart()).await;
    server.until_live().await;
    let viewer = server.watch().await;
    // Two laps of six seconds.
    until_more(&viewer, 400).await;
    until_ready(&server).await;
    for uri in &renditions(&server).await {
        follow(&server, uri, 2).await;
    }
    sending.abort();
}

#[tokio::test]
async fn a_wrong_key_is_refused_over_tls_as_well() {
    let server = server().await;
    let url = format!("rtmps://{}/live/tl_nonsense", server.app.rtmps.unwrap());
    let mut command = ffmpeg("320x200", "30", &["-an"]);
    command.arg(url);
    let words = Encoder::start(command).words().await;
    assert!(words.contains("stream key is wrong"), "{words}");
    assert_eq!(server.state().await, ChannelState::Offline);
}

#[tokio::test]
async fn who_does_not_finish_the_tls_handshake_is_cut_and_others_are_served() {
    let server = server().await;
    let rtmps = server.app.rtmps.unwrap();
    // The head of a record that never comes.
    let mut slow = TcpStream::connect(rtmps).await.unwrap();
    slow.write_all(&[22, 3, 1, 2, 0, 1]).await.unwrap();
    // A publisher who forgot the `s`.
    let mut plain = TcpStream::connect(rtmps).await.unwrap();
    plain.write_all(&[3; 1_537]).await.unwrap();
    until_closed(&mut plain).await;

    let url = format!("rtmps://{rtmps}/live/{}", server.key());
    let mut command = ffmpeg("320x200", "30", &["-c:a", "aac", "-ac", "2"]);
    command.arg(url);
    let encoder = Encoder::start(command);
    server.until_live().await;
    until_more(&server.watch().await, 30).await;
    until_closed(&mut slow).await;
    drop(encoder);
    until("the end to be noticed", || async {
        server.state().await == ChannelState::Reconnecting
    })
    .await;
}

/// Reads until the server closes, an alert of TLS perhaps before.
async fn until_closed(socket: &mut TcpStream) {
    let closing = async {
        let mut buffer = [0; 64];
        while socket.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), closing).await;
    assert!(waited.is_ok(), "the connection stays open");
}
