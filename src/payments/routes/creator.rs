//! What creators sell, and to whom.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::viewer::{TicketBody, TierBody};
use crate::accounts::{Account, SignedIn};
use crate::channels::Channel;
use crate::clock::from_millis;
use crate::error::{ApiError, Problem};
use crate::payments::offers::{NewTicket, ShopEdit};
use crate::payments::store::MemberRow;
use crate::payments::{Payments, store};
use crate::request::{ApiJson, ApiPath};
use crate::secret::Secret;

/// Members that are shown.
const MOST: i64 = 10_000;

pub(super) fn routes() -> OpenApiRouter<Payments> {
    OpenApiRouter::new()
        .routes(routes!(show_shop, edit_shop))
        .routes(routes!(list_tickets, sell_ticket))
        .routes(routes!(withdraw_ticket))
        .routes(routes!(list_members))
        .routes(routes!(make_alert_token))
}

/// How a channel sells, for who runs it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Shop)]
struct ShopBody {
    /// No money moves: Stripe only plays.
    test_mode: bool,
    /// Whether money can come in; else what is missing is at `payouts`.
    can_sell: bool,
    currency: &'static str,
    welcome: String,
    takes_tips: bool,
    least_tip: i64,
    tiers: Vec<TierBody>,
    /// What the operator keeps, in per cent.
    fee_percent: u32,
    /// Whether there is an address for alerts.
    has_alerts: bool,
}

impl ShopBody {
    async fn of(payments: &Payments, channel: &Channel) -> Result<Self, ApiError> {
        let shop = payments.shop(channel.id).await?;
        let tiers = payments.offered_tiers(channel.id).await?;
        Ok(Self {
            test_mode: !payments.0.config.is_live(),
            can_sell: payments.payout_of(channel).await.is_ok(),
            currency: shop.currency.code(),
            welcome: shop.welcome,
            takes_tips: shop.takes_tips,
            least_tip: shop.least_tip,
            tiers: tiers.into_iter().map(TierBody::from).collect(),
            fee_percent: payments.0.config.fee_percent,
            has_alerts: shop.alert_token_hash.is_some(),
        })
    }
}

impl Payments {
    /// A channel that whoever asks has the say over.
    pub(super) async fn own(&self, handle: &str, account: &Account) -> Result<Channel, ApiError> {
        self.require_on()?;
        self.0.channels.expect_own(handle, account).await
    }
}

/// How an own channel sells.
#[utoipa::path(
    get, path = "/api/channels/{handle}/shop", tag = "payments", params(("handle" = String, Path)),
    responses(
        (status = 200, body = ShopBody), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem),
    ),
)]
async fn show_shop(
    State(payments): State<Payments>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
) -> Result<Json<ShopBody>, ApiError> {
    let channel = payments.own(&handle, &account).await?;
    Ok(Json(ShopBody::of(&payments, &channel).await?))
}

/// Change how an own channel sells. What is left out stays.
#[utoipa::path(
    patch, path = "/api/channels/{handle}/shop", tag = "payments",
    params(("handle" = String, Path)), request_body = ShopEdit,
    responses(
        (status = 200, body = ShopBody), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem),
    ),
)]
async fn edit_shop(
    State(payments): State<Payments>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
    ApiJson(edit): ApiJson<ShopEdit>,
) -> Result<Json<ShopBody>, ApiError> {
    let channel = payments.own(&handle, &account).await?;
    payments.edit_shop(&channel, edit).await?;
    Ok(Json(ShopBody::of(&payments, &channel).await?))
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OwnTicketList)]
struct TicketList {
    items: Vec<TicketBody>,
}

/// The tickets of an own channel, newest first.
#[utoipa::path(
    get, path = "/api/channels/{handle}/tickets", tag = "payments",
    params(("handle" = String, Path)),
    responses(
        (status = 200, body = TicketList), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem),
    ),
)]
async fn list_tickets(
    State(payments): State<Payments>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
) -> Result<Json<TicketList>, ApiError> {
    let channel = payments.own(&handle, &account).await?;
    let offers = store::tickets(&payments.0.db, channel.id).await?;
    let items = TicketBody::all(&payments, offers).await?;
    Ok(Json(TicketList { items }))
}

