//! Jobs: read an object of Stripe's again, and bring what is here up to it.
//!
//! What is here is a function of the last answers, so that events may come in any order, twice, or not
//! at all where somebody looks again by hand. An answer that was overtaken by a later one is dropped.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::book::{Cause, Payment, note_payment, settle};
use super::mirror::{ChargeState, PayoutAccount, Subscription, seconds};
use super::money::{Currency, Money, fee_as_told, fee_of};
use super::news::News;
use super::purchase::{Kind, Purchase, PurchaseState};
use super::stripe::{Id, Session, StripeError};
use super::{Payments, store, stripe};
use crate::accounts::AccountId;
use crate::channels::ChannelId;
use crate::db::{StoreError, Tx};
use crate::jobs::{JobError, Worker};

/// The kind of these jobs.
pub(super) const KIND: &str = "payments.apply";
/// Stripe itself gives up after three days.
const PATIENCE: Duration = Duration::from_secs(3 * 24 * 3600);
/// Somebody waits for what they paid, and others lose what they did not.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// An object of Stripe's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub(super) enum Object {
    Session(String),
    Subscription(String),
    Invoice(String),
    Charge(String),
    Account(String),
}

impl Object {
    /// What an event is about; none, where nothing here depends on it.
    pub(super) fn of(kind: &str, id: &str, charge: Option<Id>) -> Option<Self> {
        let id = id.to_owned();
        if id.is_empty() {
            return None;
        }
        if kind.starts_with("charge.dispute.") || kind.starts_with("refund.") {
            return charge.map(|charge| Self::Charge(charge.into_text()));
        }
        let object = match kind {
            "checkout.session.completed"
            | "checkout.session.expired"
            | "checkout.session.async_payment_succeeded"
            | "checkout.session.async_payment_failed" => Self::Session(id),
            "invoice.paid" | "invoice.payment_succeeded" => Self::Invoice(id),
            "charge.refunded" => Self::Charge(id),
            "account.updated" => Self::Account(id),
            _ if kind.starts_with("customer.subscription.") => Self::Subscription(id),
            _ => return None,
        };
        Some(object)
    }

    /// Stripe's ids tell what they are of.
    pub(super) fn by_id(id: &str) -> Option<Self> {
        let text = id.to_owned();
        let object = match id.split_once('_')?.0 {
            "cs" => Self::Session(text),
            "sub" => Self::Subscription(text),
            "in" => Self::Invoice(text),
            "ch" | "py" => Self::Charge(text),
            "acct" => Self::Account(text),
            _ => return None,
        };
        Some(object)
    }

    pub(super) fn id(&self) -> &str {
        let (Self::Session(id)
        | Self::Subscription(id)
        | Self::Invoice(id)
        | Self::Charge(id)
        | Self::Account(id)) = self;
        id
    }
}

/// What a job is about.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Work {
    #[serde(flatten)]
    pub(super) object: Object,
    /// The event that told of it.
    pub(super) event: Option<String>,
}

