//! [`Server`]: a whole server on free ports, with a clock that can be moved and media events that
//! the test tells.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use sfu::{CloseReason, Event, Role, SessionId, Sfu, StreamId};
use tallylight::accounts::{Passwords, Role as AccountRole};
use tallylight::app::{self, App, Parts};
use tallylight::clock::Clock;
use tallylight::config::Config;
use tallylight::db::Db;
use tallylight::nodes::Node;
use tallylight::secret::Secret;
use tallylight::streams::{ChannelState, LiveChannel, Streams};
use tallylight::tls::{Certificates, Standing};
use tokio::sync::mpsc;

use super::postgres;
use super::{Account, Anonymous, Encoder, Player};

/// Which database stands behind the server.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

/// A running server.
pub(crate) struct Server {
    pub(crate) app: App,
    pub(crate) clock: Clock,
    events: mpsc::Sender<Event>,
    streams: Mutex<Vec<(SessionId, StreamId)>>,
    data: tempfile::TempDir,
}

/// The name and password of [`Server::creator`].
pub(crate) const PASSWORD: &str = "correct horse";
const DEADLINE: Duration = Duration::from_secs(20);

impl Server {
    pub(crate) async fn start(backend: Backend) -> Self {
        Self::start_with(backend, |_| {}).await
    }

    /// On SQLite, as most tests want it.
    pub(crate) async fn plain() -> Self {
        Self::start(Backend::Sqlite).await
    }

    pub(crate) async fn start_with(backend: Backend, change: impl FnOnce(&mut Config)) -> Self {
        Self::start_on(tempfile::tempdir().unwrap(), backend, change).await
    }

    /// On the data that a server before it left.
    pub(crate) async fn start_on(
        data: tempfile::TempDir,
        backend: Backend,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        Self::start_at(data, backend, Clock::movable(), change).await
    }

    /// The same, by a clock of the test's.
    pub(crate) async fn start_at(
        data: tempfile::TempDir,
        backend: Backend,
        clock: Clock,
        change: impl FnOnce(&mut Config),
    ) -> Self {
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
        if let Backend::Postgres = backend {
            let url = tokio::task::spawn_blocking(postgres::new_database).await;
            config.database.url = url.unwrap();
            config.database.connections = 3;
        }
        change(&mut config);
        let (sfu, mut real) = Sfu::start(app::sfu_config(&config)).unwrap();
        let (events, receiver) = mpsc::channel(64);
        let forward = events.clone();
        tokio::spawn(async move {
            while let Some(event) = real.recv().await {
                if forward.send(event).await.is_err() {
                    return;
                }
            }
        });
        let parts = Parts {
            clock: clock.clone(),
            passwords: Passwords::cheap(),
            sfu: (sfu, receiver),
            program: env!("CARGO_BIN_EXE_tallylight").into(),
        };
        let listener = app::listen("the HTTP port", config.http.listen, "--http").await;
        let app = App::assemble(config, parts, listener.unwrap())
            .await
            .unwrap();
        Self {
            app,
            clock,
            events,
            streams: Mutex::default(),
            data,
        }
    }

    /// Ends what a crash left on air, as it would at its next start.
    pub(crate) async fn close_unfinished(&self) -> u64 {
        let services = &self.app.services;
        let node = match services.db {
            Db::Sqlite { .. } => Node::alone(&services.data),
            Db::Postgres(_) => Node::open(&services.data, &services.db, &self.clock).await,
        };
        let node = node.unwrap();
        let closed = Streams::close_unfinished(&services.db, node, self.clock.now()).await;
        closed.unwrap()
    }

    /// How its certificate stands.
    pub(crate) fn certificate(&self) -> Option<Standing> {
        self.app
            .services
            .certificates
            .as_ref()
            .map(Certificates::standing)
    }

    /// Where the media of a stream lies.
    pub(crate) fn media(&self, stream: StreamId) -> PathBuf {
        let media = self.data.path().join("data").join("media");
        media.join(stream.to_string())
    }

