//! What the operator can set: one file a section, plain data, no behaviour.
//!
//! Values come from defaults, then a TOML file, then `TALLYLIGHT_SECTION_KEY` in the environment,
//! then flags; see [`load`]. An unknown key is an error that names the nearest known one.

mod accounts;
mod bus;
mod cdns;
mod cluster;
mod database;
mod hls;
mod hooks;
mod http;
mod ice;
mod instance;
mod limits;
mod load;
mod log;
mod mail;
mod media;
mod network;
mod oidc;
mod outgoing;
mod payments;
mod recordings;
mod rtmp;
mod server;
mod storage;
mod streams;
mod telemetry;
mod tls;
mod turn;

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use accounts::{Accounts, NewAccounts, Registration};
pub use bus::Bus;
pub use cdns::{Cdn, in_order_for};
pub use cluster::Cluster;
pub use database::Database;
pub use hls::Hls;
pub use hooks::{Hooks, OnFailure};
pub use http::Http;
pub use ice::{Ice, IceServer};
pub use instance::Instance;
pub use limits::Limits;
pub use load::{ConfigError, Given, Loaded, Override, Sources, load};
pub use log::{Log, LogFormat};
pub use mail::{Mail, MailTls};
pub use media::Media;
pub use network::Network;
pub use oidc::{Oidc, OidcProvider};
pub use outgoing::Outgoing;
pub use payments::{Payments, Payout};
pub use recordings::{NewRecordings, Recordings};
pub use rtmp::Rtmp;
pub use server::Server;
pub use storage::Storage;
pub use streams::{SecondPublisher, Streams};
pub use telemetry::Telemetry;
pub use tls::Tls;
pub use turn::Turn;

/// A commented file with every key at its default, as `tallylight config example` prints it.
pub const EXAMPLE: &str = include_str!("example.toml");

/// Everything the operator can set.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Folder of the SQLite file and of the secrets made at the first start.
    pub data: PathBuf,
    /// The name that the world knows this server by, and a certificate for it.
    pub server: Server,
    /// Pages, API and signalling.
    pub http: Http,
    /// WebRTC media.
    pub media: Media,
    /// Publishers that speak RTMP.
    pub rtmp: Rtmp,
    /// The server's certificate.
    pub tls: Tls,
    /// SQLite or PostgreSQL.
    pub database: Database,
    /// How servers that share it tell one another what happens.
    pub bus: Bus,
    /// How they pass streams on to one another.
    pub cluster: Cluster,
    /// How a channel goes live and off.
    pub streams: Streams,
    /// Packaging for large audiences.
    pub hls: Hls,
    /// What is kept of streams, and how long.
    pub recordings: Recordings,
    /// An S3-compatible store for recordings.
    pub storage: Storage,
    /// How the server introduces itself.
    pub instance: Instance,
    /// Who may sign up.
    pub accounts: Accounts,
    /// Providers of OpenID Connect.
    pub oidc: Oidc,
    /// The server that takes our mail.
    pub mail: Mail,
    /// How the server asks addresses that its users give.
    pub outgoing: Outgoing,
    /// An endpoint of the operator's that allows or refuses.
    pub hooks: Hooks,
    /// How creators are paid.
    pub payments: Payments,
    /// Bounds on what strangers may ask for.
    pub limits: Limits,
    /// What is logged and how.
    pub log: Log,
    /// Where traces go.
    pub telemetry: Telemetry,
    /// STUN and TURN servers that clients are told of.
    pub ice: Ice,
    /// The way to media for clients whose network lets nothing else through.
    pub turn: Turn,
    /// Which keys somebody set: admins cannot change those on the pages.
    #[serde(skip)]
    pub given: Given,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("./data"),
            server: Server::default(),
            http: Http::default(),
            media: Media::default(),
            rtmp: Rtmp::default(),
            tls: Tls::default(),
            database: Database::default(),
            bus: Bus::default(),
            cluster: Cluster::default(),
            streams: Streams::default(),
            hls: Hls::default(),
            recordings: Recordings::default(),
            storage: Storage::default(),
            instance: Instance::default(),
            accounts: Accounts::default(),
            oidc: Oidc::default(),
            mail: Mail::default(),
            outgoing: Outgoing::default(),
            hooks: Hooks::default(),
            payments: Payments::default(),
            limits: Limits::default(),
            log: Log::default(),
            telemetry: Telemetry::default(),
            ice: Ice::default(),
            turn: Turn::default(),
            given: Given::default(),
        }
    }
}

