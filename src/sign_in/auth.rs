//! `/api/auth`: signing up, in and out, confirming an address, choosing a new password.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Services, Session, cookie_header};
use crate::accounts::{
    Account, Accounts, Asker, Registered, SignUp, Visitor, Welcome, clear_cookie, login_cookie,
};
use crate::channels::Channels;
use crate::config::Registration;
use crate::error::{ApiError, Problem};
use crate::request::{ApiJson, Client};
use crate::secret::Secret;

pub(super) fn routes() -> OpenApiRouter<Services> {
    OpenApiRouter::new()
        .routes(routes!(registration))
        .routes(routes!(register))
        .routes(routes!(log_in))
        .routes(routes!(log_in_by_code))
        .routes(routes!(log_out))
        .routes(routes!(verify))
        .routes(routes!(ask_to_confirm))
        .routes(routes!(ask_for_reset))
        .routes(routes!(reset))
}

/// Who may sign up, and how.
#[derive(Debug, Serialize, ToSchema)]
struct RegistrationBody {
    /// `open` for everybody, `invite` for whoever has an invite, `closed` for nobody.
    mode: &'static str,
    /// Whether an address is needed, which must be confirmed before the first sign-in.
    is_email_required: bool,
    /// Whether this server sends mail; without, nobody can choose a new password by mail.
    has_mail: bool,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RegisterBody {
    /// 2 to 60 characters, no @.
    name: String,
    /// At least 8 characters.
    password: String,
    /// Where mail goes to.
    email: Option<String>,
    /// The code of an invite.
    invite: Option<String>,
    /// A language tag such as `en`, or nothing.
    #[serde(default)]
    language: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Credentials {
    /// The name of the account, or its confirmed address.
    name: String,
    password: String,
}

/// What is still to do.
#[derive(Debug, Serialize, ToSchema)]
struct NextStep {
    /// `code`: a code of the authenticator app; `confirm_email`: the link in the mail.
    next: &'static str,
    /// To be given with the code, within five minutes.
    challenge: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SignInCode {
    /// From the answer to the password.
    challenge: String,
    /// Six digits of the authenticator app, or a recovery code.
    code: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct VerifyBody {
    /// From the link in the mail.
    token: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct VerifyRequest {
    /// The name of the account.
    name: String,
    password: String,
    /// Where the link goes to; it may be another address than before.
    email: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResetRequest {
    /// A confirmed address.
    email: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResetBody {
    /// From the link in the mail.
    token: String,
    /// At least 8 characters.
    password: String,
}

/// The answer that signs somebody in.
async fn enter(
    status: StatusCode,
    channels: &Channels,
    client: &Client,
    account: Account,
    login: &Secret,
) -> Result<Response, ApiError> {
    let owned = channels.owned_by(account.id).await?;
    let headers = cookie_header(login_cookie(login, client.is_secure()));
    let body = Json(Session::new(account, owned));
    Ok((status, headers, body).into_response())
}

fn next_step(next: &'static str, challenge: Option<&Secret>) -> Response {
    let challenge = challenge.map(|challenge| challenge.reveal().to_owned());
    (StatusCode::ACCEPTED, Json(NextStep { next, challenge })).into_response()
}

/// A new login replaces the one that the browser had.
async fn replace(accounts: &Accounts, asker: Asker) -> Result<(), ApiError> {
    if let Some(old) = asker.token {
        accounts.sign_out(&old).await?;
    }
    Ok(())
}

/// Who may sign up.
#[utoipa::path(
    get, path = "/api/auth/registration", tag = "session",
    responses((status = 200, body = RegistrationBody)),
)]
async fn registration(State(accounts): State<Accounts>) -> Json<RegistrationBody> {
    let rules = accounts.rules();
    Json(RegistrationBody {
        mode: match rules.registration {
            Registration::Open => "open",
            Registration::Invite => "invite",
            Registration::Closed => "closed",
        },
        is_email_required: rules.require_email,
        has_mail: accounts.has_mail(),
    })
}

/// Sign up. Where an address must be confirmed first, the answer is 202 and signs nobody in.
#[utoipa::path(
    post, path = "/api/auth/register", tag = "session", request_body = RegisterBody,
    responses(
        (status = 201, body = Session), (status = 202, body = NextStep),
        (status = 403, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem), (status = 429, body = Problem),
    ),
)]
async fn register(
    State(accounts): State<Accounts>,
    State(channels): State<Channels>,
    client: Client,
    visitor: Visitor,
    asker: Asker,
    ApiJson(body): ApiJson<RegisterBody>,
) -> Result<Response, ApiError> {
    let wish = SignUp {
        name: body.name,
        password: Some(Secret::new(body.password)),
        email: body.email.filter(|email| !email.trim().is_empty()),
        invite: body.invite.map(Secret::new),
        language: body.language,
    };
    match accounts.register(wish, client.address, &visitor).await? {
        Registered::In(account, login) => {
            replace(&accounts, asker).await?;
            enter(StatusCode::CREATED, &channels, &client, account, &login).await
        }
        Registered::ConfirmFirst => Ok(next_step("confirm_email", None)),
    }
}

/// Sign in. Where a code is needed as well, the answer is 202 with a challenge for
/// `/api/auth/login/code`.
#[utoipa::path(
    post, path = "/api/auth/login", tag = "session", request_body = Credentials,
    responses(
        (status = 200, body = Session), (status = 202, body = NextStep),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 429, body = Problem),
    ),
)]
async fn log_in(
    State(accounts): State<Accounts>,
    State(channels): State<Channels>,
    client: Client,
    visitor: Visitor,
    asker: Asker,
    ApiJson(credentials): ApiJson<Credentials>,
) -> Result<Response, ApiError> {
    let password = Secret::new(credentials.password);
    let name = &credentials.name;
    match accounts
        .sign_in(name, &password, client.address, &visitor)
        .await?
    {
        Welcome::In(account, login) => {
            replace(&accounts, asker).await?;
            enter(StatusCode::OK, &channels, &client, account, &login).await
        }
        Welcome::CodeNeeded(challenge) => Ok(next_step("code", Some(&challenge))),
    }
}

