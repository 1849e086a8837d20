//! What viewers see and do: offers, paying, what they pay.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::accounts::{Asker, SignedIn};
use crate::channels::ChannelId;
use crate::error::{ApiError, Problem};
use crate::page::{Cursor, Page};
use crate::payments::mirror::SubscriptionStatus;
use crate::payments::money::{Money, Period};
use crate::payments::offers::{TicketOffer, Tier};
use crate::payments::order::NewPurchase;
use crate::payments::purchase::{Kind, Purchase, PurchaseState};
use crate::payments::{Payments, store};
use crate::request::{ApiJson, ApiPath, ApiQuery, Client};

const PAGE: usize = 25;

pub(super) fn routes() -> OpenApiRouter<Payments> {
    OpenApiRouter::new()
        .routes(routes!(show_offers))
        .routes(routes!(show_tickets_of_stream))
        .routes(routes!(buy))
        .routes(routes!(show_purchase))
        .routes(routes!(claim_gift))
        .routes(routes!(change_tier))
        .routes(routes!(list_memberships))
        .routes(routes!(list_purchases))
        .routes(routes!(open_portal))
}

/// What a channel sells, and what of it is one's own.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChannelOffers)]
struct Offers {
    /// Whether anything can be paid at all.
    enabled: bool,
    /// No money moves: Stripe only plays.
    test_mode: bool,
    currency: &'static str,
    /// What new members read.
    welcome: String,
    tiers: Vec<TierBody>,
    /// Tips, where they are taken.
    tips: Option<TipsBody>,
    tickets: Vec<TicketBody>,
    /// The tier of one's own membership.
    own_tier: Option<u8>,
}

/// A tier of membership.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MembershipTier)]
pub(super) struct TierBody {
    /// 1 to 3; a higher one has all that lower ones have.
    tier: i64,
    name: String,
    perks: Vec<String>,
    /// What a month costs, in the smallest unit of the currency.
    month: Option<i64>,
    /// What a year costs; null: it cannot be paid by the year.
    year: Option<i64>,
    currency: Option<&'static str>,
}

impl From<Tier> for TierBody {
    fn from(tier: Tier) -> Self {
        let of = |period| {
            let mut prices = tier.prices.iter();
            prices.find(|price| price.period == period)
        };
        Self {
            tier: tier.number,
            month: of(Period::Month).map(|price| price.money.amount),
            year: of(Period::Year).map(|price| price.money.amount),
            currency: tier.prices.first().map(|price| price.money.currency),
            name: tier.name.clone(),
            perks: tier.perks.clone(),
        }
    }
}

/// Tips to a channel.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TipOffer)]
struct TipsBody {
    /// In the smallest unit of the channel's currency.
    least: i64,
    most: i64,
}

/// A ticket that is sold.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TicketOffer)]
pub(super) struct TicketBody {
    pub(super) id: Uuid,
    name: String,
    price: Money,
    /// The streams that it lets one into.
    streams: Vec<Uuid>,
    /// Whether it is sold.
    is_offered: bool,
    created_at: Timestamp,
}

impl TicketBody {
    pub(super) async fn of(payments: &Payments, offer: TicketOffer) -> Result<Self, ApiError> {
        Ok(Self {
            streams: store::ticket_streams(&payments.0.db, offer.id).await?,
            id: offer.id,
            name: offer.name,
            price: offer.price,
            is_offered: offer.is_offered,
            created_at: offer.created_at,
        })
    }

    pub(super) async fn all(
        payments: &Payments,
        offers: Vec<TicketOffer>,
    ) -> Result<Vec<Self>, ApiError> {
        let mut all = Vec::with_capacity(offers.len());
        for offer in offers {
            all.push(Self::of(payments, offer).await?);
        }
        Ok(all)
    }
}

/// What a channel sells.
#[utoipa::path(
    get, path = "/api/channels/{handle}/offers", tag = "payments",
    params(("handle" = String, Path)),
    responses((status = 200, body = Offers), (status = 404, body = Problem)),
)]
async fn show_offers(
    State(payments): State<Payments>,
    asker: Asker,
    ApiPath(handle): ApiPath<String>,
) -> Result<Json<Offers>, ApiError> {
    let channel = payments.0.channels.expect(&handle).await?;
    let shop = payments.shop(channel.id).await?;
    let is_on = payments.is_on();
    let can_sell = is_on && payments.payout_of(&channel).await.is_ok();
    let tiers = payments.offered_tiers(channel.id).await?;
    let tickets = store::tickets(&payments.0.db, channel.id).await?;
    let tickets = tickets
        .into_iter()
        .filter(|offer| offer.is_offered)
        .collect();
    let own_tier = match asker.account {
        Some(account) => {
            let holdings = payments.holdings(channel.id, account.id).await?;
            holdings.tier(payments.0.clock.now())
        }
        None => None,
    };
    let tips = TipsBody {
        least: shop.least_tip,
        most: shop.currency.most(),
    };
    Ok(Json(Offers {
        enabled: can_sell,
        test_mode: is_on && !payments.0.config.is_live(),
        currency: shop.currency.code(),
        welcome: shop.welcome,
        tiers: match can_sell {
            true => tiers.into_iter().map(TierBody::from).collect(),
            false => Vec::new(),
        },
        tips: (can_sell && shop.takes_tips).then_some(tips),
        tickets: match can_sell {
            true => TicketBody::all(&payments, tickets).await?,
            false => Vec::new(),
        },
        own_tier,
    }))
}

