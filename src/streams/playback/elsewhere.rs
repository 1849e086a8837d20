//! What is on air at other servers, by HLS: its playlists, segments and pictures are fetched from there,
//! each once however many want it, and kept as long as they say.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use moka::Expiry;
use moka::future::Cache;
use sfu::StreamId;
use tokio::time::timeout;

use super::readers::Readers;
use super::routes::HlsError;
use super::takeover::{BEFORE_WITHIN, is_missing};
use super::{LINGER, Playback};
use crate::cluster::{self, AskError, Cluster, Record};
use crate::gates::Lock;
use crate::request::Client;

/// A stream that is on air at another server.
#[derive(Debug, Clone)]
pub(in super::super) struct Elsewhere {
    pub(in super::super) handle: String,
    pub(in super::super) stream: StreamId,
    /// Which; none: nobody says to have it just now.
    pub(in super::super) server: Option<Arc<Record>>,
    pub(in super::super) lock: Lock,
}

/// The same, with those who read it here.
#[derive(Debug)]
pub(super) struct Distant {
    pub(super) stream: StreamId,
    pub(super) readers: Readers,
    now: Mutex<Elsewhere>,
    had: Mutex<Had>,
    /// When it was over: who is behind plays it to its end.
    over_at: Mutex<Option<Instant>>,
}

/// Servers that had it: players that are behind want segments of before.
#[derive(Debug, Default)]
struct Had {
    /// The newest, which may have it still.
    last: Option<Arc<Record>>,
    /// Another, before that.
    before: Option<Arc<Record>>,
}

/// What was fetched, and is kept.
#[derive(Debug, Clone)]
pub(super) struct Fetched {
    status: StatusCode,
    headers: Arc<HeaderMap>,
    body: Bytes,
    lasts: Duration,
}

/// Files of streams that are on air at other servers, by path and query.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    fresh: Cache<String, Fetched>,
    /// Playlists, by path: told once more while nobody has the stream.
    last: Cache<String, Fetched>,
}

/// Bytes that are kept of all streams.
const MOST_KEPT: u64 = 128 * 1024 * 1024;
/// Nothing need be kept longer: players are there by then.
const LONGEST: Duration = Duration::from_secs(60);
/// A playlist of a stream that nobody has is told for as long.
const STALE_FOR: Duration = Duration::from_secs(60);
/// A blocking request for a playlist is answered within this time.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

impl Default for Kept {
    fn default() -> Self {
        let weigh = |key: &String, kept: &Fetched| {
            u32::try_from(key.len() + kept.body.len()).unwrap_or(u32::MAX)
        };
        Self {
            fresh: Cache::builder()
                .weigher(weigh)
                .max_capacity(MOST_KEPT)
                .expire_after(AsTheySay)
                .build(),
            last: Cache::builder()
                .weigher(weigh)
                .max_capacity(MOST_KEPT / 16)
                .time_to_live(STALE_FOR)
                .build(),
        }
    }
}

struct AsTheySay;

impl Expiry<String, Fetched> for AsTheySay {
    fn expire_after_create(&self, _: &String, kept: &Fetched, _: Instant) -> Option<Duration> {
        Some(kept.lasts)
    }
}

impl Distant {
    fn now(&self) -> Elsewhere {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.clone()
    }

    fn change(&self, to: Elsewhere) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(next) = &to.server {
            let mut had = self.had();
            let last = had.last.replace(Arc::clone(next));
            if let Some(last) = last.filter(|last| last.id != next.id) {
                had.before = Some(last);
            }
        }
        *now = to;
    }

    /// Who had it before the one that has it now, or last while nobody has.
    fn before(&self, now: Option<&Record>) -> Option<Arc<Record>> {
        let had = self.had();
        match now {
            Some(_) => had.before.clone(),
            None => had.last.clone(),
        }
    }

    fn had(&self) -> MutexGuard<'_, Had> {
        self.had.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn over_at(&self) -> MutexGuard<'_, Option<Instant>> {
        self.over_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_over(&self) -> bool {
        self.over_at().is_some()
    }
}

