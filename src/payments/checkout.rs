//! Begins to pay: a purchase, and the Checkout session on which it is paid.
//!
//! The purchase's id is the key under which Stripe makes the session once. Of a membership there is one
//! open purchase of a channel and account, so that two pages that pay at once meet on one session.

use std::collections::HashMap;

use jiff::SignedDuration;
use stripe_checkout::checkout_session::{
    CreateCheckoutSession, CreateCheckoutSessionLineItems, CreateCheckoutSessionLineItemsPriceData,
    CreateCheckoutSessionPaymentIntentData, CreateCheckoutSessionPaymentIntentDataTransferData,
    CreateCheckoutSessionSubscriptionData, CreateCheckoutSessionSubscriptionDataTransferData,
    ProductData,
};
use stripe_shared::CheckoutSessionMode;
use uuid::Uuid;

use super::mirror::{ACCOUNT, CHANNEL, PayoutAccount, TIER};
use super::money::{Currency, Money, Period, fee_of};
use super::offers::{Price, Product, Tier};
use super::order::{NewPurchase, Order};
use super::purchase::{Kind, Purchase, PurchaseState};
use super::stripe::{Session, StripeError, currency_of, keyed};
use super::{Payments, store};
use crate::accounts::Account;
use crate::channels::Channel;
use crate::error::{ApiError, FieldProblem};
use crate::form::{Form, line, paragraph};

/// Where Stripe sends people back to.
#[derive(Debug, Clone)]
pub(super) struct Back {
    /// Our own origin.
    pub(super) origin: String,
    /// A path on it.
    pub(super) path: String,
}

const GIFTS: std::ops::RangeInclusive<i64> = 1..=50;
const LONGEST_MESSAGE: usize = 200;
/// Stripe is asked for a session for no longer.
const ASKING: SignedDuration = SignedDuration::from_secs(30);

/// What is bought, in words and numbers.
struct Basket {
    purchase: Purchase,
    /// What Stripe's page shows.
    name: String,
    /// Of a membership: the price at Stripe.
    price_id: Option<String>,
}

impl Payments {
    /// Begins to pay: the purchase, and where it is paid.
    ///
    /// # Errors
    /// When it cannot be bought, is bought already, or Stripe is away.
    pub(super) async fn begin(
        &self,
        channel: &Channel,
        account: &Account,
        new: NewPurchase,
        origin: &str,
    ) -> Result<Purchase, ApiError> {
        let back = Back {
            origin: origin.to_owned(),
            path: checked_path(&new.back, &channel.handle),
        };
        let holdings = self.holdings(channel.id, account.id).await?;
        if holdings.is_banned() {
            return Err(ApiError::Forbidden(
                "you are banned from this channel: what you paid for would be closed to you",
            ));
        }
        let payout = self.payout_of(channel).await?;
        let basket = self.basket(channel, account, new.order()?).await?;
        if matches!(basket.purchase.kind, Kind::Membership | Kind::Ticket)
            && let Some(open) = self.go_on_with(&basket).await?
        {
            return Ok(open);
        }
        let mut tx = self.0.db.begin().await?;
        match store::insert(&mut tx, &basket.purchase).await {
            Err(error) if error.is_duplicate() => {
                return Err(under_way());
            }
            other => other?,
        }
        tx.commit().await?;
        self.open_session(basket, account, payout, &back).await
    }

    async fn basket(
        &self,
        channel: &Channel,
        account: &Account,
        order: Order,
    ) -> Result<Basket, ApiError> {
        match order {
            Order::Membership { tier, period } => {
                self.membership(channel, account, tier, period).await
            }
            Order::Gift { tier, quantity } => self.gifts(channel, account, tier, quantity).await,
            Order::Tip {
                amount,
                currency,
                message,
            } => {
                self.tip(channel, account, amount, &currency, &message)
                    .await
            }
            Order::Ticket { offer } => self.ticket(channel, account, offer).await,
        }
    }

