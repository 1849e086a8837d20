//! What somebody who pays does with it: looks, comes back from Stripe, changes the tier, is refunded, leaves.

use std::collections::HashMap;

use uuid::Uuid;

use super::apply::{ApplyError, Object};
use super::book::Payment;
use super::mirror::{ACCOUNT, CHANNEL, SubscriptionStatus, TIER};
use super::purchase::{Purchase, PurchaseState};
use super::store::EventRow;
use super::stripe::StripeError;
use super::{Payments, store};
use crate::accounts::{Account, AccountId};
use crate::channels::Channel;
use crate::db::StoreError;
use crate::error::ApiError;
use crate::secret::Secret;

impl Payments {
    /// A purchase of an account's own. One that is open is asked of Stripe, so that who comes back from
    /// its page need not wait for an event.
    pub(super) async fn own_purchase(
        &self,
        id: Uuid,
        account: &Account,
    ) -> Result<Purchase, ApiError> {
        let unknown = ApiError::NotFound {
            code: "purchase_not_found",
            detail: "there is no such purchase of yours",
        };
        let found = store::purchase(&self.0.db, id).await?;
        let found = found.filter(|purchase| purchase.account == Some(account.id));
        let Some(found) = found else {
            return Err(unknown);
        };
        let Some(session) = found
            .session
            .clone()
            .filter(|_| found.state == PurchaseState::Open)
        else {
            return Ok(found);
        };
        self.look_now(&Object::Session(session)).await;
        let found = store::purchase(&self.0.db, id).await?;
        let Some(found) = found else {
            return Err(unknown);
        };
        if let Some(subscription) = &found.subscription {
            self.look_now(&Object::Subscription(subscription.clone()))
                .await;
        }
        Ok(found)
    }

    /// Looks again; where that fails, events will do.
    async fn look_now(&self, object: &Object) {
        if let Err(error) = self.look(object, None).await {
            tracing::warn!(%error, "Stripe could not be asked again: {error}");
        }
    }

    /// Another tier of a membership, from now on.
    pub(super) async fn change_tier(
        &self,
        channel: &Channel,
        account: &Account,
        number: i64,
    ) -> Result<(), ApiError> {
        let held = store::subscriptions_of(&self.0.db, account.id).await?;
        let held = held
            .into_iter()
            .find(|held| held.channel == Some(channel.id));
        let held = held.ok_or(ApiError::NotFound {
            code: "not_a_member",
            detail: "you pay no membership of this channel",
        })?;
        if held.status == SubscriptionStatus::PastDue {
            return Err(ApiError::Conflict {
                code: "past_due",
                detail: "a payment is missing: put that in order first".to_owned(),
            });
        }
        let (tier, price) = self.price_of(channel, number, held.period).await?;
        if held.tier == number && held.amount == price.money.amount {
            return Ok(());
        }
        if held.currency != price.money.currency {
            return Err(ApiError::Conflict {
                code: "currency_changed",
                detail: format!(
                    "this channel is paid in another currency now, and your membership in {}: end it, \
                     and join again when it is over",
                    held.currency.to_uppercase()
                ),
            });
        }
        let price_id = self.price_at_stripe(channel, &tier, &price).await?;
        let told = self.stripe()?.subscription(&held.id).await?;
        let metadata = HashMap::from([
            (CHANNEL.to_owned(), channel.id.to_string()),
            (ACCOUNT.to_owned(), account.id.to_string()),
            (TIER.to_owned(), number.to_string()),
        ]);
        let key = format!("tier {} {}", held.id, Uuid::now_v7());
        self.stripe()?
            .change_price(&told, &price_id, metadata, &key)
            .await?;
        self.look_now(&Object::Subscription(held.id)).await;
        Ok(())
    }

    /// Gives a payment back, all of it; a membership ends with it.
    pub(super) async fn refund(
        &self,
        channel: &Channel,
        payment: &str,
        by: AccountId,
    ) -> Result<(), ApiError> {
        let found = store::payment(&self.0.db, payment).await?;
        let found = found.filter(|payment| {
            payment.channel == Some(channel.id) && payment.payment_intent.is_some()
        });
        let found = found.ok_or(ApiError::NotFound {
            code: "payment_not_found",
            detail: "this channel got no such payment",
        })?;
        let what = serde_json::json!({
            "payment": found.id, "amount": found.amount, "currency": found.currency,
        });
        let (audit, target) = (&self.0.audit, channel.id.to_string());
        audit
            .note_now(Some(by.0), "payment.refunded", &target, &what)
            .await?;
        // Whoever asked may go away meanwhile: it is done to the end.
        let payments = self.clone();
        let giving = tokio::spawn(async move { payments.give_back(&found).await });
        let given = giving.await;
        given.map_err(|error| ApiError::Internal(error.to_string()))?
    }