impl Playback {
    /// This is on air at other servers now, and nothing else.
    pub(in super::super) fn set_elsewhere(&self, all: Vec<Elsewhere>) {
        // What ended here while this server saw no other goes on there.
        all.iter().for_each(|one| self.hand_over(one.stream));
        let instant = self.0.clock.instant();
        let mut known = self.distant();
        known.retain(|handle, distant| {
            let is_same = |one: &Elsewhere| one.handle == *handle && one.stream == distant.stream;
            let mut over_at = distant.over_at();
            match all.iter().any(is_same) {
                true => *over_at = None,
                false => {
                    over_at.get_or_insert(instant);
                }
            }
            over_at.is_none_or(|at| instant.saturating_duration_since(at) < LINGER)
        });
        for one in all {
            match known.get(&one.handle) {
                Some(distant) if distant.stream == one.stream => {
                    distant.change(one);
                }
                _ => {
                    let distant = Distant {
                        stream: one.stream,
                        readers: Readers::default(),
                        over_at: Mutex::default(),
                        had: Mutex::new(Had {
                            last: one.server.clone(),
                            before: None,
                        }),
                        now: Mutex::new(one.clone()),
                    };
                    known.insert(one.handle, Arc::new(distant));
                }
            }
        }
    }

    pub(super) fn on_air_elsewhere(&self, handle: &str) -> Option<Arc<Distant>> {
        self.distant().get(handle).map(Arc::clone)
    }

    /// Whether what is on air on a channel now is so at another server.
    pub(super) fn is_on_air_elsewhere(&self, handle: &str) -> bool {
        let distant = self.on_air_elsewhere(handle);
        distant.is_some_and(|distant| !distant.is_over())
    }

    /// Where what only the origin knows of a channel is asked for, when that is another server.
    pub(in super::super) fn origin_of(&self, handle: &str) -> Option<Arc<Record>> {
        let distant = self.on_air_elsewhere(handle)?;
        distant.now().server.filter(|_| !distant.is_over())
    }

    /// Answers a request for a file of a stream that is on air elsewhere.
    pub(super) async fn answer_elsewhere(
        &self,
        distant: &Distant,
        client: &Client,
        request: Request,
    ) -> Response {
        let Elsewhere {
            handle,
            server,
            lock,
            ..
        } = distant.now();
        let path = request.uri().path().to_owned();
        // What is escaped is none of our names, and must not become another path on the way.
        if path.contains('%') || path.contains("..") {
            return HlsError::NotLive.into_response();
        }
        // Whoever asks must be known there, where somebody or something decides about them.
        let is_open = self.0.gates.is_open(&handle, &lock) && !self.0.hooks.are_for_plays();
        let passes = !is_open || request.method() != Method::GET;
        if passes {
            let server = server.as_deref();
            let servers = (server, distant.before(server));
            return self.pass_on(servers, client, request).await;
        }
        let asked = Asked::new(distant.stream, path, request.uri().query());
        // As of what is here: the sound is read beside a picture.
        let _waiting = match (asked.is_of_pictures(), asked.blocks()) {
            (true, true) => Some(distant.readers.wait()),
            (true, false) => {
                distant.readers.poll();
                None
            }
            (false, _) => None,
        };
        let within = match distant.is_over() {
            true => BEFORE_WITHIN,
            false => ANSWER_WITHIN,
        };
        let (kept, cluster) = (&self.0.kept, &self.0.cluster);
        let fetched = match &server {
            Some(server) => kept.fetch(cluster, server, &asked, within).await,
            None => Err(None),
        };
        if !is_there(&fetched)
            && !kept.has_last(&asked)
            && let Some(before) = distant.before(server.as_deref())
        {
            let found = kept.fetch(cluster, &before, &asked, BEFORE_WITHIN).await;
            if is_there(&found) {
                return kept.answer(found, &asked).await;
            }
        }
        kept.answer(fetched, &asked).await
    }
}