/// Put a ticket on sale.
#[utoipa::path(
    post, path = "/api/channels/{handle}/tickets", tag = "payments",
    params(("handle" = String, Path)), request_body = NewTicket,
    responses(
        (status = 201, body = TicketBody), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem),
    ),
)]
async fn sell_ticket(
    State(payments): State<Payments>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
    ApiJson(new): ApiJson<NewTicket>,
) -> Result<(StatusCode, Json<TicketBody>), ApiError> {
    let channel = payments.own(&handle, &account).await?;
    let offer = payments.sell_ticket(&channel, new).await?;
    let body = TicketBody::of(&payments, offer).await?;
    Ok((StatusCode::CREATED, Json(body)))
}

/// Sell a ticket no more. Who has one keeps it.
#[utoipa::path(
    delete, path = "/api/channels/{handle}/tickets/{id}", tag = "payments",
    params(("handle" = String, Path), ("id" = Uuid, Path)),
    responses(
        (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
async fn withdraw_ticket(
    State(payments): State<Payments>,
    SignedIn(account): SignedIn,
    ApiPath((handle, id)): ApiPath<(String, Uuid)>,
) -> Result<StatusCode, ApiError> {
    let channel = payments.own(&handle, &account).await?;
    match store::withdraw_ticket(&payments.0.db, channel.id, id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(ApiError::NotFound {
            code: "ticket_not_found",
            detail: "there is no such ticket of this channel",
        }),
    }
}

/// A member of a channel.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Member)]
struct MemberBody {
    id: String,
    name: String,
    tier: i64,
    /// `active` or `past_due`.
    status: String,
    period: String,
    amount: i64,
    currency: String,
    /// Somebody else paid.
    is_gift: bool,
    since: Timestamp,
    /// When it is paid next, or ends.
    until: Timestamp,
    /// It ends then.
    ends: bool,
}

impl From<MemberRow> for MemberBody {
    fn from(row: MemberRow) -> Self {
        Self {
            id: row.account_id,
            name: row.name,
            tier: row.tier,
            status: row.status,
            period: row.period,
            amount: row.amount,
            currency: row.currency,
            is_gift: row.is_gift,
            since: from_millis(row.since),
            until: from_millis(row.until_at),
            ends: row.ends,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct MemberList {
    /// The newest 10000.
    items: Vec<MemberBody>,
}

/// The members of an own channel, newest first.
#[utoipa::path(
    get, path = "/api/channels/{handle}/members", tag = "payments",
    params(("handle" = String, Path)),
    responses(
        (status = 200, body = MemberList), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem),
    ),
)]
async fn list_members(
    State(payments): State<Payments>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
) -> Result<Json<MemberList>, ApiError> {
    let channel = payments.own(&handle, &account).await?;
    let now = payments.0.clock.now();
    let members = store::members(&payments.0.db, channel.id, now, MOST).await?;
    let items = members.into_iter().map(MemberBody::from).collect();
    Ok(Json(MemberList { items }))
}

/// The token of the page with alerts.
#[derive(Debug, Serialize, ToSchema)]
struct AlertToken {
    /// It is shown this once; the one before works no more.
    token: String,
}

/// Make the address of the page with alerts, for an encoder to show.
#[utoipa::path(
    post, path = "/api/channels/{handle}/alert_token", tag = "payments",
    params(("handle" = String, Path)),
    responses(
        (status = 201, body = AlertToken), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem),
    ),
)]
async fn make_alert_token(
    State(payments): State<Payments>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
) -> Result<(StatusCode, Json<AlertToken>), ApiError> {
    let channel = payments.own(&handle, &account).await?;
    let token = Secret::random::<20>();
    payments.set_alert_token(&channel, &token).await?;
    let token = token.reveal().to_owned();
    Ok((StatusCode::CREATED, Json(AlertToken { token })))
}
