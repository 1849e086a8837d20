//! One provider: what it says about itself, its codes and its ID tokens. The crate checks signature,
//! issuer, audience, expiry and nonce of a token.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreIdTokenClaims,
    CoreProviderMetadata,
};
use openidconnect::{
    AccessTokenHash, AsyncHttpClient, AuthType, AuthorizationCode, ClaimsVerificationError,
    ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse, IssuerUrl, Nonce,
    OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError,
    Scope, TokenResponse as _,
};
use reqwest::redirect::Policy;
use tokio::sync::Mutex;

use crate::config::OidcProvider;

/// A provider and what it said about itself.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) config: OidcProvider,
    http: Http,
    /// One asks at a time; the others wait for the answer.
    known: Mutex<Option<(Instant, Arc<CoreProviderMetadata>)>>,
}

/// Whom a provider has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    /// Stays the same for ever, within the issuer.
    pub(super) subject: String,
    /// What they would like to be called.
    pub(super) name: Option<String>,
    /// An address that the provider has seen confirmed.
    pub(super) confirmed_email: Option<String>,
}

impl Person {
    /// What their owner knows the link by.
    pub(super) fn label(&self) -> String {
        let label = self.name.as_deref().unwrap_or(&self.subject);
        let visible = label.chars().filter(|c| !c.is_control());
        visible.take(100).collect()
    }
}

/// Why a provider showed nobody. The text is for the log; it holds no codes and no tokens.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProviderError {
    #[error("cannot reach the provider {0}")]
    Unreachable(String),
    #[error("the provider did not take the code: {0}")]
    Code(String),
    #[error("the provider's ID token was refused: {0}")]
    Token(String),
}

/// What begins a sign-in.
pub(super) struct Departure {
    pub(super) url: String,
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
}

/// What a provider says about itself holds for so long.
const KNOWN_FOR: Duration = Duration::from_secs(3_600);
/// Keys that a token does not fit are read again, unless they are as fresh as this.
const FRESH_FOR: Duration = Duration::from_secs(10);
/// From the first packet to the last byte.
const WITHIN: Duration = Duration::from_secs(5);
/// What is read of an answer.
const MOST_READ: usize = 512 * 1024;

#[derive(Debug, thiserror::Error)]
enum HttpError {
    #[error(transparent)]
    Failed(#[from] reqwest::Error),
    #[error("the answer is too long")]
    TooLong,
    #[error("this server has no HTTP client")]
    NoClient,
    #[error(transparent)]
    Malformed(#[from] openidconnect::http::Error),
}

/// Our HTTP client, as the crate wants one.
#[derive(Debug)]
struct Http(Option<reqwest::Client>);

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.ask(request))
    }
}

impl Http {
    async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let http = self.0.as_ref().ok_or(HttpError::NoClient)?;
        let mut response = http.execute(request.try_into()?).await?;
        let mut built = openidconnect::http::Response::builder().status(response.status());
        for (name, value) in response.headers() {
            built = built.header(name, value);
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > MOST_READ {
                return Err(HttpError::TooLong);
            }
        }
        Ok(built.body(body)?)
    }
}

impl Provider {
    pub(super) fn new(config: OidcProvider) -> Self {
        let http = reqwest::Client::builder()
            .user_agent(concat!("Tallylight/", env!("CARGO_PKG_VERSION")))
            // A redirect could lead the server to what only the server can reach.
            .redirect(Policy::none())
            .connect_timeout(WITHIN)
            .timeout(WITHIN)
            .build();
        let http = http
            .inspect_err(|error| tracing::error!("Signing in by providers is off: {error}"))
            .ok();
        Self {
            config,
            http: Http(http),
            known: Mutex::default(),
        }
    }

    /// What the provider says about itself, not older than that.
    async fn metadata(
        &self,
        now: Instant,
        not_older: Duration,
    ) -> Result<Arc<CoreProviderMetadata>, ProviderError> {
        let mut known = self.known.lock().await;
        if let Some((at, metadata)) = &*known
            && now.saturating_duration_since(*at) < not_older
        {
            return Ok(Arc::clone(metadata));
        }
        match self.discover().await {
            Ok(metadata) => {
                let metadata = Arc::new(metadata);
                *known = Some((now, Arc::clone(&metadata)));
                Ok(metadata)
            }
            // What it said before may still hold.
            Err(error) => match &*known {
                Some((_, metadata)) => Ok(Arc::clone(metadata)),
                None => Err(error),
            },
        }
    }

    async fn discover(&self) -> Result<CoreProviderMetadata, ProviderError> {
        let failed =
            |error: String| ProviderError::Unreachable(format!("{}: {error}", self.config.name));
        let mut last = String::new();
        // A lost packet is no reason to send somebody away.
        for _ in 0..2 {
            let issuer = IssuerUrl::new(self.config.issuer.clone());
            let issuer = issuer.map_err(|error| failed(error.to_string()))?;
            match CoreProviderMetadata::discover_async(issuer, &self.http).await {
                Ok(metadata) => return Ok(metadata),
                Err(error) => last = in_words(&error),
            }
        }
        Err(failed(last))
    }

