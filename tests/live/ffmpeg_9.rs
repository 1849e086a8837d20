//! The newest FFmpeg, which distributions do not have yet: WHIP, and codecs by Enhanced RTMP.
//! `scripts/setup.sh test` puts it where it is looked for.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::encoder::Encoder;
use crate::rtmp::{assert_packaged, by_rtmp};
use crate::support::{Server, until, until_more};

fn publish(coding: &str, target: &[&str]) -> Encoder {
    let pictures = "-v error -nostdin -re -f lavfi -i testsrc2=s=640x360:r=30";
    let sound = "-f lavfi -i sine=f=440:r=48000";
    let words = [pictures, sound, coding];
    let mut command = Command::new(program());
    command
        .env("SVT_LOG", "1")
        .args(words.iter().flat_map(|words| words.split(' ')))
        .args(target);
    Encoder::start(command)
}

fn program() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/ffmpeg/ffmpeg");
    assert!(tools.exists(), "run scripts/setup.sh test");
    tools
}

#[tokio::test]
async fn whip_of_ffmpeg_is_watched_by_whep_and_by_hls() {
    let server = Server::start().await;
    let coding = "-c:v libx264 -preset ultrafast -tune zerolatency -profile:v baseline \
                  -pix_fmt yuv420p -g 60 -b:v 500k -c:a libopus -ac 2 -b:a 64k";
    let target = [
        "-f",
        "whip",
        "-authorization",
        server.key(),
        &format!("{}/whip", server.app.url()),
    ];
    let _publishing = publish(coding, &target);
    server.until_live().await;
    let viewer = server.watch().await;
    until_more(&viewer, 60).await;
    until("sound", || async {
        viewer.report().await.unwrap().audio_packets > 50
    })
    .await;
    assert_packaged(&server, &["h264,640,360", "aac"]).await;
}

/// What browsers do with them is in `web/e2e/rtmp.spec.ts`.
#[tokio::test]
async fn h265_av1_and_vp9_are_packaged_as_they_come() {
    let opus = "-c:a libopus -ac 2 -b:a 64k";
    let aac = "-c:a aac -b:a 96k";
    for (video, audio, name) in [
        (
            "-c:v libx265 -preset ultrafast -x265-params bframes=0:log-level=none",
            aac,
            "hevc",
        ),
        (
            "-c:v libsvtav1 -preset 12 -svtav1-params pred-struct=1:rc=2",
            opus,
            "av1",
        ),
        (
            "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -lag-in-frames 0",
            opus,
            "vp9",
        ),
    ] {
        let server = Server::with(by_rtmp).await;
        let coding = format!("{video} -pix_fmt yuv420p -g 30 -b:v 500k {audio}");
        let url = format!("rtmp://{}/live/{}", server.app.rtmp.unwrap(), server.key());
        let _publishing = publish(&coding, &["-f", "flv", &url]);
        server.until_live().await;
        assert_packaged(&server, &[&format!("{name},640,360"), "aac"]).await;
    }
}