    async fn membership(
        &self,
        channel: &Channel,
        account: &Account,
        number: i64,
        period: Period,
    ) -> Result<Basket, ApiError> {
        let has = store::subscriptions_of(&self.0.db, account.id).await?;
        if has.iter().any(|held| held.channel == Some(channel.id)) {
            return Err(ApiError::Conflict {
                code: "already_member",
                detail: "you are a member of this channel; change the tier, or end it first"
                    .to_owned(),
            });
        }
        if store::is_awaited(&self.0.db, channel.id, account.id).await? {
            return Err(just_paid());
        }
        let (tier, price) = self.price_of(channel, number, period).await?;
        let price_id = self.price_at_stripe(channel, &tier, &price).await?;
        let mut purchase = self.new_purchase(Kind::Membership, channel, account, price.money);
        purchase.tier = Some(number);
        purchase.period = Some(period);
        Ok(Basket {
            purchase,
            name: format!("{}: {}", channel.name, tier.name),
            price_id: Some(price_id),
        })
    }

    async fn gifts(
        &self,
        channel: &Channel,
        account: &Account,
        number: i64,
        quantity: i64,
    ) -> Result<Basket, ApiError> {
        let (tier, price) = self.price_of(channel, number, Period::Month).await?;
        if !GIFTS.contains(&quantity) {
            let refused = ApiError::Invalid {
                code: "out_of_range",
                detail: "1 to 50 memberships".to_owned(),
            };
            return in_field("quantity", Err(refused));
        }
        let currency = Currency::read(price.money.currency)?;
        let amount = price.money.amount.saturating_mul(quantity);
        let money = in_field("quantity", currency.price(amount))?;
        let mut purchase = self.new_purchase(Kind::Gift, channel, account, money);
        purchase.tier = Some(number);
        purchase.quantity = quantity;
        Ok(Basket {
            purchase,
            name: format!("{quantity} × {}: {}, one month", channel.name, tier.name),
            price_id: None,
        })
    }

    async fn tip(
        &self,
        channel: &Channel,
        account: &Account,
        amount: i64,
        currency: &str,
        message: &str,
    ) -> Result<Basket, ApiError> {
        let shop = self.shop(channel.id).await?;
        if !shop.takes_tips {
            return Err(ApiError::Conflict {
                code: "no_tips",
                detail: "this channel takes no tips".to_owned(),
            });
        }
        let mut form = Form::new();
        if Currency::read(currency).ok() != Some(shop.currency) {
            let words = format!("tips to this channel are in {}", shop.currency.code());
            form.add("currency", "currency_wrong", words);
        }
        let price =
            shop.currency
                .price(amount)
                .and_then(|money| match money.amount >= shop.least_tip {
                    true => Ok(money.amount),
                    false => Err(too_little(shop.least_tip, shop.currency)),
                });
        let amount = form.take("amount", price);
        let message = paragraph("message_invalid", message, LONGEST_MESSAGE);
        let message = form.take("message", message).replace('\n', " ");
        form.done()?;
        let money = Money {
            amount,
            currency: shop.currency.code(),
        };
        let mut purchase = self.new_purchase(Kind::Tip, channel, account, money);
        purchase.message = message;
        Ok(Basket {
            purchase,
            name: format!("Tip for {}", channel.name),
            price_id: None,
        })
    }

    async fn ticket(
        &self,
        channel: &Channel,
        account: &Account,
        id: Uuid,
    ) -> Result<Basket, ApiError> {
        let offer = store::ticket(&self.0.db, id).await?;
        let offer = offer.filter(|offer| offer.channel == channel.id && offer.is_offered);
        let offer = offer.ok_or(ApiError::NotFound {
            code: "ticket_not_found",
            detail: "this ticket is not sold, or not any more",
        })?;
        let streams = store::ticket_streams(&self.0.db, offer.id).await?;
        let holdings = self.holdings(channel.id, account.id).await?;
        if streams.iter().all(|stream| holdings.has_ticket(*stream)) {
            return Err(ApiError::Conflict {
                code: "already_bought",
                detail: "you have a ticket to all of this already".to_owned(),
            });
        }
        let mut purchase = self.new_purchase(Kind::Ticket, channel, account, offer.price);
        purchase.offer = Some(offer.id);
        Ok(Basket {
            purchase,
            name: format!("{}: {}", channel.name, offer.name),
            price_id: None,
        })
    }

