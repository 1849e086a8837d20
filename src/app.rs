//! The composition root: puts the parts together, runs them, and takes them down in order.

mod work;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::Pin;

use jiff::Timestamp;
use sfu::Sfu;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::accounts::oidc::Oidc;
use crate::accounts::{Accounts, Passwords};
use crate::analytics::{self, Analytics};
use crate::audit::Audit;
use crate::channels::{Channels, Pepper, PepperError};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::{Db, StoreError};
use crate::discovery::Discovery;
use crate::events::{self, Events, Sources};
use crate::idempotency::{Idempotency, Seal};
use crate::images::Images;
use crate::jobs::Jobs;
use crate::mail::{Mail, MailError};
use crate::notifications::{self, Notifications, PushKey, PushKeyError};
use crate::outgoing::Outgoing;
use crate::quota::Quota;
use crate::recordings::{self, Recordings};
use crate::request::Front;
use crate::router::{self, Public, Services};
use crate::secret::Secret;
use crate::serve::{House, Listener, serve};
use crate::settings::Settings;
use crate::spa;
use crate::streams::{Inputs, RtmpListeners, Streams, Tasks};
use crate::telemetry::Metrics;
use crate::tls::{self, Certificate, CertificateError, Protocols};
use crate::webhooks::{self, Webhooks};

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
    streams: Tasks,
    recordings: recordings::Tasks,
    events: events::Tasks,
    passing_on: JoinHandle<()>,
    worker: JoinHandle<()>,
    analytics: analytics::Task,
    /// Reads the settings again and again.
    fresh: JoinHandle<()>,
    listeners: Vec<JoinHandle<()>>,
    stop_listening: CancellationToken,
    stop: CancellationToken,
}

