//! `/api/account/second_step`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::account::Confirmation;
use crate::accounts::{Accounts, Asker, SignedIn};
use crate::error::{ApiError, Problem};
use crate::request::{ApiJson, Client};
use crate::secret::Secret;

/// What an authenticator app needs. It is shown once.
#[derive(Serialize, ToSchema)]
pub(super) struct EnrolmentBody {
    /// To be typed in.
    secret: String,
    /// The same as a link that apps open.
    url: String,
    /// The link as a picture (QR code): a row of squares a text, `1` for a dark one.
    squares: Vec<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SecondStepCode {
    /// Six digits, as the app shows them.
    code: String,
}

/// Codes that stand in for the app's, each once. They are shown once.
#[derive(Serialize, ToSchema)]
pub(super) struct RecoveryCodes {
    codes: Vec<String>,
}

impl From<Vec<Secret>> for RecoveryCodes {
    fn from(codes: Vec<Secret>) -> Self {
        let codes = codes.iter().map(|code| code.reveal().to_owned());
        Self {
            codes: codes.collect(),
        }
    }
}

/// Begin to sign in with an authenticator app as well. It counts once a code has confirmed it.
#[utoipa::path(
    post, path = "/api/account/second_step", tag = "account", request_body = Confirmation,
    responses(
        (status = 201, body = EnrolmentBody),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem),
        (status = 429, body = Problem),
    ),
)]
pub(super) async fn begin_second_step(
    State(accounts): State<Accounts>,
    client: Client,
    SignedIn(account): SignedIn,
    asker: Asker,
    ApiJson(confirmation): ApiJson<Confirmation>,
) -> Result<(StatusCode, Json<EnrolmentBody>), ApiError> {
    confirmation
        .check(&accounts, &account, &client, asker.token)
        .await?;
    let enrolment = accounts.begin_second_step(&account).await?;
    let body = EnrolmentBody {
        secret: enrolment.secret.reveal().to_owned(),
        url: enrolment.url.reveal().to_owned(),
        squares: enrolment.squares,
    };
    Ok((StatusCode::CREATED, Json(body)))
}

/// Confirm the app with a code. From then on signing in takes one.
#[utoipa::path(
    post, path = "/api/account/second_step/confirm", tag = "account", request_body = SecondStepCode,
    responses(
        (status = 200, body = RecoveryCodes),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem),
        (status = 429, body = Problem),
    ),
)]
pub(super) async fn confirm_second_step(
    State(accounts): State<Accounts>,
    client: Client,
    SignedIn(account): SignedIn,
    ApiJson(body): ApiJson<SecondStepCode>,
) -> Result<Json<RecoveryCodes>, ApiError> {
    let codes = accounts
        .confirm_second_step(&account, &body.code, client.address)
        .await?;
    Ok(Json(codes.into()))
}

/// Get new recovery codes. The old ones work no longer.
#[utoipa::path(
    post, path = "/api/account/second_step/recovery_codes", tag = "account",
    request_body = Confirmation,
    responses(
        (status = 200, body = RecoveryCodes),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem),
        (status = 429, body = Problem),
    ),
)]
pub(super) async fn renew_recovery_codes(
    State(accounts): State<Accounts>,
    client: Client,
    SignedIn(account): SignedIn,
    asker: Asker,
    ApiJson(confirmation): ApiJson<Confirmation>,
) -> Result<Json<RecoveryCodes>, ApiError> {
    confirmation
        .check(&accounts, &account, &client, asker.token)
        .await?;
    let codes = accounts.renew_recovery_codes(&account).await?;
    Ok(Json(codes.into()))
}

/// Sign in with the password alone again.
#[utoipa::path(
    delete, path = "/api/account/second_step", tag = "account", request_body = Confirmation,
    responses(
        (status = 204),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 422, body = Problem), (status = 429, body = Problem),
    ),
)]
pub(super) async fn end_second_step(
    State(accounts): State<Accounts>,
    client: Client,
    SignedIn(account): SignedIn,
    asker: Asker,
    ApiJson(confirmation): ApiJson<Confirmation>,
) -> Result<StatusCode, ApiError> {
    confirmation
        .check(&accounts, &account, &client, asker.token)
        .await?;
    accounts.end_second_step(&account).await?;
    Ok(StatusCode::NO_CONTENT)
}