#[derive(Debug, Serialize, ToSchema)]
struct TicketList {
    items: Vec<TicketBody>,
}

/// The tickets that let one into a stream, cheapest first.
#[utoipa::path(
    get, path = "/api/streams/{id}/tickets", tag = "payments", params(("id" = Uuid, Path)),
    responses((status = 200, body = TicketList), (status = 404, body = Problem)),
)]
async fn show_tickets_of_stream(
    State(payments): State<Payments>,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Json<TicketList>, ApiError> {
    payments.require_on()?;
    let offers = store::tickets_of_stream(&payments.0.db, id).await?;
    let items = TicketBody::all(&payments, offers).await?;
    Ok(Json(TicketList { items }))
}

/// What somebody set out to pay for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Purchase)]
struct PurchaseBody {
    id: Uuid,
    kind: Kind,
    state: PurchaseState,
    /// Handle of the channel; null: it is no more.
    channel: Option<String>,
    channel_name: Option<String>,
    price: Money,
    tier: Option<i64>,
    /// How many memberships are given.
    quantity: i64,
    /// How many of them nobody has taken yet; null of what is no gift.
    gifts_left: Option<i64>,
    /// What comes with a tip.
    message: String,
    /// Where it is paid, while it is open.
    url: Option<String>,
    created_at: Timestamp,
    paid_at: Option<Timestamp>,
}

impl PurchaseBody {
    async fn of(payments: &Payments, purchase: Purchase) -> Result<Self, ApiError> {
        let channel = named(payments, purchase.channel).await?;
        let (handle, name) = channel.unzip();
        let is_given = purchase.kind == Kind::Gift && purchase.state == PurchaseState::Paid;
        let gifts_left = match is_given {
            true => Some(payments.gifts_left(&purchase).await?),
            false => None,
        };
        Ok(Self {
            id: purchase.id,
            gifts_left,
            kind: purchase.kind,
            state: purchase.state,
            channel: handle,
            channel_name: name,
            price: purchase.price,
            tier: purchase.tier,
            quantity: purchase.quantity,
            message: purchase.message,
            url: purchase
                .url
                .filter(|_| purchase.state == PurchaseState::Open),
            created_at: purchase.created_at,
            paid_at: purchase.paid_at,
        })
    }
}

/// A channel's handle and name.
async fn named(
    payments: &Payments,
    id: Option<ChannelId>,
) -> Result<Option<(String, String)>, ApiError> {
    let channel = match id {
        Some(id) => payments.0.channels.by_id(id).await?,
        None => None,
    };
    Ok(channel.map(|channel| (channel.handle, channel.name)))
}

/// Begin to pay: send the browser to the `url` of the answer.
#[utoipa::path(
    post, path = "/api/channels/{handle}/purchases", tag = "payments",
    params(("handle" = String, Path)), request_body = NewPurchase,
    responses(
        (status = 201, body = PurchaseBody), (status = 401, body = Problem),
        (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem),
    ),
)]
async fn buy(
    State(payments): State<Payments>,
    SignedIn(account): SignedIn,
    client: Client,
    ApiPath(handle): ApiPath<String>,
    ApiJson(order): ApiJson<NewPurchase>,
) -> Result<(StatusCode, Json<PurchaseBody>), ApiError> {
    payments.require_on()?;
    let channel = payments.0.channels.expect(&handle).await?;
    let purchase = payments
        .begin(&channel, &account, order, client.known_as())
        .await?;
    let body = PurchaseBody::of(&payments, purchase).await?;
    Ok((StatusCode::CREATED, Json(body)))
}

