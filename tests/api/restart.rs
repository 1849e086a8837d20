//! What was on air when a server stopped, after its next start.

use std::path::Path;
use std::time::Duration;

use sfu::StreamId;
use tallylight::clock::Clock;
use tallylight::config::Config;
use tallylight::streams::{ChannelState, stream_uuid};

use crate::support::{
    Account, Answer, Backend, Encoder, Follower, PASSWORD, Server, new_postgres, publish_offer,
    view_offer,
};

/// What a server leaves, and the next starts on.
struct Ground {
    data: tempfile::TempDir,
    postgres: Option<String>,
    clock: Clock,
}

impl Ground {
    async fn new(backend: Backend) -> Self {
        Self {
            data: tempfile::tempdir().unwrap(),
            postgres: match backend {
                Backend::Sqlite => None,
                Backend::Postgres => Some(tokio::task::spawn_blocking(new_postgres).await.unwrap()),
            },
            clock: Clock::movable(),
        }
    }

    async fn start(self, change: impl FnOnce(&mut Config)) -> House {
        let (postgres, clock) = (self.postgres.clone(), self.clock.clone());
        let server = Server::start_at(self.data, Backend::Sqlite, clock, |config| {
            if let Some(url) = &self.postgres {
                config.database.url.clone_from(url);
                config.database.connections = 3;
            }
            change(config);
        })
        .await;
        House { server, postgres }
    }
}

struct House {
    server: Server,
    postgres: Option<String>,
}

impl House {
    async fn stop(self) -> Ground {
        Ground {
            clock: self.server.clock.clone(),
            data: self.server.stop().await,
            postgres: self.postgres,
        }
    }
}

/// As the database has it: asked for alone, one that is on air would be told from memory.
async fn row(server: &Server, stream: StreamId) -> serde_json::Value {
    let listed = server.anonymous().get("/api/streams?channel=ada").await;
    let id = stream_uuid(stream).to_string();
    let items = listed.json()["items"].as_array().cloned();
    let mut items = items.unwrap_or_default().into_iter();
    items.find(|item| item["id"] == *id).unwrap_or_default()
}

/// On air, as the database has it.
async fn on_air(house: &House) -> (Encoder, StreamId) {
    let server = &house.server;
    let (encoder, _) = server.on_air().await;
    let stream = server.stream_of("ada").await;
    server
        .wait_for("the start to be written", || async {
            (row(server, stream).await["state"] == "live").then_some(())
        })
        .await;
    (encoder, stream)
}

/// What is told of streams by the events that programs follow.
async fn told(server: &Server, last: &str) -> Vec<String> {
    let nobody = server.anonymous();
    let path = "/api/events?channel=ada&after=0&kinds=stream.started,stream.ended";
    let mut follower = Follower::of(&nobody, path, None).await;
    let mut told = Vec::new();
    while told.last().is_none_or(|kind: &String| kind != last) {
        told.push(follower.next().await.event);
    }
    told
}

async fn until_off_air(server: &Server, stream: StreamId) -> serde_json::Value {
    server
        .wait_for("the stream to be over in the books", || async {
            let row = row(server, stream).await;
            (row["state"] == "ended").then_some(row)
        })
        .await
}

async fn recordings(server: &Server) -> serde_json::Value {
    let ada = Account::sign_in(server, "ada", PASSWORD).await;
    let all = ada.get("/api/channels/ada/recordings").await;
    all.json()["items"].clone()
}

async fn watch(server: &Server) -> Answer {
    server.player().view("ada", view_offer()).await
}

/// It is the same stream for all who look at it, and it has begun once.
async fn goes_on(backend: Backend) {
    let house = Ground::new(backend).await.start(|_| {}).await;
    let (encoder, stream) = on_air(&house).await;
    let word = house
        .server
        .app
        .services
        .streams
        .gates()
        .media_word(stream_uuid(stream));
    let recorded = house
        .server
        .wait_for("the recording to be written", || async {
            let id = recordings(&house.server).await[0]["id"].clone();
            id.is_string().then_some(id)
        })
        .await;
    let key = encoder.key().to_owned();
    let house = house.stop().await.start(|_| {}).await;
    let server = &house.server;

    let live = server
        .live("ada")
        .await
        .expect("it waits for its publisher");
    assert_eq!(
        (live.stream, live.state),
        (stream, ChannelState::Reconnecting)
    );
    let now = row(server, stream).await;
    assert_eq!(now["state"], "live");
    assert!(now["ended_at"].is_null(), "{now}");
    let again = server
        .app
        .services
        .streams
        .gates()
        .media_word(stream_uuid(stream));
    assert_eq!(word, again, "the address of its media");
    let refused = watch(server).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code()),
        (409, "publisher_away".to_owned())
    );
    assert_eq!(refused.header("retry-after"), "2");
    let all = recordings(server).await;
    assert_eq!(
        (all.as_array().unwrap().len(), &all[0]["id"]),
        (1, &recorded)
    );
    assert_eq!(all[0]["state"], "recording");

    let encoder = Encoder::new(server, &key);
    server.go_live(&encoder).await;
    assert_eq!(server.stream_of("ada").await, stream);
    let channel = server.app.services.channels.expect("ada").await.unwrap();
    assert!(server.app.services.streams.end(channel.id).await);
    until_off_air(server, stream).await;
    assert_eq!(
        told(server, "stream.ended").await,
        ["stream.started", "stream.ended"]
    );

    let house = house.stop().await.start(|_| {}).await;
    assert!(
        house.server.live("ada").await.is_none(),
        "who ended it meant it"
    );
    let encoder = Encoder::new(&house.server, &key);
    house.server.go_live(&encoder).await;
    assert_ne!(house.server.stream_of("ada").await, stream);
}

