//! What a server needs before it starts: its folder, its database, its ports; and why it did not start.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use tokio::net::TcpListener;

use crate::bucket::BucketError;
use crate::channels::PepperError;
use crate::clock::Clock;
use crate::cluster::ClusterError;
use crate::config::Config;
use crate::db::{Db, StoreError};
use crate::ice::TurnError;
use crate::mail::MailError;
use crate::nodes::NodeError;
use crate::notifications::PushKeyError;
use crate::payments;
use crate::serve::Listener;
use crate::streams::RtmpListeners;
use crate::tls::{self, CertificateError, Certificates, Keeper};

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
    /// The way to media through firewalls.
    #[error(transparent)]
    Turn(#[from] TurnError),
    /// Threads of chat's own.
    #[error("cannot start another thread: {0}; raise the limit of processes (ulimit -u)")]
    Threads(io::Error),
    /// The way to other servers.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
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
    /// The store of recordings.
    #[error("cannot use the section [storage]: {0}")]
    Bucket(#[from] BucketError),
    /// The way to the mail server.
    #[error(transparent)]
    Mail(#[from] MailError),
    /// The key of web push.
    #[error(transparent)]
    Push(#[from] PushKeyError),
    /// The way to other servers.
    #[error("bus.url: {0}")]
    Bus(#[from] redis::RedisError),
    /// The key for Stripe.
    #[error(transparent)]
    Payments(#[from] payments::KeyError),
    /// The kind of money.
    #[error(transparent)]
    Money(#[from] payments::ModeError),
    /// Which of several servers this is.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The secret in the data folder.
    #[error(transparent)]
    Pepper(#[from] PepperError),
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

/// Opens the port of HTTPS, where one is wanted.
pub(super) async fn open_https(
    config: &Config,
    certificates: Option<&Certificates>,
) -> Result<Option<Listener>, StartError> {
    let (Some(address), Some(certificates)) = (config.http.tls_address(), certificates) else {
        return Ok(None);
    };
    Ok(Some(Listener {
        tcp: listen("the HTTPS port", address, "http.tls_listen").await?,
        tls: Some(certificates.terms(tls::HTTP)),
    }))
}

/// Opens the certificate where something is to be shown one, and finds who watches over it.
pub(super) async fn open_certificates(
    config: &Config,
    clock: &Clock,
) -> Result<(Option<Certificates>, Option<Keeper>), StartError> {
    let wanted = [
        ("http.tls_listen", config.http.tls_address()),
        ("rtmp.tls_listen", config.rtmp.tls_address()),
        ("turn.tls_listen", config.turn.tls_address()),
    ];
    let Some((key, _)) = wanted.into_iter().find(|(_, address)| address.is_some()) else {
        return Ok((None, None));
    };
    let opened = Certificates::open(config, clock).await;
    Ok(opened
        .map_err(|source| StartError::Certificate { key, source })?
        .unzip())
}

/// Opens the ports for publishers by RTMP.
pub(super) async fn open_rtmp(
    config: &Config,
    certificates: Option<&Certificates>,
) -> Result<RtmpListeners, StartError> {
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
    let tls = match (wish.tls_address(), certificates) {
        (Some(address), Some(certificates)) => {
            let listener = listen("the RTMPS port", address, "rtmp.tls_listen").await?;
            Some((listener, certificates.terms(tls::RTMP)))
        }
        _ => None,
    };
    Ok(RtmpListeners { plain, tls })
}

/// Of a port that nobody chose: the server is worth starting without it.
pub(super) fn rtmp_is_off(address: SocketAddr) -> String {
    let port = address.port();
    format!("RTMP is off: port {port} is taken; set rtmp.listen")
}

fn media_hint(error: &sfu::StartError) -> &'static str {
    match error {
        sfu::StartError::Bind { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
            "; another program has it: stop that one, or choose another with --media-port"
        }
        _ => "",
    }
}
