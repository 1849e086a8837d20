//! Web push: our key, and messages that only the browser can read (RFC 8291, RFC 8292).

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;
use web_push_native::WebPushBuilder;
use web_push_native::jwt_simple::algorithms::{ECDSAP256PublicKeyLike as _, ES256KeyPair};
use web_push_native::jwt_simple::reexports::ct_codecs::{Base64UrlSafeNoPadding, Encoder as _};

use super::{Grounds, Kind, News, Notifications, Subscription, store};
use crate::accounts::AccountId;
use crate::db::{StoreError, Tx};
use crate::error::ApiError;
use crate::jobs::{JobError, Worker};

/// The kind of the jobs.
const KIND: &str = "push";
/// Browsers of one account.
pub(super) const MOST: i64 = 10;
/// How long the push service keeps it for a browser that is off.
const TIME_TO_LIVE: Duration = Duration::from_secs(4 * 3600);
/// A push service that is away for longer is given up.
const PATIENCE: Duration = Duration::from_secs(3600);
/// In the data folder.
const FILE: &str = "push.key";
/// The longest that fits into a push of every service.
const LONGEST_TEXT: usize = 500;

/// Who we are to push services (VAPID): made at the first start.
#[derive(Clone)]
pub struct PushKey {
    pair: Arc<ES256KeyPair>,
    contact: Arc<str>,
}

impl fmt::Debug for PushKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PushKey(hidden)")
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot use the key of web push in {path}: {source}; restore the file from a backup, or delete it: \
     browsers then ask for notifications anew",
    path = path.display()
)]
pub struct PushKeyError {
    path: PathBuf,
    source: io::Error,
}

/// Length of the private half.
const KEY_BYTES: usize = 32;

impl PushKey {
    /// Reads the key from the data folder, or makes it. `origin` is where push services find who runs
    /// this.
    ///
    /// # Errors
    /// When the file can be neither read nor made, or holds no key.
    pub fn open(data: &Path, origin: Option<&str>) -> Result<Self, PushKeyError> {
        let path = data.join(FILE);
        let failed = |source| PushKeyError {
            path: path.clone(),
            source,
        };
        let pair = match std::fs::read(&path) {
            // Other lengths make the reader panic.
            Ok(bytes) if bytes.len() != KEY_BYTES => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "it holds no key",
            )),
            Ok(bytes) => ES256KeyPair::from_bytes(&bytes).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(&path),
            Err(error) => Err(error),
        };
        // RFC 8292 §2.1: a link or an address by which the sender can be reached.
        let contact = origin.filter(|origin| origin.starts_with("https://"));
        Ok(Self {
            pair: Arc::new(pair.map_err(failed)?),
            contact: contact.unwrap_or("mailto:admin@localhost").into(),
        })
    }

    /// What browsers subscribe with: the public half, in base 64 for URLs.
    #[must_use]
    pub fn public(&self) -> String {
        let bytes = self.pair.public_key().public_key().to_bytes_uncompressed();
        Base64UrlSafeNoPadding::encode_to_string(bytes).unwrap_or_default()
    }
}

fn create(path: &Path) -> io::Result<ES256KeyPair> {
    let pair = ES256KeyPair::generate();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(&pair.to_bytes())?;
    file.sync_all()?;
    Ok(pair)
}

/// A push on its way.
#[derive(Debug, Serialize, Deserialize)]
struct Work {
    subscription: Uuid,
    message: String,
}

pub(super) fn push_by(notifications: &Notifications, worker: Worker) -> Worker {
    let notifications = notifications.clone();
    worker.on(KIND, PATIENCE, move |work: Work, _| {
        let notifications = notifications.clone();
        async move { deliver(&notifications.0.grounds, work).await }
    })
}

/// Pushes news to all browsers of an account.
pub(super) async fn send(
    notifications: &Notifications,
    tx: &mut Tx,
    account: AccountId,
    news: &News,
) -> Result<(), StoreError> {
    let message = message_of(news);
    for subscription in store::subscriptions_of(tx, account, MOST).await? {
        let work = Work {
            subscription,
            message: message.clone(),
        };
        notifications
            .0
            .grounds
            .jobs
            .enqueue(tx, KIND, &work)
            .await?;
    }
    Ok(())
}

