//! `/api/oembed`: how a page of ours is embedded, for programs that were given its address
//! (oEmbed 1.0, <https://oembed.com>).
#![allow(
    unused_qualifications,
    reason = "utoipa writes the type of a query out in full beside its handler"
)]

use std::num::NonZeroU32;

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::head::escaped;
use super::{Card, Cards, Found, Subject, path_at};
use crate::answer::{Caching, OpenToAll};
use crate::db::StoreError;
use crate::error::{Problem, log_store_error, store_problem};
use crate::request::{ApiQuery, Client};

pub(super) fn routes(cards: Cards) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(show_oembed))
        .layer(OpenToAll)
        .with_state(cards)
}

/// Consumers add parameters of their own, which the specification lets them do.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Address of the page: a channel, a recording, or either for frames.
    url: String,
    /// The frame is no wider, in pixels.
    #[param(value_type = Option<u32>, minimum = 1)]
    maxwidth: Option<NonZeroU32>,
    /// The frame is no higher, in pixels.
    #[param(value_type = Option<u32>, minimum = 1)]
    maxheight: Option<NonZeroU32>,
    /// `json`, as when it is left out, or `xml`.
    format: Option<String>,
}

/// Why there is no answer (oEmbed §2.3.5).
#[derive(Debug, thiserror::Error)]
enum OembedError {
    #[error("there is nothing at this address of ours that could be embedded")]
    Nothing,
    #[error("ask for json or xml")]
    Format,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoResponse for OembedError {
    fn into_response(self) -> Response {
        let problem = |status, code| Problem::new(status, code, self.to_string());
        match &self {
            Self::Nothing => problem(StatusCode::NOT_FOUND, "not_found"),
            Self::Format => problem(StatusCode::NOT_IMPLEMENTED, "format_unknown"),
            Self::Store(error) => {
                log_store_error(error);
                store_problem(error)
            }
        }
        .into_response()
    }
}

/// How a page is embedded (oEmbed 1.0).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
struct Oembed {
    version: &'static str,
    /// `video`; `link` where the server lets nobody embed it.
    r#type: &'static str,
    title: String,
    author_name: String,
    author_url: String,
    provider_name: String,
    provider_url: String,
    /// Seconds for which the answer may be kept.
    cache_age: u32,
    thumbnail_url: String,
    thumbnail_width: u32,
    thumbnail_height: u32,
    /// A frame with a player.
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
}

/// How a page of this server is embedded in another site.
#[utoipa::path(
    get, path = "/api/oembed", tag = "sharing", params(Asked),
    responses(
        (status = 200, content((Oembed = "application/json"), (String = "text/xml"))),
        (status = 404, body = Problem), (status = 422, body = Problem),
        (status = 501, body = Problem), (status = 503, body = Problem),
    ),
)]
async fn show_oembed(
    State(cards): State<Cards>,
    client: Client,
    ApiQuery(asked): ApiQuery<Asked>,
) -> Result<Response, OembedError> {
    let is_xml = match asked.format.as_deref() {
        None | Some("json") => false,
        Some("xml") => true,
        Some(_) => return Err(OembedError::Format),
    };
    let known_as = client.known_as();
    // Browsers and some consumers write the sign of a handle so.
    let url = asked.url.replace("%40", "@");
    let url: Uri = url.parse().map_err(|_| OembedError::Nothing)?;
    let path = path_at(&url, [&client.origin, known_as]).ok_or(OembedError::Nothing)?;
    let subject = Subject::of(path).ok_or(OembedError::Nothing)?;
    let Found::Card(card) = cards.card(subject).await? else {
        return Err(OembedError::Nothing);
    };
    let most = (asked.maxwidth, asked.maxheight);
    let answer = Oembed::of(&card, known_as, most).ok_or(OembedError::Nothing)?;
    let caching = [(CACHE_CONTROL, Caching::Seconds(answer.cache_age).value())];
    Ok(match is_xml {
        true => {
            let kind = [(CONTENT_TYPE, "text/xml; charset=utf-8")];
            (caching, kind, answer.xml()).into_response()
        }
        false => (caching, Json(answer)).into_response(),
    })
}

