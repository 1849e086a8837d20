//! The URL map and the middleware, on one screen.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ALLOW, CACHE_CONTROL,
    CONTENT_LENGTH, CONTENT_TYPE,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::FutureExt as _;
use hyper::body::Body as _;
use sfu::Sfu;
use tokio::time::timeout;
use tracing::Instrument as _;
use tracing::field::Empty;
use utoipa::openapi::OpenApi as Description;
use utoipa_axum::router::OpenApiRouter;

use crate::accounts::oidc::{self, Oidc};
use crate::accounts::{self, Accounts};
use crate::admin;
use crate::analytics::Analytics;
use crate::audit::Audit;
use crate::cards::Cards;
use crate::channels::{self, Channels};
use crate::chat::Chat;
use crate::clock::Clock;
use crate::db::Db;
use crate::discovery::{self, Discovery};
use crate::doctor::Checkup;
use crate::error::Problem;
use crate::events::Events;
use crate::feeds::Feeds;
use crate::ice::IceServers;
use crate::idempotency::{self, Idempotency};
use crate::images::{self, Images};
use crate::instance;
use crate::jobs::Jobs;
use crate::mail::Mail;
use crate::notifications::Notifications;
use crate::outgoing::Outgoing;
use crate::payments::Payments;
use crate::quota::{self, Quota};
use crate::recordings::Recordings;
use crate::reference;
use crate::request::{self, Arrival, Front};
use crate::serve::{Answers, Asked};
use crate::settings::Settings;
use crate::sign_in;
use crate::spa;
use crate::streams::{MediaRequest, Streams};
use crate::telemetry::{HLS_BYTES, HTTP_SECONDS, RouteCounter, count_request};
use crate::tls::Certificates;
use crate::webhooks::Webhooks;

/// What the routes stand on.
#[derive(Debug, Clone)]
pub struct Services {
    /// The database, for `/readyz`.
    pub db: Db,
    /// Who did what.
    pub audit: Audit,
    /// What admins may change.
    pub settings: Settings,
    /// Who may sign in.
    pub accounts: Accounts,
    /// Who may sign in by other providers.
    pub oidc: Oidc,
    /// The data folder.
    pub data: PathBuf,
    /// Where one goes live.
    pub channels: Channels,
    /// Pictures that people upload.
    pub images: Images,
    /// How creators are paid.
    pub payments: Payments,
    /// Who is live.
    pub streams: Streams,
    /// What is kept of streams.
    pub recordings: Recordings,
    /// What happens, for programs.
    pub events: Events,
    /// What people are told of.
    pub notifications: Notifications,
    /// Where events are posted to.
    pub webhooks: Webhooks,
    /// What is said.
    pub chat: Chat,
    /// What there is to watch.
    pub discovery: Discovery,
    /// Work that outlives its request.
    pub jobs: Jobs,
    /// The way to the mail server.
    pub mail: Mail,
    /// Asks addresses that users give.
    pub outgoing: Outgoing,
    /// Who watches, and how streams arrive.
    pub analytics: Analytics,
    /// STUN and TURN servers, and our own.
    pub ice: IceServers,
    /// The certificate that is shown, where there is to be one.
    pub certificates: Option<Certificates>,
    /// Whether the machine is well.
    pub checkup: Checkup,
    /// Media.
    pub sfu: Sfu,
    /// Time.
    pub clock: Clock,
    /// How requests reach us.
    pub front: Front,
    /// How much of the API each may use.
    pub quota: Quota,
    /// What is done once however often it is asked for.
    pub idempotency: Idempotency,
    /// What pages may fetch, and who may frame them.
    pub policies: spa::Policies,
}

/// Longest JSON body.
const BODY: usize = 1024 * 1024;
/// A request is answered, its body read, within this time; event streams have begun by then.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Everything on the public listener. Cheap to clone, all clones are one.
#[derive(Debug, Clone)]
pub struct Public(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    door: Arc<Door>,
    streams: Streams,
    rest: Router,
}

