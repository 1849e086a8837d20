//! `/api/account/tokens`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::accounts::{AccessToken, Accounts, NewToken, SignedIn};
use crate::error::{ApiError, Problem};
use crate::request::{ApiJson, ApiPath};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTokenBody {
    /// 1 to 80 characters.
    name: String,
    /// What it may do, such as `channels:read`.
    scopes: Vec<String>,
    /// It works so many days; null: until it is deleted.
    days: Option<u32>,
}

/// A personal token, without its text.
#[derive(Debug, Serialize, ToSchema)]
struct TokenBody {
    id: Uuid,
    name: String,
    /// Its first characters.
    prefix: String,
    scopes: Vec<String>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct TokenWithText {
    #[serde(flatten)]
    access_token: TokenBody,
    /// The token itself, for `Authorization: Bearer …`. It is shown this once.
    token: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TokenList {
    items: Vec<TokenBody>,
}

impl From<AccessToken> for TokenBody {
    fn from(token: AccessToken) -> Self {
        Self {
            id: token.id,
            name: token.name,
            prefix: token.prefix,
            scopes: token.scopes.iter().map(ToString::to_string).collect(),
            created_at: token.created_at,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
        }
    }
}

/// The account's personal tokens, newest first.
#[utoipa::path(
    get, path = "/api/account/tokens", tag = "account",
    responses((status = 200, body = TokenList), (status = 401, body = Problem)),
)]
pub(super) async fn list_tokens(
    State(accounts): State<Accounts>,
    SignedIn(account): SignedIn,
) -> Result<Json<TokenList>, ApiError> {
    let tokens = accounts.tokens(&account).await?;
    let items = tokens.into_iter().map(TokenBody::from).collect();
    Ok(Json(TokenList { items }))
}

/// Make a personal token. Its text is in this answer and never again.
#[utoipa::path(
    post, path = "/api/account/tokens", tag = "account", request_body = NewTokenBody,
    responses(
        (status = 201, body = TokenWithText),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem),
    ),
)]
pub(super) async fn create_token(
    State(accounts): State<Accounts>,
    SignedIn(account): SignedIn,
    ApiJson(new): ApiJson<NewTokenBody>,
) -> Result<(StatusCode, Json<TokenWithText>), ApiError> {
    let wish = NewToken {
        name: new.name,
        scopes: new.scopes,
        days: new.days,
    };
    let (token, text) = accounts.create_token(&account, wish).await?;
    let body = TokenWithText {
        access_token: token.into(),
        token: text.reveal().to_owned(),
    };
    Ok((StatusCode::CREATED, Json(body)))
}

/// Delete a personal token. It stops working at once.
#[utoipa::path(
    delete, path = "/api/account/tokens/{id}", tag = "account", params(("id" = Uuid, Path)),
    responses(
        (status = 204),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
pub(super) async fn delete_token(
    State(accounts): State<Accounts>,
    SignedIn(account): SignedIn,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<StatusCode, ApiError> {
    accounts.delete_token(&account, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
