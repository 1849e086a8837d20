//! What channels sell.

use jiff::Timestamp;
use uuid::Uuid;

use super::{currency, read_as, uuid};
use crate::channels::ChannelId;
use crate::clock::from_millis;
use crate::db::{Db, StoreError, Tx, all, change, first, on, tx_change, tx_first};
use crate::payments::money::{Money, Period};
use crate::payments::offers::{Price, Product, Shop, TicketOffer, Tier};

#[derive(sqlx::FromRow)]
struct ShopRow {
    channel_id: String,
    currency: String,
    welcome: String,
    takes_tips: bool,
    least_tip: i64,
    alert_token_hash: Option<String>,
}

impl ShopRow {
    fn read(self) -> Result<(ChannelId, Shop), StoreError> {
        let channel = ChannelId(uuid("shop", &self.channel_id)?);
        let shop = Shop {
            currency: currency("shop", &self.channel_id, &self.currency)?,
            welcome: self.welcome,
            takes_tips: self.takes_tips,
            least_tip: self.least_tip,
            alert_token_hash: self.alert_token_hash,
        };
        Ok((channel, shop))
    }
}

pub(in crate::payments) async fn shop(
    db: &Db,
    channel: ChannelId,
) -> Result<Option<Shop>, StoreError> {
    let row: Option<ShopRow> = first!(
        db,
        "SELECT channel_id, currency, welcome, takes_tips, least_tip, alert_token_hash
         FROM shop WHERE channel_id = $1",
        channel.to_string(),
    )
    .map_err(on("shop"))?;
    Ok(row.map(ShopRow::read).transpose()?.map(|found| found.1))
}

/// The channel whose alerts a token shows.
pub(in crate::payments) async fn shop_by_token(
    db: &Db,
    hash: &str,
) -> Result<Option<ChannelId>, StoreError> {
    let row: Option<ShopRow> = first!(
        db,
        "SELECT channel_id, currency, welcome, takes_tips, least_tip, alert_token_hash
         FROM shop WHERE alert_token_hash = $1",
        hash.to_owned(),
    )
    .map_err(on("shop"))?;
    Ok(row.map(ShopRow::read).transpose()?.map(|found| found.0))
}

pub(in crate::payments) async fn put_shop(
    tx: &mut Tx,
    channel: ChannelId,
    shop: &Shop,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "INSERT INTO shop (channel_id, currency, welcome, takes_tips, least_tip)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (channel_id) DO UPDATE SET currency = $2, welcome = $3, takes_tips = $4,
             least_tip = $5",
        channel.to_string(),
        shop.currency.code(),
        shop.welcome.clone(),
        shop.takes_tips,
        shop.least_tip,
    )
    .map_err(on("shop"))?;
    Ok(())
}

/// Of a channel that has a row.
pub(in crate::payments) async fn set_alert_token(
    tx: &mut Tx,
    channel: ChannelId,
    hash: &str,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "UPDATE shop SET alert_token_hash = $2 WHERE channel_id = $1",
        channel.to_string(),
        hash.to_owned(),
    )
    .map_err(on("shop"))?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct TierRow {
    tier: i64,
    name: String,
    perks: String,
    is_offered: bool,
    product_id: Option<String>,
    product_name: Option<String>,
}

#[derive(sqlx::FromRow)]
struct PriceRow {
    id: String,
    tier: i64,
    period: String,
    amount: i64,
    currency: String,
    price_id: Option<String>,
}

impl PriceRow {
    fn read(self) -> Result<(i64, Price), StoreError> {
        let table = "membership_price";
        let period = read_as(table, &self.id, "a period", &self.period, Period::parse)?;
        let price = Price {
            id: uuid(table, &self.id)?,
            period,
            money: Money {
                amount: self.amount,
                currency: currency(table, &self.id, &self.currency)?.code(),
            },
            stripe_id: self.price_id,
        };
        Ok((self.tier, price))
    }
}

/// All tiers with the prices that are offered, lowest first.
pub(in crate::payments) async fn tiers(
    db: &Db,
    channel: ChannelId,
) -> Result<Vec<Tier>, StoreError> {
    let rows: Vec<TierRow> = all!(
        db,
        "SELECT tier, name, perks, is_offered, product_id, product_name FROM membership_tier
         WHERE channel_id = $1 ORDER BY tier",
        channel.to_string(),
    )
    .map_err(on("membership_tier"))?;
    let prices: Vec<PriceRow> = all!(
        db,
        "SELECT id, tier, period, amount, currency, price_id FROM membership_price
         WHERE channel_id = $1 AND is_offered ORDER BY tier, period, id",
        channel.to_string(),
    )
    .map_err(on("membership_price"))?;
    let prices: Result<Vec<_>, _> = prices.into_iter().map(PriceRow::read).collect();
    let mut tiers: Vec<Tier> = rows.into_iter().map(TierRow::read).collect();
    for (number, price) in prices? {
        if let Some(tier) = tiers.iter_mut().find(|tier| tier.number == number) {
            tier.prices.push(price);
        }
    }
    Ok(tiers)
}

