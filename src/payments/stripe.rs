//! [`Stripe`]: what we ask of Stripe, and the few fields of its answers that count.
//!
//! Requests are async-stripe's, so that what is sent has the right shape. Answers are read leniently: a
//! field that Stripe adds or leaves out must not stop a payment that was made.

use std::collections::HashMap;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use stripe::{IdempotencyKey, RequestStrategy, StripeRequest};
use stripe_billing::billing_portal_session::CreateBillingPortalSession;
use stripe_billing::invoice::RetrieveInvoice;
use stripe_billing::subscription::{
    CancelSubscription, RetrieveSubscription, UpdateSubscription, UpdateSubscriptionItems,
    UpdateSubscriptionPaymentBehavior, UpdateSubscriptionProrationBehavior,
};
use stripe_checkout::checkout_session::{
    CreateCheckoutSession, ExpireCheckoutSession, RetrieveCheckoutSession,
};
use stripe_connect::account::{
    CreateAccount, CreateAccountType, RetrieveAccount, RetrieveForMyAccountAccount,
};
use stripe_connect::account_link::{CreateAccountLink, CreateAccountLinkType};
use stripe_connect::login_link::CreateAccountLoginLink;
use stripe_core::balance::RetrieveForMyAccountBalance;
use stripe_core::charge::RetrieveCharge;
use stripe_core::customer::CreateCustomer;
use stripe_core::dispute::ListDispute;
use stripe_core::payment_intent::RetrievePaymentIntent;
use stripe_core::refund::CreateRefund;
use stripe_product::price::{CreatePrice, CreatePriceRecurring, CreatePriceRecurringInterval};
use stripe_product::product::{CreateProduct, UpdateProduct};

use tracing::Instrument as _;
use uuid::Uuid;

use super::money::Period;
use crate::config;
use crate::error::ApiError;
use crate::secret::hex;

/// The way to Stripe: cheap to clone.
#[derive(Clone)]
pub(super) struct Stripe {
    client: stripe::Client,
}

impl std::fmt::Debug for Stripe {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stripe").finish_non_exhaustive()
    }
}

/// Why Stripe did not do it.
#[derive(Debug, thiserror::Error)]
pub(super) enum StripeError {
    /// It cannot be reached, or has trouble: it may do it later.
    #[error("Stripe cannot be reached: {0}")]
    Away(String),
    /// There is no such object.
    #[error("Stripe knows no such object")]
    Unknown,
    /// A card was declined.
    #[error("the card was declined")]
    Declined,
    /// It will not.
    #[error("Stripe refuses: {0}")]
    Refused(String),
}

impl StripeError {
    /// Whether it refuses because nothing is left to be given back.
    pub(super) fn is_refunded_already(&self) -> bool {
        matches!(self, Self::Refused(words) if words.ends_with("charge_already_refunded"))
    }
}

impl From<StripeError> for ApiError {
    fn from(error: StripeError) -> Self {
        match error {
            StripeError::Away(cause) => {
                tracing::warn!(cause, "Stripe cannot be reached: {cause}");
                Self::Away {
                    code: "stripe_unavailable",
                    detail: "the payment service does not answer; try again in a moment: nothing \
                             is charged twice",
                }
            }
            StripeError::Declined => Self::Conflict {
                code: "card_declined",
                detail: "the card was declined, and nothing was changed; change the card first"
                    .to_owned(),
            },
            error => {
                tracing::error!(%error, "{error}");
                Self::Away {
                    code: "stripe_refused",
                    detail: "the payment service refused; nothing was charged, and the operator \
                             finds the reason in the log",
                }
            }
        }
    }
}

/// An object's id, where Stripe may give the object itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum Id {
    Alone(String),
    Within {
        id: String,
        #[serde(default)]
        status: String,
    },
}

impl Id {
    pub(super) fn into_text(self) -> String {
        match self {
            Self::Alone(id) | Self::Within { id, .. } => id,
        }
    }

