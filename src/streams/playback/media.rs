//! Playlists, parts and segments of live HLS, which every low-latency player asks for several times a
//! second.
//!
//! Their plain requests are told by [`MediaRequest::read`] ahead of the router, which would cost more
//! than the answer; all others come by the routes, and get the same answer here.

use std::sync::Arc;

use axum::http::Method;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use hls::{PlaylistRequest, ReadError, parse_playlist_name};

use super::doorway::Entered;
use super::routes::{HlsError, PLAYLIST};
use super::{OnAir, Playback};
use crate::answer::{Caching, Content};
use crate::gates::split_pass;
use crate::request::ASKED_BY_SERVER;

/// A request for a playlist or a file of a rendition.
#[derive(Debug, Clone, Copy)]
pub struct MediaRequest<'a> {
    pub(super) handle: &'a str,
    pub(super) token: &'a str,
    /// Behind the token, where there is a gate.
    pub(super) pass: Option<&'a str>,
    pub(super) rendition: &'a str,
    pub(super) file: MediaFile<'a>,
    pub(super) head: &'a Parts,
}

impl MediaRequest<'_> {
    /// Rendition and file, where it is no playlist.
    pub(super) fn named(&self) -> Option<(&str, &str)> {
        match self.file {
            MediaFile::Playlist(_) => None,
            MediaFile::Named(name) => Some((self.rendition, name)),
        }
    }
}

/// What is asked for of a rendition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MediaFile<'a> {
    /// Of a pathway, or for who knows of none.
    Playlist(Option<u8>),
    /// An initialisation, a part or a segment.
    Named(&'a str),
}

pub(super) const MULTIVARIANT_ROUTE: &str = "/hls/{handle}/index.m3u8";
pub(super) const STEERING_ROUTE: &str = "/hls/{handle}/steering.json";
pub(super) const PLAYLIST_ROUTE: &str = "/hls/{handle}/{token}/{rendition}/index.m3u8";
pub(super) const FILE_ROUTE: &str = "/hls/{handle}/{token}/{rendition}/{name}";
/// Segments that who has a preview may be behind: as far as plain HLS players begin, and some more.
const PREVIEW_BEHIND: u64 = 8;
/// Stands where a rendition would, for pictures.
pub(super) const THUMBS: &str = "thumbs";

impl<'a> MediaRequest<'a> {
    /// The request, when it is one as players send them. What is escaped, or no GET, is for the routes.
    #[must_use]
    pub fn read(head: &'a Parts) -> Option<Self> {
        let path = head.uri.path().strip_prefix("/hls/")?;
        if head.method != Method::GET || path.contains('%') {
            return None;
        }
        let mut names = path.split('/');
        let mut next = || names.next().filter(|name| !name.is_empty());
        let (handle, token, rendition, name) = (next()?, next()?, next()?, next()?);
        if rendition == THUMBS || names.next().is_some() {
            return None;
        }
        let (token, pass) = split_pass(token);
        Some(Self {
            handle,
            token,
            pass,
            rendition,
            file: MediaFile::of(name),
            head,
        })
    }

    /// Routes of playlists and of files, which such requests would take.
    pub const ROUTES: [&'static str; 2] = [PLAYLIST_ROUTE, FILE_ROUTE];

    /// Whether a playlist is asked for, else a file.
    #[must_use]
    pub fn is_playlist(&self) -> bool {
        matches!(self.file, MediaFile::Playlist(_))
    }
}

impl<'a> MediaFile<'a> {
    pub(super) fn of(name: &'a str) -> Self {
        parse_playlist_name(name).map_or(Self::Named(name), Self::Playlist)
    }
}

impl Playback {
    /// Answers with a playlist or a file.
    pub(in super::super) async fn media(
        &self,
        asked: &MediaRequest<'_>,
        entered: Entered,
    ) -> Response {
        let answered = match asked.file {
            MediaFile::Playlist(pathway) => self.playlist(asked, pathway).await,
            MediaFile::Named(name) => self.file(asked, name, &entered).await,
        };
        let mut response = answered.unwrap_or_else(|error| error.into_response());
        entered.keep_private(&mut response);
        response
    }

    async fn playlist(
        &self,
        asked: &MediaRequest<'_>,
        pathway: Option<u8>,
    ) -> Result<Response, HlsError> {
        let on_air = self.asked_for(asked)?;
        let directives = directives(asked.head.uri.query().unwrap_or_default())?;
        let request = PlaylistRequest {
            pathway,
            ..directives
        };
        // The sound is read beside a picture, and would count twice.
        // Those who read it at another server are counted there.
        let counts =
            asked.rendition.starts_with('v') && !asked.head.headers.contains_key(&ASKED_BY_SERVER);
        let _waiting = match request.msn {
            Some(_) if counts => Some(on_air.readers.wait()),
            None if counts => {
                on_air.readers.poll();
                None
            }
            _ => None,
        };
        let rendered = on_air.origin.playlist(asked.rendition, request).await?;
        let target = self.0.settings.target_duration().as_secs();
        let content = Content {
            kind: PLAYLIST,
            tag: rendered.etag(),
            // What a blocking request names is there once and for all; the rest is soon old, and so is the last
            // playlist of what goes on elsewhere.
            caching: match request.msn {
                Some(_) if !on_air.origin.is_leaving() => {
                    Caching::Seconds(u32::try_from(target * 6).unwrap_or(u32::MAX))
                }
                _ => Caching::Live,
            },
        };
        Ok(content.rendered(&rendered, &asked.head.headers))
    }

