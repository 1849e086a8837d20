//! How sessions go on and end.

use loadtest::PublisherSpec;
use loadtest::source::Source;
use serde_json::Value;
use tallylight::streams::ChannelState;

use crate::support::{Server, single, until, until_closed, until_cut, until_more};

#[tokio::test]
async fn ice_restart_moves_a_session_to_another_address() {
    let server = Server::start().await;
    let mut publisher = server.on_air(&single(60)).await;
    let mut viewer = server.watch().await;
    until_more(&viewer, 10).await;
    viewer.restart_ice().await.unwrap();
    until_more(&viewer, 30).await;
    publisher.restart_ice().await.unwrap();
    until_more(&viewer, 30).await;
    assert!(!publisher.report().await.unwrap().closed);
    assert_eq!(server.state().await, ChannelState::Live);
}

#[tokio::test]
async fn delete_ends_a_session_at_once() {
    let server = Server::start().await;
    let publisher = server.on_air(&single(60)).await;
    let (viewer, other) = (server.watch().await, server.watch().await);
    until_more(&viewer, 10).await;
    until_more(&other, 10).await;
    viewer.session.delete().await.unwrap();
    until_closed(&viewer).await;
    let again = viewer.session.delete().await.unwrap_err();
    assert_eq!(again.status(), Some(404));
    until_more(&other, 10).await;
    publisher.session.delete().await.unwrap();
    until_cut(&publisher).await;
    until_closed(&other).await;
    assert_eq!(server.state().await, ChannelState::Offline);
}

#[tokio::test]
async fn second_publisher_takes_over_after_silence() {
    let server = Server::start().await;
    let first = server.on_air(&single(60)).await;
    let viewer = server.watch().await;
    until_more(&viewer, 10).await;
    let spec = single(60);
    let refused = loadtest::publish(&server.clients, &server.whip(), &spec, &server.sent).await;
    let loadtest::JoinError::Http(refused) = refused.unwrap_err() else {
        panic!("it was no refusal");
    };
    assert_eq!(refused.status(), Some(409), "{refused}");
    until_more(&viewer, 10).await;

    first.pause(true).await.unwrap();
    until("the second to be taken", || async {
        loadtest::publish(&server.clients, &server.whip(), &spec, &server.sent)
            .await
            .is_ok()
    })
    .await;
    until_more(&viewer, 30).await;
    until_cut(&first).await;
    assert_eq!(viewer.report().await.unwrap().lost, 0);
}

#[tokio::test]
async fn revoked_key_ends_its_session() {
    let server = Server::start().await;
    let publisher = server.on_air(&single(60)).await;
    let channels = &server.app.services.channels;
    let revoked = channels
        .revoke_stream_key(server.channel.id, server.stream_key.id)
        .await;
    revoked.unwrap();
    until_cut(&publisher).await;
    let offer = single(60).prepare(&server.sent).unwrap().sdp;
    let refused = server.whip().offer(&offer).await.unwrap_err();
    assert_eq!(refused.status(), Some(401), "{refused}");
}

#[tokio::test]
async fn a_publisher_far_above_its_bound_is_ended_and_its_owner_told_why() {
    let server = Server::with(|config| config.limits.publisher_kbits = 1_000).await;
    let spec = PublisherSpec::browser(Source::clip(3).unwrap());
    let publisher = server.on_air(&spec).await;
    assert!(publisher.answer.contains("b=AS:1000\r\n"));
    until_cut(&publisher).await;
    let token = server.personal_token(&["channels:read"]).await;
    let url = format!("http://{}/api/channels/ada/ingest", server.app.http);
    let asked = reqwest::Client::new().get(url).bearer_auth(token);
    let ingest: Value = asked.send().await.unwrap().json().await.unwrap();
    let detail = ingest["last_attempt"]["detail"].as_str();
    let is_told = detail.is_some_and(|words| words.contains("set a lower bit rate"));
    assert!(is_told, "{ingest}");
}