/// Why it could not be done now.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApplyError {
    #[error(transparent)]
    Stripe(#[from] StripeError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What was changed, in words.
type Outcome = String;

impl Payments {
    /// Makes a worker do what events ask for.
    #[must_use]
    pub fn apply_by(&self, worker: Worker) -> Worker {
        let payments = self.clone();
        let worker = worker.on(KIND, PATIENCE, move |work: Work, _| {
            let payments = payments.clone();
            async move { payments.work(&work).await }
        });
        worker.hurry(KIND, LONGEST_PAUSE)
    }

    async fn work(&self, work: &Work) -> Result<(), JobError> {
        let done = self.look(&work.object, work.event.as_deref()).await;
        match done {
            Ok(_) => Ok(()),
            // Keys of another account, or an object that was deleted: it will not come back.
            Err(ApplyError::Stripe(StripeError::Unknown)) => {
                if let Object::Subscription(id) = &work.object {
                    let forgotten = self.forget_subscription(id).await;
                    forgotten.map_err(|error| JobError::Retry(error.to_string()))?;
                }
                let words = "Stripe does not know the object any more";
                let finished = self.finish(work, words).await;
                finished.map_err(|error| JobError::Retry(error.to_string()))
            }
            Err(error) => Err(JobError::Retry(error.to_string())),
        }
    }

    async fn forget_subscription(&self, id: &str) -> Result<(), StoreError> {
        let known = store::subscription(&self.0.db, id).await?;
        store::forget_subscription(&self.0.db, id, self.0.clock.now()).await?;
        if let Some((channel, account)) = known.and_then(|it| it.channel.zip(it.account)) {
            self.access_changed(channel, account);
        }
        Ok(())
    }

    async fn finish(&self, work: &Work, words: &str) -> Result<(), StoreError> {
        let Some(event) = &work.event else {
            return Ok(());
        };
        let (object, now) = (work.object.id(), self.0.clock.now());
        let mut tx = self.0.db.begin().await?;
        store::finish_event(&mut tx, event, object, words, now).await?;
        tx.commit().await
    }

    /// Reads an object again and applies it. Gives what was changed, in words.
    pub(super) async fn look(
        &self,
        object: &Object,
        event: Option<&str>,
    ) -> Result<Outcome, ApplyError> {
        let number = store::ask(&self.0.db, object.id()).await?;
        let told = self.read(object).await?;
        let cause = Cause {
            now: self.0.clock.now(),
            event,
        };
        let mut change = Change::new(self, cause, self.0.db.begin().await?);
        let words = match store::apply(&mut change.tx, object.id(), number).await? {
            true => change.apply(told).await?,
            false => "a later answer is applied already".to_owned(),
        };
        if let Some(event) = event {
            store::finish_event(&mut change.tx, event, object.id(), &words, cause.now).await?;
        }
        change.commit().await?;
        Ok(words)
    }

    async fn read(&self, object: &Object) -> Result<Told, ApplyError> {
        let stripe = self.stripe()?;
        Ok(match object {
            Object::Session(id) => {
                let session = stripe.session(id).await?;
                let purchase = self.purchase_of(&session).await?;
                Told::Session(Box::new(session), purchase.map(Box::new))
            }
            Object::Subscription(id) => Told::Subscription(stripe.subscription(id).await?),
            Object::Invoice(id) => {
                let invoice = stripe.invoice(id).await?;
                // Whose membership it pays is known to the subscription alone.
                let subscription = match invoice.subscription() {
                    Some(id) => Some(stripe.subscription(&id).await?),
                    None => None,
                };
                Told::Invoice(invoice, subscription)
            }
            Object::Charge(id) => Told::Charge(stripe.charge(id).await?),
            Object::Account(id) => Told::Account(stripe.account(id).await?),
        })
    }

    async fn purchase_of(&self, session: &Session) -> Result<Option<Purchase>, StoreError> {
        if let Some(purchase) = store::by_session(&self.0.db, &session.id).await? {
            return Ok(Some(purchase));
        }
        // The server ended between asking for the session and writing it down.
        let named = session.client_reference_id.as_deref();
        match named.and_then(|id| uuid::Uuid::parse_str(id).ok()) {
            Some(id) => store::purchase(&self.0.db, id).await,
            None => Ok(None),
        }
    }
}

/// What Stripe answered.
enum Told {
    Session(Box<Session>, Option<Box<Purchase>>),
    Subscription(stripe::Subscription),
    Invoice(stripe::Invoice, Option<stripe::Subscription>),
    Charge(stripe::Charge),
    Account(stripe::Account),
}

/// A transaction, and whom it must be told to.
struct Change<'a> {
    payments: &'a Payments,
    cause: Cause<'a>,
    tx: Tx,
    /// Whose access is to be asked for anew.
    touched: Vec<(ChannelId, AccountId)>,
}

const NOT_OURS: &str = "nothing of ours";

impl<'a> Change<'a> {
    fn new(payments: &'a Payments, cause: Cause<'a>, tx: Tx) -> Self {
        Self {
            payments,
            cause,
            tx,
            touched: Vec::new(),
        }
    }

    async fn commit(self) -> Result<(), StoreError> {
        self.tx.commit().await?;
        self.payments.0.jobs.wake();
        for (channel, account) in self.touched {
            self.payments.access_changed(channel, account);
        }
        Ok(())
    }

    async fn apply(&mut self, told: Told) -> Result<Outcome, StoreError> {
        match told {
            Told::Session(session, purchase) => self.session(*session, purchase).await,
            Told::Subscription(told) => self.subscription(&told).await,
            Told::Invoice(invoice, subscription) => self.invoice(&invoice, subscription).await,
            Told::Charge(charge) => self.charge(charge).await,
            Told::Account(account) => self.account(account).await,
        }
    }

