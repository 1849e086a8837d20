//! The server's certificate: where it comes from, who is shown it, and that it is good.
//!
//! It comes from files ([`files`]) or from a certificate authority ([`acme`]); a [`Keeper`] watches over it. HTTPS,
//! RTMPS and TURN all show the one of [`Certificates`], which changes under them without their noticing: what cannot
//! be used changes nothing but the log. This opens no port.

mod acme;
mod files;
mod keeper;
mod shown;
mod validity;

use std::sync::Arc;

use jiff::Timestamp;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};

use crate::clock::Clock;
use crate::config::{self, Config};

pub use files::CertificateError;
pub use keeper::Keeper;
pub use validity::Validity;

use acme::Acme;
use files::Files;
use keeper::Source;
use shown::Shown;

/// What is spoken within TLS, as it is negotiated (RFC 7301), the best first. None: nothing is.
pub type Protocols = &'static [&'static [u8]];

/// Protocols of HTTPS (RFC 9113 §3.2), and the one by which a certificate authority finds out whose the name is.
pub const HTTP: Protocols = &[HTTP_2, b"http/1.1", ACME, STUN_TURN];
/// Name of HTTP/2.
pub const HTTP_2: &[u8] = b"h2";
/// Name of the protocol that has nothing but its handshake (RFC 8737 §6.2).
pub const ACME: &[u8] = b"acme-tls/1";
/// Name of TURN (RFC 7443 §3), which most clients leave out.
pub const STUN_TURN: &[u8] = b"stun.turn";
/// Protocols of TURN.
pub const TURN: Protocols = &[STUN_TURN];
/// Encoders that publish by RTMPS negotiate nothing.
pub const RTMP: Protocols = &[];

/// The certificate that is shown. Clones are one.
#[derive(Debug, Clone)]
pub struct Certificates {
    shown: Arc<Shown>,
}

/// How a certificate stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whether there is one.
    pub is_there: bool,
    /// From when to when it is good, where it says so.
    pub validity: Option<Validity>,
    /// Whether it is for the server's name, where it has one.
    pub is_for_us: bool,
    /// What went wrong when it was last read or asked for, in words; forgotten when it goes well.
    pub problem: Option<String>,
}

impl Certificates {
    /// The certificate of this configuration, and who watches over it. One that comes from an authority may be
    /// lacking yet; `None`: there is to be none.
    ///
    /// # Errors
    /// When its files, or what an authority gave before, cannot be read or used; the text says what to do.
    pub async fn open(
        config: &Config,
        clock: &Clock,
    ) -> Result<Option<(Self, Keeper)>, CertificateError> {
        let shown = Arc::new(Shown::of(&config.server.domain));
        let source = match (config.tls.is_set(), config.server.has_acme()) {
            (true, _) => Source::Files(Files::new(&config.tls)),
            (false, true) => Source::Acme(Acme::new(&config.server, &config.data)),
            (false, false) => return Ok(None),
        };
        let mut keeper = Keeper::new(source, Arc::clone(&shown), clock.clone());
        keeper.open().await?;
        Ok(Some((Self { shown }, keeper)))
    }

    /// How connections are accepted that speak one of these protocols: with the certificate of the moment.
    #[must_use]
    pub fn terms(&self, protocols: Protocols) -> Arc<ServerConfig> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap_or_else(|error| unreachable!("the provider knows TLS 1.2 and 1.3: {error}"))
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Shown>::clone(&self.shown));
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Arc::new(config)
    }

    /// Whether there is a certificate to be shown.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.shown.standing().is_there
    }

    /// How it stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.shown.standing()
    }

    /// What is to be said at `/.well-known/acme-challenge/{token}` (RFC 8555 §8.3), while an authority asks for it.
    #[must_use]
    pub fn answer_to(&self, token: &str) -> Option<String> {
        self.shown.answer_to(token)
    }
}

/// How the certificate of a configuration stands, without a server that runs.
///
/// # Errors
/// As [`Certificates::open`].
pub async fn look(config: &Config, clock: &Clock) -> Result<Option<Standing>, CertificateError> {
    let opened = Certificates::open(config, clock).await?;
    Ok(opened.map(|(certificates, _)| certificates.standing()))
}

/// Names what libraries use that do not choose by themselves: the tree holds two implementations of TLS. Somebody may
/// have chosen before.
pub fn choose_provider() {
    let _ = aws_lc_rs::default_provider().install_default();
}

/// Named, because the tree holds another provider as well.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

impl Standing {
    /// Whether it was good until before that time.
    #[must_use]
    pub fn is_past(&self, now: Timestamp) -> bool {
        self.validity.is_some_and(|validity| validity.until <= now)
    }
}