/// The second step of signing in.
#[utoipa::path(
    post, path = "/api/auth/login/code", tag = "session", request_body = SignInCode,
    responses(
        (status = 200, body = Session), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 429, body = Problem),
    ),
)]
async fn log_in_by_code(
    State(accounts): State<Accounts>,
    State(channels): State<Channels>,
    client: Client,
    visitor: Visitor,
    asker: Asker,
    ApiJson(body): ApiJson<SignInCode>,
) -> Result<Response, ApiError> {
    let challenge = Secret::new(body.challenge);
    let (account, login) = accounts
        .sign_in_by_code(&challenge, &body.code, client.address, &visitor)
        .await?;
    replace(&accounts, asker).await?;
    enter(StatusCode::OK, &channels, &client, account, &login).await
}

/// Sign out.
#[utoipa::path(
    post, path = "/api/auth/logout", tag = "session",
    responses((status = 204), (status = 403, body = Problem)),
)]
async fn log_out(
    State(accounts): State<Accounts>,
    client: Client,
    asker: Asker,
) -> Result<(StatusCode, HeaderMap), ApiError> {
    replace(&accounts, asker).await?;
    let headers = cookie_header(clear_cookie(client.is_secure()));
    Ok((StatusCode::NO_CONTENT, headers))
}

/// Confirm an address.
#[utoipa::path(
    post, path = "/api/auth/verify", tag = "session", request_body = VerifyBody,
    responses(
        (status = 204), (status = 403, body = Problem), (status = 409, body = Problem),
    ),
)]
async fn verify(
    State(accounts): State<Accounts>,
    ApiJson(body): ApiJson<VerifyBody>,
) -> Result<StatusCode, ApiError> {
    accounts.confirm_email(&Secret::new(body.token)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ask once more for the link that confirms an address, where nobody can sign in without it
/// (`email_unconfirmed`).
#[utoipa::path(
    post, path = "/api/auth/verify-requests", tag = "session", request_body = VerifyRequest,
    responses(
        (status = 202), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem),
        (status = 429, body = Problem),
    ),
)]
async fn ask_to_confirm(
    State(accounts): State<Accounts>,
    client: Client,
    ApiJson(body): ApiJson<VerifyRequest>,
) -> Result<StatusCode, ApiError> {
    let password = Secret::new(body.password);
    accounts
        .ask_to_confirm(&body.name, &password, &body.email, client.address)
        .await?;
    Ok(StatusCode::ACCEPTED)
}

/// Ask for a link to choose a new password. The answer is the same whether an account has the address.
#[utoipa::path(
    post, path = "/api/auth/reset-requests", tag = "session", request_body = ResetRequest,
    responses(
        (status = 202), (status = 403, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem), (status = 429, body = Problem),
    ),
)]
async fn ask_for_reset(
    State(accounts): State<Accounts>,
    client: Client,
    ApiJson(body): ApiJson<ResetRequest>,
) -> Result<StatusCode, ApiError> {
    accounts.ask_for_reset(&body.email, client.address).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Choose a new password by the link. All sessions of the account end.
#[utoipa::path(
    post, path = "/api/auth/reset", tag = "session", request_body = ResetBody,
    responses(
        (status = 204), (status = 403, body = Problem), (status = 422, body = Problem),
    ),
)]
async fn reset(
    State(accounts): State<Accounts>,
    ApiJson(body): ApiJson<ResetBody>,
) -> Result<StatusCode, ApiError> {
    let (token, password) = (Secret::new(body.token), Secret::new(body.password));
    accounts.reset_password(&token, &password).await?;
    Ok(StatusCode::NO_CONTENT)
}
