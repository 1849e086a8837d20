//! `@ada`, who is paid, on air with real media; and all kinds of people before her gate.

use loadtest::signalling::Endpoint;
use loadtest::source::Source;
use loadtest::{Driver, PublisherSpec, Publishing, Sent};
use serde_json::{Value, json};
use tallylight::accounts::Role;
use tallylight::channels::StreamKey;
use tallylight::streams::stream_uuid;

use crate::support::{Account, Anonymous, Backend, Till};

/// The stage and who stands on it.
pub(crate) struct Stage {
    pub(crate) till: Till,
    /// Of what is on air.
    pub(crate) stream: String,
    /// Of a stream before it.
    pub(crate) recording: String,
    /// The stream that the recording is of.
    recorded: String,
    _clients: Driver,
    _publishing: Publishing,
}

/// A ticket to all streams that are named.
pub(crate) async fn sell_ticket(till: &Till, streams: &[&str]) -> Value {
    let offer = json!({ "name": "The show", "amount": 1_500, "streams": streams });
    let made = till.ada.post("/api/channels/ada/tickets", offer).await;
    assert_eq!(made.status, 201, "{made:?}");
    json!({ "kind": "ticket", "offer": made.json()["id"] })
}

pub(crate) fn membership(tier: u8) -> Value {
    json!({ "kind": "membership", "tier": tier, "period": "month" })
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let till = Till::open_with(Backend::Sqlite, |config| {
            config.limits.views_per_minute = 10_000;
            config.limits.half_open_per_address = 1_000;
        })
        .await;
        let kept = till.server.record(&till.ada).await;
        let clients = Driver::start("clients").unwrap();
        let channels = &till.server.app.services.channels;
        let channel = channels.expect("ada").await.unwrap();
        let (_, key): (StreamKey, _) = channels
            .create_stream_key(channel.id, "camera")
            .await
            .unwrap();
        let url = format!("http://{}/whip", till.server.app.http);
        let endpoint = Endpoint::new(&url, Some(key.reveal())).unwrap();
        let spec = PublisherSpec::browser(Source::clip(1).unwrap());
        let published = loadtest::publish(&clients, &endpoint, &spec, &Sent::default()).await;
        let stage = Self {
            stream: String::new(),
            recording: kept.id,
            recorded: stream_uuid(kept.stream).to_string(),
            _clients: clients,
            _publishing: published.unwrap(),
            till,
        };
        stage.until_played().await
    }

    async fn until_played(mut self) -> Self {
        let ada = &self.till.ada;
        let wait = "the first parts, and a picture";
        let stream = self.till.server.wait_for(wait, || async {
            let page = ada.get("/api/channels/ada").await.json();
            let is_ready = page["hls"]["state"] == "ready";
            let picture = ada.get("/hls/ada/thumbnail.jpg").await.status;
            (is_ready && picture == 200).then(|| page["stream"]["id"].as_str().unwrap().to_owned())
        });
        self.stream = stream.await;
        self
    }

    /// Puts a gate before what is on air, and before the recording.
    pub(crate) async fn gate(&self, edit: &Value) {
        for path in [self.stream_path(""), self.recording_path("")] {
            let mut edit = edit.clone();
            if path.contains("recordings") {
                edit.as_object_mut().unwrap().remove("preview_seconds");
            }
            let edited = self.till.ada.patch(&path, edit).await;
            assert_eq!(edited.status, 200, "{edited:?}");
        }
    }

    pub(crate) fn stream_path(&self, below: &str) -> String {
        format!("/api/streams/{}{below}", self.stream)
    }

    pub(crate) fn recording_path(&self, below: &str) -> String {
        format!("/api/recordings/{}{below}", self.recording)
    }

    /// In the order of the table's columns; the first has no account.
    pub(crate) async fn people(&self) -> Vec<(&'static str, Anonymous)> {
        let till = &self.till;
        let ticket = sell_ticket(till, &[&self.stream, &self.recorded]).await;
        let follow = |who: Account| async move {
            let followed = who.put("/api/channels/ada/follow", Value::Null).await;
            assert!(followed.status.is_success(), "{followed:?}");
            who
        };
        let member = |name: &'static str, tier: u8| async move {
            let who = till.viewer(name).await;
            till.buy(&who, membership(tier)).await;
            till.wait_for_tier(&who, json!(tier)).await;
            who
        };
        let banned = follow(member("mallory", 3).await).await;
        till.buy(&banned, ticket.clone()).await;
        let ban = "/api/channels/ada/chat/restraints/mallory";
        let ban = till.ada.put(ban, json!({ "kind": "ban" })).await;
        assert!(ban.status.is_success(), "{ban:?}");
        let holder = till.viewer("tim").await;
        till.buy(&holder, ticket).await;
        vec![
            ("anonymous", till.server.anonymous()),
            ("follower", follow(till.viewer("fred").await).await.0),
            ("member of tier 1", member("mia1", 1).await.0),
            ("member of tier 2", member("mia2", 2).await.0),
            ("member of tier 3", member("mia3", 3).await.0),
            ("ticket holder", holder.0),
            ("banned", banned.0),
            ("creator", till.ada.0.clone()),
            ("admin", till.server.account("root", Role::Admin).await.0),
        ]
    }
}
