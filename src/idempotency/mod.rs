//! Requests that are sent again because nobody knows whether they arrived: with an `Idempotency-Key` a
//! POST is done once, and its answer given again to whoever repeats it.
//!
//! A row is written before the work and gets the answer after it. The work goes on when its client goes
//! away, since just that client comes back. Only answers of success are kept: a refusal says that
//! nothing was done, so that the same key may be used again once the reason is gone. What was at work
//! when the server died has no answer; whether it was done is not known, and a repetition does it.

mod answer;
mod seal;
mod store;

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use tokio::time::timeout;
use tracing::Instrument as _;
use uuid::Uuid;

pub use seal::Seal;

use crate::accounts::{AccountId, Asker};
use crate::clock::Clock;
use crate::db::{Db, StoreError};
use crate::error::ApiError;
use crate::secret::hex;

/// The service: cheap to clone, all clones are one.
#[derive(Debug, Clone)]
pub struct Idempotency {
    db: Db,
    clock: Clock,
    seal: Seal,
}

/// By what an answer is found.
#[derive(Debug, Clone)]
struct Key {
    account: AccountId,
    hash: String,
}

/// What a request with a key meets.
enum Claim {
    /// It is to be done.
    Ours,
    /// It is being done.
    InUse,
    /// The key names another request.
    Reused,
    /// It was done; the sealed answer.
    Done(String),
}

/// Answers are kept for so long.
pub const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);
/// The longest body of a request with a key.
const BODY: usize = 2 * 1024 * 1024;
/// Work that has no answer by then is taken for dead, and is stopped a little earlier.
const LEASE: Duration = Duration::from_secs(60);
const WORK: Duration = Duration::from_secs(50);

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Whether requests to a path may be repeated by key. Signing in makes logins, which are in no body.
#[must_use]
pub fn takes_key(path: &str) -> bool {
    let is_under = |root| {
        path == root
            || path
                .strip_prefix(root)
                .is_some_and(|p: &str| p.starts_with('/'))
    };
    let without = ["/api/auth", "/api/session", "/api/setup"];
    is_under("/api") && !without.into_iter().any(is_under)
}

/// Middleware: does a POST with a key once. It stands behind `accounts::identify`; without an account
/// there is nobody to keep answers for, and a key says nothing.
///
/// # Errors
/// When the key is malformed, in use, or of another request, or the database fails.
pub async fn once(
    State(idempotency): State<Idempotency>,
    asker: Asker,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let may_have_key = *request.method() == Method::POST && takes_key(request.uri().path());
    let Some(account) = asker.account.filter(|_| may_have_key) else {
        return Ok(next.run(request).await);
    };
    let Some(text) = key_of(request.headers())? else {
        return Ok(next.run(request).await);
    };
    let key = Key {
        account: account.id,
        hash: hex(&Sha256::digest(text)),
    };
    let (head, body) = request.into_parts();
    let body = to_bytes(body, BODY).await.map_err(|_| too_long())?;
    let asked = fingerprint(&head, &body);
    let worker = Uuid::new_v4();
    match idempotency.claim(&key, &asked, worker).await? {
        Claim::Ours => {
            let request = Request::from_parts(head, Body::from(body));
            idempotency.work(key, worker, request, next).await
        }
        Claim::InUse => Err(ApiError::Conflict {
            code: "idempotency_key_in_use",
            detail: "the first request with this Idempotency-Key is still at work; try again in a \
                     second"
                .to_owned(),
        }),
        Claim::Reused => Err(ApiError::Invalid {
            code: "idempotency_key_reused",
            detail: "this Idempotency-Key was sent with another request; use a new key for each"
                .to_owned(),
        }),
        Claim::Done(sealed) => idempotency.replay(&key, &sealed),
    }
}

/// The key of a request, if it has one.
fn key_of(headers: &HeaderMap) -> Result<Option<&[u8]>, ApiError> {
    let mut keys = headers.get_all(KEY).iter().map(HeaderValue::as_bytes);
    let (first, second) = (keys.next(), keys.next());
    let is_good =
        |key: &[u8]| (1..=255).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic);
    match (first, second) {
        (None, _) => Ok(None),
        (Some(key), None) if is_good(key) => Ok(Some(key)),
        _ => Err(ApiError::Invalid {
            code: "idempotency_key_invalid",
            detail: "an Idempotency-Key has 1 to 255 visible ASCII characters, and there is one"
                .to_owned(),
        }),
    }
}

/// What must be the same for a request to be the same.
fn fingerprint(head: &axum::http::request::Parts, body: &[u8]) -> String {
    let mut hash = Sha256::new();
    let address = head.uri.path_and_query().map_or("", |it| it.as_str());
    for part in [head.method.as_str().as_bytes(), address.as_bytes(), body] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex(&hash.finalize())
}

fn too_long() -> ApiError {
    ApiError::Body {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        code: "body_too_large",
        detail: "with an Idempotency-Key a body may have 2 MiB".to_owned(),
    }
}

