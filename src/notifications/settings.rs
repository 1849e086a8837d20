//! What an account wants to be told of, and which browsers take pushes.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::{Kind, Notifications, Subscription, Way, push, store};
use crate::accounts::{AccountId, SignedIn};
use crate::db::StoreError;
use crate::error::{ApiError, Problem};
use crate::form::Form;
use crate::request::{ApiJson, ApiPath};

pub(super) fn routes(notifications: Notifications) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(show_settings, edit_settings))
        .routes(routes!(mute_channel, unmute_channel))
        .routes(routes!(push_key))
        .routes(routes!(add_push_subscription))
        .routes(routes!(delete_push_subscription))
        .with_state(notifications)
}

/// What somebody is told of, and how.
#[derive(Debug, Serialize, ToSchema)]
struct NotificationSettings {
    choices: Vec<Choice>,
    /// Handles of followed channels that they are not told of.
    muted: Vec<String>,
    /// Whether mail would arrive: this server sends mail, and the account has a confirmed address.
    email_works: bool,
}

/// What somebody gets of one kind.
#[derive(Debug, Serialize, ToSchema)]
struct Choice {
    kind: Kind,
    /// In the list behind the bell.
    in_app: bool,
    email: bool,
    /// In browsers that take pushes.
    push: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NotificationSettingsEdit {
    /// What is left out stays.
    choices: Vec<ChoiceEdit>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChoiceEdit {
    kind: Kind,
    in_app: Option<bool>,
    email: Option<bool>,
    push: Option<bool>,
}

#[derive(Debug, Serialize, ToSchema)]
struct PushKeyBody {
    /// What browsers call `applicationServerKey`.
    key: String,
}

/// What a browser gives as its subscription.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPushSubscription {
    /// Where its push service takes messages.
    endpoint: String,
    keys: PushKeys,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PushKeys {
    p256dh: String,
    auth: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct PushSubscriptionBody {
    id: Uuid,
}

impl Notifications {
    async fn settings(&self, account: AccountId) -> Result<NotificationSettings, StoreError> {
        let grounds = &self.0.grounds;
        let chosen = store::choices(&grounds.db, account).await?;
        let is_wanted = |kind: Kind, way| {
            let chosen = chosen.iter().find(|(k, w, _)| (*k, *w) == (kind, way));
            chosen.map_or_else(|| kind.is_wanted_by_default(way), |(_, _, wanted)| *wanted)
        };
        let recipient = store::recipient(&grounds.db, account, Kind::Live).await?;
        let has_address = recipient.is_some_and(|recipient| recipient.address.is_some());
        let choices = Kind::CHOSEN.map(|kind| Choice {
            kind,
            in_app: is_wanted(kind, Way::InApp),
            email: is_wanted(kind, Way::Email),
            push: is_wanted(kind, Way::Push),
        });
        Ok(NotificationSettings {
            choices: choices.into(),
            muted: store::muted(&grounds.db, account).await?,
            email_works: grounds.mail.is_configured() && has_address,
        })
    }
}

/// What the account wants to be told of.
#[utoipa::path(
    get, path = "/api/account/notification-settings", tag = "notifications",
    responses((status = 200, body = NotificationSettings), (status = 401, body = Problem)),
)]
async fn show_settings(
    State(notifications): State<Notifications>,
    SignedIn(account): SignedIn,
) -> Result<Json<NotificationSettings>, ApiError> {
    Ok(Json(notifications.settings(account.id).await?))
}

/// Choose what the account wants to be told of.
#[utoipa::path(
    patch, path = "/api/account/notification-settings", tag = "notifications",
    request_body = NotificationSettingsEdit,
    responses(
        (status = 200, body = NotificationSettings),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem),
    ),
)]
async fn edit_settings(
    State(notifications): State<Notifications>,
    SignedIn(account): SignedIn,
    ApiJson(edit): ApiJson<NotificationSettingsEdit>,
) -> Result<Json<NotificationSettings>, ApiError> {
    if edit.choices.len() > Kind::CHOSEN.len() {
        let mut form = Form::new();
        form.add("choices", "too_many_choices", "one of each kind at most");
        form.done()?;
    }
    let mut tx = notifications.0.grounds.db.begin().await?;
    for choice in edit.choices {
        let ways = [
            (Way::InApp, choice.in_app),
            (Way::Email, choice.email),
            (Way::Push, choice.push),
        ];
        for (way, wanted) in ways {
            if let Some(wanted) = wanted {
                store::choose(&mut tx, account.id, choice.kind, way, wanted).await?;
            }
        }
    }
    tx.commit().await?;
    Ok(Json(notifications.settings(account.id).await?))
}