/// Why the server did not start. The text is one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The data folder.
    #[error(
        "cannot use the data folder {path}: {source}; choose another with --data, or let this user \
         write there"
    )]
    Data {
        /// The folder.
        path: String,
        /// The system's error.
        source: io::Error,
    },
    /// A port.
    #[error("cannot open {what} {address}: {source}{hint}")]
    Listen {
        /// What is to listen there.
        what: &'static str,
        /// Where.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
        /// What to do.
        hint: String,
    },
    /// The program, whose media-workers are the same program.
    #[error("cannot find this program's own file: {0}; is /proc mounted?")]
    Program(io::Error),
    /// The certificate.
    #[error("{key} needs a certificate: {source}")]
    Certificate {
        /// The key that wants one.
        key: &'static str,
        /// What is wrong with it.
        source: CertificateError,
    },
    /// The media port or threads.
    #[error("{0}{hint}", hint = media_hint(.0))]
    Media(#[from] sfu::StartError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Recordings.
    #[error(transparent)]
    Recordings(#[from] recordings::StartError),
    /// The way to the mail server.
    #[error(transparent)]
    Mail(#[from] MailError),
    /// The key of web push.
    #[error(transparent)]
    Push(#[from] PushKeyError),
    /// The secret in the data folder.
    #[error(transparent)]
    Pepper(#[from] PepperError),
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
        shards: config.media.threads,
        tcp: config.media.tcp,
        silence: config.streams.silence(),
        limits: sfu::Limits {
            sessions: config.limits.sessions,
            ..sfu::Limits::default()
        },
        ..sfu::Config::default()
    }
}

/// Makes the data folder, for its owner alone.
///
/// # Errors
/// When it cannot be made.
pub fn make_data_folder(path: &Path) -> Result<(), StartError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|source| StartError::Data {
        path: path.display().to_string(),
        source,
    })
}

/// Opens the database and brings it up to date.
///
/// # Errors
/// When it cannot be opened or brought up to date.
pub async fn open_database(config: &Config) -> Result<Db, StartError> {
    make_data_folder(&config.data)?;
    let database = &config.database;
    let db = Db::open(&database.url, database.connections, &config.data).await?;
    db.migrate().await?;
    Ok(db)
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
        let https = open_https(&config, &clock).await?;
        let https_address = https.as_ref().and_then(|l| l.tcp.local_addr().ok());
        let rtmp = open_rtmp(&config, &clock).await?;
        let rtmp_address = rtmp.plain.as_ref().and_then(|l| l.local_addr().ok());
        let rtmps_address = rtmp.tls.as_ref().and_then(|(l, _)| l.local_addr().ok());
        let db = open_database(&config).await?;
        let unfinished = Streams::close_unfinished(&db, clock.now()).await?;
        if unfinished > 0 {
            tracing::warn!(
                unfinished,
                "Closed {unfinished} streams that a crash left open"
            );
        }
        let pepper = Pepper::open(&config.data, &db).await?;
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
        let inputs = Inputs {
            sfu: sfu_events,
            channels: channel_events,
            program,
            rtmp,
        };
        let (streams, tasks) = Streams::start(
            &config,
            sfu.clone(),
            db.clone(),
            channels.clone(),
            clock.clone(),
            inputs,
            stop.clone(),
        );
        let (recordings, keeping) = Recordings::start(
            &config,
            db.clone(),
            channels.clone(),
            clock.clone(),
            settings.clone(),
            streams.subscribe(),
        )
        .await?;
        accounts.own(vec![
            Box::new(channels.clone()),
            Box::new(streams.clone()),
            Box::new(recordings.clone()),
        ]);
        let (analytics, keeping_figures) = Analytics::start(
            db.clone(),
            streams.clone(),
            channels.clone(),
            clock.clone(),
            pepper.clone(),
            &config.limits,
        );
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
        let discovery = Discovery::new(db.clone(), clock.clone(), streams.clone());
        let services = Box::new(Services {
            discovery,
            db,
            audit,
            settings: settings.clone(),
            oidc: Oidc::new(&config.oidc, accounts.clone()),
            data: config.data.clone(),
            accounts,
            channels,
            images: Images::new(&config.data),
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
            front: Front::new(&config.http),
            quota: Quota::new(&config.limits, clock.clone()),
            idempotency,
            clock,
            policies: spa::Policies::new(&config, settings),
        });
        let sources = Sources {
            streams: services.streams.clone(),
            recordings: services.recordings.clone(),
            accounts: services.accounts.clone(),
        };
        let listening = services.events.listen(sources, stop.clone());
        let passing_on = tokio::spawn(work::pass_on(Services::clone(&services), stop.clone()));
        let worker = tokio::spawn(work::worker(&services).run(stop.clone()));
        let fresh = tokio::spawn(services.settings.clone().keep_fresh(stop.clone()));
        let mut app = Self {
            http: address(&public, config.http.listen),
            https: https_address,
            admin: operators
                .as_ref()
                .map(|l| address(l, config.http.admin_listen)),
            rtmp: rtmp_address,
            rtmps: rtmps_address,
            services,
            setup,
            streams: tasks,
            recordings: keeping,
            events: listening,
            passing_on,
            worker,
            analytics: keeping_figures,
            fresh,
            listeners: Vec::new(),
            stop_listening: CancellationToken::new(),
            stop,
            config: Box::new(config),
        };
        app.open(public, https, operators);
        Ok(app)
    }

    fn open(
        &mut self,
        public: TcpListener,
        https: Option<Listener>,
        operators: Option<TcpListener>,
    ) {
        let house = |most| {
            let clock = self.services.clock.clone();
            House::new(most, clock, self.stop_listening.clone())
        };
        if let Some(operators) = operators {
            let answer = router::admin(&self.services, Metrics::install());
            let serving = serve(plain(operators), house(ADMIN_CONNECTIONS), answer);
            self.listeners.push(tokio::spawn(serving));
        }
        let answer = Public::new(&self.services);
        let house = house(self.config.limits.http_connections);
        for listener in https.into_iter().chain([plain(public)]) {
            let serving = serve(listener, house.clone(), answer.clone());
            self.listeners.push(tokio::spawn(serving));
        }
    }

    /// Where browsers find the server.
    #[must_use]
    pub fn url(&self) -> String {
        if let Some(origin) = self.config.http.public_origin() {
            return origin.to_owned();
        }
        at("http", self.http)
    }

    /// Where browsers find it over TLS, if they do. The certificate has the right name.
    #[must_use]
    pub fn https_url(&self) -> Option<String> {
        self.https.map(|https| at("https", https))
    }

    /// What the operator should know after the start, line by line.
    #[must_use]
    pub fn greeting(&self) -> String {
        let url = self.url();
        let media = self.services.sfu.media_addresses();
        let ports = media.first().map_or(0, SocketAddr::port);
        let protocols = if self.config.media.tcp {
            "UDP and TCP"
        } else {
            "UDP"
        };
        let ips: Vec<String> = unique(media.iter().map(|address| address.ip().to_string()));
        let mut lines = vec![
            format!("Tallylight {} is running.", env!("CARGO_PKG_VERSION")),
            String::new(),
            format!("  Pages and API   {url}/"),
        ];
        if let Some(https) = self.https_url() {
            lines.push(format!(
                "  Over TLS        {https}/, by the name in the certificate"
            ));
        }
        lines.push(format!("  Publish (WHIP)  {url}/whip"));
        lines.push(format!(
            "  Media           port {ports}, {protocols}, at {}",
            ips.join(", ")
        ));
        lines.extend(self.rtmp_lines());
        if let Some(admin) = self.admin {
            lines.push(format!("  Metrics         http://{admin}/metrics"));
        }
        let data = self.config.data.display();
        let database = self.services.db.describe();
        lines.push(format!("  Data            {data} ({database})"));
        lines.push(String::new());
        if let Some(token) = &self.setup {
            lines.push("Open this link once to make your account and your channel:".to_owned());
            lines.push(String::new());
            lines.push(format!("  {url}/setup#{}", token.reveal()));
            lines.push(String::new());
        }
        lines.join("\n")
    }

    fn rtmp_lines(&self) -> impl Iterator<Item = String> {
        let on = |port: u16| format!("port {port}, application live, with the stream key");
        let plain = match (self.rtmp, self.config.rtmp.address()) {
            (Some(rtmp), _) => Some(on(rtmp.port())),
            (None, Some(wanted)) => Some(rtmp_is_off(wanted)),
            (None, None) => None,
        };
        let tls = self.rtmps.map(|rtmps| on(rtmps.port()));
        let plain = plain.map(|words| format!("  Publish (RTMP)  {words}"));
        let tls = tls.map(|words| format!("  Publish (RTMPS) {words}"));
        plain.into_iter().chain(tls)
    }

    /// Waits until the server cannot do its work any more and had better be started again.
    pub async fn broken(&self) {
        self.services.sfu.broken().await;
    }

    /// Takes everything down in order: no new sessions, viewers and publishers told by closing
    /// DTLS, requests finished, the books closed.
    pub async fn shut_down(self) {
        tracing::info!("Shutting down");
        self.services.streams.drain();
        self.services.events.close();
        // Closing DTLS is what makes an encoder come back; silence would end its stream.
        self.services.sfu.shutdown().await;
        self.stop_listening.cancel();
        for listener in self.listeners {
            // A listener fails only by a panic, which is logged where it happens.
            let _ = listener.await;
        }
        // It asks the streams for what is not written yet.
        self.analytics.join().await;
        self.stop.cancel();
        self.streams.join().await;
        self.recordings.join().await;
        self.events.join().await;
        // These, too, fail only by a panic.
        let _ = self.passing_on.await;
        let _ = self.worker.await;
        let _ = self.fresh.await;
        self.services.db.close().await;
    }
}

