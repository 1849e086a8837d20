//! A stream that another server takes over, by HLS, without a break. Where it was, playlists stay as they are
//! until there are some of the other server, and segments as long as players may be behind; where it goes on,
//! and at all others, what is not there is asked for where it was.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use hls::parse_playlist_name;
use tokio::time::timeout;

use super::elsewhere::Distant;
use super::media::MULTIVARIANT_ROUTE;
use super::{OnAir, Playback};
use crate::request::Client;

/// What was packaged here of a stream that another server has by now.
#[derive(Debug, Default)]
pub(super) struct Past {
    is_past: AtomicBool,
    /// Playlists that were told of the other server: none of those of here may follow.
    followed: Mutex<HashSet<String>>,
}

/// What a player asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish<'a> {
    pub(super) route: &'a str,
    /// Rendition and file, where it is one of those.
    pub(super) file: Option<(&'a str, &'a str)>,
}

/// Where a stream was, somebody answers within this time, or there is nobody.
pub(super) const BEFORE_WITHIN: Duration = Duration::from_secs(1);

impl Past {
    /// All of it is packaged, and another server has the stream.
    pub(super) fn begin(&self) {
        self.is_past.store(true, Ordering::Release);
    }

    pub(super) fn is_past(&self) -> bool {
        self.is_past.load(Ordering::Acquire)
    }

    fn followed(&self) -> MutexGuard<'_, HashSet<String>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wish<'_> {
    fn is_playlist(&self) -> bool {
        let is_media = |(_, name)| parse_playlist_name(name).is_some();
        self.route == MULTIVARIANT_ROUTE || self.file.is_some_and(is_media)
    }

    /// Of a playlist: which of a stream it is.
    fn name(&self) -> String {
        self.file.map_or_else(String::new, |(rendition, name)| {
            format!("{rendition}/{name}")
        })
    }
}

impl OnAir {
    /// Whether this server is the first to be asked for that.
    fn is_first_for(&self, wish: Wish<'_>) -> bool {
        let is_held = wish
            .file
            .map(|(rendition, name)| self.origin.holds(rendition, name));
        match self.past.is_past() {
            true => is_held == Some(true) && !wish.is_playlist(),
            false if wish.is_playlist() => is_held.unwrap_or_else(|| self.origin.is_ready()),
            false => is_held.unwrap_or(true),
        }
    }

    /// Whether what is here still counts when others have nothing.
    fn may_follow(&self, wish: Wish<'_>) -> bool {
        let is_followed = || self.past.followed().contains(&wish.name());
        !(wish.is_playlist() && self.past.is_past() && is_followed())
    }
}

impl Playback {
    /// Whether others may have to be asked for some of it.
    pub(super) fn is_taken_over(&self, on_air: &OnAir) -> bool {
        on_air.past.is_past()
            || on_air.media != on_air.stream
                && self
                    .on_air_elsewhere(&on_air.handle)
                    .is_some_and(|distant| distant.stream == on_air.stream)
    }

    /// Has others answer what this server is not the first to be asked for. Gives the request back when it is,
    /// or when they have nothing.
    pub(super) async fn have_others_answer(
        &self,
        (here, distant): (Option<&OnAir>, &Distant),
        wish: Wish<'_>,
        client: &Client,
        request: Request,
    ) -> Result<Response, Request> {
        let Some(here) = here else {
            return Ok(self.answer_elsewhere(distant, client, request).await);
        };
        if here.stream != distant.stream || here.is_first_for(wish) {
            return Err(request);
        }
        let (head, body) = request.into_parts();
        // Nothing here has a body that counts.
        let same = Request::from_parts(head.clone(), Body::empty());
        let asked = self.answer_elsewhere(distant, client, same);
        let answered = match here.past.is_past() {
            true => Some(asked.await),
            false => timeout(BEFORE_WITHIN * 2, asked).await.ok(),
        };
        let answered = answered.filter(|response| !is_missing(response.status()));
        match answered {
            Some(response) => {
                if wish.is_playlist() && response.status().is_success() {
                    here.past.followed().insert(wish.name());
                }
                Ok(response)
            }
            None if here.may_follow(wish) => Err(Request::from_parts(head, body)),
            None => Ok(super::elsewhere::nobody()),
        }
    }
}

/// Whether a server has nothing of what it was asked for.
pub(super) fn is_missing(status: StatusCode) -> bool {
    status == StatusCode::NOT_FOUND || status.is_server_error()
}
