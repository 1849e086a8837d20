//! Offers in the shape of OBS and FFmpeg, with media behind them.

use loadtest::sdp::Shape;
use loadtest::source::{MadeUp, Source};
use loadtest::{PublisherSpec, Watching};

use crate::support::{SPS_428X240, SPS_854X480, SPS_1280X720, Server, single, until, until_more};

/// Three layers as OBS makes them: "0" the largest, equal steps, High profile whatever is announced,
/// no answer to requests.
fn obs() -> PublisherSpec {
    let layer = |rid, sps, bitrate| MadeUp {
        rid: Some(rid),
        sps,
        bitrate,
        keyframe_every: 30,
        aggregates: false,
    };
    PublisherSpec {
        source: Source::made_up(&[
            layer("0", SPS_1280X720, 900_000),
            layer("1", SPS_854X480, 600_000),
            layer("2", SPS_428X240, 300_000),
        ]),
        shape: Shape::Obs,
        answers_keyframe_requests: false,
        with_chat: false,
    }
}

/// To the largest layer after the join, down, up and back to the largest.
const SWITCHES: u64 = 4;

async fn until_layer(viewer: &Watching, layer: usize) {
    until("frames of the layer", || async {
        let seen = viewer.report().await.unwrap();
        assert!(!seen.closed);
        seen.newest_frame.is_some_and(|frame| frame.layer == layer)
    })
    .await;
}

#[tokio::test]
async fn obs_publishes_three_layers_and_viewers_choose() {
    let server = Server::start().await;
    let prepared = obs().prepare(&server.sent).unwrap();
    assert!(!prepared.sdp.contains("a=candidate"), "{}", prepared.sdp);
    assert!(
        prepared.sdp.contains("a=simulcast:send 0;1;2"),
        "{}",
        prepared.sdp
    );
    assert!(prepared.sdp.contains("a=sendonly"), "{}", prepared.sdp);
    assert!(
        prepared.sdp.contains("profile-level-id=42e01f"),
        "{}",
        prepared.sdp
    );

    let publisher = server.on_air(&obs()).await;
    let answer = &publisher.answer;
    let layers: Vec<_> = answer
        .split("\r\n")
        .filter(|l| l.starts_with("a=simulcast"))
        .collect();
    assert_eq!(layers, ["a=simulcast:recv 0;1;2"], "{answer}");
    assert!(
        !answer.replace("\r\n", "").contains('\n'),
        "lines end in CRLF"
    );

    let (viewer, other) = (server.watch().await, server.watch().await);
    until_layer(&viewer, 0).await;
    for (choice, layer) in [
        (r#"{"mediaId":"1","rid":"2"}"#, 2),
        (r#"{"mediaId":"1","maxHeight":480}"#, 1),
        (r#"{"mediaId":"1"}"#, 0),
    ] {
        viewer.session.choose_layer(choice).await.unwrap();
        until_layer(&viewer, layer).await;
        until_more(&viewer, 10).await;
    }
    until_layer(&other, 0).await;
    let refused = viewer
        .session
        .choose_layer(r#"{"mediaId":"1","rid":"9"}"#)
        .await;
    assert_eq!(refused.unwrap_err().status(), Some(422));
    // Not a packet is missing. A switch may cut the old layer's frame short, where the key frame of
    // the same moment takes its place; nothing else is in pieces.
    let seen = viewer.report().await.unwrap();
    assert_eq!(seen.lost, 0);
    assert!(seen.frames - seen.whole_frames <= SWITCHES, "{seen:?}");
}

#[tokio::test]
async fn ffmpeg_is_answered_actively() {
    let server = Server::start().await;
    let spec = PublisherSpec {
        shape: Shape::Ffmpeg,
        answers_keyframe_requests: false,
        ..single(60)
    };
    let offer = spec.prepare(&server.sent).unwrap().sdp;
    assert!(
        offer.contains("a=setup:passive") && !offer.contains("a=rtcp-fb"),
        "{offer}"
    );
    let publisher = server.on_air(&spec).await;
    assert!(
        publisher.answer.contains("a=setup:active\r\n"),
        "{}",
        publisher.answer
    );
    until_more(&server.watch().await, 30).await;
}
