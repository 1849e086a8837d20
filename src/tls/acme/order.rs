//! One order: the proof that the name is ours, a key, and the certificate for both (RFC 8555 §7.4).

use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, ChallengeHandle, ChallengeType, Error, Identifier, NewOrder,
    Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::sign::CertifiedKey;

use super::super::provider;
use super::super::shown::Shown;
use super::AcmeError;
use crate::secret::Secret;

/// How it is shown that the name is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// By a certificate in a TLS handshake on port 443 (RFC 8737).
    WithinTls,
    /// By an answer to a request on port 80 (RFC 8555 §8.3).
    OverHttp,
}

impl Proof {
    fn other(self) -> Self {
        match self {
            Self::WithinTls => Self::OverHttp,
            Self::OverHttp => Self::WithinTls,
        }
    }

    fn challenge(self) -> ChallengeType {
        match self {
            Self::WithinTls => ChallengeType::TlsAlpn01,
            Self::OverHttp => ChallengeType::Http01,
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::WithinTls => 443,
            Self::OverHttp => 80,
        }
    }
}

/// What the authority gives, and the key that it is for, both in PEM form.
pub(super) struct Given {
    pub(super) chain: String,
    pub(super) key: Secret,
}

/// How long the authority may look for us, and how often it is asked.
const PATIENCE: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(250))
    .backoff(1.5)
    .timeout(Duration::from_secs(75));

/// Orders a certificate; proves by the first way where the authority takes it, else by the other.
pub(super) async fn certificate(
    account: &Account,
    domain: &str,
    first: Proof,
    shown: &Shown,
) -> Result<Given, AcmeError> {
    let names = [Identifier::Dns(domain.to_owned())];
    let mut order = account.new_order(&NewOrder::new(&names)).await?;
    let proof = prove(&mut order, domain, first, shown).await?;
    match order.poll_ready(&PATIENCE).await {
        Ok(OrderStatus::Ready) => {}
        // An order that fails may tell why itself, its proofs tell more.
        Ok(_) | Err(Error::Api(_)) => {
            let said = why(&mut order).await.map(|said| format!(" ({said})"));
            return Err(AcmeError::NotFound {
                domain: domain.to_owned(),
                port: proof.port(),
                said: said.unwrap_or_default(),
            });
        }
        Err(error) => return Err(error.into()),
    }
    let key = KeyPair::generate()?;
    let wish = CertificateParams::new(vec![domain.to_owned()])?;
    order
        .finalize_csr(wish.serialize_request(&key)?.der())
        .await?;
    let chain = order.poll_certificate(&PATIENCE).await?;
    Ok(Given {
        chain,
        key: Secret::new(key.serialize_pem()),
    })
}

/// Puts the proof where the authority looks, and says so. It may believe us from before.
async fn prove(
    order: &mut Order,
    domain: &str,
    first: Proof,
    shown: &Shown,
) -> Result<Proof, AcmeError> {
    let mut given = first;
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let takes = |proof: &Proof| {
            let wanted = proof.challenge();
            authorization
                .challenges
                .iter()
                .any(|challenge| challenge.r#type == wanted)
        };
        let proof = [first, first.other()].into_iter().find(takes);
        given = proof.ok_or(AcmeError::NoProof)?;
        let challenge = authorization.challenge(given.challenge());
        let mut challenge = challenge.ok_or(AcmeError::NoProof)?;
        show(&challenge, given, domain, shown)?;
        challenge.set_ready().await?;
    }
    Ok(given)
}

fn show(
    challenge: &ChallengeHandle<'_>,
    proof: Proof,
    domain: &str,
    shown: &Shown,
) -> Result<(), AcmeError> {
    let authorization = challenge.key_authorization();
    match proof {
        Proof::OverHttp => shown.say(&challenge.token, authorization.as_str()),
        Proof::WithinTls => {
            shown.prove(domain, certified(domain, authorization.digest().as_ref())?)
        }
    }
    Ok(())
}

/// A certificate of our own that says that we know the authority's word (RFC 8737 §3).
fn certified(domain: &str, digest: &[u8]) -> Result<Arc<CertifiedKey>, AcmeError> {
    let key = KeyPair::generate()?;
    let mut wish = CertificateParams::new(vec![domain.to_owned()])?;
    wish.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let made = wish.self_signed(&key)?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let key = provider().key_provider.load_private_key(key.into());
    let key = key.map_err(|error| Error::Other(Box::new(error)))?;
    // Put together unseen: what TLS knows of certificates does not know the extension.
    let certified = CertifiedKey::new(vec![made.der().clone()], key);
    Ok(Arc::new(certified))
}

/// What the authority says of the proof that it did not find.
async fn why(order: &mut Order) -> Option<String> {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        // It was kept as it was before the proof.
        let Ok(state) = authorization.refresh().await else {
            continue;
        };
        let said = state.challenges.iter().find_map(|challenge| {
            let detail = challenge.error.as_ref()?.detail.as_deref()?;
            Some(
                detail
                    .chars()
                    .filter(|c| !c.is_control())
                    .take(MOST_SAID)
                    .collect(),
            )
        });
        if said.is_some() {
            return said;
        }
    }
    None
}

/// Characters of an authority's words.
const MOST_SAID: usize = 300;