/// How an own purchase stands.
#[utoipa::path(
    get, path = "/api/purchases/{id}", tag = "payments", params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = PurchaseBody), (status = 401, body = Problem),
        (status = 404, body = Problem),
    ),
)]
async fn show_purchase(
    State(payments): State<Payments>,
    SignedIn(account): SignedIn,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Json<PurchaseBody>, ApiError> {
    payments.require_on()?;
    let purchase = payments.own_purchase(id, &account).await?;
    Ok(Json(PurchaseBody::of(&payments, purchase).await?))
}

/// Take one of the memberships that somebody gives.
#[utoipa::path(
    post, path = "/api/purchases/{id}/claim", tag = "payments", params(("id" = Uuid, Path)),
    responses(
        (status = 204), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem),
    ),
)]
async fn claim_gift(
    State(payments): State<Payments>,
    SignedIn(account): SignedIn,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<StatusCode, ApiError> {
    payments.require_on()?;
    payments.claim(id, account.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TierChange {
    /// 1 to 3.
    tier: i64,
}

/// Another tier of an own membership; what is left of the old one is set off.
#[utoipa::path(
    put, path = "/api/channels/{handle}/membership", tag = "payments",
    params(("handle" = String, Path)), request_body = TierChange,
    responses(
        (status = 204), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem),
    ),
)]
async fn change_tier(
    State(payments): State<Payments>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
    ApiJson(change): ApiJson<TierChange>,
) -> Result<StatusCode, ApiError> {
    payments.require_on()?;
    let channel = payments.0.channels.expect(&handle).await?;
    payments
        .change_tier(&channel, &account, change.tier)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A membership that one pays.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OwnMembership)]
struct MembershipBody {
    /// Handle of the channel; null: it is no more.
    channel: Option<String>,
    channel_name: Option<String>,
    tier: i64,
    period: Period,
    price: Money,
    status: SubscriptionStatus,
    since: Timestamp,
    /// When it is paid next, or ends.
    period_end: Timestamp,
    /// It ends then.
    ends: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct MembershipList {
    items: Vec<MembershipBody>,
}

/// The memberships that one pays.
#[utoipa::path(
    get, path = "/api/account/memberships", tag = "payments",
    responses((status = 200, body = MembershipList), (status = 401, body = Problem), (status = 404, body = Problem)),
)]
async fn list_memberships(
    State(payments): State<Payments>,
    SignedIn(account): SignedIn,
) -> Result<Json<MembershipList>, ApiError> {
    payments.require_on()?;
    let mut items = Vec::new();
    for held in store::subscriptions_of(&payments.0.db, account.id).await? {
        let (channel, channel_name) = named(&payments, held.channel).await?.unzip();
        items.push(MembershipBody {
            channel,
            channel_name,
            tier: held.tier,
            period: held.period,
            price: Money {
                amount: held.amount,
                currency: held.currency,
            },
            status: held.status,
            since: held.started_at,
            period_end: held.period_end,
            ends: held.ends_at_period_end,
        });
    }
    Ok(Json(MembershipList { items }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PageQuery {
    /// The `next_cursor` of the page before.
    #[serde(default)]
    cursor: String,
}

/// What one paid, newest first.
#[utoipa::path(
    get, path = "/api/account/purchases", tag = "payments", params(PageQuery),
    responses(
        (status = 200, body = inline(Page<PurchaseBody>)), (status = 401, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem),
    ),
)]
async fn list_purchases(
    State(payments): State<Payments>,
    SignedIn(account): SignedIn,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Json<Page<PurchaseBody>>, ApiError> {
    payments.require_on()?;
    let cursor = Cursor::read(&query.cursor)?;
    let most = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
    let found = store::purchases_of(&payments.0.db, account.id, &cursor, most).await?;
    let behind = |purchase: &Purchase| Cursor::behind(purchase.created_at, purchase.id);
    let Page { items, next_cursor } = Page::cut(found, PAGE, behind, |purchase| purchase);
    let mut shown = Vec::with_capacity(items.len());
    for purchase in items {
        shown.push(PurchaseBody::of(&payments, purchase).await?);
    }
    Ok(Json(Page {
        items: shown,
        next_cursor,
    }))
}

/// A page of Stripe's.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StripeLink)]
pub(super) struct LinkBody {
    /// Send the browser there.
    pub(super) url: String,
}

/// A page of Stripe's on which one ends memberships, changes cards and finds invoices.
#[utoipa::path(
    post, path = "/api/account/billing", tag = "payments",
    responses(
        (status = 200, body = LinkBody), (status = 401, body = Problem),
        (status = 404, body = Problem), (status = 503, body = Problem),
    ),
)]
async fn open_portal(
    State(payments): State<Payments>,
    SignedIn(account): SignedIn,
    client: Client,
) -> Result<Json<LinkBody>, ApiError> {
    payments.require_on()?;
    let customer = payments.customer(&account).await?;
    let back = format!("{}/memberships", client.known_as());
    let url = payments.stripe()?.portal(&customer, &back).await?;
    Ok(Json(LinkBody { url }))
}