/// Be told of nothing of a channel, and follow it all the same.
#[utoipa::path(
    put, path = "/api/account/muted-channels/{handle}", tag = "notifications",
    params(("handle" = String, Path)),
    responses(
        (status = 204),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
    ),
)]
async fn mute_channel(
    State(notifications): State<Notifications>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
) -> Result<StatusCode, ApiError> {
    let grounds = &notifications.0.grounds;
    let channel = grounds.channels.expect(&handle).await?;
    store::mute(&grounds.db, account.id, channel.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Be told of a channel again.
#[utoipa::path(
    delete, path = "/api/account/muted-channels/{handle}", tag = "notifications",
    params(("handle" = String, Path)),
    responses(
        (status = 204),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
    ),
)]
async fn unmute_channel(
    State(notifications): State<Notifications>,
    SignedIn(account): SignedIn,
    ApiPath(handle): ApiPath<String>,
) -> Result<StatusCode, ApiError> {
    let grounds = &notifications.0.grounds;
    let channel = grounds.channels.expect(&handle).await?;
    store::unmute(&grounds.db, account.id, channel.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The key that browsers subscribe to web push with.
#[utoipa::path(
    get, path = "/api/push/key", tag = "notifications",
    responses((status = 200, body = PushKeyBody)),
)]
async fn push_key(State(notifications): State<Notifications>) -> Json<PushKeyBody> {
    let key = notifications.0.grounds.push_key.public();
    Json(PushKeyBody { key })
}

/// Let a browser take pushes of the account.
#[utoipa::path(
    post, path = "/api/account/push-subscriptions", tag = "notifications",
    request_body = NewPushSubscription,
    responses(
        (status = 201, body = PushSubscriptionBody),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem),
    ),
)]
async fn add_push_subscription(
    State(notifications): State<Notifications>,
    SignedIn(account): SignedIn,
    ApiJson(wish): ApiJson<NewPushSubscription>,
) -> Result<(StatusCode, Json<PushSubscriptionBody>), ApiError> {
    let grounds = &notifications.0.grounds;
    let new = Subscription {
        id: Uuid::now_v7(),
        endpoint: wish.endpoint,
        p256dh: wish.keys.p256dh.trim_end_matches('=').to_owned(),
        auth: wish.keys.auth.trim_end_matches('=').to_owned(),
    };
    let mut form = Form::new();
    let place = grounds.outgoing.check(&new.endpoint);
    form.take(
        "endpoint",
        place.map_err(|error| ApiError::Invalid {
            code: "endpoint_refused",
            detail: error.to_string(),
        }),
    );
    form.take("keys", push::check(&new));
    form.done()?;
    let now = grounds.clock.now();
    let id = store::subscribe(&grounds.db, account.id, &new, push::MOST, now).await?;
    Ok((StatusCode::CREATED, Json(PushSubscriptionBody { id })))
}

/// Let a browser take no pushes any more.
#[utoipa::path(
    delete, path = "/api/account/push-subscriptions/{id}", tag = "notifications",
    params(("id" = Uuid, Path)),
    responses(
        (status = 204),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
    ),
)]
async fn delete_push_subscription(
    State(notifications): State<Notifications>,
    SignedIn(account): SignedIn,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<StatusCode, ApiError> {
    let db = &notifications.0.grounds.db;
    match store::unsubscribe(db, id, Some(account.id)).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(ApiError::NotFound {
            code: "push_subscription_not_found",
            detail: "this browser takes no pushes of this account",
        }),
    }
}