/// Connections to the operators' listener, at most.
const ADMIN_CONNECTIONS: usize = 64;

/// Opens a port for HTTP.
///
/// # Errors
/// When it cannot be opened; the text says what to do.
pub async fn listen(
    what: &'static str,
    address: SocketAddr,
    flag: &str,
) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| StartError::Listen {
            what,
            address,
            hint: match source.kind() {
                io::ErrorKind::AddrInUse => {
                    format!(
                        "; another program has it: stop that one, or choose another with {flag}"
                    )
                }
                io::ErrorKind::PermissionDenied => {
                    format!("; ports below 1024 need rights: choose another with {flag}")
                }
                _ => String::new(),
            },
            source,
        })
}

/// A port in the clear.
fn plain(tcp: TcpListener) -> Listener {
    Listener {
        tcp,
        certificate: None,
    }
}

/// Opens the port of HTTPS, where one is wanted.
async fn open_https(config: &Config, clock: &Clock) -> Result<Option<Listener>, StartError> {
    let Some(address) = config.http.tls_address() else {
        return Ok(None);
    };
    let key = "http.tls_listen";
    let certificate = open_certificate(config, key, tls::HTTP, clock).await?;
    Ok(Some(Listener {
        tcp: listen("the HTTPS port", address, key).await?,
        certificate: Some(certificate),
    }))
}

