//! A certificate from an authority that gives them by itself (ACME, RFC 8555), and a new one in time.
//!
//! Whose the name is is proved within TLS (TLS-ALPN-01, RFC 8737) or over plain HTTP (HTTP-01, RFC 8555 §8.3); what
//! fails by one way is tried by the other. What the authority gives lies in the data folder.

mod folder;
mod order;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use instant_acme::{Account, AccountBuilder, NewAccount};
use tokio::time::timeout;

use super::CertificateError;
use super::files::Pair;
use super::shown::Shown;
use crate::clock::Clock;
use crate::config::Server;

use folder::Folder;
use order::Proof;

use crate::telemetry::with_causes;

/// Gets the certificate of one name.
pub(super) struct Acme {
    domain: String,
    email: String,
    directory: String,
    root: Option<PathBuf>,
    folder: Folder,
    /// Attempts that failed since one did not.
    failures: usize,
    /// When it may be tried again.
    next: Option<Instant>,
}

impl std::fmt::Debug for Acme {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acme")
            .field("domain", &self.domain)
            .finish_non_exhaustive()
    }
}

/// Why an authority gave no certificate. The text says what to do.
#[derive(Debug, thiserror::Error)]
enum AcmeError {
    /// It cannot be reached, or says no.
    #[error("{}", with_causes(.0))]
    Authority(#[from] instant_acme::Error),
    /// It did not find us under the name.
    #[error(
        "the authority did not find this server at {domain}{said}: the name must lead to this machine (A and AAAA \
         records), and port {port} must reach it"
    )]
    NotFound {
        domain: String,
        port: u16,
        said: String,
    },
    /// It wants a proof that we cannot give.
    #[error(
        "the authority wants neither TLS-ALPN-01 nor HTTP-01 as a proof, which is all that this server can give"
    )]
    NoProof,
    /// It took too long.
    #[error("the authority did not finish in time")]
    Late,
    /// What it gave cannot be used.
    #[error("what the authority gave cannot be used: {0}")]
    Unusable(#[from] CertificateError),
    /// A key cannot be made.
    #[error("cannot make a key: {0}")]
    Key(#[from] rcgen::Error),
}

impl AcmeError {
    /// Whether the authority does not know us any more (RFC 8555 §6.7).
    fn is_of_account(&self) -> bool {
        let Self::Authority(instant_acme::Error::Api(problem)) = self else {
            return false;
        };
        let kind = problem.r#type.as_deref().unwrap_or_default();
        kind.ends_with(":accountDoesNotExist") || kind.ends_with(":unauthorized")
    }
}

/// After how many failures what time passes: authorities take five of a name in an hour.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(60 * 60),
    Duration::from_secs(6 * 60 * 60),
];
/// After a certificate came.
const REST: Duration = Duration::from_secs(60 * 60);
/// An order from its first word to the certificate.
const ORDER_WITHIN: Duration = Duration::from_secs(180);

impl Acme {
    pub(super) fn new(server: &Server, data: &Path) -> Self {
        let root = &server.acme_root;
        Self {
            domain: server.domain.clone(),
            email: server.acme_email.clone(),
            directory: server.acme_directory.clone(),
            root: (!root.as_os_str().is_empty()).then(|| root.clone()),
            folder: Folder::new(data, &server.acme_directory, &server.domain),
            failures: 0,
            next: None,
        }
    }

    /// The certificate that was given before, where it can be used.
    pub(super) async fn kept(&self) -> Option<Pair> {
        let kept = match self.folder.certificate().await {
            Ok(kept) => kept,
            Err(error) => {
                tracing::warn!(%error, "The certificate that was kept cannot be used, another is asked for: {error}");
                None
            }
        };
        kept.filter(|kept| kept.is_for(&self.domain))
    }

    /// Asks for a certificate when one is wanted, and shows it.
    pub(super) async fn look(&mut self, shown: &Shown, clock: &Clock) {
        let validity = shown.standing().validity;
        let is_good = validity.is_some_and(|validity| clock.now() < validity.renew_at());
        if is_good || self.next.is_some_and(|next| clock.instant() < next) {
            return;
        }
        match self.obtain(shown).await {
            Ok(pair) => {
                shown.show(&pair);
                // A certificate that is old as soon as it comes must not be asked for without end.
                (self.failures, self.next) = (0, Some(clock.instant() + REST));
                tracing::info!("There is a new certificate for {}", self.domain);
            }
            Err(error) => {
                if error.is_of_account() {
                    self.folder.forget_account().await;
                }
                self.put_off(&error, shown, clock);
            }
        }
        shown.forget_proofs();
    }

    fn put_off(&mut self, error: &AcmeError, shown: &Shown, clock: &Clock) {
        let at = self.failures.min(PAUSES.len() - 1);
        let pause = PAUSES.get(at).copied().unwrap_or(ORDER_WITHIN);
        self.failures += 1;
        self.next = Some(clock.instant() + pause);
        let seconds = pause.as_secs();
        let words = format!("No certificate for {}: {error}", self.domain);
        shown.complain(&words);
        tracing::warn!(%error, "{words}. It is tried again in {seconds} s");
    }

    async fn obtain(&self, shown: &Shown) -> Result<Pair, AcmeError> {
        let first = match self.failures % 2 {
            0 => Proof::WithinTls,
            _ => Proof::OverHttp,
        };
        let ordering = async {
            let account = self.account().await?;
            order::certificate(&account, &self.domain, first, shown).await
        };
        // Boxed: what it is made of is large.
        let given = timeout(ORDER_WITHIN, Box::pin(ordering)).await;
        let given = given.map_err(|_| AcmeError::Late)??;
        let pair = self.folder.read(&given)?;
        // Shown in any case: authorities give few of one name.
        if let Err(error) = self.folder.keep_certificate(&given).await {
            tracing::error!(%error, "The new certificate is lost with the next restart: {error}");
        }
        Ok(pair)
    }

    /// The account of before, else a new one.
    async fn account(&self) -> Result<Account, AcmeError> {
        if let Some(credentials) = self.folder.account().await {
            match self.builder()?.from_credentials(credentials).await {
                Ok(account) => return Ok(account),
                Err(error) => tracing::debug!(%error, "The account that was kept is no good"),
            }
        }
        let contact = format!("mailto:{}", self.email);
        let wish = NewAccount {
            contact: &[&contact],
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let directory = self.directory.clone();
        let (account, credentials) = self.builder()?.create(&wish, directory, None).await?;
        if let Err(error) = self.folder.keep_account(&credentials).await {
            tracing::warn!(%error, "The account with the authority is not kept: {error}");
        }
        Ok(account)
    }

    fn builder(&self) -> Result<AccountBuilder, instant_acme::Error> {
        super::choose_provider();
        match &self.root {
            Some(root) => Account::builder_with_root(root),
            None => Account::builder(),
        }
    }
}
