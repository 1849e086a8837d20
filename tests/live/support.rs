//! A whole server on free ports with the channel `@ada`, and clients for it.

use std::time::Duration;

use loadtest::signalling::Endpoint;
use loadtest::source::{MadeUp, Source};
use loadtest::{Driver, PublisherSpec, Publishing, Sent, ViewerSpec, Watching};
use sfu::Sfu;
use str0m::net::Protocol;
use tallylight::accounts::{NewToken, Passwords, Role};
use tallylight::app::{self, App, Parts};
use tallylight::channels::{Channel, StreamKey};
use tallylight::clock::Clock;
use tallylight::config::Config;
use tallylight::secret::Secret;
use tallylight::streams::ChannelState;

/// H264 sequence parameter sets of x264, High profile, as OBS sends them under another name.
pub(crate) const SPS_1280X720: &[u8] = &[
    0x67, 0x64, 0x00, 0x1f, 0xac, 0xb2, 0x00, 0xa0, 0x0b, 0x76, 0x02, 0x20, 0x00, 0x00, 0x03, 0x00,
    0x20, 0x00, 0x00, 0x07, 0x81, 0xe3, 0x06, 0x49,
];
pub(crate) const SPS_854X480: &[u8] = &[
    0x67, 0x64, 0x00, 0x1f, 0xac, 0xb2, 0x01, 0xb0, 0x7b, 0xcd, 0xe0, 0x22, 0x00, 0x00, 0x03, 0x00,
    0x02, 0x00, 0x00, 0x03, 0x00, 0x78, 0x1e, 0x30, 0x64, 0x90,
];
pub(crate) const SPS_428X240: &[u8] = &[
    0x67, 0x64, 0x00, 0x15, 0xac, 0xb2, 0x03, 0x63, 0xfd, 0xf8, 0x08, 0x80, 0x00, 0x00, 0x03, 0x00,
    0x80, 0x00, 0x00, 0x1e, 0x07, 0x8b, 0x17, 0x24,
];

/// A running server and the thread of its clients.
pub(crate) struct Server {
    pub(crate) app: App,
    pub(crate) sfu: Sfu,
    pub(crate) clients: Driver,
    /// What publishers of this server sent.
    pub(crate) sent: Sent,
    pub(crate) channel: Channel,
    pub(crate) stream_key: StreamKey,
    key: Secret,
    pub(crate) data: tempfile::TempDir,
}