impl Playback {
    /// Has the server answer that has the stream, or the one that had it before.
    async fn pass_on(
        &self,
        (server, before): (Option<&Record>, Option<Arc<Record>>),
        client: &Client,
        request: Request,
    ) -> Response {
        let cluster = &self.0.cluster;
        let before = before.filter(|_| request.method() == Method::GET);
        let Some(before) = before else {
            return match server {
                Some(server) => cluster.have_answered(server, client, request).await,
                None => nobody(),
            };
        };
        let (head, body) = request.into_parts();
        // A GET has no body that counts.
        let same = Request::from_parts(head.clone(), Body::empty());
        let is_playlist = head.uri.path().ends_with(".m3u8");
        let answered = match server {
            Some(server) => cluster.have_answered(server, client, same).await,
            None => nobody(),
        };
        let status = answered.status();
        // An old playlist must not come after a newer one, which a server that fails may have told.
        let is_there = match (server, is_playlist) {
            (Some(_), true) => status != StatusCode::NOT_FOUND,
            _ => !is_missing(status),
        };
        if is_there {
            return answered;
        }
        let request = Request::from_parts(head, body);
        let asked = cluster.have_answered(&before, client, request);
        match timeout(BEFORE_WITHIN, asked).await {
            Ok(found) if !is_missing(found.status()) => found,
            _ => answered,
        }
    }
}

/// What is asked for of a stream that is on air elsewhere, without what means nothing to us.
struct Asked {
    stream: StreamId,
    path: String,
    /// Path and query.
    whole: String,
}

impl Asked {
    fn new(stream: StreamId, path: String, query: Option<&str>) -> Self {
        let is_ours = |pair: &&str| pair.starts_with("_HLS_");
        let pairs = query.unwrap_or_default().split('&');
        let ours: Vec<&str> = pairs.filter(is_ours).collect();
        let whole = match ours.is_empty() || !path.ends_with(".m3u8") {
            true => path.clone(),
            false => format!("{path}?{}", ours.join("&")),
        };
        Self {
            stream,
            path,
            whole,
        }
    }

    fn is_playlist(&self) -> bool {
        self.path.ends_with(".m3u8")
    }

    fn is_of_pictures(&self) -> bool {
        let rendition = self.path.split('/').nth_back(1);
        self.is_playlist() && rendition.is_some_and(|of| of.starts_with('v'))
    }

    fn blocks(&self) -> bool {
        self.whole.contains("_HLS_msn")
    }

    /// Whether the answer is a whole playlist, which anybody can begin with.
    fn is_whole_playlist(&self) -> bool {
        self.is_playlist() && !self.whole.contains("_HLS_skip")
    }
}

fn is_there(fetched: &Result<Fetched, Option<Response>>) -> bool {
    fetched
        .as_ref()
        .is_ok_and(|fetched| !is_missing(fetched.status))
}

fn last_key(stream: StreamId, path: &str) -> String {
    format!("{stream} {path}")
}

impl Kept {
    /// Gets a file that is open to all: from what is kept, else from its server, once for all who want
    /// it at the same time.
    async fn fetch(
        &self,
        cluster: &Cluster,
        server: &Record,
        asked: &Asked,
        within: Duration,
    ) -> Result<Fetched, Option<Response>> {
        let asked = asked.whole.as_str();
        // Two may be asked for the same, and answer otherwise.
        let key = format!("{} {asked}", server.slot);
        let found = self
            .fresh
            .try_get_with_by_ref(&key, async {
                let fetched = fetch(cluster, server, asked, within).await;
                // What may not be kept is for those who wait for it now.
                fetched.and_then(|fetched| match fetched.lasts.is_zero() {
                    true => Err(Unkept::Answer(fetched)),
                    false => Ok(fetched),
                })
            })
            .await;
        match found {
            Ok(fetched) => Ok(fetched),
            Err(unkept) => match &*unkept {
                Unkept::Answer(fetched) => Ok(fetched.clone()),
                Unkept::Away(error) => Err(Some(cluster::away(error))),
            },
        }
    }

    fn has_last(&self, asked: &Asked) -> bool {
        let key = last_key(asked.stream, &asked.path);
        asked.is_playlist() && self.last.contains_key(&key)
    }

    /// The answer; of a playlist that cannot be had, the last one.
    async fn answer(&self, fetched: Result<Fetched, Option<Response>>, asked: &Asked) -> Response {
        let key = last_key(asked.stream, &asked.path);
        let is_missing = match &fetched {
            Ok(fetched) if fetched.status.is_success() => {
                if asked.is_whole_playlist() {
                    self.last.insert(key.clone(), fetched.clone()).await;
                }
                false
            }
            Ok(fetched) => is_missing(fetched.status),
            Err(_) => true,
        };
        if is_missing
            && asked.is_playlist()
            && let Some(last) = self.last.get(&key).await
        {
            return last.once_more();
        }
        match fetched {
            Ok(fetched) => fetched.into_response(),
            Err(Some(response)) => response,
            Err(None) => nobody(),
        }
    }
}

