//! Pages, files, health, and the headers that every answer carries.

use crate::support::{Backend, Server};

#[tokio::test]
async fn every_answer_carries_the_secure_headers() {
    let server = Server::plain().await;
    let person = server.anonymous();
    for path in ["/", "/api/setup", "/whip", "/nothing", "/healthz"] {
        let answer = person.get(path).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'"), "{path}");
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(answer.header("strict-transport-security"), "", "plain http");
    }
}

#[tokio::test]
async fn camera_and_microphone_are_for_the_studio_alone() {
    let server = Server::plain().await;
    let person = server.anonymous();
    let policy = |path: &'static str| {
        let person = person.clone();
        async move {
            person
                .get(path)
                .await
                .header("permissions-policy")
                .to_owned()
        }
    };
    assert!(policy("/studio").await.contains("camera=(self)"));
    for path in ["/", "/dashboard", "/@ada", "/studio/x"] {
        assert!(policy(path).await.contains("camera=()"), "{path}");
    }
}

#[tokio::test]
async fn unknown_addresses_are_404_in_their_own_way() {
    let server = Server::plain().await;
    let person = server.anonymous();
    let api = person.get("/api/nothing").await;
    assert_eq!(api.status, 404);
    assert_eq!(api.code(), "not_found");
    assert_eq!(person.get("/assets/none.js").await.status, 404);
    let page = person.get("/").await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").starts_with("text/html"));
}

#[tokio::test]
async fn hostile_paths_reach_no_file() {
    let server = Server::plain().await;
    for path in [
        "/..%2f..%2fCargo.toml",
        "/assets/..%2f..%2fCargo.toml",
        "/%00",
        "/\\Cargo.toml",
    ] {
        let answer = server.anonymous().get(path).await;
        assert!(!answer.text.contains("[package]"), "{path}");
    }
}

#[tokio::test]
async fn health_is_told_on_both_listeners_and_metrics_on_one() {
    let server = Server::plain().await;
    let person = server.anonymous();
    assert_eq!(person.get("/healthz").await.status, 200);
    assert_eq!(person.get("/readyz").await.status, 200);
    assert!(!person.get("/metrics").await.text.contains("tallylight_"));
    let mut operator = server.anonymous();
    operator.base = format!("http://{}", server.app.admin.unwrap());
    assert_eq!(operator.get("/readyz").await.status, 200);
    assert_eq!(operator.get("/metrics").await.status, 200);
    server.app.services.streams.drain();
    let answer = person.get("/readyz").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.code(), "shutting_down");
    assert_eq!(person.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn heads_longer_than_16_kib_are_refused() {
    let server = Server::plain().await;
    let long = "x".repeat(20 * 1024);
    let answer = server
        .anonymous()
        .send("GET", "/", &[("x-long", &long)])
        .await;
    assert_eq!(answer.status, 431);
}

#[tokio::test]
async fn connections_over_the_bound_are_closed_at_once() {
    let server = Server::start_with(Backend::Sqlite, |config| {
        config.limits.http_connections = 1;
    })
    .await;
    // One client keeps its connection open; the next finds no place.
    let first = server.anonymous();
    assert_eq!(first.get("/healthz").await.status, 200);
    let second = server.anonymous().request(reqwest::Method::GET, "/healthz");
    assert!(second.send().await.is_err());
    assert_eq!(first.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_server_may_go_without_the_operators_listener() {
    let server = Server::start_with(Backend::Sqlite, |config| config.http.admin = false).await;
    assert!(server.app.admin.is_none());
    assert_eq!(server.anonymous().get("/healthz").await.status, 200);
}

#[tokio::test]
async fn pages_for_frames_are_framed_by_whom_the_operator_lets_and_others_by_nobody() {
    let any = Server::plain().await;
    let policy =
        |answer: &crate::support::Answer| answer.header("content-security-policy").to_owned();
    let page = any.anonymous().get("/embed/ada").await;
    assert!(
        policy(&page).contains("frame-ancestors *;"),
        "{}",
        policy(&page)
    );
    assert_eq!(page.header("x-frame-options"), "");
    assert!(page.header("permissions-policy").contains("camera=()"));
    for path in ["/", "/@ada", "/embed", "/embedded", "/api/setup"] {
        let page = any.anonymous().get(path).await;
        assert!(policy(&page).contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(page.header("x-frame-options"), "DENY", "{path}");
    }
    let some = Server::start_with(Backend::Sqlite, |config| {
        config.http.embed_ancestors = "https://blog.example".to_owned();
    })
    .await;
    for path in ["/embed/ada", "/embed/videos/x", "/embed/ada/"] {
        let page = some.anonymous().get(path).await;
        let policy = policy(&page);
        assert!(
            policy.contains("frame-ancestors 'self' https://blog.example;"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{path}");
    }
}
