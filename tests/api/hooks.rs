//! `[hooks]`: an endpoint of the operator's says who may publish and who may watch.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use loadtest::rtmp::{Address, PublishError, Publisher};
use serde_json::{Value, json};
use tallylight::config::{Config, OnFailure};
use tokio::net::TcpListener;

use crate::support::{Backend, Server, publish_offer, view_offer};

/// What the operator's endpoint does, and what it was asked.
#[derive(Clone, Default)]
struct Endpoint(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    status: u16,
    body: String,
    is_silent: bool,
    asked: Vec<(HeaderMap, String)>,
}

impl Endpoint {
    /// Where it is, on a port of its own.
    async fn start(status: u16, body: Value) -> (Self, String) {
        let endpoint = Self::default();
        endpoint.answer(status, body);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let app = Router::new()
            .route("/hook", post(Self::take))
            .with_state(endpoint.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (endpoint, url)
    }

    async fn take(
        State(endpoint): State<Self>,
        headers: HeaderMap,
        body: String,
    ) -> (StatusCode, String) {
        let (status, body, is_silent) = {
            let mut inner = endpoint.0.lock().unwrap();
            inner.asked.push((headers, body));
            let status = StatusCode::from_u16(inner.status).unwrap();
            (status, inner.body.clone(), inner.is_silent)
        };
        if is_silent {
            std::future::pending::<()>().await;
        }
        (status, body)
    }

    fn answer(&self, status: u16, body: Value) {
        let mut inner = self.0.lock().unwrap();
        (inner.status, inner.body) = (status, body.to_string());
    }

    fn fall_silent(&self) {
        self.0.lock().unwrap().is_silent = true;
    }

    /// What it was asked since the last call.
    fn asked(&self) -> Vec<(HeaderMap, Value)> {
        let asked = std::mem::take(&mut self.0.lock().unwrap().asked);
        let read =
            |(headers, body): (HeaderMap, String)| (headers, serde_json::from_str(&body).unwrap());
        asked.into_iter().map(read).collect()
    }
}

async fn server(change: impl FnOnce(&mut Config)) -> Server {
    Server::start_with(Backend::Sqlite, |config| {
        config.hooks.timeout_ms = 300;
        change(config);
    })
    .await
}

#[tokio::test]
async fn a_publisher_is_let_in_or_refused_in_the_operators_words() {
    let (endpoint, url) = Endpoint::start(403, json!({ "detail": "not on a Sunday" })).await;
    let server = server(|config| {
        config.hooks.publish_url = url;
        config.hooks.secret = "hush".to_owned();
    })
    .await;
    let ada = server.creator().await;
    let encoder = server.encoder("ada").await;
    let answer = encoder.publish(publish_offer()).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (403, "refused_by_hook")
    );
    assert_eq!(answer.json()["detail"], "not on a Sunday");
    let ingest = ada.get("/api/channels/ada/ingest").await.json();
    assert_eq!(
        ingest["last_attempt"]["detail"], "not on a Sunday",
        "the owner reads it"
    );

    let asked = endpoint.asked();
    let (headers, body) = &asked[0];
    assert_eq!(body["action"], "publish");
    assert_eq!(
        (&body["channel"], &body["protocol"]),
        (&json!("ada"), &json!("whip"))
    );
    assert_eq!(body["address"], "127.0.0.1");
    assert!(body["stream_key_id"].is_string(), "{body}");
    assert!(
        !body.to_string().contains(&encoder.key),
        "never the key itself"
    );
    let signature = headers["tallylight-signature"].to_str().unwrap();
    assert!(
        signature.starts_with("t=") && signature.contains(",v1="),
        "{signature}"
    );

    endpoint.answer(204, Value::Null);
    assert_eq!(encoder.publish(publish_offer()).await.status, 201);
    assert_eq!(endpoint.asked().len(), 1);
}

#[tokio::test]
async fn nobody_is_asked_about_a_key_that_is_wrong() {
    let (endpoint, url) = Endpoint::start(204, Value::Null).await;
    let server = server(|config| config.hooks.publish_url = url).await;
    server.creator().await;
    let stranger = crate::support::Encoder::new(&server, "tl_nonsense");
    assert_eq!(stranger.publish(publish_offer()).await.status, 401);
    assert!(endpoint.asked().is_empty());
}

