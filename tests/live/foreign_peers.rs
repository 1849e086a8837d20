//! webrtc-rs on both ends: it shares no code with the server.

use loadtest::foreign;
use loadtest::source::{MadeUp, Source, VideoCodec};

use crate::support::{SPS_854X480, Server, until};

#[tokio::test]
async fn foreign_peers_see_hear_and_open_a_channel_in_vp8() {
    see_and_hear(Source::made_up_vp8()).await;
}

#[tokio::test]
async fn foreign_peers_see_hear_and_open_a_channel_in_h264() {
    see_and_hear(Source::made_up(&[MadeUp {
        rid: None,
        sps: SPS_854X480,
        bitrate: 600_000,
        keyframe_every: 60,
        aggregates: true,
    }]))
    .await;
}

async fn see_and_hear(source: Source) {
    let server = Server::start().await;
    let (whip, whep) = (server.whip(), server.whep());
    let publisher = foreign::publish(&whip, &source, &server.sent);
    let publisher = publisher.await.unwrap();
    server.until_live().await;
    let codec: VideoCodec = source.codec;
    let viewer = foreign::watch(&whep, codec, true, &server.sent);
    let viewer = viewer.await.unwrap();
    until("picture, sound and channel", || async {
        let seen = viewer.report();
        let has_picture = seen.milestones.first_key_frame.is_some();
        has_picture
            && seen.whole_frames > 60
            && seen.audio_packets > 60
            && !seen.channels.is_empty()
    })
    .await;
    let seen = viewer.report();
    assert_eq!(seen.channels, ["chat"]);
    assert_eq!(seen.lost, 0);
    assert!(!publisher.report().closed);
    // It is no frame of chat; the session must not fall over it.
    viewer.say("hello").await.unwrap();
    until("more video", || async {
        viewer.report().whole_frames > seen.whole_frames + 10
    })
    .await;
    viewer.session.delete().await.unwrap();
    publisher.session.delete().await.unwrap();
}