/// Its publisher had its time while the server was away.
async fn is_over_when_the_server_was_away_too_long(backend: Backend) {
    let house = Ground::new(backend).await.start(|_| {}).await;
    let (_, stream) = on_air(&house).await;
    let ground = house.stop().await;
    let stopped = ground.clock.now();
    ground.clock.advance(Duration::from_secs(60));
    let house = ground.start(|_| {}).await;
    assert!(house.server.live("ada").await.is_none());
    let row = until_off_air(&house.server, stream).await;
    let ended: jiff::Timestamp = row["ended_at"].as_str().unwrap().parse().unwrap();
    assert!(
        ended <= stopped,
        "{ended}: nobody was on air after {stopped}"
    );
    assert_eq!(
        told(&house.server, "stream.ended").await,
        ["stream.started", "stream.ended"]
    );
}

/// Its server is gone, and another server has another stream on its channel.
#[tokio::test]
async fn a_stream_that_another_replaces_is_told_to_be_over() {
    let ground = Ground::new(Backend::Postgres).await;
    let (postgres, clock) = (ground.postgres.clone().unwrap(), ground.clock.clone());
    let house = ground.start(|_| {}).await;
    let (encoder, left) = on_air(&house).await;
    let data = tempfile::tempdir().unwrap();
    std::fs::create_dir(data.path().join("data")).unwrap();
    std::fs::copy(house.server.file("pepper"), data.path().join("data/pepper")).unwrap();
    let other = Server::start_at(data, Backend::Sqlite, clock, |config| {
        config.database.url.clone_from(&postgres);
        config.database.connections = 3;
    })
    .await;
    house.stop().await;
    let encoder = Encoder::new(&other, encoder.key());
    other.go_live(&encoder).await;
    let stream = other.stream_of("ada").await;
    assert_ne!(stream, left);
    let row = until_off_air(&other, left).await;
    assert!(row["ended_at"].is_string(), "{row}");
    let path = "/api/events?channel=ada&after=0&kinds=stream.ended";
    let mut follower = Follower::of(&other.anonymous(), path, None).await;
    let ended = follower.until("stream.ended").await.to_string();
    assert!(ended.contains(&stream_uuid(left).to_string()), "{ended}");
}

/// Nobody comes back.
async fn ends_when_nobody_comes_back(backend: Backend) {
    let house = Ground::new(backend).await.start(|_| {}).await;
    let (_, stream) = on_air(&house).await;
    let ground = house.stop().await;
    ground.clock.advance(Duration::from_secs(20));
    let house = ground.start(|_| {}).await;
    let server = &house.server;
    assert!(server.live("ada").await.is_some());
    server.clock.advance(Duration::from_secs(20));
    assert!(
        server.live("ada").await.is_some(),
        "it has the whole window from the start"
    );
    server.clock.advance(Duration::from_secs(11));
    until_off_air(server, stream).await;
    assert!(server.live("ada").await.is_none());
    assert_eq!(
        told(server, "stream.ended").await,
        ["stream.started", "stream.ended"]
    );
}

/// What is on air at another server is its own to take up.
async fn is_not_taken_up_by_another_server(backend: Backend) {
    let house = Ground::new(backend).await.start(|_| {}).await;
    let (_, stream) = on_air(&house).await;
    let ground = house.stop().await;
    let node: &Path = &ground.data.path().join("data/node");
    std::fs::write(node, format!("{}\n", uuid::Uuid::new_v4())).unwrap();
    let house = ground.start(|_| {}).await;
    assert!(house.server.live("ada").await.is_none());
    until_off_air(&house.server, stream).await;
}

macro_rules! on_both {
    ($($name:ident),*) => {
        mod sqlite { $(#[tokio::test] async fn $name() { super::$name(super::Backend::Sqlite).await; })* }
        mod postgres { $(#[tokio::test] async fn $name() { super::$name(super::Backend::Postgres).await; })* }
    };
}
on_both!(
    goes_on,
    is_over_when_the_server_was_away_too_long,
    ends_when_nobody_comes_back,
    is_not_taken_up_by_another_server
);

#[tokio::test]
async fn where_a_publisher_may_not_be_away_a_stream_ends_with_the_server() {
    let none = |config: &mut Config| config.streams.reconnect_window_seconds = 0;
    let house = Ground::new(Backend::Sqlite).await.start(none).await;
    let (_, stream) = on_air(&house).await;
    let house = house.stop().await.start(none).await;
    assert!(house.server.live("ada").await.is_none());
    until_off_air(&house.server, stream).await;
}

#[tokio::test]
async fn a_stream_behind_a_password_stays_behind_it() {
    let house = Ground::new(Backend::Sqlite).await.start(|_| {}).await;
    let server = &house.server;
    let ada = server.creator().await;
    let wish = serde_json::json!({
        "channel": "ada", "gate": { "who": "password", "password": "open sesame" },
    });
    let made = ada.post("/api/streams", wish).await;
    assert_eq!(made.status, 201, "{made:?}");
    let encoder = server.encoder("ada").await;
    server.go_live(&encoder).await;
    let stream = server.stream_of("ada").await;
    server
        .wait_for("the start to be written", || async {
            (row(server, stream).await["state"] == "live").then_some(())
        })
        .await;
    let key = encoder.key().to_owned();
    let house = house.stop().await.start(|_| {}).await;
    let refused = watch(&house.server).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    let encoder = Encoder::new(&house.server, &key);
    let answer = encoder.publish(publish_offer()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let refused = watch(&house.server).await;
    assert_eq!(refused.status, 403, "{refused:?}");
}