impl Public {
    /// Puts the routes together.
    #[must_use]
    pub fn new(services: &Services) -> Self {
        let (routes, description) = described(services);
        let pages = Router::new()
            .fallback(spa::page_or_file)
            .with_state(cards(services));
        let door = Arc::new(Door::new(services));
        let rest = Router::new()
            .merge(routes)
            .route("/api/openapi.json", get(|| async { Json(description) }))
            .merge(reference::routes())
            .merge(health(services))
            .fallback_service(pages)
            .layer(from_fn_with_state(Arc::clone(&door), pass));
        let streams = services.streams.clone();
        Self(Arc::new(Inner {
            door,
            streams,
            rest,
        }))
    }
}

impl Answers for Public {
    /// Media of live streams is answered ahead of the routes, whose price is several times that of
    /// the answer.
    async fn answer(self, asked: Asked, arrival: Arrival) -> Response {
        let Inner {
            door,
            streams,
            rest,
        } = &*self.0;
        let (head, body) = asked.into_parts();
        if let Some(media) = MediaRequest::read(&head) {
            let from = door.front.address(arrival, &head.headers);
            let entered = timeout(ANSWER_WITHIN, streams.enter(&media, from)).await;
            if let Ok(Some(entered)) = entered {
                let route = Route::Media(door.counter(&media));
                let is_secure = door.front.is_secure(arrival, &head.uri, &head.headers);
                let security = spa::Security::of(is_secure, &head.uri);
                return door
                    .pass(route, security, streams.media(&media, entered))
                    .await;
            }
        }
        // Who may watch is found out behind the routes, where an address does not tell it.
        let asked = Asked::from_parts(head, body);
        rest.clone().answer(asked, arrival).await
    }
}

/// What is on both listeners, for the operators' one.
pub fn for_operators(services: &Services) -> Router {
    health(services)
}

/// The API's description, for `docs/openapi.json`.
pub fn description(services: &Services) -> Description {
    described(services).1
}

fn described(services: &Services) -> (Router, Description) {
    let api = OpenApiRouter::new()
        .merge(sign_in::routes(
            services.accounts.clone(),
            services.channels.clone(),
        ))
        .merge(accounts::routes(
            services.accounts.clone(),
            services.images.clone(),
        ))
        .merge(oidc::routes(services.oidc.clone()))
        .merge(channels::routes(
            services.channels.clone(),
            services.images.clone(),
        ))
        .merge(services.payments.routes())
        .merge(services.streams.routes(services.images.clone()))
        .merge(services.recordings.routes())
        .merge(services.chat.routes())
        .merge(services.events.routes())
        .merge(services.notifications.routes())
        .merge(services.webhooks.routes())
        .merge(discovery::routes(services.discovery.clone()))
        .merge(services.analytics.routes())
        .merge(feeds(services).routes())
        .merge(instance::routes(
            services.settings.clone(),
            services.oidc.choices(),
            services.payments.mode(),
        ))
        .merge(admin::routes(offices(services)))
        .layer(DefaultBodyLimit::max(BODY))
        .layer(from_fn_with_state(
            services.idempotency.clone(),
            idempotency::once,
        ))
        .layer(from_fn(request::require_own_page))
        .layer(from_fn_with_state(services.quota.clone(), quota::count))
        .layer(from_fn_with_state(
            services.accounts.clone(),
            accounts::identify,
        ))
        .layer(from_fn(keep_private))
        .layer(from_fn(open_to_players));
    let signalling = services.streams.signalling(&services.accounts);
    let cards = cards(services).routes();
    let cards = cards.layer(from_fn_with_state(services.quota.clone(), quota::count));
    let (routes, mut description) = OpenApiRouter::with_openapi(reference::frame())
        .merge(api)
        .merge(signalling)
        .merge(services.notifications.one_click())
        .merge(services.payments.outside())
        .merge(images::routes(services.images.clone()))
        .merge(services.analytics.presence(&services.accounts))
        .merge(services.streams.playback())
        .merge(services.streams.between_servers())
        .merge(services.recordings.playback(&services.accounts))
        .merge(cards)
        .split_for_parts();
    reference::complete(&mut description, idempotency::takes_key);
    (routes, description)
}

