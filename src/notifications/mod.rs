//! Notifications: what people are told of, in the app, by e-mail and by web push.
//!
//! An event becomes a [`News`]. Followers are told in batches, a job each, so that a channel with many
//! of them holds up nobody; the channel's owner is told at once. Nobody is told twice of the same: the
//! row in the table is what says so, also where somebody wants no list.

mod belonging;
mod choices;
mod fan_out;
mod push;
mod routes;
mod settings;
mod store;
mod unsubscribe;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

pub use choices::{Kind, Way};
pub use push::{PushKey, PushKeyError};

use crate::accounts::AccountId;
use crate::channels::{ChannelId, Channels, Pepper};
use crate::clock::Clock;
use crate::db::{Db, StoreError};
use crate::events::{Audience, Event, Kind as EventKind};
use crate::jobs::{Jobs, Worker};
use crate::mail::Mail;
use crate::outgoing::Outgoing;
use crate::rate::Rate;

/// What somebody was told.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Notification {
    id: Uuid,
    kind: Kind,
    /// Handle of the channel it is about.
    channel: Option<String>,
    title: String,
    body: String,
    /// A path on this server.
    link: String,
    /// How many it stands for.
    amount: i64,
    created_at: Timestamp,
    read_at: Option<Timestamp>,
}

/// A browser that takes pushes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Subscription {
    id: Uuid,
    endpoint: String,
    p256dh: String,
    auth: String,
}

/// What there is to tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
struct News {
    kind: Kind,
    channel: Option<Uuid>,
    /// Nobody is told twice of it.
    subject: String,
    title: String,
    body: String,
    /// A path on this server.
    link: String,
}

/// What [`Notifications::new`] stands on.
#[derive(Debug, Clone)]
pub struct Grounds {
    /// The database.
    pub db: Db,
    /// Time.
    pub clock: Clock,
    /// The queue.
    pub jobs: Jobs,
    /// The way to push services.
    pub outgoing: Outgoing,
    /// Who is followed.
    pub channels: Channels,
    /// What links that call mails off are signed with.
    pub pepper: Pepper,
    /// The way to mailboxes.
    pub mail: Mail,
    /// Who we are to push services.
    pub push_key: PushKey,
    /// Event streams end with it.
    pub closing: CancellationToken,
}

/// The service: cheap to clone, all clones are one.
#[derive(Debug, Clone)]
pub struct Notifications(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    grounds: Grounds,
    /// Whose list changed.
    changed: broadcast::Sender<Arc<[AccountId]>>,
    /// Each asks push services and a mail server, which may be slow.
    tests: Rate<AccountId>,
}

/// Tests of one account within that time.
const MOST_TESTS: u32 = 20;
const TESTS_WITHIN: Duration = Duration::from_secs(3600);
/// Changes that a slow reader may be behind.
const CHANGES: usize = 256;
/// Nobody wants to be told that somebody was live yesterday.
const FRESH: SignedDuration = SignedDuration::from_mins(30);
/// How long they stay in the list.
const KEEP: SignedDuration = SignedDuration::from_hours(90 * 24);

impl Notifications {
    /// Makes the service.
    #[must_use]
    pub fn new(grounds: Grounds) -> Self {
        let (changed, _) = broadcast::channel(CHANGES);
        Self(Arc::new(Inner {
            grounds,
            changed,
            tests: Rate::new(TESTS_WITHIN),
        }))
    }

    /// The routes under `/api` of this domain.
    pub fn routes(&self) -> OpenApiRouter {
        routes::routes(self.clone()).merge(settings::routes(self.clone()))
    }

    /// The routes that mail programs use, which come from no page of ours.
    pub fn one_click(&self) -> OpenApiRouter {
        unsubscribe::routes(self.clone())
    }

    /// Makes a worker tell followers and push services.
    #[must_use]
    pub fn work_by(&self, worker: Worker) -> Worker {
        push::push_by(self, fan_out::tell_by(self, worker))
    }

    /// Tells whom an event concerns. To do it again does nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take(&self, event: &Event) -> Result<(), StoreError> {
        if self.0.grounds.clock.now().duration_since(event.at) > FRESH {
            return Ok(());
        }
        let Some(news) = news_of(event) else {
            return Ok(());
        };
        match news.kind {
            Kind::Live | Kind::Scheduled => self.tell_followers(news).await,
            Kind::RecordingReady | Kind::NewFollower => self.tell_owner(event, news).await,
            Kind::Test => Ok(()),
        }
    }

    /// Deletes what is too old.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        let Grounds { db, clock, .. } = &self.0.grounds;
        store::sweep(db, clock.now() - KEEP).await
    }

    async fn tell_owner(&self, event: &Event, news: News) -> Result<(), StoreError> {
        let channels = &self.0.grounds.channels;
        match channels.by_id(event.channel).await? {
            Some(channel) => self.tell(channel.owner, &news).await,
            None => Ok(()),
        }
    }
}

/// What people are told of an event, if anything.
fn news_of(event: &Event) -> Option<News> {
    let channel = &event.content.channel;
    let stream = event.content.stream.as_ref();
    let about = stream.map_or("", |stream| stream.title.as_str());
    let subject = stream.map_or_else(|| event.seq.to_string(), |stream| stream.id.to_string());
    let data = &event.content.data;
    let page = format!("/@{}", channel.handle);
    let is_public = event.audience == Audience::Public;
    let (kind, subject, title, body, link) = match event.kind {
        EventKind::StreamStarted if is_public => {
            let title = format!("{} is live", channel.name);
            (Kind::Live, subject, title, about.to_owned(), page)
        }
        EventKind::StreamScheduled if is_public => {
            let at = data.get("scheduled_at").unwrap_or(&json!("")).to_string();
            let title = format!("{} plans a stream", channel.name);
            // Another time is other news.
            let subject = format!("{subject} {at}");
            (Kind::Scheduled, subject, title, about.to_owned(), page)
        }
        EventKind::RecordingReady => {
            let recording = data.get("recording")?;
            let id = recording.get("id")?.as_str()?;
            let title = "Your recording is ready".to_owned();
            let link = format!("/videos/{id}");
            (
                Kind::RecordingReady,
                id.to_owned(),
                title,
                about.to_owned(),
                link,
            )
        }
        EventKind::ChannelFollowed => {
            let title = format!("1 new follower on {}", channel.name);
            (
                Kind::NewFollower,
                event.seq.to_string(),
                title,
                String::new(),
                page,
            )
        }
        _ => return None,
    };
    Some(News {
        kind,
        channel: Some(event.channel.0),
        subject,
        title,
        body,
        link,
    })
}

/// How it is put where it stands for several.
fn title_of(notification: &Notification) -> String {
    match (notification.kind, notification.amount) {
        (Kind::NewFollower, amount) if amount > 1 => {
            let of_one = notification.title.strip_prefix("1 new follower");
            format!("{amount} new followers{}", of_one.unwrap_or_default())
        }
        _ => notification.title.clone(),
    }
}

fn channel_of(news: &News) -> Option<ChannelId> {
    news.channel.map(ChannelId)
}