    /// A file in its data folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.data.path().join("data").join(name)
    }

    /// Dies at once: the tasks that run on this runtime must end with it.
    pub(crate) fn die(self) -> tempfile::TempDir {
        self.data
    }

    /// Takes it down in order.
    pub(crate) async fn shut_down(self) {
        self.app.shut_down().await;
    }

    /// Takes it down in order; gives what it leaves.
    pub(crate) async fn stop(self) -> tempfile::TempDir {
        self.app.shut_down().await;
        self.data
    }

    /// Somebody without a login.
    pub(crate) fn anonymous(&self) -> Anonymous {
        Anonymous::new(self)
    }

    /// Somebody with an account and the channel `@ada`, signed in.
    pub(crate) async fn creator(&self) -> Account {
        self.account("ada", AccountRole::Admin).await
    }

    /// Somebody with an account, signed in; with a channel of the same name, unless a viewer.
    pub(crate) async fn account(&self, name: &str, role: AccountRole) -> Account {
        let accounts = &self.app.services.accounts;
        let password = Secret::new(PASSWORD);
        let account = accounts.create(name, &password, role).await.unwrap();
        let channels = &self.app.services.channels;
        if role != AccountRole::Viewer {
            channels.create(&account, name, name).await.unwrap();
        }
        Account::sign_in(self, name, PASSWORD).await
    }

    /// An encoder with a stream key of that channel.
    pub(crate) async fn encoder(&self, handle: &str) -> Encoder {
        let channels = &self.app.services.channels;
        let channel = channels.expect(handle).await.unwrap();
        let (_, key) = channels
            .create_stream_key(channel.id, "test")
            .await
            .unwrap();
        Encoder::new(self, key.reveal())
    }

    /// Somebody who watches.
    pub(crate) fn player(&self) -> Player {
        Player::new(self)
    }

    /// `@ada` on air: her encoder, and its session.
    pub(crate) async fn on_air(&self) -> (Encoder, SessionId) {
        self.creator().await;
        let encoder = self.encoder("ada").await;
        let session = self.go_live(&encoder).await;
        (encoder, session)
    }

    /// Publishes with that encoder until `@ada` is on air.
    pub(crate) async fn go_live(&self, encoder: &Encoder) -> SessionId {
        let answer = encoder.publish(super::publish_offer()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let session = answer.session();
        self.media_connects("ada", session).await;
        self.wait_for_state("ada", ChannelState::Live).await;
        session
    }

    /// Waits until a channel is live or reconnecting; gives its stream.
    pub(crate) async fn wait_for_state(&self, handle: &str, state: ChannelState) -> StreamId {
        self.wait_for(&format!("@{handle} to be {state:?}"), || async {
            let live = self.live(handle).await?;
            (live.state == state).then_some(live.stream)
        })
        .await
    }

    /// The SFU reports that a publisher's media connection is up and media flows.
    pub(crate) async fn media_connects(&self, handle: &str, session: SessionId) {
        let stream = self.stream_of(handle).await;
        self.streams.lock().unwrap().push((session, stream));
        let connected = Event::Connected {
            session,
            stream,
            role: Role::Publisher,
        };
        self.tell(connected).await;
        self.tell(Event::MediaFlowing { session, stream }).await;
    }

    /// The SFU reports that a viewer's media connection is up.
    pub(crate) async fn viewer_connects(&self, session: SessionId, stream: StreamId) {
        let role = Role::Viewer;
        self.tell(Event::Connected {
            session,
            stream,
            role,
        })
        .await;
    }

    /// The SFU reports that a publisher sends nothing.
    pub(crate) async fn media_stops(&self, session: SessionId) {
        let stream = self.known_stream(session);
        let silent_for = Duration::ZERO;
        self.tell(Event::MediaSilent {
            session,
            stream,
            silent_for,
        })
        .await;
    }

    /// The SFU reports that a publisher's session was lost.
    pub(crate) async fn media_is_lost(&self, session: SessionId) {
        let stream = self.known_stream(session);
        self.tell(Event::Closed {
            session,
            stream,
            role: Role::Publisher,
            reason: CloseReason::Inactive,
        })
        .await;
    }

    pub(crate) async fn live(&self, handle: &str) -> Option<LiveChannel> {
        let live = self.app.services.streams.live().await;
        live.into_iter().find(|live| live.channel.handle == handle)
    }

    /// The stream that a channel has, also while it is only preparing.
    pub(crate) async fn stream_of(&self, handle: &str) -> StreamId {
        if let Some(live) = self.live(handle).await {
            return live.stream;
        }
        let channels = &self.app.services.channels;
        let channel = channels.expect(handle).await.unwrap();
        let streams = &self.app.services.streams;
        streams.stream_on(channel.id).await.expect("a stream")
    }

    fn known_stream(&self, session: SessionId) -> StreamId {
        let streams = self.streams.lock().unwrap();
        let found = streams.iter().find(|(known, _)| *known == session);
        found.expect("a session that connected").1
    }

    async fn tell(&self, event: Event) {
        self.events.send(event).await.unwrap();
    }

    /// Asks again and again until there is an answer, or too long.
    pub(crate) async fn wait_for<T, F>(&self, what: &str, mut ask: impl FnMut() -> F) -> T
    where
        F: Future<Output = Option<T>>,
    {
        let waiting = async {
            let mut pause = tokio::time::interval(Duration::from_millis(20));
            loop {
                pause.tick().await;
                if let Some(answer) = ask().await {
                    return answer;
                }
            }
        };
        match tokio::time::timeout(DEADLINE, waiting).await {
            Ok(answer) => answer,
            Err(_) => panic!("waited in vain for {what}"),
        }
    }
}