/// What was fetched and is not kept, or why nothing was.
#[derive(Debug)]
enum Unkept {
    Answer(Fetched),
    Away(AskError),
}

async fn fetch(
    cluster: &Cluster,
    server: &Record,
    asked: &str,
    within: Duration,
) -> Result<Fetched, Unkept> {
    metrics::counter!("tallylight_hls_fetched_total").increment(1);
    let answered = cluster.ask(server, (Method::GET, asked), String::new(), within);
    let answered = answered.await.map_err(Unkept::Away)?;
    let (status, said) = (answered.status(), answered.headers());
    let mut headers = HeaderMap::new();
    for name in [CACHE_CONTROL, CONTENT_TYPE, ETAG, LOCATION] {
        if let Some(value) = said.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    let lasts = lasts(status, &headers);
    let unreachable = |source: reqwest::Error| AskError::Unreachable {
        url: server.url.clone(),
        source: source.without_url(),
    };
    let body = answered.bytes().await;
    Ok(Fetched {
        status,
        headers: Arc::new(headers),
        body: body.map_err(|error| Unkept::Away(unreachable(error)))?,
        lasts,
    })
}

/// How long an answer may be kept.
fn lasts(status: StatusCode, headers: &HeaderMap) -> Duration {
    let said = headers
        .get(CACHE_CONTROL)
        .and_then(|value| value.to_str().ok());
    let said = said.filter(|said| {
        let may_be_kept = [StatusCode::OK, StatusCode::TEMPORARY_REDIRECT].contains(&status);
        said.starts_with("public") && may_be_kept
    });
    let seconds = said.and_then(|said| {
        let (_, rest) = said.split_once("max-age=")?;
        let digits = rest.split(',').next()?;
        digits.trim().parse().ok()
    });
    Duration::from_secs(seconds.unwrap_or(0)).min(LONGEST)
}

impl Fetched {
    /// It was told before, and is soon old.
    fn once_more(self) -> Response {
        let mut response = self.into_response();
        let a_second = HeaderValue::from_static("public, max-age=1");
        response.headers_mut().insert(CACHE_CONTROL, a_second);
        response
    }

    fn into_response(self) -> Response {
        let mut response = (self.status, Body::from(self.body)).into_response();
        response.headers_mut().extend((*self.headers).clone());
        response
    }
}

/// Nobody has the stream just now.
pub(super) fn nobody() -> Response {
    cluster::away(&AskError::Nobody)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_nothing_to_us_is_no_other_file() {
        let asked = |path: &str, query| Asked::new(StreamId::from(1), path.to_owned(), query).whole;
        let playlist = "/hls/ada/t/v0/index.m3u8";
        let wanted = "/hls/ada/t/v0/index.m3u8?_HLS_msn=1&_HLS_part=2";
        assert_eq!(asked(playlist, Some("_HLS_msn=1&x=2&_HLS_part=2")), wanted);
        assert_eq!(asked(playlist, Some("x=1")), playlist);
        let part = "/hls/ada/t/v0/1.2.m4s";
        assert_eq!(asked(part, Some("x=1&_HLS_msn=1")), part);
        let steering = "/hls/ada/steering.json";
        assert_eq!(asked(steering, Some("_HLS_pathway=cdn1")), steering);
        let pathway = "/hls/ada/t/v0/index.cdn1.m3u8";
        assert_eq!(asked(pathway, Some("x=1")), pathway);
    }

    #[test]
    fn answers_are_kept_as_long_as_they_say_and_private_ones_never() {
        let of = |status, said: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static(said));
            lasts(status, &headers).as_secs()
        };
        let playlist = "public, max-age=1, stale-while-revalidate=1, stale-if-error=60";
        assert_eq!(of(StatusCode::OK, playlist), 1);
        assert_eq!(
            of(StatusCode::OK, "public, max-age=31536000, immutable"),
            60
        );
        assert_eq!(of(StatusCode::OK, "private, no-store"), 0);
        assert_eq!(of(StatusCode::NOT_FOUND, "public, max-age=1"), 0);
        assert_eq!(lasts(StatusCode::OK, &HeaderMap::new()), Duration::ZERO);
    }
}