    /// How it stands, where the object was asked for.
    pub(super) fn status(&self) -> &str {
        match self {
            Self::Alone(_) => "",
            Self::Within { status, .. } => status,
        }
    }
}

/// A list, of which the first page is enough.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct List<T> {
    pub(super) data: Vec<T>,
}

/// A Checkout session.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) url: Option<String>,
    /// open, complete or expired.
    pub(super) status: Option<String>,
    /// paid, unpaid or no_payment_required.
    pub(super) payment_status: Option<String>,
    pub(super) client_reference_id: Option<String>,
    pub(super) amount_total: Option<i64>,
    pub(super) currency: Option<String>,
    pub(super) subscription: Option<Id>,
    /// The first of a subscription.
    pub(super) invoice: Option<Id>,
    pub(super) payment_intent: Option<Id>,
}

/// A subscription.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Subscription {
    pub(super) id: String,
    pub(super) status: String,
    #[serde(default)]
    pub(super) metadata: HashMap<String, String>,
    pub(super) items: List<Item>,
    #[serde(default)]
    pub(super) cancel_at_period_end: bool,
    pub(super) cancel_at: Option<i64>,
    pub(super) ended_at: Option<i64>,
    pub(super) start_date: i64,
    /// What of each payment the operator keeps; it stays what it was when the subscription began.
    pub(super) application_fee_percent: Option<serde_json::Number>,
}

/// What a subscription is of.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Item {
    pub(super) id: String,
    pub(super) current_period_start: Option<i64>,
    pub(super) current_period_end: Option<i64>,
    pub(super) price: Price,
}

/// A price.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Price {
    #[serde(default)]
    pub(super) id: String,
    pub(super) unit_amount: Option<i64>,
    pub(super) currency: String,
    pub(super) recurring: Option<Recurring>,
}

/// How often it is paid.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Recurring {
    pub(super) interval: String,
}

/// An invoice.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Invoice {
    pub(super) id: String,
    pub(super) status: Option<String>,
    pub(super) amount_paid: i64,
    pub(super) currency: String,
    pub(super) created: i64,
    pub(super) parent: Option<InvoiceParent>,
    pub(super) payments: Option<List<InvoicePayment>>,
    billing_reason: Option<String>,
}

/// What an invoice is for.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct InvoiceParent {
    pub(super) subscription_details: Option<SubscriptionDetails>,
}

/// Which subscription an invoice is for.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct SubscriptionDetails {
    pub(super) subscription: Id,
}

/// How an invoice was paid.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct InvoicePayment {
    pub(super) payment: Option<PaidBy>,
    #[serde(default)]
    status: String,
}

/// What paid it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct PaidBy {
    pub(super) payment_intent: Option<Id>,
}

impl Invoice {
    pub(super) fn subscription(&self) -> Option<String> {
        let details = self.parent.as_ref()?.subscription_details.as_ref()?;
        Some(details.subscription.clone().into_text())
    }

    /// Whether it pays for time, and not for another tier of the same time.
    pub(super) fn covers_period(&self) -> bool {
        let reason = self.billing_reason.as_deref();
        matches!(reason, Some("subscription_create" | "subscription_cycle"))
    }

    pub(super) fn payment_intent(&self) -> Option<String> {
        let payments = self.payments.iter().flat_map(|list| &list.data);
        // Tries that failed stand there, too.
        let payments = payments.filter(|payment| payment.status == "paid");
        let mut intents = payments.filter_map(|p| p.payment.as_ref()?.payment_intent.clone());
        intents.next().map(Id::into_text)
    }
}

/// A charge.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Charge {
    pub(super) amount: i64,
    pub(super) amount_refunded: i64,
    /// Money is held back, or gone, because somebody says that it was not theirs to pay.
    #[serde(default)]
    pub(super) disputed: bool,
    pub(super) payment_intent: Option<Id>,
}

/// What somebody says against a charge.
#[derive(Debug, Clone, Deserialize)]
struct Dispute {
    status: String,
}