    fn new_purchase(
        &self,
        kind: Kind,
        channel: &Channel,
        account: &Account,
        price: Money,
    ) -> Purchase {
        Purchase {
            id: Uuid::now_v7(),
            kind,
            channel: Some(channel.id),
            account: Some(account.id),
            tier: None,
            period: None,
            quantity: 1,
            offer: None,
            price,
            message: String::new(),
            state: PurchaseState::Open,
            created_at: self.0.clock.now(),
            paid_at: None,
            session: None,
            url: None,
            subscription: None,
            payment_intent: None,
        }
    }

    /// A tier that is offered, and what it costs.
    pub(super) async fn price_of(
        &self,
        channel: &Channel,
        number: i64,
        period: Period,
    ) -> Result<(Tier, Price), ApiError> {
        let tiers = self.offered_tiers(channel.id).await?;
        let tier = tiers.into_iter().find(|tier| tier.number == number);
        let not_offered = ApiError::NotFound {
            code: "tier_not_found",
            detail: "this channel does not offer that membership, or not any more",
        };
        let Some(tier) = tier else {
            return Err(not_offered);
        };
        let price = tier.prices.iter().find(|price| price.period == period);
        let price = price.cloned().ok_or(not_offered)?;
        Ok((tier, price))
    }

    /// The price at Stripe, made there the first time that somebody wants it.
    pub(super) async fn price_at_stripe(
        &self,
        channel: &Channel,
        tier: &Tier,
        price: &Price,
    ) -> Result<String, ApiError> {
        let product = self.product_at_stripe(channel, tier).await?;
        if let Some(id) = &price.stripe_id {
            return Ok(id.clone());
        }
        let stripe = self.stripe()?;
        let Money { amount, currency } = price.money;
        let key = format!("price {}", price.id);
        let made = stripe.create_price(&product, amount, currency, price.period, &key);
        let made = made.await?;
        store::set_price_id(&self.0.db, price.id, &made).await?;
        Ok(made)
    }

    /// The product at Stripe of a tier, by the name that it has now.
    async fn product_at_stripe(&self, channel: &Channel, tier: &Tier) -> Result<String, ApiError> {
        let name = format!("{}: {}", channel.name, tier.name);
        let stripe = self.stripe()?;
        let product = match &tier.product {
            Some(product) if product.name.as_ref() == Some(&name) => {
                return Ok(product.id.clone());
            }
            Some(product) => {
                let key = keyed("rename", &[&product.id, &name, &Uuid::now_v7().to_string()]);
                stripe.rename_product(&product.id, &name, &key).await?;
                product.id.clone()
            }
            None => {
                let known_by = [&channel.id.to_string(), &tier.number.to_string(), &name];
                let key = keyed("product", &known_by.map(String::as_str));
                stripe.create_product(&name, &key).await?
            }
        };
        let known = Product {
            id: product.clone(),
            name: Some(name),
        };
        store::set_product(&self.0.db, channel.id, tier.number, &known).await?;
        Ok(product)
    }