async fn open_certificate(
    config: &Config,
    key: &'static str,
    protocols: Protocols,
    clock: &Clock,
) -> Result<Certificate, StartError> {
    let certificate = Certificate::open(&config.tls, protocols, clock.instant())
        .await
        .map_err(|source| StartError::Certificate { key, source })?;
    warn_of_expiry(&certificate, clock.now());
    Ok(certificate)
}

/// Opens the ports for publishers by RTMP.
async fn open_rtmp(config: &Config, clock: &Clock) -> Result<RtmpListeners, StartError> {
    let wish = &config.rtmp;
    let plain = match wish.address() {
        Some(address) => match listen("the RTMP port", address, "--rtmp").await {
            Err(StartError::Listen { source, .. })
                if !wish.is_chosen && source.kind() == io::ErrorKind::AddrInUse =>
            {
                tracing::warn!("{}", rtmp_is_off(address));
                None
            }
            listener => Some(listener?),
        },
        None => None,
    };
    let tls = match wish.tls_address() {
        Some(address) => {
            let key = "rtmp.tls_listen";
            let certificate = open_certificate(config, key, tls::RTMP, clock).await?;
            let listener = listen("the RTMPS port", address, key).await?;
            Some((listener, certificate))
        }
        None => None,
    };
    Ok(RtmpListeners { plain, tls })
}

/// Of a port that nobody chose: the server is worth starting without it.
fn rtmp_is_off(address: SocketAddr) -> String {
    let port = address.port();
    format!("RTMP is off: port {port} is taken; set rtmp.listen")
}

/// An old certificate is better than none for clients that do not look at it.
fn warn_of_expiry(certificate: &Certificate, now: Timestamp) {
    if let Some(expires) = certificate.expires().filter(|expires| *expires <= now) {
        tracing::warn!("The certificate expired at {expires}; clients will refuse it: renew it");
    }
}

fn media_hint(error: &sfu::StartError) -> &'static str {
    match error {
        sfu::StartError::Bind { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
            "; another program has it: stop that one, or choose another with --media-port"
        }
        _ => "",
    }
}

/// The address of a listener as browsers on this machine write it. They open the camera on localhost
/// and over TLS only, so that the name matters.
fn at(scheme: &str, address: SocketAddr) -> String {
    let host = match address.ip() {
        ip if ip.is_unspecified() => "localhost".to_owned(),
        IpAddr::V6(ip) => format!("[{ip}]"),
        IpAddr::V4(ip) => ip.to_string(),
    };
    format!("{scheme}://{host}:{}", address.port())
}

fn address(listener: &TcpListener, asked: SocketAddr) -> SocketAddr {
    listener.local_addr().unwrap_or(asked)
}

fn unique(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for text in texts {
        if !seen.contains(&text) {
            seen.push(text);
        }
    }
    seen
}
