//! What channels sell: tiers of membership with their prices, tickets, and whether they take tips.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::money::{Currency, Money, Period};
use super::{Payments, store};
use crate::channels::{Channel, ChannelId};
use crate::db::StoreError;
use crate::error::ApiError;
use crate::form::{Form, line, paragraph};

/// How a channel sells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shop {
    pub(super) currency: Currency,
    /// What new members read.
    pub(super) welcome: String,
    pub(super) takes_tips: bool,
    pub(super) least_tip: i64,
    pub(super) alert_token_hash: Option<String>,
}

/// A tier of membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tier {
    /// 1 to 3; a higher one has all that lower ones have.
    pub(super) number: i64,
    pub(super) name: String,
    pub(super) perks: Vec<String>,
    pub(super) is_offered: bool,
    pub(super) prices: Vec<Price>,
    /// At Stripe.
    pub(super) product: Option<Product>,
}

/// What a tier is at Stripe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Product {
    pub(super) id: String,
    /// As it is called there, as far as is known.
    pub(super) name: Option<String>,
}

/// What a tier costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Price {
    pub(super) id: Uuid,
    pub(super) period: Period,
    pub(super) money: Money,
    /// At Stripe.
    pub(super) stripe_id: Option<String>,
}

/// A ticket that is sold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TicketOffer {
    pub(super) id: Uuid,
    pub(super) channel: ChannelId,
    pub(super) name: String,
    pub(super) price: Money,
    pub(super) is_offered: bool,
    pub(super) created_at: Timestamp,
}

/// What is to change of how a channel sells; what is left out stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ShopEdit {
    /// Such as `eur`. Prices of tiers are in it; those of before stay for who pays them.
    currency: Option<String>,
    /// What new members read, up to 1000 characters.
    welcome: Option<String>,
    /// Whether viewers may send tips.
    takes_tips: Option<bool>,
    /// The least tip, in the currency's smallest unit.
    least_tip: Option<i64>,
    /// All tiers that are offered, lowest first; at most three.
    tiers: Option<Vec<TierEdit>>,
}

/// A tier as it is offered from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TierEdit {
    /// 1 to 60 characters.
    name: String,
    /// Up to 10 lines of up to 120 characters.
    #[serde(default)]
    perks: Vec<String>,
    /// What a month costs, in the currency's smallest unit.
    month: i64,
    /// What a year costs; null: it cannot be paid by the year.
    year: Option<i64>,
}

/// A ticket to sell.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTicket {
    /// 1 to 100 characters.
    name: String,
    /// In the smallest unit of the channel's currency.
    amount: i64,
    /// Streams of the channel that it lets one into, 1 to 50.
    streams: Vec<Uuid>,
}

const MOST_TIERS: usize = 3;
const MOST_PERKS: usize = 10;
const MOST_STREAMS: usize = 50;
const MOST_TICKETS: usize = 100;

/// So long after a stream that broke off the one that goes on with it has its tickets.
const TICKETS_LAST: SignedDuration = SignedDuration::from_hours(6);