impl Dispute {
    /// Money is held back, or gone.
    fn holds(&self) -> bool {
        // Warnings are questions, which hold nothing back.
        !self.status.starts_with("warning_") && !matches!(self.status.as_str(), "won" | "prevented")
    }
}

/// What pays.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct PaymentIntent {
    pub(super) latest_charge: Option<Id>,
}

/// An account that is connected to ours, or ours.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Account {
    pub(super) id: String,
    #[serde(default)]
    pub(super) charges_enabled: bool,
    #[serde(default)]
    pub(super) payouts_enabled: bool,
}

/// Money that is not paid out yet.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Balance {
    pub(super) available: Vec<Part>,
    pub(super) pending: Vec<Part>,
}

/// What there is of one currency.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Part {
    pub(super) amount: i64,
    pub(super) currency: String,
}

/// An object of which only the id, or a link, counts.
#[derive(Debug, Clone, Deserialize)]
struct Made {
    #[serde(default)]
    id: String,
    url: Option<String>,
}

/// Longer than that nobody waits for a page.
const PATIENCE: Duration = Duration::from_secs(10);

impl Stripe {
    /// # Errors
    /// When the key or the address can be none.
    pub(super) fn new(config: &config::Payments) -> Result<Self, stripe::StripeError> {
        // Two providers of cryptography are linked, so that rustls asks which; another may have been faster.
        crate::tls::choose_provider();
        let url = config.stripe_url.trim_end_matches('/');
        let client = stripe::ClientBuilder::new(config.secret_key.clone())
            .url(format!("{url}/"))
            .timeout(PATIENCE)
            .build()?;
        Ok(Self { client })
    }

    pub(super) async fn create_session(
        &self,
        session: CreateCheckoutSession,
        key: &str,
    ) -> Result<Session, StripeError> {
        self.ask_once(&session, key).await
    }

    pub(super) async fn session(&self, id: &str) -> Result<Session, StripeError> {
        let whole = ["payment_intent", "subscription"].map(str::to_owned);
        let ask = RetrieveCheckoutSession::new(id).expand(whole.to_vec());
        self.ask(&ask).await
    }

    pub(super) async fn expire_session(&self, id: &str) -> Result<Session, StripeError> {
        self.ask_once(&ExpireCheckoutSession::new(id), &format!("expire {id}"))
            .await
    }

    pub(super) async fn subscription(&self, id: &str) -> Result<Subscription, StripeError> {
        self.ask(&RetrieveSubscription::new(id)).await
    }

    pub(super) async fn cancel_subscription(&self, id: &str) -> Result<Subscription, StripeError> {
        self.ask_once(&CancelSubscription::new(id), &format!("cancel {id}"))
            .await
    }

    /// Another price from now on; what is left of the old one is set off.
    pub(super) async fn change_price(
        &self,
        subscription: &Subscription,
        price: &str,
        metadata: HashMap<String, String>,
        key: &str,
    ) -> Result<Subscription, StripeError> {
        let item = subscription.items.data.first();
        let mut items = UpdateSubscriptionItems::new();
        items.id = item.map(|item| item.id.clone());
        items.price = Some(price.to_owned());
        let update = UpdateSubscription::new(subscription.id.clone())
            .items(vec![items])
            .metadata(metadata)
            // A card that is declined changes nothing.
            .payment_behavior(UpdateSubscriptionPaymentBehavior::ErrorIfIncomplete)
            .proration_behavior(UpdateSubscriptionProrationBehavior::AlwaysInvoice);
        self.ask_once(&update, key).await
    }

    pub(super) async fn invoice(&self, id: &str) -> Result<Invoice, StripeError> {
        let ask = RetrieveInvoice::new(id).expand(vec!["payments".to_owned()]);
        self.ask(&ask).await
    }

    pub(super) async fn charge(&self, id: &str) -> Result<Charge, StripeError> {
        let mut charge: Charge = self.ask(&RetrieveCharge::new(id)).await?;
        if charge.disputed {
            // That it was disputed stays; how each dispute ended is theirs to tell.
            let ask = ListDispute::new().charge(id);
            let disputes: List<Dispute> = self.ask(&ask).await?;
            charge.disputed = disputes.data.iter().any(Dispute::holds);
        }
        Ok(charge)
    }

