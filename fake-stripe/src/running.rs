//! A running fake: its sockets, its tasks, and the controls for tests in Rust.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::any;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use crate::control;
use crate::gate::{self, Trouble};
use crate::post::Post;
use crate::refusal::Refusal;
use crate::world::{Shared, World};
use crate::{checkout, connect, courier, customers, due, pages, reversals};

/// How a fake is to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where events are delivered; without, they are only recorded, until [`FakeStripe::aim`].
    pub webhook_url: Option<String>,
    /// What deliveries are signed with, `whsec_` included.
    pub webhook_secret: String,
    /// Where browsers find the fake's pages, if not at the address it listens on.
    pub public_url: Option<String>,
}

/// A fake that runs until it is dropped.
#[derive(Debug)]
pub struct FakeStripe {
    shared: Shared,
    address: SocketAddr,
    courier: AbortHandle,
    /// Its drop tells the server to take no more connections and to close those it has.
    _stop: oneshot::Sender<()>,
}

impl FakeStripe {
    /// Starts to listen and to deliver.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let public_url = options
            .public_url
            .unwrap_or_else(|| format!("http://{address}"));
        let mut post = Post::default();
        post.aim(options.webhook_url, Some(options.webhook_secret));
        let public_url = public_url.trim_end_matches('/').to_owned();
        let shared = Shared::new(World::new(post, public_url));
        let client = courier::client().map_err(io::Error::other)?;
        let courier = tokio::spawn(courier::run(shared.clone(), client)).abort_handle();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = axum::serve(listener, routes(shared.clone()));
        let server = server.with_graceful_shutdown(async move {
            // An error is the sender's drop: that is the word.
            let _ = stopped.await;
        });
        tokio::spawn(server.into_future());
        Ok(Self {
            shared,
            address,
            courier,
            _stop: stop,
        })
    }

    /// Where the fake is found, without a slash at the end: the base of `/v1`, `/_fake` and the pages.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address it listens on, with the real port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The fake's time, in seconds since 1970.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.shared.quietly(|world| world.now())
    }

    /// Moves the fake's clock ahead; what falls due meanwhile happens in order before this returns.
    pub async fn advance(&self, by: Duration) {
        let seconds = i64::try_from(by.as_secs()).unwrap_or(i64::MAX);
        self.act(|world| due::advance(world, seconds));
    }

    /// Pays an open checkout session as a person with a good card; answers the session.
    ///
    /// # Errors
    /// When there is no such session or it is not open.
    pub async fn pay(&self, session: &str) -> Result<Value, Refusal> {
        self.act(|world| checkout::pay(world, session)).map(told)
    }

    /// Tries to pay an open checkout session with a card that is declined; answers the session.
    ///
    /// # Errors
    /// When there is no such session or it is not open.
    pub async fn decline(&self, session: &str) -> Result<Value, Refusal> {
        self.act(|world| checkout::decline(world, session))
            .map(told)
    }

    /// Refunds a charge as from the dashboard: `amount` in minor units, or all that is left; answers the refund.
    ///
    /// # Errors
    /// When there is no such charge or it cannot be refunded so far.
    pub async fn refund(&self, charge: &str, amount: Option<i64>) -> Result<Value, Refusal> {
        self.act(|world| control::refund(world, charge, amount))
            .map(told)
    }

    /// Disputes a charge as the card's holder; answers the dispute.
    ///
    /// # Errors
    /// When there is no such charge or it is disputed already.
    pub async fn dispute(&self, charge: &str) -> Result<Value, Refusal> {
        self.act(|world| reversals::dispute(world, charge))
            .map(told)
    }

    /// Decides a dispute as the bank; answers the dispute.
    ///
    /// # Errors
    /// When there is no such dispute or it is closed already.
    pub async fn close_dispute(&self, dispute: &str, won: bool) -> Result<Value, Refusal> {
        self.act(|world| reversals::close_dispute(world, dispute, won))
            .map(told)
    }

    /// From now on renewals of this customer's subscriptions succeed or fail.
    ///
    /// # Errors
    /// When there is no such customer.
    pub async fn set_card(&self, customer: &str, works: bool) -> Result<(), Refusal> {
        self.act(|world| customers::set_card(world, customer, works))
    }

    /// Sets a connected account up, or restricts it; answers the account.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn set_account(&self, account: &str, enabled: bool) -> Result<Value, Refusal> {
        self.act(|world| connect::set_enabled(world, account, enabled))
            .map(told)
    }

    /// Makes something go wrong with the API.
    pub async fn trouble(&self, trouble: Trouble) {
        self.act(|world| world.trouble = trouble);
    }

    /// Delivers to another receiver from now on, also what has not been taken yet; `None` only records.
    pub async fn aim(&self, url: Option<&str>, secret: &str) {
        let url = url.map(str::to_owned);
        self.act(|world| world.post.aim(url, Some(secret.to_owned())));
    }

    /// Holds new events back, or not any more; what is held stays so until [`FakeStripe::release`].
    pub async fn hold(&self, hold: bool) {
        self.act(|world| world.post.hold = hold);
    }

    /// The events that are held, oldest first.
    pub async fn held(&self) -> Vec<Value> {
        self.act(|world| control::held(world))
    }

    /// Lets held events go in this order of ids, or all in the order in which they arose; answers the ids that
    /// went.
    pub async fn release(&self, order: Option<Vec<String>>) -> Vec<String> {
        self.act(|world| world.post.release(order))
    }

    /// Sends so many copies beside each event, at the same time.
    pub async fn duplicate(&self, copies: usize) {
        self.act(|world| world.post.duplicate = copies);
    }

    /// Delivers at once and in no order, or one after the other again.
    pub async fn shuffle(&self, shuffle: bool) {
        self.act(|world| world.post.shuffle = shuffle);
    }

    /// Signs deliveries with the fake's time, for receivers whose clock was moved as well.
    pub async fn sign_by_fake_clock(&self, by_fake_clock: bool) {
        self.act(|world| world.post.sign_by_fake_clock = by_fake_clock);
    }

    /// Delivers an event again.
    ///
    /// # Errors
    /// When there is no such event.
    pub async fn resend(&self, event: &str) -> Result<(), Refusal> {
        self.act(|world| world.resend(event)).map(drop)
    }

    /// All events, oldest first: Stripe's objects, each with `delivery` (`answers`, `held`, `pending`).
    pub async fn events(&self) -> Vec<Value> {
        self.act(|world| world.told_events())
    }

    /// All requests to `/v1`, oldest first: `method`, `path`, `form`, `idempotency_key`, `account`, `at`.
    pub async fn requests(&self) -> Vec<Value> {
        self.act(|world| world.requests.clone())
    }

    /// What there is: `now`, `counts` and `ids` by kind, `webhooks`, `requests`.
    pub async fn state(&self) -> Value {
        self.act(|world| world.summary())
    }

    /// The object with an id as it is now, of any kind; `null` without.
    pub async fn object(&self, id: &str) -> Value {
        self.act(|world| told(world.find(&json!(id)).clone()))
    }

    fn act<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        self.shared.with(|world| {
            due::catch_up(world);
            act(world)
        })
    }
}

impl Drop for FakeStripe {
    fn drop(&mut self) {
        self.courier.abort();
    }
}

fn routes(shared: Shared) -> Router {
    Router::new()
        .route("/v1/{*path}", any(gate::answer))
        .route("/_fake/{*path}", any(control::answer))
        .merge(pages::routes())
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(shared)
}

fn told(object: Value) -> Value {
    crate::world::public(&object)
}

const LARGEST_BODY: usize = 1 << 20;
