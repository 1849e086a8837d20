//! `/api/auth`, `/api/session` and `/api/setup`: signing up, in and out, and the first account with its
//! first channel.
//!
//! It stands above `accounts/` and `channels/` because its answers hold both.

mod auth;

use axum::Json;
use axum::extract::{FromRef, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::accounts::{Account, Accounts, Role, SignedIn, Visitor, login_cookie};
use crate::channels::{Channel, Channels};
use crate::error::{ApiError, Problem};
use crate::request::{ApiJson, Client};
use crate::secret::Secret;

#[derive(Clone, FromRef)]
struct Services {
    accounts: Accounts,
    channels: Channels,
}

/// The routes of this module.
pub fn routes(accounts: Accounts, channels: Channels) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(setup_state, set_up))
        .routes(routes!(session))
        .merge(auth::routes())
        .with_state(Services { accounts, channels })
}

#[derive(Debug, Serialize, ToSchema)]
struct SetupState {
    /// Whether there is no account yet.
    needed: bool,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Setup {
    /// From the link that the server printed.
    token: String,
    /// Name to sign in with, and of the channel.
    name: String,
    /// At least 8 characters.
    password: String,
    /// Handle of the first channel.
    handle: String,
}

/// Who is signed in, and their channels.
#[derive(Debug, Serialize, ToSchema)]
struct Session {
    account: SessionAccount,
    channels: Vec<SessionChannel>,
}

#[derive(Debug, Serialize, ToSchema)]
struct SessionAccount {
    id: Uuid,
    name: String,
    role: Role,
    /// The id of its picture.
    avatar: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct SessionChannel {
    handle: String,
    name: String,
    /// Whether its streams are recorded.
    record: bool,
}

impl Session {
    fn new(account: Account, channels: Vec<Channel>) -> Self {
        let channels = channels.into_iter().map(|channel| SessionChannel {
            handle: channel.handle,
            name: channel.name,
            record: channel.record,
        });
        Self {
            account: SessionAccount {
                id: account.id.0,
                name: account.name,
                role: account.role,
                avatar: account.avatar,
            },
            channels: channels.collect(),
        }
    }
}

/// Whether the server waits for its first account.
#[utoipa::path(
    get, path = "/api/setup", tag = "session", responses((status = 200, body = SetupState)),
)]
async fn setup_state(State(accounts): State<Accounts>) -> Result<Json<SetupState>, ApiError> {
    let needed = accounts.is_setup_needed().await?;
    Ok(Json(SetupState { needed }))
}

/// Make the first account, an admin, and its channel, and sign in.
#[utoipa::path(
    post, path = "/api/setup", tag = "session", request_body = Setup,
    responses(
        (status = 201, body = Session),
        (status = 403, body = Problem), (status = 422, body = Problem),
    ),
)]
async fn set_up(
    State(accounts): State<Accounts>,
    State(channels): State<Channels>,
    client: Client,
    visitor: Visitor,
    ApiJson(setup): ApiJson<Setup>,
) -> Result<(StatusCode, HeaderMap, Json<Session>), ApiError> {
    let token = Secret::new(setup.token);
    let password = Secret::new(setup.password);
    let first = async {
        let (account, hash) = accounts
            .prepare(&setup.name, &password, Role::Admin)
            .await?;
        let mut tx = accounts.begin().await?;
        Accounts::insert(&mut tx, &account, &hash).await?;
        let channel = channels
            .insert(&mut tx, &account, &setup.handle, &account.name)
            .await?;
        tx.commit().await?;
        Ok((account, channel))
    };
    let (account, channel) = accounts.spend_setup_token(&token, first).await?;
    tracing::info!(account.id = %account.id, "The first account was made");
    let login = accounts.open_login(&account, &visitor).await?;
    let headers = cookie_header(login_cookie(&login, client.is_secure()));
    let body = Session::new(account, vec![channel]);
    Ok((StatusCode::CREATED, headers, Json(body)))
}

/// Who is signed in.
#[utoipa::path(
    get, path = "/api/session", tag = "session",
    responses((status = 200, body = Session), (status = 401, body = Problem)),
)]
async fn session(
    State(channels): State<Channels>,
    SignedIn(account): SignedIn,
) -> Result<Json<Session>, ApiError> {
    let owned = channels.owned_by(account.id).await?;
    Ok(Json(Session::new(account, owned)))
}

fn cookie_header(cookie: Option<axum::http::HeaderValue>) -> HeaderMap {
    cookie
        .map(|cookie| (SET_COOKIE, cookie))
        .into_iter()
        .collect()
}