    /// The session that another page opened for the same; of another tier or price, it is closed.
    async fn go_on_with(&self, basket: &Basket) -> Result<Option<Purchase>, ApiError> {
        let Some(open) = store::open_alike(&self.0.db, &basket.purchase).await? else {
            return Ok(None);
        };
        let wanted = &basket.purchase;
        let is_same =
            open.tier == wanted.tier && open.period == wanted.period && open.price == wanted.price;
        let Some(session) = &open.session else {
            let age = self.0.clock.now().duration_since(open.created_at);
            if age < ASKING {
                return Err(under_way());
            }
            // The server ended while it asked Stripe: it is begun anew.
            self.forget(&open).await?;
            return Ok(None);
        };
        let told = self.stripe()?.session(session).await?;
        match told.status.as_deref() {
            Some("open") if is_same && told.url.is_some() => Ok(Some(open)),
            Some("open") => {
                match self.stripe()?.expire_session(session).await {
                    // It was paid in this very moment.
                    Err(StripeError::Refused(_)) => return Err(just_paid()),
                    other => other?,
                };
                self.forget(&open).await?;
                Ok(None)
            }
            Some("complete") => Err(just_paid()),
            _ => {
                self.forget(&open).await?;
                Ok(None)
            }
        }
    }

    async fn forget(&self, open: &Purchase) -> Result<(), ApiError> {
        let expired = Purchase {
            state: PurchaseState::Expired,
            ..open.clone()
        };
        let mut tx = self.0.db.begin().await?;
        store::close(&mut tx, &expired).await?;
        Ok(tx.commit().await?)
    }

    async fn open_session(
        &self,
        basket: Basket,
        account: &Account,
        payout: Option<PayoutAccount>,
        back: &Back,
    ) -> Result<Purchase, ApiError> {
        let customer = self.customer(account).await?;
        let request = self.session_of(&basket, &customer, payout.as_ref(), back);
        let mut purchase = basket.purchase;
        let key = format!("purchase {}", purchase.id);
        let made = match self.stripe()?.create_session(request, &key).await {
            Ok(made) => made,
            Err(error) => {
                self.forget(&purchase).await?;
                return Err(error.into());
            }
        };
        let Session { id, url, .. } = made;
        let url = url.unwrap_or_default();
        store::set_session(&self.0.db, purchase.id, &id, &url).await?;
        purchase.session = Some(id);
        purchase.url = Some(url);
        Ok(purchase)
    }

    /// Who pays, as Stripe knows them.
    pub(super) async fn customer(&self, account: &Account) -> Result<String, ApiError> {
        if let Some(customer) = store::customer_of(&self.0.db, account.id).await? {
            return Ok(customer);
        }
        let profile = self.0.accounts.profile(account.id).await?;
        let email = profile.email.filter(|_| profile.is_email_confirmed);
        let id = account.id.to_string();
        let stripe = self.stripe()?;
        let customer = stripe.create_customer(&account.name, email.as_deref(), &id);
        let customer = customer.await?;
        store::put_customer(&self.0.db, account.id, &customer).await?;
        Ok(customer)
    }

    fn session_of(
        &self,
        basket: &Basket,
        customer: &str,
        payout: Option<&PayoutAccount>,
        back: &Back,
    ) -> CreateCheckoutSession {
        let purchase = &basket.purchase;
        let separator = if back.path.contains('?') { '&' } else { '?' };
        let page = format!("{}{}{separator}", back.origin, back.path);
        let session = CreateCheckoutSession::new()
            .customer(customer)
            .client_reference_id(purchase.id.to_string())
            .line_items(vec![line_of(basket)])
            .metadata(HashMap::from([(
                "purchase".to_owned(),
                purchase.id.to_string(),
            )]))
            .success_url(format!("{page}purchase={}", purchase.id))
            .cancel_url(format!("{page}purchase_cancelled={}", purchase.id));
        match purchase.kind {
            Kind::Membership => session
                .mode(CheckoutSessionMode::Subscription)
                .subscription_data(self.subscription_data(purchase, payout)),
            _ => session
                .mode(CheckoutSessionMode::Payment)
                .payment_intent_data(self.payment_data(purchase, payout)),
        }
    }

