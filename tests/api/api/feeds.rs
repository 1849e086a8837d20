//! `/api/channels/{handle}/feed.rss`.

use serde_json::json;

use crate::support::Server;

#[tokio::test]
async fn a_feed_holds_what_everybody_may_watch() {
    let server = Server::plain().await;
    let ada = server.creator().await;
    let nobody = server.anonymous();
    let kept = server.record(&ada).await;
    let path = "/api/channels/ada/feed.rss";
    let recording = format!("/api/recordings/{}", kept.id);
    ada.patch(&recording, json!({ "title": "Light & <dark>" }))
        .await;
    let feed = nobody.get(path).await;
    assert_eq!(feed.status, 200);
    assert_eq!(
        feed.header("content-type"),
        "application/rss+xml; charset=utf-8"
    );
    let read = rss::Channel::read_from(feed.text.as_bytes()).unwrap();
    assert_eq!(read.title(), "ada");
    let item = &read.items()[0];
    assert_eq!(item.title(), Some("Light & <dark>"));
    assert!(
        item.link()
            .unwrap()
            .ends_with(&format!("/videos/{}", kept.id))
    );
    let enclosure = item.enclosure().unwrap();
    assert_eq!(
        nobody
            .get(enclosure.url().strip_prefix(&nobody.base).unwrap())
            .await
            .status,
        200
    );

    ada.patch(&recording, json!({ "visibility": "unlisted" }))
        .await;
    let feed = nobody.get(path).await;
    let read = rss::Channel::read_from(feed.text.as_bytes()).unwrap();
    assert!(read.items().is_empty());
    assert_eq!(
        nobody.get("/api/channels/bob/feed.rss").await.code(),
        "channel_not_found"
    );
}
