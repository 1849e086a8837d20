//! Who gets at the media of what has a gate: by the pass in the path, which costs little, else by what the
//! request itself brings.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{MatchedPath, RawPathParams, Request, State};
use axum::http::header::CACHE_CONTROL;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hls::parse_playlist_name;

use super::media::{FILE_ROUTE, MULTIVARIANT_ROUTE, MediaRequest, PLAYLIST_ROUTE};
use super::takeover::Wish;
use super::{OnAir, Playback};
use crate::answer::Caching;
use crate::channels::ChannelId;
use crate::cluster::was_passed_on;
use crate::gates::{By, Entrance, Place, split_pass};
use crate::request::Client;
use crate::streams::entry::whole_channel;

/// How somebody got in.
#[derive(Debug, Clone)]
pub enum Entered {
    /// Nothing stands there.
    Open,
    /// Through a gate.
    Gate(Arc<Through>),
}

/// By what somebody got through a gate.
pub struct Through {
    pub(super) place: Place,
    by: By,
    /// What to show from now on.
    pub(super) pass: Option<String>,
}

impl fmt::Debug for Through {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Through").finish_non_exhaustive()
    }
}

impl Entered {
    /// Whether they have but a preview.
    pub(super) fn is_preview(&self) -> bool {
        match self {
            Self::Open => false,
            Self::Gate(through) => matches!(through.by, By::Preview(_)),
        }
    }

    /// What they get is for them alone.
    pub(super) fn keep_private(&self, response: &mut Response) {
        if let Self::Gate(..) = self {
            let never = Caching::Never.value();
            response.headers_mut().insert(CACHE_CONTROL, never);
        }
    }
}

impl Playback {
    /// Lets a player in that asks for media, as far as that can be told from the address of the file; none: it
    /// takes a look at the rest of the request.
    pub(in super::super) async fn enter(
        &self,
        asked: &MediaRequest<'_>,
        from: IpAddr,
    ) -> Option<Entered> {
        let gates = &self.0.gates;
        let on_air = self.by_token(asked.handle, asked.token, asked.named())?;
        if self.is_taken_over(&on_air) {
            return None;
        }
        let is_open = {
            let lock = on_air.lock.read();
            let lock = lock.unwrap_or_else(std::sync::PoisonError::into_inner);
            gates.is_open(asked.handle, &lock.1)
        };
        match (is_open, asked.pass) {
            (true, None) => Some(Entered::Open),
            // Its playlists would be kept by caches under an address that is somebody's own.
            (true, Some(_)) | (false, None) => None,
            (false, Some(pass)) => {
                let place = on_air.place();
                let by = gates.check_pass(&place, pass, from, &asked.head.headers);
                let by = by.await.ok()?;
                let pass = Some(pass.to_owned());
                Some(Entered::Gate(Arc::new(Through { place, by, pass })))
            }
        }
    }

    fn wanted(
        &self,
        handle: &str,
        token: Option<&str>,
        file: Option<(&str, &str)>,
    ) -> Option<Arc<OnAir>> {
        let file = file.filter(|(_, name)| parse_playlist_name(name).is_none());
        match token {
            Some(token) => self.by_token(handle, token, file),
            None => self.newest(handle),
        }
    }
}

/// The rendition and the name of a file in an address.
fn wish_of(names: &RawPathParams) -> Option<(&str, &str)> {
    let named = |wanted| {
        let mut found = names.iter().filter(|(name, _)| *name == wanted);
        found.next().map(|(_, named)| named)
    };
    let rendition = named("rendition")?;
    // The route of playlists names none.
    Some((rendition, named("name").unwrap_or("index.m3u8")))
}

/// Middleware: only who may watch gets by, and no cache keeps what they get.
pub(super) async fn pass_gate(
    State(playback): State<Playback>,
    route: MatchedPath,
    names: RawPathParams,
    client: Client,
    mut request: Request,
    next: Next,
) -> Response {
    // As the routes have them, without escapes.
    let named = |wanted| names.iter().find(|(name, _)| *name == wanted);
    let handle = named("handle").map_or("", |(_, handle)| handle);
    let (token, pass) = match named("token") {
        Some((_, word)) => {
            let (token, pass) = split_pass(word);
            (Some(token), pass)
        }
        None => (None, None),
    };
    let wanted = playback.wanted(handle, token, wish_of(&names));
    let distant = match was_passed_on(request.headers()) {
        true => None,
        false => playback.on_air_elsewhere(handle),
    };
    // What is on air now comes before what is played to its end.
    let is_newer = |on_air: &Arc<OnAir>| {
        let newer = distant.as_ref().filter(|_| token.is_none());
        newer.is_some_and(|distant| !distant.is_over() && distant.stream != on_air.stream)
    };
    let wanted = wanted.filter(|on_air| !is_newer(on_air));
    if let Some(distant) = distant {
        let wish = Wish {
            route: route.as_str(),
            file: wish_of(&names),
        };
        let asked = (wanted.as_deref(), distant.as_ref());
        let answered = playback.have_others_answer(asked, wish, &client, request);
        match Box::pin(answered).await {
            Ok(response) => return response,
            Err(back) => request = back,
        }
    }
    let place = match wanted {
        Some(on_air) => on_air.place(),
        None => whole_channel(ChannelId(uuid::Uuid::nil()), handle),
    };
    let is_media = [MULTIVARIANT_ROUTE, PLAYLIST_ROUTE, FILE_ROUTE].contains(&route.as_str());
    let gates = &playback.0.gates;
    let entrance = gates
        .let_in(&place, pass, is_media, &client, request.headers())
        .await;
    let entered = match entrance {
        Ok(Entrance { by: By::Open, .. }) => Entered::Open,
        Ok(Entrance { by, pass }) => Entered::Gate(Arc::new(Through { place, by, pass })),
        Err(barred) => return barred.into_response(),
    };
    request.extensions_mut().insert(entered.clone());
    let mut response = next.run(request).await;
    entered.keep_private(&mut response);
    response
}