impl Payments {
    /// Gives a stream that began the tickets of the channel's last one, unless it has some of its own.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn continue_tickets(
        &self,
        channel: ChannelId,
        stream: Uuid,
    ) -> Result<(), StoreError> {
        let now = self.0.clock.now();
        let since = now.checked_sub(TICKETS_LAST).unwrap_or(now);
        if store::continue_tickets(&self.0.db, channel, stream, since).await? > 0 {
            self.0.cache.forget_all();
        }
        Ok(())
    }

    /// How a channel sells; as a new one would, where nothing is said.
    pub(super) async fn shop(&self, channel: ChannelId) -> Result<Shop, ApiError> {
        let found = store::shop(&self.0.db, channel).await?;
        match found {
            Some(shop) => Ok(shop),
            None => {
                let currency = Currency::read(&self.0.config.currency)?;
                Ok(Shop {
                    currency,
                    welcome: String::new(),
                    takes_tips: false,
                    least_tip: currency.least(),
                    alert_token_hash: None,
                })
            }
        }
    }

    /// The tiers of a channel that are offered, lowest first.
    pub(super) async fn offered_tiers(&self, channel: ChannelId) -> Result<Vec<Tier>, ApiError> {
        let tiers = store::tiers(&self.0.db, channel).await?;
        Ok(tiers.into_iter().filter(|tier| tier.is_offered).collect())
    }

    /// Changes what a channel sells.
    ///
    /// # Errors
    /// With all that is wrong.
    pub(super) async fn edit_shop(
        &self,
        channel: &Channel,
        edit: ShopEdit,
    ) -> Result<(), ApiError> {
        let mut shop = self.shop(channel.id).await?;
        let before = shop.currency;
        let mut form = Form::new();
        if let Some(code) = edit.currency {
            match Currency::read(&code) {
                Ok(currency) => shop.currency = currency,
                Err(error) => form.take("currency", Err::<(), _>(error)),
            }
        }
        let welcome = form.take_some("welcome", edit.welcome, |text| {
            paragraph("welcome_invalid", &text, 1_000)
        });
        shop.welcome = welcome.unwrap_or(shop.welcome);
        shop.takes_tips = edit.takes_tips.unwrap_or(shop.takes_tips);
        if before != shop.currency && edit.least_tip.is_none() {
            shop.least_tip = shop.currency.least();
        }
        if let Some(least) = edit.least_tip {
            let checked = shop.currency.price(least).map(|money| money.amount);
            shop.least_tip = form.take("least_tip", checked);
        }
        let tiers = edit
            .tiers
            .map(|tiers| checked_tiers(&mut form, tiers, shop.currency));
        if before != shop.currency
            && tiers.is_none()
            && !self.offered_tiers(channel.id).await?.is_empty()
        {
            let words = "with another currency, give the tiers' prices in it, too";
            form.add("tiers", "missing", words);
        }
        form.done()?;
        self.put_shop(channel, &shop, tiers).await
    }

    async fn put_shop(
        &self,
        channel: &Channel,
        shop: &Shop,
        tiers: Option<Vec<Tier>>,
    ) -> Result<(), ApiError> {
        let known = store::tiers(&self.0.db, channel.id).await?;
        let mut tx = self.0.db.begin().await?;
        store::put_shop(&mut tx, channel.id, shop).await?;
        let Some(tiers) = tiers else {
            return Ok(tx.commit().await?);
        };
        for gone in known.iter().filter(|tier| tier.number > count(&tiers)) {
            let gone = Tier {
                is_offered: false,
                ..gone.clone()
            };
            store::put_tier(&mut tx, channel.id, &gone).await?;
            store::retire_prices(&mut tx, channel.id, gone.number).await?;
        }
        for tier in &tiers {
            store::put_tier(&mut tx, channel.id, tier).await?;
            store::retire_prices(&mut tx, channel.id, tier.number).await?;
            for price in &tier.prices {
                let (period, money) = (price.period, price.money);
                store::insert_price(&mut tx, channel.id, tier.number, period, money).await?;
            }
        }
        Ok(tx.commit().await?)
    }

    /// Puts a ticket on sale.
    ///
    /// # Errors
    /// With all that is wrong.
    pub(super) async fn sell_ticket(
        &self,
        channel: &Channel,
        new: NewTicket,
    ) -> Result<TicketOffer, ApiError> {
        let shop = self.shop(channel.id).await?;
        let mut form = Form::new();
        let name = form.take("name", line("name_invalid", &new.name, 1, 100));
        let price = shop.currency.price(new.amount);
        let amount = form.take("amount", price.map(|money| money.amount));
        if new.streams.is_empty() || new.streams.len() > MOST_STREAMS {
            let words = format!("1 to {MOST_STREAMS} streams");
            form.add("streams", "out_of_range", words);
        }
        form.done()?;
        let on_sale = store::tickets(&self.0.db, channel.id).await?;
        if on_sale.iter().filter(|offer| offer.is_offered).count() >= MOST_TICKETS {
            return Err(ApiError::Conflict {
                code: "too_many_tickets",
                detail: format!("a channel sells at most {MOST_TICKETS} tickets at a time"),
            });
        }
        let offer = TicketOffer {
            id: Uuid::now_v7(),
            channel: channel.id,
            name,
            price: Money {
                amount,
                currency: shop.currency.code(),
            },
            is_offered: true,
            created_at: self.0.clock.now(),
        };
        let mut tx = self.0.db.begin().await?;
        if !store::insert_ticket(&mut tx, &offer, &new.streams).await? {
            let mut form = Form::new();
            let words = "these are not all streams of this channel, each once";
            form.add("streams", "stream_unknown", words);
            form.done()?;
        }
        tx.commit().await?;
        Ok(offer)
    }
}

fn count(tiers: &[Tier]) -> i64 {
    i64::try_from(tiers.len()).unwrap_or(i64::MAX)
}

fn checked_tiers(form: &mut Form, tiers: Vec<TierEdit>, currency: Currency) -> Vec<Tier> {
    if tiers.len() > MOST_TIERS {
        let words = format!("at most {MOST_TIERS}");
        form.add("tiers", "too_many_tiers", words);
        return Vec::new();
    }
    let numbered = (1_i64..).zip(tiers);
    numbered
        .filter_map(|(number, tier)| {
            let mut inner = Form::new();
            let tier = checked_tier(&mut inner, number, tier, currency);
            let field = format!("tiers.{}", number - 1);
            form.take(&field, inner.done().map(|()| Some(tier)))
        })
        .collect()
}

fn checked_tier(form: &mut Form, number: i64, tier: TierEdit, currency: Currency) -> Tier {
    let name = form.take("name", line("name_invalid", &tier.name, 1, 60));
    if tier.perks.len() > MOST_PERKS {
        let words = format!("at most {MOST_PERKS}");
        form.add("perks", "too_many_perks", words);
    }
    let perks = tier.perks.iter().take(MOST_PERKS);
    let perks = perks.map(|perk| form.take("perks", line("perk_invalid", perk, 1, 120)));
    let perks: Vec<String> = perks.collect();
    let periods = [
        ("month", Period::Month, Some(tier.month)),
        ("year", Period::Year, tier.year),
    ];
    let prices = periods.into_iter().filter_map(|(field, period, amount)| {
        let amount = form.take(field, currency.price(amount?).map(|money| money.amount));
        Some(Price {
            id: Uuid::now_v7(),
            period,
            money: Money {
                amount,
                currency: currency.code(),
            },
            stripe_id: None,
        })
    });
    let prices = prices.collect();
    Tier {
        number,
        name,
        perks,
        is_offered: true,
        prices,
        product: None,
    }
}