fn offices(services: &Services) -> admin::Offices {
    admin::Offices {
        db: services.db.clone(),
        audit: services.audit.clone(),
        settings: services.settings.clone(),
        accounts: services.accounts.clone(),
        channels: services.channels.clone(),
        streams: services.streams.clone(),
        recordings: services.recordings.clone(),
        images: services.images.clone(),
        jobs: services.jobs.clone(),
        mail: services.mail.clone(),
        checkup: services.checkup.clone(),
        trials: admin::Trials::new(&services.sfu, &services.ice, &services.clock),
        data: admin::DataFolder(services.data.clone()),
    }
}

fn cards(services: &Services) -> Cards {
    Cards::new(
        services.channels.clone(),
        services.streams.clone(),
        services.recordings.clone(),
        services.clock.clone(),
        services.settings.clone(),
    )
}

fn feeds(services: &Services) -> Feeds {
    Feeds {
        channels: services.channels.clone(),
        streams: services.streams.clone(),
        recordings: services.recordings.clone(),
    }
}

fn health(services: &Services) -> Router {
    Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .with_state(services.clone())
}

/// Whether the program works: a server whose media stopped must be started again.
async fn alive(State(services): State<Services>) -> Response {
    if services.sfu.is_healthy() {
        return "ok\n".into_response();
    }
    let words = "a media thread stopped; the server ends to be started again";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "media_stopped", words).into_response()
}

/// Whether new sessions are welcome: the database answers and no shutdown is under way.
async fn ready(State(services): State<Services>) -> Response {
    if services.streams.is_draining() {
        return Problem::draining().into_response();
    }
    match services.db.ping().await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => crate::error::store_problem(&error).into_response(),
    }
}

/// Middleware: answers about accounts stay out of caches.
async fn keep_private(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, no_store);
    response
}

/// What the player asks before it plays, beside WHEP and HLS, which are open to all.
const PLAYER_READS: [&str; 2] = ["/api/channels/{handle}", "/api/recordings/{id}"];

/// Middleware: what the player needs may be read by pages of any site. No browser lets them read an
/// answer to a request with a visitor's cookie under these headers.
async fn open_to_players(request: Request, next: Next) -> Response {
    let matched = request.extensions().get::<MatchedPath>();
    let is_read = matched.is_some_and(|path| PLAYER_READS.contains(&path.as_str()))
        && matches!(*request.method(), Method::GET | Method::HEAD);
    let mut response = next.run(request).await;
    if is_read {
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("date"),
        );
    }
    response
}

/// What every request passes.
#[derive(Debug)]
struct Door {
    front: Front,
    clock: Clock,
    policies: spa::Policies,
    playlists: RouteCounter,
    media_files: RouteCounter,
}

/// By what a request is counted: its route, never its full path, which may name sessions.
enum Route<'a> {
    Named {
        method: Method,
        route: String,
    },
    /// Several a second and viewer.
    Media(&'a RouteCounter),
}

impl Door {
    fn new(services: &Services) -> Self {
        let [playlists, media_files] = MediaRequest::ROUTES.map(RouteCounter::new);
        Self {
            front: services.front.clone(),
            clock: services.clock.clone(),
            policies: services.policies.clone(),
            playlists,
            media_files,
        }
    }

    fn counter(&self, media: &MediaRequest<'_>) -> &RouteCounter {
        match media.is_playlist() {
            true => &self.playlists,
            false => &self.media_files,
        }
    }