    async fn file(
        &self,
        asked: &MediaRequest<'_>,
        name: &str,
        entered: &Entered,
    ) -> Result<Response, HlsError> {
        let on_air = self.asked_for(asked)?;
        // A preview is of now: else its minute would be enough to fetch hours.
        let origin = &on_air.origin;
        if entered.is_preview() && !origin.is_near_edge(asked.rendition, name, PREVIEW_BEHIND) {
            // What is not here may be of now where the stream was before.
            return Err(match origin.holds(asked.rendition, name) {
                true => HlsError::Rewound,
                false => ReadError::NotFound.into(),
            });
        }
        if let (Some(shelves), Entered::Open) = (&self.0.shelves, entered)
            && let Some(elsewhere) = shelves.redirect(&on_air, asked.rendition, name)
        {
            return Ok(elsewhere);
        }
        let body = on_air.origin.file(asked.rendition, name).await?;
        let content = Content {
            kind: if asked.rendition.starts_with('v') {
                "video/mp4"
            } else {
                "audio/mp4"
            },
            // It was found by these names, so that they are plain.
            tag: &format!("{}-{name}", asked.rendition),
            caching: Caching::Immutable,
        };
        Ok(content.bytes(body, &asked.head.headers))
    }

    fn asked_for(&self, asked: &MediaRequest<'_>) -> Result<Arc<OnAir>, HlsError> {
        let on_air = self.by_token(asked.handle, asked.token, asked.named());
        on_air.ok_or(HlsError::NotLive)
    }
}

/// Reads the delivery directives (draft-pantos-hls-rfc8216bis §6.2.5). Other parameters are not
/// ours and mean nothing.
fn directives(query: &str) -> Result<PlaylistRequest, HlsError> {
    let (mut msn, mut part, mut skip) = (None, None, None);
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let given = match name {
            "_HLS_msn" => &mut msn,
            "_HLS_part" => &mut part,
            "_HLS_skip" => &mut skip,
            _ => continue,
        };
        if given.replace(value).is_some() {
            return Err(HlsError::Query("a delivery directive is there twice"));
        }
    }
    let skip = match skip {
        None => false,
        Some("YES" | "v2") => true,
        Some(_) => return Err(HlsError::Query("_HLS_skip is YES or v2")),
    };
    Ok(PlaylistRequest {
        msn: msn.map(number).transpose()?,
        part: part.map(number).transpose()?,
        skip,
        pathway: None,
    })
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, HlsError> {
    let is_decimal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let read = text.parse().ok().filter(|_| is_decimal);
    read.ok_or(HlsError::Query(
        "_HLS_msn and _HLS_part are decimal numbers",
    ))
}

#[cfg(test)]
mod tests {
    use axum::http;

    use super::*;

    #[test]
    fn plain_requests_of_players_are_told_and_all_others_left_to_the_routes() {
        let read = |method: &str, uri: &str| {
            let request = http::Request::builder().method(method).uri(uri).body(());
            let (head, ()) = request.unwrap().into_parts();
            let read = MediaRequest::read(&head);
            read.map(|asked| {
                let names = [asked.handle, asked.token, asked.rendition];
                (names.join(" "), asked.is_playlist())
            })
        };
        let of_v0 = |is_playlist| Some(("ada token v0".to_owned(), is_playlist));
        let playlist = "/hls/ada/token/v0/index.m3u8?_HLS_msn=1";
        assert_eq!(read("GET", "/hls/ada/token.pass/v0/1.2.m4s"), of_v0(false));
        assert_eq!(read("GET", playlist), of_v0(true));
        let of_pathway = "/hls/ada/token/v0/index.cdn2.m3u8?_HLS_msn=1";
        assert_eq!(read("GET", of_pathway), of_v0(true));
        assert_eq!(read("GET", "/hls/ada/token/v0/1.2.m4s"), of_v0(false));
        let over_http_2 = "https://live.example/hls/ada/token/v0/1.2.m4s";
        assert_eq!(read("GET", over_http_2), of_v0(false));
        for other in [
            "/hls/ada/index.m3u8",
            "/hls/ada/token/v0",
            "/hls/ada/token/v0/",
            "/hls/ada/token//1.2.m4s",
            "/hls/ada/token/v0/1.2.m4s/",
            "/hls/ada/token/v0/..%2f1.2.m4s",
            "/hls/ada/token/thumbs/1.jpg",
            "/vod/ada/token/v0/1.m4s",
            "/",
        ] {
            assert_eq!(read("GET", other), None, "{other}");
        }
        assert_eq!(read("OPTIONS", playlist), None, "a preflight");
        assert_eq!(read("HEAD", playlist), None);
    }

    #[test]
    fn delivery_directives_are_read_and_hostile_ones_refused() {
        let read = directives("_HLS_msn=12&_HLS_part=3&_HLS_skip=YES&x=%00").unwrap();
        assert_eq!(
            read,
            PlaylistRequest {
                msn: Some(12),
                part: Some(3),
                skip: true,
                pathway: None,
            }
        );
        assert_eq!(directives("").unwrap(), PlaylistRequest::default());
        for hostile in [
            "_HLS_msn=",
            "_HLS_msn",
            "_HLS_msn=-1",
            "_HLS_msn=+1",
            "_HLS_msn=1e3",
            "_HLS_msn=99999999999999999999",
            "_HLS_msn=1&_HLS_msn=2",
            "_HLS_part=%31",
            "_HLS_skip=no",
        ] {
            assert!(directives(hostile).is_err(), "{hostile}");
        }
    }
}