    fn touch(&mut self, channel: Option<ChannelId>, account: Option<AccountId>) {
        self.touched.extend(channel.zip(account));
    }

    async fn tell(&mut self, news: &News) -> Result<(), StoreError> {
        let jobs = &self.payments.0.jobs;
        jobs.enqueue(&mut self.tx, super::news::KIND, news).await
    }

    async fn session(
        &mut self,
        session: Session,
        purchase: Option<Box<Purchase>>,
    ) -> Result<Outcome, StoreError> {
        let Some(mut purchase) = purchase else {
            return Ok(NOT_OURS.to_owned());
        };
        let is_paid = session.payment_status.as_deref() != Some("unpaid");
        purchase.state = match session.status.as_deref() {
            Some("complete") if is_paid => PurchaseState::Paid,
            Some("expired") => PurchaseState::Expired,
            Some("complete") if has_failed(&session) => PurchaseState::Failed,
            _ => return Ok("it waits to be paid".to_owned()),
        };
        let invoice = session.invoice.map(Id::into_text);
        purchase.subscription = session.subscription.map(Id::into_text);
        purchase.payment_intent = session.payment_intent.map(Id::into_text);
        purchase.session = Some(session.id);
        if purchase.state == PurchaseState::Paid {
            // What Stripe took counts, should it differ from what was asked.
            if let (Some(amount), Some(code)) = (session.amount_total, &session.currency)
                && let Ok(currency) = Currency::read(code)
            {
                purchase.price = Money {
                    amount,
                    currency: currency.code(),
                };
            }
            purchase.paid_at = Some(self.cause.now);
        }
        if !store::close(&mut self.tx, &purchase).await? {
            return Ok("it was known".to_owned());
        }
        match purchase.state {
            PurchaseState::Paid => self.paid(&purchase, invoice).await,
            state => Ok(format!("{}: {}", purchase.kind.as_str(), state.as_str())),
        }
    }

    async fn paid(
        &mut self,
        purchase: &Purchase,
        invoice: Option<String>,
    ) -> Result<Outcome, StoreError> {
        self.touch(purchase.channel, purchase.account);
        if purchase.kind == Kind::Membership {
            // The money comes by its invoice. Whichever event comes first, the member is one at once.
            let subscription = purchase.subscription.clone().map(Object::Subscription);
            let invoice = invoice.map(Object::Invoice);
            for object in subscription.into_iter().chain(invoice) {
                let work = Work {
                    object,
                    event: self.cause.event.map(str::to_owned),
                };
                let jobs = &self.payments.0.jobs;
                jobs.enqueue(&mut self.tx, KIND, &work).await?;
            }
            return Ok("membership: paid".to_owned());
        }
        let payment = Payment {
            id: purchase
                .payment_intent
                .clone()
                .or_else(|| purchase.session.clone())
                .unwrap_or_else(|| purchase.id.to_string()),
            kind: purchase.kind,
            channel: purchase.channel,
            account: purchase.account,
            purchase: Some(purchase.id),
            subscription: None,
            payment_intent: purchase.payment_intent.clone(),
            amount: purchase.price.amount,
            fee: fee_of(purchase.price.amount, self.payments.0.config.fee_percent),
            currency: purchase.price.currency,
            paid_at: self.cause.now,
            covers_period: true,
        };
        note_payment(&mut self.tx, &payment, self.cause).await?;
        if let Some(news) = News::of_purchase(purchase) {
            self.tell(&news).await?;
        }
        Ok(format!(
            "{}: {} paid",
            purchase.kind.as_str(),
            purchase.price
        ))
    }

    /// A subscription in our words; none: it is none of ours. Its tier is the one whose price it pays, should
    /// somebody have changed that at Stripe.
    async fn in_our_words(
        &mut self,
        told: &stripe::Subscription,
    ) -> Result<Option<Subscription>, StoreError> {
        let Some(mut ours) = Subscription::of(told, self.cause.now) else {
            return Ok(None);
        };
        let item = told.items.data.first();
        if let (Some(item), Some(channel)) = (item, ours.channel)
            && let Some(tier) = store::tier_of_price(&mut self.tx, channel, &item.price.id).await?
        {
            ours.tier = tier;
        }
        Ok(Some(ours))
    }

