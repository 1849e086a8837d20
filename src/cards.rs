//! [`Cards`]: what a link to a page of ours shows where it is shared (the Open Graph protocol).

use uuid::Uuid;

use crate::channels::Channels;
use crate::db::StoreError;
use crate::recordings::{RecordingId, Recordings};
use crate::streams::Streams;

/// Knows what pages show.
#[derive(Debug, Clone)]
pub struct Cards {
    channels: Channels,
    streams: Streams,
    recordings: Recordings,
}

/// A page in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    title: String,
    description: String,
    /// Path of the page.
    page: String,
    /// Path of a picture.
    image: Option<String>,
}

/// What is known of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// Nothing to be added.
    Plain,
    /// This is what it shows.
    Shown(Card),
    /// It speaks of something that there is not.
    Missing,
}

impl Cards {
    /// Looks into these.
    #[must_use]
    pub fn new(channels: Channels, streams: Streams, recordings: Recordings) -> Self {
        Self {
            channels,
            streams,
            recordings,
        }
    }

    /// What the page at the path shows, such as `@ada` or `videos/…`.
    pub async fn page(&self, path: &str) -> Page {
        let path = path.trim_end_matches('/');
        let found = if let Some(handle) = path.strip_prefix('@') {
            self.channel(handle).await
        } else if let Some(id) = path.strip_prefix("videos/") {
            self.recording(id).await
        } else {
            return Page::Plain;
        };
        match found {
            Ok(Some(card)) => Page::Shown(card),
            Ok(None) => Page::Missing,
            // The page itself says what is wrong.
            Err(_) => Page::Plain,
        }
    }

    async fn channel(&self, handle: &str) -> Result<Option<Card>, StoreError> {
        let Some(channel) = self.channels.by_handle(handle).await? else {
            return Ok(None);
        };
        let is_live = self.streams.live_on(channel.id).await.is_some();
        let handle = &channel.handle;
        Ok(Some(Card {
            description: if is_live {
                format!("@{handle} is live now.")
            } else {
                format!("@{handle} is not live at the moment.")
            },
            page: format!("/@{handle}"),
            image: is_live.then(|| format!("/hls/{handle}/thumbnail.jpg")),
            title: channel.name,
        }))
    }

    async fn recording(&self, id: &str) -> Result<Option<Card>, StoreError> {
        let Ok(id) = Uuid::parse_str(id) else {
            return Ok(None);
        };
        let Some(recording) = self.recordings.shared(RecordingId(id)).await? else {
            return Ok(None);
        };
        let image = format!("/vod/{id}/thumbnail.jpg");
        Ok(Some(Card {
            title: recording.title,
            description: "A recorded stream.".to_owned(),
            page: format!("/videos/{id}"),
            image: recording.has_thumbnail.then_some(image),
        }))
    }
}

impl Card {
    /// The lines for the head of the page; `origin` is how the reader reached us.
    #[must_use]
    pub fn head(&self, origin: &str) -> String {
        let large = self.image.is_some();
        let mut lines = vec![
            ("og:site_name", "Tallylight".to_owned()),
            ("og:type", "video.other".to_owned()),
            ("og:title", self.title.clone()),
            ("og:description", self.description.clone()),
            ("og:url", format!("{origin}{}", self.page)),
        ];
        if let Some(image) = &self.image {
            lines.push(("og:image", format!("{origin}{image}")));
        }
        let kind = if large {
            "summary_large_image"
        } else {
            "summary"
        };
        lines.push(("twitter:card", kind.to_owned()));
        lines
            .iter()
            .map(|(name, value)| {
                format!(
                    "<meta property=\"{name}\" content=\"{}\" />",
                    escaped(value)
                )
            })
            .collect()
    }
}

/// Text within a quoted attribute.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_attribute() {
        let card = Card {
            title: "\"><script>alert(1)</script> & co".to_owned(),
            description: String::new(),
            page: "/@ada".to_owned(),
            image: Some("/hls/ada/thumbnail.jpg".to_owned()),
        };
        let head = card.head("https://live.example");
        assert!(!head.contains("<script"), "{head}");
        assert!(head.contains("&quot;&gt;&lt;script"), "{head}");
        assert!(head.contains("https://live.example/hls/ada/thumbnail.jpg"));
    }
}