impl Config {
    /// Finds values that are well-formed but cannot work.
    ///
    /// # Errors
    /// Names the key and says what would be right.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.tls.check()?;
        self.server.check(self.tls.is_set())?;
        self.http.check(self.has_certificate())?;
        self.check_name()?;
        self.rtmp.check(self.has_certificate())?;
        self.check_ports()?;
        self.database.check()?;
        self.bus.check(&self.database)?;
        self.cluster.check(&self.bus)?;
        self.streams.check()?;
        self.hls.check(&self.storage)?;
        self.recordings.check()?;
        self.storage.check()?;
        self.mail.check(&self.http)?;
        self.instance.check()?;
        self.oidc.check()?;
        self.accounts.check(&self.mail)?;
        self.hooks.check()?;
        self.payments.check()?;
        self.limits.check()?;
        self.telemetry.check()?;
        self.turn.check(self.has_certificate())?;
        self.ice.check()
    }

    /// Whether there is a certificate, or will be.
    #[must_use]
    pub fn has_certificate(&self) -> bool {
        self.tls.is_set() || self.server.has_acme()
    }

    /// Who has a name is found by it over TLS, the authority as well as browsers.
    fn check_name(&self) -> Result<(), ConfigError> {
        let has_name = !self.server.domain.is_empty();
        if has_name && self.http.tls_address().is_none() {
            let words = "server.domain needs HTTPS: leave it out for \"0.0.0.0:443\"";
            return Err(invalid("http.tls_listen", words));
        }
        let is_secure = self.http.public_url.starts_with("https://");
        match has_name && !is_secure {
            true => Err(invalid(
                "http.public_url",
                "with server.domain it begins with https://: leave it out",
            )),
            false => Ok(()),
        }
    }

    /// HTTPS and RTMPS both look like TLS, so that one port for the two is an easy mistake.
    fn check_ports(&self) -> Result<(), ConfigError> {
        match (self.http.tls_address(), self.rtmp.tls_address()) {
            (Some(https), Some(rtmps)) if https == rtmps && https.port() != 0 => Err(invalid(
                "http.tls_listen",
                "HTTPS needs a port of its own: rtmp.tls_listen has the same",
            )),
            _ => Ok(()),
        }
    }

    /// A copy whose passwords and credentials are replaced by `(hidden)`.
    #[must_use]
    pub fn without_secrets(&self) -> Self {
        let mut shown = self.clone();
        shown.database.hide_password();
        shown.bus.hide_password();
        shown.ice.hide_credentials();
        shown.turn.hide_secret();
        shown.storage.hide_secret();
        shown.hooks.hide_secret();
        shown.payments.hide_secrets();
        shown.mail.hide_password();
        shown.oidc.hide_secrets();
        shown
    }
}

/// Stands where a secret would be printed.
pub(crate) const HIDDEN: &str = "(hidden)";

/// What stands for no address, beside nothing.
const OFF: &str = "off";

/// Refuses what is neither an address with a port nor nothing.
fn check_address(key: &str, text: &str, example: &str) -> Result<(), ConfigError> {
    let text = text.trim();
    match matches!(text, "" | OFF) || text.parse::<SocketAddr>().is_ok() {
        true => Ok(()),
        false => Err(invalid(
            key,
            format!("it must be an address and a port, such as \"{example}\", or \"off\""),
        )),
    }
}

/// Says that a well-formed value cannot work.
pub(crate) fn invalid(key: &str, problem: impl Into<String>) -> ConfigError {
    ConfigError::Invalid {
        key: key.to_owned(),
        problem: problem.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_holds_every_key_at_its_default() {
        let example: Config = toml::from_str(EXAMPLE).expect("the example parses");
        assert_eq!(example, Config::default());
        for key in load::known_keys() {
            let last = key.rsplit('.').next().unwrap();
            assert!(EXAMPLE.contains(last), "the example lacks {key}");
        }
    }

    #[test]
    fn secrets_are_hidden() {
        let mut config = Config::default();
        config.database.url = "postgres://tally:hush@db.example/tally".to_owned();
        config.bus.url = "redis://:hush@redis.example".to_owned();
        config.ice.servers.push(IceServer {
            urls: vec!["turn:turn.example:3478".to_owned()],
            username: "u".to_owned(),
            credential: "hush".to_owned(),
        });
        config.turn.secret = "hush".to_owned();
        config.storage.secret_key = "hush".to_owned();
        config.hooks.secret = "hush".to_owned();
        config.payments.secret_key = "sk_test_hush".to_owned();
        config.payments.webhook_secrets = vec!["whsec_hush".to_owned()];
        config.mail.password = "hush".to_owned();
        config.oidc.providers.push(OidcProvider {
            client_secret: "hush".to_owned(),
            ..OidcProvider::default()
        });
        let text = toml::to_string(&config.without_secrets()).unwrap();
        assert!(!text.contains("hush"), "{text}");
        assert!(text.contains("db.example/tally"), "{text}");
    }
}