impl TierRow {
    fn read(self) -> Tier {
        Tier {
            number: self.tier,
            name: self.name,
            perks: self.perks.lines().map(str::to_owned).collect(),
            is_offered: self.is_offered,
            prices: Vec::new(),
            product: self.product_id.map(|id| Product {
                id,
                name: self.product_name,
            }),
        }
    }
}

pub(in crate::payments) async fn put_tier(
    tx: &mut Tx,
    channel: ChannelId,
    tier: &Tier,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "INSERT INTO membership_tier (channel_id, tier, name, perks, is_offered)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (channel_id, tier) DO UPDATE SET name = $3, perks = $4, is_offered = $5",
        channel.to_string(),
        tier.number,
        tier.name.clone(),
        tier.perks.join("\n"),
        tier.is_offered,
    )
    .map_err(on("membership_tier"))?;
    Ok(())
}

/// A tier's prices are offered no more; who pays one goes on doing so.
pub(in crate::payments) async fn retire_prices(
    tx: &mut Tx,
    channel: ChannelId,
    tier: i64,
) -> Result<(), StoreError> {
    tx_change!(
        tx,
        "UPDATE membership_price SET is_offered = FALSE WHERE channel_id = $1 AND tier = $2",
        channel.to_string(),
        tier,
    )
    .map_err(on("membership_price"))?;
    Ok(())
}

/// Offers a price, which may have been offered before.
pub(in crate::payments) async fn insert_price(
    tx: &mut Tx,
    channel: ChannelId,
    tier: i64,
    period: Period,
    money: Money,
) -> Result<(), StoreError> {
    let again = tx_change!(
        tx,
        "UPDATE membership_price SET is_offered = TRUE WHERE channel_id = $1 AND tier = $2
             AND period = $3 AND amount = $4 AND currency = $5",
        channel.to_string(),
        tier,
        period.as_str(),
        money.amount,
        money.currency,
    )
    .map_err(on("membership_price"))?;
    if again > 0 {
        return Ok(());
    }
    tx_change!(
        tx,
        "INSERT INTO membership_price (id, channel_id, tier, period, amount, currency, is_offered)
         VALUES ($1, $2, $3, $4, $5, $6, TRUE)",
        Uuid::now_v7().to_string(),
        channel.to_string(),
        tier,
        period.as_str(),
        money.amount,
        money.currency,
    )
    .map_err(on("membership_price"))?;
    Ok(())
}

pub(in crate::payments) async fn set_product(
    db: &Db,
    channel: ChannelId,
    tier: i64,
    product: &Product,
) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE membership_tier SET product_id = $3, product_name = $4
         WHERE channel_id = $1 AND tier = $2",
        channel.to_string(),
        tier,
        product.id.as_str(),
        product.name.as_deref(),
    )
    .map_err(on("membership_tier"))?;
    Ok(())
}

pub(in crate::payments) async fn set_price_id(
    db: &Db,
    price: Uuid,
    stripe_id: &str,
) -> Result<(), StoreError> {
    change!(
        db,
        "UPDATE membership_price SET price_id = $2 WHERE id = $1",
        price.to_string(),
        stripe_id.to_owned(),
    )
    .map_err(on("membership_price"))?;
    Ok(())
}

/// The tier that a price of Stripe's is of, on a channel.
pub(in crate::payments) async fn tier_of_price(
    tx: &mut Tx,
    channel: ChannelId,
    stripe_id: &str,
) -> Result<Option<i64>, StoreError> {
    let row: Option<(i64,)> = tx_first!(
        tx,
        "SELECT tier FROM membership_price WHERE channel_id = $1 AND price_id = $2",
        channel.to_string(),
        stripe_id,
    )
    .map_err(on("membership_price"))?;
    Ok(row.map(|row| row.0))
}

#[derive(sqlx::FromRow)]
struct TicketRow {
    id: String,
    channel_id: String,
    name: String,
    amount: i64,
    currency: String,
    is_offered: bool,
    created_at: i64,
}

impl TicketRow {
    fn read(self) -> Result<TicketOffer, StoreError> {
        let table = "ticket_offer";
        Ok(TicketOffer {
            id: uuid(table, &self.id)?,
            channel: ChannelId(uuid(table, &self.channel_id)?),
            price: Money {
                amount: self.amount,
                currency: currency(table, &self.id, &self.currency)?.code(),
            },
            name: self.name,
            is_offered: self.is_offered,
            created_at: from_millis(self.created_at),
        })
    }
}

