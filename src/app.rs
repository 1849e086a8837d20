//! The composition root: puts the parts together, runs them, and takes them down in order.

mod greeting;
mod news;
mod opening;
mod work;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use sfu::Sfu;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::accounts::oidc::Oidc;
use crate::accounts::{Accounts, Belongings, Passwords};
use crate::analytics::{self, Analytics};
use crate::audit::Audit;
use crate::bucket::Bucket;
use crate::bus::{self, Bus};
use crate::channels::{Channels, Memberships, Pepper, Ties};
use crate::chat::{self, Chat};
use crate::clock::Clock;
use crate::cluster::{self, Cluster};
use crate::config::Config;
use crate::discovery::Discovery;
use crate::doctor::Checkup;
use crate::events::{self, Events, Sources};
use crate::gates::Gates;
use crate::ice::{self, IceServers};
use crate::idempotency::{Idempotency, Seal};
use crate::images::Images;
use crate::jobs::Jobs;
use crate::mail::Mail;
use crate::nodes::Node;
use crate::notifications::{self, Notifications, PushKey};
use crate::outgoing::Outgoing;
use crate::payments::{self, Payments};
use crate::quota::Quota;
use crate::recordings::{self, Recordings};
use crate::request::{Front, Kin};
use crate::router::{self, Public, Services};
use crate::scrape;
use crate::secret::Secret;
use crate::serve::{House, Listener, serve};
use crate::settings::Settings;
use crate::spa;
use crate::streams::{Inputs, Resumed, Streams, Tasks};
use crate::telemetry::Metrics;
use crate::tls::Certificates;
use crate::to_https::ToHttps;
use crate::webhooks::{self, Webhooks};

pub use opening::{StartError, listen, make_data_folder, open_database};

use opening::{open_certificates, open_https, open_rtmp};

/// A running server.
#[derive(Debug)]
pub struct App {
    /// What the routes stand on. Boxed, as the configuration is: futures that hold the server, and move
    /// it on, would be as large several times over.
    pub services: Box<Services>,
    /// Where pages, API and signalling are.
    pub http: SocketAddr,
    /// Where they are over TLS, if they are.
    pub https: Option<SocketAddr>,
    /// Where the operators' listener is, if it is.
    pub admin: Option<SocketAddr>,
    /// Where publishers by RTMP come, if they may.
    pub rtmp: Option<SocketAddr>,
    /// Where they come over TLS, if they may.
    pub rtmps: Option<SocketAddr>,
    /// Token of the one-time set-up link, while there is no account.
    pub setup: Option<Secret>,
    config: Box<Config>,
    /// Accounts ask for it, and do not keep it.
    _belongings: Arc<Belongings>,
    /// Channels ask it, and do not keep it.
    _memberships: Arc<dyn Memberships>,
    streams: Tasks,
    recordings: recordings::Tasks,
    chat: chat::Tasks,
    events: events::Tasks,
    passing_on: JoinHandle<()>,
    worker: JoinHandle<()>,
    analytics: analytics::Task,
    /// Reads the settings again and again.
    fresh: JoinHandle<()>,
    /// Says again and again that this server runs.
    beat: JoinHandle<()>,
    /// Watches over the certificate, where there is one.
    keeping_certificates: Option<JoinHandle<()>>,
    /// Hears of channels what other servers do.
    hearing: JoinHandle<()>,
    /// The same of who may watch.
    hearing_of_access: JoinHandle<()>,
    /// Tells other servers what is on air here.
    meeting: cluster::Task,
    speaking: bus::Tasks,
    stop_bus: CancellationToken,
    listeners: Vec<JoinHandle<()>>,
    stop_listening: CancellationToken,
    stop: CancellationToken,
    books: CancellationToken,
}

/// The parts that tests replace.
#[derive(Debug)]
pub struct Parts {
    /// Time.
    pub clock: Clock,
    /// How dear password hashes are.
    pub passwords: Passwords,
    /// The SFU and its events.
    pub sfu: (Sfu, mpsc::Receiver<sfu::Event>),
    /// This program, to start its media-workers.
    pub program: PathBuf,
}

impl Parts {
    /// The real ones.
    ///
    /// # Errors
    /// When the media port cannot be opened, or the program does not find itself.
    pub fn real(config: &Config) -> Result<Self, StartError> {
        Ok(Self {
            clock: Clock::system(),
            passwords: Passwords::new(),
            sfu: Sfu::start(sfu_config(config))?,
            program: std::env::current_exe().map_err(StartError::Program)?,
        })
    }
}