/// What the service worker reads.
fn message_of(news: &News) -> String {
    let cut = |text: &str| text.chars().take(LONGEST_TEXT).collect::<String>();
    // What replaces an older one of the same.
    let tag = match news.kind {
        Kind::NewFollower => "new_follower",
        _ => &news.subject,
    };
    json!({
        "title": cut(&news.title),
        "body": cut(&news.body),
        "link": news.link,
        "tag": tag,
    })
    .to_string()
}

async fn deliver(grounds: &Grounds, work: Work) -> Result<(), JobError> {
    let found = store::subscription(&grounds.db, work.subscription).await;
    let Some(subscription) = found.map_err(later)? else {
        return Ok(());
    };
    let builder = builder(&subscription).map_err(|error| JobError::GiveUp(error.to_string()))?;
    let PushKey { pair, contact } = &grounds.push_key;
    let request = builder
        .with_valid_duration(TIME_TO_LIVE)
        .with_vapid(pair, contact)
        .build(work.message)
        .map_err(|error| JobError::GiveUp(error.to_string()))?;
    let (head, body) = request.into_parts();
    let url = head.uri.to_string();
    let answer = grounds.outgoing.post(&url, head.headers, body).await;
    // The address names the browser, so that it stands in no message.
    let answer = answer.map_err(|error| JobError::Retry(error.to_string()))?;
    match answer.status {
        200..300 => Ok(()),
        404 | 410 => {
            let gone = store::unsubscribe(&grounds.db, subscription.id, None).await;
            gone.map(drop).map_err(later)
        }
        429 | 500.. => Err(JobError::Retry(refusal(answer.status))),
        status => Err(JobError::GiveUp(refusal(status))),
    }
}

fn refusal(status: u16) -> String {
    format!("the push service answered {status}")
}

fn later(error: StoreError) -> JobError {
    JobError::Retry(error.to_string())
}

fn builder(subscription: &Subscription) -> Result<WebPushBuilder, serde_json::Error> {
    serde_json::from_value(json!({
        "endpoint": subscription.endpoint,
        "keys": { "p256dh": subscription.p256dh, "auth": subscription.auth },
    }))
}

/// Whether the keys of a browser can be used.
pub(super) fn check(subscription: &Subscription) -> Result<(), ApiError> {
    // A point of 65 bytes and a secret of 16, in base 64: the builder takes other lengths for a mistake
    // of ours, and panics.
    let has_lengths = subscription.p256dh.len() == 87 && subscription.auth.len() == 22;
    match has_lengths && builder(subscription).is_ok() {
        true => Ok(()),
        false => Err(ApiError::Invalid {
            code: "push_keys_invalid",
            detail: "give the keys that the browser's subscription has".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_only_its_owner_reads_it() {
        let data = tempfile::tempdir().unwrap();
        let first = PushKey::open(data.path(), Some("https://live.example")).unwrap();
        let again = PushKey::open(data.path(), None).unwrap();
        assert_eq!(first.public(), again.public());
        assert_eq!(first.public().len(), 87);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let file = std::fs::metadata(data.path().join(FILE)).unwrap();
            assert_eq!(file.permissions().mode() & 0o777, 0o600);
        }
        std::fs::write(data.path().join(FILE), "no key").unwrap();
        assert!(PushKey::open(data.path(), None).is_err());
    }

    #[test]
    fn keys_that_are_none_are_refused_in_words() {
        let subscription = |p256dh: &str, auth: &str| Subscription {
            id: Uuid::nil(),
            endpoint: "https://push.example/x".to_owned(),
            p256dh: p256dh.to_owned(),
            auth: auth.to_owned(),
        };
        let good = "BLn9b-VR0ca83knDNZ32dCHGyjJp-1riX9ZTN40MqV8K_LpQmLqxC_DoHvqvFXO_nGdAB4W9dogZb_sM-uV4JbY";
        assert!(check(&subscription(good, "_ordMnz7uTCmrpBTeUV4Bw")).is_ok());
        assert!(check(&subscription(good, "_ordMnz7")).is_err());
        assert!(check(&subscription("BLn9", "_ordMnz7uTCmrpBTeUV4Bw")).is_err());
    }
}
