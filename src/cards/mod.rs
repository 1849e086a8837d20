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

use crate::channels::{Channel, ChannelId, Channels, Visibility as ChannelVisibility};
use crate::clock::Clock;
use crate::db::StoreError;
use crate::recordings::{RecordingId, Recordings, Visibility};
use crate::settings::Settings;
use crate::streams::{StreamState, Streams};

pub use head::Head;

/// Knows what pages show.
#[derive(Debug, Clone)]
pub struct Cards {
    channels: Channels,
    streams: Streams,
    recordings: Recordings,
    clock: Clock,
    settings: Settings,
}

/// A page in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// What the server calls itself.
    site: String,
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

/// What there is at an address.
enum Found {
    Card(Box<Card>),
    /// It is not for everybody, so that nothing is told of it.
    Closed,
    Nothing,
}

impl Found {
    fn card(card: Card) -> Self {
        Self::Card(Box::new(card))
    }
}

/// What is planned next on a channel.
struct Next {
    title: String,
    at: Timestamp,
    /// Path of its picture.
    thumbnail: Option<String>,
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
        settings: Settings,
    ) -> Self {
        Self {
            channels,
            streams,
            recordings,
            clock,
            settings,
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
            Ok(Found::Card(card)) => Page::Shown(card),
            Ok(Found::Nothing) => Page::Missing,
            // The page itself says what is wrong, or asks for what opens it.
            Ok(Found::Closed) | Err(_) => Page::Plain,
        }
    }

    async fn card(&self, subject: Subject<'_>) -> Result<Found, StoreError> {
        match subject {
            Subject::Home => Ok(Found::card(home(self.site()))),
            Subject::Channel(handle) => self.channel(handle).await,
            Subject::Recording(id) => self.recording(id).await,
            Subject::Nothing => Ok(Found::Nothing),
        }
    }

    async fn channel(&self, handle: &str) -> Result<Found, StoreError> {
        let Some(channel) = self.channels.by_handle(handle).await? else {
            return Ok(Found::Nothing);
        };
        if !is_open(&channel) {
            return Ok(Found::Closed);
        }
        let live = self.streams.live_on(channel.id).await;
        // A stream that was not published yet is nobody's business.
        let live = live.filter(|live| live.is_shown_to(None));
        let next = match &live {
            Some(_) => None,
            None => self.next(channel.id).await?,
        };
        let (handle, name) = (channel.handle.clone(), channel.name.clone());
        let path = format!("/@{handle}");
        let image = match &live {
            Some(live) if live.about.details.lock.is_open() => Image {
                path: live_picture(&handle, self.clock.now()),
                size: THUMBNAIL,
                alt: format!("What {name} shows now"),
            },
            // Not everybody may see what is on air.
            Some(live) => still(
                &channel,
                live.about.details.thumbnail.as_deref().map(picture),
            ),
            None => still(
                &channel,
                next.as_ref().and_then(|next| next.thumbnail.clone()),
            ),
        };
        let is_unlisted = live.as_ref().is_some_and(|live| !live.is_listed());
        let (title, description) = match (&live, &next) {
            (Some(live), _) => on_air(&name, &handle, &live.about.details.title),
            (None, Some(next)) => ahead(&name, &handle, &next.title, next.at),
            (None, None) => (name.clone(), about(&handle, &channel.description)),
        };
        Ok(Found::card(Card {
            site: self.site(),
            title,
            description,
            image,
            video: Some(Video {
                embed: self.frame(handle),
                author: name,
                author_path: path.clone(),
                seconds: None,
                fresh_seconds: LIVE_FRESH_SECONDS,
            }),
            path,
            is_listed: channel.visibility == ChannelVisibility::Public && !is_unlisted,
        }))
    }

    /// What is planned next for everybody.
    async fn next(&self, channel: ChannelId) -> Result<Option<Next>, StoreError> {
        let ahead = self.streams.ahead(channel).await?.into_iter();
        let mut planned = ahead
            .filter(|stream| stream.state == StreamState::Scheduled && stream.is_listed())
            .filter_map(|stream| {
                Some(Next {
                    title: stream.details.title,
                    at: stream.schedule?.at,
                    thumbnail: stream.details.thumbnail.as_deref().map(picture),
                })
            });
        Ok(planned.next())
    }

    async fn recording(&self, id: Uuid) -> Result<Found, StoreError> {
        let Some(recording) = self.recordings.shared(RecordingId(id)).await? else {
            return Ok(Found::Nothing);
        };
        let Some(channel) = self.channels.by_id(recording.channel).await? else {
            return Ok(Found::Nothing);
        };
        if !is_open(&channel) {
            return Ok(Found::Closed);
        }
        let seconds = recording.duration_ms / 1_000;
        let image = match recording.has_thumbnail && recording.lock().is_open() {
            true => Image {
                path: format!("/vod/{id}/thumbnail.jpg"),
                size: THUMBNAIL,
                alt: format!("A picture of {}", recording.title),
            },
            false => still(&channel, None),
        };
        Ok(Found::card(Card {
            site: self.site(),
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
            is_listed: recording.visibility == Visibility::Public,
        }))
    }

    fn site(&self) -> String {
        self.settings.now().name.clone()
    }

    fn frame(&self, of: String) -> Option<String> {
        let embeds = self.settings.now().embeds();
        embeds.then(|| format!("/embed/{of}"))
    }
}

