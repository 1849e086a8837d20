//! [`Cards`]: what a page of ours shows where it is shared. As lines in its head (`head`), as an answer
//! to who asks how to embed it (`oembed`).
//!
//! What not everybody may see is not told: such a page has no card.

mod head;
mod oembed;

use axum::http::Uri;
use jiff::Timestamp;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use crate::channels::Channels;
use crate::clock::Clock;
use crate::db::StoreError;
use crate::recordings::{RecordingId, Recordings};
use crate::streams::Streams;

pub use head::Head;

/// Knows what pages show.
#[derive(Debug, Clone)]
pub struct Cards {
    channels: Channels,
    streams: Streams,
    recordings: Recordings,
    clock: Clock,
    /// Whether pages of other sites may show ours in a frame.
    embeds: bool,
}

/// A page in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// What it is called.
    title: String,
    /// A sentence about it.
    description: String,
    /// Path of the page.
    path: String,
    image: Image,
    video: Option<Video>,
    /// Whether search engines may list it.
    is_listed: bool,
}

/// A picture of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Image {
    path: String,
    size: (u32, u32),
    alt: String,
}

/// What can be played in a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Video {
    /// Path of the page for frames; none where frames are not allowed.
    embed: Option<String>,
    /// Whose it is.
    author: String,
    /// Path of their page.
    author_path: String,
    /// How long it plays; none of what is live or comes later.
    seconds: Option<u64>,
    /// How long others may keep what they were told.
    fresh_seconds: u32,
}

/// What is known of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// Nothing to be added.
    Plain,
    /// This is what it shows.
    Shown(Box<Card>),
    /// It speaks of something that there is not.
    Missing,
}

/// What an address of ours is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject<'a> {
    Home,
    Channel(&'a str),
    Recording(Uuid),
    /// Something of that kind that cannot be.
    Nothing,
}

impl<'a> Subject<'a> {
    /// Of a path without its first slash; `None` of pages that cannot be shared.
    fn of(path: &'a str) -> Option<Self> {
        let path = path.trim_end_matches('/');
        if path.is_empty() {
            return Some(Self::Home);
        }
        let shown = path.strip_prefix("embed/").unwrap_or(path);
        if let Some(id) = shown.strip_prefix("videos/") {
            return Some(Uuid::parse_str(id).map_or(Self::Nothing, Self::Recording));
        }
        let handle = match path.strip_prefix("embed/") {
            Some(handle) => handle,
            None => path.strip_prefix('@')?,
        };
        let is_name = !handle.is_empty() && !handle.contains('/');
        Some(if is_name {
            Self::Channel(handle)
        } else {
            Self::Nothing
        })
    }
}

impl Cards {
    /// Looks into these.
    #[must_use]
    pub fn new(
        channels: Channels,
        streams: Streams,
        recordings: Recordings,
        clock: Clock,
        embeds: bool,
    ) -> Self {
        Self {
            channels,
            streams,
            recordings,
            clock,
            embeds,
        }
    }

    /// The routes of this module.
    pub fn routes(&self) -> OpenApiRouter {
        oembed::routes(self.clone())
    }

    /// What the page at the path shows, such as `@ada`, `videos/…` or `embed/ada`.
    pub async fn page(&self, path: &str) -> Page {
        let Some(subject) = Subject::of(path) else {
            return Page::Plain;
        };
        match self.card(subject).await {
            Ok(Some(card)) => Page::Shown(Box::new(card)),
            Ok(None) => Page::Missing,
            // The page itself says what is wrong.
            Err(_) => Page::Plain,
        }
    }

    async fn card(&self, subject: Subject<'_>) -> Result<Option<Card>, StoreError> {
        match subject {
            Subject::Home => Ok(Some(home())),
            Subject::Channel(handle) => self.channel(handle).await,
            Subject::Recording(id) => self.recording(id).await,
            Subject::Nothing => Ok(None),
        }
    }

    async fn channel(&self, handle: &str) -> Result<Option<Card>, StoreError> {
        let Some(channel) = self.channels.by_handle(handle).await? else {
            return Ok(None);
        };
        let is_live = self.streams.live_on(channel.id).await.is_some();
        let (handle, name) = (channel.handle, channel.name);
        let path = format!("/@{handle}");
        let image = match is_live {
            true => Image {
                path: live_picture(&handle, self.clock.now()),
                size: THUMBNAIL,
                alt: format!("What {name} shows now"),
            },
            false => emblem(),
        };
        Ok(Some(Card {
            title: match is_live {
                true => format!("{name} is live"),
                false => name.clone(),
            },
            description: match is_live {
                true => format!("@{handle} is live now. Watch with less than a second of delay."),
                false => format!("@{handle} is not live at the moment."),
            },
            image,
            video: Some(Video {
                embed: self.frame(handle),
                author: name,
                author_path: path.clone(),
                seconds: None,
                fresh_seconds: LIVE_FRESH_SECONDS,
            }),
            path,
            is_listed: true,
        }))
    }