    async fn subscription(&mut self, told: &stripe::Subscription) -> Result<Outcome, StoreError> {
        let Some(now) = self.in_our_words(told).await? else {
            return Ok(NOT_OURS.to_owned());
        };
        let before = store::subscription(&self.payments.0.db, &now.id).await?;
        store::put_subscription(&mut self.tx, &now).await?;
        self.touch(now.channel, now.account);
        if let Some(news) = News::of_subscription(before.as_ref(), &now) {
            self.tell(&news).await?;
        }
        let until = match now.ends_at_period_end {
            true => ", ends with its period",
            false => "",
        };
        Ok(format!(
            "membership of tier {}: {}{until}",
            now.tier,
            now.status.as_str()
        ))
    }

    async fn invoice(
        &mut self,
        invoice: &stripe::Invoice,
        told: Option<stripe::Subscription>,
    ) -> Result<Outcome, StoreError> {
        let subscription = match &told {
            Some(told) => self.in_our_words(told).await?,
            None => None,
        };
        let fee = told.and_then(|told| told.application_fee_percent);
        let Some(subscription) = subscription else {
            return Ok(NOT_OURS.to_owned());
        };
        if invoice.status.as_deref() != Some("paid") {
            return Ok("it is not paid".to_owned());
        }
        if invoice.amount_paid == 0 {
            return Ok("nothing was to be paid".to_owned());
        }
        let Ok(currency) = Currency::read(&invoice.currency) else {
            return Ok(format!(
                "a currency that cannot be used: {}",
                invoice.currency
            ));
        };
        let payment = Payment {
            id: invoice.id.clone(),
            kind: Kind::Membership,
            channel: subscription.channel,
            account: subscription.account,
            purchase: None,
            subscription: Some(subscription.id.clone()),
            payment_intent: invoice.payment_intent(),
            amount: invoice.amount_paid,
            fee: fee.map_or(0, |percent| fee_as_told(invoice.amount_paid, &percent)),
            currency: currency.code(),
            paid_at: seconds(invoice.created),
            covers_period: invoice.covers_period(),
        };
        let is_new = note_payment(&mut self.tx, &payment, self.cause).await?;
        self.touch(subscription.channel, subscription.account);
        let money = Money {
            amount: payment.amount,
            currency: payment.currency,
        };
        Ok(match is_new {
            true => format!("membership: {money} paid"),
            false => "it was known".to_owned(),
        })
    }

    async fn charge(&mut self, charge: stripe::Charge) -> Result<Outcome, StoreError> {
        let is_disputed = charge.disputed;
        let Some(intent) = charge.payment_intent.map(Id::into_text) else {
            return Ok(NOT_OURS.to_owned());
        };
        let state = ChargeState {
            amount: charge.amount,
            refunded: charge.amount_refunded,
            is_disputed,
        };
        // It may be about a payment that is told of later.
        store::put_charge(&mut self.tx, &intent, &state).await?;
        let Some(payment) = store::payment_of_intent(&mut self.tx, &intent).await? else {
            return Ok("no payment of ours that is known by now".to_owned());
        };
        let entry = settle(&mut self.tx, &payment, self.cause).await?;
        self.touch(payment.channel, payment.account);
        for account in store::gifted(&mut self.tx, payment.purchase).await? {
            self.touch(payment.channel, Some(account));
        }
        let Some(entry) = entry else {
            return Ok("it was known".to_owned());
        };
        let money = Money {
            amount: entry.amount,
            currency: payment.currency,
        };
        Ok(format!("{}: {} {money}", payment.kind.as_str(), entry.what))
    }

    async fn account(&mut self, account: stripe::Account) -> Result<Outcome, StoreError> {
        let payout = PayoutAccount {
            id: account.id,
            can_charge: account.charges_enabled,
            can_pay_out: account.payouts_enabled,
        };
        if !store::put_payout(&mut self.tx, None, &payout).await? {
            return Ok(NOT_OURS.to_owned());
        }
        Ok(match payout.can_charge {
            true => "payouts: ready".to_owned(),
            false => "payouts: Stripe still wants something".to_owned(),
        })
    }
}

/// Of means by which money comes days after Checkout: it did not.
fn has_failed(session: &Session) -> bool {
    let payment = session.payment_intent.as_ref().map_or("", Id::status);
    let subscription = session.subscription.as_ref().map_or("", Id::status);
    matches!(payment, "requires_payment_method" | "canceled")
        || matches!(subscription, "canceled" | "incomplete_expired" | "unpaid")
}