    async fn give_back(&self, payment: &Payment) -> Result<(), ApiError> {
        let stripe = self.stripe()?;
        // First, so that nothing is paid again whatever comes of the rest.
        if let Some(subscription) = &payment.subscription {
            self.end_subscription(subscription).await?;
        }
        let Some(intent) = &payment.payment_intent else {
            return Ok(());
        };
        stripe.refund(intent, self.is_for_many()).await?;
        if let Some(charge) = stripe.payment_intent(intent).await?.latest_charge {
            self.look_now(&Object::Charge(charge.into_text())).await;
        }
        Ok(())
    }

    /// Ends a membership at Stripe, if it is not over.
    async fn end_subscription(&self, id: &str) -> Result<(), StripeError> {
        let stripe = self.stripe()?;
        match stripe.cancel_subscription(id).await {
            Ok(_) | Err(StripeError::Unknown) => {}
            Err(StripeError::Refused(why)) => match stripe.subscription(id).await {
                Ok(told) if told.ended_at.is_some() => {}
                Ok(_) => return Err(StripeError::Refused(why)),
                Err(StripeError::Unknown) => {}
                Err(error) => return Err(error),
            },
            Err(error) => return Err(error),
        }
        self.look_now(&Object::Subscription(id.to_owned())).await;
        Ok(())
    }

    /// Reads again what an event is about, and applies it.
    pub(super) async fn run_again(&self, id: &str, by: AccountId) -> Result<EventRow, ApiError> {
        let unknown = ApiError::NotFound {
            code: "event_not_found",
            detail: "there is no such event",
        };
        let Some(event) = store::event(&self.0.db, id).await? else {
            return Err(unknown);
        };
        let what = serde_json::json!({ "kind": event.kind, "object": event.object_id });
        let audit = &self.0.audit;
        audit
            .note_now(Some(by.0), "payment.event_run", id, &what)
            .await?;
        let Some(object) = Object::by_id(&event.object_id) else {
            return Ok(event);
        };
        match self.look(&object, Some(id)).await {
            Ok(_) => {}
            Err(ApplyError::Stripe(error)) => return Err(error.into()),
            Err(ApplyError::Store(error)) => return Err(error.into()),
        }
        store::event(&self.0.db, id).await?.ok_or(unknown)
    }

    /// Another token for the page with alerts.
    pub(super) async fn set_alert_token(
        &self,
        channel: &Channel,
        token: &Secret,
    ) -> Result<(), ApiError> {
        let shop = self.shop(channel.id).await?;
        let mut tx = self.0.db.begin().await?;
        store::put_shop(&mut tx, channel.id, &shop).await?;
        store::set_alert_token(&mut tx, channel.id, &token.hash()).await?;
        tx.commit().await?;
        self.end_alerts(channel.id);
        Ok(())
    }

    /// Ends what is paid by accounts, or to channels, that are no more: nobody pays for what they cannot
    /// use.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        let Ok(stripe) = self.stripe() else {
            return Ok(());
        };
        for id in store::orphans(&self.0.db).await? {
            match self.end_subscription(&id).await {
                Ok(()) => {}
                // The others would wait as long.
                Err(StripeError::Away(why)) => {
                    tracing::warn!("Memberships that nobody can use are not ended yet: {why}");
                    return Ok(());
                }
                Err(error) => {
                    tracing::error!(
                        subscription = id,
                        "Nobody can use membership {id}, and it is not ended: end it at Stripe: {error}"
                    );
                }
            }
        }
        for session in store::orphaned_sessions(&self.0.db).await? {
            if let Err(error) = stripe.expire_session(&session).await {
                tracing::warn!("A checkout that nobody can use stays open: {error}");
            }
            self.look_now(&Object::Session(session)).await;
        }
        Ok(())
    }
}
