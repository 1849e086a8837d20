//! `/api/auth/oidc` and `/api/account/identities`.
#![allow(
    unused_qualifications,
    reason = "utoipa writes the type of a query out in full beside its handler"
)]

use axum::Json;
use axum::extract::State;
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::attempt::{Attempt, checked_next};
use super::provider::Departure;
use super::{Arrived, Oidc, OidcChoice, OidcError};
use crate::accounts::{Asker, SignedIn, Visitor, login_cookie};
use crate::error::{ApiError, Problem};
use crate::request::{ApiJson, ApiPath, ApiQuery, Client, cookie};

/// The routes of this module.
pub fn routes(oidc: Oidc) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(begin_oidc))
        .routes(routes!(finish_oidc))
        .routes(routes!(list_identities, link_identity))
        .routes(routes!(unlink_identity))
        .with_state(oidc)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct BeginQuery {
    /// Path of this site to go to afterwards.
    #[serde(default)]
    next: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct FinishQuery {
    /// Stands for the person.
    code: Option<String>,
    /// As we gave it.
    state: Option<String>,
    /// Why there is no code.
    error: Option<String>,
    /// Who says so (RFC 9207).
    iss: Option<String>,
}

/// Who the account is to providers.
#[derive(Debug, Serialize, ToSchema)]
struct IdentityList {
    items: Vec<IdentityBody>,
    /// Providers that can be linked.
    providers: Vec<OidcChoice>,
}

#[derive(Debug, Serialize, ToSchema)]
struct IdentityBody {
    id: Uuid,
    /// Name of the provider; null when it is not configured any more.
    provider: Option<String>,
    issuer: String,
    /// What the provider calls the account.
    label: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    last_used_at: Timestamp,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewIdentity {
    /// Name of the provider to link with.
    provider: String,
}

/// Where to go on.
#[derive(Debug, Serialize, ToSchema)]
struct GoOn {
    /// Address at the provider.
    url: String,
}

/// Time of the cookie.
const COOKIE_SECONDS: u32 = 600;

fn no_such_provider() -> ApiError {
    ApiError::NotFound {
        code: "provider_not_found",
        detail: "this server knows no such provider",
    }
}

fn cookie_name(is_secure: bool) -> &'static str {
    match is_secure {
        true => "__Host-tallylight-oidc",
        false => "tallylight-oidc",
    }
}

/// Lax, not Strict: the browser comes back from the provider's site.
fn attempt_cookie(value: &str, seconds: u32, client: &Client) -> HeaderValue {
    let (name, secure) = match client.is_secure() {
        true => (cookie_name(true), "; Secure"),
        false => (cookie_name(false), ""),
    };
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    let mut value = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

fn callback(client: &Client, provider: &str) -> String {
    format!("{}/api/auth/oidc/{provider}/callback", client.known_as())
}

fn see_other(location: &str, mut headers: HeaderMap) -> Response {
    let location = HeaderValue::from_str(location).unwrap_or(HeaderValue::from_static("/"));
    headers.insert(LOCATION, location);
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// The address at the provider, and the cookie that knows the sign-in again.
async fn depart(
    oidc: &Oidc,
    client: &Client,
    name: &str,
    next: &str,
    account: Option<Uuid>,
) -> Result<(String, HeaderMap), OidcError> {
    let provider = oidc
        .provider(name)
        .ok_or(OidcError::Refused(no_such_provider()))?;
    let now = oidc.0.accounts.clock.instant();
    let Departure {
        url,
        state,
        nonce,
        verifier,
    } = provider.depart(&callback(client, name), now).await?;
    let attempt = Attempt {
        provider: name.to_owned(),
        state,
        nonce,
        verifier,
        next: next.to_owned(),
        account,
        expires_at: oidc.expiry(),
    };
    let signed = oidc.0.signer.sign(&attempt);
    let cookie = attempt_cookie(&signed, COOKIE_SECONDS, client);
    Ok((url, HeaderMap::from_iter([(SET_COOKIE, cookie)])))
}

/// Sign in with a provider: leads the browser there. What does not work leads to `/login?problem=`.
#[utoipa::path(
    get, path = "/api/auth/oidc/{provider}", tag = "session",
    params(("provider" = String, Path, description = "Name of a provider"), BeginQuery),
    responses((status = 303, description = "Go on at the provider"), (status = 404, body = Problem)),
)]
async fn begin_oidc(
    State(oidc): State<Oidc>,
    client: Client,
    ApiPath(name): ApiPath<String>,
    ApiQuery(query): ApiQuery<BeginQuery>,
) -> Result<Response, ApiError> {
    let next = checked_next(&query.next).unwrap_or("/");
    match depart(&oidc, &client, &name, next, None).await {
        Ok((url, headers)) => Ok(see_other(&url, headers)),
        Err(OidcError::Refused(error)) => Err(error),
        Err(error) => {
            tracing::warn!("A sign-in by {name} did not begin: {error}");
            let login = format!("/login?problem={}", error.code());
            Ok(see_other(&login, HeaderMap::new()))
        }
    }
}

/// Come back from a provider. Leads to the page that the sign-in began on, or says at
/// `/login?problem=` why it failed.
#[utoipa::path(
    get, path = "/api/auth/oidc/{provider}/callback", tag = "session",
    params(("provider" = String, Path, description = "Name of a provider"), FinishQuery),
    responses((status = 303, description = "Go on on this site")),
)]
async fn finish_oidc(
    State(oidc): State<Oidc>,
    client: Client,
    visitor: Visitor,
    asker: Asker,
    headers: HeaderMap,
    ApiPath(name): ApiPath<String>,
    ApiQuery(query): ApiQuery<FinishQuery>,
) -> Response {
    let now = oidc.0.accounts.clock.now();
    let kept = cookie(&headers, cookie_name(client.is_secure()));
    let attempt = kept.and_then(|text| oidc.0.signer.read(text, now));
    let is_linking = attempt.as_ref().is_some_and(|a| a.account.is_some());
    let arrived = arrive(
        &oidc,
        &client,
        &visitor,
        &asker,
        &name,
        attempt.clone(),
        query,
    )
    .await;
    // Whatever came of it, the cookie has done its work.
    let mut headers = HeaderMap::new();
    headers.append(SET_COOKIE, attempt_cookie("", 0, &client));
    let next = attempt.map_or_else(|| "/".to_owned(), |attempt| attempt.next);
    match arrived {
        Ok(Arrived::In(token)) => {
            if let Some(old) = asker.token
                && let Err(error) = oidc.0.accounts.sign_out(&old).await
            {
                crate::error::log_store_error(&error);
            }
            headers.extend(login_cookie(&token, client.is_secure()).map(|c| (SET_COOKIE, c)));
            see_other(&next, headers)
        }
        // Behind the #, so that it reaches no log.
        Ok(Arrived::CodeNeeded(ticket)) => {
            see_other(&format!("/login#challenge={}", ticket.reveal()), headers)
        }
        Ok(Arrived::Linked) => see_other(&next, headers),
        Err(error) => {
            tracing::warn!("A sign-in by {name} failed: {error}");
            let page = match is_linking {
                true => "/settings/security",
                false => "/login",
            };
            see_other(&format!("{page}?problem={}", error.code()), headers)
        }
    }
}