    /// Where to send the browser.
    pub(super) async fn depart(
        &self,
        redirect: &str,
        now: Instant,
    ) -> Result<Departure, ProviderError> {
        let metadata = self.metadata(now, KNOWN_FOR).await?;
        let client = CoreClient::from_provider_metadata(
            (*metadata).clone(),
            ClientId::new(self.config.client_id.clone()),
            None,
        )
        .set_redirect_uri(redirect_url(redirect)?);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let scopes = self.config.scopes.iter().cloned().map(Scope::new);
        let (url, state, nonce) = client
            .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
            .add_scopes(scopes)
            .set_pkce_challenge(challenge)
            .url();
        Ok(Departure {
            url: url.to_string(),
            state: state.into_secret(),
            nonce: nonce.secret().clone(),
            verifier: verifier.into_secret(),
        })
    }

    /// Whom a code stands for.
    pub(super) async fn redeem(
        &self,
        code: String,
        verifier: String,
        nonce: String,
        redirect: &str,
        now: Instant,
    ) -> Result<Person, ProviderError> {
        let metadata = self.metadata(now, KNOWN_FOR).await?;
        let secret = Some(self.config.client_secret.clone()).filter(|secret| !secret.is_empty());
        let client = |metadata: &CoreProviderMetadata| {
            CoreClient::from_provider_metadata(
                metadata.clone(),
                ClientId::new(self.config.client_id.clone()),
                secret.clone().map(ClientSecret::new),
            )
        };
        let asking = client(&metadata)
            .set_redirect_uri(redirect_url(redirect)?)
            .set_auth_type(auth_type(&metadata));
        let request = asking
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| ProviderError::Code(error.to_string()))?
            .set_pkce_verifier(PkceCodeVerifier::new(verifier));
        let answer = request.request_async(&self.http).await;
        let answer = answer.map_err(|error| self.not_taken(&error))?;
        let refused = |error: String| ProviderError::Token(error);
        let id_token = answer
            .id_token()
            .ok_or_else(|| refused("there is none".to_owned()))?;
        let nonce = Nonce::new(nonce);
        let first = client(&metadata);
        let mut claims = id_token.claims(&first.id_token_verifier(), &nonce).cloned();
        let mut checking = first.clone();
        if let Err(ClaimsVerificationError::SignatureVerification(_)) = claims {
            // The provider may have changed its keys.
            checking = client(&*self.metadata(now, FRESH_FOR).await?);
            claims = id_token
                .claims(&checking.id_token_verifier(), &nonce)
                .cloned();
        }
        let claims = claims.map_err(|error| refused(error.to_string()))?;
        if let Some(expected) = claims.access_token_hash() {
            let verifier = checking.id_token_verifier();
            let found = id_token
                .signing_alg()
                .map_err(|error| error.to_string())
                .and_then(|alg| {
                    let key = id_token.signing_key(&verifier);
                    let key = key.map_err(|error| error.to_string())?;
                    AccessTokenHash::from_token(answer.access_token(), alg, key)
                        .map_err(|error| error.to_string())
                })
                .map_err(refused)?;
            if found != *expected {
                return Err(refused("it belongs to another access token".to_owned()));
            }
        }
        Ok(person(&claims))
    }

    fn not_taken<E, T>(&self, error: &RequestTokenError<E, T>) -> ProviderError
    where
        E: std::error::Error + 'static,
        T: openidconnect::ErrorResponse + 'static,
    {
        match error {
            RequestTokenError::Request(error) => {
                ProviderError::Unreachable(format!("{}: {}", self.config.name, in_words(error)))
            }
            RequestTokenError::ServerResponse(said) => {
                let said: String = said.to_string().chars().take(200).collect();
                ProviderError::Code(said)
            }
            // A body that cannot be read may hold a token: it stays out of the log.
            RequestTokenError::Parse(..) => {
                ProviderError::Code("its answer cannot be read".to_owned())
            }
            RequestTokenError::Other(error) => ProviderError::Code(error.clone()),
        }
    }
}

fn redirect_url(text: &str) -> Result<RedirectUrl, ProviderError> {
    RedirectUrl::new(text.to_owned()).map_err(|error| ProviderError::Code(error.to_string()))
}

/// How we say who we are at the token endpoint: as the specification has it, unless the provider knows
/// the other way alone.
fn auth_type(metadata: &CoreProviderMetadata) -> AuthType {
    let ways = metadata.token_endpoint_auth_methods_supported();
    let takes = |way| ways.is_none_or(|ways| ways.contains(&way));
    match takes(CoreClientAuthMethod::ClientSecretBasic) {
        true => AuthType::BasicAuth,
        false => AuthType::RequestBody,
    }
}

fn person(claims: &CoreIdTokenClaims) -> Person {
    let plain = |text: Option<&str>| text.map(str::to_owned);
    let name = claims
        .preferred_username()
        .map(|name| name.as_str().to_owned())
        .or_else(|| plain(claims.name()?.get(None).map(|name| name.as_str())))
        .or_else(|| plain(claims.nickname()?.get(None).map(|name| name.as_str())));
    let email = claims.email().map(|email| email.as_str().to_owned());
    Person {
        subject: claims.subject().as_str().to_owned(),
        name,
        confirmed_email: email.filter(|_| claims.email_verified() == Some(true)),
    }
}

/// An error with its causes, in one line.
fn in_words(error: &(dyn std::error::Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}
