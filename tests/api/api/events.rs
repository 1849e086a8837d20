//! `/api/events`.

use serde_json::Value;
use tallylight::accounts::Role;
use tallylight::events;

use crate::support::{Follower, Server, on_both_databases};

on_both_databases! {
    async fn who_follows_hears_what_happens_and_goes_on_where_it_stopped(server) {
        let ada = server.creator().await;
        let nobody = server.anonymous();
        let mut follower = Follower::of(&nobody, "/api/events?channel=ada", None).await;
        let encoder = server.encoder("ada").await;
        server.go_live(&encoder).await;
        let started = follower.next().await;
        assert_eq!(started.event, "stream.started");
        assert_eq!(started.data["kind"], "stream.started");
        assert_eq!(started.data["id"], started.id.as_str());
        assert_eq!(started.data["channel"]["handle"], "ada");
        assert!(started.data["stream"]["id"].is_string());
        drop(follower);

        let services = &server.app.services;
        events::count_viewers(&services.events, &services.streams).await.unwrap();
        ada.post("/api/channels/ada/end", Value::Null).await;
        let mut again =
            Follower::of(&nobody, "/api/events?channel=ada", Some(&started.id)).await;
        let count = again.next().await;
        assert_eq!(count.event, "viewer.count");
        assert_eq!(count.data["data"]["viewers"], 0);
        let ended = again.next().await;
        assert_eq!(ended.event, "stream.ended");

        let path = format!("/api/events?kinds=stream.ended&after={}", started.id);
        let mut chosen = Follower::of(&nobody, &path, None).await;
        assert_eq!(chosen.next().await.id, ended.id);
    }

    async fn a_recording_that_is_private_is_told_to_its_owner_alone(server) {
        let ada = server.creator().await;
        let eve = server.account("eve", Role::Creator).await;
        server.record(&ada).await;
        let path = "/api/events?channel=ada&after=0";
        let mut own = Follower::of(&ada, path, None).await;
        let ready = loop {
            let heard = own.next().await;
            if heard.event == "recording.ready" {
                break heard;
            }
        };
        assert_eq!(ready.data["data"]["recording"]["duration_ms"], 4_000);
        let mut public = Follower::of(&eve, &format!("{path}&kinds=recording.ready"), None).await;
        assert_eq!(public.next().await.id, ready.id, "recordings are public at first");
    }
}

#[tokio::test]
async fn ids_that_are_gone_or_not_yet_there_are_refused_in_words() {
    let server = Server::plain().await;
    server.creator().await;
    let nobody = server.anonymous();
    let far = nobody.get("/api/events?after=9999").await;
    assert_eq!(
        (far.status.as_u16(), far.code()),
        (410, "events_gone".to_owned())
    );
    let kind = nobody.get("/api/events?kinds=stream.started,cake").await;
    assert_eq!(kind.code(), "kind_unknown");
    assert_eq!(
        nobody.get("/api/events?channel=bob").await.code(),
        "channel_not_found"
    );
    let last = [("last-event-id", "x")];
    let last = nobody.send("GET", "/api/events", &last).await;
    assert_eq!(last.code(), "event_id_invalid");

    let encoder = server.encoder("ada").await;
    server.go_live(&encoder).await;
    let mut follower = Follower::of(&nobody, "/api/events?after=0", None).await;
    follower.next().await;
    server
        .clock
        .advance(std::time::Duration::from_secs(8 * 24 * 3600));
    server.app.services.events.sweep().await;
    let old = nobody.get("/api/events?after=0").await;
    assert_eq!(old.code(), "events_gone");
}

#[tokio::test]
async fn a_server_that_stops_ends_its_event_streams() {
    let server = Server::plain().await;
    let mut follower = Follower::of(&server.anonymous(), "/api/events", None).await;
    server.shut_down().await;
    follower.end().await;
}
