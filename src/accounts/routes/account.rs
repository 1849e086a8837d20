//! `/api/account`.

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_DISPOSITION;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::cookie_header;
use crate::accounts::{
    Account, Accounts, Asker, Change, Proof, Role, SignedIn, Visitor, clear_cookie, login_cookie,
};
use crate::error::{ApiError, Problem};
use crate::request::{ApiJson, Client};
use crate::secret::Secret;

/// The own account, as only its owner sees it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AccountBody {
    id: Uuid,
    name: String,
    role: Role,
    /// The id of its picture.
    avatar: Option<String>,
    created_at: Timestamp,
    email: Option<String>,
    /// Whether somebody has opened the link that went there.
    is_email_confirmed: bool,
    /// A link went to this address, which takes the place of the other once it is opened.
    pending_email: Option<String>,
    /// Language of pages and mails (BCP 47); empty: that of the browser.
    language: String,
    /// Whether it can sign in with name and password; else by a provider alone.
    has_password: bool,
    /// Whether signing in takes a code as well.
    has_second_step: bool,
    /// Recovery codes that are left.
    recovery_codes: i64,
}

/// What to change. What is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountEdit {
    /// 2 to 60 characters, no @.
    name: Option<String>,
    /// Where mail goes to; empty: nowhere. Where mail is sent, it counts once the link is opened.
    email: Option<String>,
    /// A language tag such as `en`, or nothing.
    language: Option<String>,
    /// The new password; all other sessions end.
    password: Option<String>,
    /// The present password, needed to change address or password.
    current_password: Option<String>,
}

/// Who asks proves again to be the one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Confirmation {
    /// The password.
    password: Option<String>,
    /// Or a code of the authenticator app, or a recovery code.
    code: Option<String>,
}

impl AccountBody {
    async fn of(accounts: &Accounts, account: Account) -> Result<Self, ApiError> {
        let profile = accounts.profile(account.id).await?;
        Ok(Self {
            id: account.id.0,
            name: account.name,
            role: account.role,
            avatar: account.avatar,
            created_at: account.created_at,
            is_email_confirmed: profile.is_email_confirmed,
            email: profile.email,
            pending_email: accounts.pending_email(account.id).await?,
            language: profile.language,
            has_password: profile.has_password,
            has_second_step: profile.has_second_step,
            recovery_codes: profile.recovery_codes,
        })
    }
}

impl Confirmation {
    pub(super) async fn check(
        self,
        accounts: &Accounts,
        account: &Account,
        client: &Client,
        login: Option<Secret>,
    ) -> Result<(), ApiError> {
        let proof = Proof {
            password: self.password.map(Secret::new),
            code: self.code,
            login,
        };
        accounts.confirm(account, &proof, client.address).await
    }
}

/// The own account.
#[utoipa::path(
    get, path = "/api/account", tag = "account",
    responses((status = 200, body = AccountBody), (status = 401, body = Problem)),
)]
pub(super) async fn show_account(
    State(accounts): State<Accounts>,
    SignedIn(account): SignedIn,
) -> Result<Json<AccountBody>, ApiError> {
    Ok(Json(AccountBody::of(&accounts, account).await?))
}

/// Change the own account. A new password ends all other sessions, and this one gets a new cookie.
#[utoipa::path(
    patch, path = "/api/account", tag = "account", request_body = AccountEdit,
    responses(
        (status = 200, body = AccountBody),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem),
        (status = 429, body = Problem),
    ),
)]
pub(super) async fn edit_account(
    State(accounts): State<Accounts>,
    client: Client,
    visitor: Visitor,
    SignedIn(account): SignedIn,
    asker: Asker,
    ApiJson(edit): ApiJson<AccountEdit>,
) -> Result<(HeaderMap, Json<AccountBody>), ApiError> {
    let change = Change {
        name: edit.name,
        email: edit.email,
        language: edit.language,
        password: edit.password.map(Secret::new),
    };
    if change.is_grave() {
        let proof = Proof {
            password: edit.current_password.map(Secret::new),
            code: None,
            login: asker.token,
        };
        accounts.confirm(&account, &proof, client.address).await?;
    }
    let (account, login) = accounts.change(&account, change, &visitor).await?;
    let cookie = login.and_then(|login| login_cookie(&login, client.is_secure()));
    let body = AccountBody::of(&accounts, account).await?;
    Ok((cookie_header(cookie), Json(body)))
}

/// Delete the own account, and with it its channels, their recordings and what runs on them.
#[utoipa::path(
    delete, path = "/api/account", tag = "account", request_body = Confirmation,
    responses(
        (status = 204),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem),
        (status = 429, body = Problem),
    ),
)]
pub(super) async fn delete_account(
    State(accounts): State<Accounts>,
    client: Client,
    SignedIn(account): SignedIn,
    asker: Asker,
    ApiJson(confirmation): ApiJson<Confirmation>,
) -> Result<(StatusCode, HeaderMap), ApiError> {
    confirmation
        .check(&accounts, &account, &client, asker.token)
        .await?;
    accounts.leave(&account).await?;
    let headers = cookie_header(clear_cookie(client.is_secure()));
    Ok((StatusCode::NO_CONTENT, headers))
}

/// All that the server holds of the own account, but for secrets.
#[utoipa::path(
    get, path = "/api/account/export", tag = "account",
    responses((status = 200, body = Value), (status = 401, body = Problem)),
)]
pub(super) async fn export_account(
    State(accounts): State<Accounts>,
    asker: Asker,
) -> Result<(HeaderMap, Json<Value>), ApiError> {
    let account = asker.account.ok_or(ApiError::NotSignedIn)?;
    let export = accounts.export(&account).await?;
    let name = HeaderValue::from_static("attachment; filename=\"tallylight-account.json\"");
    Ok((
        HeaderMap::from_iter([(CONTENT_DISPOSITION, name)]),
        Json(export),
    ))
}