/// Whether everybody who has its link may watch: then its name may be told, too.
fn is_open(channel: &Channel) -> bool {
    use ChannelVisibility::{Public, Unlisted};
    matches!(channel.visibility, Public | Unlisted)
}

/// The page of this address, if it is at one of these origins, as [`Cards::page`] takes it.
fn path_at<'a>(url: &'a Uri, origins: [&str; 2]) -> Option<&'a str> {
    let host = url.authority()?.as_str();
    let ours = |origin: &str| origin.split("://").nth(1) == Some(host);
    let is_web = matches!(url.scheme_str(), Some("http" | "https"));
    let at_ours = is_web && origins.into_iter().any(ours);
    at_ours.then(|| url.path().trim_start_matches('/'))
}

fn home(site: String) -> Card {
    Card {
        title: site.clone(),
        site,
        description: "Live video in under a second, from your own server.".to_owned(),
        path: "/".to_owned(),
        image: emblem(),
        video: None,
        is_listed: true,
    }
}

/// Title and description of what is on air.
fn on_air(name: &str, handle: &str, title: &str) -> (String, String) {
    let watch = "Watch with less than a second of delay.";
    match title {
        "" => (
            format!("{name} is live"),
            format!("@{handle} is live now. {watch}"),
        ),
        title => (
            title.to_owned(),
            format!("{name} (@{handle}) is live now. {watch}"),
        ),
    }
}

/// Title and description of what is planned.
fn ahead(name: &str, handle: &str, title: &str, at: Timestamp) -> (String, String) {
    let when = at.strftime("%-d %B %Y, %H:%M UTC");
    let what = match title {
        "" => format!("{name} goes live"),
        title => title.to_owned(),
    };
    (what, format!("{name} (@{handle}) goes live on {when}."))
}

/// Of a channel of which nothing is on air or ahead.
fn about(handle: &str, description: &str) -> String {
    let words = description.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.is_empty() {
        return format!("@{handle} is not live at the moment.");
    }
    match words.char_indices().nth(MOST_WORDS) {
        Some((end, _)) => format!("{}…", words.get(..end).unwrap_or_default().trim_end()),
        None => words,
    }
}

/// Path of a picture that was uploaded.
fn picture(id: &str) -> String {
    format!("/images/{id}")
}

/// What stands for a channel of which there is no picture that everybody may see, but one that was uploaded
/// perhaps.
fn still(channel: &Channel, uploaded: Option<String>) -> Image {
    let thumbnail = uploaded.map(|path| (path, (1280, 720)));
    let banner = || Some((channel.banner.as_ref()?.url(), (2048, 512)));
    match thumbnail.or_else(banner) {
        Some((path, size)) => Image {
            path,
            size,
            alt: format!("The picture of {}", channel.name),
        },
        None => emblem(),
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
/// Characters of a description that others show.
const MOST_WORDS: usize = 200;
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
    fn what_is_on_air_or_ahead_is_called_by_its_title_where_it_has_one() {
        assert_eq!(on_air("Ada", "ada", "").0, "Ada is live");
        let (title, words) = on_air("Ada", "ada", "Engines");
        assert_eq!(title, "Engines");
        assert!(words.starts_with("Ada (@ada) is live now."), "{words}");
        let at: Timestamp = "2026-11-27T20:00:00Z".parse().unwrap();
        let (title, words) = ahead("Ada", "ada", "", at);
        assert_eq!(title, "Ada goes live");
        assert_eq!(
            words,
            "Ada (@ada) goes live on 27 November 2026, 20:00 UTC."
        );
    }

    #[test]
    fn lengths_are_told_in_few_words() {
        let told = [40, 720, 3_600, 3_900].map(length);
        assert_eq!(told, ["40 s", "12 min", "1 h", "1 h 5 min"]);
    }
}
