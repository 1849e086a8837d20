//! Who is asking: the cookie or the personal token, read once a request and carried in its extensions.

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::scope::{Need, Scope, need};
use super::{Account, Accounts, LOGIN_LIFETIME, LoginId, Visitor};
use crate::db::StoreError;
use crate::error::ApiError;
use crate::request::{ByToken, Client, cookie};
use crate::secret::Secret;

/// Whoever sent the request.
#[derive(Debug, Clone, Default)]
pub struct Asker {
    /// The account that is signed in.
    pub account: Option<Account>,
    /// The token of the login, where it is one.
    pub token: Option<Secret>,
    /// The login.
    pub login: Option<LoginId>,
    /// What it may do, where a personal token asks.
    pub scopes: Option<Vec<Scope>>,
}

impl Asker {
    /// Whether a route that needs one scope may do what needs this one as well. People may.
    #[must_use]
    pub fn has_scope(&self, scope: Scope) -> bool {
        let scopes = self.scopes.as_ref();
        scopes.is_none_or(|scopes| scopes.contains(&scope))
    }
}

/// Whoever sent the request, who must be signed in.
#[derive(Debug, Clone)]
pub struct SignedIn(pub Account);

/// Whoever sent the request, who must be an admin.
#[derive(Debug, Clone)]
pub struct IsAdmin(pub Account);

impl<S: Sync> FromRequestParts<S> for Asker {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        parts
            .extensions
            .get()
            .cloned()
            .ok_or_else(|| ApiError::Internal("a route lacks accounts::identify".to_owned()))
    }
}

impl<S: Sync> FromRequestParts<S> for SignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let asker = Asker::from_request_parts(parts, state).await?;
        asker.account.map(Self).ok_or(ApiError::NotSignedIn)
    }
}

impl<S: Sync> FromRequestParts<S> for IsAdmin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let SignedIn(account) = SignedIn::from_request_parts(parts, state).await?;
        match account.is_admin() {
            true => Ok(Self(account)),
            false => Err(ApiError::Forbidden(
                "only admins of this server may do that",
            )),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let client = Client::from_request_parts(parts, state).await?;
        let user_agent = parts.headers.get(USER_AGENT);
        let user_agent = user_agent.and_then(|value| value.to_str().ok());
        Ok(Self {
            address: Some(client.address),
            user_agent: user_agent.unwrap_or_default().to_owned(),
        })
    }
}

/// The account that a request comes from by its cookie, where the middleware did not look.
///
/// # Errors
/// When the database fails.
pub async fn asking(
    accounts: &Accounts,
    client: &Client,
    headers: &HeaderMap,
) -> Result<Option<Account>, StoreError> {
    match cookie_token(client, headers) {
        Some(token) => Ok(accounts.signed_in(&token).await?.map(|found| found.0)),
        None => Ok(None),
    }
}

fn cookie_token(client: &Client, headers: &HeaderMap) -> Option<Secret> {
    cookie(headers, cookie_name(client.is_secure())).map(Secret::new)
}

/// Middleware: puts the [`Asker`] into the request's extensions. A personal token counts before a
/// cookie, which is not looked at then. Without either it costs nothing.
pub async fn identify(
    State(accounts): State<Accounts>,
    client: Client,
    mut request: Request,
    next: Next,
) -> Response {
    let asker = match bearer(request.headers()) {
        Some(text) => {
            let matched = request.extensions().get::<MatchedPath>();
            let need = need(request.method(), matched.map_or("", MatchedPath::as_str));
            by_token(&accounts, &text, need).await
        }
        None => by_cookie(&accounts, cookie_token(&client, request.headers())).await,
    };
    match asker {
        Ok((asker, by_token)) => {
            request.extensions_mut().insert(asker);
            if by_token {
                request.extensions_mut().insert(ByToken);
            }
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

/// [`identify`] by the cookie alone, for routes where `Authorization` holds a stream key.
pub async fn identify_by_cookie(
    State(accounts): State<Accounts>,
    client: Client,
    mut request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    match by_cookie(&accounts, cookie_token(&client, headers)).await {
        Ok((asker, _)) => {
            request.extensions_mut().insert(asker);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

async fn by_cookie(accounts: &Accounts, token: Option<Secret>) -> Result<(Asker, bool), ApiError> {
    let found = match &token {
        Some(token) => accounts.signed_in(token).await?,
        None => None,
    };
    let (account, login) = found.unzip();
    let asker = Asker {
        account,
        token,
        login,
        scopes: None,
    };
    Ok((asker, false))
}

async fn by_token(
    accounts: &Accounts,
    text: &Secret,
    need: Need,
) -> Result<(Asker, bool), ApiError> {
    let (account, scopes) = accounts.by_token(text).await?;
    require_scope(need, &scopes)?;
    let asker = Asker {
        account: Some(account),
        scopes: Some(scopes),
        ..Asker::default()
    };
    Ok((asker, true))
}

fn require_scope(need: Need, scopes: &[Scope]) -> Result<(), ApiError> {
    match need {
        Need::Nothing => Ok(()),
        Need::Scope(scope) if scopes.contains(&scope) => Ok(()),
        Need::Scope(scope) => Err(ApiError::Denied {
            code: "scope_missing",
            detail: format!("this token lacks the scope {scope}"),
        }),
        Need::Never => Err(ApiError::Denied {
            code: "token_refused",
            detail: "no token may do this; sign in on a page of this server".to_owned(),
        }),
    }
}

/// The personal token that a request brings along.
///
/// RFC 6750 §2.1; the scheme is read in any case (RFC 9110 §11.1).
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, text) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| Secret::new(text.trim()))
}

/// `Set-Cookie` of a new login.
#[must_use]
pub fn login_cookie(token: &Secret, secure: bool) -> Option<HeaderValue> {
    set_cookie(token.reveal(), LOGIN_LIFETIME.as_secs(), secure)
}

/// `Set-Cookie` that removes the login.
#[must_use]
pub fn clear_cookie(secure: bool) -> Option<HeaderValue> {
    set_cookie("", 0, secure)
}

fn set_cookie(value: &str, max_age: u64, secure: bool) -> Option<HeaderValue> {
    let name = cookie_name(secure);
    let secure = if secure { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}");
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The prefix `__Host-` binds a cookie to this host, yet browsers take it over TLS only.
fn cookie_name(secure: bool) -> &'static str {
    if secure {
        "__Host-tallylight"
    } else {
        "tallylight"
    }
}