async fn arrive(
    oidc: &Oidc,
    client: &Client,
    visitor: &Visitor,
    asker: &Asker,
    name: &str,
    attempt: Option<Attempt>,
    query: FinishQuery,
) -> Result<Arrived, OidcError> {
    let accounts = &oidc.0.accounts;
    let attempt = attempt.filter(|attempt| attempt.provider == name);
    let (Some(attempt), Some(state)) = (attempt, query.state) else {
        return Err(OidcError::Over);
    };
    let is_ours = crate::secret::same(&attempt.state, &state);
    if !is_ours || !oidc.spend(&attempt, accounts.clock.now()) {
        return Err(OidcError::Over);
    }
    // Who links must still be who asked for that.
    let asking = asker.account.as_ref().map(|account| account.id.0);
    if attempt.account.is_some() && attempt.account != asking {
        return Err(OidcError::Over);
    }
    let provider = oidc.provider(name).ok_or(OidcError::Over)?;
    let is_other = query.iss.is_some_and(|iss| iss != provider.config.issuer);
    let code = match (query.code, query.error) {
        (Some(code), None) if !is_other => code,
        (_, Some(error)) => {
            let plain = error.chars().filter(char::is_ascii_graphic).take(60);
            return Err(OidcError::Denied(plain.collect()));
        }
        _ => return Err(OidcError::Over),
    };
    let (verifier, nonce) = (attempt.verifier.clone(), attempt.nonce.clone());
    let (redirect, now) = (callback(client, name), accounts.clock.instant());
    let person = provider
        .redeem(code, verifier, nonce, &redirect, now)
        .await?;
    oidc.arrive(provider, &person, &attempt, visitor).await
}

/// Who the own account is to providers.
#[utoipa::path(
    get, path = "/api/account/identities", tag = "account",
    responses((status = 200, body = IdentityList), (status = 401, body = Problem)),
)]
async fn list_identities(
    State(oidc): State<Oidc>,
    SignedIn(account): SignedIn,
) -> Result<Json<IdentityList>, ApiError> {
    let identities = oidc.identities(account.id).await?.into_iter();
    let items = identities.map(|identity| IdentityBody {
        id: identity.id,
        provider: oidc.name_of(&identity.issuer).map(str::to_owned),
        issuer: identity.issuer,
        label: identity.label,
        created_at: identity.created_at,
        last_used_at: identity.last_used_at,
    });
    Ok(Json(IdentityList {
        items: items.collect(),
        providers: oidc.choices(),
    }))
}

/// Link the own account with one at a provider: the browser goes on at the address in the answer.
#[utoipa::path(
    post, path = "/api/account/identities", tag = "account", request_body = NewIdentity,
    responses(
        (status = 200, body = GoOn), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem),
    ),
)]
async fn link_identity(
    State(oidc): State<Oidc>,
    client: Client,
    SignedIn(account): SignedIn,
    ApiJson(wish): ApiJson<NewIdentity>,
) -> Result<(HeaderMap, Json<GoOn>), ApiError> {
    let name = wish.provider;
    let next = "/settings/security";
    match depart(&oidc, &client, &name, next, Some(account.id.0)).await {
        Ok((url, headers)) => Ok((headers, Json(GoOn { url }))),
        Err(OidcError::Refused(error)) => Err(error),
        Err(error) => {
            tracing::warn!("Linking with {name} did not begin: {error}");
            Err(ApiError::Conflict {
                code: error.code(),
                detail: "the provider does not answer; try again shortly".to_owned(),
            })
        }
    }
}

/// Let go of a link with a provider, unless it is the last way in.
#[utoipa::path(
    delete, path = "/api/account/identities/{id}", tag = "account",
    params(("id" = Uuid, Path, description = "Id of the link")),
    responses(
        (status = 204), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem),
    ),
)]
async fn unlink_identity(
    State(oidc): State<Oidc>,
    SignedIn(account): SignedIn,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<StatusCode, ApiError> {
    oidc.unlink(&account, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
