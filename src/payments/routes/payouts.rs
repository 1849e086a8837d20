//! Where creators' money goes: their own accounts at Stripe.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::viewer::LinkBody;
use crate::accounts::SignedIn;
use crate::config::Payout;
use crate::error::{ApiError, Problem};
use crate::payments::Payments;
use crate::request::Client;

pub(super) fn routes() -> OpenApiRouter<Payments> {
    OpenApiRouter::new()
        .routes(routes!(show_payouts, connect_payouts))
        .routes(routes!(open_payouts))
}

/// Where one's own money goes.
#[derive(Debug, Serialize, ToSchema)]
struct Payouts {
    /// Each creator has an account of its own; else all money goes to the operator's.
    own_account: bool,
    /// Whether there is one.
    connected: bool,
    can_charge: bool,
    can_pay_out: bool,
    /// What the operator keeps, in per cent.
    fee_percent: u32,
    /// No money moves: Stripe only plays.
    test_mode: bool,
}

/// Where one's own money goes.
#[utoipa::path(
    get, path = "/api/account/payouts", tag = "payments",
    responses(
        (status = 200, body = Payouts), (status = 401, body = Problem),
        (status = 404, body = Problem), (status = 503, body = Problem),
    ),
)]
async fn show_payouts(
    State(payments): State<Payments>,
    SignedIn(account): SignedIn,
) -> Result<Json<Payouts>, ApiError> {
    payments.require_on()?;
    let config = &payments.0.config;
    let own_account = config.payout == Payout::Connect;
    let payout = match own_account {
        true => payments.payout_now(account.id).await?,
        false => None,
    };
    Ok(Json(Payouts {
        own_account,
        connected: payout.is_some(),
        can_charge: !own_account || payout.as_ref().is_some_and(|p| p.can_charge),
        can_pay_out: !own_account || payout.as_ref().is_some_and(|p| p.can_pay_out),
        fee_percent: config.fee_percent,
        test_mode: !config.is_live(),
    }))
}

/// Tell Stripe where one's money shall go: a page of Stripe's.
#[utoipa::path(
    post, path = "/api/account/payouts", tag = "payments",
    responses(
        (status = 200, body = LinkBody), (status = 401, body = Problem),
        (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 503, body = Problem),
    ),
)]
async fn connect_payouts(
    State(payments): State<Payments>,
    SignedIn(account): SignedIn,
    client: Client,
) -> Result<Json<LinkBody>, ApiError> {
    payments.require_on()?;
    account.require_creator()?;
    let back = format!("{}/settings/payouts", client.known_as());
    let url = payments.onboard(&account, &back).await?;
    Ok(Json(LinkBody { url }))
}

/// See one's payouts: a page of Stripe's.
#[utoipa::path(
    post, path = "/api/account/payouts/dashboard", tag = "payments",
    responses(
        (status = 200, body = LinkBody), (status = 401, body = Problem),
        (status = 404, body = Problem), (status = 503, body = Problem),
    ),
)]
async fn open_payouts(
    State(payments): State<Payments>,
    SignedIn(account): SignedIn,
) -> Result<Json<LinkBody>, ApiError> {
    payments.require_on()?;
    let url = payments.dashboard(account.id).await?;
    Ok(Json(LinkBody { url }))
}
