//! Who is asking: the cookie, read once a request and carried in its extensions.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{Account, Accounts, LOGIN_LIFETIME};
use crate::db::StoreError;
use crate::error::ApiError;
use crate::request::{Client, cookie};
use crate::secret::Secret;

/// Whoever sent the request.
#[derive(Debug, Clone, Default)]
pub struct Asker {
    /// The account that is signed in.
    pub account: Option<Account>,
    /// The token it is signed in by.
    pub token: Option<Secret>,
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

/// The account that a request comes from, where the middleware did not look.
///
/// # Errors
/// When the database fails.
pub async fn asking(
    accounts: &Accounts,
    client: &Client,
    headers: &HeaderMap,
) -> Result<Option<Account>, StoreError> {
    match token(client, headers) {
        Some(token) => accounts.signed_in(&token).await,
        None => Ok(None),
    }
}

fn token(client: &Client, headers: &HeaderMap) -> Option<Secret> {
    cookie(headers, cookie_name(client.is_secure())).map(Secret::new)
}

/// Middleware: puts the [`Asker`] into the request's extensions. Without a cookie it costs nothing.
pub async fn identify(
    State(accounts): State<Accounts>,
    client: Client,
    mut request: Request,
    next: Next,
) -> Response {
    let token = token(&client, request.headers());
    let account = match &token {
        Some(token) => match accounts.signed_in(token).await {
            Ok(account) => account,
            Err(error) => return ApiError::from(error).into_response(),
        },
        None => None,
    };
    request.extensions_mut().insert(Asker { account, token });
    next.run(request).await
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