/// The SFU's part of the configuration.
#[must_use]
pub fn sfu_config(config: &Config) -> sfu::Config {
    sfu::Config {
        bind: config.media.bind,
        port: config.media.port,
        public_ips: config.media.public_ips.clone(),
        relays: ice::relay_addresses(config).into(),
        shards: config.media.threads,
        tcp: config.media.tcp,
        silence: config.streams.silence(),
        limits: sfu::Limits {
            sessions: config.limits.sessions,
            publisher_bitrate: config.limits.publisher_bitrate(),
            ..sfu::Limits::default()
        },
        ..sfu::Config::default()
    }
}

impl App {
    /// Starts everything. When it returns, the ports are open.
    ///
    /// # Errors
    /// When a port, the data folder or the database cannot be used; nothing is left running then.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        // The HTTP port first: it is the one most often taken, and cheap to give back.
        let public = listen("the HTTP port", config.http.listen, "--http").await?;
        let parts = Parts::real(&config)?;
        Self::assemble(config, parts, public).await
    }

    /// Starts everything on parts that are there already.
    ///
    /// # Errors
    /// As [`App::start`].
    pub fn assemble(
        config: Config,
        parts: Parts,
        public: TcpListener,
    ) -> Pin<Box<impl Future<Output = Result<Self, StartError>>>> {
        // What is half put together is large: whoever waits for the whole must not carry it.
        Box::pin(Self::put_together(config, parts, public))
    }

    async fn put_together(
        config: Config,
        parts: Parts,
        public: TcpListener,
    ) -> Result<Self, StartError> {
        let Parts {
            clock,
            passwords,
            sfu: (sfu, sfu_events),
            program,
        } = parts;
        // Before anything counts.
        let metrics = Metrics::install();
        let operators = match config.http.admin {
            true => Some(
                listen(
                    "the operators' port",
                    config.http.admin_listen,
                    "--admin-listen",
                )
                .await?,
            ),
            false => None,
        };
        let (certificates, keeper) = open_certificates(&config, &clock).await?;
        let https = open_https(&config, certificates.as_ref()).await?;
        let https_address = https.as_ref().and_then(|l| l.tcp.local_addr().ok());
        let rtmp = open_rtmp(&config, certificates.as_ref()).await?;
        let rtmp_address = rtmp.plain.as_ref().and_then(|l| l.local_addr().ok());
        let rtmps_address = rtmp.tls.as_ref().and_then(|(l, _)| l.local_addr().ok());
        let db = open_database(&config).await?;
        let node = match config.bus.is_shared() {
            true => Node::open(&config.data, &db, &clock).await?,
            false => Node::alone(&config.data)?,
        };
        let pepper = Pepper::open(&config.data, &db).await?;
        let (media, made) = (sfu.media_addresses(), pepper.mac("credentials of TURN"));
        let shown = certificates.as_ref();
        let ice = IceServers::start(&config, &clock, &media, shown, &made).await?;
        let audit = Audit::new(db.clone(), clock.clone());
        let jobs = Jobs::new(db.clone(), clock.clone());
        let mail = Mail::new(&config.mail, &config.http, jobs.clone())?;
        let settings = Settings::open(&config, db.clone(), clock.clone(), audit.clone()).await?;
        let accounts = Accounts::new(
            db.clone(),
            clock.clone(),
            &config,
            audit.clone(),
            jobs.clone(),
            mail.clone(),
            settings.clone(),
        )
        .with_passwords(passwords.clone());
        let seal = Seal::new(&pepper.mac("answers that are kept"));
        let idempotency = Idempotency::open(db.clone(), clock.clone(), seal).await?;
        let (channels, channel_events) = Channels::new(
            db.clone(),
            clock.clone(),
            pepper.clone(),
            passwords,
            accounts.clone(),
        );
        channels.learn_gates().await?;
        let stop = CancellationToken::new();
        // Until all else has ended, which has something to say to the last.
        let stop_bus = CancellationToken::new();
        let (bus, speaking) = Bus::start(&config.bus, &stop_bus)?;
        let (channels, hearing) = channels.with_bus(bus.clone(), stop.clone());
        let payments = Payments::new(
            &config.payments,
            payments::Grounds {
                db: db.clone(),
                clock: clock.clone(),
                jobs: jobs.clone(),
                audit: audit.clone(),
                accounts: accounts.clone(),
                channels: channels.clone(),
                bus: bus.clone(),
            },
        )?;
        payments.settle_mode().await?;
        let memberships: Arc<dyn Memberships> = Arc::new(payments.clone());
        channels.know_members(&memberships);
        let hearing_of_access = payments.listen(stop.clone());
        let kin = Kin::new(&pepper.mac("requests of servers"), clock.clone());
        let (cluster, lost, meeting) =
            Cluster::start(&config.cluster, (&bus, node), kin, &clock, stop.clone())?;
        let (peers, data_of_peers) = mpsc::channel(DATA_OF_PEERS);
        let (resumed, over) = Streams::take_up(&config, &db, node, &channels, &clock).await?;
        let going_on = resumed.iter().map(Resumed::about).collect();
        let bucket = Bucket::open(&config.storage)?;
        let inputs = Inputs {
            resumed,
            bucket: bucket.clone(),
            sfu: sfu_events,
            channels: channel_events,
            program,
            rtmp,
            peers,
            node,
            ice: ice.clone(),
            bus: bus.clone(),
            cluster: cluster.clone(),
            lost,
        };
        let gates = Gates::new(
            (accounts.clone(), channels.clone()),
            payments.clone(),
            clock.clone(),
            bus.clone(),
        );
        let (streams, tasks) = Streams::start(
            &config,
            sfu.clone(),
            db.clone(),
            (channels.clone(), gates.clone()),
            clock.clone(),
            inputs,
            stop.clone(),
        );
        let (recordings, keeping) = Recordings::start(
            &config,
            db.clone(),
            (channels.clone(), gates),
            clock.clone(),
            (settings.clone(), bucket.clone()),
            (streams.subscribe(), going_on, node),
        )
        .await?;
        let (analytics, keeping_figures) = Analytics::start(
            db.clone(),
            streams.clone(),
            channels.clone(),
            clock.clone(),
            pepper.clone(),
            &config.limits,
        );
        let images = Images::new(&config.data, bucket, clock.clone());
        let (chat, talking) = Chat::start(
            chat::Grounds {
                db: db.clone(),
                clock: clock.clone(),
                accounts: accounts.clone(),
                channels: channels.clone(),
                payments: payments.clone(),
                streams: streams.clone(),
                images: images.clone(),
                pepper: pepper.clone(),
                sfu: sfu.clone(),
                peers: data_of_peers,
                limits: config.limits.clone(),
                bus: bus.clone(),
                node,
            },
            stop.clone(),
        )
        .map_err(StartError::Threads)?;
        let setup = accounts.arm_setup().await?;
        let outgoing = Outgoing::new(&config.outgoing, clock.clone());
        let events = Events::new(db.clone(), clock.clone(), channels.clone());
        let notifications = Notifications::new(notifications::Grounds {
            db: db.clone(),
            clock: clock.clone(),
            jobs: jobs.clone(),
            outgoing: outgoing.clone(),
            channels: channels.clone(),
            pepper: pepper.clone(),
            mail: mail.clone(),
            push_key: PushKey::open(&config.data, config.http.public_origin())?,
            closing: events.closing(),
        });
        let webhooks = Webhooks::new(webhooks::Grounds {
            db: db.clone(),
            clock: clock.clone(),
            jobs: jobs.clone(),
            outgoing: outgoing.clone(),
            channels: channels.clone(),
            pepper,
        });
        let belongings = Arc::new(Belongings(vec![
            Box::new(channels.clone()),
            Box::new(Ties(channels.clone())),
            Box::new(streams.clone()),
            Box::new(recordings.clone()),
            Box::new(payments.clone()),
            Box::new(chat.clone()),
            Box::new(webhooks.clone()),
            Box::new(notifications.clone()),
            Box::new(analytics.clone()),
        ]));
        accounts.own(&belongings);
        let discovery = Discovery::new(db.clone(), clock.clone(), streams.clone());
        let shown = certificates.as_ref();
        let checkup = Checkup::new(&config, (&clock, &db), shown, (&ice, &streams));
        let services = Box::new(Services {
            ice,
            certificates: certificates.clone(),
            checkup,
            discovery,
            db,
            audit,
            settings: settings.clone(),
            oidc: Oidc::new(&config.oidc, accounts.clone()),
            data: config.data.clone(),
            accounts,
            channels,
            images,
            chat,
            payments,
            streams,
            recordings,
            events,
            notifications,
            webhooks,
            jobs,
            mail,
            outgoing,
            analytics,
            sfu,
            front: Front::new(&config.http).with_kin(cluster.kin()),
            quota: Quota::new(&config.limits, clock.clone()),
            idempotency,
            clock,
            policies: spa::Policies::new(&config, settings),
        });
        let sources = Sources {
            streams: services.streams.clone(),
            recordings: services.recordings.clone(),
            accounts: services.accounts.clone(),
            chat: services.chat.clone(),
            wants: Arc::new(services.webhooks.clone()),
        };
        let listening = services.events.listen(sources, stop.clone());
        let passing_on = tokio::spawn(work::pass_on(Services::clone(&services), stop.clone()));
        let worker = tokio::spawn(work::worker(&services, node).run(stop.clone()));
        let fresh = tokio::spawn(services.settings.clone().keep_fresh(stop.clone()));
        let beat = node.beat(services.db.clone(), services.clock.clone(), stop.clone());
        let beat = tokio::spawn(beat);
        let keeping_certificates = keeper.map(|keeper| tokio::spawn(keeper.run(stop.clone())));
        let mut app = Self {
            http: address(&public, config.http.listen),
            https: https_address,
            admin: operators
                .as_ref()
                .map(|l| address(l, config.http.admin_listen)),
            rtmp: rtmp_address,
            rtmps: rtmps_address,
            services,
            _belongings: belongings,
            _memberships: memberships,
            setup,
            streams: tasks,
            recordings: keeping,
            chat: talking,
            events: listening,
            passing_on,
            worker,
            analytics: keeping_figures,
            fresh,
            beat,
            keeping_certificates,
            hearing,
            hearing_of_access,
            meeting,
            speaking,
            stop_bus,
            listeners: Vec::new(),
            stop_listening: CancellationToken::new(),
            stop,
            books: CancellationToken::new(),
            config: Box::new(config),
        };
        app.open(public, https.zip(certificates), operators, metrics);
        app.services.streams.tell_over(over);
        Ok(app)
    }

    fn open(
        &mut self,
        public: TcpListener,
        https: Option<(Listener, Certificates)>,
        operators: Option<TcpListener>,
        metrics: Metrics,
    ) {
        let house = |most| House::new(most, self.stop_listening.clone());
        if let Some(operators) = operators {
            let metrics = scrape::routes(&self.services, metrics);
            let answer = metrics.merge(router::for_operators(&self.services));
            let serving = serve(plain(operators), house(ADMIN_CONNECTIONS), answer);
            self.listeners.push(tokio::spawn(serving));
        }
        let answer = Public::new(&self.services);
        let house = house(self.config.limits.http_connections).with_turn(self.services.ice.clone());
        let mut to_https = None;
        if let Some((listener, certificates)) = https {
            let kin = self.services.streams.kin();
            to_https = ToHttps::new(&self.config, &certificates, kin, answer.clone());
            let serving = serve(listener, house.clone(), answer.clone());
            self.listeners.push(tokio::spawn(serving));
        }
        let public = plain(public);
        self.listeners.push(match to_https {
            Some(to_https) => tokio::spawn(serve(public, house, to_https)),
            None => tokio::spawn(serve(public, house, answer)),
        });
    }

    /// Waits until the server cannot do its work any more and had better be started again.
    pub async fn broken(&self) {
        self.services.sfu.broken().await;
    }

    /// Cancelled when all is written that must not be lost by an end.
    #[must_use]
    pub fn books(&self) -> CancellationToken {
        self.books.clone()
    }

    /// Takes everything down in order: no new sessions, viewers and publishers told by closing
    /// DTLS, requests finished, the books closed. What is on air goes on with the next start.
    pub async fn shut_down(self) {
        tracing::info!("Shutting down");
        self.services.streams.drain();
        self.services.events.close();
        self.services.payments.close();
        self.services.chat.say_goodbye().await;
        // Closing DTLS is what makes an encoder come back; silence would end its stream.
        self.services.sfu.shutdown().await;
        self.services.ice.shut_down().await;
        self.stop_listening.cancel();
        for listener in self.listeners {
            // A listener fails only by a panic, which is logged where it happens.
            let _ = listener.await;
        }
        // It asks the streams for what is not written yet.
        self.analytics.join().await;
        self.stop.cancel();
        self.streams.join().await;
        self.chat.join().await;
        self.recordings.join().await;
        self.events.join().await;
        self.books.cancel();
        // These, too, fail only by a panic.
        let _ = self.passing_on.await;
        let _ = self.worker.await;
        let _ = self.fresh.await;
        let _ = self.beat.await;
        if let Some(keeping) = self.keeping_certificates {
            let _ = keeping.await;
        }
        let _ = self.hearing.await;
        let _ = self.hearing_of_access.await;
        self.meeting.join().await;
        self.stop_bus.cancel();
        self.speaking.join().await;
        self.services.db.close().await;
    }
}

/// Connections to the operators' listener, at most.
const ADMIN_CONNECTIONS: usize = 64;
/// Messages on data channels that wait to be read.
const DATA_OF_PEERS: usize = 4_096;

/// A port in the clear.
fn plain(tcp: TcpListener) -> Listener {
    Listener { tcp, tls: None }
}

fn address(listener: &TcpListener, asked: SocketAddr) -> SocketAddr {
    listener.local_addr().unwrap_or(asked)
}