    async fn recording(&self, id: Uuid) -> Result<Option<Card>, StoreError> {
        let Some(recording) = self.recordings.shared(RecordingId(id)).await? else {
            return Ok(None);
        };
        let Some(channel) = self.channels.by_id(recording.channel).await? else {
            return Ok(None);
        };
        let seconds = recording.duration_ms / 1_000;
        let image = match recording.has_thumbnail {
            true => Image {
                path: format!("/vod/{id}/thumbnail.jpg"),
                size: THUMBNAIL,
                alt: format!("A picture of {}", recording.title),
            },
            false => emblem(),
        };
        Ok(Some(Card {
            description: format!(
                "{} by {}, streamed on {}.",
                length(seconds),
                channel.name,
                recording.started_at.strftime("%-d %B %Y")
            ),
            title: recording.title,
            path: format!("/videos/{id}"),
            image,
            video: Some(Video {
                embed: self.frame(format!("videos/{id}")),
                author: channel.name,
                author_path: format!("/@{}", channel.handle),
                seconds: (seconds > 0).then_some(seconds),
                fresh_seconds: RECORDING_FRESH_SECONDS,
            }),
            is_listed: recording.visibility == crate::recordings::Visibility::Public,
        }))
    }

    fn frame(&self, of: String) -> Option<String> {
        self.embeds.then(|| format!("/embed/{of}"))
    }
}

/// The page of this address, if it is at one of these origins, as [`Cards::page`] takes it.
fn path_at<'a>(url: &'a Uri, origins: [&str; 2]) -> Option<&'a str> {
    let host = url.authority()?.as_str();
    let ours = |origin: &str| origin.split("://").nth(1) == Some(host);
    let is_web = matches!(url.scheme_str(), Some("http" | "https"));
    let at_ours = is_web && origins.into_iter().any(ours);
    at_ours.then(|| url.path().trim_start_matches('/'))
}

fn home() -> Card {
    Card {
        title: "Tallylight".to_owned(),
        description: "Live video in under a second, from your own server.".to_owned(),
        path: "/".to_owned(),
        image: emblem(),
        video: None,
        is_listed: true,
    }
}

/// For what has no picture of its own.
fn emblem() -> Image {
    Image {
        path: "/card.png".to_owned(),
        size: (1200, 630),
        alt: "Tallylight".to_owned(),
    }
}

/// Who keeps a picture by its address gets another within a minute.
fn live_picture(handle: &str, now: Timestamp) -> String {
    format!("/hls/{handle}/thumbnail.jpg?at={}", now.as_second() / 60)
}

/// "1 h 5 min", "12 min", "40 s".
fn length(seconds: u64) -> String {
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// Of the small pictures of streams.
const THUMBNAIL: (u32, u32) = (320, 180);
const LIVE_FRESH_SECONDS: u32 = 60;
const RECORDING_FRESH_SECONDS: u32 = 3_600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_say_what_they_are_about() {
        let id = Uuid::nil();
        let video = format!("videos/{id}");
        let embedded = format!("embed/videos/{id}");
        for (path, subject) in [
            ("", Some(Subject::Home)),
            ("@ada", Some(Subject::Channel("ada"))),
            ("@ada/", Some(Subject::Channel("ada"))),
            ("embed/ada", Some(Subject::Channel("ada"))),
            (video.as_str(), Some(Subject::Recording(id))),
            (embedded.as_str(), Some(Subject::Recording(id))),
            ("videos/none", Some(Subject::Nothing)),
            ("embed/ada/x", Some(Subject::Nothing)),
            ("@", Some(Subject::Nothing)),
            ("dashboard", None),
        ] {
            assert_eq!(Subject::of(path), subject, "{path}");
        }
    }

    #[test]
    fn only_addresses_of_ours_are_ours() {
        let origins = ["http://localhost:8080", "https://live.example"];
        let path = |url: &str| {
            let url: Uri = url.parse().unwrap();
            path_at(&url, origins).map(str::to_owned)
        };
        assert_eq!(
            path("https://live.example/@ada?t=1").as_deref(),
            Some("@ada")
        );
        assert_eq!(path("http://localhost:8080/").as_deref(), Some(""));
        for other in [
            "https://live.example.evil/@ada",
            "https://ada@live.example/@ada",
            "https://live.example:444/@ada",
            "ftp://live.example/@ada",
            "/@ada",
        ] {
            assert_eq!(path(other), None, "{other}");
        }
    }

    #[test]
    fn lengths_are_told_in_few_words() {
        let told = [40, 720, 3_600, 3_900].map(length);
        assert_eq!(told, ["40 s", "12 min", "1 h", "1 h 5 min"]);
    }
}