    pub(super) async fn payment_intent(&self, id: &str) -> Result<PaymentIntent, StripeError> {
        self.ask(&RetrievePaymentIntent::new(id)).await
    }

    /// Gives all back that was paid; what was passed on to a creator, and the fee, come back too.
    pub(super) async fn refund(&self, intent: &str, is_passed_on: bool) -> Result<(), StripeError> {
        // Stripe gives no more back than there is; a key of the payment's would repeat a failure for a day.
        let key = format!("refund {intent} {}", Uuid::now_v7());
        let mut refund = CreateRefund::new().payment_intent(intent);
        if is_passed_on {
            refund = refund.reverse_transfer(true).refund_application_fee(true);
        }
        let refunded: Result<Made, StripeError> = self.ask_once(&refund, &key).await;
        match refunded {
            Err(error) if !error.is_refunded_already() => Err(error),
            _ => Ok(()),
        }
    }

    pub(super) async fn create_customer(
        &self,
        name: &str,
        email: Option<&str>,
        account: &str,
    ) -> Result<String, StripeError> {
        let mut customer = CreateCustomer::new()
            .name(name)
            .metadata(HashMap::from([("account".to_owned(), account.to_owned())]));
        if let Some(email) = email {
            customer = customer.email(email);
        }
        let made: Made = self
            .ask_once(
                &customer,
                &keyed("customer", &[account, name, email.unwrap_or_default()]),
            )
            .await?;
        Ok(made.id)
    }

    pub(super) async fn create_product(
        &self,
        name: &str,
        key: &str,
    ) -> Result<String, StripeError> {
        let made: Made = self.ask_once(&CreateProduct::new(name), key).await?;
        Ok(made.id)
    }

    pub(super) async fn rename_product(
        &self,
        product: &str,
        name: &str,
        key: &str,
    ) -> Result<(), StripeError> {
        let ask = UpdateProduct::new(product).name(name);
        let _: Made = self.ask_once(&ask, key).await?;
        Ok(())
    }

    pub(super) async fn create_price(
        &self,
        product: &str,
        amount: i64,
        currency: &str,
        period: Period,
        key: &str,
    ) -> Result<String, StripeError> {
        let interval = match period {
            Period::Month => CreatePriceRecurringInterval::Month,
            Period::Year => CreatePriceRecurringInterval::Year,
        };
        let price = CreatePrice::new(currency_of(currency))
            .product(product)
            .unit_amount(amount)
            .recurring(CreatePriceRecurring::new(interval));
        let made: Made = self.ask_once(&price, key).await?;
        Ok(made.id)
    }

    /// A page of Stripe's on which a customer sees and ends what it pays.
    pub(super) async fn portal(&self, customer: &str, back: &str) -> Result<String, StripeError> {
        let ask = CreateBillingPortalSession::new()
            .customer(customer)
            .return_url(back);
        let made: Made = self.ask(&ask).await?;
        made.url.ok_or_else(no_link)
    }

    pub(super) async fn create_account(
        &self,
        email: Option<&str>,
        key: &str,
    ) -> Result<Account, StripeError> {
        let mut account = CreateAccount::new().type_(CreateAccountType::Express);
        if let Some(email) = email {
            account = account.email(email);
        }
        self.ask_once(&account, key).await
    }

    pub(super) async fn account(&self, id: &str) -> Result<Account, StripeError> {
        self.ask(&RetrieveAccount::new(id)).await
    }

    /// The account that the key belongs to.
    pub(super) async fn own_account(&self) -> Result<Account, StripeError> {
        self.ask(&RetrieveForMyAccountAccount::new()).await
    }

    /// A page of Stripe's on which a creator tells who it is.
    pub(super) async fn onboarding(
        &self,
        account: &str,
        back: &str,
    ) -> Result<String, StripeError> {
        let link = CreateAccountLink::new(account, CreateAccountLinkType::AccountOnboarding)
            .refresh_url(back)
            .return_url(back);
        let made: Made = self.ask(&link).await?;
        made.url.ok_or_else(no_link)
    }