/// False: not all of them are streams of the channel, each once.
pub(in crate::payments) async fn insert_ticket(
    tx: &mut Tx,
    offer: &TicketOffer,
    streams: &[Uuid],
) -> Result<bool, StoreError> {
    tx_change!(
        tx,
        "INSERT INTO ticket_offer (id, channel_id, name, amount, currency, is_offered, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        offer.id.to_string(),
        offer.channel.to_string(),
        offer.name.clone(),
        offer.price.amount,
        offer.price.currency,
        offer.is_offered,
        offer.created_at.as_millisecond(),
    )
    .map_err(on("ticket_offer"))?;
    let mut all = true;
    for stream in streams {
        let added = tx_change!(
            tx,
            "INSERT INTO ticket_stream (offer_id, stream_id)
             SELECT $1, id FROM stream WHERE id = $2 AND channel_id = $3 ON CONFLICT DO NOTHING",
            offer.id.to_string(),
            stream.to_string(),
            offer.channel.to_string(),
        )
        .map_err(on("ticket_stream"))?;
        all &= added == 1;
    }
    Ok(all)
}

/// It is sold no more; who has one keeps it.
pub(in crate::payments) async fn withdraw_ticket(
    db: &Db,
    channel: ChannelId,
    offer: Uuid,
) -> Result<bool, StoreError> {
    let changed = change!(
        db,
        "UPDATE ticket_offer SET is_offered = FALSE WHERE id = $1 AND channel_id = $2",
        offer.to_string(),
        channel.to_string(),
    )
    .map_err(on("ticket_offer"))?;
    Ok(changed == 1)
}

pub(in crate::payments) async fn ticket(
    db: &Db,
    offer: Uuid,
) -> Result<Option<TicketOffer>, StoreError> {
    let row: Option<TicketRow> = first!(
        db,
        "SELECT id, channel_id, name, amount, currency, is_offered, created_at
         FROM ticket_offer WHERE id = $1",
        offer.to_string(),
    )
    .map_err(on("ticket_offer"))?;
    row.map(TicketRow::read).transpose()
}

/// A channel's newest offers.
pub(in crate::payments) async fn tickets(
    db: &Db,
    channel: ChannelId,
) -> Result<Vec<TicketOffer>, StoreError> {
    let rows: Vec<TicketRow> = all!(
        db,
        "SELECT id, channel_id, name, amount, currency, is_offered, created_at
         FROM ticket_offer WHERE channel_id = $1 ORDER BY created_at DESC, id DESC LIMIT 100",
        channel.to_string(),
    )
    .map_err(on("ticket_offer"))?;
    rows.into_iter().map(TicketRow::read).collect()
}

/// What lets one into a stream, cheapest first.
pub(in crate::payments) async fn tickets_of_stream(
    db: &Db,
    stream: Uuid,
) -> Result<Vec<TicketOffer>, StoreError> {
    let rows: Vec<TicketRow> = all!(
        db,
        "SELECT o.id, o.channel_id, o.name, o.amount, o.currency, o.is_offered, o.created_at
         FROM ticket_offer o JOIN ticket_stream t ON t.offer_id = o.id
         WHERE t.stream_id = $1 AND o.is_offered ORDER BY o.amount, o.id",
        stream.to_string(),
    )
    .map_err(on("ticket_offer"))?;
    rows.into_iter().map(TicketRow::read).collect()
}

/// What a ticket is to.
/// Adds a stream to the offers of the channel's last one with tickets, if that ended since then and the
/// stream is in none. Gives to how many.
pub(in crate::payments) async fn continue_tickets(
    db: &Db,
    channel: ChannelId,
    stream: Uuid,
    since: Timestamp,
) -> Result<u64, StoreError> {
    change!(
        db,
        "INSERT INTO ticket_stream (offer_id, stream_id)
         SELECT t.offer_id, $1 FROM ticket_stream t
         WHERE t.stream_id = (SELECT id FROM stream
                 WHERE channel_id = $2 AND id <> $1 AND gate = 'ticket' AND source <> 'none'
                     AND ended_at >= $3
                 ORDER BY started_at DESC LIMIT 1)
             AND NOT EXISTS (SELECT 1 FROM ticket_stream own WHERE own.stream_id = $1)
         ON CONFLICT DO NOTHING",
        stream.to_string(),
        channel.to_string(),
        since.as_millisecond(),
    )
    .map_err(on("ticket_stream"))
}

pub(in crate::payments) async fn ticket_streams(
    db: &Db,
    offer: Uuid,
) -> Result<Vec<Uuid>, StoreError> {
    let rows: Vec<(String,)> = all!(
        db,
        "SELECT stream_id FROM ticket_stream WHERE offer_id = $1 ORDER BY stream_id",
        offer.to_string(),
    )
    .map_err(on("ticket_stream"))?;
    rows.iter()
        .map(|row| uuid("ticket_stream", &row.0))
        .collect()
}