const DEADLINE: Duration = Duration::from_secs(20);

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// Starts it with another configuration.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut config = Config {
            data: data.path().join("data"),
            ..Config::default()
        };
        config.http.listen = "127.0.0.1:0".parse().unwrap();
        config.http.admin_listen = "127.0.0.1:0".parse().unwrap();
        config.rtmp.listen = "off".to_owned();
        config.turn.listen = "off".to_owned();
        config.media.bind = "127.0.0.1".parse().unwrap();
        config.media.port = 0;
        config.media.threads = 1;
        change(&mut config);
        let started = Sfu::start(app::sfu_config(&config)).unwrap();
        let sfu = started.0.clone();
        let parts = Parts {
            clock: Clock::system(),
            passwords: Passwords::cheap(),
            sfu: started,
            program: env!("CARGO_BIN_EXE_tallylight").into(),
        };
        let listener = app::listen("the HTTP port", config.http.listen, "--http").await;
        let app = App::assemble(config, parts, listener.unwrap())
            .await
            .unwrap();
        let services = &app.services;
        let password = Secret::new("correct horse");
        let ada = services
            .accounts
            .create("ada", &password, Role::Admin)
            .await
            .unwrap();
        let channel = services.channels.create(&ada, "ada", "Ada").await.unwrap();
        let made = services
            .channels
            .create_stream_key(channel.id, "test")
            .await;
        let (stream_key, key) = made.unwrap();
        Self {
            clients: Driver::start("clients").unwrap(),
            sent: Sent::default(),
            app,
            sfu,
            channel,
            stream_key,
            key,
            data,
        }
    }

    /// A personal token of ada's with those scopes.
    pub(crate) async fn personal_token(&self, scopes: &[&str]) -> String {
        let accounts = &self.app.services.accounts;
        let ada = accounts.by_name("ada").await.unwrap().unwrap();
        let wish = NewToken {
            name: "test".to_owned(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            days: None,
        };
        let (_, token) = accounts.create_token(&ada, wish).await.unwrap();
        token.reveal().to_owned()
    }

    /// The text of the stream key.
    pub(crate) fn key(&self) -> &str {
        self.key.reveal()
    }

    pub(crate) fn whip(&self) -> Endpoint {
        let url = format!("http://{}/whip", self.app.http);
        Endpoint::new(&url, Some(self.key.reveal())).unwrap()
    }

    pub(crate) fn whep(&self) -> Endpoint {
        Endpoint::new(&format!("http://{}/whep/ada", self.app.http), None).unwrap()
    }

    /// Publishes until `@ada` is on air.
    pub(crate) async fn on_air(&self, spec: &PublisherSpec) -> Publishing {
        let published = loadtest::publish(&self.clients, &self.whip(), spec, &self.sent).await;
        self.until_live().await;
        published.unwrap()
    }

    pub(crate) async fn until_live(&self) {
        until("@ada to be live", || async {
            self.state().await == ChannelState::Live
        })
        .await;
    }

    pub(crate) async fn state(&self) -> ChannelState {
        let live = self.app.services.streams.live_on(self.channel.id).await;
        live.map_or(ChannelState::Offline, |live| live.state)
    }

    pub(crate) async fn watch(&self) -> Watching {
        self.watch_over(Protocol::Udp).await
    }

    pub(crate) async fn watch_over(&self, protocol: Protocol) -> Watching {
        let (whep, spec) = (self.whep(), ViewerSpec::default());
        let watched = loadtest::watch(&self.clients, &whep, &spec, protocol, &self.sent);
        watched.await.unwrap()
    }
}

/// One layer of 360p with that many frames from key frame to key frame.
pub(crate) fn single(keyframe_every: u32) -> PublisherSpec {
    PublisherSpec::browser(Source::made_up(&[MadeUp {
        rid: None,
        sps: SPS_854X480,
        bitrate: 600_000,
        keyframe_every,
        aggregates: true,
    }]))
}

/// Asks again and again until it is so; fails after too long.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, is_so: impl FnMut() -> F) {
    until_within(DEADLINE, what, is_so).await;
}

/// The same of what may take longer than most.
#[allow(dead_code, reason = "each test program uses a part")]
pub(crate) async fn until_within<F: Future<Output = bool>>(
    deadline: Duration,
    what: &str,
    mut is_so: impl FnMut() -> F,
) {
    let waiting = async {
        let mut pause = tokio::time::interval(Duration::from_millis(20));
        while !is_so().await {
            pause.tick().await;
        }
    };
    if tokio::time::timeout(deadline, waiting).await.is_err() {
        panic!("waited in vain for {what}");
    }
}

/// Waits for that many more whole frames of video and for audio beside them.
pub(crate) async fn until_more(viewer: &Watching, frames: u64) {
    let before = viewer.report().await.unwrap();
    until("more video and audio", || async {
        let now = viewer.report().await.unwrap();
        assert!(!now.closed, "the session is over: {now:?}");
        now.whole_frames >= before.whole_frames + frames && now.audio_packets > before.audio_packets
    })
    .await;
}

/// Waits until the server closed the session of a viewer.
pub(crate) async fn until_closed(viewer: &Watching) {
    until("the viewer's session to be closed", || async {
        viewer.report().await.unwrap().closed
    })
    .await;
}

/// Waits until the server closed the session of a publisher.
pub(crate) async fn until_cut(publisher: &Publishing) {
    until("the publisher's session to be closed", || async {
        publisher.report().await.unwrap().closed
    })
    .await;
}