impl Idempotency {
    /// Makes the service. Work that was under way when the server ended will not be answered any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open(db: Db, clock: Clock, seal: Seal) -> Result<Self, StoreError> {
        store::forget_unanswered(&db).await?;
        Ok(Self { db, clock, seal })
    }

    async fn claim(&self, key: &Key, asked: &str, worker: Uuid) -> Result<Claim, StoreError> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        store::forget_expired(&mut tx, now).await?;
        let lease = store::Lease {
            worker,
            until: now + LEASE,
            expires_at: now + KEPT_FOR,
        };
        let claim = if store::take(&mut tx, key, asked, &lease, now).await? {
            Claim::Ours
        } else {
            match store::find(&mut tx, key).await? {
                // Whoever had it failed between our two looks.
                None => Claim::InUse,
                Some(row) if row.request_hash != asked => Claim::Reused,
                Some(row) => row.answer.map_or(Claim::InUse, Claim::Done),
            }
        };
        tx.commit().await?;
        Ok(claim)
    }

    /// Does the work on a task of its own, so that it ends even if its client does not wait for it.
    async fn work(
        self,
        key: Key,
        worker: Uuid,
        request: Request,
        next: Next,
    ) -> Result<Response, ApiError> {
        let work = async move {
            let answered = timeout(WORK, next.run(request)).await;
            let response = answered.unwrap_or_else(|_| StatusCode::REQUEST_TIMEOUT.into_response());
            self.keep(&key, worker, response).await
        };
        let worked = tokio::spawn(work.in_current_span()).await;
        worked.map_err(|error| ApiError::Internal(error.to_string()))
    }

    /// Keeps an answer of success. That a database does not take it changes nothing for the client: the
    /// lease ends, and a repetition is new work.
    async fn keep(&self, key: &Key, worker: Uuid, response: Response) -> Response {
        let (response, kept) = answer::read(response).await;
        let sealed = kept.and_then(|kept| self.seal.close(&key.binding(), &kept));
        let written = match sealed {
            Some(sealed) => store::answer(&self.db, key, worker, &sealed).await,
            None => store::give_up(&self.db, key, worker).await,
        };
        if let Err(error) = written {
            tracing::warn!(%error, "The answer to a request with a key was not kept: {error}");
        }
        response
    }

    fn replay(&self, key: &Key, sealed: &str) -> Result<Response, ApiError> {
        let kept = self.seal.open(&key.binding(), sealed);
        let response = kept.and_then(|kept| answer::write(&kept));
        let Some(mut response) = response else {
            return Err(ApiError::Internal(
                "a kept answer cannot be opened".to_owned(),
            ));
        };
        response
            .headers_mut()
            .insert(REPLAYED, HeaderValue::from_static("true"));
        Ok(response)
    }
}

impl Key {
    /// What an answer is sealed to, so that rows cannot be exchanged.
    fn binding(&self) -> String {
        format!("{} {}", self.account, self.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::{Accounts, Passwords, Role};
    use crate::audit::Audit;
    use crate::config::Config;
    use crate::jobs::Jobs;
    use crate::mail::Mail;
    use crate::secret::Secret;
    use crate::settings::Settings;

    async fn idempotency(folder: &std::path::Path, clock: &Clock) -> (Idempotency, Key) {
        let db = Db::open("", 1, folder).await.unwrap();
        db.migrate().await.unwrap();
        let config = Config::default();
        let audit = Audit::new(db.clone(), clock.clone());
        let jobs = Jobs::new(db.clone(), clock.clone());
        let mail = Mail::new(&config.mail, &config.http, jobs.clone()).unwrap();
        let (ours, time, log) = (db.clone(), clock.clone(), audit.clone());
        let settings = Settings::open(&config, ours, time, log).await.unwrap();
        let (ours, time) = (db.clone(), clock.clone());
        let accounts = Accounts::new(ours, time, &config, audit, jobs, mail, settings);
        let accounts = accounts.with_passwords(Passwords::cheap());
        let account = match accounts.by_name("ada").await.unwrap() {
            Some(account) => account,
            None => {
                let password = Secret::new("correct horse");
                accounts
                    .create("ada", &password, Role::Admin)
                    .await
                    .unwrap()
            }
        };
        let key = Key {
            account: account.id,
            hash: "00".to_owned(),
        };
        let seal = Seal::new("a secret");
        (
            Idempotency::open(db, clock.clone(), seal).await.unwrap(),
            key,
        )
    }

    #[tokio::test]
    async fn work_that_died_is_done_by_whoever_repeats_it() {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::movable());
        let (idempotency, key) = idempotency(folder.path(), &clock).await;
        let claim = |worker| idempotency.claim(&key, "request", worker);
        let (first, second) = (Uuid::new_v4(), Uuid::new_v4());
        assert!(matches!(claim(first).await.unwrap(), Claim::Ours));
        assert!(matches!(claim(second).await.unwrap(), Claim::InUse));
        clock.advance(LEASE);
        assert!(matches!(claim(second).await.unwrap(), Claim::Ours));

        // The first was only slow: what it says now is nobody's answer.
        store::answer(&idempotency.db, &key, first, "00")
            .await
            .unwrap();
        store::give_up(&idempotency.db, &key, first).await.unwrap();
        assert!(matches!(claim(first).await.unwrap(), Claim::InUse));
    }

    #[tokio::test]
    async fn a_new_server_takes_no_work_of_the_one_before_for_running() {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::movable());
        let (before, key) = idempotency(folder.path(), &clock).await;
        let claim = before.claim(&key, "request", Uuid::new_v4()).await;
        assert!(matches!(claim.unwrap(), Claim::Ours));
        before.db.close().await;
        let (after, key) = idempotency(folder.path(), &clock).await;
        let claim = after.claim(&key, "request", Uuid::new_v4()).await;
        assert!(matches!(claim.unwrap(), Claim::Ours));
    }
}