    /// A page of Stripe's on which a creator sees its payouts.
    pub(super) async fn dashboard(&self, account: &str) -> Result<String, StripeError> {
        let made: Made = self.ask(&CreateAccountLoginLink::new(account)).await?;
        made.url.ok_or_else(no_link)
    }

    /// What is to be paid out to an account; to our own, where none is named.
    pub(super) async fn balance(&self, account: Option<&str>) -> Result<Balance, StripeError> {
        let request = RetrieveForMyAccountBalance::new();
        let mut request = request.build().customize::<miniserde::json::Value>();
        if let Some(account) = account {
            request = request.account_id(account.into());
        }
        read(request.send(&self.client).instrument(asking()).await)
    }

    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        request: &(impl StripeRequest + Sync),
    ) -> Result<T, StripeError> {
        let request = request.build().customize::<miniserde::json::Value>();
        read(request.send(&self.client).instrument(asking()).await)
    }

    /// Asked again with the same key, it is done once.
    async fn ask_once<T: DeserializeOwned>(
        &self,
        request: &(impl StripeRequest + Sync),
        key: &str,
    ) -> Result<T, StripeError> {
        let key = IdempotencyKey::new(format!("tallylight {key}"))
            .map_err(|error| StripeError::Refused(error.to_string()))?;
        let request = request.build().customize::<miniserde::json::Value>();
        let request = request.request_strategy(RequestStrategy::Idempotent(key));
        read(request.send(&self.client).instrument(asking()).await)
    }
}

/// Of a request to Stripe, whose address may name people's things.
fn asking() -> tracing::Span {
    tracing::info_span!("ask_stripe")
}

fn no_link() -> StripeError {
    StripeError::Refused("its answer has no link".to_owned())
}

/// A key of one thing that is asked for with just these words: with others it is another.
pub(super) fn keyed(what: &str, words: &[&str]) -> String {
    let digest = Sha256::digest(words.join("\0").as_bytes());
    format!("{what} {}", hex(&digest))
}

/// Stripe's own list of currencies knows all of ours.
pub(super) fn currency_of(code: &str) -> stripe_types::Currency {
    code.parse().unwrap_or_default()
}

fn read<T: DeserializeOwned>(
    answer: Result<miniserde::json::Value, stripe::StripeError>,
) -> Result<T, StripeError> {
    let value = answer.map_err(in_short)?;
    let text = miniserde::json::to_string(&value);
    serde_json::from_str(&text)
        .map_err(|error| StripeError::Refused(format!("its answer is not understood: {error}")))
}

/// What went wrong, without what was asked: errors of Stripe's carry objects with people's details.
fn in_short(error: stripe::StripeError) -> StripeError {
    match error {
        stripe::StripeError::Stripe(error, 404) if is_missing(&error) => StripeError::Unknown,
        stripe::StripeError::Stripe(_, 402) => StripeError::Declined,
        stripe::StripeError::Stripe(_, status @ (409 | 429 | 500..)) => {
            StripeError::Away(format!("status {status}"))
        }
        stripe::StripeError::Stripe(error, status) => {
            let code = error.code.as_ref().map_or("no code", |code| code.as_str());
            StripeError::Refused(format!("status {status}, {code}"))
        }
        stripe::StripeError::Timeout => StripeError::Away("no answer in time".to_owned()),
        stripe::StripeError::ClientError(words) => StripeError::Away(words),
        stripe::StripeError::JSONDeserialize(_) => {
            StripeError::Away("its answer is no JSON of Stripe's".to_owned())
        }
        stripe::StripeError::ConfigError(_) => {
            StripeError::Refused("the request could not be built".to_owned())
        }
    }
}

fn is_missing(error: &stripe::ApiErrors) -> bool {
    let code = error.code.as_ref().map(stripe::ApiErrorsCode::as_str);
    code == Some("resource_missing")
}