#[tokio::test]
async fn what_silence_and_faults_mean_is_the_operators_to_say() {
    for (on_failure, status) in [(OnFailure::Refuse, 503), (OnFailure::Allow, 201)] {
        let (endpoint, url) = Endpoint::start(500, json!({ "detail": "oops" })).await;
        let server = server(|config| {
            config.hooks.publish_url = url;
            config.hooks.on_failure = on_failure;
        })
        .await;
        server.creator().await;
        let encoder = server.encoder("ada").await;
        let answer = encoder.publish(publish_offer()).await;
        assert_eq!(answer.status, status, "a fault: {answer:?}");
        if on_failure == OnFailure::Refuse {
            assert_eq!(answer.code(), "hook_unavailable");
            assert!(!answer.header("retry-after").is_empty());
            assert!(!answer.text.contains("oops"));
            endpoint.fall_silent();
            let answer = encoder.publish(publish_offer()).await;
            assert_eq!(answer.status, status, "silence: {answer:?}");
        }
    }
    // Where nobody listens at all.
    let server = server(|config| config.hooks.publish_url = "http://127.0.0.1:9/".to_owned()).await;
    server.creator().await;
    let answer = server.encoder("ada").await.publish(publish_offer()).await;
    assert_eq!(answer.code(), "hook_unavailable");
}

#[tokio::test]
async fn viewers_are_asked_about_once_a_session() {
    let (endpoint, url) = Endpoint::start(204, Value::Null).await;
    let server = server(|config| config.hooks.play_url = url).await;
    server.on_air().await;
    assert!(endpoint.asked().is_empty(), "publishing is another matter");
    let player = server.player();
    assert_eq!(player.view("ada", view_offer()).await.status, 201);
    let asked = endpoint.asked();
    assert_eq!(asked[0].1["action"], "play");
    assert_eq!(asked[0].1["protocol"], "whep");
    assert!(
        asked[0].0.get("tallylight-signature").is_none(),
        "without a secret"
    );
    endpoint.answer(402, json!({ "detail": "buy a ticket" }));
    let answer = player.view("ada", view_offer()).await;
    assert_eq!(answer.status, 403);
    assert_eq!(answer.json()["detail"], "buy a ticket");
}

#[tokio::test]
async fn readers_of_playlists_are_asked_about_once_a_minute() {
    let (endpoint, url) = Endpoint::start(403, json!({ "detail": "buy a ticket" })).await;
    let server = server(|config| config.hooks.play_url = url).await;
    server.on_air().await;
    let path = "/hls/ada/index.m3u8";
    let player = server.player();
    // Packaging begins with the stream, a moment after it is on air.
    server
        .wait_for("a stream to ask about", || async {
            let answer = player.http.get(path).await;
            (answer.code() != "not_live").then_some(())
        })
        .await;
    for _ in 0..3 {
        let answer = player.http.get(path).await;
        assert_eq!(answer.code(), "refused_by_hook");
        assert_eq!(answer.json()["detail"], "buy a ticket");
    }
    let asked = endpoint.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].1["protocol"], "hls");
    server.clock.advance(Duration::from_secs(61));
    player.http.get(path).await;
    assert_eq!(endpoint.asked().len(), 1, "after a minute again");
}

#[tokio::test]
async fn publishers_by_rtmp_are_asked_about_too() {
    let (endpoint, url) = Endpoint::start(403, json!({ "detail": "not on a Sunday" })).await;
    let server = server(|config| {
        config.hooks.publish_url = url;
        config.rtmp.listen = "127.0.0.1:0".to_owned();
    })
    .await;
    let ada = server.creator().await;
    let key = server.encoder("ada").await.key;
    let url = format!("rtmp://{}/live", server.app.rtmp.unwrap());
    let address = Address::parse(&url).unwrap();
    let refused = Publisher::connect(&address, &key).await.map(drop);
    let Err(PublishError::Refused(words)) = refused else {
        panic!("{refused:?}");
    };
    // This client reads the code alone.
    assert!(words.contains("Publish.Unauthorized"), "{words}");
    let ingest = ada.get("/api/channels/ada/ingest").await.json();
    assert_eq!(ingest["last_attempt"]["detail"], "not on a Sunday");
    assert_eq!(endpoint.asked()[0].1["protocol"], "rtmp");
    endpoint.answer(200, json!({}));
    assert!(Publisher::connect(&address, &key).await.is_ok());
}