    fn subscription_data(
        &self,
        purchase: &Purchase,
        payout: Option<&PayoutAccount>,
    ) -> CreateCheckoutSessionSubscriptionData {
        let mut data = CreateCheckoutSessionSubscriptionData::new();
        data.metadata = Some(metadata_of(purchase));
        if let Some(payout) = payout {
            let transfer = CreateCheckoutSessionSubscriptionDataTransferData::new(&*payout.id);
            data.transfer_data = Some(transfer);
            let fee = self.0.config.fee_percent;
            data.application_fee_percent = (fee > 0).then(|| f64::from(fee));
        }
        data
    }

    fn payment_data(
        &self,
        purchase: &Purchase,
        payout: Option<&PayoutAccount>,
    ) -> CreateCheckoutSessionPaymentIntentData {
        let mut data = CreateCheckoutSessionPaymentIntentData::new();
        data.metadata = Some(metadata_of(purchase));
        if let Some(payout) = payout {
            let transfer = CreateCheckoutSessionPaymentIntentDataTransferData::new(&*payout.id);
            data.transfer_data = Some(transfer);
            let fee = fee_of(purchase.price.amount, self.0.config.fee_percent);
            data.application_fee_amount = (fee > 0).then_some(fee);
        }
        data
    }
}

fn under_way() -> ApiError {
    ApiError::Conflict {
        code: "checkout_under_way",
        detail: "another page of yours is paying for this just now; look there, or try again"
            .to_owned(),
    }
}

fn just_paid() -> ApiError {
    ApiError::Conflict {
        code: "already_paid",
        detail: "you have just paid for this; it shows in a moment".to_owned(),
    }
}

fn line_of(basket: &Basket) -> CreateCheckoutSessionLineItems {
    let mut line = CreateCheckoutSessionLineItems::new();
    line.quantity = Some(1);
    match &basket.price_id {
        Some(price) => line.price = Some(price.clone()),
        None => {
            let Money { amount, currency } = basket.purchase.price;
            let mut price = CreateCheckoutSessionLineItemsPriceData::new(currency_of(currency));
            price.unit_amount = Some(amount);
            price.product_data = Some(ProductData::new(basket.name.clone()));
            line.price_data = Some(price);
        }
    }
    line
}

fn metadata_of(purchase: &Purchase) -> HashMap<String, String> {
    let mut all = HashMap::from([("purchase".to_owned(), purchase.id.to_string())]);
    let named = [
        (CHANNEL, purchase.channel.map(|id| id.to_string())),
        (ACCOUNT, purchase.account.map(|id| id.to_string())),
        (TIER, purchase.tier.map(|tier| tier.to_string())),
    ];
    all.extend(
        named
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?))),
    );
    all
}

/// A path on this server; the channel's page, where it is none.
fn checked_path(path: &str, handle: &str) -> String {
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '\\' | '#');
    let is_ours = path.starts_with('/') && !path.starts_with("//") && path.len() <= 300;
    match is_ours && path.chars().all(is_plain) && line("", path, 1, 300).is_ok() {
        true => path.to_owned(),
        false => format!("/@{handle}"),
    }
}

/// What is wrong is wrong with this field.
fn in_field<T>(field: &str, checked: Result<T, ApiError>) -> Result<T, ApiError> {
    checked.map_err(|error| match error {
        ApiError::Invalid { code, detail } => ApiError::Fields(vec![FieldProblem {
            field: field.to_owned(),
            rule: code,
            detail,
        }]),
        other => other,
    })
}

fn too_little(least: i64, currency: Currency) -> ApiError {
    let least = Money {
        amount: least,
        currency: currency.code(),
    };
    ApiError::Invalid {
        code: "amount_out_of_range",
        detail: format!("at least {least}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_come_back_to_this_server_alone() {
        assert_eq!(checked_path("/@ada?tab=join", "ada"), "/@ada?tab=join");
        for path in [
            "",
            "//evil.example",
            "https://evil.example",
            "/\\evil",
            "/a b",
            "/a#b",
        ] {
            assert_eq!(checked_path(path, "ada"), "/@ada", "{path}");
        }
    }
}