    /// An answer is bound in time, may panic without harm, is counted, and carries the headers that
    /// keep pages safe.
    async fn pass(
        &self,
        route: Route<'_>,
        security: spa::Security,
        answer: impl Future<Output = Response>,
    ) -> Response {
        let began = self.clock.instant();
        let span = route.span();
        let response = in_time(answer).instrument(span.clone()).await;
        let mut response = in_words(response);
        let took = self.clock.instant().saturating_duration_since(began);
        let status = response.status().as_u16();
        span.record("status", status);
        span.in_scope(|| tracing::debug!("Answered {status}"));
        count_media(&route, &response);
        route.count(status);
        HTTP_SECONDS.record(took);
        security.apply(&self.policies, response.headers_mut());
        response
    }
}

impl Route<'_> {
    fn span(&self) -> tracing::Span {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        match self {
            Self::Named { method, route } => {
                tracing::info_span!(
                    "request",
                    request.id = id,
                    %method,
                    route,
                    status = Empty,
                    channel.handle = Empty,
                    stream.id = Empty,
                    session.id = Empty
                )
            }
            Self::Media(counter) => {
                let route = counter.route();
                tracing::debug_span!(
                    "request",
                    request.id = id,
                    method = "GET",
                    route,
                    status = Empty
                )
            }
        }
    }

    fn count(self, status: u16) {
        match self {
            Self::Named { method, route } => count_request(name_of(&method), route, status),
            Self::Media(counter) => counter.count(status),
        }
    }
}

/// Counts the bytes of media that are answered with. Clients that leave get less.
fn count_media(route: &Route<'_>, response: &Response) {
    let [live, recording] = &HLS_BYTES;
    let tally = match route {
        Route::Media(_) => live,
        Route::Named { route, .. } if route.starts_with("/hls/") => live,
        Route::Named { route, .. } if route.starts_with("/vod/") => recording,
        Route::Named { .. } => return,
    };
    let bytes = response.body().size_hint().exact();
    let told = || {
        response
            .headers()
            .get(CONTENT_LENGTH)?
            .to_str()
            .ok()?
            .parse()
            .ok()
    };
    tally.add(bytes.or_else(told).unwrap_or(0));
}

/// Middleware of all routes: learns who sent the request, and lets it [`Door::pass`].
///
/// One for all of that: axum boxes each layer, and for each request clones each with all beneath it.
async fn pass(State(door): State<Arc<Door>>, mut request: Request, next: Next) -> Response {
    let client = door.front.identify(&request);
    let security = spa::Security::of(client.is_secure(), request.uri());
    request.extensions_mut().insert(client);
    let matched = request.extensions().get::<MatchedPath>();
    let route = Route::Named {
        method: request.method().clone(),
        route: matched.map_or("page", MatchedPath::as_str).to_owned(),
    };
    door.pass(route, security, next.run(request)).await
}

/// Anybody can invent methods, which must not become labels without number.
fn name_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// What axum refuses by itself says nothing: it gets words like all else.
fn in_words(response: Response) -> Response {
    let is_bare = !response.headers().contains_key(CONTENT_TYPE);
    let (code, words) = match response.status() {
        StatusCode::METHOD_NOT_ALLOWED if is_bare => (
            "method_not_allowed",
            "this address does not take that method; the header Allow lists those it takes",
        ),
        StatusCode::REQUEST_TIMEOUT if is_bare => (
            "request_timeout",
            "the request did not arrive as a whole in time",
        ),
        _ => return response,
    };
    let mut problem = Problem::new(response.status(), code, words).into_response();
    if let Some(allow) = response.headers().get(ALLOW) {
        problem.headers_mut().insert(ALLOW, allow.clone());
    }
    problem
}

/// The answer, in time and whatever happens. No `async fn`, which would hold the answer twice.
fn in_time(answer: impl Future<Output = Response>) -> impl Future<Output = Response> {
    let answer = AssertUnwindSafe(answer).catch_unwind();
    timeout(ANSWER_WITHIN, answer).map(|answered| match answered {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            let words = "something failed on the server; its log has the reason";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", words).into_response()
        }
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    })
}