impl Oembed {
    fn of(
        card: &Card,
        origin: &str,
        most: (Option<NonZeroU32>, Option<NonZeroU32>),
    ) -> Option<Self> {
        let video = card.video.as_ref()?;
        let at = |path: &str| format!("{origin}{path}");
        let (width, height) = size_within(most);
        let html = video.embed.as_deref().map(|path| {
            format!(
                "<iframe src=\"{}\" width=\"{width}\" height=\"{height}\" title=\"{}\" \
                 style=\"border:0\" allow=\"autoplay; fullscreen; picture-in-picture\" \
                 allowfullscreen loading=\"lazy\"></iframe>",
                escaped(&at(path)),
                escaped(&card.title)
            )
        });
        let size = html.is_some().then_some((width, height));
        Some(Self {
            version: "1.0",
            r#type: if html.is_some() { "video" } else { "link" },
            title: card.title.clone(),
            author_name: video.author.clone(),
            author_url: at(&video.author_path),
            provider_name: card.site.clone(),
            provider_url: at("/"),
            cache_age: video.fresh_seconds,
            thumbnail_url: at(&card.image.path),
            thumbnail_width: card.image.size.0,
            thumbnail_height: card.image.size.1,
            html,
            width: size.map(|size| size.0),
            height: size.map(|size| size.1),
        })
    }

    fn xml(&self) -> String {
        let numbers = [
            ("cache_age", Some(self.cache_age)),
            ("thumbnail_width", Some(self.thumbnail_width)),
            ("thumbnail_height", Some(self.thumbnail_height)),
            ("width", self.width),
            ("height", self.height),
        ];
        let texts = [
            ("version", Some(self.version)),
            ("type", Some(self.r#type)),
            ("title", Some(&self.title)),
            ("author_name", Some(&self.author_name)),
            ("author_url", Some(&self.author_url)),
            ("provider_name", Some(self.provider_name.as_str())),
            ("provider_url", Some(&self.provider_url)),
            ("thumbnail_url", Some(&self.thumbnail_url)),
            ("html", self.html.as_deref()),
        ];
        let element = |name: &str, value: &str| format!("<{name}>{}</{name}>", allowed(value));
        let texts = texts
            .into_iter()
            .filter_map(|(name, value)| Some(element(name, value?)));
        let numbers = numbers
            .into_iter()
            .filter_map(|(name, value)| Some(element(name, &value?.to_string())));
        let elements: String = texts.chain(numbers).collect();
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\" standalone=\"yes\"?>\n\
             <oembed>{elements}</oembed>\n"
        )
    }
}

/// Text of XML 1.0, which has no place for most control characters, not even escaped (§2.2).
fn allowed(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    escaped(&text)
}

/// The largest frame of 16:9 that is allowed, within reason.
fn size_within((width, height): (Option<NonZeroU32>, Option<NonZeroU32>)) -> (u32, u32) {
    if width.is_none() && height.is_none() {
        return (WIDTH, WIDTH * 9 / 16);
    }
    let by_height = height.map(|height| u64::from(height.get()) * 16 / 9);
    let by_width = width.map(|width| u64::from(width.get()));
    let widest = by_height.into_iter().chain(by_width).min();
    let widest = widest.unwrap_or_default().clamp(1, MOST_WIDTH.into());
    let width = u32::try_from(widest).unwrap_or(MOST_WIDTH);
    (width, (width * 9 / 16).max(1))
}

const WIDTH: u32 = 640;
const MOST_WIDTH: u32 = 1_280;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_as_large_as_it_may_be_and_keeps_its_shape() {
        let size = |width, height| size_within((NonZeroU32::new(width), NonZeroU32::new(height)));
        assert_eq!(size(0, 0), (640, 360));
        assert_eq!(size(320, 0), (320, 180));
        assert_eq!(size(5_000, 0), (1_280, 720));
        assert_eq!(size(1_000, 90), (160, 90));
        assert_eq!(size(u32::MAX, u32::MAX), (1_280, 720));
        assert_eq!(size(1, 1), (1, 1));
        for (width, height) in [(640, 100), (33, 1_000), (7, 7), (1_000, 333)] {
            let (w, h) = size(width, height);
            assert!(w <= width && h <= height, "{w}x{h} in {width}x{height}");
        }
    }
}
