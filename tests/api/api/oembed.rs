//! `/api/oembed`, and what pages of other sites may read.

use serde_json::{Value, json};

use crate::support::{Anonymous, Server, on_both_databases};

async fn oembed(person: &Anonymous, page: &str, more: &str) -> crate::support::Answer {
    let url = format!("{}{page}", person.base);
    person.get(&format!("/api/oembed?url={url}{more}")).await
}

on_both_databases! {
    async fn a_channel_and_a_recording_are_embedded_by_their_address(server) {
        let ada = server.creator().await;
        let person = server.anonymous();
        let base = person.base.clone();
        let answer = oembed(&person, "/@ada", "&maxwidth=320&dnt=1").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert!(answer.header("cache-control").contains("max-age="));
        let body = answer.json();
        assert_eq!(body["version"], "1.0");
        assert_eq!(body["type"], "video");
        assert_eq!(body["author_url"], format!("{base}/@ada"));
        assert_eq!((&body["width"], &body["height"]), (&json!(320), &json!(180)));
        let html = body["html"].as_str().unwrap();
        assert!(html.contains(&format!("src=\"{base}/embed/ada\"")), "{html}");
        assert!(html.contains("width=\"320\" height=\"180\""), "{html}");
        let same = oembed(&person, "/embed/ada", "").await.json();
        assert_eq!(same["author_url"], body["author_url"], "the page for frames is another address");
        let encoded = oembed(&person, "/%2540ada", "").await.json();
        assert_eq!(encoded["title"], body["title"]);

        let kept = server.record(&ada).await;
        let video = format!("/videos/{}", kept.id);
        let answer = oembed(&person, &video, "&format=xml").await;
        assert!(answer.header("content-type").starts_with("text/xml"));
        assert!(answer.text.starts_with("<?xml version=\"1.0\""), "{}", answer.text);
        assert!(answer.text.contains(&format!("{base}/embed/videos/{}", kept.id)));
        assert!(answer.text.contains("<html>&lt;iframe src=&quot;"), "{}", answer.text);

        let edit = json!({ "visibility": "private" });
        ada.patch(&format!("/api/recordings/{}", kept.id), edit).await;
        server.wait_for("what is private to be hidden", || async {
            (oembed(&person, &video, "").await.status == 404).then_some(())
        }).await;
        assert_eq!(oembed(&ada, &video, "").await.status, 404, "not even for its owner: caches keep it");
    }
}

#[tokio::test]
async fn what_cannot_be_embedded_is_refused_by_the_specification() {
    let server = Server::plain().await;
    server.creator().await;
    let person = server.anonymous();
    for page in [
        "/",
        "/dashboard",
        "/@nobody",
        "/videos/none",
        "/embed/",
        "/@ada/x",
    ] {
        let answer = oembed(&person, page, "").await;
        assert_eq!(answer.status, 404, "{page}");
        assert_eq!(answer.code(), "not_found");
    }
    for url in [
        "https://elsewhere.example/@ada",
        "/@ada",
        "@ada",
        "javascript:x",
        "%00",
        "http://",
    ] {
        let answer = person.get(&format!("/api/oembed?url={url}")).await;
        assert_eq!(answer.status, 404, "{url}");
    }
    let answer = oembed(&person, "/@ada", "&format=yaml").await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (501, "format_unknown")
    );
    for bad in ["&maxwidth=0", "&maxwidth=-1", "&maxheight=x"] {
        let answer = oembed(&person, "/@ada", bad).await;
        assert_eq!(answer.status, 422, "{bad}: {answer:?}");
    }
    assert_eq!(person.get("/api/oembed").await.status, 422);
}

on_both_databases! {
    async fn what_is_not_for_everybody_is_not_told(server) {
        let ada = server.creator().await;
        let person = server.anonymous();
        for (visibility, status) in [("unlisted", 200), ("members", 404), ("public", 200)] {
            let edit = ada.patch("/api/channels/ada", json!({ "visibility": visibility })).await;
            assert_eq!(edit.status, 200, "{edit:?}");
            assert_eq!(oembed(&person, "/@ada", "").await.status, status, "{visibility}");
            let page = person.get("/@ada").await;
            assert_eq!(page.status, 200, "the page says itself why it is closed");
            assert!(visibility != "members" || !page.text.contains("og:title"), "{}", page.text);
        }
    }

    async fn what_is_planned_is_told_before(server) {
        let ada = server.creator().await;
        let tomorrow = server.clock.now() + jiff::SignedDuration::from_hours(24);
        let plan = json!({
            "channel": "ada", "title": "Engines", "scheduled_at": tomorrow, "time_zone": "UTC",
        });
        let planned = ada.post("/api/streams", plan).await;
        assert_eq!(planned.status, 201, "{planned:?}");
        assert_eq!(oembed(&server.anonymous(), "/@ada", "").await.json()["title"], "Engines");
    }
}

#[tokio::test]
async fn where_frames_are_not_allowed_a_link_is_all_there_is() {
    let server = Server::start_with(crate::support::Backend::Sqlite, |config| {
        config.http.embed_ancestors = "'none'".to_owned();
    })
    .await;
    server.creator().await;
    let body = oembed(&server.anonymous(), "/@ada", "").await.json();
    assert_eq!(body["type"], "link");
    assert_eq!(body["html"], Value::Null);
}

#[tokio::test]
async fn other_sites_read_what_the_player_asks_and_nothing_else() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let open = ["/api/channels/ada", "/api/channels/nobody"];
    for path in open {
        let answer = ada.get(path).await;
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{path}");
        assert_eq!(
            answer.header("access-control-allow-credentials"),
            "",
            "{path}"
        );
        assert_eq!(answer.header("access-control-expose-headers"), "date");
    }
    for path in [
        "/api/session",
        "/api/channels",
        "/api/channels/ada/stream_keys",
        "/@ada",
    ] {
        let answer = ada.get(path).await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
    }
    let edit = ada
        .patch("/api/channels/ada", json!({ "record": true }))
        .await;
    assert_eq!(edit.status, 200);
    assert_eq!(
        edit.header("access-control-allow-origin"),
        "",
        "reading alone is open"
    );
}
