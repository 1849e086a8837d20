//! The first picture, and the ways to it.

use loadtest::PublisherSpec;
use str0m::net::Protocol;

use crate::support::{Server, single, until, until_more};

#[tokio::test]
async fn picture_is_there_at_once_under_a_long_key_frame_interval() {
    const KEYFRAME_EVERY: u32 = 300;
    let server = Server::start().await;
    let publisher = server
        .on_air(&PublisherSpec {
            answers_keyframe_requests: false,
            ..single(KEYFRAME_EVERY)
        })
        .await;
    until("some seconds of video", || async {
        publisher.report().await.unwrap().frames >= 90
    })
    .await;
    let viewer = server.watch().await;
    until("the live edge", || async {
        let sent = publisher.report().await.unwrap();
        let seen = viewer.report().await.unwrap();
        seen.newest_frame
            .is_some_and(|frame| frame.number + 3 >= sent.frames)
    })
    .await;
    let seen = viewer.report().await.unwrap();
    let first = seen.first_frame.unwrap();
    assert!(first.is_key && first.number == 0, "{first:?}");
    assert!(seen.milestones.first_key_frame.is_some());
    assert_eq!((seen.lost, seen.frames), (0, seen.whole_frames));
    // All of that before the publisher made another key frame.
    let sent = publisher.report().await.unwrap();
    assert!(sent.frames < u64::from(KEYFRAME_EVERY), "{sent:?}");
    assert_eq!(sent.forced_keyframes, 0);
}

#[tokio::test]
async fn viewer_without_udp_watches_over_tcp() {
    let server = Server::start().await;
    server.on_air(&single(60)).await;
    let viewer = server.watch_over(Protocol::Tcp).await;
    until_more(&viewer, 60).await;
    let seen = viewer.report().await.unwrap();
    assert_eq!((seen.lost, seen.frames), (0, seen.whole_frames));
}
